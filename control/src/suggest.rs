//! `gatehold suggest`.

use std::collections::HashMap;
use std::io::Write;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use gatehold_engine::ServerPolicy;
use gatehold_shadow::Planner;

use crate::check::load_directory;
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
    /// Directory of the documents (`*.yaml`, `*.yml`), to have the risk classes of tools told beside them.
    #[arg(long, value_name = "DIR")]
    pub config: Option<PathBuf>,
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
/// When the file can't be read, or the documents are refused.
pub async fn suggest(options: Options, out: &mut impl Write) -> anyhow::Result<()> {
    let Options {
        source,
        server,
        config,
        by,
    } = options;
    let by = match by {
        By::Role => gatehold_shadow::By::Role,
        By::User => gatehold_shadow::By::User,
    };
    let mut planner = Planner::new(by, server);
    source.each(|observation| planner.add(&observation)).await?;
    let mut plan = planner.plan();
    if let Some(config) = config {
        let documents = load_directory(&config)?;
        let mut policies = HashMap::new();
        for server in &documents.servers {
            let policy = ServerPolicy::new(server.policy.clone())?;
            policies.insert(server.name.as_str(), policy);
        }
        plan.mark(|server, tool| {
            let policy = policies.get(server);
            policy.map(|policy| policy.risks(tool)).unwrap_or_default()
        });
    }
    write!(out, "{plan}")?;
    Ok(())
}
