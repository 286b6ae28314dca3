#!/usr/bin/python3
# Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
"""deploy/: the image is built from its recipe and run as the manifest says, on a node made of folders, with a stand-in for
the API server. What is not tried here is a real one, and the kubelet, in whose place podman runs the containers."""
import filecmp
import json
import os
import pathlib
import platform
import shutil
import subprocess
import unittest
from typing import Any

import yaml

from support import image, plugin_list, traces, world
from support.api_server import ADDRESS, ApiServer, Authority, node
from support.podman import Podman

SOURCE = pathlib.Path(__file__).parents[2]
DEPLOY = SOURCE / "deploy"
PLUGINS = plugin_list.names()
TOOL = pathlib.Path(os.environ["CNIO_BUILD_DIR"], "stage/usr/local/sbin/cnioctl")
WORK = pathlib.Path("/run/deploy-test")
NODE = WORK / "node"
PODS_OWN = WORK / "pod"  # its emptyDirs
SUBNETS = WORK / "subnets"
CREDENTIALS = WORK / "credentials"
BASE = "localhost/busybox"
BUILT = "localhost/cnio"
TOKEN = "eyJhbGciOiJSUzI1NiJ9.e30.c2ln"
# What the recipe needs of a busybox image; curl's own has flock, too.
PROGRAMS = ("cat", "chmod", "cp", "cut", "dirname", "env", "grep", "head", "id", "ls", "mkdir", "mktemp", "mount", "mv", "ln",
            "od", "printf", "rm", "rmdir", "sed", "sh", "sha256sum", "sleep", "sort", "sync", "timeout", "tr", "true",
            "uname", "unshare", "wc")
CLUSTER = {"items": [{"metadata": {"name": "node-1"}, "spec": {"podCIDRs": ["10.240.1.0/24"]}},
                     {"metadata": {"name": "node-2.example.org"}, "spec": {"podCIDRs": ["10.240.2.0/24", "fd00:2::/64"]}},
                     {"metadata": {"name": "not-yet"}, "spec": {}}]}


def manifest() -> dict[str, dict[str, Any]]:
    """Its objects, by their kinds."""
    return {each["kind"]: each for each in yaml.safe_load_all((DEPLOY / "daemonset.yaml").read_text())}


def pod_spec() -> dict[str, Any]:
    return manifest()["DaemonSet"]["spec"]["template"]["spec"]


def container(name: str) -> dict[str, Any]:
    spec = pod_spec()
    [found] = [each for each in spec["initContainers"] + spec["containers"] if each["name"] == name]
    return found


def config_map() -> dict[str, Any]:
    """What deploy/subnets.jq makes of the cluster's nodes."""
    nodes = WORK / "nodes.json"
    nodes.write_text(json.dumps(CLUSTER))
    return json.loads(world.run("jq", "-f", DEPLOY / "subnets.jq", nodes).stdout)


def make_base(podman: Podman) -> None:
    """An image like curl's, which has a busybox, imported from an archive made on the spot."""
    root = WORK / "base"
    (root / "bin").mkdir(parents=True)
    shutil.copy(image.BUSYBOX, root / "bin/busybox")
    for program in PROGRAMS:
        (root / "bin" / program).symlink_to("busybox")
    for file in ("/usr/bin/curl", *libraries("/usr/bin/curl")):
        (root / file.lstrip("/")).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, root / file.lstrip("/"))
    (root / "tmp").mkdir()
    world.run("tar", "-C", root, "-cf", WORK / "base.tar", ".")
    podman("import", "--change", "ENV PATH=/usr/bin:/bin", "--change", "USER 100", WORK / "base.tar", BASE)


def libraries(program: str) -> list[str]:
    words = world.run("ldd", program).stdout.split()
    return [word for word in words if word.startswith("/")]


def make_context() -> pathlib.Path:
    """The project with an archive of the plugins, and with something large that must not get into the image."""
    context = WORK / "context"
    for folder in ("deploy", "scripts"):
        shutil.copytree(SOURCE / folder, context / folder)
    packages = context / "build/packages"
    packages.mkdir(parents=True)
    (WORK / "archive/cnio").mkdir(parents=True)
    shutil.copy(TOOL, WORK / "archive/cnio")
    archive = f"cni-plugins-linux-{image.ARCHITECTURES[platform.machine()]}-v0.tgz"
    world.run("tar", "-C", os.environ["CNIO_PLUGIN_DIR"], "-czf", packages / archive, *PLUGINS,
              "-C", plugin_list.path().parent, plugin_list.LIST, "-C", WORK / "archive", "cnio")
    return context


def source_of(volume: dict[str, Any]) -> pathlib.Path:
    """A folder of the test in the volume's place, made as the kubelet makes it."""
    if "hostPath" in volume:
        folder, mode = NODE / volume["hostPath"]["path"].lstrip("/"), 0o755
    elif "emptyDir" in volume:
        folder, mode = PODS_OWN / volume["name"], 0o777
    else:
        folder, mode = CREDENTIALS if "projected" in volume else SUBNETS, 0o755
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(mode)
    return folder


def rights(context: dict[str, Any]) -> list[str]:
    options = ["--user", str(context["runAsUser"])]
    if context.get("privileged"):
        return [*options, "--privileged"]
    assert not context["allowPrivilegeEscalation"] and context["readOnlyRootFilesystem"]
    options += ["--read-only", "--read-only-tmpfs=false", "--security-opt", "no-new-privileges"]
    for verb in ("drop", "add"):
        options += [f"--cap-{verb}={name}" for name in context["capabilities"].get(verb, [])]
    return options


def options_for(name: str, node_name: str, **environment: str) -> list[str]:
    """As the kubelet does it: mounts, environment, rights and command are taken from the manifest."""
    described, spec = container(name), pod_spec()
    volumes = {volume["name"]: volume for volume in spec["volumes"]}
    options = ["--network", "host" if spec["hostNetwork"] else "none", "--cgroup-parent", world.cgroup_parent(),
               *rights(described["securityContext"])]
    for mount in described["volumeMounts"]:
        source = source_of(volumes[mount["name"]])
        options += ["--volume", f"{source}:{mount['mountPath']}{':ro' if mount.get('readOnly') else ''}"]
    for variable in described.get("env", []):
        options += ["--env", f"{variable['name']}={variable.get('value', node_name)}"]
    for key, value in environment.items():
        options += ["--env", f"{key}={value}"]
    if "command" in described:
        options += ["--entrypoint", json.dumps(described["command"])]
    return options


class DeployCase(unittest.TestCase):
    podman: Podman
    authority: Authority

    @classmethod
    def setUpClass(cls) -> None:
        shutil.rmtree(WORK, ignore_errors=True)
        WORK.mkdir()
        cls.authority = Authority(WORK / "authority")
        cls.podman = Podman(WORK / "podman", [WORK])  # needs no plugins here
        make_base(cls.podman)
        cls.podman("build", "--pull-never", "--isolation", "chroot", "-f", "deploy/Containerfile", "--build-arg",
                   f"BASE={BASE}", "-t", BUILT, ".", cwd=make_context())

    def setUp(self) -> None:
        for folder in (NODE, PODS_OWN, SUBNETS, CREDENTIALS):
            shutil.rmtree(folder, ignore_errors=True)
        CREDENTIALS.mkdir()
        (CREDENTIALS / "token").write_text(TOKEN)
        shutil.copy(self.authority.certificate, CREDENTIALS / "ca.crt")
        self.addCleanup(world.sweep)
        world.run("ip", "link", "add", "up0", "type", "bridge")
        world.run("ip", "address", "add", "192.0.2.11/24", "dev", "up0")
        world.run("ip", "link", "set", "up0", "up")
        world.run("ip", "route", "add", "default", "via", "192.0.2.1")

    def run_container(self, name: str, node_name: str, *, expect: int = 0, arguments: tuple[str, ...] = (),
                      **environment: str) -> str:
        done = self.podman.done("run", "--rm", *options_for(name, node_name, **environment), BUILT, *arguments, check=False)
        said = done.stdout + done.stderr
        self.assertEqual(done.returncode, expect, said)
        return said

    def install(self, node_name: str, *, expect: int = 0, **environment: str) -> str:
        return self.run_container("install", node_name, expect=expect, **environment)

    def give(self, node_name: str, *subnets: str) -> None:
        """As the first container would have left it."""
        (PODS_OWN / "node").mkdir(parents=True, exist_ok=True)
        (PODS_OWN / "node/node.json").write_text(json.dumps(node(node_name, *subnets)))

    def config(self) -> dict[str, Any]:
        return json.loads((NODE / "etc/cni/net.d/10-bridge.conf").read_text())


class Manifest(DeployCase):
    def test_fits_together(self) -> None:
        whole, spec = manifest(), pod_spec()
        daemon_set = whole["DaemonSet"]
        labels = daemon_set["spec"]["template"]["metadata"]["labels"]
        self.assertEqual(daemon_set["spec"]["selector"]["matchLabels"], labels)
        self.assertEqual(daemon_set["apiVersion"], "apps/v1")
        self.assertEqual(spec["tolerations"], [{"operator": "Exists"}])
        paths = {volume["hostPath"]["path"] for volume in spec["volumes"] if "hostPath" in volume}
        self.assertEqual(paths, {"/opt/cni/bin", "/etc/cni/net.d", "/run/cnio", "/var/lib/cni"})
        [subnets] = [volume["configMap"] for volume in spec["volumes"] if "configMap" in volume]
        self.assertEqual(subnets, {"name": config_map()["metadata"]["name"], "optional": True})
        containers = spec["initContainers"] + spec["containers"]
        self.assertEqual(len({each["image"] for each in containers}), 1)
        volumes = {volume["name"] for volume in spec["volumes"]}
        self.assertEqual({mount["name"] for each in containers for mount in each["volumeMounts"]}, volumes)

    def test_gives_the_least_rights(self) -> None:
        whole, spec = manifest(), pod_spec()
        self.assertEqual(whole["ClusterRole"]["rules"], [{"apiGroups": [""], "resources": ["nodes"], "verbs": ["get"]}])
        account = whole["ServiceAccount"]["metadata"]
        self.assertEqual(whole["ClusterRoleBinding"]["subjects"], [{"kind": "ServiceAccount", **account}])
        self.assertEqual(whole["ClusterRoleBinding"]["roleRef"]["name"], whole["ClusterRole"]["metadata"]["name"])
        self.assertEqual((spec["serviceAccountName"], spec["automountServiceAccountToken"]), (account["name"], False))
        with_token = [each["name"] for each in spec["initContainers"] + spec["containers"]
                      if "credentials" in {mount["name"] for mount in each["volumeMounts"]}]
        self.assertEqual(with_token, ["node"])
        privileged = [each["name"] for each in spec["initContainers"] + spec["containers"]
                      if each["securityContext"].get("privileged")]
        self.assertEqual(privileged, ["install"])

    def test_the_config_map_of_a_cluster(self) -> None:
        self.assertEqual(config_map()["data"],
                         {"node-1": "10.240.1.0/24", "node-2.example.org": "10.240.2.0/24,fd00:2::/64"})

    def test_nothing_else_is_in_the_image(self) -> None:
        listed = self.podman("run", "--rm", "--network", "none", "--cgroup-parent", world.cgroup_parent(), "--entrypoint",
                             '["/bin/ls", "-R", "/cnio"]', BUILT).split()
        scripts = [path.name for path in (SOURCE / "scripts/lib").glob("install-*.sh")]
        self.assertEqual(sorted(word for word in listed if not word.endswith(":")),
                         sorted([*PLUGINS, plugin_list.LIST, "install", "on-node.sh", "fetch-node.sh", "lib", *scripts,
                                 "cnio", "cnioctl"]))


class Asked(DeployCase):
    """The container that asks the API server."""

    def ask(self, server: ApiServer, node_name: str = "node-1", *, expect: int = 0, host: str = ADDRESS) -> str:
        return self.run_container("node", node_name, expect=expect, KUBERNETES_SERVICE_HOST=host,
                                  KUBERNETES_SERVICE_PORT=str(server.port))

    def answer(self) -> Any:
        file = PODS_OWN / "node/node.json"
        return json.loads(file.read_text()) if file.exists() else None

    def server(self, *, token: str = TOKEN, **options: Any) -> Any:
        server = ApiServer(options.pop("authority", self.authority), token, **options)
        server.nodes["node-1"] = node("node-1", "10.240.1.0/24")
        return server.serving()

    def test_for_its_own_node_alone(self) -> None:
        with self.server() as server:
            self.ask(server)
            self.assertEqual(server.asked, ["/api/v1/nodes/node-1"])
            self.assertEqual(self.answer(), server.nodes["node-1"])

    def test_until_the_node_has_its_subnet(self) -> None:
        # A node that joins: the controller manager gives it one a little later.
        with self.server() as server:
            server.answers = [(200, node("node-1"))]
            self.assertIn("node-1 has no podCIDR yet; waiting", self.ask(server))
            self.assertEqual(self.answer()["spec"]["podCIDR"], "10.240.1.0/24")
            self.assertEqual(len(server.asked), 2)

    def test_nobody_if_a_person_has_said_it(self) -> None:
        SUBNETS.mkdir()
        (SUBNETS / "node-1").write_text("10.240.9.0/24")
        with self.server() as server:
            self.ask(server)
            self.assertEqual(server.asked, [])

    def test_only_one_that_the_authority_vouches_for(self) -> None:
        stranger = Authority(WORK / f"stranger-{self.id().rpartition('.')[2]}")
        for options in ({"authority": stranger}, {"names": "IP:192.0.2.7,DNS:elsewhere"}):
            with self.subTest(options=options), self.server(**options) as server:
                self.assertIn("cannot ask https://127.0.0.1", self.ask(server, expect=1))
                self.assertEqual((server.asked, self.answer()), ([], None))  # nor has it seen the token

    def test_refusals_are_passed_on(self) -> None:
        with self.server(token="another") as server:
            self.assertIn("answers 401", self.ask(server, expect=1))
        with self.server() as server:
            server.forbid("node-1")
            self.assertIn('nodes \\"node-1\\" is forbidden', self.ask(server, expect=1))
            self.assertIn("answers 404", self.ask(server, "node-7", expect=1))
            self.assertIn("is not the name of a node", self.ask(server, "../pods", expect=1))
            self.assertIsNone(self.answer())

    def test_nobody_elsewhere(self) -> None:
        # What a redirection would lead to would get the token.
        with self.server() as server:
            server.answers = [(302, {})]
            self.assertIn("answers 302", self.ask(server, expect=1))
            self.assertIsNone(self.answer())

    def test_and_installed_at_once(self) -> None:
        # T-F54 of the facts about nodes: a node that joins is configured with no hand on it.
        with self.server() as server:
            server.nodes["new"] = node("new", "10.240.5.0/24")
            self.ask(server, "new")
        self.install("new")
        self.assertEqual(self.config()["ipam"]["ranges"], [[{"subnet": "10.240.5.0/24"}]])


class Installed(DeployCase):
    def test_plugins_and_configuration(self) -> None:
        self.give("node-1", "10.240.1.0/24")
        before = traces.snapshot()
        del before["control group"]  # podman keeps one of its own
        self.assertIn("dry run: a pod got its network", self.install("node-1"))
        self.assertEqual(traces.differences(before, traces.snapshot()), [])
        for plugin in PLUGINS:
            self.assertTrue(filecmp.cmp(NODE / "opt/cni/bin" / plugin,
                                        pathlib.Path(os.environ["CNIO_PLUGIN_DIR"], plugin), shallow=False), plugin)
        self.assertEqual(sorted(path.name for path in (NODE / "etc/cni/net.d").iterdir()),
                         ["10-bridge.conf", "99-loopback.conf"])
        self.assertEqual(self.config()["ipMasqExclude"], ["10.240.0.0/16"])
        self.assertEqual(self.config()["mtu"], 1500)
        self.assertIn("FLANNEL_SUBNET=10.240.1.1/24\n", (NODE / "run/cnio/subnet.env").read_text())
        self.assertIn("in place already", self.install("node-1"))  # the pod starts again

    def test_both_families_from_the_config_map(self) -> None:
        SUBNETS.mkdir()
        (SUBNETS / "node-2").write_text("10.240.2.0/24,fd00:2::/64")
        self.install("node-2", CLUSTER="10.240.0.0/16,fd00::/16", OVERLAY="vxlan")
        self.assertEqual(self.config()["ipam"]["ranges"], [[{"subnet": "10.240.2.0/24"}], [{"subnet": "fd00:2::/64"}]])
        self.assertEqual(self.config()["mtu"], 1450)

    def test_a_node_is_left_alone(self) -> None:
        self.assertIn("there is no subnet for the node node-1", self.install("node-1", expect=1))
        self.give("node-1", "10.9.1.0/24")
        self.assertIn("does not lie in the cluster's network", self.install("node-1", expect=1))
        self.give("node-7", "10.240.1.0/24")
        self.assertIn('the Node is "node-7", not "node-1"', self.install("node-1", expect=1))
        self.assertIn("CLUSTER is not set", self.install("node-1", expect=1, CLUSTER=""))
        self.assertEqual([path for path in NODE.rglob("*") if path.is_file()], [])

    def test_an_update_under_a_running_pod(self) -> None:
        self.give("node-1", "10.240.1.0/24")
        self.install("node-1")
        bridge = NODE / "opt/cni/bin/bridge"
        call_bridge("ADD", self.config())
        bridge.write_bytes(bridge.read_bytes() + b"an older version")
        self.assertIn("/host/opt/cni/bin/bridge", self.install("node-1"))
        world.run("ip", "netns", "exec", "pod", "ping", "-q", "-c", "1", "-W", "10", "10.240.1.1")
        call_bridge("DEL", self.config())
        self.assertNotIn("eth0", world.run("ip", "-n", "pod", "link").stdout)

    def test_an_update_does_not_take_the_subnet_from_pods(self) -> None:
        self.give("node-1", "10.240.1.0/24")
        self.install("node-1")
        store = NODE / "var/lib/cni/networks/bridge"
        store.mkdir(parents=True)
        (store / "10.240.1.5").write_text("c1\r\neth0")
        (store / "lock").touch()
        there = traces_of(NODE)
        self.install("node-1")
        self.give("node-1", "10.240.2.0/24")
        self.assertIn("10.240.1.5 of (bridge/c1/eth0)", self.install("node-1", expect=1))
        self.assertEqual(traces_of(NODE), there)


def call_bridge(command: str, config: dict[str, Any]) -> None:
    """As a runtime of the node would."""
    if command == "ADD":
        world.run("ip", "netns", "add", "pod")
    folder = NODE / "opt/cni/bin"
    environment = {"CNI_COMMAND": command, "CNI_CONTAINERID": "pod", "CNI_NETNS": "/run/netns/pod", "CNI_IFNAME": "eth0",
                   "CNI_PATH": str(folder)}
    subprocess.run([folder / "bridge"], input=json.dumps(config), env=environment, check=True, capture_output=True, text=True,
                   timeout=60)


def traces_of(folder: pathlib.Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


class Ready(DeployCase):
    """The container that stays."""

    def setUp(self) -> None:
        super().setUp()
        self.podman("run", "--detach", "--name", "stays", *options_for("installed", "node-1"), BUILT)
        self.addCleanup(self.podman, "rm", "--force", "--time", "1", "stays")

    def probe(self) -> subprocess.CompletedProcess[str]:
        [*command] = container("installed")["readinessProbe"]["exec"]["command"]
        return self.podman.done("exec", "stays", *command, check=False)

    def test_as_the_plugins_say(self) -> None:
        self.assertIn("10-bridge.conf is not there", self.probe().stderr)
        self.give("node-1", "10.240.1.0/24")
        self.install("node-1")
        before = traces.snapshot()
        ready = self.probe()
        self.assertEqual(ready.returncode, 0, ready.stdout + ready.stderr)
        self.assertIn("pods of 10.240.1.0/24 can be started here", ready.stdout)
        # busybox's timeout has a child that looks once a second whether it is still needed.
        world.wait_until("nothing is left", lambda: not traces.differences(before, traces.snapshot()))
        store = NODE / "var/lib/cni/networks"
        store.write_text("in the way")
        full = self.probe()
        self.assertNotEqual(full.returncode, 0)
        self.assertIn("pods cannot be started here", full.stderr)
        store.unlink()
        self.assertEqual(self.probe().returncode, 0)
        (NODE / "opt/cni/bin/host-local").unlink()
        self.assertIn("host-local", self.probe().stderr)

    def test_ends_when_told(self) -> None:
        self.assertEqual(self.podman("inspect", "--format", "{{.State.Running}}", "stays"), "true")
        self.podman("kill", "--signal", "TERM", "stays")
        self.assertEqual(self.podman("wait", "stays"), "0")


if __name__ == "__main__":
    world.enter(unittest.main)
