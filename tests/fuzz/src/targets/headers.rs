//! Headers of a POST, and whether they agree with its body.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gatehold_mcp::{Era, Limits, Message, RequestHeaders, parse, protocol, protocol_of_headers};

/// The input is lines of headers (`name: value`), an empty line, and a body. A body alone stands for one of a
/// POST with headers that fit it.
pub fn headers(data: &[u8]) {
    let (pairs, body) = split(data);
    let read = RequestHeaders::from_pairs(pairs.iter().copied());
    let Ok(headers) = read else {
        return;
    };
    let _ = headers.check_post();
    if let Ok(protocol) = protocol_of_headers(&headers) {
        let stated = one(&pairs, "mcp-protocol-version").unwrap_or(b"2025-03-26");
        assert_eq!(protocol.version.as_str().as_bytes(), stated.trim_ascii());
    }
    let Ok(message) = parse(body, &Limits::default()) else {
        return;
    };
    if let Ok(agreed) = protocol(&headers, &message) {
        agree(&pairs, &message, agreed.era);
    }
}

/// What was accepted says the same in headers and body, to whoever reads only one of them.
fn agree(pairs: &[(&[u8], &[u8])], message: &Message, era: Era) {
    let method = one(pairs, "mcp-method");
    if let Some(method) = method {
        assert_eq!(
            Some(method),
            message.method().map(str::as_bytes),
            "another method"
        );
    }
    let modern_request = era == Era::Modern && matches!(message, Message::Request(_));
    assert!(!modern_request || method.is_some(), "no method");
    let member = match message.method() {
        Some("tools/call" | "prompts/get") => "name",
        Some("resources/read") => "uri",
        Some("tasks/get" | "tasks/update" | "tasks/cancel") => "taskId",
        _ => return,
    };
    let stated = message.params().and_then(|params| params.get(member));
    let Some(header) = one(pairs, "mcp-name") else {
        assert!(era == Era::Legacy || stated.is_none(), "no name");
        return;
    };
    let encoded = header
        .strip_prefix(b"=?base64?")
        .and_then(|rest| rest.strip_suffix(b"?="));
    let name = encoded.map_or(header.to_vec(), |it| STANDARD.decode(it).expect("base64"));
    assert_eq!(
        Some(name.as_slice()),
        stated.and_then(|it| it.as_str()).map(str::as_bytes),
        "another name"
    );
}

/// The value of a header that decides, which is there at most once.
fn one<'v>(pairs: &[(&[u8], &'v [u8])], name: &str) -> Option<&'v [u8]> {
    let mut values = pairs
        .iter()
        .filter(|(key, _)| key.eq_ignore_ascii_case(name.as_bytes()))
        .map(|(_, value)| value.trim_ascii());
    let value = values.next();
    assert_eq!(values.next(), None, "`{name}` twice");
    value
}

type Pairs<'d> = Vec<(&'d [u8], &'d [u8])>;

fn split(data: &[u8]) -> (Pairs<'_>, &[u8]) {
    if data.first().is_none_or(|first| b"{[\"".contains(first)) {
        return (vec![(b"content-type", b"application/json")], data);
    }
    let (head, body) = data
        .windows(2)
        .position(|pair| pair == b"\n\n")
        .map_or((data, &data[data.len()..]), |at| {
            (&data[..at], &data[at + 2..])
        });
    let pairs = head.split(|byte| *byte == b'\n').map(|line| {
        // From the second byte on, for names like `:path`.
        let colon = line.iter().skip(1).position(|byte| *byte == b':');
        match colon {
            Some(at) => (&line[..=at], &line[at + 2..]),
            None => (line, &line[line.len()..]),
        }
    });
    (pairs.collect(), body)
}
