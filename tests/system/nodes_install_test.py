#!/usr/bin/python3
# Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
"""scripts/install on a node of several: one configuration that is used, for subnets that fit, or nothing is changed."""
import json
import pathlib
import shutil
import subprocess
import unittest
from typing import Any

from install_test import BIN, BUILT, CONF, WORK, InstallCase, digest, install, look, node, other_build
from support import plugin_list, world

CLUSTER = ("--cluster", "10.240.0.0/16", "--subnet", "10.240.1.0/24")
OURS = CONF / "10-bridge.conf"
TOOL = pathlib.Path("/usr/local/sbin/cnioctl")
SUBNET_FILE = WORK / "subnet.env"
FLANNELD = """FLANNEL_NETWORK=10.244.0.0/16
FLANNEL_SUBNET=10.244.3.1/24
FLANNEL_IPV6_NETWORK=fd01::/48
FLANNEL_IPV6_SUBNET=fd01:0:0:3::1/64
FLANNEL_MTU=1450
FLANNEL_IPMASQ={masq}
"""


def config() -> dict[str, Any]:
    return json.loads(OURS.read_text())


def network(name: str, subnet: str, bridge: str = "cni0") -> str:
    return json.dumps({"cniVersion": "0.4.0", "name": name, "type": "bridge", "bridge": bridge,
                       "ipam": {"type": "host-local", "subnet": subnet}})


class NodeCase(InstallCase):
    """A node with an uplink, and a default route by it."""

    def setUp(self) -> None:
        super().setUp()
        self.addCleanup(world.sweep)
        shutil.rmtree("/usr/local/sbin", ignore_errors=True)
        shutil.rmtree("/etc/cnio", ignore_errors=True)
        world.run("ip", "link", "add", "up0", "mtu", "1400", "type", "bridge")
        world.run("ip", "link", "set", "up0", "up")
        world.run("ip", "address", "add", "192.0.2.11/24", "dev", "up0")
        world.run("ip", "route", "add", "default", "via", "192.0.2.1")

    def configure(self, *options: str, expect: int = 0) -> str:
        return install("--from", str(BUILT), "--no-verify", *options, expect=expect)

    def is_refused(self, because: str, *options: str) -> None:
        self.refuses(because, "--from", str(BUILT), "--no-verify", *options)

    def add_pod(self, container: str) -> str:
        """By the configuration that runtimes would take; returns its address."""
        world.run("ip", "netns", "add", container)
        first = min(path for path in CONF.iterdir() if path.suffix in (".conf", ".conflist", ".json"))
        environment = {"CNI_COMMAND": "ADD", "CNI_CONTAINERID": container, "CNI_NETNS": f"/run/netns/{container}",
                       "CNI_IFNAME": "eth0", "CNI_PATH": str(BIN)}
        done = subprocess.run([BIN / "bridge"], input=first.read_text(), env=environment, check=True, text=True,
                              capture_output=True, timeout=60)
        return json.loads(done.stdout)["ips"][0]["address"].partition("/")[0]


class Cluster(NodeCase):
    def test_one_configuration_that_is_used(self) -> None:
        said = install("--from", str(BUILT), *CLUSTER)  # tried out with all that is in it
        self.assertIn("dry run: a pod got its network", said)
        self.assertEqual(sorted(path.name for path in CONF.iterdir()), ["10-bridge.conf", "99-loopback.conf"])
        written = config()
        self.assertEqual((written["name"], written["bridge"]), ("bridge", "cnio0"))
        self.assertEqual((written["ipMasq"], written["ipMasqExclude"]), (True, ["10.240.0.0/16"]))
        self.assertEqual(written["mtu"], 1400)
        self.assertEqual(written["ipam"]["ranges"], [[{"subnet": "10.240.1.0/24"}]])
        self.assertIn("in place already", install("--from", str(BUILT), *CLUSTER))

    def test_both_families(self) -> None:
        self.configure("--cluster", "10.240.0.0/16,fd00:240::/48", "--subnet", "fd00:240:0:1::/64,10.240.1.0/24")
        self.assertEqual(config()["ipMasqExclude"], ["10.240.0.0/16", "fd00:240::/48"])
        self.assertEqual(config()["ipam"]["ranges"], [[{"subnet": "10.240.1.0/24"}], [{"subnet": "fd00:240:0:1::/64"}]])
        self.assertEqual(config()["ipam"]["routes"], [{"dst": "0.0.0.0/0"}, {"dst": "::/0"}])

    def test_the_mtu_is_the_uplinks_less_what_an_engine_takes(self) -> None:
        world.run("ip", "link", "add", "big0", "mtu", "9000", "type", "bridge")
        for options, mtu in (((), 1400), (("--routes", "flannel"), 1350), (("--mtu", "1300"), 1300),
                             (("--uplink", "big0"), 9000)):
            self.configure(*CLUSTER, *options)
            self.assertEqual(config()["mtu"], mtu)
        self.is_refused('there is no interface "up7"', *CLUSTER, "--uplink", "up7")
        world.run("ip", "route", "delete", "default")
        self.is_refused("there is no default route, so the uplink has to be named", *CLUSTER)

    def test_from_a_file_of_flanneld(self) -> None:
        for masq, masquerades in (("false", True), ("true", False)):
            SUBNET_FILE.write_text(FLANNELD.format(masq=masq))
            self.configure("--subnet-file", str(SUBNET_FILE))
            self.assertEqual(config()["mtu"], 1450)
            self.assertEqual(config()["ipMasq"], masquerades)
            self.assertEqual(config().get("ipMasqExclude"), ["10.244.0.0/16", "fd01::/48"] if masquerades else None)
            self.assertEqual([range[0]["subnet"] for range in config()["ipam"]["ranges"]], ["10.244.3.0/24", "fd01:0:0:3::/64"])
        self.configure("--subnet-file", str(SUBNET_FILE), "--cluster", "10.244.0.0/16,fd01::/48")
        self.configure("--subnet-file", str(SUBNET_FILE), "--cluster", "fd01::/48,10.244.0.0/16")
        self.is_refused("--cluster: 10.244.0.0/12", "--subnet-file", str(SUBNET_FILE), "--cluster", "10.244.0.0/12")

    def test_from_one_node_to_several_under_a_pod(self) -> None:
        """The network, its bridge and its addresses stay the same, so pods do not notice."""
        self.configure("--subnet", "10.240.1.0/24")
        address = self.add_pod("before")
        said = self.configure(*CLUSTER)
        self.assertNotIn("kept the former", said)  # a rollback brings it back
        self.assertEqual(config()["ipMasqExclude"], ["10.240.0.0/16"])
        self.assertNotEqual(self.add_pod("after"), address)
        world.run("ip", "netns", "exec", "after", "ping", "-q", "-c", "1", "-W", "10", address)
        install("--rollback", "--with-pods")
        self.assertNotIn("ipMasqExclude", config())

    def test_the_tool_comes_along(self) -> None:
        self.configure(*CLUSTER)
        self.assertIn("10.240.1.0/24", world.run(TOOL, "lint", CONF).stdout + world.run("cat", OURS).stdout)
        install("--rollback")
        self.assertFalse(TOOL.exists())

    def test_works_with_nothing_but_busybox(self) -> None:
        tools = pathlib.Path("/opt/busybox")  # /run is covered in the dry run
        tools.mkdir(exist_ok=True)
        world.run("busybox", "--install", "-s", tools)
        (CONF / "05-mine.conflist").write_text(network("mine", "10.9.0.0/24"))
        SUBNET_FILE.write_text(FLANNELD.format(masq="false"))
        for options in (("--check", "--from", str(BUILT), *CLUSTER),
                        ("--from", str(BUILT), *CLUSTER, "--others", "aside", "--routes", "bird", "--uplink", "up0",
                         "--router-id", "192.0.2.11"),
                        ("--from", str(BUILT), "--subnet-file", str(SUBNET_FILE)), ("--status",), ("--uninstall",)):
            install(*options, before=(str(tools / "sh"),), env={"PATH": str(tools)})
        self.assertFalse((BIN / "bridge").exists())
        self.assertEqual([path.name for path in CONF.iterdir() if ".before-" not in path.name], [])

    def test_a_node_whose_tool_folder_is_read_only_goes_without(self) -> None:
        WORK.joinpath("ro").mkdir()
        world.run("mount", "-t", "tmpfs", "-o", "ro", "tmpfs", WORK / "ro")
        self.addCleanup(world.run, "umount", WORK / "ro")
        self.assertIn("cnioctl is not put in place", self.configure(*CLUSTER, "--tool-dir", str(WORK / "ro/sbin")))
        self.assertEqual(config()["ipMasqExclude"], ["10.240.0.0/16"])


class Pages(NodeCase):
    """What the pages tell people to do ends in one network, the one that they mean."""

    def test_several_nodes(self) -> None:
        # FAULT("E17 pages followed")
        self.follow("README.md", "Several nodes", "scripts/install")
        self.is_used("10-bridge.conf")
        self.assertEqual(config()["ipMasqExclude"], ["10.240.0.0/16"])

    def test_several_nodes_after_one(self) -> None:
        # FAULT("E17 pages followed")
        self.follow("README.md", "One node", "scripts/install")
        self.follow("README.md", "Several nodes", "scripts/install")
        self.is_used("10-bridge.conf")
        self.assertEqual(config()["ipMasqExclude"], ["10.240.0.0/16"])

    def test_a_subnet_file(self) -> None:
        # FAULT("E17 pages followed")
        self.configure()
        self.follow("docs/install.md", "Several nodes", "cnioctl subnet write")
        self.is_used("10-bridge.conf")
        self.assertIn("FLANNEL_SUBNET=10.240.1.1/24", pathlib.Path("/etc/cnio/subnet.env").read_text())


class BadInput(NodeCase):
    def test_subnets_that_do_not_fit(self) -> None:
        for cluster, subnet, because in (
                ("10.240.0.0/16", "10.241.1.0/24", "10.241.1.0/24 does not lie in the cluster's network 10.240.0.0/16"),
                ("10.240.0.0/16", "10.240.1.0/26", "is too small for 110 pods"),
                ("10.240.1.0/16", "10.240.1.0/24", "did you mean 10.240.0.0/16?"),
                ("10.240.0.0/16,10.240.0.0/17", "10.240.1.0/24", "overlap"),
                ("10.240.0.0/16", "10.240.1.0/24,fd00::/64", "FLANNEL_IPV6"),
                ("10.240.0.0/16,fd00::/48", "10.240.1.0/24", "fd00::/48, but this node has no subnet of IPv6"),
                ("${CLUSTER}", "10.240.1.0/24", "is no subnet"),
                ("10.240.0.0/16", "${NODE_SUBNET}", "is not a subnet")):
            with self.subTest(cluster=cluster, subnet=subnet):
                there = node()
                self.assertIn(because, self.configure("--cluster", cluster, "--subnet", subnet, expect=1))
                self.assertEqual(node(), there)
        self.is_refused("--subnet: invalid configuration: key \"FLANNEL_MTU\"", "--subnet", "10.240.1.0/24", "--mtu", "7")

    def test_room_for_as_many_pods_as_one_says(self) -> None:
        small = ("--cluster", "10.240.0.0/16", "--subnet", "10.240.1.0/28")
        self.configure(*small, "--pods", "13")
        self.is_refused("is too small for 14 pods", *small, "--pods", "14")

    def test_files_that_are_not_whole(self) -> None:
        whole = FLANNELD.format(masq="true")
        for text, because in ((whole[:60], "breaks off"), ("", "FLANNEL_NETWORK"), (whole.replace("FLANNEL_MTU=1450\n", ""), "FLANNEL_MTU"),
                              (whole.replace("FLANNEL_SUBNET=10.244.3.1/24\n", ""), "FLANNEL_SUBNET"),
                              (whole.replace("10.244.3.1/24", "fd00::/64"), "FLANNEL_SUBNET"),
                              (whole.replace("10.244.3.1/24", "10.245.3.1/24"), "does not lie in"),
                              (whole.replace("10.244.3.1/24", "{{.PodCIDR}}"), "FLANNEL_SUBNET")):
            SUBNET_FILE.write_text(text)
            with self.subTest(because):
                self.is_refused(because, "--subnet-file", str(SUBNET_FILE))
        self.is_refused("nowhere", "--subnet-file", "nowhere")

    def test_options_that_do_not_go_together(self) -> None:
        for options in (("--cluster", "10.240.0.0/16"), ("--subnet", "10.240.1.0/24", "--subnet-file", "f"),
                        ("--subnet", "10.240.1.0/24", "--routes", "bird"), (*CLUSTER, "--routes", "rip"),
                        (*CLUSTER, "--others", "burn"), (*CLUSTER, "--mtu", '1400, "x": 1'), (*CLUSTER, "--pods", "many"),
                        ("--subnet", "10.240.1.0/24", "--mtu", "01400"), (*CLUSTER, "--pods", "010")):
            self.assertIn("usage:", install(*options, expect=2))


class Others(NodeCase):
    """Files that are there already."""

    def test_one_that_wins(self) -> None:
        # FAULT("E17 files that win or lose")
        theirs = CONF / "05-mine.conflist"
        theirs.write_text(network("mine", "10.9.0.0/24"))
        self.is_refused("05-mine.conflist: error: comes before 10-bridge.conf by its name", *CLUSTER)
        self.configure(*CLUSTER, "--others", "keep")
        self.assertTrue(theirs.exists())
        install("--rollback")
        self.configure(*CLUSTER, "--others", "aside")
        self.assertEqual(sorted(path.name for path in CONF.glob("*.conf*"))[-2:], ["10-bridge.conf", "99-loopback.conf"])
        [kept] = CONF.glob("05-mine.conflist.before-*")
        self.assertEqual(kept.read_text(), network("mine", "10.9.0.0/24"))
        install("--rollback")
        self.assertEqual(theirs.read_text(), network("mine", "10.9.0.0/24"))
        self.assertFalse(OURS.exists())

    def test_they_are_named_by_status(self) -> None:
        # FAULT("E17 files that win or lose")
        self.configure(*CLUSTER)
        self.assertIn("can be started here", install("--status"))
        for name, subnet in (("05-mine.conflist", "10.9.0.0/24"), ("20-same.conf", "10.240.1.0/24")):
            (CONF / name).write_text(network("mine", subnet))
            for options, expect in ((("--status",), 1), (("--status", "--others", "keep"), 0)):
                self.assertIn(f"{name}: error: ", install(*options, expect=expect))
            (CONF / name).unlink()
        (CONF / "20-copy.conf").write_text(network("bridge", "10.9.0.0/24"))
        self.assertIn('20-copy.conf: warning: is of the network "bridge", as 10-bridge.conf is', install("--status"))

    def test_the_last_copy_of_each_is_kept(self) -> None:
        for subnet in ("10.240.1.0/24", "10.240.2.0/24"):
            self.configure("--cluster", "10.240.0.0/16", "--subnet", subnet)
        self.assertEqual(list(CONF.glob("*.before-*")), [], "ours are no loss")
        for subnet in ("10.8.0.0/24", "10.9.0.0/24"):
            (CONF / "05-mine.conflist").write_text(network("mine", subnet))
            self.configure(*CLUSTER, "--others", "aside")
        [kept] = CONF.glob("*.before-*")
        self.assertEqual(kept.read_text(), network("mine", "10.9.0.0/24"))
        self.assertIn(f"{kept} stays", install("--uninstall"))
        self.assertEqual(list(CONF.iterdir()), [kept])

    def test_one_with_addresses_of_ours(self) -> None:
        # FAULT("E17 files that win or lose")
        for name, subnet in (("10-mynet.conf", "10.240.1.0/24"), ("20-wide.conf", "10.240.0.0/12")):
            (CONF / name).write_text(network("mynet", subnet))
            self.is_refused(f"{name}: error: {subnet} has addresses of 10.240.1.0/24", *CLUSTER)
            self.configure(*CLUSTER, "--others", "aside")
            self.assertFalse((CONF / name).exists())
            install("--rollback")
            (CONF / name).unlink()

    def test_one_that_nobody_filled_in(self) -> None:
        shutil.copy(pathlib.Path(__file__).parents[2] / "conf-examples/10-mynet.conf", CONF)
        self.is_refused("10-mynet.conf: error: ${NODE_SUBNET} was not filled in", *CLUSTER)

    def test_ones_that_lose_are_named(self) -> None:
        (CONF / "20-other.conf").write_text(network("other", "10.9.0.0/24", "cnio0"))
        for _ in range(2):  # also if there is nothing to do
            said = self.configure(*CLUSTER)
            self.assertIn("20-other.conf: note: is never used by containerd and CRI-O", said)
            self.assertIn('20-other.conf: warning: is for the bridge cnio0, as network "bridge"', said)

    def test_one_of_an_odd_name_is_for_a_person_to_rename(self) -> None:
        (CONF / "05 my net.conf").write_text(network("mine", "10.9.0.0/24"))
        self.is_refused("rename it by hand", *CLUSTER, "--others", "aside")

    def test_killed_while_they_are_set_aside(self) -> None:
        """All of it comes back with the next run, of whatever kind."""
        theirs = CONF / "05-mine.conflist"
        theirs.write_text(network("mine", "10.9.0.0/24"))
        tools = WORK / "tools"
        tools.mkdir()
        for at in range(1, 4 + len(plugin_list.names())):
            (tools / "mv").write_text(f"#!/bin/sh\necho >>{WORK}/count\n[ $(wc -l <{WORK}/count) -lt {at} ] || kill -9 0\n"
                                      f'exec {shutil.which("mv")} "$@"\n')
            (tools / "mv").chmod(0o755)
            (WORK / "count").write_text("")
            world.run(*map(str, (pathlib.Path(__file__).parents[2] / "scripts/install", "--from", BUILT, "--no-verify",
                                 *CLUSTER, "--others", "aside")), check=False, start_new_session=True,
                      env={"PATH": f"{tools}:/usr/sbin:/usr/bin:/sbin:/bin"})
            self.configure(*CLUSTER, "--others", "aside")
            install("--rollback")
            shutil.rmtree(BIN.parent)
            self.assertEqual(theirs.read_text(), network("mine", "10.9.0.0/24"), at)
            OURS.unlink(missing_ok=True)


class WithPods(NodeCase):
    def test_the_subnet_stays_while_pods_have_its_addresses(self) -> None:
        self.configure(*CLUSTER)
        address = self.add_pod("p1")
        other = ("--cluster", "10.240.0.0/16", "--subnet", "10.240.2.0/24")
        self.is_refused(f"1 running pods have addresses outside of 10.240.2.0/24: {address} of (bridge/p1/eth0)", *other)
        self.is_refused("outside of 10.240.0.0/23", "--cluster", "10.240.0.0/16", "--subnet", "10.240.0.0/23")
        self.configure(*CLUSTER, "--mtu", "1300")  # is no other subnet
        self.configure(*other, "--with-pods")
        self.assertEqual(config()["ipam"]["ranges"], [[{"subnet": "10.240.2.0/24"}]])

    def test_a_store_that_cannot_be_read_may_hide_pods(self) -> None:
        store = pathlib.Path("/var/lib/cni/networks")
        store.mkdir(parents=True)
        (store / "elsewhere").symlink_to(WORK)
        self.is_refused("it cannot be seen which pods run", *CLUSTER)
        (store / "elsewhere").unlink()

    def test_pods_of_another_network_keep_their_addresses(self) -> None:
        self.configure()
        (CONF / "10-mynet.conf").write_text(network("mynet", "10.240.1.0/24"))
        address = self.add_pod("p1")
        self.is_refused(f"running pods of other networks have addresses in 10.240.1.0/24: {address} of (mynet/p1/eth0)",
                        *CLUSTER, "--others", "aside")

    def test_the_plugins_stay_while_pods_run(self) -> None:
        self.configure(*CLUSTER)
        for number in range(3):
            self.add_pod(f"p{number}")
        there = look()
        for what in ("--rollback", "--uninstall"):
            said = install(what, expect=1)
            self.assertIn("3 marked interfaces: veth", said)
            self.assertIn("pods are connected", said)
            self.assertEqual(look(), there)


class Uninstalled(NodeCase):
    def test_all_of_it_is_gone(self) -> None:
        BIN.mkdir(parents=True)
        (BIN / "theirs").write_text("somebody else's")
        (CONF / "20-other.conf").write_text(network("other", "10.9.0.0/24"))
        install("--from", str(other_build()), "--no-verify")
        self.configure(*CLUSTER)
        self.assertNotIn("as there was none", install("--uninstall"))
        self.assertEqual([path.name for path in BIN.iterdir()], ["theirs"])
        self.assertEqual([path.name for path in CONF.iterdir()], ["20-other.conf"])
        self.assertFalse(TOOL.exists())
        self.assertIn("nothing was installed from here", install("--uninstall", expect=1))

    def test_what_somebody_has_changed_stays(self) -> None:
        self.configure(*CLUSTER)
        OURS.write_text(OURS.read_text().replace("cnio0", "br0"))
        (BIN / "loopback").write_text("theirs")
        self.assertIn("10-bridge.conf stays, since it was changed", install("--uninstall"))
        self.assertEqual([path.name for path in BIN.iterdir()], ["loopback"])
        self.assertEqual([path.name for path in CONF.iterdir()], ["10-bridge.conf"])

    def test_under_pods_if_told(self) -> None:
        self.configure(*CLUSTER)
        self.add_pod("p1")
        install("--uninstall", "--with-pods")
        self.assertFalse((BIN / "bridge").exists())

    def test_an_installation_without_a_record(self) -> None:
        self.configure(*CLUSTER)
        (BIN / ".cnio/installed").unlink()
        self.assertIn("there is no record", install("--uninstall", expect=1))
        self.configure()
        install("--uninstall")
        self.assertFalse((BIN / "bridge").exists())


class Routes(NodeCase):
    ENGINES: tuple[tuple[str, tuple[str, ...], str], ...] = (
        ("bird", ("--uplink", "up0", "--router-id", "192.0.2.11"), "bird.conf"),
        ("frr", ("--router-id", "192.0.2.11", "--reflectors", "192.0.2.1,192.0.2.2"), "frr.conf"),
        ("flannel", (), "net-conf.json"))

    def test_an_engines_file_is_written_and_how_to_start_it_is_said(self) -> None:
        for engine, options, name in self.ENGINES:
            said = self.configure(*CLUSTER, "--routes", engine, *options, "--routes-to", str(WORK / "routes"))
            self.assertIn(f"{WORK}/routes/{name}", said)
            self.assertIn("10.240.", (WORK / "routes" / name).read_text())
        self.assertIn("ip route replace 10.240.1.0/24 via <node>", self.configure(*CLUSTER, "--routes", "none"))

    def test_the_uplink_is_that_of_the_default_route(self) -> None:
        options = ("--routes", "bird", "--router-id", "192.0.2.11", "--mtu", "1400", "--routes-to", str(WORK / "routes"))
        self.configure(*CLUSTER, *options)
        self.assertIn('"up0"', (WORK / "routes/bird.conf").read_text())
        world.run("ip", "route", "delete", "default")
        self.is_refused("the interface to the other nodes is missing: --uplink", *CLUSTER, *options)
        world.run("ip", "address", "add", "fd00:50::11/64", "dev", "up0", "nodad")
        world.run("ip", "route", "add", "default", "via", "fd00:50::1")
        shutil.rmtree(WORK / "routes", ignore_errors=True)
        self.configure("--cluster", "fd00:240::/48", "--subnet", "fd00:240:0:1::/64", *options)
        self.assertIn('"up0"', (WORK / "routes/bird.conf").read_text())

    def test_nothing_is_changed_where_the_file_cannot_be_written(self) -> None:
        WORK.joinpath("full").mkdir()
        world.run("mount", "-t", "tmpfs", "-o", "nr_inodes=3", "tmpfs", WORK / "full")
        self.addCleanup(world.run, "umount", WORK / "full")
        (WORK / "full/bird.conf").write_text("what was there")
        (WORK / "full/more").touch()
        options = ("--routes", "bird", "--router-id", "192.0.2.11", "--uplink", "up0", "--routes-to", str(WORK / "full"))
        self.is_refused(f"cannot write to {WORK}/full", *CLUSTER, *options)
        (WORK / "full/more").unlink()
        self.configure(*CLUSTER, *options)
        self.assertEqual([path.name for path in (WORK / "full").iterdir()], ["bird.conf"])
        self.assertIn("10.240.", (WORK / "full/bird.conf").read_text())

    def test_a_secret_is_for_root_alone(self) -> None:
        (WORK / "secret").write_text("correct-horse\n")
        options = ("--routes", "frr", "--router-id", "192.0.2.11", "--reflectors", "192.0.2.1,192.0.2.2",
                   "--routes-to", str(WORK / "routes"), "--bgp-password-file")
        self.assertNotIn("correct-horse", self.configure(*CLUSTER, *options, str(WORK / "secret")))
        self.assertIn("correct-horse", (WORK / "routes/frr.conf").read_text())
        self.assertEqual((WORK / "routes/frr.conf").stat().st_mode & 0o777, 0o600)
        self.is_refused("cannot read", *CLUSTER, *options, str(WORK / "nowhere"))

    def test_what_an_engine_cannot_do_without(self) -> None:
        for engine, options, because in (("bird", (), "--router-id"), ("bird", ("--uplink", "up0"), "the node's number"),
                                         ("bird", ("--uplink", "up 0"), "up 0"),
                                         ("frr", ("--router-id", "192.0.2.11"), "reflector"),
                                         ("wireguard", (), "cannot read the file of other nodes (--peers)")):
            self.is_refused(because, *CLUSTER, "--routes", engine, *options)
            self.assertFalse(pathlib.Path("/etc/cnio").exists())


class Checked(NodeCase):
    def check(self, *options: str, expect: int = 0) -> str:
        return install("--check", "--from", str(BUILT), *options, expect=expect)

    def test_a_node_that_is_ready(self) -> None:
        there = node()
        said = self.check(*CLUSTER)
        self.assertRegex(said, "ok +node: pods of 10.240.1.0/24 can be reached")
        self.assertEqual(node(), there)

    def test_a_firewall_that_drops_what_is_forwarded(self) -> None:
        # T-F52 of the facts about nodes
        world.run("iptables-nft", "-P", "FORWARD", "DROP")
        self.assertIn("is dropped by the policy of chain FORWARD", self.check(*CLUSTER, expect=1))

    def test_addresses_and_routes_that_overlap(self) -> None:
        world.run("ip", "route", "add", "10.240.1.0/24", "via", "192.0.2.12")
        self.assertIn("the route to 10.240.1.0/24 leads to up0, so another node", self.check(*CLUSTER, expect=1))
        self.assertIn("so another node", self.check("--subnet", "10.240.1.0/24", expect=1))
        world.run("ip", "address", "add", "10.240.2.9/24", "dev", "up0")
        self.assertIn("10.240.2.9/24 of up0 overlaps the subnet",
                      self.check("--cluster", "10.240.0.0/16", "--subnet", "10.240.2.0/24", expect=1))

    def test_the_node_as_it_is_configured(self) -> None:
        self.configure(*CLUSTER)
        self.assertIn("pods of 10.240.1.0/24 can be reached", self.check())
        world.run("ip", "link", "set", "up0", "mtu", "1300")
        self.assertIn("the pods' MTU 1400 is more than the 1300", self.check(expect=1))

    def test_settings_that_matter(self) -> None:
        pathlib.Path("/proc/sys/net/ipv4/conf/default/rp_filter").write_text("1")
        self.addCleanup(pathlib.Path("/proc/sys/net/ipv4/conf/default/rp_filter").write_text, "0")
        pathlib.Path("/proc/sys/net/ipv4/ip_forward").write_text("0")
        said = self.check(*CLUSTER, "--mtu", "1300", "--routes", "wireguard")
        self.assertRegex(said, "warning +node: net.ipv4.conf.default.rp_filter is 1")
        self.assertRegex(said, "note +node: IPv4 forwarding is off until the first pod's ADD")


if __name__ == "__main__":
    world.enter(unittest.main)
