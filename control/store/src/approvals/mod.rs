//! Approvals: what the desk writes and everybody reads. Which rows there are is the business of gatehold-approvals.

mod json;
mod query;
mod read;
mod write;

pub use query::{ApprovalFilter, Earlier, ToolDefinition};
pub(crate) use write::{purge, write};
