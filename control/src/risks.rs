//! `gatehold risks`.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow, bail};
use clap::Args;
use gatehold_documents::{Documents, ServerDocument, risks};
use gatehold_store::Reader;
use serde_json::{Value, json};

use crate::check::load_directory;

/// Largest file of definitions, in bytes.
const MAX_FILE_BYTES: u64 = 64 * 1024 * 1024;

/// Which tools to look at.
#[derive(Debug, Args)]
pub struct Options {
    /// Directory of the documents (`*.yaml`, `*.yml`).
    #[arg(long, value_name = "DIR")]
    pub config: PathBuf,
    /// Name of the server; needed when there are several.
    #[arg(long)]
    pub server: Option<String>,
    /// Where the tools' definitions come from.
    #[command(flatten)]
    pub source: Source,
}

/// Where definitions come from: one of these.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct Source {
    /// Result of `tools/list`, as JSON: the whole answer, its `result`, or the list of tools.
    #[arg(long, value_name = "FILE")]
    pub tools: Option<PathBuf>,
    /// The file of `gatehold serve`, which may be running: the definitions that filters saw last.
    #[arg(long, value_name = "FILE")]
    pub data: Option<PathBuf>,
}

/// Prints the tools that have no risk class in the documents, which they might get and why, and what to paste.
/// Nothing is changed, and nothing that is printed is used to decide.
///
/// # Errors
/// When the documents are refused, or the definitions can't be read.
pub async fn risks(options: Options, out: &mut impl Write) -> anyhow::Result<()> {
    let Options {
        config,
        server,
        source,
    } = options;
    let documents = load_directory(&config)?;
    match source {
        Source {
            tools: Some(file), ..
        } => {
            let document = chosen(&documents, server.as_deref())?;
            write!(out, "{}", risks::review(document, &read(&file)?))?;
        }
        Source {
            data: Some(file), ..
        } => {
            let reader = Reader::open(&file).await?;
            let documents = match &server {
                Some(_) => vec![chosen(&documents, server.as_deref())?],
                None => documents.servers.iter().map(|server| &**server).collect(),
            };
            for (index, document) in documents.into_iter().enumerate() {
                let tools = seen(&reader, &document.name).await?;
                let between = if index == 0 { "" } else { "\n" };
                write!(out, "{between}{}", risks::review(document, &tools))?;
            }
        }
        Source { .. } => bail!("give --tools or --data"),
    }
    Ok(())
}

/// The definitions of a server that filters saw.
async fn seen(reader: &Reader, server: &str) -> anyhow::Result<Vec<Value>> {
    let mut tools = Vec::new();
    for (of, tool, _) in reader.tool_digests().await? {
        if of != server {
            continue;
        }
        let definition = reader.tool_definition(server, &tool).await?;
        let definition = definition.and_then(|known| serde_json::from_str(&known.json).ok());
        // One that was too long to keep has a name at least.
        tools.push(definition.unwrap_or_else(|| json!({ "name": tool })));
    }
    Ok(tools)
}

/// The server that is meant.
fn chosen<'a>(
    documents: &'a Documents,
    server: Option<&str>,
) -> anyhow::Result<&'a ServerDocument> {
    let names = || {
        let names = documents.servers.iter().map(|server| server.name.as_str());
        names.collect::<Vec<_>>().join("`, `")
    };
    match (server, documents.servers.as_slice()) {
        (Some(name), _) => documents
            .server(name)
            .ok_or_else(|| anyhow!("there is no server `{name}`: use one of `{}`", names())),
        (None, [only]) => Ok(only),
        (None, []) => bail!("the documents name no server: add a Server document"),
        (None, _) => bail!(
            "say which server has these tools: --server with one of `{}`",
            names()
        ),
    }
}

/// The definitions in a file.
fn read(file: &Path) -> anyhow::Result<Vec<Value>> {
    let shown = file.display();
    let length = std::fs::metadata(file)
        .with_context(|| format!("cannot read `{shown}`"))?
        .len();
    if length > MAX_FILE_BYTES {
        bail!("`{shown}` is longer than 64 MiB: that is no list of tools");
    }
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read `{shown}`"))?;
    let json: Value =
        serde_json::from_str(&text).with_context(|| format!("`{shown}` is not JSON"))?;
    let places = [
        json.pointer("/result/tools"),
        json.get("tools"),
        Some(&json),
    ];
    let mut places = places.into_iter().flatten();
    places.find_map(Value::as_array).cloned().ok_or_else(|| {
        anyhow!("`{shown}` holds no list of tools: save the answer to `tools/list` in it")
    })
}
