//! What a run came to, as JSON and as a table.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use crate::conductor::Options;
use crate::memory::{Bound, IN_USE, Series, Summary, WITH_CACHES};
use crate::tally::{Counts, Kind, Outcome, quantile};

/// Runs shorter than this prove nothing about memory.
const LONG_ENOUGH: Duration = Duration::from_secs(300);
/// The share of faultless traffic that may end in an HTTP error, such as a stock server's connection that closes just
/// when it is used again.
const MAY_FAIL: f64 = 0.005;

/// A run's result.
#[derive(Clone, Debug)]
pub struct Report {
    options: Options,
    took: Duration,
    counts: Counts,
    memory: Vec<(&'static str, Series, Bound)>,
    stats: BTreeMap<String, u64>,
    log: String,
}

impl Report {
    pub(crate) fn new(
        options: &Options,
        took: Duration,
        counts: Counts,
        [envoy, in_use, control, longest]: [Series; 4],
        stats: BTreeMap<String, u64>,
        log: String,
    ) -> Self {
        Self {
            options: options.clone(),
            took,
            counts,
            memory: vec![
                ("Envoy", envoy, WITH_CACHES),
                ("Envoy, without its allocator's caches", in_use, IN_USE),
                ("control", control, IN_USE),
                ("control, longest life", longest, IN_USE),
            ],
            stats,
            log,
        }
    }

    /// What control and Envoy said.
    #[must_use]
    pub fn log(&self) -> &str {
        &self.log
    }

    /// What did not hold; empty when all did.
    #[must_use]
    pub fn problems(&self) -> Vec<String> {
        let mut problems = self.counts.said.clone();
        let more = self.counts.violations.saturating_sub(problems.len() as u64);
        if more > 0 {
            problems.push(format!("and {more} violations more"));
        }
        let (failed, all) = self.failed();
        if ratio(failed, all) > MAY_FAIL {
            problems.push(format!("{failed} of {all} faultless requests failed"));
        }
        if self.options.length >= LONG_ENOUGH {
            for (name, series, bound) in &self.memory {
                let summary = series.summary();
                if !summary.is_flat(*bound) {
                    problems.push(format!("the memory of {name} grew: {summary:?}"));
                }
            }
        }
        problems
    }

    /// Traffic without a planned fault: how much failed, of how much.
    fn failed(&self) -> (u64, u64) {
        let mut sums = (0_u64, 0_u64);
        for (name, kind) in &self.counts.kinds {
            if *name == crate::traffic::Kind::Reset.name() {
                continue;
            }
            for (outcome, count) in &kind.outcomes {
                sums.1 = sums.1.saturating_add(*count);
                if *outcome == Outcome::Failed {
                    sums.0 = sums.0.saturating_add(*count);
                }
            }
        }
        sums
    }

    /// Everything, for machines.
    #[must_use]
    pub fn json(&self) -> Value {
        let kinds: BTreeMap<&str, Value> = self
            .counts
            .kinds
            .iter()
            .map(|(name, kind)| (*name, kind_json(kind)))
            .collect();
        let memory: BTreeMap<&str, Value> = self
            .memory
            .iter()
            .map(|(name, series, bound)| (*name, series_json(series, *bound)))
            .collect();
        json!({
            "seed": self.options.seed, "rate": self.options.rate, "workers": self.options.workers,
            "seconds": self.took.as_secs_f64(), "kinds": kinds, "disturbances": self.counts.disturbances,
            "violations": self.counts.violations, "problems": self.problems(), "stats": self.stats,
            "memory": memory,
        })
    }

    /// Everything, for people.
    #[must_use]
    pub fn markdown(&self) -> String {
        let mut lines = vec![
            format!(
                "Seed {}, {:.0} s, {} pieces of traffic per second, {} workers\n",
                self.options.seed,
                self.took.as_secs_f64(),
                self.options.rate,
                self.options.workers
            ),
            format!(
                "| traffic | {} | p50 ms | p99 ms |",
                Outcome::ALL.map(Outcome::name).join(" | ")
            ),
            format!("|---|{}", "---|".repeat(Outcome::ALL.len() + 2)),
        ];
        for (name, kind) in &self.counts.kinds {
            let counts = Outcome::ALL.map(|outcome| {
                let count = kind.outcomes.get(&outcome).copied().unwrap_or_default();
                count.to_string()
            });
            let (median, slowest) = milliseconds(kind);
            lines.push(format!(
                "| {name} | {} | {median:.1} | {slowest:.1} |",
                counts.join(" | ")
            ));
        }
        lines.push("\n| disturbance | times |\n|---|---|".to_owned());
        for (name, count) in &self.counts.disturbances {
            lines.push(format!("| {name} | {count} |"));
        }
        lines.push(
            "\n| resident MB | first third | middle | last third | peak | slope MB/h | flat |\n|---|---|---|---|---|---|---|"
                .to_owned(),
        );
        for (name, series, bound) in &self.memory {
            let Summary {
                start,
                middle,
                end,
                peak,
                slope,
            } = series.summary();
            let flat = if series.summary().is_flat(*bound) {
                "yes"
            } else {
                "no"
            };
            lines.push(format!(
                "| {name} | {start:.1} | {middle:.1} | {end:.1} | {peak:.1} | {slope:.1} | {flat} |"
            ));
        }
        for (name, kind) in &self.counts.kinds {
            if !kind.trouble.is_empty() {
                lines.push(format!(
                    "\n{name}, the latest that failed: {}",
                    kind.trouble
                ));
            }
        }
        lines.push(format!("\n{} violations", self.counts.violations));
        lines.extend(self.problems().iter().map(|problem| format!("- {problem}")));
        lines.join("\n")
    }
}

fn kind_json(kind: &Kind) -> Value {
    let outcomes: BTreeMap<&str, u64> = kind
        .outcomes
        .iter()
        .map(|(outcome, count)| (outcome.name(), *count))
        .collect();
    let (median, slowest) = milliseconds(kind);
    json!({ "outcomes": outcomes, "p50ms": median, "p99ms": slowest, "trouble": kind.trouble })
}

fn milliseconds(kind: &Kind) -> (f64, f64) {
    let mut sorted = kind.micros.clone();
    sorted.sort_unstable();
    let at = |of| f64::from(quantile(&sorted, of)) / 1000.0;
    (at(0.5), at(0.99))
}

fn series_json(series: &Series, bound: Bound) -> Value {
    let Summary {
        start,
        middle,
        end,
        peak,
        slope,
    } = series.summary();
    json!({ "startMb": start, "middleMb": middle, "endMb": end, "peakMb": peak, "slopeMbPerHour": slope,
        "flat": series.summary().is_flat(bound), "samples": series.samples() })
}

#[expect(clippy::cast_precision_loss, reason = "counts of a run are small")]
fn ratio(part: u64, all: u64) -> f64 {
    part as f64 / all.max(1) as f64
}
