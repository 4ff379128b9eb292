//! Whether control can do its work, and why not.

use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// A probe that takes longer has failed: whoever asks gives up soon as well.
const PROBE_TIMEOUT: Duration = Duration::from_secs(2);

type Probe =
    Arc<dyn Fn() -> Pin<Box<dyn Future<Output = Result<(), String>> + Send>> + Send + Sync>;

/// The probes that all have to pass for control to be ready. A clone shares the probes.
#[derive(Clone, Default)]
pub struct Readiness {
    probes: BTreeMap<&'static str, Probe>,
}

/// What the probes said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Whether every probe passed.
    pub ready: bool,
    /// By the probe's name: nothing, or why it did not pass.
    pub checks: BTreeMap<&'static str, Check>,
}

/// What one probe said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// Whether the probe passed.
    pub ready: bool,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

impl Readiness {
    /// No probe yet, so always ready.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a probe, run anew for each question, all at once, for at most 2 s; its error says why
    /// control is not ready.
    #[must_use]
    pub fn probe<F, P>(mut self, name: &'static str, probe: F) -> Self
    where
        F: Fn() -> P + Send + Sync + 'static,
        P: Future<Output = Result<(), String>> + Send + 'static,
    {
        self.probes
            .insert(name, Arc::new(move || Box::pin(probe())));
        self
    }

    /// Runs all probes.
    pub async fn report(&self) -> Report {
        let mut running = JoinSet::new();
        for (&name, probe) in &self.probes {
            let probe = Arc::clone(probe);
            running.spawn(async move { (name, timeout(PROBE_TIMEOUT, probe()).await) });
        }
        // A probe that panics leaves no answer behind, and must not count as passed.
        let mut checks: BTreeMap<_, _> = self
            .probes
            .keys()
            .map(|&name| {
                (
                    name,
                    Check {
                        ready: false,
                        why: Some("the check failed".to_owned()),
                    },
                )
            })
            .collect();
        while let Some(done) = running.join_next().await {
            let Ok((name, answer)) = done else { continue };
            let why = match answer {
                Ok(Ok(())) => None,
                Ok(Err(why)) => Some(why),
                Err(_) => Some(format!("no answer within {} s", PROBE_TIMEOUT.as_secs())),
            };
            checks.insert(
                name,
                Check {
                    ready: why.is_none(),
                    why,
                },
            );
        }
        Report {
            ready: checks.values().all(|check| check.ready),
            checks,
        }
    }
}

impl fmt::Debug for Readiness {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.probes.keys()).finish()
    }
}
