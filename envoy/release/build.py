#!/usr/bin/env python3
"""Puts together what a release is made of, with checksums and a signature over them: `make release-artifacts` calls it.

    build.py --wasm FILE --control FILE --images DIR --key FILE --out DIR

The key is one of OpenSSH (`ssh-keygen -t ed25519`); nothing is asked of a network. DIR gets

gatehold-filter-VERSION.wasm                      the module
gatehold-VERSION-linux-MACHINE                    control
gatehold-{filter,filter-artifact,control}-VERSION.oci.tar   the images, as `build.py` of envoy/images made them
gatehold-{filter,control}-VERSION.cdx.json        what they were built from
gatehold-chart-VERSION.tgz                        the Helm chart
gatehold-manifests-VERSION.tar.gz                 Istio, Envoy Gateway, kustomize, plain Envoy
SHA256SUMS, SHA256SUMS.sig                        of all of them; the namespace of the signature is `gatehold-release`

The same input gives the same bytes, but for the signature where the key's kind signs at random.
"""

import argparse
import gzip
import hashlib
import io
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NAMESPACE = "gatehold-release"
MACHINES = {"x86_64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
IMAGES = ["filter", "filter-artifact", "control"]
BOMS = ["filter", "control"]
MANIFESTS = ["envoy/istio", "envoy/gateway", "envoy/kustomize", "envoy/local"]


def fail(what: str, *help: str):
    print(f"error: {what}", file=sys.stderr)
    for line in help:
        print(f"  help: {line}", file=sys.stderr)
    sys.exit(1)


def version() -> str:
    return tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]["package"]["version"]


def archive(files: dict[str, Path]) -> bytes:
    """A tar.gz of these files; nothing in it tells when or by whom it was made."""
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, path in sorted(files.items()):
            data = path.read_bytes()
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(data), 0o644
            tar.addfile(entry, io.BytesIO(data))
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", mtime=0) as file:
        file.write(plain.getvalue())
    return packed.getvalue()


def tracked(folder: str) -> list[Path]:
    """What the repository has there. What merely lies there, such as somebody's keys, is nobody's release."""
    command = ["git", "-C", ROOT, "ls-files", "-z", "--", folder]
    done = subprocess.run(command, capture_output=True, text=True)
    paths = [ROOT / name for name in done.stdout.split("\0") if name]
    if done.returncode != 0 or not paths:
        fail(f"git knows no files in `{folder}`: {done.stderr.strip()}", "make releases in a clone of the repository")
    for path in paths:
        if path.is_symlink() or not path.is_file():
            fail(f"`{path}` is no regular file", "put it back as it is in the repository")
    return paths


def below(folder: str, name: str) -> dict[str, Path]:
    return {f"{name}/{path.relative_to(ROOT / folder)}": path for path in tracked(folder)}


def check_out(out: Path, key: Path):
    """What is there is replaced, so it has to be a release, and not somebody's home."""
    if out.is_symlink() or (out.exists() and not out.is_dir()):
        fail(f"`{out}` is no folder", "name another one: DIST=…")
    if key.resolve().is_relative_to(out.resolve()):
        fail(f"the key `{key}` lies in `{out}`, which is replaced", "keep it elsewhere")
    others = [path for path in out.iterdir() if not path.name.startswith(("gatehold-", "SHA256SUMS"))] if out.exists() else []
    if others:
        fail(f"`{out}` has what is of no release: `{others[0].name}`", "name another folder, or take it out: DIST=…")


def sign(sums: Path, key: Path):
    signature = sums.with_name(f"{sums.name}.sig")
    signature.unlink(missing_ok=True)
    command = ["ssh-keygen", "-q", "-Y", "sign", "-n", NAMESPACE, "-f", key, sums]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0 or not signature.is_file():
        fail(f"`{key}` does not sign: {done.stderr.strip()}", "make one: ssh-keygen -t ed25519 -f release.key")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("wasm", "control", "images", "key", "out"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    options = parser.parse_args()
    if shutil.which("ssh-keygen") is None:
        fail("`ssh-keygen` is not installed", "install OpenSSH's client (Debian and Ubuntu: `apt-get install openssh-client`)")
    if not options.key.is_file():
        fail(f"there is no key at `{options.key}`", "make one: ssh-keygen -t ed25519 -f release.key", "and say so: make release-artifacts KEY=release.key")
    now, machine = version(), MACHINES.get(platform.machine(), platform.machine())
    made: dict[str, bytes | Path] = {
        f"gatehold-filter-{now}.wasm": options.wasm,
        f"gatehold-{now}-linux-{machine}": options.control,
        f"gatehold-chart-{now}.tgz": archive(below("envoy/helm/gatehold", "gatehold")),
        f"gatehold-manifests-{now}.tar.gz": archive({name: path for folder in MANIFESTS for name, path in below(folder, f"gatehold-manifests-{now}/{Path(folder).name}").items()}),
    }
    made |= {f"gatehold-{image}-{now}.oci.tar": options.images / f"{image}.tar" for image in IMAGES}
    made |= {f"gatehold-{bom}-{now}.cdx.json": options.images / f"{bom}.cdx.json" for bom in BOMS}
    missing = [str(source) for source in made.values() if isinstance(source, Path) and not source.is_file()]
    if missing:
        fail(f"`{missing[0]}` is not there", "run `make release-artifacts`, which builds it first")
    check_out(options.out, options.key)
    # Made beside it, so that what is there is whole at any time; and nothing of an earlier release lies in it.
    options.out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".gatehold-release-", dir=options.out.parent) as scratch:
        folder = Path(scratch) / "release"
        folder.mkdir()
        lines = []
        for name, source in sorted(made.items()):
            data = source.read_bytes() if isinstance(source, Path) else source
            path = folder / name
            path.write_bytes(data)
            path.chmod(0o755 if source is options.control else 0o644)
            lines.append(f"{hashlib.sha256(data).hexdigest()}  {name}\n")
            print(lines[-1], end="")
        sums = folder / "SHA256SUMS"
        sums.write_text("".join(lines))
        sign(sums, options.key)
        if options.out.exists():
            options.out.rename(Path(scratch) / "before")
        folder.rename(options.out)
    print(f"signed: {options.out / 'SHA256SUMS'}.sig")


if __name__ == "__main__":
    main()
