//! `gatehold suggest`.

use std::io::Write;

use clap::{Args, ValueEnum};
use gatehold_shadow::Planner;

use crate::seen::Source;

/// What to propose a policy for.
#[derive(Debug, Args)]
pub struct Options {
    /// Where from.
    #[command(flatten)]
    pub source: Source,
    /// Name of the server; without, all.
    #[arg(long)]
    pub server: Option<String>,
    /// To whom rules speak.
    #[arg(long, value_enum, default_value_t = By::Role)]
    pub by: By,
}

/// To whom rules speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum By {
    /// To roles, where all who were seen with them have done the same; else to users.
    Role,
    /// To users alone.
    User,
}

/// Prints the least policy that would have allowed what was seen, as documents. Nothing is changed.
///
/// # Errors
/// When the file can't be read.
pub async fn suggest(options: Options, out: &mut impl Write) -> anyhow::Result<()> {
    let Options { source, server, by } = options;
    let by = match by {
        By::Role => gatehold_shadow::By::Role,
        By::User => gatehold_shadow::By::User,
    };
    let mut planner = Planner::new(by, server);
    source.each(|observation| planner.add(&observation)).await?;
    write!(out, "{}", planner.plan())?;
    Ok(())
}
