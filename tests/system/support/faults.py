# Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
"""Spoils one system call of a plugin's ADD, DEL or GC, or of a program that it starts, and judges what comes of it.

A Case says which call and how. judge() runs it in the Stage of its scenario: a host of its own with a pod, in network
and mount namespaces of this process. What is there after the case, and after the DEL or GC that a runtime would call
next, is compared with what was there before.
"""
import contextlib
import ctypes
import dataclasses
import errno
import functools
import json
import os
import pathlib
import re
import subprocess
from collections.abc import Iterator
from typing import Any

from support import tracer, world

STORE = pathlib.Path("/var/lib/cni/networks")
POD, RESIDENT = "pod", "resident"
CHAINED = {POD: 10, RESIDENT: 11}  # the numbers of their addresses and ports
VERBS = ("ADD", "DEL", "GC")
FOREIGN_STEP = 20
MOST_SHOWN = 20  # differences after one fault
LIMIT_S = 60  # a call that takes longer hangs
_NEW_NET, _NEW_NS = 0x40000000, 0x00020000

_SUBNETS = ("10.240.0.0/24", "fd00:240::/64")
_IPAM = {"type": "host-local", "ranges": [[{"subnet": subnet}] for subnet in _SUBNETS],
         "routes": [{"dst": "0.0.0.0/0"}, {"dst": "::/0"}]}
_STATIC = {"type": "static", "addresses": [{"address": "10.240.0.5/24", "gateway": "10.240.0.1"},
                                           {"address": "fd00:240::5/64"}]}
_LIMITS = {f"{way}{what}": value for way in ("ingress", "egress") for what, value in (("Rate", 10**7), ("Burst", 2**32 - 1))}
_GATEWAY = {"bridge": "cnio0", "isGateway": True, "ipMasq": True, "macspoofchk": True, "ipam": _IPAM}
_SYSCTLS = ("core/somaxconn", "ipv4/ip_local_port_range", "ipv4/conf/eth0/rp_filter")
_TUNING = {"sysctl": dict(zip(("net/" + name for name in _SYSCTLS), ("77", "1024 65000", "2"))),
           "mac": "02:00:00:00:00:77", "mtu": 1400, "promisc": True, "dataDir": str(STORE / "tuning"),
           "prevResult": {"cniVersion": "1.1.0", "interfaces": [{"name": "eth0", "sandbox": "/run/netns/pod"}],
                          "ips": [{"address": "10.240.0.5/24", "interface": 0}]}}

_FLANNEL = {"subnetFile": "/var/lib/cni/subnet.env", "dataDir": str(STORE / "flannel"), "delegate": {"bridge": "cnio0"}}
_SUBNET_ENV = """FLANNEL_NETWORK=10.240.0.0/16
FLANNEL_SUBNET=10.240.0.1/24
FLANNEL_IPV6_NETWORK=fd00:240::/48
FLANNEL_IPV6_SUBNET=fd00:240::1/64
FLANNEL_MTU=1450
FLANNEL_IPMASQ=false
"""
_ISOLATED = {"backend": "iptables", "ingressPolicy": "isolated"}


@dataclasses.dataclass(frozen=True)
class Scenario:
    """A network. With a resident, another attachment lives all the time, which must not notice anything; without, the
    pod is the first on its host, and with its removal everything goes."""
    plugin: str
    what: str
    config: dict[str, Any]
    resident: bool
    foreign: bool = False  # the programs that are started are mostly not ours
    verbs: tuple[str, ...] = VERBS
    crowd: int = 0  # how many others have reservations: from some on an index is kept
    chained: bool = False  # pods are ports of a bridge already, and the plugin gets the result of the one that made them so
    interface: bool = False  # the pod has its interface already, and with the pod goes what could not be put back


SCENARIOS = {
    "bridge": Scenario("bridge", "bridge: gateway, ipMasq, macspoofchk, both families", _GATEWAY, True),
    "first": Scenario("bridge", "the same, first pod of its host, deleteWhenEmpty", _GATEWAY | {"deleteWhenEmpty": True},
                      False),
    "iptables": Scenario("bridge", "the same with ipMasqBackend iptables", _GATEWAY | {"ipMasqBackend": "iptables"}, True,
                         foreign=True),
    "layer2": Scenario("bridge", "bridge: layer 2 only", {"bridge": "cnio0", "ipam": {}}, True),
    "ptp": Scenario("ptp", "ptp: ipMasq, both families", {"ipMasq": True, "ipam": _IPAM}, True),
    "flannel": Scenario("flannel", "flannel: bridge with ipMasq, both families", _FLANNEL, True),
    "host-local": Scenario("host-local", "host-local alone, both families", {"ipam": _IPAM}, True),
    "crowded": Scenario("host-local", "host-local alone, with 50 reservations of others", {"ipam": _IPAM}, True, crowd=50),
    "tuning": Scenario("tuning", "tuning: sysctls, MAC address, MTU, promisc", _TUNING, True, interface=True),
    "static": Scenario("static", "static alone, both families", {"ipam": _STATIC}, False),
    "loopback": Scenario("loopback", "loopback", {}, False, verbs=("ADD", "DEL")),
    "portmap": Scenario("portmap", "portmap, iptables' chains, both families", {}, True, chained=True),
    "portmap-first": Scenario("portmap", "portmap, nftables, first of its host", {"backend": "nftables"}, False, chained=True),
    "firewall": Scenario("firewall", "firewall, iptables' chains, isolated", _ISOLATED, True, chained=True),
    "firewall-first": Scenario("firewall", "firewall, nftables, isolated, first of its host",
                               _ISOLATED | {"backend": "nftables"}, False, chained=True),
    "bandwidth": Scenario("bandwidth", "bandwidth: both ways", {}, False, chained=True),
}

# Calls that take memory: if one fails when the program starts, nobody is there yet to answer. The end is then judged as if
# the program had been killed.
MEMORY = ("brk", "mmap", "mprotect", "mremap")
# What the kernel may answer, of the errors that are tried. A call that is not here cannot fail.
ERRORS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("openat",), ("EIO", "ENOMEM", "EINTR", "EPERM")),
    **dict.fromkeys((tracer.CREATING,), ("ENOSPC", "EIO", "ENOMEM", "EINTR", "EPERM")),
    "read": (tracer.SHORT, "EINTR", "EIO", "ENOMEM"),
    "pread64": ("EINTR", "ENOMEM"),
    "pwrite64": ("EINTR", "EIO", "ENOMEM", "EPERM"),
    "write": (tracer.SHORT, "EINTR", "ENOSPC", "EIO", "ENOMEM", "EPERM"),
    **dict.fromkeys(("sendmsg", "sendto"), ("ENOBUFS", "ENOMEM", "EINTR", "EPERM")),
    **dict.fromkeys(("recvmsg", "recvfrom"), ("ENOBUFS", "ENOMEM", "EINTR")),
    "socket": ("ENOBUFS", "ENOMEM", "EPERM"),
    "bind": ("ENOMEM", "EPERM"),
    **dict.fromkeys(("setsockopt", "getsockname"), ("ENOBUFS", "ENOMEM", "EPERM")),
    **dict.fromkeys(("newfstatat", "fstat", "stat", "statfs", "readlink", "access", "faccessat2", "getdents64"),
                    ("EIO", "ENOMEM")),
    "setns": ("ENOMEM", "EPERM"),
    "unshare": ("ENOMEM", "ENOSPC", "EPERM"),
    "ioctl": ("EPERM", "ENOMEM"),
    "flock": ("EINTR", "EIO", "ENOMEM"),
    "fcntl": ("ENOMEM", "EPERM"),
    "dup2": ("EBUSY", "EINTR"),
    "close": ("EIO", "EINTR", "ENOSPC"),
    "close_range": ("ENOMEM",),
    **dict.fromkeys(("linkat", "mkdir", "renameat", "renameat2"), ("ENOSPC", "EIO", "ENOMEM", "EPERM")),
    "utimensat": ("EIO", "EPERM"),
    "fallocate": ("ENOSPC", "EINTR", "ENOMEM"),
    **dict.fromkeys(("unlink", "unlinkat"), ("EIO", "ENOMEM", "EBUSY", "EPERM")),
    **dict.fromkeys(("ftruncate", "fsync", "fdatasync"), ("EINTR", "EIO", "ENOSPC")),
    "memfd_create": ("ENOMEM", "EPERM"),
    "pipe2": ("ENOMEM",),
    "pidfd_open": ("ENOMEM", "EPERM"),
    "poll": ("EINTR", "ENOMEM"),
    "wait4": ("EINTR",),
    **dict.fromkeys(("clone", "clone3", "vfork", "fork"), ("ENOMEM", "EPERM")),
    "execve": ("EIO", "ENOMEM", "EPERM"),
    "prctl": ("EPERM",),
    "getrandom": ("EINTR",),
    "munmap": ("ENOMEM",),
    **dict.fromkeys(MEMORY, ("ENOMEM",)),
}
NEVER_AN_ERROR = ("EINTR", tracer.SHORT)


@dataclasses.dataclass(frozen=True)
class Case:
    scenario: str
    verb: str
    spoil: tracer.Spoil
    turn: int  # chooses how the DEL after a kill is called


@dataclasses.dataclass(frozen=True)
class Outcome:
    hit: bool  # the call came, and was spoiled
    failed: bool  # the plugin answered with an error
    finding: str = ""


@dataclasses.dataclass
class Answer:
    status: int
    out: str
    err: str

    def text(self) -> str:
        return " ".join(f"status {self.status}: {self.out} {self.err}".split())


Snapshot = dict[str, list[str]]


def enter_host() -> None:
    """A new network, a new store and new names of network namespaces for this process."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_NEW_NET | _NEW_NS) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    world.run("mount", "--make-rprivate", "/")
    for place in ("/var/lib/cni", "/run/netns"):
        world.run("mount", "-t", "tmpfs", "tmpfs", place)
    world.run("ip", "link", "set", "lo", "up")


def make_interface(pod: str) -> None:
    """Both ends in the pod: all of it goes with the pod, and comes again with the same numbers."""
    world.run("ip", "-n", pod, "link", "add", "eth0", "address", "02:00:00:00:00:05", "type", "veth",
              "peer", "name", "cable", "address", "02:00:00:00:00:06")


def make_pod() -> None:
    """A network namespace whose lo has been up once, which shows for ever."""
    world.run("ip", "netns", "add", POD)
    for state in ("up", "down"):
        world.run("ip", "-n", POD, "link", "set", "lo", state)


def make_bridge() -> None:
    world.run("ip", "link", "add", "br0", "index", "100", "address", "0a:00:00:00:00:01", "type", "bridge")
    world.run("ip", "link", "set", "br0", "up")


def make_port(pod: str) -> None:
    """Makes the pod a port of the bridge, with the same numbers and addresses each time, and none that come later."""
    number = CHAINED[pod]
    port = f"port{number}"
    world.run("ip", "link", "add", port, "index", f"{100 + number}", "address", f"0a:00:00:00:01:{number:02}", "type", "veth",
              "peer", "name", "eth0", "index", "100", "address", f"0a:00:00:00:02:{number:02}", "netns", pod)
    world.run("ip", "link", "set", port, "addrgenmode", "none", "master", "br0", "up")
    world.run("ip", "-n", pod, "link", "set", "eth0", "addrgenmode", "none", "up")


def result_so_far(pod: str) -> dict[str, Any]:
    number = CHAINED[pod]
    return {"cniVersion": "1.1.0", "interfaces": [{"name": "br0"}, {"name": f"port{number}"},
                                                  {"name": "eth0", "sandbox": f"/run/netns/{pod}"}],
            "ips": [{"address": f"10.240.0.{number}/24", "interface": 2}, {"address": f"fd00:240::{number}/64", "interface": 2}]}


def ports_of(pod: str) -> list[dict[str, Any]]:
    return [{"hostPort": 100 * CHAINED[pod] + number, "containerPort": number, "protocol": protocol}
            for number, protocol in ((80, "tcp"), (53, "udp"))]


class Stage:
    """A host with a pod that is not attached."""

    def __init__(self, scenario: Scenario, plugins: pathlib.Path) -> None:
        self.scenario = scenario
        self.plugins = plugins
        enter_host()
        (STORE.parent / "subnet.env").write_text(_SUBNET_ENV)
        if scenario.chained:
            make_bridge()
        self.make_pod()
        if scenario.resident:
            world.run("ip", "netns", "add", RESIDENT)
            self.make_interface(RESIDENT)
            expect_success("ADD of the resident", self.call("ADD", RESIDENT))
        self.result = json.loads(expect_success("ADD", self.call("ADD")))
        expect_success("DEL", self.call("DEL"))
        for number in range(scenario.crowd):
            (STORE / f"faults/10.240.0.{100 + number}").write_text(f"other{number}\r\neth0")
        self._cursors = {path: path.read_bytes() for path in STORE.glob("*/last_reserved_ip.*")}
        # A result of the ADDs to come, for their DELs: the addresses are the same if the cursors are.
        self.result = json.loads(expect_success("ADD", self.attach()))
        expect_success("DEL", self.call("DEL"))
        world.wait_until("addresses settled", lambda: "tentative" not in world.run("ip", "address").stdout)
        self.before = self.snapshot()

    def make_interface(self, pod: str) -> None:
        if self.scenario.chained:
            make_port(pod)
        if self.scenario.interface:
            make_interface(pod)

    def make_pod(self) -> None:
        make_pod()
        self.make_interface(POD)

    def remove_pod(self) -> None:
        if self.scenario.chained:  # the kernel takes its time with what is in a namespace
            world.run("ip", "link", "delete", f"port{CHAINED[POD]}")
        world.run("ip", "netns", "delete", POD)

    def renew_pod(self) -> None:
        self.remove_pod()
        self.make_pod()

    def environment(self, verb: str, pod: str = POD, netns: bool = True) -> dict[str, str]:
        values = {"CNI_COMMAND": verb, "CNI_CONTAINERID": pod, "CNI_IFNAME": "lo" if self.is_loopback() else "eth0",
                  "CNI_PATH": str(self.plugins), "PATH": os.environ["PATH"]}
        if verb == "GC":
            return {key: values[key] for key in ("CNI_COMMAND", "CNI_PATH", "PATH")}
        return values | ({"CNI_NETNS": f"/run/netns/{pod}"} if netns else {})

    def is_loopback(self) -> bool:
        return self.scenario.plugin == "loopback"

    def config(self, verb: str, prev_result: bool = False, pod: str = POD) -> str:
        config = {"cniVersion": "1.1.0", "name": "faults", "type": self.scenario.plugin} | self.scenario.config
        if self.scenario.chained and (verb == "ADD" or prev_result):
            config |= {"prevResult": result_so_far(pod), "runtimeConfig": {"portMappings": ports_of(pod), "bandwidth": _LIMITS}}
        if verb == "GC":
            others = [RESIDENT] * self.scenario.resident + [f"other{number}" for number in range(self.scenario.crowd)]
            valid = [{"containerID": other, "ifname": "eth0"} for other in others]
            config["cni.dev/valid-attachments"] = valid
        if verb != "ADD":
            config.pop("prevResult", None)
        if prev_result:
            config["prevResult"] = self.result
        return json.dumps(config)

    def call(self, verb: str, pod: str = POD, netns: bool = True, prev_result: bool = False) -> Answer:
        try:
            done = subprocess.run([self.plugins / self.scenario.plugin], env=self.environment(verb, pod, netns), text=True,
                                  input=self.config(verb, prev_result, pod), capture_output=True, timeout=LIMIT_S, check=False)
        except subprocess.TimeoutExpired:
            return Answer(1, f"{verb} hangs: over {LIMIT_S} s", "")
        return Answer(done.returncode, done.stdout, done.stderr)

    def attach(self) -> Answer:
        self.reset_cursors()
        return self.call("ADD")

    def reset_cursors(self) -> None:
        """And forwarding, which the first pod of a host switches on: what stays for the next pod."""
        for path, content in self._cursors.items():
            path.write_bytes(content)
        if not self.scenario.resident:
            for key in ("ipv4/ip_forward", "ipv6/conf/all/forwarding"):
                pathlib.Path("/proc/sys/net", key).write_text("0")

    def trace(self, verb: str, spoil: tracer.Spoil | None = None) -> tracer.Trace:
        self.reset_cursors()
        if verb != "ADD":
            expect_success("ADD", self.attach())
        command = [str(self.plugins / self.scenario.plugin)]
        return tracer.run(command, self.environment(verb), self.config(verb, verb == "DEL"), spoil)

    def snapshot(self) -> Snapshot:
        kinds = {"pod": ip_state("-n", POD), "host": ip_state()}
        rules = world.run("nft", "--stateless", "list", "ruleset").stdout
        kinds["rule"] = [line.strip() for line in rules.splitlines() if line.strip() not in ("", "}")]
        if self.scenario.interface:
            files = [f"/proc/sys/net/{name}" for name in _SYSCTLS]
            kinds["sysctl"] = world.run("ip", "netns", "exec", POD, "grep", "", *files).stdout.splitlines()
        if self.scenario.plugin == "bandwidth":
            kinds["limit"] = [line for what in ("qdisc show", "filter show dev port10 ingress", "filter show dev port10 parent ffff:")
                              for line in world.run("tc", *what.split(), check=False).stdout.splitlines()]
        kinds["store"] = [f"{path}: {path.read_text()!r}" for path in sorted(STORE.rglob("*")) if counts(path)]
        return kinds

    def differences(self) -> list[str]:
        """From the state without the pod. Waits a moment: the kernel takes down namespaces behind the scenes, and tells links of a
        lost carrier a second late."""
        found: list[str] = []

        def same() -> bool:
            found[:] = []
            for kind, after in self.snapshot().items():
                before = self.before[kind]
                found.extend(f"{kind} left: {line}" for line in after if line not in before)
                found.extend(f"{kind} missing: {line}" for line in before if line not in after)
            return not found
        with contextlib.suppress(AssertionError):
            world.wait_until("same", same, seconds=2)
        return found


def counts(path: pathlib.Path) -> bool:
    """Folders, locks and the last address given out stay for the next pod."""
    return path.is_file() and path.name != "lock" and not path.name.startswith("last_reserved_ip.")


def ip_state(*where: str) -> list[str]:
    """Links with all details, addresses, routes; without what changes with time."""
    wanted = "link show\naddress show\nroute show table all\n"
    done = subprocess.run(["ip", *where, "-d", "-batch", "-"], input=wanted, capture_output=True, text=True, check=True)
    text = re.sub(r" +\w*timer +[0-9.]+| (tentative|topology_change_detected \d|topology_change \d)", "", done.stdout)
    return [line.strip() for line in text.splitlines()]


def expect_success(what: str, answer: Answer) -> str:
    if answer.status != 0:
        raise AssertionError(f"{what} without any fault: {answer.text()}")
    return answer.out or "null"


_stages: dict[tuple[str, pathlib.Path], Stage] = {}


def stage_of(name: str, plugins: pathlib.Path) -> Stage:
    if (name, plugins) not in _stages:
        forget_stages()  # one host at a time
        _stages[name, plugins] = Stage(SCENARIOS[name], plugins)
    return _stages[name, plugins]


def forget_stages() -> None:
    """The next case begins on a new host."""
    _stages.clear()


def calls_of(name: str, plugins: pathlib.Path) -> dict[str, list[list[str]]]:
    """For each verb, the calls of each of its processes."""
    stage = stage_of(name, plugins)
    found = {}
    for verb in stage.scenario.verbs:
        trace = stage.trace(verb)
        if trace.status != 0:
            raise AssertionError(f"{verb} without any fault: {trace}")
        found[verb] = trace.calls
        expect_success("DEL", stage.call("DEL"))
    return found


def judge(case: Case, plugins: pathlib.Path) -> Outcome:
    stage = stage_of(case.scenario, plugins)
    trace = stage.trace(case.verb, case.spoil)
    try:
        finding = _judge(stage, case, trace)
        if finding:
            finding = f"{describe(case, trace)}: {finding}"
    finally:
        tracer.release(trace)
    if finding:
        forget_stages()  # what is left would be found again
    return Outcome(bool(trace.spoiled), trace.status > 0, finding)


def describe(case: Case, trace: tracer.Trace) -> str:
    spoil = case.spoil
    whose = "the plugin" if spoil.process == 0 else f"program {spoil.process} that it starts"
    how = {tracer.KILL: "killed at", tracer.SHORT: "short:"}.get(spoil.how, spoil.how + " from")
    if spoil.parent:
        how = "plugin killed while that is at"
    return f"{case.scenario} {case.verb}: {whose}: {how} call {spoil.call} ({trace.spoiled or 'not reached'})"


def _judge(stage: Stage, case: Case, trace: tracer.Trace) -> str:
    killed = trace.status < 0 and case.spoil.how == tracer.KILL
    mute = not trace.out and trace.status != 0 and case.spoil.name in MEMORY
    if killed or mute:
        return _after_death(stage, case, trace)
    if stage.scenario.interface and (case.verb == "GC" or "not put back" in trace.err):
        stage.renew_pod()
    if trace.status < 0:
        return f"died of signal {-trace.status}: {trace.err}"
    if trace.status > 0:
        return _after_error(stage, case, trace)
    if case.verb == "ADD":
        stage.result = json.loads(trace.out)
        checked = stage.call("CHECK", prev_result=True)
        if checked.status != 0:
            return f"ADD succeeded, but CHECK: {checked.text()}"
        deleted = stage.call("DEL", prev_result=True)
        if deleted.status != 0:
            return f"DEL after a success: {deleted.text()}"
    return _left(stage, f"after {case.verb} succeeded")


def _after_death(stage: Stage, case: Case, trace: tracer.Trace) -> str:
    """What a runtime does: DEL, by turns with all it knows and with nothing; after GC: GC."""
    verb = "GC" if case.verb == "GC" else "DEL"
    turn = case.turn % 5
    gone = turn == 3
    if gone:
        stage.remove_pod()
    again = stage.call(verb, netns=turn not in (1, 4), prev_result=verb == "DEL" and turn not in (2, 4))
    tracer.release(trace)
    trace.held.clear()
    if gone:
        stage.make_pod()
    elif stage.scenario.interface and (verb == "GC" or turn in (1, 4)):
        stage.renew_pod()
    if again.status != 0:
        return f"{verb} after the kill: {again.text()}"
    if stage.is_loopback() and turn in (1, 4):  # a DEL without a namespace cannot set its lo down
        expect_success("DEL", stage.call("DEL"))
    return _left(stage, f"after the kill and {verb}")


def _after_error(stage: Stage, case: Case, trace: tracer.Trace) -> str:
    if case.spoil.how in NEVER_AN_ERROR:
        return f"is an error: {' '.join(trace.out.split())}"
    # A program that dies for want of memory tells nobody why.
    died = case.spoil.process != 0 and case.spoil.name in MEMORY and "killed by signal" in trace.out
    if complaint := complaint_about(trace.out, stage.scenario.plugin, tracer.KILL if died else case.spoil.how):
        return complaint
    if case.verb != "ADD":
        again = stage.call(case.verb, prev_result=case.verb == "DEL")
        if again.status != 0:
            return f"{case.verb} once more: {again.text()}"
    return _left(stage, f"after the error {' '.join(trace.out.split())} {trace.err}")


def _left(stage: Stage, when: str) -> str:
    found = stage.differences()
    found = list(dict.fromkeys(found))
    more = [f"and {len(found) - MOST_SHOWN} more"] if len(found) > MOST_SHOWN else []
    return f"{when}: {'; '.join(found[:MOST_SHOWN] + more)}" if found else ""


def complaint_about(out: str, plugin: str, how: str) -> str:
    """What is wrong with an error object; empty if nothing is."""
    try:
        error = json.loads(out)
        code, msg, details = error["code"], error["msg"], error.get("details", "")
    except (ValueError, KeyError, TypeError):
        return f"no error object: {out!r}"
    if not isinstance(code, int) or code in (0, 999):
        return f"code {code}: {msg}"
    if not re.fullmatch(rf"{plugin}: \S.+", msg):
        return f"the message names no step: {msg!r}"
    if how != tracer.KILL and not any(word in msg + details for word in _words_for(how)):
        return f"the message does not say {how}: {out}"
    return ""


@functools.cache
def _words_for(how: str) -> tuple[str, str]:
    return how, os.strerror(getattr(errno, how))


def kills(name: str, calls: dict[str, list[list[str]]]) -> Iterator[Case]:
    """Each process at each of its calls; and the plugin while a program that it started is at each of its calls. Of
    programs that are not ours, at some."""
    for verb, processes in calls.items():
        for process, made in enumerate(processes):
            step = FOREIGN_STEP if process > 0 and SCENARIOS[name].foreign else 1
            for call in range(1, len(made) + 1, step):
                yield Case(name, verb, tracer.Spoil(process, call, tracer.KILL), call)
                if process > 0:
                    yield Case(name, verb, tracer.Spoil(process, call, tracer.KILL, parent=True), call)


def refusals(name: str, calls: dict[str, list[list[str]]]) -> Iterator[Case]:
    """Each call with each error that it can have. Those of programs that are not ours are their own affair."""
    for verb, processes in calls.items():
        for process, made in enumerate(processes[:1] if SCENARIOS[name].foreign else processes):
            seen: dict[str, int] = {}
            for turn, call in enumerate(made):
                seen[call] = seen.get(call, 0) + 1
                for how in ERRORS.get(call, ()):
                    yield Case(name, verb, tracer.Spoil(process, seen[call], how, call), turn)
