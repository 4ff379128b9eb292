//! The real filter on the simulated host.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

mod audit;
mod bodies;
mod bound;
mod chaos;
mod detection;
mod holds;
mod lifecycle;
mod lists;
mod orders;
mod push;
mod setup;
mod shadow;
mod storm;
