//! What the benches work on: the same messages, tokens and policies for the hot functions and for whole exchanges,
//! natively and in WebAssembly.
#![forbid(unsafe_code)]
#![allow(
    clippy::expect_used,
    reason = "support for benches: what is wrong here must end the run at once"
)]

pub mod hot;
pub mod medians;
pub mod messages;
pub mod policies;
pub mod tokens;
