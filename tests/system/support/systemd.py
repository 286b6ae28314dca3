# Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
"""A host that systemd has booted: its process 1, in this world's network and files, with mounts and processes of its own.

    host = systemd.Host()
    host.boot()
    host.run("systemctl", "start", unit)
    host.halt()

Of Debian's units it has the journal and the targets alone: nothing that would look for devices or mount anything.
Mounts are shared among its processes, as on a real host, and units get theirs from there.
"""
import pathlib
import signal
import subprocess
from typing import Any

from support import world

UNITS = pathlib.Path("/usr/lib/systemd/system")
KEPT = ("*.target", "*.slice", "systemd-journald*")
OWN_UNITS = pathlib.Path("/etc/systemd/system")
CONSOLE = pathlib.Path("/run/systemd-console")
# Runs in the new namespaces, as their first process: the mounts, then systemd in its place. A control group that the
# namespace begins at is the root for who is in it.
_BOOT = """set -e
mount --make-rshared /
mount --make-private /proc; mount -t proc proc /proc
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mount --bind /run/systemd-units /usr/lib/systemd/system
mount -t tmpfs tmpfs /usr/lib/systemd/system-generators
export container=test
exec /lib/systemd/systemd --system --unit=multi-user.target --log-target=console"""


class Host:
    """It can be booted again after it was halted. Then its processes and mounts are gone, and so are namespaces that only these
    held; the network and what is in files stays, in /run, too."""

    def __init__(self) -> None:
        world.run("rm", "-rf", "/run/systemd-units", OWN_UNITS)
        pathlib.Path("/run/systemd-units").mkdir()
        OWN_UNITS.mkdir()
        for pattern in KEPT:
            for unit in UNITS.glob(pattern):
                world.run("cp", "-P", unit, "/run/systemd-units")
        wanted = OWN_UNITS / "multi-user.target.wants"
        wanted.mkdir()
        (wanted / "systemd-journald.service").symlink_to(UNITS / "systemd-journald.service")
        self._first = 0

    def boot(self) -> None:
        # Into the group first: a namespace of control groups begins where its maker is.
        enter = (f"echo $$ >{world.own_cgroup()}/cgroup.procs && "
                 f"exec unshare --pid --mount --cgroup --uts --fork --kill-child bash -c '{_BOOT}'")
        with CONSOLE.open("ab") as console:
            # pylint: disable-next=consider-using-with
            self._process = subprocess.Popen(["bash", "-c", enter], stdin=subprocess.DEVNULL, stdout=console, stderr=console)
        children = pathlib.Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        self._first = int(world.wait_until("the first process", lambda: children.read_text().strip()))
        try:
            world.wait_until("booted", lambda: self.run("systemctl", "is-active", "multi-user.target", check=False).returncode == 0)
        except AssertionError as late:
            raise AssertionError(f"{late}\n{CONSOLE.read_text()}") from late

    def halt(self) -> None:
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()
        world.wait_until("all processes ended", lambda: not pathlib.Path(f"/proc/{self._first}").exists())

    def run(self, *command: str | pathlib.Path, check: bool = True, **options: Any) -> subprocess.CompletedProcess[str]:
        """On the host, as an administrator would."""
        return world.run("nsenter", f"--target={self._first}", "--pid", "--mount", "--cgroup", *command, check=check, **options)

    def property(self, unit: str, name: str) -> str:
        return self.run("systemctl", "show", "--value", "--property", name, unit).stdout.strip()

    def journal(self, unit: str) -> str:
        """As far as it can be told: asked when something has failed."""
        return self.run("journalctl", "--no-pager", "--output=cat", "--unit", unit, check=False).stdout

    def status_of(self, unit: str) -> dict[str, str]:
        """/proc/PID/status of its process: what it may do, as the kernel says it."""
        lines = self.run("cat", f"/proc/{self.property(unit, 'MainPID')}/status").stdout.splitlines()
        return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}
