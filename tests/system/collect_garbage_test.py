#!/usr/bin/python3
# Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
"""scripts/collect-garbage, and cnioctl gc as docs/errors.md tells people to call it: no pod that is alive loses
anything."""
import json
import os
import pathlib
import re
import shutil
import subprocess
import time
import unittest
from typing import Any

from support import reference, world

SOURCE = pathlib.Path(__file__).parents[2]
COLLECT = SOURCE / "scripts/collect-garbage"
BIN = pathlib.Path("/opt/cni/bin")
STORE = pathlib.Path("/var/lib/cni/networks/bridge")
CONF = pathlib.Path("/etc/cni/net.d/10-bridge.conf")
WORK = pathlib.Path("/run/collect-test")
TOOLS = ("awk", "cat", "find", "head", "id", "ip", "jq", "mktemp", "nft", "rm", "sed", "sh", "sort", "tr", "wc")
RUNTIMES = ("crictl", "ctr", "podman")
PLUGIN = {"type": "bridge", "bridge": "cnio0", "isGateway": True, "ipMasq": True,
          "ipam": {"type": "host-local", "ranges": [[{"subnet": "10.240.1.0/24"}]]}}


class Case(unittest.TestCase):
    def setUp(self) -> None:
        for folder in (WORK, BIN.parent):
            shutil.rmtree(folder, ignore_errors=True)
        (WORK / "tools").mkdir(parents=True)
        for tool in TOOLS:  # the machine's own runtimes are none of ours
            (WORK / "tools" / tool).symlink_to(str(shutil.which(tool)))
        reference.plugin_folder(BIN, ())
        CONF.parent.mkdir(parents=True, exist_ok=True)
        CONF.write_text(json.dumps({"cniVersion": "0.4.0", "name": "bridge"} | PLUGIN))
        self.addCleanup(world.sweep)

    def call(self, container: str, command: str = "ADD", folder: pathlib.Path = BIN, ifname: str = "eth0",
             **config: Any) -> None:
        if command == "ADD" and not pathlib.Path(f"/run/netns/{container}").exists():
            world.run("ip", "netns", "add", container)
        environment = {"CNI_COMMAND": command, "CNI_CONTAINERID": container, "CNI_NETNS": f"/run/netns/{container}",
                       "CNI_IFNAME": ifname, "CNI_PATH": str(folder), "PATH": os.environ["PATH"]}
        subprocess.run([folder / "bridge"], input=json.dumps(json.loads(CONF.read_text()) | config), env=environment,
                       check=True, capture_output=True, text=True, timeout=60)

    def lost(self, container: str, **config: Any) -> None:
        """A pod that is gone, and whose DEL never came."""
        self.call(container, **config)
        world.run("ip", "netns", "delete", container)
        world.wait_until("the kernel has removed the pod's interface",
                         lambda: f"/{container}/" not in world.run("ip", "link").stdout)

    def age(self) -> None:
        """As if all of it were an hour old."""
        for file in STORE.iterdir():
            os.utime(file, (time.time() - 3600, time.time() - 3600))

    def holders(self) -> set[str]:
        return {file.read_text().splitlines()[0] for file in STORE.iterdir() if file.name[0].isdigit()}

    def runtime(self, name: str, says: str, status: int = 0) -> None:
        (WORK / "tools" / name).write_text(f"#!/bin/sh\ncat <<'END'\n{says}END\nexit {status}\n")
        (WORK / "tools" / name).chmod(0o755)

    def collect(self, *options: str, expect: int = 0, said: str | None = None, stdin: str = "") -> str:
        done = subprocess.run([COLLECT, *options, CONF], env={"PATH": str(WORK / "tools")}, capture_output=True,
                              text=True, check=False, timeout=60, input=stdin)
        text = done.stdout + done.stderr
        self.assertEqual(done.returncode, expect, text)
        if said:
            self.assertIn(said, text)
        return text

    def has_all(self, container: str) -> None:
        """Its address, its rules and its link."""
        self.assertIn(container, self.holders())
        self.assertIn(f"id: {container}\"", world.run("nft", "list", "ruleset").stdout)
        self.assertIn(f"cnio bridge/{container}/eth0", world.run("ip", "link").stdout)


class Collects(Case):
    def test_what_the_page_says_copied_literally(self) -> None:
        """Every shell command of the page's section on GC, one after the other, with pods that are alive."""
        # FAULT("E18 pages followed")
        self.call("alive1")
        self.call("alive2")
        self.lost("gone")
        self.age()
        page = (SOURCE / "docs/errors.md").read_text()
        section = page[page.index("## The range is full"):].split("\n## ")[0]
        commands = re.findall(r"```sh\n(.*?)```", section, re.DOTALL)
        self.assertEqual(len([block for block in commands if "cnioctl gc" in block]), 2)
        (WORK / "tools/cnioctl").symlink_to(pathlib.Path(os.environ["CNIO_BUILD_DIR"], "stage/usr/local/sbin/cnioctl"))
        for block in commands:
            done = subprocess.run(["/bin/sh", "-c", block.replace("sudo ", "")], env={"PATH": str(WORK / "tools")},
                                  capture_output=True, text=True, check=False, timeout=60)
            # 1: there is something to be removed
            self.assertEqual(done.returncode, 1 if "--dry-run" in block else 0, f"{block}{done.stdout}{done.stderr}")
            for container in ("alive1", "alive2"):
                self.has_all(container)
        self.assertEqual(self.holders(), {"alive1", "alive2"})

    def test_shows_first_and_removes_when_told(self) -> None:
        # FAULT("E18 shown first")
        self.call("alive")
        self.lost("gone")
        self.age()
        shown = self.collect(said="goes   gone eth0: 10.240.1.3")
        self.assertIn("goes   gone eth0: rules", shown)
        self.assertIn("stays  alive eth0", shown)
        self.assertEqual(self.holders(), {"alive", "gone"})
        self.collect("--remove", said="done")
        self.assertEqual(self.holders(), {"alive"})
        self.assertNotIn("gone", world.run("nft", "list", "ruleset").stdout)
        self.has_all("alive")
        self.collect(said="nothing would go")

    def test_every_interface_of_a_pod_and_lists(self) -> None:
        CONF.write_text(json.dumps({"cniVersion": "1.0.0", "name": "bridge", "plugins": [
            PLUGIN, {"type": "portmap", "capabilities": {"portMappings": True}}]}))
        single = {"plugins": None} | PLUGIN
        self.call("alive", **single)
        self.call("alive", ifname="net1", **single)
        self.lost("gone", **single)
        self.age()
        self.collect("--remove")
        self.assertEqual(self.holders(), {"alive"})
        self.assertEqual(len(list(STORE.glob("10.*"))), 2)

    def test_new_reservations_stay(self) -> None:
        self.call("alive")
        self.lost("starting")  # as far as can be seen; its ADD may be under way
        self.collect("--remove", said="nothing would go")
        self.assertEqual(self.holders(), {"alive", "starting"})

    def test_what_a_runtime_lists_stays(self) -> None:
        for runtime, listed in (("crictl", "listed\n"), ("podman", "x\nlisted\n"), ("ctr", "listed\n")):
            with self.subTest(runtime):
                self.call("alive")
                self.lost("listed")
                self.lost("gone")
                self.age()
                self.runtime(runtime, listed)
                self.collect("--remove")
                self.assertEqual(self.holders(), {"alive", "listed"})
                self.assertIn('id: listed"', world.run("nft", "list", "ruleset").stdout)
                (WORK / "tools" / runtime).unlink()
                world.sweep()

    def test_ids_from_a_file(self) -> None:
        self.lost("listed")
        self.lost("gone")
        self.age()
        self.collect("--remove", "--ids", "-", stdin="listed\n")
        self.assertEqual(self.holders(), {"listed"})


class Refuses(Case):
    def test_if_nobody_is_known_to_be_alive(self) -> None:
        # FAULT("E18 empty list")
        self.lost("gone")
        self.age()
        self.collect("--remove", expect=1, said="no pod is known to be alive")
        self.runtime("crictl", "")
        self.collect("--remove", expect=1, said="no pod is known to be alive")
        self.assertEqual(self.holders(), {"gone"})

    def test_if_other_interfaces_may_be_pods(self) -> None:
        """Those of the reference bear no mark: only a runtime knows them."""
        # FAULT("E18 unknown pods")
        self.call("alive")
        self.call("theirs", folder=pathlib.Path(os.environ["CNIO_REFERENCE_DIR"]), cniVersion="1.0.0")
        self.lost("gone")
        self.age()
        self.collect("--remove", expect=1, said="no runtime could be asked")
        self.runtime("crictl", "alive\n", status=1)
        self.collect("--remove", expect=1, said="no runtime could be asked")
        self.assertEqual(self.holders(), {"alive", "theirs", "gone"})
        self.runtime("crictl", "alive\ntheirs\n")
        self.collect("--remove")
        self.assertEqual(self.holders(), {"alive", "theirs"})

    def test_a_mark_that_is_cut_off(self) -> None:
        self.call("alive")
        self.call("x" * 250)
        self.collect("--remove", expect=1, said="cut off")

    def test_what_is_no_configuration(self) -> None:
        self.call("alive")
        for text in ("", "{", "{}", '{"type": "ptp", "name": "bridge"}', '{"name": "bridge", "plugins": []}',
                     json.dumps(PLUGIN), json.dumps({"name": "bridge", "plugins": [PLUGIN, PLUGIN]})):
            CONF.write_text(text)
            self.collect("--remove", expect=1)
        done = subprocess.run([COLLECT], capture_output=True, text=True, check=False, timeout=60)
        self.assertEqual((done.returncode, "which configuration?" in done.stderr), (2, True))


if __name__ == "__main__":
    reference.find()
    world.enter(unittest.main)
