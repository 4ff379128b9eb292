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

/// What it is on the legacy era, and on the modern one.
fn each(method: &str, params: &str, legacy: Operation<'_>, modern: Operation<'_>) {
    let request = request(method, params);
    assert_eq!(operation(&request, Era::Legacy), Ok(legacy), "{method}");
    assert_eq!(operation(&request, Era::Modern), Ok(modern), "{method}");
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
    each(
        "resources/subscribe",
        params,
        Operation::Subscribe { uri },
        Operation::Removed,
    );
    each(
        "resources/unsubscribe",
        params,
        Operation::Subscribe { uri },
        Operation::Removed,
    );
    refused("resources/read", "{}");
    for method in ["resources/subscribe", "resources/unsubscribe"] {
        let bad = request(method, r#"{"uri":null}"#);
        assert!(operation(&bad, Era::Legacy).is_err());
        assert_eq!(operation(&bad, Era::Modern), Ok(Operation::Removed));
    }
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
    for key in [
        "ResourceSubscriptions",
        "resource_subscriptions",
        "taskids",
        "task_ids",
    ] {
        let params = format!(r#"{{"notifications":{{"{key}":["a:b"]}}}}"#);
        refused("subscriptions/listen", &params);
    }
}

#[test]
fn tasks() {
    let both = ["tasks/get", "tasks/cancel"].map(|method| (method, None));
    let one = [
        ("tasks/result", Some(Era::Legacy)),
        ("tasks/update", Some(Era::Modern)),
    ];
    for (method, only) in both.into_iter().chain(one) {
        let good = request(method, r#"{"taskId":"t1"}"#);
        for era in [Era::Legacy, Era::Modern] {
            let expected = if only.is_none_or(|only| only == era) {
                Operation::Task {
                    method,
                    task_id: "t1",
                }
            } else if era == Era::Modern {
                Operation::Removed
            } else {
                Operation::Other
            };
            assert_eq!(operation(&good, era), Ok(expected), "{method} {era:?}");
        }
        for params in [
            "{}",
            r#"{"taskId":null}"#,
            r#"{"taskId":1}"#,
            r#"{"taskId":["t1"]}"#,
        ] {
            let bad = request(method, params);
            let found = operation(&bad, only.unwrap_or(Era::Legacy));
            assert!(found.is_err(), "{method} {params}");
        }
    }
    each("tasks/list", "{}", Operation::ListTasks, Operation::Removed);
}

#[test]
fn levels() {
    for level in [
        "debug",
        "info",
        "notice",
        "warning",
        "error",
        "critical",
        "alert",
        "emergency",
    ] {
        let params = format!(r#"{{"level":"{level}"}}"#);
        each(
            "logging/setLevel",
            &params,
            Operation::SetLevel { level },
            Operation::Removed,
        );
    }
    for params in [
        "{}",
        r#"{"level":"Debug"}"#,
        r#"{"level":7}"#,
        r#"{"level":"trace"}"#,
    ] {
        let request = request("logging/setLevel", params);
        assert!(operation(&request, Era::Legacy).is_err(), "{params}");
        assert_eq!(operation(&request, Era::Modern), Ok(Operation::Removed));
    }
}

#[test]
fn answers_to_input() {
    let none = Map::new();
    let tool = || Operation::CallTool {
        name: "n",
        arguments: &none,
    };
    for good in [
        r#""inputResponses":{},"requestState":"""#,
        r#""inputResponses":{"a":{"action":"accept"},"b":{}}"#,
        r#""requestState":"x""#,
    ] {
        check("tools/call", &format!(r#"{{"name":"n",{good}}}"#), tool());
        let uri = "a:b";
        let read = format!(r#"{{"uri":"a:b",{good}}}"#);
        check("resources/read", &read, Operation::ReadResource { uri });
    }
    for bad in [
        r#""inputResponses":null"#,
        r#""inputResponses":[]"#,
        r#""inputResponses":"{}""#,
        r#""inputResponses":{"a":1}"#,
        r#""inputResponses":{"a":{},"b":null}"#,
        r#""requestState":null"#,
        r#""requestState":{}"#,
        r#""requestState":1"#,
    ] {
        for (method, name) in [
            ("tools/call", "name"),
            ("prompts/get", "name"),
            ("resources/read", "uri"),
            ("tasks/update", "taskId"),
        ] {
            refused(method, &format!(r#"{{"{name}":"n",{bad}}}"#));
        }
        // Elsewhere nobody reads them.
        let elsewhere = format!("{{{bad}}}");
        check("tools/list", &elsewhere, Operation::List(ListKind::Tools));
    }
    for bad in ["null", "true", "[]", r#""x""#] {
        refused("tools/call", &format!(r#"{{"name":"n","task":{bad}}}"#));
    }
}

#[test]
fn the_rest() {
    for kind in ListKind::ALL {
        check(kind.method(), r#"{"cursor":"x"}"#, Operation::List(kind));
    }
    each("initialize", "{}", Operation::Lifecycle, Operation::Removed);
    each("ping", "{}", Operation::Lifecycle, Operation::Removed);
    each(
        "server/discover",
        "{}",
        Operation::Other,
        Operation::Lifecycle,
    );
    for method in [
        "tasks/list/",
        "tasks/",
        "Tasks/get",
        "Tools/call",
        "tools/call ",
        "tools\\/call/",
        "",
        "x",
    ] {
        check(method, r#"{"name":"refund"}"#, Operation::Other);
    }
}
