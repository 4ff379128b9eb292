//! A stage for the browser: the real `gatehold serve`, a real OpenID provider, and a filter that lets calls wait.
//!
//! What the browser's script wants to happen behind the scenes it asks for over HTTP, see [`stage`].
#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says what it saw"
)]

pub mod filter;
pub mod stage;
