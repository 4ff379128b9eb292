//! The results as a table and as JSON.

use serde_json::{Value, json};

use crate::series::{Goal, Results};
use crate::stats::{Spread, median};
use crate::variant::Variant;

/// The results as Markdown, which reads well in a terminal too.
#[must_use]
pub fn markdown(results: &Results) -> String {
    let mut text = String::new();
    let header = [
        "case", "variant", "CPU us", "x pass", "min..max", "req/s", "p50 us", "p99 us", "p99.9 us",
        "rate/s", "RSS MB",
    ];
    let mut rows = Vec::new();
    for case in &results.cases {
        for variant in &results.variants {
            let Some(found) = results.of(case, *variant) else {
                continue;
            };
            let ratio = results.cpu_ratio(case, *variant);
            let whole = |values: &[f64]| format!("{:.0}", median(values));
            rows.push([
                (*case).to_owned(),
                variant.name().to_owned(),
                format!("{:.1}", median(&found.cpu)),
                ratio.map_or_else(|| "-".to_owned(), |ratio| format!("{:.2}", ratio.median)),
                ratio.map_or_else(
                    || "-".to_owned(),
                    |ratio| format!("{:.2}..{:.2}", ratio.min, ratio.max),
                ),
                whole(&found.rps),
                whole(&found.p50),
                whole(&found.p99),
                format!("{:.0}", found.p999()),
                results
                    .rates
                    .get(case)
                    .map_or_else(|| "-".to_owned(), |rate| format!("{rate:.0}")),
                whole(&found.rss),
            ]);
        }
    }
    table(&mut text, &header, &rows, 2);
    if results.cases.contains(&crate::series::MANY_RULES) {
        text.push_str("\n`rules-10000` is over `rules-10` of the same variant; the other ratios are over `passthrough`.\n");
    }
    if results.variants.iter().any(|variant| variant.is_peer()) {
        text.push_str("\nA peer that does not serve twice the rate gets half of what it serves.\n");
    }
    starts(&mut text, results);
    goals(&mut text, &results.goals());
    text
}

fn starts(text: &mut String, results: &Results) {
    let around = |spread: &Spread| {
        format!(
            "{:.0} ({:.0}..{:.0})",
            spread.median, spread.min, spread.max
        )
    };
    let rows: Vec<[String; 4]> = results
        .starts
        .iter()
        .map(|start| {
            let workers = results
                .workers
                .iter()
                .find(|found| found.variant == start.variant);
            [
                start.variant.name().to_owned(),
                around(&start.listening),
                start.policy.as_ref().map_or_else(|| "-".to_owned(), around),
                workers.map_or_else(
                    || "-".to_owned(),
                    |found| {
                        let sizes: Vec<String> = found
                            .sizes
                            .iter()
                            .map(|(_, size)| format!("{:.0}", size.rss))
                            .collect();
                        format!("{} ({:.1} each)", sizes.join(", "), found.per_worker())
                    },
                ),
            ]
        })
        .collect();
    if !rows.is_empty() {
        text.push('\n');
        table(
            text,
            &[
                "start",
                "listens after ms",
                "decides after ms",
                "RSS MB with 1, 2, 4 workers",
            ],
            &rows,
            1,
        );
    }
}

fn goals(text: &mut String, goals: &[Goal]) {
    let row = |goal: &Goal| {
        let digits = if goal.bound >= 100.0 { 0 } else { 2 };
        let sign = if goal.at_least { ">=" } else { "<=" };
        [
            goal.what.to_owned(),
            format!("{sign} {:.digits$} {}", goal.bound, goal.unit),
            format!("{:.digits$} {}", goal.value, goal.unit),
            if goal.met() { "met" } else { "missed" }.to_owned(),
        ]
    };
    if !goals.is_empty() {
        text.push('\n');
        table(
            text,
            &["goal", "bound", "found", ""],
            &goals.iter().map(row).collect::<Vec<_>>(),
            1,
        );
    }
}

/// Adds a table whose first `left` columns are words, and the others numbers.
fn table<const N: usize>(text: &mut String, header: &[&str; N], rows: &[[String; N]], left: usize) {
    let widths: Vec<usize> = header
        .iter()
        .enumerate()
        .map(|(column, name)| {
            let cells = rows
                .iter()
                .filter_map(|row| row.get(column))
                .map(|cell| cell.chars().count());
            cells.chain([name.chars().count(), 3]).max().unwrap_or(3)
        })
        .collect();
    let mut line = |cells: &[&str], fill: char| {
        for (column, (cell, width)) in cells.iter().zip(&widths).enumerate() {
            let gap: String =
                std::iter::repeat_n(fill, width.saturating_sub(cell.chars().count())).collect();
            let cell = match (fill, column < left) {
                ('-', true) => gap,
                ('-', false) => format!("{}:", gap.get(1..).unwrap_or_default()),
                (_, true) => format!("{cell}{gap}"),
                (_, false) => format!("{gap}{cell}"),
            };
            text.push_str(&format!("| {cell} "));
        }
        text.push_str("|\n");
    };
    line(header, ' ');
    line(&[""; N], '-');
    for row in rows {
        line(&row.each_ref().map(String::as_str), ' ');
    }
}

/// The results as JSON: `rows` as agreed, and beside them how they came about.
#[must_use]
pub fn json(results: &Results) -> Value {
    let mut rows = Vec::new();
    let mut ratios = Vec::new();
    for (case, variant) in results.cases.iter().flat_map(|case| {
        results
            .variants
            .iter()
            .map(move |variant| (*case, *variant))
    }) {
        let Some(found) = results.of(case, variant) else {
            continue;
        };
        rows.push(json!({
            "case": case, "variant": variant.name(), "cpu_us_per_request": round(median(&found.cpu)),
            "rps": round(median(&found.rps)), "p50_us": round(median(&found.p50)), "p99_us": round(median(&found.p99)),
            "p999_us": round(found.p999()), "rss_mb": round(median(&found.rss)),
        }));
        ratios.push(json!({
            "case": case, "variant": variant.name(), "cpu": spread(results.cpu_ratio(case, variant)),
            "added_p50_us": spread(results.added(case, variant, |series| &series.p50)),
            "added_p99_us": spread(results.added(case, variant, |series| &series.p99)),
        }));
    }
    let starts: Vec<Value> = results.starts.iter().map(|start| {
        json!({ "variant": start.variant.name(), "listening_ms": spread(Some(start.listening)), "deciding_ms": spread(start.policy) })
    }).collect();
    let workers: Vec<Value> = results.workers.iter().map(|found| {
        let sizes: Vec<Value> = found.sizes.iter().map(|(count, size)| json!({ "workers": count, "rss_mb": round(size.rss), "pss_mb": round(size.pss) })).collect();
        json!({ "variant": found.variant.name(), "sizes": sizes, "mb_per_further_worker": round(found.per_worker()) })
    }).collect();
    let goals: Vec<Value> = results.goals().iter().map(|goal| {
        json!({ "goal": goal.what, "unit": goal.unit, "bound": goal.bound, "at_least": goal.at_least, "found": round(goal.value), "met": goal.met() })
    }).collect();
    let audited: Vec<Value> = results
        .audited
        .iter()
        .map(|found| json!({ "variant": found.variant.name(), "events": found.states }))
        .collect();
    json!({
        "rows": rows, "ratios": ratios, "starts": starts, "workers": workers, "goals": goals, "audit": audited,
        "rates_per_second": results.rates.iter().map(|(case, rate)| ((*case).to_owned(), json!(round(*rate)))).collect::<serde_json::Map<_, _>>(),
        "machine": results.machine, "method": results.method,
    })
}

/// `x pass` of a variant in a case, for the picture.
#[must_use]
pub fn ratio(results: &Results, case: &'static str, variant: Variant) -> Option<f64> {
    results.cpu_ratio(case, variant).map(|ratio| ratio.median)
}

fn spread(spread: Option<Spread>) -> Value {
    spread.map_or(Value::Null, |spread| {
        json!({ "median": round(spread.median), "min": round(spread.min), "max": round(spread.max) })
    })
}

/// To three digits after the point: more would only look exact.
fn round(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::series::tests::results;

    #[test]
    fn rows_are_as_agreed() {
        let json = json(&results());
        let first = json["rows"][0].clone();
        assert_eq!(
            first,
            json!({
                "case": "call-2k", "variant": "passthrough", "cpu_us_per_request": 150.0, "rps": 7500.0, "p50_us": 300.0,
                "p99_us": 750.0, "p999_us": 2000.0, "rss_mb": 70.0,
            })
            .as_object()
            .map(|row| {
                let mut row = row.clone();
                row.insert("p999_us".to_owned(), first["p999_us"].clone());
                Value::Object(row)
            })
            .unwrap()
        );
        assert_eq!(json["rows"].as_array().unwrap().len(), 11);
        assert_eq!(json["ratios"][5]["cpu"]["median"], json!(1.3));
        assert_eq!(json["goals"].as_array().unwrap().len(), 9);
    }

    #[test]
    fn every_line_of_a_table_is_as_wide() {
        let text = markdown(&results());
        for block in text.split("\n\n") {
            let lines: Vec<&str> = block.lines().filter(|line| line.starts_with('|')).collect();
            assert!(
                lines
                    .iter()
                    .all(|line| line.chars().count() == lines[0].chars().count()),
                "{block}"
            );
        }
        assert!(text.contains("| call-2k     | all          |"), "{text}");
        assert!(
            text.contains("missed |") && text.contains("100 (800..1000)"),
            "{text}"
        );
    }
}
