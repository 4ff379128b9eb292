//! Promise: the filter is invisible. Every check of the official conformance suite ends alike directly and through it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests may panic"
)]

use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use gatehold_conformance::{
    Edition, Reference, Row, Scenario, Suite, compare, json as everything, markdown, table,
};
use gatehold_harness::{Harness, Reply, Tools, Upstream, message};
use serde_json::json;
use tempfile::TempDir;

/// A server behind which the suite finds the reference server, and a policy that allows all that the suite does.
const DOCUMENTS: &str = r#"
apiVersion: gatehold.io/v1
kind: Issuer
metadata: { name: test }
spec:
  issuer: https://issuer.test
  jwks: { keys: ${JWKS} }
---
apiVersion: gatehold.io/v1
kind: Server
metadata: { name: reference }
spec:
  path: /crm/mcp
  hosts: ["127.0.0.1", localhost]
  resource: http://127.0.0.1:10000/crm/mcp
  issuers: [test]
---
apiVersion: gatehold.io/v1
kind: Policy
metadata: { name: open }
spec:
  rules:
    - name: everything
      allow: { server: reference, tools: ["*"], resources: ["*"], prompts: ["*"], methods: ["*"] }
"#;

/// How often a scenario that differs or fails is run again, both ways, because some depend on how fast the machine is.
const RERUNS: usize = 2;

/// A scenario as short as any, and a policy that makes it fail.
const SMALL: &str = "tools-call-simple-text";
const DENY: &str = r#"
apiVersion: gatehold.io/v1
kind: Policy
metadata: { name: visible }
spec:
  rules:
    - name: nothing-simple
      deny: { server: reference, tools: [test_simple_text] }
"#;

/// Two servers that nobody has spoken to yet, one of them behind the filter.
struct World {
    tools: Tools,
    suite: Suite,
    edition: Edition,
    direct: Reference,
    _behind: Reference,
    harness: Harness,
    folder: TempDir,
}

impl World {
    async fn start(edition: Edition) -> Self {
        let tools = Tools::find().unwrap();
        let suite = Suite::find(&tools).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let direct = Reference::start(&tools, edition, folder.path(), "direct").await;
        let behind = Reference::start(&tools, edition, folder.path(), "behind").await;
        let (direct, behind) = (direct.unwrap(), behind.unwrap());
        let harness = Harness::builder()
            .upstream(Upstream::At(behind.port()))
            .signed_in("suite")
            .document("reference.yaml", DOCUMENTS);
        let harness = harness.start().await.unwrap();
        Self {
            tools,
            suite,
            edition,
            direct,
            _behind: behind,
            harness,
            folder,
        }
    }

    /// Every scenario, both ways at once.
    async fn all(&self) -> [Vec<Scenario>; 2] {
        let run = async |url: &str, way: &str| {
            let folder = self.folder.path().join(way);
            self.suite.run(url, self.edition, &folder).await.unwrap()
        };
        let (direct, through) = (self.direct.url(), self.harness.url("/crm/mcp"));
        let runs = tokio::join!(run(&direct, "direct"), run(&through, "through"));
        [runs.0, runs.1]
    }

    /// One scenario, one way after the other.
    async fn again(&self, scenario: &str, time: usize) -> Row {
        let run = async |url: &str, way: &str| {
            let folder = format!("{way}-{scenario}-{time}");
            let folder = self.folder.path().join(folder);
            let run = self.suite.run_one(url, self.edition, scenario, &folder);
            run.await.unwrap()
        };
        let direct = run(&self.direct.url(), "direct").await;
        let through = run(&self.harness.url("/crm/mcp"), "through").await;
        let mut row = compare(&direct, &through).remove(0);
        row.reruns = time;
        row
    }
}

/// What nobody would have to look at.
fn is_good(row: &Row) -> bool {
    row.differences.is_empty() && row.direct.failed == 0
}

async fn parity(edition: Edition) {
    let begin = Instant::now();
    let world = World::start(edition).await;
    let [direct, through] = world.all().await;
    let mut rows = compare(&direct, &through);
    for row in &mut rows {
        for time in 1..=RERUNS {
            if !is_good(row) {
                *row = world.again(&row.scenario.clone(), time).await;
            }
        }
    }

    let title = format!("Conformance with {}", edition.date());
    report(&world.tools, edition, &title, &rows, &direct, &through);
    let seconds = begin.elapsed().as_secs_f64();
    say(&format!("\n{}{seconds:.0} s\n", table(&title, &rows)));
    // The suite went through Envoy and not past it.
    let envoy = &world.harness.envoy;
    let sent = envoy.sent_upstream("crm").await.unwrap();
    assert!(sent > rows.len() as u64, "only {sent} requests arrived");
    assert_eq!(envoy.filter_failures().await.unwrap(), 0);
    // Two that fail alike are equal too, but say little.
    let bad: Vec<_> = rows.iter().filter(|row| !is_good(row)).collect();
    assert!(
        bad.is_empty(),
        "the filter is visible, or the reference server fails: {bad:#?}"
    );
}

fn report(
    tools: &Tools,
    edition: Edition,
    title: &str,
    rows: &[Row],
    direct: &[Scenario],
    through: &[Scenario],
) {
    let target = std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
    let folder = tools.root.join(Path::new(&target)).join("conformance");
    std::fs::create_dir_all(&folder).unwrap();
    let file = |kind: &str| folder.join(format!("{}.{kind}", edition.date()));
    let checks = everything(title, rows, direct, through);
    std::fs::write(file("json"), serde_json::to_string_pretty(&checks).unwrap()).unwrap();
    std::fs::write(file("md"), markdown(title, rows)).unwrap();
}

/// Written past the capture of test output, which hides what passes.
fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

#[tokio::test]
async fn the_filter_is_invisible_to_the_suite_of_2025_11_25() {
    parity(Edition::Legacy).await;
}

#[tokio::test]
async fn the_filter_is_invisible_to_the_suite_of_2026_07_28() {
    parity(Edition::Modern).await;
}

#[tokio::test]
async fn a_filter_that_can_be_seen_is_noticed() {
    let world = World::start(Edition::Modern).await;
    world.harness.documents.write("deny.yaml", DENY).unwrap();
    let call = message::modern(
        "/crm/mcp",
        "tools/call",
        &message::tool("test_simple_text", &json!({})),
    );
    let refused = |reply: &Reply| reply.json().get("error").is_some();
    let waited = world
        .harness
        .on_all_workers(&call, Duration::from_secs(30), refused);
    waited.await.unwrap();
    let row = world.again(SMALL, 1).await;
    assert_eq!(row.direct.failed, 0, "{row:?}");
    assert!(
        row.through.failed > 0 && !row.differences.is_empty(),
        "{row:?}"
    );
}
