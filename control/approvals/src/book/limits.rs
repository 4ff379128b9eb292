//! Bounds of a book.

/// A task, with its answer, can be asked for this long after its approval would have expired.
pub const TASK_KEPT_MILLIS: u64 = 60 * 60 * 1000;

/// An approval without a time of its own expires after this.
pub(crate) const DEFAULT_WITHIN_SECONDS: u64 = 15 * 60;

/// Bounds of a book. Times are in milliseconds, sizes in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Approvals of one caller that may be open.
    pub open_per_caller: usize,
    /// Clients that may wait for one approval.
    pub waiting_per_approval: usize,
    /// Arguments of a call.
    pub arguments: usize,
    /// The message of a task.
    pub body: usize,
    /// Time for a client to come back between two legs, and for a filter to connect again.
    pub away: u64,
    /// Time for which approvals that ended are remembered.
    pub ended: u64,
    /// Approvals that ended and are remembered.
    pub ended_count: usize,
    /// Tools of a server whose definitions are remembered.
    pub tools_per_server: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            open_per_caller: 100,
            waiting_per_approval: 1000,
            arguments: 256 << 10,
            body: 1 << 20,
            away: 60_000,
            ended: 15 * 60_000,
            ended_count: 50_000,
            tools_per_server: 10_000,
        }
    }
}
