//! Recall at fixed rates of false positives, by kind and tier.

use std::collections::BTreeMap;

use gatehold_detect::Kind;

use crate::cross::Scored;

/// The score above which at most this share of the benign rows (the hard ones left out) lies.
pub(crate) fn threshold(scored: &[Scored<'_>], kind: Kind, rate: f64) -> f32 {
    let benign = scored
        .iter()
        .filter(|it| it.row.kind == kind && !it.row.attack && !it.row.is_hard());
    let mut sums: Vec<f32> = benign.map(|it| it.sum).collect();
    sums.sort_by(|a, b| b.total_cmp(a));
    let allowed = (rate * sums.len() as f64) as usize;
    sums.get(allowed).copied().unwrap_or(0.0)
}

/// Prints a table in Markdown.
pub(crate) fn table(scored: &[Scored<'_>]) {
    println!("| | texts | at 0.5 % false positives | at 0.1 % |");
    println!("|---|---|---|---|");
    for kind in Kind::ALL {
        let thresholds = [0.005, 0.001].map(|rate| threshold(scored, kind, rate));
        let mut groups: BTreeMap<(bool, String), ([usize; 2], usize)> = BTreeMap::new();
        for it in scored.iter().filter(|it| it.row.kind == kind) {
            let mut count = |name: &str| {
                let group = groups.entry((!it.row.attack, name.to_owned())).or_default();
                for (at, threshold) in thresholds.iter().enumerate() {
                    group.0[at] += usize::from(it.sum > *threshold);
                }
                group.1 += 1;
            };
            if it.row.attack {
                count("");
            }
            count(&it.row.tier);
        }
        for ((benign, tier), (flagged, all)) in groups {
            let name = match (benign, tier.as_str()) {
                (false, "") => format!("**{}: recall**", kind.name()),
                (false, tier) => tier.to_owned(),
                (true, tier) => format!("flagged of {tier}"),
            };
            let share = |at: usize| 100.0 * flagged[at] as f64 / all.max(1) as f64;
            println!("| {name} | {all} | {:.1} % | {:.1} % |", share(0), share(1));
        }
    }
}
