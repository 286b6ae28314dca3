# Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
"""libcni itself, the library in container runtimes, as a program: tests/system/libcni."""
import fcntl
import os
import pathlib

from support import world

SOURCE = pathlib.Path(__file__).parents[1] / "libcni"


def build_runner() -> pathlib.Path:
    """Compiles it with Debian's own Go and library, and nothing from elsewhere."""
    folder = pathlib.Path(os.environ["CNIO_BUILD_DIR"], "libcni")
    folder.mkdir(exist_ok=True)
    settings = {"GO111MODULE": "off", "GOPATH": "/usr/share/gocode", "GOPROXY": "off", "GOFLAGS": "",
                "GOCACHE": str(folder / "cache")}
    with open(folder / "lock", "w", encoding="ascii") as lock:  # more than one test builds it
        fcntl.flock(lock, fcntl.LOCK_EX)
        world.run("go", "build", "-buildvcs=false", "-o", folder / "runner", ".", cwd=SOURCE, env=os.environ | settings,
                  seconds=300)
    return folder / "runner"
