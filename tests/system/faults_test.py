#!/usr/bin/python3
# Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
"""scripts/faults, the share of it that takes minutes; before that, a few faults each for plugins that are wrong on
purpose, to see that it finds what it is there to find; and strace, to see that it misses no call."""
import collections
import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

from support import tracer

FAULTS = pathlib.Path(__file__).resolve().parents[2] / "scripts/faults"
PLUGINS = pathlib.Path(os.environ["CNIO_PLUGIN_DIR"])
STORE = "/var/lib/cni/networks"


def faults(*words: str, plugins: pathlib.Path = PLUGINS) -> subprocess.CompletedProcess[str]:
    return subprocess.run([FAULTS, "--plugins", plugins, *words], env=os.environ | {"CNIO_PLUGIN_DIR": str(plugins)},
                          text=True, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


class WrongPlugins(unittest.TestCase):
    """Each leaves or says something that it should not, and only when something goes wrong."""

    def find(self, plugin: str, script: str, expected: str, *words: str) -> None:
        """$REAL in the script, which takes the plugin's place, is the plugin."""
        with tempfile.TemporaryDirectory() as folder:
            plugins = pathlib.Path(folder, "plugins")
            shutil.copytree(PLUGINS, plugins)
            real = plugins / f"{plugin}.real"
            (plugins / plugin).rename(real)
            (plugins / plugin).write_text(f"#!/bin/sh\nREAL={real}\n{script}\n")
            (plugins / plugin).chmod(0o755)
            done = faults(*words, plugins=plugins)
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertRegex(done.stdout, f"(?m)^FOUND .*{expected}")

    def test_what_a_killed_add_leaves_for_ever_is_found(self) -> None:
        script = (f'[ $CNI_COMMAND = ADD ] || exec "$REAL"; mkdir -p {STORE}; : >{STORE}/begun; '
                  f'"$REAL" && exec rm {STORE}/begun')
        self.find("bridge", script, "after the kill and DEL: .*store left: [^;]*begun",
                  "--network", "layer2", "--verb", "ADD", "--kind", "kills", "--all", "--every", "61")

    def test_what_a_failed_add_leaves_is_found(self) -> None:
        script = f'"$REAL" && exit; : >{STORE}/left; exit 1'
        self.find("host-local", script, "after the error .*store left: .*left",
                  "--network", "host-local", "--verb", "ADD", "--kind", "errors", "--all", "--every", "17")

    def test_a_check_that_does_not_agree_is_found(self) -> None:
        self.find("loopback", 'if [ $CNI_COMMAND = CHECK ]; then exit 3; fi; exec "$REAL"', "ADD succeeded, but CHECK",
                  "--network", "loopback", "--verb", "ADD", "--kind", "errors", "--all", "--every", "17")

    def test_an_error_without_a_reason_is_found(self) -> None:
        script = r'''out=$("$REAL") && { echo "$out"; exit; }; echo '{"code": 100, "msg": "loopback: failed"}'; exit 1'''
        self.find("loopback", script, "the message does not say E",
                  "--network", "loopback", "--verb", "ADD", "--kind", "errors", "--all", "--every", "7")

    def test_a_program_that_works_on_when_the_plugin_is_dead_is_found(self) -> None:
        # The program that the shell calls is not the one that bridge has tied to its life.
        self.find("host-local", '"$REAL"; exit', "plugin killed while that is at call",
                  "--network", "bridge", "--verb", "ADD", "--kind", "kills", "--all", "--every", "13")


class Calls(unittest.TestCase):
    def test_every_call_that_strace_sees_is_counted(self) -> None:
        config = json.dumps({"cniVersion": "1.1.0", "name": "calls", "type": "loopback"})
        command = [str(PLUGINS / "loopback")]
        environment = {"CNI_COMMAND": "DEL", "CNI_CONTAINERID": "pod", "CNI_IFNAME": "lo", "CNI_NETNS": "/run/netns/none",
                       "CNI_PATH": str(PLUGINS), "PATH": os.environ["PATH"]}
        [counted] = tracer.run(command, environment, config).calls
        said = subprocess.run(["strace", "-qq", *command], env=environment, input=config, text=True, check=True,
                              stderr=subprocess.PIPE).stderr
        seen = re.findall(r"^(\w+)\(", said, flags=re.M)
        self.assertEqual(seen[0], "execve")  # that is before the plugin's first
        self.assertEqual(collections.Counter(seen[1:]), collections.Counter(counted))


class Plugins(unittest.TestCase):
    def test_survive(self) -> None:
        done = faults()
        print(done.stdout, flush=True)
        self.assertEqual(done.returncode, 0)


if __name__ == "__main__":
    unittest.main()
