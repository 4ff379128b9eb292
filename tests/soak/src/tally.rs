//! Counts what happened, and keeps what must not have happened.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Most violations whose text is kept; all are counted.
const KEPT: usize = 40;

/// How one piece of traffic ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// With its own answer.
    Answered,
    /// The filter refused it, as it must or may.
    Refused,
    /// With an error that says so: an HTTP error status.
    Failed,
    /// The answer broke off.
    Broken,
    /// We left on purpose.
    Left,
}

impl Outcome {
    /// All of them, in the order of the report's columns.
    pub const ALL: [Self; 5] = [
        Self::Answered,
        Self::Refused,
        Self::Failed,
        Self::Broken,
        Self::Left,
    ];

    /// Its name in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::Broken => "broken",
            Self::Left => "left",
        }
    }
}

/// What one kind of traffic came to.
#[derive(Clone, Debug, Default)]
pub struct Kind {
    /// How often it ended how.
    pub outcomes: BTreeMap<Outcome, u64>,
    /// How long each that was answered or refused took, in microseconds.
    pub micros: Vec<u32>,
    /// What the latest that failed or broke said.
    pub trouble: String,
}

/// Everything counted so far.
#[derive(Clone, Debug, Default)]
pub struct Counts {
    /// By kind of traffic.
    pub kinds: BTreeMap<&'static str, Kind>,
    /// What we did to the system: restarts, pushes, resets.
    pub disturbances: BTreeMap<&'static str, u64>,
    /// How often something happened that must not.
    pub violations: u64,
    /// The first of them in words.
    pub said: Vec<String>,
}

/// The one place where all parts of a run count.
#[derive(Debug, Default)]
pub struct Tally(Mutex<Counts>);

impl Tally {
    /// Counts an ending; `trouble` says what it was when it failed or broke.
    pub fn ended(&self, kind: &'static str, outcome: Outcome, took: Duration, trouble: &str) {
        let mut counts = self.counts();
        let kind = counts.kinds.entry(kind).or_default();
        let count = kind.outcomes.entry(outcome).or_default();
        *count = count.saturating_add(1);
        match outcome {
            Outcome::Answered | Outcome::Refused => kind
                .micros
                .push(u32::try_from(took.as_micros()).unwrap_or(u32::MAX)),
            Outcome::Failed | Outcome::Broken => trouble.clone_into(&mut kind.trouble),
            Outcome::Left => {}
        }
    }

    /// Counts something that we did to the system.
    pub fn disturbed(&self, what: &'static str) {
        let mut counts = self.counts();
        let count = counts.disturbances.entry(what).or_default();
        *count = count.saturating_add(1);
    }

    /// How often that was done to the system.
    #[must_use]
    pub fn disturbances(&self, what: &'static str) -> u64 {
        self.counts().disturbances.get(what).copied().unwrap_or(0)
    }

    /// Keeps something that must not happen.
    pub fn violation(&self, what: impl Into<String>) {
        let mut counts = self.counts();
        counts.violations = counts.violations.saturating_add(1);
        if counts.said.len() < KEPT {
            let what = what.into();
            counts.said.push(what);
        }
    }

    /// A copy of everything.
    #[must_use]
    pub fn snapshot(&self) -> Counts {
        self.counts().clone()
    }

    /// How many pieces of traffic have ended, and how many violations there were.
    #[must_use]
    pub fn progress(&self) -> (u64, u64) {
        let counts = self.counts();
        let ended = counts
            .kinds
            .values()
            .flat_map(|kind| kind.outcomes.values());
        (ended.sum(), counts.violations)
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The value below which the share `of` of the sorted values lies; 0 of none.
#[must_use]
pub fn quantile<T: Copy + Default>(sorted: &[T], of: f64) -> T {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        clippy::cast_sign_loss,
        reason = "an index into a list that fits into memory"
    )]
    let at = (sorted.len().saturating_sub(1) as f64 * of).round() as usize;
    sorted.get(at).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::quantile;

    #[test]
    fn quantiles_are_values_of_the_list() {
        assert_eq!(quantile::<u32>(&[], 0.5), 0);
        assert_eq!(quantile(&[7], 0.99), 7);
        let hundred: Vec<u32> = (1..=101).collect();
        assert_eq!(quantile(&hundred, 0.5), 51);
        assert_eq!(quantile(&hundred, 0.99), 100);
        assert_eq!(quantile(&hundred, 1.0), 101);
    }
}
