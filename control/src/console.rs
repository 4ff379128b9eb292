//! The console's part of `serve`.

use std::sync::Arc;

use anyhow::Context as _;
use gatehold_console::{Console, ConsoleConfig};
use gatehold_desk::Desk;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::fleet::Watched;
use crate::in_force::Published;

/// Serves the console on `listener` until `shutdown`, always by the documents that are in force.
///
/// # Errors
/// When it can't start.
pub async fn serve(
    listener: TcpListener,
    desk: Desk,
    fleet: Arc<Watched>,
    mut published: watch::Receiver<Published>,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    let (sender, config) = watch::channel(config(&published.borrow_and_update()));
    let console = Console::new(Arc::new(desk), fleet, config, shutdown.clone())
        .context("the console cannot start")?;
    let follow = async {
        while published.changed().await.is_ok() {
            sender.send_replace(self::config(&published.borrow_and_update()));
        }
        // Nothing is published any more because control ends: what was in force stays until then.
        shutdown.cancelled().await;
    };
    tokio::select! {
        served = gatehold_console::serve(listener, console) => served.context("the console failed"),
        () = follow => Ok(()),
    }
}

/// What the documents say of the console, if they do.
fn config(published: &Published) -> Option<Arc<ConsoleConfig>> {
    let documents = published.documents.as_ref()?;
    let console = documents.console.as_ref()?;
    // It exists: loading the documents looks at that.
    let issuer = documents.issuer(&console.sign_in.issuer)?;
    let keys = published.keys.get(&issuer.name).cloned();
    let config = ConsoleConfig::new(console.clone(), issuer, keys.unwrap_or_default());
    Some(Arc::new(config))
}
