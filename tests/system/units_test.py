#!/usr/bin/python3
# Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
"""The units for systemd, run by a systemd: what they are shut off from is nothing that they need."""
import datetime
import ipaddress
import json
import os
import pathlib
import shlex
import shutil
import unittest
from typing import Any

from support import libcni, systemd, world

Json = dict[str, Any]
SOURCE = pathlib.Path(__file__).resolve().parents[2]
STAGE = pathlib.Path(os.environ["CNIO_BUILD_DIR"], "stage")
UNITS = STAGE / "usr/local/share/doc/cnio/deploy"  # as packages have them
RESYNC, SNAPSHOT, OWN_SUBNET = "cnio-resync.service", "cnio-snapshot.service", "cnio-own-subnet.service"
BRIDGE = "cnio0"
FILE = pathlib.Path("/etc/cni/net.d/10-mynet.conflist")
LIST = {"cniVersion": "1.0.0", "name": "mynet", "plugins": [
    {"type": "bridge", "bridge": BRIDGE, "isGateway": True, "ipMasq": True, "macspoofchk": True,
     "ipam": {"type": "host-local", "ranges": [[{"subnet": "10.240.1.0/24"}], [{"subnet": "fd00:240:1::/64"}]],
              "routes": [{"dst": "0.0.0.0/0"}, {"dst": "::/0"}]}},
    {"type": "portmap", "capabilities": {"portMappings": True}},
    {"type": "firewall", "backend": "iptables"},
    {"type": "bandwidth", "capabilities": {"bandwidth": True}}]}
SNAPSHOTS = pathlib.Path("/var/lib/cnio/snapshots")
# linux/capability.h: DAC_OVERRIDE 1, DAC_READ_SEARCH 2, NET_ADMIN 12, NET_RAW 13, SYS_PTRACE 19, SYS_ADMIN 21.
CAPABILITIES = sum(1 << number for number in (1, 2, 12, 13, 19, 21))


class UnitsTest(unittest.TestCase):
    runner: pathlib.Path
    host: systemd.Host

    def setUp(self) -> None:
        self.host = systemd.Host()
        self.addCleanup(self.clean)
        self.host.boot()
        self.pods = 0

    def clean(self) -> None:
        self.host.halt()
        world.sweep()
        shutil.rmtree(SNAPSHOTS, ignore_errors=True)

    def add_pod(self, name: str) -> str:
        """Its namespace is mounted on the host, as a runtime does it; the address."""
        self.pods += 1
        self.host.run("ip", "netns", "add", name)
        given = {"portMappings": [{"hostPort": 8080 + self.pods, "containerPort": 80, "protocol": "tcp"}],
                 "bandwidth": {"ingressRate": 10**8, "ingressBurst": 10**7, "egressRate": 10**8, "egressBurst": 10**7}}
        done = self.host.run(self.runner, "-path", "/opt/cni/bin", "-cache", "/var/lib/cni", "-container", name, "-netns",
                             f"/run/netns/{name}", "-capabilities", json.dumps(given), "add", FILE)
        return str(ipaddress.ip_interface(json.loads(done.stdout)["ips"][0]["address"]).ip)

    def rules(self) -> list[str]:
        """But for which interfaces had route_localnet off before: after a flush, nobody knows that any more."""
        lines = self.host.run("nft", "--stateless", "list", "ruleset").stdout.splitlines()
        return [line for line in lines if line.strip() != f'elements = {{ "{BRIDGE}" }}']

    def state(self) -> list[str]:
        """What resync keeps: rules, ports, the gateway's addresses, limits, forwarding."""
        ports = json.loads(self.host.run("bridge", "-j", "-d", "link").stdout)
        found = [f"port {port['ifname']} of {port['master']}, hairpin {port['hairpin']}" for port in ports]
        for link in json.loads(self.host.run("ip", "-j", "address", "show", "dev", BRIDGE).stdout):
            found.append(f"{BRIDGE} has the MAC address {link['address']}")
            found += [f"{BRIDGE} has {each['local']}/{each['prefixlen']}" for each in link["addr_info"] if each["scope"] == "global"]
        found += [f"limit {each['kind']} {each['dev']} {each['options'].get('rate')}"
                  for each in json.loads(self.host.run("tc", "-j", "qdisc").stdout) if each["kind"] == "tbf"]
        for key in ("net/ipv4/ip_forward", "net/ipv6/conf/all/forwarding"):
            found.append(f"{key} {pathlib.Path('/proc/sys', key).read_text().strip()}")
        return sorted(found + self.rules())

    def whole_again(self, whole: list[str]) -> None:
        """By what the kernel says, and by the plugins' CHECKs."""
        def missing() -> set[str]:
            try:
                return set(whole) - set(self.state())
            except AssertionError:  # no bridge yet
                return set(whole)
        try:
            world.wait_until("all is back", lambda: not missing())
        except AssertionError as late:
            raise AssertionError(f"{late}: {missing()}\nThe unit said:\n{self.host.journal(RESYNC)}") from late
        self.assertEqual(self.host.run("cnioctl", "check").returncode, 0)

    def enable(self) -> None:
        self.host.run("systemctl", "enable", "--now", UNITS / RESYNC)


class Resync(UnitsTest):
    def test_puts_back_what_is_lost_while_it_runs(self) -> None:
        before = self.add_pod("before")
        self.enable()
        after = self.add_pod("after")
        self.assertEqual(self.host.status_of(RESYNC)["CapBnd"], f"{CAPABILITIES:016x}")
        self.assertEqual(self.host.status_of(RESYNC)["Seccomp"], "2")
        whole = self.state()
        ports = [port["ifname"] for port in json.loads(self.host.run("bridge", "-j", "link").stdout)]
        self.assertEqual(len(ports), 2)
        for loss in ("nft flush ruleset", f"ip link delete {BRIDGE}", f"ip link set {ports[0]} nomaster",
                     f"ip -6 address flush dev {BRIDGE} scope global", f"ip address flush dev {BRIDGE}",
                     f"tc qdisc delete dev {ports[1]} root", "sysctl -qw net.ipv4.ip_forward=0"):
            with self.subTest(loss):
                self.host.run(*shlex.split(loss))
                self.whole_again(whole)
                for address in (before, after):
                    self.host.run("ping", "-c", "1", "-W", "20", address)
        self.assertEqual(self.host.property(RESYNC, "NRestarts"), "0")

    def test_what_was_lost_before_is_found_at_the_start(self) -> None:
        self.add_pod("web")
        whole = self.state()
        self.host.run("nft", "flush", "ruleset")
        self.assertNotEqual(self.state(), whole)
        self.enable()
        self.whole_again(whole)

    def test_is_started_again_after_it_was_killed_and_after_a_boot(self) -> None:
        self.add_pod("web")
        self.enable()
        whole = self.state()
        self.host.run("systemctl", "kill", "--signal=KILL", RESYNC)
        self.host.run("nft", "flush", "ruleset")
        self.whole_again(whole)
        self.assertEqual(self.host.property(RESYNC, "NRestarts"), "1")
        self.host.halt()
        world.run("nft", "flush", "ruleset")  # as a boot does
        self.host.boot()
        self.assertEqual(self.host.property(RESYNC, "ActiveState"), "active")
        self.add_pod("later")
        whole = self.state()
        self.host.run("nft", "flush", "ruleset")
        self.whole_again(whole)

    def test_is_off_until_it_is_enabled_and_once_it_is_stopped(self) -> None:
        self.assertEqual(self.host.property(RESYNC, "ActiveState"), "inactive")
        self.enable()
        self.assertEqual(self.host.property(RESYNC, "ActiveState"), "active")
        self.host.run("systemctl", "disable", "--now", RESYNC)
        self.assertEqual((self.host.property(RESYNC, "ActiveState"), self.host.property(RESYNC, "Result")),
                         ("inactive", "success"))


class Snapshot(UnitsTest):
    def test_one_a_day_of_fourteen_days(self) -> None:
        for kind in ("service", "timer"):
            shutil.copy(UNITS / f"cnio-snapshot.{kind}", systemd.OWN_UNITS)
        self.host.run("systemctl", "daemon-reload")
        self.host.run("systemctl", "enable", "--now", "cnio-snapshot.timer")
        self.assertEqual(self.host.property("cnio-snapshot.timer", "ActiveState"), "active")
        self.add_pod("web")
        SNAPSHOTS.mkdir(parents=True)
        now = datetime.datetime.now()
        for days in (13, 16):
            path = SNAPSHOTS / f"{(now - datetime.timedelta(days=days)).date()}.json"
            path.write_text("{}")
            os.utime(path, times=((then := (now - datetime.timedelta(days=days)).timestamp()), then))
        self.host.run("systemctl", "start", SNAPSHOT)
        newest, = [path for path in SNAPSHOTS.iterdir() if path.stat().st_size > 2]
        self.assertIn("web", newest.read_text())
        self.assertEqual([oct(path.stat().st_mode & 0o777) for path in (SNAPSHOTS, newest)], ["0o700", "0o600"])
        self.assertEqual(len(list(SNAPSHOTS.iterdir())), 2, "the oldest is gone")
        self.assertEqual(self.host.run("cnioctl", "diff", newest).stdout, "", "nothing has changed")


class OwnSubnet(UnitsTest):
    """The unit that scripts/install writes."""

    def routes(self) -> str:
        return "".join(self.host.run("ip", family, "route", "show", "type", "unreachable").stdout for family in ("-4", "-6"))

    def test_what_no_pod_has_is_unreachable(self) -> None:
        world.run("ip", "link", "add", "up0", "type", "bridge")
        world.run("ip", "link", "set", "up0", "up")
        world.run(SOURCE / "scripts/install", "--from", "/opt/cni/bin", "--to", "/run/bin", "--conf-dir", "/run/conf",
                  "--no-verify", "--no-tool", "--uplink", "up0", "--router-id", "192.0.2.11", "--routes", "frr",
                  "--routes-to", "/run/routes", "--answer-unknown", "--reflectors", "192.0.2.1,2001:db8::1",
                  "--cluster", "10.240.0.0/16,fd00:240::/48", "--subnet",
                  "10.240.1.0/24,fd00:240:0:1::/64")
        shutil.copy(pathlib.Path("/run/routes", OWN_SUBNET), systemd.OWN_UNITS)
        self.host.run("systemctl", "daemon-reload")
        self.host.run("systemctl", "enable", "--now", OWN_SUBNET)
        self.assertRegex(self.routes(), r"unreachable 10\.240\.1\.0/24 .*\nunreachable fd00:240:0:1::/64 ")
        self.host.run("systemctl", "restart", OWN_SUBNET)
        self.assertRegex(self.routes(), r"unreachable 10\.240\.1\.0/24 .*\nunreachable fd00:240:0:1::/64 ")
        self.host.run("systemctl", "stop", OWN_SUBNET)
        self.assertEqual(self.routes(), "")


def main() -> None:
    UnitsTest.runner = libcni.build_runner()
    shutil.copy(STAGE / "usr/local/sbin/cnioctl", "/usr/local/sbin")
    shutil.copytree(os.environ["CNIO_PLUGIN_DIR"], "/opt/cni/bin")
    FILE.write_text(json.dumps(LIST))
    unittest.main(verbosity=2)


if __name__ == "__main__":
    world.enter(main)
