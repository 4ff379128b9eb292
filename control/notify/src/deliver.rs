//! Tells one webhook what is in the outbox for it.

use std::sync::Arc;
use std::time::Duration;

use gatehold_documents::WebhookDocument;
use gatehold_store::{Notice, Outbox};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tracing::{debug, error, warn};

use crate::notifier::{Observer, Settings, Told, now_unix_millis};
use crate::post::Poster;

/// Messages to one webhook that are under way at a time.
const AT_ONCE: u32 = 8;
/// When the store fails, how long until it is asked again.
const STORE_PAUSE: Duration = Duration::from_secs(1);

/// Works until it is dropped.
pub(crate) struct Delivery {
    pub(crate) webhook: Arc<WebhookDocument>,
    pub(crate) outbox: Outbox,
    pub(crate) poster: Poster,
    pub(crate) settings: Settings,
    pub(crate) observer: Arc<dyn Observer>,
    /// Told when something was put into the outbox.
    pub(crate) more: Arc<Notify>,
}

impl Delivery {
    pub(crate) async fn run(self) {
        let delivery = Arc::new(self);
        loop {
            // Asked for before looking, so that nothing that comes meanwhile is missed.
            let more = delivery.more.notified();
            let name = &delivery.webhook.name;
            match delivery.outbox.due(name, now_unix_millis(), AT_ONCE).await {
                Ok(notices) if notices.is_empty() => {
                    let wait = delivery.pause().await;
                    tokio::select! {
                        () = more => {}
                        () = tokio::time::sleep(wait) => {}
                    }
                }
                Ok(notices) => {
                    let mut under_way = JoinSet::new();
                    for notice in notices {
                        let delivery = delivery.clone();
                        under_way.spawn(async move { delivery.attempt(notice).await });
                    }
                    while under_way.join_next().await.is_some() {}
                }
                Err(problem) => {
                    error!(webhook = %name, %problem, "the outbox can't be read");
                    tokio::time::sleep(STORE_PAUSE).await;
                }
            }
        }
    }

    /// How long until the next message is due.
    async fn pause(&self) -> Duration {
        const LONGEST: Duration = Duration::from_secs(60);
        match self.outbox.next_due(&self.webhook.name).await {
            Ok(Some(due)) => {
                let wait = Duration::from_millis(due.saturating_sub(now_unix_millis()));
                // The clock may have been set; look again now and then.
                wait.clamp(Duration::from_millis(1), LONGEST)
            }
            Ok(None) => LONGEST,
            Err(_) => STORE_PAUSE,
        }
    }

    async fn attempt(&self, notice: Notice) {
        let Notice {
            webhook,
            id,
            body,
            created_unix_millis,
            attempts,
            ..
        } = notice;
        let attempt = attempts.saturating_add(1);
        let now = now_unix_millis();
        let posted = self
            .poster
            .post(&self.webhook, &id, &body, now / 1000)
            .await;
        let backoff = &self.settings.backoff;
        let (told, due) = match posted {
            Ok(()) => {
                debug!(%webhook, %id, attempt, "told");
                (Told::Delivered, None)
            }
            Err(problem) => {
                let wait = backoff.after(attempt, fastrand::f64());
                let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
                let due = now_unix_millis().saturating_add(millis(wait));
                let last = created_unix_millis.saturating_add(millis(backoff.give_up));
                if problem.is_final() || due > last {
                    error!(%webhook, %id, attempt, %problem, "a webhook could not be told and won't be");
                    (Told::GivenUp, None)
                } else {
                    warn!(%webhook, %id, attempt, %problem, again_in = ?wait, "a webhook could not be told");
                    (Told::Failed, Some(due))
                }
            }
        };
        while let Err(problem) = self.outbox.tried(&webhook, &id, due).await {
            // Asking the receiver again and again instead would not help.
            error!(%webhook, %id, %problem, "the outbox can't be written");
            tokio::time::sleep(STORE_PAUSE).await;
        }
        self.observer.told(&webhook, told);
    }
}
