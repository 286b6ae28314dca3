#!/usr/bin/python3
# Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
"""scripts/new-plugin: one of each kind builds and runs, its test fails, and whoever goes by the list of plugins finds it."""
import json
import os
import pathlib
import shutil
import subprocess
import tarfile
import unittest

from support import plugin_list, world

SOURCE = pathlib.Path(__file__).resolve().parents[2]
GIVEN = pathlib.Path(os.environ["CNIO_BUILD_DIR"])
WORK = pathlib.Path("/opt/new-plugin-test")  # the hosts that tests make have a /run of their own
TREE = WORK / "tree"
BUILD = TREE / "build" / GIVEN.name
TOOL = "cnioctl"
KINDS = {"new-main": "main", "new-meta": "meta", "new-ipam": "ipam"}
LINTS = ("includes", "licences", "format", "examples", "scripts")

# In the copy the layers are not built again.
BUILT_LAYERS = f"""
function(cnio_add_layer name)
  cmake_parse_arguments(ARG "" "" "DEPENDS" ${{ARGN}})
  add_library(cnio_${{name}} STATIC IMPORTED GLOBAL)
  set_target_properties(cnio_${{name}} PROPERTIES IMPORTED_LOCATION "{GIVEN}/src/libcnio_${{name}}.a")
  target_link_libraries(cnio_${{name}} INTERFACE cnio_options ${{ARG_DEPENDS}})
endfunction()
"""


def lint(check: str, *arguments: pathlib.Path, succeeds: bool = True) -> str:
    done = world.run(TREE / "tests/lint" / f"check-{check}", TREE, *arguments, check=False)
    said = done.stdout + done.stderr
    if (done.returncode == 0) != succeeds:
        raise AssertionError(f"{check}: status {done.returncode}\n{said}")
    return said


def files_of_tree() -> dict[pathlib.Path, bytes]:
    """With folders, which have no content."""
    paths = (path for path in sorted(TREE.rglob("*")) if TREE / "build" not in path.parents)
    return {path: path.read_bytes() if path.is_file() else b"" for path in paths}


def restore(files: dict[pathlib.Path, bytes]) -> None:
    for path, content in reversed(files_of_tree().items()):
        if path not in files:
            remove = path.rmdir if path.is_dir() else path.unlink
            remove()
        elif content != files[path]:
            path.write_bytes(files[path])


def make_tree() -> None:
    shutil.copytree(SOURCE, TREE, ignore=shutil.ignore_patterns("build", ".git", ".cache", "__pycache__"))
    for name, kind in KINDS.items():
        world.run(TREE / "scripts/new-plugin", name, kind)
    with open(TREE / "cmake/CnioBuild.cmake", "a", encoding="utf-8") as settings:
        settings.write(BUILT_LAYERS)


def build() -> None:
    environment = os.environ | {"CMAKE_GENERATOR": "Ninja"}
    world.run("cmake", "--preset", GIVEN.name, "-DBUILD_TESTING=OFF", cwd=TREE, env=environment)
    world.run("cmake", "--build", BUILD, "--target", *KINDS, cwd=TREE, seconds=900)
    for name in [*plugin_list.names(), TOOL]:  # as if they were built as well
        shutil.copy2(GIVEN / "bin" / name, BUILD / "bin")


class NewPlugin(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        WORK.mkdir()
        make_tree()
        build()

    def test_is_in_the_list(self) -> None:
        lines = (BUILD / plugin_list.LIST).read_text().splitlines()
        self.assertEqual(sorted(lines), lines)
        self.assertLessEqual({f"{name} {kind}" for name, kind in KINDS.items()}, set(lines))

    def test_runs(self) -> None:
        for name in KINDS:
            answer = subprocess.run([BUILD / "bin" / name], env={"CNI_COMMAND": "VERSION"}, input="{}", text=True,
                                    capture_output=True, check=True, timeout=60).stdout
            self.assertIn("1.1.0", json.loads(answer)["supportedVersions"])

    def test_its_test_says_what_to_write(self) -> None:
        program = WORK / "test"
        world.run("g++", "-std=c++20", "-I", TREE / "tests", "-I", TREE / "include", "-o", program,
                  TREE / "tests/plugin/new_main_test.cpp", GIVEN / "tests/libcnio_test_support.a",
                  "-lgmock", "-lgtest", "-lgtest_main")
        done = world.run(program, env=os.environ | {"CNIO_PLUGIN_DIR": str(BUILD / "bin")}, check=False)
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertIn("write here what ADD has to make", done.stdout)
        self.assertIn("1 FAILED TEST", done.stdout)

    def test_is_installed(self) -> None:
        said = world.run(TREE / "scripts/install", "--from", BUILD / "bin", "--to", WORK / "node").stdout
        self.assertIn("dry run", said)
        for name in KINDS:
            self.assertIn(f"{WORK}/node/{name}", said)
            self.assertTrue(os.access(WORK / "node" / name, os.X_OK))

    def test_is_in_the_packages(self) -> None:
        folder = WORK / "packages"
        world.run("cpack", "--config", BUILD / "CPackConfig.cmake", "-B", folder)
        with tarfile.open(next(folder.glob("*.tgz"))) as archive:
            self.assertLessEqual({f"./{name}" for name in KINDS}, set(archive.getnames()))
        world.run("dpkg-deb", "--raw-extract", next(folder.glob("*.deb")), WORK / "deb")
        preinst, control = ((WORK / "deb/DEBIAN" / file).read_text() for file in ("preinst", "control"))
        for name in KINDS:
            self.assertTrue((WORK / "deb/opt/cni/bin" / name).exists())
            self.assertIn(f" {name}", preinst)
            self.assertIn(f" {name}", control)

    def test_lints_know_it(self) -> None:
        for check in LINTS:
            lint(check)
        said = lint("one-list", succeeds=False).splitlines()
        self.assertEqual([line.split(":")[0] for line in said if "does not read" in line], sorted(KINDS))
        self.assertEqual(len(said), len(KINDS), said)
        readers = TREE / "tests/fuzz/config_fuzz.cpp"
        text = readers.read_text()
        self.addCleanup(readers.write_text, text)
        readers.write_text(text + "".join(f'#include "{name}/config.hpp"\n' for name in KINDS))
        lint("one-list")
        lint("release", BUILD / "bin")
        (BUILD / "bin/new-meta").rename(WORK / "new-meta")
        self.addCleanup((WORK / "new-meta").rename, BUILD / "bin/new-meta")
        self.assertIn("new-meta: missing", lint("release", BUILD / "bin", succeeds=False))
        source = TREE / "plugins/new-ipam/config.cpp"
        text = source.read_text()
        self.addCleanup(source.write_text, text)
        source.write_text(text + '#include "new-main/config.hpp"\n')
        self.assertIn("must not know another plugin", lint("includes", succeeds=False))

    def test_its_keys_have_a_table(self) -> None:
        page = TREE / "docs/configuration.md"
        lint("configuration", BUILD / "bin", succeeds=False)
        world.run(TREE / "scripts/lib/key-tables", "--write", BUILD / "bin")
        lint("configuration", BUILD / "bin")
        self.assertIn("| `ipam.sample` | boolean | `false` |", page.read_text())

    def test_its_keys_have_a_manual_page(self) -> None:
        lint("man", BUILD / "bin", succeeds=False)
        world.run(TREE / "scripts/lib/man-pages", BUILD / "bin", TREE / "man")
        lint("man", BUILD / "bin")
        self.assertIn(".BR \"ipam.sample\" \": boolean; false\"", (TREE / "man/cnio-new-ipam.8").read_text())

    def test_is_made_once(self) -> None:
        again = world.run(TREE / "scripts/new-plugin", "new-main", "main", check=False)
        self.assertEqual((again.returncode, again.stdout), (1, ""))
        for words in (("New", "main"), ("new", "other"), ("new",), ("../new", "main")):
            self.assertEqual(world.run(TREE / "scripts/new-plugin", *words, check=False).returncode, 2)

    def refused(self, name: str, status: int, why: str) -> None:
        before = files_of_tree()
        done = world.run(TREE / "scripts/new-plugin", name, "meta", check=False)
        self.assertEqual((done.returncode, done.stdout), (status, ""), name)
        self.assertIn(why, done.stderr)
        self.assertEqual(files_of_tree(), before, name)

    def test_names_that_cannot_be(self) -> None:
        for name in ("main", "config", "keys"):  # files that each plugin has
            self.refused(name, 2, "each plugin has a file")
        for name in ("all", "clean", "help", "install", "package", "test", "tests", "plugins", "cnioctl", "fuzz", "bench-tools"):
            self.refused(name, 2, "the build has a target of that name")
        for name in ("support", "nlohmann"):
            self.refused(name, 2, "includes headers of a folder of that name")
        self.refused("bridge", 1, "plugins/bridge is there already")
        self.refused("hostile", 1, "tests/plugin/hostile_test.cpp is there already")

    def test_words_of_the_language_get_a_namespace_that_compiles(self) -> None:
        self.addCleanup(restore, files_of_tree())
        for name in ("class", "and-eq", "std", "linux", "testing", "base"):
            world.run(TREE / "scripts/new-plugin", name, "meta")
            word = name.replace("-", "_")
            self.assertIn(f"namespace cnio::{word}_meta {{", (TREE / "plugins" / name / "keys.hpp").read_text())
            world.run("g++", "-std=c++20", "-fsyntax-only", "-I", TREE / "include", "-I", TREE / "plugins",
                      TREE / "plugins" / name / "main.cpp")

    def test_all_of_it_or_nothing(self) -> None:
        template = TREE / "templates/plugin/test.cpp.in"  # the last that is used
        template.rename(WORK / "template")
        self.addCleanup((WORK / "template").rename, template)
        self.refused("new-other", 1, "test.cpp.in")


if __name__ == "__main__":
    world.enter(unittest.main)
