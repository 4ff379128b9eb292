//! `make demo`: plays a short scenario through a real Envoy, then stays up for whoever wants to try by hand.

mod by_hand;
mod checks;
mod scenario;
mod show;

use std::process::ExitCode;

use clap::Parser;
use gatehold_harness::{Harness, Upstream};

/// Shows an agent's tool calls being decided inside Envoy.
#[derive(Debug, Parser)]
struct Arguments {
    /// End after the scenario, with a status that says whether every step went as it should.
    #[arg(long)]
    once: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    let Arguments { once } = Arguments::parse();
    match run(once).await {
        Ok(0) => ExitCode::SUCCESS,
        Ok(differing) => {
            show::problem(&format!(
                "{differing} of the steps differ from what they should show"
            ));
            ExitCode::FAILURE
        }
        Err(error) => {
            show::problem(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// Plays the scenario; the number of checks that did not hold.
async fn run(once: bool) -> anyhow::Result<usize> {
    show::title("Starting");
    let harness = Harness::builder()
        .upstream(Upstream::Crm)
        .everything()
        .provider()
        .documents_of("envoy/local/documents");
    // Well-known ports are nicer to type; a run that only has to succeed must not collide with another.
    let harness = if once { harness } else { harness.fixed_ports() };
    let harness = harness.start().await?;
    show::started(&harness);
    let differing = scenario::play(&harness).await?;
    if !once {
        by_hand::stay(&harness).await?;
    }
    Ok(differing)
}
