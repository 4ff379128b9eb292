//! What must hold for any bytes, as functions over bytes.
//!
//! Each of [`targets::ALL`] panics on a finding. libFuzzer drives them (`make fuzz`), and `cargo test`
//! runs them over the corpora and everything that was ever found. The important one is
//! [`targets::differential`]: what the filter decides on is held against what other JSON parsers
//! ([`read`]) would have a server execute.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a finding is a panic"
)]

pub mod corpus;
pub mod mutate;
pub mod read;
pub mod targets;
