#!/usr/bin/env python3
"""Copies the manifests with the place and digest of a pushed module put in: `make manifests` calls it.

    manifests.py --registry registry.example.org/tools --digest sha256:… --out DIR
"""

import argparse
import re
import sys
from pathlib import Path

ENVOY = Path(__file__).resolve().parents[1]
PLACE = "registry.example.com/gatehold"
DIGEST = "0" * 64


def render(text: str, registry: str, digest: str) -> str:
    return text.replace(PLACE, registry).replace(DIGEST, digest)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--registry", required=True)
    parser.add_argument("--digest", required=True)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    digest = options.digest.removeprefix("sha256:")
    if not re.fullmatch("[0-9a-f]{64}", digest):
        print(f"error: `{options.digest}` is no digest\n  help: take the one that your registry gave for the image: DIGEST=sha256:…", file=sys.stderr)
        sys.exit(1)
    if not re.fullmatch(r"[a-z0-9][a-z0-9.:/_-]*[a-z0-9]", options.registry):
        print(f"error: `{options.registry}` is no registry\n  help: write host and folder, like REGISTRY={PLACE}", file=sys.stderr)
        sys.exit(1)
    for folder in ("istio", "gateway"):
        for path in sorted((ENVOY / folder).glob("*.yaml")):
            if path.name == "as-envoy.yaml":
                continue
            written = options.out / folder / path.name
            written.parent.mkdir(parents=True, exist_ok=True)
            written.write_text(render(path.read_text(), options.registry, digest))
            print(written)


if __name__ == "__main__":
    main()
