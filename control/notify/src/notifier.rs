//! The whole, as control starts it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use gatehold_documents::{Documents, WebhookDocument};
use gatehold_store::Outbox;
use tokio::sync::{Notify, watch};
use tokio::task::{AbortHandle, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::backoff::Backoff;
use crate::deliver::Delivery;
use crate::follow::Follower;
use crate::post::Poster;
use crate::source::Source;

/// Why webhooks cannot be told anything.
#[derive(Debug, thiserror::Error)]
#[error("webhooks can't be told: {0}")]
pub struct NotifyError(String);

/// How messages are delivered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// When an attempt is made again.
    pub backoff: Backoff,
}

/// What came of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Told {
    /// The receiver took the message.
    Delivered,
    /// It did not, and is asked again.
    Failed,
    /// It did not, and is not asked again.
    GivenUp,
}

/// Is told how it goes.
pub trait Observer: Send + Sync + 'static {
    /// An attempt to tell that webhook came to this.
    fn told(&self, webhook: &str, told: Told);
}

/// Tells webhooks what becomes of approvals.
pub struct Notifier<S> {
    source: S,
    outbox: Outbox,
    documents: watch::Receiver<Option<Arc<Documents>>>,
    observer: Arc<dyn Observer>,
    settings: Settings,
    poster: Poster,
}

impl<S: Source> Notifier<S> {
    /// Follows the approvals of `source`; which webhooks there are is said by the documents in force.
    ///
    /// # Errors
    /// When there can be no HTTP client.
    pub fn new(
        source: S,
        outbox: Outbox,
        documents: watch::Receiver<Option<Arc<Documents>>>,
        observer: impl Observer,
        settings: Settings,
    ) -> Result<Self, NotifyError> {
        let poster = Poster::new().map_err(|error| NotifyError(error.to_string()))?;
        Ok(Self {
            source,
            outbox,
            documents,
            observer: Arc::new(observer),
            settings,
            poster,
        })
    }

    /// Works until `shutdown`. What is not delivered by then is delivered after the next start.
    pub async fn run(self, shutdown: CancellationToken) {
        let more = Arc::new(Notify::new());
        let follower = Follower::new(self.source.clone(), self.outbox.clone(), more.clone());
        let mut documents = self.documents.clone();
        let told = self.tell(more);
        let work = async {
            tokio::join!(follower.run(&mut documents), told);
        };
        tokio::select! {
            () = work => {}
            () = shutdown.cancelled() => {}
        }
    }

    /// Keeps one task per webhook, with the document of now.
    async fn tell(&self, more: Arc<Notify>) {
        let mut documents = self.documents.clone();
        let mut tasks = JoinSet::new();
        let mut running: HashMap<String, (Arc<WebhookDocument>, AbortHandle)> = HashMap::new();
        loop {
            let webhooks = match &*documents.borrow_and_update() {
                Some(documents) => documents.webhooks.clone(),
                None => Vec::new(),
            };
            running.retain(|_, (document, task)| {
                let stays = webhooks.contains(document);
                if !stays {
                    task.abort();
                }
                stays
            });
            for webhook in webhooks {
                if !running.contains_key(&webhook.name) {
                    let delivery = Delivery {
                        webhook: webhook.clone(),
                        outbox: self.outbox.clone(),
                        poster: self.poster.clone(),
                        settings: self.settings,
                        observer: self.observer.clone(),
                        more: more.clone(),
                    };
                    let task = tasks.spawn(delivery.run());
                    running.insert(webhook.name.clone(), (webhook, task));
                }
            }
            while tasks.try_join_next().is_some() {}
            if documents.changed().await.is_err() {
                // Nobody will change the documents any more; the tasks go on until the shutdown.
                std::future::pending::<()>().await;
            }
        }
    }
}

/// The clock.
pub(crate) fn now_unix_millis() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let since = since.unwrap_or(Duration::ZERO);
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
