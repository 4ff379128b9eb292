//! `gatehold serve` as a process: what it pushes, refuses, stores and says.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod support;

use std::fs;
use std::os::unix::fs::symlink;

use gatehold_wire::audit::{AppendRequest, Event};
use gatehold_wire::discovery::DeltaDiscoveryResponse;
use gatehold_wire::{ISSUER_TYPE_URL, SERVER_TYPE_URL, push};
use prost::Message as _;
use sqlx::Connection as _;
use support::{BINARY, Filter, Folder, PATIENCE, Serving, until};
use tokio::process::Command;
use tokio::time::{Instant, timeout};
use tokio_stream::StreamExt as _;

// The key is that of RFC 8037, A.2.
const ISSUER: &str = r#"
apiVersion: gatehold.io/v1
kind: Issuer
metadata: { name: corp }
spec:
  issuer: https://idp.example.com
  jwks:
    keys:
      keys:
        - { kty: OKP, crv: Ed25519, kid: "1", x: 11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo }
"#;

fn server(name: &str) -> String {
    format!(
        "
apiVersion: gatehold.io/v1
kind: Server
metadata: {{ name: {name} }}
spec:
  path: /{name}/mcp
  resource: https://gw.example.com/{name}/mcp
  issuers: [corp]
"
    )
}

fn policy(server: &str, tools: &str) -> String {
    format!(
        "
apiVersion: gatehold.io/v1
kind: Policy
metadata: {{ name: {server}-users }}
spec:
  rules:
    - allow: {{ server: {server}, tools: [\"{tools}\"] }}
"
    )
}

fn documents() -> Folder {
    let folder = Folder::new();
    folder.write("issuer.yaml", ISSUER);
    folder.write(
        "servers.yaml",
        &format!("{}---{}", server("crm"), server("wiki")),
    );
    folder.write("crm.yaml", &policy("crm", "get_*"));
    folder.write("wiki.yaml", &policy("wiki", "*"));
    folder
}

fn tools(response: &DeltaDiscoveryResponse) -> Vec<String> {
    let any = response.resources[0].resource.as_ref().expect("a body");
    let server = push::Server::decode(&*any.value).expect("a server");
    server.rules[0].targets.clone().expect("targets").tools
}

#[tokio::test]
async fn one_changed_document_pushes_one_resource_and_a_bad_one_nothing() {
    let folder = documents();
    let serving = Serving::start(&folder, &folder.config()).await;
    let mut filter = Filter::connect(&serving, &[]).await;
    let mut first = [filter.take().await, filter.take().await];
    first.sort_by(|one, other| one.type_url.cmp(&other.type_url));
    assert_eq!(first[0].type_url, ISSUER_TYPE_URL);
    assert_eq!(first[0].resources.len(), 1);
    assert_eq!(first[1].type_url, SERVER_TYPE_URL);
    assert_eq!(first[1].resources.len(), 2);

    let start = Instant::now();
    folder.write("crm.yaml", &policy("crm", "list_*"));
    let change = filter.take().await;
    println!("a changed file is pushed after {:?}", start.elapsed());
    assert_eq!(change.resources.len(), 1);
    assert_eq!(change.resources[0].name, "crm");
    assert_eq!(tools(&change), ["list_*"]);

    folder.write("crm.yaml", "kind: Polity\n");
    folder.write("wiki.yaml", &policy("wiki", "read_*"));
    let line = serving.logged("a bad document").await;
    assert!(line.contains("crm.yaml:1:"), "{line}");
    serving.logged("stay in force").await;
    assert_eq!(serving.get("/readyz").await.0, 200);
    until("the metric", async || {
        serving
            .get("/metrics")
            .await
            .1
            .contains("gatehold_config_refused 1")
            .then_some(())
    })
    .await;

    // The whole set was refused, so the good change comes with the mended document.
    folder.write("crm.yaml", &policy("crm", "list_*"));
    assert_eq!(filter.names().await, ["wiki"]);
    folder.write("servers.yaml", &server("crm"));
    fs::remove_file(folder.config().join("wiki.yaml")).expect("removed");
    assert_eq!(filter.names().await, ["-wiki"]);
    assert_eq!(serving.stop().await, Some(0));
}

#[tokio::test]
async fn a_restart_sends_nothing_new_and_keys_that_cannot_be_fetched_are_not_taken_away() {
    let folder = documents();
    let serving = Serving::start(&folder, &folder.config()).await;
    let mut filter = Filter::connect(&serving, &[]).await;
    filter.take().await;
    filter.take().await;
    let held = filter.held.clone();
    assert_eq!(serving.stop().await, Some(0));
    let end = timeout(PATIENCE, filter.responses.message())
        .await
        .expect("in time");
    assert_eq!(end.expect_err("a status").code(), tonic::Code::Unavailable);

    // Nothing listens on port 1: the keys will not come.
    let unreachable = ISSUER.split("  jwks:").next().expect("a head").to_owned()
        + "  jwks: { uri: \"http://127.0.0.1:1/jwks\" }\n";
    folder.write("issuer.yaml", &unreachable);
    let serving = Serving::start(&folder, &folder.config()).await;
    serving.logged("documents are in force").await;
    let mut filter = Filter::connect(&serving, &held).await;
    serving.logged("a filter subscribed").await;
    serving.logged("no new keys").await;
    folder.write("wiki.yaml", &policy("wiki", "read_*"));
    assert_eq!(filter.names().await, ["wiki"]);

    // A filter that holds nothing gets the servers even so.
    let mut fresh = Filter::connect(&serving, &[]).await;
    let mut names = [fresh.names().await, fresh.names().await];
    names.sort();
    assert_eq!(names, [vec![], vec!["crm".to_owned(), "wiki".to_owned()]]);
}

#[tokio::test]
async fn a_swapped_link_is_a_change() {
    let folder = documents();
    // As a mounted ConfigMap: files are links through `..data`, which is replaced in one step.
    let volume = folder.path("volume");
    let generation = |name: &str, tools: &str| {
        let directory = volume.join(name);
        fs::create_dir_all(&directory).expect("made");
        for file in ["issuer.yaml", "servers.yaml", "wiki.yaml"] {
            fs::copy(folder.config().join(file), directory.join(file)).expect("copied");
        }
        fs::write(directory.join("crm.yaml"), policy("crm", tools)).expect("written");
    };
    generation("..1", "get_*");
    symlink("..1", volume.join("..data")).expect("linked");
    for file in ["issuer.yaml", "servers.yaml", "wiki.yaml", "crm.yaml"] {
        symlink(format!("..data/{file}"), volume.join(file)).expect("linked");
    }
    let serving = Serving::start(&folder, &volume).await;
    let mut filter = Filter::connect(&serving, &[]).await;
    filter.take().await;
    filter.take().await;
    generation("..2", "list_*");
    symlink("..2", volume.join("..next")).expect("linked");
    fs::rename(volume.join("..next"), volume.join("..data")).expect("swapped");
    let change = filter.take().await;
    assert_eq!(change.resources.len(), 1);
    assert_eq!(tools(&change), ["list_*"]);
}

#[tokio::test]
async fn nothing_is_pushed_before_good_documents_are_there() {
    let folder = Folder::new();
    let serving = Serving::start(&folder, &folder.config()).await;
    until("the reason why it is not ready", async || {
        let (status, why) = serving.get("/readyz").await;
        assert_eq!(status, 503);
        why.contains("holds no document").then_some(())
    })
    .await;
    serving.logged("holds no document").await;
    assert_eq!(serving.get("/healthz").await.0, 200);
    let mut filter = Filter::connect(&serving, &[]).await;
    serving.logged("a filter subscribed").await;
    folder.write("i.yaml", ISSUER);
    folder.write("s.yml", &server("crm"));
    let mut names = Vec::new();
    while names.len() < 2 {
        names.extend(filter.names().await);
    }
    names.sort();
    assert_eq!(names, ["corp", "crm"]);
    let log = serving.log();
    assert!(
        log.lines().next().expect("a line").contains("ready grpc="),
        "{log}"
    );
}

#[tokio::test]
async fn policies_do_not_wait_for_a_module() {
    let folder = documents();
    let module = folder.path("gatehold.wasm");
    let text = format!(
        "
apiVersion: gatehold.io/v1
kind: Filter
metadata: {{ name: filter }}
spec:
  versions: [{{ name: a, module: {}, sha256: 93a44bbb96c751218e4c00d479e4c14358122a389acca16205b1e4d0dc5f9476 }}]
  configuration: {{ control_cluster: control }}
  default: a
",
        module.display()
    );
    folder.write("filter.yaml", &text);
    // Nobody writes into it, and nobody waits for that.
    let made = Command::new("mkfifo").arg(&module).status().await;
    assert!(made.expect("made").success());
    let serving = Serving::start(&folder, &folder.config()).await;
    let mut filter = Filter::connect(&serving, &[]).await;
    let mut names = Vec::new();
    while names.len() < 3 {
        names.extend(filter.names().await);
    }
    names.sort();
    assert_eq!(names, ["corp", "crm", "wiki"]);
    let line = serving.logged("a bad module").await;
    for part in [
        "filter.yaml:6:33",
        "it is no regular file",
        "put the module there",
    ] {
        assert!(line.contains(part), "{line}");
    }
    serving.logged("every Envoy keeps what it has").await;
    assert_eq!(serving.get("/readyz").await.0, 200);
    let refused = async |expected: &str| {
        let line = format!("gatehold_config_refused {expected}\n");
        let (_, metrics) = serving.get("/metrics").await;
        metrics.contains(&line).then_some(())
    };
    until("the metric", async || refused("1").await).await;
    let check = Command::new(BINARY)
        .arg("check")
        .arg(folder.config())
        .output();
    let check = check.await.expect("run");
    let errors = String::from_utf8_lossy(&check.stderr).into_owned();
    assert!(
        !check.status.success() && errors.contains("filter.yaml:6:33"),
        "{errors}"
    );
    // It is found when it is there, without a change of any document.
    fs::remove_file(&module).expect("removed");
    fs::write(&module, b"\0asm\x01\0\0\0").expect("written");
    until("the metric", async || refused("0").await).await;
}

#[tokio::test]
async fn audit_events_are_acknowledged_once_and_exported() {
    let folder = documents();
    let serving = Serving::start(&folder, &folder.config()).await;
    let batch = |batch| AppendRequest {
        sender: "5e".repeat(16),
        node: "envoy-1".to_owned(),
        batch,
        events: vec![Event {
            id: format!("event-{batch}"),
            ..Default::default()
        }],
        ..Default::default()
    };
    let sent = tokio_stream::iter([batch(1), batch(2), batch(1)]);
    let answers = serving
        .audit()
        .await
        .append(sent)
        .await
        .expect("a stream")
        .into_inner();
    let answers: Vec<u64> = answers
        .map(|answer| answer.expect("stored").batch)
        .collect()
        .await;
    assert_eq!(answers, [1, 2, 1]);

    // While it runs.
    let export = Command::new(BINARY)
        .args(["audit", "export", "--data"])
        .arg(folder.path("audit.db"))
        .output()
        .await
        .expect("ran");
    let lines = String::from_utf8(export.stdout).expect("text");
    assert!(export.status.success());
    assert_eq!(lines.lines().count(), 2, "{lines}");
    assert!(
        lines.contains("event-1") && lines.contains("event-2"),
        "{lines}"
    );

    let unnumbered = tokio_stream::iter([AppendRequest::default()]);
    let mut answers = serving
        .audit()
        .await
        .append(unnumbered)
        .await
        .expect("a stream")
        .into_inner();
    let status = answers.message().await.expect_err("refused");
    assert_eq!(status.code(), tonic::Code::InvalidArgument);
    assert_eq!(serving.stop().await, Some(0));
}

#[tokio::test]
async fn a_changed_event_is_found_by_verify() {
    let folder = documents();
    let serving = Serving::start(&folder, &folder.config()).await;
    let batch = AppendRequest {
        sender: "5e".repeat(16),
        batch: 1,
        events: vec![Event::default(), Event::default(), Event::default()],
        ..Default::default()
    };
    let sent = tokio_stream::iter([batch]);
    let answers = serving.audit().await.append(sent).await.expect("a stream");
    let answer = answers.into_inner().message().await.expect("stored");
    assert_eq!(answer.map(|answer| answer.batch), Some(1));

    let data = folder.path("audit.db");
    let verify = async || {
        let mut command = Command::new(BINARY);
        command.args(["audit", "verify", "--data"]).arg(&data);
        let output = command.output().await.expect("ran");
        let said = [output.stdout, output.stderr].concat();
        (
            output.status.success(),
            String::from_utf8(said).expect("text"),
        )
    };
    let (good, said) = verify().await;
    assert!(good && said.starts_with("3 events, unchanged"), "{said}");

    let address = format!("sqlite://{}", data.display());
    let mut connection = sqlx::SqliteConnection::connect(&address)
        .await
        .expect("open");
    sqlx::query("UPDATE audit_event SET effect = 'allow' WHERE sequence = 2")
        .execute(&mut connection)
        .await
        .expect("changed");
    let (good, said) = verify().await;
    assert!(!good && said.contains('2'), "{said}");
    assert_eq!(serving.stop().await, Some(0));
}

#[tokio::test]
async fn a_second_one_does_not_start_on_the_same_data() {
    let folder = documents();
    let serving = Serving::start(&folder, &folder.config()).await;
    let mut second = Command::new(BINARY);
    second.args(["serve", "--grpc", "127.0.0.1:0", "--http", "127.0.0.1:0"]);
    second.args(["--console", "127.0.0.1:0", "--config"]);
    second.arg(folder.config()).arg("--data");
    second.arg(folder.path("audit.db")).kill_on_drop(true);
    let output = timeout(PATIENCE, second.output()).await;
    let output = output.expect("ends in time").expect("ran");
    let said = String::from_utf8(output.stderr).expect("text");
    assert!(
        !output.status.success() && said.contains("another control has"),
        "{said}"
    );
    // Not even a power cut leaves the lock behind.
    serving.kill().await;
    let serving = Serving::start(&folder, &folder.config()).await;
    assert_eq!(serving.stop().await, Some(0));
}
