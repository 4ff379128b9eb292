//! Headers alone: repetition, blanks, media types.

use gatehold_mcp::{HeaderError, Rejection, RequestHeaders};

fn read<'a>(pairs: &[(&'a str, &'a str)]) -> Result<RequestHeaders<'a>, HeaderError> {
    RequestHeaders::from_pairs(
        pairs
            .iter()
            .map(|(name, value)| (name.as_bytes(), value.as_bytes())),
    )
}

#[test]
fn pairs() {
    let headers = read(&[
        (":method", "POST"),
        (":path", "/mcp"),
        (":authority", "gw.example.com"),
        ("host", "gw.example.com"),
        ("Mcp-Name", " \t get weather \t"),
        ("accept", "application/json"),
        ("accept", "text/event-stream"),
        ("traceparent", "one"),
        ("traceparent", "two"),
        ("x-empty", ""),
        ("mcp-session-id", " "),
    ])
    .unwrap();
    let expected = RequestHeaders {
        verb: Some(b"POST"),
        path: Some(b"/mcp"),
        authority: Some(b"gw.example.com"),
        name: Some(b"get weather"),
        session_id: Some(b""),
        ..RequestHeaders::default()
    };
    assert_eq!(headers, expected);
}

#[test]
fn repetition() {
    let check = |name: &str, code: i64| {
        // The same value twice is still refused: another reader might join them with a comma.
        let upper = name.to_uppercase();
        let error = read(&[(name, "same"), (&upper, "same")]).unwrap_err();
        assert_eq!((error.status(), error.code()), (400, code), "{name}");
        assert!(error.to_string().contains(name), "{error}");
    };
    check("authorization", -32600);
    check("origin", -32600);
    check("content-type", -32600);
    check("content-encoding", -32600);
    check("last-event-id", -32600);
    check("mcp-session-id", -32020);
    check("mcp-protocol-version", -32020);
    check("mcp-method", -32020);
    check("mcp-name", -32020);
    assert!(read(&[(":authority", "a"), ("host", "b")]).is_err());
}

#[test]
fn media() {
    let check = |pairs: &[(&str, &str)], expected: bool| {
        let verdict = read(pairs).unwrap().check_post();
        assert_eq!(verdict.is_ok(), expected, "{pairs:?}: {verdict:?}");
        if let Err(error) = verdict {
            assert_eq!((error.status(), error.code()), (415, -32600));
        }
    };
    let media = |value: &'static str, expected| check(&[("content-type", value)], expected);
    media("application/json", true);
    media("Application/JSON; charset=UTF-8", true);
    media("application/json;charset=\"utf-8\"", true);
    media("application/json;", true);
    media("application/json; charset=utf-7", false);
    media("application/json; charset=utf-16", false);
    media("application/json; charset=utf-8; charset=utf-16", false);
    media("application/json; charset=utf-8; charset=utf-8", false);
    media("application/json; charset = utf-8", false);
    media("application/json, application/json", false);
    media("application/json-rpc", false);
    media("text/plain", false);
    media("", false);
    check(&[], false);
    let json = ("content-type", "application/json");
    check(&[json, ("content-encoding", "identity")], true);
    check(&[json, ("content-encoding", "gzip")], false);
    check(&[json, ("content-encoding", "")], false);
}
