#!/usr/bin/python3
# Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
"""podman with the CNI backend: the networks it writes work as they are, and what it removes is gone."""
import ipaddress
import json
import os
import pathlib
import signal
import unittest
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from support import image, outside, reference, traces, world
from support.podman import Podman

Json = dict[str, Any]
WORK = pathlib.Path("/run/podman-test")
WAITING = tuple(image.WAIT_FOREVER)
STORE = pathlib.Path("/var/lib/cni/networks")
# "publish" without an address means any, of both families.
PUBLISH = ("--publish", "8080:80")


class PodmanTest(unittest.TestCase):
    plugins: pathlib.Path
    podman: Podman

    def setUp(self) -> None:
        self.addCleanup(self.remove_everything)
        self.before = traces.snapshot()

    def remove_everything(self) -> None:
        """So that what one test leaves behind does not fail the next. Succeeds with nothing to do, as it should."""
        self.podman.insist("pod", "rm", "--force", "--all", "--time", "0")
        self.podman.insist("rm", "--force", "--all", "--time", "0")
        self.podman("network", "prune", "--force")

    def remove(self, *containers: str) -> None:
        self.podman.insist("rm", "--force", "--time", "0", *containers)

    def expect_nothing_left(self, *networks: str) -> None:
        """After the containers are gone, nothing but the bridges is there; after the networks are, nothing."""
        traces.expect_same(self.before)
        self.podman("network", "rm", *networks)
        self.assertEqual(world.run("ip", "-j", "link", "show", "type", "bridge").stdout.strip(), "[]")
        self.assertEqual(list(self.podman.networks.glob("*.conflist")), [])

    def page(self, container: str, address: str) -> str:
        """What the web server there tells the container: its own name, and whom it saw."""
        return self.podman("exec", container, "wget", "-qO-", outside.who_url(address))

    def inspected(self, container: str, network: str) -> Json:
        return json.loads(self.podman("inspect", container))[0]["NetworkSettings"]["Networks"][network]


class Network(PodmanTest):
    def test_as_podman_writes_it(self) -> None:
        config = self.podman.create_network("net")
        self.assertEqual([plugin["type"] for plugin in config["plugins"]], ["bridge", "portmap", "firewall", "tuning"])
        wanted = config["plugins"][0]["ipam"]["ranges"][0][0]
        with outside.Outside():
            self.podman.run("web", "--network", "net", "--hostname", "web")
            address, = self.podman.address("web")
            self.assertIn(ipaddress.ip_interface(address).ip, ipaddress.ip_network(wanted["subnet"]))
            ip = address.split("/")[0]
            seen = self.inspected("web", "net")
            self.assertEqual((f"{seen['IPAddress']}/{seen['IPPrefixLen']}", seen["Gateway"]),
                             (address, wanted["gateway"]), "podman understands our result")
            self.assertEqual(outside.wait_for_page(ip), f"web {wanted['gateway']}")
            self.assertEqual(self.page("web", outside.ADDRESS), f"{outside.NAMESPACE} {outside.NODE}", "masqueraded")
            self.assertTrue((STORE / "net" / ip).read_bytes().endswith(b"\r\neth0"))
            self.remove("web")
        self.expect_nothing_left("net")

    def test_options(self) -> None:
        self.podman.create_network("net", "--subnet", "10.99.0.0/24", "--gateway", "10.99.0.254", "--ip-range",
                                   "10.99.0.128/25", "--opt", "mtu=1400")
        self.podman.run("one", "--network", "net", "--hostname", "one")
        self.podman.run("two", "--network", "net", command=WAITING)
        self.assertEqual(self.podman.address("one") + self.podman.address("two"), ["10.99.0.129/24", "10.99.0.130/24"])
        self.assertEqual(outside.wait_for_page("10.99.0.129"), "one 10.99.0.254")
        self.assertEqual(self.page("two", "10.99.0.129"), "one 10.99.0.130", "not masqueraded among themselves")
        self.assertIn("default via 10.99.0.254", self.podman("exec", "two", "ip", "route"))
        self.assertIn("mtu 1400", self.podman("exec", "two", "ip", "link", "show", "eth0"))
        self.remove("one", "two")
        self.expect_nothing_left("net")

    def test_internal(self) -> None:
        """A bridge without gateway: containers reach each other and nobody else."""
        self.podman.create_network("net", "--internal", "--subnet", "10.99.0.0/24")
        self.podman.run("one", "--network", "net", "--hostname", "one")
        self.podman.run("two", "--network", "net", command=WAITING)
        address = self.podman.address("one")[0].split("/")[0]
        world.wait_until("web server", lambda: self.podman.done("exec", "two", "wget", "-qO-", outside.who_url(address),
                                                                check=False).stdout.startswith("one "))
        self.assertNotIn("default", self.podman("exec", "two", "ip", "route"))
        self.remove("one", "two")
        self.expect_nothing_left("net")

    def test_two_for_one_container(self) -> None:
        self.podman.create_network("red", "--subnet", "10.91.0.0/24")
        self.podman.create_network("blue", "--subnet", "10.92.0.0/24")
        self.podman.run("web", "--network", "red,blue", "--hostname", "web")
        for device in ("eth0", "eth1"):
            address = self.podman.address("web", device)[0].split("/")[0]
            self.assertTrue(outside.wait_for_page(address).startswith("web "))
        self.podman("network", "disconnect", "blue", "web")
        self.assertEqual(sorted(path.name for path in (STORE / "blue").glob("10.*")), [])
        self.podman("network", "connect", "--ip", "10.92.0.77", "blue", "web")
        self.assertTrue(outside.wait_for_page("10.92.0.77").startswith("web "))
        self.podman("network", "reload", "web")
        self.assertTrue(outside.wait_for_page("10.92.0.77").startswith("web "), "after all rules were made anew")
        self.remove("web")
        self.expect_nothing_left("red", "blue")


class Container(PodmanTest):
    def setUp(self) -> None:
        super().setUp()
        self.podman.create_network("net", "--subnet", "10.99.0.0/24")

    def test_address_on_request(self) -> None:
        self.podman.run("web", "--network", "net", "--ip", "10.99.0.77", "--mac-address", "02:11:22:33:44:55")
        self.assertEqual(self.podman.address("web"), ["10.99.0.77/24"])
        self.assertIn("02:11:22:33:44:55", self.podman("exec", "web", "ip", "link", "show", "eth0"))
        refused = self.podman.error("run", "--network", "net", "--ip", "10.99.0.77", "--cgroup-parent",
                                    world.cgroup_parent(), "localhost/cnio/busybox")
        self.assertRegex(refused, r"plugin bridge failed: bridge: .*10\.99\.0\.77")
        self.assertTrue(outside.wait_for_page("10.99.0.77"), "the first keeps it")
        self.remove("--all")
        self.expect_nothing_left("net")

    def test_stopped_and_started(self) -> None:
        self.podman.run("web", "--network", "net", "--ip", "10.99.0.77", *PUBLISH)
        self.podman("stop", "web")
        traces.expect_same(self.before)
        self.podman("start", "web")
        self.assertTrue(outside.wait_for_page("127.0.0.1", 8080))
        self.assertEqual(self.podman.address("web"), ["10.99.0.77/24"])
        self.podman("restart", "web")
        self.assertTrue(outside.wait_for_page("127.0.0.1", 8080))
        self.remove("web")
        self.expect_nothing_left("net")

    def test_published_port(self) -> None:
        with outside.Outside():
            self.podman.run("web", "--network", "net", "--hostname", "web", *PUBLISH)
            self.assertEqual(outside.wait_for_page("127.0.0.1", 8080), "web 10.99.0.1")
            caller = world.run("ip", "netns", "exec", outside.NAMESPACE, image.BUSYBOX, "wget", "-qO-",
                               outside.who_url(outside.NODE, 8080)).stdout
            self.assertEqual(caller, f"web {outside.ADDRESS}", "the container sees who it is")
            self.podman.run("other", "--network", "net", command=WAITING)
            self.assertEqual(self.podman("exec", "other", "wget", "-qO-", outside.who_url("10.99.0.1", 8080)),
                             "web 10.99.0.1", "a neighbour goes through the node")
            self.remove("web", "other")
        self.expect_nothing_left("net")

    def test_killed(self) -> None:
        """Killed from inside, podman's monitor cleans up. With the monitor killed as well, removing it does."""
        self.podman.run("web", "--network", "net", *PUBLISH)
        os.kill(self.podman.process("web"), signal.SIGKILL)
        traces.expect_same(self.before)
        self.podman("start", "web")
        monitor = int(self.podman("inspect", "--format", "{{.State.ConmonPid}}", "web"))
        container = self.podman.process("web")
        for process in (monitor, container):
            os.kill(process, signal.SIGKILL)
        self.assertNotEqual(traces.differences(self.before, traces.snapshot()), [])
        self.remove("web")
        del self.before["control group"]  # podman forgets that of a container whose monitor is gone
        self.expect_nothing_left("net")

    def test_many_at_once(self) -> None:
        names = [f"web{number}" for number in range(6)]
        with ThreadPoolExecutor(len(names)) as pool:
            list(pool.map(lambda name: self.podman.run(name, "--network", "net", "--hostname", name), names))
            addresses = list(pool.map(lambda name: self.podman.address(name)[0].split("/")[0], names))
            self.assertEqual(len(set(addresses)), len(names), addresses)
            for name, address in zip(names, addresses):
                self.assertTrue(outside.wait_for_page(address).startswith(name + " "))
            list(pool.map(self.remove, names))
        self.expect_nothing_left("net")


class Pod(PodmanTest):
    def test_two_containers_share_one_network(self) -> None:
        self.podman.create_network("net", "--subnet", "10.99.0.0/24")
        self.podman("pod", "create", "--name", "pod", "--cgroup-parent", world.cgroup_parent(), "--network", "net",
                    "--ip", "10.99.0.9", *PUBLISH)
        self.podman.run_in_pod("pod", "web", image.WEB_SERVER)
        self.podman.run_in_pod("pod", "client", image.WAIT_FOREVER)
        self.assertEqual(outside.wait_for_page("127.0.0.1", 8080), "pod 10.99.0.1")
        self.assertEqual(self.page("client", "127.0.0.1"), "pod 127.0.0.1")
        self.assertEqual(self.podman.address("client"), ["10.99.0.9/24"])
        self.assertEqual(len(list((STORE / "net").glob("10.*"))), 1, "one attachment for all of them")
        del self.before["control group"]  # podman keeps the pod's, here where it is of the first version
        self.podman.insist("pod", "stop", "--time", "0", "pod")
        traces.expect_same(self.before)
        self.podman("pod", "start", "pod")
        self.assertEqual(outside.wait_for_page("10.99.0.9"), "pod 10.99.0.1")
        self.podman.insist("pod", "rm", "--force", "--time", "0", "pod")
        self.expect_nothing_left("net")


class SixthVersion(PodmanTest):
    def test_both_families(self) -> None:
        config = self.podman.create_network("net", "--ipv6", "--subnet", "fd99::/64", "--subnet", "10.99.0.0/24")
        self.assertEqual(len(config["plugins"][0]["ipam"]["ranges"]), 2)
        self.podman.run("web", "--network", "net", "--hostname", "web", "--ip", "10.99.0.7", "--ip6", "fd99::7",
                        *PUBLISH)
        self.podman.run("other", "--network", "net", command=WAITING)
        self.assertEqual(sorted(self.podman.address("web")), ["10.99.0.7/24", "fd99::7/64"])
        for host, port, caller in (("10.99.0.7", 80, "10.99.0.1"), ("fd99::7", 80, "fd99::1"),
                                   ("127.0.0.1", 8080, "10.99.0.1"), ("fd99::1", 8080, "fd99::1")):
            with self.subTest(f"{host} port {port}"):
                self.assertEqual(outside.wait_for_page(host, port), f"web {caller}")
        self.assertEqual(self.page("other", "fd99::7"), f"web {self.sixth('other')}")
        self.remove("web", "other")
        self.expect_nothing_left("net")

    def test_alone(self) -> None:
        self.podman.create_network("net", "--subnet", "fd99::/64")
        self.podman.run("web", "--network", "net", "--hostname", "web", *PUBLISH)
        self.assertEqual(self.podman.address("web"), ["fd99::2/64"])
        self.assertEqual(self.inspected("web", "net")["GlobalIPv6Address"], "fd99::2")
        self.assertEqual(outside.wait_for_page("fd99::2"), "web fd99::1")
        self.assertIn("default via fd99::1", self.podman("exec", "web", "ip", "-6", "route"))
        self.remove("web")
        self.expect_nothing_left("net")

    def sixth(self, container: str) -> str:
        return next(address for address in self.podman.address(container) if ":" in address).split("/")[0]


class BadInput(PodmanTest):
    """What podman tells its user names the cause, and a container that did not start leaves nothing."""

    def setUp(self) -> None:
        super().setUp()
        self.podman.create_network("net", "--subnet", "10.99.0.0/24")
        self.conflist = self.podman.networks / "net.conflist"
        intact = self.conflist.read_text()
        self.addCleanup(self.conflist.write_text, intact)  # comes before remove_everything, which wants to read it

    def expect(self, *expected: str) -> None:
        said = self.podman.error("run", "--detach", "--name", "bad", "--network", "net", "--cgroup-parent",
                                 world.cgroup_parent(), "localhost/cnio/busybox")
        for text in expected:
            self.assertRegex(said, text)
        self.remove("--all")
        traces.expect_same(self.before)

    def damage(self, old: str, new: str) -> None:
        text = self.conflist.read_text()
        self.assertIn(old, text)
        self.conflist.write_text(text.replace(old, new))

    def without(self, plugin: str) -> None:
        path = self.plugins / plugin
        content = path.read_bytes()

        def put_back() -> None:
            path.write_bytes(content)
            path.chmod(0o755)
        self.addCleanup(put_back)
        path.unlink()

    def not_executable(self, plugin: str) -> None:
        path = self.plugins / plugin
        self.addCleanup(path.chmod, 0o755)
        path.chmod(0o644)

    def test_missing_plugin(self) -> None:
        self.without("bridge")
        self.expect(r'net\.conflist: .*failed to find plugin ."bridge', "network not found")

    def test_plugin_not_executable(self) -> None:
        self.not_executable("bridge")
        self.expect(r"net\.conflist: .*/bridge: permission denied", "network not found")

    def test_missing_ipam_plugin(self) -> None:
        self.without("host-local")
        self.expect(f'Error: plugin type="bridge" failed .add.: .* bridge: IPAM plugin "host-local": '
                    f'not found in CNI_PATH "{self.plugins}"')

    def test_ipam_plugin_not_executable(self) -> None:
        self.not_executable("host-local")
        self.expect('Error: plugin type="bridge" failed .add.: .* bridge: IPAM plugin "host-local": .*executable')

    def test_broken_file(self) -> None:
        self.conflist.write_text(self.conflist.read_text()[:-5])
        self.expect(r"net\.conflist: error parsing configuration list: unexpected end of JSON", "network not found")

    def test_wrong_values(self) -> None:
        self.damage('"hairpinMode": true', '"mtu": 5')
        self.expect('Error: plugin type="bridge" failed .add.: .* bridge: .*key "mtu": .*not 5')
        self.damage('"mtu": 5', '"promiscMode": true, "hairpinMode": true')
        self.expect('Error: .* bridge: .*key "hairpinMode": cannot be combined with promiscMode')


def setUpModule() -> None:
    PodmanTest.plugins = reference.plugin_folder(WORK / "bin", ())
    PodmanTest.podman = Podman(WORK / "podman", [PodmanTest.plugins])
    make_lasting_traces(PodmanTest.podman)


def make_lasting_traces(podman: Podman) -> None:
    """portmap, firewall and podman's monitor keep chains and a control group for the next container. With one of each
    family gone through, they are there already."""
    podman.create_network("first", "--ipv6")
    podman.run("first", "--network", "first", *PUBLISH)
    podman.insist("rm", "--force", "--time", "0", "first")
    podman("network", "rm", "first")


if __name__ == "__main__":
    world.enter(unittest.main)
