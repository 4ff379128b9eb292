//! Requests of all kinds, with what policy says to them by a reading of their own.

use gatehold_hostsim::fixture;
use serde_json::{Value, json};

use super::dice::Dice;

/// One request.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) trailers: Option<Vec<(&'static str, &'static str)>>,
    /// Nothing in headers or trailers has it refused.
    pub(crate) sound: bool,
    /// Its body is one message as it should be.
    pub(crate) plain: bool,
}

/// Which of the policies is in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Policy {
    /// That of the fixture.
    Open,
    /// The same without `get_*`.
    Narrow,
}

const VERSIONS: [&str; 4] = ["", "2025-03-26", "2025-06-18", "2025-11-25"];

/// What a request may carry beside what it needs, none of which has it refused.
const HARMLESS: [(&str, &str); 5] = [
    ("accept-encoding", "gzip, br"),
    ("x-gatehold-user", "root"),
    (
        "traceparent",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    ),
    ("x-envoy-retry-on", "5xx"),
    ("user-agent", "storm"),
];

/// What has any request refused; the last ones only a POST.
const HARMFUL: [(&str, &str); 7] = [
    ("upgrade", "websocket"),
    ("mcp-protocol-version", "1999-01-01"),
    ("mcp-session-id", "forged.session"),
    ("authorization", "Bearer another.to.ken"),
    ("content-encoding", "gzip"),
    ("content-type", "text/plain"),
    ("mcp-method", "prompts/list-of-another-kind"),
];

impl Request {
    /// Any request.
    pub(crate) fn any(dice: &mut Dice) -> Self {
        let verb = if dice.percent(88) {
            "POST"
        } else {
            dice.pick(&["GET", "DELETE", "PUT"])
        };
        let version = VERSIONS[dice.below(VERSIONS.len())];
        let (body, plain) = if verb == "POST" {
            body(dice)
        } else {
            (Vec::new(), false)
        };
        let token = match dice.below(20) {
            0 => String::new(),
            1 => "Bearer x".to_owned(),
            _ => fixture::token(&["support"]),
        };
        let mut sound = token.len() > 20 && verb != "PUT";
        let mut headers: Vec<(String, String)> = fixture::headers(&token)
            .into_iter()
            .filter(|(name, _)| *name != "mcp-protocol-version")
            .filter(|(name, _)| verb == "POST" || *name != "content-type")
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        verb.clone_into(&mut headers[0].1);
        let mut add =
            |(name, value): (&str, &str)| headers.push((name.to_owned(), value.to_owned()));
        if !version.is_empty() {
            add(("mcp-protocol-version", version));
        }
        if dice.percent(30) {
            add(HARMLESS[dice.below(HARMLESS.len())]);
        }
        if dice.percent(8) {
            sound = false;
            let harmful = if verb == "POST" {
                &HARMFUL[..]
            } else {
                &HARMFUL[..4]
            };
            add(harmful[dice.below(harmful.len())]);
        }
        if dice.percent(4) {
            sound = false;
            headers[2].1 = dice.pick(&["/other", "/crm/mcp/x", "/"]).into();
        }
        // Without a body there is nothing that trailers could follow.
        let trailers = (!body.is_empty() && dice.percent(20)).then(|| match dice.below(4) {
            0 => {
                sound = false;
                vec![("mcp-session-id", "x")]
            }
            1 => Vec::new(),
            _ => vec![("x-sum", "1")],
        });
        Self {
            headers,
            body,
            trailers,
            sound,
            plain,
        }
    }

    fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }

    /// Whether policy lets it go on: by a plain reading of the body, and rules written down once more.
    pub(crate) fn is_allowed(&self, policy: Policy) -> bool {
        match self.header(":method") {
            Some("GET" | "DELETE") => return self.body.is_empty(),
            Some("POST") => {}
            _ => return false,
        }
        match serde_json::from_slice(&self.body) {
            Ok(Value::Array(messages)) => {
                let batches = matches!(
                    self.header("mcp-protocol-version"),
                    None | Some("2025-03-26")
                );
                batches && !messages.is_empty() && messages.iter().all(|it| allows(policy, it))
            }
            Ok(message) => allows(policy, &message),
            Err(_) => false,
        }
    }

    pub(crate) fn borrowed(&self) -> Vec<(&str, &str)> {
        let pairs = self.headers.iter();
        pairs
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect()
    }
}

/// The fixture's rules for `support`.
fn allows(policy: Policy, message: &Value) -> bool {
    let Some(method) = message["method"].as_str() else {
        // A response to the server needs a session, and none of these has one.
        return false;
    };
    let params = &message["params"];
    let name = params["name"].as_str().unwrap_or_default();
    let document = |uri: &Value| uri.as_str().is_some_and(|uri| uri.starts_with("docs://"));
    match method {
        "tools/call" if name.starts_with("get_") => policy == Policy::Open,
        "tools/call" if name == "refund" => params["arguments"]["amount"]
            .as_f64()
            .is_some_and(|it| it <= 100.0),
        "prompts/get" => name == "greet",
        "resources/read" | "resources/subscribe" => document(&params["uri"]),
        "completion/complete" => {
            params["ref"]["name"] == "greet" || document(&params["ref"]["uri"])
        }
        "tools/list" | "prompts/list" | "resources/list" | "resources/templates/list" => true,
        "initialize" | "ping" | "notifications/initialized" => true,
        // What is cancelled belongs to a session, and none of these does.
        "notifications/cancelled" => false,
        // Whether the gateway answers it by itself or the server does, it asks for nothing.
        "logging/setLevel" => true,
        _ => false,
    }
}

/// A body of a POST, and whether it is one message as it should be.
fn body(dice: &mut Dice) -> (Vec<u8>, bool) {
    match dice.below(20) {
        0 => (batch(dice), false),
        1 => (spoiled(dice), false),
        2 => (
            vec![b' '; fixture::REQUEST_BYTES + 1 + dice.below(100)],
            false,
        ),
        3 => (Vec::new(), false),
        _ => (message(dice, json!(7)).to_string().into_bytes(), true),
    }
}

fn batch(dice: &mut Dice) -> Vec<u8> {
    let count = dice.below(5);
    let messages: Vec<Value> = (0..count).map(|at| message(dice, json!(at))).collect();
    Value::from(messages).to_string().into_bytes()
}

/// A message with something wrong in its bytes, or not.
fn spoiled(dice: &mut Dice) -> Vec<u8> {
    let mut bytes = message(dice, json!(7)).to_string().into_bytes();
    for _ in 0..=dice.below(3) {
        let at = dice.below(bytes.len());
        match dice.below(4) {
            0 => bytes.truncate(at.max(1)),
            1 => bytes[at] = u8::try_from(dice.below(256)).expect("a byte"),
            2 => {
                let extra = dice.pick(&[
                    "\"id\":1,",
                    "\"method\":\"ping\",",
                    "\"Method\":\"a\",",
                    "{",
                    "\\u0000",
                    "\u{feff}",
                ]);
                bytes.splice(at..at, extra.bytes());
            }
            _ => bytes.extend_from_slice(b"{}"),
        }
    }
    bytes
}

fn message(dice: &mut Dice, id: Value) -> Value {
    let call = |name: &str, arguments: Value| {
        (
            "tools/call",
            json!({ "name": name, "arguments": arguments }),
        )
    };
    let amount = [1, 100, 101, 500, 1000, 1001][dice.below(6)];
    let (method, params) = match dice.below(28) {
        0..=2 | 23..=25 => call("get_user", json!({ "id": dice.below(1000) })),
        4 => call("get_account", Value::Null),
        5..=7 => call("refund", json!({ "amount": amount })),
        8 => call("refund", json!({ "amount": "100" })),
        9 => call("drop_all", json!({})),
        10 => call(
            "unheard_of",
            json!({ "text": "x".repeat(dice.below(2000)) }),
        ),
        11 => (
            "resources/read",
            json!({ "uri": dice.pick(&["docs://a", "docs://b/c", "file:///etc/passwd"]) }),
        ),
        12 => (
            "resources/subscribe",
            json!({ "uri": dice.pick(&["docs://a", "secret://x"]) }),
        ),
        13 => (
            "prompts/get",
            json!({ "name": dice.pick(&["greet", "other"]) }),
        ),
        14 => (
            "completion/complete",
            json!({
                "ref": { "type": "ref/prompt", "name": dice.pick(&["greet", "other"]) },
                "argument": { "name": "who", "value": "a" },
            }),
        ),
        15 => (
            "initialize",
            json!({
                "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": { "name": "c", "version": "1" },
            }),
        ),
        16 => (
            dice.pick(&[
                "admin/everything",
                "tasks/list",
                "sampling/createMessage",
                "",
            ]),
            json!({}),
        ),
        17 => return notification(dice),
        18 => return json!({ "jsonrpc": "2.0", "id": id, "result": {} }),
        _ => (
            dice.pick(&[
                "tools/list",
                "prompts/list",
                "resources/list",
                "resources/templates/list",
                "ping",
            ]),
            json!({}),
        ),
    };
    json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params })
}

fn notification(dice: &mut Dice) -> Value {
    let method = dice.pick(&[
        "notifications/initialized",
        "notifications/cancelled",
        "notifications/unheard_of",
    ]);
    json!({ "jsonrpc": "2.0", "method": method, "params": { "requestId": 1 } })
}
