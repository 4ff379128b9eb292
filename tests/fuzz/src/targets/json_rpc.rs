//! One message of a client.

use gatehold_mcp::{
    Id, Limits, MAX_BATCH, Map, Message, Operation, ParseError, Protocol, Rejection,
    RequestHeaders, Version, canonical, operation, parse, parse_batch, parse_deferred, protocol,
    reply,
};
use serde_json::Value;

/// The input is the body of a POST.
pub fn json_rpc(data: &[u8]) {
    let limits = Limits::default();
    let read = parse(data, &limits);
    assert_eq!(
        read,
        deferred(data, &limits),
        "read with deferred arguments, read differently"
    );
    match &read {
        Ok(message) => accepted(data, message),
        Err(error) => refused(error),
    }
    let batch = parse_batch(data, &limits);
    assert_eq!(
        batch,
        parse_batch(data, &limits),
        "read twice, read differently"
    );
    match &batch {
        Ok(messages) => accepted_batch(data, messages),
        Err(error) => refused(error),
    }
    assert!(
        read.is_err() || batch.is_err(),
        "one message and a batch of them"
    );
}

/// What is read if arguments are built later.
fn deferred(data: &[u8], limits: &Limits) -> Result<Message, ParseError> {
    let (mut message, arguments) = parse_deferred(data, limits)?;
    if let (Message::Request(request), Some(arguments)) = (&mut message, arguments) {
        let built = arguments.get().expect("what was read can be built");
        let params = request.params.as_mut().expect("arguments are parameters");
        let place = params.insert("arguments".to_owned(), Value::Object(built.clone()));
        assert_eq!(place, Some(Value::Object(Map::new())));
    }
    Ok(message)
}

/// Each element is what it is alone, and none is lost.
fn accepted_batch(data: &[u8], messages: &[Message]) {
    let elements: Vec<Value> = serde_json::from_slice(data).expect("a batch is an array");
    assert_eq!(elements.len(), messages.len(), "messages were lost");
    assert!((1..=MAX_BATCH).contains(&messages.len()));
    for (element, message) in elements.iter().zip(messages) {
        accepted(element.to_string().as_bytes(), message);
    }
}

fn accepted(data: &[u8], message: &Message) {
    let standard: Value = serde_json::from_slice(data).expect("what is accepted is JSON");
    let id = standard.get("id").cloned();
    assert_eq!(
        message.method(),
        standard.get("method").and_then(Value::as_str)
    );
    assert_eq!(
        message.params(),
        standard.get("params").and_then(Value::as_object)
    );
    match message {
        Message::Request(request) => {
            assert_eq!(id.and_then(Id::from_value).as_ref(), Some(&request.id));
            for version in Version::ALL {
                wants(request, version.into());
            }
        }
        Message::Notification(_) => assert_eq!(id, None),
        Message::Response(response) => {
            assert_eq!(id.and_then(Id::from_value), response.id);
            assert_eq!(response.is_error, standard.get("error").is_some());
        }
    }
    for version in [
        None,
        Some("2025-03-26"),
        Some("2026-07-28"),
        Some("2024-11-05"),
        Some("x\u{e9}"),
    ] {
        let headers = RequestHeaders {
            protocol_version: version.map(str::as_bytes),
            ..RequestHeaders::default()
        };
        if let Err(error) = protocol(&headers, message) {
            refused(&error);
        }
    }
}

fn wants(request: &gatehold_mcp::Request, protocol: Protocol) {
    match operation(request, protocol.era) {
        Err(error) => refused(&error),
        Ok(Operation::CallTool { arguments, .. } | Operation::GetPrompt { arguments, .. }) => {
            let text = canonical(arguments);
            let again = serde_json::from_str(&text).expect("canonical arguments are JSON");
            assert_eq!(
                canonical(&again),
                text,
                "another spelling of canonical arguments"
            );
        }
        Ok(_) => {}
    }
}

/// A refusal can be told to the client.
fn refused(error: &impl Rejection) {
    assert!((400..600).contains(&error.status()));
    let body = reply::rejection_body(error, None);
    let body: Value = serde_json::from_slice(&body).expect("an answer of ours is JSON");
    assert_eq!(body["error"]["code"], error.code());
}
