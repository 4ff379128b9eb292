//! Counts what happened, and keeps what must not have happened.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::latency::Latencies;

/// Most violations whose text is kept; all are counted.
const KEPT: usize = 40;

/// How one piece of traffic ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
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
    /// The VM of its worker had been ended on purpose.
    Cut,
}

impl Outcome {
    /// All of them, in the order of the report's columns.
    pub const ALL: [Self; 6] = [
        Self::Answered,
        Self::Refused,
        Self::Failed,
        Self::Broken,
        Self::Left,
        Self::Cut,
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
            Self::Cut => "cut by a reload",
        }
    }
}

/// What one kind of traffic came to.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Kind {
    /// How often it ended how.
    pub outcomes: BTreeMap<Outcome, u64>,
    /// How long each that was answered or refused took, from the moment when it was due.
    pub latencies: Latencies,
    /// What the latest that failed or broke said.
    pub trouble: String,
}

/// Everything counted so far.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Counts {
    /// By kind of traffic.
    pub kinds: BTreeMap<String, Kind>,
    /// Single exchanges without planned delays, by the number of the slice of time in which they were due.
    pub slices: BTreeMap<u32, Latencies>,
    /// How much later than planned traffic was sent.
    pub late: Latencies,
    /// From the end of a worker's VM until every worker decided again.
    pub reloads: Latencies,
    /// What we did to the system: restarts, pushes, resets.
    pub disturbances: BTreeMap<String, u64>,
    /// How often something happened that must not.
    pub violations: u64,
    /// The first of them in words.
    pub said: Vec<String>,
}

impl Counts {
    /// Adds what another process has counted.
    pub fn merge(&mut self, other: Self) {
        for (name, kind) in other.kinds {
            let ours = self.kinds.entry(name).or_default();
            for (outcome, count) in kind.outcomes {
                add(ours.outcomes.entry(outcome).or_default(), count);
            }
            ours.latencies.merge(&kind.latencies);
            if !kind.trouble.is_empty() {
                ours.trouble = kind.trouble;
            }
        }
        for (slice, latencies) in &other.slices {
            self.slices.entry(*slice).or_default().merge(latencies);
        }
        self.late.merge(&other.late);
        self.reloads.merge(&other.reloads);
        for (what, count) in other.disturbances {
            add(self.disturbances.entry(what).or_default(), count);
        }
        add(&mut self.violations, other.violations);
        self.said.extend(other.said);
    }

    /// How many pieces of traffic have ended.
    #[must_use]
    pub fn ended(&self) -> u64 {
        let kinds = self.kinds.values();
        kinds.flat_map(|kind| kind.outcomes.values()).sum()
    }
}

/// The one place where all parts of a process count.
#[derive(Debug, Default)]
pub struct Tally(Mutex<Counts>);

impl Tally {
    /// Counts an ending; `trouble` says what it was when it failed or broke.
    pub fn ended(&self, kind: &str, outcome: Outcome, took: Duration, trouble: &str) {
        let mut counts = self.counts();
        let kind = counts.kinds.entry(kind.to_owned()).or_default();
        add(kind.outcomes.entry(outcome).or_default(), 1);
        match outcome {
            Outcome::Answered | Outcome::Refused => kind.latencies.add(took),
            Outcome::Failed | Outcome::Broken => trouble.clone_into(&mut kind.trouble),
            Outcome::Left | Outcome::Cut => {}
        }
    }

    /// Counts a single exchange that was due in that slice of time.
    pub fn in_slice(&self, slice: u32, took: Duration) {
        self.counts().slices.entry(slice).or_default().add(took);
    }

    /// Counts by how much the load generator itself was late.
    pub fn late(&self, by: Duration) {
        self.counts().late.add(by);
    }

    /// Counts a reload of a worker.
    pub fn reloaded(&self, took: Duration) {
        self.counts().reloads.add(took);
    }

    /// Counts something that we did to the system.
    pub fn disturbed(&self, what: &str) {
        let mut counts = self.counts();
        add(counts.disturbances.entry(what.to_owned()).or_default(), 1);
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
        (counts.ended(), counts.violations)
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn add(count: &mut u64, more: u64) {
    *count = count.saturating_add(more);
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
    use super::*;

    #[test]
    fn what_several_processes_count_is_added_up() {
        let (ours, theirs) = (Tally::default(), Tally::default());
        let took = Duration::from_millis(2);
        for tally in [&ours, &theirs, &theirs] {
            tally.ended("list", Outcome::Answered, took, "");
            tally.in_slice(3, took);
            tally.disturbed("kills");
        }
        theirs.ended("list", Outcome::Failed, took, "503");
        theirs.violation("lost");
        let sent = serde_json::to_string(&theirs.snapshot()).unwrap();
        let mut counts = ours.snapshot();
        counts.merge(serde_json::from_str(&sent).unwrap());
        let list = &counts.kinds["list"];
        assert_eq!(
            list.outcomes,
            BTreeMap::from([(Outcome::Answered, 3), (Outcome::Failed, 1)])
        );
        assert_eq!((list.latencies.count(), list.trouble.as_str()), (3, "503"));
        assert_eq!(counts.slices[&3].count(), 3);
        assert_eq!(counts.disturbances["kills"], 3);
        assert_eq!(
            (counts.violations, counts.said),
            (1, vec!["lost".to_owned()])
        );
    }

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
