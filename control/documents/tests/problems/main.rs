//! What is refused, where, and what people are told to do.

mod detection;
mod filter;
mod people;
mod policies;
mod yaml;

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
fn enforce_is_true_or_false() {
    server(
        "  path: /s\n  resource: https://gw.example.com/s\n  issuers: [corp]\n  enforce: off\n",
        expect![[r#"
            a.yaml:18:12: `enforce` cannot be the text `off`
                use one of `true`, `false`
            1 problem; nothing was changed
        "#]],
    );
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
