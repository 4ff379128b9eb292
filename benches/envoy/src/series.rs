//! What the rounds found, and what follows from it.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;
use serde_json::Value;

use crate::measure::as_f64;
use crate::startup::{Start, Workers};
use crate::stats::{Spread, by_round, median};
use crate::variant::Variant;

/// What the rounds found for one case at one variant.
#[derive(Clone, Debug, Default)]
pub struct Series {
    /// CPU per request in each round, in microseconds.
    pub cpu: Vec<f64>,
    /// Requests per second in each round.
    pub rps: Vec<f64>,
    /// Median latency at the fixed rate in each round, in microseconds.
    pub p50: Vec<f64>,
    /// The 99th percentile, likewise.
    pub p99: Vec<f64>,
    /// All latencies at the fixed rate, in nanoseconds: a round alone has too few for the 99.9th percentile.
    pub latencies: Option<Histogram<u64>>,
    /// Resident memory after each round, in MB.
    pub rss: Vec<f64>,
}

impl Series {
    /// The 99.9th percentile over all rounds, in microseconds.
    #[must_use]
    pub fn p999(&self) -> f64 {
        let all = self.latencies.as_ref();
        all.map_or(0.0, |all| as_f64(all.value_at_quantile(0.999)) / 1000.0)
    }
}

/// Audit events that a site had to do with.
#[derive(Clone, Debug, PartialEq)]
pub struct Audited {
    /// Which site.
    pub variant: Variant,
    /// Counters of the filter by their state: acknowledged, dropped.
    pub states: BTreeMap<String, u64>,
}

/// A whole run.
#[derive(Clone, Debug, Default)]
pub struct Results {
    /// What it ran on.
    pub machine: Value,
    /// How.
    pub method: Value,
    /// The cases, in order.
    pub cases: Vec<&'static str>,
    /// The variants, in order.
    pub variants: Vec<Variant>,
    /// What was found.
    pub series: BTreeMap<(&'static str, Variant), Series>,
    /// The fixed rate of each case, in requests per second.
    pub rates: BTreeMap<&'static str, f64>,
    /// Starts.
    pub starts: Vec<Start>,
    /// Memory with more workers.
    pub workers: Vec<Workers>,
    /// Audit events.
    pub audited: Vec<Audited>,
}

/// The case under few rules, with which that under many is compared.
pub const FEW_RULES: &str = "rules-10";
/// The case under many rules.
pub const MANY_RULES: &str = "rules-10000";

impl Results {
    /// What was found for a case at a variant.
    #[must_use]
    pub fn of(&self, case: &'static str, variant: Variant) -> Option<&Series> {
        self.series.get(&(case, variant))
    }

    /// CPU per request over that of passing through; of [`MANY_RULES`] over [`FEW_RULES`].
    #[must_use]
    pub fn cpu_ratio(&self, case: &'static str, variant: Variant) -> Option<Spread> {
        let base = match case {
            FEW_RULES => return None,
            MANY_RULES => self.of(FEW_RULES, variant),
            _ => self.of(case, Variant::Passthrough),
        };
        by_round(&self.of(case, variant)?.cpu, &base?.cpu, |of, with| {
            of / with
        })
    }

    /// What a variant adds to a latency of passing through, in microseconds.
    #[must_use]
    pub fn added(
        &self,
        case: &'static str,
        variant: Variant,
        of: impl Fn(&Series) -> &Vec<f64>,
    ) -> Option<Spread> {
        let base = self.of(case, Variant::Passthrough)?;
        by_round(of(self.of(case, variant)?), of(base), |of, with| of - with)
    }

    /// The goals, as far as this run can tell.
    #[must_use]
    pub fn goals(&self) -> Vec<Goal> {
        const CALL: &str = "call-2k";
        let all = Variant::All;
        let native = || {
            let (ours, theirs) = (self.of(CALL, all)?, self.of(CALL, Variant::EnvoyNative)?);
            Some(by_round(&ours.cpu, &theirs.cpu, |of, with| of / with)?.median)
        };
        let start = |variant| {
            let found = self.starts.iter().find(|start| start.variant == variant)?;
            Some(found.listening.median / 1000.0)
        };
        let worker = |variant| {
            Some(
                self.workers
                    .iter()
                    .find(|found| found.variant == variant)?
                    .per_worker(),
            )
        };
        let less = |left: Option<f64>, right: Option<f64>| Some(left? - right?);
        let rps = self.of(CALL, all).map(|series| median(&series.rps));
        let spread = |spread: Option<Spread>| spread.map(|spread| spread.median);
        let added =
            |of: fn(&Series) -> &Vec<f64>| spread(self.added(CALL, all, of)).map(|us| us / 1000.0);
        let goal = |what, unit, bound, value: Option<f64>| {
            Some(Goal {
                what,
                unit,
                bound,
                at_least: false,
                value: value?,
            })
        };
        let goals = [
            goal(
                "`all`: CPU of a 2 KB call over passing through",
                "x",
                1.35,
                spread(self.cpu_ratio(CALL, all)),
            ),
            goal(
                "`all`: CPU of a 2 KB call over Envoy's own chain",
                "x",
                1.0,
                native(),
            ),
            goal(
                "`all`: added p50 at half load",
                "ms",
                0.1,
                added(|series| &series.p50),
            ),
            goal(
                "`all`: added p99 at half load",
                "ms",
                0.5,
                added(|series| &series.p99),
            ),
            goal("`all`: requests per second on one CPU", "/s", 3500.0, rps).map(|goal| Goal {
                at_least: true,
                ..goal
            }),
            goal(
                "`rbac`: CPU with 10,000 rules over 10",
                "x",
                1.5,
                spread(self.cpu_ratio(MANY_RULES, Variant::Rbac)),
            ),
            goal(
                "`all`: CPU with 10,000 rules over 10",
                "x",
                1.5,
                spread(self.cpu_ratio(MANY_RULES, all)),
            ),
            goal(
                "the filter's part of the time until Envoy listens",
                "s",
                0.5,
                less(start(all), start(Variant::Passthrough)),
            ),
            goal(
                "memory per further worker, over passing through",
                "MB",
                4.0,
                less(worker(all), worker(Variant::Passthrough)),
            ),
        ];
        goals.into_iter().flatten().collect()
    }
}

/// One goal, and what was found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Goal {
    /// What it is about.
    pub what: &'static str,
    /// Of bound and value.
    pub unit: &'static str,
    /// The most it may be, or the least.
    pub bound: f64,
    /// Whether the bound is the least.
    pub at_least: bool,
    /// What was found.
    pub value: f64,
}

impl Goal {
    /// Whether it is met.
    #[must_use]
    pub fn met(&self) -> bool {
        if self.at_least {
            self.value >= self.bound
        } else {
            self.value <= self.bound
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn series(cpu: &[f64]) -> Series {
        let mut latencies = Histogram::new_with_bounds(1, 1_000_000_000, 3).unwrap();
        latencies.record_n(90_000, 997).unwrap();
        latencies.record_n(2_000_000, 3).unwrap();
        Series {
            cpu: cpu.to_vec(),
            rps: cpu.iter().map(|us| 1e6 / us).collect(),
            p50: cpu.iter().map(|us| us * 2.0).collect(),
            p99: cpu.iter().map(|us| us * 5.0).collect(),
            latencies: Some(latencies),
            rss: vec![70.0; cpu.len()],
        }
    }

    /// Two rounds, of which the second was slower for all.
    pub(crate) fn results() -> Results {
        let mut results = Results {
            machine: serde_json::json!({ "cpu": "a <fast> one & more", "cpus": 2, "kernel": "6" }),
            method: serde_json::json!({ "rounds": 2 }),
            cases: vec!["call-2k", FEW_RULES, MANY_RULES],
            variants: Variant::ALL.to_vec(),
            ..Results::default()
        };
        for (variant, factor) in Variant::ALL
            .into_iter()
            .zip([1.0, 1.1, 1.3, 1.2, 1.25, 1.3, 1.35])
        {
            let series = series(&[100.0 * factor, 200.0 * factor]);
            results.series.insert(("call-2k", variant), series);
        }
        for variant in [Variant::Rbac, Variant::All] {
            results
                .series
                .insert((FEW_RULES, variant), series(&[100.0]));
            results
                .series
                .insert((MANY_RULES, variant), series(&[160.0]));
        }
        results.rates.insert("call-2k", 1500.0);
        let listening = Spread {
            median: 900.0,
            min: 800.0,
            max: 1000.0,
        };
        results.starts = vec![
            Start {
                variant: Variant::Passthrough,
                listening: Spread {
                    median: 100.0,
                    ..listening
                },
                policy: None,
            },
            Start {
                variant: Variant::All,
                listening,
                policy: Some(listening),
            },
        ];
        let memory = |rss| crate::machine::Memory {
            rss,
            pss: rss - 1.0,
        };
        results.workers = vec![
            Workers {
                variant: Variant::Passthrough,
                sizes: vec![(1, memory(50.0)), (4, memory(53.0))],
            },
            Workers {
                variant: Variant::All,
                sizes: vec![(1, memory(90.0)), (4, memory(105.0))],
            },
        ];
        results
    }

    #[test]
    fn goals_are_judged_by_ratios_of_the_same_round() {
        let results = results();
        let found: Vec<(String, bool)> = results
            .goals()
            .iter()
            .map(|goal| (format!("{:.2} {}", goal.value, goal.unit), goal.met()))
            .collect();
        let expected = [
            ("1.30 x", true),
            ("1.00 x", true),
            ("0.09 ms", true),
            ("0.23 ms", true),
            ("5769.23 /s", true),
            ("1.60 x", false),
            ("1.60 x", false),
            ("0.80 s", false),
            ("4.00 MB", true),
        ];
        assert_eq!(found, expected.map(|(text, met)| (text.to_owned(), met)));
        let p999 = results.series[&("call-2k", Variant::All)].p999();
        assert!((p999 - 2000.0).abs() < 5.0, "{p999}");
    }

    #[test]
    fn what_was_not_measured_is_no_goal() {
        assert!(Results::default().goals().is_empty());
    }
}
