//! The library as `gatehold report` and `gatehold suggest` use it.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod beside;
mod plan;
mod report;
mod support;
