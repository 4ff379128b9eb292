//! Policies and their conditions.

use expect_test::expect;

use crate::{VALID, check, rules};

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
            a.yaml:16:7: approval is asked for in 2 places, but nobody could sign in to approve
                add a Console document: `kind: Console` with `spec: { url: https://…, signIn: { issuer: …, clientId: … } }`
            a.yaml:16:16: `approve` needs `by`
                say who may approve: `by: { roles: [finance-lead] }`
            a.yaml:17:45: `by` names nobody
                say who may approve: `by: { roles: [finance-lead] }`
            a.yaml:17:57: `within` cannot be the number `15`
                write a duration from 1s to 30d, such as `90s`, `15m` or `1h30m`
            a.yaml:18:39: `allow` has no field `within`
                use one of `server`, `tools`, `resources`, `prompts`, `methods`, `risk`, `when`
            5 problems; nothing was changed
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
                use one of `args`, `user`, `agent`, `tool`, `resource`, `prompt`, `server`, `findings`
            1 problem; nothing was changed
        "#]],
    );
    rules(
        &rule("'args.name == ''x'' && foo'"),
        expect![[r#"
            a.yaml:19:38: `when`: there is no variable `foo`
                use one of `args`, `user`, `agent`, `tool`, `resource`, `prompt`, `server`, `findings`
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
