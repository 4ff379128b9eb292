//! `gatehold check` and `gatehold explain`.
#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

const GOOD: &str = "
apiVersion: gatehold.io/v1
kind: Issuer
metadata: { name: corp }
spec: { issuer: https://idp.example.com }
---
apiVersion: gatehold.io/v1
kind: Server
metadata: { name: crm }
spec: { path: /crm/mcp, resource: https://gw.example.com/crm/mcp, issuers: [corp] }
---
apiVersion: gatehold.io/v1
kind: Policy
metadata: { name: support }
spec:
  subjects: { roles: [support] }
  rules:
    - allow: { server: crm, tools: [refund], when: \"args.amount <= 100.0\" }
";

fn run(directory: &Path, command: &str, rest: &[&str]) -> (bool, String) {
    let mut run = Command::new(env!("CARGO_BIN_EXE_gatehold"));
    let Output {
        status,
        stdout,
        stderr,
    } = run
        .arg(command)
        .arg(directory)
        .args(rest)
        .output()
        .expect("ran");
    (
        status.success(),
        String::from_utf8_lossy(&stdout).into_owned() + &String::from_utf8_lossy(&stderr),
    )
}

#[track_caller]
fn check(text: &str, command: &str, rest: &[&str], succeeds: bool, says: &[&str]) {
    let directory = tempfile::tempdir().expect("a directory");
    fs::write(directory.path().join("all.yaml"), text).expect("written");
    let (success, output) = run(directory.path(), command, rest);
    assert_eq!(success, succeeds, "{output}");
    for part in says {
        assert!(output.contains(part), "`{part}` is not in: {output}");
    }
}

#[test]
fn good_documents_are_summed_up() {
    check(
        GOOD,
        "check",
        &[],
        true,
        &["1 server", "1 issuer", "1 policy", "/crm/mcp"],
    );
}

#[test]
fn bad_documents_are_refused_with_file_and_line() {
    let bad = GOOD.replace("kind: Policy", "kind: Polity");
    check(
        &bad,
        "check",
        &[],
        false,
        &["all.yaml:13:", "Polity", "Policy"],
    );
    let bad = GOOD.replace("args.amount <=", "args.amount <= <=");
    check(&bad, "check", &[], false, &["all.yaml:18:"]);
}

#[test]
fn a_directory_without_documents_is_refused() {
    let directory = tempfile::tempdir().expect("a directory");
    let (success, output) = run(directory.path(), "check", &[]);
    assert!(!success && output.contains("holds no document"), "{output}");
}

#[test]
fn explain_says_what_decides_and_why() {
    let ask = |rest: &[&str], says: &[&str]| {
        let question = [
            &[
                "--server", "crm", "--user", "ann", "--role", "support", "--tool", "refund",
            ],
            rest,
        ];
        check(GOOD, "explain", &question.concat(), true, says);
    };
    ask(&["--args", r#"{"amount": 50}"#], &["allow:", "support/1"]);
    ask(
        &["--args", r#"{"amount": 500}"#],
        &["deny:", "support/1", "its condition is false"],
    );
    ask(&[], &["shown in lists"]);
}

#[test]
fn explain_looks_at_the_arguments_as_a_filter_does() {
    let rule = "    - deny: { server: crm, tools: [refund], when: \"'rule.hosts' in findings.features\" }\n";
    let detectors = "---\napiVersion: gatehold.io/v1\nkind: Detectors\nmetadata: { name: d }\nspec: { rules: [{ name: hosts, pattern: 'corp\\.internal' }] }\n";
    let documents = format!("{GOOD}{rule}{detectors}");
    let ask = |args: &str, says: &[&str]| {
        let question = [
            "--server", "crm", "--user", "ann", "--role", "support", "--tool", "refund", "--args",
            args,
        ];
        check(&documents, "explain", &question, true, says);
    };
    ask(r#"{"amount": 50, "note": "for jo"}"#, &["allow:"]);
    ask(
        r#"{"amount": 50, "note": "see db.corp.internal"}"#,
        &["deny:", "support/2"],
    );
}

#[test]
fn packs_that_cannot_be_used_are_told() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("next.pack");
    let documents = format!(
        "{GOOD}---\napiVersion: gatehold.io/v1\nkind: Detectors\nmetadata: {{ name: d }}\nspec: {{ shadow: {{ pack: {} }} }}\n",
        file.display()
    );
    check(
        &documents,
        "check",
        &[],
        false,
        &[
            "cannot read the pack",
            "next.pack",
            "gatehold detectors build",
        ],
    );
    let built = Command::new(env!("CARGO_BIN_EXE_gatehold"))
        .args(["detectors", "build"])
        .arg(&file)
        .output()
        .expect("ran");
    assert!(built.status.success());
    check(&documents, "check", &[], true, &["1 server"]);
    fs::write(&file, "GHDP").expect("written");
    check(&documents, "check", &[], false, &["next.pack` is no pack"]);
}

#[test]
fn explain_refuses_what_makes_no_sense() {
    let question = ["--user", "ann", "--tool", "refund"];
    check(
        GOOD,
        "explain",
        &[&question[..], &["--server", "cms"]].concat(),
        false,
        &["cms", "crm"],
    );
    let arguments = ["--server", "crm", "--args", "50"];
    check(
        GOOD,
        "explain",
        &[&question[..], &arguments].concat(),
        false,
        &["--args"],
    );
    check(
        GOOD,
        "explain",
        &["--server", "crm", "--user", "ann"],
        false,
        &["--tool"],
    );
}

#[test]
fn tools_without_a_risk_class_are_told() {
    let directory = tempfile::tempdir().expect("a directory");
    let documents = directory.path().join("documents");
    fs::create_dir(&documents).expect("made");
    fs::write(documents.join("all.yaml"), GOOD).expect("written");
    let file = directory.path().join("tools.json");
    let ask = |text: &str, rest: &[&str], succeeds: bool, says: &[&str]| {
        fs::write(&file, text).expect("written");
        let documents = documents.display().to_string();
        let tools = file.display().to_string();
        let given = [&["--config", &documents, "--tools", &tools], rest].concat();
        let run = Command::new(env!("CARGO_BIN_EXE_gatehold"))
            .arg("risks")
            .args(given)
            .output()
            .expect("ran");
        let output = String::from_utf8_lossy(&run.stdout) + String::from_utf8_lossy(&run.stderr);
        assert_eq!(run.status.success(), succeeds, "{output}");
        for part in says {
            assert!(output.contains(part), "`{part}` is not in: {output}");
        }
    };
    let list =
        r#"[{"name": "refund"}, {"name": "get_customer", "annotations": {"readOnlyHint": true}}]"#;
    let says = [
        "2 of 2 tools",
        "financial: [\"refund\"]",
        "read: [\"get_customer\"]",
    ];
    ask(list, &[], true, &says);
    ask(&format!(r#"{{"tools": {list}}}"#), &[], true, &says);
    let answer = format!(r#"{{"jsonrpc": "2.0", "id": 1, "result": {{"tools": {list}}}}}"#);
    ask(&answer, &["--server", "crm"], true, &says);
    ask(list, &["--server", "crn"], false, &["crn", "`crm`"]);
    ask("{}", &[], false, &["no list of tools"]);
    ask("tools", &[], false, &["is not JSON"]);
}

/// A store with what a server in shadow mode saw.
fn shadowed(path: &Path) {
    let event = |user: &str, target: &str, refusal: &str| gatehold_store::AuditEvent {
        time_unix_nanos: 1_700_000_000_000_000_000,
        server: "crm".to_owned(),
        era: "modern".to_owned(),
        method: "tools/call".to_owned(),
        target: target.to_owned(),
        user: user.to_owned(),
        agent: "desk".to_owned(),
        roles: vec!["support".to_owned()],
        effect: "deny".to_owned(),
        reason: format!("no rule allows tool `{target}`"),
        outcome: "ok".to_owned(),
        refusal: refusal.to_owned(),
        shadow: true,
        ..gatehold_store::AuditEvent::default()
    };
    let events = vec![
        event("alice", "refund", "hidden"),
        event("bob", "refund", "hidden"),
        event("", "echo", "token"),
    ];
    let batch = gatehold_store::AuditBatch {
        sender: "worker".to_owned(),
        batch: 1,
        events,
        ..gatehold_store::AuditBatch::default()
    };
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let store = gatehold_store::Store::open(path).await.expect("a store");
        store.append(batch).await.expect("stored");
        store.close().await;
    });
}

#[test]
fn what_shadow_mode_saw_becomes_a_report_and_a_policy_that_checks() {
    let directory = tempfile::tempdir().expect("a directory");
    let data = directory.path().join("gatehold.db");
    shadowed(&data);
    let run = |words: &[&str]| {
        let mut run = Command::new(env!("CARGO_BIN_EXE_gatehold"));
        let output = run.args(words).arg("--data").arg(&data).output();
        let Output {
            status,
            stdout,
            stderr,
        } = output.expect("ran");
        let text = String::from_utf8_lossy(&stdout).into_owned();
        (status.success(), text + &String::from_utf8_lossy(&stderr))
    };
    let (done, report) = run(&["report"]);
    assert!(done, "{report}");
    for part in ["3 would have been refused (100.0 %)", "(unknown)", "alice"] {
        assert!(report.contains(part), "`{part}` is not in: {report}");
    }
    for none in [["report", "--server", "hr"], ["report", "--since", "1d"]] {
        let (done, report) = run(&none);
        assert!(done && report.contains("nothing was recorded"), "{report}");
    }
    let (done, json) = run(&["report", "--format", "json"]);
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert!(
        done && json.pointer("/servers/crm/refused") == Some(&3.into()),
        "{json}"
    );

    let (servers, _) = GOOD
        .split_once("---\napiVersion: gatehold.io/v1\nkind: Policy")
        .expect("a policy");
    let empty = directory.path().join("empty");
    fs::create_dir(&empty).expect("made");
    fs::write(empty.join("servers.yaml"), servers).expect("written");
    let empty = empty.to_str().expect("a path");
    // Without the documents nobody knows what it would undo.
    let (done, says) = run(&["suggest"]);
    assert!(!done && says.contains("--config"), "{says}");
    let (done, policy) = run(&["suggest", "--config", empty]);
    assert!(done && policy.contains("roles: [support]"), "{policy}");
    assert!(!policy.contains("echo"), "{policy}");
    let (done, by_user) = run(&["suggest", "--config", empty, "--by", "user"]);
    assert!(done && by_user.contains("users: [alice, bob]"), "{by_user}");
    check(
        &format!("{servers}---\n{policy}"),
        "check",
        &[],
        true,
        &["1 policy", "1 rule"],
    );

    let config = directory.path().join("documents");
    fs::create_dir(&config).expect("made");
    let risky = servers.replace(
        "issuers: [corp] }",
        "issuers: [corp], risk: { financial: [refund] } }",
    );
    fs::write(config.join("all.yaml"), risky).expect("written");
    let config = config.to_str().expect("a path");
    let (done, marked) = run(&["suggest", "--config", config]);
    assert!(
        done && marked.contains("- refund # 2, financial"),
        "{marked}"
    );

    // A rule with a condition is not undone, and a person is told.
    let capped =
        "  rules: [{ allow: { server: crm, tools: [refund], when: args.amount <= 100 } }]\n";
    let policy =
        "---\napiVersion: gatehold.io/v1\nkind: Policy\nmetadata: { name: capped }\nspec:\n";
    fs::write(
        Path::new(empty).join("capped.yaml"),
        format!("{policy}{capped}"),
    )
    .expect("written");
    let (done, says) = run(&["suggest", "--config", empty]);
    assert!(done && !says.contains("refund"), "{says}");
    let told = "Not proposed for `crm`: a rule of yours allows them on a condition";
    assert_eq!(
        says.matches(told).count(),
        2,
        "as a comment and beside it: {says}"
    );

    let (done, says) = run(&["suggest", "--config", empty, "--since", "yesterday"]);
    assert!(!done && says.contains("write a time such as"), "{says}");
}
