//! Approvals: calls that wait until people have decided.
//!
//! [`Approval`] is what people see and vote on. [`Book`] is the state machine behind it: filters tell it which requests
//! wait, people vote, and a call that was approved is let through once. It says what has to be written down for each
//! step, and whatever it was told can be told again.
//!
//! No I/O and no clock: time is a parameter, in milliseconds since the Unix epoch, and so is randomness.
#![forbid(unsafe_code)]

mod approval;
mod book;
mod finding;
mod id;
mod state;
mod vote;

pub use approval::{Approval, Call, Mechanism, Requester, Run, RunState};
pub use book::{
    Applied, Book, Caller, Change, Claim, Command, Counts, Definition, Effect, Event, Grant, Leg,
    Limits, Outcome, Report, Saved, SavedChain, Say, TASK_KEPT_MILLIS, TaskRequest, TaskState,
    TaskStatus, VoteFailed, Wait, What, Why,
};
pub use finding::Finding;
pub use id::ApprovalId;
pub use state::State;
pub use vote::{Missing, Person, Verdict, Vote, VoteRefused};
