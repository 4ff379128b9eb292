//! The whole run.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::layouts::{self, LAYOUTS};
use crate::limits::most_streams;
use crate::options::Options;
use crate::report::{Machine, Report};
use crate::scenario::{Plan, measure};
use crate::system;

/// Rules and servers of the small policy.
const SMALL: (usize, usize) = (100, 10);

/// Measures what the options say.
///
/// # Errors
/// When control does not start or answer, or an Envoy was given anything wrong: then no figure counts.
pub async fn run(options: &Options) -> anyhow::Result<Report> {
    let options = options.clone().bounded();
    let program = program(options.control.as_deref())?;
    let per_envoy = options.streams_per_envoy();
    let most = most_streams();
    let envoys = options.envoys.clamp(1, (most / per_envoy).max(1));
    let machine = Machine {
        cpus: system::cpus(),
        most_streams: most,
        wanted_envoys: options.envoys,
    };
    let plan = Plan {
        envoys,
        per_envoy,
        servers: SMALL.1,
        rules: SMALL.0,
        changes: options.changes,
    };
    let big = Plan {
        servers: options.servers,
        rules: options.rules,
        ..plan
    };
    let mut measured = Vec::new();
    for plan in [plan, big] {
        say(&format!(
            "{} Envoys with {per_envoy} streams each, {} rules for {} servers",
            plan.envoys, plan.rules, plan.servers
        ));
        measured.push(measure(&program, plan, |step| say(&format!("  {step}"))).await?);
    }
    let mut layouts = Vec::new();
    for servers in LAYOUTS {
        say(&format!(
            "one Envoy, {} rules for {servers} servers",
            options.rules
        ));
        layouts.push(layouts::measure(&program, servers, options.rules, per_envoy).await?);
    }
    Ok(Report {
        machine,
        measured,
        layouts,
    })
}

fn program(given: Option<&Path>) -> anyhow::Result<PathBuf> {
    if let Some(given) = given {
        return Ok(given.to_path_buf());
    }
    // Beside this program, since both are built by one command.
    let here = std::env::current_exe()?;
    let folder = here.parent().context("this program is in no folder")?;
    Ok(folder.join("gatehold"))
}

fn say(step: &str) {
    let _ = writeln!(std::io::stderr(), "{step}");
}
