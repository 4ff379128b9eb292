//! `make soak` and `make sse`.

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::Parser;
use gatehold_harness::{Harness, Tools};
use gatehold_soak::{Options, documents, soak, sse};

/// Puts load on a real Envoy for a while and says whether everything held.
#[derive(Debug, Parser)]
struct Arguments {
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
    /// Where the report goes, and beside it what control and Envoy said; `target/soak/report.json` if absent.
    #[arg(long)]
    report: Option<PathBuf>,
    /// Measure the delay of events in a stream instead.
    #[arg(long)]
    sse: bool,
    /// Events of each stream that is measured.
    #[arg(long, default_value_t = 10_000)]
    events: u64,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Whether everything held.
async fn run(arguments: Arguments) -> anyhow::Result<bool> {
    if arguments.sse {
        let harness = Harness::builder()
            .document("servers.yaml", documents::SERVERS)
            .document(documents::ISSUER_FILE, &documents::issuer(false))
            .document(documents::POLICY_FILE, &documents::policy(false))
            .start()
            .await?;
        let delays = sse::compare(&harness, arguments.events).await?;
        writeln!(std::io::stdout(), "{}", sse::table(&delays))?;
        return Ok(true);
    }
    let options = Options {
        length: Duration::from_secs_f64(arguments.minutes * 60.0),
        rate: arguments.rate,
        seed: arguments.seed.unwrap_or_else(by_the_clock),
        workers: arguments.workers,
    };
    let report = soak(&options).await?;
    let path = match arguments.report {
        Some(path) => path,
        None => Tools::find()?.root.join("target/soak/report.json"),
    };
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(&path, format!("{:#}\n", report.json()))?;
    fs::write(path.with_extension("log"), report.log())?;
    writeln!(std::io::stdout(), "\n{}", report.markdown())?;
    writeln!(std::io::stdout(), "\nreport: {}", path.display())?;
    Ok(report.problems().is_empty())
}

fn by_the_clock() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |now| now.as_secs())
}
