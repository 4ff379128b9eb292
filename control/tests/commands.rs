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
