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
SUBNETS = pathlib.Path("/run/subnet.env")
CROWD = 2000
ATTEMPTS = 3  # what is said twice by chance (an interruption) does not count
PATIENCE = 12  # attempts before too much is held not to be chance: what other work does to this may last a second
# How often the first come depends on who is faster; how often memory is asked for, on the lengths of paths.
NOT_COUNTED = ("poll", "recvfrom", "restart_syscall", "pause", "brk")
SENDING = ("sendmsg", "sendto")

# System calls, and messages sent.
BOUNDS = {
    ("bridge", "ADD"): (173, 16),
    ("bridge", "DEL"): (193, 13),
    ("bridge with masquerade", "ADD"): (191, 19),
    ("bridge with masquerade", "DEL"): (197, 15),
    ("ptp", "ADD"): (174, 14),
    ("ptp", "DEL"): (186, 11),
    ("ptp with masquerade", "ADD"): (192, 17),
    ("ptp with masquerade", "DEL"): (193, 14),
    ("ptp", "CHECK"): (144, 10),
    ("ptp with masquerade", "CHECK"): (168, 14),
    ("ptp", "STATUS"): (86, 1),
    ("ptp with masquerade", "STATUS"): (105, 3),
    ("flannel", "ADD"): (258, 17),
    ("flannel", "DEL"): (239, 13),
    ("flannel", "CHECK"): (192, 12),
    ("flannel", "STATUS"): (161, 8),
    ("flannel", "GC"): (188, 10),
    ("flannel", "VERSION"): (11, 0),
    ("ptp", "GC"): (126, 7),
    ("ptp with masquerade", "GC"): (126, 7),
    ("host-local", "ADD"): (51, 0),
    ("host-local", "DEL"): (39, 0),
    ("host-local in a crowd", "ADD"): (51, 0),
    ("host-local in a crowd", "DEL"): (38, 0),
    # Five of these write down that the call has failed, after its answer.
    ("host-local in a full crowd", "ADD"): (46, 0),
    ("host-local in a full crowd", "STATUS"): (44, 0),
    ("loopback", "ADD"): (44, 4),
    ("loopback", "DEL"): (37, 2),
    ("loopback", "VERSION"): (11, 0),
    ("bridge", "VERSION"): (11, 0),
    ("bridge", "CHECK"): (144, 12),
    ("bridge with masquerade", "CHECK"): (168, 16),
    ("host-local", "CHECK"): (34, 0),
    ("host-local in a crowd", "CHECK"): (34, 0),
    ("loopback", "CHECK"): (35, 1),
    ("bridge", "STATUS"): (115, 8),
    ("bridge with masquerade", "STATUS"): (134, 10),
    ("host-local", "STATUS"): (38, 0),
    ("host-local in a crowd", "STATUS"): (38, 0),
    ("loopback", "STATUS"): (11, 0),
    ("bridge", "GC"): (145, 10),
    ("bridge with masquerade", "GC"): (145, 10),
    ("host-local", "GC"): (39, 0),
    ("loopback", "GC"): (11, 0),
    ("static", "ADD"): (15, 0),
    ("static", "DEL"): (13, 0),
    ("static", "CHECK"): (13, 0),
    ("static", "STATUS"): (11, 0),
    ("static", "GC"): (11, 0),
    ("static", "VERSION"): (11, 0),
    # Somewhat more than seen: whether the kernel has the old tables of iptables makes up to seven calls of a DEL.
    ("portmap", "ADD"): (220, 45),
    ("portmap", "DEL"): (116, 19),
    ("portmap", "CHECK"): (173, 35),
    ("portmap nftables", "ADD"): (187, 25),
    ("portmap nftables", "DEL"): (114, 18),
    ("portmap nftables", "CHECK"): (121, 27),
    ("portmap", "VERSION"): (11, 0),
    ("firewall", "ADD"): (82, 10),
    ("firewall", "DEL"): (61, 10),
    ("firewall", "CHECK"): (75, 6),
    ("firewall nftables", "ADD"): (99, 13),
    ("firewall nftables", "DEL"): (89, 22),
    ("firewall", "VERSION"): (11, 0),
    ("tuning", "ADD"): (85, 7),
    ("tuning", "DEL"): (78, 7),
    ("tuning", "CHECK"): (50, 1),
    ("tuning", "STATUS"): (15, 0),
    ("tuning", "GC"): (16, 0),
    ("tuning", "VERSION"): (11, 0),
    ("bandwidth", "ADD"): (61, 7),
    ("bandwidth", "DEL"): (99, 12),
    ("bandwidth", "CHECK"): (61, 7),
    ("bandwidth", "STATUS"): (37, 5),
    ("bandwidth", "GC"): (24, 1),
    ("bandwidth", "VERSION"): (11, 0),
}
STALE = 0.85  # below this part of its bound


def chained(what: str) -> dict[str, Any]:
    """Five ports of both families, a pod behind a firewall, or three sysctls, a MAC address and an MTU."""
    if what == "tuning":
        names = ("net.core.somaxconn", "net.ipv4.ip_local_port_range", "net.ipv4.conf.IFNAME.rp_filter")
        return {"sysctl": dict(zip(names, ("77", "1024 65000", "2"))), "mac": "02:00:00:00:00:77", "mtu": 1400,
                "prevResult": {"cniVersion": "1.1.0", "interfaces": [{"name": "eth0", "sandbox": "/run/netns/pod"}],
                               "ips": [{"address": "10.240.0.77/16", "interface": 0}]}}
    ports = [{"hostPort": 8000 + number, "containerPort": 80, "protocol": "tcp"} for number in range(5)]
    backend = {"backend": "nftables"} if "nftables" in what else {}
    return backend | {
        "runtimeConfig": {"portMappings": ports},
        "prevResult": {"cniVersion": "1.1.0", "interfaces": [{"name": "eth0", "sandbox": "/run/netns/pod"}],
                       "ips": [{"address": "10.240.0.77/16", "interface": 0}, {"address": "fd00::77/64", "interface": 0}]}}


def limited() -> dict[str, Any]:
    """Both ways, as containerd says it."""
    limits = {f"{way}{what}": value for way in ("ingress", "egress") for what, value in (("Rate", 10**7), ("Burst", 2**32 - 1))}
    interfaces = [{"name": "cable0"}, {"name": "eth0", "sandbox": "/run/netns/pod"}]
    return {"runtimeConfig": {"bandwidth": limits}, "prevResult": {"cniVersion": "1.1.0", "interfaces": interfaces}}


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
    if kind in ("portmap", "firewall", "tuning"):
        return common | chained(what)
    if kind == "bandwidth":
        return common | limited()
    if kind == "flannel":
        return common | {"subnetFile": str(SUBNETS), "delegate": {"bridge": "cnio0"}}
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
        # How far a process comes that stays behind to close what is slow, nobody waits for.
        return [call for number, calls in enumerate(done.calls) if number == 0 or "execve" in calls for call in calls]

    def cost(self, what: str, verb: str, bound: tuple[int, int]) -> list[str]:
        attempts: list[list[str]] = []
        while len(attempts) < ATTEMPTS or (len(attempts) < PATIENCE and counts(min(attempts, key=len)) > bound):
            world.run("ip", "netns", "add", "pod")
            if what in ("tuning", "bandwidth"):
                world.run("ip", "link", "add", "cable0", "type", "veth", "peer", "name", "eth0", "netns", "pod")
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
            if what in ("tuning", "bandwidth"):
                world.run("ip", "link", "delete", "cable0")
            world.run("ip", "netns", "delete", "pod")
            attempts.append(calls)
        return min(attempts, key=len)

    def test_no_call_costs_more_than_recorded(self) -> None:
        SUBNETS.write_text("FLANNEL_NETWORK=10.240.0.0/16\nFLANNEL_SUBNET=10.240.0.1/16\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n")
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
