//! Calls whose arguments are not built: read exactly as those whose are.

use gatehold_mcp::{Limits, Message, canonical, canonical_text, parse, parse_deferred};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::properties::{edits, mutate, value};

/// What was read, arguments built and put back.
fn whole(body: &[u8], limits: &Limits) -> Result<Message, gatehold_mcp::ParseError> {
    let (mut message, deferred) = parse_deferred(body, limits)?;
    if let (Message::Request(request), Some(deferred)) = (&mut message, deferred) {
        let arguments = deferred.get().unwrap().clone();
        assert_eq!(
            canonical_text(deferred.text()).unwrap(),
            canonical(&arguments)
        );
        let params = request.params.as_mut().unwrap();
        assert_eq!(params["arguments"], json!({}));
        params["arguments"] = Value::Object(arguments);
    }
    Ok(message)
}

fn agrees(body: &[u8]) {
    let limits = Limits::default();
    let text = String::from_utf8_lossy(body);
    assert_eq!(whole(body, &limits), parse(body, &limits), "{text}");
}

fn is_deferred(body: &str) -> bool {
    let (_, deferred) = parse_deferred(body.as_bytes(), &Limits::default()).unwrap();
    deferred.is_some()
}

#[test]
fn table() {
    let long = "x".repeat(200);
    let body = |method: &str, arguments: &str| {
        format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{{"arguments":{arguments},"name":"a"}}}}"#
        )
    };
    let check = |method: &str, arguments: &str, expected: bool| {
        let body = body(method, arguments);
        agrees(body.as_bytes());
        assert_eq!(is_deferred(&body), expected, "{body}");
    };
    check("tools/call", &format!(r#"{{"a":"{long}"}}"#), true);
    check("prompts/get", &format!(r#"{{"a":"{long}"}}"#), true);
    check("tasks/other", &format!(r#"{{"a":"{long}"}}"#), false);
    check("tools/call", r#"{"a":1}"#, false);
    check("tools/call", &format!("{{{}}}", " ".repeat(200)), false);
    // What is wrong is wrong in the same words.
    for wrong in [
        format!(r#"{{"a":"{long}","a":1}}"#),
        format!(r#"{{"a":"{long}","A":1}}"#),
        format!(r#"{{"a":"{long}","b":99999999999999999999}}"#),
        format!(r#"{{"a":"{long}\ud800"}}"#),
        format!(r#"{{"a":"{long}","__proto__":1}}"#),
        format!(r#"{{"a":{}"{long}"{}}}"#, "[".repeat(100), "]".repeat(100)),
        format!(r#"{{"a":"{long}",}}"#),
    ] {
        agrees(body("tools/call", &wrong).as_bytes());
    }
    agrees(
        &body(
            "tools/call",
            &format!(r#"{{"a":"{long}"}},"arguments":{{}}"#),
        )
        .into_bytes(),
    );
    agrees(
        &[
            body("tools/call", &format!(r#"{{"a":"{long}"}}"#)).as_bytes(),
            b"\xff",
        ]
        .concat(),
    );
}

proptest! {
    #[test]
    fn any_call(
        members in prop::collection::vec(("[a-zA-Z_é]{1,4}", value()), 0..6),
        method in prop::sample::select(vec!["tools/call", "prompts/get", "resources/read"]),
        blanks in prop::sample::select(vec!["", " ", "\n\t"]),
        edits in edits(),
    ) {
        let arguments: serde_json::Map<String, Value> = members.into_iter().collect();
        let body = json!({
            "jsonrpc": "2.0",
            "id": 1,
            "method": method,
            "params": {"name": "a", "arguments": arguments, "_meta": {"progressToken": 1}},
        });
        let body = body.to_string().replace(":{", &format!(":{blanks}{{"));
        agrees(body.as_bytes());
        agrees(&mutate(body.into_bytes(), edits));
    }
}
