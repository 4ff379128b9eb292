//! What a request wants, as far as policy cares.

use crate::json::confusable;
use crate::message::{Id, Request};
use crate::rejection::Rejection;
use crate::reply::code;
use crate::version::Era;
use serde_json::{Map, Value};
use std::sync::LazyLock;

/// One request's aim, borrowed from it.
#[derive(Clone, Debug, PartialEq)]
pub enum Operation<'a> {
    /// `tools/call`.
    CallTool {
        /// The tool's name.
        name: &'a str,
        /// Its arguments; absent and null count as none.
        arguments: &'a Map<String, Value>,
    },
    /// `resources/read`.
    ReadResource {
        /// The resource.
        uri: &'a str,
    },
    /// `resources/subscribe` and `resources/unsubscribe`.
    Subscribe {
        /// The resource.
        uri: &'a str,
    },
    /// `prompts/get`.
    GetPrompt {
        /// The prompt's name.
        name: &'a str,
        /// Its arguments; absent and null count as none.
        arguments: &'a Map<String, Value>,
    },
    /// `completion/complete`.
    Complete {
        /// What is completed.
        reference: Reference<'a>,
    },
    /// `subscriptions/listen`.
    Listen {
        /// The resources to be told about; may be empty.
        uris: Vec<&'a str>,
        /// The tasks to be told about; may be empty.
        task_ids: Vec<&'a str>,
    },
    /// A list, of which one page is answered.
    List(ListKind),
    /// `initialize`, `ping`, `logging/setLevel`, `server/discover`: no rule of their own.
    Lifecycle,
    /// Anything else, tasks included: judged by its method.
    Other,
}

/// What `completion/complete` refers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reference<'a> {
    /// A prompt by name.
    Prompt(&'a str),
    /// A resource or a template by URI.
    Resource(&'a str),
}

/// The lists that are filtered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ListKind {
    /// `tools/list`.
    Tools,
    /// `prompts/list`.
    Prompts,
    /// `resources/list`.
    Resources,
    /// `resources/templates/list`.
    ResourceTemplates,
}

/// Parameters that lack what the method needs, or have it in the wrong type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{method}: {problem}")]
pub struct InvalidParams {
    /// The request's method.
    pub method: &'static str,
    /// What is wrong, for people.
    pub problem: &'static str,
    /// The request's id.
    pub id: Id,
}

impl Rejection for InvalidParams {
    fn status(&self) -> u16 {
        400
    }

    fn code(&self) -> i64 {
        code::INVALID_PARAMS
    }

    fn id(&self) -> Option<&Id> {
        Some(&self.id)
    }
}

impl ListKind {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::Tools,
        Self::Prompts,
        Self::Resources,
        Self::ResourceTemplates,
    ];

    /// The request's method.
    #[must_use]
    pub fn method(self) -> &'static str {
        match self {
            Self::Tools => "tools/list",
            Self::Prompts => "prompts/list",
            Self::Resources => "resources/list",
            Self::ResourceTemplates => "resources/templates/list",
        }
    }

    /// The key of the entries in the result.
    #[must_use]
    pub fn entries_key(self) -> &'static str {
        match self {
            Self::Tools => "tools",
            Self::Prompts => "prompts",
            Self::Resources => "resources",
            Self::ResourceTemplates => "resourceTemplates",
        }
    }

    /// The key that identifies an entry.
    #[must_use]
    pub fn identity_key(self) -> &'static str {
        match self {
            Self::Tools | Self::Prompts => "name",
            Self::Resources => "uri",
            Self::ResourceTemplates => "uriTemplate",
        }
    }
}

/// What the request wants. Methods are told apart by exact name, whatever the era: a method that the era
/// does not have is the server's to refuse, and is judged by the same rules until then.
pub fn operation<'a>(request: &'a Request, _era: Era) -> Result<Operation<'a>, InvalidParams> {
    let params = request.params.as_ref().unwrap_or(&EMPTY);
    let read = match request.method.as_str() {
        "tools/call" => call_tool(params).map_err(|problem| ("tools/call", problem)),
        "prompts/get" => get_prompt(params).map_err(|problem| ("prompts/get", problem)),
        "resources/read" => uri(params)
            .map(|uri| Operation::ReadResource { uri })
            .map_err(|problem| ("resources/read", problem)),
        "resources/subscribe" | "resources/unsubscribe" => uri(params)
            .map(|uri| Operation::Subscribe { uri })
            .map_err(|problem| ("resources/subscribe", problem)),
        "completion/complete" => {
            complete(params).map_err(|problem| ("completion/complete", problem))
        }
        "subscriptions/listen" => {
            listen(params).map_err(|problem| ("subscriptions/listen", problem))
        }
        "initialize" | "ping" | "logging/setLevel" | "server/discover" => Ok(Operation::Lifecycle),
        other => Ok(ListKind::ALL
            .into_iter()
            .find(|kind| kind.method() == other)
            .map_or(Operation::Other, Operation::List)),
    };
    read.map_err(|(method, problem)| InvalidParams {
        method,
        problem,
        id: request.id.clone(),
    })
}

type Params = Map<String, Value>;

static EMPTY: LazyLock<Params> = LazyLock::new(Map::new);

fn call_tool(params: &Params) -> Result<Operation<'_>, &'static str> {
    let name = string(params, "name").ok_or("`params.name` must be a string")?;
    Ok(Operation::CallTool {
        name,
        arguments: arguments(params)?,
    })
}

fn get_prompt(params: &Params) -> Result<Operation<'_>, &'static str> {
    let name = string(params, "name").ok_or("`params.name` must be a string")?;
    Ok(Operation::GetPrompt {
        name,
        arguments: arguments(params)?,
    })
}

fn uri(params: &Params) -> Result<&str, &'static str> {
    string(params, "uri").ok_or("`params.uri` must be a string")
}

fn complete(params: &Params) -> Result<Operation<'_>, &'static str> {
    let reference = params
        .get("ref")
        .and_then(Value::as_object)
        .filter(|reference| confusable(reference.keys(), &["type", "name", "uri"]).is_none())
        .ok_or("`params.ref` must be an object with `type` and `name` or `uri`")?;
    let reference = match string(reference, "type") {
        Some("ref/prompt") => Reference::Prompt(
            string(reference, "name").ok_or("`params.ref.name` must be a string")?,
        ),
        Some("ref/resource") => Reference::Resource(
            string(reference, "uri").ok_or("`params.ref.uri` must be a string")?,
        ),
        _ => return Err("`params.ref.type` must be `ref/prompt` or `ref/resource`"),
    };
    Ok(Operation::Complete { reference })
}

fn listen(params: &Params) -> Result<Operation<'_>, &'static str> {
    let wanted = params
        .get("notifications")
        .and_then(Value::as_object)
        .filter(|wanted| confusable(wanted.keys(), &["resourceSubscriptions", "taskIds"]).is_none())
        .ok_or("`params.notifications` must be an object")?;
    let strings = |key| match wanted.get(key) {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Array(entries)) => entries
            .iter()
            .map(|entry| entry.as_str().ok_or("subscriptions must be strings"))
            .collect(),
        Some(_) => Err("subscriptions must be arrays of strings"),
    };
    Ok(Operation::Listen {
        uris: strings("resourceSubscriptions")?,
        task_ids: strings("taskIds")?,
    })
}

fn string<'m>(map: &'m Params, key: &str) -> Option<&'m str> {
    map.get(key)?.as_str()
}

fn arguments(params: &Params) -> Result<&Params, &'static str> {
    match params.get("arguments") {
        None | Some(Value::Null) => Ok(&EMPTY),
        Some(Value::Object(arguments)) => Ok(arguments),
        Some(_) => Err("`params.arguments` must be an object"),
    }
}
