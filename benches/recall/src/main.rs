//! Trains the weights of detection, and measures what it finds on labelled data.
#![allow(
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "a tool for developers"
)]

mod data;
mod folds;
mod ratio;
mod report;
mod train;

use anyhow::{Context as _, Result};
use gatehold_detect::Kind;
use gatehold_detectors::{Draft, Sign};

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let command = arguments.next().unwrap_or_default();
    let folder = arguments.next().context("give the folder of the data")?;
    let option = |name: &str, default: f32| -> f32 {
        let given =
            std::env::args().find_map(|it| it.strip_prefix(&format!("{name}=")).map(str::to_owned));
        given.and_then(|it| it.parse().ok()).unwrap_or(default)
    };
    let settings = train::Settings {
        windows: gatehold_detectors::WINDOWS,
        epochs: option("epochs", 12.0) as usize,
        rate: option("rate", 0.1),
        pull: option("pull", 0.1),
        pull_kind: option("pull_kind", 0.05),
        sparse: option("sparse", 0.005),
        across: option("across", 0.2),
        caution: option("caution", 5.0),
        word: option("word", 0.0),
        pair: option("pair", 0.0),
    };
    let draft = Draft::shipped()?;
    let pack = draft.for_training()?;
    let signs: Vec<Sign> = pack
        .features()
        .iter()
        .map(|it| draft.sign(&it.name))
        .collect();
    let scale: Vec<f32> = pack
        .features()
        .iter()
        .map(|it| match it.name.as_str() {
            name if name.starts_with("word.") => settings.word,
            name if name.contains('+') => settings.pair,
            _ => 1.0,
        })
        .collect();
    let expect = option("prior", 1.0);
    let prior: Vec<f32> = pack
        .features()
        .iter()
        .map(|it| match draft.sign(&it.name) {
            Sign::Strong => option("strong", 5.0) * expect,
            Sign::Plus => option("plus", 2.0) * expect,
            Sign::Weak => option("weak", 0.5) * expect,
            Sign::Minus => -0.5 * expect,
            Sign::Free => 0.0,
        })
        .collect();
    let started = std::time::Instant::now();
    let mut rows = data::read(folder.as_ref())?;
    data::fire(&mut rows, &pack);
    println!(
        "{} rows, {} features, {:.1} s",
        rows.len(),
        signs.len(),
        started.elapsed().as_secs_f32()
    );
    if command == "cv" || command == "train" {
        let mut scored = Vec::new();
        let mut whys = std::collections::BTreeMap::<String, String>::new();
        let mut counts = vec![0; signs.len()];
        for fold in 0..folds::FOLDS {
            let learnt: Vec<_> = rows.iter().filter(|row| folds::fold(row) != fold).collect();
            let model = if option("ratio", 0.0) > 0.0 {
                ratio::ratio(&learnt, &signs, &scale, &settings)
            } else if option("mix", 0.0) > 0.0 {
                let strict = train::Settings { pull: option("offset", 2.5), caution: 1.5, sparse: 0.3, across: 0.3, ..settings };
                let ratio = ratio::ratio(&learnt, &signs, &scale, &strict);
                let part = option("mix", 0.0);
                let mixed: Vec<f32> = prior.iter().enumerate().map(|(at, prior)| {
                    let best = (0..3).map(|kind| ratio.weights[kind][at]).sum::<f32>() / 3.0;
                    (1.0 - part) * prior + part * best
                }).collect();
                train::fit(&learnt, &signs, &mixed, &scale, &settings)
            } else {
                train::fit(&learnt, &signs, &prior, &scale, &settings)
            };
            for row in rows.iter().filter(|row| folds::fold(row) == fold) {
                // Sums of different models are comparable by what they begin with.
                let sum = model.sum(row, &mut counts) + model.bias[row.kind.index()];
                scored.push((row, sum));
                whys.insert(row.id.clone(), why(row, &model, &pack, &mut counts));
            }
        }
        if command == "train" {
            let learnt: Vec<_> = rows.iter().collect();
            let model = train::fit(&learnt, &signs, &prior, &scale, &settings);
            let rates = [option("fp_result", 0.003), option("fp_tool", 0.0015), option("fp_argument", 0.004)];
            let mut weights = gatehold_detectors::Weights::default();
            for (at, feature) in pack.features().iter().enumerate() {
                let of: [i32; 3] = std::array::from_fn(|kind| (model.weights[kind][at] * 1000.0).round() as i32);
                if of.iter().any(|weight| weight.abs() >= 50) {
                    weights.features.insert(feature.name.clone(), of);
                }
            }
            for kind in Kind::ALL {
                let at = kind.index();
                let sum = report::threshold(&scored, kind, f64::from(rates[at])) - model.bias[at];
                weights.thresholds[at] = (sum * 1000.0).ceil() as i32;
            }
            let out = std::env::args().nth(3).context("give the file for the weights")?;
            std::fs::write(&out, weights.to_text())?;
            println!("{} features kept, in `{out}`", weights.features.len());
        }
        for kind in Kind::ALL {
            report::print(&scored, kind, 0.005);
            report::print(&scored, kind, 0.001);
        }
        for (nth, kind) in Kind::ALL.into_iter().enumerate() {
            let pick = option("look", -1.0);
            if pick != nth as f32 {
                continue;
            }
            let threshold = report::threshold(&scored, kind, 0.005);
            let mut wrong: Vec<_> = scored
                .iter()
                .filter(|(row, _)| row.kind == kind && !row.attack)
                .collect();
            wrong.sort_by(|a, b| b.1.total_cmp(&a.1));
            let most = option("most", 25.0) as usize;
            for (row, sum) in wrong.iter().take(most) {
                println!("FP {sum:.2} {} {}", row.source, whys[&row.id]);
            }
            let mut missed: Vec<_> = scored
                .iter()
                .filter(|(row, sum)| row.kind == kind && row.attack && *sum <= threshold)
                .filter(|(row, _)| {
                    std::env::args().all(|it| {
                        it.strip_prefix("tier=").is_none_or(|tier| row.tier == tier)
                    })
                })
                .collect();
            missed.sort_by_key(|(row, _)| train::mix(&row.id, option("salt", 3.0) as usize));
            for (row, sum) in missed.iter().take(most) {
                let text = String::from_utf8_lossy(&row.text);
                let text: String = if text.len() < 900 { text.into_owned() } else {
                    let head: String = text.chars().take(300).collect();
                    let tail: Vec<char> = text.chars().rev().take(400).collect();
                    format!("{head} … {}", tail.into_iter().rev().collect::<String>())
                };
                println!("MISS {sum:.2} {} {} [{}] {:?}", row.source, row.tier, whys[&row.id], text);
            }
        }
        if option("show", 0.0) > 0.0 {
            show(&rows, &pack);
        }
        if let Some(out) =
            std::env::args().find_map(|it| it.strip_prefix("out=").map(str::to_owned))
        {
            let mut text = String::new();
            for (row, sum) in &scored {
                text.push_str(&format!("{}\t{}\t{}\n", row.id, sum, row.attack));
            }
            std::fs::write(out, text)?;
        }
    }
    if command == "shipped" {
        let shipped = gatehold_detectors::compile(&[])?;
        let mut flagged = Vec::new();
        for row in &rows {
            let verdict = gatehold_detect::scan(&shipped, row.kind, gatehold_detect::Context::default(), &row.text);
            if option("verbose", 0.0) > 0.0 {
                let names: Vec<_> = verdict.findings.iter().map(|it| format!("{}{:+.1}", it.feature, it.weight)).collect();
                println!("{} {} {:.2} {}", if verdict.flagged == row.attack { "ok" } else { "WRONG" }, row.id, verdict.score, names.join(" "));
            }
            flagged.push((row, f32::from(u8::from(verdict.flagged))));
        }
        for kind in Kind::ALL {
            report::print(&flagged, kind, 0.5);
        }
    }
    println!("{:.1} s", started.elapsed().as_secs_f32());
    Ok(())
}

/// How often each feature is in attacks and in benign texts, by kind.
fn show(rows: &[data::Row], pack: &gatehold_detect::Pack) {
    use std::collections::{BTreeMap, BTreeSet};
    let mut hits: BTreeMap<u16, [[u32; 2]; 3]> = BTreeMap::new();
    let mut totals = [[0_u32; 2]; 3];
    for row in rows.iter().filter(|row| !row.is_hard()) {
        let (kind, side) = (row.kind.index(), usize::from(row.attack));
        totals[kind][side] += 1;
        let features: BTreeSet<u16> = row.fired.iter().map(|it| it.feature).collect();
        for feature in features {
            hits.entry(feature).or_default()[kind][side] += 1;
        }
    }
    for (feature, of) in hits {
        let name = &pack.features()[usize::from(feature)].name;
        if name.contains('+') || name.starts_with("word.") {
            continue;
        }
        let share = |kind: usize, side: usize| 100.0 * f64::from(of[kind][side]) / f64::from(totals[kind][side].max(1));
        let columns: Vec<String> = (0..3).map(|kind| format!("{:6.2} {:6.2}", share(kind, 1), share(kind, 0))).collect();
        println!("{name:32} {}", columns.join("  | "));
    }
}

/// What the sum of a row is made of.
fn why(row: &data::Row, model: &train::Model, pack: &gatehold_detect::Pack, counts: &mut [u16]) -> String {
    let weights = &model.weights[row.kind.index()];
    let (_, first, last) = train::best(&row.fired, gatehold_detectors::WINDOWS[row.kind.index()], weights, counts);
    let mut seen = std::collections::BTreeSet::new();
    let mut parts = Vec::new();
    for it in row.fired.get(first..last).unwrap_or_default() {
        let feature = usize::from(it.feature);
        if weights[feature] != 0.0 && seen.insert(feature) {
            let text = row.text.get(it.start as usize..(it.end as usize).min(it.start as usize + 60));
            let text = String::from_utf8_lossy(text.unwrap_or_default()).replace('\n', " ");
            parts.push(format!("{}{:+.1}({text})", pack.features()[feature].name, weights[feature]));
        }
    }
    parts.join(" ")
}
