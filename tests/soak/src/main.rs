//! `make soak`, `make load` and `make sse`.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::{Parser, Subcommand, ValueEnum};
use gatehold_harness::{Harness, Tools, place};
use gatehold_soak::traffic::role::Traffic;
use gatehold_soak::upstream::Upstream;
use gatehold_soak::{Options, Report, Scenario, Stage, documents, picture, sse};
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};

/// Puts load on a real Envoy for a while and says whether everything held.
#[derive(Debug, Parser)]
#[command(args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(subcommand)]
    role: Option<Role>,
    /// How long, in minutes.
    #[arg(long, default_value_t = 10.0)]
    minutes: f64,
    /// Pieces of traffic per second, on average.
    #[arg(long, default_value_t = 40.0)]
    rate: f64,
    /// The same seed sends the same traffic; chosen by the clock if absent.
    #[arg(long)]
    seed: Option<u64>,
    /// Envoy's worker threads.
    #[arg(long, default_value_t = 3)]
    workers: u32,
    /// Where Envoy, control, upstreams and load generator run.
    #[arg(long, value_enum, default_value = "processes")]
    place: Where,
    /// End the VM of a worker now and then; the filter has to be built with `trap-for-tests`.
    #[arg(long)]
    reloads: bool,
    /// Where the report goes (`.json`), and beside it `.md`, `.svg`, and in `.log` what control and Envoy said;
    /// `target/soak/report.json` if absent.
    #[arg(long)]
    report: Option<PathBuf>,
    /// Measure the delay of events in a stream instead.
    #[arg(long)]
    sse: bool,
    /// Events of each stream that is measured.
    #[arg(long, default_value_t = 10_000)]
    events: u64,
}

/// Where the parts of a run are.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Where {
    /// Each in a container where that works, else as processes.
    Either,
    /// Each in a container, or not at all.
    Containers,
    /// Each as a process; for Envoy `GATEHOLD_ENVOY_MODE` chooses.
    Processes,
}

/// The parts that this program plays itself.
#[derive(Debug, Subcommand)]
enum Role {
    /// The scripted MCP server.
    #[command(hide = true)]
    Upstream,
    /// The load generator.
    #[command(hide = true)]
    Traffic {
        /// What the conductor wrote for it.
        #[arg(long)]
        settings: PathBuf,
    },
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let conducts = arguments.role.is_none();
    let ended = tokio::select! {
        ended = run(arguments) => ended,
        // What was started is dropped with the future, and so ended.
        ended = interrupted() => ended,
    };
    if conducts {
        place::sweep().await;
    }
    match ended {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn interrupted() -> anyhow::Result<bool> {
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted?,
        _ = terminate.recv() => {}
    }
    anyhow::bail!("interrupted")
}

/// Whether everything held.
async fn run(arguments: Arguments) -> anyhow::Result<bool> {
    match &arguments.role {
        None if arguments.sse => return delays(arguments.events).await,
        None => {}
        Some(Role::Upstream) => {
            let upstream = Upstream::start().await?;
            return announce(
                &json!({ "ready": true, "port": upstream.surface(), "mcp": upstream.port() }),
            )
            .await;
        }
        Some(Role::Traffic { settings }) => {
            let settings = serde_json::from_slice(&fs::read(settings)?)?;
            let traffic = Traffic::start(settings).await?;
            return announce(&json!({ "ready": true, "port": traffic.port() })).await;
        }
    }
    let options = Options {
        length: Duration::from_secs_f64(arguments.minutes * 60.0),
        rate: arguments.rate,
        seed: arguments.seed.unwrap_or_else(by_the_clock),
        workers: arguments.workers,
    };
    let program = std::env::current_exe()?;
    let (stage, place) = match arguments.place {
        Where::Either => Stage::choose(program).await?,
        Where::Containers => Stage::contained(&Tools::find()?, program).await?,
        Where::Processes => (Stage::Processes(program), "processes".to_owned()),
    };
    let scenario = Scenario {
        stage,
        place,
        reloads: arguments.reloads,
    };
    let report = gatehold_soak::run(&options, &scenario).await?;
    let path = match arguments.report {
        Some(path) => path,
        None => Tools::find()?.root.join("target/soak/report.json"),
    };
    write(&report, &path)?;
    writeln!(std::io::stdout(), "\n{}", report.markdown())?;
    writeln!(std::io::stdout(), "\nreport: {}", path.display())?;
    Ok(report.problems().is_empty())
}

/// Says that a role is ready, and plays it until this process is ended.
async fn announce(line: &serde_json::Value) -> anyhow::Result<bool> {
    writeln!(std::io::stdout(), "{line}")?;
    std::future::pending().await
}

async fn delays(events: u64) -> anyhow::Result<bool> {
    let harness = Harness::builder()
        .document("servers.yaml", documents::SERVERS)
        .document(documents::ISSUER_FILE, &documents::issuer(false))
        .document(documents::POLICY_FILE, &documents::policy(false))
        .start()
        .await?;
    let delays = sse::compare(&harness, events).await?;
    writeln!(std::io::stdout(), "{}", sse::table(&delays))?;
    Ok(true)
}

fn write(report: &Report, path: &Path) -> anyhow::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(path, format!("{:#}\n", report.json()))?;
    let text = format!("{}\n", report.markdown());
    fs::write(path.with_extension("md"), text)?;
    fs::write(path.with_extension("svg"), picture::svg(report))?;
    fs::write(path.with_extension("log"), report.log())?;
    Ok(())
}

fn by_the_clock() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |now| now.as_secs())
}
