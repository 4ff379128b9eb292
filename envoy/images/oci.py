"""Writes OCI images without an engine: the same bytes from the same files, whenever and as whoever it runs.

An archive made here is an OCI layout that `docker load` takes as well.
"""

import gzip
import hashlib
import io
import json
import tarfile
from dataclasses import dataclass, field
from pathlib import Path

LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
CONFIG = "application/vnd.oci.image.config.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
# Everything is as old as this, so that a second build makes the same bytes.
CREATED = "1970-01-01T00:00:00Z"


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def compact(value) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


@dataclass
class Entry:
    """A file (bytes, or a path to read), a link (`link`), or a folder (neither)."""

    data: bytes | Path | None = None
    link: str | None = None
    mode: int = 0o644
    owner: int = 0


def _info(name: str, entry: Entry, size: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.mode, info.uid, info.gid, info.size = entry.mode, entry.owner, entry.owner, size
    if entry.link is not None:
        info.type, info.linkname = tarfile.SYMTYPE, entry.link
    elif entry.data is None:
        info.type = tarfile.DIRTYPE
    return info


def pack(entries: dict[str, Entry]) -> bytes:
    """A tar archive of `entries` (path → entry), sorted, with the folders that they lie in."""
    every = {}
    for path, entry in entries.items():
        path = path.strip("/")
        for parent in Path(path).parents:
            if str(parent) != "." and str(parent) not in entries and f"/{parent}" not in entries:
                every[str(parent)] = Entry(mode=0o755)
        every[path] = entry
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for path in sorted(every):
            entry = every[path]
            data = entry.data.read_bytes() if isinstance(entry.data, Path) else entry.data
            archive.addfile(_info(path, entry, len(data or b"")), io.BytesIO(data or b""))
    return out.getvalue()


def zipped(data: bytes) -> bytes:
    return gzip.compress(data, compresslevel=6, mtime=0)


@dataclass
class Archive:
    """An OCI layout in the making: blobs, and one manifest."""

    blobs: dict[str, bytes] = field(default_factory=dict)

    def add(self, media_type: str, data: bytes) -> dict:
        digest = sha256(data)
        self.blobs[digest] = data
        return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(data)}

    def write(self, path: Path, name: str, manifest: dict, docker: bool) -> str:
        """Writes the archive, and returns the digest of its manifest. `docker`: so that `docker load` takes it."""
        descriptor = self.add(manifest["mediaType"], compact(manifest))
        names = {"io.containerd.image.name": name, "org.opencontainers.image.ref.name": name.rsplit(":", 1)[1]}
        index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [{**descriptor, "annotations": names}]}
        entries = {f"blobs/sha256/{digest}": Entry(data) for digest, data in self.blobs.items()}
        entries["oci-layout"] = Entry(compact({"imageLayoutVersion": "1.0.0"}))
        entries["index.json"] = Entry(compact(index))
        if docker:
            place = lambda blob: "blobs/sha256/" + blob["digest"].removeprefix("sha256:")
            loads = {"Config": place(manifest["config"]), "RepoTags": [name], "Layers": [place(layer) for layer in manifest["layers"]]}
            entries["manifest.json"] = Entry(compact([loads]))
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        part.write_bytes(pack(entries))
        part.replace(path)
        return descriptor["digest"]


def image(path: Path, name: str, layers: list[dict[str, Entry]], config: dict, labels: dict[str, str], machine: str) -> str:
    """Writes an image that can be run, or only holds files; returns its digest."""
    archive = Archive()
    packed = [pack(layer) for layer in layers]
    described = [archive.add(LAYER, zipped(layer)) for layer in packed]
    description = {
        "created": CREATED,
        "architecture": machine,
        "os": "linux",
        "config": {**config, "Labels": labels},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{sha256(layer)}" for layer in packed]},
        "history": [{"created": CREATED, "created_by": "envoy/images/build.py"} for _ in packed],
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": archive.add(CONFIG, compact(description)),
        "layers": described,
        "annotations": labels,
    }
    return archive.write(path, name, manifest, docker=True)


def artifact(path: Path, name: str, config: tuple[str, bytes], layers: list[tuple[str, bytes]], labels: dict[str, str]) -> str:
    """Writes an artifact: blobs of any kind that only some tools understand; returns its digest."""
    archive = Archive()
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": archive.add(*config),
        "layers": [archive.add(*layer) for layer in layers],
        "annotations": labels,
    }
    return archive.write(path, name, manifest, docker=False)
