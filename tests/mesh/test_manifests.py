"""Every manifest is one that its project's API takes, and makes an Envoy configuration that Envoy and the filter take."""

import copy
import unittest

import envoy
from schemas import CRDS, ROOT, definitions, documents, problems, published

FOLDERS = [ROOT / "envoy/istio", ROOT / "envoy/gateway"]


def manifests() -> list[tuple[str, dict]]:
    paths = [path for folder in FOLDERS for path in sorted(folder.glob("*.yaml")) if path.name != "as-envoy.yaml"]
    return [(str(path.relative_to(ROOT)), one) for path in paths for one in documents(path.read_text())]


def of_kind(kind: str) -> list[tuple[str, dict]]:
    return [(path, one) for path, one in manifests() if one["kind"] == kind]


class Schemas(unittest.TestCase):
    def test_the_published_files_are_there(self):
        self.assertEqual(sorted(published()), sorted(path.name for path in CRDS.glob("*.gz")))
        self.assertIn(("extensions.istio.io/v1alpha1", "WasmPlugin"), definitions())

    def test_manifests_are_as_published(self):
        for path, manifest in manifests():
            key = (manifest["apiVersion"], manifest["kind"])
            with self.subTest(path=path, kind=manifest["kind"]):
                self.assertIn(key, definitions())
                self.assertEqual(problems(manifest), [])

    def test_a_wrong_manifest_is_seen(self):
        (_, good), *_ = of_kind("WasmPlugin")
        for field, value in [("failStrategy", "FAIL_SOMEHOW"), ("sha256", "abc"), ("pluginConfg", {}), ("match", [{"mode": "SERVER", "port": 1}])]:
            bad = copy.deepcopy(good)
            bad["spec"][field] = value
            with self.subTest(field=field):
                self.assertNotEqual(problems(bad), [])
        bad = copy.deepcopy(good)
        bad["spec"]["targetRefs"] = [{"group": "", "kind": "Service", "name": "crm"}]
        self.assertIn("only one of targetRefs or selector can be set", str(problems(bad)), "a rule in CEL")
        bad["spec"]["url"] = "ftp://registry.example.com/filter"
        self.assertIn("$.spec.url", str(problems(bad)))


class Placements(unittest.TestCase):
    def test_nothing_fails_open(self):
        for path, manifest in of_kind("WasmPlugin"):
            with self.subTest(path=path):
                self.assertIn(manifest["spec"]["failStrategy"], ("FAIL_CLOSE", "FAIL_RELOAD"))
                self.assertIs(manifest["spec"]["pluginConfig"]["hold_headers"], False, "a WasmPlugin cannot hold them")
        for path, manifest in of_kind("EnvoyExtensionPolicy"):
            self.assertIs(manifest["spec"]["wasm"][0]["failOpen"], False, path)

    def test_one_cluster_of_control(self):
        (entry,) = [one for _, one in of_kind("ServiceEntry")]
        (host,), (port,) = entry["spec"]["hosts"], entry["spec"]["ports"]
        self.assertEqual(port["protocol"], "GRPC", "else it is not HTTP/2")
        cluster = f"outbound|{port['number']}||{host}"
        for path, manifest in of_kind("WasmPlugin"):
            self.assertEqual(manifest["spec"]["pluginConfig"]["control_cluster"], cluster, path)
        (rule,) = [one for _, one in of_kind("DestinationRule")]
        self.assertEqual((rule["spec"]["host"], rule["spec"]["trafficPolicy"]["tls"]["mode"]), (host, "ISTIO_MUTUAL"))
        for path, manifest in of_kind("EnvoyFilter"):
            services = manifest["metadata"]["annotations"]["envoyfilter.istio.io/referenced-services"]
            self.assertEqual(services, f"{entry['metadata']['namespace']}/{host}", path)

    def test_the_same_module_everywhere(self):
        image = "registry.example.com/gatehold/filter:0.2.0"
        for path, manifest in manifests():
            text = str(manifest)
            if manifest["kind"] in ("WasmPlugin", "EnvoyExtensionPolicy"):
                self.assertIn(image, text, path)
                self.assertIn("0" * 64, text, path)


class OnEnvoy(unittest.TestCase):
    """Envoy loads the module and configures it, which the filter refuses when it does not know its configuration."""

    def loads(self, config: dict):
        good, said = envoy.loads(config)
        self.assertTrue(good, said)

    def test_what_istio_makes_is_what_is_written_down(self):
        path = ROOT / "envoy/istio/as-envoy.yaml"
        (config,) = documents(path.read_text())
        (manifest,) = documents((ROOT / "envoy/istio/sidecar.yaml").read_text())
        written = envoy.comparable(envoy.ours(config))
        self.assertEqual(written, envoy.comparable(envoy.of_wasm_plugin(manifest)))
        envoy.ours(config)["vm_config"]["code"] = envoy.ours(envoy.with_plugin(envoy.ours(config)))["vm_config"]["code"]
        self.loads(config)

    def test_placements_differ_in_nothing_else(self):
        made = [envoy.of_wasm_plugin(manifest) for _, manifest in of_kind("WasmPlugin")]
        self.assertEqual(len(made), 3)
        for one in made:
            one.pop("name")
            self.assertEqual(one, made[0])

    def test_envoy_filters(self):
        found = [(path, one) for path, one in of_kind("EnvoyFilter") if "envoyfilter" in path]
        self.assertEqual(len(found), 2)
        plugins = []
        for path, manifest in found:
            patches = {patch["applyTo"]: patch["patch"]["value"] for patch in manifest["spec"]["configPatches"]}
            extension = patches["EXTENSION_CONFIG"]
            self.assertEqual(extension["typed_config"]["@type"], envoy.WASM)
            self.assertEqual(extension["name"], patches["HTTP_FILTER"]["name"], "the reference names the extension")
            plugins.append((extension["typed_config"]["config"], patches))
            self.assertTrue(plugins[-1][0]["allow_on_headers_stop_iteration"], path)
        self.assertEqual(plugins[0], plugins[1])
        plugin, patches = plugins[0]
        remote = plugin["vm_config"]["code"]
        config = envoy.with_plugin(plugin)
        envoy.merged(envoy.manager(config), patches["NETWORK_FILTER"]["typed_config"])
        envoy.merged(config["static_resources"]["listeners"][0], patches["LISTENER"])
        # The reference, with a file where Istio's stream of configurations is; and beside it what the agent would fetch.
        self.assertEqual(sorted(remote["remote"]), ["http_uri", "sha256"])
        self.loads(config)

    def test_envoy_gateway(self):
        (proxy,) = [one for _, one in of_kind("EnvoyProxy")]
        (patch,) = proxy["spec"]["bootstrap"]["jsonPatches"]
        self.assertEqual((patch["op"], patch["path"]), ("add", "/static_resources/clusters/-"))
        for path, manifest in of_kind("EnvoyExtensionPolicy"):
            plugin = envoy.of_extension_policy(manifest)
            held = plugin["configuration"]["value"]["hold_headers"]
            self.assertEqual(held, "held" in path)
            if held:
                (change,) = [one for _, one in of_kind("EnvoyPatchPolicy")][0]["spec"]["jsonPatches"]
                operation = change["operation"]
                self.assertIn(f"'envoy.filters.http.wasm/{plugin['vm_config']['vm_id']}'", operation["jsonPath"])
                plugin[operation["path"]] = operation["value"]
            config = envoy.with_plugin(plugin)
            clusters = config["static_resources"]["clusters"]
            clusters[:] = [one for one in clusters if one["name"] != "gatehold_control"] + [patch["value"]]
            with self.subTest(path=path):
                self.loads(config)

    def test_a_setting_that_the_filter_does_not_know_is_seen(self):
        (_, manifest), *_ = of_kind("WasmPlugin")
        plugin = envoy.of_wasm_plugin(manifest)
        plugin["configuration"]["value"] = {**plugin["configuration"]["value"], "unmached": "deny"}
        good, said = envoy.loads(envoy.with_plugin(plugin))
        self.assertFalse(good)
        self.assertIn("unknown field `unmached`", said)
