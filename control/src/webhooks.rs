//! Telling webhooks: what [`gatehold_notify`] needs of the rest of control.

use std::path::PathBuf;

use gatehold_api::Metrics;
use gatehold_desk::Desk;
use gatehold_notify::{Notifier, Observer, Settings, Told};
use gatehold_store::Outbox;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::in_force::Published;

/// Tells the metrics what became of messages to webhooks.
struct WebhookMetrics(Metrics);

impl Observer for WebhookMetrics {
    fn told(&self, webhook: &str, told: Told) {
        let result = match told {
            Told::Delivered => "delivered",
            Told::Failed => "failed",
            Told::GivenUp => "given_up",
        };
        self.0.webhook_told(webhook, result);
    }
}

/// Tells the webhooks of the documents in force what becomes of approvals, until `shutdown`. `data` is the file of a
/// store that is open.
///
/// # Errors
/// When the outbox can't be opened, or there can be no HTTP client.
pub async fn tell(
    data: PathBuf,
    desk: Desk,
    metrics: Metrics,
    mut published: watch::Receiver<Published>,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    let outbox = Outbox::open(data).await?;
    let (sender, documents) = watch::channel(None);
    let observer = WebhookMetrics(metrics);
    let notifier = Notifier::new(desk, outbox, documents, observer, Settings::default())?;
    let pass_on = async {
        loop {
            let now = published.borrow_and_update().documents.clone();
            // Keys are published too, and are no reason to look at the webhooks.
            sender.send_if_modified(|documents| {
                let is_new = *documents != now;
                *documents = now;
                is_new
            });
            if published.changed().await.is_err() {
                return std::future::pending().await;
            }
        }
    };
    tokio::select! {
        () = notifier.run(shutdown) => Ok(()),
        never = pass_on => never,
    }
}
