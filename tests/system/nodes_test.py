#!/usr/bin/python3
# Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
"""Pods of several nodes reach each other under their own addresses, by each of the engines that scripts/install --routes
writes files for: Debian's own programs, on nodes that are namespaces. What takes how long is printed, not judged."""
import unittest
from collections.abc import Callable, Iterable
from typing import Any, ClassVar

from support import engines, world
from support.nodes import CLUSTER, FAMILIES, HEADERS, Cluster, Node, Pod, RouteLog, Stream

PATIENCE = 120  # seconds, for what hangs


def gone(node: Node, other: Node) -> bool:
    return not any(other.subnets[family] in node.routes(family) for family in FAMILIES)


class Story:
    """The same for all: nodes without pods, which know of each other. Each test leaves them so."""

    class Tests(unittest.TestCase):
        engine_class: ClassVar[type[engines.Engine]]
        cluster: ClassVar[Cluster]
        engine: ClassVar[Any]

        @classmethod
        def setUpClass(cls) -> None:
            cls.cluster = Cluster(cls.engine_class.nodes)
            cls.enterClassContext(cls.cluster)
            cls.engine = cls.engine_class(cls.cluster)
            cls.engine.start()
            # No node has a bridge yet.
            world.wait_until("routes before there are pods", cls.cluster.have_all_routes, PATIENCE)

        def tearDown(self) -> None:
            self.doCleanups()  # pods first
            for node in self.cluster.nodes:
                node.run("ip", "link", "delete", "cnio0", check=False)

        def add_pods(self, nodes: Iterable[Node]) -> list[Pod]:
            pods = []
            for node in nodes:
                pods.append(node.add_pod(f"pod{node.number}"))
                self.addCleanup(pods[-1].remove)
            return pods

        def log_routes(self, node: Node) -> RouteLog:
            log = RouteLog(node)
            self.addCleanup(log.end)
            return log

        def answered(self, pod: Pod, address: str, *options: str) -> None:
            done = pod.ping(address, *options)
            self.assertEqual(done.returncode, 0, f"{pod.name} to {address} {options}: {done.stdout}{done.stderr}")

        def test_pods_see_each_other_under_their_own_addresses(self) -> None:
            one, other = self.add_pods([self.cluster.nodes[0], self.cluster.nodes[-1]])
            for caller, called in ((one, other), (other, one)):
                called.listen()
                for family in FAMILIES:
                    caller.call(called.addresses[family])
                    self.assertEqual(called.seen_caller(), caller.addresses[family])

        def test_a_node_reaches_pods_of_others(self) -> None:
            (pod,) = self.add_pods([self.cluster.nodes[-1]])
            for family in FAMILIES:
                self.cluster.nodes[0].run("ping", "-c", "1", "-W", "20", pod.addresses[family])

        def test_packets_of_full_size_arrive_whole(self) -> None:
            one, other = self.add_pods([self.cluster.nodes[0], self.cluster.nodes[-1]])
            for family in FAMILIES:
                size = self.engine.mtu - HEADERS[family]
                self.answered(one, other.addresses[family], "-M", "do", "-s", str(size))
                refused = one.ping(other.addresses[family], "-M", "do", "-s", str(size + 1))
                self.assertIn("message too long", (refused.stdout + refused.stderr).lower())

        def test_the_first_and_the_last_pod_change_no_route_of_others(self) -> None:
            first, last = self.cluster.nodes[0], self.cluster.nodes[-1]
            log = self.log_routes(first)
            pod = last.add_pod("only")
            for family in FAMILIES:
                first.run("ping", "-c", "1", "-W", "20", pod.addresses[family])
            pod.remove()
            last.ip("link delete cnio0")
            for family in FAMILIES:
                # An answer of the node itself, after all of it, to what goes by the same route.
                self.assertIn("nreachable", first.run("ping", "-c", "1", "-W", "20", pod.addresses[family], check=False).stdout)
                self.assertEqual(log.of(last.subnets[family]), [])

        def test_what_no_pod_has_is_answered_at_once(self) -> None:
            """With no bridge there; and with one, the node's route to it hides none of its pods."""
            (pod,) = self.add_pods([self.cluster.nodes[0]])
            last = self.cluster.nodes[-1]
            for family, nobody in ((4, "10.240.{}.77"), (6, "fd00:240:0:{}::77")):
                answer = pod.ping(nobody.format(last.number)).stdout
                self.assertRegex(answer, rf"From \S*({last.addresses[family]}|{last.subnets[family].split('/')[0]}) .*nreachable")
                own = pod.node.ip(f"-{family} route show {pod.node.subnets[family]} metric 4000")
                self.assertTrue(own.startswith("unreachable"), own)
                pod.node.run("ping", "-c", "1", "-W", "20", pod.addresses[family])

        def test_a_dead_node_takes_nothing_with_it_and_comes_back(self) -> None:
            living, dead = self.cluster.nodes[-2], self.cluster.nodes[-1]
            one, other, lost = self.add_pods([self.cluster.nodes[0], living, dead])
            log = self.log_routes(living)
            streams = [Stream(one, other.addresses[family]) for family in FAMILIES]
            when = self.cluster.cut(dead)
            if self.engine.notices:
                self.notices(living, dead, log, when)
            else:
                # Nothing tells that it is dead: that is for whoever uses it to know.
                self.assertTrue(living.has_route_to(dead))
            joined = self.cluster.join(dead)
            world.wait_until("routes are back", self.cluster.have_all_routes, PATIENCE)
            self.tell("back", (max((change.when for family in FAMILIES for change in log.of(dead.subnets[family])), default=joined) - joined))
            for family in FAMILIES:
                self.assertEqual(streams[family == 6].lost(), 0, f"IPv{family}")
                world.wait_until("its pod answers", lambda family=family: other.ping(lost.addresses[family]).returncode == 0, PATIENCE)

        def notices(self, living: Node, dead: Node, log: RouteLog, when: float) -> None:
            world.wait_until("routes to the dead are gone", lambda: gone(living, dead), PATIENCE)
            for family in FAMILIES:
                deleted = [change for change in log.of(dead.subnets[family]) if change.deleted]
                self.tell(f"IPv{family} route gone", deleted[0].when - when)
            others = [node for node in self.cluster.nodes if node not in (living, dead)]
            for node in others:
                self.assertTrue(living.has_route_to(node), node.name)

        def tell(self, what: str, seconds: float) -> None:
            print(f"{type(self).__name__}: {what} after {seconds:.2f} s", flush=True)


class Bird(Story.Tests):
    engine_class = engines.Bird


class BirdOspf(Story.Tests):
    engine_class = engines.BirdOspf


class BirdReflected(Story.Tests):
    engine_class = engines.BirdReflected


class FrrReflected(Story.Tests):
    engine_class = engines.FrrReflected


class WireGuard(Story.Tests):
    engine_class = engines.WireGuard


class Flannel(Story.Tests):
    engine_class = engines.Flannel


if __name__ == "__main__":
    engines.find()
    world.enter(unittest.main)
