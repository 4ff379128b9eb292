//! Texts to scan, from files of several kinds.

use std::io::Read as _;
use std::path::Path;

use anyhow::{Context as _, anyhow, bail};
use gatehold_detect::Kind;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

/// Largest file, in bytes.
const MAX_FILE_BYTES: u64 = 1024 * 1024 * 1024;

/// One text.
pub(super) struct Item {
    pub(super) id: String,
    pub(super) kind: Kind,
    pub(super) text: Vec<u8>,
    /// Names of the other tools of its list.
    pub(super) others: Vec<String>,
    /// Whether it is an attack, where that is known.
    pub(super) label: Option<bool>,
    /// Where it comes from and what it is like, for sums.
    pub(super) source: String,
    pub(super) tier: String,
}

/// A line of JSON Lines.
#[derive(Deserialize)]
struct Line<'a> {
    id: Option<Value>,
    kind: Option<String>,
    text: Option<String>,
    #[serde(borrow)]
    tool: Option<&'a RawValue>,
    label: Option<u8>,
    #[serde(default)]
    source: String,
    #[serde(default)]
    tier: String,
}

/// The texts of a file, one after the other.
pub(super) fn read(
    file: &Path,
    kind: Kind,
) -> anyhow::Result<Box<dyn Iterator<Item = anyhow::Result<Item>>>> {
    let shown = file.display().to_string();
    let bytes = bytes(file)?;
    let Ok(text) = String::from_utf8(bytes) else {
        bail!("`{shown}` is not UTF-8: convert it first");
    };
    if is_lines(&text) {
        let lines: Vec<(usize, String)> = text
            .lines()
            .enumerate()
            .filter(|(_, line)| !line.trim().is_empty())
            .map(|(number, line)| (number + 1, line.to_owned()))
            .collect();
        return Ok(Box::new(lines.into_iter().map(move |(number, line)| {
            let place = format!("{shown}:{number}");
            self::line(&line, &place, kind).with_context(|| format!("`{place}`"))
        })));
    }
    let items = match tools(&text) {
        Some(tools) => tools,
        None => vec![item(shown, kind, text.into_bytes())],
    };
    Ok(Box::new(items.into_iter().map(Ok)))
}

fn item(id: String, kind: Kind, text: Vec<u8>) -> Item {
    Item {
        id,
        kind,
        text,
        others: Vec::new(),
        label: None,
        source: String::new(),
        tier: String::new(),
    }
}

fn bytes(file: &Path) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if file == Path::new("-") {
        std::io::stdin()
            .take(MAX_FILE_BYTES)
            .read_to_end(&mut bytes)
            .context("cannot read stdin")?;
        return Ok(bytes);
    }
    let shown = file.display();
    let opened = std::fs::File::open(file).with_context(|| format!("cannot read `{shown}`"))?;
    opened
        .take(MAX_FILE_BYTES + 1)
        .read_to_end(&mut bytes)
        .with_context(|| format!("cannot read `{shown}`"))?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        bail!("`{shown}` is longer than 1 GiB: split it");
    }
    Ok(bytes)
}

/// Whether the first line is a whole object that says what to scan.
fn is_lines(text: &str) -> bool {
    let first = text.lines().find(|line| !line.trim().is_empty());
    let parsed = first.and_then(|line| serde_json::from_str::<Line<'_>>(line).ok());
    parsed.is_some_and(|line| line.text.is_some() || line.tool.is_some())
}

fn line(line: &str, place: &str, otherwise: Kind) -> anyhow::Result<Item> {
    let line: Line<'_> = serde_json::from_str(line)?;
    let kind = match (&line.kind, &line.tool) {
        (Some(name), _) => Kind::from_name(name)
            .ok_or_else(|| anyhow!("`{name}` is no kind: use result, tool or argument"))?,
        (None, Some(_)) => Kind::Tool,
        (None, None) => otherwise,
    };
    let text = match (line.text, line.tool) {
        (Some(text), None) => text.into_bytes(),
        (None, Some(tool)) => tool.get().as_bytes().to_vec(),
        _ => bail!("a line has either `text` or `tool`"),
    };
    let id = match line.id {
        Some(Value::String(id)) => id,
        Some(other) => other.to_string(),
        None => place.to_owned(),
    };
    Ok(Item {
        label: line.label.map(|label| label != 0),
        source: line.source,
        tier: line.tier,
        ..item(id, kind, text)
    })
}

/// The definitions of an answer to `tools/list`, each with the names of the others.
fn tools(text: &str) -> Option<Vec<Item>> {
    let whole: Value = serde_json::from_str(text).ok()?;
    let list = whole
        .pointer("/result/tools")
        .or_else(|| whole.get("tools"))?;
    let list = list.as_array()?;
    let name = |tool: &Value| Some(tool.get("name")?.as_str()?.to_owned());
    let names: Vec<String> = list.iter().filter_map(name).collect();
    let items = list.iter().enumerate().map(|(number, tool)| {
        let own = name(tool);
        let others = names.iter().filter(|other| Some(*other) != own.as_ref());
        Item {
            others: others.cloned().collect(),
            ..item(
                own.clone().unwrap_or_else(|| format!("tool {number}")),
                Kind::Tool,
                tool.to_string().into_bytes(),
            )
        }
    });
    Some(items.collect())
}
