//! News for pages that are open: server-sent events.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::{Query, State};
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse as _, Response};
use gatehold_desk::Changed;
use http::HeaderMap;
use serde::Deserialize;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use tokio_stream::wrappers::ReceiverStream;

use super::approval::find;
use super::frame::Failure;
use super::viewer::{Viewer, signed};
use crate::Console;

/// So often the session is looked at again, and something is sent so that nobody on the way takes the stream for
/// dead.
const PULSE: Duration = Duration::from_secs(15);

/// What a page shows.
#[derive(Debug, Deserialize)]
pub(crate) struct Shown {
    /// The approval of the page; without it, the page is a list.
    #[serde(default)]
    approval: String,
}

/// A stream of `change` events, which only say that a page should be loaded again: what may be seen of a change is
/// decided when it is. The page of one approval hears of that one alone.
pub(crate) async fn events(
    State(console): State<Console>,
    viewer: Viewer,
    headers: HeaderMap,
    Query(Shown { approval }): Query<Shown>,
) -> Result<Response, Failure> {
    // Before anything is looked at, so that no change falls between.
    let mut changes = console.approvals().changes();
    if !approval.is_empty() {
        find(&console, &viewer.signed, &approval).await?;
    }
    let (sender, receiver) = mpsc::channel::<Result<Event, Infallible>>(4);
    tokio::spawn(async move {
        let mut pulse = Instant::now() + PULSE;
        let hello = Event::default().event("hello").data("you are connected");
        let mut next = hello.retry(Duration::from_secs(2));
        loop {
            if sender.send(Ok(next)).await.is_err() {
                return;
            }
            next = tokio::select! {
                () = console.shutdown().cancelled() => return,
                () = sender.closed() => return,
                () = sleep_until(pulse) => {
                    pulse = Instant::now() + PULSE;
                    let config = console.config();
                    let is_signed = config
                        .is_some_and(|config| signed(&console, &config, &headers, false).is_some());
                    if !is_signed {
                        let over = Event::default().event("over").data("the session has ended");
                        let _ = sender.send(Ok(over)).await;
                        return;
                    }
                    Event::default().comment("")
                }
                changed = change(&mut changes, &approval) => match changed {
                    Ok(()) => Event::default().event("change").data("load the page again"),
                    Err(Closed) => return,
                },
            };
        }
    });
    Ok(Sse::new(ReceiverStream::new(receiver)).into_response())
}

/// The desk has ended.
struct Closed;

/// Waits until something that the page shows has changed. Many changes at once are one.
async fn change(changes: &mut Receiver<Changed>, approval: &str) -> Result<(), Closed> {
    let concerns = |change: &Changed| approval.is_empty() || change.id == approval;
    loop {
        match changes.recv().await {
            Ok(change) if concerns(&change) => break,
            Ok(_) => {}
            Err(RecvError::Lagged(_)) => break,
            Err(RecvError::Closed) => return Err(Closed),
        }
    }
    while changes.try_recv().is_ok() {}
    Ok(())
}
