"""Control as Helm and kustomize render it: what Kubernetes takes, and what a careful cluster lets run."""

import os
import subprocess
import unittest
from pathlib import Path

from schemas import ROOT, documents, problems

CHART = ROOT / "envoy/helm/gatehold"
BASE = ROOT / "envoy/kustomize/base/control.yaml"
EXAMPLE = ROOT / "envoy/kustomize/example"
MINE = ["--set", "documentsConfigMap=gatehold-documents"]
# Everything that values can change.
ALL = [
    *("--set-file", f"documents.servers\\.yaml={EXAMPLE}/documents/servers.yaml"),
    *("--set", "secrets={console-secret,pager}"),
    *("--set", "grpcCertificate=gatehold-grpc"),
    *("--set", f"image.digest=sha256:{'a' * 64}"),
    *("--set", "imagePullSecrets[0].name=registry"),
    *("--set", "persistence.storageClassName=fast"),
    *("--set-string", "podLabels.sidecar\\.istio\\.io/inject=true"),
    *("--set", "podAnnotations.a=b"),
    *("--set", "nodeSelector.disk=ssd"),
    *("--set", "tolerations[0].operator=Exists"),
    *("--set", "affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchFields[0].key=metadata.name"),
    *("--set", "affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchFields[0].operator=Exists"),
    *("--set", "priorityClassName=high"),
    *("--set", "service.annotations.a=b"),
    *("--set", "networkPolicy.console[0].podSelector.matchLabels.app=ingress"),
    *("--set", "networkPolicy.metrics[0].podSelector.matchLabels.app=prometheus"),
]
AMBIENT = [*MINE, "--set", "podLabels.istio\\.io/dataplane-mode=ambient"]


def run(*command: str) -> subprocess.CompletedProcess:
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def helm(*arguments: str) -> subprocess.CompletedProcess:
    return run(os.environ["GATEHOLD_HELM"], *arguments)


def template(*values: str) -> str:
    done = helm("template", "gatehold", str(CHART), "--namespace", "gatehold", *values)
    assert done.returncode == 0, done.stderr
    return done.stdout


def find(text: str, kind: str) -> dict:
    (found,) = [one for one in documents(text) if one["kind"] == kind]
    return found


class Chart(unittest.TestCase):
    def test_helm_finds_nothing_wrong(self):
        for values in (MINE, ALL, AMBIENT):
            done = helm("lint", "--strict", str(CHART), *values)
            self.assertEqual(done.returncode, 0, done.stdout)

    def test_kubernetes_takes_what_is_rendered(self):
        for values in (MINE, ALL, AMBIENT):
            for manifest in documents(template(*values)):
                with self.subTest(kind=manifest["kind"], values=values):
                    self.assertEqual(problems(manifest), [])

    def test_a_wrong_manifest_is_seen(self):
        service = find(template(*MINE), "Service")
        service["spec"]["prots"] = []
        self.assertNotEqual(problems(service), [])

    def test_pods_are_restricted(self):
        """The `restricted` level of the Pod Security Standards, and more."""
        for values in (MINE, ALL):
            pod = find(template(*values), "StatefulSet")["spec"]["template"]["spec"]
            context = pod["securityContext"]
            self.assertIs(context["runAsNonRoot"], True)
            self.assertEqual((context["runAsUser"], context["seccompProfile"]), (65532, {"type": "RuntimeDefault"}))
            self.assertIs(pod["automountServiceAccountToken"], False)
            for name in ("hostNetwork", "hostPID", "hostIPC", "initContainers"):
                self.assertNotIn(name, pod)
            (container,) = pod["containers"]
            limits = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
            self.assertEqual(container["securityContext"], limits)
            self.assertIn("memory", container["resources"]["limits"])
            self.assertEqual({volume["name"] for volume in pod["volumes"] if "hostPath" in volume}, set())
            for probe, path in [("startupProbe", "/healthz"), ("livenessProbe", "/healthz"), ("readinessProbe", "/readyz")]:
                self.assertEqual(container[probe]["httpGet"], {"path": path, "port": "http-health"})

    def test_secrets_are_only_referred_to(self):
        text = template(*ALL)
        self.assertNotIn("Secret", [one["kind"] for one in documents(text)])
        pod = find(text, "StatefulSet")["spec"]["template"]["spec"]
        mounted = {one["name"]: one for one in pod["containers"][0]["volumeMounts"]}
        for name in ("console-secret", "pager"):
            self.assertIn({"name": f"secret-{name}", "secret": {"secretName": name, "defaultMode": 0o440}}, pod["volumes"])
            self.assertEqual(mounted[f"secret-{name}"]["mountPath"], f"/etc/gatehold/secrets/{name}")
        self.assertTrue(all(one.get("readOnly") for name, one in mounted.items() if name != "data"))

    def test_filters_are_met_with_certificates_where_there_are_some(self):
        flags = lambda text: [one.partition("=") for one in find(text, "StatefulSet")["spec"]["template"]["spec"]["containers"][0]["args"] if one.startswith("--grpc-")]
        self.assertEqual(flags(template(*MINE)), [])
        text = template(*ALL)
        self.assertEqual({name: Path(file).name for name, _, file in flags(text)}, {"--grpc-cert": "tls.crt", "--grpc-key": "tls.key", "--grpc-client-ca": "ca.crt"})
        pod = find(text, "StatefulSet")["spec"]["template"]["spec"]
        self.assertIn({"name": "grpc", "secret": {"secretName": "gatehold-grpc", "defaultMode": 0o440}}, pod["volumes"])
        (mount,) = [one for one in pod["containers"][0]["volumeMounts"] if one["name"] == "grpc"]
        self.assertEqual({str(Path(file).parent) for _, _, file in flags(text)}, {mount["mountPath"]})

    def test_the_store_is_on_a_volume_of_one_writer(self):
        spec = find(template(*MINE), "StatefulSet")["spec"]
        self.assertEqual(spec["replicas"], 1)
        (claim,) = spec["volumeClaimTemplates"]
        self.assertEqual(claim["spec"]["accessModes"], ["ReadWriteOnce"])
        self.assertIn("--data=/data/gatehold.db", spec["template"]["spec"]["containers"][0]["args"])
        self.assertEqual(spec["persistentVolumeClaimRetentionPolicy"]["whenDeleted"], "Retain")

    def test_nobody_comes_in_who_is_not_named(self):
        open_to = lambda text: [(rule.get("from"), [port["port"] for port in rule["ports"]]) for rule in find(text, "NetworkPolicy")["spec"]["ingress"]]
        filters = [{"namespaceSelector": {"matchLabels": {"gatehold.io/filters": "true"}}}]
        self.assertEqual(open_to(template(*MINE)), [(filters, [18000])])
        self.assertEqual(open_to(template(*MINE, "--set", "networkPolicy.filters=null")), [])
        self.assertEqual([ports for _, ports in open_to(template(*ALL))], [[18000], [18001], [18002]])
        self.assertEqual([ports for _, ports in open_to(template(*AMBIENT))], [[18000], [15008], [18001]])
        off = documents(template(*MINE, "--set", "networkPolicy.enabled=false"))
        self.assertNotIn("NetworkPolicy", [one["kind"] for one in off])

    def test_wrong_values_are_refused(self):
        for values, said in [
            ([], "there are no documents"),
            ([*ALL, *MINE], "are both set"),
            ([*MINE, "--set", "replicas=2"], "replicas"),
            ([*MINE, "--set", "image.digest=latest"], "digest"),
        ]:
            done = helm("template", "gatehold", str(CHART), *values)
            self.assertNotEqual(done.returncode, 0)
            self.assertIn(said, done.stderr)


class Kustomize(unittest.TestCase):
    def test_the_base_is_what_the_chart_renders(self):
        self.assertEqual(documents(BASE.read_text()), documents(template(*MINE)), "run `make kustomize-base`")

    def test_the_example(self):
        done = run(os.environ["GATEHOLD_KUBECTL"], "kustomize", str(EXAMPLE))
        self.assertEqual(done.returncode, 0, done.stderr)
        for manifest in documents(done.stdout):
            self.assertEqual(problems(manifest), [], manifest["kind"])
        namespace = find(done.stdout, "Namespace")["metadata"]
        self.assertEqual(namespace["labels"]["pod-security.kubernetes.io/enforce"], "restricted")
        pod = find(done.stdout, "StatefulSet")["spec"]["template"]
        config = find(done.stdout, "ConfigMap")["metadata"]["name"]
        self.assertIn({"name": "documents", "configMap": {"name": config}}, pod["spec"]["volumes"])
        self.assertEqual(pod["metadata"]["labels"]["sidecar.istio.io/inject"], "true")

    def test_its_documents_are_good(self):
        done = run(os.environ["GATEHOLD_BIN"], "check", str(EXAMPLE / "documents"))
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)


class Mesh(unittest.TestCase):
    def test_istio_selects_what_the_chart_names(self):
        """Selectors, ports and accounts in envoy/istio and envoy/gateway are those of the chart."""
        text = template(*MINE)
        labels = find(text, "StatefulSet")["spec"]["template"]["metadata"]["labels"]
        account = find(text, "ServiceAccount")["metadata"]
        service = find(text, "Service")
        istio = documents((ROOT / "envoy/istio/control.yaml").read_text())
        for manifest in istio:
            spec = manifest["spec"]
            selector = spec.get("workloadSelector", {}).get("labels") or spec.get("selector", {}).get("matchLabels")
            if selector:
                self.assertLessEqual(selector.items(), labels.items(), manifest["kind"])
            self.assertEqual(manifest["metadata"]["namespace"], account["namespace"])
        (entry,) = [one for one in istio if one["kind"] == "ServiceEntry"]
        self.assertEqual(entry["spec"]["subjectAltNames"], [f"spiffe://cluster.local/ns/{account['namespace']}/sa/{account['name']}"])
        ports = {port["name"]: port["port"] for port in service["spec"]["ports"]}
        self.assertEqual(entry["spec"]["ports"][0]["number"], ports["grpc"])
        proxy = (ROOT / "envoy/gateway/proxy.yaml").read_text()
        address = f"{service['metadata']['name']}.{account['namespace']}.svc.cluster.local, port_value: {ports['grpc']}"
        self.assertIn(address, proxy)
