//! What the upstream answers: rendered before the start, chosen by a header. Only for clients that send no such header
//! (the start of a session, other gateways) a request is read.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::content;
use crate::http1::Head;

/// The session that the upstream gives away.
pub const SESSION: &str = "bench-session-0001";

/// Every answer.
#[derive(Clone, Debug, Default)]
pub struct Answers {
    rendered: HashMap<Vec<u8>, Arc<[u8]>>,
}

impl Answers {
    /// Renders them all.
    #[must_use]
    pub fn render() -> Self {
        let mut answers = Self::default();
        let kilobytes = |count: usize| count.saturating_mul(1024);
        answers.add("small", json(&reply(&json!(1), small())));
        let mut modern = small();
        if let Some(result) = modern.as_object_mut() {
            result.insert("resultType".to_owned(), json!("complete"));
        }
        answers.add("small-modern", json(&reply(&json!(1), modern)));
        for count in [2, 10, 100] {
            let result = content::result(kilobytes(count));
            answers.add(&format!("result-{count}k"), json(&reply(&json!(1), result)));
        }
        for count in [10, 500] {
            let result = json!({ "tools": content::tools(count) });
            answers.add(&format!("list-{count}"), json(&reply(&json!(1), result)));
        }
        answers.add("sse-1000", stream(1000));
        answers
    }

    fn add(&mut self, name: &str, answer: Vec<u8>) {
        self.rendered
            .insert(name.as_bytes().to_vec(), answer.into());
    }

    /// The answer to a request with this head, and this body if the head does not name the answer.
    #[must_use]
    pub fn answer(&self, head: &Head, body: &[u8]) -> Arc<[u8]> {
        let named = head
            .answer
            .as_ref()
            .and_then(|name| self.rendered.get(name));
        named.cloned().unwrap_or_else(|| read(head, body).into())
    }
}

/// A short result.
fn small() -> Value {
    json!({
        "content": [{ "type": "text", "text": "2 orders found" }],
        "structuredContent": { "orders": content::records(300) }, "isError": false,
    })
}

fn reply(id: &Value, result: Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "result": result })
}

fn json(body: &Value) -> Vec<u8> {
    http("200 OK", "", &body.to_string())
}

fn http(status: &str, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\ncontent-type: application/json\r\n{headers}content-length: {length}\r\n\r\n{body}")
        .into_bytes()
}

/// An event stream whose last event is the result, each event a chunk of its own.
fn stream(events: u32) -> Vec<u8> {
    let mut text =
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
            .to_owned();
    for number in 1..=events {
        let message = if number < events {
            let message = format!("{number} of {events} orders read; {}", content::prose(60));
            json!({
                "jsonrpc": "2.0", "method": "notifications/progress",
                "params": { "progressToken": 1, "progress": number, "total": events, "message": message },
            })
        } else {
            reply(&json!(1), small())
        };
        let event = format!("event: message\ndata: {message}\n\n");
        text.push_str(&format!("{:x}\r\n{event}\r\n", event.len()));
    }
    text.push_str("0\r\n\r\n");
    text.into_bytes()
}

/// The answer to a request that has to be read.
fn read(head: &Head, body: &[u8]) -> Vec<u8> {
    let request: Value = serde_json::from_slice(body).unwrap_or_default();
    let id = request.get("id").cloned().unwrap_or_default();
    let method = request
        .get("method")
        .and_then(Value::as_str)
        .unwrap_or_default();
    match (head.method.as_str(), method) {
        ("GET" | "DELETE", _) => http("405 Method Not Allowed", "", ""),
        (_, "initialize") => {
            let version = request
                .pointer("/params/protocolVersion")
                .cloned()
                .unwrap_or_default();
            let result = json!({
                "protocolVersion": version, "capabilities": { "tools": {} },
                "serverInfo": { "name": "bench", "version": "1" },
            });
            http(
                "200 OK",
                &format!("mcp-session-id: {SESSION}\r\n"),
                &reply(&id, result).to_string(),
            )
        }
        (_, "tools/list") => json(&reply(&id, json!({ "tools": offered() }))),
        (_, "tools/call") => json(&reply(&id, small())),
        (_, "ping") => json(&reply(&id, json!({}))),
        _ if id.is_null() => b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n".to_vec(),
        _ => json(
            &json!({ "jsonrpc": "2.0", "id": id, "error": { "code": -32601, "message": "Method not found" } }),
        ),
    }
}

/// The tools of those who ask before they call.
fn offered() -> Vec<Value> {
    let tool = |name: &str| json!({ "name": name, "description": content::prose(100), "inputSchema": { "type": "object" } });
    vec![tool(crate::policy::ALLOWED), tool(crate::policy::DENIED)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http1::{Reader, Side};

    fn body(answer: &[u8]) -> String {
        let mut reader = Reader::new(Side::Responses, true);
        assert_eq!(reader.feed(answer), Ok(answer.len()));
        assert!(reader.is_done());
        String::from_utf8(reader.body().to_vec()).unwrap()
    }

    #[test]
    fn every_rendered_answer_is_whole() {
        let answers = Answers::render();
        for (name, answer) in &answers.rendered {
            let text = body(answer);
            if name == b"sse-1000" {
                assert_eq!(text.matches("\n\n").count(), 1000);
            } else {
                let reply: Value = serde_json::from_str(&text).unwrap();
                assert!(reply["result"].is_object(), "{text}");
            }
        }
    }

    #[test]
    fn requests_without_a_name_are_read() {
        let answers = Answers::default();
        let post = Head {
            method: "POST".to_owned(),
            ..Head::default()
        };
        for (request, expected) in [
            (json!({ "id": 7, "method": "tools/call" }), "2 orders found"),
            (
                json!({ "id": "a", "method": "tools/list" }),
                crate::policy::ALLOWED,
            ),
            (json!({ "id": 7, "method": "x" }), "-32601"),
            (
                json!({ "id": 7, "method": "initialize", "params": { "protocolVersion": "2025-11-25" } }),
                "2025-11-25",
            ),
        ] {
            let text = body(&answers.answer(&post, request.to_string().as_bytes()));
            assert!(text.contains(expected), "{text}");
            assert!(text.contains(&request["id"].to_string()), "{text}");
        }
        let notice = json!({ "method": "notifications/initialized" }).to_string();
        assert!(
            answers
                .answer(&post, notice.as_bytes())
                .starts_with(b"HTTP/1.1 202")
        );
        let get = Head {
            method: "GET".to_owned(),
            ..Head::default()
        };
        assert!(answers.answer(&get, b"").starts_with(b"HTTP/1.1 405"));
    }
}
