#!/usr/bin/python3
# Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
"""Everything at once: two networks on one bridge, the reference's plugins on the same store, kills, and a bridge and
rules that somebody takes away. And first ADDs on a fresh host, all at the same moment.

CNIO_TOGETHER_SEED makes the choices of a run that printed this seed.
"""
import json
import os
import pathlib
import queue
import random
import shutil
import subprocess
import tempfile
import threading
import time
import unittest
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from support import churn, figures, reference, traces, verdict, world
from support.verdict import OURS, REFERENCE, Event

Json = dict[str, Any]
SEED = int(os.environ.get("CNIO_TOGETHER_SEED") or random.SystemRandom().randrange(10**6))
BRIDGE = "cnio0"
STORE = pathlib.Path("/var/lib/cni/networks")
KILLED = 0.15  # of all ADDs and DELs
SIDES = (OURS, OURS, REFERENCE)
ADD_ATTEMPTS = DEL_ATTEMPTS = 30
# The chain in each of them that has rules which belong to no pod.
REFERENCE_TABLES = {"cni_plugins_masquerade": "postrouting", "nat": None}
EMPTY_CHAINS = "empty iptables chain left by a killed DEL of the reference"
SHIMS = pathlib.Path("/run/together")  # plugins that are wrong on purpose


def network(number: int) -> Json:
    """Networks that share a bridge: with IPv4 a bridge has one gateway address, so they have parts of one subnet; with
    IPv6 each has a subnet of its own. Their ranges are small, so that addresses are used again soon."""
    ranges = [[{"subnet": "10.240.0.0/16", "rangeStart": f"10.240.{number}.0", "rangeEnd": f"10.240.{number}.99"}],
              [{"subnet": f"fd00:240:{number}::/64", "rangeEnd": f"fd00:240:{number}::64"}]]
    return {"cniVersion": "1.1.0", "name": f"net{number}", "type": "bridge", "bridge": BRIDGE, "isGateway": True,
            "ipMasq": True, "ipMasqBackend": "nftables",  # so that the reference's rules are there, too
            "ipam": {"type": "host-local", "ranges": ranges, "routes": [{"dst": "0.0.0.0/0"}, {"dst": "::/0"}]}}


NETWORKS = [network(1), network(2)]


def plugin_folder(side: str) -> pathlib.Path:
    return pathlib.Path(os.environ[{OURS: "CNIO_PLUGIN_DIR", REFERENCE: reference.VARIABLE}[side]])


class Together:
    """A run: so many pods, so many at a time. Everything that happens goes into `log`."""

    def __init__(self, seed: str, pods: int, at_once: int, ours: pathlib.Path | None = None) -> None:
        self.seed, self.pods, self.at_once = seed, pods, at_once
        self.folders = {OURS: ours or plugin_folder(OURS), REFERENCE: plugin_folder(REFERENCE)}
        self.record = churn.Record()
        self.log: list[Event] = []
        self._caller = churn.Caller(self.record)
        self._jobs: queue.SimpleQueue[int] = queue.SimpleQueue()
        self._gone: set[str] = set()
        self._broken: list[str] = []
        chance = random.Random(seed)
        middle = range(pods // 5, pods * 4 // 5)
        # Before which pods: each of the two disruptions twice, and a GC now and then.
        self._disruptions = dict(zip(chance.sample(middle, 4), verdict.DISRUPTIONS * 2))
        self._collections = set(chance.sample(range(pods), max(pods // 50, 1)))

    def run(self) -> None:
        before = traces.snapshot()
        begin = time.monotonic()
        for number in range(self.pods):
            self._jobs.put(number)
        workers = [threading.Thread(target=self._work) for _ in range(self.at_once)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()  # bounded, as each call is
        if self._broken:
            raise RuntimeError(self._broken[0])
        self._collect([], random.Random(self.seed))
        self.seconds = time.monotonic() - begin
        for when, what in verdict.findings(self.log):
            self.record.find(what, when)
        self._put_away_what_may_stay()
        try:
            traces.expect_same(before)
        except AssertionError as different:
            for line in str(different).splitlines()[1:]:
                self.record.find(f"leak: after the GC, {line}")

    def disruptions(self) -> dict[str, int]:
        return {what: self.record.counts[what] for what in (*verdict.DISRUPTIONS, EMPTY_CHAINS) if self.record.counts[what]}

    def call(self, side: str, command: str, config: Json, environment: dict[str, str],
             killer: random.Random | None = None, ipam: str | None = None) -> Event:
        """`side`: whose bridge; `ipam`: whose host-local, if not the same."""
        environment = environment | {"CNI_PATH": str(self.folders[ipam or side])}
        # The reference's host-local goes on when the bridge that called it was killed, and reserves what nobody frees
        # if it comes too late. That is known, and not to be found again here.
        patient = REFERENCE in (side, ipam)
        answer = self._caller.call(self.folders[side] / "bridge", command, config, environment, killer, patient)
        event = Event(command, environment.get("CNI_CONTAINERID", ""), side, answer.begin, answer.end, answer.outcome,
                      answer.text, config["name"])
        self.log.append(event)
        return event

    def _work(self) -> None:
        try:
            while not self._broken:
                number = self._jobs.get_nowait()
                chance = random.Random(f"{self.seed}/{number}")
                if number in self._disruptions:
                    self._disrupt(self._disruptions[number], f"witness{number}")
                if number in self._collections:
                    self._collect(self._all_names(), chance)
                self._live(Pod(self, f"pod{number}", chance), chance)
        except queue.Empty:
            pass
        except Exception as broken:  # pylint: disable=broad-exception-caught
            self._broken.append(f"{type(broken).__name__}: {broken}")

    def _live(self, pod: "Pod", chance: random.Random) -> None:
        added = pod.add()
        if not added and chance.random() < 0.5:  # again under the same name, as some runtimes do
            pod.delete_unfinished()
            added = pod.add()
        for _ in range(chance.randrange(3) if added else 0):
            pod.check()
        vanishes_first = chance.random() < 0.3
        if vanishes_first:
            pod.remove_namespace()
        pod.delete()
        if not vanishes_first:
            pod.remove_namespace()
        self._gone.add(pod.name)
        self.record.count("pods")

    def _disrupt(self, what: str, name: str) -> None:
        """With a pod that certainly was there before, so that CHECK has to notice."""
        pod = Pod(self, name, random.Random(name), killed=0, sides=[OURS])
        for _ in range(ADD_ATTEMPTS):  # the other disruption may meet one
            if pod.add():
                break
            pod.delete()
        begin = time.monotonic()
        if what == verdict.BRIDGE_REMOVED:
            world.run("ip", "link", "delete", BRIDGE, check=False)  # another may have been faster
        else:
            world.run("nft", "flush", "ruleset")
        self.log.append(Event(what, begin=begin, end=time.monotonic()))
        self.record.count(what)
        if pod.result:
            pod.check()
        pod.delete()
        pod.remove_namespace()
        self._gone.add(name)

    def _all_names(self) -> list[str]:
        """Also of those that are still to come: a GC must not meet an ADD that it was not told of."""
        return [f"pod{number}" for number in range(self.pods)] + [f"witness{number}" for number in self._disruptions]

    def _collect(self, names: list[str], killer: random.Random) -> None:
        """GC of both networks; of these pods those that are not gone are valid."""
        valid = [{"containerID": name, "ifname": "eth0"} for name in names if name not in self._gone]
        for config in NETWORKS:
            config = config | {"cni.dev/valid-attachments": valid}
            if self.call(OURS, "GC", config, {}, killer).outcome == "killed":
                self.call(OURS, "GC", config, {})

    def _put_away_what_may_stay(self) -> None:
        """Bridges stay, without ports. The reference keeps its tables, which must be without rules of pods."""
        for line in world.run("ip", "-brief", "link", "show", "master", BRIDGE).stdout.splitlines():
            self.record.find(f"leak: after the GC, port of the bridge: {line}")
        world.run("ip", "link", "delete", BRIDGE)
        for what in reference_tables_put_away(self.record):
            self.record.find(f"leak: after the GC, {what}")
        killed = [event for event in self.log if (event.what, event.by, event.outcome) == ("DEL", REFERENCE, "killed")]
        if self.record.counts[EMPTY_CHAINS] > len(killed):
            self.record.find(f"leak: more than {len(killed)} times an {EMPTY_CHAINS}")


class Pod(churn.Pod):
    """A pod of one of the networks, with calls by ours and by the reference."""

    def __init__(self, run: Together, name: str, chance: random.Random, killed: float = KILLED,
                 sides: Sequence[str] = SIDES) -> None:
        super().__init__(name)
        self._run, self._chance, self._killed, self._sides = run, chance, killed, sides
        self._network = chance.choice(NETWORKS)
        self._added_by = ""

    def add(self) -> bool:
        event = self._call("ADD")
        self.result = json.loads(event.text) if event.outcome == "done" else None
        self._added_by = event.by
        return event.outcome == "done"

    def check(self) -> None:
        """By ours: the reference's finds fault with pods that are well."""
        self._run.call(OURS, "CHECK", self.config(self._network), self.environment())

    def delete_unfinished(self) -> None:
        """By the side that began it: nothing tells others whose interface it is that the reference has half made, so
        ours lets it be, and it would go with the namespace only."""
        self.delete([self._added_by])

    def delete(self, sides: Sequence[str] = ()) -> None:
        """Until one succeeded; a runtime does not give up either."""
        for _ in range(DEL_ATTEMPTS):
            event = self._call("DEL", sides)
            if event.outcome == "done" or event.outcome == "failed" and event.by == OURS:
                break
        else:
            self._run.record.find(f"error: {self.name} could not be deleted: {event}")
        self.result = None

    def _call(self, command: str, sides: Sequence[str] = ()) -> Event:
        side, ipam = self._chance.choice(sides or self._sides), self._chance.choice(self._sides)
        killer = self._chance if self._chance.random() < self._killed else None
        return self._run.call(side, command, self.config(self._network), self.environment(), killer, ipam)


def reference_tables_put_away(record: churn.Record) -> Iterator[str]:
    """The reference never removes its tables, so they go here; what is in them that should not be is named. Its DEL asks
    iptables first, which makes the tables `nat` and, before it removes the container's chain, that chain: one that was
    killed in between leaves it, empty and with nothing that tells whose it is. The tables of ours must be gone."""
    objects = json.loads(world.run("nft", "-j", "list", "ruleset").stdout)["nftables"]
    for entry in objects:
        kind, thing = next(iter(entry.items()))
        table = thing.get("table", thing.get("name"))
        if table not in REFERENCE_TABLES:
            continue  # then it is found by the comparison with what was there before
        if kind == "rule" and thing["chain"] != REFERENCE_TABLES[table]:
            yield f"rule in {table}: {json.dumps(thing)}"
        if kind == "chain" and thing["name"].startswith("CNI-"):
            record.count(EMPTY_CHAINS)
        if kind == "table":
            world.run("nft", "delete", "table", thing["family"], thing["name"])


def at_once(calls: Iterable[tuple[churn.Pod, Json]], command: str, netns: str) -> list[str]:
    """Calls our bridge for all these pods, on the host that this namespace is. They all wait at a barrier until the last
    has come there. AssertionError if one fails."""
    barrier, gate = os.pipe()
    arrivals, arrived = os.pipe()
    # The end of file comes for all at once, when nobody has the gate open any more.
    script = f"printf . >&{arrived}; exec {arrived}>&-; read _ <&{barrier}; exec \"$0\""
    started = []
    for pod, config in calls:
        environment = {"CNI_COMMAND": command, "CNI_PATH": str(plugin_folder(OURS)), "PATH": os.environ["PATH"]}
        with tempfile.TemporaryFile("w+") as stdin:
            json.dump(pod.config(config), stdin)
            stdin.seek(0)
            started.append(subprocess.Popen(  # pylint: disable=consider-using-with
                ["nsenter", f"--net={traces.NETNS_FOLDER}/{netns}", "sh", "-c", script, plugin_folder(OURS) / "bridge"],
                env=environment | pod.environment(), stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                text=True, pass_fds=[barrier, arrived]))
    os.close(arrived)
    for _ in started:
        os.read(arrivals, 1)
    for descriptor in (gate, barrier, arrivals):
        os.close(descriptor)
    said = [process.communicate(timeout=churn.CALL_LIMIT_S) for process in started]
    wrong = [f"{command}: status {process.returncode}: {out}{err}" for process, (out, err) in zip(started, said)
             if process.returncode]
    if wrong:
        raise AssertionError("\n".join([f"{len(wrong)} of {len(said)} failed", *wrong]))
    return [out for out, _ in said]


class FirstAdds(unittest.TestCase):
    """On a host without bridge, tables, forwarding and store several ADDs begin at the same moment: all win."""
    ROUNDS = 100
    MOST = 8

    def test_all_win(self) -> None:
        chance = random.Random(SEED)
        pods = [churn.Pod(f"racer{number}") for number in range(self.MOST)]
        started = won = 0
        for number in range(self.ROUNDS):
            racers = pods[:2 if number % 2 else chance.randint(3, self.MOST)]
            options = {"macspoofchk": chance.random() < 0.5, "deleteWhenEmpty": chance.random() < 0.5}
            calls = [(pod, chance.choice(NETWORKS) | options) for pod in racers]
            with self.subTest(seed=SEED, round=number, pods=len(racers), **options):
                self.race(f"host{number}", calls, options)
                won += 1
            started += len(racers)
        for pod in pods:
            pod.remove_namespace()
        figures.show("first ADDs on a fresh host at the same moment, then CHECKs, then DELs",
                     {"races": self.ROUNDS, "pods": started}, self.ROUNDS - won, "tests/system/together_test.py FirstAdds")

    def race(self, host: str, calls: list[tuple[churn.Pod, Json]], options: dict[str, bool]) -> None:
        shutil.rmtree(STORE, ignore_errors=True)
        world.run("ip", "netns", "add", host)
        self.addCleanup(world.run, "ip", "netns", "delete", host)
        for (pod, _), result in zip(calls, at_once(calls, "ADD", host)):
            pod.result = json.loads(result)
        addresses = [address for pod, _ in calls for address in pod.addresses()]
        self.assertEqual(len(set(addresses)), 2 * len(calls), addresses)
        at_once(calls, "CHECK", host)
        names = {config["name"] for _, config in calls}
        self.assertEqual(self.gateways(host), {"10.240.0.1/16"} | {f"fd00:240:{name[-1]}::1/64" for name in names})
        for key in ("net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"):
            self.assertEqual(self.on(host, "sysctl", "-n", key).strip(), "1", key)
        at_once(calls, "DEL", host)
        for pod, _ in calls:
            pod.result = None
        self.assertEqual(self.on(host, "nft", "list", "ruleset"), "")
        self.assertEqual([path.name for path in STORE.glob("*/*") if churn.is_address(path.name)], [])
        links = {link["ifname"] for link in json.loads(self.on(host, "ip", "-j", "link"))}
        self.assertEqual(links, {"lo"} if options["deleteWhenEmpty"] else {"lo", BRIDGE})

    def gateways(self, host: str) -> set[str]:
        link, = json.loads(self.on(host, "ip", "-j", "address", "show", "dev", BRIDGE))
        return {f"{entry['local']}/{entry['prefixlen']}" for entry in link["addr_info"] if entry["scope"] == "global"}

    @staticmethod
    def on(host: str, *command: str) -> str:
        return world.run("nsenter", f"--net={traces.NETNS_FOLDER}/{host}", *command).stdout


class Churn(unittest.TestCase):
    """Pods of two networks on one bridge, by ours and by the reference, with all that may go wrong."""
    PODS = 500
    AT_ONCE = 50

    def test_nothing_is_left_and_no_address_has_two_holders(self) -> None:
        together = Together(str(SEED), self.PODS, self.AT_ONCE)
        together.run()
        self.show(together)
        self.assertEqual(together.record.report(), 0, f"with seed {SEED}")
        # Otherwise it was no test of working side by side.
        for side in (OURS, REFERENCE):
            adds = [event for event in together.log if event.what == "ADD" and event.by == side]
            done = [event for event in adds if event.outcome == "done"]
            self.assertGreater(len(done), len(adds) / 2, side)

    def show(self, together: Together) -> None:
        counts, kills = together.record.counts, sum(together.record.kills().values())
        print(f"{counts['pods']} pods, {self.AT_ONCE} at a time, in {together.seconds:.1f} s, seed {SEED}")
        for event, number in together.disruptions().items():
            print(f"{number} times: {event}")
        refused = [event for event in together.log if event.what == "ADD" and event.outcome == "failed"]
        for side in (OURS, REFERENCE):
            for kind, number in verdict.kinds([event for event in refused if event.by == side]).items():
                print(f"{number} ADDs refused by {side}: {kind}")
        disruptions = sum(counts[what] for what in verdict.DISRUPTIONS)
        figures.show(f"two networks on one bridge, the reference's plugins beside, {self.AT_ONCE} pods at a time",
                     {"pods": counts["pods"], "kills": kills, "times the bridge was removed or nf_tables flushed": disruptions},
                     len(together.record.findings), "tests/system/together_test.py Churn")


class Finds(unittest.TestCase):
    """What is there to be found is found."""

    class Careless(Together):
        """Never deletes its last pod, which comes after all that takes rules away: GC would have to."""

        def _collect(self, names: list[str], killer: random.Random) -> None:
            if not names:
                Pod(self, "forgotten", random.Random("forgotten"), killed=0, sides=[OURS]).add()
            super()._collect(names, killer)

    def test_plugins_that_are_wrong(self) -> None:
        together = self.Careless("wrong", 30, 10, self.wrong_plugins())
        together.run()
        said = "\n".join(together.record.findings)
        world.sweep()  # what they left
        shutil.rmtree(SHIMS)
        for pattern in ("address held by two pods at once: 10.240.1.9 by ", "error: DEL of .* by ours: no luck",
                        "error: CHECK of witness.* does not see: bridge removed", "leak: after the GC, rule left: .*att-",
                        "error: CHECK of witness.* does not see: nf_tables flushed"):
            self.assertRegex(said, pattern)

    @staticmethod
    def wrong_plugins() -> pathlib.Path:
        """Host-local gives everybody one address, bridge's CHECK and GC do nothing, and its DEL fails now and then."""
        shutil.copytree(plugin_folder(OURS), SHIMS)
        lies = {"host-local": """if [ $CNI_COMMAND = ADD ]; then
                    cat >/dev/null; echo '{"cniVersion": "1.1.0", "ips": [{"address": "10.240.1.9/16"}]}'; exit; fi""",
                "bridge": """case $CNI_COMMAND-$CNI_CONTAINERID in
                    CHECK-* | GC-*) cat >/dev/null; exit ;; DEL-*3) cat >/dev/null; echo no luck; exit 1 ;; esac"""}
        for name, lie in lies.items():
            (SHIMS / name).rename(SHIMS / f"{name}.real")
            (SHIMS / name).write_text(f'#!/bin/sh\n{lie}\nexec {SHIMS / name}.real\n')
            (SHIMS / name).chmod(0o755)
        return SHIMS

    def test_the_verdict_on_failures(self) -> None:
        removed = Event(verdict.BRIDGE_REMOVED, begin=10, end=11)
        flushed = Event(verdict.RULES_FLUSHED, begin=20, end=21)
        for what, by, code, begin, end, expected in (
                ("ADD", OURS, 11, 1, 9, "error: ADD"), ("ADD", OURS, 11, 9, 10, ""), ("ADD", OURS, 11, 20, 21, "error: ADD"),
                ("ADD", OURS, 100, 11, 12, "not code 11"), ("DEL", OURS, 11, 10, 11, "error: DEL"),
                ("GC", OURS, 5, 1, 2, "error: GC"), ("ADD", REFERENCE, 999, 1, 2, ""),
                ("ADD", REFERENCE, 102, 1, 2, "error: ADD"), ("DEL", REFERENCE, 999, 1, 2, "")):
            error = json.dumps({"code": code, "msg": "no luck"})
            self.expect([removed, flushed, Event(what, "pod1", by, begin, end, "failed", error)], expected)
        self.expect([Event("DEL", "pod1", OURS, 1, 2, "failed", "Segmentation fault")], "error: DEL")
        self.expect([Event("DEL", "pod1", REFERENCE, 1, 2, "failed", "")], "error: DEL")

    def test_the_verdict_on_checks(self) -> None:
        for disruption in verdict.DISRUPTIONS:
            gone = Event(disruption, begin=10, end=11)
            for added, checked, code, expected in (
                    (1, 12, 104, ""), (1, 12, None, f"does not see: {disruption}"), (1, 12, 5, "error: CHECK"),
                    (12, 14, None, ""), (12, 14, 104, "false alarm"), (1, 3, 104, "false alarm"), (9.5, 12, 104, ""),
                    (9.5, 12, None, ""), (1, 10.5, 104, ""), (1, 10.5, None, "")):
                add = Event("ADD", "pod1", OURS, added, added + 1, "done", '{"ips": []}')
                error = json.dumps({"code": code, "msg": "no luck"})
                outcome = "failed" if code else "done"
                self.expect([add, gone, Event("CHECK", "pod1", OURS, checked, checked + 1, outcome, error)], expected)

    def test_the_verdict_on_mac_addresses(self) -> None:
        error = json.dumps({"code": 104, "msg": "bridge cnio0: expected MAC address a, found b"})
        for by, before, expected in ((REFERENCE, 2.5, ""), (OURS, 2.5, "false alarm"), (REFERENCE, 1.5, "false alarm")):
            self.expect([Event("ADD", "first", OURS, 1, before, "done", '{"ips": []}', "net1"),
                         Event("ADD", "second", by, 2, 5, "failed", '{"code": 999, "msg": "x"}' if by == REFERENCE else
                               '{"code": 11, "msg": "x"}', "net1"),
                         Event(verdict.BRIDGE_REMOVED, begin=0, end=0.5), Event(verdict.BRIDGE_REMOVED, begin=5, end=5.5),
                         Event("CHECK", "first", OURS, 3, 4, "failed", error, "net1")], expected)

    def test_the_verdict_on_addresses(self) -> None:
        result = json.dumps({"ips": [{"address": "10.1.0.2/24"}]})
        for leaves, expected in ((3, ""), (5, "held by two pods at once: 10.1.0.2 by a and b")):
            self.expect([Event("ADD", "a", OURS, 1, 2, "done", result), Event("ADD", "b", REFERENCE, 1, 4, "done", result),
                         Event("DEL", "a", OURS, leaves, 6, "killed"), Event("DEL", "a", OURS, 6, 7)], expected)

    def expect(self, log: list[Event], expected: str) -> None:
        """Whatever the order in which threads wrote it."""
        for order in (log, log[::-1]):
            found = [what for _, what in verdict.findings(order)]
            self.assertEqual(len(found), 1 if expected else 0, (found, log))
            self.assertIn(expected, "".join(found))


def main() -> None:
    print(f"seed {SEED}", flush=True)
    unittest.main()


if __name__ == "__main__":
    reference.find()
    world.enter(main)
