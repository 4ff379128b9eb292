//! One JSON-RPC message, read strictly.

use crate::json::{self, Fault};
use crate::limits::Limits;
use crate::rejection::Rejection;
use crate::reply::code;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Number, Value};

/// The id of a request; echoed with its type, never null.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(untagged)]
pub enum Id {
    /// An integer of 64 bits.
    Integer(Number),
    /// A string, possibly empty.
    String(String),
}

/// One message from a client.
#[derive(Clone, Debug, PartialEq)]
pub enum Message {
    /// Wants an answer.
    Request(Request),
    /// Wants none.
    Notification(Notification),
    /// Answers a request of the server (legacy only).
    Response(Response),
}

/// A JSON-RPC request. Its method never starts with `notifications/`.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// To be echoed.
    pub id: Id,
    /// For example `tools/call`.
    pub method: String,
    /// MCP has only named parameters.
    pub params: Option<Map<String, Value>>,
}

/// A JSON-RPC notification. Its method always starts with `notifications/`: a `tools/call` without an id
/// would be executed by some servers.
#[derive(Clone, Debug, PartialEq)]
pub struct Notification {
    /// For example `notifications/cancelled`.
    pub method: String,
    /// MCP has only named parameters.
    pub params: Option<Map<String, Value>>,
}

/// A JSON-RPC response.
#[derive(Clone, Debug, PartialEq)]
pub struct Response {
    /// The answered request's id; only an error may come without.
    pub id: Option<Id>,
    /// Whether it carries `error` and not `result`.
    pub is_error: bool,
}

/// Why a body was refused, with the id to answer to when that much could be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{fault}")]
pub struct ParseError {
    /// What is wrong.
    pub fault: ParseFault,
    /// The request's id, when it has a readable one.
    pub id: Option<Id>,
}

/// What is wrong with a body.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseFault {
    /// Not JSON in UTF-8: bad syntax or encoding, lone surrogate, byte order mark, trailing data.
    #[error("the body is not one JSON value in UTF-8: {0}; send exactly one JSON-RPC message")]
    Syntax(String),
    /// A key twice in one object, escaped spellings included.
    #[error("the key `{0}` appears twice in one object; send it once")]
    DuplicateKey(String),
    /// A key that servers which ignore case or underscores take for another one.
    #[error(
        "the key `{0}` differs only in case or underscores from another; spell it as the specification does, once"
    )]
    ConfusableKey(String),
    /// A key that replaces the prototype of an object in some servers.
    #[error("the key `__proto__` is not accepted; leave it out")]
    PrototypeKey,
    /// Nested too deep.
    #[error("the body is nested deeper than {0} levels; flatten it")]
    TooDeep(u32),
    /// An integer of more than 64 bits.
    #[error("an integer does not fit 64 bits; send it as a string")]
    IntegerTooLarge,
    /// A batch where one message is read.
    #[error("batches are not accepted here; send each message in its own request")]
    Batch,
    /// One value where a batch is read.
    #[error("the body is not a batch; a batch is an array of messages")]
    NotABatch,
    /// A batch of nothing.
    #[error("the batch is empty; send at least one message")]
    EmptyBatch,
    /// More than [`crate::MAX_BATCH`] messages.
    #[error("the batch has more than {0} messages; send several smaller ones")]
    BatchTooLong(usize),
    /// `initialize` in a batch: what follows would be sent before the version is known.
    #[error("`initialize` is in a batch; send it alone")]
    BatchedInitialize,
    /// Two requests, or two responses, with one id.
    #[error("the batch has the id `{0}` twice; give each of its messages an id of its own")]
    RepeatedId(String),
    /// Responses beside requests or notifications.
    #[error("the batch mixes responses with other messages; send them in batches of their own")]
    BatchMixed,
    /// Neither an object nor an array.
    #[error("a JSON-RPC message is an object")]
    NotAnObject,
    /// Not `"jsonrpc": "2.0"`.
    #[error("`jsonrpc` must be \"2.0\"")]
    Version,
    /// Null, fractional, or another type.
    #[error("`id` must be a string or an integer")]
    Id,
    /// Not a string.
    #[error("`method` must be a string")]
    Method,
    /// Not an object.
    #[error("`params` must be an object")]
    Params,
    /// Parts of different kinds of messages in one.
    #[error("the message mixes `method`, `result` and `error`; a message has exactly one of them")]
    Mixed,
    /// None of `method`, `result`, `error`.
    #[error("the message has neither `method`, `result` nor `error`")]
    Empty,
    /// A response that answers nothing, or whose content is of the wrong type.
    #[error("a response needs an `id` and an object as `result` or `error`")]
    Response,
    /// A notification's name on a request, or the other way round.
    #[error(
        "`{0}` is not the method of a message of this kind: notifications have no `id` and are called `notifications/…`"
    )]
    Kind(String),
}

impl Rejection for ParseError {
    fn status(&self) -> u16 {
        match self.fault {
            ParseFault::BatchTooLong(_) => 413,
            _ => 400,
        }
    }

    fn code(&self) -> i64 {
        match self.fault {
            ParseFault::BatchTooLong(_) => code::TOO_LARGE,
            ParseFault::Syntax(_) => code::PARSE_ERROR,
            ParseFault::Params => code::INVALID_PARAMS,
            _ => code::INVALID_REQUEST,
        }
    }

    fn id(&self) -> Option<&Id> {
        self.id.as_ref()
    }
}

impl Id {
    /// The id, or `None` when the value is neither a string nor a 64-bit integer.
    #[must_use]
    pub fn from_value(value: Value) -> Option<Self> {
        match value {
            Value::String(text) => Some(Self::String(text)),
            Value::Number(number) if number.is_i64() || number.is_u64() => {
                Some(Self::Integer(number))
            }
            _ => None,
        }
    }
}

impl Message {
    /// The method, unless it is a response.
    #[must_use]
    pub fn method(&self) -> Option<&str> {
        match self {
            Self::Request(request) => Some(&request.method),
            Self::Notification(notification) => Some(&notification.method),
            Self::Response(_) => None,
        }
    }

    /// The parameters, when there are any.
    #[must_use]
    pub fn params(&self) -> Option<&Map<String, Value>> {
        match self {
            Self::Request(request) => request.params.as_ref(),
            Self::Notification(notification) => notification.params.as_ref(),
            Self::Response(_) => None,
        }
    }

    /// The id that an answer has to echo: only a request has one.
    #[must_use]
    pub fn id(&self) -> Option<&Id> {
        match self {
            Self::Request(request) => Some(&request.id),
            Self::Notification(_) | Self::Response(_) => None,
        }
    }
}

/// Reads the body of a POST: exactly one JSON-RPC message, with one possible reading. A batch is refused here.
pub fn parse(body: &[u8], limits: &Limits) -> Result<Message, ParseError> {
    match json::read(body, limits.depth) {
        Ok(read) if read.has_floats && !json::integers_fit(body) => Err(ParseError {
            fault: ParseFault::IntegerTooLarge,
            id: id_of(read.value),
        }),
        Ok(read) => message(read.value),
        Err(fault) => Err(ParseError {
            fault: fault.into(),
            id: readable_id(body),
        }),
    }
}

/// Whether a body is a batch: a JSON array. Only 2025-03-26 has them; [`crate::parse_batch`] reads those of
/// clients, [`crate::batch::split`] takes those of servers apart.
#[must_use]
pub fn is_batch(body: &[u8]) -> bool {
    body.trim_ascii_start().starts_with(b"[")
}

const ENVELOPE: [&str; 6] = ["jsonrpc", "id", "method", "params", "result", "error"];

/// What decides, or is read by name, in the parameters of any method.
const PARAMS: [&str; 16] = [
    "_meta",
    "name",
    "arguments",
    "uri",
    "ref",
    "argument",
    "context",
    "notifications",
    "taskId",
    "task",
    "cursor",
    "level",
    "protocolVersion",
    "requestState",
    "inputResponses",
    "requestId",
];

/// Version that a modern message says it is of.
pub(crate) const META_VERSION: &str = "io.modelcontextprotocol/protocolVersion";
/// Capabilities of a modern client.
pub(crate) const META_CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";
/// Task that a legacy message is about.
pub(crate) const META_RELATED_TASK: &str = "io.modelcontextprotocol/related-task";

/// What decides in `_meta`.
const META: [&str; 3] = [META_VERSION, META_CAPABILITIES, META_RELATED_TASK];

/// One value as a message; an array is none.
pub(crate) fn message(value: Value) -> Result<Message, ParseError> {
    let mut map = match value {
        Value::Object(map) => map,
        Value::Array(_) => return Err(ParseFault::Batch.without_id()),
        _ => return Err(ParseFault::NotAnObject.without_id()),
    };
    let id = map.remove("id");
    let readable = id.clone().and_then(Id::from_value);
    typed(map, id).map_err(|fault| ParseError {
        fault,
        id: readable,
    })
}

fn typed(mut map: Map<String, Value>, id: Option<Value>) -> Result<Message, ParseFault> {
    if let Some(key) = json::confusable(map.keys(), &ENVELOPE) {
        return Err(ParseFault::ConfusableKey(json::excerpt(key)));
    }
    if map.get("jsonrpc").and_then(Value::as_str) != Some("2.0") {
        return Err(ParseFault::Version);
    }
    let id = id
        .map(|id| Id::from_value(id).ok_or(ParseFault::Id))
        .transpose()?;
    match (
        map.remove("method"),
        map.remove("result"),
        map.remove("error"),
    ) {
        (Some(method), None, None) => call(id, method, map.remove("params")),
        (None, Some(_), None) | (None, None, Some(_)) if map.contains_key("params") => {
            Err(ParseFault::Mixed)
        }
        (None, Some(Value::Object(_)), None) if id.is_some() => Ok(Message::Response(Response {
            id,
            is_error: false,
        })),
        (None, None, Some(Value::Object(_))) => {
            Ok(Message::Response(Response { id, is_error: true }))
        }
        (None, Some(_), None) | (None, None, Some(_)) => Err(ParseFault::Response),
        (None, None, None) => Err(ParseFault::Empty),
        _ => Err(ParseFault::Mixed),
    }
}

fn call(id: Option<Id>, method: Value, params: Option<Value>) -> Result<Message, ParseFault> {
    let Value::String(method) = method else {
        return Err(ParseFault::Method);
    };
    let params = match params {
        None => None,
        Some(Value::Object(params)) => Some(params),
        Some(_) => return Err(ParseFault::Params),
    };
    if let Some(key) = params.as_ref().and_then(misspelled) {
        return Err(ParseFault::ConfusableKey(json::excerpt(key)));
    }
    match (id, method.starts_with("notifications/")) {
        (Some(id), false) => Ok(Message::Request(Request { id, method, params })),
        (None, true) => Ok(Message::Notification(Notification { method, params })),
        _ => Err(ParseFault::Kind(json::excerpt(&method))),
    }
}

/// A key of parameters that some server takes for one that decides.
fn misspelled(params: &Map<String, Value>) -> Option<&str> {
    json::lookalike(params.keys(), &PARAMS).or_else(|| {
        let meta = params.get("_meta")?.as_object()?;
        json::lookalike(meta.keys(), &META).or_else(|| {
            let related = meta.get(META_RELATED_TASK)?.as_object()?;
            json::lookalike(related.keys(), &["taskId"])
        })
    })
}

impl ParseFault {
    fn without_id(self) -> ParseError {
        ParseError {
            fault: self,
            id: None,
        }
    }
}

impl From<Fault> for ParseFault {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Syntax(detail) => Self::Syntax(detail),
            Fault::Duplicate(key) => Self::DuplicateKey(key),
            Fault::Confusable(key) => Self::ConfusableKey(key),
            Fault::Prototype => Self::PrototypeKey,
            Fault::Depth(limit) => Self::TooDeep(limit),
        }
    }
}

fn id_of(value: Value) -> Option<Id> {
    match value {
        Value::Object(mut map) => map.remove("id").and_then(Id::from_value),
        _ => None,
    }
}

/// The id of a text that is JSON but was refused for something else; an id given twice is not readable.
fn readable_id(body: &[u8]) -> Option<Id> {
    #[derive(Deserialize)]
    struct Envelope<'a> {
        #[serde(borrow)]
        id: Option<&'a serde_json::value::RawValue>,
    }
    let raw = serde_json::from_slice::<Envelope<'_>>(body).ok()?.id?.get();
    if raw.starts_with(['{', '[']) || !json::integers_fit(raw.as_bytes()) {
        return None;
    }
    serde_json::from_str(raw).ok().and_then(Id::from_value)
}
