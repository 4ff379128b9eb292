//! Detection in text that a model will read: instructions hidden in data, poisoned tool definitions, secrets.
//!
//! A [`Pack`] holds everything that is looked for, compiled by control and loaded here without compiling.
//! A [`Scan`] reads one message, in one piece or many, and ends in a [`Verdict`]: a score, what it was made
//! of with byte spans of the original, and the secrets that it met.
//!
//! Every function is total: any input gives an answer, in time linear in its size and with memory that does
//! not depend on it.
#![forbid(unsafe_code)]

mod kind;
mod pack;
mod redact;
mod scan;
mod verdict;

pub use kind::Kind;
pub use pack::{Pack, PackError};
pub use redact::redact;
pub use scan::{Context, Scan, scan};
pub use verdict::{Finding, MAX_FINDINGS, Secret, Verdict};
