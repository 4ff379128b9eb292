//! What the command line chooses.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::bail;
use clap::Parser;

use crate::cases::{CASES, Case};
use crate::variant::Variant;

/// Measures what Envoy costs per request with and without the filter, side by side.
#[derive(Debug, Parser)]
pub struct Options {
    /// The filter that is measured; what `make wasm` built if absent.
    #[arg(long)]
    pub wasm: Option<PathBuf>,
    /// The module that does nothing; what `make bench` built if absent.
    #[arg(long)]
    pub empty: Option<PathBuf>,
    /// Only this case (may be repeated).
    #[arg(long)]
    pub case: Vec<String>,
    /// Only this variant beside passing through (may be repeated).
    #[arg(long)]
    pub variant: Vec<String>,
    /// Rounds; the figures are medians over them. 5 if absent, 2 with --quick.
    #[arg(long)]
    pub rounds: Option<usize>,
    /// Few and short rounds: for a first look, not for figures to quote.
    #[arg(long)]
    pub quick: bool,
    /// Leaves out how long starts take and what further workers cost.
    #[arg(long)]
    pub no_starts: bool,
    /// Measures other gateways too, from the folder where peers.sh has put them.
    #[arg(long, value_name = "FOLDER")]
    pub peers: Option<PathBuf>,
    /// Where results go: the folder of envoy.md, envoy.json and envoy.svg; target/bench if absent.
    #[arg(long)]
    pub out: Option<PathBuf>,
    /// Writes configurations and logs into this folder, and keeps them.
    #[arg(long)]
    pub logs: Option<PathBuf>,
}

/// How long each part of a run takes.
#[derive(Clone, Copy, Debug)]
pub struct Lengths {
    /// Rounds.
    pub rounds: usize,
    /// The closed loop before the rounds, which warms up and finds the rate.
    pub warm_up: Duration,
    /// A closed loop.
    pub closed: Duration,
    /// An open loop.
    pub open: Duration,
    /// An open loop of the case that the goals are about.
    pub open_main: Duration,
    /// Starts of each variant.
    pub starts: usize,
}

impl Options {
    /// How long it all takes.
    #[must_use]
    pub fn lengths(&self) -> Lengths {
        let milliseconds = Duration::from_millis;
        let lengths = match self.quick {
            true => Lengths {
                rounds: 2,
                warm_up: milliseconds(120),
                closed: milliseconds(200),
                open: milliseconds(250),
                open_main: milliseconds(500),
                starts: 1,
            },
            false => Lengths {
                rounds: 5,
                warm_up: milliseconds(300),
                closed: milliseconds(600),
                open: milliseconds(800),
                open_main: milliseconds(3000),
                starts: 5,
            },
        };
        Lengths {
            rounds: self.rounds.unwrap_or(lengths.rounds).max(1),
            ..lengths
        }
    }

    /// The cases.
    ///
    /// # Errors
    /// When one of the names is none.
    pub fn cases(&self) -> anyhow::Result<Vec<Case>> {
        chosen(&self.case, CASES, |case| case.name, Case::of)
    }

    /// The variants, passing through first.
    ///
    /// # Errors
    /// When one of the names is none.
    pub fn variants(&self) -> anyhow::Result<Vec<Variant>> {
        let mut variants = chosen(
            &self.variant,
            &Variant::ALL,
            |variant| variant.name(),
            Variant::of,
        )?;
        if !variants.contains(&Variant::Passthrough) {
            variants.insert(0, Variant::Passthrough);
        }
        Ok(variants)
    }
}

/// Those that are named, or all.
fn chosen<T: Copy>(
    names: &[String],
    all: &[T],
    name: impl Fn(&T) -> &'static str,
    of: impl Fn(&str) -> Option<T>,
) -> anyhow::Result<Vec<T>> {
    if names.is_empty() {
        return Ok(all.to_vec());
    }
    let find = |wanted: &String| match of(wanted) {
        Some(found) => Ok(found),
        None => bail!(
            "there is no `{wanted}`; choose from {}",
            all.iter().map(&name).collect::<Vec<_>>().join(", ")
        ),
    };
    names.iter().map(find).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> Options {
        Options::parse_from(std::iter::once(&"bench").chain(arguments))
    }

    #[test]
    fn names_are_chosen_and_checked() {
        let options = parse(&[
            "--case",
            "call-2k",
            "--case",
            "list-10",
            "--variant",
            "all",
            "--quick",
        ]);
        let cases: Vec<_> = options
            .cases()
            .unwrap()
            .iter()
            .map(|case| case.name)
            .collect();
        assert_eq!(cases, ["call-2k", "list-10"]);
        assert_eq!(
            options.variants().unwrap(),
            [Variant::Passthrough, Variant::All]
        );
        assert_eq!(options.lengths().rounds, 2);
        assert_eq!(parse(&["--quick", "--rounds", "7"]).lengths().rounds, 7);
        assert_eq!(parse(&[]).cases().unwrap().len(), CASES.len());
        let error = parse(&["--variant", "x"])
            .variants()
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("`x`") && error.contains("envoy-native"),
            "{error}"
        );
    }
}
