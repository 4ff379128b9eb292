"""What a program was built from, as CycloneDX 1.6: its crates, and the shared libraries beside it."""

import subprocess
import tomllib
from pathlib import Path


def crates(root: Path, package: str, target: str | None) -> list[dict]:
    """The crates that are linked into `package`, by cargo's own account."""
    command = ["cargo", "tree", "--locked", "--package", package, "--edges", "normal", "--prefix", "none", "--no-dedupe"]
    command += ["--format", "{p}|{l}"] + (["--target", target] if target else [])
    listed = subprocess.run(command, cwd=root, check=True, capture_output=True, text=True).stdout
    locked = tomllib.loads((root / "Cargo.lock").read_text())["package"]
    checksums = {(one["name"], one["version"]): one.get("checksum") for one in locked}
    found = {}
    for line in listed.splitlines():
        if not line.strip():
            continue
        identity, license = line.split("|", 1)
        name, version = identity.split()[:2]
        version = version.removeprefix("v")
        checksum = checksums.get((name, version))
        component = {"type": "library", "name": name, "version": version, "bom-ref": f"{name}@{version}"}
        if license:
            component["licenses"] = [{"expression": license.replace("/", " OR ")}]
        if checksum:
            component["purl"] = f"pkg:cargo/{name}@{version}"
            component["hashes"] = [{"alg": "SHA-256", "content": checksum}]
        found[(name, version)] = component
    return [found[key] for key in sorted(found)]


def libraries(paths: list[Path]) -> list[dict]:
    """The system's packages that the files belong to, where dpkg knows them; else the files by name."""
    found = {}
    for path in paths:
        # On merged systems the package lists the other of the two names.
        for name in (str(path), str(path.resolve()), str(path).removeprefix("/usr")):
            owner = _run("dpkg-query", "--search", name)
            if owner:
                package = owner.split(": ")[0].split(",")[0]
                version = _run("dpkg-query", "--show", "--showformat=${Version}", package)
                plain = package.split(":")[0]
                found[plain] = {"type": "library", "name": plain, "version": version, "purl": f"pkg:deb/debian/{plain}@{version}"}
                break
        else:
            found[path.name] = {"type": "file", "name": path.name}
    return [{**found[key], "bom-ref": f"system/{key}"} for key in sorted(found)]


def _run(*command: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True)
    except FileNotFoundError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def document(name: str, version: str, components: list[dict]) -> dict:
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": {"type": "application", "name": name, "version": version, "bom-ref": name},
            "licenses": [{"license": {"id": "Apache-2.0"}}],
        },
        "components": components,
    }
