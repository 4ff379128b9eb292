//! Who counts what happens at the desk.

use std::time::Duration;

use gatehold_approvals::{Counts, State};

/// Is told what happens at the desk, to count it.
pub trait Observer: Send + Sync + 'static {
    /// This much is open now.
    fn open(&self, counts: Counts);
    /// An approval came to this state.
    fn moved(&self, state: State);
    /// An approved call was let through, this long after the decision.
    fn claimed(&self, after: Duration);
    /// What was done is on disk, this is the end of the audit log.
    fn written(&self, events: u64, head: u64);
    /// Something could not be written.
    fn failed(&self);
}

/// Counts nothing.
#[derive(Clone, Copy, Debug)]
pub struct Nobody;

impl Observer for Nobody {
    fn open(&self, _counts: Counts) {}
    fn moved(&self, _state: State) {}
    fn claimed(&self, _after: Duration) {}
    fn written(&self, _events: u64, _head: u64) {}
    fn failed(&self) {}
}
