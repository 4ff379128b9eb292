//! What detection has to say about a request: what it sees in it, and what it saw before.

use std::borrow::Cow;
use std::cell::{Cell, OnceCell};
use std::fmt;
use std::rc::Rc;

use gatehold_engine::{Approval, Arguments, Decision, Findings, FindingsSource, Target};
use gatehold_mcp::{Era, Message, parse, says_arguments_alone, spoken, state_place};
use gatehold_wire::audit::Finding;

use crate::arguments::Unbuilt;
use crate::caller::Caller;
use crate::detection::taint::{self, Taint};
use crate::detection::{Action, Actions, Detectors, MARK, Observed, Seen, Unwanted, withheld};
use crate::exchange::ask::IN_ROUNDS;
use crate::exchange::decide::Questioner;
use crate::exchange::mcp_limits;
use crate::exchange::reply::Refusal;
use crate::host::{Host, HostError};
use crate::record::Draft;
use crate::snapshot::Endpoint;
use crate::worker::Worker;
use gatehold_detect::{Context, Kind};

/// One message of a client. Nothing is looked at before it matters.
pub(super) struct Watched<'a> {
    worker: &'a Worker,
    host: &'a dyn Host,
    endpoint: &'a Endpoint,
    caller: &'a Caller,
    message: &'a Message,
    body: &'a [u8],
    actions: Actions,
    said: Said<'a>,
    taint: OnceCell<Option<Taint>>,
    /// Whether an approval is needed for what was seen before.
    is_tainted: Cell<bool>,
    /// Whether one is needed for what is seen now.
    asks: Cell<bool>,
}

/// A call without its secrets.
#[derive(Debug)]
pub(super) struct Redacted {
    pub(super) body: Vec<u8>,
    pub(super) message: Message,
}

/// What a message says.
struct Said<'a> {
    detectors: Option<&'a Detectors>,
    text: Cow<'a, [u8]>,
    /// Where that begins in the body.
    start: usize,
    seen: OnceCell<Seen>,
    findings: OnceCell<Findings>,
}

impl fmt::Debug for Watched<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watched")
            .field("actions", &self.actions)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Said<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Said")
            .field("bytes", &self.text.len())
            .finish_non_exhaustive()
    }
}

impl FindingsSource for Said<'_> {
    fn findings(&self) -> Option<&Findings> {
        let seen = self.seen()?;
        let make = || Findings {
            score: seen.verdict.score,
            flagged: seen.verdict.flagged,
            features: each(seen.verdict.findings.iter().map(|it| &it.feature)),
            secrets: each(seen.verdict.secrets.iter().map(|it| &it.pattern)),
        };
        Some(self.findings.get_or_init(make))
    }
}

fn each<'n>(names: impl Iterator<Item = &'n String>) -> Vec<String> {
    let mut each: Vec<String> = Vec::new();
    for name in names {
        if !each.contains(name) {
            each.push(name.clone());
        }
    }
    each
}

impl Said<'_> {
    fn seen(&self) -> Option<&Seen> {
        let detectors = self.detectors?;
        let look = || detectors.look(Kind::Argument, Context::default(), &self.text);
        Some(self.seen.get_or_init(look))
    }
}

/// What a message is about: a tool, prompt or resource, or nothing.
pub(super) fn subject(message: &Message) -> &str {
    let Message::Request(request) = message else {
        return "";
    };
    let params = request.params.as_ref();
    let member = |name: &str| params?.get(name);
    // Only the member that the method goes by: any other is the client's to choose.
    let subject = match request.method.as_str() {
        "tools/call" | "prompts/get" => member("name"),
        "completion/complete" => member("ref").and_then(|reference| {
            let kind = reference.get("type").and_then(|it| it.as_str());
            reference.get(match kind {
                Some("ref/resource") => "uri",
                _ => "name",
            })
        }),
        method if method.starts_with("resources/") => member("uri"),
        _ => None,
    };
    subject.and_then(|it| it.as_str()).unwrap_or_default()
}

/// Methods whose target is a resource, or may be one.
fn is_of_resources(message: &Message) -> bool {
    let method = message.method().unwrap_or_default();
    let families = ["resources/", "subscriptions/", "completion/"];
    families.iter().any(|family| method.starts_with(family))
}

/// The state that a client carries over is sealed, and what is sealed looks like a secret. It never goes on: the
/// upstream gets what is in it.
fn without_state<'a>(body: &[u8], start: usize, text: &'a [u8]) -> Cow<'a, [u8]> {
    let mut text = Cow::Borrowed(text);
    let place = state_place(body).and_then(|place| {
        let (from, to) = (
            place.start.checked_sub(start)?,
            place.end.checked_sub(start)?,
        );
        text.get(from..to).map(|_| from..to)
    });
    if let Some(state) = place.and_then(|place| text.to_mut().get_mut(place)) {
        state.fill(b' ');
    }
    text
}

impl<'a> Watched<'a> {
    /// Of a message of this era with this body, of whose arguments `unbuilt` is the text if they are not built.
    pub(super) fn new(
        (worker, host): (&'a Worker, &'a dyn Host),
        (endpoint, caller): (&'a Endpoint, &'a Caller),
        (era, message): (Era, &'a Message),
        body: &'a [u8],
        unbuilt: Option<&Unbuilt<'a>>,
    ) -> Self {
        let alone = |unbuilt: &&Unbuilt<'a>| {
            message.params().is_some_and(says_arguments_alone) && !unbuilt.0.text().is_empty()
        };
        let (start, text) = match unbuilt.filter(alone) {
            Some(unbuilt) => {
                let text = unbuilt.0.text().as_bytes();
                let start = text.as_ptr().addr().saturating_sub(body.as_ptr().addr());
                (start, text)
            }
            None => {
                let range = spoken(body).unwrap_or_default();
                (range.start, body.get(range).unwrap_or_default())
            }
        };
        let method = message.method().unwrap_or_default();
        let params = message.params();
        let has_state = params.is_some_and(|it| it.contains_key("requestState"));
        let text = match has_state && era == Era::Modern && IN_ROUNDS.contains(&method) {
            true => without_state(body, start, text),
            false => Cow::Borrowed(text),
        };
        Self {
            actions: endpoint.server.detection.actions(subject(message)),
            worker,
            host,
            endpoint,
            caller,
            message,
            body,
            said: Said {
                detectors: endpoint.detectors.as_deref(),
                text,
                start,
                seen: OnceCell::new(),
                findings: OnceCell::new(),
            },
            taint: OnceCell::new(),
            is_tainted: Cell::new(false),
            asks: Cell::new(false),
        }
    }

    /// What the message says.
    pub(super) fn text(&self) -> &[u8] {
        &self.said.text
    }

    /// For conditions.
    pub(super) fn findings(&self) -> Option<&dyn FindingsSource> {
        Some(&self.said)
    }

    /// Whether what is said must not go on, and what was seen.
    pub(super) fn blocks(&self) -> Option<String> {
        let seen = self.looked()?;
        (self.action(&seen) == Action::Block).then(|| seen.names())
    }

    /// Judges what policy lets pass, or lets wait: adds the approval that is needed for what was seen.
    ///
    /// # Errors
    /// The refusal of what must not go on.
    pub(super) fn judge(
        &self,
        of: &Questioner<'_>,
        id: &gatehold_mcp::Id,
        (target, arguments): (Target<'_>, Arguments<'_>),
        decision: Rc<Decision>,
        draft: &mut Draft,
    ) -> Result<Rc<Decision>, Refusal> {
        let runs = !matches!(arguments, Arguments::Unknown);
        let detection = &self.endpoint.server.detection;
        if let (Target::Tool(tool), true, true) = (target, runs, detection.withholds())
            && let Some(seen) = self.withheld(tool)?
        {
            draft.blocked();
            return Err(Refusal::withheld_tool(id, of.era, &seen, draft.id()));
        }
        if let Some(seen) = self.blocks() {
            draft.blocked();
            let is_tool = matches!(target, Target::Tool(_)) && runs;
            return Err(Refusal::detected(id, (of.era, is_tool), &seen, draft.id()));
        }
        if !runs || !self.may_change(target) {
            return Ok(decision);
        }
        let own = detection.approval.as_ref();
        let held = if let (Some(seen), Some(approval)) = (self.needs_approval(), own) {
            self.asks.set(true);
            let seen = format!("its arguments look like an attack ({seen})");
            Some((approval.clone(), seen))
        } else {
            self.taint()?.map(|taint| {
                self.is_tainted.set(true);
                let approval = own.cloned().unwrap_or_else(|| taint.approval());
                (approval, taint.seen.clone())
            })
        };
        let Some((approval, seen)): Option<(Approval, String)> = held else {
            return Ok(decision);
        };
        let decision = Rc::new(Decision::clone(&decision).and_approval(&approval, &seen));
        draft.decision(&decision);
        Ok(decision)
    }

    /// What an approver is told.
    pub(super) fn told(&self) -> Vec<Finding> {
        let mut observed = Observed::default();
        if let (Some(_), Some(seen)) = (self.said.seen.get(), self.looked()) {
            observed.add(Kind::Argument, "", &self.placed(&seen), Action::Log);
        }
        let mut told = observed.findings;
        if let (true, Some(Some(taint))) = (self.is_tainted.get(), self.taint.get()) {
            told.push(taint.finding());
        }
        told
    }

    /// Tells event and metrics what was seen.
    pub(super) fn report(&self, draft: &mut Draft) {
        let was_judged = self.said.seen.get().is_some();
        self.hush(draft);
        if !was_judged {
            return;
        }
        let seen = self.looked().unwrap_or_default();
        let mut observed = Observed {
            bytes: self.said.text.len(),
            ..Observed::default()
        };
        let action = self.action(&seen).max(Action::Log);
        observed.add(Kind::Argument, "", &self.placed(&seen), action);
        self.worker.metrics.observed(self.host, &observed);
        draft.detected(observed);
    }

    /// Keeps secrets out of what the event tells, also where nobody has judged what is said, as in a call that
    /// policy denies.
    pub(super) fn hush(&self, draft: &mut Draft) {
        let names_resource = is_of_resources(self.message) && !draft.about().is_empty();
        if !draft.tells_arguments() && !names_resource {
            return;
        }
        let seen = self.looked();
        if seen.is_none_or(|seen| seen.verdict.secrets.is_empty()) {
            return;
        }
        draft.forget_arguments();
        if names_resource {
            // What the event has may be cut, and with it a secret.
            let target = draft.about().to_owned();
            let whole = Some(subject(self.message)).filter(|whole| whole.starts_with(&target));
            let whole = whole.unwrap_or(&target);
            if let Some(hidden) = self.hidden(whole) {
                draft.conceal(whole, hidden);
            }
        }
    }

    /// The name of a resource without its secrets; nothing when it has none.
    fn hidden(&self, whole: &str) -> Option<String> {
        let detectors = self.said.detectors?;
        let text = whole.as_bytes();
        let looked = (Kind::Argument, Context::default());
        let verdict = detectors.look(looked.0, looked.1, text).verdict;
        if verdict.secrets.is_empty() {
            return None;
        }
        let unwanted = Unwanted {
            injection: false,
            secrets: true,
        };
        let new = detectors.redacted(looked, text, &verdict, unwanted);
        let new = new.and_then(|new| String::from_utf8(new).ok());
        Some(new.unwrap_or_else(|| MARK.to_owned()))
    }

    /// What was seen before, if that is settled with an approval of this request.
    pub(super) fn settled(&self) -> Option<Taint> {
        let taint = self.taint.get().cloned().flatten();
        taint.filter(|_| self.is_tainted.get())
    }

    /// Has the next call wait for what is seen in this one, which does not.
    ///
    /// # Errors
    /// The host's.
    pub(super) fn keep(&self) -> Result<(), HostError> {
        if self.said.seen.get().is_none() || self.endpoint.server.shadow {
            return Ok(());
        }
        let (Some(seen), Some(approval)) = (
            self.needs_approval().filter(|_| !self.asks.get()),
            self.endpoint.server.detection.approval.as_ref(),
        ) else {
            return Ok(());
        };
        let seen = format!("arguments to it looked like an attack ({seen})");
        let finding = self.told().into_iter().next().unwrap_or_default();
        let now = self.host.now()? / 1_000_000_000;
        let taint = Taint::new(now, seen, approval, &finding);
        let cluster = &self.worker.config.control_cluster;
        taint::set(self.host, cluster, self.caller, &taint)
    }

    /// The body without its secrets; nothing when it can stay as it is.
    ///
    /// # Errors
    /// What was seen, when it cannot be taken out.
    pub(super) fn redacted(&self, repeats: bool) -> Result<Option<Redacted>, String> {
        let (body, message) = (self.body, self.message);
        // What nobody has judged by what it says need not be looked at, as a request for a list.
        if self.said.seen.get().is_none() {
            return Ok(None);
        }
        let (Some(seen), Some(detectors)) = (self.looked(), self.said.detectors) else {
            return Ok(None);
        };
        let wanted = self.actions.secrets_in_arguments == Action::Redact;
        if !wanted || seen.verdict.secrets.is_empty() {
            return Ok(None);
        }
        let unwanted = Unwanted {
            injection: false,
            secrets: true,
        };
        // Of other messages the server would make something else; headers that repeat arguments would still
        // have them.
        let is_call = matches!(message.method(), Some("tools/call" | "prompts/get"));
        let looked = (Kind::Argument, Context::default());
        let redact = || detectors.redacted(looked, &self.said.text, &seen.verdict, unwanted);
        let new = (is_call && !repeats).then(redact).flatten();
        let Some(new) = new else {
            return Err(seen.names());
        };
        let end = self.said.start.saturating_add(self.said.text.len());
        let before = body.get(..self.said.start).unwrap_or_default();
        let after = body.get(end..).unwrap_or_default();
        let body = [before, &new, after].concat();
        // What is called is judged as it came, and has to go on so.
        let is_same = |new: &Message| {
            (new.method(), new.id(), subject(new))
                == (message.method(), message.id(), subject(message))
        };
        match parse(&body, &mcp_limits(self.endpoint)) {
            Ok(message) if is_same(&message) => Ok(Some(Redacted { body, message })),
            _ => Err(seen.names()),
        }
    }

    /// What is seen of what anybody wants to know.
    fn looked(&self) -> Option<Seen> {
        let Actions {
            arguments,
            secrets_in_arguments,
            ..
        } = self.actions;
        let looks = arguments != Action::Off || secrets_in_arguments != Action::Off;
        let seen = looks.then(|| self.said.seen()).flatten()?;
        if seen.is_nothing() {
            return None;
        }
        let mut seen = seen.clone();
        seen.leave(
            arguments != Action::Off,
            secrets_in_arguments != Action::Off,
        );
        Some(seen)
    }

    fn action(&self, seen: &Seen) -> Action {
        let injection = match self.actions.arguments {
            // Nobody can say what a call with half of its arguments would do.
            Action::Redact => Action::Block,
            action => action,
        };
        let injection = if seen.verdict.flagged {
            injection
        } else {
            Action::Off
        };
        match seen.verdict.secrets.as_slice() {
            [] => injection,
            _ => injection.max(self.actions.secrets_in_arguments),
        }
    }

    fn needs_approval(&self) -> Option<String> {
        let seen = self.looked()?;
        let Actions {
            arguments,
            secrets_in_arguments,
            ..
        } = self.actions;
        let injection = seen.verdict.flagged && arguments == Action::Approve;
        let secrets = !seen.verdict.secrets.is_empty() && secrets_in_arguments == Action::Approve;
        (injection || secrets).then(|| seen.names())
    }

    /// Whether a request may do more than read.
    fn may_change(&self, target: Target<'_>) -> bool {
        match target {
            Target::Tool(tool) => !self.endpoint.server.policy.only_reads(tool),
            Target::Method(method) => method != "tasks/list",
            Target::Resource(_) | Target::Prompt(_) => false,
        }
    }

    fn taint(&self) -> Result<Option<&Taint>, HostError> {
        if !self.endpoint.taints {
            return Ok(None);
        }
        if let Some(known) = self.taint.get() {
            return Ok(known.as_ref());
        }
        let now = self.host.now()? / 1_000_000_000;
        let cluster = &self.worker.config.control_cluster;
        let taint = taint::read(self.host, cluster, self.caller, now)?;
        Ok(self.taint.get_or_init(|| taint).as_ref())
    }

    fn withheld(&self, tool: &str) -> Result<Option<String>, HostError> {
        let cluster = &self.worker.config.control_cluster;
        withheld::read(self.host, cluster, &self.endpoint.server.name, tool)
    }

    fn placed(&self, seen: &Seen) -> Seen {
        let start = self.said.start;
        seen.moved(|span| Some(span.start.saturating_add(start)..span.end.saturating_add(start)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_not_looked_at() {
        for (body, from, expected) in [
            (
                r#"{"params":{"requestState":"abc","a":"abc"}}"#,
                10,
                r#"{"requestState":"   ","a":"abc"}}"#,
            ),
            (r#"{"params":{"a":"abc"}}"#, 10, r#"{"a":"abc"}}"#),
            // It is not in what is looked at.
            (
                r#"{"params":{"requestState":"abc","a":"abc"}}"#,
                36,
                r#""abc"}}"#,
            ),
        ] {
            let text = &body.as_bytes()[from..];
            let text = without_state(body.as_bytes(), from, text);
            assert_eq!(String::from_utf8_lossy(&text), expected, "{body}");
        }
    }
}
