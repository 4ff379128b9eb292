//! `make bench-holds`: so many calls wait for people at once; what each costs Envoy and control, and how soon a call
//! that was approved is at the upstream.
#![expect(clippy::print_stdout, reason = "a bench prints what it found")]

mod callers;
mod memory;
mod site;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap::Parser;
use gatehold_harness::wait::until;

/// How much.
#[derive(Debug, Parser)]
struct Options {
    /// Calls that wait at once.
    #[arg(long, default_value_t = 10_000)]
    holds: usize,
    /// Of these, how many are approved, one after the other, to see how soon each is at the upstream.
    #[arg(long, default_value_t = 1_000)]
    clicks: usize,
    /// Worker threads of Envoy.
    #[arg(long, default_value_t = 2)]
    workers: u32,
}

/// How long until all calls wait.
const PATIENCE: Duration = Duration::from_secs(300);

type Arrivals = Arc<Mutex<HashMap<String, Instant>>>;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let Options {
        holds,
        clicks,
        workers,
    } = Options::parse();
    let arrivals = Arrivals::default();
    let harness = site::start(workers, arrivals.clone()).await?;
    let approver = harness.approver("carol", &["finance"])?;
    // One call that waits and is let through, so that what is made once is made before it is measured.
    callers::warm(&harness, &approver).await?;
    let envoy = harness
        .envoy
        .id()
        .context("Envoy runs in a container; end the engine and run it again")?;
    let control = harness.control.id().context("control has no process id")?;
    let before = (memory::of(envoy)?, memory::of(control)?);

    let begin = Instant::now();
    let callers = callers::call(&harness, holds).await?;
    let waiting = until("all calls wait", PATIENCE, async || {
        let open = harness
            .control
            .metric("gatehold_approvals_waiting", "")
            .await;
        let open = open.map_err(|error| error.to_string())?;
        if open >= holds as f64 {
            Ok(())
        } else {
            Err(format!("{open} wait"))
        }
    });
    waiting.await?;
    let filled = begin.elapsed();
    let after = (memory::of(envoy)?, memory::of(control)?);

    let pending = approver.pending().await?;
    let mut latencies = Vec::with_capacity(clicks);
    // From all over the list, not the newest alone.
    let step = (pending.len() / clicks.max(1)).max(1);
    for approval in pending.iter().step_by(step).take(clicks) {
        let text = |pointer: &str| approval.pointer(pointer).and_then(|value| value.as_str());
        let (id, order) = (text("/id"), text("/arguments/order"));
        let (id, order) = (id.unwrap_or_default(), order.unwrap_or_default());
        let click = Instant::now();
        let reply = approver.approve(id, "").await?;
        anyhow::ensure!(
            reply.status == 200,
            "the vote was refused: {}",
            reply.text()
        );
        let arrived = until("the call arrives", PATIENCE, async || {
            let arrivals = arrivals.lock().unwrap_or_else(PoisonError::into_inner);
            arrivals.get(order).copied().ok_or_else(String::new)
        });
        latencies.push(arrived.await?.0.saturating_duration_since(click));
    }
    latencies.sort_unstable();
    let quantile = |of: f64| {
        let index = (latencies.len() as f64 * of) as usize;
        let index = index.min(latencies.len().saturating_sub(1));
        latencies
            .get(index)
            .map_or(0.0, |time| time.as_secs_f64() * 1000.0)
    };
    let each =
        |before: u64, after: u64| after.saturating_sub(before) as f64 / holds as f64 / 1024.0;
    println!("| what | value |\n| --- | --- |");
    println!("| calls that wait at once | {holds} |");
    println!("| until all of them wait | {:.1} s |", filled.as_secs_f64());
    println!(
        "| memory of Envoy for each | {:.1} KiB |",
        each(before.0, after.0)
    );
    println!(
        "| memory of control for each | {:.1} KiB |",
        each(before.1, after.1)
    );
    println!("| click to upstream, p50 | {:.1} ms |", quantile(0.5));
    println!("| click to upstream, p99 | {:.1} ms |", quantile(0.99));
    println!("| click to upstream, most | {:.1} ms |", quantile(1.0));
    println!("| clicks | {} |", latencies.len());
    drop(callers);
    Ok(())
}
