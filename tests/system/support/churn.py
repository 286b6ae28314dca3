# Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
"""Pods that come and go while calls are killed: what scripts/soak and together_test.py have in common.

    record = churn.Record()
    caller = churn.Caller(record)
    pod = churn.Pod("pod1")
    answer = caller.call(plugins / "bridge", "ADD", pod.config(CONFIG), pod.environment(), killer=random.Random(1))
    ...
    sys.exit(record.report())
"""
import collections
import dataclasses
import ipaddress
import json
import os
import pathlib
import random
import re
import signal
import subprocess
import threading
import time
from collections.abc import Iterable
from typing import Any, TextIO

from support import traces, world

Json = dict[str, Any]
CALL_LIMIT_S = 120  # a call that takes longer hangs


@dataclasses.dataclass(frozen=True)
class Answer:
    """How a call ended. Begin and end are of time.monotonic()."""
    outcome: str  # done, failed or killed
    text: str  # what the plugin said
    begin: float
    end: float

    def line(self) -> str:
        return " ".join(self.text.split())


class Record:
    """What happened, from all threads: counts, findings and, if wanted, a log."""

    def __init__(self, log: TextIO | None = None) -> None:
        self._lock = threading.Lock()
        self._log = log
        self._start = time.monotonic()
        self.counts: collections.Counter[str] = collections.Counter()
        self.findings: list[str] = []

    def find(self, what: str, when: float | None = None) -> None:
        with self._lock:
            self.findings.append(f"after {(when or time.monotonic()) - self._start:.3f} s: {what}")

    def count(self, what: str) -> None:
        with self._lock:
            self.counts[what] += 1

    def log(self, **facts: Any) -> None:
        with self._lock:
            if self._log:
                self._log.write(json.dumps({"second": round(time.monotonic() - self._start, 4)} | facts) + "\n")

    def kills(self) -> dict[str, int]:
        return {name.removeprefix("kill "): count for name, count in sorted(self.counts.items()) if name.startswith("kill ")}

    def report(self) -> int:
        """Prints what was found, of each kind the first few; 1 if there was anything."""
        kills, alike = self.kills(), collections.Counter[str]()
        print(f"{sum(kills.values())} kills:", ", ".join(f"{count} of {command}" for command, count in kills.items()))
        ended = [command for command in ("ADD", "CHECK", "DEL", "GC") if self.counts[command]]
        print("calls that came to an end:", ", ".join(f"{self.counts[command]} {command}" for command in ended))
        for finding in self.findings:
            kind = re.sub(r"[\w.:-]*\d[\w.:-]*", "*", finding)  # without names and numbers
            alike[kind] += 1
            if alike[kind] <= 5:
                print(f"FOUND {finding}")
        for kind, number in alike.items():
            if number > 5:
                print(f"... and {number - 5} more like: {kind}")
        print(f"{len(self.findings)} findings" if self.findings
              else "nothing was found: no error, no address held twice, nothing left")
        return 1 if self.findings else 0


class Holders:
    """Who holds which address: certainly a pod does from the end of its ADD to the beginning of its DEL, because others
    may have the address before the DEL answers."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._holders: dict[str, str] = {}

    def added(self, pod: str, addresses: Iterable[str]) -> list[str]:
        """After a successful ADD; a line for each address that another pod holds."""
        found = []
        with self._lock:
            for address in addresses:
                holder = self._holders.setdefault(address, pod)
                if holder != pod:
                    found.append(f"address held by two pods at once: {address} by {holder} and {pod}")
        return found

    def leaving(self, pod: str) -> None:
        """Before a DEL."""
        with self._lock:
            self._holders = {address: holder for address, holder in self._holders.items() if holder != pod}

    def addresses(self) -> set[str]:
        return set(self._holders)


class Pod:
    """A container's name and network namespace, and the result of its ADD while it has one."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.result: Json | None = None
        world.run("ip", "netns", "add", name)

    def environment(self) -> dict[str, str]:
        return {"CNI_CONTAINERID": self.name, "CNI_NETNS": f"{traces.NETNS_FOLDER}/{self.name}", "CNI_IFNAME": "eth0"}

    def config(self, network: Json) -> Json:
        return network | ({"prevResult": self.result} if self.result else {})

    def addresses(self) -> list[str]:
        return addresses_in(self.result) if self.result else []

    def remove_namespace(self) -> None:
        world.run("ip", "netns", "delete", self.name)


class Caller:
    """Calls plugins and kills some of them, when they take longer than a random time. How long calls usually take is
    learnt, so that kills hit them early, in the middle and late."""

    def __init__(self, record: Record) -> None:
        self._record = record
        self._usual: dict[tuple[str, str], float] = collections.defaultdict(lambda: 0.05)

    def call(self, plugin: pathlib.Path, command: str, config: Json, environment: dict[str, str],
             killer: random.Random | None = None, wait_for_all: bool = False) -> Answer:
        """With `killer` the call may be killed. Runtimes kill only the plugin; the kernel, short of memory, kills any
        process; so it is the plugin alone or its whole group. `wait_for_all`: until all of a killed group have ended."""
        usual = (str(plugin), command)
        environment = {"CNI_COMMAND": command, "CNI_PATH": str(plugin.parent), "PATH": os.environ["PATH"]} | environment
        begin = time.monotonic()
        with subprocess.Popen([*_death(killer, 1.2 * self._usual[usual]), plugin], env=environment, stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True) as process:
            try:  # like libcni until all that could still write to our pipes has ended
                out, err = process.communicate(json.dumps(config), timeout=CALL_LIMIT_S)
            except subprocess.TimeoutExpired:
                of = environment.get("CNI_CONTAINERID", "all")
                self._record.find(f"hang: {command} of {of} takes over {CALL_LIMIT_S} s")
                os.killpg(process.pid, signal.SIGKILL)
                out, err = process.communicate()
        end = time.monotonic()
        if process.returncode in (-signal.SIGKILL, 128 + signal.SIGKILL):
            if wait_for_all:
                world.wait_until(f"all of a killed {command} ended", lambda: not _exists(process.pid), CALL_LIMIT_S)
            self._record.count(f"kill {command}")
            return Answer("killed", "", begin, time.monotonic())
        if killer is None:
            self._usual[usual] += (end - begin - self._usual[usual]) / 16
        self._record.count(command)
        return Answer("failed", out + err, begin, end) if process.returncode else Answer("done", out, begin, end)


def _death(killer: random.Random | None, within: float) -> list[str]:
    """A command in front of another that kills it: a process of its own, because with many calls at a time our threads
    would come too late. In the foreground it kills its child alone, otherwise its group, itself included."""
    if killer is None:
        return []
    moment = f"{killer.uniform(0.001, within):.4f}"
    # The status is that of a call that came to its end at the last moment.
    alone = ["--foreground"] if killer.random() < 0.25 else []
    return ["timeout", "--preserve-status", "--signal=KILL", *alone, moment]


def addresses_in(result: Json) -> list[str]:
    return [entry["address"].split("/")[0] for entry in result["ips"]]


def is_address(name: str) -> bool:
    try:
        return bool(ipaddress.ip_address(name))
    except ValueError:
        return False


def _exists(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True
