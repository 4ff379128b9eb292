//! What is looked for, as `gatehold serve` pushes it.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod support;

use gatehold_detect::{Context, Kind, Pack, scan};
use gatehold_detectors::compile;
use gatehold_wire::discovery::DeltaDiscoveryResponse;
use gatehold_wire::{DETECTORS_TYPE_URL, SERVER_TYPE_URL, push};
use support::{Filter, Folder, Serving};

const ISSUER: &str = "
apiVersion: gatehold.io/v1
kind: Issuer
metadata: { name: corp }
spec: { issuer: https://idp.example.com }
";

fn server(detection: &str) -> String {
    format!(
        "
apiVersion: gatehold.io/v1
kind: Server
metadata: {{ name: crm }}
spec:
  path: /crm/mcp
  resource: https://gw.example.com/crm/mcp
  issuers: [corp]
  detection: {detection}
"
    )
}

fn rules(spec: &str) -> String {
    format!(
        "
apiVersion: gatehold.io/v1
kind: Detectors
metadata: {{ name: ours }}
spec:
{spec}"
    )
}

fn message<M: prost::Message + Default>(response: &DeltaDiscoveryResponse) -> M {
    assert_eq!(response.resources.len(), 1);
    let any = response.resources[0].resource.as_ref().expect("a body");
    M::decode(&*any.value).expect("the message of its type")
}

/// Names of what a pack sees in arguments.
fn seen(pack: &[u8], text: &str) -> Vec<String> {
    let pack = Pack::load(pack).expect("a pack that filters load");
    let verdict = scan(&pack, Kind::Argument, Context::default(), text.as_bytes());
    let features = verdict.findings.into_iter().map(|finding| finding.feature);
    let secrets = verdict.secrets.into_iter().map(|secret| secret.pattern);
    features.chain(secrets).collect()
}

#[tokio::test]
async fn rules_are_pushed_live_and_nothing_else_with_them() {
    let folder = Folder::new();
    folder.write("issuer.yaml", ISSUER);
    folder.write("server.yaml", &server("log"));
    let serving = Serving::start(&folder, &folder.config()).await;
    let mut filter = Filter::subscribe(&serving, &[DETECTORS_TYPE_URL], &[]).await;
    let first = filter.take().await;
    assert_eq!(first.resources[0].name, "detectors");
    let shipped: push::Detectors = message(&first);
    println!("the pack that ships has {} bytes", shipped.pack.len());
    let text = "badge EMP-123456 of db.corp.internal";
    assert_eq!(seen(&shipped.pack, text), [""; 0]);
    assert!(shipped.shadow.is_empty() && shipped.allowed.is_empty());

    // Another server's actions are no reason to push what is looked for.
    folder.write("server.yaml", &server("{ results: block }"));
    serving.logged("documents are in force").await;
    let digest = "ab".repeat(32);
    folder.write(
        "detectors.yaml",
        &rules(&format!(
            "  rules:
    - {{ name: hosts, pattern: 'corp\\.internal' }}
  allow: [\"sha256:{digest}\"]
  shadow:
    rules:
      - {{ name: badge, pattern: 'EMP-[0-9]{{6}}', means: personal }}
"
        )),
    );
    let ours: push::Detectors = message(&filter.take().await);
    assert_eq!(seen(&ours.pack, text), ["rule.hosts"]);
    assert_eq!(seen(&ours.shadow, text), ["rule.hosts", "badge"]);
    assert_eq!(ours.allowed, [vec![0xab; 32]]);
    let version = filter.held[0].2.clone();

    // The same after a restart, so that filters are sent nothing.
    assert_eq!(serving.stop().await, Some(0));
    let serving = Serving::start(&folder, &folder.config()).await;
    let mut anew = Filter::subscribe(&serving, &[DETECTORS_TYPE_URL], &[]).await;
    anew.take().await;
    assert_eq!(anew.held[0].2, version);
}

#[tokio::test]
async fn a_pack_that_cannot_be_read_changes_nothing() {
    let folder = Folder::new();
    folder.write("issuer.yaml", ISSUER);
    folder.write("server.yaml", &server("{ results: redact }"));
    let serving = Serving::start(&folder, &folder.config()).await;
    let mut filter = Filter::subscribe(&serving, &[SERVER_TYPE_URL], &[]).await;
    let redacts: push::Server = message(&filter.take().await);
    let actions = redacts.detection.and_then(|it| it.otherwise);
    let actions = actions.expect("actions");
    assert_eq!(actions.results(), push::DetectionAction::Redact);
    assert_eq!(actions.definitions(), push::DetectionAction::Log);

    let missing = folder.path("missing.pack");
    folder.write(
        "detectors.yaml",
        &rules(&format!("  pack: {}\n", missing.display())),
    );
    folder.write("server.yaml", &server("{ results: block }"));
    let line = serving.logged("the documents can't be pushed").await;
    assert!(line.contains("missing.pack"), "{line}");
    let pack = compile(&[]).expect("what ships compiles");
    std::fs::write(&missing, pack.to_bytes()).expect("written");
    folder.write(
        "detectors.yaml",
        &rules(&format!("  pack: {}\n  allow: []\n", missing.display())),
    );
    let blocks: push::Server = message(&filter.take().await);
    let actions = blocks.detection.and_then(|it| it.otherwise);
    assert_eq!(
        actions.expect("actions").results(),
        push::DetectionAction::Block
    );
}
