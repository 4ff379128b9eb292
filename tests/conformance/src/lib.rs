//! The official MCP conformance suite against a reference server, directly and through the filter: the filter must be
//! invisible, so every check of every scenario must end alike.
//!
//! ```no_run
//! # async fn example() -> Result<(), gatehold_conformance::ConformanceError> {
//! use gatehold_conformance::{Edition, Suite, compare};
//! # let (tools, folder) = (gatehold_harness::Tools::find()?, std::path::Path::new("results"));
//! let suite = Suite::find(&tools)?;
//! let direct = suite.run("http://127.0.0.1:1234/mcp", Edition::Modern, &folder.join("direct")).await?;
//! let through = suite.run("http://127.0.0.1:10000/crm/mcp", Edition::Modern, &folder.join("through")).await?;
//! assert!(compare(&direct, &through).iter().all(|row| row.differences.is_empty()));
//! # Ok(()) }
//! ```

mod compare;
mod reference;
mod report;
mod results;
mod suite;

pub use compare::{Counts, Row, compare};
pub use reference::Reference;
pub use report::{json, markdown, table, totals};
pub use results::{Check, Scenario, Status, read_results};
pub use suite::{Edition, Suite};

use gatehold_harness::HarnessError;

/// What can go wrong around the suite. A check that fails is a result, not an error.
#[derive(Debug, thiserror::Error)]
pub enum ConformanceError {
    /// A program could not be started or spoken to.
    #[error(transparent)]
    Harness(#[from] HarnessError),
    /// A file of the suite's results cannot be read, or a report not written.
    #[error("could not {doing}: {source}")]
    Io {
        /// What was tried.
        doing: String,
        /// The reason.
        source: std::io::Error,
    },
    /// The suite did something else than agreed.
    #[error("{0}")]
    Unexpected(String),
}

impl ConformanceError {
    pub(crate) fn io(doing: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let doing = doing.into();
        move |source| Self::Io { doing, source }
    }
}
