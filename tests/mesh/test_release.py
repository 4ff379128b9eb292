"""A release is whole, the same every time, and a byte that was changed afterwards is seen."""

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
import unittest
from pathlib import Path

from schemas import ROOT

WHO = "release@example.com"


def key(folder: Path, name: str) -> Path:
    path = folder / name
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", WHO, "-f", path], check=True)
    return path


def repository(folder: Path) -> Path:
    """What releases are made of, as git knows it; where it comes from does not matter, and nothing is left in it."""
    shutil.copytree(ROOT / "envoy", folder / "envoy", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "Cargo.toml", folder)
    for command in (["init", "-q"], ["add", "-A"]):
        subprocess.run(["git", "-C", folder, *command], check=True)
    return folder


def build(folder: Path, signing: Path) -> subprocess.CompletedProcess:
    given = {"wasm": os.environ["GATEHOLD_WASM"], "control": os.environ["GATEHOLD_BIN"], "images": os.environ["GATEHOLD_IMAGES"]}
    options = [part for name, value in {**given, "key": signing, "out": folder}.items() for part in (f"--{name}", value)]
    return subprocess.run([sys.executable, Release.tree / "envoy/release/build.py", *options], capture_output=True, text=True)


def verify(folder: Path, signing: Path) -> bool:
    """As docs/release.md says it is done."""
    signers = folder.parent / "allowed_signers"
    signers.write_text(f"{WHO} {signing.with_name(signing.name + '.pub').read_text()}")
    command = ["ssh-keygen", "-Y", "verify", "-f", signers, "-I", WHO, "-n", "gatehold-release", "-s", folder / "SHA256SUMS.sig"]
    with open(folder / "SHA256SUMS") as sums:
        if subprocess.run(command, stdin=sums, capture_output=True).returncode != 0:
            return False
    return subprocess.run(["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"], cwd=folder, capture_output=True).returncode == 0


class Release(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scratch = tempfile.TemporaryDirectory()
        base = Path(cls.scratch.name)
        cls.key, cls.folder = key(base, "release.key"), base / "dist"
        cls.tree = repository(base / "tree")
        made = build(cls.folder, cls.key)
        assert made.returncode == 0, made.stderr
        cls.version = tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]["package"]["version"]

    @classmethod
    def tearDownClass(cls):
        cls.scratch.cleanup()

    def copy(self) -> Path:
        into = Path(tempfile.mkdtemp(dir=self.scratch.name)) / "dist"
        shutil.copytree(self.folder, into)
        return into

    def test_it_verifies(self):
        self.assertTrue(verify(self.folder, self.key))

    def test_everything_in_it_is_signed_and_named_by_version(self):
        named = {line.split()[1] for line in (self.folder / "SHA256SUMS").read_text().splitlines()}
        there = {path.name for path in self.folder.iterdir()} - {"SHA256SUMS", "SHA256SUMS.sig"}
        self.assertEqual(named, there)
        self.assertEqual(len(there), 9)
        for name in there:
            self.assertIn(self.version, name)

    def test_a_changed_byte_is_seen(self):
        for name in sorted(path.name for path in self.folder.iterdir()):
            folder = self.copy()
            path = folder / name
            data = bytearray(path.read_bytes())
            # In a signature the first line is but a frame.
            at = len(data) // 2
            data[at] = data[at] ^ 1 or 2
            path.write_bytes(data)
            self.assertFalse(verify(folder, self.key), name)
            shutil.rmtree(folder.parent)

    def test_a_stranger_cannot_sign(self):
        stranger = key(Path(tempfile.mkdtemp(dir=self.scratch.name)), "stranger.key")
        folder = self.copy()
        made = build(folder, stranger)
        self.assertEqual(made.returncode, 0, made.stderr)
        self.assertFalse(verify(folder, self.key))

    def test_the_same_input_gives_the_same_bytes(self):
        folder = self.copy()
        self.assertEqual(build(folder, self.key).returncode, 0)
        for path in self.folder.iterdir():
            self.assertEqual(path.read_bytes(), (folder / path.name).read_bytes(), path.name)

    def test_what_is_in_it_is_what_was_built(self):
        module = (self.folder / f"gatehold-filter-{self.version}.wasm").read_bytes()
        self.assertEqual(module, Path(os.environ["GATEHOLD_WASM"]).read_bytes())
        with tarfile.open(self.folder / f"gatehold-chart-{self.version}.tgz") as chart:
            text = chart.extractfile("gatehold/Chart.yaml").read().decode()
        self.assertIn(f"version: {self.version}", text)
        with tarfile.open(self.folder / f"gatehold-manifests-{self.version}.tar.gz") as manifests:
            names = manifests.getnames()
        for wanted in ("istio/sidecar.yaml", "gateway/policy.yaml", "kustomize/base/control.yaml", "local/envoy.yaml"):
            self.assertIn(f"gatehold-manifests-{self.version}/{wanted}", names)

    def test_the_module_tells_nothing_of_where_it_was_built(self):
        module = (self.folder / f"gatehold-filter-{self.version}.wasm").read_bytes()
        for place in (os.path.expanduser("~/.cargo").encode(), str(ROOT).encode() + b"/"):
            self.assertFalse(place in module, place)

    def test_only_what_the_repository_has_is_in_it(self):
        stray = self.tree / "envoy/local/.stray-secret"
        stray.write_text("of nobody's release")
        self.addCleanup(stray.unlink)
        folder = self.copy()
        self.assertEqual(build(folder, self.key).returncode, 0)
        with tarfile.open(folder / f"gatehold-manifests-{self.version}.tar.gz") as manifests:
            self.assertEqual([name for name in manifests.getnames() if "stray" in name], [])

    def test_nothing_but_a_release_is_replaced(self):
        folder = self.copy()
        precious = folder / "thesis.txt"
        precious.write_text("years of work")
        made = build(folder, self.key)
        self.assertNotEqual(made.returncode, 0)
        self.assertIn("thesis.txt", made.stderr)
        self.assertEqual(precious.read_text(), "years of work")
        precious.unlink()
        inside = key(folder, "gatehold-release.key")
        made = build(folder, inside)
        self.assertNotEqual(made.returncode, 0)
        self.assertIn("keep it elsewhere", made.stderr)
        self.assertTrue(inside.is_file())

    def test_without_a_key_there_is_no_release(self):
        out = Path(self.scratch.name) / "none"
        made = build(out, Path(self.scratch.name) / "absent.key")
        self.assertNotEqual(made.returncode, 0)
        self.assertIn("ssh-keygen -t ed25519", made.stderr)
        self.assertFalse(out.exists())


if __name__ == "__main__":
    unittest.main()
