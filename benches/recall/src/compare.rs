//! Whether skimming loses anything.

use anyhow::{Result, ensure};
use gatehold_detect::{Context, Scan, scan};

use crate::data::Row;

/// From here on a score is exact.
const EXACT: f64 = 0.34;

/// Scans each text as it is scanned in the filter, and once more with all of it read closely.
pub(crate) fn compare(rows: &[Row]) -> Result<()> {
    let pack = gatehold_detectors::compile(&[])?;
    let (mut same, mut less) = (0, 0);
    let mut wrong = Vec::new();
    for row in rows {
        let quick = scan(&pack, row.kind, Context::default(), &row.text);
        let mut close = Scan::close(&pack, row.kind, Context::default());
        close.feed(&row.text);
        let close = close.finish();
        let equal = (quick.score - close.score).abs() < 1e-9;
        if quick.flagged != close.flagged
            || quick.secrets != close.secrets
            || (close.score > EXACT && !equal)
        {
            wrong.push(format!("{} {:.3} {:.3}", row.id, quick.score, close.score));
        } else if equal {
            same += 1;
        } else {
            less += 1;
        }
    }
    println!("{same} texts have the same score, {less} a lower one below {EXACT}");
    ensure!(wrong.is_empty(), "different verdicts: {wrong:?}");
    Ok(())
}
