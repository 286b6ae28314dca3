# Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
"""A podman of our own with the CNI backend: configuration, images, containers and networks in one folder."""
import json
import os
import pathlib
import subprocess
from typing import Any

from support import image, world

IMAGE = "localhost/cnio/busybox:latest"
# No right is needed for the limits named here, while podman's own choice is to raise them. Locks lie in a file because
# those in /dev/shm would be shared with the machine. There is no journal and no systemd.
CONFIGURATION = """\
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1000:1000"]
log_driver = "k8s-file"
[network]
network_backend = "cni"
cni_plugin_dirs = {plugins}
network_config_dir = "{networks}"
[engine]
cgroup_manager = "cgroupfs"
events_logger = "none"
infra_image = "{image}"
lock_type = "file"
runtime = "runc"
stop_timeout = 0
"""
TRUST = {"default": [{"type": "insecureAcceptAnything"}]}


class Podman:
    """Call it with the words of a podman command; gives what it printed."""

    def __init__(self, folder: pathlib.Path, plugins: list[pathlib.Path]) -> None:
        """`plugins` are the folders that podman looks through, in this order."""
        self.networks = folder / "net.d"
        self.networks.mkdir(parents=True)
        configuration = folder / "containers.conf"
        configuration.write_text(CONFIGURATION.format(
            plugins=json.dumps([str(path) for path in plugins]), networks=self.networks, image=IMAGE))
        self._environment = os.environ | {"CONTAINERS_CONF": str(configuration), "TMPDIR": str(folder)}
        self._command = ["podman", "--root", folder / "root", "--runroot", folder / "runroot", "--tmpdir",
                         folder / "tmp", "--storage-driver", "vfs"]
        trust = pathlib.Path("/etc/containers/policy.json")  # the world's own, which has none
        trust.parent.mkdir(parents=True, exist_ok=True)
        trust.write_text(json.dumps(TRUST))
        image.write_archive(folder / "image.tar", IMAGE)
        self("load", "--quiet", "--input", folder / "image.tar")

    def done(self, *words: str | os.PathLike[str], **options: Any) -> subprocess.CompletedProcess[str]:
        return world.run(*self._command, *words, env=self._environment, **options)

    def __call__(self, *words: str | os.PathLike[str], **options: Any) -> str:
        return self.done(*words, **options).stdout.strip()

    def error(self, *words: str | os.PathLike[str]) -> str:
        """What podman says when it fails, as it must."""
        done = self.done(*words, check=False)
        if done.returncode == 0:
            raise AssertionError(f"podman {' '.join(map(str, words))}: should have failed\n{done.stdout}{done.stderr}")
        return done.stderr.strip()

    def insist(self, *words: str | os.PathLike[str]) -> None:
        """For what ends containers: podman gives them a time of its own to die, which is short on a busy machine."""
        def done() -> bool:
            tried = self.done(*words, check=False)
            if tried.returncode and "did not die within timeout" not in tried.stderr:
                raise AssertionError(f"podman {' '.join(map(str, words))}: {tried.stdout}{tried.stderr}")
            return tried.returncode == 0
        world.wait_until(f"podman {words[0]}", done)

    def create_network(self, name: str, *options: str) -> dict[str, Any]:
        """Returns the configuration that podman wrote."""
        self("network", "create", *options, name)
        return json.loads((self.networks / f"{name}.conflist").read_text())

    def run(self, name: str, *options: str, command: tuple[str, ...] = tuple(image.WEB_SERVER)) -> None:
        """A container in the background, with a web server unless said otherwise."""
        self("run", "--detach", "--name", name, "--cgroup-parent", world.cgroup_parent(), *options, IMAGE, *command)

    def run_in_pod(self, pod: str, name: str, command: list[str]) -> None:
        self("run", "--detach", "--pod", pod, "--name", name, IMAGE, *command)

    def address(self, container: str, device: str = "eth0") -> list[str]:
        """What the kernel says of the device in the container: its addresses with prefix, link-local ones aside."""
        found = world.run("nsenter", f"--net=/proc/{self.process(container)}/ns/net", "ip", "-j", "address", "show",
                          "dev", device).stdout
        return [f"{entry['local']}/{entry['prefixlen']}" for link in json.loads(found) for entry in link["addr_info"]
                if entry["scope"] == "global"]

    def process(self, container: str) -> int:
        return int(self("inspect", "--format", "{{.State.Pid}}", container))
