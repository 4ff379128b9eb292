use gatehold_mcp::{said, spoken, state_place};

#[test]
fn where_a_client_says_something() {
    for (message, expected) in [
        (
            r#"{"id":1,"method":"tools/call","params":{"name":"a","arguments":{"b":"c"}}}"#,
            Some(r#"{"b":"c"}"#),
        ),
        (
            r#"{"id":1,"method":"resources/read","params":{"_meta":{},"uri":"x://y"}}"#,
            Some(r#""x://y""#),
        ),
        (
            r#"{"params":{"inputResponses":{"a":1},"name":"n","arguments":{}}}"#,
            Some(r#"{"inputResponses":{"a":1},"name":"n","arguments":{}}"#),
        ),
        (
            r#"{"params":{"name":"n","arguments":{},"_meta":{"progressToken":7,"traceparent":"00-1"}}}"#,
            Some("{}"),
        ),
        (
            r#"{"params":{"name":"n","arguments":{},"_meta":{"progressToken":"a sentence"}}}"#,
            Some(r#"{"name":"n","arguments":{},"_meta":{"progressToken":"a sentence"}}"#),
        ),
        (
            r#"{"params":{"uri":"x://y","_meta":{"more":1}}}"#,
            Some(r#"{"uri":"x://y","_meta":{"more":1}}"#),
        ),
        (
            r#"{"params":{"arguments":{},"extra":1}}"#,
            Some(r#"{"arguments":{},"extra":1}"#),
        ),
        (
            r#"{"params":{"ref":{},"argument":{},"context":{"arguments":{}}}}"#,
            Some(r#"{"ref":{},"argument":{},"context":{"arguments":{}}}"#),
        ),
        (
            r#"{"params":{"name":"n","arguments":{},"requestState":"s"}}"#,
            Some("{}"),
        ),
        (r#"{"method":"x/y","params":{"z":1}}"#, Some(r#"{"z":1}"#)),
        (r#"{"method":"x/y","params":[1]}"#, Some("[1]")),
        (
            r#"{"id":1,"result":{"action":"accept"}}"#,
            Some(r#"{"action":"accept"}"#),
        ),
        (
            r#"{"id":1,"error":{"message":"m"}}"#,
            Some(r#"{"message":"m"}"#),
        ),
        (r#"{"id":1,"method":"ping"}"#, None),
        (
            r#"{"params":{"arguments":1},"Params":{}}"#,
            Some(r#"{"params":{"arguments":1},"Params":{}}"#),
        ),
        (
            r#"{"params":{"arguments":1,"Arguments":2}}"#,
            Some(r#"{"params":{"arguments":1,"Arguments":2}}"#),
        ),
        ("text", Some("text")),
    ] {
        let found = spoken(message.as_bytes()).and_then(|range| message.get(range));
        assert_eq!(found, expected, "{message}");
    }
}

#[test]
fn where_the_state_of_a_request_stands() {
    for (message, expected) in [
        (
            r#"{"params":{"requestState":"abc","name":"n"}}"#,
            Some("abc"),
        ),
        (r#"{"params":{"requestState":{}}}"#, None),
        (r#"{"params":{}}"#, None),
        (r#"{"method":"ping"}"#, None),
    ] {
        let found = state_place(message.as_bytes()).and_then(|range| message.get(range));
        assert_eq!(found, expected, "{message}");
    }
}

#[test]
fn what_a_server_says() {
    for (message, expected) in [
        (
            r#"{"method":"notifications/progress","params":{"progress":1,"message":"one\ntwo"}}"#,
            "one\ntwo",
        ),
        (
            r#"{"method":"m","params":{"data":["a",{"b":"c"},null]}}"#,
            "a c",
        ),
        (r#"{"id":1,"error":{"code":1,"message":"m"}}"#, "m"),
        (r#"{"method":"m"}"#, ""),
        ("text", ""),
    ] {
        assert_eq!(said(message.as_bytes()), expected, "{message}");
    }
    let long = format!(r#"{{"params":"{}"}}"#, "x".repeat(20_000));
    assert_eq!(said(long.as_bytes()), "");
}
