# Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
"""The reference's executables, for chains of ours and those that are not part of cnio.

    if __name__ == "__main__":
        reference.find()               # before world.enter: inside there is no network to fetch them with
        world.enter(unittest.main)
"""
import os
import pathlib
import subprocess
from collections.abc import Iterable

from support import world

VARIABLE = "CNIO_REFERENCE_DIR"
FETCH = pathlib.Path(__file__).parents[3] / "scripts/lib/fetch-reference"


def find() -> None:
    """Sees to it that CNIO_REFERENCE_DIR names the folder: given by the caller, or else fetched."""
    if world.INSIDE not in os.environ and not os.environ.get(VARIABLE):
        os.environ[VARIABLE] = subprocess.run([FETCH, os.environ["CNIO_BUILD_DIR"]], stdout=subprocess.PIPE, text=True,
                                              check=True, timeout=300).stdout.strip()


def plugin_folder(folder: pathlib.Path, borrowed: Iterable[str]) -> pathlib.Path:
    """Makes the folder, as on a node: all of ours, and of the reference's those that were asked for."""
    ours = pathlib.Path(os.environ["CNIO_PLUGIN_DIR"])
    _copy(ours.iterdir(), folder)
    return borrow(folder, borrowed)


def borrow(folder: pathlib.Path, plugins: Iterable[str]) -> pathlib.Path:
    """Makes the folder with these of the reference's plugins and no others."""
    _copy((pathlib.Path(os.environ[VARIABLE], name) for name in plugins), folder)
    return folder


def _copy(plugins: Iterable[pathlib.Path], folder: pathlib.Path) -> None:
    """No links: a test may damage what is there."""
    folder.mkdir(parents=True, exist_ok=True)
    for plugin in plugins:
        world.run("cp", plugin, folder)
