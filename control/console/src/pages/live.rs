//! News for pages that are open: server-sent events.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse as _, Response};
use http::HeaderMap;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use tokio_stream::wrappers::ReceiverStream;

use super::viewer::{Viewer, signed};
use crate::Console;

/// So often the session is looked at again, and something is sent so that nobody on the way takes the stream for
/// dead.
const PULSE: Duration = Duration::from_secs(15);

/// A stream of `change` events, each with an approval's id and state. It says nothing else: what may be seen of it
/// is asked for by a request of its own.
pub(crate) async fn events(
    State(console): State<Console>,
    viewer: Viewer,
    headers: HeaderMap,
) -> Response {
    drop(viewer);
    let (sender, receiver) = mpsc::channel::<Result<Event, Infallible>>(32);
    tokio::spawn(async move {
        let mut changes = console.approvals().changes();
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
                        let _ = sender.send(Ok(Event::default().event("over").data("the session has ended"))).await;
                        return;
                    }
                    Event::default().comment("")
                }
                change = changes.recv() => match change {
                    Ok(change) => Event::default()
                        .event("change")
                        .data(format!("{} {}", change.id, change.state)),
                    Err(RecvError::Lagged(_)) => Event::default().event("change").data("* *"),
                    Err(RecvError::Closed) => return,
                },
            };
        }
    });
    Sse::new(ReceiverStream::new(receiver)).into_response()
}
