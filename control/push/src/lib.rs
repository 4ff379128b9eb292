//! The push side of control: delta xDS over resource types of our own.
//!
//! [`Resources`] is an immutable snapshot of everything that filters may subscribe to. Publishing a
//! new one on a [`tokio::sync::watch`] channel is all that a change takes; every stream compares it
//! with what its client was told ([`Subscriptions`], plain data without I/O) and sends the difference.
//!
//! What thousands of streams have in common is there once: what they hold, how it differs from the next
//! snapshot, and the bytes that say so.
#![forbid(unsafe_code)]

mod body;
mod fleet;
mod gone;
mod held;
mod nack;
mod of_type;
mod resources;
mod response;
mod rollout;
mod service;
mod source;
mod subscriptions;
mod text;
mod told;
mod trials;
mod versions;
mod view;

pub use fleet::{Connection, Fleet, StreamKind, StreamStatus};
pub use gone::{GONE_FOR, Gone, MAX_GONE};
pub use nack::reasons;
pub use resources::{Resource, Resources};
pub use response::Response;
pub use rollout::{EXTENSION_NAME, EXTENSION_TYPE_URL, Gate, HeldBack, Rollout, Rollouts};
pub use service::{ExtensionServer, Observer, PushServer, PushService};
pub use source::Snapshot;
pub use subscriptions::{
    Answer, MAX_NAMES, MAX_TYPES, Rejection, RequestError, Subscriptions, TypeStatus,
};
pub use versions::agree;
pub use view::{FleetView, NodeFilter, NodeState, NodeView, Refusal, Seen, view};
