//! The bootstrap that users run is one that Envoy accepts, filter included.

use gatehold_harness::bootstrap::{BOOTSTRAP, Bootstrap, defaults};
use gatehold_harness::envoy::Envoy;
use gatehold_harness::tools::Tools;

#[tokio::test]
async fn envoy_accepts_the_bootstrap() {
    let tools = Tools::find().unwrap();
    let file = std::fs::read_to_string(tools.root.join(BOOTSTRAP)).unwrap();
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
    };
    let folder = tempfile::tempdir().unwrap();
    let said = Envoy::validate(&tools, folder.path(), &bootstrap.render(&file).unwrap())
        .await
        .unwrap();
    assert!(!said.contains("Deprecated field"), "{said}");
}
