//! The desk: one task that owns all approvals and writes them down before it says anything of them.
//!
//! [`Desk`] is the handle that everybody has: the console and the command line list and vote, the hold service
//! connects filters, and whoever has to tell people follows [`Desk::changes`].
//!
//! Everything that happens goes to the task as a command; it applies those that have come to a
//! [`Book`](gatehold_approvals::Book), writes down what follows from all of them in one transaction, and only then
//! answers. What could not be written did not happen: the book is read anew, and filters connect anew.
#![forbid(unsafe_code)]

mod actor;
mod audit;
mod connection;
mod error;
mod handle;
mod observer;
mod reason;
mod settings;
mod wire;

pub use connection::Connection;
pub use error::{DeskError, VoteError};
pub use gatehold_store::{ApprovalFilter as Filter, Earlier, ToolDefinition as Definition};
pub use handle::{Changed, Desk};
pub use observer::{Nobody, Observer};
pub use settings::Settings;
