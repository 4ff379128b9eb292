//! What is measured.

use std::path::PathBuf;

use clap::Parser;

/// Pushes to simulated Envoys from a real control, and says how long it takes and what it costs.
#[derive(Clone, Debug, Parser)]
pub struct Options {
    /// Simulated Envoys.
    #[arg(long, default_value_t = 1000)]
    pub envoys: usize,
    /// Worker threads of each; an Envoy with N of them opens N+1 streams.
    #[arg(long, default_value_t = 2)]
    pub workers: usize,
    /// Rules of the big policy; the small one has 100.
    #[arg(long, default_value_t = 100_000)]
    pub rules: usize,
    /// Servers among which the big policy's rules are divided.
    #[arg(long, default_value_t = 1000)]
    pub servers: usize,
    /// Changes of a document that are pushed, for each policy.
    #[arg(long, default_value_t = 20)]
    pub changes: usize,
    /// A smaller run, of about a minute: 300 Envoys, 20,000 rules, 10 changes.
    #[arg(long)]
    pub quick: bool,
    /// The control that is measured; `target/release/gatehold` if absent.
    #[arg(long, value_name = "FILE")]
    pub control: Option<PathBuf>,
    /// Where the report goes; `target/bench/push.json` if absent.
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
}

impl Options {
    /// The options with what `--quick` bounds.
    #[must_use]
    pub fn bounded(mut self) -> Self {
        if self.quick {
            self.envoys = self.envoys.min(300);
            self.rules = self.rules.min(20_000);
            self.servers = self.servers.min(200);
            self.changes = self.changes.min(10);
        }
        self
    }

    /// Streams of one Envoy.
    #[must_use]
    pub fn streams_per_envoy(&self) -> usize {
        self.workers.saturating_add(1)
    }
}
