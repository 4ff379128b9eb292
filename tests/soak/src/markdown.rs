//! A report for people.

use crate::latency::Latencies;
use crate::memory::Summary;
use crate::report::{Report, SHARES, ratio};
use crate::samples::Memory;
use crate::tally::Outcome;

/// From here on, in milliseconds, the load generator itself is too slow.
const LATE: f64 = 1000.0;

impl Report {
    /// Everything, for people.
    #[must_use]
    pub fn markdown(&self) -> String {
        let mut lines = Vec::new();
        head(self, &mut lines);
        late(self, &mut lines);
        kinds(self, &mut lines);
        latencies(self, &mut lines);
        disturbances(self, &mut lines);
        memory(self, &mut lines);
        verdict(self, &mut lines);
        lines.join("\n")
    }
}

fn head(report: &Report, lines: &mut Vec<String>) {
    let (failed, all) = report.failed();
    let ended = report.found.counts.ended();
    lines.push(format!(
        "Seed {}, {:.0} s, {} pieces of traffic per second, {} workers, in {}\n",
        report.options.seed,
        report.found.took.as_secs_f64(),
        report.options.rate,
        report.options.workers,
        report.place,
    ));
    lines.push(format!(
        "{ended} pieces of traffic, {failed} errors of {all} in which nothing goes wrong on purpose ({:.4} %)\n",
        ratio(failed, all) * 100.0
    ));
}

/// A load generator that is late says nothing about what it measures.
fn late(report: &Report, lines: &mut Vec<String>) {
    let late = report.found.counts.late.ms(0.99);
    if late > LATE {
        lines.push(format!(
            "This machine does not keep that rate (p99 of traffic was sent {late:.0} ms late): choose a lower one, or \
             leave it alone meanwhile. Latencies and deadlines of this run say little.\n"
        ));
    }
}

fn kinds(report: &Report, lines: &mut Vec<String>) {
    let outcomes = Outcome::ALL.map(Outcome::name).join(" | ");
    lines.push(format!("| traffic | {outcomes} | {} |", shares(" ms")));
    lines.push(rule(1 + Outcome::ALL.len() + SHARES.len()));
    for (name, kind) in &report.found.counts.kinds {
        let counts = Outcome::ALL.map(|outcome| {
            let count = kind.outcomes.get(&outcome).copied().unwrap_or_default();
            count.to_string()
        });
        lines.push(format!(
            "| {name} | {} | {} |",
            counts.join(" | "),
            cells(&kind.latencies)
        ));
    }
}

fn latencies(report: &Report, lines: &mut Vec<String>) {
    lines.push(format!(
        "\n| from when it was due, a new connection each | count | {} |",
        shares(" ms")
    ));
    lines.push(rule(2 + SHARES.len()));
    let done = &report.found.done;
    let counts = &report.found.counts;
    for (name, latencies) in [
        ("single exchanges, nobody waits on purpose", &report.single),
        ("sent later than planned", &counts.late),
        ("policy written to first decision", &done.pushes.first),
        ("policy written to every worker", &done.pushes.all),
        (
            "… to first decision, control away meanwhile",
            &done.pushes_away.first,
        ),
        (
            "… to every worker, control away meanwhile",
            &done.pushes_away.all,
        ),
        (
            "end of a worker's VM to every worker decides",
            &counts.reloads,
        ),
    ] {
        if latencies.count() > 0 {
            let count = latencies.count();
            lines.push(format!("| {name} | {count} | {} |", cells(latencies)));
        }
    }
}

fn disturbances(report: &Report, lines: &mut Vec<String>) {
    lines.push("\n| disturbance | times |\n|---|---|".to_owned());
    for (name, count) in &report.found.counts.disturbances {
        lines.push(format!("| {name} | {count} |"));
    }
}

fn memory(report: &Report, lines: &mut Vec<String>) {
    lines.push(
        "\n| resident MB | first third | middle | last third | peak | slope MB/h | flat |"
            .to_owned(),
    );
    lines.push(rule(7));
    for Memory {
        name,
        series,
        bound,
    } in &report.found.memory
    {
        let Summary {
            start,
            middle,
            end,
            peak,
            slope,
        } = series.summary();
        let flat = match bound {
            None => "not judged",
            Some(bound) if series.summary().is_flat(*bound) => "yes",
            Some(_) => "no",
        };
        lines.push(format!(
            "| {name} | {start:.1} | {middle:.1} | {end:.1} | {peak:.1} | {slope:.1} | {flat} |"
        ));
    }
}

fn verdict(report: &Report, lines: &mut Vec<String>) {
    for (name, kind) in &report.found.counts.kinds {
        if !kind.trouble.is_empty() {
            let trouble = &kind.trouble;
            lines.push(format!("\n{name}, the latest that failed: {trouble}"));
        }
    }
    lines.push(format!("\n{} violations", report.found.counts.violations));
    let problems = report.problems();
    lines.extend(problems.iter().map(|problem| format!("- {problem}")));
}

fn shares(unit: &str) -> String {
    SHARES.map(|(name, _)| format!("{name}{unit}")).join(" | ")
}

fn cells(latencies: &Latencies) -> String {
    SHARES
        .map(|(_, share)| format!("{:.1}", latencies.ms(share)))
        .join(" | ")
}

fn rule(columns: usize) -> String {
    format!("|{}", "---|".repeat(columns))
}
