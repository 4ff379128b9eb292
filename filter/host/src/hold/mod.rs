//! Calls that wait for a person: what the worker keeps of them, and what it and control say to each other.

mod binding;
mod table;
mod tools;

pub use binding::{CallDigest, HeldRound, RoundState, call_digest};
pub use table::{CLIENT_GONE, Entry, Event, Holds, Leave, Pending, Place, Progress, hello, read};
pub use tools::KnownTools;

/// Bytes of canonical arguments that a person can be shown; a call with more cannot wait.
pub const MAX_ARGUMENTS: usize = 256 << 10;

/// How often a client is asked to come back before it is told that the call is pending. Stock clients take part in
/// ten rounds.
pub const MAX_ROUNDS: u32 = 10;
