//! Durable storage: one SQLite file with the audit events, append-only and hash-chained, the approvals, and the
//! secrets of this installation.
//!
//! What [`Store::append`] has returned for is on disk (WAL, `synchronous = FULL`), exactly once per
//! (sender, batch). Events carry a gapless sequence and the hash of the event before them, so that a change
//! to any stored value, and any event taken out, is found by [`Reader::verify`]. What no chain can show by
//! itself is that its newest events were cut off, or all of it rewritten: for that, compare the head with
//! one that was exported before, to a place the writer of the file has no access to.
//!
//! The SQL stands in `reader.rs`, `writer.rs`, `approvals/` and `migrations/`; everything else is free of the
//! database. All that is written goes through one task, so that approvals and their audit events are written together.
#![forbid(unsafe_code)]

mod approvals;
mod error;
mod event;
mod finding;
mod head;
mod outbox;
mod reader;
mod record;
mod schema;
mod secret;
mod store;
mod verify;
mod wire;
mod writer;

pub use approvals::{ApprovalFilter, Earlier, ToolDefinition};
pub use error::{StoreError, VerifyError};
pub use event::{AuditBatch, AuditEvent};
pub use finding::findings_from_wire;
pub use head::Head;
pub use outbox::{Changes, Notice, Noticed, Outbox};
pub use reader::Reader;
pub use record::Hash;
pub use secret::Secret;
pub use store::{Appended, Store};
pub use verify::{Broken, Verified};
