#!/usr/bin/python3
# Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
"""containerd with our plugins, driven through CRI as the kubelet does it, and by its own `ctr run --cni`."""
import ipaddress
import json
import os
import pathlib
import shutil
import subprocess
import sys
import unittest
from typing import Any

sys.dont_write_bytecode = True

from support import image, outside, traces, world  # noqa: E402
from support.containerd import IMAGE, Containerd  # noqa: E402
from support.containerd_gate import Gate, kill_plugins, plugin_processes  # noqa: E402
from support.cri import Cri, Pod, Refused, messages  # noqa: E402

PLUGINS = pathlib.Path(os.environ["CNIO_PLUGIN_DIR"])
EXAMPLES = pathlib.Path(os.environ["CNIO_EXAMPLES_DIR"])
CNIOCTL = pathlib.Path(os.environ["CNIO_BUILD_DIR"], "stage/usr/local/sbin/cnioctl")
INSTALL = pathlib.Path(__file__).parents[2] / "scripts/install"
NODE_FILES = ("10-bridge.conf", "99-loopback.conf")
SUBNET = ipaddress.ip_network("10.240.1.0/24")
GATEWAY = "10.240.1.1"
WGET = ("wget", "-q", "-O", "-")
OURS = ("interface", "address", "route", "rule", "file")  # of what a snapshot shows
RESERVATIONS = pathlib.Path("/var/lib/cni/networks/bridge")


def reserved_by(address: str) -> str:
    """The container that the address is reserved for."""
    return (RESERVATIONS / address).read_text().split()[0]


def write_node_files(conf_dir: pathlib.Path) -> None:
    for name in NODE_FILES:
        shutil.copyfile(EXAMPLES / name, conf_dir / name)


class ContainerdCase(unittest.TestCase):
    """Each test has a containerd of its own, with its image, plugins that it may spoil, and an empty conf_dir."""
    TEMPLATE: pathlib.Path | str = ""

    def setUp(self) -> None:
        self.addCleanup(world.sweep)
        self.folder = pathlib.Path("/run", self.id().rpartition(".")[2])
        self.conf_dir = self.folder / "net.d"
        self.bin_dir = self.folder / "bin"
        self.conf_dir.mkdir(parents=True)
        shutil.copytree(PLUGINS, self.bin_dir)
        self.containerd = Containerd(self.folder / "containerd", self.bin_dir, self.conf_dir, self.TEMPLATE)
        self.addCleanup(self.containerd.stop)
        self.containerd.start()
        self.containerd.import_image()
        self.before = traces.snapshot()

    def run(self, result: unittest.TestResult | None = None) -> unittest.TestResult | None:
        def troubles() -> int:
            return len(result.failures) + len(result.errors) if result else 0
        before = troubles()
        outcome = super().run(result)
        if troubles() > before and self.containerd.log.exists():
            lines = self.containerd.log.read_text(errors="replace").splitlines()
            print(f"--- {self.id()}: the last containerd said", *lines[-20:], sep="\n", file=sys.stderr)
        return outcome

    @property
    def cri(self) -> Cri:
        return self.containerd.cri

    def configure(self) -> None:
        """The two files arrive, and containerd notices."""
        write_node_files(self.conf_dir)
        world.wait_until("network ready", lambda: self.cri.network_status().status)

    def remove_all(self) -> None:
        self.cri.remove_pods(self.cri.listed_pods())
        self.assertEqual(self.cri.listed_pods(), [])

    def expect_nothing_left(self) -> None:
        self.remove_all()
        traces.expect_same(self.before)

    def serve(self, pod: Pod) -> str:
        """Starts a web server in the pod; returns its container."""
        container = self.cri.run_container(pod, "web", *image.WEB_SERVER)
        self.expect_page(pod)
        return container

    def expect_page(self, pod: Pod) -> None:
        self.assertEqual(outside.wait_for_page(self.cri.address_of(pod)), f"{pod.name} {GATEWAY}")

    def page_from(self, container: str, address: str) -> str:
        return self.cri.execute(container, *WGET, outside.who_url(address))


class HandBuiltCluster(ContainerdCase):
    def test_waits_for_its_configuration(self) -> None:
        status = self.cri.network_status()
        self.assertFalse(status.status)
        self.assertIn("cni plugin not initialized", status.message)
        with self.assertRaisesRegex(Refused, "cni plugin not initialized"):
            self.cri.run_pod("too-early")
        self.configure()
        self.assertTrue(self.cri.is_ready(self.cri.run_pod("in-time")))
        self.expect_nothing_left()

    def test_is_installed_while_containerd_runs(self) -> None:
        """scripts/install puts files in place by renaming them; containerd must notice that, too."""
        shutil.rmtree(self.bin_dir)
        self.bin_dir.mkdir()
        world.run(INSTALL, "--from", PLUGINS, "--to", self.bin_dir, "--conf-dir", self.conf_dir,
                  "--subnet", str(SUBNET))
        world.wait_until("network ready", lambda: self.cri.network_status().status)
        self.serve(self.cri.run_pod("web"))
        self.expect_nothing_left()

    def test_two_web_servers_reach_each_other_and_the_world(self) -> None:
        with outside.Outside():
            self.configure()
            web1, web2 = self.cri.run_pods(["web1", "web2"])
            address1, address2 = self.cri.address_of(web1), self.cri.address_of(web2)
            self.assertEqual([reserved_by(address1), reserved_by(address2)], [web1.id, web2.id])
            container1, container2 = self.serve(web1), self.serve(web2)
            self.assertEqual(self.page_from(container1, address2), f"web2 {address1}")
            self.assertEqual(self.page_from(container2, address1), f"web1 {address2}")
            self.assertEqual(self.page_from(container2, outside.ADDRESS), f"outside {outside.NODE}")
            self.cri.stop_pods([web1.id])
            self.cri.stop_pods([web1.id])  # the kubelet does it again whenever in doubt
            self.assertFalse((RESERVATIONS / address1).exists())
        self.expect_nothing_left()

    def test_fifty_pods_at_once(self) -> None:
        self.configure()
        pods = self.cri.run_pods([f"pod{number}" for number in range(50)])
        addresses = [self.cri.address_of(pod) for pod in pods]
        self.assertEqual(len(set(addresses)), 50)
        for pod, address in zip(pods, addresses, strict=True):
            self.assertIn(ipaddress.ip_address(address), SUBNET)
            self.assertEqual(reserved_by(address), pod.id)
            world.run("ping", "-q", "-c", "1", "-W", "10", address)
        self.expect_nothing_left()


class Template(ContainerdCase):
    """containerd writes the configuration itself, with the subnets that the kubelet has from its node's object."""
    TEMPLATE = pathlib.Path("/run/containerd.template")
    CLUSTER = "10.240.0.0/16,fd00:240::/48"
    SUBNETS = (str(SUBNET), "fd00:240:0:1::/64")

    def setUp(self) -> None:
        # As docs/kubernetes.md says it.
        text = (INSTALL.parents[1] / "deploy/containerd.template").read_text()
        self.TEMPLATE.write_text(text.replace('["10.240.0.0/16"]', json.dumps(self.CLUSTER.split(","))))
        super().setUp()

    def written(self) -> Any:
        [file] = self.conf_dir.glob("*.conf*")
        return json.loads(file.read_text())

    def installed(self) -> Any:
        """What scripts/install writes for the same node."""
        folder = self.folder / "installed"
        world.run(INSTALL, "--from", PLUGINS, "--to", self.folder / "elsewhere", "--conf-dir", folder, "--no-verify", "--no-tool",
                  "--cluster", self.CLUSTER, "--subnet", ",".join(self.SUBNETS), "--mtu", "1500", "--cni-version", "0.4.0")
        return json.loads((folder / "10-bridge.conf").read_text())

    def test_gives_the_same_network_as_the_installer(self) -> None:
        self.cri.tell_subnets(*self.SUBNETS)
        world.wait_until("network ready", lambda: self.cri.network_status().status)
        written = self.written()
        [bridge] = written.pop("plugins")
        self.assertEqual(written | bridge, self.installed())
        self.serve(self.cri.run_pod("web"))
        self.expect_nothing_left()

    def test_of_one_family(self) -> None:
        self.cri.tell_subnets(str(SUBNET))
        world.wait_until("network ready", lambda: self.cri.network_status().status)
        ipam = self.written()["plugins"][0]["ipam"]
        self.assertEqual((ipam["ranges"], ipam["routes"]), ([[{"subnet": str(SUBNET)}]], [{"dst": "0.0.0.0/0"}]))

    def test_is_written_once(self) -> None:
        """Another subnet under pods that run changes nothing."""
        self.cri.tell_subnets(*self.SUBNETS)
        world.wait_until("network ready", lambda: self.cri.network_status().status)
        before = self.written()
        self.cri.tell_subnets("10.240.9.0/24")
        self.assertEqual(self.written(), before)


class Chain(ContainerdCase):
    """A list of plugins, of which some get something for each pod by their capabilities."""
    EXAMPLE: str

    def configure(self) -> None:
        shutil.copyfile(EXAMPLES / self.EXAMPLE, self.conf_dir / self.EXAMPLE)
        world.wait_until("network ready", lambda: self.cri.network_status().status)

    def expect_page(self, pod: Pod) -> None:
        self.assertEqual(outside.wait_for_page(self.cri.address_of(pod)).split()[0], pod.name)


class PortMappings(Chain):
    """containerd's own list, as it ships it: bridge and portmap, and ports in the sandbox's configuration."""
    EXAMPLE = "10-containerd-net.conflist"
    NODE_PORT = 8080

    def run_web_pod(self, name: str, host_ip: str = "") -> Pod:
        mapping = messages.PortMapping(container_port=80, host_port=self.NODE_PORT, host_ip=host_ip)
        pod = self.cri.run_pod(name, port_mappings=[mapping])
        self.serve(pod)
        return pod

    @staticmethod
    def from_outside() -> str:
        return world.run("ip", "netns", "exec", outside.NAMESPACE, image.BUSYBOX, *WGET,
                         outside.who_url(outside.NODE, PortMappings.NODE_PORT)).stdout

    def test_a_port_of_the_node_leads_to_the_pod(self) -> None:
        with outside.Outside():
            self.configure()
            pod = self.run_web_pod("web")
            self.assertEqual(self.from_outside(), f"web {outside.ADDRESS}", "the pod sees who asks")
            for address in ("127.0.0.1", outside.NODE):
                self.assertTrue(outside.wait_for_page(address, self.NODE_PORT).startswith("web "), address)
            with self.assertRaisesRegex(Refused, rf"portmap: host port .*:{self.NODE_PORT} .*is taken by .*{pod.id}"):
                self.cri.run_pod("late", port_mappings=pod.config.port_mappings)
            self.assertEqual(self.from_outside(), f"web {outside.ADDRESS}", "the first keeps it")
            self.cri.remove_pods([pod.id])
            self.run_web_pod("next")
            self.assertEqual(self.from_outside(), f"next {outside.ADDRESS}")
        self.remove_all()
        self.assertNotIn(str(self.NODE_PORT), world.run("nft", "list", "ruleset").stdout)

    def test_cnioctl_brings_back_what_a_flush_took(self) -> None:
        """By what containerd itself has written into libcni's cache; and its pods' gateways answer."""
        def rules() -> list[str]:
            """But for what nobody knows any more: which interfaces had route_localnet off before."""
            lines = world.run("nft", "--stateless", "list", "ruleset").stdout.splitlines()
            return sorted(line for line in lines if line.strip() != 'elements = { "cni0" }')

        def cnioctl(*words: pathlib.Path | str, status: int = 0) -> str:
            done = world.run(CNIOCTL, *words, "--bin", self.bin_dir, check=False)
            self.assertEqual(done.returncode, status, done.stdout + done.stderr)
            return done.stdout
        with outside.Outside():
            self.configure()
            self.run_web_pod("web")
            self.cri.run_pod("other")
            whole = rules()
            world.run("nft", "flush", "ruleset")
            self.assertIn("[check]", cnioctl("check", "--ping", "--conf-dir", self.conf_dir, status=1))
            self.assertIn("2 well, 2 put back", cnioctl("resync"))  # loopback's are well
            self.assertEqual(rules(), whole)
            self.assertEqual(self.from_outside(), f"web {outside.ADDRESS}")
            self.assertNotIn("[no-ping]", cnioctl("check", "--ping", "--conf-dir", self.conf_dir))
        self.remove_all()

    def test_of_one_address_of_the_node(self) -> None:
        with outside.Outside():
            self.configure()
            self.run_web_pod("web", outside.NODE)
            self.assertEqual(self.from_outside(), f"web {outside.ADDRESS}")
            done = world.run(image.BUSYBOX, *WGET, "-T", "5", outside.who_url("127.0.0.1", self.NODE_PORT), check=False)
            self.assertNotEqual(done.returncode, 0, "not by another address")
        self.remove_all()


class Limits(Chain):
    """The end of k3s' list: Kubernetes' annotations, to which containerd adds bursts of its own."""
    EXAMPLE = "10-k3s.conflist"

    @staticmethod
    def limits() -> list[dict[str, Any]]:
        """Token buckets: at the pods' host ends, and at the ifbs that what they send goes through."""
        return [line for line in json.loads(world.run("tc", "-j", "-d", "qdisc", "show").stdout) if line["kind"] == "tbf"]

    def run_limited_pod(self, name: str, receives: str = "", sends: str = "") -> Pod:
        said = {"kubernetes.io/ingress-bandwidth": receives, "kubernetes.io/egress-bandwidth": sends}
        return self.cri.run_pod(name, annotations={key: value for key, value in said.items() if value})

    def test_annotations_become_limits(self) -> None:
        self.configure()
        pod = self.run_limited_pod("limited", receives="8M", sends="80M")
        self.serve(pod)
        limits = {"ifb" if line["dev"].startswith("bwp") else "host end": line["options"] for line in self.limits()}
        self.assertEqual({place: options["rate"] for place, options in limits.items()},
                         {"host end": 1_000_000, "ifb": 10_000_000}, "bytes per second")
        for place, options in limits.items():
            self.assertEqual(int(options["burst"].split("b")[0]), options["rate"] / 10, f"{place}: what 100 ms bring")
        self.cri.remove_pods([pod.id])
        self.assertEqual(self.limits(), [])
        self.assertNotIn("bwp", world.run("ip", "-brief", "link").stdout)
        self.run_limited_pod("unlimited")
        self.assertEqual(self.limits(), [])
        self.remove_all()


class Interrupted(ContainerdCase):
    def test_pods_outlive_a_restart(self) -> None:
        self.configure()
        pods = self.cri.run_pods(["web1", "web2"])
        addresses = [self.cri.address_of(pod) for pod in pods]
        containers = [self.serve(pod) for pod in pods]
        self.containerd.stop()
        self.assertEqual([outside.wait_for_page(address).split()[0] for address in addresses], ["web1", "web2"])
        self.containerd.start()
        self.assertTrue(all(self.cri.is_ready(pod) for pod in pods))
        self.assertEqual([self.cri.address_of(pod) for pod in pods], addresses)
        self.assertEqual(self.page_from(containers[0], addresses[1]), f"web2 {addresses[0]}")
        newcomer = self.cri.run_pod("newcomer")
        self.assertNotIn(self.cri.address_of(newcomer), addresses)
        self.expect_nothing_left()

    def test_killed_with_half_made_pods(self) -> None:
        self.configure()
        gate = Gate(self.bin_dir, self.folder / "gate")
        survivor = self.cri.run_pod("survivor")
        self.serve(survivor)
        whole = traces.snapshot()
        orphaned = ["before-1", "before-2", "after-1", "after-2"]  # whose plugins go on without containerd
        killed = ["before-killed-1", "before-killed-2", "after-killed-1", "after-killed-2"]  # whose plugins die with it
        calls = self.cri.start_pods(orphaned + killed)
        gate.wait_for(orphaned + killed)
        self.containerd.kill()
        for pod in killed:
            kill_plugins(pod)
        gate.open()
        left = traces.differences(whole, traces.snapshot(), ["interface", "file"])
        # The orphaned found nobody to give their result to, and have undone everything.
        self.assertEqual(len([line for line in left if line.startswith("interface left: ")]), 4, left)
        self.assertEqual(len([line for line in left if line.startswith(f"file left: {RESERVATIONS}")]), 2, left)
        with self.assertRaises(Refused):
            self.cri.pods_of(calls)
        self.containerd.start()
        self.expect_page(survivor)
        self.assertEqual(len(self.cri.listed_pods()), 1 + len(orphaned) + len(killed))
        self.expect_nothing_left()

    def test_caller_gives_up(self) -> None:
        """As the kubelet after its time limit: containerd kills the plugin, calls DEL, and only then the IPAM plugin,
        of which it knows nothing, comes to its turn."""
        self.configure()
        gate = Gate(self.bin_dir, self.folder / "gate")
        names = ["before-1", "before-2", "after-1", "after-2"]
        calls = self.cri.start_pods(names)
        gate.wait_for(names)
        for _, call in calls:
            call.cancel()
        world.wait_until("containerd's own clean-up", lambda: not list(pathlib.Path("/run/netns").iterdir()))
        gate.open()
        self.expect_nothing_left()

    def test_killed_at_any_moment(self) -> None:
        """Of what containerd itself was about, it may forget namespaces and shims; what is ours must go."""
        self.configure()
        for moment in (1, 6, 12):  # reservations made, of 20 that are under way
            calls = self.cri.start_pods([f"pod{moment}-{number}" for number in range(20)])
            world.wait_until("some pods begun", lambda: len(list(RESERVATIONS.glob("10.*"))) >= moment)
            self.containerd.kill()
            world.wait_until("plugins ended", lambda: not plugin_processes())
            with self.assertRaises(Refused):
                self.cri.pods_of(calls)
            self.containerd.start()
            self.remove_all()
            traces.expect_same(self.before, OURS)


class Errors(ContainerdCase):
    """What goes wrong is in the runtime's own error text. Once it is put right, nothing of the failed pod stays."""

    def setUp(self) -> None:
        super().setUp()
        self.configure()
        self.right = json.loads((EXAMPLES / NODE_FILES[0]).read_text())
        self.revision = 0

    def test_missing_plugin(self) -> None:
        for plugin, text in (("bridge", r'failed to find plugin "bridge" in path'),
                             ("host-local", r'bridge: IPAM plugin "host-local": not found in CNI_PATH')):
            with self.subTest(plugin):
                (self.bin_dir / plugin).rename(self.folder / plugin)
                self.expect_refusal(text)
                (self.folder / plugin).rename(self.bin_dir / plugin)
                self.expect_nothing_left()

    def test_plugin_that_is_not_executable(self) -> None:
        for plugin, text in (("bridge", r"bin/bridge: permission denied"),
                             ("host-local", r'bridge: IPAM plugin "host-local": .*/host-local is not executable')):
            with self.subTest(plugin):
                (self.bin_dir / plugin).chmod(0o644)
                self.expect_refusal(text)
                (self.bin_dir / plugin).chmod(0o755)
                self.expect_nothing_left()

    def test_wrong_configuration(self) -> None:
        ipam = self.right["ipam"]
        for changes, text in (
                ({"mtu": "big"}, r'bridge: .* key "mtu": must be an integer, not "big"'),
                ({"cniVersion": "9.9.9"}, r'bridge: cniVersion "9.9.9" is not supported'),
                ({"ipam": ipam | {"type": "host-locale"}}, r'bridge: IPAM plugin "host-locale": not found in CNI_PATH'),
                ({"ipam": ipam | {"ranges": [[{"subnet": "10.240.1.0/33"}]]}},
                 r'host-local: .* key "ipam.ranges\[0\]\[0\].subnet": must be an address with a prefix length')):
            for as_list in (False, True):
                with self.subTest(text, as_list=as_list):
                    self.load(self.right | changes, as_list)
                    self.expect_refusal(text)
                    self.load(self.right)
                    self.expect_nothing_left()

    def test_broken_conflist(self) -> None:
        for content, text in (("{", "error parsing configuration list: unexpected end of JSON input"),
                              ('{"cniVersion": "0.4.0", "name": "bridge", "plugins": []}', "no plugins in list")):
            with self.subTest(text):
                self.write(content, "10-bridge.conflist")
                # Where `crictl info` shows it; also where the README sends people who look for the reason.
                world.wait_until(text, lambda wanted=text: wanted in self.cri.status_info()["lastCNILoadStatus"])
                self.assertFalse(self.cri.network_status().status)
                self.expect_refusal("cni plugin not initialized")
                self.load(self.right)
                self.expect_nothing_left()

    def load(self, configuration: dict[str, Any], as_list: bool = False) -> None:
        """Writes the configuration and waits until containerd knows it: by a key that plugins ignore."""
        self.revision += 1
        revision = f"revision-{self.revision}"
        content = configuration | {"comment": revision}
        if as_list:
            head = {key: content.pop(key) for key in ("cniVersion", "name")}
            content = head | {"plugins": [content]}
        self.write(json.dumps(content), "10-bridge.conflist" if as_list else "10-bridge.conf")
        world.wait_until("configuration noticed", lambda: revision in self.cri.status_info()["cniconfig"])

    def write(self, content: str, name: str) -> None:
        """As the only file of the network."""
        for file in self.conf_dir.glob("10-*"):
            file.unlink()
        (self.conf_dir / name).write_text(content)

    def expect_refusal(self, text: str) -> None:
        with self.assertRaisesRegex(Refused, text):
            self.cri.run_pod("unlucky")


class Ctr(ContainerdCase):
    """`ctr run --cni` knows no settings: it takes plugins and configuration from the usual folders."""

    def setUp(self) -> None:
        super().setUp()
        shutil.copytree(PLUGINS, "/opt/cni/bin")
        self.addCleanup(shutil.rmtree, "/opt/cni/bin")
        write_node_files(pathlib.Path("/etc/cni/net.d"))

    @staticmethod
    def run_command(name: str, *command: str) -> list[str]:
        return ["run", "--rm", "--cni", "--cgroup", f"{world.cgroup_parent()}/{name}", IMAGE, name, *command]

    def test_container_reaches_the_world(self) -> None:
        with outside.Outside():
            done = self.containerd.ctr(*self.run_command("client", *WGET, outside.who_url(outside.ADDRESS)))
        self.assertEqual((done.stdout, done.stderr), (f"outside {outside.NODE}", ""))
        traces.expect_same(self.before)

    def test_container_is_reached(self) -> None:
        running = subprocess.Popen(self.containerd.ctr_command(*self.run_command("server", *image.WEB_SERVER)),
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        address = world.wait_until("address reserved", lambda: [file.name for file in RESERVATIONS.glob("10.*")])[0]
        self.assertEqual(reserved_by(address), "k8s.io-server")
        self.assertEqual(outside.wait_for_page(address).split()[1], GATEWAY)
        self.containerd.ctr("tasks", "kill", "--signal", "SIGKILL", "server")
        self.assertEqual(running.communicate(timeout=60), (b"", b""))
        traces.expect_same(self.before)


if __name__ == "__main__":
    world.enter(unittest.main)
