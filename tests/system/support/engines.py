# Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
"""What tells the nodes of a cluster of each other's pods: the programs of Debian, with the files that scripts/install
--routes writes for them, and flannel's objects.

    if __name__ == "__main__":
        engines.find()                 # before world.enter: inside there is no network to fetch them with
        world.enter(unittest.main)
"""
import json
import os
import pathlib
import re
import subprocess
from typing import ClassVar

from support import world
from support.nodes import CLUSTER, FAMILIES, MTU, SEGMENT, UPLINK, Cluster, Node

VARIABLE = "CNIO_ENGINES_DIR"
SCRIPTS = pathlib.Path(__file__).parents[3] / "scripts/lib"
RENDER = """set -eu; die() { echo "$*" >&2; exit 1; }
. "$0/install-routes.sh"; . "$0/install-routes-files.sh"; render_routes "$1" "$2" """
HELLO = "250"  # milliseconds


def find() -> None:
    """Sees to it that CNIO_ENGINES_DIR names the folder: given by the caller, or else fetched."""
    if world.INSIDE not in os.environ and not os.environ.get(VARIABLE):
        os.environ[VARIABLE] = subprocess.run([SCRIPTS / "fetch-engines", os.environ["CNIO_BUILD_DIR"]], stdout=subprocess.PIPE,
                                              text=True, check=True, timeout=300).stdout.strip()


def root() -> pathlib.Path:
    return pathlib.Path(os.environ[VARIABLE])


def environment() -> dict[str, str]:
    """For programs of that folder."""
    libraries = [str(folder) for each in (root() / "usr/lib").glob("*-linux-gnu") for folder in (each, each / "frr")]
    path = [str(root() / folder) for folder in ("usr/sbin", "usr/bin", "usr/lib/frr")]
    return os.environ | {"LD_LIBRARY_PATH": ":".join(libraries), "PATH": ":".join([*path, os.environ["PATH"]])}


def render(engine: str, folder: pathlib.Path, shell: str = "sh", **given: str) -> subprocess.CompletedProcess[str]:
    """render_routes of scripts/lib/install-routes.sh. `given`: without routes_."""
    inputs = {f"routes_{name}": value for name, value in given.items()}
    return subprocess.run([*shell.split(), "-c", RENDER, SCRIPTS, engine, folder], env=os.environ | inputs, capture_output=True, text=True,
                          timeout=60, check=False)


class Engine:
    """Of a whole cluster."""
    nodes: ClassVar[int] = 3
    mtu: ClassVar[int] = MTU  # of pods
    notices: ClassVar[bool] = True  # that a node is dead

    def __init__(self, cluster: Cluster, own: bool = True) -> None:
        self.cluster, self.own = cluster, own
        for node in cluster.nodes:
            node.pod_mtu = self.mtu

    def start(self) -> None:
        raise NotImplementedError

    def settled(self) -> bool:
        """Sessions of BFD, by which a death is noticed at once, come up a while after the first routes."""
        return True

    def noticed_by_bfd(self, node: Node, dead: Node) -> bool:  # pylint: disable=unused-argument
        return True

    def mortal(self) -> Node:
        """One that others' routes do not depend on."""
        return self.cluster.nodes[-1]

    def given(self, node: Node) -> dict[str, str]:
        """Of scripts/install, for this node. Machines that test may be silent for longer than nodes are."""
        return {"subnets": " ".join(node.subnets.values()), "cluster": " ".join(CLUSTER.values()),
                "nodes": " ".join(SEGMENT.values()), "uplink": UPLINK, "id": node.addresses[4],
                "hello": HELLO, "own": "yes" if self.own else ""}

    def render(self, node: Node, engine: str, **given: str) -> pathlib.Path:
        folder = pathlib.Path("/run/rendered", node.name)
        folder.mkdir(parents=True, exist_ok=True)
        done = render(engine, folder, **self.given(node) | given)
        if done.returncode != 0:
            raise AssertionError(done.stderr)
        if (folder / "cnio-own-subnet.service").exists():
            self._start_unit(node, folder / "cnio-own-subnet.service")
        return folder

    @staticmethod
    def _start_unit(node: Node, unit: pathlib.Path) -> None:
        """What systemd would do."""
        for line in unit.read_text().splitlines():
            if line.startswith("ExecStart="):
                node.run(*line.removeprefix("ExecStart=").split())


class Reflected(Engine):
    """By BGP: two nodes are route reflectors for all."""
    nodes = 4

    def bfd_sessions(self, node: Node) -> int:
        """That have to be up."""
        return len(FAMILIES) * (len(self.cluster.nodes) - 1 if node in self.cluster.nodes[:2] else 2)

    def _role(self, node: Node) -> tuple[str, dict[str, str]]:
        reflectors = [each for each in self.cluster.nodes[:2] if each is not node]
        addresses = " ".join(address for each in reflectors for address in each.addresses.values())
        return "reflector" if len(reflectors) == 1 else "", {"reflectors": addresses, "password": "what-pods-do-not-know"}


class Bird(Engine):
    """RIP with BFD."""
    name: ClassVar[str] = "bird"

    def start(self) -> None:
        for node in self.cluster.nodes:
            self.start_node(node)

    def start_node(self, node: Node) -> None:
        conf = self._conf(node).read_text()
        assert "log syslog all;" in conf
        written = pathlib.Path("/run/rendered", node.name, "bird-here.conf")
        written.write_text(conf.replace("log syslog all;", f'log "{self._log(node)}" all; debug protocols {{ events, states }};'))
        node.run("cp", written, "/etc/bird/bird.conf")
        node.start("bird", "-f", "-c", "/etc/bird/bird.conf", "-s", "/run/bird/bird.ctl", "-P", "/run/bird/bird.pid", env=environment())
        world.wait_until("BIRD answers", lambda: self.ask(node, "show status"))

    def kill(self, node: Node) -> None:
        node.run("sh", "-ec", "kill -9 $(cat /run/bird/bird.pid)")

    def ask(self, node: Node, question: str) -> str:
        return node.run("birdc", "-s", "/run/bird/bird.ctl", question, env=environment(), check=False).stdout.partition("ready.")[2]

    def _conf(self, node: Node) -> pathlib.Path:
        return self.render(node, self.name) / "bird.conf"

    @staticmethod
    def _log(node: Node) -> pathlib.Path:
        return pathlib.Path(f"/run/rendered/{node.name}/log")


    def settled(self) -> bool:
        return all(self.ask(node, "show bfd sessions").count(" Up ") == self.bfd_sessions(node) for node in self.cluster.nodes)

    def bfd_sessions(self, node: Node) -> int:  # pylint: disable=unused-argument
        return len(FAMILIES) * (len(self.cluster.nodes) - 1)

    def noticed_by_bfd(self, node: Node, dead: Node) -> bool:
        return bool(re.search(rf"Session to {re.escape(dead.addresses[4])} changed state from Up to Down\n.*BFD session down",
                              self._log(node).read_text(), re.DOTALL))


class BirdOspf(Bird):
    name = "bird-ospf"

    def designated(self) -> Node:
        return self._of_role("Designated")

    def mortal(self) -> Node:
        others = self.designated(), self._of_role("Backup designated")
        return next(node for node in self.cluster.nodes if node not in others)

    def _of_role(self, role: str) -> Node:
        """The same for both families."""
        said = self.ask(self.cluster.nodes[0], "show ospf interface nodes4")
        found = re.search(rf"^\s*{role} router \(ID\): (\S+)", said, re.MULTILINE)
        assert found, said
        return next(node for node in self.cluster.nodes if node.addresses[4] == found[1])


class BirdReflected(Reflected, Bird):
    """BGP."""

    def _conf(self, node: Node) -> pathlib.Path:
        role, given = self._role(node)
        return self.render(node, f"bird-{role or 'bgp'}", **given) / "bird.conf"

    def has_session_with(self, node: Node, other: Node) -> bool:
        said = self.ask(node, "show protocols all")
        return bool(re.search(rf"BGP state: +Established\n +Neighbor address: {re.escape(other.addresses[4])}\n", said))


class FrrReflected(Reflected):
    """BGP."""

    def start(self) -> None:
        self._make_users()
        for node in self.cluster.nodes:
            self.start_node(node)

    def start_node(self, node: Node) -> None:
        role, given = self._role(node)
        folder = self.render(node, "-".join(filter(None, ("frr", role))), **given)
        node.run("sh", "-ec", f"cp {folder}/frr.conf /etc/frr/; touch /etc/frr/vtysh.conf; chown -R frr:frr /etc/frr /run/frr")
        # In the order of its own start script, which the package's service calls.
        for daemon in ("zebra", "bgpd", "bfdd"):
            node.run(daemon, "-d", "-A", "127.0.0.1", env=environment())
        node.run("vtysh", "-b", env=environment())

    def ask(self, node: Node, question: str) -> str:
        return node.run("vtysh", "-c", question, env=environment()).stdout

    def settled(self) -> bool:
        return all([peer["status"] for peer in json.loads(self.ask(node, "show bfd peers json"))].count("up") == self.bfd_sessions(node)
                   for node in self.cluster.nodes)

    def noticed_by_bfd(self, node: Node, dead: Node) -> bool:
        """The dead one has noticed, too, and can be asked; a reflector forgets whom it does not hear."""
        reflector = self.cluster.nodes[0].addresses[4]
        said = json.loads(self.ask(dead, f"show bgp neighbors {reflector} json"))
        return said[reflector].get("lastResetDueTo") == "BFD down received"

    def has_session_with(self, node: Node, other: Node) -> bool:
        said = json.loads(self.ask(node, "show bgp neighbors json"))
        return said.get(other.addresses[4], {}).get("bgpState") == "Established"

    def kill(self, node: Node) -> None:
        node.run("sh", "-ec", "kill -9 $(cat /run/frr/*.pid)")

    @staticmethod
    def _make_users() -> None:
        """Those that the package makes when it is installed, in the world's own /etc."""
        for file, line in (("passwd", "frr:x:64999:64999::/nonexistent:/usr/sbin/nologin"), ("group", "frr:x:64999:"),
                           ("group", "frrvty:x:64998:frr")):
            path = pathlib.Path("/etc", file)
            if f"\n{line.split(':')[0]}:" not in path.read_text():
                path.write_text(f"{path.read_text()}{line}\n")
        world.run("cp", root() / "etc/pam.d/frr", "/etc/pam.d/frr")


class WireGuard(Engine):
    """In the kernel if it has it, else by wireguard-go."""
    mtu = MTU - 80
    notices = False

    def start(self) -> None:
        keys = {node: self._make_key(node) for node in self.cluster.nodes}
        for node in self.cluster.nodes:
            peers = pathlib.Path(f"/run/peers-{node.name}")
            peers.write_text("# the other nodes\n\n" + "".join(
                f"{key} {other.addresses[4]}:51820 {','.join(other.subnets.values())}\n" for other, key in keys.items() if other is not node))
            folder = self.render(node, "wireguard", peers=str(peers), mtu=str(MTU))
            node.run("cp", folder / "wg-cnio.conf", "/etc/wireguard/")
            node.run("wg-quick", "up", "wg-cnio", env=environment())

    @staticmethod
    def _make_key(node: Node) -> str:
        """The public one. As how_to_start says."""
        node.run("sh", "-ec", "umask 077; wg genkey >/etc/wireguard/cnio.key", env=environment())
        return node.run("sh", "-c", "wg pubkey </etc/wireguard/cnio.key", env=environment()).stdout.strip()


class Flannel(Engine):
    """No flanneld, but all that it makes: a VXLAN for each family, and for each other node a route, a neighbour and where
    to send its frames."""
    mtu = MTU - 70  # of VXLAN over IPv6; it is the same for both
    notices = False
    DEVICES: ClassVar[dict[int, str]] = {4: "flannel.1", 6: "flannel-v6.1"}

    def start(self) -> None:
        for node in self.cluster.nodes:
            self.render(node, "flannel")
            for family in FAMILIES:
                self._make_device(node, family)
        for node, other in self.cluster.pairs():
            for family in FAMILIES:
                self._tell(node, other, family)

    def _make_device(self, node: Node, family: int) -> None:
        device, own = self.DEVICES[family], node.subnets[family].split("/")[0]
        node.ip(f"link add {device} address {self._mac(node, family)} type vxlan id 1 local {node.addresses[family]} dev {UPLINK} "
                "nolearning dstport 8472")
        node.ip(f"link set {device} mtu {MTU - (50 if family == 4 else 70)} up")
        node.ip(f"address add {own}/{32 if family == 4 else 128} dev {device}")

    def _tell(self, node: Node, other: Node, family: int) -> None:
        device, far, mac = self.DEVICES[family], other.subnets[family].split("/")[0], self._mac(other, family)
        node.ip(f"neighbour replace {far} lladdr {mac} dev {device} nud permanent")
        node.run("bridge", "fdb", "append", mac, "dev", device, "dst", other.addresses[family], "self", "permanent")
        node.ip(f"route replace {other.subnets[family]} via {far} dev {device} onlink")

    @staticmethod
    def _mac(node: Node, family: int) -> str:
        return f"02:00:00:00:{family:02x}:{node.number:02x}"
