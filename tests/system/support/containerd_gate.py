# Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
"""Stops the ADD of chosen pods at a certain point, so that a test can kill at the worst moment, and not by luck.

The gate is a shell script in the place of host-local. A pod named before-* stops before host-local reserved an address,
one named after-* when it has, but before the bridge plugin hears of it. All others pass.
"""
import contextlib
import os
import pathlib
import signal

from support import world

SCRIPT = """\
#!/bin/sh
real={real}
pod=${{CNI_ARGS#*K8S_POD_NAME=}}
pod=${{pod%%;*}}
wait_at_gate() {{
  : >{folder}/arrived/$pod
  : <{folder}/fifo # opens when somebody writes
}}
[ "$CNI_COMMAND" = ADD ] || exec "$real"
case $pod in
  before-*) wait_at_gate; exec "$real" ;;
  after-*) answer=$("$real"); status=$?; wait_at_gate; printf '%s' "$answer"; exit $status ;;
  *) exec "$real" ;;
esac
"""


class Gate:
    """Put into `bin_dir`, a copy of the plugins; `folder` is for its own use."""

    def __init__(self, bin_dir: pathlib.Path, folder: pathlib.Path) -> None:
        self._folder = folder
        (folder / "arrived").mkdir(parents=True)
        os.mkfifo(folder / "fifo")
        (bin_dir / "host-local").rename(folder / "host-local")
        script = bin_dir / "host-local"
        script.write_text(SCRIPT.format(real=folder / "host-local", folder=folder))
        script.chmod(0o755)

    def wait_for(self, pods: list[str]) -> None:
        world.wait_until("pods at the gate", lambda: all((self._folder / "arrived" / pod).exists() for pod in pods), 60)

    def open(self) -> None:
        """Lets all pass who wait now; returns when their plugins have ended."""
        def none_left() -> bool:
            try:
                os.close(os.open(self._folder / "fifo", os.O_WRONLY | os.O_NONBLOCK))
            except OSError:  # nobody waits
                pass
            return not plugin_processes()
        world.wait_until("plugins ended", none_left)


def plugin_processes(pod: str = "") -> list[int]:
    """Every process of a running plugin; of one pod, if it is named."""
    return [int(folder.name) for folder in pathlib.Path("/proc").glob("[0-9]*")
            if b"CNI_COMMAND=" in (environment := _environment(folder))
            and f"K8S_POD_NAME={pod}".encode() in environment]


def kill_plugins(pod: str) -> None:
    for process in plugin_processes(pod):
        with contextlib.suppress(ProcessLookupError):  # it died with the one that had started it
            os.kill(process, signal.SIGKILL)


def _environment(folder: pathlib.Path) -> bytes:
    try:
        return (folder / "environ").read_bytes()
    except OSError:  # gone meanwhile
        return b""
