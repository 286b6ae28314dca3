# Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
"""A containerd of our own, with root, state, socket and configuration in one folder."""
import pathlib
import signal
import subprocess

from support import image, world
from support.cri import Cri

IMAGE = "cnio.test/busybox:latest"
# Raising a container's OOM score above that of containerd needs no right; lowering it would need CAP_SYS_RESOURCE,
# which is missing where tests run in containers or small virtual machines.
CONFIGURATION = """\
version = 2
root = "{folder}/root"
state = "{folder}/state"
[grpc]
  address = "{folder}/containerd.sock"
[plugins."io.containerd.internal.v1.opt"]
  path = "{folder}/opt"
[plugins."io.containerd.grpc.v1.cri"]
  restrict_oom_score_adj = true
  sandbox_image = "{image}"
[plugins."io.containerd.grpc.v1.cri".containerd]
  snapshotter = "overlayfs"
[plugins."io.containerd.grpc.v1.cri".cni]
  bin_dir = "{bin_dir}"
  conf_dir = "{conf_dir}"
  conf_template = "{template}"
"""


class Containerd:
    """Started with the plugins in `bin_dir` and the configuration in `conf_dir`, both read at every call."""

    def __init__(self, folder: pathlib.Path, bin_dir: pathlib.Path, conf_dir: pathlib.Path,
                 template: pathlib.Path | str = "") -> None:
        """With a template containerd writes the configuration itself, once the kubelet has told it the node's subnets."""
        self.folder = folder
        self.log = folder / "log"
        self._socket = f"{folder}/containerd.sock"
        folder.mkdir(parents=True)
        (folder / "config.toml").write_text(CONFIGURATION.format(
            folder=folder, image=IMAGE, bin_dir=bin_dir, conf_dir=conf_dir, template=template))
        self._process: subprocess.Popen[bytes] | None = None
        self.cri = Cri(self._socket, IMAGE)

    def start(self) -> None:
        """Returns when it answers."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(["containerd", "--config", self.folder / "config.toml"],
                                             cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.cri = Cri(self._socket, IMAGE)
        world.wait_until("containerd serving or ended",
                         lambda: self.cri.is_serving() or self._process.poll() is not None)
        if self._process.poll() is not None:
            raise AssertionError("containerd ended:\n" + self.log.read_text(errors="replace")[-3000:])

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """As the kernel does when memory is short: nothing can be finished. Containers go on."""
        self._end(signal.SIGKILL)

    def _end(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(60)
            self._process = None
        self.cri.close()  # not before: closing cancels calls under way, and containerd would kill their plugins

    def import_image(self) -> None:
        archive = self.folder / "image.tar"
        image.write_archive(archive, IMAGE)
        self.ctr("images", "import", str(archive))
        archive.unlink()
        world.wait_until("image known to CRI", self.cri.has_image)

    def ctr(self, *words: str) -> subprocess.CompletedProcess[str]:
        return world.run(*self.ctr_command(*words))

    def ctr_command(self, *words: str) -> list[str]:
        return ["ctr", "--address", self._socket, "--namespace", "k8s.io", *words]
