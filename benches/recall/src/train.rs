//! Fits the weights: logistic regression in which a text counts as its best window.
//!
//! Deterministic: rows are taken in an order that depends on their ids alone.

use gatehold_detect::{Fired, Kind};
use gatehold_detectors::{Sign, WINDOWS};

use crate::Setting;
use crate::data::Row;

/// Passes over the data.
const PASSES: usize = 12;
/// How far one row moves a weight at first.
const RATE: f32 = 0.1;
/// Pull of weights towards what is expected of them, after each pass.
const PULL: f32 = 0.1;
/// Pull of the weights of one kind towards those of all.
const PULL_OWN: f32 = 0.05;
/// What data must say at least to move a weight.
const LEAST: f32 = 0.005;
/// How much rows of one kind teach the others.
const ACROSS: f32 = 0.2;
/// How much more a benign row counts: false alarms are dearer than misses.
const CAUTION: f32 = 5.0;

/// What is expected of a feature before there is data, in log odds. Words alone and pairs of words are not used:
/// they learn the sources of the data by heart, and find less in others.
pub(crate) fn expected(sign: Sign) -> f32 {
    match sign {
        Sign::Strong => 5.0,
        Sign::Plus => 2.0,
        Sign::Weak => 0.5,
        Sign::Minus => -1.5,
        Sign::Free => 0.0,
    }
}

/// Whether a feature says anything about texts of a kind: only definitions speak of other tools to a purpose, and
/// who gives a chat another self does so in arguments; results hold such prompts as data.
pub(crate) fn concerns(name: &str, kind: Kind) -> bool {
    match name.split('.').next() {
        Some("cross" | "poison") => kind == Kind::Tool,
        Some("self") => kind == Kind::Argument,
        _ => true,
    }
}

/// Weights by kind and feature, in log odds, and what a text begins with.
#[derive(Clone, Debug)]
pub(crate) struct Model {
    weights: [Vec<f32>; 3],
    pub(crate) bias: [f32; 3],
}

/// The best window of what fired: its sum, and which of them are in it.
pub(crate) fn best(
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
    /// The weights of a kind, and the words over which they add up.
    pub(crate) fn of(&self, kind: Kind) -> (&[f32], u32) {
        (&self.weights[kind.index()], WINDOWS[kind.index()])
    }

    /// The sum of a row, before any threshold.
    pub(crate) fn sum(&self, row: &Row, counts: &mut [u16]) -> f32 {
        let (weights, window) = self.of(row.kind);
        best(&row.fired, window, weights, counts).0
    }
}

/// Fits a model to rows.
pub(crate) fn fit(rows: &[&Row], setting: &Setting) -> Model {
    let Setting {
        signs,
        expected,
        pack,
    } = setting;
    let concerned = Kind::ALL.map(|kind| {
        let of = pack.features().iter().map(|it| concerns(&it.name, kind));
        of.collect::<Vec<bool>>()
    });
    let count = signs.len();
    let mut shared = vec![0.0_f32; count];
    let mut own = [vec![0.0_f32; count], vec![0.0; count], vec![0.0; count]];
    let mut model = Model {
        weights: [0, 1, 2].map(|kind: usize| {
            let of = expected.iter().zip(&concerned[kind]);
            of.map(|(it, concerned)| if *concerned { *it } else { 0.0 })
                .collect()
        }),
        bias: [-3.0; 3],
    };
    let mut squares = vec![1e-3_f32; count];
    let mut squares_own = [squares.clone(), squares.clone(), squares.clone()];
    let importance = importance(rows);
    let mut order: Vec<usize> = (0..rows.len()).collect();
    let mut counts = vec![0_u16; count];
    let mut seen = vec![u32::MAX; count];
    for pass in 0..PASSES {
        order.sort_by_key(|at| mix(&rows[*at].id, pass));
        for (turn, at) in order.iter().enumerate() {
            let row = rows[*at];
            for kind in 0..3 {
                let teaches = if kind == row.kind.index() {
                    1.0
                } else {
                    ACROSS
                };
                let weights = &model.weights[kind];
                let (sum, first, last) = best(&row.fired, WINDOWS[kind], weights, &mut counts);
                let odds = 1.0 / (1.0 + (-(sum + model.bias[kind])).exp());
                let error = (odds - f32::from(u8::from(row.attack))) * importance[*at] * teaches;
                model.bias[kind] -= RATE * 0.05 * error;
                if error.abs() < 1e-5 {
                    continue;
                }
                let mark = (turn * 3 + kind) as u32;
                for it in row.fired.get(first..last).unwrap_or_default() {
                    let feature = usize::from(it.feature);
                    let is_again = std::mem::replace(&mut seen[feature], mark) == mark;
                    let bounds = match signs[feature] {
                        Sign::Strong | Sign::Plus | Sign::Weak => (0.0, f32::MAX),
                        Sign::Minus => (f32::MIN, 0.0),
                        Sign::Free => continue,
                    };
                    if is_again || !concerned[kind][feature] {
                        continue;
                    }
                    let within = |weight: f32| weight.clamp(bounds.0, bounds.1);
                    let expected = expected[feature];
                    squares[feature] += error * error;
                    shared[feature] -= RATE * error / squares[feature].sqrt();
                    shared[feature] = within(shared[feature] + expected) - expected;
                    let square = &mut squares_own[kind][feature];
                    *square += error * error;
                    let own = &mut own[kind][feature];
                    *own -= 0.5 * RATE * error / square.sqrt();
                    let both = within(shared[feature] + *own + expected);
                    *own = both - expected - shared[feature];
                    model.weights[kind][feature] = both;
                }
            }
        }
        for feature in 0..count {
            shrink(&mut shared[feature], PULL);
            for ((own, weights), concerned) in
                own.iter_mut().zip(&mut model.weights).zip(&concerned)
            {
                shrink(&mut own[feature], PULL_OWN);
                if concerned[feature] {
                    weights[feature] = expected[feature] + shared[feature] + own[feature];
                }
            }
        }
    }
    model
}

fn shrink(weight: &mut f32, pull: f32) {
    *weight *= 1.0 - pull;
    *weight = weight.signum() * (weight.abs() - LEAST).max(0.0);
}

/// Sources count by the root of their size, so that the largest does not say it all.
fn importance(rows: &[&Row]) -> Vec<f32> {
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
        let caution = if row.attack { 1.0 } else { CAUTION };
        caution * (400.0 / size).sqrt().min(3.0)
    };
    rows.iter().map(weigh).collect()
}

/// An order that looks like none and is always the same.
pub(crate) fn mix(id: &str, salt: usize) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64 ^ (salt as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    for byte in id.bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    hash ^ (hash >> 31)
}
