//! What can go wrong while real programs are started and spoken to.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// Every error of the harness. A test fails with its text, so the text says what to do next.
#[derive(Debug, Error)]
pub enum HarnessError {
    /// A program or file that has to be there is not. Never a reason to skip a test.
    #[error("{what} is not at `{}`; {help}", path.display())]
    Missing {
        /// What it is: "the control binary".
        what: &'static str,
        /// Where it was looked for.
        path: PathBuf,
        /// What to do, as a clause: "run `make setup`".
        help: &'static str,
    },
    /// The operating system refused something.
    #[error("could not {doing}")]
    Io {
        /// What was tried: "start envoy".
        doing: String,
        /// The reason.
        source: io::Error,
    },
    /// A program ended although it should run.
    #[error("{name} ended early ({status}); its last lines:\n{log}")]
    Exited {
        /// The name that its log file carries.
        name: String,
        /// How it ended.
        status: String,
        /// The end of its log.
        log: String,
    },
    /// Something did not come true in time.
    #[error("not within {seconds:.1} s: {what}")]
    Deadline {
        /// What was waited for, with the last state that was seen.
        what: String,
        /// How long.
        seconds: f64,
    },
    /// An HTTP exchange broke off.
    #[error("http exchange failed: {0}")]
    Http(String),
    /// A program answered something else than agreed.
    #[error("{0}")]
    Unexpected(String),
}

impl HarnessError {
    /// Wraps an I/O error with what was tried.
    pub(crate) fn io(doing: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let doing = doing.into();
        move |source| Self::Io { doing, source }
    }
}
