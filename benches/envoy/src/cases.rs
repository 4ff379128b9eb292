//! What is sent and answered in each case.

use serde_json::{Value, json};

use crate::content;
use crate::http1::ANSWER_HEADER;
use crate::policy::{self, Rules};

/// The protocol version of the earlier era, in which most cases are.
const LEGACY: &str = "2025-11-25";
/// The protocol version of the later era.
const MODERN: &str = "2026-07-28";

/// One kind of traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Case {
    /// Its name, as in the results.
    pub name: &'static str,
    /// What it is, for the report.
    pub about: &'static str,
    /// Bytes of a call's arguments; a list if absent.
    arguments: Option<usize>,
    answer: &'static str,
    version: &'static str,
    /// Whether every request has a token that was never seen.
    pub cold: bool,
    /// Whether it is about the size of the policy, and which; such cases go to the filter only.
    pub rules: Option<Rules>,
}

const CALL: Case = Case {
    name: "call-2k",
    about: "a call with 2 KB of arguments and a short result",
    arguments: Some(2048),
    answer: "small",
    version: LEGACY,
    cold: false,
    rules: None,
};

/// Every case.
pub const CASES: &[Case] = &[
    Case {
        name: "call-0k5",
        about: "a call with 0.5 KB of arguments",
        arguments: Some(512),
        ..CALL
    },
    CALL,
    Case {
        name: "call-100k",
        about: "a call with 100 KB of arguments",
        arguments: Some(102_400),
        ..CALL
    },
    Case {
        name: "call-2k-modern",
        about: "call-2k as a client of 2026-07-28 sends it",
        answer: "small-modern",
        version: MODERN,
        ..CALL
    },
    Case {
        name: "result-2k",
        about: "a result of 2 KB",
        arguments: Some(512),
        answer: "result-2k",
        ..CALL
    },
    Case {
        name: "both-2k",
        about: "a call with 2 KB of arguments and a result of 2 KB",
        arguments: Some(2048),
        answer: "result-2k",
        ..CALL
    },
    Case {
        name: "result-10k",
        about: "a result of 10 KB",
        arguments: Some(512),
        answer: "result-10k",
        ..CALL
    },
    Case {
        name: "result-100k",
        about: "a result of 100 KB",
        arguments: Some(512),
        answer: "result-100k",
        ..CALL
    },
    Case {
        name: "sse-1000",
        about: "a result after 999 events of progress",
        arguments: Some(512),
        answer: "sse-1000",
        ..CALL
    },
    Case {
        name: "list-10",
        about: "a list of 10 tools",
        arguments: None,
        answer: "list-10",
        ..CALL
    },
    Case {
        name: "list-500",
        about: "a list of 500 tools",
        arguments: None,
        answer: "list-500",
        ..CALL
    },
    Case {
        name: "cold-token",
        about: "call-2k, each with a token never seen before",
        cold: true,
        ..CALL
    },
    Case {
        name: "rules-10",
        about: "call-2k of 6 tools in turn, under 10 rules",
        rules: Some(Rules::Few),
        ..CALL
    },
    Case {
        name: "rules-10000",
        about: "call-2k of 1,000 tools in turn, under 10,000 rules",
        rules: Some(Rules::Many),
        ..CALL
    },
];

impl Case {
    /// The case of this name.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        CASES.iter().copied().find(|case| case.name == name)
    }

    /// The tools that are called in turn; nothing for a list.
    #[must_use]
    pub fn tools(&self) -> Vec<String> {
        match (self.arguments, self.rules) {
            (None, _) => Vec::new(),
            (Some(_), None) => vec![policy::ALLOWED.to_owned()],
            (Some(_), Some(rules)) => rules.called(),
        }
    }

    /// A request of it as it goes over the wire. `tool` counts where it is a call.
    #[must_use]
    pub fn request(&self, way: &Way, tool: &str, token: &str, session: Option<&str>) -> Vec<u8> {
        let tool = &format!("{}{tool}", way.prefix);
        let (method, mut params) = match self.arguments {
            Some(bytes) => (
                "tools/call",
                json!({ "name": tool, "arguments": content::arguments(bytes) }),
            ),
            None => ("tools/list", json!({})),
        };
        let mut meta = serde_json::Map::new();
        if self.answer == "sse-1000" {
            meta.insert("progressToken".to_owned(), json!(1));
        }
        let mut headers = vec![
            ("mcp-protocol-version", self.version.to_owned()),
            (ANSWER_HEADER, self.answer.to_owned()),
        ];
        if self.version == MODERN {
            meta.insert(
                "io.modelcontextprotocol/protocolVersion".to_owned(),
                json!(MODERN),
            );
            meta.insert(
                "io.modelcontextprotocol/clientCapabilities".to_owned(),
                json!({}),
            );
            headers.push(("mcp-method", method.to_owned()));
            if self.arguments.is_some() {
                headers.push(("mcp-name", tool.to_owned()));
            }
        } else if let Some(session) = session {
            headers.push(("mcp-session-id", session.to_owned()));
        }
        if let (false, Some(params)) = (meta.is_empty(), params.as_object_mut()) {
            params.insert("_meta".to_owned(), Value::Object(meta));
        }
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        post(way, token, &headers, &body)
    }
}

/// How a server is reached: through Envoy all variants are alike, other gateways have their own ways.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Way {
    /// The path of the endpoint.
    pub path: &'static str,
    /// What stands before the names of tools.
    pub prefix: &'static str,
    /// A header that names the caller instead of a token.
    pub principal: Option<&'static str>,
}

impl Way {
    /// Through Envoy.
    pub const ENVOY: Self = Self {
        path: policy::PATH,
        prefix: "",
        principal: None,
    };
}

/// The start of a session.
#[must_use]
pub fn initialize(way: &Way, token: &str) -> Vec<u8> {
    let params = json!({ "protocolVersion": LEGACY, "capabilities": {}, "clientInfo": { "name": "bench", "version": "1" } });
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params });
    post(way, token, &[], &body)
}

/// What a client says when its session has begun.
#[must_use]
pub fn initialized(way: &Way, token: &str, session: &str) -> Vec<u8> {
    let body = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
    let headers = [
        ("mcp-session-id", session.to_owned()),
        ("mcp-protocol-version", LEGACY.to_owned()),
    ];
    post(way, token, &headers, &body)
}

/// A GET of a path.
#[must_use]
pub fn get(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n").into_bytes()
}

fn post(way: &Way, token: &str, headers: &[(&str, String)], body: &Value) -> Vec<u8> {
    let body = body.to_string();
    let caller = match way.principal {
        Some(header) => format!("{header}: alice"),
        None => format!("authorization: Bearer {token}"),
    };
    let mut text = format!(
        "POST {} HTTP/1.1\r\nhost: 127.0.0.1\r\nuser-agent: bench\r\ncontent-type: application/json\r\n\
         accept: application/json, text/event-stream\r\n{caller}\r\n",
        way.path
    );
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str(&format!("content-length: {}\r\n\r\n{body}", body.len()));
    text.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http1::{Reader, Side};

    #[test]
    fn every_case_makes_whole_requests() {
        for case in CASES {
            let request = case.request(&Way::ENVOY, "a_tool", "a.b.c", Some("s"));
            let mut reader = Reader::new(Side::Requests, true);
            assert_eq!(reader.feed(&request), Ok(request.len()), "{}", case.name);
            assert!(reader.is_done());
            assert_eq!(
                reader.head().answer.as_deref(),
                Some(case.answer.as_bytes())
            );
            let body: Value = serde_json::from_slice(reader.body()).unwrap();
            assert_eq!(
                body["params"].get("name").is_some(),
                case.arguments.is_some()
            );
            assert_eq!(reader.head().session.is_some(), case.version == LEGACY);
        }
    }

    #[test]
    fn names_are_told_apart() {
        for case in CASES {
            assert_eq!(Case::of(case.name), Some(*case));
        }
        assert_eq!(Case::of("call"), None);
    }
}
