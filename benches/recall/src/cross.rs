//! Every row scored by a model that has not learnt from its source.

use crate::Setting;
use crate::data::Row;
use crate::folds::{FOLDS, fold};
use crate::train::{Model, fit};

/// A row and its score.
pub(crate) struct Scored<'a> {
    pub(crate) row: &'a Row,
    /// Log odds.
    pub(crate) sum: f32,
    /// What it was made of.
    pub(crate) why: String,
}

/// Scores all rows.
pub(crate) fn scored<'a>(rows: &'a [Row], setting: &Setting) -> Vec<Scored<'a>> {
    let mut scored = Vec::new();
    let mut counts = vec![0; setting.signs.len()];
    for tested in 0..FOLDS {
        let learnt: Vec<&Row> = rows.iter().filter(|row| fold(row) != tested).collect();
        let model = fit(&learnt, setting);
        for row in rows.iter().filter(|row| fold(row) == tested) {
            // Sums of different models are comparable together with what they begin with.
            let sum = model.sum(row, &mut counts) + model.bias[row.kind.index()];
            let why = why(row, &model, setting, &mut counts);
            scored.push(Scored { row, sum, why });
        }
    }
    scored
}

fn why(row: &Row, model: &Model, setting: &Setting, counts: &mut [u16]) -> String {
    let (weights, window) = model.of(row.kind);
    let (_, first, last) = crate::train::best(&row.fired, window, weights, counts);
    let mut seen = std::collections::BTreeSet::new();
    let mut parts = Vec::new();
    for it in row.fired.get(first..last).unwrap_or_default() {
        let feature = usize::from(it.feature);
        if weights[feature] != 0.0 && seen.insert(feature) {
            let start = it.start as usize;
            let text = row.text.get(start..(it.end as usize).min(start + 60));
            let text = String::from_utf8_lossy(text.unwrap_or_default()).replace('\n', " ");
            let name = &setting.pack.features()[feature].name;
            parts.push(format!("{name}{:+.1}({text})", weights[feature]));
        }
    }
    parts.join(" ")
}
