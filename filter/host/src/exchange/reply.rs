//! What the filter says by itself: refusals and the metadata document.

use gatehold_engine::{Decision, Effect};
use gatehold_mcp::reply::{code, error_body, rejection_body, resource_not_found, tool_error_body};
use gatehold_mcp::{Era, Id, Map, Rejection, TASKS, Value};
use serde_json::json;

use crate::host::{HostError, LocalReply};
use crate::metrics::Refused;
use crate::server::Server;

const JSON: (&str, &str) = ("content-type", "application/json");

/// Code of a refusal of what the upstream said; ours, outside the reserved range.
pub(crate) const UPSTREAM: i64 = -31502;

/// Code of a refusal of a session that is none of the caller's; ours.
pub(crate) const SESSION: i64 = -31404;

/// Code of the end of a stream whose caller is no longer let in; ours.
pub(crate) const ENDED: i64 = -31401;

/// A request that does not go on, and the answer to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// Coarse reason, for the counter.
    pub(crate) class: Refused,
    /// Code of the JSON-RPC error, 0 for a tool error.
    pub(crate) code: i64,
    /// Why, for the audit event and the access log.
    pub(crate) reason: String,
    /// The answer.
    pub(crate) reply: LocalReply,
}

impl Refusal {
    pub(super) fn new(
        class: Refused,
        status: u32,
        code: i64,
        reason: String,
        body: Vec<u8>,
    ) -> Self {
        let headers = vec![(JSON.0, JSON.1.to_owned())];
        Self {
            class,
            code,
            reason,
            reply: LocalReply {
                status,
                headers,
                body,
            },
        }
    }

    fn error(class: Refused, status: u32, code: i64, reason: &str, id: Option<&Id>) -> Self {
        let body = error_body(id, code, reason, None);
        Self::new(class, status, code, reason.to_owned(), body)
    }

    fn with_header(mut self, name: &'static str, value: String) -> Self {
        self.reply.headers.push((name, value));
        self
    }

    /// No server at this path (404).
    pub(crate) fn unmatched() -> Self {
        let reason = "no server is governed at this host and path";
        Self::error(Refused::Unmatched, 404, code::INVALID_REQUEST, reason, None)
    }

    /// Nothing to decide with yet (503).
    pub(crate) fn not_ready(reason: &str) -> Self {
        Self::error(Refused::NotReady, 503, code::NOT_READY, reason, None)
            .with_header("retry-after", "1".to_owned())
    }

    /// The queue of audit events is full (503).
    pub(crate) fn audit_full(id: Option<&Id>) -> Self {
        let reason = "the audit log cannot take more events at the moment";
        Self::error(Refused::AuditFull, 503, code::NOT_READY, reason, id)
            .with_header("retry-after", "1".to_owned())
    }

    /// A browser page that may not call (403).
    pub(crate) fn origin() -> Self {
        let reason = "the origin of this request is not allowed";
        Self::error(Refused::Origin, 403, code::DENIED, reason, None)
    }

    /// An HTTP method that the endpoint does not have (405).
    pub(crate) fn method(allowed: &'static str) -> Self {
        let reason = "this HTTP method is not allowed here";
        Self::error(Refused::Method, 405, code::INVALID_REQUEST, reason, None)
            .with_header("allow", allowed.to_owned())
    }

    /// No token, or one that does not hold (401, RFC 9728 section 5.1).
    pub(crate) fn token(server: &Server, problem: Option<&str>) -> Self {
        let reason = problem.unwrap_or("a bearer token is required");
        let mut challenge = format!("Bearer resource_metadata=\"{}\"", server.metadata_url());
        if !server.scopes.is_empty() {
            challenge.push_str(&format!(
                ", scope=\"{}\"",
                quotable(&server.scopes.join(" "))
            ));
        }
        if let Some(problem) = problem {
            challenge.push_str(&format!(
                ", error=\"invalid_token\", error_description=\"{}\"",
                quotable(problem)
            ));
        }
        let error = if problem.is_some() {
            "invalid_token"
        } else {
            "unauthorized"
        };
        let body = json!({ "error": error, "error_description": reason });
        let body = body.to_string().into_bytes();
        Self::new(Refused::Token, 401, 0, reason.to_owned(), body)
            .with_header("www-authenticate", challenge)
    }

    /// A session that this caller does not have (404: the client begins a new one).
    pub(crate) fn session() -> Self {
        let reason = "no session of this caller has this id; initialize a new one";
        Self::error(Refused::Unbound, 404, SESSION, reason, None)
    }

    /// An event that this caller has not got, or got in a session (404).
    pub(crate) fn event() -> Self {
        let reason = "no event of this caller has this id; open the stream without `last-event-id`";
        Self::error(Refused::Unbound, 404, SESSION, reason, None)
    }

    /// A task that this caller does not have; the same answer as for one that does not exist.
    pub(crate) fn unknown_task(id: Option<&Id>) -> Self {
        let reason = "Task not found";
        let mut refusal = Self::error(Refused::Unbound, 200, code::INVALID_PARAMS, reason, id);
        "no task of this caller has this id".clone_into(&mut refusal.reason);
        refusal
    }

    /// A request about a task by a client that has not declared the extension (400).
    pub(crate) fn undeclared_tasks(id: &Id) -> Self {
        let reason = "the request must declare the extension `io.modelcontextprotocol/tasks`";
        let needed = json!({ "requiredCapabilities": { "extensions": { TASKS: {} } } });
        let code = code::MISSING_CAPABILITY;
        let body = error_body(Some(id), code, reason, Some(needed));
        Self::new(Refused::Malformed, 400, code, reason.to_owned(), body)
    }

    /// A message that has no answer and goes nowhere. The client gets what it gets for any other (202):
    /// stock clients end their session on an error, for something that was never due an answer.
    pub(crate) fn dropped(reason: &str) -> Self {
        let mut refusal = Self::new(Refused::Policy, 202, 0, reason.to_owned(), Vec::new());
        refusal.reply.headers.clear();
        refusal
    }

    /// A message of a batch that is refused for another one's sake.
    pub(crate) fn beside_refused(id: Option<&Id>) -> Self {
        let reason = "not run: another message of the same batch was refused";
        Self::error(Refused::Policy, 200, code::DENIED, reason, id)
    }

    /// A subscription in a batch: it would outlive the answers beside it.
    pub(crate) fn standing_in_batch(id: Option<&Id>) -> Self {
        let reason = "a subscription cannot be part of a batch; send it in its own request";
        Self::error(Refused::Malformed, 200, code::INVALID_REQUEST, reason, id)
    }

    /// A whole batch, with the answers to its requests; without any nothing was due an answer (202).
    pub(crate) fn batch(class: Refused, code: i64, reason: String, body: Option<Vec<u8>>) -> Self {
        match body {
            Some(body) => Self::new(class, 200, code, reason, body),
            None if class == Refused::AuditFull => Self::audit_full(None),
            None => Self {
                class,
                code,
                ..Self::dropped(&reason)
            },
        }
    }

    /// A trailer that is read before the body or not at all (400).
    pub(crate) fn trailer(name: &str) -> Self {
        let name: String = name.chars().take(64).collect();
        let reason = format!("`{name}` may not be a trailer; send it as a header");
        Self::error(
            Refused::Malformed,
            400,
            code::INVALID_REQUEST,
            &reason,
            None,
        )
    }

    /// Not a message that can be judged.
    pub(crate) fn rejected(rejection: &dyn Rejection, id: Option<&Id>) -> Self {
        let body = rejection_body(rejection, id);
        let status = u32::from(rejection.status());
        Self::new(
            Refused::Malformed,
            status,
            rejection.code(),
            rejection.to_string(),
            body,
        )
    }

    /// A GET or DELETE with a body (400).
    pub(crate) fn unexpected_body() -> Self {
        let reason = "a request with this HTTP method has no body";
        Self::error(Refused::Malformed, 400, code::INVALID_REQUEST, reason, None)
    }

    /// A request to speak another protocol (400).
    pub(crate) fn upgrade() -> Self {
        let reason = "this endpoint speaks MCP over HTTP only; send the request without `upgrade`";
        Self::error(Refused::Malformed, 400, code::INVALID_REQUEST, reason, None)
    }

    /// A URI of which nobody can say what the server makes of it (400).
    pub(crate) fn ambiguous_uri(id: &Id) -> Self {
        let reason =
            "the URI has `.` or `..` segments or nested escapes; send it as the server lists it";
        Self::error(
            Refused::Malformed,
            400,
            code::INVALID_PARAMS,
            reason,
            Some(id),
        )
    }

    /// A body over the limit (413).
    pub(crate) fn too_large(limit: usize) -> Self {
        let reason = format!(
            "the body is larger than {limit} bytes, the limit `requestBytes` of this server"
        );
        Self::error(Refused::TooLarge, 413, code::TOO_LARGE, &reason, None)
    }

    /// An answer of the upstream that cannot be judged (502).
    pub(crate) fn upstream(reason: &str, id: Option<&Id>) -> Self {
        Self::error(Refused::Upstream, 502, UPSTREAM, reason, id)
    }

    /// The same, for an answer that was an error already: its status stays, for clients go by it.
    pub(crate) fn with_status(mut self, status: u32) -> Self {
        self.reply.status = status;
        self
    }

    /// The filter is not set up right (500).
    pub(crate) fn setup(reason: &str) -> Self {
        Self::error(Refused::Setup, 500, code::INTERNAL_ERROR, reason, None)
    }

    /// The filter failed (500).
    pub(crate) fn internal() -> Self {
        Self::error(
            Refused::Internal,
            500,
            code::INTERNAL_ERROR,
            "internal error",
            None,
        )
    }

    /// A tool that the principal may not know of; the same answer as for one that does not exist.
    pub(crate) fn hidden_tool(id: &Id, name: &str, decision: &Decision) -> Self {
        Self::hidden(
            id,
            code::INVALID_PARAMS,
            &format!("Unknown tool: {name}"),
            decision,
        )
    }

    /// A prompt that the principal may not know of.
    pub(crate) fn hidden_prompt(id: &Id, name: &str, decision: &Decision) -> Self {
        Self::hidden(
            id,
            code::INVALID_PARAMS,
            &format!("Unknown prompt: {name}"),
            decision,
        )
    }

    /// A resource that the principal may not know of.
    pub(crate) fn hidden_resource(id: &Id, era: Era, uri: &str, decision: &Decision) -> Self {
        Self::hidden(
            id,
            resource_not_found(era),
            &format!("Resource not found: {uri}"),
            decision,
        )
    }

    /// A method that is unknown or that no rule permits.
    pub(crate) fn hidden_method(id: &Id, era: Era, method: &str, decision: &Decision) -> Self {
        let message = format!("Method not found: {method}");
        let mut refusal = Self::hidden(id, code::METHOD_NOT_FOUND, &message, decision);
        refusal.reply.status = match era {
            Era::Legacy => 200,
            Era::Modern => 404,
        };
        refusal
    }

    fn hidden(id: &Id, code: i64, message: &str, decision: &Decision) -> Self {
        let mut refusal = Self::error(Refused::Hidden, 200, code, message, Some(id));
        // The client sees what anybody sees; the audit log has the reason.
        refusal.reason.clone_from(&decision.reason);
        refusal
    }

    /// A tool that is known to the principal, but not with these arguments: a result that a model reads.
    pub(crate) fn denied_tool(id: &Id, era: Era, decision: &Decision, event: &str) -> Self {
        let text = format!("{}; the tool did not run.", sentence(decision));
        let meta: Map<String, Value> =
            [("gatehold.io/decision".to_owned(), summary(decision, event))]
                .into_iter()
                .collect();
        let body = tool_error_body(id, era, &text, meta);
        Self::new(class(decision), 200, 0, decision.reason.clone(), body)
    }

    /// A request in which detection saw something that must not go on.
    pub(crate) fn detected(id: &Id, (era, is_tool): (Era, bool), seen: &str, event: &str) -> Self {
        let what = if is_tool {
            "; the tool did not run."
        } else {
            "; nothing was done."
        };
        let text =
            format!("Refused by detection: the request has what is not let through ({seen}){what}");
        let reason = format!("detection: {seen}");
        Self::by_detection(id, (era, is_tool), &text, reason, event)
    }

    /// A request with secrets that were to be taken out of it, and cannot be.
    pub(crate) fn unredacted(id: Option<&Id>, seen: &str) -> Self {
        let reason = format!("detection: {seen}, which cannot be taken out");
        let text = format!(
            "Refused by detection: the request has what is not let through ({seen}), and it cannot be taken \
             out; nothing was done."
        );
        let Some(id) = id else {
            return Self::dropped(&reason);
        };
        let body = error_body(Some(id), code::DENIED, &text, None);
        Self::new(Refused::Detection, 200, code::DENIED, reason, body)
    }

    /// A call of a tool whose definition is withheld.
    pub(crate) fn withheld_tool(id: &Id, era: Era, seen: &str, event: &str) -> Self {
        let text = format!(
            "Refused by detection: the definition of this tool is withheld, because it looks like an attack \
             ({seen}); the tool did not run."
        );
        let reason = format!("detection: the definition of the tool is withheld: {seen}");
        Self::by_detection(id, (era, true), &text, reason, event)
    }

    fn by_detection(
        id: &Id,
        (era, is_tool): (Era, bool),
        text: &str,
        reason: String,
        event: &str,
    ) -> Self {
        let summary = json!({ "action": "block", "id": event });
        let (code, body) = match is_tool {
            true => {
                let meta = [("gatehold.io/detection".to_owned(), summary)];
                (
                    0,
                    tool_error_body(id, era, text, meta.into_iter().collect()),
                )
            }
            false => {
                let body = error_body(Some(id), code::DENIED, text, Some(summary));
                (code::DENIED, body)
            }
        };
        Self::new(Refused::Detection, 200, code, reason, body)
    }

    /// Anything else that is known to the principal and denied.
    pub(crate) fn denied(id: &Id, decision: &Decision, event: &str) -> Self {
        let body = error_body(
            Some(id),
            code::DENIED,
            &sentence(decision),
            Some(summary(decision, event)),
        );
        Self::new(
            class(decision),
            200,
            code::DENIED,
            decision.reason.clone(),
            body,
        )
    }
}

impl From<HostError> for Refusal {
    fn from(error: HostError) -> Self {
        let mut refusal = Self::internal();
        // The client learns nothing of the inside, the operator does.
        refusal.reason = error.to_string();
        refusal
    }
}

fn class(decision: &Decision) -> Refused {
    match decision.effect {
        Effect::Hold(_) => Refused::Approval,
        Effect::Allow | Effect::Deny => Refused::Policy,
    }
}

fn sentence(decision: &Decision) -> String {
    match decision.effect {
        Effect::Hold(_) => format!(
            "Needs approval ({}), for which it cannot wait",
            decision.rules.join(", ")
        ),
        Effect::Allow | Effect::Deny => format!("Denied by policy: {}", decision.reason),
    }
}

fn summary(decision: &Decision, event: &str) -> Value {
    let effect = match decision.effect {
        Effect::Hold(_) => "hold",
        Effect::Allow | Effect::Deny => "deny",
    };
    json!({ "effect": effect, "rules": decision.rules, "id": event })
}

/// Text for a quoted string of a header.
fn quotable(text: &str) -> String {
    let safe = |c: char| (c.is_ascii_graphic() || c == ' ') && c != '"' && c != '\\';
    text.chars()
        .map(|c| if safe(c) { c } else { '?' })
        .collect()
}

/// The metadata document of a server (RFC 9728, section 2).
pub(crate) fn metadata<'a>(server: &Server, issuers: impl Iterator<Item = &'a str>) -> LocalReply {
    let issuers: Vec<&str> = issuers.collect();
    let mut document = Map::new();
    document.insert("resource".to_owned(), json!(server.resource.url));
    document.insert("authorization_servers".to_owned(), json!(issuers));
    document.insert("bearer_methods_supported".to_owned(), json!(["header"]));
    if !server.scopes.is_empty() {
        document.insert("scopes_supported".to_owned(), json!(server.scopes));
    }
    LocalReply {
        status: 200,
        headers: vec![
            (JSON.0, JSON.1.to_owned()),
            ("cache-control", "no-cache".to_owned()),
            // Nothing in it is secret, and clients in browsers read it.
            ("access-control-allow-origin", "*".to_owned()),
        ],
        body: Value::Object(document).to_string().into_bytes(),
    }
}
