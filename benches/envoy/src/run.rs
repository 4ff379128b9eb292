//! A whole run: sites, probes, rounds, results.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use gatehold_harness::{Keys, Tools};
use serde_json::json;

use crate::answers::Answers;
use crate::cases::Case;
use crate::load::Load;
use crate::machine::{self, Plan};
use crate::measure::{CLOSED_CONNECTIONS, OPEN_CONNECTIONS, Subject, as_f64};
use crate::options::{Lengths, Options};
use crate::policy::Rules;
use crate::series::{Audited, Results};
use crate::site::{Desk, Ground, Site};
use crate::tokens::Tokens;
use crate::variant::Variant;
use crate::{peers, probe, report, startup, svg};

/// The variants whose start and further workers are looked at.
const STARTED: [Variant; 4] = [
    Variant::Passthrough,
    Variant::WasmEmpty,
    Variant::EnvoyNative,
    Variant::All,
];
/// The case that most goals are about.
const MAIN: &str = "call-2k";

/// Runs it, and writes the results.
///
/// # Errors
/// When something does not start or behaves wrongly, never because of a time.
pub async fn run(options: &Options) -> anyhow::Result<()> {
    let plan = Plan::of_this_machine()?;
    plan.join_others()?;
    let wasm = options.wasm.as_ref().map(std::path::absolute).transpose()?;
    let tools = Tools::with_filter(wasm)?;
    let empty = options.empty.as_ref().map_or_else(built_empty, |path| {
        std::path::absolute(path).unwrap_or_default()
    });
    ensure!(
        empty.exists(),
        "there is no empty filter at `{}`; `make bench` builds it",
        empty.display()
    );
    let temporary =
        tempfile::TempDir::with_prefix("gatehold-bench-").context("could not create a folder")?;
    let folder = options.logs.as_deref().unwrap_or_else(|| temporary.path());
    fs::create_dir_all(folder)
        .with_context(|| format!("could not create `{}`", folder.display()))?;

    let (cases, variants, lengths) = (options.cases()?, options.variants()?, options.lengths());
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

    let (desks, mut sites) = start(&ground, &cases, &variants, &token).await?;
    if let Some(folder) = &options.peers {
        let folder = std::path::absolute(folder)?;
        for peer in Variant::PEERS {
            if cases
                .iter()
                .any(|case| peers::case_of(peer) == Some(case.name))
            {
                let site = peers::start(&ground, &folder, peer, &token).await?;
                probe::denied(&load, &site, &token).with_context(|| site.tail())?;
                sites.push(site);
                say(&format!("`{}` is up", peer.name()));
            }
        }
    }
    let subjects = subjects(&load, &sites, &cases, &token)?;
    say("every variant does what it says");

    let mut results = Results {
        machine: machine::describe(&plan),
        method: method(&lengths),
        cases: cases.iter().map(|case| case.name).collect(),
        variants: variants
            .iter()
            .copied()
            .chain(
                sites
                    .iter()
                    .map(|site| site.variant)
                    .filter(|variant| variant.is_peer()),
            )
            .collect(),
        ..Results::default()
    };
    rounds(&load, &tokens, &subjects, &lengths, &mut results)?;
    results.audited = audited(&load, &sites)?;
    if !options.no_starts {
        say("starts, and further workers");
        // With and without the filter; the other variants start as one of these.
        let started: Vec<Variant> = variants
            .iter()
            .copied()
            .filter(|variant| STARTED.contains(variant))
            .collect();
        results.starts = startup::starts(&ground, &desks, &started, lengths.starts).await?;
        results.workers = startup::workers(&ground, &desks, &started, &token).await?;
    }
    let out = options
        .out
        .clone()
        .unwrap_or_else(|| tools.root.join("target/bench"));
    write(&out, &results)
}

/// Starts every control and every Envoy that the cases need, and sees that what is denied is denied.
async fn start(
    ground: &Ground<'_>,
    cases: &[Case],
    variants: &[Variant],
    token: &str,
) -> anyhow::Result<(Vec<Desk>, Vec<Site>)> {
    let (mut desks, mut sites): (Vec<Desk>, Vec<Site>) = (Vec::new(), Vec::new());
    let many = cases.iter().any(|case| case.rules == Some(Rules::Many));
    for rules in [Rules::Few, Rules::Many] {
        for variant in variants {
            if rules == Rules::Many && !(many && is_about_rules(*variant)) {
                continue;
            }
            if variant.is_ours() && !desks.iter().any(|desk| desk.serves(*variant, rules)) {
                desks.push(Desk::start(ground, *variant, rules).await?);
            }
            let desk = desks
                .iter()
                .find(|desk| variant.is_ours() && desk.serves(*variant, rules));
            let site = Site::start(ground, desk, *variant, rules, token).await?;
            probe::denied(ground.load, &site, token)?;
            say(&format!(
                "`{}` is up{}",
                variant.name(),
                if rules == Rules::Many {
                    " with 10,000 rules"
                } else {
                    ""
                }
            ));
            sites.push(site);
        }
    }
    Ok((desks, sites))
}

/// Whether the cases about the number of rules are measured at it.
fn is_about_rules(variant: Variant) -> bool {
    matches!(variant, Variant::Rbac | Variant::All)
}

/// Every case at every site where it belongs, seen to work there.
fn subjects<'a>(
    load: &Load,
    sites: &'a [Site],
    cases: &[Case],
    token: &'a str,
) -> anyhow::Result<Vec<Subject<'a>>> {
    let mut subjects = Vec::new();
    for case in cases {
        for site in sites {
            let fits = match case.rules {
                _ if site.variant.is_peer() => peers::case_of(site.variant) == Some(case.name),
                None => site.rules == Rules::Few,
                Some(rules) => site.rules == rules && is_about_rules(site.variant),
            };
            if fits {
                let mut expected =
                    probe::allowed(load, site, case, token).with_context(|| site.tail())?;
                if site.variant.is_peer() {
                    // Identifiers and times that they put into their answers vary in length.
                    expected.slack = 32;
                }
                subjects.push(Subject {
                    case: *case,
                    site,
                    expected,
                    token,
                });
            }
        }
    }
    Ok(subjects)
}

/// Warms up, finds the rates, and measures in rounds.
fn rounds(
    load: &Load,
    tokens: &Tokens,
    subjects: &[Subject<'_>],
    lengths: &Lengths,
    results: &mut Results,
) -> anyhow::Result<()> {
    let mut slow = BTreeMap::new();
    for subject in subjects {
        let found = subject.closed(load, tokens, lengths.warm_up)?;
        if subject.site.variant.is_peer() {
            slow.insert(subject.site.variant, found.rps / 2.0);
        } else if subject.site.variant.governs() {
            let rate = results
                .rates
                .entry(subject.case.name)
                .or_insert(f64::INFINITY);
            *rate = rate.min(found.rps / 2.0);
        }
    }
    let begin = Instant::now();
    for round in 0..lengths.rounds {
        let elapsed = begin.elapsed().as_secs();
        say(&format!(
            "round {} of {}, after {elapsed} s",
            round.saturating_add(1),
            lengths.rounds
        ));
        for case in &results.cases.clone() {
            let mut turn: Vec<&Subject<'_>> = subjects
                .iter()
                .filter(|subject| subject.case.name == *case)
                .collect();
            // Who comes first gets what the machine has left over from the case before.
            let first = round.checked_rem(turn.len()).unwrap_or(0);
            turn.rotate_left(first);
            for subject in turn {
                // A peer that does not serve the rate of the others gets half of what it does.
                let own = slow.get(&subject.site.variant).copied();
                measure(load, tokens, subject, own, lengths, results)?;
            }
        }
    }
    Ok(())
}

fn measure(
    load: &Load,
    tokens: &Tokens,
    subject: &Subject<'_>,
    at_most: Option<f64>,
    lengths: &Lengths,
    results: &mut Results,
) -> anyhow::Result<()> {
    let name = subject.case.name;
    // Without a governed variant there is no half load; any rate does that all can serve.
    let rate = results.rates.get(name).copied().unwrap_or(500.0);
    let rate = at_most.map_or(rate, |at_most| rate.min(at_most));
    let found = subject.closed(load, tokens, lengths.closed)?;
    let length = if name == MAIN {
        lengths.open_main
    } else {
        lengths.open
    };
    let latencies = subject.open(load, tokens, rate, length)?;
    let at = |quantile| as_f64(latencies.value_at_quantile(quantile)) / 1000.0;
    let entry = results
        .series
        .entry((name, subject.site.variant))
        .or_default();
    entry.cpu.push(found.cpu_us);
    entry.rps.push(found.rps);
    entry.p50.push(at(0.5));
    entry.p99.push(at(0.99));
    entry.rss.push(machine::memory(subject.site.id)?.rss);
    match &mut entry.latencies {
        Some(all) => all.add(&latencies)?,
        none => *none = Some(latencies),
    }
    Ok(())
}

/// What became of the audit events: figures of a site that dropped them would flatter it.
fn audited(load: &Load, sites: &[Site]) -> anyhow::Result<Vec<Audited>> {
    let mut found = Vec::new();
    for site in sites
        .iter()
        .filter(|site| site.variant.audits() && site.rules == Rules::Few)
    {
        let states = site.counters(load, "gatehold_audit_events")?;
        if let Some(dropped) = states.get("dropped").filter(|dropped| **dropped > 0) {
            say(&format!(
                "`{}` dropped {dropped} audit events, because control could not keep up",
                site.variant.name()
            ));
        }
        found.push(Audited {
            variant: site.variant,
            states,
        });
    }
    Ok(found)
}

fn method(lengths: &Lengths) -> serde_json::Value {
    let milliseconds = |length: Duration| u64::try_from(length.as_millis()).unwrap_or(u64::MAX);
    json!({
        "rounds": lengths.rounds,
        "closed_loop": { "ms": milliseconds(lengths.closed), "connections": CLOSED_CONNECTIONS, "gives": ["cpu_us_per_request", "rps"] },
        "open_loop": { "ms": milliseconds(lengths.open), "connections": OPEN_CONNECTIONS, "gives": ["p50_us", "p99_us", "p999_us"] },
        "rate": "half of what the slowest governed variant serves in the closed loop, the same for all variants of a case",
        "cpu": "run time of all threads of the process by /proc/<pid>/task/*/schedstat, from rest to rest",
        "figures": "medians over rounds; ratios and differences are taken round by round; p999 over all rounds together",
        "order": "all variants of a case in each round, in rotating order",
        "latency": "from the time a request is due to the end of its answer",
        "envoy": "--concurrency 1 on a CPU of its own; access log off; load generator, upstream and control on the others",
    })
}

fn write(folder: &Path, results: &Results) -> anyhow::Result<()> {
    fs::create_dir_all(folder)
        .with_context(|| format!("could not create `{}`", folder.display()))?;
    let table = report::markdown(results);
    for (name, text) in [
        ("envoy.md", table.clone()),
        ("envoy.json", format!("{:#}\n", report::json(results))),
        ("envoy.svg", svg::picture(results)),
    ] {
        let path = folder.join(name);
        fs::write(&path, text).with_context(|| format!("could not write `{}`", path.display()))?;
    }
    writeln!(
        std::io::stdout(),
        "\n{table}\nwritten to {}",
        folder.display()
    )?;
    Ok(())
}

/// Where the build puts the module that does nothing, beside this program.
fn built_empty() -> PathBuf {
    let running = std::env::current_exe().unwrap_or_default();
    let target = running
        .ancestors()
        .nth(2)
        .map(PathBuf::from)
        .unwrap_or_default();
    target.join("wasm32-wasip1/release/gatehold_bench_empty.wasm")
}

/// Progress, beside the results.
fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "bench: {line}");
}
