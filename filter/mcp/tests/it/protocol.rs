//! What headers and body must agree about.

use gatehold_mcp::{
    Era, Limits, Rejection, RequestHeaders, Version, parse, protocol, protocol_of_headers,
};

type Pairs<'a> = &'a [(&'a str, &'a str)];

/// `Ok(version)` or `Err((status, code))`.
fn judge(pairs: Pairs<'_>, body: &str) -> Result<Version, (u16, i64)> {
    let message = parse(body.as_bytes(), &Limits::default()).unwrap();
    let pairs = pairs
        .iter()
        .map(|(name, value)| (name.as_bytes(), value.as_bytes()));
    let headers = RequestHeaders::from_pairs(pairs).unwrap();
    let protocol = protocol(&headers, &message).map_err(|error| (error.status(), error.code()))?;
    assert_eq!(protocol.era, protocol.version.era());
    Ok(protocol.version)
}

const META: &str = r#""_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}"#;
const MODERN: (&str, &str) = ("mcp-protocol-version", "2026-07-28");
const MISMATCH: Result<Version, (u16, i64)> = Err((400, -32020));

fn request(method: &str, params: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{{{params}}}}}"#)
}

fn modern(method: &str, params: &str) -> String {
    let comma = if params.is_empty() { "" } else { "," };
    request(method, &format!("{META}{comma}{params}"))
}

#[test]
fn legacy_versions() {
    let check = |pairs: Pairs<'_>, expected: Result<Version, (u16, i64)>| {
        assert_eq!(
            judge(pairs, &request("tools/list", "")),
            expected,
            "{pairs:?}"
        );
    };
    check(&[], Ok(Version::V2025_03_26));
    check(
        &[("mcp-protocol-version", "2025-03-26")],
        Ok(Version::V2025_03_26),
    );
    check(
        &[("mcp-protocol-version", "2025-06-18")],
        Ok(Version::V2025_06_18),
    );
    check(
        &[("mcp-protocol-version", " 2025-11-25 ")],
        Ok(Version::V2025_11_25),
    );
    check(
        &[("mcp-protocol-version", "2024-11-05")],
        Err((400, -32022)),
    );
    check(
        &[("mcp-protocol-version", "2099-01-01")],
        Err((400, -32022)),
    );
    check(&[("mcp-protocol-version", "")], Err((400, -32022)));
    check(
        &[("mcp-protocol-version", "2025-06-18, 2025-06-18")],
        Err((400, -32022)),
    );
    check(&[("mcp-protocol-version", "2025-06-18é")], MISMATCH);
    check(&[MODERN], Err((400, -32602)));
}

#[test]
fn initialize_negotiates_by_itself() {
    for version in ["2024-11-05", "2025-03-26", "2025-11-25", "1.0"] {
        let body = request("initialize", &format!(r#""protocolVersion":"{version}""#));
        assert_eq!(judge(&[], &body), Ok(Version::V2025_03_26), "{version}");
    }
}

#[test]
fn legacy_headers_must_not_lie() {
    let body = request("tools/call", r#""name":"refund""#);
    let version = ("mcp-protocol-version", "2025-11-25");
    assert_eq!(judge(&[version], &body), Ok(Version::V2025_11_25));
    assert_eq!(
        judge(&[version, ("mcp-method", "tools/call")], &body),
        Ok(Version::V2025_11_25)
    );
    assert_eq!(
        judge(&[version, ("mcp-method", "tools/list")], &body),
        MISMATCH
    );
    assert_eq!(
        judge(&[version, ("mcp-name", "get_order")], &body),
        MISMATCH
    );
    assert_eq!(judge(&[("mcp-name", "get_order")], &body), MISMATCH);
}

#[test]
fn modern_version_and_metadata() {
    let check = |pairs: Pairs<'_>, params: &str, expected: Result<Version, (u16, i64)>| {
        let method = ("mcp-method", "tools/list");
        let pairs: Vec<_> = pairs.iter().copied().chain([method]).collect();
        assert_eq!(
            judge(&pairs, &request("tools/list", params)),
            expected,
            "{pairs:?} {params}"
        );
    };
    let version = r#""_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}"#;
    check(&[MODERN], META, Ok(Version::V2026_07_28));
    check(&[], META, MISMATCH);
    check(&[("mcp-protocol-version", "2025-11-25")], META, MISMATCH);
    check(&[("mcp-protocol-version", "2099-01-01")], META, MISMATCH);
    check(&[MODERN], "", Err((400, -32602)));
    check(&[MODERN], version, Err((400, -32602)));
    check(&[MODERN], r#""_meta":{}"#, Err((400, -32602)));
    check(&[MODERN], r#""_meta":[]"#, Err((400, -32602)));
    let wrong = META.replace("\"2026-07-28\"", "20260728");
    check(&[MODERN], &wrong, Err((400, -32602)));
    let wrong = META.replace("{}", "null");
    check(&[MODERN], &wrong, Err((400, -32602)));
    let future = META.replace("2026-07-28", "2099-01-01");
    check(
        &[("mcp-protocol-version", "2099-01-01")],
        &future,
        Err((400, -32022)),
    );
    check(&[], &future, Err((400, -32022)));
    check(&[MODERN], &future, MISMATCH);
    let legacy = META.replace("2026-07-28", "2025-11-25");
    check(
        &[("mcp-protocol-version", "2025-11-25")],
        &legacy,
        Ok(Version::V2025_11_25),
    );
}

#[test]
fn modern_method_and_name() {
    let check = |pairs: Pairs<'_>, body: &str, accepted: bool| {
        let pairs: Vec<_> = pairs.iter().copied().chain([MODERN]).collect();
        let expected = if accepted {
            Ok(Version::V2026_07_28)
        } else {
            MISMATCH
        };
        assert_eq!(judge(&pairs, body), expected, "{pairs:?} {body}");
    };
    let list = modern("tools/list", "");
    check(&[("mcp-method", "tools/list")], &list, true);
    check(&[("mcp-method", "\ttools/list ")], &list, true);
    check(&[("mcp-method", "Tools/list")], &list, false);
    check(&[("mcp-method", "tools/list, tools/list")], &list, false);
    check(
        &[("mcp-method", "=?base64?dG9vbHMvbGlzdA==?=")],
        &list,
        false,
    );
    check(&[], &list, false);
    // Nothing to mirror.
    check(
        &[("mcp-method", "tools/list"), ("mcp-name", "whatever")],
        &list,
        true,
    );

    let named = |method: &'static str, field: &str, value: &str, header: &str, accepted: bool| {
        let body = modern(method, &format!(r#""{field}":{value}"#));
        check(
            &[("mcp-method", method), ("mcp-name", header)],
            &body,
            accepted,
        );
        check(&[("mcp-method", method)], &body, false);
    };
    named("tools/call", "name", r#""refund""#, "refund", true);
    named("tools/call", "name", r#""ref\u0075nd""#, "refund", true);
    named("tools/call", "name", r#""refund""#, " refund\t", true);
    named("tools/call", "name", r#""refund""#, "Refund", false);
    named("tools/call", "name", r#""refund""#, "", false);
    named(
        "tools/call",
        "name",
        r#""refund""#,
        "=?base64?cmVmdW5k?=",
        true,
    );
    named(
        "tools/call",
        "name",
        r#""refund""#,
        "=?base64?cmVmdW5k",
        false,
    );
    named(
        "tools/call",
        "name",
        r#""refund""#,
        "=?BASE64?cmVmdW5k?=",
        false,
    );
    named(
        "tools/call",
        "name",
        r#""refund""#,
        "=?base64?cmVmdW5k!?=",
        false,
    );
    named("tools/call", "name", r#""a""#, "=?base64?YQ==?=", true);
    named("tools/call", "name", r#""a""#, "=?base64?YQ?=", false);
    // The last bits of the group are not zero.
    named("tools/call", "name", r#""a""#, "=?base64?YR==?=", false);
    named(
        "tools/call",
        "name",
        r#""größe""#,
        "=?base64?Z3LDtsOfZQ==?=",
        true,
    );
    named("tools/call", "name", r#""größe""#, "größe", false);
    named(
        "tools/call",
        "name",
        r#""\ufffd""#,
        "=?base64?/w==?=",
        false,
    );
    named("tools/call", "name", r#"" x ""#, "=?base64?IHgg?=", true);
    named("tools/call", "name", r#"" x ""#, " x ", false);
    named(
        "tools/call",
        "name",
        r#""=?base64?YQ==?=""#,
        "=?base64?YQ==?=",
        false,
    );
    named(
        "tools/call",
        "name",
        r#""=?base64?YQ==?=""#,
        "=?base64?PT9iYXNlNjQ/WVE9PT89?=",
        true,
    );
    named("tools/call", "name", "7", "7", false);
    named("prompts/get", "name", r#""greet""#, "greet", true);
    named("resources/read", "uri", r#""file:///a""#, "file:///a", true);
    // Without the parameter the header mirrors nothing; without both, the parameters are refused later.
    let other = modern("resources/read", r#""name":"file:///a""#);
    check(
        &[("mcp-method", "resources/read"), ("mcp-name", "file:///a")],
        &other,
        false,
    );
    check(&[("mcp-method", "resources/read")], &other, true);
    named("tasks/get", "taskId", r#""t1""#, "t1", true);
    named("tasks/update", "taskId", r#""t1""#, "t2", false);
    named("tasks/cancel", "taskId", r#""t1""#, "t1", true);
}

#[test]
fn long_values_are_not_decoded() {
    let name = "a".repeat(9000);
    let body = modern("tools/call", &format!(r#""name":"{name}""#));
    let pairs = [MODERN, ("mcp-method", "tools/call"), ("mcp-name", &name)];
    assert_eq!(judge(&pairs, &body), MISMATCH);
}

#[test]
fn notifications_and_responses() {
    let notification = r#"{"jsonrpc":"2.0","method":"notifications/cancelled"}"#;
    let response = r#"{"jsonrpc":"2.0","id":1,"result":{}}"#;
    let legacy = ("mcp-protocol-version", "2025-11-25");
    assert_eq!(judge(&[legacy], notification), Ok(Version::V2025_11_25));
    assert_eq!(judge(&[legacy], response), Ok(Version::V2025_11_25));
    assert_eq!(judge(&[MODERN], notification), Ok(Version::V2026_07_28));
    assert_eq!(
        judge(&[MODERN, ("mcp-method", "tools/call")], notification),
        MISMATCH
    );
    assert_eq!(
        judge(&[legacy, ("mcp-method", "tools/call")], response),
        MISMATCH
    );
    assert_eq!(judge(&[MODERN], response), Err((400, -32600)));
}

#[test]
fn unsupported_versions_name_the_supported_ones() {
    let headers = RequestHeaders {
        protocol_version: Some(b"2099-01-01"),
        ..RequestHeaders::default()
    };
    let error = protocol_of_headers(&headers).unwrap_err();
    let expected = serde_json::json!({
        "supported": ["2025-03-26", "2025-06-18", "2025-11-25", "2026-07-28"],
        "requested": "2099-01-01",
    });
    assert_eq!(error.data(), Some(expected));
    let nothing = protocol_of_headers(&RequestHeaders::default()).unwrap();
    assert_eq!(
        (nothing.era, nothing.version),
        (Era::Legacy, Version::V2025_03_26)
    );
}
