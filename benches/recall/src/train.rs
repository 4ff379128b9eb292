//! Fits the weights: logistic regression in which a text counts as its best window.
//!
//! Deterministic: rows are taken in an order that depends on their ids alone.

use gatehold_detect::Fired;
use gatehold_detectors::Sign;

use crate::data::Row;

/// How training goes.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    pub windows: [u32; 3],
    pub epochs: usize,
    pub rate: f32,
    /// Pull of all weights towards nothing, and of the weights of one kind towards those of all.
    pub pull: f32,
    pub pull_kind: f32,
    /// What a weight must earn to be kept.
    pub sparse: f32,
    /// How much rows of one kind teach the others.
    pub across: f32,
    /// How much more a benign row counts.
    pub caution: f32,
    /// How far words alone and pairs are trusted, beside sequences.
    pub word: f32,
    pub pair: f32,
}

/// Weights by kind and feature, in log odds, and what a text begins with.
#[derive(Clone, Debug)]
pub struct Model {
    pub weights: [Vec<f32>; 3],
    pub bias: [f32; 3],
    windows: [u32; 3],
}

/// The best window of what fired: its sum, and which of them are in it.
pub fn best(
    fired: &[Fired],
    window: u32,
    weights: &[f32],
    counts: &mut [u16],
) -> (f32, usize, usize) {
    let weight = |at: usize| {
        let feature = fired.get(at).map_or(0, |it| usize::from(it.feature));
        (feature, weights.get(feature).copied().unwrap_or(0.0))
    };
    let (mut sum, mut first) = (0.0, 0);
    let mut found = (0.0, 0, 0);
    for (last, it) in fired.iter().enumerate() {
        while fired
            .get(first)
            .is_some_and(|old| old.position + window <= it.position)
        {
            let (feature, weight) = weight(first);
            if let Some(count) = counts.get_mut(feature) {
                *count -= 1;
                if *count == 0 {
                    sum -= weight;
                }
            }
            first += 1;
        }
        let (feature, weight) = weight(last);
        if let Some(count) = counts.get_mut(feature) {
            *count += 1;
            if *count == 1 {
                sum += weight;
            }
        }
        if sum > found.0 {
            found = (sum, first, last + 1);
        }
    }
    for it in fired.get(first..).unwrap_or_default() {
        if let Some(count) = counts.get_mut(usize::from(it.feature)) {
            *count = 0;
        }
    }
    found
}

impl Model {
    /// One that finds nothing.
    pub fn empty(features: usize, windows: [u32; 3]) -> Self {
        let none = vec![0.0; features];
        Self {
            weights: [none.clone(), none.clone(), none],
            bias: [0.0; 3],
            windows,
        }
    }

    /// The sum of a row, before any threshold.
    pub fn sum(&self, row: &Row, counts: &mut [u16]) -> f32 {
        let kind = row.kind.index();
        best(&row.fired, self.windows[kind], &self.weights[kind], counts).0
    }
}

/// Fits a model to rows.
pub fn fit(rows: &[&Row], signs: &[Sign], prior: &[f32], scale: &[f32], settings: &Settings) -> Model {
    let count = signs.len();
    let mut shared = vec![0.0_f32; count];
    let mut own = [vec![0.0_f32; count], vec![0.0; count], vec![0.0; count]];
    let mut model = Model {
        weights: own.clone(),
        bias: [-3.0; 3],
        windows: settings.windows,
    };
    // What is expected of each feature: data moves it as far as it must.
    let total = |feature: usize, shared: f32, own: f32| {
        scale[feature] * (prior[feature] + shared + own)
    };
    for weights in &mut model.weights {
        for (feature, weight) in weights.iter_mut().enumerate() {
            *weight = total(feature, 0.0, 0.0);
        }
    }
    let mut squares = vec![1e-3_f32; count];
    let mut squares_own = [squares.clone(), squares.clone(), squares.clone()];
    let importance = importance(rows, settings);
    let mut order: Vec<usize> = (0..rows.len()).collect();
    let mut counts = vec![0_u16; count];
    let mut seen = vec![u32::MAX; count];
    for epoch in 0..settings.epochs {
        order.sort_by_key(|at| mix(&rows[*at].id, epoch));
        for (turn, at) in order.iter().enumerate() {
            let row = rows[*at];
            for kind in 0..3 {
                let teaches = if kind == row.kind.index() {
                    1.0
                } else {
                    settings.across
                };
                if teaches == 0.0 {
                    continue;
                }
                let weights = &model.weights[kind];
                let (sum, first, last) = best(&row.fired, settings.windows[kind], weights, &mut counts);
                let odds = 1.0 / (1.0 + (-(sum + model.bias[kind])).exp());
                let error = (odds - f32::from(u8::from(row.attack))) * importance[*at] * teaches;
                model.bias[kind] -= settings.rate * 0.05 * error;
                if error.abs() < 1e-5 {
                    continue;
                }
                let mark = (turn * 3 + kind) as u32;
                for it in row.fired.get(first..last).unwrap_or_default() {
                    let feature = usize::from(it.feature);
                    if std::mem::replace(&mut seen[feature], mark) == mark {
                        continue;
                    }
                    let gradient = error * scale[feature];
                    if gradient == 0.0 {
                        continue;
                    }
                    squares[feature] += gradient * gradient;
                    shared[feature] -= settings.rate * gradient / squares[feature].sqrt();
                    let square = &mut squares_own[kind][feature];
                    *square += gradient * gradient;
                    own[kind][feature] -= 0.5 * settings.rate * gradient / square.sqrt();
                    let (least, most) = match signs[feature] {
                        Sign::Strong | Sign::Plus | Sign::Weak => (0.0, f32::MAX),
                        Sign::Minus => (f32::MIN, 0.0),
                        Sign::Free => (f32::MIN, f32::MAX),
                    };
                    let expected = prior[feature];
                    shared[feature] = (shared[feature] + expected).clamp(least, most) - expected;
                    let both = (shared[feature] + own[kind][feature] + expected).clamp(least, most);
                    own[kind][feature] = both - expected - shared[feature];
                    model.weights[kind][feature] = total(feature, shared[feature], own[kind][feature]);
                }
            }
        }
        for feature in 0..count {
            shrink(&mut shared[feature], settings.pull, settings.sparse);
            for kind in 0..3 {
                shrink(&mut own[kind][feature], settings.pull_kind, settings.sparse);
                model.weights[kind][feature] = total(feature, shared[feature], own[kind][feature]);
            }
        }
    }
    model
}

fn shrink(weight: &mut f32, pull: f32, sparse: f32) {
    *weight *= 1.0 - pull;
    *weight = weight.signum() * (weight.abs() - sparse).max(0.0);
}

/// Sources count by the root of their size, so that the largest does not say it all.
fn importance(rows: &[&Row], settings: &Settings) -> Vec<f32> {
    let mut sizes = std::collections::BTreeMap::new();
    let key = |row: &Row| {
        (
            row.source.split(':').next().unwrap_or_default().to_owned(),
            row.attack,
        )
    };
    for row in rows {
        *sizes.entry(key(row)).or_insert(0.0_f32) += 1.0;
    }
    let weigh = |row: &&Row| {
        let size = sizes.get(&key(row)).copied().unwrap_or(1.0);
        let caution = if row.attack { 1.0 } else { settings.caution };
        caution * (400.0 / size).sqrt().min(3.0)
    };
    rows.iter().map(weigh).collect()
}

/// An order that looks like none and is always the same.
pub fn mix(id: &str, salt: usize) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64 ^ (salt as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    for byte in id.bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    hash ^ (hash >> 31)
}
