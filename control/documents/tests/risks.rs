//! Which risk classes are suggested for tools, and what a review of a server's tools says.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::PathBuf;

use expect_test::{Expect, expect};
use gatehold_documents::{Documents, load, risks};
use proptest::prelude::*;
use serde_json::{Value, json};

#[track_caller]
fn check(name: &str, annotations: Value, expected: &[&str]) {
    let tool = json!({ "name": name, "annotations": annotations });
    let found = risks::suggest(&tool);
    let found: Vec<_> = found.iter().map(|found| found.class).collect();
    assert_eq!(found, expected, "{name} {annotations}");
}

#[test]
fn names_tell_what_tools_do() {
    let none = || json!({});
    check("get_customer", none(), &["read"]);
    check("getHTTPStatus", none(), &["read"]);
    check("search-orders", none(), &["read"]);
    check("list.invoices", none(), &["read"]);
    check("create_ticket", none(), &["write"]);
    check("updateUser2Name", none(), &["write"]);
    check("delete_customer", none(), &["destructive"]);
    check("repo/remove-branch", none(), &["destructive"]);
    check("update_or_delete", none(), &["destructive"]);
    check("find_and_replace", none(), &["write"]);
    check("list_delete", none(), &["destructive"]);
    check("refund", none(), &["financial"]);
    check("send_payment", none(), &["external", "financial"]);
    check("send_email", none(), &["external"]);
    check("cancelOrder", none(), &["destructive", "financial"]);
    // What is not known is taken to write.
    check("frobnicate", none(), &["write"]);
    check("", none(), &["write"]);
    check("получить", none(), &["write"]);
}

#[test]
fn annotations_never_make_a_tool_look_harmless() {
    check("sync", json!({ "readOnlyHint": true }), &["write"]);
    check("frobnicate", json!({ "readOnlyHint": true }), &["read"]);
    check(
        "delete_all",
        json!({ "readOnlyHint": true }),
        &["destructive"],
    );
    check(
        "refund",
        json!({ "destructiveHint": false, "readOnlyHint": true }),
        &["financial"],
    );
    check(
        "frobnicate",
        json!({ "destructiveHint": true }),
        &["destructive"],
    );
    check(
        "get_page",
        json!({ "openWorldHint": true }),
        &["read", "external"],
    );
    check(
        "get_page",
        json!({ "destructiveHint": true }),
        &["destructive"],
    );
    check("get_page", json!({ "readOnlyHint": "true" }), &["read"]);
    check("get_page", json!("no object"), &["read"]);
    check(
        "frobnicate",
        json!({ "idempotentHint": true, "destructiveHint": false }),
        &["write"],
    );
}

fn documents(risk: &str) -> Documents {
    let text = format!(
        "apiVersion: gatehold.io/v1
kind: Issuer
metadata: {{ name: corp }}
spec: {{ issuer: https://idp.example.com }}
---
apiVersion: gatehold.io/v1
kind: Server
metadata: {{ name: crm }}
spec:
  path: /crm/mcp
  resource: https://gw.example.com/crm/mcp
  issuers: [corp]
{risk}"
    );
    load(&[(PathBuf::from("a.yaml"), text)]).unwrap()
}

#[track_caller]
fn reviewed(risk: &str, tools: &[Value], expected: Expect) {
    let documents = documents(risk);
    let review = risks::review(documents.server("crm").unwrap(), tools);
    expected.assert_eq(&review.to_string());
    // What is to be pasted can be, and leaves only what is left out.
    if !review.without.is_empty() {
        let after = self::documents(&review.yaml());
        let after = risks::review(after.server("crm").unwrap(), tools);
        let plain = |name: &str| name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        assert!(
            after.without.iter().all(|tool| !plain(&tool.name)),
            "{after:?}"
        );
    }
}

#[test]
fn a_review_shows_what_has_no_class() {
    let tool = |name: &str| json!({ "name": name });
    reviewed(
        "",
        &[
            tool("get_customer"),
            json!({ "name": "delete_customer", "annotations": { "readOnlyHint": true } }),
            json!({ "name": "export", "annotations": { "openWorldHint": true } }),
            json!({ "name": "send_payment", "annotations": { "destructiveHint": true } }),
            json!({ "title": "no name" }),
        ],
        expect![[r#"
            crm: 4 of 4 tools have no risk class
              delete_customer  destructive  its name says `delete`, although the server says `readOnlyHint: true`
              export           read         its name says `export`
                               external     the server says `openWorldHint: true`
              get_customer     read         its name says `get`
              send_payment     destructive  the server says `destructiveHint: true`
                               external     its name says `send`
                               financial    its name says `payment`

            Suggestions by names and by what the server says of itself: look at each before you paste.
            In Server `crm`, under `spec`, in place of `risk`:

              risk:
                read: ["export", "get_customer"]
                destructive: ["delete_customer", "send_payment"]
                external: ["export", "send_payment"]
                financial: ["send_payment"]
        "#]],
    );
    reviewed(
        "  risk: { read: [\"get_*\"], house: [cook], destructive: [drop] }\n",
        &[tool("get_customer"), tool("cook"), tool("delete_customer")],
        expect![[r#"
            crm: 1 of 3 tools have no risk class
              delete_customer  destructive  its name says `delete`

            Suggestions by names and by what the server says of itself: look at each before you paste.
            In Server `crm`, under `spec`, in place of `risk`:

              risk:
                read: ["get_*"]
                destructive: ["delete_customer", "drop"]
                house: ["cook"]
        "#]],
    );
    reviewed(
        "  risk: { write: \"*\" }\n",
        &[tool("a"), tool("b")],
        expect![[r#"
            crm: all 2 tools have a risk class
        "#]],
    );
    reviewed(
        "",
        &[],
        expect![[r#"
        crm: no tool is known
    "#]],
    );
    // A name that is a pattern would give its class to other tools, and what cannot be seen cannot be judged.
    reviewed(
        "",
        &[
            tool("*"),
            tool("get_*"),
            tool("get\u{202e}_x\n"),
            tool("get_x"),
        ],
        expect![[r#"
            crm: 4 of 4 tools have no risk class
              *                write        nothing says that it only reads
                               left out below: its name is not plain letters, digits and `_.-/:`
              get_*            read         its name says `get`
                               left out below: its name is not plain letters, digits and `_.-/:`
              get_x            read         its name says `get`
              get\u{202e}_x\n  read         its name says `get`
                               left out below: its name is not plain letters, digits and `_.-/:`

            Suggestions by names and by what the server says of itself: look at each before you paste.
            In Server `crm`, under `spec`, in place of `risk`:

              risk:
                read: ["get_x"]
        "#]],
    );
}

proptest! {
    #[test]
    fn any_definition_has_a_suggestion(name in ".{0,40}", annotations in proptest::option::of(any::<[Option<bool>; 4]>())) {
        let annotations = annotations.map(|[reads, destroys, again, open]| {
            json!({ "readOnlyHint": reads, "destructiveHint": destroys, "idempotentHint": again, "openWorldHint": open })
        });
        let tool = json!({ "name": name, "annotations": annotations });
        let found = risks::suggest(&tool);
        prop_assert!(!found.is_empty());
        let classes: Vec<_> = found.iter().map(|found| found.class).collect();
        let mut sorted = classes.clone();
        sorted.sort_by_key(|class| risks::CLASSES.iter().position(|known| known == class));
        sorted.dedup();
        prop_assert_eq!(&sorted, &classes);
        // Whatever the server says, the name alone is never more dangerous than both together.
        let bare = risks::suggest(&json!({ "name": name }));
        for class in ["destructive", "external", "financial"] {
            let had = bare.iter().any(|found| found.class == class);
            prop_assert!(!had || classes.contains(&class), "{} lost {}", name, class);
        }
    }
}
