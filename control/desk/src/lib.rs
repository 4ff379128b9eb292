//! The desk: one task that owns all approvals and writes them down before it says anything of them.
//!
//! [`Desk`] is the handle that everybody has: the console and the command line list and vote, the hold service
//! connects filters, and whoever has to tell people follows [`Desk::changes`].
#![forbid(unsafe_code)]

mod error;
mod handle;
mod settings;

pub use error::{DeskError, VoteError};
pub use handle::{Changed, Connection, Definition, Desk, Earlier, Filter};
pub use settings::Settings;
