#!/usr/bin/python3
# Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
"""scripts/install on a node: in place at once or not at all, refused with nothing changed, and back again."""
import hashlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import threading
import unittest
from typing import Any

from support import plugin_list, reference, traces, world

INSTALL = pathlib.Path(__file__).parents[2] / "scripts/install"
PLUGINS = plugin_list.names()
BIN = pathlib.Path("/opt/cni/bin")
CONF = pathlib.Path("/etc/cni/net.d")
WORK = pathlib.Path("/run/install-test")
BUILT = WORK / "built"
V4 = ("--subnet", "10.240.7.0/24")
Tree = dict[str, tuple[Any, ...]]

# Does what the real plugin does, but for one command, which it answers itself.
IMPOSTOR = """
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
int main(int, char** argv) {
  const char* command = getenv("CNI_COMMAND");
  if (command == nullptr || strcmp(command, COMMAND) != 0) return execv(REAL, argv);
  fputs(ANSWER, stdout);
  return STATUS;
}
"""
NO_VETH = json.dumps({"cniVersion": "1.1.0", "code": 50, "msg": "bridge: this kernel cannot make links of kind veth",
                      "details": "the kernel module veth is missing"}, indent=4)
# Stands in for mv; at the given call it sends the installer a signal.
KILLER = """#!/bin/sh
count=$(($(cat {work}/count) + 1))
echo $count >{work}/count
[ $count != "$KILL_AT" ] || kill {signal}
exec {program} "$@"
"""


def install(*options: str, expect: int = 0, before: tuple[str, ...] = (), env: dict[str, str] | None = None) -> str:
    """Runs it, with the words of `before` in front, and returns all it said."""
    done = world.run(*before, INSTALL, *options, check=False, env=os.environ | (env or {}), start_new_session=True)
    said = done.stdout + done.stderr
    if done.returncode != expect:
        raise AssertionError(f"{options}: status {done.returncode}, expected {expect}\n{said}")
    return said


def digest(path: pathlib.Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def tree(*folders: pathlib.Path) -> Tree:
    """All about the files below: what they are, what they hold, and whether it is still the same file."""
    found: Tree = {}
    for path in sorted(path for folder in folders if folder.is_dir() for path in [folder, *folder.rglob("*")]):
        status = path.lstat()
        if path.is_symlink():
            found[str(path)] = (os.readlink(path),)
        elif path.is_file():
            found[str(path)] = (status.st_ino, status.st_mode, status.st_mtime_ns, digest(path))
        else:
            found[str(path)] = (status.st_mode,)
    return found


def node() -> Tree:
    return tree(BIN.parent, CONF)


def look(folder: pathlib.Path = BIN) -> dict[str, tuple[Any, ...]]:
    """The plugins and configurations as a runtime sees them: no inode numbers, no state of the installer."""
    return {path: facts[1:] if len(facts) == 4 else facts for path, facts in tree(folder, CONF).items()
            if ".cnio" not in path}


def build(name: str, changes: dict[str, Any] | None = None) -> pathlib.Path:
    """A folder with the built plugins; `changes` gives some another content, or with None takes them away."""
    folder = WORK / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    shutil.copy(plugin_list.path(), folder)
    for plugin in PLUGINS:
        content = (changes or {}).get(plugin, (BUILT / plugin).read_bytes())
        if content is not None:
            (folder / plugin).write_bytes(content)
            (folder / plugin).chmod(0o755)
    return folder


def other_build() -> pathlib.Path:
    """Another version: behaves the same, but its bytes differ."""
    return build("other", {plugin: (BUILT / plugin).read_bytes() + b"another build" for plugin in PLUGINS})


def impostor(command: str, answer: str, status: int, plugin: str = "bridge") -> bytes:
    source, program = WORK / "impostor.cpp", WORK / "impostor"
    source.write_text(IMPOSTOR)
    world.run("g++", "-o", program, source, f"-DCOMMAND={json.dumps(command)}", f"-DANSWER={json.dumps(answer)}",
              f"-DSTATUS={status}", f"-DREAL={json.dumps(str(BUILT / plugin))}")
    return program.read_bytes()


def version_of(plugin: pathlib.Path) -> bool:
    done = subprocess.run([plugin], input="{}", env={"CNI_COMMAND": "VERSION"}, capture_output=True, text=True,
                          check=False, timeout=60)
    return done.returncode == 0 and "supportedVersions" in json.loads(done.stdout)


class InstallCase(unittest.TestCase):
    maxDiff = 2000

    def setUp(self) -> None:
        for path in (BIN.parent, CONF, WORK):
            shutil.rmtree(path, ignore_errors=True)
        CONF.mkdir(parents=True)
        WORK.mkdir()
        shutil.copytree(os.environ["CNIO_PLUGIN_DIR"], BUILT)

    def refuses(self, because: str, *options: str, before: tuple[str, ...] = ()) -> None:
        there = node()
        said = install(*options, expect=1, before=before)
        self.assertIn(because, said)
        self.assertIn("nothing was changed", said)
        self.assertEqual(node(), there)

    def follow(self, page: str, section: str, about: str = "conf-examples") -> None:
        """The commands of the page's section that lay files on this node, as they stand there."""
        text = re.split(r"^#+ ", (INSTALL.parents[1] / page).read_text().split(f"# {section}\n")[1], flags=re.MULTILINE)[0]
        blocks = [block for block in re.findall(r"^ *```sh\n(.*?)^ *```", text, re.MULTILINE | re.DOTALL)
                  if about in block]
        self.assertEqual(len(blocks), 1)
        world.run("sh", "-euc", blocks[0].replace("sudo ", ""), cwd=INSTALL.parents[1])

    def is_used(self, name: str) -> None:
        """It is the file that runtimes take, a plugin takes it, and no other has the subnet or is for a bridge."""
        first, *others = sorted(path for path in CONF.iterdir() if path.suffix in (".conf", ".conflist", ".json"))
        self.assertEqual(first.name, name)
        self.assertEqual([json.loads(path.read_text())["type"] for path in others], ["loopback"])
        config = json.loads(first.read_text())
        self.assertEqual(config["cniVersion"], "0.4.0")
        world.run("sh", "-c", f"CNI_COMMAND=STATUS CNI_PATH={BIN} {BIN}/bridge <<'END'\n"
                  + json.dumps(config | {"cniVersion": "1.1.0"}) + "\nEND")


class Installed(InstallCase):
    def test_on_an_empty_node_and_taken_back(self) -> None:
        install("--from", str(BUILT))
        for plugin in PLUGINS:
            self.assertEqual(digest(BIN / plugin), digest(BUILT / plugin))
            self.assertEqual((BIN / plugin).stat().st_mode & 0o7777, 0o755)
        self.assertEqual(list(CONF.iterdir()), [])
        install("--rollback")
        self.assertEqual([path.name for path in BIN.iterdir()], [".cnio"])

    def test_the_plugins_of_before_come_back(self) -> None:
        reference.plugin_folder(WORK / "reference", os.listdir(os.environ[reference.VARIABLE]))
        shutil.copytree(WORK / "reference", BIN)
        shutil.move(BIN / "loopback", WORK / "elsewhere")
        (BIN / "loopback").symlink_to(WORK / "elsewhere")
        (BIN / "host-local").chmod(0o700)
        before = look()
        install("--from", str(BUILT), *V4)
        self.assertTrue(version_of(BIN / "bridge"))
        self.assertFalse((BIN / "loopback").is_symlink())
        install("--rollback")
        self.assertEqual(look(), before)

    def test_a_plugin_more_than_before(self) -> None:
        BIN.mkdir(parents=True)
        (BIN / "theirs").write_text("somebody else's")
        install("--from", str(BUILT))
        before = look()
        more = build("more")
        version = subprocess.run([BUILT / "loopback"], env={}, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                 check=True).stderr.split()[3]
        (more / "extra").write_bytes(impostor("", f"CNI extra plugin {version}\n", 0, "loopback"))
        (more / "extra").chmod(0o755)
        self.assertNotIn("extra", install("--from", str(more)))  # is not in the list
        with open(more / plugin_list.LIST, "a", encoding="utf-8") as names:
            names.write("extra meta 0.3.1\n")
        self.assertIn(f"{BIN}/extra", install("--from", str(more)))
        install("--rollback")
        self.assertEqual(look(), before)
        (more / plugin_list.LIST).unlink()  # then what is there counts
        install("--from", str(more))
        self.assertEqual(digest(BIN / "extra"), digest(more / "extra"))
        self.assertEqual((BIN / "theirs").read_text(), "somebody else's")

    def test_a_list_of_anything_else_is_refused(self) -> None:
        for names, because in (("../../etc/passwd main 0.1.0\n", "is no name of a plugin"),
                               ("bridge main 0.1.0\n", "there is no executable")):
            source = build("odd")
            (source / plugin_list.LIST).write_text(names)
            self.assertIn(because, install("--from", str(source), expect=1))
            self.assertFalse(BIN.exists())

    def test_twice_the_same_keeps_the_way_back(self) -> None:
        install("--from", str(other_build()))
        other = look()
        install("--from", str(BUILT), *V4)
        there = node()
        self.assertIn("in place already", install("--from", str(BUILT), *V4))
        self.assertEqual(node(), there)
        install("--rollback")
        self.assertEqual(look(), other)
        install("--rollback")
        self.assertEqual(look(), look() | {str(BIN / "bridge"): there[str(BIN / "bridge")][1:]})

    def test_run_beside_the_executables_and_with_relative_folders(self) -> None:
        """As from an unpacked archive, and with bash as sh."""
        shutil.copy(INSTALL, BUILT)
        for script in (INSTALL.parent / "lib").glob("install-*.sh"):
            shutil.copy(script, BUILT)
        world.run("bash", "install", "--to", "node/bin", "--conf-dir", "node/net.d", *V4, cwd=BUILT)
        self.assertTrue(version_of(BUILT / "node/bin/bridge"))
        self.assertIn("10.240.7.0/24", (BUILT / "node/net.d/10-bridge.conf").read_text())

    def test_works_with_nothing_but_busybox(self) -> None:
        tools = WORK / "tools"
        tools.mkdir()
        world.run("busybox", "--install", "-s", tools)
        install("--from", str(BUILT), *V4, before=(str(tools / "sh"),), env={"PATH": str(tools)})
        self.assertTrue(version_of(BIN / "host-local"))
        install("--rollback", before=(str(tools / "sh"),), env={"PATH": str(tools)})
        self.assertFalse((BIN / "bridge").exists())
        self.assertEqual(list(CONF.iterdir()), [])

    def test_touches_nothing_else_of_the_node(self) -> None:
        world.run("ip", "link", "add", "cnio0", "type", "bridge")
        self.addCleanup(world.run, "ip", "link", "delete", "cnio0")
        world.run("ip", "address", "add", "198.51.100.1/24", "dev", "cnio0")
        forwarding = pathlib.Path("/proc/sys/net/ipv4/ip_forward")
        forwarding.write_text("0")
        network = world.run("ip", "-s", "address").stdout
        before = traces.snapshot()
        install("--from", str(BUILT), *V4)
        self.assertEqual(traces.differences(before, traces.snapshot()), [])
        self.assertEqual(world.run("ip", "-s", "address").stdout, network)
        self.assertEqual(forwarding.read_text().strip(), "0")
        self.assertEqual(list(pathlib.Path("/var/lib/cni").iterdir()), [])


class Configured(InstallCase):
    def test_for_the_nodes_subnet(self) -> None:
        said = install("--from", str(BUILT), *V4, "--cni-version", "0.4.0")
        self.assertNotIn("note", said)
        examples = pathlib.Path(os.environ["CNIO_EXAMPLES_DIR"])
        example = (examples / "10-bridge.conf").read_text().replace("10.240.1.0/24", "10.240.7.0/24")
        self.assertEqual((CONF / "10-bridge.conf").read_text(), example)
        self.assertEqual((CONF / "99-loopback.conf").read_text(), (examples / "99-loopback.conf").read_text())

    def test_other_files_are_named(self) -> None:
        """Those that runtimes never take, and that share the bridge; nodes_install_test.py has those that are in the way."""
        # FAULT("E17 files that win or lose")
        (CONF / "10-mynet.conf").write_text('{"name": "mynet", "type": "bridge"}')
        (CONF / "20-other.json").write_text('{"name": "x", "plugins": [{"type": "bridge", "bridge" : "cnio0"}]}')
        (CONF / "10-bridge.conf.before-12345678").write_text('"10.240.7.0/24"')
        for _ in range(2):  # also if there is nothing else to do
            said = install("--from", str(BUILT), "--subnet", "fd00:7::/64,10.240.7.0/24")
            self.assertEqual([line.split()[:3] for line in said.splitlines() if ".conf:" in line or ".json:" in line],
                             [["10-mynet.conf:", "note:", "is"], ["20-other.json:", "note:", "is"],
                              ["20-other.json:", "warning:", "is"]])

    def test_version_that_the_runtimes_can_read(self) -> None:
        """What is on the test's machine does not count: each program is a stand-in, or missing."""
        # FAULT("E21 versions")
        for programs, version in (({}, "0.4.0"),
                                  ({"containerd": "containerd github.com/containerd/containerd 1.6.20~ds1"}, "0.4.0"),
                                  ({"containerd": "containerd containerd.io 1.7.33 abc"}, "0.4.0"),
                                  ({"containerd": "containerd github.com/containerd/containerd/v2 v2.0.0 abc"}, "1.1.0"),
                                  ({"containerd": "containerd github.com/containerd/containerd/v2 2.10.1"}, "1.1.0"),
                                  ({"containerd": "no idea"}, "0.4.0"),
                                  ({"crio": "crio version 1.30.9\nVersion: 1.30.9"}, "0.4.0"),
                                  ({"crio": "crio version 1.31.0"}, "1.1.0"),
                                  ({"podman": "podman version 5.4.2"}, "0.4.0"),
                                  ({"containerd": "containerd x v2.1.0", "podman": "podman version 4.3.1"}, "0.4.0"),
                                  ({"containerd": "containerd x v2.1.0", "podman": "podman version 5.4.2"}, "1.1.0"),
                                  ({"containerd": "containerd x v2.1.0", "crio": "crio version 1.29.1"}, "0.4.0")):
            with self.subTest(programs=programs):
                shutil.rmtree(CONF)
                self.install_beside(programs)
                self.assertEqual(self.versions(), {version})
        self.assertIn("is none of", install("--cni-version", "1.1.0 ", expect=2))
        self.assertIn("is none of", install("--cni-version", "0.3.1", expect=2))

    def test_version_that_is_there_stays_unless_told(self) -> None:
        install("--from", str(BUILT), *V4, "--cni-version", "1.0.0")
        self.assertEqual(self.versions(), {"1.0.0"})
        self.install_beside({"containerd": "containerd x v2.1.0"})
        self.assertEqual(self.versions(), {"1.0.0"})
        install("--from", str(BUILT), *V4, "--cni-version", "1.1.0")
        self.assertEqual(self.versions(), {"1.1.0"})

    def versions(self) -> set[str]:
        return {json.loads((CONF / name).read_text())["cniVersion"] for name in ("10-bridge.conf", "99-loopback.conf")}

    def install_beside(self, programs: dict[str, str]) -> None:
        tools = WORK / "tools"
        shutil.rmtree(tools, ignore_errors=True)
        tools.mkdir()
        world.run("busybox", "--install", "-s", tools)
        for name, says in programs.items():
            (tools / name).write_text(f"#!/bin/sh\n[ $1 = --version ] && echo '{says}'\n")
            (tools / name).chmod(0o755)
        install("--from", str(BUILT), "--no-verify", *V4, env={"PATH": str(tools)}, before=(str(tools / "sh"),))

    def test_for_both_families(self) -> None:
        install("--from", str(BUILT), "--subnet", "fd00:7::/64,10.240.7.0/24")
        ipam = json.loads((CONF / "10-bridge.conf").read_text())["ipam"]
        self.assertEqual(ipam["ranges"], [[{"subnet": "fd00:7::/64"}], [{"subnet": "10.240.7.0/24"}]])
        self.assertEqual(ipam["routes"], [{"dst": "::/0"}, {"dst": "0.0.0.0/0"}])

    def test_somebody_elses_is_replaced_only_by_force(self) -> None:
        (CONF / "10-bridge.conf").write_text("mine\n")
        self.refuses("says something else", "--from", str(BUILT), *V4)
        self.assertIn("kept the former", install("--from", str(BUILT), *V4, "--force"))
        self.assertIn("10.240.7.0/24", (CONF / "10-bridge.conf").read_text())
        [kept] = CONF.glob("10-bridge.conf.before-*")
        self.assertEqual(kept.read_text(), "mine\n")
        install("--rollback")
        self.assertEqual((CONF / "10-bridge.conf").read_text(), "mine\n")
        self.assertFalse((CONF / "99-loopback.conf").exists())


class Pages(InstallCase):
    """What the pages tell people to do ends in one network, the one that they mean."""

    def test_one_node(self) -> None:
        # FAULT("E17 pages followed")
        self.follow("README.md", "One node", "scripts/install")
        self.is_used("10-bridge.conf")

    def test_switching_and_back(self) -> None:
        # FAULT("E17 pages followed")
        reference.plugin_folder(BIN, {*PLUGINS} & {*os.listdir(os.environ[reference.VARIABLE])})
        self.assertNotEqual(digest(BIN / "bridge"), digest(BUILT / "bridge"))
        before = look()
        self.follow("README.md", "Switching from the reference", "scripts/install")
        self.assertEqual(digest(BIN / "bridge"), digest(BUILT / "bridge"))
        install("--rollback")
        self.assertEqual(look(), before)

    def test_one_node_by_hand(self) -> None:
        # FAULT("E17 pages followed")
        install("--from", str(BUILT))
        self.follow("docs/install.md", "By hand")
        self.is_used("10-bridge.conf")
        self.assertNotIn("note", install("--from", str(BUILT), "--subnet", "10.240.1.0/24", "--cni-version", "0.4.0"))

    def test_a_plugin_by_hand(self) -> None:
        # FAULT("E17 pages followed")
        install("--from", str(BUILT))
        world.sweep()  # some programs of earlier tests are about to end
        self.addCleanup(world.sweep)
        before = traces.snapshot()
        self.follow("docs/troubleshooting.md", "Calling a plugin by hand")
        traces.expect_same(before)


class Refused(InstallCase):
    """Each on an empty node and on one that has a version."""

    def refuses(self, because: str, *options: str, before: tuple[str, ...] = ()) -> None:
        for state in ("empty node", "node with plugins"):
            with self.subTest(because, state=state):
                shutil.rmtree(BIN.parent, ignore_errors=True)
                if state != "empty node":
                    install("--from", str(BUILT), "--no-verify")
                super().refuses(because, *options, before=before)

    def test_a_folder_that_cannot_be_written(self) -> None:
        for option, folder in (("--to", BIN), ("--conf-dir", CONF)):
            there = WORK / "read-only"
            there.mkdir(exist_ok=True)
            world.run("mount", "-t", "tmpfs", "-o", "ro", "tmpfs", there)
            try:
                self.refuses("Read-only file system", "--from", str(BUILT), *V4, option, str(there))
                self.refuses("Read-only file system", "--from", str(BUILT), *V4, option, str(there / folder.name))
            finally:
                world.run("umount", there)

    def test_a_folder_whose_files_cannot_be_executed(self) -> None:
        there = WORK / "noexec"
        there.mkdir()
        world.run("mount", "-t", "tmpfs", "-o", "noexec", "tmpfs", there)
        self.addCleanup(world.run, "umount", there)
        self.refuses("Permission denied", "--from", str(BUILT), "--to", str(there))
        self.assertEqual(list(there.iterdir()), [])

    def test_a_full_disk(self) -> None:
        there = WORK / "small"
        there.mkdir()
        world.run("mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", there)
        self.addCleanup(world.run, "umount", there)
        self.refuses("No space left on device", "--from", str(BUILT), "--to", str(there))
        self.assertEqual(list(there.iterdir()), [])

    def test_subnets(self) -> None:
        for subnet, because in (("10.240.7.0", "no prefix length"), ("unknown", "not a subnet"), (",", "names no subnet"),
                                ("10.240.7.0/24/1", "not a subnet"), ("10.240.7.1/24", "did you mean 10.240.7.0/24?"),
                                ("10.240.7.0/33", "10.240.7.0/33"), ("fd00::1::/64", "fd00::1::/64"),
                                ("10.240.7.0/24,10.240.8.0/24", "two of IPv4"), ('10.240.7.0/24"', "not a subnet"),
                                ("10.240.7.0/31", "10.240.7.0/31")):
            there = node()
            said = install("--from", str(BUILT), "--subnet", subnet, expect=1)
            self.assertIn("--subnet", said)
            self.assertIn(because, said)
            self.assertEqual(node(), there)
        self.assertIn("its value is missing", install("--subnet", "", expect=2))

    def test_bad_executables(self) -> None:
        install("--from", str(BUILT), "--no-verify")
        whole = (BUILT / "loopback").read_bytes()
        foreign = bytearray(whole)
        foreign[18:20] = b"\xb7\x00" if whole[18] != 0xb7 else b"\x3e\x00"
        for content, because in ((bytes(foreign), "another kind of machine"), (whole[:4096], "does not start"),
                                 (whole[:64] + bytes(len(whole) - 64), "does not start"), (b"", "is no executable"),
                                 (b"#!/bin/sh\n", "is no executable"), (None, "there is no executable loopback"),
                                 ((BUILT / "bridge").read_bytes(), "is not cnio's loopback"),
                                 (pathlib.Path("/bin/true").read_bytes(), "is not cnio's loopback"),
                                 (whole.replace(b"v1.", b"v0."), "but the others are")):
            with self.subTest(because):
                InstallCase.refuses(self, because, "--from", str(build("bad", {"loopback": content})))

    def test_a_kernel_without_veth(self) -> None:
        source = str(build("bad", {"bridge": impostor("STATUS", NO_VETH, 1)}))
        self.refuses("this kernel cannot make links of kind veth; the kernel module veth is missing", "--from", source)
        self.assertIn("the kernel module veth is missing", install("--check", "--from", source, expect=1))

    def test_a_kernel_that_lets_nobody_make_links(self) -> None:
        self.refuses("this node is not ready", "--from", str(BUILT), before=("setpriv", "--bounding-set", "-net_admin"))

    def test_plugins_that_do_not_work(self) -> None:
        for command, answer, status, because in (("CHECK", '{\n    "msg": "it hurts"\n}', 1, "CHECK of bridge: it hurts"),
                                                 ("ADD", "", 3, "ADD of bridge: exit status 3"),
                                                 ("DEL", "", 0, "after DEL there is still veth")):
            source = str(build("bad", {"bridge": impostor(command, answer, status)}))
            self.refuses(because, "--from", source)

    def test_what_cannot_be_exchanged_halfway(self) -> None:
        install("--from", str(BUILT), *V4)
        world.run("mount", "--bind", BIN / "loopback", BIN / "loopback")  # nothing can be renamed over a mount point
        self.addCleanup(world.run, "umount", BIN / "loopback")
        before = look()
        self.assertIn("cannot put everything in place", install("--from", str(other_build()), expect=1))
        self.assertEqual(look(), before)

    def test_two_at_once(self) -> None:
        install("--from", str(BUILT))
        before = node()
        with subprocess.Popen(["flock", BIN / ".cnio/lock", "sh", "-c", "echo locked; cat"], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE) as holder:
            assert holder.stdout is not None
            holder.stdout.readline()
            self.assertIn("another installation", install("--rollback", expect=1))
        self.assertEqual(node(), before)

    def test_options_and_a_rollback_to_nowhere(self) -> None:
        for options in (("--nonsense",), ("--from",), ("--to", "")):
            self.assertIn("usage:", install(*options, expect=2))
        self.assertIn("no installation to take back", install("--rollback", expect=1))


class Unprivileged(InstallCase):
    """Others than root cannot keep installations away: what they may open they may lock."""

    NOBODY = ("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "--bounding-set=-all")

    def test_the_lock_is_roots_alone(self) -> None:
        # FAULT("A1 installer's lock")
        install("--from", str(BUILT), "--no-verify")
        state = BIN / ".cnio"
        self.assertEqual([oct(path.stat().st_mode & 0o7777) for path in (state, state / "lock")], ["0o700", "0o600"])
        for path in [state, *state.rglob("*")]:
            self.assertNotEqual(world.run(*self.NOBODY, "test", "-r", path, check=False).returncode, 0, path)

    def test_nobody_holds_the_lock_of_an_older_version(self) -> None:
        # FAULT("A1 installer's lock")
        state = BIN / ".cnio"
        for lock_mode in (0o644, 0o666, 0o604):
            with self.subTest(mode=oct(lock_mode)):
                state.mkdir(parents=True, exist_ok=True)
                state.chmod(0o755)
                (state / "lock").touch()
                (state / "lock").chmod(lock_mode)
                command = (*self.NOBODY, "flock", state / "lock", "sh", "-c", "echo locked; cat")
                with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
                    assert holder.stdout is not None
                    self.assertEqual(holder.stdout.readline(), b"locked\n")
                    install("--from", str(BUILT), "--no-verify")
                    install("--rollback")
                    install("--rollback")
                    holder.communicate()
                self.assertEqual(oct((state / "lock").stat().st_mode & 0o7777), "0o600")


class WithPods(InstallCase):
    """A rollback takes the plugins from under pods only if it is told to."""

    def setUp(self) -> None:
        super().setUp()
        install("--from", str(other_build()), "--no-verify")
        install("--from", str(BUILT), "--no-verify")

    def add(self, container: str, **keys: Any) -> None:
        config = {"cniVersion": "1.0.0", "name": "net", "type": "bridge", "bridge": "br0"} | keys
        world.run("ip", "netns", "add", container)
        environment = {"CNI_COMMAND": "ADD", "CNI_CONTAINERID": container, "CNI_NETNS": f"/run/netns/{container}",
                       "CNI_IFNAME": "eth0", "CNI_PATH": str(BIN)}
        subprocess.run([BIN / "bridge"], input=json.dumps(config), env=environment, check=True, capture_output=True,
                       text=True, timeout=60)
        self.addCleanup(world.sweep)

    def is_refused(self, *because: str) -> None:
        there = look()
        said = install("--rollback", expect=1)
        for words in (*because, "--with-pods", "nothing was changed"):
            self.assertIn(words, said)
        self.assertEqual(look(), there)

    def test_connected_ones_are_counted_and_named(self) -> None:
        # FAULT("E19 rollback")
        for number in range(6):
            self.add(f"p{number}", isGateway=True, ipMasq=True, ipam={"type": "host-local", "subnet": "10.1.0.0/24"})
        self.is_refused("6 marked interfaces: veth", "(net/p0/eth0)", "and 1 more", "6 reservations", "net/10.1.0.2",
                        "6 attachments with rules in the table inet cnio_masquerade: net: net, if: eth0, id: p")
        install("--rollback", "--with-pods")
        self.assertEqual(digest(BIN / "bridge"), digest(WORK / "other/bridge"))

    def test_ones_without_addresses_count(self) -> None:
        self.add("p1")
        self.is_refused("1 marked interfaces: veth")

    def test_reservations_alone_count(self) -> None:
        # FAULT("E19 rollback")
        folder = pathlib.Path("/var/lib/cni/networks/net")
        folder.mkdir(parents=True)
        self.addCleanup(shutil.rmtree, folder.parent)
        for name in ("lock", "last_reserved_ip.0", "fd00::2"):
            (folder / name).write_text("p1\r\neth0")
        self.is_refused("1 reservations in /var/lib/cni/networks: net/fd00::2")

    def test_none_are_no_obstacle(self) -> None:
        folder = pathlib.Path("/var/lib/cni/networks/net")
        folder.mkdir(parents=True)
        self.addCleanup(shutil.rmtree, folder.parent)
        for name in ("lock", "last_reserved_ip.0"):
            (folder / name).write_text("10.1.0.2")
        world.run("ip", "link", "add", "veth9", "type", "veth")
        world.run("ip", "link", "set", "veth9", "alias", "somebody's")
        world.run("ip", "link", "add", "br0", "alias", "cnio bridge", "type", "bridge")  # ours, and empty
        self.addCleanup(world.run, "ip", "link", "delete", "br0")
        self.addCleanup(world.run, "ip", "link", "delete", "veth9")
        install("--rollback")
        self.assertEqual(digest(BIN / "bridge"), digest(WORK / "other/bridge"))


class WhileInUse(InstallCase):
    def test_no_call_fails(self) -> None:
        """Plugins are called without a pause while versions come and go."""
        versions = [BUILT, other_build()]
        install("--from", str(versions[0]), "--no-verify")
        stop = threading.Event()
        calls = {plugin: [0, 0] for plugin in PLUGINS}

        def call(plugin: str) -> None:
            while not stop.is_set():
                try:
                    fine = version_of(BIN / plugin)
                except (OSError, ValueError):
                    fine = False
                calls[plugin][not fine] += 1
        callers = [threading.Thread(target=call, args=(plugin,)) for plugin in PLUGINS]
        for caller in callers:
            caller.start()
        try:
            for turn in range(4):
                install("--from", str(versions[(turn + 1) % 2]), "--no-verify")
                install("--rollback")
                install("--rollback")
        finally:
            stop.set()
            for caller in callers:
                caller.join()
        for plugin, (good, bad) in calls.items():
            self.assertEqual(bad, 0, plugin)
            self.assertGreater(good, 12, plugin)  # more often than there were exchanges

    def test_a_running_plugin_goes_on(self) -> None:
        install("--from", str(BUILT), "--no-verify")
        # Popen returns when the plugin has begun; it waits for its configuration.
        with subprocess.Popen([BIN / "bridge"], env={"CNI_COMMAND": "VERSION"}, stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE) as running:
            install("--from", str(other_build()), "--no-verify")
            self.assertIn(b"supportedVersions", running.communicate(b"{}", timeout=60)[0])

    def test_killed_at_any_moment(self) -> None:
        """What is there works, the next run finishes, and the way back leads to the version before all of that."""
        reference.plugin_folder(BIN, ("bridge", "host-local"))
        old = look()
        options = ("--from", str(other_build()), "--no-verify", *V4)
        at, killed = 0, 2
        while killed:
            at, killed = at + 1, 0
            killed += self.killed(at, *options)
            self.usable(old)
            install(*options)
            self.assertEqual(digest(BIN / "bridge"), digest(WORK / "other/bridge"))
            self.clean()
            killed += self.killed(at, "--rollback")
            self.usable(old)
            install(*options)
            install("--rollback")
            self.assertEqual(look(), old, f"killed at step {at}")
            self.clean()
        self.assertGreater(at, len(PLUGINS) + 2)

    def test_interrupted_it_puts_back_what_was_there(self) -> None:
        reference.plugin_folder(BIN, ("bridge", "host-local"))
        old = look()
        for at in range(2, 2 + len(PLUGINS)):  # the first rename completes what is needed to put things back
            done = self.signalled("-TERM $PPID", at, "--from", str(other_build()), "--no-verify", *V4)
            self.assertEqual(done.returncode, 130, done.stderr)
            self.assertIn("nothing was changed", done.stderr)
            self.assertEqual(look(), old)
            self.assertFalse((BIN / ".cnio").exists())

    def killed(self, at: int, *options: str) -> bool:
        """Whether the run was killed, with all it started, before that one of its renames, or came to its end before."""
        done = self.signalled("-9 0", at, *options)
        self.assertIn(done.returncode, (0, -9), done.stderr)
        return done.returncode != 0

    def signalled(self, signal: str, at: int, *options: str) -> subprocess.CompletedProcess[str]:
        tools = WORK / "tools"
        tools.mkdir(exist_ok=True)
        (tools / "mv").write_text(KILLER.format(work=WORK, program=shutil.which("mv"), signal=signal))
        (tools / "mv").chmod(0o755)
        (WORK / "count").write_text("0")
        return world.run(INSTALL, *options, check=False, start_new_session=True,
                         env=os.environ | {"PATH": f"{tools}:{os.environ['PATH']}", "KILL_AT": str(at)})

    def usable(self, old: Tree) -> None:
        """Each file is an old one or a new one, and whole."""
        new = {str(BIN / plugin): digest(WORK / "other" / plugin) for plugin in PLUGINS}
        for path, facts in look().items():
            if path in new:
                self.assertIn(facts[-1], (new[path], *old.get(path, ())[-1:]), path)
                self.assertTrue(version_of(pathlib.Path(path)), path)
        for path in CONF.glob("*.conf"):
            self.assertIn("cniVersion", json.loads(path.read_text()))

    def clean(self) -> None:
        left = {path.name for path in [*(BIN / ".cnio").iterdir(), *CONF.glob(".*"), *BIN.glob(".*.cnio-new")]}
        self.assertLessEqual({"lock", "previous"}, left)
        self.assertLessEqual(left, {"lock", "previous", "installed"})


class Checked(InstallCase):
    def test_says_in_words_what_is_there(self) -> None:
        there = node()
        shutil.rmtree("/run/cnio", ignore_errors=True)
        said = install("--check", "--from", str(BUILT))
        self.assertRegex(said, "ok +kernel: bridges and veth pairs")
        self.assertRegex(said, "ok +kernel: addresses .*NAT")
        possible = world.run("unshare", "-n", "ip", "link", "add", "type", "bridge", "vlan_filtering", "1", check=False)
        self.assertRegex(said, ("ok" if possible.returncode == 0 else "missing") + " +kernel: VLAN filtering")
        self.assertEqual(node(), there)
        self.assertFalse(pathlib.Path("/run/cnio").exists())


if __name__ == "__main__":
    reference.find()
    world.enter(unittest.main)
