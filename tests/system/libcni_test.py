#!/usr/bin/python3
# Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
"""Plugins called by libcni itself, the library in container runtimes, with the records it keeps between calls."""
import base64
import json
import os
import pathlib
import shutil
import socket
import subprocess
import unittest
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from support import libcni, plugin_list, reference, traces, world

Json = dict[str, Any]
WORK = pathlib.Path("/run/libcni-test")
RECORDS = WORK / "cache/results"
STORE = pathlib.Path("/var/lib/cni/networks")
EXAMPLES = pathlib.Path(os.environ["CNIO_EXAMPLES_DIR"])
MAPPING = {"hostPort": 8080, "containerPort": 80, "protocol": "tcp"}
SERVER = """import socket
server = socket.create_server(("", 80))
print("listening", flush=True)
while True: server.accept()[0].sendall(b"here is the pod")"""


def bridge(ipam: Json | None = None, **keys: Any) -> Json:
    return {"type": "bridge", "bridge": "br0", "isGateway": True, "ipMasq": True,
            "ipam": {"type": "host-local", "subnet": "10.1.0.0/24", "routes": [{"dst": "0.0.0.0/0"}]} | (ipam or {})
            } | keys


def single(plugin: Json, version: str = "1.0.0") -> Json:
    return {"cniVersion": version, "name": "net"} | plugin


def chain(*plugins: Json, version: str = "1.0.0") -> Json:
    return {"cniVersion": version, "name": "net", "plugins": list(plugins)}


def whole_chain(version: str = "1.0.0") -> Json:
    """Ours, and one of the reference among them, with every capability."""
    return chain(bridge({"subnet": None}, capabilities={"ips": True, "mac": True, "ipRanges": True}),
                 {"type": "portmap", "capabilities": {"portMappings": True}},
                 {"type": "tuning", "sysctl": {"net.ipv4.conf.eth0.log_martians": "1"}},
                 {"type": "bandwidth", "capabilities": {"bandwidth": True}},
                 {"type": "firewall", "backend": "iptables"}, version=version)


def capabilities() -> Json:
    return {"portMappings": [MAPPING], "ips": ["10.1.0.77"], "mac": "02:11:22:33:44:55",
            "ipRanges": [[{"subnet": "10.1.0.0/24"}]], "bandwidth": {"ingressRate": 10 ** 8, "ingressBurst": 10 ** 7}}


@contextmanager
def server_in(netns: str) -> Iterator[None]:
    """Somebody who answers on port 80 of the namespace."""
    with subprocess.Popen(["ip", "netns", "exec", netns, "/usr/bin/python3", "-c", SERVER],
                          stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout and process.stdout.readline() == "listening\n"
            yield
        finally:
            process.kill()


def said_by(host: str, port: int) -> str:
    with socket.create_connection((host, port), timeout=10) as connection:
        return connection.recv(100).decode()


class LibcniTest(unittest.TestCase):
    runner: pathlib.Path

    @classmethod
    def setUpClass(cls) -> None:
        LibcniTest.runner = libcni.build_runner()

    def setUp(self) -> None:
        self.plugins = reference.plugin_folder(WORK / "bin", ())
        self.make_pod("c1")
        self.give_subnets()
        self.addCleanup(self.clean)

    @staticmethod
    def give_subnets() -> None:
        """As flanneld does, for the lists that ask for it."""
        world.run("mkdir", "-p", "/run/flannel")
        pathlib.Path("/run/flannel/subnet.env").write_text(
            "FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_SUBNET=10.244.1.1/24\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n")

    def make_pod(self, name: str) -> None:
        world.run("ip", "netns", "add", name)

    @staticmethod
    def remove_bridges() -> None:
        for link in json.loads(world.run("ip", "-j", "link", "show", "type", "bridge").stdout or "[]"):
            world.run("ip", "link", "delete", link["ifname"])

    def clean(self) -> None:
        """So that what one test leaves behind does not fail the next."""
        for name in world.run("ip", "netns", "list").stdout.splitlines():
            world.run("ip", "netns", "delete", name.split()[0])
        # The kernel takes it apart later, with its ends of cables, which the next test may count among what it found.
        world.wait_until("cables of former pods gone", lambda: not world.run("ip", "link", "show", "type", "veth").stdout)
        self.remove_bridges()
        world.run("nft", "flush", "ruleset")
        shutil.rmtree(WORK)
        shutil.rmtree(STORE, ignore_errors=True)

    def write(self, config: Json) -> pathlib.Path:
        path = WORK / ("net.conflist" if "plugins" in config else "net.conf")
        path.write_text(json.dumps(config))
        return path

    def call(self, verb: str, *what: str | os.PathLike[str], pod: str = "c1", netns: str | None = None,
             given: Json | None = None, options: tuple[str, ...] = (), check: bool = True
             ) -> subprocess.CompletedProcess[str]:
        """Runs the library; `netns` is the pod's unless said otherwise, `given` are the capabilities."""
        return world.run(self.runner, "-path", self.plugins, "-cache", WORK / "cache", "-container", pod,
                         "-netns", f"/run/netns/{pod}" if netns is None else netns,
                         "-capabilities", json.dumps(given or {}), *options, verb, *what, check=check)

    def result(self, verb: str, *what: str | os.PathLike[str], **options: Any) -> Any:
        return json.loads(self.call(verb, *what, **options).stdout)

    def error(self, verb: str, *what: str | os.PathLike[str], **options: Any) -> str:
        done = self.call(verb, *what, check=False, **options)
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        return done.stderr.strip()

    def check_if_known(self, version: str, config: pathlib.Path, given: Json | None = None) -> None:
        if version >= "0.4.0":
            self.call("check", config, given=given)
        else:
            self.assertIn("does not support the CHECK command", self.error("check", config))

    def in_pod(self, *command: str, pod: str = "c1") -> str:
        return world.run("ip", "netns", "exec", pod, *command).stdout


class Versions(LibcniTest):
    def test_all_are_listed(self) -> None:
        plugins = plugin_list.names()
        supported = self.result("versions", *plugins)
        every = ["0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"]
        self.assertEqual(supported, {plugin: every for plugin in plugins})

    def test_the_library_finds_a_configuration_valid(self) -> None:
        self.assertEqual(self.result("validate", self.write(single(bridge()))), [])
        every = set(self.result("validate", self.write(whole_chain())))
        self.assertEqual(every, set(capabilities()))
        self.assertIn('does not support config version "1.2.0"',
                      self.error("validate", self.write(single(bridge(), "1.2.0"))))

    def test_results_of_every_version_are_understood(self) -> None:
        """Each is also lifted to the newest by the library, which reads it more strictly than a JSON parser."""
        for version in self.result("library"):
            with self.subTest(version):
                config = self.write(single(bridge(), version))
                before = traces.snapshot()
                added = self.result("add", config)
                self.assertEqual(added["cniVersion"], version)
                self.assertEqual(self.result("cached", config), added)
                self.check_if_known(version, config)
                self.call("del", config)
                traces.expect_same(before)


class OnePlugin(LibcniTest):
    def test_lives_and_dies(self) -> None:
        config = self.write(single(bridge()))
        before = traces.snapshot()
        added = self.result("add", config)
        self.assertEqual([link["name"] for link in added["interfaces"]][::2], ["br0", "eth0"])
        self.assertEqual(added["ips"], [{"interface": 2, "address": "10.1.0.2/24", "gateway": "10.1.0.1"}])
        record = json.loads((RECORDS / "net-c1-eth0").read_text())
        self.assertEqual(record["result"], added | {"dns": {}})
        self.assertEqual(base64.b64decode(record["config"]), config.read_bytes())
        self.assertEqual(self.result("cached", config), added)
        self.call("check", config)
        self.in_pod("ping", "-c", "1", "-W", "5", "10.1.0.1")
        self.call("del", config)
        self.assertEqual(self.call("cached", config).stdout, "", "no record any more")
        self.call("del", config)
        traces.expect_same(before)

    def test_found_by_the_name_of_its_network(self) -> None:
        """As cnitool does, which makes a list of it first."""
        self.write(single(bridge()))
        folder = ("-dir", str(WORK))
        before = traces.snapshot()
        added = self.result("add", "net", options=folder)
        self.assertEqual(self.result("cached", "net", options=folder), added)
        self.call("check", "net", options=folder)
        self.call("del", "net", options=folder)
        traces.expect_same(before)

    def test_added_twice(self) -> None:
        config = self.write(single(bridge()))
        before = traces.snapshot()
        self.call("add", config)
        self.assertRegex(self.error("add", config), "^code 103: bridge: interface eth0 exists already")
        self.call("check", config)
        self.call("del", config)
        traces.expect_same(before)

    def test_arguments_and_capabilities(self) -> None:
        config = self.write(single(bridge(capabilities={"ips": True, "mac": True})))
        before = traces.snapshot()
        asked = ("-arg", "IgnoreUnknown=1", "-arg", "K8S_POD_NAME=web", "-arg", "IP=10.1.0.9", "-arg",
                 "MAC=02:00:00:00:00:09")
        added = self.result("add", config, options=asked)
        self.assertEqual((added["ips"][0]["address"], added["interfaces"][2]["mac"]),
                         ("10.1.0.9/24", "02:00:00:00:00:09"))
        self.assertEqual(json.loads((RECORDS / "net-c1-eth0").read_text())["cniArgs"][2], ["IP", "10.1.0.9"])
        self.call("check", config, options=("-recall",))
        self.call("del", config, options=("-recall",))
        added = self.result("add", config, given={"ips": ["10.1.0.8/24"], "mac": "02:00:00:00:00:08"})
        self.assertEqual((added["ips"][0]["address"], added["interfaces"][2]["mac"]),
                         ("10.1.0.8/24", "02:00:00:00:00:08"))
        self.call("del", config)
        traces.expect_same(before)

    def test_two_interfaces_in_one_pod(self) -> None:
        config = self.write(single(bridge({"routes": []})))
        before = traces.snapshot()
        addresses = [self.result("add", config, options=("-ifname", name))["ips"][0]["address"]
                     for name in ("eth0", "eth1")]
        self.assertEqual(addresses, ["10.1.0.2/24", "10.1.0.3/24"])
        self.call("del", config, options=("-ifname", "eth0"))
        self.call("check", config, options=("-ifname", "eth1"))
        self.call("del", config, options=("-ifname", "eth1"))
        traces.expect_same(before)


class Router(LibcniTest):
    """ptp, and what stands behind it or bridge, as the lists have it that people ship."""

    @staticmethod
    def example(name: str) -> Json:
        loaded: Json = json.loads((EXAMPLES / name).read_text())
        return loaded

    def live(self, listed: Json, gateways: tuple[str, ...], given: Json | None = None) -> Json:
        before = traces.snapshot()
        config = self.write(listed)
        added: Json = self.result("add", config, given=given)
        self.assertEqual(self.result("cached", config), added)
        for gateway in gateways:
            self.in_pod("ping", "-c", "1", "-W", "5", gateway)
        self.check_if_known(listed["cniVersion"], config, given=given)
        if given:
            with server_in("c1"):
                self.assertEqual(said_by(added["ips"][0]["address"].split("/")[0], 80), "here is the pod")
        self.call("del", config, given=given)
        self.call("del", config, given=given)
        traces.expect_same(before)
        return added

    def test_kind(self) -> None:
        added = self.live(self.example("10-kind-ptp.conflist"), ("10.244.0.1", "fd00:10:244::1"))
        self.assertEqual([link["name"] for link in added["interfaces"]][1:], ["eth0"])

    def test_kind_with_a_port(self) -> None:
        listed = self.example("10-kind-ptp.conflist")
        given = {"portMappings": [MAPPING]}
        for verb in ("add", "del"):  # the shared chains stay for the next pod
            self.call(verb, self.write(listed), given=given)
        self.live(listed, ("10.244.0.1",), given)

    def limited(self, name: str, gateway: str) -> None:
        """With the limits that containerd passes for kubernetes.io/ingress-bandwidth and egress-bandwidth: 10M."""
        limits = {f"{way}{what}": value for way in ("ingress", "egress")
                  for what, value in (("Rate", 10 ** 7), ("Burst", 2 ** 32 - 1))}
        given = {"portMappings": [MAPPING], "bandwidth": limits}
        listed = self.example(name)
        for verb in ("add", "del"):
            self.call(verb, self.write(listed), given=given)
        added = self.live(listed, (gateway,), given)
        self.assertTrue(added["interfaces"][-1]["name"].startswith("bwp"), added)
        self.assertNotIn("tbf", world.run("tc", "qdisc", "show").stdout)

    def test_k3s(self) -> None:
        self.limited("10-k3s.conflist", "10.42.0.1")

    def test_flannel(self) -> None:
        listed = self.example("10-flannel.conflist")
        given = {"portMappings": [MAPPING]}
        for verb in ("add", "del"):
            self.call(verb, self.write(listed), given=given)
        added = self.live(listed, ("10.244.1.1",), given)
        self.assertEqual([ip["address"] for ip in added["ips"]], ["10.244.1.3/24"])

    def test_flannel_of_k3s(self) -> None:
        self.limited("10-flannel-k3s.conflist", "10.244.1.1")

    def test_calico(self) -> None:
        self.limited("10-calico.conflist", "192.168.77.1")

    def test_firecracker(self) -> None:
        """Its tc-redirect-tap takes the first address and the DNS settings from this result."""
        added = self.live(self.example("10-fcnet.conflist"), ("192.168.127.1",))
        self.assertEqual([ip["address"] for ip in added["ips"]], ["192.168.127.2/24"])
        self.assertEqual(added["interfaces"][added["ips"][0]["interface"]]["name"], "eth0")
        self.assertIn("dns", added)


class Removal(LibcniTest):
    """DEL finds everything whatever the runtime still knows."""

    def setUp(self) -> None:
        super().setUp()
        self.config = self.write(single(bridge()))
        self.before = traces.snapshot()
        self.call("add", self.config)

    def test_without_a_record(self) -> None:
        (RECORDS / "net-c1-eth0").unlink()
        self.call("del", self.config)
        traces.expect_same(self.before)

    def test_without_an_address_in_the_record(self) -> None:
        path = RECORDS / "net-c1-eth0"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"result": {"cniVersion": "1.0.0"}}))
        self.call("del", self.config)
        traces.expect_same(self.before)

    def test_with_a_torn_record(self) -> None:
        """libcni refuses it and calls no plugin, so the runtime removes the record and tries again."""
        path = RECORDS / "net-c1-eth0"
        path.write_text(path.read_text()[:40])
        self.assertIn("cached result", self.error("del", self.write(chain(bridge()))))
        path.unlink()
        self.call("del", self.config)
        traces.expect_same(self.before)

    def test_without_a_namespace(self) -> None:
        for netns in ("/run/netns/c2", ""):
            with self.subTest(netns=netns):
                before = traces.snapshot()
                self.make_pod("c2")
                self.call("add", self.config, pod="c2")
                world.run("ip", "netns", "delete", "c2")
                self.call("del", self.config, pod="c2", netns=netns)
                traces.expect_same(before)

    def test_as_podman_does(self) -> None:
        """From the record alone: by then the file may say something else."""
        self.config.write_text(json.dumps(single(bridge({"subnet": "10.7.0.0/24"}, bridge="br7"))))
        self.call("del", self.config, options=("-recall",))
        traces.expect_same(self.before)


class Check(LibcniTest):
    def test_sees_what_was_removed(self) -> None:
        config = self.write(single(bridge()))
        before = traces.snapshot()
        for what, (damage, expected) in {
            "address": ("ip -n c1 address delete 10.1.0.2/24 dev eth0", "expected address 10.1.0.2/24"),
            "route": ("ip -n c1 route delete default", "expected route 0.0.0.0/0"),
            "cable": ("ip -n c1 link delete eth0", "eth0"),
            "port": ("ip link set {host_end} nomaster", "{host_end}"),
            "gateway": ("ip address delete 10.1.0.1/24 dev br0", "br0"),
            "masquerading": ("nft delete table inet cnio_masquerade", "masquerade"),
            "reservation": (f"rm {STORE}/net/10.1.0.2", "10.1.0.2"),
        }.items():
            with self.subTest(what):
                host_end = self.result("add", config, options=("-arg", "IP=10.1.0.2"))["interfaces"][1]["name"]
                self.call("check", config)
                world.run(*damage.format(host_end=host_end).split())
                found = self.error("check", config)
                self.assertIn("code 104: bridge: ", found)
                self.assertIn(expected.format(host_end=host_end), found)
                self.call("del", config)
                traces.expect_same(before)


class Chain(LibcniTest):
    def setUp(self) -> None:
        super().setUp()
        self.config = self.write(whole_chain())
        self.call("add", self.config, given=capabilities())
        self.call("del", self.config, options=("-recall",))
        self.before = traces.snapshot()  # with the chains that portmap and firewall keep for the next pod

    def test_lives_and_dies(self) -> None:
        for version in ("0.4.0", "1.0.0"):  # what podman and containerd write
            with self.subTest(version):
                self.write(whole_chain(version))
                self.expect_a_pod(self.result("add", self.config, given=capabilities()))
                self.call("check", self.config, options=("-recall",))
                self.call("del", self.config, options=("-recall",))
                traces.expect_same(self.before)
                self.assertEqual(list(RECORDS.iterdir()), [])
                self.call("del", self.config, given=capabilities())
                traces.expect_same(self.before)

    def expect_a_pod(self, added: Json) -> None:
        """Each plugin of the chain did its part."""
        self.assertEqual((added["ips"][0]["address"], added["interfaces"][2]["mac"]),
                         ("10.1.0.77/24", "02:11:22:33:44:55"))
        self.assertEqual(self.in_pod("cat", "/proc/sys/net/ipv4/conf/eth0/log_martians"), "1\n")
        self.assertIn("tbf", world.run("tc", "qdisc", "show", "dev", added["interfaces"][1]["name"]).stdout)
        self.assertIn("10.1.0.77", world.run("iptables-save", "-t", "filter").stdout)
        with server_in("c1"):
            self.assertEqual(said_by("127.0.0.1", 8080), "here is the pod")
            self.assertEqual(said_by("10.1.0.77", 80), "here is the pod")

    def test_check_sees_what_was_removed_of_each(self) -> None:
        self.call("add", self.config, given=capabilities())
        for damage, expected in (("nft flush chain inet cnio_masquerade postrouting", "bridge: "),
                                 ("iptables -t nat -F CNI-HOSTPORT-DNAT", "portmap: ")):
            self.call("check", self.config, options=("-recall",))
            world.run(*damage.split())
            self.assertIn(expected, self.error("check", self.config, options=("-recall",)))
            self.call("del", self.config, options=("-recall",))
            traces.expect_same(self.before)
            self.call("add", self.config, given=capabilities())

    def test_second_plugin_fails(self) -> None:
        """The library does not undo; its caller sends DEL, without a record, and ours cleans up."""
        broken = self.write(chain(bridge(), {"type": "tuning", "sysctl": {"net.ipv4.conf.eth0.nothing": "1"}}))
        self.assertIn('plugin type="tuning" failed (add)', self.error("add", broken))
        self.assertNotEqual(traces.differences(self.before, traces.snapshot()), [], "ours had been added")
        self.call("del", broken)
        traces.expect_same(self.before)

    def test_without_its_capabilities(self) -> None:
        self.assertRegex(self.error("add", self.config), r'code 7: .*failed \(add\): bridge: .*ipam\.ranges')
        self.call("del", self.config)
        traces.expect_same(self.before)


class Examples(LibcniTest):
    def test_each_lives_and_dies(self) -> None:
        """With the newest specification that the library knows, where an example asks for more. Twice, since firewall
        keeps its chains for the next pod."""
        newest = self.result("library")[-1]
        examples = sorted(pathlib.Path(os.environ["CNIO_EXAMPLES_DIR"]).glob("*.conf*"))
        self.assertGreater(len(examples), 9)
        for example in examples:
            with self.subTest(example.name):
                config = json.loads(example.read_text().replace("${NODE_SUBNET}", "10.240.3.0/24"))
                config["cniVersion"] = min(config["cniVersion"], newest)
                copy = WORK / example.name
                copy.write_text(json.dumps(config))
                self.call("add", copy)
                self.call("del", copy)
                before = traces.snapshot()
                self.assertIn("interfaces", self.result("add", copy))
                self.check_if_known(config["cniVersion"], copy)
                self.call("del", copy)
                traces.expect_same(before)
                self.remove_bridges()  # some share its name, each with an address of its own


class BadInput(LibcniTest):
    """What the runtime's user reads names the cause."""

    def expect(self, expected: str, config: pathlib.Path) -> None:
        before = traces.snapshot()
        self.assertRegex(self.error("add", config), expected)
        traces.expect_same(before)

    def test_missing_plugin(self) -> None:
        (self.plugins / "bridge").unlink()
        self.expect('failed to find plugin "bridge" in path', self.write(single(bridge())))

    def test_plugin_not_executable(self) -> None:
        (self.plugins / "bridge").chmod(0o644)
        self.expect("bin/bridge: permission denied", self.write(single(bridge())))

    def test_missing_ipam_plugin(self) -> None:
        (self.plugins / "host-local").unlink()
        self.expect(f'^code 101: bridge: IPAM plugin "host-local": not found in CNI_PATH "{self.plugins}"',
                    self.write(single(bridge())))

    def test_ipam_plugin_not_executable(self) -> None:
        (self.plugins / "host-local").chmod(0o644)
        self.expect('^code 101: bridge: IPAM plugin "host-local": .*executable', self.write(single(bridge())))

    def test_wrong_value(self) -> None:
        self.expect(r'^code 7: plugin type="bridge" failed \(add\): bridge: .*key "mtu"',
                    self.write(chain(bridge(mtu="big"))))
        self.expect(r'^code 7: .*host-local: .*"10\.1\.0\.0/33"', self.write(chain(bridge({"subnet": "10.1.0.0/33"}))))

    def test_unknown_specification(self) -> None:
        self.expect('^code 1: bridge: .*"9.9.9"', self.write(single(bridge(), "9.9.9")))

    def test_newer_specification_than_the_librarys(self) -> None:
        """The plugin does its work and the library cannot read the result: DEL must find it all the same."""
        before = traces.snapshot()
        config = self.write(single(bridge(), "1.1.0"))
        if "1.1.0" in self.result("library"):
            self.call("add", config)
        else:
            self.assertIn('unsupported CNI result version "1.1.0"', self.error("add", config))
            self.assertNotEqual(traces.differences(before, traces.snapshot()), [])
        self.call("del", config)
        traces.expect_same(before)

    def test_broken_file(self) -> None:
        config = self.write(chain(bridge()))
        config.write_text(config.read_text()[:-2])
        self.expect("error parsing configuration list: unexpected end of JSON input", config)
        self.expect("missing 'type'", self.write(chain({"bridge": "br0"})))

    def test_namespace_that_is_none(self) -> None:
        config = self.write(single(bridge()))
        self.assertRegex(self.error("add", config, netns="/run/netns/nobody"), "^code 4: bridge: .*/run/netns/nobody")


if __name__ == "__main__":
    reference.find()
    world.enter(unittest.main)
