//! What can go wrong.

use crate::verify::Broken;
use std::io;
use std::path::PathBuf;

/// Why the store could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file could not be made.
    #[error(
        "cannot create the audit store `{path}`: {source}; its directory must exist and be writable"
    )]
    Create {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file could not be opened as a database.
    #[error(
        "cannot open the audit store `{path}`: {source}; is it a file that `gatehold serve` made?"
    )]
    Open {
        /// The file.
        path: PathBuf,
        /// What the database said.
        source: sqlx::Error,
    },
    /// The tables could not be brought to this version's shape.
    #[error(
        "cannot prepare the tables of `{path}`: {source}; a newer version may have written this file"
    )]
    Migrate {
        /// The file.
        path: PathBuf,
        /// What the migration said.
        source: sqlx::migrate::MigrateError,
    },
    /// A statement failed. Nothing of the batch was stored; it may be sent again.
    #[error("the audit store failed: {0}; check the disk it is on")]
    Database(#[from] sqlx::Error),
    /// The writer of several batches failed for all of them. Nothing of the batch was stored.
    #[error("the audit store could not write: {0}; check the disk it is on")]
    Write(String),
    /// The system has no randomness to make a secret of.
    #[error("cannot make a secret: {0}; the system's random numbers are not available")]
    Random(getrandom::Error),
    /// A secret in the file is not one.
    #[error("the secret `{0}` in the store is damaged; remove its row, and sessions begin anew")]
    Secret(String),
    /// The writer has ended, because the store was closed.
    #[error("the audit store is closed; restart `gatehold serve`")]
    Closed,
}

/// Why the chain could not be verified.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The chain is not what was written.
    #[error(transparent)]
    Broken(#[from] Broken),
    /// The chain could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}
