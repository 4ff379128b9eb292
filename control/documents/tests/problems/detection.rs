//! Detection: what is done about what is seen, and what is looked for.

use expect_test::{Expect, expect};

use crate::{VALID, check};

const CONSOLE: &str = "apiVersion: gatehold.io/v1\nkind: Console\nmetadata: { name: c }\nspec: { url: https://c.example, signIn: { issuer: corp, clientId: c } }\n---\n";

/// `detection` of a server; its fields begin in line 21.
#[track_caller]
fn detection(fields: &str, expected: Expect) {
    let server = "apiVersion: gatehold.io/v1\nkind: Server\nmetadata: { name: s }\nspec:\n  path: /s\n  resource: https://gw.example.com/s\n  issuers: [corp]\n  detection:\n";
    check(&format!("{VALID}{CONSOLE}{server}{fields}"), expected);
}

/// The `spec` of detectors begins in line 15.
#[track_caller]
fn detectors(spec: &str, expected: Expect) {
    let frame = "apiVersion: gatehold.io/v1\nkind: Detectors\nmetadata: { name: d }\nspec:\n";
    check(&format!("{VALID}{frame}{spec}"), expected);
}

#[test]
fn actions() {
    detection(
        "    arguments: block\n    results: redact\n    definitions: log\n    secrets: { arguments: redact, results: off }\n    tools:\n      - { match: get_*, results: approve, secrets: block }\n    approval: { by: { roles: [security] }, within: 1h, reason: required }\n",
        expect![[""]],
    );
    detection("    off\n", expect![[""]]);
    detection("    block\n", expect![[""]]);
    detection(
        "    arguments: redact\n    results: hide\n    secrets: [block]\n    defs: log\n",
        expect![[""]],
    );
    detection(
        "    tools:\n      - { results: block }\n      - { match: [], results: log }\n      - { match: \"get *\" }\n",
        expect![[""]],
    );
    detection("    tools: { match: x }\n", expect![[""]]);
}

#[test]
fn approvals() {
    detection(
        "    tools:\n      - { match: get_*, results: approve }\n",
        expect![[""]],
    );
    detection("    approval: { by: { roles: [security] } }\n", expect![[""]]);
    detection(
        "    results: approve\n    approval: { within: 15m, risk: x }\n",
        expect![[""]],
    );
    let server = "apiVersion: gatehold.io/v1\nkind: Server\nmetadata: { name: s }\nspec:\n  path: /s\n  resource: https://gw.example.com/s\n  issuers: [corp]\n  detection: { results: approve, approval: { by: { users: [ann] } } }\n";
    check(&format!("{VALID}{server}"), expect![[""]]);
}

#[test]
fn rules() {
    detectors(
        "  rules:\n    - { name: hosts, pattern: 'corp\\.example', weight: 2.5 }\n    - { name: badge, pattern: 'EMP-[0-9]{6}', means: personal }\n    - { name: key, pattern: 'ck_[a-z]{20}', means: secret }\n  shadow:\n    rules:\n      - { name: hosts, pattern: 'corp\\.(example|test)' }\n",
        expect![[""]],
    );
    detectors(
        "  rules:\n    - { name: 1st, pattern: x }\n    - { pattern: x, name: a, weight: 0 }\n    - { name: b, means: secret, weight: 2 }\n    - { name: c, pattern: x, means: word }\n    - { name: d, pattern: x }\n    - { name: d, pattern: y }\n    - x\n",
        expect![[""]],
    );
    detectors("  rules: x\n  shadow: {}\n", expect![[""]]);
    detectors(
        "  pack: here.pack\n  shadow: { pack: /a/b.pack, allow: [] }\n",
        expect![[""]],
    );
}

#[test]
fn allowed_texts() {
    let good = "0123456789abcdef".repeat(4);
    detectors(&format!("  allow: [\"sha256:{good}\"]\n"), expect![[""]]);
    detectors(
        &format!(
            "  allow: [\"{good}\", \"sha256:{}\", \"sha256:{good}0\", \"sha256:{}\"]\n",
            good.to_uppercase(),
            good.replace('0', "é"),
        ),
        expect![[""]],
    );
}

#[test]
fn there_is_one() {
    let one = "apiVersion: gatehold.io/v1\nkind: Detectors\nmetadata: { name: NAME }\nspec: { allow: [] }\n";
    let (first, second) = (one.replace("NAME", "a"), one.replace("NAME", "b"));
    check(&format!("{VALID}{first}---\n{second}"), expect![[""]]);
}
