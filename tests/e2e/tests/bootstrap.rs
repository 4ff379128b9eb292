//! The bootstrap that users run is one that Envoy accepts, filter included.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]

use gatehold_harness::bootstrap::{Bootstrap, defaults};
use gatehold_harness::envoy::Envoy;
use gatehold_harness::tools::Tools;

#[tokio::test]
async fn envoy_accepts_the_bootstrap() {
    check(None).await;
}

#[tokio::test]
async fn envoy_accepts_the_bootstrap_without_a_filter() {
    check(Some(("gatehold-local", "gatehold-local"))).await;
}

async fn check(from_control: Option<(&str, &str)>) {
    let tools = Tools::find().unwrap();
    let bootstrap = Bootstrap {
        gateway: defaults::GATEWAY,
        admin: defaults::ADMIN,
        control: defaults::CONTROL_GRPC,
        certificates: None,
        crm: defaults::CRM,
        everything: defaults::EVERYTHING,
        desk: None,
        token: None,
        // Only its place may differ from the file: the build may put it elsewhere.
        wasm: &tools.wasm,
        filter_config: None,
        from_control,
        edits: &[],
    };
    let file = std::fs::read_to_string(tools.root.join(bootstrap.file())).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let said = Envoy::validate(&tools, folder.path(), &bootstrap.render(&file).unwrap())
        .await
        .unwrap();
    assert!(!said.contains("Deprecated field"), "{said}");
}
