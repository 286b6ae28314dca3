#!/usr/bin/python3
# Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
"""deploy/: the image is built from its recipe and run as the manifest says, on a node made of two folders."""
import filecmp
import json
import os
import pathlib
import platform
import shutil
import unittest
from typing import Any

import yaml

from support import image, plugin_list, traces, world
from support.podman import Podman

SOURCE = pathlib.Path(__file__).parents[2]
DEPLOY = SOURCE / "deploy"
PLUGINS = plugin_list.names()
WORK = pathlib.Path("/run/deploy-test")
NODE = WORK / "node"
SUBNETS = WORK / "subnets"
BASE = "localhost/busybox"
BUILT = "localhost/cnio"
# What the recipe needs of a busybox image; Docker Hub's has flock, too.
PROGRAMS = ("cat", "chmod", "cp", "cut", "dirname", "env", "grep", "head", "id", "ls", "mkdir", "mktemp", "mount", "mv", "ln",
            "od", "printf", "rm", "rmdir", "sed", "sh", "sha256sum", "sleep", "sort", "sync", "timeout", "tr", "true",
            "uname", "unshare")
CLUSTER = {"items": [{"metadata": {"name": "node-1"}, "spec": {"podCIDRs": ["10.240.1.0/24"]}},
                     {"metadata": {"name": "node-2.example.org"}, "spec": {"podCIDRs": ["10.240.2.0/24", "fd00:2::/64"]}},
                     {"metadata": {"name": "not-yet"}, "spec": {}}]}


def manifest() -> dict[str, Any]:
    [document] = yaml.safe_load_all((DEPLOY / "daemonset.yaml").read_text())
    return document


def pod_spec() -> dict[str, Any]:
    return manifest()["spec"]["template"]["spec"]


def config_map() -> dict[str, Any]:
    """What deploy/subnets.jq makes of the cluster's nodes."""
    nodes = WORK / "nodes.json"
    nodes.write_text(json.dumps(CLUSTER))
    return json.loads(world.run("jq", "-f", DEPLOY / "subnets.jq", nodes).stdout)


def make_base(podman: Podman) -> None:
    """An image like busybox's, imported from an archive made on the spot."""
    root = WORK / "base"
    (root / "bin").mkdir(parents=True)
    shutil.copy(image.BUSYBOX, root / "bin/busybox")
    for program in PROGRAMS:
        (root / "bin" / program).symlink_to("busybox")
    (root / "tmp").mkdir()
    world.run("tar", "-C", root, "-cf", WORK / "base.tar", ".")
    podman("import", WORK / "base.tar", BASE)


def make_context() -> pathlib.Path:
    """The project with an archive of the plugins, and with something large that must not get into the image."""
    context = WORK / "context"
    for folder in ("deploy", "scripts"):
        shutil.copytree(SOURCE / folder, context / folder)
    packages = context / "build/packages"
    packages.mkdir(parents=True)
    archive = f"cni-plugins-linux-{image.ARCHITECTURES[platform.machine()]}-v0.tgz"
    world.run("tar", "-C", os.environ["CNIO_PLUGIN_DIR"], "-czf", packages / archive, *PLUGINS,
              "-C", plugin_list.path().parent, plugin_list.LIST)
    return context


def run_init_container(podman: Podman, node_name: str, expect: int = 0) -> str:
    """As the kubelet does: mounts, environment and rights are taken from the manifest."""
    spec = pod_spec()
    [container] = spec["initContainers"]
    volumes = {volume["name"]: volume for volume in spec["volumes"]}
    options = []
    for mount in container["volumeMounts"]:
        volume = volumes[mount["name"]]
        if "hostPath" in volume:
            source = NODE / volume["hostPath"]["path"].lstrip("/")
            source.mkdir(parents=True, exist_ok=True)
        else:
            source = SUBNETS
        options += ["--volume", f"{source}:{mount['mountPath']}{':ro' if mount.get('readOnly') else ''}"]
    for variable in container["env"]:
        options += ["--env", f"{variable['name']}={node_name}"]
    if container["securityContext"]["privileged"]:
        options.append("--privileged")
    done = podman.done("run", "--rm", "--network", "host" if spec["hostNetwork"] else "none",
                       "--cgroup-parent", world.cgroup_parent(), *options, BUILT, check=False)
    said = done.stdout + done.stderr
    if done.returncode != expect:
        raise AssertionError(f"status {done.returncode}\n{said}")
    return said


class Deploy(unittest.TestCase):
    podman: Podman

    @classmethod
    def setUpClass(cls) -> None:
        WORK.mkdir()
        SUBNETS.mkdir()
        for node, subnets in config_map()["data"].items():
            (SUBNETS / node).write_text(subnets)
        cls.podman = Podman(WORK / "podman", [WORK])  # needs no plugins here
        make_base(cls.podman)
        cls.podman("build", "--pull-never", "--isolation", "chroot", "-f", "deploy/Containerfile", "--build-arg",
                   f"BASE={BASE}", "-t", BUILT, ".", cwd=make_context())

    def setUp(self) -> None:
        shutil.rmtree(NODE, ignore_errors=True)

    def test_the_manifest_fits_together(self) -> None:
        whole, spec = manifest(), pod_spec()
        labels = whole["spec"]["template"]["metadata"]["labels"]
        self.assertEqual(whole["spec"]["selector"]["matchLabels"], labels)
        self.assertEqual((whole["apiVersion"], whole["kind"]), ("apps/v1", "DaemonSet"))
        self.assertEqual(spec["tolerations"], [{"operator": "Exists"}])
        paths = {volume["hostPath"]["path"] for volume in spec["volumes"] if "hostPath" in volume}
        self.assertEqual(paths, {"/opt/cni/bin", "/etc/cni/net.d"})
        [subnets] = [volume["configMap"]["name"] for volume in spec["volumes"] if "configMap" in volume]
        self.assertEqual(config_map()["metadata"], {"name": subnets, "namespace": whole["metadata"]["namespace"]})
        images = {container["image"] for container in spec["initContainers"] + spec["containers"]}
        self.assertEqual(len(images), 1)

    def test_the_config_map_of_a_cluster(self) -> None:
        self.assertEqual(config_map()["data"],
                         {"node-1": "10.240.1.0/24", "node-2.example.org": "10.240.2.0/24,fd00:2::/64"})

    def test_a_node_gets_plugins_and_configuration(self) -> None:
        before = traces.snapshot()
        del before["control group"]  # podman keeps one of its own
        self.assertIn("dry run: a pod got its network", run_init_container(self.podman, "node-1"))
        self.installed([[{"subnet": "10.240.1.0/24"}]])
        self.assertEqual(traces.differences(before, traces.snapshot()), [])
        self.assertIn("in place already", run_init_container(self.podman, "node-1"))  # the pod starts again

    def test_a_node_with_both_families(self) -> None:
        run_init_container(self.podman, "node-2.example.org")
        self.installed([[{"subnet": "10.240.2.0/24"}], [{"subnet": "fd00:2::/64"}]])

    def installed(self, ranges: list[Any]) -> None:
        for plugin in PLUGINS:
            self.assertTrue(filecmp.cmp(NODE / "opt/cni/bin" / plugin,
                                        pathlib.Path(os.environ["CNIO_PLUGIN_DIR"], plugin), shallow=False), plugin)
        written = NODE / "etc/cni/net.d"
        self.assertEqual(sorted(path.name for path in written.iterdir()), ["10-bridge.conf", "99-loopback.conf"])
        self.assertEqual(json.loads((written / "10-bridge.conf").read_text())["ipam"]["ranges"], ranges)

    def test_a_node_without_a_subnet_is_left_alone(self) -> None:
        self.assertIn("no subnet for the node not-yet", run_init_container(self.podman, "not-yet", expect=1))
        self.assertEqual([path for path in NODE.rglob("*") if path.is_file()], [])

    def test_the_pod_stays_and_ends_when_told(self) -> None:
        [container] = pod_spec()["containers"]
        self.assertEqual(container["securityContext"]["capabilities"], {"drop": ["ALL"]})
        self.podman("run", "--detach", "--name", "stays", "--network", "none", "--cgroup-parent", world.cgroup_parent(),
                    "--user", str(container["securityContext"]["runAsUser"]), "--read-only", "--cap-drop", "ALL",
                    "--entrypoint", json.dumps(container["command"]), BUILT)
        self.assertEqual(self.podman("inspect", "--format", "{{.State.Running}}", "stays"), "true")
        self.podman("kill", "--signal", "TERM", "stays")
        self.assertEqual(self.podman("wait", "stays"), "0")
        self.podman("rm", "stays")

    def test_nothing_else_is_in_the_image(self) -> None:
        listed = self.podman("run", "--rm", "--network", "none", "--cgroup-parent", world.cgroup_parent(), "--entrypoint",
                             '["/bin/ls", "-R", "/cnio"]', BUILT).split()
        self.assertEqual(sorted(word for word in listed if not word.endswith(":")),
                         sorted([*PLUGINS, plugin_list.LIST, "install", "on-node.sh", "lib", "install-config.sh",
                                 "install-files.sh", "install-pods.sh", "install-routes-files.sh", "install-routes.sh",
                                 "install-verify.sh"]))


if __name__ == "__main__":
    world.enter(unittest.main)
