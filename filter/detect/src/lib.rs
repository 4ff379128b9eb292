//! Detection in text that a model will read: instructions hidden in data, poisoned tool definitions, secrets.
//!
//! A [`Pack`] holds everything that is looked for, compiled by control and loaded here without compiling.
//! A [`Scan`] reads one message, in one piece or many, and ends in a [`Verdict`]: a score, what it was made
//! of with byte spans of the original, and the secrets that it met.
//!
//! Every function is total: any input gives an answer, in time linear in its size and with memory that does
//! not depend on it.
#![forbid(unsafe_code)]

mod again;
mod bytes;
pub mod flag;
mod fold;
mod follow;
mod hash;
mod kind;
mod lexicon;
mod matcher;
mod pack;
mod prune;
mod redact;
mod scan;
mod score;
mod secrets;
pub mod shape;
mod skim;
mod spare;
mod user;
mod verdict;
mod views;
mod words;

pub use fold::{Fold, FoldError, Folded};
pub use hash::Hash;
pub use kind::Kind;
pub use pack::{Feature, Pack, PackError, Parts, Step, Tag};
pub use redact::{merged, redact, sentence};
pub use scan::{Context, Scan, scan, trace};
pub use score::Fired;
pub use secrets::patterns;
pub use skim::MAX_SPAN;
pub use user::{Role, Rules, RulesParts};
pub use verdict::{Finding, MAX_FINDINGS, Secret, Verdict};
