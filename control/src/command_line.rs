//! The command line.

use std::future::Future;
use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::{
    approvals, check, detectors, explain, export, fleet, report, risks, scan, serve, suggest,
    verify,
};

/// Governs the Model Context Protocol traffic of AI agents inside an Envoy or Istio mesh.
#[derive(Debug, Parser)]
#[command(name = "gatehold", version, about, propagate_version = true)]
pub struct CommandLine {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What `gatehold` can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Push policy and keys to the filters, and keep their audit events.
    Serve(serve::Options),
    /// Say whether the documents in a directory are good, and what to do where they are not.
    Check(check::Options),
    /// Say what the documents decide for one call, by which rules, and why.
    Explain(explain::Options),
    /// Say which tools have no risk class, and which they might get.
    Risks(risks::Options),
    /// Look for injection, poisoning and secrets in texts, tool definitions or labelled data, as the filter does.
    Scan(scan::Options),
    /// Work with what is looked for.
    #[command(subcommand)]
    Detectors(detectors::Command),
    /// Say what would have been refused in shadow mode (`enforce: false`), for whom, and why.
    Report(report::Options),
    /// Propose the least policy that would have allowed what was seen, as documents.
    Suggest(suggest::Options),
    /// Look at calls that wait for people, and decide. Exit codes: 3 not allowed, 4 too late, 5 no such approval.
    #[command(subcommand)]
    Approvals(approvals::Command),
    /// Say which Envoys are connected, with which filter and policy, and what stands in the way of some.
    Fleet(fleet::Options),
    /// Work with the audit log.
    #[command(subcommand)]
    Audit(AuditCommand),
}

/// What can be done with the audit log.
#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// Print the events as JSON Lines, oldest first.
    Export(export::Options),
    /// Say whether the log is still what was written: every event, in order, none changed.
    Verify(verify::Options),
}

/// Does what the command line says: 0 when it went well, 1 when it failed, 2 when it was not understood; what
/// `approvals` was refused has codes of its own.
pub fn run() -> ExitCode {
    let CommandLine { command } = CommandLine::parse();
    let done = match command {
        Command::Serve(options) => block_on(serve::serve(options)),
        Command::Check(options) => check::check(&options, &mut io::stdout()),
        Command::Explain(options) => explain::explain(&options, &mut io::stdout()),
        Command::Risks(options) => block_on(risks::risks(options, &mut io::stdout())),
        Command::Scan(options) => scan::scan(&options, &mut io::stdout()),
        Command::Detectors(command) => detectors::detectors(&command, &mut io::stdout()),
        Command::Report(options) => block_on(report::report(options, &mut io::stdout())),
        Command::Suggest(options) => block_on(suggest::suggest(
            options,
            &mut io::stdout(),
            &mut io::stderr(),
        )),
        Command::Approvals(command) => block_on(approvals::approvals(command, &mut io::stdout())),
        Command::Fleet(options) => block_on(fleet::fleet(options, &mut io::stdout())),
        Command::Audit(AuditCommand::Export(options)) => block_on(export::export(options)),
        Command::Audit(AuditCommand::Verify(options)) => {
            block_on(verify::verify(options, &mut io::stdout()))
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // When even stderr is closed there is nobody left to tell.
            let _ = writeln!(io::stderr(), "gatehold: {error:#}");
            let refused = error.downcast_ref::<approvals::Refused>();
            refused.map_or(ExitCode::FAILURE, approvals::Refused::exit_code)
        }
    }
}

fn block_on(work: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?
        .block_on(work)
}
