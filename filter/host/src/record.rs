//! The audit event of one exchange while it is being written.

use gatehold_engine::{Decision, Effect};
use gatehold_identity::Identity;
use gatehold_mcp::{Era, Id, Map, Outcome, Value};
use gatehold_wire::audit::Event;
use sha2::{Digest as _, Sha256};

use crate::audit::Weight;
use crate::host::Host;
use crate::server::AuditArguments;
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
#[derive(Debug)]
pub struct Draft {
    event: Event,
    weight: Weight,
    slot: Slot,
    course: Course,
}

/// Whether the request went on to the upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Course {
    Judged,
    Passed,
}

impl Draft {
    /// Begins the event of a request that arrived at `now` (nanoseconds).
    pub fn new(id: String, now: u64, server: &str) -> Self {
        let event = Event {
            id,
            time_unix_nanos: now,
            server: server.to_owned(),
            ..Event::default()
        };
        Self {
            event,
            weight: Weight::Anonymous,
            slot: Slot::Unneeded,
            course: Course::Judged,
        }
    }

    /// The event's id.
    pub fn id(&self) -> &str {
        &self.event.id
    }

    /// When the request arrived, in nanoseconds.
    pub fn started(&self) -> u64 {
        self.event.time_unix_nanos
    }

    /// Says who asks.
    pub fn identify(&mut self, identity: &Identity) {
        self.weight = Weight::Known;
        self.event.user = clip(&identity.user);
        self.event.agent = clip(&identity.agent);
        self.event.roles = identity
            .roles
            .iter()
            .take(MAX_ENTRIES)
            .map(|role| clip(role))
            .collect();
        self.event.issuer = clip(&identity.issuer);
    }

    /// Says what is asked, as far as the envelope tells.
    pub fn message(&mut self, method: &str, id: Option<&Id>, trace_id: Option<String>) {
        self.event.method = clip(method);
        self.event.request_id = id.map(|id| clip(&written(id))).unwrap_or_default();
        self.event.trace_id = trace_id.unwrap_or_default();
    }

    /// Says in which era.
    pub fn era(&mut self, era: Era) {
        self.event.era = match era {
            Era::Legacy => "legacy",
            Era::Modern => "modern",
        }
        .to_owned();
    }

    /// Says which tool, prompt or resource.
    pub fn target(&mut self, target: &str) {
        self.event.target = clip(target);
    }

    /// Says with which arguments.
    pub fn arguments(&mut self, arguments: &Map<String, Value>, keep: AuditArguments) {
        if arguments.is_empty() {
            return;
        }
        let canonical = gatehold_mcp::canonical(arguments);
        self.event.arguments_digest = hex(&Sha256::digest(canonical.as_bytes()));
        if keep == AuditArguments::Full {
            let end = floor_char_boundary(&canonical, MAX_ARGUMENTS);
            self.event.arguments_cut = end < canonical.len();
            self.event.arguments = canonical.get(..end).unwrap_or_default().to_owned();
        }
    }

    /// Says what policy decided.
    pub fn decision(&mut self, decision: &Decision, policy_version: &str) {
        self.event.effect = match decision.effect {
            Effect::Allow => "allow",
            Effect::Hold(_) => "hold",
            Effect::Deny => "deny",
        }
        .to_owned();
        self.event.rules = decision
            .rules
            .iter()
            .take(MAX_ENTRIES)
            .map(|rule| clip(rule))
            .collect();
        self.event.reason = clip(&decision.reason);
        let errors = decision.errors.iter().take(MAX_ENTRIES);
        self.event.errors = errors
            .map(|error| clip(&format!("{}: {}", error.rule, error.message)))
            .collect();
        self.event.policy_version = policy_version.to_owned();
    }

    /// Says that no rule was needed.
    pub fn permitted(&mut self, policy_version: &str) {
        self.event.effect = "allow".to_owned();
        self.event.policy_version = policy_version.to_owned();
    }

    /// Says that it, or the answer to what was allowed, was refused, and why.
    pub fn refused(&mut self, reason: &str) {
        if self.course == Course::Judged && self.event.effect != "hold" {
            self.event.effect = "deny".to_owned();
        }
        self.event.reason = clip(reason);
    }

    /// Says what became of a list; pages add up.
    pub fn list(&mut self, shown: usize, hidden: usize) {
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        self.event.shown = self.event.shown.saturating_add(count(shown));
        self.event.hidden = self.event.hidden.saturating_add(count(hidden));
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
    pub fn verdict(&self) -> [(&'static str, &str); 5] {
        [
            ("gatehold.effect", &self.event.effect),
            ("gatehold.reason", &self.event.reason),
            (
                "gatehold.rule",
                self.event.rules.first().map_or("", String::as_str),
            ),
            ("gatehold.user", &self.event.user),
            ("gatehold.tool", &self.event.target),
        ]
    }

    /// Records the event.
    pub fn finish(mut self, worker: &Worker, host: &dyn Host, ending: Ending) {
        let started = self.started();
        let now = host.now().unwrap_or(started);
        self.event.duration_micros = now.saturating_sub(started) / 1000;
        let outcome = match ending {
            Ending::Refused { code, status } => {
                self.event.error_code = code;
                self.event.status = status;
                match self.course {
                    Course::Judged => "denied",
                    Course::Passed => "error",
                }
            }
            Ending::Aborted => "aborted",
            Ending::Answered(outcome) => match outcome {
                Outcome::Ok => "ok",
                Outcome::ToolError => "tool_error",
                Outcome::Error(code) => {
                    self.event.error_code = code;
                    "error"
                }
                Outcome::InputRequired => "input_required",
                Outcome::Task => "task",
                Outcome::Unknown => "unknown",
            },
        };
        self.event.outcome = outcome.to_owned();
        worker.release(&self.slot);
        let weight = match self.slot {
            Slot::Reserved => Weight::Promised,
            Slot::Unneeded => self.weight,
        };
        worker.record(host, self.event, weight);
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
fn clip(text: &str) -> String {
    let end = floor_char_boundary(text, MAX_TEXT);
    text.get(..end).unwrap_or_default().to_owned()
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

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |value: u8| {
        DIGITS
            .get(usize::from(value))
            .copied()
            .map_or('0', char::from)
    };
    bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

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
        let mut draft = Draft::new("1".into(), 0, "s");
        draft.arguments(&arguments, AuditArguments::Full);
        assert!(draft.event.arguments_cut);
        assert_eq!(draft.event.arguments.len(), MAX_ARGUMENTS);
        assert_eq!(draft.event.arguments_digest.len(), 64);

        let mut draft = Draft::new("1".into(), 0, "s");
        draft.arguments(&arguments, AuditArguments::Digest);
        assert_eq!(draft.event.arguments, "");
        assert_eq!(draft.event.arguments_digest.len(), 64);
    }
}
