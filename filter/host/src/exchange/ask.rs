//! A call that a person has to approve, and how its client can wait.

use std::rc::Rc;

use gatehold_engine::{Arguments, Decision, Effect, Target};
use gatehold_identity::Identity;
use gatehold_mcp::{Era, Id, Map, Request, Value, canonical, declares_tasks};
use gatehold_wire::approval_to_wire;
use gatehold_wire::audit::Finding;
use gatehold_wire::hold::{Call, HeldHeader, Mechanism};
use prost::Message as _;

use crate::hold::{CallDigest, MAX_ARGUMENTS, call_digest};
use crate::host::HeaderPairs;
use crate::server::Server;

/// What is to be approved.
#[derive(Debug)]
pub(super) struct Ask {
    pub(super) id: Id,
    pub(super) era: Era,
    pub(super) subject: Subject,
    pub(super) decision: Rc<Decision>,
    pub(super) digest: CallDigest,
    pub(super) mechanism: Mechanism,
    pub(super) method: String,
    pub(super) target: String,
    arguments: String,
    risks: Vec<String>,
    /// Whether it brings answers to questions of the upstream.
    pub(super) has_answers: bool,
    /// What detection saw, for whoever decides.
    pub(super) findings: Vec<Finding>,
    /// Names what the caller has read, where whoever decides is told of it.
    pub(super) taint: String,
    /// The call without its secrets, where these are taken out.
    pub(super) kept: Option<Vec<u8>>,
}

/// What a refusal is to look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Subject {
    /// A tool's result, which a model reads.
    Tool,
    /// An error.
    Other,
}

/// Methods that may take several rounds (2026-07-28, "Multi Round-Trip Requests").
pub(super) const IN_ROUNDS: [&str; 3] = ["tools/call", "prompts/get", "resources/read"];

impl Ask {
    /// What is asked for. `Err` says why nobody can be asked.
    pub(super) fn new(
        server: &Server,
        caller: &Identity,
        era: Era,
        request: &Request,
        (target, arguments): (Target<'_>, Arguments<'_>),
        decision: &Rc<Decision>,
        headers: Option<&HeaderPairs>,
    ) -> (Self, Result<(), &'static str>) {
        let known = match arguments {
            Arguments::Known(known) => Some(canonical(known)),
            Arguments::Later(later) => later.arguments().map(canonical),
            Arguments::Unknown => None,
        };
        let fits = match &known {
            None => Err("its arguments cannot be read"),
            Some(known) if known.len() > MAX_ARGUMENTS => {
                Err("its arguments are more than a person can look at")
            }
            Some(_) => Ok(()),
        };
        let (subject, name) = match target {
            Target::Tool(name) => (Subject::Tool, name),
            Target::Resource(name) | Target::Prompt(name) => (Subject::Other, name),
            Target::Method(_) => (Subject::Other, ""),
        };
        let arguments = known.unwrap_or_default();
        let method = request.method.clone();
        let mechanism = match (era, subject) {
            (Era::Modern, Subject::Tool) if declares_tasks(request) => Mechanism::Task,
            (Era::Modern, _) if IN_ROUNDS.contains(&method.as_str()) => Mechanism::Rounds,
            _ => Mechanism::Request,
        };
        let ask = Self {
            id: request.id.clone(),
            era,
            subject,
            decision: Rc::clone(decision),
            digest: digest(
                caller,
                server,
                request,
                (name, &arguments),
                decision,
                headers,
            ),
            has_answers: has_answers(request),
            findings: Vec::new(),
            taint: String::new(),
            kept: None,
            mechanism,
            risks: match subject {
                Subject::Tool => server.policy.risks(name),
                Subject::Other => Vec::new(),
            },
            target: name.to_owned(),
            method,
            arguments,
        };
        (ask, fits)
    }

    /// As control is told, once.
    pub(super) fn call(&mut self, server: &Server, caller: &Identity, event: &str) -> Call {
        let requirements = match &self.decision.effect {
            Effect::Hold(approvals) => approvals.iter().map(approval_to_wire).collect(),
            Effect::Allow | Effect::Deny => Vec::new(),
        };
        Call {
            digest: self.digest.to_vec(),
            server: server.name.clone(),
            policy_version: server.version.clone(),
            method: self.method.clone(),
            target: self.target.clone(),
            issuer: caller.issuer.clone(),
            user: caller.user.clone(),
            agent: caller.agent.clone(),
            roles: caller.roles.clone(),
            arguments: std::mem::take(&mut self.arguments),
            rules: self.decision.rules.clone(),
            requirements,
            risks: self.risks.clone(),
            era: match self.era {
                Era::Legacy => "legacy",
                Era::Modern => "modern",
            }
            .to_owned(),
            trace_id: String::new(),
            event_id: event.to_owned(),
            findings: std::mem::take(&mut self.findings),
        }
    }
}

/// Everything that an approval is for: what reaches the upstream, and what people were asked to agree to. Another
/// requirement, because the caller's roles have changed, makes it another call.
fn digest(
    caller: &Identity,
    server: &Server,
    request: &Request,
    (target, arguments): (&str, &str),
    decision: &Decision,
    headers: Option<&HeaderPairs>,
) -> CallDigest {
    let rest = canonical(&other_params(request));
    let approvals = match &decision.effect {
        Effect::Hold(approvals) => approvals.as_slice(),
        Effect::Allow | Effect::Deny => &[],
    };
    let required: Vec<Vec<u8>> = approvals
        .iter()
        .map(|approval| approval_to_wire(approval).encode_to_vec())
        .collect();
    let mut mirrored = headers.map(mirrored).unwrap_or_default();
    mirrored.sort_by(|one, two| one.name.cmp(&two.name));
    let mirrored: Vec<Vec<u8>> = mirrored.iter().map(|it| it.encode_to_vec()).collect();
    // How many there are of each, so that none is taken for one of another kind.
    let counts = format!("{} {}", required.len(), mirrored.len());
    let named = [
        server.name.as_str(),
        &request.method,
        target,
        arguments,
        &rest,
        &counts,
    ];
    let named = named.into_iter().map(str::as_bytes);
    let lists = required.iter().chain(&mirrored).map(Vec::as_slice);
    call_digest(caller, named.chain(lists))
}

/// Parameters beside those that are looked at elsewhere, and those that differ from one request to the next.
fn other_params(request: &Request) -> Map<String, Value> {
    const ELSEWHERE: [&str; 6] = [
        "name",
        "uri",
        "arguments",
        "_meta",
        "requestState",
        "inputResponses",
    ];
    let params = request.params.iter().flatten();
    params
        .filter(|(key, _)| !ELSEWHERE.contains(&key.as_str()))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

fn has_answers(request: &Request) -> bool {
    let answers = request
        .params
        .as_ref()
        .and_then(|it| it.get("inputResponses"));
    answers.is_some_and(|it| it.as_object().is_none_or(|it| !it.is_empty()))
}

/// Whether a header repeats arguments for the server.
pub(super) fn repeats_arguments(headers: &HeaderPairs) -> bool {
    let mut names = headers.iter().map(|(name, _)| name.to_ascii_lowercase());
    names.any(|name| name.starts_with(b"mcp-param-"))
}

/// Headers that repeat arguments for the server.
pub(super) fn mirrored(headers: &HeaderPairs) -> Vec<HeldHeader> {
    let text = |bytes: &[u8]| std::str::from_utf8(bytes).ok().map(str::to_owned);
    let mirrored = headers.iter().filter_map(|(name, value)| {
        let name = text(name)?.to_ascii_lowercase();
        let value = text(value)?;
        name.starts_with("mcp-param-")
            .then_some(HeldHeader { name, value })
    });
    mirrored.collect()
}
