#!/usr/bin/python3
# Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
"""The plugins for arm64: cross-built without a preset, packed, and run in emulation side by side with the machine's own.

qemu-user runs a program of another architecture on the machine's own kernel. Debian 12's translates enough for
host-local, and for all of bridge but what asks a file whether it is a network namespace, or speaks to nf_tables: ADD
into a namespace, and masquerading. So the machine's own plugins attach pods, and those for arm64 remove them."""
import json
import os
import pathlib
import re
import shutil
import subprocess
import tarfile
import unittest
from typing import Any

from support import plugin_list, world

SOURCE = pathlib.Path(__file__).resolve().parents[2]
RELEASE = pathlib.Path(os.environ["CNIO_BUILD_DIR"])
BUILD, PACKAGES = RELEASE.parent / "plain-arm64", RELEASE / "arm64-test"
NATIVE = pathlib.Path(os.environ["CNIO_PLUGIN_DIR"])
WORK = pathlib.Path("/run/arm64-test")
UNPACKED, ARM64 = WORK / "unpacked", WORK / "bin"  # ARM64: scripts that call the emulator for what was unpacked
EMULATOR = "qemu-aarch64-static"
PLUGINS = plugin_list.names()
STORE = pathlib.Path("/var/lib/cni/networks")
Json = dict[str, Any]


def config(kind: str, **changes: Any) -> Json:
    """A configuration of the examples, as bridge on layer 3 without masquerading, or as host-local alone."""
    example: Json = json.loads(pathlib.Path(os.environ["CNIO_EXAMPLES_DIR"], "10-bridge.conf").read_text())
    return {**example, "type": kind, "cniVersion": "1.1.0", "ipMasq": False, **changes}


def call(folder: pathlib.Path, command: str, conf: Json | str, *, pod: str = "pod", netns: str | None = None,
         ifname: str = "eth0", expect: int = 0) -> Json:
    """Calls the plugin of conf["type"] in the folder as a runtime does; returns its answer, {} if it was silent."""
    plugin = "host-local" if isinstance(conf, str) else conf["type"]
    environment = {"PATH": os.environ["PATH"], "CNI_COMMAND": command, "CNI_CONTAINERID": pod, "CNI_IFNAME": ifname,
                   "CNI_NETNS": f"/run/netns/{pod}" if netns is None else netns, "CNI_PATH": str(folder)}
    done = subprocess.run([folder / plugin], env=environment, input=conf if isinstance(conf, str) else json.dumps(conf),
                          capture_output=True, text=True, timeout=60, check=False)
    if done.returncode != expect:
        raise AssertionError(f"{command} of {folder / plugin}: status {done.returncode}\n{done.stdout}{done.stderr}")
    return json.loads(done.stdout) if done.stdout else {}


def links() -> list[str]:
    return [link["ifname"] for link in json.loads(world.run("ip", "-json", "link").stdout)]


def reserved() -> list[str]:
    return sorted(path.name for path in STORE.glob("*/*") if re.match(r"[\d.]+$", path.name))


class Package(unittest.TestCase):
    def test_names_and_contents_are_those_of_arm64(self) -> None:
        names = sorted(path.name for path in PACKAGES.glob("*arm64*"))
        version = re.sub(r".*-v|\.tgz.*", "", names[0])
        tgz, deb = f"cni-plugins-linux-arm64-v{version}.tgz", f"cnio_{version}_arm64.deb"
        self.assertEqual(names, [tgz, f"{tgz}.sha256", deb, f"{deb}.sha256"])
        self.assertEqual(world.run("dpkg-deb", "--field", PACKAGES / deb, "Architecture").stdout, "arm64\n")
        world.run("sha256sum", "--check", "--strict", f"{tgz}.sha256", f"{deb}.sha256", cwd=PACKAGES)

    def test_executables_are_static_and_for_arm64(self) -> None:
        for program in (*PLUGINS, "cnio/cnioctl"):
            headers = world.run("readelf", "--file-header", "--program-headers", UNPACKED / program).stdout
            self.assertRegex(headers, r"Machine: +AArch64")
            self.assertNotRegex(headers, "INTERP|DYNAMIC")


class SameAnswers(unittest.TestCase):
    """Both architectures answer alike, byte for byte where nothing random is in the answer."""

    def both(self, command: str, conf: Json | str, **options: Any) -> Json:
        native, arm64 = (call(folder, command, conf, **options) for folder in (NATIVE, ARM64))
        self.assertEqual(arm64, native)
        return arm64

    def test_version_and_usage(self) -> None:
        for plugin in PLUGINS:
            self.assertIn("1.1.0", self.both("VERSION", {"type": plugin})["supportedVersions"])
            said = [subprocess.run([folder / plugin], env={"PATH": os.environ["PATH"]}, stdin=subprocess.DEVNULL,
                                   capture_output=True, check=True).stderr for folder in (NATIVE, ARM64)]
            self.assertRegex(said[0].decode(), rf"^CNI {plugin} plugin v\d")
            self.assertEqual(said[1], said[0])

    def test_errors(self) -> None:
        for text in ("", "{", "[]", '{"name": "x"}', '{"cniVersion": "9.9.9", "name": "x", "type": "host-local"}'):
            self.assertIn("code", self.both("ADD", text, expect=1))
        bad = config("host-local", ipam={"type": "host-local", "subnet": "10.240.1.0/31"})
        self.assertEqual(self.both("ADD", bad, expect=1)["code"], 7)

    def test_host_local_gives_checks_and_frees_the_same_addresses(self) -> None:
        answers = []
        for name, folder in (("native", NATIVE), ("arm64", ARM64)):
            ipam = {"type": "host-local", "dataDir": str(WORK / name), "routes": [{"dst": "0.0.0.0/0"}],
                    "ranges": [[{"subnet": "10.9.0.0/29"}], [{"subnet": "fd00:9::/64", "rangeStart": "fd00:9::ffff"}]]}
            conf = config("host-local", ipam=ipam)
            given = [call(folder, "ADD", conf, pod=f"pod{n}") for n in range(5)]
            call(folder, "CHECK", {**conf, "prevResult": given[3]}, pod="pod3")
            unknown = call(folder, "CHECK", {**conf, "prevResult": given[3]}, pod="nobody", expect=1)
            full = call(folder, "ADD", conf, pod="one too many", expect=1)
            call(folder, "DEL", conf, pod="pod3")
            again = call(folder, "ADD", conf, pod="later")
            files = {path.name: path.read_bytes() for path in (WORK / name).glob("*/*")}
            text = json.dumps([given, unknown, full, again]).replace(str(WORK / name), "")
            answers.append((text, files))
        self.assertEqual(answers[1], answers[0])
        self.assertIn('"address": "10.9.0.5/29"', answers[1][0])
        self.assertIn("10.9.0.5", answers[1][1])


class Bridge(unittest.TestCase):
    """What the machine's own bridge attached, the one for arm64 finds and removes: names and files are the same."""

    def setUp(self) -> None:
        world.run("ip", "netns", "add", "pod")
        self.conf = config("bridge")
        call(NATIVE, "ADD", self.conf)
        self.assertEqual((len([name for name in links() if name.startswith("veth")]), len(reserved())), (1, 1))

    def tearDown(self) -> None:
        call(NATIVE, "DEL", self.conf)
        world.run("ip", "netns", "delete", "pod", check=False)
        world.run("ip", "link", "delete", "cnio0")

    def assert_removed(self) -> None:
        self.assertEqual(links(), ["lo", "cnio0"])
        self.assertEqual(reserved(), [])

    def test_del_without_a_namespace(self) -> None:
        call(ARM64, "DEL", self.conf, netns="")
        self.assert_removed()

    def test_del_after_the_namespace(self) -> None:
        world.run("ip", "netns", "delete", "pod")
        call(ARM64, "DEL", self.conf)
        self.assert_removed()

    def test_gc_keeps_what_is_valid_and_removes_the_rest(self) -> None:
        attachments = [{"containerID": "pod", "ifname": "eth0"}]
        call(ARM64, "GC", {**self.conf, "cni.dev/valid-attachments": attachments})
        self.assertEqual((len(links()), len(reserved())), (3, 1))
        call(ARM64, "GC", {**self.conf, "cni.dev/valid-attachments": []})
        self.assert_removed()

    def test_status(self) -> None:
        self.assertEqual(call(ARM64, "STATUS", self.conf), {})
        broken = config("bridge", ipam={**self.conf["ipam"], "dataDir": "/proc/version"})
        self.assertEqual(call(ARM64, "STATUS", broken, expect=1), call(NATIVE, "STATUS", broken, expect=1))

    def test_add_is_as_far_as_the_emulator_goes(self) -> None:
        # The ioctl NS_GET_NSTYPE is unknown to it. If this fails because ADD works, test ADD.
        for plugin, ifname in (("bridge", "eth1"), ("loopback", "lo")):
            error = call(ARM64, "ADD", config(plugin), ifname=ifname, expect=1)
            self.assertEqual(error["code"], 4)
            self.assertIn("is not a network namespace", error["msg"])
        self.assertEqual((len(links()), len(reserved())), (3, 1))


def prepare() -> None:
    """The cross build, outside: it may have to download libraries."""
    shutil.rmtree(PACKAGES, ignore_errors=True)
    # Without sudo's variables it leaves the owner of the build folder alone, in which other tests are at work.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SUDO_")}
    world.run(SOURCE / "scripts/lib/plain-arm64", BUILD, seconds=1600, env=environment)
    PACKAGES.mkdir()
    world.run("cpack", "--config", BUILD / "CPackConfig.cmake", "-B", PACKAGES, env=environment)


def main() -> None:
    for folder in (UNPACKED, ARM64):
        folder.mkdir(parents=True)
    with tarfile.open(next(PACKAGES.glob("*.tgz"))) as archive:
        archive.extractall(UNPACKED)
    for plugin in PLUGINS:
        (ARM64 / plugin).write_text(f'#!/bin/sh\nexec {EMULATOR} {UNPACKED / plugin} "$@"\n')
        (ARM64 / plugin).chmod(0o755)
    unittest.main()


if __name__ == "__main__":
    if world.INSIDE not in os.environ:
        prepare()
    world.enter(main)
