//! The console: where people sign in, see the calls that wait for them, and decide; pages for browsers and an HTTP
//! API for programs.
//!
//! [`Console`] is wired with four things: the approvals (a [`gatehold_desk::Desk`]), the [`Fleet`], a `watch` channel with what the
//! documents say now ([`ConsoleConfig`], made of the Console document, its issuer and the issuer's keys as they were
//! fetched last; `None` while no Console document is in force), and a token that ends its streams. [`serve`] then
//! answers on a listener of its own.
//!
//! No page trusts what it shows: every value in every template goes through [`text::Page`].
#![forbid(unsafe_code)]

pub mod api;
mod approvals;
mod config;
mod console;
mod fleet;
mod pages;
mod router;
pub mod sign_in;
pub mod text;
pub mod view;

pub use approvals::Approvals;
pub use config::ConsoleConfig;
pub use console::{Console, ConsoleError};
pub use fleet::Fleet;
pub use router::{router, serve};
