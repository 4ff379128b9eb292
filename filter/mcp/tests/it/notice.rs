//! Notifications and media types.

use gatehold_mcp::list::ListError;
use gatehold_mcp::{Era, Media, Notice, notice, resource_updated, response_media};

#[test]
fn of_clients() {
    for method in [
        "notifications/initialized",
        "notifications/cancelled",
        "notifications/progress",
        "notifications/roots/list_changed",
    ] {
        assert_eq!(notice(method, Era::Legacy), Notice::Lifecycle, "{method}");
        assert_eq!(notice(method, Era::Modern), Notice::Other, "{method}");
    }
    for method in [
        "notifications/Initialized",
        "notifications/initialized ",
        "notifications/tasks/status",
        "notifications/message",
        "notifications/",
        "initialized",
        "",
    ] {
        assert_eq!(notice(method, Era::Legacy), Notice::Other, "{method}");
        assert_eq!(notice(method, Era::Modern), Notice::Other, "{method}");
    }
}

#[test]
fn updated_resources() {
    let check = |message: &str, expected: Option<&str>| {
        let found = resource_updated(message.as_bytes());
        assert_eq!(found, Ok(expected.map(str::to_owned)), "{message}");
    };
    let updated = |params: &str| {
        format!(
            r#"{{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{params}}}"#
        )
    };
    check(&updated(r#"{"uri":"a:b"}"#), Some("a:b"));
    check(
        &updated(r#"{"_meta":{"uri":"o:o"},"\u0075ri":"a:\/\/b"}"#),
        Some("a://b"),
    );
    check(
        &updated(r#"{"uri":"a:b"}"#).replace('/', "\\/"),
        Some("a:b"),
    );
    check(
        &updated(r#"{"uri":"a:b"}"#).replace("resources", "resource\\u0073"),
        Some("a:b"),
    );
    check(
        &updated(r#"{"uri":"a:b"}"#).replace("updated", "Updated"),
        None,
    );
    check(
        r#"{"id":1,"result":{"x":"notifications/resources/updated"}}"#,
        None,
    );
    check(r#"{"id":1,"result":{"x":"\n"}}"#, None);
    check("", None);
    check("resources/updated", None);

    let refused = |message: &str| {
        let found = resource_updated(message.as_bytes());
        assert!(found.is_err(), "{message}: {found:?}");
    };
    refused(&updated("{}"));
    refused(&updated("null"));
    refused(&updated("[]"));
    refused(&updated(r#"{"uri":null}"#));
    refused(&updated(r#"{"uri":1}"#));
    refused(&updated(r#"{"URI":"a:b"}"#));
    refused(&updated(r#"{"uri":"a:b","uri":"c:d"}"#));
    refused(&updated(r#"{"uri":"a:b"}"#).replace("\"jsonrpc\"", "\"Method\""));
    assert_eq!(
        resource_updated(format!("[{}]", updated(r#"{"uri":"a:b"}"#)).as_bytes()),
        Err(ListError::Batch)
    );
}

#[test]
fn media() {
    let check = |value: &str, expected: Media| {
        assert_eq!(response_media(value.as_bytes()), expected, "{value}");
        assert_eq!(
            response_media(value.to_uppercase().as_bytes()),
            expected,
            "{value}"
        );
    };
    check("application/json", Media::Json);
    check(" application/json ; charset=utf-8", Media::Json);
    check("application/json;charset=\"UTF8\"", Media::Json);
    check("application/json;;", Media::Json);
    check("application/json; profile=x; charset=utf-8", Media::Json);
    check("text/event-stream", Media::Events);
    check("text/event-stream;charset=utf-8", Media::Events);
    check("text/plain", Media::Text);
    check("text/plain; charset=iso-8859-1", Media::Text);
    check("text/plain; charset=utf-8", Media::Text);

    check("", Media::Other);
    check("text/html", Media::Other);
    check("application/json-seq", Media::Other);
    check("application/problem+json", Media::Other);
    check("application/json, text/event-stream", Media::Other);
    check("application/json; charset=utf-16", Media::Other);
    check("application/json; charset=iso-8859-1", Media::Other);
    check("application/json; charset=", Media::Other);
    check("application/json; charset", Media::Other);
    check("application/json; charset = utf-8", Media::Other);
    check("application/json; charset*=utf-8", Media::Other);
    check("application/json; charset='utf-8'", Media::Other);
    check("application/json; charset=\"utf-8", Media::Other);
    check("application/json; charset=\"", Media::Other);
    check(
        "application/json; charset=utf-8; charset=utf-8",
        Media::Other,
    );
    check("text/event-stream; x=a; charset=utf-16le", Media::Other);
    check("text/event-stream; x=\"a;charset=utf-16\"", Media::Other);
    check("text/plain; charset=utf-7", Media::Other);
    check("text/plain; charset=utf-8; charset=utf-8", Media::Other);
    // Stock clients look for the type anywhere in the value.
    check("text/plain; x=text/event-stream", Media::Other);
    check("application/json; x=text/event-stream", Media::Other);
    check("application/json; a=b, text/html", Media::Other);
}
