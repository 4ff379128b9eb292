//! The weights that ship.

use gatehold_detect::Kind;
use gatehold_detectors::Weights;

use crate::Setting;
use crate::cross::Scored;
use crate::data::Row;
use crate::report::threshold;
use crate::train::fit;

/// By kind, the rate of false positives at which the thresholds are set, in sources that were not learnt from:
/// below what is promised, since other sources differ. Of tools less, because definitions that command
/// (`always call this first`) are few in the data and many in some servers.
const RATES: [f64; 3] = [0.003, 0.001_2, 0.004];
/// Weights below this say nothing, in thousandths of log odds.
const LEAST: i32 = 50;

/// Learns from all rows, and sets the thresholds by the scores of models that had not seen them.
pub(crate) fn weights(rows: &[Row], scored: &[Scored<'_>], setting: &Setting) -> Weights {
    let model = fit(&rows.iter().collect::<Vec<_>>(), setting);
    let mut weights = Weights::default();
    for (at, feature) in setting.pack.features().iter().enumerate() {
        let of = Kind::ALL.map(|kind| (model.of(kind).0[at] * 1000.0).round() as i32);
        if of.iter().any(|weight| weight.abs() >= LEAST) {
            weights.features.insert(feature.name.clone(), of);
        }
    }
    weights.thresholds = Kind::ALL.map(|kind| {
        let sum = threshold(scored, kind, RATES[kind.index()]) - model.bias[kind.index()];
        (sum * 1000.0).ceil() as i32
    });
    weights
}
