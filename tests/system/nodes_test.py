#!/usr/bin/python3
# Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
"""Pods of several nodes reach each other under their own addresses, by each of the engines that scripts/install --routes
writes files for: Debian's own programs, on nodes that are namespaces. What takes how long is printed, not judged."""
import pathlib
import shutil
import subprocess
import tempfile
import unittest
from collections.abc import Iterable
from typing import Any, ClassVar

from support import engines, world
from support.nodes import CLUSTER, FAMILIES, HEADERS, Change, Cluster, Node, Pod, RouteLog, Stream

PATIENCE = 120  # seconds, for what hangs


def gone(node: Node, other: Node) -> bool:
    return not any(other.subnets[family] in node.routes(family) for family in FAMILIES)


class Story:
    """The same for all: nodes without pods, which know of each other. Each test leaves them so."""

    class Tests(unittest.TestCase):
        engine_class: ClassVar[type[engines.Engine]]
        cluster: ClassVar[Cluster]
        engine: ClassVar[Any]

        @classmethod
        def setUpClass(cls) -> None:
            cls.cluster = Cluster(cls.engine_class.nodes)
            cls.enterClassContext(cls.cluster)
            cls.engine = cls.engine_class(cls.cluster)
            cls.engine.start()
            # No node has a bridge yet.
            world.wait_until("routes before there are pods", cls.cluster.have_all_routes, PATIENCE)
            world.wait_until("the engine has settled", cls.engine.settled, PATIENCE)

        def setUp(self) -> None:
            self.wait_for_all_routes()

        def tearDown(self) -> None:
            self.doCleanups()  # pods first
            for node in self.cluster.nodes:
                node.run("ip", "link", "delete", "cnio0", check=False)

        def add_pods(self, nodes: Iterable[Node]) -> list[Pod]:
            pods = []
            for node in nodes:
                pods.append(node.add_pod(f"pod{node.number}"))
                self.addCleanup(pods[-1].remove)
            return pods

        def log_routes(self, node: Node) -> RouteLog:
            log = RouteLog(node)
            self.addCleanup(log.end)
            return log

        def answered(self, pod: Pod, address: str, *options: str) -> None:
            done = pod.ping(address, *options)
            self.assertEqual(done.returncode, 0, f"{pod.name} to {address} {options}: {done.stdout}{done.stderr}")

        def test_pods_see_each_other_under_their_own_addresses(self) -> None:
            one, other = self.add_pods([self.cluster.nodes[0], self.cluster.nodes[-1]])
            for caller, called in ((one, other), (other, one)):
                called.listen()
                for family in FAMILIES:
                    caller.call(called.addresses[family])
                    self.assertEqual(called.seen_caller(), caller.addresses[family])

        def test_a_node_reaches_pods_of_others(self) -> None:
            (pod,) = self.add_pods([self.cluster.nodes[-1]])
            for family in FAMILIES:
                self.cluster.nodes[0].run("ping", "-c", "1", "-W", "20", pod.addresses[family])

        def test_packets_of_full_size_arrive_whole(self) -> None:
            one, other = self.add_pods([self.cluster.nodes[0], self.cluster.nodes[-1]])
            for family in FAMILIES:
                size = self.engine.mtu - HEADERS[family]
                self.answered(one, other.addresses[family], "-M", "do", "-s", str(size))
                refused = one.ping(other.addresses[family], "-M", "do", "-s", str(size + 1))
                self.assertIn("message too long", (refused.stdout + refused.stderr).lower())

        def test_the_first_and_the_last_pod_change_no_route_of_others(self) -> None:
            first, last = self.cluster.nodes[0], self.cluster.nodes[-1]
            log = self.log_routes(first)
            pod = last.add_pod("only")
            for family in FAMILIES:
                first.run("ping", "-c", "1", "-W", "20", pod.addresses[family])
            pod.remove()
            last.ip("link delete cnio0")
            for family in FAMILIES:
                # An answer of the node itself, after all of it, to what goes by the same route.
                self.assertIn("nreachable", first.run("ping", "-c", "1", "-W", "20", pod.addresses[family], check=False).stdout)
            self.assertEqual(log.of(last), [])

        def test_what_no_pod_has_is_answered_at_once(self) -> None:
            """With no bridge there; and with one, the node's route to it hides none of its pods."""
            (pod,) = self.add_pods([self.cluster.nodes[0]])
            last = self.cluster.nodes[-1]
            for family, nobody in ((4, "10.240.{}.77"), (6, "fd00:240:0:{}::77")):
                answer = pod.ping(nobody.format(last.number)).stdout
                self.assertRegex(answer, rf"From \S*({last.addresses[family]}|{last.subnets[family].split('/')[0]}) .*nreachable")
                own = pod.node.ip(f"-{family} route show {pod.node.subnets[family]} metric 4000")
                self.assertTrue(own.startswith("unreachable"), own)
                pod.node.run("ping", "-c", "1", "-W", "20", pod.addresses[family])

        def test_a_dead_node_takes_nothing_with_it_and_comes_back(self) -> None:
            dead = self.engine.mortal()
            others = [node for node in self.cluster.nodes if node is not dead]
            lost, one, other = self.add_pods([dead, others[0], others[-1]])
            log = self.log_routes(other.node)
            streams = self.stream(one, other)
            self.addCleanup(self.cluster.join, dead)
            when = self.cluster.cut(dead)
            if self.engine.notices:
                world.wait_until("routes to the dead are gone", lambda: gone(other.node, dead), PATIENCE)
                self.assertTrue(self.engine.noticed_by_bfd(one.node, dead))
                self.tell("gone", log.deletions(dead), when)
            else:  # nothing tells that it is dead: that is for whoever uses it to know
                self.assertTrue(other.node.has_route_to(dead))
            when = self.cluster.join(dead)
            self.wait_for_all_routes()
            self.tell("back", log.of(dead), when)
            self.none_lost(streams)
            for node in others:
                self.assertEqual(log.deletions(node), [], node.name)
            for family in FAMILIES:
                world.wait_until("its pod answers", lambda family=family: other.ping(lost.addresses[family]).returncode == 0, PATIENCE)

        def stream(self, one: Pod, other: Pod) -> list[Stream]:
            streams = [Stream(one, other.addresses[family]) for family in FAMILIES]
            for stream in streams:
                self.addCleanup(stream.lost)
            return streams

        def none_lost(self, streams: list[Stream]) -> None:
            for family, stream in zip(FAMILIES, streams):
                self.assertEqual(stream.lost(), 0, f"IPv{family}")

        def wait_for_all_routes(self) -> None:
            world.wait_until("routes are back", self.cluster.have_all_routes, PATIENCE)
            world.wait_until("the engine has settled", self.engine.settled, PATIENCE)

        def tell(self, what: str, changes: list[Change], since: float) -> None:
            """For docs/nodes.md."""
            for change in [change for change in changes if change.when > since][:len(FAMILIES)]:
                print(f"{type(self).__name__}: {what} after {change.when - since:.2f} s: {change.text}", flush=True)


class Reflected(Story.Tests):
    """Of the two reflectors one may die."""

    def test_the_death_of_a_reflector_changes_nothing(self) -> None:
        reflector, _, one, other = self.cluster.nodes
        streams = self.stream(*self.add_pods([one, other]))
        self.cluster.cut(reflector)
        world.wait_until("its own routes are gone", lambda: gone(one, reflector), PATIENCE)
        self.cluster.join(reflector)
        self.wait_for_all_routes()
        self.none_lost(streams)

    def test_a_pod_is_not_taken_for_its_node(self) -> None:
        """It can call the reflector, and is seen as its node then. Not even while that one's engine is away is it heard."""
        reflector, _, _, node = self.cluster.nodes
        (pod,) = self.add_pods([node])
        self.engine.kill(node)
        world.wait_until("the session is gone", lambda: not self.engine.has_session_with(reflector, node), PATIENCE)
        before = reflector.without_password()
        caller = pod.speak_bgp(reflector.addresses[4], node.addresses[4])
        self.addCleanup(caller.communicate)
        self.addCleanup(caller.kill)
        world.wait_until("what it says is dropped", lambda: reflector.without_password() > before, PATIENCE)
        self.assertFalse(self.engine.has_session_with(reflector, node))
        caller.kill()
        self.engine.start_node(node)
        self.wait_for_all_routes()


NODE = {"subnets": "10.240.1.0/24 fd00:240:0:1::/64", "cluster": "10.240.0.0/16 fd00:240::/48", "uplink": "eth0",
        "id": "192.168.50.11", "nodes": "192.168.50.0/24 fd00:50::/64", "reflectors": "192.168.50.12 fd00:50::12"}
PEER = f"{'k' * 43}= 192.168.50.12:51820 10.240.2.0/24,fd00:240:0:2::/64"
ENGINES = "bird bird-ospf bird-bgp bird-reflector frr frr-reflector wireguard flannel none".split()


class Files(unittest.TestCase):
    """What no engine could start with is not written."""

    def setUp(self) -> None:
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.peers = self.folder / "peers"
        self.peers.write_text(PEER)
        self.out = self.folder / "out"

    def render(self, engine: str, shell: str = "sh", **given: str) -> subprocess.CompletedProcess[str]:
        shutil.rmtree(self.out, ignore_errors=True)
        self.out.mkdir()
        return engines.render(engine, self.out, shell, **NODE | {"peers": str(self.peers)} | given)

    def written(self) -> dict[str, str]:
        return {path.name: path.read_text() for path in self.out.iterdir()}

    def test_each_shell_writes_the_same(self) -> None:
        for engine in ENGINES:
            self.assertEqual(self.render(engine, "dash", own="yes").stderr, "")
            by_dash = self.written()
            for shell in ("bash", "busybox sh"):
                self.assertEqual(self.render(engine, shell, own="yes").stderr, "")
                self.assertEqual(self.written(), by_dash, engine)

    def test_one_family_is_not_told_of_the_other(self) -> None:
        for family, own, of_another, other in ((4, "10.240.1.0/24", "10.240.2.0/24", "fd00"),
                                               (6, "fd00:240:0:1::/64", "fd00:240:0:2::/64", "10.240")):
            for engine in ENGINES[:-1]:
                self.peers.write_text(PEER.rpartition(" ")[0] + f" {of_another}\n")
                self.assertEqual(self.render(engine, subnets=own, cluster=CLUSTER[family]).stderr, "")
                self.assertNotIn(other, "".join(self.written().values()), engine)

    def test_what_is_wrong_is_named_and_nothing_written(self) -> None:
        wrong = [("bird", {"uplink": 'e"; }'}, 'e"; }'), ("bird", {"uplink": ""}, "interface"), ("bird", {"id": "300.1.1.1"}, "300.1.1.1"),
                 ("bird", {"id": ""}, "missing"), ("rip", {}, "rip"), ("bird", {"subnets": ""}, "missing"),
                 ("bird", {"subnets": "10.240.1.0/24 10.240.2.0/24"}, "two subnets"), ("bird", {"cluster": "10.240.0.0/16"}, "fd00:240:0:1::/64"),
                 ("bird", {"cluster": "10.240.0.0/16;}"}, "10.240.0.0/16;}"), ("bird-bgp", {"reflectors": "192.168.50.12"}, "IPv6"),
                 ("bird-bgp", {"reflectors": "192.168.50.11 fd00:50::12"}, "bird-reflector"), ("frr", {"as": "x"}, "x"),
                 ("frr", {"reflectors": "192.168.50.12 192.168.50.12 fd00::1"}, "twice"), ("frr-reflector", {"nodes": ""}, "IPv4"),
                 ("frr", {"password": 'a"b'}, "password"), ("frr", {"password": "a" * 81}, "80"), ("wireguard", {"peers": "/nowhere"}, "/nowhere"),
                 ("wireguard", {"mtu": "1300"}, "1360"), ("wireguard", {"key": "/a b"}, "/a b"), ("none", {"own": "no"}, "no")]
        for engine, given, named in wrong:
            with self.subTest(engine=engine, given=given):
                self.refused(self.render(engine, **given), named)

    def test_a_wrong_line_of_another_node_is_named(self) -> None:
        for line, named in (("key 192.168.50.12:51820 10.240.2.0/24", "key"), (PEER.replace(":51820", ""), "192.168.50.12"),
                            (PEER + " more", "a line is"), (PEER.replace("10.240.2.0", "10.240.1.0"), "this node's own"),
                            (PEER.replace("/24,fd00", "/24,10.240.2.0/24,fd00"), "twice"), (f"{PEER}\n{PEER}", "twice")):
            with self.subTest(line=line):
                self.peers.write_text(f"# the first\n{line}\n")
                self.refused(self.render("wireguard"), named)

    def refused(self, done: subprocess.CompletedProcess[str], named: str) -> None:
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertIn(named, done.stderr)
        self.assertEqual(self.written(), {})


class Bird(Story.Tests):
    engine_class = engines.Bird


class BirdOspf(Story.Tests):
    engine_class = engines.BirdOspf

    def test_the_death_of_the_designated_router_is_got_over(self) -> None:
        """It is what nobody's death does to others with RIP or with two reflectors: their routes go, and come back."""
        dead = self.engine.designated()
        one, other = (node for node in self.cluster.nodes if node is not dead)
        log = self.log_routes(one)
        when = self.cluster.cut(dead)
        world.wait_until("the others have their routes", lambda: gone(one, dead) and one.has_route_to(other), PATIENCE)
        self.tell("living gone", log.deletions(other), when)
        when = self.cluster.join(dead)
        self.wait_for_all_routes()
        self.tell("living gone again", log.deletions(other), when)


class BirdReflected(Reflected):
    engine_class = engines.BirdReflected


class FrrReflected(Reflected):
    engine_class = engines.FrrReflected


class WireGuard(Story.Tests):
    engine_class = engines.WireGuard


class Flannel(Story.Tests):
    engine_class = engines.Flannel


del Reflected  # no test of its own

if __name__ == "__main__":
    engines.find()
    world.enter(unittest.main)
