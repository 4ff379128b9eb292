#!/usr/bin/env python3
"""Builds the images of Gatehold as OCI archives, with nothing but Python: `make image` calls it.

    build.py --wasm FILE --control FILE --out DIR [--demo]

filter           the module as `plugin.wasm` in one tar layer: Istio and Envoy Gateway load it, and so does `docker load`
filter-artifact  the module as an artifact of two layers, the other layout that both accept
control          `gatehold serve` and the libraries that it loads: no shell, not root, nothing to write but /data
demo-envoy, demo-servers (with --demo)
                 what envoy/compose/compose.yaml needs beside them, from what `make setup` fetched

Their digests are written to DIR/digests.json.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tomllib
from pathlib import Path

import oci
import sbom
from oci import Entry

ROOT = Path(__file__).resolve().parents[2]
NOBODY = 65532
MACHINES = {"x86_64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
# Where systems keep the certificates of authorities.
AUTHORITIES = ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem"]
DATA = "/data"
SERVE = ["serve", "--config", "/etc/gatehold/documents", "--data", f"{DATA}/gatehold.db"]
SERVE += ["--grpc", "0.0.0.0:18000", "--http", "0.0.0.0:18001", "--console", "0.0.0.0:18002", "--log-format", "json"]


def fail(what: str, *help: str):
    print(f"error: {what}", file=sys.stderr)
    for line in help:
        print(f"  help: {line}", file=sys.stderr)
    sys.exit(1)


def loaded_by(*programs: Path) -> dict[str, Entry]:
    """The shared libraries that the dynamic loader finds for the programs, and the loader, where they are here."""
    entries = {}
    for program in programs:
        for line in subprocess.run(["ldd", program], capture_output=True, text=True).stdout.splitlines():
            name, _, place = line.strip().rpartition(" => ")
            if place == "not found":
                fail(f"`{program}` needs `{name}`, which is not installed", "install it, or build the program on this machine")
            path = place.split(" (")[0]
            if path.startswith("/"):
                entries[path] = Entry(Path(path), mode=0o755)
    return entries


def base() -> dict[str, Entry]:
    """What programs expect of a system."""
    authorities = next((Path(path) for path in AUTHORITIES if Path(path).is_file()), None)
    if authorities is None:
        fail("this machine has no certificates of authorities", "install the package `ca-certificates`")
    return {
        "/etc/passwd": Entry(b"root:x:0:0::/:/none\nnonroot:x:%d:%d::/:/none\n" % (NOBODY, NOBODY)),
        "/etc/group": Entry(b"root:x:0:\nnonroot:x:%d:\n" % NOBODY),
        "/etc/nsswitch.conf": Entry(b"hosts: files dns\n"),
        "/etc/ssl/certs/ca-certificates.crt": Entry(authorities),
        "/tmp": Entry(mode=0o1777),
    }


class Builder:
    def __init__(self, out: Path, prefix: str):
        self.out, self.prefix = out, prefix
        self.version = tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]["package"]["version"]
        self.machine = MACHINES.get(platform.machine()) or fail(f"no image is made on `{platform.machine()}`", "use a machine with x86-64 or arm64")
        self.digests = {}

    def name(self, image: str) -> str:
        return f"{self.prefix}/{image}:{self.version}"

    def labels(self, title: str) -> dict[str, str]:
        about = {"title": title, "version": self.version, "licenses": "Apache-2.0"}
        return {f"org.opencontainers.image.{key}": value for key, value in about.items()}

    def done(self, image: str, digest: str, **more: str):
        self.digests[image] = {"name": self.name(image), "digest": digest, **more}
        size = (self.out / f"{image}.tar").stat().st_size
        print(f"{self.name(image)}  {size / 1e6:.1f} MB  {digest}")

    def bom(self, name: str, components: list[dict]) -> bytes:
        text = json.dumps(sbom.document(name, self.version, components), indent=1).encode() + b"\n"
        (self.out / f"{name}.cdx.json").write_bytes(text)
        return text

    def filter(self, wasm: Path):
        module = wasm.read_bytes()
        if module[:4] != b"\0asm":
            fail(f"`{wasm}` is no WebAssembly module", "build it with `make wasm`")
        self.bom("filter", sbom.crates(ROOT, "gatehold-filter", "wasm32-wasip1"))
        labels, checksum = self.labels("Gatehold filter"), oci.sha256(module)
        # Nothing but the module: what loads it looks for this name in the last layer. The machine is not the host's,
        # because the module runs on any, and is to have one digest.
        files = {"plugin.wasm": Entry(module)}
        digest = oci.image(self.out / "filter.tar", self.name("filter"), [files], {}, labels, "amd64")
        self.done("filter", digest, module=checksum)
        # Istio wants two layers, of which one is the module as it is; an artifact with the module alone is refused.
        config = ("application/vnd.module.wasm.config.v1+json", oci.compact({"name": "gatehold", "version": self.version}))
        layers = [("application/vnd.module.wasm.content.layer.v1+wasm", module), config]
        digest = oci.artifact(self.out / "filter-artifact.tar", self.name("filter-artifact"), config, layers, labels)
        self.done("filter-artifact", digest, module=checksum)

    def control(self, program: Path):
        libraries = loaded_by(program)
        components = sbom.crates(ROOT, "gatehold", None) + sbom.libraries([Path(path) for path in libraries])
        ours = {
            "/usr/bin/gatehold": Entry(program, mode=0o755),
            "/usr/share/gatehold/sbom.cdx.json": Entry(self.bom("control", components)),
            "/usr/share/gatehold/LICENSE": Entry(ROOT / "LICENSE"),
            "/etc/gatehold/documents": Entry(mode=0o755),
            DATA: Entry(mode=0o700, owner=NOBODY),
        }
        config = {
            "User": f"{NOBODY}:{NOBODY}",
            "Entrypoint": ["/usr/bin/gatehold"],
            "Cmd": SERVE,
            "WorkingDir": "/",
            "ExposedPorts": {"18000/tcp": {}, "18001/tcp": {}, "18002/tcp": {}},
            "Volumes": {DATA: {}},
        }
        # What seldom changes in a layer of its own, which is pulled once.
        layers = [{**base(), **libraries}, ours]
        digest = oci.image(self.out / "control.tar", self.name("control"), layers, config, self.labels("Gatehold control"), self.machine)
        self.done("control", digest)

    def demo(self, wasm: Path):
        tools = tools_env()
        envoy, node, modules = (Path(tools[f"GATEHOLD_{name}"]) for name in ("ENVOY", "NODE", "NODE_MODULES"))
        ours = {"/etc/envoy/gatehold.wasm": Entry(wasm)}
        for name, source in [("envoy.yaml", "envoy/local/envoy.yaml"), ("istio.yaml", "envoy/istio/as-envoy.yaml")]:
            ours[f"/etc/envoy/{name}"] = Entry(bootstrap(source).encode())
        layers = [{**base(), **loaded_by(envoy), "/usr/bin/envoy": Entry(envoy, mode=0o755)}, ours]
        config = {"User": f"{NOBODY}:{NOBODY}", "Entrypoint": ["/usr/bin/envoy"], "Cmd": ["-c", "/etc/envoy/envoy.yaml"], "WorkingDir": "/"}
        self.done("demo-envoy", oci.image(self.out / "demo-envoy.tar", self.name("demo-envoy"), layers, config, self.labels("Envoy with the Gatehold filter"), self.machine))
        packages = {f"/app/node_modules/{path.relative_to(modules)}": Entry(path) for path in sorted(modules.rglob("*")) if path.is_file() and not path.is_symlink()}
        scripts = [*sorted((ROOT / "tests/peers").glob("*.mjs")), *sorted((ROOT / "tests/peers/clients").glob("*.mjs"))]
        peers = {f"/app/{path.relative_to(ROOT / 'tests/peers')}": Entry(path) for path in scripts}
        layers = [{**base(), **loaded_by(node), "/usr/bin/node": Entry(node, mode=0o755)}, packages, {**peers, "/app/package.json": Entry(ROOT / "tests/peers/package.json")}]
        config = {"User": f"{NOBODY}:{NOBODY}", "Entrypoint": ["/usr/bin/node"], "WorkingDir": "/app"}
        self.done("demo-servers", oci.image(self.out / "demo-servers.tar", self.name("demo-servers"), layers, config, self.labels("MCP servers and an OpenID provider to try Gatehold with"), self.machine))


def bootstrap(source: str) -> str:
    """The file that is tested; only, the module lies elsewhere and clients come from outside of the container."""
    text = (ROOT / source).read_text()
    for old, new in [("filename: target/gatehold.wasm", "filename: /etc/envoy/gatehold.wasm"), ("127.0.0.1, port_value: 10000 ", "0.0.0.0, port_value: 10000 ")]:
        if text.count(old) != 1:
            fail(f"{source} should have `{old}` once", "change envoy/images/build.py with it")
        text = text.replace(old, new)
    return text


def tools_env() -> dict[str, str]:
    """What tests/setup/setup.sh found."""
    path = ROOT / "tests/setup/tools.env"
    if not path.is_file():
        fail("the demo's programs are not there", "run `make setup`")
    pairs = (line.removeprefix("export ").split("=", 1) for line in path.read_text().splitlines() if line.startswith("export "))
    return {name: os.environ.get(name) or value.strip("'") for name, value in pairs}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--wasm", type=Path, required=True)
    parser.add_argument("--control", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--prefix", default="gatehold", help="registry and folder of the images")
    parser.add_argument("--demo", action="store_true")
    options = parser.parse_args()
    for path in (options.wasm, options.control):
        if not path.is_file():
            fail(f"`{path}` is not there", "run `make image`, which builds it first")
    options.out.mkdir(parents=True, exist_ok=True)
    builder = Builder(options.out, options.prefix)
    builder.filter(options.wasm)
    builder.control(options.control)
    if options.demo:
        builder.demo(options.wasm)
    (options.out / "digests.json").write_text(json.dumps(builder.digests, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
