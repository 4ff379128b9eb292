//! What is in force: the last good documents and keys, and the snapshot made of them.

use std::sync::Arc;
use std::time::Duration;

use gatehold_api::Metrics;
use gatehold_documents::{Documents, IssuerDocument, load};
use gatehold_push::{Resources, Snapshot};
use gatehold_store::Secret;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use crate::directory::Files;
use crate::keys::{Found, Keeper, Wanted};
use crate::resources::resources;
use crate::watch::Reading;

/// Why what is on disk is not in force; `None` when it is.
pub type Refusal = Option<String>;

/// The one place where documents and keys meet; every change of either makes a new snapshot.
#[derive(Debug)]
pub struct InForce {
    documents: Option<Documents>,
    binding_key: Secret,
    keeper: Keeper,
    metrics: Metrics,
    snapshots: watch::Sender<Snapshot>,
    refusals: watch::Sender<Refusal>,
}

impl InForce {
    /// Nothing is in force yet. What comes into force is published to `snapshots`, and why something
    /// does not is told to `refusals`. `binding_key` goes to the filters with every server.
    pub fn new(
        binding_key: Secret,
        keeper: Keeper,
        metrics: Metrics,
        snapshots: watch::Sender<Snapshot>,
        refusals: watch::Sender<Refusal>,
    ) -> Self {
        Self {
            documents: None,
            binding_key,
            keeper,
            metrics,
            snapshots,
            refusals,
        }
    }

    /// Takes readings of the directory and key sets in, until `shutdown`.
    pub async fn run(
        mut self,
        mut readings: mpsc::Receiver<Reading>,
        mut found: mpsc::Receiver<Found>,
        shutdown: CancellationToken,
    ) {
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                Some(reading) = readings.recv() => self.take_reading(reading).await,
                Some(keys) = found.recv() => {
                    if self.keeper.take(keys) {
                        self.publish();
                    }
                }
            }
        }
    }

    async fn take_reading(&mut self, reading: Reading) {
        let files = match reading {
            Ok(files) => Arc::new(files),
            Err(problem) => {
                error!(%problem, "the documents can't be read");
                return self.refuse(problem.to_string(), 1);
            }
        };
        let work = files.clone();
        // Thousands of conditions take their time to compile.
        let Ok(loaded) = tokio::task::spawn_blocking(move || load(&work)).await else {
            return;
        };
        match loaded {
            Ok(documents) => self.apply(documents, &files),
            Err(problems) => {
                for problem in &problems.list {
                    let help = problem.help.as_deref().unwrap_or_default();
                    error!(at = %problem.location, problem = problem.message, help, "a bad document");
                }
                let count = problems.list.len() + problems.more;
                self.refuse(problems.to_string(), count as u64);
            }
        }
    }

    fn apply(&mut self, documents: Documents, files: &Files) {
        let wanted = documents.issuers.iter().map(wanted);
        // Before anything is replaced: either all of it comes into force, or nothing.
        if let Err(problem) = resources(&documents, self.binding_key.as_bytes(), |name| {
            self.keeper.held(name)
        }) {
            error!(%problem, "the documents can't be pushed");
            return self.refuse(problem.to_string(), 1);
        }
        self.keeper.keep(wanted);
        let Documents {
            servers,
            issuers,
            policies,
            ..
        } = &documents;
        let (servers, issuers, policies) = (servers.len(), issuers.len(), *policies);
        let version = version(files);
        self.metrics
            .documents_applied(&version, servers as u64, issuers as u64, policies as u64);
        self.refusals.send_replace(None);
        self.documents = Some(documents);
        self.publish();
        info!(
            version,
            servers, issuers, policies, "documents are in force"
        );
    }

    fn refuse(&self, why: String, problems: u64) {
        self.metrics.documents_refused(problems);
        // Said to those who ask before it is said in the log: who has read the one may ask for the other.
        self.refusals.send_replace(Some(why));
        if self.documents.is_some() {
            error!(
                problems,
                "nothing was changed; the documents from before stay in force"
            );
        } else {
            error!(
                problems,
                "nothing is in force yet; filters refuse every request until it is"
            );
        }
    }

    fn publish(&self) {
        let Some(documents) = &self.documents else {
            return;
        };
        match resources(documents, self.binding_key.as_bytes(), |name| {
            self.keeper.held(name)
        }) {
            Ok(new) => {
                self.snapshots.send_if_modified(|snapshot| {
                    let is_new = snapshot.as_deref() != Some(&new);
                    if is_new {
                        *snapshot = Some(Arc::new(new));
                    }
                    is_new
                });
            }
            // The same documents could be pushed when they came into force.
            Err(problem) => error!(%problem, "the documents can't be pushed"),
        }
    }
}

fn wanted(issuer: &IssuerDocument) -> (String, Wanted) {
    let wanted = Wanted {
        issuer: issuer.issuer.clone(),
        source: issuer.keys.clone(),
        refresh: Duration::from_secs(issuer.refresh_seconds),
    };
    (issuer.name.clone(), wanted)
}

/// Version of a set of documents: a digest of their names and texts.
fn version(files: &Files) -> String {
    let files = files.iter().map(|(path, text)| {
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        (String::new(), name, text.clone().into_bytes())
    });
    files.collect::<Resources>().version().to_owned()
}
