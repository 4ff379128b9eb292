//! Waiting by asking again, with a deadline: the only way in which the harness waits for another process.

use std::time::{Duration, Instant};

use crate::error::HarnessError;

/// Between two questions. Short, because tests measure how soon a change is in force.
const PAUSE: Duration = Duration::from_millis(10);

/// Asks `question` until it answers `Ok`, and says how long that took. `Err` is the state seen, for the message.
///
/// # Errors
/// [`HarnessError::Deadline`] with `what` and the last state when `deadline` has passed.
pub async fn until<T>(
    what: &str,
    deadline: Duration,
    mut question: impl AsyncFnMut() -> Result<T, String>,
) -> Result<(T, Duration), HarnessError> {
    let begin = Instant::now();
    loop {
        let state = match question().await {
            Ok(answer) => return Ok((answer, begin.elapsed())),
            Err(state) => state,
        };
        if begin.elapsed() >= deadline {
            return Err(HarnessError::Deadline {
                what: format!("{what} (last seen: {state})"),
                seconds: deadline.as_secs_f64(),
            });
        }
        tokio::time::sleep(PAUSE).await;
    }
}
