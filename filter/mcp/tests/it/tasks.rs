//! Task ids are replaced where they are the server's, and nothing else is.

use crate::properties::{edits, mutate, value};
use gatehold_mcp::list::ListError;
use gatehold_mcp::{Limits, Message, Operation, Rejection, operation, parse, tasks};
use proptest::prelude::*;
use serde_json::{Value, json};

fn seal(message: &str) -> Result<Option<String>, ListError> {
    let sealed = tasks::seal(message.as_bytes(), &mut |id| format!("s-{id}"))?;
    Ok(sealed.map(|it| String::from_utf8(it).unwrap()))
}

fn open(message: &[u8]) -> Result<Option<Vec<u8>>, tasks::Unknown> {
    tasks::open(message, &mut |id| id.strip_prefix("s-").map(str::to_owned))
}

const RELATED: &str =
    r#""_meta":{"progressToken":1,"io.modelcontextprotocol/related-task":{"taskId":"a"}}"#;

#[test]
fn of_servers() {
    // Each `"a"` is a task of the server's; `"o"` is not.
    let check = |message: &str| {
        let expected = message.replace(r#""a""#, r#""s-a""#);
        let expected = (expected != message).then_some(expected);
        assert_eq!(seal(message), Ok(expected), "{message}");
    };
    check(
        r#"{"jsonrpc":"2.0","id":1,"result":{"resultType":"task","taskId":"a","status":"working"}}"#,
    );
    check(r#" { "id" : 1, "result" : { "task" : { "x":1.50, "taskId" : "a" }, "taskId":null } } "#);
    check(
        r#"{"id":1,"result":{"tasks":[{"taskId":"a"},{"status":"o"},7,{"x":{"taskId":"o"},"taskId":"a"}]}}"#,
    );
    check(&format!(
        r#"{{"id":1,"result":{{"content":[{{"taskId":"o"}}],"structuredContent":{{"taskId":"o"}},{RELATED}}}}}"#
    ));
    check(&format!(
        r#"{{"id":2,"method":"elicitation/create","params":{{"taskId":"o",{RELATED}}}}}"#
    ));
    check(&format!(
        r#"{{"method":"notifications/progress","params":{{"taskId":"o",{RELATED}}}}}"#
    ));
    check(r#"{"method":"notifications/tasks/status","params":{"taskId":"a","status":"working"}}"#);
    check(r#"{"method":"notifications/tasks","params":{"taskId":"a","result":{"taskId":"o"}}}"#);
    check(r#"{"method":"notifications\/t\u0061sks","params":{"taskId":"a"}}"#);
    check(r#"{"id":1,"result":{"\u0074askId":"a"}}"#);
    check(r#"{"id":1,"result":{"taskId":"\u0061"}}"#.replace("\\u0061", "a").as_str());
    // The client's own task.
    check(r#"{"id":3,"method":"tasks/get","params":{"taskId":"o"}}"#);
    check(r#"{"id":3,"method":"tasks/result","params":{"taskId":"o"}}"#);
    check(r#"{"id":1,"error":{"code":1,"message":"taskId","data":{"taskId":"o"}}}"#);
    check(
        r#"{"id":1,"result":{"taskId":7,"task":"taskId","tasks":{"taskId":"o"},"_meta":["taskId"]}}"#,
    );
    check("");
    check("taskId");
    check("null");
    assert_eq!(
        seal(r#"{"id":1,"result":{"taskId":"\u0061\n"}}"#),
        Ok(Some(r#"{"id":1,"result":{"taskId":"s-a\n"}}"#.to_owned()))
    );
}

#[test]
fn of_servers_refused() {
    let check = |message: &str, key: &str| {
        let expected = Err(ListError::Ambiguous(key.to_owned()));
        assert_eq!(seal(message), expected, "{message}");
    };
    check(r#"{"result":{"taskId":"a","task\u0049d":"b"}}"#, "taskId");
    check(r#"{"result":{"taskId":"a","taskID":"b"}}"#, "taskID");
    // Not even once as it should be.
    check(r#"{"result":{"TaskID":"a"}}"#, "TaskID");
    check("{\"result\":{\"tas\u{212a}Id\":\"a\"}}", "tas\u{212a}Id");
    check("{\"result\":{\"ta\u{17f}kId\":\"a\"}}", "ta\u{17f}kId");
    check(r#"{"result":{"taskId":"a"},"Result":{}}"#, "Result");
    check(r#"{"result":{},"result":{"taskId":"a"}}"#, "result");
    check(
        r#"{"result":{"tasks":[{"taskId":"a","taskid":""}]}}"#,
        "taskid",
    );
    check(
        r#"{"result":{"tas\u212as":[{"taskId":"a"}]}}"#,
        "tas\u{212a}s",
    );
    check(r#"{"result":{"taskId":"a","__proto__":{}}}"#, "__proto__");
    assert_eq!(
        seal(r#" [{"result":{"taskId":"a"}}]"#),
        Err(ListError::Batch)
    );
    for wrong in [
        r#"{"result":{"taskId":"a"}"#,
        r#"{"taskId":1}x"#,
        "x{taskId",
    ] {
        assert!(
            matches!(seal(wrong), Err(ListError::Malformed(_))),
            "{wrong}"
        );
    }
}

#[test]
fn of_clients() {
    // Each `"s-a"` is a sealed id; `"o"` is not to be looked at.
    let check = |message: &str| {
        assert!(
            parse(message.as_bytes(), &Limits::default()).is_ok(),
            "{message}"
        );
        let expected = message.replace(r#""s-a""#, r#""a""#);
        let expected = (expected != message).then(|| expected.into_bytes());
        assert_eq!(open(message.as_bytes()), Ok(expected), "{message}");
    };
    let sealed = RELATED.replace("\"a\"", "\"s-a\"");
    for method in [
        "tasks/get",
        "tasks/result",
        "tasks/update",
        "tasks/cancel",
        "tasks/x",
    ] {
        check(&format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{{"taskId":"s-a"}}}}"#
        ));
    }
    check(
        r#"{"jsonrpc":"2.0","id":1,"method":"t\u0061sks/get","params":{"\u0074askId" : "s-a" , "x":1.50}}"#,
    );
    check(&format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"o","taskId":"o",{sealed}}}}}"#
    ));
    check(&format!(
        r#"{{"jsonrpc":"2.0","method":"notifications/tasks/status","params":{{"taskId":"o",{sealed}}}}}"#
    ));
    check(&format!(
        r#"{{"jsonrpc":"2.0","id":1,"result":{{"taskId":"o","task":{{"taskId":"o"}},{sealed}}}}}"#
    ));
    check(
        r#"{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":{"notifications":{"taskIds":[ "s-a", "s-a" ]}}}"#,
    );
    check(
        r#"{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":{"notifications":{"taskIds":null}}}"#,
    );
    check(
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"notifications":{"taskIds":["o"]}}}"#,
    );
    check(r#"{"jsonrpc":"2.0","id":1,"method":"tasks/list","params":{"cursor":"o"}}"#);
    check(r#"{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"o"}}"#);
    check(r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#);
    let opened = open(
        br#"{"jsonrpc":"2.0","id":1,"method":"tasks/get","params":{"taskId":"\u0073-\u0061"}}"#,
    );
    assert_eq!(
        opened.unwrap().unwrap(),
        br#"{"jsonrpc":"2.0","id":1,"method":"tasks/get","params":{"taskId":"a"}}"#
    );
}

#[test]
fn of_clients_refused() {
    let check = |message: &str, task: &str| {
        assert!(
            parse(message.as_bytes(), &Limits::default()).is_ok(),
            "{message}"
        );
        let error = open(message.as_bytes()).unwrap_err();
        assert_eq!(error.task, task, "{message}");
        assert_eq!((error.status(), error.code()), (400, -32602));
        assert_eq!(error.to_string(), format!("unknown task `{task}`"));
    };
    let get = |params: &str| {
        format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tasks/get","params":{{{params}}}}}"#)
    };
    check(&get(r#""taskId":"a""#), "a");
    check(&get(r#""taskId":7"#), "7");
    check(&get(r#""taskId":["s-a"]"#), r#"["s-a"]"#);
    check(
        &get(&format!(r#""taskId":"{}""#, "x".repeat(100))),
        &"x".repeat(64),
    );
    check(&get(RELATED), "a");
    // What a client answers may be about a task of its own.
    let answer = format!(r#"{{"jsonrpc":"2.0","id":1,"result":{{{RELATED}}}}}"#);
    assert_eq!(open(answer.as_bytes()), Ok(None));
    let listen = |ids: &str| {
        format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":{{"notifications":{{{ids}}}}}}}"#
        )
    };
    check(&listen(r#""taskIds":["s-a","b"]"#), "b");
    check(&listen(r#""taskIds":["s-a",null]"#), "null");
    check(&listen(r#""taskids":["s-a"]"#), "taskids");
}

/// Keys that a server could take for those of ids are refused twice: when the message is parsed, and here.
#[test]
fn of_clients_ambiguous() {
    for (from, to) in [
        ("taskId", "taskid"),
        ("taskId", "tas\\u212aId"),
        ("related-task", "Related-task"),
        ("_meta", "_Meta"),
    ] {
        let params = RELATED.replace(from, to);
        let message = format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"n",{params}}}}}"#
        );
        assert!(
            parse(message.as_bytes(), &Limits::default()).is_err(),
            "{message}"
        );
        assert!(open(message.as_bytes()).is_err(), "{message}");
    }
    // And those that only models with two names per field take.
    for params in [
        r#""task_id":"a""#,
        r#""meta":{"io.modelcontextprotocol/related-task":{"taskId":"a"}}"#,
        r#""_meta":{"io.modelcontextprotocol/related-task":{"task_id":"a"}}"#,
        r#""_meta":{"io.modelcontextprotocol/protocol_version":"2026-07-28"}"#,
        r#""input_responses":{}"#,
        r#""request_state":"x""#,
    ] {
        let message = format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"n",{params}}}}}"#
        );
        assert!(
            parse(message.as_bytes(), &Limits::default()).is_err(),
            "{message}"
        );
    }
}

/// A message of a server with ids in all places, and what it is when they are gone.
fn message() -> impl Strategy<Value = Value> {
    let id = any::<String>();
    (value(), id, any::<bool>()).prop_map(|(extra, id, result)| {
        let task = json!({"taskId": id, "extra": extra});
        let meta = json!({"io.modelcontextprotocol/related-task": task, "x": extra});
        if result {
            json!({"jsonrpc": "2.0", "id": 1, "result": {
                "taskId": id, "task": task, "tasks": [task, extra], "_meta": meta, "x": {"taskId": extra},
            }})
        } else {
            json!({"jsonrpc": "2.0", "method": "notifications/tasks", "params": {
                "taskId": id, "_meta": meta, "x": {"taskId": extra},
            }})
        }
    })
}

proptest! {
    #[test]
    fn only_ids_change(message in message()) {
        let text = message.to_string();
        // What another key hides is refused, which tables show.
        let Ok(sealed) = seal(&text) else { return Ok(()) };
        let sealed = sealed.unwrap();
        let parsed: Value = serde_json::from_str(&sealed).unwrap();
        let part = if message.get("result").is_some() { "result" } else { "params" };
        let id = message[part]["taskId"].as_str().unwrap();
        let new = format!("s-{id}");
        prop_assert_eq!(&parsed[part]["taskId"], &new);
        // Taking the mark away gives back the same bytes: nothing else has changed.
        let (old, new) = (Value::from(id).to_string(), Value::from(new).to_string());
        let (plain, marked) = (format!("\"taskId\":{old}"), format!("\"taskId\":{new}"));
        prop_assert_eq!(sealed.replace(&marked, &plain), text.replace(&marked, &plain));
    }

    #[test]
    fn what_is_sealed_opens(id in any::<String>(), extra in value()) {
        let get = json!({"jsonrpc": "2.0", "id": 1, "method": "tasks/get", "params": {
            "taskId": id,
            "x": extra,
            "_meta": {"io.modelcontextprotocol/related-task": {"taskId": id}},
        }});
        let sent = get.to_string();
        let sealed = sent.replace(
            &format!("\"taskId\":{}", Value::from(id.as_str())),
            &format!("\"taskId\":{}", Value::from(format!("s-{id}"))),
        );
        if let Ok(opened) = open(sealed.as_bytes()) {
            prop_assert_eq!(String::from_utf8(opened.unwrap()).unwrap(), sent);
        } else {
            prop_assert!(parse(sealed.as_bytes(), &Limits::default()).is_err());
        }
    }

    #[test]
    fn no_id_reaches_the_server_unopened(edits in edits()) {
        let message = br#"{"jsonrpc":"2.0","id":1,"method":"tasks/get","params":{"taskId":"s-a","_meta":{"io.modelcontextprotocol/related-task":{"taskId":"s-b"}}}}"#;
        let message = mutate(message.to_vec(), edits);
        let Ok(Message::Request(request)) = parse(&message, &Limits::default()) else {
            return Ok(());
        };
        let task = operation(&request, gatehold_mcp::Era::Modern);
        if let (Ok(Operation::Task { task_id, .. }), Ok(opened)) = (task, open(&message)) {
            let opened: Value = serde_json::from_slice(&opened.unwrap()).unwrap();
            prop_assert_eq!(opened["params"]["taskId"].as_str(), task_id.strip_prefix("s-"));
        }
    }

    #[test]
    fn any_bytes(message in prop::collection::vec(any::<u8>(), 0..100), edits in edits()) {
        let _ = open(&message);
        let _ = tasks::seal(&message, &mut str::to_owned);
        let message = mutate(br#"{"result":{"taskId":"a","tasks":[{"taskId":"b"}]}}"#.to_vec(), edits);
        let _ = open(&message);
        // Strings elsewhere in the message are not looked at, and may be none.
        let valid = serde_json::from_slice::<Value>(&message).is_ok();
        if let Ok(Some(sealed)) = tasks::seal(&message, &mut |id| format!("{id}!")) {
            prop_assert_eq!(serde_json::from_slice::<Value>(&sealed).is_ok(), valid);
        }
    }
}
