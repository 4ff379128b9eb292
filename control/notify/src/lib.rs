//! Webhooks: who has to know is told what becomes of calls that wait for people.
//!
//! [`Notifier`] follows the desk and puts a message for each webhook that wants one into the outbox of the store
//! (`follow`); from there each webhook is told by a task of its own (`deliver`), so that one that is away keeps no
//! other waiting. A message is posted until its receiver takes it, for up to a day, always under the same id: at least
//! once, and receivers know repetitions by the id. Messages are signed as the Standard Webhooks specification says
//! (`signature`). What callers wrote is made harmless before people see it (`visible`, `slack`).
#![forbid(unsafe_code)]

mod backoff;
mod deliver;
mod follow;
mod message;
mod notifier;
mod post;
mod signature;
mod slack;
mod source;
mod transitions;
mod visible;

pub use backoff::Backoff;
pub use message::message;
pub use notifier::{Notifier, NotifyError, Observer, Settings, Told};
pub use signature::{Keys, KeysError};
pub use slack::slack;
pub use source::Source;
pub use visible::visible;
