//! Which filter goes to which Envoys.

use expect_test::{Expect, expect};

use crate::check;

/// The versions stand in line 6 and 7, what `rest` says begins in line 8.
#[track_caller]
fn filter(rest: &str, expected: Expect) {
    let digest = "0123456789abcdef".repeat(4);
    let text = format!(
        "apiVersion: gatehold.io/v1\nkind: Filter\nmetadata: {{ name: f }}\nspec:\n  versions:\n    \
         - {{ name: 0.1.0, module: a.wasm, sha256: {digest} }}\n    \
         - {{ name: 0.2.0, module: /srv/b.wasm, sha256: {digest} }}\n{rest}"
    );
    check(&text, expected);
}

const CONFIGURATION: &str = "  configuration: { control_cluster: control }\n";

#[test]
fn filters() {
    filter(
        &format!("{CONFIGURATION}  default: 0.1.0\n"),
        expect![[r#"
            valid
        "#]],
    );
    filter(
        "  configuration: { control_cluster: c, audit: off, audit_overflow: refuse, unmatched: pass, hold_headers: false, hold_seconds: 55 }\n  default: 0.1.0\n  groups:\n    - { name: canary, nodes: { id: 'edge-7*', cluster: [edge, rim] }, version: 0.2.0 }\n",
        expect![[r#"
            valid
        "#]],
    );
    filter(
        "  group: []\n",
        expect![[r#"
        a.yaml:5:3: the `spec` of the filter needs `configuration`
            write what Envoy's configuration would say: `configuration: { control_cluster: gatehold_control }`
        a.yaml:5:3: the `spec` of the filter needs `default`
            name the version for Envoys of no group: `default: 0.1.0`
        a.yaml:8:3: the `spec` of the filter has no field `group`
            did you mean `groups`?
        3 problems; nothing was changed
    "#]],
    );
}

#[test]
fn groups_and_versions_refer_to_each_other() {
    filter(
        &format!(
            "{CONFIGURATION}  default: 0.3.0\n  groups:\n    - {{ name: canary, nodes: {{}}, version: 0.2.1 }}\n    - {{ name: canary, nodes: {{ zone: a }}, version: 0.2.0 }}\n    - {{ name: canary, nodes: {{ id: a }}, version: 0.2.0 }}\n    - {{ name: canary, nodes: {{ id: [] }}, version: 0.2.0 }}\n"
        ),
        expect![[r#"
            a.yaml:9:12: there is no version `0.3.0`
                did you mean `0.1.0`?
            a.yaml:11:30: `nodes` says neither `id` nor `cluster`
                say whose Envoys: `nodes: { cluster: edge-canary }`, or `id` with patterns of node ids
            a.yaml:11:43: there is no version `0.2.1`
                did you mean `0.2.0`?
            a.yaml:12:15: two groups are named `canary`
                rename one of them
            a.yaml:12:30: `nodes` says neither `id` nor `cluster`
                say whose Envoys: `nodes: { cluster: edge-canary }`, or `id` with patterns of node ids
            a.yaml:12:32: `nodes` has no field `zone`
                use one of `id`, `cluster`
            a.yaml:13:15: two groups are named `canary`
                rename one of them
            a.yaml:14:15: two groups are named `canary`
                rename one of them
            a.yaml:14:36: `id` is an empty list
                name at least one, or remove the field
            9 problems; nothing was changed
        "#]],
    );
    filter(
        &format!("{CONFIGURATION}  default: 0.1.0\n  groups: []\n"),
        expect![[r#"
            a.yaml:10:11: `groups` has 0 entries
                write 1 to 32
            1 problem; nothing was changed
        "#]],
    );
}

#[test]
fn what_the_filter_would_refuse_is_refused_here() {
    filter(
        "  default: 0.1.0\n  configuration: { audit: maybe, hold_seconds: 60, holdHeaders: true, hold_headers: yes }\n",
        expect![[r#"
            a.yaml:9:18: `configuration` needs `control_cluster`
                name Envoy's cluster for control: `control_cluster: gatehold_control`
            a.yaml:9:27: `audit` cannot be the text `maybe`
                use one of `on`, `off`
            a.yaml:9:48: `hold_seconds` must be a whole number from 1 to 55, found the number `60`
            a.yaml:9:52: `configuration` has no field `holdHeaders`
                did you mean `hold_headers`?
            a.yaml:9:85: `hold_headers` cannot be the text `yes`
                use one of `true`, `false`
            5 problems; nothing was changed
        "#]],
    );
    filter(
        "  default: 0.1.0\n  configuration: { control_cluster: 'a b' }\n",
        expect![[r#"
            a.yaml:9:37: `a b` is no valid cluster
                use up to 115 characters without blanks, such as `gatehold_control`
            1 problem; nothing was changed
        "#]],
    );
    filter(
        "  default: 0.1.0\n  configuration: '{}'\n",
        expect![[r#"
            a.yaml:9:18: `configuration` must be a mapping, found the text `{}`
                write its fields, such as `control_cluster: …`
            1 problem; nothing was changed
        "#]],
    );
}

#[test]
fn versions() {
    let frame = "apiVersion: gatehold.io/v1\nkind: Filter\nmetadata: { name: f }\nspec:\n";
    check(
        &format!(
            "{frame}  versions:\n    - {{ name: 0.1, module: '', sha256: ABC }}\n    - {{ name: A }}\n  default: a\n{CONFIGURATION}"
        ),
        expect![[r#"
            a.yaml:6:15: `name` must be a text, found the number `0.1`
                quote it: "0.1"
            a.yaml:6:28: `module` is empty
                write it, or remove the field
            a.yaml:6:40: `sha256` cannot be the text `ABC`
                write 64 lower-case hexadecimal digits, as `sha256sum` does
            a.yaml:7:7: a version needs `module`
                name the file, which may stand beside the document: `module: gatehold-0.1.0.wasm`
            a.yaml:7:7: a version needs `sha256`
                write what `sha256sum` says of the file
            a.yaml:7:15: `A` is no valid name
                use up to 63 lower-case letters, digits, `-`, `.` and `_`, with a letter or digit at both ends
            6 problems; nothing was changed
        "#]],
    );
    check(
        &format!("{frame}  versions: []\n  default: a\n{CONFIGURATION}"),
        expect![[r#"
            a.yaml:5:13: `versions` has 0 entries
                write 1 to 32
            1 problem; nothing was changed
        "#]],
    );
    let digest = "0".repeat(64);
    let version = format!("{{ name: a, module: a.wasm, sha256: '{digest}' }}");
    check(
        &format!("{frame}  versions: [{version}, {version}]\n  default: a\n{CONFIGURATION}"),
        expect![[r#"
            a.yaml:5:127: two versions are named `a`
                rename one of them
            1 problem; nothing was changed
        "#]],
    );
}
