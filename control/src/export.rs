//! `gatehold audit export`.

use std::io::{self, BufWriter, Write as _};
use std::path::PathBuf;
use std::pin::pin;

use clap::Args;
use gatehold_store::Reader;
use tokio_stream::StreamExt as _;

/// What to export.
#[derive(Debug, Args)]
pub struct Options {
    /// The file that `gatehold serve` keeps audit events in; it may be running.
    #[arg(long, value_name = "FILE")]
    pub data: PathBuf,
    /// Sequence of the first event to print; 1 is the oldest.
    #[arg(long, value_name = "SEQUENCE", default_value_t = 1)]
    pub from: u64,
}

/// Prints events as JSON Lines on stdout.
///
/// # Errors
/// When the file can't be read, or nobody reads what is printed.
pub async fn export(options: Options) -> anyhow::Result<()> {
    let Options { data, from } = options;
    let reader = Reader::open(&data).await?;
    let mut events = pin!(reader.export(from));
    let mut out = BufWriter::new(io::stdout().lock());
    while let Some(line) = events.next().await {
        writeln!(out, "{}", line?)?;
    }
    out.flush()?;
    Ok(())
}
