//! `gatehold check`.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::anyhow;
use clap::Args;
use gatehold_documents::{Documents, Summary, load};

use crate::directory::{self, Files};
use crate::keys::Held;
use crate::resources::Encoder;

/// What to check.
#[derive(Debug, Args)]
pub struct Options {
    /// Directory of the documents (`*.yaml`, `*.yml`).
    #[arg(value_name = "DIR")]
    pub directory: PathBuf,
}

/// Checks the documents as `serve` does, and prints what they come to. Changes nothing.
///
/// # Errors
/// All problems, each with file, line and what to do.
pub fn check(options: &Options, out: &mut impl Write) -> anyhow::Result<()> {
    let Options { directory } = options;
    let documents = load_directory(directory)?;
    write!(out, "{}", Summary(&documents))?;
    Ok(())
}

/// Loads documents as `serve` does.
///
/// # Errors
/// All problems, each with file, line and what to do.
pub fn load_directory(directory: &Path) -> anyhow::Result<Documents> {
    load_files(&directory::read(directory, &directory::look(directory)?)?)
}

/// Loads documents that were read.
///
/// # Errors
/// As [`load_directory`].
pub fn load_files(files: &Files) -> anyhow::Result<Documents> {
    let documents =
        load(files).map_err(|problems| anyhow!("the documents are refused\n{problems}"))?;
    let mut encoder = Encoder::default();
    encoder.resources(&documents, &[], |_| Held::NotYet)?;
    let rollout = encoder.rollout(&documents);
    rollout.map_err(|problems| anyhow!("the documents are refused\n{problems}"))?;
    Ok(documents)
}
