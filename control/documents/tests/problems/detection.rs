//! Detection: what is done about what is seen, and what is looked for.

use expect_test::{Expect, expect};

use crate::{VALID, check};

const CONSOLE: &str = "apiVersion: gatehold.io/v1\nkind: Console\nmetadata: { name: c }\nspec: { url: https://c.example, signIn: { issuer: corp, clientId: c } }\n---\n";

/// `detection` of a server; its fields begin in line 24.
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
        expect![[r#"
            valid
        "#]],
    );
    detection(
        "    off\n",
        expect![[r#"
        valid
    "#]],
    );
    detection(
        "    block\n",
        expect![[r#"
        a.yaml:24:5: `detection` cannot be the text `block`
            use one of `off`, `log`
        1 problem; nothing was changed
    "#]],
    );
    detection(
        "    arguments: redact\n    results: hide\n    secrets: [block]\n    defs: log\n",
        expect![[r#"
            a.yaml:24:16: `arguments` cannot be `redact`: without the words it would be another call
                use `approve` or `block`; secrets alone can be taken out: `secrets: { arguments: redact }`
            a.yaml:25:14: `results` cannot be the text `hide`
                use one of `off`, `log`, `redact`, `approve`, `block`
            a.yaml:26:14: `secrets` must be a mapping, found a list
                write its fields, such as `arguments: …`
            a.yaml:27:5: `detection` has no field `defs`
                use one of `arguments`, `results`, `definitions`, `secrets`, `tools`, `approval`
            4 problems; nothing was changed
        "#]],
    );
    detection(
        "    tools:\n      - { results: block }\n      - { match: [], results: log }\n      - { match: \"get *\" }\n",
        expect![[r#"
            a.yaml:25:9: an entry of `tools` needs `match`
                name tools, prompts or resources: `match: ["get_*"]`
            a.yaml:26:18: `match` is an empty list
                name at least one, or remove the field
            a.yaml:27:9: an entry of `tools` says no action
                add `arguments`, `results`, `definitions` or `secrets`
            a.yaml:27:18: `get *` is no valid pattern
                remove blanks and control characters; entries of a list go in `[a, b]`
            4 problems; nothing was changed
        "#]],
    );
    detection(
        "    tools: { match: x }\n",
        expect![[r#"
        a.yaml:24:12: `tools` must be a list, found a mapping
            begin each entry with `- `: `- { match: ["get_*"], results: redact }`
        1 problem; nothing was changed
    "#]],
    );
}

#[test]
fn approvals() {
    detection(
        "    tools:\n      - { match: get_*, results: approve }\n",
        expect![[r#"
            a.yaml:25:34: `approve` needs an `approval` under `detection`
                say who approves: `approval: { by: { roles: [security] }, within: 15m }`
            1 problem; nothing was changed
        "#]],
    );
    detection(
        "    approval: { by: { roles: [security] } }\n",
        expect![[r#"
            a.yaml:24:15: `approval` is of no use: no action is `approve`
                write `approve` where calls are to wait, or remove `approval`
            1 problem; nothing was changed
        "#]],
    );
    detection(
        "    results: approve\n    approval: { within: 15m, risk: x }\n",
        expect![[r#"
            a.yaml:25:15: `approval` needs `by`
                say who may approve: `by: { roles: [finance-lead] }`
            a.yaml:25:30: `approval` has no field `risk`
                use one of `by`, `within`, `reason`, `requester`
            2 problems; nothing was changed
        "#]],
    );
    let server = "apiVersion: gatehold.io/v1\nkind: Server\nmetadata: { name: s }\nspec:\n  path: /s\n  resource: https://gw.example.com/s\n  issuers: [corp]\n  detection: { results: approve, approval: { by: { users: [ann] } } }\n";
    check(
        &format!("{VALID}{server}"),
        expect![[r#"
        a.yaml:18:25: approval is asked for, but nobody could sign in to approve
            add a Console document: `kind: Console` with `spec: { url: https://…, signIn: { issuer: …, clientId: … } }`
        1 problem; nothing was changed
    "#]],
    );
}

#[test]
fn rules() {
    detectors(
        "  rules:\n    - { name: hosts, pattern: 'corp\\.example', weight: 2.5 }\n    - { name: badge, pattern: 'EMP-[0-9]{6}', means: personal }\n    - { name: key, pattern: 'ck_[a-z]{20}', means: secret }\n  shadow:\n    rules:\n      - { name: hosts, pattern: 'corp\\.(example|test)' }\n",
        expect![[r#"
            valid
        "#]],
    );
    detectors(
        "  rules:\n    - { name: 1st, pattern: x }\n    - { pattern: x, name: a, weight: 0 }\n    - { name: b, means: secret, weight: 2 }\n    - { name: c, pattern: x, means: word }\n    - { name: d, pattern: x }\n    - { name: d, pattern: y }\n    - x\n",
        expect![[r#"
            a.yaml:16:15: `1st` is no valid rule name
                use up to 63 letters, digits, `-`, `.` and `_`, beginning with a letter
            a.yaml:17:38: `weight` cannot be the number `0`
                write a number above 0 and up to 50: 1 makes an attack some three times as likely; leave it out to flag whatever matches
            a.yaml:18:7: a rule needs `pattern`
                write a regular expression: `pattern: 'EMP-[0-9]{6}'`
            a.yaml:18:41: `weight` has no meaning for secrets and personal data
                remove it: what is found counts by itself
            a.yaml:19:37: `means` cannot be the text `word`
                use one of `finding`, `secret`, `personal`
            a.yaml:21:15: two rules are named `d`
                rename one of them
            a.yaml:22:7: a rule must be a mapping, found the text `x`
                write its fields, such as `name: …`
            7 problems; nothing was changed
        "#]],
    );
    detectors(
        "  rules: x\n  shadow: {}\n",
        expect![[r#"
        a.yaml:15:10: `rules` must be a list, found the text `x`
            begin each rule with `- `: `- { name: badge, pattern: 'EMP-[0-9]{6}' }`
        a.yaml:16:11: `shadow` has nothing to try
            add `rules` or a `pack` to try, or remove `shadow`
        2 problems; nothing was changed
    "#]],
    );
    detectors(
        "  pack: here.pack\n  shadow: { pack: /a/b.pack, allow: [] }\n",
        expect![[r#"
            a.yaml:15:9: `pack` must be an absolute path, found the text `here.pack`
                write where control finds the file, such as `/etc/gatehold/secret`
            a.yaml:16:30: `shadow` has no field `allow`
                use one of `pack`, `rules`
            2 problems; nothing was changed
        "#]],
    );
}

#[test]
fn patterns() {
    detectors(
        "  patterns: { on: [email], off: [card, iban] }\n",
        expect![[r#"
            valid
        "#]],
    );
    detectors(
        "  patterns: { on: [emial, card], off: [card], never: [] }\n",
        expect![[r#"
            a.yaml:15:20: there is no pattern `emial`
                did you mean `email`?
            a.yaml:15:40: `card` is turned on and off
                remove one of them
            a.yaml:15:47: `patterns` has no field `never`
                use one of `on`, `off`
            3 problems; nothing was changed
        "#]],
    );
}

#[test]
fn patterns_of_rules() {
    detectors(
        "  rules:\n    - { name: good, pattern: x }\n    - { name: bad, pattern: 'a(b' }\n",
        expect![[r#"
            a.yaml:17:29: rule `bad`: `a(b` is no regular expression, at character 2: unclosed group; correct it (look-around and back-references do not exist here)
            1 problem; nothing was changed
        "#]],
    );
}

#[test]
fn allowed_texts() {
    let good = "0123456789abcdef".repeat(4);
    detectors(
        &format!("  allow: [\"sha256:{good}\"]\n"),
        expect![[r#"
        valid
    "#]],
    );
    detectors(
        &format!(
            "  allow: [\"{good}\", \"sha256:{}\", \"sha256:{good}0\", \"sha256:{}\"]\n",
            good.to_uppercase(),
            good.replace('0', "é"),
        ),
        expect![[r#"
            a.yaml:15:11: `0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef` is no digest
                write `sha256:` and 64 lower-case hexadecimal digits
            a.yaml:15:79: `sha256:0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF` is no digest
                write `sha256:` and 64 lower-case hexadecimal digits
            a.yaml:15:154: `sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0` is no digest
                write `sha256:` and 64 lower-case hexadecimal digits
            a.yaml:15:230: `sha256:é123456789abcdefé123456789abcdefé123456789abcdefé123456789abcdef` is no digest
                write `sha256:` and 64 lower-case hexadecimal digits
            4 problems; nothing was changed
        "#]],
    );
}

#[test]
fn there_is_one() {
    let one = "apiVersion: gatehold.io/v1\nkind: Detectors\nmetadata: { name: NAME }\nspec: { allow: [] }\n";
    let (first, second) = (one.replace("NAME", "a"), one.replace("NAME", "b"));
    check(
        &format!("{VALID}{first}---\n{second}"),
        expect![[r#"
        a.yaml:18:19: there is another Detectors, and there can be only one
            keep one of them; the other is at a.yaml:13:19
        1 problem; nothing was changed
    "#]],
    );
}
