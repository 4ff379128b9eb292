//! `gatehold report`.

use std::io::Write;

use clap::{Args, ValueEnum};
use gatehold_shadow::Report;

use crate::seen::Source;

/// What to report.
#[derive(Debug, Args)]
pub struct Options {
    /// Where from.
    #[command(flatten)]
    pub source: Source,
    /// Name of the server; without, all that were in shadow mode.
    #[arg(long)]
    pub server: Option<String>,
    /// For people or for programs.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

/// How a report is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Tables.
    Text,
    /// One JSON object.
    Json,
}

/// Prints what would have been refused, had servers in shadow mode been enforced: for whom, and why.
///
/// # Errors
/// When the file can't be read.
pub async fn report(options: Options, out: &mut impl Write) -> anyhow::Result<()> {
    let Options {
        source,
        server,
        format,
    } = options;
    let mut report = Report::default();
    let add = |observation: gatehold_shadow::Observation| {
        if server
            .as_ref()
            .is_none_or(|only| *only == observation.server)
        {
            report.add(&observation);
        }
    };
    source.each(add).await?;
    let report = report.finish();
    match format {
        Format::Text => write!(out, "{report}")?,
        Format::Json => writeln!(out, "{}", serde_json::to_string_pretty(&report)?)?,
    }
    Ok(())
}
