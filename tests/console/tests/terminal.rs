//! `gatehold approvals` and `gatehold fleet` at the real control, with a token of the real provider.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::time::Duration;

use gatehold_console_tests::filter::Wanted;
use gatehold_console_tests::stage::Stage;
use gatehold_wire::discovery::Node;
use serde_json::{Value, json};
use tokio::process::Command;
use tokio::time::{Instant, sleep};

struct Said {
    code: Option<i32>,
    out: String,
    errors: String,
}

async fn gatehold(stage: &Stage, token: &Path, arguments: &[&str]) -> Said {
    said(stage, token, &[&["approvals"], arguments].concat()).await
}

async fn said(stage: &Stage, token: &Path, arguments: &[&str]) -> Said {
    let mut command = Command::new(&stage.tools.gatehold);
    command.args(arguments).arg("--token-file").arg(token);
    command
        .env("GATEHOLD_URL", &stage.console)
        .env_remove("GATEHOLD_TOKEN");
    let output = command.output().await.unwrap();
    Said {
        code: output.status.code(),
        out: String::from_utf8(output.stdout).unwrap(),
        errors: String::from_utf8(output.stderr).unwrap(),
    }
}

#[tokio::test]
async fn listed_shown_and_decided_from_a_terminal() {
    let stage = Stage::start().await;
    let (carol, alice) = (stage.token("carol").await, stage.token("alice").await);
    // The console document may have come into force just now.
    let end = Instant::now() + Duration::from_secs(30);
    while gatehold(&stage, &carol, &["list"]).await.code != Some(0) {
        assert!(
            Instant::now() < end,
            "{}",
            gatehold(&stage, &carol, &["list"]).await.errors
        );
        sleep(Duration::from_millis(50)).await;
    }
    let nothing = gatehold(&stage, &carol, &["list"]).await;
    assert_eq!(nothing.out, "nothing waits that you may see\n");

    let bait = json!({ "amount": 120, "memo": "fine\u{202e}\u{1b}[2J" });
    let (waiter, id) = stage.filter.wait(Wanted::refund(bait).with_reason()).await;
    let list = gatehold(&stage, &carol, &["list"]).await;
    assert!(
        list.out.contains(&id) && list.out.contains("crm/refund") && list.out.contains("yours"),
        "{}",
        list.out
    );
    let show = gatehold(&stage, &carol, &["show", &id]).await;
    assert!(
        show.out.contains("amount: 120") && show.out.contains("fine[U+202E][U+001B][2J"),
        "{}",
        show.out
    );
    assert!(
        show.out.contains("one client at this moment"),
        "{}",
        show.out
    );
    let json = gatehold(&stage, &carol, &["show", &id, "--json"]).await;
    assert!(json.out.contains(r"fine\u202e"), "{}", json.out);
    let json: Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!(
        json.pointer("/arguments/memo"),
        Some(&json!("fine\u{202e}\u{1b}[2J"))
    );

    let check = |said: Said, code: i32, part: &str| {
        assert_eq!(said.code, Some(code), "{}{}", said.out, said.errors);
        assert!(said.errors.contains(part), "{}", said.errors);
    };
    check(
        gatehold(&stage, &carol, &["approve", &id]).await,
        1,
        "say why with --reason",
    );
    let other = ["approve", &id, "--reason", "x", "--digest", "00"];
    check(gatehold(&stage, &carol, &other).await, 4, "decide again");
    check(
        gatehold(&stage, &alice, &["approve", &id, "--reason", "x"]).await,
        3,
        "not an approver",
    );
    check(
        gatehold(&stage, &carol, &["show", "../../events"]).await,
        5,
        "approvals list",
    );
    let approved = gatehold(&stage, &carol, &["approve", &id, "--reason", "checked"]).await;
    assert!(
        approved
            .out
            .starts_with("you have approved refund on crm\n"),
        "{}{}",
        approved.out,
        approved.errors
    );
    let decided = stage.filter.decided(&waiter).await;
    assert_eq!(decided.get("outcome"), Some(&json!("OUTCOME_APPROVED")));
    check(
        gatehold(&stage, &carol, &["deny", &id, "--reason", "x"]).await,
        4,
        "too late: this call is approved",
    );

    let (_, own) = stage
        .filter
        .wait(Wanted::refund(json!({})).by("carol"))
        .await;
    check(
        gatehold(&stage, &carol, &["approve", &own]).await,
        3,
        "ask somebody else",
    );
    let bad = stage.console.replace("http://", "http://example.com@");
    check(
        gatehold(&stage, &carol, &["list", "--url", &bad]).await,
        1,
        "is no address of a console",
    );
    check(
        gatehold(&stage, &carol, &["list", "--url", "http://example.com"]).await,
        1,
        "in the clear",
    );
    check(
        gatehold(&stage, Path::new("/nowhere"), &["list"]).await,
        1,
        "cannot read the token",
    );
    let grpc = format!("http://127.0.0.1:{}", stage.control.http_port());
    check(
        gatehold(&stage, &carol, &["list", "--url", &grpc]).await,
        1,
        "is --url right?",
    );
}

#[tokio::test]
async fn the_fleet_is_listed_in_a_terminal() {
    let stage = Stage::start().await;
    let dave = stage.token("dave").await;
    let node = |id: &str, problems: &[&str]| Node {
        id: id.to_owned(),
        cluster: "edge".to_owned(),
        user_agent_version: "0.2.0".to_owned(),
        client_features: problems.iter().map(|&it| it.to_owned()).collect(),
        ..Node::default()
    };
    stage.filter.connect_another(node("edge-1", &[])).await;
    let two = ["protocol/2", "problem/two_copies"];
    let hostile = node("edge\u{1b}[2J\u{202e}", &two);
    stage.filter.connect_another(hostile).await;
    let end = Instant::now() + Duration::from_secs(30);
    let fleet = loop {
        let fleet = said(&stage, &dave, &["fleet"]).await;
        if fleet.code == Some(0) {
            break fleet;
        }
        assert!(Instant::now() < end, "{}", fleet.errors);
        sleep(Duration::from_millis(50)).await;
    };
    let line = fleet.out.lines().find(|line| line.starts_with("edge-1 "));
    let line = line.unwrap();
    assert!(
        line.contains(" edge ") && line.contains("0.2.0 x1"),
        "{line}"
    );
    assert!(fleet.out.contains("two_copies"), "{}", fleet.out);
    assert!(!fleet.out.contains(['\u{1b}', '\u{202e}']), "{}", fleet.out);
    let stranger = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&stranger, "a.b.c").unwrap();
    let refused = said(&stage, stranger.path(), &["fleet"]).await;
    assert!(refused.code != Some(0) && refused.out.is_empty());
}
