//! What was found of labelled texts.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use gatehold_detect::Kind;

use super::input::Item;

/// Sums over all texts.
#[derive(Debug, Default)]
pub(super) struct Measure {
    groups: BTreeMap<(usize, bool, Group), Count>,
    bytes: usize,
    time: Duration,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Group {
    All,
    Tier(String),
    Source(String),
}

#[derive(Clone, Copy, Debug, Default)]
struct Count {
    flagged: usize,
    all: usize,
}

impl Measure {
    /// Counts a text.
    pub(super) fn add(&mut self, item: &Item, flagged: bool, time: Duration) {
        self.bytes += item.text.len();
        self.time += time;
        let Some(label) = item.label else {
            return;
        };
        // What is made to look like an attack would say little about the traffic of every day.
        let hard = !label && item.tier.starts_with("hard");
        let mut groups = Vec::new();
        if !hard {
            groups.push(Group::All);
        }
        if !item.tier.is_empty() {
            groups.push(Group::Tier(item.tier.clone()));
        }
        if !item.source.is_empty() {
            groups.push(Group::Source(item.source.clone()));
        }
        for group in groups {
            let count = self
                .groups
                .entry((item.kind.index(), label, group))
                .or_default();
            count.flagged += usize::from(flagged);
            count.all += 1;
        }
    }

    /// Whether there is something to print.
    pub(super) fn has_labels(&self) -> bool {
        !self.groups.is_empty()
    }
}

impl fmt::Display for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for kind in Kind::ALL {
            for (label, title) in [(true, "recall"), (false, "false positives")] {
                let of = self
                    .groups
                    .iter()
                    .filter(|((at, is, _), _)| *at == kind.index() && *is == label);
                for ((_, _, group), count) in of {
                    let share = 100.0 * ratio(count.flagged, count.all);
                    let name = match group {
                        Group::All => format!("{} {title}", kind.name()),
                        Group::Tier(tier) => format!("  tier {tier}"),
                        Group::Source(source) => format!("  source {source}"),
                    };
                    writeln!(
                        f,
                        "{name:44} {:6}/{:<6} {share:6.2} %",
                        count.flagged, count.all
                    )?;
                }
            }
        }
        let megabytes = ratio(self.bytes, 1_000_000);
        let seconds = self.time.as_secs_f64();
        writeln!(
            f,
            "{megabytes:.1} MB in {seconds:.3} s: {:.0} MB/s",
            megabytes / seconds.max(1e-9)
        )
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts for people")]
fn ratio(part: usize, whole: usize) -> f64 {
    part as f64 / whole.max(1) as f64
}
