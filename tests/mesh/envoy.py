"""Makes Envoy configurations of manifests, as Istio and Envoy Gateway do, and has the real Envoy load them."""

import atexit
import copy
import gzip
import io
import json
import os
import shutil
import subprocess
import tarfile
import tempfile
from functools import cache
from pathlib import Path

import yaml

from schemas import ROOT

WASM = "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm"
TEXT = "type.googleapis.com/google.protobuf.StringValue"


def bootstrap() -> dict:
    """The one that is tested."""
    return yaml.safe_load((ROOT / "envoy/local/envoy.yaml").read_text())


def manager(config: dict) -> dict:
    (listener,) = config["static_resources"]["listeners"]
    return listener["filter_chains"][0]["filters"][0]["typed_config"]


def ours(config: dict) -> dict:
    """The filter's own part (`PluginConfig`)."""
    (found,) = [one["typed_config"] for one in manager(config)["http_filters"] if one["typed_config"]["@type"] == WASM]
    return found["config"]


def of_wasm_plugin(manifest: dict) -> dict:
    """What Istio's pilot makes of a WasmPlugin, but for where the module is."""
    spec, place = manifest["spec"], manifest["metadata"]
    policies = {"FAIL_CLOSE": "FAIL_CLOSED", "FAIL_OPEN": "FAIL_OPEN", "FAIL_RELOAD": "FAIL_RELOAD"}
    return {
        "name": f"{place['namespace']}.{place['name']}",
        "root_id": spec["pluginName"],
        "vm_config": {"runtime": "envoy.wasm.runtime.v8"},
        "configuration": {"@type": TEXT, "value": spec["pluginConfig"]},
        "failure_policy": policies[spec["failStrategy"]],
    }


def of_extension_policy(manifest: dict) -> dict:
    """What Envoy Gateway makes of an EnvoyExtensionPolicy, but for where the module is."""
    (wasm,) = manifest["spec"]["wasm"]
    place = manifest["metadata"]
    return {
        "name": wasm["name"],
        "root_id": wasm["rootID"],
        "vm_config": {"vm_id": f"envoyextensionpolicy/{place['namespace']}/{place['name']}/wasm/0", "runtime": "envoy.wasm.runtime.v8"},
        "configuration": {"@type": TEXT, "value": wasm["config"]},
        "fail_open": wasm["failOpen"],
    }


def comparable(plugin: dict) -> dict:
    """The configuration read, and without the place of the module."""
    plugin = copy.deepcopy(plugin)
    plugin["vm_config"].pop("code", None)
    text = plugin["configuration"]["value"]
    plugin["configuration"]["value"] = json.loads(text) if isinstance(text, str) else text
    return plugin


@cache
def module() -> str:
    """The module out of the image, unpacked as Istio's agent does: `plugin.wasm` of the last layer."""
    with tarfile.open(Path(os.environ["GATEHOLD_IMAGES"]) / "filter.tar") as image:
        read = lambda descriptor: image.extractfile("blobs/" + descriptor["digest"].replace(":", "/")).read()
        (manifest,) = json.load(image.extractfile("index.json"))["manifests"]
        layer = gzip.decompress(read(json.loads(read(manifest))["layers"][-1]))
    folder = tempfile.mkdtemp(prefix="gatehold-")
    atexit.register(shutil.rmtree, folder)
    with tarfile.open(fileobj=io.BytesIO(layer)) as files:
        path = Path(folder) / "plugin.wasm"
        path.write_bytes(files.extractfile("plugin.wasm").read())
    return str(path)


def with_plugin(plugin: dict) -> dict:
    """The tested bootstrap with this one instead of ours, and the module of the image."""
    config, plugin = bootstrap(), copy.deepcopy(plugin)
    plugin["vm_config"]["code"] = {"local": {"filename": module()}}
    value = plugin["configuration"]["value"]
    plugin["configuration"]["value"] = value if isinstance(value, str) else json.dumps(value)
    ours(config).clear()
    ours(config).update(plugin)
    return config


def merged(into: dict, value: dict) -> dict:
    for key, one in value.items():
        if isinstance(one, dict) and isinstance(into.get(key), dict):
            merged(into[key], one)
        else:
            into[key] = one
    return into


def loads(config: dict) -> tuple[bool, str]:
    """Whether Envoy takes the configuration, the filter and its own included; and what it said."""
    with tempfile.TemporaryDirectory(prefix="gatehold-") as folder:
        path = Path(folder) / "envoy.json"
        path.write_text(json.dumps(config))
        command = [os.environ["GATEHOLD_ENVOY"], "--mode", "validate", "--log-level", "warning", "-c", str(path)]
        done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=60)
    return done.returncode == 0, done.stderr
