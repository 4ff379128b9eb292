//! Two Envoys that get their filter from control, beside the one that has it from a file.

use std::path::{Path, PathBuf};
use std::time::Duration;

use gatehold_e2e::{CONSOLE, call, governed, small_refund, started};
use gatehold_harness::approver::AUDIENCE;
use gatehold_harness::bootstrap::Bootstrap;
use gatehold_harness::envoy::Envoy;
use gatehold_harness::ports::Reserved;
use gatehold_harness::wait::until;
use gatehold_harness::{Algorithm, Claims, Harness, Tools};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;
use tokio::process::Command;

pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
/// The version that is built, and one that says another version of itself.
pub(crate) const OLD: &str = env!("CARGO_PKG_VERSION");

/// Everything, with an Envoy for each node group.
pub(crate) struct Site {
    pub(crate) harness: Harness,
    pub(crate) canary: Envoy,
    pub(crate) rest: Envoy,
    pub(crate) token: String,
    modules: TempDir,
    _ports: [Reserved; 2],
}

/// What the module says of itself when it is not the one that is built.
pub(crate) fn new_version() -> String {
    let (start, last) = OLD.split_at(OLD.len() - 1);
    format!("{start}{}", if last == "9" { "8" } else { "9" })
}

impl Site {
    /// Starts it, with the built module everywhere.
    pub(crate) async fn start() -> Self {
        let tools = Tools::find().unwrap();
        let modules = tempfile::tempdir().unwrap();
        let built = std::fs::read(&tools.wasm).unwrap();
        std::fs::write(modules.path().join("old.wasm"), &built).unwrap();
        std::fs::write(modules.path().join("new.wasm"), another(&built)).unwrap();
        std::fs::write(
            modules.path().join("broken.wasm"),
            b"\0asm\x01\0\0\0nonsense",
        )
        .unwrap();
        let filter = document(modules.path(), "old", "old");
        let builder = governed().workers(1).document("console.yaml", CONSOLE);
        let harness = started(builder.document("filter.yaml", &filter)).await;
        let token = gatehold_e2e::alice(&harness);
        let ports = [Reserved::any().unwrap(), Reserved::any().unwrap()];
        let [one, other] = &ports;
        let canary = envoy(&harness, "edge-1", "canary", one.port()).await;
        let rest = envoy(&harness, "edge-2", "edge", other.port()).await;
        let site = Self {
            harness,
            canary,
            rest,
            token,
            modules,
            _ports: ports,
        };
        for envoy in [&site.canary, &site.rest] {
            site.until_decided(envoy).await;
        }
        site
    }

    /// Says which version of the module each group gets.
    pub(crate) fn give(&self, canary: &str, rest: &str) {
        let text = document(self.modules.path(), canary, rest);
        self.harness.documents.write("filter.yaml", &text).unwrap();
    }

    /// Gives everybody this version, but one of the modules that the document names is not there.
    pub(crate) fn give_without_a_module(&self, version: &str) {
        let text = document(self.modules.path(), version, version);
        let broken = std::fs::read(self.modules.path().join("broken.wasm")).unwrap();
        // What control has read it does not read again.
        let text = text.replace("broken.wasm", "missing.wasm");
        let text = text.replace(&hex(&broken), &"0".repeat(64));
        self.harness.documents.write("filter.yaml", &text).unwrap();
    }

    /// What `gatehold fleet` says.
    pub(crate) async fn fleet(&self) -> Value {
        let claims = Claims::new("olga", &[], AUDIENCE).json();
        let token = self.harness.keys.sign(Algorithm::Es256, &claims).unwrap();
        let console = format!("http://127.0.0.1:{}", self.harness.control.console_port());
        let mut ask = Command::new(&self.harness.tools.gatehold);
        ask.args(["fleet", "--format", "json", "--url", &console]);
        let output = ask.env("GATEHOLD_TOKEN", token).output().await.unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{errors}");
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Waits until the fleet view says so of this node.
    pub(crate) async fn until_seen(&self, node: &str, says: impl Fn(&Value) -> bool) {
        until("the fleet view says it", PATIENCE, async || {
            let fleet = self.fleet().await;
            let nodes = fleet["nodes"].as_array().unwrap();
            match nodes.iter().any(|it| it["node"] == node && says(it)) {
                true => Ok(()),
                false => Err(fleet.to_string()),
            }
        })
        .await
        .unwrap();
    }

    /// How often an Envoy has refused a filter.
    pub(crate) async fn nacks(&self) -> u64 {
        let control = &self.harness.control;
        let nacks = control
            .metric("gatehold_push_nacks_total", "resource=\"filter\"")
            .await;
        nacks.unwrap() as u64
    }

    /// Starts one more Envoy, which has no filter yet.
    pub(crate) async fn fresh(&self, id: &str, cluster: &str) -> (Envoy, Reserved) {
        let port = Reserved::any().unwrap();
        let envoy = envoy(&self.harness, id, cluster, port.port()).await;
        (envoy, port)
    }

    /// Every worker of this Envoy denies by policy; nothing reaches the upstream meanwhile.
    pub(crate) async fn until_denied(&self, envoy: &Envoy) {
        let large = json!({ "order": "denied", "amount": 500 });
        let denied = call("refund", &large).bearer(&self.token);
        until("all workers deny", PATIENCE, async || {
            for _ in 0..20 * envoy.workers() {
                let reply = denied.send(envoy.gateway_port()).await;
                let reply = reply.map_err(|error| error.to_string())?;
                if reply.status != 200 || reply.json()["result"]["isError"] != true {
                    return Err(format!("{}: {}", reply.status, reply.text()));
                }
            }
            Ok(())
        })
        .await
        .unwrap();
    }

    /// Every worker of this Envoy decides by policy.
    async fn until_decided(&self, envoy: &Envoy) {
        let allowed = call("refund", &small_refund()).bearer(&self.token);
        until("all workers decide", PATIENCE, async || {
            for _ in 0..20 * envoy.workers() {
                let reply = allowed.send(envoy.gateway_port()).await;
                let reply = reply.map_err(|error| error.to_string())?;
                if reply.status != 200 || reply.json()["result"]["content"].is_null() {
                    return Err(format!("{}: {}", reply.status, reply.text()));
                }
            }
            Ok(())
        })
        .await
        .unwrap();
    }
}

/// The version of the filter that Envoy has in force from control; empty before there is one.
pub(crate) async fn in_force(envoy: &Envoy) -> String {
    let dump = envoy.admin("/config_dump?resource=ecds_filters").await;
    let dump: Value = dump.unwrap().json();
    let version = dump["configs"][0]["version_info"].as_str();
    version.unwrap_or_default().to_owned()
}

/// Waits until this Envoy has the module of that name in force, and has let go of every other one.
pub(crate) async fn until_in_force(envoy: &Envoy, version: &str) {
    until(&format!("{version} is in force"), PATIENCE, async || {
        let found = in_force(envoy).await;
        if !found.starts_with(&format!("{version}+")) {
            return Err(found);
        }
        // Envoy says how many VMs there are.
        let active = envoy
            .stat("wasm.envoy.wasm.runtime.v8.active")
            .await
            .unwrap();
        // One for each worker, one of the main thread, and the one that the others are copied from.
        if active > u64::from(envoy.workers()) + 2 {
            return Err(format!("{active} VMs"));
        }
        Ok(())
    })
    .await
    .unwrap();
}

async fn envoy(harness: &Harness, id: &str, cluster: &str, port: u16) -> Envoy {
    let folder: PathBuf = harness.folder().join(id);
    std::fs::create_dir_all(&folder).unwrap();
    let bootstrap = Bootstrap {
        gateway: port,
        admin: 0,
        control: harness.control.grpc_port(),
        crm: harness.recorder.port(),
        everything: harness.recorder.port(),
        desk: None,
        token: None,
        wasm: &harness.tools.wasm,
        filter_config: None,
        certificates: None,
        edits: &[],
        from_control: Some((id, cluster)),
    };
    let started = Envoy::start(&harness.tools, &folder, &bootstrap, 2).await;
    started.unwrap_or_else(|error| panic!("{error}\n{}", harness.logs()))
}

/// A module that is not the same: it says another version.
fn another(module: &[u8]) -> Vec<u8> {
    // The version stands behind the name by which the filter subscribes.
    let said = format!("gatehold{OLD}");
    let places: Vec<usize> = (0..module.len())
        .filter(|at| module[*at..].starts_with(said.as_bytes()))
        .collect();
    let [at] = places.as_slice() else {
        panic!("`{said}` stands in {} places of the module", places.len());
    };
    let mut module = module.to_vec();
    let end = at + said.len();
    module[*at + "gatehold".len()..end].copy_from_slice(new_version().as_bytes());
    module
}

/// The SHA-256 of a module.
fn hex(module: &[u8]) -> String {
    let digest = Sha256::digest(module);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn document(modules: &Path, canary: &str, rest: &str) -> String {
    let versions = ["old", "new", "broken"].map(|name| {
        let file = modules.join(format!("{name}.wasm"));
        let digest = hex(&std::fs::read(&file).unwrap());
        json!({ "name": name, "module": file, "sha256": digest })
    });
    // What is JSON is YAML.
    let document = json!({
        "apiVersion": "gatehold.io/v1",
        "kind": "Filter",
        "metadata": { "name": "filter" },
        "spec": {
            "versions": versions,
            "configuration": { "control_cluster": "gatehold_control" },
            "groups": [{ "name": "canary", "nodes": { "cluster": "canary" }, "version": canary }],
            "default": rest,
        },
    });
    document.to_string()
}
