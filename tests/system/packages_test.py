#!/usr/bin/python3
# Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
"""The packages: what is in them, that two builds make the same ones, and a Debian package's life on a node."""
import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import tarfile
import threading
import unittest
from collections.abc import Iterator
from contextlib import contextmanager

from support import plugin_list, world

SOURCE = pathlib.Path(__file__).resolve().parents[2]
RELEASE = pathlib.Path(os.environ["CNIO_BUILD_DIR"])
PACKED = RELEASE / "packages-test"  # what scripts/package made
AGAIN = RELEASE.parent / "release-again"  # the other build: without tests, in another folder
# Of all, scripts/builds shows it. These are the smallest, and one with a library more than the others.
BUILT_AGAIN = ("loopback", "tuning")
WORK = pathlib.Path("/run/packages-test")
PLUGINS = plugin_list.names()
BY_HAND = pathlib.Path("/usr/bin/true")  # unpacked by hand, as it were; no script, since those are opened twice
SCRIPTS = ("collect-garbage", "install")
TOOL = "cnioctl"
FOLDERS = ("opt/cni/bin/", "usr/sbin/", "usr/share/doc/cnio/", "usr/share/lintian/overrides/",
           "usr/share/man/man8/", "usr/share/bash-completion/completions/", "usr/share/zsh/vendor-completions/",
           "usr/share/fish/vendor_completions.d/")


def project_version() -> str:
    found = re.search(r"^project\(cnio VERSION (\S+)", (SOURCE / "CMakeLists.txt").read_text(), re.MULTILINE)
    assert found
    return found[1]


VERSION = project_version()
NEXT = re.sub(r"\d+$", lambda last: str(int(last[0]) + 1), VERSION)
ARCHITECTURE = {"x86_64": "amd64", "aarch64": "arm64"}[os.uname().machine]
TGZ = f"cni-plugins-linux-{ARCHITECTURE}-v{VERSION}.tgz"
DEB = f"cnio_{VERSION}_{ARCHITECTURE}.deb"


def pack(folder: pathlib.Path, *options: str, **settings: str) -> pathlib.Path:
    """Packs the release build into the folder."""
    folder.mkdir(parents=True)
    world.run(*pack_command(folder), *options, env=os.environ | settings)
    return folder


def pack_command(folder: pathlib.Path) -> tuple[str, ...]:
    return ("cpack", "--config", str(RELEASE / "CPackConfig.cmake"), "-B", str(folder))


def pack_as_somebody_else(folder: pathlib.Path, **settings: str) -> pathlib.Path:
    """The same by a user whose name is not root, but who may do as much, and with an odd umask."""
    folder.mkdir(parents=True)
    # The secure bit makes access(2) count the rights, too.
    waiting = 'echo; read -r _; umask 077; exec setpriv --securebits +no_setuid_fixup "$@"'
    command = ("unshare", "--user", "--keep-caps", "sh", "-c", waiting, "sh", *pack_command(folder))
    with subprocess.Popen(command, env=os.environ | settings, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True) as packer:
        assert packer.stdout
        packer.stdout.readline()
        for kind in ("uid", "gid"):
            pathlib.Path(f"/proc/{packer.pid}/{kind}_map").write_text("1234 0 1\n2000 1 65534\n")
        said, _ = packer.communicate("\n", timeout=60)
    if packer.returncode != 0:
        raise AssertionError(said)
    return folder


def digest(file: pathlib.Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def usage_text(plugin: pathlib.Path) -> str:
    return subprocess.run([plugin], env={}, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True).stderr


class Reproducible(unittest.TestCase):
    def test_two_builds_make_the_same_executables(self) -> None:
        for program in BUILT_AGAIN:
            self.assertEqual(digest(RELEASE / "bin" / program), digest(AGAIN / "bin" / program), program)

    def test_the_packages_are_the_same_whoever_packs_them(self) -> None:
        # scripts/package packed as root on the build folder's file system.
        folder = pack_as_somebody_else(WORK / "odd", TZ="Pacific/Kiritimati", LC_ALL="C.UTF-8",
                                       TMPDIR=str(make_folder(WORK / "tmp")))
        for name in (TGZ, DEB, f"{TGZ}.sha256", f"{DEB}.sha256"):
            self.assertEqual(digest(folder / name), digest(PACKED / name), name)

    def test_time_stamps_are_those_asked_for(self) -> None:
        folder = pack(WORK / "epoch", SOURCE_DATE_EPOCH="1000000000")
        with tarfile.open(folder / TGZ) as archive:
            self.assertEqual({member.mtime for member in archive}, {1000000000})
        listing = world.run("dpkg-deb", "--contents", folder / DEB, env=os.environ | {"TZ": "UTC"}).stdout
        self.assertEqual({" ".join(line.split()[3:5]) for line in listing.splitlines()}, {"2001-09-09 01:46"})

    def test_a_time_that_is_none_is_refused(self) -> None:
        with self.assertRaisesRegex(AssertionError, "SOURCE_DATE_EPOCH=yesterday: not a number"):
            pack(WORK / "yesterday", SOURCE_DATE_EPOCH="yesterday")


def files_below(folder: pathlib.Path) -> dict[str, str]:
    """Names, and what they hold."""
    return {str(path.relative_to(folder)): digest(path) for path in folder.rglob("*") if path.is_file()}


def node_files() -> dict[str, str]:
    """The examples, and the scripts and units that a node's administrator calls."""
    scripts = [SOURCE / "scripts" / name for name in SCRIPTS] + [*(SOURCE / "scripts/lib").glob("install-*.sh")]
    units = [path for kind in ("service", "timer", "json") for path in (SOURCE / "deploy").glob(f"*.{kind}")]
    return {str(path.relative_to(SOURCE)): digest(path) for path in [*(SOURCE / "conf-examples").iterdir(), *scripts, *units]}


def for_people() -> dict[str, str]:
    """The manual pages, and what completes words in shells."""
    return {str(path.relative_to(SOURCE)): digest(path) for name in ("man", "completions")
            for path in (SOURCE / name).iterdir()}


def make_folder(folder: pathlib.Path, mode: int = 0o755) -> pathlib.Path:
    folder.mkdir(parents=True)
    folder.chmod(mode)
    return folder


class Archive(unittest.TestCase):
    """cni-plugins-linux-<arch>-v<version>.tgz, in the layout of the reference's releases."""

    def test_is_flat_and_owned_by_root(self) -> None:
        with tarfile.open(PACKED / TGZ) as archive:
            members = [(member.name, oct(member.mode), member.uid, member.gid, member.uname, member.gname)
                       for member in archive]
        root = (0, 0, "root", "root")
        ours = [member for member in members if member[0].startswith("./cnio")]
        # ./ in front, as people name single members; no entry for ./ itself, which would change /opt/cni/bin.
        self.assertEqual([member for member in members if member not in ours], sorted([
            *((f"./{name}", "0o644", *root) for name in ("LICENSE", "README.md", plugin_list.LIST)),
            *((f"./{plugin}", "0o755", *root) for plugin in PLUGINS)]))
        self.assertEqual({member[2:] for member in ours}, {root})

    def test_has_the_examples_and_the_scripts_of_a_node_in_a_folder_of_ours(self) -> None:
        folder = make_folder(WORK / "with-scripts")
        world.run("tar", "-C", folder, "-xzf", PACKED / TGZ)
        self.assertEqual(files_below(folder / "cnio"),
                         node_files() | for_people() | {TOOL: digest(RELEASE / "bin" / TOOL)})

    def test_its_installer_takes_the_plugins_beside_that_folder(self) -> None:
        folder = make_folder(WORK / "installer")
        world.run("tar", "-C", folder, "-xzf", PACKED / TGZ)
        to, conf_dir = WORK / "node-bin", make_folder(WORK / "node-conf")
        world.run(folder / "cnio/scripts/install", "--to", to, "--conf-dir", conf_dir, "--subnet", "10.240.1.0/24")
        for plugin in PLUGINS:
            self.assertEqual(digest(to / plugin), digest(RELEASE / "bin" / plugin), plugin)
        self.assertEqual([path.name for path in sorted(conf_dir.iterdir())], ["10-bridge.conf", "99-loopback.conf"])

    def test_unpacks_into_a_folder_of_plugins_and_leaves_the_folder_as_it_is(self) -> None:
        folder = make_folder(WORK / "unpacked", 0o711)
        world.run("tar", "-C", folder, "-xzf", PACKED / TGZ)
        self.assertEqual(folder.stat().st_mode & 0o777, 0o711)
        world.run(SOURCE / "tests/lint/check-release", SOURCE, folder, folder / "cnio")
        for plugin in PLUGINS:
            self.assertIn(f"CNI {plugin} plugin v{VERSION}\n", usage_text(folder / plugin))

    def test_licence_covers_the_libraries_within(self) -> None:
        with tarfile.open(PACKED / TGZ) as archive:
            licence = archive.extractfile("./LICENSE")
            assert licence
            text = licence.read().decode()
        self.assertTrue(text.startswith((SOURCE / "LICENSE").read_text()))
        for name in ("libnl3", "re2", "glibc", "gcc-12", "Niels Lohmann"):
            self.assertIn(name, text)

    def test_checksums_are_right(self) -> None:
        world.run("sha256sum", "--check", "--strict", f"{TGZ}.sha256", f"{DEB}.sha256", cwd=PACKED)
        self.assertRegex((PACKED / f"{TGZ}.sha256").read_text(), rf"\A[0-9a-f]{{64}}  {re.escape(TGZ)}\n\Z")


class DebianPackage(unittest.TestCase):
    def test_says_what_policy_asks_for(self) -> None:
        fields = dict(line.split(": ", 1) for line in
                      world.run("dpkg-deb", "--field", PACKED / DEB).stdout.splitlines() if line[0] != " ")
        self.assertEqual(fields["Package"], "cnio")
        self.assertEqual(fields["Version"], VERSION)
        self.assertEqual(fields["Architecture"], ARCHITECTURE)
        self.assertNotIn("Depends", fields)
        self.assertRegex(fields["Maintainer"], r"^.+ <\S+@\S+>$")
        self.assertGreater(int(fields["Installed-Size"]), 3000)
        self.assertEqual((fields["Section"], fields["Priority"]), ("net", "optional"))
        self.assertLess(len(fields["Description"]), 80)

    def test_holds_files_in_folders_of_its_own_and_the_plugins(self) -> None:
        folder = WORK / "contents"
        world.run("dpkg-deb", "--raw-extract", PACKED / DEB, folder)
        files = sorted(str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file())
        packed = [file for file in files if not file.startswith("DEBIAN/")]
        self.assertTrue({f"opt/cni/bin/{plugin}" for plugin in PLUGINS} <= set(packed))
        self.assertEqual([file for file in packed if file.startswith("usr/sbin/")], [f"usr/sbin/{TOOL}"])
        self.assertTrue({f"usr/share/doc/cnio/{name}" for name in ("copyright", "changelog.gz")} <= set(packed))
        self.assertEqual([file for file in packed if not file.startswith(FOLDERS)], [])
        pages = {f"usr/share/man/man8/{name}.8.gz" for name in (TOOL, *(f"cnio-{plugin}" for plugin in PLUGINS))}
        self.assertEqual({file for file in packed if file.startswith("usr/share/man/")}, pages)
        self.assertEqual([file for file in files if file.startswith("DEBIAN/")],
                         [f"DEBIAN/{name}" for name in ("control", "md5sums", "postrm", "preinst")])
        sums = dict(reversed(line.split("  ")) for line in (folder / "DEBIAN/md5sums").read_text().splitlines())
        self.assertEqual(sums, {file: hashlib.md5((folder / file).read_bytes()).hexdigest() for file in packed})
        changelog = world.run("zcat", folder / "usr/share/doc/cnio/changelog.gz").stdout
        self.assertTrue(changelog.startswith(f"cnio ({VERSION}) "), changelog)


    def test_has_the_pages_and_what_they_let_people_run_laid_out_like_the_project(self) -> None:
        folder = WORK / "pages"
        world.run("dpkg-deb", "--extract", PACKED / DEB, folder)
        found = files_below(folder / "usr/share/doc/cnio")
        pages = [*SOURCE.glob("*.md"), *SOURCE.glob("plugins/*/README.md"),
                 *(path for path in (SOURCE / "docs").rglob("*") if path.is_file())]
        expected = {str(path.relative_to(SOURCE)): digest(path) for path in pages} | node_files()
        made = {name: found.get(name, "missing") for name in ("changelog.gz", "copyright", plugin_list.LIST)}
        self.assertEqual(found, expected | made)
        world.run(SOURCE / "tests/lint/check-pages", folder / "usr/share/doc/cnio")


class Node:
    """A machine of its own to install on: this one's programs, a package database and an /opt of its own."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.root = folder
        for name in ("bin", "sbin", "lib", "lib64"):
            make_folder(folder / "usr" / name)
            (folder / name).symlink_to(f"usr/{name}")
        for name in ("bin", "lib", "lib64"):
            world.run("mount", "--bind", "-o", "ro", f"/usr/{name}", folder / "usr" / name)
        self.own_sbin = folder / "own-sbin"  # what is put into /usr/sbin
        for name in ("own-sbin", "work"):
            make_folder(folder / name)
        world.run("mount", "-t", "overlay", "-o", f"lowerdir=/usr/sbin,upperdir={self.own_sbin},workdir={folder / 'work'}",
                  "overlay", folder / "usr/sbin")
        for name in ("dev", "tmp", "opt", "etc", "usr/share/doc", "var/log", *(f"var/lib/dpkg/{name}" for name in
                                                                           ("info", "updates", "triggers"))):
            make_folder(folder / name)
        for name in ("dev/null", "var/lib/dpkg/status", "opt/kept", "usr/share/doc/kept"):
            (folder / name).touch()
        self.plugins = folder / "opt/cni/bin"

    def dpkg(self, *words: str | pathlib.Path, check: bool = True) -> str:
        """Runs dpkg on the node; a package is named by its file outside."""
        arguments = []
        for word in words:
            if isinstance(word, pathlib.Path):
                shutil.copy(word, self.root / "tmp")
                word = f"/tmp/{word.name}"
            arguments.append(word)
        done = world.run("chroot", self.root, "dpkg", *arguments, check=check)
        shutil.rmtree(self.root / "tmp")
        make_folder(self.root / "tmp")
        return done.stdout + done.stderr

    def version(self, package: str = "cnio") -> str:
        query = ("dpkg-query", "--showformat=${db:Status-Abbrev} ${Version}", "--show", package)
        return world.run("chroot", self.root, *query, check=False).stdout

    def diversions(self) -> str:
        return world.run("chroot", self.root, "dpkg-divert", "--list").stdout

    def files(self) -> dict[str, str]:
        """All that packages and people put there: path and content."""
        tops = [self.root / "opt", self.root / "usr/share", self.root / "etc", self.own_sbin]
        found = [path for top in tops for path in [top, *top.rglob("*")]]
        return {str(path.relative_to(self.root)): digest(path) if path.is_file() else "folder" for path in found}


class Life(unittest.TestCase):
    """Installed, upgraded and removed by dpkg itself."""

    count = 0

    def setUp(self) -> None:
        Life.count += 1
        self.node = Node(WORK / f"node{Life.count}")
        self.before = self.node.files()
        self.deb = PACKED / DEB

    def newer(self) -> pathlib.Path:
        folder = WORK / "newer"
        if not folder.exists():
            pack(folder, "-R", NEXT)
        return folder / f"cnio_{NEXT}_{ARCHITECTURE}.deb"

    def assert_ours(self) -> None:
        for plugin in PLUGINS:
            self.assertEqual(digest(self.node.plugins / plugin), digest(RELEASE / "bin" / plugin), plugin)
        self.assertEqual(self.node.dpkg("--verify", "cnio"), "")

    def assert_nothing_of_us_is_left(self) -> None:
        self.assertEqual(self.node.files(), self.before)
        self.assertEqual(self.node.diversions(), "")
        self.node.dpkg("--purge", "cnio")  # what remains after --remove is the script that runs now
        self.assertEqual(self.node.files(), self.before)
        self.assertEqual([path.name for path in (self.node.root / "var/lib/dpkg/info").glob("cnio*")], [])

    def test_installs_and_removes_without_a_trace(self) -> None:
        self.node.dpkg("--install", self.deb)
        self.assertEqual(self.node.version(), f"ii  {VERSION}")
        self.assert_ours()
        self.assertEqual(sorted(path.name for path in self.node.plugins.iterdir()), sorted(PLUGINS))
        self.node.dpkg("--remove", "cnio")
        self.assert_nothing_of_us_is_left()

    def test_its_installer_writes_the_configuration_and_leaves_the_plugins(self) -> None:
        """As the README tells people, but for the dry run, which cannot be made below chroot. dpkg goes on to know its
        files, and those of others stay."""
        self.node.dpkg("--install", other_package("kubernetes-cni", "1.1.1", "opt/cni/bin", "vlan", *PLUGINS))
        self.node.dpkg("--install", self.deb)
        world.run("chroot", self.node.root, "/usr/share/doc/cnio/scripts/install", "--subnet", "10.240.1.0/24",
                  "--no-verify")
        self.assert_ours()
        self.assertEqual(self.node.dpkg("--verify", "kubernetes-cni"), "")
        self.assertEqual([path.name for path in sorted((self.node.root / "etc/cni/net.d").iterdir())],
                         ["10-bridge.conf", "99-loopback.conf"])

    def test_upgrades_and_goes_back(self) -> None:
        self.node.dpkg("--install", self.deb)
        installed = self.node.files()
        self.node.dpkg("--install", self.newer())
        self.assertEqual(self.node.version(), f"ii  {NEXT}")
        self.assert_ours()
        self.node.dpkg("--install", self.deb)
        self.assertEqual(self.node.version(), f"ii  {VERSION}")
        self.assertEqual(self.node.files(), installed)
        self.node.dpkg("--remove", "cnio")
        self.assert_nothing_of_us_is_left()

    def test_a_runtime_finds_a_plugin_at_every_moment_of_installing_and_upgrading(self) -> None:
        self.put_plugins_by_hand()
        with called_all_the_time(self.node.plugins / "bridge") as outcomes:
            self.node.dpkg("--install", self.deb)
            self.node.dpkg("--install", self.newer())
        self.assertEqual(set(outcomes), {usage_text(BY_HAND), usage_text(self.node.plugins / "bridge")})

    def test_what_was_unpacked_by_hand_comes_back(self) -> None:
        self.put_plugins_by_hand()
        self.before = self.node.files()
        self.node.dpkg("--install", self.deb)
        self.assert_ours()
        self.node.dpkg("--install", self.newer())
        self.assert_ours()
        self.assertEqual(digest(self.node.plugins / "bridge.distrib"), digest(BY_HAND))
        self.node.dpkg("--remove", "cnio")
        self.assert_nothing_of_us_is_left()

    def test_shares_the_folder_with_kubernetes_cni(self) -> None:
        self.node.dpkg("--install", other_package("kubernetes-cni", "1.2.0", "opt/cni/bin", "vlan", *PLUGINS))
        self.node.dpkg("--install", self.deb)
        self.assert_ours()
        # An upgrade of theirs does not touch ours.
        self.node.dpkg("--install", other_package("kubernetes-cni", "1.3.0", "opt/cni/bin", "vlan", *PLUGINS))
        self.assert_ours()
        self.assertEqual(self.node.dpkg("--verify", "kubernetes-cni"), "")
        self.assertIn("kubernetes-cni 1.3.0", (self.node.plugins / "vlan").read_text())
        self.node.dpkg("--remove", "cnio")
        for plugin in PLUGINS:
            self.assertIn("kubernetes-cni 1.3.0", (self.node.plugins / plugin).read_text())
        self.node.dpkg("--remove", "kubernetes-cni")
        self.assert_nothing_of_us_is_left()

    def test_stands_beside_debians_plugins(self) -> None:
        theirs = self.node.root / "usr/lib/cni"  # is there: the reference is installed on this machine
        world.run("mount", "-t", "tmpfs", "tmpfs", theirs)
        self.node.dpkg("--install", other_package("containernetworking-plugins", "1.1.1", "usr/lib/cni", *PLUGINS))
        self.node.dpkg("--install", self.deb)
        self.assert_ours()
        self.assertEqual(self.node.dpkg("--verify", "containernetworking-plugins"), "")
        self.node.dpkg("--remove", "cnio")
        self.assertEqual((theirs / "bridge").read_text(), "containernetworking-plugins 1.1.1\n")

    def test_an_installation_that_fails_leaves_all_as_it_was(self) -> None:
        self.node.dpkg("--install", other_package("squatter", "1", "usr/share/doc/cnio", "README.md"))
        self.put_plugins_by_hand()
        self.before = self.node.files()
        said = self.node.dpkg("--install", self.deb, check=False)
        self.assertIn("which is also in package squatter", said)
        self.assert_nothing_of_us_is_left()

    def put_plugins_by_hand(self) -> None:
        self.node.plugins.mkdir(parents=True)
        for plugin in PLUGINS:
            shutil.copy(BY_HAND, self.node.plugins / plugin)


def other_package(name: str, version: str, folder: str, *files: str) -> pathlib.Path:
    """Somebody else's package, whose files hold its name and version."""
    tree = WORK / f"{name}-{version}"
    make_folder(tree / "DEBIAN")
    (tree / "DEBIAN/control").write_text(f"Package: {name}\nVersion: {version}\nArchitecture: all\n"
                                         "Maintainer: Somebody <s@example.org>\nDescription: something\n")
    make_folder(tree / folder)
    for file in files:
        (tree / folder / file).write_text(f"{name} {version}\n")
    sum_of = hashlib.md5(f"{name} {version}\n".encode()).hexdigest()
    (tree / "DEBIAN/md5sums").write_text("".join(f"{sum_of}  {folder}/{file}\n" for file in files))
    world.run("dpkg-deb", "--build", "--root-owner-group", tree, WORK / f"{name}-{version}.deb")
    return WORK / f"{name}-{version}.deb"


@contextmanager
def called_all_the_time(plugin: pathlib.Path) -> Iterator[list[str]]:
    """Calls the plugin again and again, also once before and once after; the list has what it said, or the error."""
    outcomes: list[str] = []
    over, begun = threading.Event(), threading.Event()

    def call() -> None:
        last = False
        while not last:
            last = over.is_set()
            try:
                outcomes.append(usage_text(plugin))
            except (OSError, subprocess.CalledProcessError) as error:
                outcomes.append(repr(error))
            begun.set()

    caller = threading.Thread(target=call)
    caller.start()
    try:
        begun.wait(60)
        yield outcomes
    finally:
        over.set()
        caller.join()


def prepare() -> None:
    """scripts/package, and building, outside: it installs what is missing, and in the world nothing seems to be installed."""
    shutil.rmtree(PACKED, ignore_errors=True)
    # Without sudo's variables it leaves the owner of the build folder alone, in which other tests are at work.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SUDO_")}
    done = world.run(SOURCE / "scripts/package", "--output", PACKED, seconds=800, env=environment)
    printed = done.stdout.split()
    expected = [str(PACKED / name) for name in (TGZ, f"{TGZ}.sha256", DEB, f"{DEB}.sha256")]
    if printed != expected:
        raise SystemExit(f"scripts/package printed {printed}, not {expected}")
    shutil.rmtree(AGAIN, ignore_errors=True)
    world.run("cmake", "--preset", "release", "-B", AGAIN, "-DBUILD_TESTING=OFF", cwd=SOURCE, env=environment)
    world.run("cmake", "--build", AGAIN, "--parallel", str(os.cpu_count()), "--target", *BUILT_AGAIN, seconds=800,
              env=environment)


def main() -> None:
    make_folder(WORK)
    unittest.main()


if __name__ == "__main__":
    if world.INSIDE not in os.environ:
        prepare()
    world.enter(main)
