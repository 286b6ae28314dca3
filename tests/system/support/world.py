# Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
"""A small world of its own for a test program: processes, mounts, network and control groups apart from the machine's.

    from support import world
    if __name__ == "__main__":
        world.enter(unittest.main)     # or any function; what it returns or raises decides the exit status

Inside, process ids, mounts and network interfaces are private; /run, /var/lib, /opt and /usr/local/sbin are empty, and /etc is a copy
without what the machine knows of runtimes and CNI. All of it lies in memory. When the program ends, in whatever way,
SIGKILL and ctest's time limit included, the kernel kills every process of the world (containers and their shims too)
and the rest goes with the last one. Only control groups outlive their processes: those below cgroup_parent() are
removed at the end, or by the next program that enters a world.
"""
import argparse
import contextlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

INSIDE = "CNIO_TEST_WORLD"  # in the environment: the control group's name; says that we are inside already
CGROUPS = pathlib.Path("/sys/fs/cgroup")
CGROUP_PREFIX = "cnio-test-"
EMPTY = ("/run", "/var/lib", "/opt", "/usr/local/sbin")
# What the test was given to work with; kept visible should it lie below one of EMPTY.
GIVEN = ("CNIO_PLUGIN_DIR", "CNIO_EXAMPLES_DIR", "CNIO_BUILD_DIR", "CNIO_REFERENCE_DIR", "CNIO_ENGINES_DIR")


def enter(main: Callable[[], Any]) -> NoReturn:
    """Runs main in a world of its own and exits with its outcome. The program is started anew for that."""
    if INSIDE in os.environ:
        sys.exit(_first_process(main))
    if os.geteuid() != 0:
        sys.exit(f"{sys.argv[0]}: needs root, for namespaces and containers")
    _remove_cgroups_of_the_dead()
    group = f"{CGROUP_PREFIX}{os.getpid()}"
    # setpriv: if we are killed, unshare is; unshare passes it on to the first process, and so to all.
    command = ["setpriv", "--pdeathsig", "KILL", "unshare", "--net", "--mount", "--pid", "--fork", "--kill-child",
               "--mount-proc", "--propagation", "private", sys.executable, *sys.argv]
    try:
        status = subprocess.run(command, env=os.environ | {INSIDE: group}, check=False).returncode
    finally:
        remove_cgroups(group)
    sys.exit(status if status >= 0 else 128 - status)


def add_plugins_option(parser: argparse.ArgumentParser) -> None:
    """--plugins, for programs that people start by hand. find_plugins() says which folder it is."""
    parser.add_argument("--plugins", type=pathlib.Path, help="their folder (default: that of the release build)")


def find_plugins(parser: argparse.ArgumentParser, given: pathlib.Path | None) -> pathlib.Path:
    """The folder: given, or that of a test's, or of the release build. It stays visible inside."""
    build = pathlib.Path(__file__).resolve().parents[3] / "build/release/bin"
    folder = (given or pathlib.Path(os.environ.get("CNIO_PLUGIN_DIR") or build)).resolve()
    if not (folder / "bridge").is_file():
        parser.error(f"there is no executable bridge in {folder}")
    os.environ["CNIO_PLUGIN_DIR"] = str(folder)
    return folder


def cgroup_parent() -> str:
    """Where containers are to have their control groups: a path for cgroup-parent settings, with a leading slash."""
    return "/" + os.environ[INSIDE]


def own_cgroup() -> pathlib.Path:
    """The folder of cgroup_parent() in the hierarchy of version 2, made if it is not there."""
    kinds = {line.split()[2]: line.split()[1] for line in pathlib.Path("/proc/self/mounts").read_text().splitlines()}
    folder = pathlib.Path(kinds["cgroup2"] + cgroup_parent())
    folder.mkdir(exist_ok=True)
    return folder


def wait_until(what: str, condition: Callable[[], Any], seconds: float = 300) -> Any:
    """Returns the first true value of condition(); AssertionError naming `what` if there is none within the time."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.02)


def run(*command: str | os.PathLike[str], seconds: float = 300, check: bool = True,
        **options: Any) -> subprocess.CompletedProcess[str]:
    """Runs a command to its end and returns its output; AssertionError with all it said if it fails."""
    done = subprocess.run([os.fspath(word) for word in command], capture_output=True, text=True, timeout=seconds,
                          stdin=options.pop("stdin", subprocess.DEVNULL), check=False, **options)
    if check and done.returncode != 0:
        raise AssertionError(f"{' '.join(done.args)}: status {done.returncode}\n{done.stdout}{done.stderr}")
    return done


def sweep() -> None:
    """Ends every process that is not the test's own and removes all network namespaces, interfaces, firewall rules,
    control groups and CNI state of the world: what a runtime forgets that was killed, or a test that failed."""
    for folder in pathlib.Path("/proc").glob("[0-9]*"):
        if int(folder.name) not in (1, os.getpid()):
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(folder.name), signal.SIGKILL)
    run("ip", "-all", "netns", "delete")
    for link in json.loads(run("ip", "-j", "link").stdout):
        if link["ifname"] != "lo":
            run("ip", "link", "delete", link["ifname"], check=False)  # gone already: with its namespace or its peer
    run("nft", "flush", "ruleset")
    shutil.rmtree("/var/lib/cni", ignore_errors=True)
    remove_cgroups(cgroup_parent().strip("/"))


def remove_cgroups(group: str) -> None:
    """Removes the control group and those below it, in every hierarchy, with the processes that are still there."""
    def gone() -> bool:
        for folder in _cgroup_folders(group):
            for process in (folder / "cgroup.procs").read_text().split():
                os.kill(int(process), signal.SIGKILL)
            folder.rmdir()
        return True

    def gone_or_not_yet() -> bool:
        try:
            return gone()
        except OSError:  # busy: its processes are ending; or a child appeared or vanished
            return False
    wait_until(f"control group {group} removed", gone_or_not_yet)


def _cgroup_folders(group: str) -> list[pathlib.Path]:
    """All folders of the group, children first. The same hierarchy may be visible at several places."""
    tops = [top for top in [CGROUPS / group, *CGROUPS.glob(f"*/{group}")] if top.is_dir() and not top.is_symlink()]
    return [pathlib.Path(folder) for top in tops for folder, _, _ in os.walk(top, topdown=False)]


def _remove_cgroups_of_the_dead() -> None:
    names = {path.name for path in [*CGROUPS.glob(CGROUP_PREFIX + "*"), *CGROUPS.glob(f"*/{CGROUP_PREFIX}*")]}
    for name in names:
        if not pathlib.Path("/proc", name.removeprefix(CGROUP_PREFIX)).exists():
            remove_cgroups(name)


def _first_process(main: Callable[[], Any]) -> int:
    """Process 1 inherits every orphan (shims do that on purpose), so it does nothing but bury the dead."""
    child = os.fork()
    if child == 0:
        _furnish()
        main()
        sys.exit(0)
    while True:
        pid, status = os.wait()
        if pid == child:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code


def _furnish() -> None:
    given = [os.environ[name] for name in GIVEN if os.environ.get(name)]
    keep = [pathlib.Path(path).resolve() for path in [*given, pathlib.Path(__file__).parents[3], os.getcwd()]]
    opened = {path: os.open(path, os.O_PATH) for path in keep if path.is_dir() and _is_below(path, EMPTY)}
    for place in EMPTY:
        _mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", place)
    for path, descriptor in opened.items():
        path.mkdir(parents=True, exist_ok=True)
        # Not by the path that the descriptor had: by now that is covered.
        _mount("--no-canonicalize", "--bind", f"/proc/{os.getpid()}/fd/{descriptor}", path)
        os.close(descriptor)
    _make_etc_private()
    for folder in ("/run/lock", "/run/netns", "/var/lib/cni"):
        pathlib.Path(folder).mkdir(parents=True)
    # As `ip netns` makes it on its first use, which is not to count as a trace of anybody.
    _mount("--bind", "/run/netns", "/run/netns")
    _mount("--make-shared", "/run/netns")
    run("ip", "link", "set", "lo", "up")


def _make_etc_private() -> None:
    """A copy: what the machine has configured of runtimes and CNI is not there, and everything can be written."""
    copy = pathlib.Path("/run/etc")
    shutil.copytree("/etc", copy, symlinks=True,
                    ignore=lambda folder, _: ("cni", "containers", "containerd") if folder == "/etc" else ())
    _mount("--bind", copy, "/etc")
    pathlib.Path("/etc/cni/net.d").mkdir(parents=True)
    resolv_conf = pathlib.Path("/etc/resolv.conf")  # may be a link into what was /run; runtimes copy it into pods
    resolv_conf.unlink(missing_ok=True)
    resolv_conf.write_text("nameserver 192.0.2.53\n")


def _is_below(path: pathlib.Path, places: Sequence[str]) -> bool:
    return any(path.is_relative_to(place) for place in places)


def _mount(*words: str | os.PathLike[str]) -> None:
    run("mount", *words)
