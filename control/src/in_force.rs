//! What is in force: the last good documents and keys, and the snapshot made of them.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use gatehold_api::Metrics;
use gatehold_desk::Desk;
use gatehold_documents::{Documents, IssuerDocument, Loader, Problems};
use gatehold_push::{Resources, Rollouts, Snapshot};
use gatehold_store::Secret;
use gatehold_wire::SERVER_TYPE_URL;
use sha2::{Digest as _, Sha256};
use tokio::sync::{mpsc, watch};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use crate::directory::Files;
use crate::hex::hex;
use crate::keys::{Found, Held, Keeper, Wanted};
use crate::resources::Encoder;
use crate::watch::Reading;

/// How often modules that could not be used are looked at again: nobody tells when such a file changes.
const RETRY: Duration = Duration::from_secs(10);

/// Why what is on disk is not in force; `None` when it is.
pub type Refusal = Option<String>;

/// The documents in force, and the keys of their issuers as they were fetched last: what the console and the webhooks
/// go by.
#[derive(Clone, Debug, Default)]
pub struct Published {
    /// `None` until something is in force.
    pub documents: Option<Arc<Documents>>,
    /// JWK Sets by the name of the issuer's document; without those that were never fetched.
    pub keys: Arc<HashMap<String, Arc<str>>>,
}

/// Where what comes into force is published.
#[derive(Debug)]
pub struct Outlets {
    /// What filters are pushed.
    pub snapshots: watch::Sender<Snapshot>,
    /// Which Envoys get which filter.
    pub rollouts: watch::Sender<Rollouts>,
    /// Why something does not come into force.
    pub refusals: watch::Sender<Refusal>,
    /// For the rest of control.
    pub published: watch::Sender<Published>,
    /// Approvals are bound to the policy that is in force.
    pub desk: Desk,
}

/// The one place where documents and keys meet; every change of either makes a new snapshot.
#[derive(Debug)]
pub struct InForce {
    documents: Option<Arc<Documents>>,
    /// The documents as files, while a module that they name cannot be used.
    waiting: Option<Arc<Files>>,
    binding_key: Secret,
    /// What was compiled before, so that a change costs what it changes.
    loader: Loader,
    encoder: Encoder,
    keeper: Keeper,
    metrics: Metrics,
    outlets: Outlets,
}

impl InForce {
    /// Nothing is in force yet. What comes into force is published to `outlets`. `binding_key` goes to the filters with every server.
    pub fn new(binding_key: Secret, keeper: Keeper, metrics: Metrics, outlets: Outlets) -> Self {
        Self {
            documents: None,
            waiting: None,
            loader: Loader::default(),
            encoder: Encoder::default(),
            binding_key,
            keeper,
            metrics,
            outlets,
        }
    }

    /// Takes readings of the directory and key sets in, until `shutdown`.
    pub async fn run(
        mut self,
        mut readings: mpsc::Receiver<Reading>,
        mut found: mpsc::Receiver<Found>,
        shutdown: CancellationToken,
    ) {
        let mut retry = interval(RETRY);
        retry.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                _ = retry.tick(), if self.waiting.is_some() => self.retry().await,
                Some(reading) = readings.recv() => self.take_reading(reading).await,
                Some(keys) = found.recv() => {
                    if self.keeper.take(keys) {
                        self.publish();
                    }
                }
            }
        }
    }

    /// Takes the documents in again if their modules can be used by now.
    async fn retry(&mut self) {
        let (Some(files), Some(documents)) = (self.waiting.clone(), self.documents.clone()) else {
            return;
        };
        let mut encoder = std::mem::take(&mut self.encoder);
        let work = tokio::task::spawn_blocking(move || {
            let is_good = encoder.rollout(&documents).is_ok();
            (encoder, is_good)
        });
        let Ok((encoder, is_good)) = work.await else {
            return;
        };
        self.encoder = encoder;
        if is_good {
            let (files, took) = (Ok(files), Duration::ZERO);
            self.take_reading(Reading { files, took }).await;
        }
    }

    async fn take_reading(&mut self, Reading { files, took: read }: Reading) {
        let files = match files {
            Ok(files) => files,
            Err(problem) => {
                error!(%problem, "the documents can't be read");
                return self.refuse(problem.to_string(), 1);
            }
        };
        self.waiting = None;
        let (start, same) = (Instant::now(), files.clone());
        let mut loader = std::mem::take(&mut self.loader);
        let mut encoder = std::mem::take(&mut self.encoder);
        // Thousands of conditions take their time to compile, and so does what is looked for.
        let work = tokio::task::spawn_blocking(move || {
            let loaded = loader.load(&files).map(|documents| {
                // What is wrong with it is said when it is to come into force.
                let _ = encoder.prepare(&documents);
                // Reads files, which may take long.
                let rollout = encoder.rollout(&documents);
                (documents, rollout)
            });
            (loader, encoder, loaded, version(&files))
        });
        let Ok((loader, encoder, loaded, version)) = work.await else {
            return;
        };
        (self.loader, self.encoder) = (loader, encoder);
        let compile = start.elapsed();
        match loaded {
            Ok((documents, rollout)) => {
                let has_modules = rollout.is_ok();
                let is_applied = self.apply(documents, rollout, &version, [read, compile]);
                self.waiting = (is_applied && !has_modules).then_some(same);
            }
            Err(problems) => {
                let count = log(&problems, "a bad document");
                self.refuse(problems.to_string(), count);
            }
        }
    }

    /// Whether the documents are in force now.
    fn apply(
        &mut self,
        documents: Documents,
        rollout: Result<Rollouts, Problems>,
        version: &str,
        [read, compile]: [Duration; 2],
    ) -> bool {
        let start = Instant::now();
        let wanted = documents.issuers.iter().map(wanted);
        // Before anything is replaced: either all of it comes into force, or nothing.
        let key = self.binding_key.as_bytes();
        let held = |name: &str| self.keeper.held(name);
        if let Err(problem) = self.encoder.resources(&documents, key, held) {
            error!(%problem, "the documents can't be pushed");
            self.refuse(problem.to_string(), 1);
            return false;
        }
        self.keeper.keep(wanted);
        let Documents {
            servers,
            issuers,
            policies,
            ..
        } = &documents;
        let (servers, issuers, policies) = (servers.len(), issuers.len(), *policies);
        self.metrics
            .documents_applied(version, servers as u64, issuers as u64, policies as u64);
        self.outlets.refusals.send_replace(None);
        self.documents = Some(Arc::new(documents));
        self.publish();
        match rollout {
            // After the policies, so that a new filter finds those that were made for it. It is only another one if the
            // document is.
            Ok(rollout) => {
                self.outlets.rollouts.send_replace(rollout);
            }
            // Nobody's policies wait for the file of a filter.
            Err(problems) => {
                let count = log(&problems, "a bad module");
                self.metrics.modules_refused(count);
                error!(
                    problems = count,
                    "the filter is not rolled out; every Envoy keeps what it has"
                );
            }
        }
        let [read_us, compile_us, encode_us] =
            [read, compile, start.elapsed()].map(|time| time.as_micros() as u64);
        info!(
            version,
            servers, issuers, policies, read_us, compile_us, encode_us, "documents are in force"
        );
        true
    }

    fn refuse(&self, why: String, problems: u64) {
        self.metrics.documents_refused(problems);
        // Said to those who ask before it is said in the log: who has read the one may ask for the other.
        self.outlets.refusals.send_replace(Some(why));
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

    fn publish(&mut self) {
        let Some(documents) = &self.documents else {
            return;
        };
        let key = self.binding_key.as_bytes();
        let held = |name: &str| self.keeper.held(name);
        let encoded = self.encoder.resources(documents, key, held);
        match encoded {
            Ok(new) => {
                let keys = documents.issuers.iter().filter_map(|issuer| {
                    match self.keeper.held(&issuer.name) {
                        Held::Keys(keys) => Some((issuer.name.clone(), keys)),
                        Held::NotYet | Held::Replaced => None,
                    }
                });
                self.outlets.published.send_replace(Published {
                    documents: Some(documents.clone()),
                    keys: Arc::new(keys.collect()),
                });
                let console = documents.console.as_ref();
                self.outlets
                    .desk
                    .console(console.map(|console| console.url.clone()));
                // Before any filter can know of it: what a filter asks by a policy the desk does not know is refused.
                self.outlets.desk.policy(versions(&new));
                self.outlets.snapshots.send_if_modified(|snapshot| {
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

/// Logs each problem, and counts them.
fn log(problems: &Problems, what: &str) -> u64 {
    for problem in &problems.list {
        let help = problem.help.as_deref().unwrap_or_default();
        error!(at = %problem.location, problem = problem.message, help, "{what}");
    }
    (problems.list.len() + problems.more) as u64
}

/// The version of each server's resource.
fn versions(resources: &Resources) -> HashMap<String, String> {
    resources
        .of_type(SERVER_TYPE_URL)
        .map(|(name, resource)| (name.to_owned(), resource.version.to_string()))
        .collect()
}

fn wanted(issuer: &IssuerDocument) -> (String, Wanted) {
    let wanted = Wanted {
        issuer: issuer.issuer.clone(),
        source: issuer.keys.clone(),
        refresh: Duration::from_secs(issuer.refresh_seconds),
    };
    (issuer.name.clone(), wanted)
}

/// Version of a set of documents: a digest of their names and texts, 16 hex digits.
fn version(files: &Files) -> String {
    let mut digest = Sha256::new();
    for (path, text) in files {
        let name = path.file_name().unwrap_or_default().as_encoded_bytes();
        for part in [name, text.as_bytes()] {
            digest.update((part.len() as u64).to_le_bytes());
            digest.update(part);
        }
    }
    let mut version = hex(&digest.finalize());
    version.truncate(16);
    version
}
