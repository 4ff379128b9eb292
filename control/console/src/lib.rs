//! The console: where people sign in, see the calls that wait for them, and decide.
#![forbid(unsafe_code)]

mod approvals;
mod config;
pub mod sign_in;
pub mod text;

pub use approvals::Approvals;
pub use config::ConsoleConfig;
