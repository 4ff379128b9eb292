//! A whole run: sites, probes, rounds, results.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Parser;
use gatehold_harness::{Keys, Tools};
use hdrhistogram::Histogram;

use crate::answers::Answers;
use crate::cases::{CASES, Case};
use crate::load::Load;
use crate::machine::{self, Plan};
use crate::measure::{Subject, as_f64};
use crate::policy::Rules;
use crate::probe;
use crate::site::{Desk, Ground, Site};
use crate::stats::{by_round, median};
use crate::tokens::Tokens;
use crate::variant::Variant;

/// Measures what Envoy costs per request with and without the filter, side by side.
#[derive(Debug, Parser)]
pub struct Options {
    /// The filter that is measured; what `make wasm` built if absent.
    #[arg(long)]
    pub wasm: Option<PathBuf>,
    /// The module that does nothing; what the build made if absent.
    #[arg(long)]
    pub empty: Option<PathBuf>,
    /// Only these cases (may be repeated).
    #[arg(long)]
    pub case: Vec<String>,
    /// Only these variants beside passing through (may be repeated).
    #[arg(long)]
    pub variant: Vec<String>,
    /// Rounds; the figures are medians over them.
    #[arg(long, default_value_t = 5)]
    pub rounds: usize,
    /// Writes configurations and logs into this folder, and keeps them.
    #[arg(long)]
    pub logs: Option<PathBuf>,
    /// Few and short rounds: for a first look, not for figures to quote.
    #[arg(long)]
    pub quick: bool,
}

/// What the rounds found for one case at one variant.
#[derive(Clone, Debug, Default)]
pub struct Series {
    /// CPU per request in each round, in microseconds.
    pub cpu: Vec<f64>,
    /// Requests per second in each round.
    pub rps: Vec<f64>,
    /// Latency at half load in each round, in microseconds.
    pub p50: Vec<f64>,
    /// Likewise.
    pub p99: Vec<f64>,
    /// All latencies.
    pub latencies: Option<Histogram<u64>>,
    /// Resident memory after each round, in MB.
    pub rss: Vec<f64>,
}

fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "bench: {line}");
}

/// Runs it.
///
/// # Errors
/// When something does not start or behaves wrongly, never because of a time.
pub async fn run(options: &Options) -> anyhow::Result<()> {
    let plan = Plan::of_this_machine()?;
    plan.join_others()?;
    let wasm = options.wasm.as_ref().map(std::path::absolute).transpose()?;
    let tools = Tools::with_filter(wasm)?;
    let empty = match &options.empty {
        Some(empty) => std::path::absolute(empty)?,
        None => built_empty(),
    };
    anyhow::ensure!(
        empty.exists(),
        "there is no empty filter at `{}`; run `make bench`, which builds it",
        empty.display()
    );
    let temporary =
        tempfile::TempDir::with_prefix("gatehold-bench-").context("could not create a folder")?;
    let folder = options.logs.as_deref().unwrap_or_else(|| temporary.path());
    std::fs::create_dir_all(folder)
        .with_context(|| format!("could not create `{}`", folder.display()))?;
    let keys = Keys::get(&tools)?;
    let load = Load::start(Answers::render())?;
    let tokens = Tokens::new(keys);
    let token = tokens.fresh()?;
    let ground = Ground {
        tools: &tools,
        empty,
        keys,
        plan: &plan,
        load: &load,
        folder,
    };
    say(&format!(
        "Envoy runs on CPU {}, everything else on {:?}",
        plan.measured, plan.others
    ));

    let cases = chosen(&options.case, CASES, |case| case.name, Case::of)?;
    let mut variants = chosen(
        &options.variant,
        &Variant::ALL,
        |variant| variant.name(),
        Variant::of,
    )?;
    if !variants.contains(&Variant::Passthrough) {
        variants.insert(0, Variant::Passthrough);
    }

    let mut desks = Vec::new();
    let mut sites = Vec::new();
    for rules in [Rules::Few, Rules::Many] {
        for variant in &variants {
            let wanted = match rules {
                Rules::Few => true,
                Rules::Many => {
                    variant.is_ours()
                        && *variant != Variant::Audit
                        && cases.iter().any(|case| case.rules == Some(rules))
                }
            };
            if !wanted {
                continue;
            }
            if variant.is_ours() && !desks.iter().any(|desk: &Desk| desk.serves(*variant, rules)) {
                desks.push(Desk::start(&ground, variant.is_full(), rules).await?);
            }
            let desk = desks
                .iter()
                .find(|desk| variant.is_ours() && desk.serves(*variant, rules));
            let site = Site::start(&ground, desk, *variant, rules, &token).await?;
            probe::denied(&load, &site, &token)?;
            say(&format!(
                "`{}` with {} rules is ready",
                variant.name(),
                rules.count()
            ));
            sites.push(site);
        }
    }
    let mut subjects = Vec::new();
    for case in &cases {
        for site in &sites {
            let fits = match case.rules {
                None => site.rules == Rules::Few,
                Some(rules) => {
                    site.rules == rules && site.variant.is_ours() && site.variant != Variant::Audit
                }
            };
            if fits {
                let expected = probe::allowed(&load, site, case, &token)?;
                subjects.push(Subject {
                    case: *case,
                    site,
                    expected,
                    token: &token,
                });
            }
        }
    }
    say("every variant does what it says");

    let (closed, open) = if options.quick {
        (300, 400)
    } else {
        (600, 1000)
    };
    let (closed, open) = (Duration::from_millis(closed), Duration::from_millis(open));
    let rounds = if options.quick {
        options.rounds.min(2)
    } else {
        options.rounds
    };
    let mut rates: BTreeMap<&str, f64> = BTreeMap::new();
    for subject in &subjects {
        let found = subject.closed(&load, &tokens, Duration::from_millis(250))?;
        if subject.site.variant.governs() {
            let rate = rates.entry(subject.case.name).or_insert(f64::INFINITY);
            *rate = rate.min(found.rps / 2.0);
        }
    }
    let mut series: BTreeMap<(&str, Variant), Series> = BTreeMap::new();
    for round in 0..rounds {
        say(&format!("round {} of {rounds}", round.saturating_add(1)));
        for case in &cases {
            let mut of_case: Vec<&Subject<'_>> = subjects
                .iter()
                .filter(|subject| subject.case == *case)
                .collect();
            let first = round.checked_rem(of_case.len()).unwrap_or(0);
            of_case.rotate_left(first);
            for subject in of_case {
                let rate = rates
                    .get(case.name)
                    .copied()
                    .filter(|rate| rate.is_finite())
                    .unwrap_or(1000.0);
                let found = subject.closed(&load, &tokens, closed)?;
                let latencies = subject.open(&load, &tokens, rate, open)?;
                let entry = series.entry((case.name, subject.site.variant)).or_default();
                let at = |quantile| as_f64(latencies.value_at_quantile(quantile)) / 1000.0;
                entry.cpu.push(found.cpu_us);
                entry.rps.push(found.rps);
                entry.p50.push(at(0.5));
                entry.p99.push(at(0.99));
                match &mut entry.latencies {
                    Some(all) => all.add(&latencies)?,
                    none => *none = Some(latencies),
                }
                entry.rss.push(machine::memory(subject.site.id)?.rss);
            }
        }
    }
    let mut out = std::io::stdout();
    writeln!(
        out,
        "{:<15} {:<13} {:>8} {:>6} {:>17} {:>8} {:>8} {:>8} {:>8} {:>6}",
        "case",
        "variant",
        "cpu us",
        "x pass",
        "min..max",
        "req/s",
        "p50 us",
        "p99 us",
        "p99.9",
        "rss MB"
    )?;
    for case in &cases {
        for variant in &variants {
            let Some(found) = series.get(&(case.name, *variant)) else {
                continue;
            };
            let pass = series.get(&(case.name, Variant::Passthrough));
            let ratio = pass.and_then(|pass| by_round(&found.cpu, &pass.cpu, |of, with| of / with));
            let (x, range) = ratio.map_or((String::new(), String::new()), |ratio| {
                (
                    format!("{:.2}", ratio.median),
                    format!("{:.2}..{:.2}", ratio.min, ratio.max),
                )
            });
            let p999 = found
                .latencies
                .as_ref()
                .map_or(0.0, |all| as_f64(all.value_at_quantile(0.999)) / 1000.0);
            writeln!(
                out,
                "{:<15} {:<13} {:>8.1} {x:>6} {range:>17} {:>8.0} {:>8.0} {:>8.0} {p999:>8.0} {:>6.0}",
                case.name,
                variant.name(),
                median(&found.cpu),
                median(&found.rps),
                median(&found.p50),
                median(&found.p99),
                median(&found.rss)
            )?;
        }
    }
    Ok(())
}

fn built_empty() -> PathBuf {
    let running = std::env::current_exe().unwrap_or_default();
    let target = running
        .ancestors()
        .nth(2)
        .map(PathBuf::from)
        .unwrap_or_default();
    target.join("wasm32-wasip1/release/gatehold_bench_empty.wasm")
}

/// Those that are named, or all.
fn chosen<T: Copy>(
    names: &[String],
    all: &[T],
    name: impl Fn(&T) -> &'static str,
    of: impl Fn(&str) -> Option<T>,
) -> anyhow::Result<Vec<T>> {
    if names.is_empty() {
        return Ok(all.to_vec());
    }
    names
        .iter()
        .map(|wanted| match of(wanted) {
            Some(found) => Ok(found),
            None => bail!(
                "there is no `{wanted}`; choose from {}",
                all.iter().map(&name).collect::<Vec<_>>().join(", ")
            ),
        })
        .collect()
}
