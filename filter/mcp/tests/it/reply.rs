//! What the gateway says, and how it reads what servers say.

use gatehold_mcp::{Era, Id, Limits, Map, Message, Outcome, Value, answer, parse, protocol, reply};
use serde_json::json;

fn text(body: Vec<u8>) -> String {
    String::from_utf8(body).unwrap()
}

#[test]
fn errors() {
    let number = Id::Integer(18_446_744_073_709_551_615_u64.into());
    let string = Id::String("a\"b".to_owned());
    assert_eq!(
        text(reply::error_body(
            Some(&number),
            -32601,
            "Method not found: x",
            None
        )),
        r#"{"jsonrpc":"2.0","id":18446744073709551615,"error":{"code":-32601,"message":"Method not found: x"}}"#
    );
    assert_eq!(
        text(reply::error_body(
            Some(&string),
            -31403,
            "Denied\n",
            Some(json!({"a": 1}))
        )),
        r#"{"jsonrpc":"2.0","id":"a\"b","error":{"code":-31403,"message":"Denied\n","data":{"a":1}}}"#
    );
    assert_eq!(
        text(reply::error_body(None, -32700, "x", None)),
        r#"{"jsonrpc":"2.0","error":{"code":-32700,"message":"x"}}"#
    );
    assert_eq!(reply::resource_not_found(Era::Legacy), -32002);
    assert_eq!(reply::resource_not_found(Era::Modern), -32602);
    assert_eq!(text(reply::event(b"{}")), "event: message\ndata: {}\n\n");
}

#[test]
fn tool_errors() {
    let id = Id::Integer(7.into());
    let meta = Map::from_iter([("gatehold.io/decision".to_owned(), json!({"effect": "deny"}))]);
    let legacy = text(reply::tool_error_body(&id, Era::Legacy, "no", Map::new()));
    assert_eq!(
        legacy,
        r#"{"jsonrpc":"2.0","id":7,"result":{"content":[{"type":"text","text":"no"}],"isError":true}}"#
    );
    let modern = text(reply::tool_error_body(&id, Era::Modern, "no", meta));
    assert_eq!(
        modern,
        r#"{"jsonrpc":"2.0","id":7,"result":{"resultType":"complete","content":[{"type":"text","text":"no"}],"isError":true,"_meta":{"gatehold.io/decision":{"effect":"deny"}}}}"#
    );
    for body in [legacy, modern] {
        assert_eq!(
            outcome(body.as_bytes()),
            (Some(id.clone()), Outcome::ToolError)
        );
    }
}

#[test]
fn refusals_carry_the_id_that_is_known() {
    let limits = Limits::default();
    let error = parse(br#"{"jsonrpc":"1.0","id":5,"method":"ping"}"#, &limits).unwrap_err();
    assert_eq!(
        text(reply::rejection_body(&error, None)),
        r#"{"jsonrpc":"2.0","id":5,"error":{"code":-32600,"message":"`jsonrpc` must be \"2.0\""}}"#
    );
    let body = br#"{"jsonrpc":"2.0","id":"x","method":"ping"}"#;
    let message: Message = parse(body, &limits).unwrap();
    let headers = gatehold_mcp::RequestHeaders {
        protocol_version: Some(b"1"),
        ..Default::default()
    };
    let error = protocol(&headers, &message).unwrap_err();
    let body: Value = serde_json::from_slice(&reply::rejection_body(&error, message.id())).unwrap();
    assert_eq!(body["id"], "x");
    assert_eq!(body["error"]["code"], -32022);
    assert_eq!(body["error"]["data"]["requested"], "1");
}

/// Nothing for what is refused.
fn outcome(message: &[u8]) -> (Option<Id>, Outcome) {
    answer(message).map_or((None, Outcome::Unknown), |it| (it.id, it.outcome))
}

#[test]
fn outcomes() {
    let check = |message: &str, id: Option<i64>, expected: Outcome| {
        let id = id.map(|id| Id::Integer(id.into()));
        assert_eq!(outcome(message.as_bytes()), (id, expected), "{message}");
    };
    check(
        r#"{"jsonrpc":"2.0","id":1,"result":{}}"#,
        Some(1),
        Outcome::Ok,
    );
    check(
        r#"{"id":1,"result":{"isError":false,"content":[]}}"#,
        Some(1),
        Outcome::Ok,
    );
    check(
        r#"{"id":1,"result":{"content":[],"isError":true}}"#,
        Some(1),
        Outcome::ToolError,
    );
    check(
        r#"{"id":1,"result":{"is\u0045rror":true}}"#,
        Some(1),
        Outcome::ToolError,
    );
    check(
        r#"{"id":1,"result":{"structuredContent":{"isError":true}}}"#,
        Some(1),
        Outcome::Ok,
    );
    check(
        r#"{"id":1,"result":{"isError":"true"}}"#,
        Some(1),
        Outcome::Unknown,
    );
    check(
        r#"{"id":1,"result":{"isError":false,"isError":true}}"#,
        None,
        Outcome::Unknown,
    );
    check(
        r#"{"id":1,"result":{"resultType":"complete"}}"#,
        Some(1),
        Outcome::Ok,
    );
    check(
        r#"{"id":1,"result":{"resultType":"input_required"}}"#,
        Some(1),
        Outcome::InputRequired,
    );
    check(
        r#"{"id":1,"result":{"resultType":"task","taskId":"t"}}"#,
        Some(1),
        Outcome::Task,
    );
    check(
        r#"{"id":1,"result":{"task":{"taskId":"t"}}}"#,
        Some(1),
        Outcome::Task,
    );
    check(
        r#"{"id":1,"result":{"resultType":"other"}}"#,
        Some(1),
        Outcome::Unknown,
    );
    check(r#"{"id":1,"result":[]}"#, Some(1), Outcome::Unknown);
    check(
        r#"{"id":1,"error":{"code":-32602,"message":"x"}}"#,
        Some(1),
        Outcome::Error(-32602),
    );
    check(
        r#"{"error":{"code":-32700,"message":"x"}}"#,
        None,
        Outcome::Error(-32700),
    );
    check(
        r#"{"id":null,"error":{"code":-32700}}"#,
        None,
        Outcome::Error(-32700),
    );
    check(
        r#"{"id":1,"error":{"code":"x"}}"#,
        Some(1),
        Outcome::Unknown,
    );
    check(
        r#"{"id":1,"error":{"code":1},"result":{}}"#,
        Some(1),
        Outcome::Unknown,
    );
    check(
        r#"{"id":1,"method":"sampling/createMessage"}"#,
        None,
        Outcome::Unknown,
    );
    check(
        r#"{"method":"notifications/progress"}"#,
        None,
        Outcome::Unknown,
    );
    check(r#"[{"id":1,"result":{}}]"#, None, Outcome::Unknown);
    check("{", None, Outcome::Unknown);
    check("", None, Outcome::Unknown);
}
