# Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
"""Runs a program under ptrace, counts the system calls of each of its processes, and spoils one of them.

    seen = tracer.run(["/opt/cni/bin/bridge"], environment, config)
    tracer.run([...], environment, config, tracer.Spoil(process=1, call=7, how=tracer.KILL))

strace's `inject=` does much of this, but counts each kind of call by itself, begins anew in each process, cannot tell
the first calls of a child from those of its parent, and cannot shorten a read or write honestly. For x86-64 only.
"""
import ctypes
import dataclasses
import errno
import functools
import os
import pathlib
import re
import signal
from collections.abc import Mapping, Sequence

KILL = "kill"      # SIGKILL at the entry: the call is not made
SHORT = "short"    # a read or write that handles only a part
CREATING = "openat-create"  # the name of an openat that makes a file: other things can go wrong with it
# Else an error's name. Of these two the call's work is done, only its success is not told: a descriptor is closed
# whatever close() says, and ENOBUFS of a receive means that an answer was dropped.
AFTERWARDS = {("close", None), ("recvmsg", "ENOBUFS"), ("recvfrom", "ENOBUFS")}

_TRACEME, _CONT, _SYSCALL, _GETREGS, _SETREGS = 0, 7, 24, 12, 13
_SETOPTIONS, _GETEVENTMSG = 0x4200, 0x4201
_OPTIONS = 1 | 2 | 4 | 8 | 16 | 0x100000  # TRACESYSGOOD, fork, vfork, clone, exec, EXITKILL
_NEW_PROCESS, _EXEC = (1, 2, 3), 4
_WALL = 0x40000000
_RAX, _RDX, _RSI, _RDI, _ORIG_RAX = 10, 12, 13, 14, 15
_PATH_ARGUMENT = {"open": 0, "openat": 1, CREATING: 1, "newfstatat": 1, "readlink": 0, "linkat": 3, "unlinkat": 1, "mkdir": 0,
                  "execve": 0, "faccessat2": 1, "access": 0, "stat": 0}


@dataclasses.dataclass(frozen=True)
class Spoil:
    """Which call: the `call`-th of the `process`-th process, from 1 and from 0 on; if a `name` is given, the `call`-th
    of that name. `parent`: with KILL, not the process but the first one, while that process stands at the call."""
    process: int
    call: int
    how: str
    name: str = ""
    parent: bool = False


@dataclasses.dataclass
class Trace:
    """What happened. `calls` has the names of each process' calls, in order of their start."""
    status: int  # of the first process: exit status, or -signal
    out: str
    err: str
    calls: list[list[str]]
    spoiled: str  # the call that was spoiled, with its path if it has one; empty if it never came
    held: list[int]  # processes that outlived the first one; they stand still. See release().


class _Registers(ctypes.Structure):
    _fields_ = [("all", ctypes.c_ulong * 27)]


@functools.cache
def _libc() -> ctypes.CDLL:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.restype = ctypes.c_long
    libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    return libc


@functools.cache
def _names() -> dict[int, str]:
    for header in pathlib.Path("/usr/include").glob("x86_64-*/asm/unistd_64.h"):
        return {int(number): name for name, number in re.findall(r"__NR_(\w+) (\d+)", header.read_text())}
    raise FileNotFoundError("asm/unistd_64.h: package linux-libc-dev is missing")


def _ptrace(request: int, pid: int, data: int | ctypes.c_void_p = 0) -> None:
    if _libc().ptrace(request, pid, None, data) < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def run(command: Sequence[str], environment: Mapping[str, str], stdin: str, spoil: Spoil | None = None) -> Trace:
    """To the end of the first process. No other child of the caller may exist meanwhile."""
    files = [os.memfd_create(name) for name in ("stdin", "stdout", "stderr")]
    try:
        os.write(files[0], stdin.encode())
        os.lseek(files[0], 0, os.SEEK_SET)
        tracing = _Tracing(_start(command, environment, files), spoil)
        status = tracing.follow()
        out, err = (os.pread(file, 1 << 20, 0).decode(errors="replace") for file in files[1:])
        return Trace(status, out, err, tracing.calls, tracing.spoiled, sorted(tracing.alive))
    finally:
        for file in files:
            os.close(file)


def release(trace: Trace) -> None:
    """Lets the held processes run to their end, and waits for it."""
    tracing = _Tracing(0, None)
    tracing.alive = set(trace.held)
    for pid in trace.held:
        _ignore_gone(_CONT, pid)
    tracing.bury()


def _start(command: Sequence[str], environment: Mapping[str, str], files: Sequence[int]) -> int:
    names = _names()  # the child has no time to lose
    pid = os.fork()
    if pid == 0:
        try:
            for target, file in enumerate(files):
                os.dup2(file, target)
            os.closerange(3, 256)
            _ptrace(_TRACEME, 0)
            os.kill(os.getpid(), signal.SIGSTOP)
            signal.signal(signal.SIGPIPE, signal.SIG_DFL)
            os.execve(command[0], list(command), dict(environment))
        finally:
            os._exit(127 if names else 126)
    os.waitpid(pid, _WALL)
    _ptrace(_SETOPTIONS, pid, _OPTIONS)
    return pid


def _ignore_gone(request: int, pid: int, data: int = 0) -> None:
    """A process can be killed at any time, even while it stands still."""
    try:
        _ptrace(request, pid, data)
    except ProcessLookupError:
        pass


class _Tracing:
    def __init__(self, pid: int, spoil: Spoil | None) -> None:
        self.pid = pid
        self.spoil = spoil
        self.spoiled = ""
        self.calls: list[list[str]] = []
        self.alive = {pid} if pid else set()
        self._place: dict[int, int] = {}      # pid -> index in calls
        self._inside: set[int] = set()        # pids within a call
        self._amend: dict[int, tuple[int, int]] = {}  # pid -> register and value that its current call shall end with
        self._stopped: set[int] = set()       # pids that have shown their first stop
        self._frozen: set[int] = set()
        self._running = False                 # the program has taken the place of ours

    def follow(self) -> int:
        _ptrace(_SYSCALL, self.pid)
        while True:
            pid, status = os.waitpid(-1, _WALL)
            if os.WIFEXITED(status) or os.WIFSIGNALED(status):
                self.alive.discard(pid)
                if pid == self.pid:
                    break
            else:
                self._stop(pid, status)
        self._hold()
        return os.waitstatus_to_exitcode(status)

    def bury(self) -> None:
        while self.alive:
            pid, status = os.waitpid(-1, _WALL)
            if os.WIFSTOPPED(status):
                sent = os.WSTOPSIG(status)
                _ignore_gone(_CONT, pid, 0 if sent & 0x80 or sent in (signal.SIGTRAP, signal.SIGSTOP) else sent)
            else:
                self.alive.discard(pid)

    def _hold(self) -> None:
        """Those that outlived the first process stand still at their next call, or have ended by then."""
        waiting = self.alive - self._frozen
        while waiting:
            pid, status = os.waitpid(-1, _WALL)
            waiting.discard(pid)
            if not os.WIFSTOPPED(status):
                self.alive.discard(pid)

    def _stop(self, pid: int, status: int) -> None:
        sent, event = os.WSTOPSIG(status), status >> 16
        pass_on = 0
        if event in _NEW_PROCESS:
            message = ctypes.c_ulong()
            _ptrace(_GETEVENTMSG, pid, ctypes.cast(ctypes.byref(message), ctypes.c_void_p))
            self._know(message.value)
        elif event == _EXEC:
            if pid == self.pid and not self._running:
                self._running = True
                self._know(pid)
        elif sent == signal.SIGTRAP | 0x80:
            if self._call(pid):
                return
        elif sent == signal.SIGSTOP and pid not in self._stopped:
            self._stopped.add(pid)
            self._know(pid)
        else:
            pass_on = sent
        _ignore_gone(_SYSCALL, pid, pass_on)

    def _know(self, pid: int) -> None:
        if pid not in self._place:
            self.alive.add(pid)
            self._place[pid] = len(self.calls)
            self.calls.append([])

    def _call(self, pid: int) -> bool:
        """At the entry or exit of a call. True if the process is to stay there."""
        if pid in self._inside:
            self._inside.discard(pid)
            if pid in self._amend:
                self._change(pid, dict([self._amend.pop(pid)]))
            return False
        if pid not in self._place or not self._running:
            return False
        registers = _Registers()
        try:
            _ptrace(_GETREGS, pid, ctypes.cast(ctypes.byref(registers), ctypes.c_void_p))
        except ProcessLookupError:
            return False
        values = registers.all
        if values[_RAX] != 2**64 - errno.ENOSYS:  # the end of the execve that began before us
            return False
        self._inside.add(pid)
        name = _names().get(values[_ORIG_RAX], str(values[_ORIG_RAX]))
        if name == "openat" and values[_RDX] & (os.O_CREAT | os.O_TMPFILE & ~os.O_DIRECTORY):
            name = CREATING
        calls = self.calls[self._place[pid]]
        calls.append(name)
        spoil = self.spoil
        if spoil is None or self.spoiled or self._place[pid] != spoil.process:
            return False
        if (calls.count(name) if spoil.name == name else 0 if spoil.name else len(calls)) != spoil.call:
            return False
        return self._spoil(pid, name, values)

    def _spoil(self, pid: int, name: str, values: Sequence[int]) -> bool:
        assert self.spoil is not None
        how = self.spoil.how
        if how == KILL:
            pass
        elif how == SHORT:
            if values[_RDX] < 2:
                return False
            self._change(pid, {_RDX: max(1, min(values[_RDX] // 2, 40))})
            self._amend[pid] = (_RDX, values[_RDX])
        elif name == "brk":  # the kernel's way of refusing it is to tell the old end: as brk(0) does
            self._change(pid, {_RDI: 0})
            self._amend[pid] = (_RDI, values[_RDI])
        else:
            if not {(name, how), (name, None)} & AFTERWARDS:
                self._change(pid, {_ORIG_RAX: 2**64 - 1})
            self._amend[pid] = (_RAX, 2**64 - getattr(errno, how))
        self.spoiled = name + _path(pid, name, values)
        if how == KILL:
            os.kill(self.pid if self.spoil.parent else pid, signal.SIGKILL)
            if self.spoil.parent:
                self._frozen.add(pid)
                return True
        return False

    @staticmethod
    def _change(pid: int, new: Mapping[int, int]) -> None:
        registers = _Registers()
        pointer = ctypes.cast(ctypes.byref(registers), ctypes.c_void_p)
        _ptrace(_GETREGS, pid, pointer)
        for register, value in new.items():
            registers.all[register] = value
        _ptrace(_SETREGS, pid, pointer)


def _path(pid: int, name: str, values: Sequence[int]) -> str:
    """" of <path>", for people."""
    if name not in _PATH_ARGUMENT:
        return ""
    place = values[(_RDI, _RSI, _RDX, 7)[_PATH_ARGUMENT[name]]]  # 7: r10
    try:
        with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
            memory.seek(place)
            text = memory.read(256)
    except (OSError, ValueError, OverflowError):
        return ""
    return " of " + text.split(b"\0", 1)[0].decode(errors="replace")
