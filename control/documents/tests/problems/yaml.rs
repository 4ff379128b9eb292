//! What is no YAML, or too much of it, or no document.

use expect_test::expect;

use crate::check;

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
                write `kind: Server`, `Issuer`, `Policy`, `Console`, `Webhook`, `Detectors` or `Filter`
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
                write `kind: Server`, `Issuer`, `Policy`, `Console`, `Webhook`, `Detectors` or `Filter`
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
