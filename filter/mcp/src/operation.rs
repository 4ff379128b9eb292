//! What a request wants, as far as policy cares.

use crate::json::lookalike;
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
    /// `tasks/get`, `tasks/result`, `tasks/update`, `tasks/cancel`: about one task.
    Task {
        /// The method.
        method: &'a str,
        /// The task, by the name that the client has for it.
        task_id: &'a str,
    },
    /// `tasks/list`.
    ListTasks,
    /// `logging/setLevel`.
    SetLevel {
        /// One of the eight levels of the specification.
        level: &'a str,
    },
    /// `initialize`, `ping`, `server/discover`: no rule of their own.
    Lifecycle,
    /// A method that 2026-07-28 has taken away: no rule brings it back.
    Removed,
    /// Anything else, methods that only the other era has included: judged by its method.
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
    pub method: String,
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

/// What the request wants, by the exact name of its method.
///
/// A method that only the modern era has is [`Operation::Other`] in the legacy one, so that only a rule that
/// names it lets it pass; but `subscriptions/listen` stays what it is, because less would be judged otherwise.
/// One that the modern era has taken away is [`Operation::Removed`] there: a server of both eras might still
/// know it.
///
/// # Errors
///
/// Parameters without what the method needs, or with something that decides in the wrong type.
pub fn operation<'a>(request: &'a Request, era: Era) -> Result<Operation<'a>, InvalidParams> {
    read(request, era).map_err(|problem| InvalidParams {
        method: request.method.clone(),
        problem,
        id: request.id.clone(),
    })
}

fn read(request: &Request, era: Era) -> Result<Operation<'_>, &'static str> {
    let params = request.params.as_ref().unwrap_or(&EMPTY);
    let method = request.method.as_str();
    if let Some(kind) = ListKind::ALL
        .into_iter()
        .find(|kind| kind.method() == method)
    {
        return Ok(Operation::List(kind));
    }
    if era == Era::Modern && REMOVED.contains(&method) {
        return Ok(Operation::Removed);
    }
    match (method, era) {
        ("tools/call", _) => call_tool(params),
        ("prompts/get", _) => get_prompt(params),
        ("resources/read", _) => {
            answers_to_input(params)?;
            Ok(Operation::ReadResource { uri: uri(params)? })
        }
        ("resources/subscribe" | "resources/unsubscribe", _) => {
            Ok(Operation::Subscribe { uri: uri(params)? })
        }
        ("completion/complete", _) => complete(params),
        ("subscriptions/listen", _) => listen(params),
        ("tasks/get" | "tasks/cancel", _)
        | ("tasks/result", Era::Legacy)
        | ("tasks/update", Era::Modern) => {
            answers_to_input(params)?;
            let task_id = string(params, "taskId").ok_or("`params.taskId` must be a string")?;
            Ok(Operation::Task { method, task_id })
        }
        ("tasks/list", Era::Legacy) => Ok(Operation::ListTasks),
        ("logging/setLevel", Era::Legacy) => string(params, "level")
            .filter(|level| LEVELS.contains(level))
            .map(|level| Operation::SetLevel { level })
            .ok_or(
                "`params.level` must be one of debug, info, notice, warning, error, critical, alert, emergency",
            ),
        ("initialize", _) | ("ping", Era::Legacy) | ("server/discover", Era::Modern) => {
            Ok(Operation::Lifecycle)
        }
        _ => Ok(Operation::Other),
    }
}

/// What 2025-11-25 had and 2026-07-28 has not.
const REMOVED: [&str; 7] = [
    "initialize",
    "ping",
    "logging/setLevel",
    "resources/subscribe",
    "resources/unsubscribe",
    "tasks/list",
    "tasks/result",
];

/// Whether a request declares the Tasks extension, as those about tasks have to (2026-07-28).
#[must_use]
pub fn declares_tasks(request: &Request) -> bool {
    let declared = || {
        let meta = request.params.as_ref()?.get("_meta")?;
        let capabilities = meta.get("io.modelcontextprotocol/clientCapabilities")?;
        capabilities.get("extensions")?.get(TASKS)
    };
    declared().is_some_and(Value::is_object)
}

/// The name of the Tasks extension.
pub const TASKS: &str = "io.modelcontextprotocol/tasks";

/// The levels of RFC 5424 as MCP names them.
const LEVELS: [&str; 8] = [
    "debug",
    "info",
    "notice",
    "warning",
    "error",
    "critical",
    "alert",
    "emergency",
];

type Params = Map<String, Value>;

static EMPTY: LazyLock<Params> = LazyLock::new(Map::new);

fn call_tool(params: &Params) -> Result<Operation<'_>, &'static str> {
    let name = string(params, "name").ok_or("`params.name` must be a string")?;
    answers_to_input(params)?;
    if params.get("task").is_some_and(|task| !task.is_object()) {
        return Err("`params.task` must be an object");
    }
    Ok(Operation::CallTool {
        name,
        arguments: arguments(params)?,
    })
}

fn get_prompt(params: &Params) -> Result<Operation<'_>, &'static str> {
    let name = string(params, "name").ok_or("`params.name` must be a string")?;
    answers_to_input(params)?;
    Ok(Operation::GetPrompt {
        name,
        arguments: arguments(params)?,
    })
}

fn uri(params: &Params) -> Result<&str, &'static str> {
    string(params, "uri").ok_or("`params.uri` must be a string")
}

/// Whether what the client sends back when a server asked for more input has the right types, in any era: a
/// server that does not know it ignores it.
fn answers_to_input(params: &Params) -> Result<(), &'static str> {
    match params.get("inputResponses") {
        None => {}
        Some(Value::Object(responses)) if responses.values().all(Value::is_object) => {}
        Some(_) => return Err("`params.inputResponses` must be an object of objects"),
    }
    match params.get("requestState") {
        None | Some(Value::String(_)) => Ok(()),
        Some(_) => Err("`params.requestState` must be a string"),
    }
}

fn complete(params: &Params) -> Result<Operation<'_>, &'static str> {
    let reference = params
        .get("ref")
        .and_then(Value::as_object)
        .filter(|reference| lookalike(reference.keys(), &["type", "name", "uri"]).is_none())
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
        .filter(|wanted| lookalike(wanted.keys(), &["resourceSubscriptions", "taskIds"]).is_none())
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
