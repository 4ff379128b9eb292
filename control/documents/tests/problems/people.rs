//! The console, webhooks, and gates that nobody could open.

use expect_test::{Expect, expect};

use crate::{VALID, check};

#[track_caller]
fn console(spec: &str, expected: Expect) {
    let frame = "apiVersion: gatehold.io/v1\nkind: Console\nmetadata: { name: c }\nspec:\n";
    check(&format!("{VALID}{frame}{spec}"), expected);
}

#[track_caller]
fn webhook(spec: &str, expected: Expect) {
    let frame = "apiVersion: gatehold.io/v1\nkind: Webhook\nmetadata: { name: w }\nspec:\n";
    check(&format!("{VALID}{frame}{spec}"), expected);
}

/// A policy beside a console; its `subjects` stand in line 20, its rules begin in line 22.
#[track_caller]
fn gates(subjects: &str, rules: &[&str], expected: Expect) {
    let console = "apiVersion: gatehold.io/v1\nkind: Console\nmetadata: { name: c }\nspec: { url: https://c.example, signIn: { issuer: corp, clientId: c } }\n---\n";
    let policy = "apiVersion: gatehold.io/v1\nkind: Policy\nmetadata: { name: p }\nspec:\n";
    let rules: String = rules
        .iter()
        .map(|rule| format!("    - approve: {{ server: crm, tools: x, {rule} }}\n"))
        .collect();
    check(
        &format!("{VALID}{console}{policy}  subjects: {subjects}\n  rules:\n{rules}"),
        expected,
    );
}

#[test]
fn consoles() {
    console(
        "  url: https://c.example\n  signIn: { issuer: corp, clientId: c }\n",
        expect![[r#"
            valid
        "#]],
    );
    console(
        "  sign: x\n",
        expect![[r#"
        a.yaml:15:3: a console's `spec` has no field `sign`
            use one of `url`, `signIn`, `api`, `sessions`
        a.yaml:15:3: a console's `spec` needs `signIn`
            say who signs people in: `signIn: { issuer: corp, clientId: gatehold-console }`
        a.yaml:15:3: a console's `spec` needs `url`
            write the address at which browsers reach it: `url: https://gatehold.example.com`
        3 problems; nothing was changed
    "#]],
    );
    console(
        "  url: https://c.example/console\n  signIn: { issuer: crop, clientId: \"\", clientSecretFile: secret, scopes: [profile] }\n  api: {}\n  sessions: { idle: 13h, longest: 1s }\n",
        expect![[r#"
            a.yaml:15:8: `https://c.example/console` is no valid address of a console
                write it without a path: `https://c.example`
            a.yaml:16:37: `clientId` is empty
                write it, or remove the field
            a.yaml:16:59: `clientSecretFile` must be an absolute path, found the text `secret`
                write where control finds the file, such as `/etc/gatehold/secret`
            a.yaml:16:75: `scopes` has no `openid`
                add `openid`, without which nobody is told who signs in
            a.yaml:17:8: `api` needs `audiences`
                write what tokens for the API carry as `aud`: `audiences: [gatehold-api]`
            a.yaml:18:13: `idle` is longer than `longest`
                make it at most `longest`, which is 12h, or make that more
            a.yaml:18:35: `longest` cannot be the text `1s`
                write a duration from 1m to 30d, such as `90s`, `15m` or `1h30m`
            7 problems; nothing was changed
        "#]],
    );
    console(
        "  url: http://c.example\n  signIn: { issuer: crop, clientId: c }\n  sessions: { idle: 13h }\n",
        expect![[r#"
            a.yaml:15:8: `http://c.example` is no valid address of a console
                use `https`; `http` is for the same machine only, such as `http://127.0.0.1:8080`
            a.yaml:17:13: `idle` is longer than `longest`
                make it at most `longest`, which is 12h, or make that more
            2 problems; nothing was changed
        "#]],
    );
    console(
        "  url: http://localhost:8080\n  signIn: { issuer: nobody, clientId: c }\n",
        expect![[r#"
            a.yaml:16:21: there is no Issuer `nobody`
                use one of `corp`
            1 problem; nothing was changed
        "#]],
    );
    let one = "apiVersion: gatehold.io/v1\nkind: Console\nmetadata: { name: NAME }\nspec: { url: https://c.example, signIn: { issuer: corp, clientId: c } }\n";
    let (first, second) = (one.replace("NAME", "a"), one.replace("NAME", "b"));
    check(
        &format!("{VALID}{first}---\n{second}"),
        expect![[r#"
        a.yaml:18:19: there is another Console, and there can be only one
            keep one of them; the other is at a.yaml:13:19
        1 problem; nothing was changed
    "#]],
    );
}

#[test]
fn webhooks() {
    webhook(
        "  url: https://h.example/x\n  secretFile: /s\n",
        expect![[r#"
            valid
        "#]],
    );
    webhook(
        "  url: https://h.example/x\n  format: slack\n",
        expect![[r#"
            valid
        "#]],
    );
    webhook(
        "  format: teams\n  url: http://h.example\n",
        expect![[r#"
        a.yaml:15:3: a webhook's `spec` needs `secretFile`
            name the file of the secret that messages are signed with, such as `secretFile: /etc/gatehold/pager.secret`
        a.yaml:15:11: `format` cannot be the text `teams`
            use one of `gatehold`, `slack`
        a.yaml:16:8: `http://h.example` is no valid address of a webhook
            use `https`; `http` is for the same machine only, such as `http://127.0.0.1:8080`
        3 problems; nothing was changed
    "#]],
    );
    webhook(
        "  url: https://u:p@h.example\n  secretFile: s\n  event: x\n",
        expect![[r#"
            a.yaml:15:8: `https://u:p@h.example` is no valid address of a webhook
                leave out the user and the password
            a.yaml:16:15: `secretFile` must be an absolute path, found the text `s`
                write where control finds the file, such as `/etc/gatehold/secret`
            a.yaml:17:3: a webhook's `spec` has no field `event`
                did you mean `events`?
            3 problems; nothing was changed
        "#]],
    );
    webhook(
        "  url: http://127.0.0.2:1\n  secretFile: /s\n  events: [pending, aproved, pending]\n  servers: [\"crm*\", crn, \"x*\"]\n",
        expect![[r#"
            a.yaml:17:21: there is no event `aproved`
                did you mean `approved`?
            a.yaml:17:30: `events` names `pending` twice
                remove one of them
            a.yaml:18:21: no server matches `crn`
                did you mean `crm`?
            a.yaml:18:26: no server matches `x*`
                the servers are `crm`
            4 problems; nothing was changed
        "#]],
    );
    webhook(
        "  url: http://[::1]:1\n  secretFile: /s\n  events: []\n  servers: []\n",
        expect![[r#"
            a.yaml:17:11: `events` is an empty list
                name at least one, or remove the field
            a.yaml:18:12: `servers` is an empty list
                name at least one, or remove the field
            2 problems; nothing was changed
        "#]],
    );
}

#[test]
fn gates_that_nobody_could_open() {
    let anyone = "{ roles: [support] }";
    gates(
        anyone,
        &[
            "by: { roles: [lead], quorum: 5 }",
            "by: { users: [a, b], quorum: 2 }",
        ],
        expect![[r#"
            valid
        "#]],
    );
    gates(
        anyone,
        &[
            "by: { users: [a], quorum: 2 }",
            "by: { users: [a, b], quorum: 3 }",
            "by: { roles: [r], quorum: 0 }",
        ],
        expect![[r#"
            a.yaml:22:45: `quorum` is 2, but `by` names one user
                name more users, add `roles`, or ask for fewer
            a.yaml:23:45: `quorum` is 3, but `by` names 2 users
                name more users, add `roles`, or ask for fewer
            a.yaml:24:67: `quorum` must be a whole number from 1 to 100, found the number `0`
            3 problems; nothing was changed
        "#]],
    );
    gates(
        "{ users: [a, b] }",
        &[
            "by: { users: [a] }",
            "by: { users: [a, b] }",
            "by: { users: [a, b], quorum: 2 }",
            "by: { users: [a], roles: [r] }",
        ],
        expect![[r#"
            a.yaml:22:45: nobody could approve what `a` asks for
                nobody approves what they ask for themselves: name more users, add `roles`, or allow it with `requester: may-approve`
            a.yaml:24:45: nobody could approve what `a` asks for
                nobody approves what they ask for themselves: name more users, add `roles`, or allow it with `requester: may-approve`
            2 problems; nothing was changed
        "#]],
    );
    gates(
        "{ users: [a, b] }",
        &["by: { users: [a] }, requester: may-approve"],
        expect![[r#"
            valid
        "#]],
    );
    gates(
        anyone,
        &["by: { roles: [r], users: [\"*\"] }, reason: always, requester: yes, whithin: 1h"],
        expect![[r#"
            a.yaml:22:67: `*` is no valid user
                write it exactly; to mean everyone, leave the field out
            a.yaml:22:83: `reason` cannot be the text `always`
                use one of `required`, `optional`
            a.yaml:22:102: `requester` cannot be the text `yes`
                use one of `may-approve`, `may-not-approve`
            a.yaml:22:107: `approve` has no field `whithin`
                did you mean `within`?
            4 problems; nothing was changed
        "#]],
    );
    let policy =
        "apiVersion: gatehold.io/v1\nkind: Policy\nmetadata: { name: p }\nspec:\n  rules:\n";
    let rule = "    - approve: { server: crm, tools: x, by: { roles: r } }\n";
    check(
        &format!("{VALID}{policy}{rule}"),
        expect![[r#"
        a.yaml:16:7: approval is asked for, but nobody could sign in to approve
            add a Console document: `kind: Console` with `spec: { url: https://…, signIn: { issuer: …, clientId: … } }`
        1 problem; nothing was changed
    "#]],
    );
    check(
        &format!("{VALID}{policy}    - allow: {{ server: crm, tools: x }}\n{rule}{rule}"),
        expect![[r#"
            a.yaml:17:7: approval is asked for in 2 places, but nobody could sign in to approve
                add a Console document: `kind: Console` with `spec: { url: https://…, signIn: { issuer: …, clientId: … } }`
            1 problem; nothing was changed
        "#]],
    );
}

#[test]
fn no_token_of_an_agent_decides() {
    console(
        "  url: https://c.example\n  signIn: { issuer: corp, clientId: c }\n  api: { audiences: [\"https://gw.example.com/crm/mcp\"] }\n",
        expect![[r#"
            a.yaml:11:1: tokens for `crm` could decide about calls: the audience `https://gw.example.com/crm/mcp` is the server's and the console's
                give `api.audiences` and `signIn.clientId` of the console values that no server has
            1 problem; nothing was changed
        "#]],
    );
}
