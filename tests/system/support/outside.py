# Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
"""The world outside the node: another namespace at the end of a cable, with a web server that tells who called.

It has no route to any pod, so pods reach it under the node's address or not at all.
"""
import pathlib
import subprocess
import urllib.request
from types import TracebackType

from support import image, world

NODE = "192.0.2.1"
ADDRESS = "192.0.2.2"
NAMESPACE = "outside"


class Outside:
    """`with Outside():` it is there, and its server answers."""

    def __enter__(self) -> "Outside":
        world.run("ip", "netns", "add", NAMESPACE)
        world.run("ip", "link", "add", "uplink", "type", "veth", "peer", "name", "eth0", "netns", NAMESPACE)
        # No link-local addresses: they would appear some time later and look like a trace of something.
        world.run("ip", "link", "set", "uplink", "addrgenmode", "none")
        world.run("ip", "address", "add", f"{NODE}/24", "dev", "uplink")
        world.run("ip", "link", "set", "uplink", "up")
        world.run("ip", "-n", NAMESPACE, "address", "add", f"{ADDRESS}/24", "dev", "eth0")
        world.run("ip", "-n", NAMESPACE, "link", "set", "eth0", "up")
        page = pathlib.Path(f"/run/{NAMESPACE}{image.WHO_PAGE}")
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text(image.WHO_SCRIPT.replace("$(hostname)", NAMESPACE))
        page.chmod(0o755)
        self._server = subprocess.Popen(["ip", "netns", "exec", NAMESPACE, image.BUSYBOX, "httpd", "-f", "-p", "80",
                                         "-h", f"/run/{NAMESPACE}"])
        wait_for_page(ADDRESS)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self._server.kill()
        self._server.wait()
        world.run("ip", "link", "delete", "uplink")
        world.run("ip", "netns", "delete", NAMESPACE)


def who_url(address: str, port: int = 80) -> str:
    host = f"[{address}]" if ":" in address else address
    return f"http://{host}:{port}{image.WHO_PAGE}"


def wait_for_page(address: str, port: int = 80) -> str:
    """The answer of the web server there to this very process, as soon as there is one: "<server> <our address>"."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def page() -> str:
        try:
            with opener.open(who_url(address, port), timeout=5) as answer:
                return answer.read().decode()
        except OSError:  # not there yet
            return ""
    return world.wait_until(f"web server at {address} port {port}", page)
