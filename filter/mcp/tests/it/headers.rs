//! Headers alone: repetition, blanks, media types.

use gatehold_mcp::{HeaderError, Rejection, RequestHeaders, header_value};

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

#[test]
fn underscores() {
    let check = |name: &str, code: i64| {
        let error = read(&[(name, "x")]).unwrap_err();
        assert!(matches!(error, HeaderError::Underscored(_)), "{name}");
        assert_eq!((error.status(), error.code()), (400, code), "{name}");
    };
    check("mcp_session_id", -32020);
    check("Mcp-Protocol_Version", -32020);
    check("MCP_METHOD", -32020);
    check("mcp_name", -32020);
    check("content_type", -32600);
    check("last_event_id", -32600);
    assert!(read(&[("x_mcp_name", "x"), ("my_header", "y"), ("mcp_names", "z")]).is_ok());
}

#[test]
fn mirrored_arguments() {
    let check = |pairs: &[(&str, &str)], expected: bool| {
        let found = read(pairs);
        assert_eq!(found.is_ok(), expected, "{pairs:?}: {found:?}");
        if let Err(error) = found {
            assert_eq!((error.status(), error.code()), (400, -32020), "{error}");
        }
    };
    let one = |value: &'static str, expected| check(&[("Mcp-Param-Region", value)], expected);
    one("eu-west", true);
    one("", true);
    one(" a b ", true);
    one("=?base64?Z3LDtsOfZQ==?=", true);
    one("=?base64?Z3LDtsOfZQ==", true);
    one("größe", false);
    one("a\u{1}", false);
    one("=?base64?Z3LDtsOfZQ=?=", false);
    one("=?base64?/w==?=", false);
    one("=?base64?a b?=", false);
    check(&[("mcp-param-a", &"a".repeat(8192))], true);
    check(&[("mcp-param-a", &"a".repeat(8193))], false);
    check(&[("mcp-param-a", "1"), ("mcp-param-b", "1")], true);
    check(&[("mcp-param-a", "1"), ("Mcp-Param-A", "1")], false);
    check(&[("mcp-param-a-b", "1"), ("mcp_param_a_b", "1")], false);
    check(&[("mcp-para", "1"), ("mcp-para", "1")], true);
    let names: Vec<String> = (0..65).map(|at| format!("mcp-param-{at}")).collect();
    let pairs: Vec<_> = names.iter().map(|name| (name.as_str(), "1")).collect();
    check(&pairs[1..], true);
    check(&pairs, false);
    let error = read(&[("Mcp-Param-A", "1"), ("mcp_param-a", "1")]).unwrap_err();
    assert!(error.to_string().contains("`mcp-param-a`"), "{error}");
}

#[test]
fn values() {
    let check = |text: &str, expected: &str| assert_eq!(header_value(text), expected);
    check("", "");
    check("get weather", "get weather");
    check(" x", "=?base64?IHg=?=");
    check("x ", "=?base64?eCA=?=");
    check("a\tb", "=?base64?YQli?=");
    check("größe", "=?base64?Z3LDtsOfZQ==?=");
    check("=?base64?YQ==?=", "=?base64?PT9iYXNlNjQ/WVE9PT89?=");
    check("=?base64?YQ==", "=?base64?YQ==");
}
