//! What shadow mode saw, read from audit events: a report of what would have been refused for whom, and the least
//! policy that would have allowed what was seen.
//!
//! Pure: lines of events go in, texts come out.
#![forbid(unsafe_code)]

mod existing;
mod need;
mod observation;
mod plan;
mod report;
mod table;
mod text;
mod write;

pub use existing::Existing;
pub use need::{Kind, Need, Skipped};
pub use observation::{BadLine, Observation};
pub use plan::{By, Clause, Grant, Plan, Planner, Policy, Subject};
pub use report::{Group, Report, ServerReport};
