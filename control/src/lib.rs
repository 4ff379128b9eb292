//! Control: what the `gatehold` command does.
//!
//! `serve` is wired together, top to bottom, in one function of [`serve`]. It has three sources (the
//! watched directory, the issuers' keys, the filters) and one state, [`in_force`], from which every change
//! is published as a new immutable snapshot.
#![forbid(unsafe_code)]

pub mod approvals;
pub mod audit_service;
pub mod check;
pub mod command_line;
pub mod console;
pub mod detectors;
pub mod directory;
pub mod explain;
pub mod export;
pub mod fleet;
mod hex;
pub mod hold_service;
pub mod in_force;
pub mod keys;
pub mod limits;
pub mod lock;
pub mod logging;
pub mod observer;
pub mod report;
pub mod resources;
pub mod risks;
pub mod rollout;
pub mod scan;
pub mod seen;
pub mod serve;
pub mod signals;
pub mod suggest;
pub mod tls;
pub mod verify;
pub mod watch;
pub mod webhooks;

pub use command_line::run;
