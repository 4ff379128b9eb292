//! How fast texts are looked at: megabytes a second per mix of texts, and the worst case against the average.
//!
//! `gatehold-bench-detect [FOLDER] [--only NAME] [--search SECONDS]`: FOLDER holds `*.jsonl` with `kind`, `label`,
//! `source` and `text` or `tool`; without one the texts are made up. `--search` looks for a text that is slower to read than all
//! that are known, `--only` times the mixes with this in their names. Built for `wasm32-wasip1` it runs under `benches/micro/wasi.mjs`.
#![expect(clippy::print_stdout, reason = "the figures are what it is for")]
#![forbid(unsafe_code)]

mod hostile;
mod texts;
mod time;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result};
use gatehold_detect::Kind;
use texts::Mix;
use time::Timer;

/// The target for texts that nobody tampered with, in MB/s.
const CLEAN: f64 = 200.0;

fn main() -> Result<()> {
    let mut folder = None;
    let mut search = None;
    let mut only: Option<String> = None;
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        if argument == "--search" {
            let seconds = arguments.next().context("`--search` needs seconds")?;
            search = Some(Duration::from_secs(seconds.parse()?));
        } else if argument == "--only" {
            only = arguments.next();
        } else {
            folder = Some(PathBuf::from(argument));
        }
    }
    let timer = Timer::new()?;
    if let Some(time) = search {
        return hostile::search(&timer, time);
    }
    let mut mixes = match &folder {
        Some(folder) => texts::of_folder(folder)?,
        None => texts::made_up(),
    };
    if let Some(name) = &only {
        mixes.retain(|mix| mix.name.contains(name.as_str()));
    }
    let world = if cfg!(target_arch = "wasm32") {
        "WebAssembly"
    } else {
        "native"
    };
    println!("{world}, pack of {} KB", timer.pack_size() >> 10);
    println!(
        "{:34} {:>7} {:>9} {:>8} {:>8}",
        "mix", "texts", "bytes", "MB/s", "flagged"
    );
    let mut bytes = 0;
    let mut spent = Duration::ZERO;
    for mix in &mixes {
        let speed = timer.mix(mix);
        bytes += mix.bytes();
        spent += speed.once;
        row(mix, speed.megabytes, speed.flagged);
    }
    let average = bytes as f64 / spent.as_secs_f64() / 1e6;
    println!("{:34} {:>7} {:>9} {average:>8.0}", "all", "", bytes);

    if only.is_some() {
        return Ok(());
    }
    let clean = texts::long(&mixes, 10 << 10);
    let once = timer.once(Kind::Result, &clean);
    println!(
        "\n10 KB of clean result: {:.1} us (at {CLEAN} MB/s: {:.1})",
        once.as_secs_f64() * 1e6,
        10_240.0 / CLEAN
    );

    println!(
        "\n{:34} {:>17} {:>8} {:>8}",
        "hostile, 64 KB each", "", "MB/s", "times"
    );
    let mut worst: f64 = 0.0;
    for (name, text) in hostile::texts() {
        let mix = Mix::of(&name, Kind::Result, text);
        let speed = timer.mix(&mix);
        worst = worst.max(average / speed.megabytes);
        println!(
            "{name:34} {:>17} {:>8.0} {:>8.2}",
            "",
            speed.megabytes,
            average / speed.megabytes
        );
    }
    println!("worst case: {worst:.1} times the average time per byte");
    Ok(())
}

fn row(mix: &Mix, megabytes: f64, flagged: usize) {
    println!(
        "{:34} {:>7} {:>9} {megabytes:>8.0} {flagged:>8}",
        mix.name,
        mix.texts.len(),
        mix.bytes()
    );
}
