#!/usr/bin/python3
# Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
"""What is installed for bash, zsh and fish completes a command line in these shells themselves."""
import os
import pathlib
import pty
import select
import subprocess
import time
import unittest

from support import world

STAGE = pathlib.Path(os.environ["CNIO_BUILD_DIR"]) / "stage/usr/local"
PATH = f"{STAGE / 'sbin'}:{os.environ['PATH']}"
HOME = pathlib.Path("/run/completion-test")

# Bash's own function, asked as readline asks it.
BASH = """
source {share}/bash-completion/completions/cnioctl
COMP_LINE=$1 COMP_POINT=${{#1}}
read -r -a COMP_WORDS <<<"$1"
[[ $1 != *' ' ]] || COMP_WORDS+=('')
COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
read -r -a how < <(complete -p cnioctl)
for ((i = 0; i < ${{#how[@]}}; i++)); do [[ ${{how[i]}} != -F ]] || "${{how[i + 1]}}"; done
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


def in_bash(line: str) -> set[str]:
    command = ["bash", "--norc", "-c", BASH.format(share=STAGE / "share"), "bash", line]
    said = subprocess.run(command, env={"PATH": PATH, "HOME": str(HOME)}, capture_output=True, text=True, check=True)
    assert not said.stderr, said.stderr
    return set(said.stdout.split())


def in_fish(line: str) -> set[str]:
    source = f"source {STAGE}/share/fish/vendor_completions.d/cnioctl.fish; complete -C $argv[1]"
    said = subprocess.run(["fish", "--no-config", "-c", source, line], env={"PATH": PATH, "HOME": str(HOME)},
                          capture_output=True, text=True, check=True)
    assert not said.stderr, said.stderr
    return {word.split("\t")[0] for word in said.stdout.splitlines()}


class Terminal:
    """An interactive zsh, which completes nowhere else."""

    def __init__(self) -> None:
        pid, self._fd = pty.fork()
        if pid == 0:
            os.execvpe("zsh", ["zsh", "-f", "-i"], {"PATH": PATH, "HOME": str(HOME), "TERM": "dumb", "COLUMNS": "200"})
        # Words without what they mean. The marks are not what is typed, which a terminal says again. What is typed before
        # zsh edits a line is not edited.
        self.say(f"PS1=; stty columns 200 rows 100; fpath=({STAGE}/share/zsh/site-functions $fpath); "
                 "autoload -U compinit; compinit -u -D; zstyle ':completion:*' verbose no; LISTMAX=999; "
                 "_begin() { print zle''ready }; zle -N zle-line-init _begin")
        self.hear("zleready")

    def say(self, line: str, end: str = "\n") -> None:
        os.write(self._fd, (line + end).encode())

    def hear(self, *words: str) -> None:
        """Waits until all of them were said."""
        out, deadline = "", time.monotonic() + 60
        while not all(word in out for word in words):
            if not select.select([self._fd], [], [], max(0, deadline - time.monotonic()))[0]:
                raise AssertionError(f"zsh never said all of {words}, but {out!r}")
            out += os.read(self._fd, 65536).decode(errors="replace")

    def lists(self, line: str, *words: str) -> None:
        """What may come next. Nothing else is typed meanwhile: zsh lists nothing to somebody who types on."""
        self.say(line, end="\x04")  # ^D
        self.hear(*words)
        self.say("", end="\x15")  # ^U: nothing of it is run


class Completion(unittest.TestCase):
    def setUp(self) -> None:
        HOME.mkdir(exist_ok=True)

    def check(self, complete) -> None:  # type: ignore[no-untyped-def] # what a shell makes of a line
        self.assertLessEqual({"status", "gc", "subnet", "explain", "picture"}, complete("cnioctl "))
        self.assertEqual(complete("cnioctl subnet ") & {"show", "check", "write", "status"}, {"show", "check", "write"})
        self.assertEqual(complete("cnioctl gc --dr"), {"--dry-run"})
        self.assertEqual(complete("cnioctl --json ipam --state re"), {"rebooted"})
        self.assertLessEqual({"bash", "zsh", "fish"}, complete("cnioctl completion "))

    def test_bash(self) -> None:
        self.check(in_bash)

    def test_fish(self) -> None:
        self.check(in_fish)

    def test_zsh(self) -> None:
        terminal = Terminal()
        terminal.lists("cnioctl ", "status", "gc", "subnet", "explain", "picture")
        terminal.lists("cnioctl subnet ", "show", "check", "write")
        terminal.lists("cnioctl gc --", "--dry-run", "--apply")
        terminal.lists("cnioctl --json ipam --state ", "rebooted", "stale", "live")


if __name__ == "__main__":
    world.enter(unittest.main)
