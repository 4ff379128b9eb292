//! What is wrong, for whoever writes rules.

use gatehold_detect::Kind;

use crate::cross::Scored;
use crate::report::threshold;
use crate::train::mix;

const MOST: usize = 30;

/// Prints benign rows with the highest scores, and some of the attacks that are missed.
pub(crate) fn look(scored: &[Scored<'_>], kind: Kind, tier: Option<&str>) {
    let threshold = threshold(scored, kind, 0.005);
    let of_kind = || scored.iter().filter(|it| it.row.kind == kind);
    let mut wrong: Vec<_> = of_kind().filter(|it| !it.row.attack).collect();
    wrong.sort_by(|a, b| b.sum.total_cmp(&a.sum));
    for it in wrong.iter().take(MOST) {
        println!("flagged {:.2} {} {}", it.sum, it.row.source, it.why);
    }
    let mut missed: Vec<_> = of_kind()
        .filter(|it| it.row.attack && it.sum <= threshold)
        .filter(|it| tier.is_none_or(|tier| it.row.tier == tier))
        .collect();
    missed.sort_by_key(|it| mix(&it.row.id, 3));
    for it in missed.iter().take(MOST) {
        let text = String::from_utf8_lossy(&it.row.text);
        let shown: String = text.chars().rev().take(400).collect();
        let shown: String = shown.chars().rev().collect();
        println!(
            "missed {:.2} {} {} {} … {shown:?}",
            it.sum, it.row.source, it.row.tier, it.why
        );
    }
}
