//! What was seen in one exchange, as its event tells it.

use gatehold_detect::{Kind, Verdict};
use gatehold_wire::audit::Finding;

use crate::detection::actions::Action;
use crate::detection::detectors::Seen;

/// Findings that an event has.
const MAX_FINDINGS: usize = 32;
/// Names that a finding has.
const MAX_FEATURES: usize = 8;
/// Bytes of a name from outside.
const MAX_NAME: usize = 256;

/// What was seen, and what was done about it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Observed {
    /// What goes into the event.
    pub findings: Vec<Finding>,
    /// What does not, for there is too much of it.
    pub omitted: u32,
    /// What was done in the end.
    pub action: Option<Action>,
    /// How many texts of each kind were flagged, in the order of [`Kind::ALL`].
    pub flagged: [usize; 3],
    /// How many texts had secrets in them.
    pub secrets: usize,
    /// How many texts only the shadow pack saw something in.
    pub shadow: usize,
    /// How often something was done, strictest last: log, redact, approve, block.
    pub actions: [usize; 4],
    /// Bytes that were looked at.
    pub bytes: usize,
}

impl Observed {
    /// Notes what was seen in one text, unless it is nothing, and what is done about it. `subject` is the name of
    /// a definition.
    pub fn add(&mut self, kind: Kind, subject: &str, seen: &Seen, action: Action) {
        if seen.is_something() {
            self.count(kind, &seen.verdict, action);
            self.push(finding(kind, subject, &seen.verdict, false));
            self.action = self.action.max(Some(action));
        }
        if let Some(shadow) = &seen.shadow {
            self.shadow = self.shadow.saturating_add(1);
            self.push(finding(kind, subject, shadow, true));
        }
    }

    /// Whether there is nothing to tell.
    pub fn is_empty(&self) -> bool {
        self.findings.is_empty() && self.omitted == 0
    }

    /// Joins what was seen before.
    pub fn append(&mut self, other: Self) {
        for finding in other.findings {
            self.push(finding);
        }
        self.omitted = self.omitted.saturating_add(other.omitted);
        self.action = self.action.max(other.action);
    }

    fn count(&mut self, kind: Kind, verdict: &Verdict, action: Action) {
        let flagged = usize::from(verdict.flagged);
        if let Some(count) = self.flagged.get_mut(kind.index()) {
            *count = count.saturating_add(flagged);
        }
        self.secrets = self
            .secrets
            .saturating_add(usize::from(!verdict.secrets.is_empty()));
        let at = match action {
            Action::Off | Action::Log => 0,
            Action::Redact => 1,
            Action::Approve => 2,
            Action::Block => 3,
        };
        if let Some(count) = self.actions.get_mut(at) {
            *count = count.saturating_add(1);
        }
    }

    fn push(&mut self, finding: Finding) {
        if self.findings.len() < MAX_FINDINGS {
            self.findings.push(finding);
        } else {
            self.omitted = self.omitted.saturating_add(1);
        }
    }
}

fn finding(kind: Kind, subject: &str, verdict: &Verdict, shadow: bool) -> Finding {
    let first = verdict.findings.first().filter(|_| verdict.flagged);
    let span = match (first, verdict.secrets.first()) {
        (Some(first), _) => first.span.clone(),
        (None, Some(secret)) => secret.span.clone(),
        (None, None) => 0..0,
    };
    // What is told must not tell a secret.
    let beside = |finding: &&gatehold_detect::Finding| {
        let mut secrets = verdict.secrets.iter();
        !secrets.any(|it| it.span.start < finding.span.end && finding.span.start < it.span.end)
    };
    Finding {
        kind: kind.name().to_owned(),
        subject: cut(subject).to_owned(),
        score: if verdict.flagged { verdict.score } else { 0.0 },
        flagged: verdict.flagged,
        features: names(verdict),
        start: u64::try_from(span.start).unwrap_or(u64::MAX),
        end: u64::try_from(span.end).unwrap_or(u64::MAX),
        excerpt: first
            .filter(beside)
            .map(|first| cut(&first.excerpt).to_owned())
            .unwrap_or_default(),
        shadow,
    }
}

/// Features by weight, then secrets, each once.
pub(super) fn names(verdict: &Verdict) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    let findings = verdict.findings.iter().filter(|_| verdict.flagged);
    let features = findings.map(|it| it.feature.clone());
    let secrets = verdict
        .secrets
        .iter()
        .map(|it| format!("secret:{}", it.pattern));
    for name in features.chain(secrets) {
        if names.len() < MAX_FEATURES && !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

impl Seen {
    /// The names of what was seen, for a sentence: "override.instructions, secret:card".
    pub fn names(&self) -> String {
        names(&self.verdict).join(", ")
    }
}

fn cut(text: &str) -> &str {
    text.get(..text.floor_char_boundary(MAX_NAME))
        .unwrap_or_default()
}
