"""Holds manifests against the published definitions of custom resources, and of Kubernetes' own."""

import gzip
import hashlib
import re
from functools import cache
from pathlib import Path

import kubernetes_validate
import yaml
from jsonschema import Draft202012Validator

import rules

ROOT = Path(__file__).resolve().parents[2]
CRDS = Path(__file__).parent / "crds"
KUBERNETES = "1.37"


def documents(text: str) -> list[dict]:
    return [document for document in yaml.safe_load_all(text) if document]


def published() -> dict[str, str]:
    """Name → SHA-256, by the table in crds/README.md."""
    table = (CRDS / "README.md").read_text()
    return dict(re.findall(r"^\| `([^`]+\.gz)` .*`([0-9a-f]{64})` \|$", table, re.M))


@cache
def definitions() -> dict[tuple[str, str], dict]:
    """(apiVersion, kind) → schema, of the files that are the ones that were published."""
    found = {}
    for name, checksum in published().items():
        data = gzip.decompress((CRDS / name).read_bytes())
        assert hashlib.sha256(data).hexdigest() == checksum, f"`{name}` is not the file that crds/README.md names"
        for definition in documents(data.decode()):
            spec = definition["spec"]
            for version in spec["versions"]:
                key = (f"{spec['group']}/{version['name']}", spec["names"]["kind"])
                found[key] = strict(version["schema"]["openAPIV3Schema"])
    return found


def strict(schema):
    """As JSON Schema that refuses what the API server would drop in silence: fields that nobody knows."""
    if isinstance(schema, list):
        return [strict(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    made = {}
    for key, value in schema.items():
        if key in ("properties", "patternProperties"):
            made[key] = {name: strict(one) for name, one in value.items()}
        elif key in ("enum", "default", "required", "description"):
            made[key] = value
        else:
            made[key] = strict(value)
    if schema.get("x-kubernetes-int-or-string"):
        made.pop("type", None)
    if "properties" in made and made.get("type") == "object" and "additionalProperties" not in made:
        if not schema.get("x-kubernetes-preserve-unknown-fields"):
            made["additionalProperties"] = False
    return made


def problems(manifest: dict) -> list[str]:
    """What is wrong with a manifest; of a kind that has no schema here, that."""
    key = (manifest["apiVersion"], manifest["kind"])
    if key in definitions():
        schema = definitions()[key]
        known = {"apiVersion": {"type": "string"}, "kind": {"type": "string"}, "metadata": {"type": "object"}}
        schema = {**schema, "properties": {**schema["properties"], **known}}
        unfit = [f"{error.json_path}: {error.message}" for error in Draft202012Validator(schema).iter_errors(manifest)]
        return unfit + rules.broken(schema, manifest)
    try:
        kubernetes_validate.validate(manifest, KUBERNETES, strict=True)
    except kubernetes_validate.ValidationError as error:
        return [f"{'.'.join(map(str, error.path))}: {error.message}"]
    return []
