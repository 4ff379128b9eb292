//! `make bench`.

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;
use gatehold_bench_envoy::options::Options;
use gatehold_bench_envoy::run;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run::run(&Options::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
