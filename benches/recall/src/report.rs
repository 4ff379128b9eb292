//! Recall at fixed rates of false positives, by kind, tier and source.

use std::collections::BTreeMap;

use gatehold_detect::Kind;

use crate::data::Row;

/// A row and its sum.
pub type Scored<'a> = (&'a Row, f32);

/// The sum above which at most this share of the benign rows (the hard ones left out) lies.
pub fn threshold(scored: &[Scored<'_>], kind: Kind, rate: f64) -> f32 {
    let benign = scored
        .iter()
        .filter(|(row, _)| row.kind == kind && !row.attack && !row.is_hard());
    let mut sums: Vec<f32> = benign.map(|(_, sum)| *sum).collect();
    sums.sort_by(|a, b| b.total_cmp(a));
    let allowed = (rate * sums.len() as f64) as usize;
    sums.get(allowed).copied().unwrap_or(0.0)
}

/// Prints what is found at a threshold of one kind.
pub fn print(scored: &[Scored<'_>], kind: Kind, rate: f64) {
    let threshold = threshold(scored, kind, rate);
    let mut tiers: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    let mut sources: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    let (mut found, mut attacks) = (0, 0);
    for (row, sum) in scored.iter().filter(|(row, _)| row.kind == kind) {
        let flagged = usize::from(*sum > threshold);
        let name = if row.attack {
            format!("+{}", row.tier)
        } else {
            format!("-{}", row.tier)
        };
        let stem = row.source.split('/').next().unwrap_or_default();
        let stem = stem.split(":9").next().unwrap_or_default();
        let stem = if stem.starts_with("dev_poc") {
            "dev_poc"
        } else {
            stem
        };
        for (table, key) in [
            (&mut tiers, name),
            (
                &mut sources,
                format!("{}{stem}", if row.attack { '+' } else { '-' }),
            ),
        ] {
            let entry = table.entry(key).or_default();
            entry.0 += flagged;
            entry.1 += 1;
        }
        if row.attack {
            found += flagged;
            attacks += 1;
        }
    }
    let share = |(part, whole): (usize, usize)| 100.0 * part as f64 / whole.max(1) as f64;
    println!(
        "{:9} recall {:5.1} % at a false-positive rate of {:.1} % (sum > {threshold:.2})",
        kind.name(),
        share((found, attacks)),
        rate * 100.0
    );
    for table in [&tiers, &sources] {
        let line: Vec<String> = table
            .iter()
            .map(|(name, of)| format!("{name} {:.1}", share(*of)))
            .collect();
        println!("          {}", line.join(", "));
    }
}
