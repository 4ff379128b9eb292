//! Weights as likelihood ratios: how much oftener a feature is in attacks than in benign texts.

use std::collections::{BTreeMap, BTreeSet};

use gatehold_detectors::Sign;

use crate::data::Row;
use crate::train::{Model, Settings};

/// Rows of one source count as at most so many.
const MOST: f32 = 300.0;

/// The model that each feature gives by itself.
pub fn ratio(rows: &[&Row], signs: &[Sign], scale: &[f32], settings: &Settings) -> Model {
    let count = signs.len();
    let stem = |row: &Row| {
        let stem = row.source.split('/').next().unwrap_or_default();
        if stem.starts_with("dev_poc") { "dev_poc".to_owned() } else { stem.to_owned() }
    };
    let mut sizes: BTreeMap<(String, usize, bool), f32> = BTreeMap::new();
    for row in rows {
        *sizes.entry((stem(row), row.kind.index(), row.attack)).or_default() += 1.0;
    }
    let mut hits = vec![[[0.0_f32; 2]; 3]; count];
    let mut totals = [[0.0_f32; 2]; 3];
    for row in rows {
        let kind = row.kind.index();
        let size = sizes[&(stem(row), kind, row.attack)];
        let cap = if row.attack { MOST } else { MOST * 4.0 };
        let weight = size.min(cap) / size;
        let side = usize::from(row.attack);
        totals[kind][side] += weight;
        let features: BTreeSet<u16> = row.fired.iter().map(|it| it.feature).collect();
        for feature in features {
            hits[usize::from(feature)][kind][side] += weight;
        }
    }
    let mut model = Model::empty(count, settings.windows);
    for kind in 0..3 {
        let across = |of: &[[f32; 2]; 3], side: usize| {
            (0..3).map(|other| of[other][side] * if other == kind { 1.0 } else { settings.across }).sum::<f32>()
        };
        for feature in 0..count {
            let share = |side: usize, prior: f32| {
                (across(&hits[feature], side) + prior) / (across(&totals, side) + 1.0)
            };
            let ratio = (share(1, settings.sparse) / share(0, settings.caution)).ln();
            let ratio = ratio.signum() * (ratio.abs() - settings.pull).max(0.0);
            let ratio = match signs[feature] {
                Sign::Strong | Sign::Plus | Sign::Weak => ratio.max(0.0),
                Sign::Minus => ratio.min(0.0),
                Sign::Free => ratio,
            };
            model.weights[kind][feature] = ratio * scale[feature];
        }
    }
    model
}
