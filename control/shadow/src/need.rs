//! What a rule would have to speak of for a request to be allowed.

use gatehold_mcp::{Era, Id, Notice, Operation, Request, notice, operation};

use crate::Observation;

/// Bytes from which on an event may have cut a name.
pub(crate) const MAX_TARGET: usize = 1021;
/// Longest pattern of a rule.
pub(crate) const MAX_PATTERN: usize = 1024;
/// What stands in events for what has secrets in it.
const CONCEALED: &str = "[withheld by Gatehold]";

/// One thing that a rule allows: no pattern, exactly this.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Need {
    /// What it is.
    pub kind: Kind,
    /// Name or URI.
    pub name: String,
}

/// What rules speak of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// `tools`.
    Tool,
    /// `resources`.
    Resource,
    /// `prompts`.
    Prompt,
    /// `methods`.
    Method,
}

/// Why nothing is proposed for a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Skipped {
    /// Nobody knows who sent it.
    Unknown,
    /// A rule of the policy denies it.
    Denied,
    /// A rule of the policy allows it on a condition.
    Conditional,
    /// A rule of the policy, or detection, wants a person to approve it.
    Approved,
    /// Detection stands against it.
    Detected,
    /// It was refused for what no rule can allow, such as a body that is no JSON.
    Unreadable,
    /// It was refused, in a server that is enforced.
    Enforced,
    /// A name is too long for an event or a rule, has a secret in it, or may be that of something else.
    Unnamed,
    /// No document is about the server.
    NoServer,
    /// What would allow it does not go with the documents.
    Refused,
}

impl Need {
    /// What a request needs that no rule allows. Nothing when it needs no rule, or has one.
    ///
    /// # Errors
    /// Why nothing is proposed for it.
    pub fn of(observation: &Observation) -> Result<Option<Self>, Skipped> {
        let Observation {
            refusal, effect, ..
        } = observation;
        match (refusal.as_str(), effect.as_str()) {
            ("token" | "not_ready", _) => return Err(Skipped::Unknown),
            ("detection", _) => return Err(Skipped::Detected),
            (_, "hold") => return Err(Skipped::Approved),
            // By a rule, which may have a condition; or it needs none.
            (_, "allow") => return Ok(None),
            (_, "deny") if observation.enforced => return Err(Skipped::Enforced),
            ("hidden" | "policy", "deny") if observation.rules.is_empty() => {}
            ("hidden" | "policy", "deny") => return Err(Skipped::Denied),
            // It ended before it was judged, or there is nothing to be allowed.
            _ => return Err(Skipped::Unreadable),
        }
        let Some(kind) = kind(observation)? else {
            return Ok(None);
        };
        if observation.user.is_empty() {
            return Err(Skipped::Unknown);
        }
        if is_cut(&observation.user) || is_cut(&observation.agent) {
            return Err(Skipped::Unnamed);
        }
        let name = match kind {
            Kind::Method => &observation.method,
            Kind::Tool | Kind::Resource | Kind::Prompt => &observation.target,
        };
        if name.is_empty() || is_cut(name) || name.contains(CONCEALED) {
            return Err(Skipped::Unnamed);
        }
        // No condition can say which one it is.
        if kind == Kind::Method && !is_plain(name) {
            return Err(Skipped::Unnamed);
        }
        Ok(Some(Self {
            kind,
            name: name.clone(),
        }))
    }
}

/// Whether a pattern is the name itself.
pub(crate) fn is_plain(name: &str) -> bool {
    name.len() <= MAX_PATTERN
        && !name.contains('*')
        && name.chars().all(|c| !c.is_control() && c != ' ')
        && !name.trim().is_empty()
}

/// Whether it may be but the beginning of a name.
pub(crate) fn is_cut(name: &str) -> bool {
    name.len() >= MAX_TARGET
}

/// What a rule for the request would speak of; nothing when it needs none.
fn kind(observation: &Observation) -> Result<Option<Kind>, Skipped> {
    let era = match observation.era.as_str() {
        "modern" => Era::Modern,
        _ => Era::Legacy,
    };
    let (method, target) = (observation.method.as_str(), observation.target.as_str());
    Ok(match method {
        "" | "GET" | "DELETE" | "batch" => None,
        "tools/call" => Some(Kind::Tool),
        "prompts/get" => Some(Kind::Prompt),
        "resources/read" | "resources/subscribe" | "resources/unsubscribe" => Some(Kind::Resource),
        "subscriptions/listen" => (!target.is_empty()).then_some(Kind::Resource),
        // Prompts may be named like resources; what was meant stands in the reason alone.
        "completion/complete" => {
            let said = observation.reason.strip_prefix("no rule allows ");
            match said.and_then(|it| it.split_once(' ')) {
                Some(("resource", _)) => Some(Kind::Resource),
                Some(("prompt", _)) => Some(Kind::Prompt),
                _ => return Err(Skipped::Unnamed),
            }
        }
        method if method.starts_with("notifications/") => {
            (notice(method, era) == Notice::Other).then_some(Kind::Method)
        }
        method => {
            let request = Request {
                id: Id::String(String::new()),
                method: method.to_owned(),
                params: None,
            };
            // One that lacks what it needs is one that the protocol knows.
            let needs = matches!(
                operation(&request, era),
                Ok(Operation::Other | Operation::ListTasks)
            );
            needs.then_some(Kind::Method)
        }
    })
}

impl Kind {
    /// The field of a rule.
    pub fn field(self) -> &'static str {
        match self {
            Self::Tool => "tools",
            Self::Resource => "resources",
            Self::Prompt => "prompts",
            Self::Method => "methods",
        }
    }
}

impl Skipped {
    /// Why, for people.
    pub fn why(self) -> &'static str {
        match self {
            Self::Unknown => "nobody knows who sent them: no token, or none that holds",
            Self::Denied => "a `deny` rule of yours forbids them",
            Self::Conditional => {
                "a rule of yours allows them on a condition, which a rule without one would undo: change yours if they should pass"
            }
            Self::Approved => "they wait for approval",
            Self::Detected => "detection stands against them",
            Self::Unreadable => "no rule can allow them: they cannot be read, or not like this",
            Self::Enforced => "they were refused where policy is enforced",
            Self::Unnamed => {
                "a name is too long to be recorded or for a rule, has a secret in it, or is none that a rule can have"
            }
            Self::NoServer => "no document of yours is about this server",
            Self::Refused => "the documents are refused with what would allow them",
        }
    }
}
