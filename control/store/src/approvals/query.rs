//! What can be asked.

use gatehold_approvals::{Approval, State};

/// Which approvals to list. What is empty or `None` does not restrict.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ApprovalFilter {
    /// Any of these states.
    pub states: Vec<State>,
    /// The server's name.
    pub server: Option<String>,
    /// The user who asked.
    pub user: Option<String>,
    /// A part of target, arguments, user or agent; the case of ASCII letters does not matter.
    pub text: Option<String>,
    /// Only those older than the approval with this id: where the page before ended.
    pub before: Option<String>,
    /// At most this many; 0 means 100.
    pub limit: usize,
}

/// What is known of earlier calls of the same target.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Earlier {
    /// How many were approved, used or not.
    pub approved: u64,
    /// How many were denied.
    pub denied: u64,
    /// How many came to something else, or are pending.
    pub other: u64,
    /// The newest, newest first.
    pub last: Vec<Approval>,
}

/// A tool as its server describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolDefinition {
    /// SHA-256 of the canonical definition.
    pub digest: [u8; 32],
    /// The canonical definition; empty when it is larger than 64 KiB.
    pub json: String,
    /// When it was first seen like this.
    pub seen_unix_millis: u64,
}
