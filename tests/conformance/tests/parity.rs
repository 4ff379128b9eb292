//! Promise: the filter is invisible. Every check of the official conformance suite ends alike directly and through it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests may panic"
)]

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use gatehold_conformance::*;
use gatehold_harness::{Harness, Tools, Upstream};

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

/// How often a scenario that differs is run again, both ways, because some depend on how fast the machine is.
const RERUNS: usize = 2;

struct Ways<'a> {
    suite: &'a Suite,
    edition: Edition,
    direct: String,
    through: String,
    folder: PathBuf,
}

impl Ways<'_> {
    async fn all(&self) -> [Vec<Scenario>; 2] {
        let (direct, through) = (self.folder.join("direct"), self.folder.join("through"));
        let runs = tokio::join!(
            self.suite.run(&self.direct, self.edition, &direct),
            self.suite.run(&self.through, self.edition, &through),
        );
        [runs.0.unwrap(), runs.1.unwrap()]
    }

    async fn again(&self, scenario: &str, time: usize) -> Row {
        let one = async |url: &str, way: &str| {
            let folder = self.folder.join(format!("{way}-{scenario}-{time}"));
            let run = self.suite.run_one(url, self.edition, scenario, &folder);
            run.await.unwrap()
        };
        let direct = one(&self.direct, "direct").await;
        let through = one(&self.through, "through").await;
        let mut row = compare(&direct, &through).remove(0);
        row.reruns = time;
        row
    }
}

async fn parity(edition: Edition) {
    let begin = Instant::now();
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

    let ways = Ways {
        suite: &suite,
        edition,
        direct: direct.url(),
        through: harness.url("/crm/mcp"),
        folder: folder.path().to_path_buf(),
    };
    let [direct, through] = ways.all().await;
    let mut rows = compare(&direct, &through);
    for row in &mut rows {
        for time in 1..=RERUNS {
            if !row.differences.is_empty() {
                *row = ways.again(&row.scenario.clone(), time).await;
            }
        }
    }

    let title = format!("Conformance with {}", edition.date());
    report(&tools, edition, &title, &rows, &direct, &through);
    say(&format!(
        "\n{}{:.0} s\n",
        table(&title, &rows),
        begin.elapsed().as_secs_f64()
    ));
    // The suite went through Envoy and not past it.
    let sent = harness.envoy.sent_upstream("crm").await.unwrap();
    assert!(
        sent > rows.len() as u64,
        "only {sent} requests went through"
    );
    assert_eq!(harness.envoy.filter_failures().await.unwrap(), 0);
    let different: Vec<_> = rows
        .iter()
        .filter(|row| !row.differences.is_empty())
        .collect();
    assert!(
        different.is_empty(),
        "the filter is visible: {different:#?}"
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
    let everything = json(title, rows, direct, through);
    std::fs::write(
        file("json"),
        serde_json::to_string_pretty(&everything).unwrap(),
    )
    .unwrap();
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
