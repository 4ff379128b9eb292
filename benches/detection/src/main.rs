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
        window: option("window", 64.0) as u32,
        epochs: option("epochs", 12.0) as usize,
        rate: option("rate", 0.1),
        pull: option("pull", 0.02),
        pull_kind: option("pull_kind", 0.05),
        sparse: option("sparse", 0.005),
        across: option("across", 0.2),
        caution: option("caution", 2.0),
    };
    let draft = Draft::shipped()?;
    let pack = draft.for_training()?;
    let signs: Vec<Sign> = pack
        .features()
        .iter()
        .map(|it| draft.sign(&it.name))
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
    if command == "cv" {
        let mut scored = Vec::new();
        let mut counts = vec![0; signs.len()];
        for fold in 0..folds::FOLDS {
            let learnt: Vec<_> = rows.iter().filter(|row| folds::fold(row) != fold).collect();
            let model = train::fit(&learnt, &signs, &settings);
            for row in rows.iter().filter(|row| folds::fold(row) == fold) {
                // Sums of different models are comparable by what they begin with.
                scored.push((
                    row,
                    model.sum(row, &mut counts) + model.bias[row.kind.index()],
                ));
            }
        }
        for kind in Kind::ALL {
            report::print(&scored, kind, 0.005);
            report::print(&scored, kind, 0.001);
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
    println!("{:.1} s", started.elapsed().as_secs_f32());
    Ok(())
}
