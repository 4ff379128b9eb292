"""Images are what Istio, Envoy Gateway and container engines load, and the same bytes every time."""

import gzip
import hashlib
import io
import json
import os
import re
import subprocess
import sys
import tarfile
import tempfile
import tomllib
import unittest
from pathlib import Path

from schemas import ROOT

OCI = "application/vnd.oci.image."
MODULE = "application/vnd.module.wasm.content.layer.v1+wasm"


def out() -> Path:
    return Path(os.environ["GATEHOLD_IMAGES"])


class Layout:
    """An archive, read as tools do: from its index, with every digest and size looked at."""

    def __init__(self, name: str):
        with tarfile.open(out() / f"{name}.tar") as archive:
            self.files = {one.name: archive.extractfile(one).read() for one in archive if one.isfile()}
        assert json.loads(self.files["oci-layout"]) == {"imageLayoutVersion": "1.0.0"}
        (self.descriptor,) = json.loads(self.files["index.json"])["manifests"]
        self.manifest = json.loads(self.blob(self.descriptor))
        self.config = json.loads(self.blob(self.manifest["config"]))
        self.layers = [(layer["mediaType"], self.blob(layer)) for layer in self.manifest["layers"]]

    def blob(self, descriptor: dict) -> bytes:
        algorithm, digest = descriptor["digest"].split(":")
        data = self.files[f"blobs/{algorithm}/{digest}"]
        assert hashlib.sha256(data).hexdigest() == digest and len(data) == descriptor["size"], descriptor
        return data

    def entries(self) -> dict[str, tarfile.TarInfo]:
        found = {}
        for _, layer in self.layers:
            with tarfile.open(fileobj=io.BytesIO(layer), mode="r:gz") as archive:
                found |= {f"/{one.name}": one for one in archive}
        return found

    def read(self, path: str) -> bytes:
        for _, layer in self.layers:
            with tarfile.open(fileobj=io.BytesIO(layer), mode="r:gz") as archive:
                if path.strip("/") in archive.getnames():
                    return archive.extractfile(path.strip("/")).read()
        raise KeyError(path)


def wasm() -> bytes:
    return Path(os.environ["GATEHOLD_WASM"]).read_bytes()


class Filter(unittest.TestCase):
    def test_one_tar_layer_with_the_module(self):
        image = Layout("filter")
        self.assertEqual(image.manifest["mediaType"], OCI + "manifest.v1+json")
        self.assertEqual([kind for kind, _ in image.layers], [OCI + "layer.v1.tar+gzip"])
        self.assertEqual(list(image.entries()), ["/plugin.wasm"])
        self.assertEqual(image.read("plugin.wasm"), wasm())

    def test_the_artifact_has_two_layers(self):
        image = Layout("filter-artifact")
        self.assertEqual(len(image.layers), 2, "Istio refuses the module alone")
        self.assertEqual(dict(image.layers)[MODULE], wasm())
        self.assertNotEqual(image.manifest["config"]["mediaType"], OCI + "config.v1+json")

    def test_engines_load_it(self):
        """What `docker load` reads beside the index, names the same blobs."""
        for name in ("filter", "control"):
            image = Layout(name)
            (described,) = json.loads(image.files["manifest.json"])
            self.assertEqual(image.files[described["Config"]], image.blob(image.manifest["config"]))
            self.assertEqual([image.files[layer] for layer in described["Layers"]], [data for _, data in image.layers])
            opened = [hashlib.sha256(gzip.decompress(data)).hexdigest() for _, data in image.layers]
            self.assertEqual(image.config["rootfs"]["diff_ids"], [f"sha256:{digest}" for digest in opened])

    def test_digests_are_written_down(self):
        digests = json.loads((out() / "digests.json").read_text())
        for name in ("filter", "filter-artifact", "control"):
            self.assertEqual(digests[name]["digest"], Layout(name).descriptor["digest"])
        self.assertEqual(digests["filter"]["module"], hashlib.sha256(wasm()).hexdigest())


class Control(unittest.TestCase):
    def test_it_is_not_root_and_holds_nothing_to_run_beside_itself(self):
        image = Layout("control")
        self.assertEqual(image.config["config"]["User"], "65532:65532")
        entries = image.entries()
        programs = [path for path, one in entries.items() if one.isfile() and one.mode & 0o111 and ".so" not in path]
        self.assertEqual(programs, ["/usr/bin/gatehold"])
        writable = [path for path, one in entries.items() if one.uid or one.mode & 0o022]
        self.assertEqual(sorted(writable), ["/data", "/tmp"])
        self.assertEqual([path for path, one in entries.items() if one.mode & 0o6000], [])
        self.assertEqual(list(image.config["config"]["Volumes"]), ["/data"])
        self.assertLess(sum(len(layer) for _, layer in image.layers), 30_000_000)

    def test_it_names_what_it_was_built_from(self):
        text = Layout("control").read("/usr/share/gatehold/sbom.cdx.json")
        self.assertEqual(text, (out() / "control.cdx.json").read_bytes())
        for bom, known in [(text, "tonic"), ((out() / "filter.cdx.json").read_bytes(), "proxy-wasm")]:
            bom = json.loads(bom)
            self.assertEqual((bom["bomFormat"], bom["specVersion"]), ("CycloneDX", "1.6"))
            names = {one["name"]: one for one in bom["components"]}
            self.assertEqual(names[known]["purl"], f"pkg:cargo/{known}@{names[known]['version']}")
            references = [one["bom-ref"] for one in bom["components"]]
            self.assertEqual(len(references), len(set(references)))
            self.assertNotIn("proptest", names, "what only tests need is not in it")


class Again(unittest.TestCase):
    def test_a_second_build_makes_the_same(self):
        with tempfile.TemporaryDirectory(prefix="gatehold-") as folder:
            build = [sys.executable, str(ROOT / "envoy/images/build.py"), "--out", folder]
            build += ["--wasm", os.environ["GATEHOLD_WASM"], "--control", os.environ["GATEHOLD_BIN"]]
            done = subprocess.run(build, capture_output=True, text=True, timeout=120)
            self.assertEqual(done.returncode, 0, done.stderr)
            for name in ("filter", "filter-artifact", "control"):
                self.assertEqual((Path(folder) / f"{name}.tar").read_bytes(), (out() / f"{name}.tar").read_bytes(), name)

    def test_a_wrong_file_is_refused(self):
        build = [sys.executable, str(ROOT / "envoy/images/build.py"), "--out", os.devnull, "--wasm", "nowhere.wasm", "--control", "nowhere"]
        done = subprocess.run(build, capture_output=True, text=True)
        self.assertEqual(done.returncode, 1)
        self.assertIn("`nowhere.wasm` is not there", done.stderr)


class Manifests(unittest.TestCase):
    def test_one_version_everywhere(self):
        version = tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]["package"]["version"]
        folder = ROOT / "envoy"
        places = {
            "helm/gatehold/Chart.yaml": [r"^version: (.+)$", r"^appVersion: (.+)$"],
            "compose/compose.yaml": [r"GATEHOLD_VERSION:-([^}]+)"],
            "kustomize/example/kustomization.yaml": [r"newTag: (.+)"],
            **{f"{path.parent.name}/{path.name}": [r"gatehold/filter:([0-9.]+)"] for path in folder.glob("*/*.yaml") if "gatehold/filter:" in path.read_text()},
        }
        self.assertGreater(len(places), 8)
        for path, patterns in places.items():
            for pattern in patterns:
                found = re.findall(pattern, (folder / path).read_text(), re.M)
                self.assertEqual(set(found), {version}, f"{path}: {pattern}")

    def test_place_and_digest_are_put_in(self):
        digest = json.loads((out() / "digests.json").read_text())["filter"]["digest"]
        with tempfile.TemporaryDirectory(prefix="gatehold-") as folder:
            command = [sys.executable, str(ROOT / "envoy/images/manifests.py"), "--out", folder, "--digest", digest, "--registry", "registry.test:5000/tools"]
            self.assertEqual(subprocess.run(command, capture_output=True).returncode, 0)
            texts = {path.name: path.read_text() for path in Path(folder).rglob("*.yaml")}
        self.assertGreater(len(texts), 5)
        for name, text in texts.items():
            self.assertNotIn("registry.example.com", text, name)
            self.assertNotIn("0" * 64, text, name)
        self.assertIn(digest.removeprefix("sha256:"), texts["sidecar.yaml"])
        self.assertIn("oci://registry.test:5000/tools/filter:", texts["sidecar.yaml"])


if __name__ == "__main__":
    unittest.main()
