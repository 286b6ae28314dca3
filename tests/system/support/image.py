# Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
"""A container image made on the spot from Debian's busybox-static: nothing is pulled from anywhere."""
import hashlib
import io
import json
import pathlib
import platform
import tarfile

BUSYBOX = pathlib.Path("/bin/busybox")
PROGRAMS = ("sh", "cat", "echo", "hostname", "httpd", "ip", "ping", "sleep", "wget")
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
WAIT_FOREVER = ["/bin/sleep", "infinity"]
WEB_ROOT = "/www"
WEB_SERVER = ["/bin/httpd", "-f", "-p", "80", "-h", WEB_ROOT]
WHO_PAGE = "/cgi-bin/who"
# The answer says who serves and which address the caller was seen under (httpd writes [::ffff:192.0.2.1]).
WHO_SCRIPT = r"""#!/bin/sh
caller=${REMOTE_ADDR#"["}
caller=${caller#"::ffff:"}
printf 'Content-Type: text/plain\r\n\r\n%s %s' "$(hostname)" "${caller%"]"}"
"""


def write_archive(path: pathlib.Path, name: str) -> None:
    """Writes the image as `docker save` would: runtimes import it under `name`. Run as it is, it waits for ever, so
    it serves as the pause image, too."""
    layer = _layer()
    config = json.dumps({
        "architecture": ARCHITECTURES[platform.machine()], "os": "linux",
        "config": {"Cmd": WAIT_FOREVER, "Env": ["PATH=/bin"], "WorkingDir": "/"},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
    }).encode()
    manifest = json.dumps([{"Config": "config.json", "RepoTags": [name], "Layers": ["layer.tar"]}]).encode()
    with tarfile.open(path, "w") as archive:
        for member, content in (("manifest.json", manifest), ("config.json", config), ("layer.tar", layer)):
            _add_file(archive, member, content, 0o644)


def _layer() -> bytes:
    memory = io.BytesIO()
    with tarfile.open(fileobj=memory, mode="w") as layer:
        _add_file(layer, "bin/busybox", BUSYBOX.read_bytes(), 0o755)
        for program in PROGRAMS:
            link = tarfile.TarInfo(f"bin/{program}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            layer.addfile(link)
        _add_file(layer, f"{WEB_ROOT}{WHO_PAGE}".lstrip("/"), WHO_SCRIPT.encode(), 0o755)
        _add_file(layer, "etc/passwd", b"root:x:0:0:root:/:/bin/sh\n", 0o644)
    return memory.getvalue()


def _add_file(archive: tarfile.TarFile, name: str, content: bytes, mode: int) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), mode
    archive.addfile(entry, io.BytesIO(content))
