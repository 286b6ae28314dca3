# Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
"""How fast data go from one network namespace to another, and how long a packet waits meanwhile."""
import dataclasses
import re
import subprocess

_RECEIVE = """
import socket, sys, time
listener = socket.create_server(("", 5201))
print("listening", flush=True)
connection, _ = listener.accept()
connection.settimeout(0.2)
start, count = time.monotonic(), 0
while time.monotonic() - start < float(sys.argv[1]):
    try:
        count += len(connection.recv(1 << 18))
    except TimeoutError:
        pass
print(count * 8 / (time.monotonic() - start), flush=True)
"""
_SEND = """
import socket, sys
connection = socket.create_connection((sys.argv[1], 5201))
data = bytes(1 << 16)
try:
    while True:
        connection.sendall(data)
except OSError:
    pass
"""


@dataclasses.dataclass(frozen=True)
class Load:
    bits_per_second: float
    waited_ms: float  # an echo request and its answer, on average


def load(sender: str, receiver: str, address: str, seconds: float = 5) -> Load:
    """One TCP connection to `address` as fast as it goes; the namespaces' names, "" for this one."""
    def inside(name: str) -> list[str]:
        return ["ip", "netns", "exec", name] if name else []

    with subprocess.Popen([*inside(receiver), "python3", "-c", _RECEIVE, str(seconds)], stdout=subprocess.PIPE, text=True) as sink:
        assert sink.stdout and sink.stdout.readline() == "listening\n"
        with subprocess.Popen([*inside(sender), "python3", "-c", _SEND, address]) as source:
            ping = subprocess.run([*inside(sender), "ping", "-q", "-i", "0.05", "-w", str(int(seconds)), address],
                                  capture_output=True, text=True, check=False)
            got = float(sink.stdout.readline())
            source.kill()
    found = re.search(r"= [\d.]+/([\d.]+)/", ping.stdout)
    return Load(got, float(found[1]) if found else seconds * 1000)
