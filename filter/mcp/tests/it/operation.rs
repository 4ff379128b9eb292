//! What a request wants.

use gatehold_mcp::{
    Era, InvalidParams, Limits, ListKind, Map, Message, Operation, Reference, Rejection, Request,
    Value, operation, parse,
};

fn request(method: &str, params: &str) -> Request {
    let body = format!(r#"{{"jsonrpc":"2.0","id":"r","method":"{method}","params":{params}}}"#);
    match parse(body.as_bytes(), &Limits::default()).unwrap() {
        Message::Request(request) => request,
        other => panic!("{other:?}"),
    }
}

fn check(method: &str, params: &str, expected: Operation<'_>) {
    let request = request(method, params);
    for era in [Era::Legacy, Era::Modern] {
        assert_eq!(
            operation(&request, era),
            Ok(expected.clone()),
            "{method} {params}"
        );
    }
}

fn refused(method: &str, params: &str) {
    let request = request(method, params);
    let error: InvalidParams = operation(&request, Era::Modern).unwrap_err();
    assert_eq!(
        (error.status(), error.code()),
        (400, -32602),
        "{method} {params}"
    );
    assert_eq!(error.id(), Some(&request.id));
}

fn object(json: &str) -> Map<String, Value> {
    serde_json::from_str(json).unwrap()
}

#[test]
fn tools_and_prompts() {
    let none = Map::new();
    let some = object(r#"{"amount":3}"#);
    let tool = |arguments| Operation::CallTool {
        name: "refund",
        arguments,
    };
    check("tools/call", r#"{"name":"refund"}"#, tool(&none));
    check(
        "tools/call",
        r#"{"name":"refund","arguments":null}"#,
        tool(&none),
    );
    check(
        "tools/call",
        r#"{"name":"refund","arguments":{"amount":3},"task":{"ttl":1}}"#,
        tool(&some),
    );
    check(
        "tools/call",
        r#"{"name":"","arguments":{}}"#,
        Operation::CallTool {
            name: "",
            arguments: &none,
        },
    );
    refused("tools/call", "{}");
    refused("tools/call", r#"{"name":null}"#);
    refused("tools/call", r#"{"name":["refund"]}"#);
    refused("tools/call", r#"{"name":"refund","arguments":[]}"#);
    refused("tools/call", r#"{"name":"refund","arguments":"{}"}"#);
    let prompt = Operation::GetPrompt {
        name: "greet",
        arguments: &none,
    };
    check("prompts/get", r#"{"name":"greet"}"#, prompt);
    refused("prompts/get", r#"{"uri":"greet"}"#);
}

#[test]
fn resources() {
    let uri = "file:///etc/../a";
    let params = r#"{"uri":"file:///etc/../a"}"#;
    check("resources/read", params, Operation::ReadResource { uri });
    check("resources/subscribe", params, Operation::Subscribe { uri });
    check(
        "resources/unsubscribe",
        params,
        Operation::Subscribe { uri },
    );
    refused("resources/read", "{}");
    refused("resources/subscribe", r#"{"uri":1}"#);
    refused("resources/unsubscribe", r#"{"uri":null}"#);
}

#[test]
fn completion() {
    let prompt = Operation::Complete {
        reference: Reference::Prompt("p"),
    };
    check(
        "completion/complete",
        r#"{"ref":{"type":"ref/prompt","name":"p"}}"#,
        prompt,
    );
    let resource = Operation::Complete {
        reference: Reference::Resource("db://{t}"),
    };
    check(
        "completion/complete",
        r#"{"ref":{"type":"ref/resource","uri":"db://{t}"}}"#,
        resource,
    );
    refused("completion/complete", "{}");
    refused("completion/complete", r#"{"ref":"ref/prompt"}"#);
    refused(
        "completion/complete",
        r#"{"ref":{"type":"ref/prompt","uri":"p"}}"#,
    );
    refused(
        "completion/complete",
        r#"{"ref":{"type":"ref/tool","name":"p"}}"#,
    );
    refused(
        "completion/complete",
        r#"{"ref":{"type":"ref/prompt","Name":"p"}}"#,
    );
}

#[test]
fn listening() {
    let listen = |uris, task_ids| Operation::Listen { uris, task_ids };
    check(
        "subscriptions/listen",
        r#"{"notifications":{}}"#,
        listen(vec![], vec![]),
    );
    check(
        "subscriptions/listen",
        r#"{"notifications":{"toolsListChanged":true,"resourceSubscriptions":["a:b","c:d"],"taskIds":["t"]}}"#,
        listen(vec!["a:b", "c:d"], vec!["t"]),
    );
    refused("subscriptions/listen", "{}");
    refused("subscriptions/listen", r#"{"notifications":[]}"#);
    refused(
        "subscriptions/listen",
        r#"{"notifications":{"resourceSubscriptions":"a:b"}}"#,
    );
    refused(
        "subscriptions/listen",
        r#"{"notifications":{"resourceSubscriptions":[1]}}"#,
    );
    refused(
        "subscriptions/listen",
        r#"{"notifications":{"ResourceSubscriptions":["a:b"]}}"#,
    );
}

#[test]
fn the_rest() {
    for kind in ListKind::ALL {
        check(kind.method(), r#"{"cursor":"x"}"#, Operation::List(kind));
    }
    for method in ["initialize", "ping", "logging/setLevel", "server/discover"] {
        check(method, "{}", Operation::Lifecycle);
    }
    for method in [
        "tasks/get",
        "tasks/list",
        "Tools/call",
        "tools/call ",
        "tools\\/call/",
        "",
        "x",
    ] {
        check(method, r#"{"name":"refund"}"#, Operation::Other);
    }
}
