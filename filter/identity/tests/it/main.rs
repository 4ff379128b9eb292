//! The public API, from outside. One binary, since linking is what takes time.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests may panic"
)]

mod binding;
mod foreign;
mod keys;
mod mapping;
mod memory;
mod support;
mod tokens;
