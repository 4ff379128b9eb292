//! Trains the weights of detection, and measures what it finds in sources that it has not learnt from.
//!
//! `cross DATA` prints recall at fixed rates of false positives, each source tested by a model that never saw it;
//! `train DATA WEIGHTS FREQUENCY` fits the weights that ship and writes them; `look DATA KIND [TIER]` prints what is missed
//! and what is wrongly flagged, and why; `compare DATA` says whether skimming loses anything against a close reading
//! of everything. Everything is the same in every run.
#![expect(
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "a tool for developers, on data of known shape"
)]

mod compare;
mod cross;
mod data;
mod folds;
mod look;
mod report;
mod train;
mod trained;

use anyhow::{Context as _, Result, bail};
use gatehold_detect::{Kind, Pack};
use gatehold_detectors::{Draft, Sign};

/// What is learnt from, and how.
struct Setting {
    pack: Pack,
    signs: Vec<Sign>,
    /// What is expected of each feature before there is data, in log odds.
    expected: Vec<f32>,
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let help = "use `cross DATA`, `compare DATA`, `train DATA WEIGHTS FREQUENCY` or `look DATA KIND [TIER]`";
    let (command, folder) = match arguments.as_slice() {
        [command, folder, ..] => (*command, *folder),
        _ => bail!("{help}"),
    };
    let draft = Draft::shipped()?;
    let pack = draft.for_training()?;
    let signs: Vec<Sign> = pack
        .features()
        .iter()
        .map(|it| draft.sign(&it.name))
        .collect();
    let setting = Setting {
        expected: signs.iter().map(|sign| train::expected(*sign)).collect(),
        signs,
        pack,
    };
    let mut rows = data::read(folder.as_ref())?;
    if command == "compare" {
        return compare::compare(&rows);
    }
    data::fire(&mut rows, &setting.pack);
    let scored = cross::scored(&rows, &setting);
    match (command, arguments.get(2), arguments.get(3)) {
        ("cross", None, None) => {
            println!("{} texts, {} features\n", rows.len(), setting.signs.len());
            report::table(&scored);
        }
        ("train", Some(out), Some(frequency)) => {
            let usual = rows.iter().filter(|row| !row.attack);
            let counted = draft.count(usual.map(|row| row.text.as_slice()));
            std::fs::write(frequency, counted.to_text())
                .with_context(|| format!("cannot write `{frequency}`"))?;
            let weights = trained::weights(&rows, &scored, &setting);
            std::fs::write(out, weights.to_text())
                .with_context(|| format!("cannot write `{out}`"))?;
            println!(
                "{} features have a weight, in `{out}`",
                weights.features.len()
            );
            report::table(&scored);
        }
        ("look", Some(kind), tier) => {
            let kind = Kind::from_name(kind).context("a kind is result, tool or argument")?;
            look::look(&scored, kind, tier.copied());
        }
        _ => bail!("{help}"),
    }
    Ok(())
}
