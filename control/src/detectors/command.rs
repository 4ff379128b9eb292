//! `gatehold detectors`.

use std::fs;
use std::io::{self, Read as _, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use gatehold_mcp::canonical_text;
use sha2::{Digest as _, Sha256};

use super::in_force;
use crate::check::load_directory;
use crate::hex::hex;

/// What can be done with detectors.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Write the pack that this release looks with into a file, so that another one can try it, or go on using it.
    Build(Build),
    /// Print the digest of a text, as `allow` in a Detectors document takes it.
    Digest(Digest),
}

/// What to build.
#[derive(Debug, Args)]
pub struct Build {
    /// The file to write; one that is there is replaced.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Directory of documents: with their rules and patterns, to look at what filters have. A Detectors document
    /// that takes the pack puts its own rules in their place.
    #[arg(long, value_name = "DIR")]
    pub config: Option<PathBuf>,
}

/// What to digest.
#[derive(Debug, Args)]
pub struct Digest {
    /// The file, or `-` for standard input. A line end at its end is not part of the text.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// It is the definition of a tool, a JSON object: its digest does not depend on how it is written.
    #[arg(long)]
    pub definition: bool,
}

/// Does what the command says.
///
/// # Errors
/// When a file cannot be read or written, or holds something else.
pub fn detectors(command: &Command, out: &mut impl Write) -> anyhow::Result<()> {
    match command {
        Command::Build(build) => self::build(build, out),
        Command::Digest(Digest { file, definition }) => {
            let text = read(file)?;
            writeln!(out, "{}", digest(&text, *definition)?)?;
            Ok(())
        }
    }
}

fn build(Build { file, config }: &Build, out: &mut impl Write) -> anyhow::Result<()> {
    let documents = config.as_deref().map(load_directory).transpose()?;
    let document = documents.as_ref().and_then(|it| it.detectors.as_deref());
    let pack = in_force(document)?;
    let bytes = pack.to_bytes();
    fs::write(file, &bytes).with_context(|| format!("cannot write `{}`", file.display()))?;
    let (name, length) = (&pack.name, bytes.len());
    writeln!(out, "{}: pack `{name}`, {length} bytes", file.display())?;
    Ok(())
}

fn read(file: &Path) -> anyhow::Result<String> {
    let mut text = String::new();
    let read = match file.as_os_str() == "-" {
        true => io::stdin().read_to_string(&mut text).map(|_| ()),
        false => fs::read_to_string(file).map(|read| text = read),
    };
    read.with_context(|| format!("cannot read `{}` as UTF-8 text", file.display()))?;
    Ok(text)
}

/// `sha256:…` of a text as it reads without escapes, or of a definition.
fn digest(text: &str, is_definition: bool) -> anyhow::Result<String> {
    let text = text.strip_suffix('\n').unwrap_or(text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    let canonical = match is_definition {
        false => None,
        true => match canonical_text(text) {
            Some(canonical) if canonical.starts_with('{') => Some(canonical),
            _ => bail!("this is no definition: give the JSON object of one tool"),
        },
    };
    let text = canonical.as_deref().unwrap_or(text);
    let digest = hex(&Sha256::digest(text.as_bytes()));
    Ok(format!("sha256:{digest}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests() {
        let check = |text: &str, is_definition: bool, expected: &str| {
            let digest = digest(text, is_definition).map_err(|error| error.to_string());
            let expected = format!("sha256:{expected}");
            assert_eq!(digest.as_deref(), Ok(&*expected), "{text}");
        };
        // printf 'ignore this' | sha256sum
        let plain = "7a1aa9807fa2f5dc078a562d6da7a5ad7518b8d773743b5d97c05672b87e3494";
        for text in ["ignore this", "ignore this\n", "ignore this\r\n"] {
            check(text, false, plain);
        }
        // printf '{"description":"x","name":"get"}' | sha256sum
        let definition = "3700fef23a2c70ff5e8dc30013bb972be53a588fb685b1eb772d20bacc488447";
        for text in [
            r#"{"description":"x","name":"get"}"#,
            "{ \"name\": \"get\",\n \"description\": \"\\u0078\" }\n",
        ] {
            check(text, true, definition);
        }
        for text in ["", "[]", "\"x\"", "{"] {
            assert!(digest(text, true).is_err(), "{text}");
        }
    }
}
