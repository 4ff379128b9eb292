//! Times every hot function, natively or (built for `wasm32-wasip1` and run by `wasi.mjs`) in WebAssembly.
//!
//! The medians go into a file beside criterion's own results; the last lines lay them beside those of the latest
//! run in the other world.
#![expect(clippy::print_stdout, reason = "the medians are what the bench is for")]

use std::path::PathBuf;
use std::time::{Duration, Instant};

use criterion::{Criterion, SamplingMode};
use gatehold_bench_micro::hot::{self, Hot};
use gatehold_bench_micro::medians::{self, Medians};

/// Of one function.
const WARM_UP: Duration = Duration::from_millis(500);
/// Of one function.
const MEASUREMENT: Duration = Duration::from_secs(2);

fn main() {
    let mut criterion = Criterion::default()
        .without_plots()
        .warm_up_time(WARM_UP)
        .measurement_time(MEASUREMENT)
        .sample_size(20)
        .configure_from_args();
    let names: Vec<String> = hot::all().into_iter().map(|hot| hot.name).collect();
    let timed: Medians = hot::all()
        .into_iter()
        .filter_map(|hot| time(&mut criterion, hot))
        .collect();
    criterion.final_summary();
    if timed.is_empty() {
        return;
    }

    let home =
        std::env::var_os("CRITERION_HOME").map_or_else(|| "target/criterion".into(), PathBuf::from);
    let [native, wasm] = ["hot-native.txt", "hot-wasm.txt"].map(|name| home.join(name));
    let (own, other) = match cfg!(target_arch = "wasm32") {
        true => (wasm, native),
        false => (native, wasm),
    };
    let kept = |path| medians::read(&std::fs::read_to_string(path).unwrap_or_default());
    // What this run left out stays as it was; what is no function any more goes.
    let mut medians = kept(&own);
    medians.retain(|name, _| names.contains(name));
    medians.extend(timed);
    if let Err(error) = std::fs::write(&own, medians::write(&medians)) {
        println!("cannot keep the medians in {}: {error}", own.display());
    }
    let other = kept(&other);
    let table = match cfg!(target_arch = "wasm32") {
        true => medians::compare(&other, &medians),
        false => medians::compare(&medians, &other),
    };
    print!("\n{table}");
}

/// Nothing when the command line leaves it out.
fn time(criterion: &mut Criterion, hot: Hot) -> Option<(String, f64)> {
    let name = hot.name.clone();
    // Two groups, so that criterion does not compare the one world with the other.
    let mut group = criterion.benchmark_group(match cfg!(target_arch = "wasm32") {
        true => "hot-wasm",
        false => "hot",
    });
    group.sampling_mode(SamplingMode::Flat);
    let mut samples = Vec::new();
    let mut run = None;
    let mut hot = Some(hot);
    group.bench_function(&name, |bencher| {
        let run = run.get_or_insert_with(|| hot.take().map(Hot::prepare));
        let Some(run) = run else { return };
        bencher.iter_custom(|iterations| {
            let start = Instant::now();
            for _ in 0..iterations {
                run();
            }
            let elapsed = start.elapsed();
            samples.push(elapsed.as_nanos() as f64 / iterations.max(1) as f64);
            elapsed
        });
    });
    group.finish();
    samples.sort_by(f64::total_cmp);
    let median = samples.get(samples.len() / 2)?;
    Some((name, *median))
}
