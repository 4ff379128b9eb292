//! What a run came to, and whether all held.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use crate::conductor::{Options, Scenario};
use crate::disturb::{Done, Mark};
use crate::latency::Latencies;
use crate::memory::Summary;
use crate::push::Pushes;
use crate::samples::Memory;
use crate::tally::{Counts, Outcome};
use crate::traffic::Kind;

/// Runs shorter than this prove nothing about memory.
const LONG_ENOUGH: Duration = Duration::from_secs(300);
/// The shares of latencies that are reported.
pub(crate) const SHARES: [(&str, f64); 4] =
    [("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999), ("max", 1.0)];

/// What a run has found.
#[derive(Clone, Debug)]
pub struct Found {
    /// How long it took.
    pub took: Duration,
    /// How long a slice of time is, in seconds.
    pub slice: f64,
    /// What all parts have counted.
    pub counts: Counts,
    /// What was done to the system.
    pub done: Done,
    /// Memory of all parts.
    pub memory: Vec<Memory>,
    /// Envoy's statistics that say something about the filter.
    pub stats: BTreeMap<String, u64>,
    /// What control and Envoy said.
    pub log: String,
}

/// A run's result.
#[derive(Clone, Debug)]
pub struct Report {
    pub(crate) options: Options,
    pub(crate) place: String,
    pub(crate) found: Found,
    /// All single exchanges without planned delays.
    pub(crate) single: Latencies,
}

impl Report {
    pub(crate) fn new(options: &Options, scenario: &Scenario, found: Found) -> Self {
        let mut single = Latencies::default();
        for latencies in found.counts.slices.values() {
            single.merge(latencies);
        }
        Self {
            options: options.clone(),
            place: scenario.place.clone(),
            found,
            single,
        }
    }

    /// What control and Envoy said.
    #[must_use]
    pub fn log(&self) -> &str {
        &self.found.log
    }

    /// What did not hold; empty when all did. How long something took is never among it.
    #[must_use]
    pub fn problems(&self) -> Vec<String> {
        let mut problems = self.found.counts.said.clone();
        let said = u64::try_from(problems.len()).unwrap_or(u64::MAX);
        let more = self.found.counts.violations.saturating_sub(said);
        if more > 0 {
            problems.push(format!("and {more} violations more"));
        }
        let (failed, all) = self.failed();
        if failed > 0 {
            problems.push(format!("{failed} of {all} faultless requests failed"));
        }
        if self.options.length >= LONG_ENOUGH {
            for memory in &self.found.memory {
                let summary = memory.series.summary();
                if memory.bound.is_some_and(|bound| !summary.is_flat(bound)) {
                    problems.push(format!("the memory of {} grew: {summary:?}", memory.name));
                }
            }
        }
        problems
    }

    /// Traffic in which nothing goes wrong on purpose: how much of it failed or broke off unexplained, of how much.
    #[must_use]
    pub fn failed(&self) -> (u64, u64) {
        let mut sums = (0_u64, 0_u64);
        for kind in Kind::all().filter(|kind| kind.is_faultless()) {
            let Some(found) = self.found.counts.kinds.get(kind.name()) else {
                continue;
            };
            for (outcome, count) in &found.outcomes {
                sums.1 = sums.1.saturating_add(*count);
                if matches!(outcome, Outcome::Failed | Outcome::Broken) {
                    sums.0 = sums.0.saturating_add(*count);
                }
            }
        }
        sums
    }

    /// Everything, for machines.
    #[must_use]
    pub fn json(&self) -> Value {
        let counts = &self.found.counts;
        let kinds: BTreeMap<&str, Value> = counts
            .kinds
            .iter()
            .map(|(name, kind)| {
                let outcomes: BTreeMap<&str, u64> = kind
                    .outcomes
                    .iter()
                    .map(|(outcome, count)| (outcome.name(), *count))
                    .collect();
                let latency = latency_json(&kind.latencies);
                let value = json!({ "outcomes": outcomes, "ms": latency, "trouble": kind.trouble });
                (name.as_str(), value)
            })
            .collect();
        let memory: BTreeMap<&str, Value> = self
            .found
            .memory
            .iter()
            .map(|memory| (memory.name, memory_json(memory)))
            .collect();
        let slices: Vec<Value> = counts
            .slices
            .iter()
            .map(|(number, latencies)| {
                json!({ "at": f64::from(*number) * self.found.slice, "ms": latency_json(latencies) })
            })
            .collect();
        let marks: Vec<Value> = self
            .found
            .done
            .marks
            .iter()
            .map(|(at, mark)| json!({ "at": at, "what": mark_name(*mark) }))
            .collect();
        let (failed, all) = self.failed();
        json!({
            "seed": self.options.seed, "rate": self.options.rate, "workers": self.options.workers,
            "place": self.place, "seconds": self.found.took.as_secs_f64(), "kinds": kinds,
            "single": latency_json(&self.single), "sentLate": latency_json(&counts.late),
            "errors": { "failed": failed, "of": all, "rate": ratio(failed, all) },
            "latencyOverTime": slices, "disturbances": counts.disturbances, "marks": marks,
            "pushes": {
                "controlUp": pushes_json(&self.found.done.pushes),
                "controlAway": pushes_json(&self.found.done.pushes_away),
            },
            "reloads": latency_json(&counts.reloads), "violations": counts.violations,
            "problems": self.problems(), "stats": self.found.stats, "memory": memory,
        })
    }
}

/// Its name in reports.
#[must_use]
pub(crate) fn mark_name(mark: Mark) -> &'static str {
    match mark {
        Mark::Kill => "control is killed",
        Mark::Reload => "a worker's VM ends",
    }
}

/// Part of a whole; 0 of nothing.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "counts of a run are small")]
pub(crate) fn ratio(part: u64, all: u64) -> f64 {
    part as f64 / all.max(1) as f64
}

fn latency_json(latencies: &Latencies) -> Value {
    let mut value = json!({ "count": latencies.count() });
    for (name, share) in SHARES {
        if let Some(value) = value.as_object_mut() {
            value.insert(name.to_owned(), json!(latencies.ms(share)));
        }
    }
    value
}

fn pushes_json(pushes: &Pushes) -> Value {
    json!({ "firstDecision": latency_json(&pushes.first), "everyWorker": latency_json(&pushes.all) })
}

fn memory_json(memory: &Memory) -> Value {
    let Summary {
        start,
        middle,
        end,
        peak,
        slope,
    } = memory.series.summary();
    let flat = memory
        .bound
        .map(|bound| memory.series.summary().is_flat(bound));
    json!({ "startMb": start, "middleMb": middle, "endMb": end, "peakMb": peak, "slopeMbPerHour": slope,
        "flat": flat, "samples": memory.series.samples() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::{IN_USE, Series};
    use crate::tally::Tally;

    /// A run of ten minutes that did this, with memory that grows by so many MB.
    fn report(count: impl Fn(&Tally), growth: f64) -> Report {
        let tally = Tally::default();
        count(&tally);
        let mut series = Series::default();
        for second in 0..600_u32 {
            let at = Duration::from_secs(u64::from(second));
            series.add(at, 100.0 + growth * f64::from(second) / 600.0);
        }
        let options = Options {
            length: Duration::from_secs(600),
            rate: 1.0,
            seed: 1,
            workers: 2,
        };
        let memory = |name, bound| Memory {
            name,
            series: series.clone(),
            bound,
        };
        let found = Found {
            took: Duration::from_secs(601),
            slice: 5.0,
            counts: tally.snapshot(),
            done: Done::default(),
            memory: vec![memory("Envoy", Some(IN_USE)), memory("upstream", None)],
            stats: BTreeMap::new(),
            log: String::new(),
        };
        Report::new(&options, &Scenario::default(), found)
    }

    #[test]
    fn what_is_wrong_is_a_problem_and_what_is_slow_is_not() {
        let ended = |tally: &Tally, kind: Kind, outcome, seconds| {
            tally.ended(kind.name(), outcome, Duration::from_secs(seconds), "said");
        };
        let fine = report(
            |tally| {
                ended(tally, Kind::Allowed, Outcome::Answered, 29);
                ended(tally, Kind::Allowed, Outcome::Cut, 1);
                ended(tally, Kind::Reset, Outcome::Failed, 1);
                ended(tally, Kind::Reset, Outcome::Broken, 1);
                ended(tally, Kind::LeavesWaiting, Outcome::Left, 1);
                tally.in_slice(0, Duration::from_secs(29));
                tally.reloaded(Duration::from_secs(14));
                tally.late(Duration::from_secs(9));
            },
            1.0,
        );
        assert_eq!(fine.problems(), Vec::<String>::new());
        assert_eq!(fine.failed(), (0, 3));
        assert_eq!(fine.json()["single"]["count"], 1);
        assert!(fine.markdown().contains("0 violations"));

        let wrong = |count: &dyn Fn(&Tally)| report(count, 1.0).problems().len();
        assert_eq!(wrong(&|tally| tally.violation("lost")), 1);
        for outcome in [Outcome::Failed, Outcome::Broken] {
            assert_eq!(wrong(&|tally| ended(tally, Kind::Listed, outcome, 1)), 1);
        }
        let many = |tally: &Tally| (0..100).for_each(|_| tally.violation("lost"));
        let said = report(many, 1.0).problems();
        assert_eq!(said.last().unwrap(), "and 60 violations more");
        let grown = report(|_| (), 90.0).problems();
        assert!(grown.len() == 1 && grown[0].contains("Envoy"), "{grown:?}");
    }
}
