//! The console over HTTP, with approvals in memory and an identity provider in the test.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    reason = "a test fails by panicking"
)]

mod api;
mod doors;
mod fleet;
mod hostile;
mod pages;
mod support;
