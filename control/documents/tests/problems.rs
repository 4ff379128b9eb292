//! What is refused, where, and what people are told to do.

use std::path::PathBuf;

use expect_test::{Expect, expect};
use gatehold_documents::load;

/// A server and an issuer that are valid, for tests of policies. They end at line 10.
const VALID: &str = "apiVersion: gatehold.io/v1
kind: Issuer
metadata: { name: corp }
spec: { issuer: https://idp.example.com }
---
apiVersion: gatehold.io/v1
kind: Server
metadata: { name: crm }
spec: { path: /crm/mcp, resource: https://gw.example.com/crm/mcp, issuers: [corp], risk: { destructive: [\"delete_*\"] } }
---
";

fn problems(yaml: &str) -> String {
    match load(&[(PathBuf::from("a.yaml"), yaml.to_owned())]) {
        Ok(_) => "valid\n".to_owned(),
        Err(problems) => format!("{problems}\n"),
    }
}

#[track_caller]
fn check(yaml: &str, expected: Expect) {
    expected.assert_eq(&problems(yaml));
}

/// A policy after the valid documents; its `rules:` begin at line 15.
#[track_caller]
fn rules(rules: &str, expected: Expect) {
    let policy =
        "apiVersion: gatehold.io/v1\nkind: Policy\nmetadata: { name: p }\nspec:\n  rules:\n";
    check(&format!("{VALID}{policy}{rules}"), expected);
}

#[track_caller]
fn server(spec: &str, expected: Expect) {
    let frame = "apiVersion: gatehold.io/v1\nkind: Server\nmetadata: { name: s }\nspec:\n";
    check(&format!("{VALID}{frame}{spec}"), expected);
}

#[track_caller]
fn issuer(spec: &str, expected: Expect) {
    let frame = "apiVersion: gatehold.io/v1\nkind: Issuer\nmetadata: { name: i }\nspec:\n";
    check(&format!("{frame}{spec}"), expected);
}

#[test]
fn valid_sets() {
    check(
        "",
        expect![[r#"
        valid
    "#]],
    );
    check(
        "# nothing\n---\n---\n",
        expect![[r#"
        valid
    "#]],
    );
    check(
        VALID,
        expect![[r#"
        valid
    "#]],
    );
    rules(
        "    - allow: { server: crm, tools: [\"*\"] }",
        expect![[r#"
            valid
        "#]],
    );
}

#[test]
fn not_yaml() {
    check(
        "a: [1, 2\nb: 3\n",
        expect![[r#"
        a.yaml:2:2: not valid YAML: illegal placement of ':' indicator
        1 problem; nothing was changed
    "#]],
    );
    check(
        "kind: Server\n  name: x\n",
        expect![[r#"
        a.yaml:2:7: not valid YAML: mapping values are not allowed in this context
        1 problem; nothing was changed
    "#]],
    );
    check(
        "a: *\n---\nb: *c\n---\n: :\n",
        expect![[r#"
        a.yaml:1:4: not valid YAML: while scanning an anchor or alias, did not find expected alphabetic or numeric c…
            a text that begins with `*` must be quoted: "*"
        a.yaml:3:4: not valid YAML: while parsing node, found unknown anchor
            a text that begins with `*` must be quoted: "*"
        a.yaml:5:1: a document has no field `~`
            use one of `apiVersion`, `kind`, `metadata`, `spec`
        a.yaml:5:1: a document needs `apiVersion`
            write `apiVersion: gatehold.io/v1`
        a.yaml:5:1: a document needs `kind`
            write `kind: Server`, `kind: Issuer` or `kind: Policy`
        a.yaml:5:1: a document needs `metadata`
            write `metadata: { name: … }`
        a.yaml:5:1: a document needs `spec`
            write what it says under `spec:`
        7 problems; nothing was changed
    "#]],
    );
    check(
        "%YAML 1.2\n---\na: 1\n",
        expect![[r#"
        a.yaml:1:1: not valid YAML: YAML directives are disallowed
        1 problem; nothing was changed
    "#]],
    );
    check(
        "a: !!python/object x\n",
        expect![[r#"
        a.yaml:1:20: tags (`!!python/object`) are not supported
            remove it, and quote the value if it is a text that begins with `!`
        1 problem; nothing was changed
    "#]],
    );
    check(
        "? [a]\n: 1\n",
        expect![[r#"
        a.yaml:1:3: a key must be a name
            write a name before the colon, and quote texts with `{`, `[` or `*`
        1 problem; nothing was changed
    "#]],
    );
    check(
        "a: 1\na: 2\n",
        expect![[r#"
        a.yaml:1:1: a document has no field `a`
            use one of `apiVersion`, `kind`, `metadata`, `spec`
        a.yaml:1:1: a document needs `apiVersion`
            write `apiVersion: gatehold.io/v1`
        a.yaml:1:1: a document needs `kind`
            write `kind: Server`, `kind: Issuer` or `kind: Policy`
        a.yaml:1:1: a document needs `metadata`
            write `metadata: { name: … }`
        a.yaml:1:1: a document needs `spec`
            write what it says under `spec:`
        a.yaml:2:1: field `a` is given twice
            keep one of them; of two it is not told which counts
        6 problems; nothing was changed
    "#]],
    );
    check(
        "<<: { a: 1 }\n",
        expect![[r#"
        a.yaml:1:1: merge keys (`<<`) are not supported
            write the fields out, or alias a whole value (`*name`)
        1 problem; nothing was changed
    "#]],
    );
    check(
        "just text",
        expect![[r#"
        a.yaml:1:1: a document must be a mapping, found the text `just text`
            write its fields, such as `apiVersion: …`
        1 problem; nothing was changed
    "#]],
    );
    check(
        "\u{0}",
        expect![[r#"
        a.yaml:1:1: not valid YAML: unexpected character: `\u{0}'
        1 problem; nothing was changed
    "#]],
    );
}

#[test]
fn bombs() {
    check(
        &"[".repeat(100_000),
        expect![[r#"
        a.yaml:1:33: not valid YAML: recursion limit exceeded
        1 problem; nothing was changed
    "#]],
    );
    check(
        &"- ".repeat(100_000),
        expect![[r#"
        a.yaml:1:65: not valid YAML: recursion limit exceeded
        1 problem; nothing was changed
    "#]],
    );
    check(
        &"a: {".repeat(40),
        expect![[r#"
        a.yaml:1:129: nested more than 32 deep
            flatten it
        1 problem; nothing was changed
    "#]],
    );
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..20 {
        let alias = format!("*a{}", level - 1);
        let aliases = vec![alias; 9].join(", ");
        bomb.push_str(&format!("a{level}: &a{level} [{aliases}]\n"));
    }
    check(
        &bomb,
        expect![[r#"
        a.yaml:5:25: the aliases of this file repeat more than 4 MiB
            write less, or fewer aliases of aliases
        1 problem; nothing was changed
    "#]],
    );
    check(
        "a: &a [*a]\n",
        expect![[r#"
        a.yaml:1:8: the alias stands within the value that it repeats
            an alias can only follow the whole value that it repeats
        1 problem; nothing was changed
    "#]],
    );
    check(
        &"#".repeat(4 * 1024 * 1024 + 1),
        expect![[r#"
        a.yaml:1:1: the file is longer than 4 MiB
            split it
        1 problem; nothing was changed
    "#]],
    );
}

#[test]
fn frames() {
    check(
        "kind: Server\n",
        expect![[r#"
        a.yaml:1:1: a document needs `apiVersion`
            write `apiVersion: gatehold.io/v1`
        a.yaml:1:1: a document needs `metadata`
            write `metadata: { name: … }`
        a.yaml:1:1: a document needs `spec`
            write what it says under `spec:`
        3 problems; nothing was changed
    "#]],
    );
    check(
        "apiVersion: gatehold.io/v2\nkind: Sever\nmetadata: { nam: x }\nspecs: {}\n",
        expect![[r#"
            a.yaml:1:1: a document needs `spec`
                write what it says under `spec:`
            a.yaml:1:13: `apiVersion` cannot be the text `gatehold.io/v2`
                did you mean `gatehold.io/v1`?
            a.yaml:2:7: `kind` cannot be the text `Sever`
                did you mean `Server`?
            a.yaml:3:11: `metadata` needs `name`
                write `metadata: { name: … }`
            a.yaml:3:13: `metadata` has no field `nam`
                did you mean `name`?
            a.yaml:4:1: a document has no field `specs`
                did you mean `spec`?
            6 problems; nothing was changed
        "#]],
    );
    check(
        "apiVersion: gatehold.io/v1\nkind: Policy\nmetadata: { name: \"Not a name\" }\nspec: { rules: [] }\n",
        expect![[r#"
            a.yaml:3:19: `Not a name` is no valid name
                use up to 63 lower-case letters, digits, `-`, `.` and `_`, with a letter or digit at both ends
            a.yaml:4:16: `rules` is an empty list
                add a rule, or remove the document
            2 problems; nothing was changed
        "#]],
    );
    check(
        "apiVersion: 1\nkind: [Server]\nmetadata: x\nspec:\n",
        expect![[r#"
            a.yaml:1:13: `apiVersion` cannot be the number `1`
                use one of `gatehold.io/v1`
            a.yaml:2:7: `kind` must be a single value, found a list
            a.yaml:3:11: `metadata` must be a mapping, found the text `x`
                write its fields, such as `name: …`
            3 problems; nothing was changed
        "#]],
    );
}

#[test]
fn servers() {
    server(
        "  hosts: [gw.example.com]\n",
        expect![[r#"
        a.yaml:15:3: a server's `spec` needs `issuers`
            name the Issuer documents whose tokens are accepted: `issuers: [corp]`
        a.yaml:15:3: a server's `spec` needs `path`
            write the path of the endpoint, such as `path: /crm/mcp`
        a.yaml:15:3: a server's `spec` needs `resource`
            write the URL that clients use, such as `resource: https://gw.example.com/crm/mcp`
        3 problems; nothing was changed
    "#]],
    );
    server(
        "  path: crm\n  resource: gw.example.com/crm\n  issuers: [crop]\n  risks: {}\n",
        expect![[r#"
            a.yaml:15:9: `crm` is no valid path
                begin it with `/`: `/crm/mcp`
            a.yaml:16:13: `gw.example.com/crm` is no valid resource
                relative URL without a base; write an absolute URL such as `https://gw.example.com/crm/mcp`
            a.yaml:18:3: a server's `spec` has no field `risks`
                did you mean `risk`?
            3 problems; nothing was changed
        "#]],
    );
    server(
        "  path: /a/../b\n  resource: https://GW.example.com:443/a?x#y\n  issuers: []\n  hosts: [\"*.example.com\", \"gw:80\", GW.example.com]\n",
        expect![[r#"
            a.yaml:15:9: `/a/../b` is no valid path
                leave out empty segments, `.` and `..`
            a.yaml:16:13: `https://GW.example.com:443/a?x#y` is no valid resource
                leave out the query and the fragment
            a.yaml:17:12: `issuers` is an empty list
                name at least one, or remove the field
            a.yaml:18:11: `*.example.com` is no valid host
                write a host name or address without port, such as `gw.example.com`
            a.yaml:18:28: `gw:80` is no valid host
                write a host name or address without port, such as `gw.example.com`
            5 problems; nothing was changed
        "#]],
    );
    for path in [
        "/",
        "/a/",
        "//a",
        "/a%2fb",
        "/a?b",
        "/a b",
        "/.well-known/x",
    ] {
        let rest = "resource: https://x.example/y\n  issuers: [corp]";
        let problems = problems(&format!(
            "{VALID}apiVersion: gatehold.io/v1\nkind: Server\nmetadata: {{ name: s }}\nspec:\n  path: {path:?}\n  {rest}\n"
        ));
        assert!(problems.contains("is no valid path"), "{path}: {problems}");
    }
    server(
        "  path: /s\n  resource: https://x.example/s\n  issuers: [corp]\n  limits: { requestBytes: 1MB, depth: -1, listEntries: many, eventBytes: 1GiB, responseBytes: 8MiB }\n  audit: { arguments: none }\n  allowedOrigins: [\"*\", \"https://app.example.com/\"]\n  scopes: [\"a b\", 1]\n  risk: { \"1\": x, read: [] }\n",
        expect![[r#"
            a.yaml:18:27: `requestBytes` cannot be the text `1MB`
                write a size up to 256MiB in bytes or with a unit: `65536`, `512KiB`, `8MiB`
            a.yaml:18:39: `depth` must be a whole number from 1 to 128, found the number `-1`
            a.yaml:18:56: `listEntries` must be a whole number from 1 to 1000000, found the text `many`
            a.yaml:18:74: `eventBytes` cannot be the text `1GiB`
                write a size up to 256MiB in bytes or with a unit: `65536`, `512KiB`, `8MiB`
            a.yaml:19:23: `arguments` cannot be the text `none`
                use one of `full`, `digest`
            a.yaml:20:20: `*` is no valid origin
                relative URL without a base; write scheme, host and port if any: `https://app.example.com`
            a.yaml:20:25: `https://app.example.com/` is no valid origin
                write it as `https://app.example.com`
            a.yaml:21:12: `a b` is no valid scope
                use at most 256 visible ASCII characters, without `"` and `\`; one scope per entry
            a.yaml:21:19: each entry of `scopes` must be a text, found the number `1`
                quote it: "1"
            a.yaml:22:11: `1` is no valid risk class
                use up to 63 letters, digits, `-`, `.` and `_`, beginning with a letter
            a.yaml:22:25: the tools of a risk class is an empty list
                name at least one, or remove the field
            11 problems; nothing was changed
        "#]],
    );
    server(
        "  path: /crm/mcp\n  hosts: [x.example]\n  resource: https://x.example/crm/mcp\n  issuers: [corp]\n",
        expect![[r#"
            a.yaml:15:9: server `crm` answers on `/crm/mcp` too
                give them different paths, or different `hosts` to both
            1 problem; nothing was changed
        "#]],
    );
    check(
        &format!("{VALID}{VALID}"),
        expect![[r#"
        a.yaml:13:19: there is another Issuer `corp`
            rename one of them; the other is at a.yaml:3:19
        a.yaml:18:19: there is another Server `crm`
            rename one of them; the other is at a.yaml:8:19
        2 problems; nothing was changed
    "#]],
    );
}

#[test]
fn issuers() {
    issuer(
        "  issuer: idp.example.com\n  algorithms: [RS265, none]\n  refresh: 5\n  clockSkew: 1d\n  claims: { user: [], role: x }\n",
        expect![[r#"
            a.yaml:5:11: `idp.example.com` is no valid issuer
                relative URL without a base; write an absolute URL such as `https://gw.example.com/crm/mcp`
            a.yaml:6:16: algorithm `RS265` is not supported
                did you mean `RS256`?
            a.yaml:6:23: algorithm `none` is not supported
                use one of `RS256`, `PS256`, `ES256`, `EdDSA`
            a.yaml:7:12: `refresh` cannot be the number `5`
                write a duration from 5s to 7d, such as `90s`, `15m` or `1h30m`
            a.yaml:8:14: `clockSkew` cannot be the text `1d`
                write a duration from 0s to 10m, such as `90s`, `15m` or `1h30m`
            a.yaml:9:19: `user` is an empty list
                name at least one, or remove the field
            a.yaml:9:23: `claims` has no field `role`
                did you mean `roles`?
            7 problems; nothing was changed
        "#]],
    );
    issuer(
        "  issuer: https://a.example\n  jwks: {}\n",
        expect![[r#"
        a.yaml:6:9: `jwks` needs either `uri` or `keys`
            write `jwks: { uri: https://… }` or `jwks: { keys: {…} }`, or leave `jwks` out to use the issuer's discovery document
        1 problem; nothing was changed
    "#]],
    );
    issuer(
        "  issuer: https://a.example\n  jwks: { uri: ftp://a.example/jwks }\n",
        expect![[r#"
            a.yaml:6:16: `ftp://a.example/jwks` is no valid URL
                only `http` and `https` are possible; write an absolute URL such as `https://gw.example.com/crm/mcp`
            1 problem; nothing was changed
        "#]],
    );
    issuer(
        "  issuer: https://a.example\n  jwks: { keys: [{ kty: oct, k: c2VjcmV0 }] }\n",
        expect![[r#"
            a.yaml:6:17: `keys` holds a private or symmetric key
                publish only public keys: without `d`, `k`, `p`, `q`; and treat this one as leaked
            1 problem; nothing was changed
        "#]],
    );
    issuer(
        "  issuer: https://a.example\n  jwks: { keys: { kyes: [] } }\n",
        expect![[r#"
            a.yaml:6:17: `keys`: not a JWK Set: there is no list `keys`; expected an object with a list `keys`
            1 problem; nothing was changed
        "#]],
    );
}

#[test]
fn policies() {
    rules(
        "    - allow: { server: crm, tool: [x] }",
        expect![[r#"
        a.yaml:16:14: `allow` does not say what it is about
            add `tools`, `resources`, `prompts`, `methods` or `risk`; `tools: ["*"]` means all tools
        a.yaml:16:29: `allow` has no field `tool`
            did you mean `tools`?
        2 problems; nothing was changed
    "#]],
    );
    rules(
        "    - allow: { server: crn, tools: [x] }\n    - deny: { server: \"x-*\", tools: [x] }",
        expect![[r#"
            a.yaml:16:24: no server matches `crn`
                did you mean `crm`?
            a.yaml:17:23: no server matches `x-*`
                the servers are `crm`
            2 problems; nothing was changed
        "#]],
    );
    rules(
        "    - allow: { server: crm }\n    - permit: { server: crm, tools: x }",
        expect![[r#"
            a.yaml:16:14: `allow` does not say what it is about
                add `tools`, `resources`, `prompts`, `methods` or `risk`; `tools: ["*"]` means all tools
            a.yaml:17:7: a rule has no field `permit`
                use one of `allow`, `approve`, `deny`, `name`
            a.yaml:17:7: a rule needs exactly one of `allow`, `approve` and `deny`
                write one rule per entry: `- allow: { server: crm, tools: ["get_*"] }`
            3 problems; nothing was changed
        "#]],
    );
    rules(
        "    - allow: { server: crm, tools: [] }\n      deny: { server: crm, tools: x }",
        expect![[r#"
            a.yaml:16:7: a rule needs exactly one of `allow`, `approve` and `deny`
                write one rule per entry: `- allow: { server: crm, tools: ["get_*"] }`
            1 problem; nothing was changed
        "#]],
    );
    rules(
        "    - allow: { server: crm, tools: [], resources: [1, \"\", \"a b\", x, x] }",
        expect![[r#"
            a.yaml:16:36: `tools` is an empty list
                name at least one, or remove the field
            a.yaml:16:52: each entry of `resources` must be a text, found the number `1`
                quote it: "1"
            a.yaml:16:55: each entry of `resources` is empty
                write it, or remove the field
            a.yaml:16:59: `a b` is no valid pattern
                remove blanks and control characters; entries of a list go in `[a, b]`
            a.yaml:16:69: `resources` names `x` twice
                remove one of them
            5 problems; nothing was changed
        "#]],
    );
    rules(
        "    - approve: { server: crm, tools: x }\n    - approve: { server: crm, tools: x, by: {}, within: 15 }\n    - allow: { server: crm, tools: x, within: 15m }",
        expect![[r#"
            a.yaml:16:16: `approve` needs `by`
                say who may approve: `by: { roles: [finance-lead] }`
            a.yaml:17:45: `by` names nobody
                say who may approve: `by: { roles: [finance-lead] }`
            a.yaml:17:57: `within` cannot be the number `15`
                write a duration from 1s to 30d, such as `90s`, `15m` or `1h30m`
            a.yaml:18:39: `allow` has no field `within`
                use one of `server`, `tools`, `resources`, `prompts`, `methods`, `risk`, `when`
            4 problems; nothing was changed
        "#]],
    );
    rules(
        "    - deny: { server: crm, risk: destructiv }\n    - deny: { server: crm, risk: financial }",
        expect![[r#"
            a.yaml:16:34: there is no risk class `destructiv`
                did you mean `destructive`?
            1 problem; nothing was changed
        "#]],
    );
    rules(
        "    - { name: a, allow: { server: crm, tools: x } }\n    - { name: a, allow: { server: crm, tools: y } }\n    - { name: \"1\", allow: { server: crm, tools: y } }",
        expect![[r#"
            a.yaml:17:7: two rules of this policy are named `a`
                rename one of them
            a.yaml:18:15: `1` is no valid rule name
                use up to 63 letters, digits, `-`, `.` and `_`, beginning with a letter
            2 problems; nothing was changed
        "#]],
    );
    check(
        &format!(
            "{VALID}apiVersion: gatehold.io/v1\nkind: Policy\nmetadata: {{ name: p }}\nspec:\n  subjects: {{ roles: [] }}\n  rules: {{}}\n"
        ),
        expect![[r#"
            a.yaml:15:13: `subjects` names nobody
                name roles, users, agents or groups; to mean everyone, remove `subjects`
            a.yaml:16:10: `rules` must be a list, found a mapping
                begin each rule with `- `
            2 problems; nothing was changed
        "#]],
    );
    check(
        &format!(
            "{VALID}apiVersion: gatehold.io/v1\nkind: Policy\nmetadata: {{ name: p }}\nspec:\n  subjects: {{ roles: \"support-*\", user: [x] }}\n  rules:\n"
        ),
        expect![[r#"
            a.yaml:15:22: `support-*` is no valid role
                write it exactly; to mean everyone, leave the field out
            a.yaml:15:35: `subjects` has no field `user`
                did you mean `users`?
            a.yaml:16:8: `rules` must be a list, found nothing
                begin each rule with `- `
            3 problems; nothing was changed
        "#]],
    );
}

#[test]
fn conditions_are_placed() {
    let rule = |when: &str| {
        format!("    - allow:\n        server: crm\n        tools: refund\n        when: {when}")
    };
    rules(
        &rule("args.amount <= \"x\" + 1"),
        expect![[r#"
        a.yaml:19:34: `when`: `+` does not take a string and a number
            convert one side with `int()`, `double()` or `string()`
        1 problem; nothing was changed
    "#]],
    );
    rules(
        &rule("\"args.amount <= foo\""),
        expect![[r#"
        a.yaml:19:31: `when`: there is no variable `foo`
            use one of `args`, `user`, `agent`, `tool`, `resource`, `prompt`, `server`
        1 problem; nothing was changed
    "#]],
    );
    rules(
        &rule("'args.name == ''x'' && foo'"),
        expect![[r#"
            a.yaml:19:38: `when`: there is no variable `foo`
                use one of `args`, `user`, `agent`, `tool`, `resource`, `prompt`, `server`
            1 problem; nothing was changed
        "#]],
    );
    rules(
        &rule("|\n          args.a == 1 &&\n            usr.id == 'x'"),
        expect![[r#"
            a.yaml:21:13: `when`: there is no variable `usr`
                did you mean `user`?
            1 problem; nothing was changed
        "#]],
    );
    rules(
        &rule(">\n          args.a == 1 &&\n          usr.id == 'x'"),
        expect![[r#"
            a.yaml:20:11: `when`: there is no variable `usr`
                did you mean `user`?
            1 problem; nothing was changed
        "#]],
    );
    rules(
        &rule("[a]"),
        expect![[r#"
        a.yaml:19:15: `when` must be a text, found a list
        1 problem; nothing was changed
    "#]],
    );
    rules(
        &rule(""),
        expect![[r#"
        a.yaml:19:13: `when` must be a text, found nothing
        1 problem; nothing was changed
    "#]],
    );
    rules(
        &rule("true"),
        expect![[r#"
        valid
    "#]],
    );
    rules(
        &rule("\"args.é == 1 && 1 +\""),
        expect![[r#"
        a.yaml:19:21: `when`: not a CEL expression: unexpected character
        1 problem; nothing was changed
    "#]],
    );
}

#[test]
fn at_most_a_hundred_problems_are_told() {
    let rules: String = (0..300)
        .map(|_| "    - allow: { server: nowhere, tools: x }\n")
        .collect();
    let policy =
        "apiVersion: gatehold.io/v1\nkind: Policy\nmetadata: { name: p }\nspec:\n  rules:\n";
    let problems = problems(&format!("{VALID}{policy}{rules}"));
    assert_eq!(problems.lines().count(), 201, "{problems}");
    assert!(problems.ends_with("and 200 more problems; nothing was changed\n"));
}
