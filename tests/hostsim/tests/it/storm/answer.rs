//! Answers of the upstream, honest and not.

use gatehold_hostsim::fixture;
use serde_json::{Value, json};

use super::dice::Dice;

/// A tool and the beginning of a resource that no policy here shows to anybody, and that no request names.
pub(crate) const HIDDEN: [&str; 2] = ["drop_hidden", "secret://hidden"];

/// Stands in bodies of kinds that cannot be judged.
pub(crate) const UNJUDGED: &str = "UNJUDGED";

/// One answer.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) trailers: bool,
}

impl Answer {
    /// Any answer to a request with the id 7.
    pub(crate) fn any(dice: &mut Dice) -> Self {
        let (kind, body) = match dice.below(12) {
            0 => ("text/html", format!("<b>{UNJUDGED}</b>").into_bytes()),
            1 => (
                "application/octet-stream",
                [UNJUDGED.as_bytes(), &[0, 255]].concat(),
            ),
            2 => ("application/json", spoiled(dice)),
            3..=5 => ("text/event-stream", events(dice)),
            6 => ("application/json", Vec::new()),
            _ => ("application/json", message(dice).to_string().into_bytes()),
        };
        let status = match dice.below(12) {
            0 => "202",
            1 => "404",
            2 => "500",
            3 => "101",
            _ => "200",
        };
        let mut headers = vec![
            (":status", status.to_owned()),
            ("content-type", kind.to_owned()),
        ];
        if dice.percent(30) {
            headers.push(("content-length", body.len().to_string()));
        }
        if dice.percent(10) {
            headers.push(("www-authenticate", "Bearer realm=\"upstream\"".to_owned()));
        }
        if dice.percent(10) {
            headers.push(("mcp-session-id", "upstream-session".to_owned()));
        }
        if dice.percent(4) {
            headers.push(("content-encoding", "gzip".to_owned()));
        }
        let trailers = dice.percent(10) && !body.is_empty();
        Self {
            headers,
            body,
            trailers,
        }
    }

    pub(crate) fn borrowed(&self) -> Vec<(&str, &str)> {
        self.headers
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect()
    }
}

fn message(dice: &mut Dice) -> Value {
    let tool = |name: &str| json!({ "name": name, "inputSchema": { "type": "object" } });
    let resource = |uri: &str| json!({ "uri": uri, "name": "a resource" });
    let [hidden, secret] = HIDDEN;
    let id = if dice.percent(85) {
        json!(7)
    } else {
        json!(dice.below(9))
    };
    let result = match dice.below(8) {
        0..=2 => {
            json!({ "tools": [tool("get_user"), tool(hidden), tool("refund")], "nextCursor": "1" })
        }
        3 => json!({ "resources": [resource("docs://a"), resource(secret)] }),
        4 => json!({ "resourceTemplates": [{ "uriTemplate": secret, "name": "x" }] }),
        5 => json!({ "tools": [tool(hidden)], "resources": [resource(secret)], "content": [] }),
        6 => {
            return json!({ "jsonrpc": "2.0", "id": id, "error": { "code": -32000, "message": "no" } });
        }
        _ => json!({ "content": [{ "type": "text", "text": "done" }] }),
    };
    let single = json!({ "jsonrpc": "2.0", "id": id, "result": result });
    if dice.percent(6) {
        json!([single, single])
    } else {
        single
    }
}

/// Lists that two readers read differently, and what is no JSON.
fn spoiled(dice: &mut Dice) -> Vec<u8> {
    let list = |key: &str| format!("\"{key}\":[{{\"name\":\"{}\"}}]", HIDDEN[0]);
    let text = match dice.below(6) {
        0 => format!("{{\"id\":7,\"result\":{{\"tools\":[],{}}}}}", list("tools")),
        1 => format!("{{\"id\":7,\"result\":{{\"tools\":[],{}}}}}", list("Tools")),
        2 => format!(
            "{{\"id\":7,\"result\":{{}},\"result\":{{{}}}}}",
            list("tools")
        ),
        3 => format!("{{\"id\":7,\"result\":{{{}}}", list("tools")),
        4 => format!("\u{feff}{{\"id\":7,\"result\":{{{}}}}}", list("tools")),
        _ => format!("{{\"id\":7,\"result\":{{{}}}}} {{}}", list("t\\u006fols")),
    };
    text.into_bytes()
}

fn events(dice: &mut Dice) -> Vec<u8> {
    let mut stream = Vec::new();
    for _ in 0..dice.below(5) {
        match dice.below(6) {
            0 => stream.extend_from_slice(b": ping\n\n"),
            1 => stream.extend_from_slice(b"id: 3\r\ndata\r\n\r\n"),
            2 => stream.extend(fixture::event(&spoiled(dice))),
            3 => stream.extend_from_slice(&vec![b'x'; dice.below(6000)]),
            _ => stream.extend(fixture::event(message(dice).to_string().as_bytes())),
        }
    }
    stream
}
