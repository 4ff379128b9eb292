//! `gatehold fleet`: who is connected, by the console's HTTP API.

use std::io::Write;

use clap::{Args, ValueEnum};
use gatehold_console::api::FleetJson;

use super::table;
use crate::approvals::{Client, Connection, parse, visible};

/// What to print.
#[derive(Debug, Args)]
pub struct Options {
    /// How to print it.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    /// Where the console is, and who asks.
    #[command(flatten)]
    pub connection: Connection,
}

/// How to print the fleet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A row for each Envoy, for people.
    #[default]
    Table,
    /// As the HTTP API gives it; `--json` means the same.
    Json,
}

/// Asks the console, and prints its answer.
///
/// # Errors
/// [`crate::approvals::Refused`] with a text that says what to do, or why the console could not be asked.
pub async fn fleet(options: Options, out: &mut impl Write) -> anyhow::Result<()> {
    let Options { format, connection } = options;
    let client = Client::new(&connection)?;
    let answer = client.get(&["fleet"], &[]).await?;
    if connection.json || format == Format::Json {
        return Ok(writeln!(out, "{}", visible(&answer))?);
    }
    let fleet: FleetJson = parse(&answer)?;
    write!(out, "{}", table::fleet(&fleet))?;
    Ok(())
}
