//! Texts as they are on the wire: JSON strings.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, Result};
use gatehold_detect::Kind;
use serde_json::Value;

/// Texts that are timed together.
pub(crate) struct Mix {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) texts: Vec<Vec<u8>>,
}

impl Mix {
    pub(crate) fn of(name: &str, kind: Kind, text: Vec<u8>) -> Self {
        Self {
            name: name.to_owned(),
            kind,
            texts: vec![text],
        }
    }

    pub(crate) fn bytes(&self) -> usize {
        self.texts.iter().map(Vec::len).sum()
    }
}

/// The rows of all files, one mix for each kind, label and source that has enough of them.
pub(crate) fn of_folder(folder: &Path) -> Result<Vec<Mix>> {
    let mut mixes: BTreeMap<String, Mix> = BTreeMap::new();
    for entry in std::fs::read_dir(folder).with_context(|| format!("`{}`", folder.display()))? {
        let path = entry?.path();
        if path.extension().is_none_or(|it| it != "jsonl") {
            continue;
        }
        let text = std::fs::read_to_string(&path)?;
        for line in text.lines() {
            let row: Value = serde_json::from_str(line)?;
            add(&mut mixes, &row);
        }
    }
    let mut mixes: Vec<Mix> = mixes.into_values().collect();
    mixes.retain(|mix| mix.bytes() > 10_000);
    Ok(mixes)
}

fn add(mixes: &mut BTreeMap<String, Mix>, row: &Value) {
    let text = |key: &str| row.get(key).and_then(Value::as_str).unwrap_or_default();
    let Some(kind) = Kind::from_name(text("kind")) else {
        return;
    };
    let wire = match row.get("tool") {
        Some(tool) => tool.to_string(),
        None => Value::from(text("text")).to_string(),
    };
    let label = if row.get("label") == Some(&Value::from(1)) {
        "attack"
    } else {
        "clean"
    };
    let source = text("source").split(':').next().unwrap_or_default();
    let name = format!("{label} {} {source}", kind.name());
    let mix = mixes.entry(name.clone()).or_insert(Mix {
        name,
        kind,
        texts: Vec::new(),
    });
    mix.texts.push(wire.into_bytes());
}

/// Clean results one after the other, so many bytes of them.
pub(crate) fn long(mixes: &[Mix], bytes: usize) -> Vec<u8> {
    let clean = mixes
        .iter()
        .filter(|mix| mix.kind == Kind::Result && mix.name.starts_with("clean"));
    // One of each in turn, as a long answer has a bit of everything.
    let lists: Vec<_> = clean.map(|mix| &mix.texts).collect();
    let mut text = Vec::new();
    for nth in 0.. {
        if text.len() >= bytes {
            break;
        }
        for list in &lists {
            text.extend(list.get(nth % list.len().max(1)).into_iter().flatten());
        }
    }
    text.truncate(bytes);
    text
}

/// Mixes without a folder.
pub(crate) fn made_up() -> Vec<Mix> {
    let mut random = fastrand::Rng::with_seed(1);
    let mut mix = |name: &str, kind, sentences: &[&str], joint: &str| {
        let mut texts = Vec::new();
        for _ in 0..200 {
            let count = random.usize(3..30);
            let chosen: Vec<_> = (0..count)
                .filter_map(|_| random.choice(sentences))
                .copied()
                .collect();
            texts.push(Value::from(chosen.join(joint)).to_string().into_bytes());
        }
        Mix {
            name: name.to_owned(),
            kind,
            texts,
        }
    };
    vec![
        mix("clean result prose", Kind::Result, PROSE, " "),
        mix("clean result records", Kind::Result, RECORDS, ",\n  "),
        mix("clean result code", Kind::Result, CODE, "\n"),
        mix("clean tool definitions", Kind::Tool, DEFINITIONS, ","),
        mix("clean argument questions", Kind::Argument, QUESTIONS, " "),
    ]
}

const PROSE: &[&str] = &[
    "The ferry leaves the old harbour at a quarter past seven and takes forty minutes to the island.",
    "In spring the valley floods, so that the road along the river is closed for two or three weeks.",
    "Her second novel sold poorly at first; critics only came round after the translation won a prize.",
    "Please note that the library is closed on public holidays, except for the reading room on the ground floor.",
    "The committee met on 14 March 2024 and decided to postpone the renovation of the east wing.",
    "Most of the damage was done by moisture, which had got behind the panels through a crack in the gutter.",
    "L'exposition est ouverte tous les jours de 10 h à 18 h, sauf le mardi.",
    "Die Kosten dafür trägt zur Hälfte die Gemeinde, den Rest übernimmt der Verein.",
];
const RECORDS: &[&str] = &[
    r#"{"id": 48213, "name": "Marta Kowalska", "city": "Gdańsk", "balance": 1204.50, "active": true}"#,
    r#"{"order_id": "A-2291", "items": [{"sku": "K-17", "qty": 2}, {"sku": "L-03", "qty": 1}], "status": "shipped"}"#,
    r#"{"timestamp": "2025-02-11T09:31:07Z", "level": "info", "message": "request served", "duration_ms": 18}"#,
    r#"{"sha": "9f2c1ab07d55e4c3", "author": "dev", "message": "fix: handle empty lists in the exporter"}"#,
    r#"{"lat": 52.5163, "lon": 13.3777, "temperature": 11.4, "humidity": 71, "station": "north-3"}"#,
];
const CODE: &[&str] = &[
    "    for (const [key, value] of Object.entries(options)) {",
    "        if (value === undefined || value === null) continue;",
    "def load_config(path: str, *, strict: bool = False) -> dict[str, Any]:",
    "    \"\"\"Reads the file and returns its settings; unknown keys are kept.\"\"\"",
    "impl<'a> Iterator for Lines<'a> { type Item = &'a str; fn next(&mut self) -> Option<Self::Item> {",
    "#include <stdio.h>  // for printf(3) and friends",
    "+    let total = items.iter().map(|item| item.price * item.count).sum::<u64>();",
];
const DEFINITIONS: &[&str] = &[
    r#"{"name":"get_weather","description":"Gets the weather of a city.","inputSchema":{"type":"object","properties":{"city":{"type":"string","description":"Name of the city"}},"required":["city"]}}"#,
    r#"{"name":"create_ticket","description":"Creates a ticket in the tracker and returns its number. The project has to exist.","inputSchema":{"type":"object","properties":{"project":{"type":"string"},"title":{"type":"string","maxLength":200}}}}"#,
];
const QUESTIONS: &[&str] = &[
    "Which of our customers in Lisbon have an open invoice from last month?",
    "select name, total from invoices where due < '2025-01-01' order by total desc limit 20",
    "Write a short summary of the attached report for the board, in three paragraphs.",
];
