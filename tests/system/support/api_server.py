# Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
"""A stand-in for a Kubernetes API server: one kind of object, over TLS, with the real one's words when it refuses."""
import contextlib
import http.server
import json
import pathlib
import ssl
import threading
from collections.abc import Iterator
from typing import Any

from support import world

ADDRESS = "127.0.0.1"
SUBJECT = "/CN=kube-apiserver"


def node(name: str, *subnets: str) -> dict[str, Any]:
    """As `kubectl get --raw /api/v1/nodes/<name>` shows it, with what is easily taken for a podCIDR left in."""
    spec = {"podCIDR": subnets[0], "podCIDRs": list(subnets)} if subnets else {}
    fields = {"f:spec": {"f:podCIDR": {}, "f:podCIDRs": {".": {}, 'v:"10.9.9.0/24"': {}}}}
    return {"kind": "Node", "apiVersion": "v1",
            "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name},
                         "managedFields": [{"manager": "kube-controller-manager", "fieldsV1": fields}]},
            "spec": spec, "status": {"addresses": [{"type": "InternalIP", "address": "192.0.2.11"}]}}


class Authority:
    """Makes certificates; ca.crt is what those who are to believe them need."""

    def __init__(self, folder: pathlib.Path) -> None:
        folder.mkdir(parents=True)
        self.certificate, self._key, self._folder = folder / "ca.crt", folder / "ca.key", folder
        world.run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                  "-subj", "/CN=kubernetes", "-keyout", self._key, "-out", self.certificate)

    def sign(self, names: str) -> tuple[pathlib.Path, pathlib.Path]:
        """A server's certificate and its key; names as in "IP:127.0.0.1"."""
        certificate, key, request = (self._folder / f"server.{end}" for end in ("crt", "key", "csr"))
        (self._folder / "names").write_text(f"subjectAltName={names}\n")
        world.run("openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", SUBJECT,
                  "-keyout", key, "-out", request)
        world.run("openssl", "x509", "-req", "-in", request, "-days", "2", "-CA", self.certificate, "-CAkey", self._key,
                  "-CAcreateserial", "-extfile", self._folder / "names", "-out", certificate)
        return certificate, key


class ApiServer:
    """Answers for its nodes those who have the token. `answers` come first, one for each request: (status, object)."""

    def __init__(self, authority: Authority, token: str, names: str = f"IP:{ADDRESS}") -> None:
        self.token = token
        self.answers: list[tuple[int, dict[str, Any]]] = []
        self.nodes: dict[str, dict[str, Any]] = {}
        self.asked: list[str] = []
        self._server = http.server.ThreadingHTTPServer((ADDRESS, 0), self._handler())
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*authority.sign(names))
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)

    @property
    def port(self) -> int:
        return self._server.server_address[1]

    @contextlib.contextmanager
    def serving(self) -> Iterator["ApiServer"]:
        thread = threading.Thread(target=self._server.serve_forever)
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            thread.join()
            self._server.server_close()

    def answer(self, path: str, authorization: str) -> tuple[int, dict[str, Any]]:
        self.asked.append(path)
        if authorization != f"Bearer {self.token}":
            return 401, _status(401, "Unauthorized", "Unauthorized")
        if self.answers:
            return self.answers.pop(0)
        name = path.removeprefix("/api/v1/nodes/")
        if name not in self.nodes:
            return 404, _status(404, "NotFound", f'nodes "{name}" not found')
        return 200, self.nodes[name]

    def forbid(self, name: str) -> None:
        message = (f'nodes "{name}" is forbidden: User "system:serviceaccount:kube-system:cnio" cannot get resource "nodes" '
                   'in API group "" at the cluster scope')
        self.answers.append((403, _status(403, "Forbidden", message)))

    def _handler(self) -> type[http.server.BaseHTTPRequestHandler]:
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:  # noqa: N802 the name that the library calls
                status, content = server.answer(self.path, self.headers.get("Authorization", ""))
                text = json.dumps(content).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_: Any) -> None:
                pass
        return Handler


def _status(code: int, reason: str, message: str) -> dict[str, Any]:
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": message, "reason": reason,
            "code": code}
