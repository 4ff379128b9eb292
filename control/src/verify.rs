//! `gatehold audit verify`.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use gatehold_store::Reader;

/// What to verify.
#[derive(Debug, Args)]
pub struct Options {
    /// The file that `gatehold serve` keeps audit events in; it may be running.
    #[arg(long, value_name = "FILE")]
    pub data: PathBuf,
}

/// Follows the chain of hashes from the first event to the last, and prints where it ends.
///
/// # Errors
/// When an event was changed, added or taken out, with its sequence, or when the file can't be read.
pub async fn verify(options: Options, out: &mut impl Write) -> anyhow::Result<()> {
    let Options { data } = options;
    let verified = Reader::open(&data).await?.verify().await?;
    let head = verified.head;
    writeln!(
        out,
        "{} events, unchanged; the chain ends with event {} and hash {}",
        verified.events, head.sequence, head.hash
    )?;
    // What no chain can show by itself: see `Verified`.
    writeln!(
        out,
        "keep this hash elsewhere: it shows later whether the newest events were cut off"
    )?;
    Ok(())
}
