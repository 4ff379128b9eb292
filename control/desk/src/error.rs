//! What can go wrong.

use gatehold_approvals::VoteRefused;
use gatehold_store::StoreError;

/// Why the desk could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum DeskError {
    /// What is stored could not be read, or something could not be stored.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The desk could not write down what it did, so it was not done. It may be tried again.
    #[error("the desk could not write: {0}; try again, and check the disk it is on")]
    Write(String),
    /// The desk has ended, because control is shutting down.
    #[error("the desk is closed; try again when `gatehold serve` runs")]
    Closed,
}

/// Why a vote was not taken.
#[derive(Debug, thiserror::Error)]
pub enum VoteError {
    /// There is no such approval.
    #[error("there is no approval `{0}`; look at the list")]
    NotFound(String),
    /// It does not count; the text is for whoever voted.
    #[error(transparent)]
    Refused(#[from] VoteRefused),
    /// The desk could not do its work.
    #[error(transparent)]
    Desk(#[from] DeskError),
}
