//! The audit event of one exchange while it is being written.

use std::rc::Rc;

use gatehold_detect::Kind;
use gatehold_engine::{Decision, Effect};
use gatehold_identity::Identity;
use gatehold_mcp::{Era, Id, Outcome, Value};
use gatehold_wire::EventRef;
use sha2::{Digest as _, Sha256};

use crate::arguments::{Given, Unbuilt};
use crate::audit::Weight;
use crate::caller::Caller;
use crate::detection::{Action, Observed};
use crate::exchange::Refusal;
use crate::hex::hex;
use crate::host::Host;
use crate::metrics::{Counter, Refused};
use crate::server::AuditArguments;
use crate::snapshot::Endpoint;
use crate::worker::{Slot, Worker};

/// Bytes of the canonical arguments that an event carries.
const MAX_ARGUMENTS: usize = 16 << 10;
/// Bytes of any other text from outside that an event carries.
const MAX_TEXT: usize = 1024;
/// Entries of a list that an event carries.
const MAX_ENTRIES: usize = 64;

/// How an exchange ended, for its event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The filter refused it with this JSON-RPC code (0 for a tool error) and HTTP status.
    Refused {
        /// JSON-RPC error code.
        code: i64,
        /// HTTP status.
        status: u32,
    },
    /// The upstream answered.
    Answered(Outcome),
    /// The client or the upstream went away first.
    Aborted,
}

/// An event that is not recorded yet. Recording consumes it, so that there is exactly one.
///
/// It holds on to what it is about rather than to copies: most of it is only written when events are kept.
#[derive(Debug)]
pub struct Draft {
    id: String,
    started: u64,
    endpoint: Rc<Endpoint>,
    caller: Option<Rc<Caller>>,
    method: String,
    request_id: Option<Id>,
    trace_id: Option<String>,
    era: Option<Era>,
    target: String,
    arguments: Option<Arguments>,
    effect: &'static str,
    /// Whether it was judged by the server's policy.
    decided: bool,
    decision: Option<Rc<Decision>>,
    /// Instead of the decision's.
    reason: Option<String>,
    /// Why it was refused, coarsely.
    refusal: Option<Refused>,
    /// Effect and reason of what went on in shadow mode and would not have.
    spared: Option<(&'static str, String)>,
    /// The approval that it waits for, or runs under.
    approval: String,
    /// What is not to be told of the target, and what is told in its place.
    concealed: Option<(String, String)>,
    shown: u32,
    hidden: u32,
    /// What detection saw, and what was done about it.
    observed: Observed,
    records: bool,
    slot: Slot,
    course: Course,
}

/// Arguments as an event has them.
#[derive(Debug)]
struct Arguments {
    /// In hex; empty when it follows from the whole text.
    digest: String,
    text: String,
    cut: bool,
    /// Whether the text is the client's own rather than canonical.
    raw: bool,
}

impl Arguments {
    fn of(given: Given<'_>, keep: AuditArguments) -> Self {
        let built = match given {
            Given::Built(arguments) => Some(arguments),
            Given::Unbuilt(Unbuilt(arguments)) => {
                let text = arguments.text();
                // Control brings into form and digests what it gets whole: that is most of what an event costs.
                if keep == AuditArguments::Full && text.len() <= MAX_ARGUMENTS {
                    return Self {
                        digest: String::new(),
                        text: text.to_owned(),
                        cut: false,
                        raw: true,
                    };
                }
                arguments.get()
            }
        };
        let mut text = built.map(gatehold_mcp::canonical).unwrap_or_default();
        let end = match keep {
            AuditArguments::Full => floor_char_boundary(&text, MAX_ARGUMENTS),
            AuditArguments::Digest => 0,
        };
        let cut = end < text.len();
        let digest = match cut {
            true => hex(&Sha256::digest(text.as_bytes())),
            false => String::new(),
        };
        text.truncate(end);
        Self {
            digest,
            text,
            cut: cut && keep == AuditArguments::Full,
            raw: false,
        }
    }
}

impl Arguments {
    /// Leaves nothing but the digest.
    fn forget(&mut self) {
        if self.digest.is_empty() {
            let canonical = match self.raw {
                true => gatehold_mcp::canonical_text(&self.text),
                false => None,
            };
            let text = canonical.as_ref().unwrap_or(&self.text);
            self.digest = hex(&Sha256::digest(text.as_bytes()));
        }
        self.text.clear();
        self.cut = false;
        self.raw = false;
    }
}

/// Whether the request went on to the upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Course {
    Judged,
    Passed,
}

impl Draft {
    /// Begins the event of a request that arrived at `now` (nanoseconds).
    pub fn new(worker: &Worker, now: u64, endpoint: &Rc<Endpoint>) -> Self {
        Self {
            id: worker.random.id(),
            started: now,
            endpoint: Rc::clone(endpoint),
            caller: None,
            method: String::new(),
            request_id: None,
            trace_id: None,
            era: None,
            target: String::new(),
            arguments: None,
            effect: "",
            decided: false,
            decision: None,
            reason: None,
            refusal: None,
            spared: None,
            approval: String::new(),
            concealed: None,
            shown: 0,
            hidden: 0,
            observed: Observed::default(),
            records: worker.records(),
            slot: Slot::Unneeded,
            course: Course::Judged,
        }
    }

    /// The event's id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// When the request arrived, in nanoseconds.
    pub fn started(&self) -> u64 {
        self.started
    }

    /// Says who asks.
    pub fn identify(&mut self, caller: &Rc<Caller>) {
        self.caller = Some(Rc::clone(caller));
    }

    /// Says what is asked, as far as the envelope tells.
    pub fn message(&mut self, method: &str, id: Option<&Id>, trace_id: Option<String>) {
        if self.records {
            self.method = clip(method).to_owned();
            self.request_id = id.cloned();
            self.trace_id = trace_id;
        }
    }

    /// Says in which era.
    pub fn era(&mut self, era: Era) {
        self.era = Some(era);
    }

    /// Says which tool, prompt or resource.
    pub fn target(&mut self, target: &str) {
        self.target = clip(target).to_owned();
    }

    /// Says with which arguments.
    pub fn arguments(&mut self, given: Given<'_>, keep: AuditArguments) {
        let is_empty = matches!(given, Given::Built(arguments) if arguments.is_empty());
        if !is_empty && self.records {
            self.arguments = Some(Arguments::of(given, keep));
        }
    }

    /// Says what policy decided.
    pub fn decision(&mut self, decision: &Rc<Decision>) {
        self.effect = match decision.effect {
            Effect::Allow => "allow",
            Effect::Hold(_) => "hold",
            Effect::Deny => "deny",
        };
        self.decided = true;
        self.decision = Some(Rc::clone(decision));
        self.reason = None;
    }

    /// Says which approval it waits for.
    pub fn waits_for(&mut self, approval: &str) {
        self.approval = clip(approval).to_owned();
    }

    /// Says that it runs because people have approved it.
    pub fn granted(&mut self, approval: &str) {
        self.waits_for(approval);
        self.effect = "allow";
        self.reason = Some(format!("approved as `{}`", self.approval));
    }

    /// Says that no rule was needed.
    pub fn permitted(&mut self) {
        self.effect = "allow";
        self.decided = true;
    }

    /// Says that it, or the answer to what was allowed, was refused, and why.
    pub fn refused(&mut self, class: Refused, reason: &str) {
        if self.spared.is_some() {
            return;
        }
        self.refusal = Some(class);
        if self.course == Course::Judged && self.effect != "hold" {
            self.effect = "deny";
        }
        let reason = match &self.concealed {
            Some((whole, shown)) => reason.replace(whole, shown),
            None => reason.to_owned(),
        };
        self.reason = Some(clip(&reason).to_owned());
    }

    /// Says that it goes on, since nothing is enforced, and why it would not have. What is said first counts,
    /// whatever is decided later.
    #[cold]
    pub fn spare(&mut self, class: Refused, reason: &str) {
        if self.spared.is_none() {
            self.course = Course::Judged;
            self.refused(class, reason);
            self.spared = Some((self.effect, self.reason().to_owned()));
        }
    }

    /// Spares it in shadow mode.
    ///
    /// # Errors
    /// The refusal elsewhere.
    #[cold]
    pub(crate) fn refuse_or_spare(&mut self, refusal: Refusal) -> Result<(), Refusal> {
        if !self.is_shadow() {
            return Err(refusal);
        }
        self.spare(refusal.class, &refusal.reason);
        Ok(())
    }

    /// The server that it is about.
    pub fn endpoint(&self) -> &Rc<Endpoint> {
        &self.endpoint
    }

    /// Whether nothing that is decided is enforced.
    pub fn is_shadow(&self) -> bool {
        self.endpoint.server.shadow
    }

    /// Has the event tell `shown` where it would tell `whole`, its target.
    pub fn conceal(&mut self, whole: &str, shown: String) {
        self.target(&shown);
        let reason = self.reason().replace(whole, &shown);
        self.reason = Some(clip(&reason).to_owned());
        self.concealed = Some((whole.to_owned(), shown));
    }

    /// Says what became of a list; pages add up.
    pub fn list(&mut self, shown: usize, hidden: usize) {
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        self.shown = self.shown.saturating_add(count(shown));
        self.hidden = self.hidden.saturating_add(count(hidden));
    }

    /// Says what detection saw.
    pub fn detected(&mut self, mut observed: Observed) {
        if self.endpoint.server.audit_arguments == AuditArguments::Digest {
            let arguments = observed.findings.iter_mut();
            let arguments = arguments.filter(|it| it.kind == Kind::Argument.name());
            arguments.for_each(|finding| finding.excerpt.clear());
        }
        self.observed.append(observed);
    }

    /// Says that detection stood against it.
    pub fn blocked(&mut self) {
        self.effect = "deny";
        self.decided = true;
    }

    /// Has the event tell the digest of the arguments alone.
    pub fn forget_arguments(&mut self) {
        if let Some(arguments) = &mut self.arguments {
            arguments.forget();
        }
    }

    /// Whether the event has the text of arguments.
    pub fn tells_arguments(&self) -> bool {
        let arguments = self.arguments.as_ref();
        arguments.is_some_and(|arguments| !arguments.text.is_empty())
    }

    /// Which tool, prompt or resource it is about, cut to a bound.
    pub fn about(&self) -> &str {
        &self.target
    }

    /// Says that the request goes on to the upstream, and takes over the room that is kept for its event.
    pub fn pass(&mut self, slot: Slot) {
        self.course = Course::Passed;
        self.slot = slot;
    }

    /// Says that it does not go on after all.
    pub fn stay(&mut self) {
        self.course = Course::Judged;
    }

    /// The rules that decided, the user and the target, for the access log.
    pub fn verdict(&self) -> [(&'static str, &str); 6] {
        let rule = self.decision.as_ref().and_then(|it| it.rules.first());
        [
            ("gatehold.effect", self.effect()),
            (
                "gatehold.enforced",
                if self.is_shadow() { "false" } else { "" },
            ),
            ("gatehold.reason", self.reason()),
            ("gatehold.rule", rule.map_or("", String::as_str)),
            ("gatehold.user", self.identity().map_or("", |it| &it.user)),
            ("gatehold.tool", &self.target),
        ]
    }

    /// Records the event.
    pub fn finish(self, worker: &Worker, host: &dyn Host, ending: Ending) {
        worker.release(&self.slot);
        let counter = match self.effect() {
            "deny" => Counter::ShadowDenied,
            "hold" => Counter::ShadowHeld,
            _ => Counter::ShadowAllowed,
        };
        worker
            .metrics
            .add(host, counter, usize::from(self.is_shadow()));
        if !self.records {
            return;
        }
        let now = host.now().unwrap_or(self.started);
        let weight = match (&self.slot, &self.caller) {
            (Slot::Reserved, _) => Weight::Promised,
            (Slot::Unneeded, Some(_)) => Weight::Known,
            (Slot::Unneeded, None) => Weight::Anonymous,
        };
        worker.record(host, self.encode(now, ending), weight);
    }

    fn encode(&self, now: u64, ending: Ending) -> Vec<u8> {
        let (outcome, error_code, status) = match ending {
            // It was not, and what became of it was not looked at.
            Ending::Refused { .. } if self.is_shadow() => ("unknown", 0, 0),
            Ending::Refused { code, status } if self.course == Course::Judged => {
                ("denied", code, status)
            }
            Ending::Refused { code, status } => ("error", code, status),
            Ending::Aborted => ("aborted", 0, 0),
            Ending::Answered(Outcome::Ok) => ("ok", 0, 0),
            Ending::Answered(Outcome::ToolError) => ("tool_error", 0, 0),
            Ending::Answered(Outcome::Error(code)) => ("error", code, 0),
            Ending::Answered(Outcome::InputRequired) => ("input_required", 0, 0),
            Ending::Answered(Outcome::Task) => ("task", 0, 0),
            Ending::Answered(Outcome::Unknown) => ("unknown", 0, 0),
        };
        let server = &self.endpoint.server;
        let identity = self.identity();
        let said = |text: fn(&Identity) -> &str| identity.map_or("", |it| clip(text(it)));
        let decision = self.decision.as_deref();
        let (rules, errors) = decision.map_or((&[][..], &[][..]), |it| (&it.rules, &it.errors));
        let errors: Vec<String> = errors
            .iter()
            .take(MAX_ENTRIES)
            .map(|error| format!("{}: {}", error.rule, error.message))
            .collect();
        let request_id = self.request_id.as_ref().map(written).unwrap_or_default();
        let arguments = self.arguments.as_ref();
        let event = EventRef {
            id: &self.id,
            time_unix_nanos: self.started,
            server: &server.name,
            era: match self.era {
                None => "",
                Some(Era::Legacy) => "legacy",
                Some(Era::Modern) => "modern",
            },
            method: &self.method,
            target: &self.target,
            user: said(|it| &it.user),
            agent: said(|it| &it.agent),
            roles: identity.map_or(Vec::new(), |it| clipped(&it.roles)),
            issuer: said(|it| &it.issuer),
            arguments_digest: arguments.map_or("", |it| &it.digest),
            arguments: arguments.map_or("", |it| &it.text),
            arguments_cut: arguments.is_some_and(|it| it.cut),
            arguments_raw: arguments.is_some_and(|it| it.raw),
            approval: &self.approval,
            effect: self.effect(),
            rules: clipped(rules),
            reason: clip(self.reason()),
            errors: clipped(&errors),
            outcome,
            error_code,
            duration_micros: now.saturating_sub(self.started) / 1000,
            trace_id: self.trace_id.as_deref().unwrap_or_default(),
            request_id: clip(&request_id),
            policy_version: match self.decided {
                true => &server.version,
                false => "",
            },
            hidden: self.hidden,
            shown: self.shown,
            status,
            findings: &self.observed.findings,
            findings_omitted: self.observed.omitted,
            detection: self.observed.action.map_or("", Action::name),
            refusal: self.refusal.map_or("", Refused::name),
            shadow: self.is_shadow(),
        };
        event.encode()
    }

    fn identity(&self) -> Option<&Identity> {
        self.caller.as_ref().map(|caller| &caller.identity)
    }

    fn effect(&self) -> &'static str {
        self.spared
            .as_ref()
            .map_or(self.effect, |(effect, _)| effect)
    }

    fn reason(&self) -> &str {
        if let Some((_, reason)) = &self.spared {
            return reason;
        }
        let decided = self.decision.as_ref().map(|decision| &decision.reason);
        self.reason.as_ref().or(decided).map_or("", String::as_str)
    }
}

/// The id as JSON writes it.
fn written(id: &Id) -> String {
    match id {
        Id::Integer(number) => number.to_string(),
        Id::String(text) => Value::String(text.clone()).to_string(),
    }
}

/// Text from outside, cut to a bound.
fn clip(text: &str) -> &str {
    let end = floor_char_boundary(text, MAX_TEXT);
    text.get(..end).unwrap_or_default()
}

fn clipped(texts: &[String]) -> Vec<&str> {
    texts
        .iter()
        .take(MAX_ENTRIES)
        .map(|text| clip(text))
        .collect()
}

fn floor_char_boundary(text: &str, most: usize) -> usize {
    if text.len() <= most {
        return text.len();
    }
    (0..=most)
        .rev()
        .find(|&at| text.is_char_boundary(at))
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use gatehold_mcp::Map;

    #[test]
    fn texts_are_cut_between_characters() {
        assert_eq!(clip(&"é".repeat(600)).len(), 1024);
        assert_eq!(clip(&format!("x{}", "é".repeat(600))).len(), 1023);
        assert_eq!(clip("short"), "short");
    }

    #[test]
    fn long_arguments_are_cut_and_digested_whole() {
        let arguments: Map<String, Value> =
            [("text".to_owned(), Value::String("x".repeat(MAX_ARGUMENTS)))]
                .into_iter()
                .collect();
        let cut = Arguments::of(Given::Built(&arguments), AuditArguments::Full);
        assert!(cut.cut);
        assert_eq!(cut.text.len(), MAX_ARGUMENTS);
        assert_eq!(cut.digest.len(), 64);

        let digested = Arguments::of(Given::Built(&arguments), AuditArguments::Digest);
        assert!(!digested.cut);
        assert_eq!(digested.text, "");
        assert_eq!(digested.digest, cut.digest);
    }

    #[test]
    fn what_is_kept_whole_is_digested_by_control() {
        let arguments: Map<String, Value> =
            [("a".to_owned(), Value::Bool(true))].into_iter().collect();
        let whole = Arguments::of(Given::Built(&arguments), AuditArguments::Full);
        assert_eq!(
            (whole.text.as_str(), whole.digest.as_str()),
            ("{\"a\":true}", "")
        );
    }
}
