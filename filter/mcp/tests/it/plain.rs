//! Answers that are told in one pass: what the passes for the others would find in them.

use gatehold_mcp::{Answer, Id, Outcome, answer, plain, resource_updated, tasks};
use proptest::prelude::*;
use serde_json::json;

use crate::properties::{edits, mutate};

#[test]
fn table() {
    let check = |message: &str, expected: Option<Outcome>| {
        let found = plain(message.as_bytes());
        assert_eq!(found.as_ref().map(|it| it.outcome), expected, "{message}");
        agrees(message.as_bytes()).unwrap();
    };
    let ok = Some(Outcome::Ok);
    check(r#"{"jsonrpc":"2.0","id":1,"result":{"content":[]}}"#, ok);
    check(r#"{"result":{},"id":"a","jsonrpc":"2.0"}"#, ok);
    check(r#"{"id":1,"result":{"isError":false,"content":[]}}"#, ok);
    check(
        r#"{"id":1,"result":{"content":[{"type":"text","text":"taskId tools"}],"isError":true}}"#,
        Some(Outcome::ToolError),
    );
    check(
        r#"{"id":1,"result":{"resultType":"complete","structuredContent":{"tools":[{"name":"x"}]},"_meta":{"a":1}}}"#,
        ok,
    );
    for other in [
        "",
        "[]",
        "null",
        r#"{"id":1}"#,
        r#"{"id":null,"result":{}}"#,
        r#"{"id":1,"result":null}"#,
        r#"{"id":1,"result":{}} {}"#,
        r#"{"id":1,"result":{},"error":null}"#,
        r#"{"id":1,"error":{"code":-1,"message":""}}"#,
        r#"{"id":1,"id":1,"result":{}}"#,
        r#"{"id":1,"result":{},"result":{"tools":[]}}"#,
        r#"{"id":1,"result":{"content":[],"content":[]}}"#,
        r#"{"id":1,"result":{"tools":[]}}"#,
        r#"{"id":1,"result":{"Tools":[]}}"#,
        r#"{"id":1,"result":{"\u0074ools":[]}}"#,
        r#"{"id":1,"result":{"task":{"taskId":"1"}}}"#,
        r#"{"id":1,"result":{"taskId":"1"}}"#,
        r#"{"id":1,"result":{"_meta":{"io.modelcontextprotocol/related-task":{"taskId":"1"}}}}"#,
        r#"{"id":1,"result":{"_meta":{"io.modelcontextprotocol/related-task":{"task\u0049d":"1"}}}}"#,
        r#"{"id":1,"result":{"resultType":"input_required"}}"#,
        r#"{"id":1,"result":{"resultType":null}}"#,
        r#"{"id":1,"result":{"isError":"true"}}"#,
        r#"{"id":1,"result":{},"method":"notifications/resources/updated","params":{"uri":"x"}}"#,
        r#"{"id":1,"result":{"__proto__":{"tools":[]}}}"#,
    ] {
        check(other, None);
    }
}

/// Whether the other readers say of a plain answer what was said of it.
fn agrees(message: &[u8]) -> Result<(), TestCaseError> {
    let Some(told) = plain(message) else {
        return Ok(());
    };
    let expected = Answer {
        id: Some(told.id),
        outcome: told.outcome,
        lists: Vec::new(),
    };
    prop_assert_eq!(answer(message), Ok(expected));
    prop_assert_eq!(resource_updated(message), Ok(None));
    let sealed = tasks::seal(message, &mut |_| "sealed".to_owned());
    prop_assert_eq!(sealed, Ok(None));
    Ok(())
}

fn result() -> impl Strategy<Value = serde_json::Value> {
    let keys = prop::sample::select(vec![
        "content",
        "isError",
        "resultType",
        "_meta",
        "tools",
        "task",
        "taskId",
        "Content",
        "contents",
    ]);
    let values = prop::sample::select(vec![
        json!([]),
        json!([{"type": "text", "text": "a \"task\" of tools\n"}]),
        json!(true),
        json!("complete"),
        json!({"taskId": "1"}),
        json!({"io.modelcontextprotocol/related-task": {"taskId": "1"}}),
        json!(null),
    ]);
    prop::collection::btree_map(keys, values, 0..4).prop_map(|members| json!(members))
}

proptest! {
    #[test]
    fn other_passes_find_nothing_more(result in result(), edits in edits()) {
        let message = json!({"jsonrpc": "2.0", "id": 7, "result": result}).to_string();
        agrees(message.as_bytes())?;
        agrees(&mutate(message.into_bytes(), edits))?;
    }
}

#[test]
fn ids_are_kept_with_their_type() {
    let id =
        |text: &str| plain(format!(r#"{{"id":{text},"result":{{}}}}"#).as_bytes()).map(|it| it.id);
    assert_eq!(id("7"), Some(Id::Integer(7.into())));
    assert_eq!(id("\"7\""), Some(Id::String("7".to_owned())));
    assert_eq!(id("7.5"), None);
}
