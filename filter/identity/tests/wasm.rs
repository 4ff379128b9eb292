//! The tokens of others once more, in WebAssembly: other integers, other code paths in the crypto.
#![cfg(target_arch = "wasm32")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests may panic"
)]

#[path = "it/foreign.rs"]
mod foreign;
