# Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
"""What attachments leave behind if they are not removed: a snapshot of it all, and the difference of two.

    before = traces.snapshot()
    ...                                     # pods come and go
    traces.expect_same(before)              # AssertionError that lists what is left, or missing

A bridge stays when its last port is gone, as it should; so bridges, and the addresses and routes on them, do not count.
"""
import json
import os
import pathlib
import re
from collections.abc import Iterable
from typing import Any

from support import world

Snapshot = dict[str, list[str]]
STORES = ("/var/lib/cni",)  # reservations of host-local and results that libcni keeps
# A DEL's caretaker waits for the kernel for up to 2 s after the answer (include/cnio/base/caretaker.hpp).
OUTLAST = {"bridge", "ptp"}
NETNS_FOLDER = "/run/netns"


def snapshot(stores: Iterable[str] = STORES) -> Snapshot:
    """Interfaces, addresses, routes, firewall rules, namespaces, files in `stores`, mounts, containers' processes and
    control groups of this world, as they are now but for caretakers of earlier DELs: those have to end first."""
    world.wait_until("caretakers ended", lambda: not OUTLAST.intersection(_processes()))
    bridges = {link["ifname"] for link in _ip("-d", "link") if link.get("linkinfo", {}).get("info_kind") == "bridge"}
    return {
        "interface": sorted(link["ifname"] for link in _ip("link") if link["ifname"] not in bridges),
        "address": sorted(f"{link['ifname']} {address['local']}" for link in _ip("address")
                          if link["ifname"] not in bridges for address in link["addr_info"]),
        "route": _routes(bridges),
        "rule": _rules(),
        "namespace": _namespaces(),
        "file": sorted(str(path) for store in stores for path in pathlib.Path(store).rglob("*") if _counts(path)),
        "mount": sorted(line.split()[4] for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines()),
        "process": _processes(),
        "control group": sorted({path.name for path in _cgroups()}),
    }


def differences(before: Snapshot, after: Snapshot, kinds: Iterable[str] = ()) -> list[str]:
    """One line for each thing that is in one of them only; of these kinds, or of all."""
    found = []
    for kind, things in before.items():
        if kinds and kind not in kinds:
            continue
        left, missing = list(after[kind]), []
        for thing in things:
            if thing in left:
                left.remove(thing)
            else:
                missing.append(thing)
        found += [f"{kind} left: {thing}" for thing in left] + [f"{kind} missing: {thing}" for thing in missing]
    return found


def expect_same(before: Snapshot, kinds: Iterable[str] = (), stores: Iterable[str] = STORES,
                seconds: float = 120) -> None:
    """Waits, because shims and namespaces end a moment after the answer; AssertionError with what is left then."""
    seen: list[str] = []

    def same() -> bool:
        seen[:] = differences(before, snapshot(stores), kinds)
        return not seen
    try:
        world.wait_until("nothing left", same, seconds)
    except AssertionError:
        raise AssertionError("\n".join(["what differs from before:", *seen])) from None


def _ip(*words: str) -> list[dict[str, Any]]:
    return json.loads(world.run("ip", "-j", *words).stdout or "[]")


def _routes(bridges: set[str]) -> list[str]:
    lines = [line for family in ("-4", "-6")
             for line in world.run("ip", family, "route", "show", "table", "all").stdout.splitlines()]
    return sorted(" ".join(line.split()) for line in lines
                  if not any(f"dev {bridge} " in line + " " for bridge in bridges))


def _rules() -> list[str]:
    """Chains too: an empty one is a trace. Handles and counters, which change all the time, are not shown."""
    listed = world.run("nft", "--stateless", "list", "ruleset").stdout
    return [line.strip() for line in listed.splitlines() if line.strip() not in ("", "}")]


def _namespaces() -> list[str]:
    """Network namespaces, however they are kept alive: by a process, a mount, or a name without either."""
    found = {_link(process / "ns/net") for process in pathlib.Path("/proc").glob("[0-9]*")} - {""}
    for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines():
        if " - nsfs " in line and (inode := re.search(r"net:\[\d+\]", line)):
            found.add(inode[0])
    return sorted(found) + sorted(str(path) for path in pathlib.Path(NETNS_FOLDER).glob("*"))


def _processes() -> list[str]:
    """Names of all processes but the test's own: those come and go, such as the one that lists them here."""
    own = {1, os.getpid()}
    names = []
    for folder in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rsplit(")", 1)[1].split()
            name = (folder / "comm").read_text().strip()
        except OSError:  # gone meanwhile
            continue
        if int(folder.name) not in own and fields[0] != "Z":
            names.append(name)
    return sorted(names)


def _cgroups() -> list[pathlib.Path]:
    name = world.cgroup_parent().strip("/")
    return [path for top in [world.CGROUPS / name, *world.CGROUPS.glob(f"*/{name}")]
            for path in top.rglob("*") if path.is_dir()]


def _counts(path: pathlib.Path) -> bool:
    """Folders, locks and the last address given out stay for the next pod."""
    return path.is_file() and path.name != "lock" and not path.name.startswith("last_reserved_ip.")


def _link(path: pathlib.Path) -> str:
    try:
        return os.readlink(path)
    except OSError:
        return ""
