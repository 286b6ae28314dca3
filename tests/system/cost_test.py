#!/usr/bin/python3
# Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
"""What a call costs, in numbers that do not depend on the machine: system calls, and of these the messages sent by
netlink, of a plugin and of the processes it starts, on a host where another pod lives already. More than recorded here
is a regression; much less is a record that has to be renewed. How long it takes is for scripts/bench to say."""
import json
import os
import pathlib
import unittest
from typing import Any

from support import tracer, world

PLUGINS = pathlib.Path(os.environ["CNIO_PLUGIN_DIR"])
STORE = pathlib.Path("/var/lib/cni/networks/cost")
CROWD = 2000
ATTEMPTS = 3  # what is said twice by chance (an interruption) does not count
PATIENCE = 12  # attempts before too much is held not to be chance: what other work does to this may last a second
# How often they come depends on who is faster.
NOT_COUNTED = ("poll", "recvfrom", "restart_syscall", "pause")
SENDING = ("sendmsg", "sendto")

# System calls, and messages sent.
BOUNDS = {
    ("bridge", "ADD"): (198, 16),
    ("bridge", "DEL"): (226, 13),
    ("bridge with masquerade", "ADD"): (218, 19),
    ("bridge with masquerade", "DEL"): (232, 15),
    ("ptp", "ADD"): (196, 14),
    ("ptp", "DEL"): (218, 11),
    ("ptp with masquerade", "ADD"): (216, 17),
    ("ptp with masquerade", "DEL"): (226, 14),
    ("ptp", "CHECK"): (167, 10),
    ("ptp with masquerade", "CHECK"): (193, 14),
    ("ptp", "STATUS"): (101, 1),
    ("ptp with masquerade", "STATUS"): (122, 3),
    ("ptp", "GC"): (144, 7),
    ("ptp with masquerade", "GC"): (144, 7),
    ("host-local", "ADD"): (57, 0),
    ("host-local", "DEL"): (45, 0),
    ("host-local in a crowd", "ADD"): (57, 0),
    ("host-local in a crowd", "DEL"): (44, 0),
    ("host-local in a full crowd", "ADD"): (48, 0),
    ("host-local in a full crowd", "STATUS"): (46, 0),
    ("loopback", "ADD"): (55, 4),
    ("loopback", "DEL"): (48, 2),
    ("loopback", "VERSION"): (17, 0),
    ("bridge", "VERSION"): (17, 0),
    ("bridge", "CHECK"): (169, 12),
    ("bridge with masquerade", "CHECK"): (195, 16),
    ("host-local", "CHECK"): (40, 0),
    ("host-local in a crowd", "CHECK"): (40, 0),
    ("loopback", "CHECK"): (46, 1),
    ("bridge", "STATUS"): (134, 8),
    ("bridge with masquerade", "STATUS"): (155, 10),
    ("host-local", "STATUS"): (44, 0),
    ("host-local in a crowd", "STATUS"): (44, 0),
    ("loopback", "STATUS"): (17, 0),
    ("bridge", "GC"): (167, 10),
    ("bridge with masquerade", "GC"): (167, 10),
    ("host-local", "GC"): (45, 0),
    ("loopback", "GC"): (17, 0),
    ("static", "ADD"): (21, 0),
    ("static", "DEL"): (19, 0),
    ("static", "CHECK"): (19, 0),
    ("static", "STATUS"): (17, 0),
    ("static", "GC"): (17, 0),
    ("static", "VERSION"): (17, 0),
    # Somewhat more than seen: whether the kernel has the old tables of iptables makes up to seven calls of a DEL.
    ("portmap", "ADD"): (242, 45),
    ("portmap", "DEL"): (123, 17),
    ("portmap", "CHECK"): (187, 35),
    ("portmap nftables", "ADD"): (206, 25),
    ("portmap nftables", "DEL"): (119, 16),
    ("portmap nftables", "CHECK"): (130, 26),
    ("portmap", "VERSION"): (17, 0),
    ("firewall", "ADD"): (100, 10),
    ("firewall", "DEL"): (63, 10),
    ("firewall", "CHECK"): (92, 6),
    ("firewall nftables", "ADD"): (112, 13),
    ("firewall nftables", "DEL"): (91, 22),
    ("firewall", "VERSION"): (17, 0),
}
STALE = 0.85  # below this part of its bound


def chained(what: str) -> dict[str, Any]:
    """Five ports of both families, or a pod behind a firewall."""
    ports = [{"hostPort": 8000 + number, "containerPort": 80, "protocol": "tcp"} for number in range(5)]
    backend = {"backend": "nftables"} if "nftables" in what else {}
    return backend | {
        "runtimeConfig": {"portMappings": ports},
        "prevResult": {"cniVersion": "1.1.0", "interfaces": [{"name": "eth0", "sandbox": "/run/netns/pod"}],
                       "ips": [{"address": "10.240.0.77/16", "interface": 0}, {"address": "fd00::77/64", "interface": 0}]}}


def config(what: str) -> dict[str, Any]:
    range_ = {"subnet": "10.240.0.0/16"}
    if "full" in what:
        range_ |= {"rangeStart": "10.240.200.0", "rangeEnd": "10.240.206.249"}
    ipam = {"type": "host-local", "ranges": [[range_]], "routes": [{"dst": "0.0.0.0/0"}]}
    kind = what.split()[0]
    common = {"cniVersion": "1.1.0", "name": "cost", "type": kind}
    if kind == "bridge":
        return common | {"bridge": "cnio0", "isGateway": True, "ipMasq": "masquerade" in what, "ipam": ipam}
    if kind == "ptp":
        return common | {"ipMasq": "masquerade" in what, "ipam": ipam}
    if kind in ("portmap", "firewall"):
        return common | chained(what)
    if kind == "static":
        ipam = {"type": "static", "addresses": [{"address": "10.240.0.5/16", "gateway": "10.240.0.1"}]}
    return common | ({"ipam": ipam} if kind != "loopback" else {})


def counts(calls: list[str]) -> tuple[int, int]:
    return len(calls), sum(call in SENDING for call in calls)


class Cost(unittest.TestCase):
    def trace(self, what: str, verb: str, pod: str, **more: Any) -> list[str]:
        """The names of all calls. `more` is for the configuration."""
        kind = what.split()[0]
        environment = {"CNI_COMMAND": verb, "CNI_CONTAINERID": pod, "CNI_IFNAME": "lo" if kind == "loopback" else "eth0",
                       "CNI_NETNS": f"/run/netns/{pod}", "CNI_PATH": str(PLUGINS), "PATH": os.environ["PATH"]}
        done = tracer.run([str(PLUGINS / kind)], environment, json.dumps(config(what) | more))
        tracer.release(done)
        self.assertEqual(done.status, 1 if "full" in what else 0, done.out)
        self.answer = done.out
        return [call for calls in done.calls for call in calls]

    def cost(self, what: str, verb: str, bound: tuple[int, int]) -> list[str]:
        attempts: list[list[str]] = []
        while len(attempts) < ATTEMPTS or (len(attempts) < PATIENCE and counts(min(attempts, key=len)) > bound):
            world.run("ip", "netns", "add", "pod")
            more: dict[str, Any] = {}
            if verb in ("DEL", "CHECK"):
                self.trace(what, "ADD", "pod")
            if verb == "CHECK":
                more = {"prevResult": json.loads(self.answer)}
            if verb == "GC":
                ifname = "lo" if what == "loopback" else "eth0"
                more = {"cni.dev/valid-attachments": [{"containerID": "resident", "ifname": ifname}]}
            calls = [call for call in self.trace(what, verb, "pod", **more) if call not in NOT_COUNTED]
            if verb in ("ADD", "CHECK") and "full" not in what:
                self.trace(what, "DEL", "pod")
            world.run("ip", "netns", "delete", "pod")
            attempts.append(calls)
        return min(attempts, key=len)

    def test_no_call_costs_more_than_recorded(self) -> None:
        world.run("ip", "netns", "add", "resident")
        for kind in ("bridge with masquerade", "host-local"):
            self.trace(kind, "ADD", "resident")
            self.trace(kind, "DEL", "resident")
        self.trace("bridge with masquerade", "ADD", "resident")
        for (what, verb), (most_calls, most_messages) in BOUNDS.items():
            if "crowd" in what and not (STORE / "10.240.200.1").exists():
                for number in range(CROWD):
                    (STORE / f"10.240.{200 + number // 256}.{number % 256}").write_text(f"other{number}\r\neth0")
                self.trace(what, "ADD", "another")  # which reads them all
            with self.subTest(what=what, verb=verb):
                cheapest = self.cost(what, verb, (most_calls, most_messages))
                calls, messages = counts(cheapest)
                print(f"{what} {verb}: {calls} system calls, {messages} messages")
                self.assertLessEqual(calls, most_calls, cheapest)
                self.assertLessEqual(messages, most_messages)
                self.assertGreaterEqual(calls, most_calls * STALE, "better than recorded: record it")


if __name__ == "__main__":
    world.enter(lambda: unittest.main(verbosity=2))
