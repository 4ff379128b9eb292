//! Detection: what is looked for, and what a server's owner wants done about what is seen.
//!
//! [`Detectors`] looks and knows nothing of servers; [`Detection`] says what is to be done. What is seen in one
//! exchange is collected in [`Observed`]; what has to be known in other exchanges, and by other workers, is kept
//! in Envoy's shared data ([`taint`], [`withheld`]).

mod actions;
mod allowed;
mod detectors;
mod envelope;
mod observed;
mod redaction;
mod strings;
pub mod taint;
mod verdicts;
pub mod withheld;

pub use actions::{Action, Actions, Detection};
pub use detectors::{Detectors, DetectorsError, Seen};
pub use envelope::veiled;
pub use observed::Observed;
pub use redaction::{MARK, Unwanted};
pub use strings::ends;
pub use verdicts::Verdicts;
