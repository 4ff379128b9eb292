//! Approvals: calls that wait until people have decided.
//!
//! [`Approval`] is what people see and vote on.
//!
//! No I/O and no clock: time is a parameter, in milliseconds since the Unix epoch, and so is randomness.
#![forbid(unsafe_code)]

mod approval;
mod id;
mod state;
mod vote;

pub use approval::{Approval, Call, Mechanism, Requester, Run, RunState};
pub use id::ApprovalId;
pub use state::State;
pub use vote::{Missing, Person, Verdict, Vote, VoteRefused};
