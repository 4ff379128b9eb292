//! Following the documents' directory.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout_at};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::directory::{self, Files, Fingerprint, ReadError};

/// Events are gathered until there was none for this long …
const QUIET: Duration = Duration::from_millis(20);
/// … but no longer than this.
const MAX_WAIT: Duration = Duration::from_millis(100);
/// The directory is looked at this often in any case: the system does not tell of every change (network
/// file systems, a link above the directory that moves).
const POLL: Duration = Duration::from_secs(1);
/// How often a directory is read that changes while it is read, before that is a problem.
const ATTEMPTS: u32 = 10;

/// What is there.
#[derive(Clone, Debug)]
pub struct Reading {
    /// The files, or why they can't be read. Shared, since documents can be many megabytes.
    pub files: Result<Arc<Files>, ReadError>,
    /// How long reading them took.
    pub took: Duration,
}

/// Reads the directory now, and again whenever it changes, until `shutdown`. What is the same as the last
/// time is not told again.
pub async fn follow(
    directory: PathBuf,
    readings: mpsc::Sender<Reading>,
    shutdown: CancellationToken,
) {
    let mut follower = Follower::new(directory);
    let mut poll = interval(POLL);
    poll.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut last = None;
    loop {
        let told = tokio::select! {
            () = shutdown.cancelled() => return,
            Some(()) = follower.events.recv() => {
                follower.settle().await;
                true
            }
            _ = poll.tick() => false,
        };
        let start = Instant::now();
        let Some(files) = follower.read(told).await else {
            continue;
        };
        let files = files.map(Arc::new);
        if last.as_ref() != Some(&files) {
            last = Some(files.clone());
            let took = start.elapsed();
            if readings.send(Reading { files, took }).await.is_err() {
                return;
            }
        }
    }
}

struct Follower {
    directory: PathBuf,
    seen: Option<Result<Fingerprint, ReadError>>,
    watched: Option<(RecommendedWatcher, (u64, u64))>,
    wake: mpsc::Sender<()>,
    events: mpsc::Receiver<()>,
    is_warned: bool,
}

impl Follower {
    fn new(directory: PathBuf) -> Self {
        let (wake, events) = mpsc::channel(1);
        Self {
            directory,
            seen: None,
            watched: None,
            wake,
            events,
            is_warned: false,
        }
    }

    /// Waits until nothing happens for a moment, so that a set of files that is written one after the
    /// other is read once.
    async fn settle(&mut self) {
        let end = Instant::now() + MAX_WAIT;
        while let Ok(Some(())) =
            timeout_at(end.min(Instant::now() + QUIET), self.events.recv()).await
        {
            if Instant::now() >= end {
                break;
            }
        }
    }

    /// Reads the directory if it was `told` of a change or differs from what was seen.
    async fn read(&mut self, told: bool) -> Option<Result<Files, ReadError>> {
        let mut attempt = 0;
        loop {
            let seen = blocking(&self.directory, directory::look).await?;
            if !told && attempt == 0 && self.seen.as_ref() == Some(&seen) {
                return None;
            }
            self.seen = Some(seen.clone());
            let fingerprint = match seen {
                Ok(fingerprint) => fingerprint,
                Err(error) => return Some(Err(error)),
            };
            // Watched first and read then, so that no change falls between.
            self.watch(fingerprint.directory);
            let reading = blocking(&self.directory, move |directory| {
                directory::read(directory, &fingerprint)
            })
            .await?;
            attempt += 1;
            if attempt == ATTEMPTS || !matches!(reading, Err(ReadError::Unsteady(_))) {
                return Some(reading);
            }
            self.settle().await;
        }
    }

    /// Asks the system to tell of changes, anew when the directory is another one than before.
    fn watch(&mut self, identity: (u64, u64)) {
        if self
            .watched
            .as_ref()
            .is_some_and(|(_, watched)| *watched == identity)
        {
            return;
        }
        let wake = self.wake.clone();
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            let is_read = event.is_ok_and(|event| event.kind.is_access());
            if !is_read {
                // When the channel is full, somebody is about to look anyway.
                let _ = wake.try_send(());
            }
        });
        let watcher = watcher.and_then(|mut watcher| {
            watcher.watch(&self.directory, RecursiveMode::NonRecursive)?;
            Ok(watcher)
        });
        match watcher {
            Ok(watcher) => {
                debug!(directory = %self.directory.display(), "watching");
                self.watched = Some((watcher, identity));
            }
            Err(error) => {
                self.watched = None;
                if !self.is_warned {
                    self.is_warned = true;
                    let seconds = POLL.as_secs();
                    warn!(%error, "the system tells of no changes; looking every {seconds} s instead");
                }
            }
        }
    }
}

/// Runs blocking work on the directory; `None` when the runtime is ending.
async fn blocking<T: Send + 'static>(
    directory: &Path,
    work: impl FnOnce(&Path) -> T + Send + 'static,
) -> Option<T> {
    let directory = directory.to_owned();
    tokio::task::spawn_blocking(move || work(&directory))
        .await
        .ok()
}
