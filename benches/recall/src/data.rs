//! Labelled rows, and what fires in them.

use std::path::Path;

use anyhow::{Context as _, Result};
use gatehold_detect::{Context, Fired, Kind, Pack, trace};
use serde::Deserialize;

/// One labelled text.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) id: String,
    pub(crate) source: String,
    pub(crate) kind: Kind,
    pub(crate) attack: bool,
    pub(crate) tier: String,
    pub(crate) text: Vec<u8>,
    /// What fires in it, in the order of places.
    pub(crate) fired: Vec<Fired>,
}

#[derive(Deserialize)]
struct Line {
    id: String,
    #[serde(default)]
    source: String,
    kind: String,
    #[serde(default)]
    label: u8,
    #[serde(default)]
    tier: String,
    text: Option<String>,
    tool: Option<Box<serde_json::value::RawValue>>,
}

impl Row {
    /// Benign, but made to look like an attack: its false positives are counted apart.
    pub(crate) fn is_hard(&self) -> bool {
        !self.attack && self.tier.starts_with("hard")
    }
}

/// The rows of all `*_dev.jsonl` of a folder, in the order of file names.
pub(crate) fn read(folder: &Path) -> Result<Vec<Row>> {
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .with_context(|| {
            format!(
                "cannot read `{}`: give the folder of the data",
                folder.display()
            )
        })?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|it| it == "jsonl"))
        .collect();
    files.sort();
    anyhow::ensure!(
        !files.is_empty(),
        "`{}` has no `.jsonl` files",
        folder.display()
    );
    let mut rows = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file)?;
        for (number, line) in text.lines().enumerate() {
            let place = || format!("`{}` line {}", file.display(), number + 1);
            let line: Line = serde_json::from_str(line).with_context(place)?;
            let kind = Kind::from_name(&line.kind).with_context(place)?;
            let text = match (line.text, line.tool) {
                (Some(text), _) => text.into_bytes(),
                (None, Some(tool)) => tool.get().as_bytes().to_vec(),
                (None, None) => anyhow::bail!("{} has neither `text` nor `tool`", place()),
            };
            rows.push(Row {
                id: line.id,
                source: line.source,
                kind,
                attack: line.label == 1,
                tier: line.tier,
                text,
                fired: Vec::new(),
            });
        }
    }
    Ok(rows)
}

/// Finds what fires in each row.
pub(crate) fn fire(rows: &mut [Row], pack: &Pack) {
    for row in rows {
        row.fired = trace(pack, Context::default(), &row.text);
    }
}
