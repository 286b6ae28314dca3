# Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
"""Nodes on one segment, each with network, state and pods of its own, all in this world.

    with nodes.Cluster(3) as cluster:
        pod = cluster.nodes[0].add_pod("web")
        ...
        cluster.cut(cluster.nodes[2])      # as if it were dead: nobody hears it any more
"""
import dataclasses
import ipaddress
import json
import os
import pathlib
import re
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from types import TracebackType
from typing import Any, ClassVar

from support import world

Json = dict[str, Any]
FAMILIES = (4, 6)
CLUSTER = {4: "10.240.0.0/16", 6: "fd00:240::/48"}
SEGMENT = {4: "192.168.50.0/24", 6: "fd00:50::/64"}
UPLINK, BRIDGE = "eth0", "cnio0"
MTU = 1500
HEADERS = {4: 28, 6: 48}  # of a ping: IP and ICMP
# What each node has for itself of the file system.
OWN_FOLDERS = ("/var/lib/cni", "/run/cnio", "/run/bird", "/run/frr", "/run/wireguard", "/etc/bird", "/etc/frr", "/etc/wireguard")
# Says who has called: what the receiver saw is what counts.
_SERVER = """import socket
server = socket.create_server(("::", 80), family=socket.AF_INET6, dualstack_ipv6=True)
print("listening", flush=True)
while True: print(server.accept()[1][0].removeprefix("::ffff:"), flush=True)"""
# Again and again an OPEN of AS 64512, with the greatest TTL there is; then it listens for what would be an answer.
_INTRUDER = """import socket, struct, sys
while True:
    with socket.socket() as caller:
        caller.settimeout(5)
        caller.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 255)
        try:
            caller.connect((sys.argv[1], 179))
            caller.sendall(b"\\xff" * 16 + struct.pack("!HBBHH4sB", 29, 1, 4, 64512, 90, socket.inet_aton(sys.argv[2]), 0))
            while caller.recv(4096): pass
        except OSError: pass"""
_CLIENT = "import socket, sys; socket.create_connection((sys.argv[1], 80), 20)"


class Pod:
    """Its namespace has its name."""

    def __init__(self, node: "Node", name: str, result: Json) -> None:
        self.node, self.name, self.result = node, name, result
        found = (ipaddress.ip_interface(each["address"]).ip for each in result["ips"])
        self.addresses = {address.version: str(address) for address in found}
        self._server: subprocess.Popen[str] | None = None

    def run(self, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return world.run("ip", "netns", "exec", self.name, *command, check=check)

    def ping(self, address: str, *options: str, seconds: int = 20) -> subprocess.CompletedProcess[str]:
        """One, that is waited for."""
        return self.run("ping", "-c", "1", "-W", str(seconds), *options, address, check=False)

    def listen(self) -> None:
        # pylint: disable-next=consider-using-with
        self._server = subprocess.Popen(["ip", "netns", "exec", self.name, "/usr/bin/python3", "-c", _SERVER],
                                        stdout=subprocess.PIPE, text=True)
        assert self._server.stdout and self._server.stdout.readline() == "listening\n"

    def seen_caller(self) -> str:
        """Who called next, as seen from here."""
        assert self._server and self._server.stdout
        return self._server.stdout.readline().strip()

    def call(self, address: str) -> None:
        self.run("/usr/bin/python3", "-c", _CLIENT, address)

    def speak_bgp(self, address: str, identity: str) -> subprocess.Popen[bytes]:
        """As its node would."""
        return subprocess.Popen(["ip", "netns", "exec", self.name, "/usr/bin/python3", "-c", _INTRUDER, address, identity])

    def remove(self) -> None:
        if self._server:
            self._server.kill()
            self._server.communicate()
        self.node.plugin("DEL", self.name, self.result)
        world.run("ip", "netns", "delete", self.name)


class Node:
    """Number 1 has 192.168.50.11, and of the cluster's range the pods 10.240.1.0/24."""

    def __init__(self, number: int) -> None:
        self.number, self.name = number, f"node{number}"
        self.addresses = {4: f"192.168.50.{10 + number}", 6: f"fd00:50::{10 + number}"}
        self.subnets = {4: f"10.240.{number}.0/24", 6: f"fd00:240:0:{number}::/64"}
        self.pod_mtu = MTU
        self._holder = self._make()
        self._programs: list[subprocess.Popen[str]] = []

    def _make(self) -> subprocess.Popen[str]:
        """The process that its namespaces last as long as."""
        covers = "; ".join(f"mount -t tmpfs -o mode=0755 tmpfs {folder}" for folder in OWN_FOLDERS)
        for folder in OWN_FOLDERS:
            pathlib.Path(folder).mkdir(parents=True, exist_ok=True)
        # pylint: disable-next=consider-using-with
        holder = subprocess.Popen(["unshare", "--net", "--mount", "--propagation", "slave", "sh", "-ec",
                                   f"{covers}; ip link set lo up; echo ready; exec sleep infinity"],
                                  stdout=subprocess.PIPE, text=True)
        assert holder.stdout and holder.stdout.readline() == "ready\n"
        return holder

    def connect(self) -> None:
        """To the segment, which is a bridge of the world."""
        world.run("ip", "link", "add", f"port{self.number}", "type", "veth", "peer", "name", UPLINK, "netns", str(self._holder.pid))
        world.run("ip", "link", "set", f"port{self.number}", "master", "segment", "up")
        # Forwarding is the node's business: plugins switch it on with the first pod, which others may call before.
        self.run("sh", "-ec", "cd /proc/sys/net; echo 0 >ipv6/conf/eth0/accept_dad; echo 1 >ipv6/conf/all/forwarding;"
                 "echo 1 >ipv4/ip_forward")
        for family in FAMILIES:
            self.ip(f"address add {self.addresses[family]}/{SEGMENT[family].split('/')[1]} dev {UPLINK}")
        self.ip(f"link set {UPLINK} up")

    def prefix(self) -> list[str]:
        return ["nsenter", "--target", str(self._holder.pid), "--net", "--mount"]

    def run(self, *command: str | os.PathLike[str], **options: Any) -> subprocess.CompletedProcess[str]:
        return world.run(*self.prefix(), *command, **options)

    def ip(self, words: str) -> str:
        return self.run("ip", *words.split()).stdout

    def start(self, *command: str | os.PathLike[str], **options: Any) -> subprocess.Popen[str]:
        program = subprocess.Popen([*self.prefix(), *map(os.fspath, command)], text=True, **options)
        self._programs.append(program)
        return program

    def end(self) -> None:
        """With all that runs in it."""
        for program in [*self._programs, self._holder]:
            program.kill()
            program.communicate()

    def routes(self, family: int) -> dict[str, Json]:
        """Of the main table, by destination."""
        return {route["dst"]: route for route in json.loads(self.ip(f"-j -{family} route show"))}

    def without_password(self) -> int:
        """How many segments were dropped that had to be signed, and were not."""
        names, values = (line.split() for line in self.run("grep", "^TcpExt:", "/proc/self/net/netstat").stdout.splitlines())
        return int(dict(zip(names, values))["TCPMD5NotFound"])

    def has_route_to(self, other: "Node") -> bool:
        return all(other.subnets[family] in self.routes(family) for family in FAMILIES)

    def configuration(self) -> Json:
        """That of conf-examples/10-mynet.conf, for both families."""
        return {"cniVersion": "1.0.0", "name": "mynet", "type": "bridge", "bridge": BRIDGE, "isGateway": True, "ipMasq": True,
                "ipMasqExclude": list(CLUSTER.values()), "mtu": self.pod_mtu,
                "ipam": {"type": "host-local", "ranges": [[{"subnet": subnet}] for subnet in self.subnets.values()],
                         "routes": [{"dst": "0.0.0.0/0"}, {"dst": "::/0"}]}}

    def plugin(self, command: str, pod: str, previous: Json | None = None) -> str:
        plugins = os.environ["CNIO_PLUGIN_DIR"]
        config = self.configuration() | ({"prevResult": previous} if previous else {})
        environment = {"CNI_COMMAND": command, "CNI_CONTAINERID": pod, "CNI_NETNS": f"/run/netns/{pod}", "CNI_IFNAME": "eth0",
                       "CNI_PATH": plugins}
        done = subprocess.run([*self.prefix(), f"{plugins}/bridge"], input=json.dumps(config), env=os.environ | environment,
                              capture_output=True, text=True, timeout=120, check=False)
        if done.returncode != 0:
            raise AssertionError(f"{command} of {pod}: {done.stdout}{done.stderr}")
        return done.stdout

    def add_pod(self, name: str) -> Pod:
        world.run("ip", "netns", "add", name)
        return Pod(self, name, json.loads(self.plugin("ADD", name)))


@dataclasses.dataclass(frozen=True)
class Change:
    when: float  # time.monotonic()
    deleted: bool
    text: str


class RouteLog:
    """What the kernel says of a node's routes, as it happens."""
    MARK: ClassVar[str] = "203.0.113.1"  # nobody else has this address

    def __init__(self, node: Node) -> None:
        self.changes: list[Change] = []
        self._node = node
        self._monitor = node.start("ip", "-oneline", "monitor", "route", stdout=subprocess.PIPE)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        world.wait_until("ip monitor listens", self._hears)  # it tells what happens from some moment on

    def _hears(self) -> bool:
        self._make_mark()
        return bool(self._of(self.MARK))

    def _make_mark(self) -> None:
        self._node.ip(f"route add blackhole {self.MARK}")
        self._node.ip(f"route delete blackhole {self.MARK}")

    def _catch_up(self) -> None:
        """All that has happened is read then."""
        marks = len(self._of(self.MARK))
        self._make_mark()
        world.wait_until("ip monitor has told it", lambda: len(self._of(self.MARK)) > marks + 1)

    def end(self) -> None:
        self._monitor.kill()
        self._reader.join()

    def _read(self) -> None:
        assert self._monitor.stdout
        for line in self._monitor.stdout:
            self.changes.append(Change(time.monotonic(), line.startswith("Deleted"), line.strip()))

    def of(self, node: Node) -> list[Change]:
        """Of the routes to its pods."""
        self._catch_up()
        return [change for subnet in node.subnets.values() for change in self._of(subnet)]

    def deletions(self, node: Node) -> list[Change]:
        return [change for change in self.of(node) if change.deleted]

    def _of(self, subnet: str) -> list[Change]:
        return [change for change in self.changes if re.search(rf"(^| ){re.escape(subnet)}( |$)", change.text)]


class Stream:
    """Pings from one pod to another, twenty a second; says how many of them were not answered."""

    def __init__(self, source: Pod, address: str) -> None:
        # pylint: disable-next=consider-using-with
        self._ping = subprocess.Popen(["ip", "netns", "exec", source.name, "ping", "-i", "0.05", "-W", "20", address],
                                      stdout=subprocess.PIPE, text=True)
        self._said = ""
        assert self._ping.stdout
        for line in self._ping.stdout:
            if "time=" in line:
                break

    def lost(self) -> int:
        """Not counting one that is under way. Ends it."""
        if self._ping.poll() is None:
            self._ping.send_signal(signal.SIGINT)
            self._said = self._ping.communicate()[0]
        found = re.search(r"(\d+) packets transmitted, (\d+) received", self._said)
        assert found, self._said
        return max(int(found[1]) - int(found[2]) - 1, 0)


class Cluster:
    """`with Cluster(3) as cluster:` nodes that reach each other, but not each other's pods."""

    def __init__(self, count: int) -> None:
        self._count = count
        self.nodes: list[Node] = []

    def __enter__(self) -> "Cluster":
        world.run("ip", "link", "add", "segment", "type", "bridge", "mcast_snooping", "0")
        world.run("ip", "link", "set", "segment", "up", "addrgenmode", "none")
        for number in range(1, self._count + 1):
            self.nodes.append(Node(number))
            self.nodes[-1].connect()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        for node in self.nodes:
            node.end()
        world.sweep()

    def cut(self, node: Node) -> float:
        """Nobody hears it any more, and it hears nobody. When that was."""
        world.run("ip", "link", "set", f"port{node.number}", "down")
        return time.monotonic()

    def join(self, node: Node) -> float:
        """When that began: an engine can be done before the command is."""
        when = time.monotonic()
        world.run("ip", "link", "set", f"port{node.number}", "up")
        return when

    def pairs(self) -> Iterator[tuple[Node, Node]]:
        return ((one, other) for one in self.nodes for other in self.nodes if one is not other)

    def have_all_routes(self) -> bool:
        return all(one.has_route_to(other) for one, other in self.pairs())
