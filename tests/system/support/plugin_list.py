# Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
"""Which plugins there are: the list that CMake writes to the build folder."""
import os
import pathlib

LIST = "plugins.txt"


def path() -> pathlib.Path:
    return pathlib.Path(os.environ["CNIO_BUILD_DIR"], LIST)


def names() -> tuple[str, ...]:
    return tuple(line.split()[0] for line in path().read_text().splitlines())
