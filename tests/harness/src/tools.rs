//! Where the programs are: what set-up installed, and what the build made.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use crate::error::HarnessError;

/// Paths of every program that the harness starts. Nothing is searched on the `PATH`.
#[derive(Clone, Debug)]
pub struct Tools {
    /// The repository.
    pub root: PathBuf,
    /// Envoy.
    pub envoy: PathBuf,
    /// Node.js, 20 or newer.
    pub node: PathBuf,
    /// A Python with `mcp` 1.x.
    pub python_mcp1: PathBuf,
    /// A Python with `mcp` 2.x.
    pub python_mcp2: PathBuf,
    /// The control binary, `gatehold`.
    pub gatehold: PathBuf,
    /// The filter, as Envoy loads it.
    pub wasm: PathBuf,
    /// The filter with a trap door (`x-gatehold-trap`), where `make trap` puts it; it need not be there.
    pub trapping_wasm: PathBuf,
    /// Everything that set-up has listed, by name.
    installed: BTreeMap<String, String>,
}

const SETUP: &str = "run `make setup`";
const BUILD: &str = "run `make build`";

impl Tools {
    /// Finds them: `tests/setup/tools.env` (another file if `GATEHOLD_TOOLS` names one) says where set-up put things,
    /// each overridable by the variable of the same name in the environment; `GATEHOLD_BIN` and `GATEHOLD_WASM`
    /// override what the build made.
    ///
    /// # Errors
    /// [`HarnessError::Missing`] names the first thing that is not there.
    pub fn find() -> Result<Self, HarnessError> {
        Self::with_filter(None)
    }

    /// As [`Tools::find`], with this filter instead of what the build made, if one is named.
    ///
    /// # Errors
    /// As [`Tools::find`].
    pub fn with_filter(filter: Option<PathBuf>) -> Result<Self, HarnessError> {
        let root = root();
        let list = env::var_os("GATEHOLD_TOOLS")
            .map_or_else(|| root.join("tests/setup/tools.env"), PathBuf::from);
        let text = fs::read_to_string(&list).map_err(|_| HarnessError::Missing {
            what: "the list of installed tools",
            path: list.clone(),
            help: SETUP,
        })?;
        let installed = exports(&text);
        let tool = |what: &'static str, name: &str| {
            let path = env::var(name)
                .ok()
                .or_else(|| installed.get(name).cloned())
                .unwrap_or_default();
            present(what, PathBuf::from(path), SETUP)
        };
        let target = target(&root);
        Ok(Self {
            envoy: tool("Envoy", "GATEHOLD_ENVOY")?,
            node: tool("Node.js", "GATEHOLD_NODE")?,
            python_mcp1: tool("Python with mcp 1.x", "GATEHOLD_PYTHON_MCP1")?,
            python_mcp2: tool("Python with mcp 2.x", "GATEHOLD_PYTHON_MCP2")?,
            gatehold: built(
                "the control binary",
                "GATEHOLD_BIN",
                &[
                    target.join("debug/gatehold"),
                    target.join("release/gatehold"),
                ],
            )?,
            trapping_wasm: target.join("gatehold-trap.wasm"),
            wasm: match filter {
                Some(filter) => present("the filter", filter, "name another one")?,
                None => built(
                    "the filter",
                    "GATEHOLD_WASM",
                    &[
                        target.join("gatehold.wasm"),
                        target.join("wasm32-wasip1/release/gatehold_filter.wasm"),
                    ],
                )?,
            },
            root,
            installed,
        })
    }

    /// What a set-up that not everything needs has installed under `name`; `help` says how to run that set-up.
    ///
    /// # Errors
    /// [`HarnessError::Missing`] if it was not run.
    pub fn further(
        &self,
        what: &'static str,
        name: &str,
        help: &'static str,
    ) -> Result<PathBuf, HarnessError> {
        let path = self.installed.get(name).cloned().unwrap_or_default();
        present(what, PathBuf::from(path), help)
    }

    /// A script of `tests/peers`, whose npm packages have to be in place.
    ///
    /// # Errors
    /// [`HarnessError::Missing`] if the packages are not.
    pub fn peer(&self, script: &str) -> Result<PathBuf, HarnessError> {
        let peers = self.root.join("tests/peers");
        present("the npm packages", peers.join("node_modules"), SETUP)?;
        present("the script", peers.join(script), "restore the checkout")
    }
}

/// The repository this crate was built from.
fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_path_buf()
}

/// The target folder: of the environment, else the one that the running test lies in, else the usual one.
fn target(root: &Path) -> PathBuf {
    if let Some(named) = env::var_os("CARGO_TARGET_DIR") {
        // Cargo takes a relative one from its own working directory, the repository.
        return root.join(named);
    }
    let running = env::current_exe().unwrap_or_default();
    let profile = running
        .ancestors()
        .skip(1)
        .find(|folder| folder.ends_with("debug") || folder.ends_with("release"));
    profile
        .and_then(Path::parent)
        .map_or_else(|| root.join("target"), Path::to_path_buf)
}

/// Reads `export NAME='value'` lines; others are comments.
fn exports(text: &str) -> BTreeMap<String, String> {
    let entry = |line: &str| {
        let (name, value) = line.strip_prefix("export ")?.split_once('=')?;
        Some((name.to_owned(), value.trim().trim_matches('\'').to_owned()))
    };
    text.lines().filter_map(entry).collect()
}

fn present(what: &'static str, path: PathBuf, help: &'static str) -> Result<PathBuf, HarnessError> {
    if path.exists() {
        Ok(path)
    } else {
        Err(HarnessError::Missing { what, path, help })
    }
}

/// The newest of `candidates`, so that a stale build of another profile is not what gets tested.
fn built(
    what: &'static str,
    variable: &str,
    candidates: &[PathBuf],
) -> Result<PathBuf, HarnessError> {
    if let Some(named) = env::var_os(variable) {
        return present(
            what,
            PathBuf::from(named),
            "correct the variable that names it",
        );
    }
    let modified = |path: &&PathBuf| fs::metadata(path).and_then(|data| data.modified()).ok();
    let newest = candidates
        .iter()
        .filter(|path| path.exists())
        .max_by_key(modified);
    let first = candidates.first().cloned().unwrap_or_default();
    newest.cloned().ok_or(HarnessError::Missing {
        what,
        path: first,
        help: BUILD,
    })
}

#[cfg(test)]
mod tests {
    use super::exports;

    #[test]
    fn exported_lines_are_read_and_others_are_not() {
        let read = exports("# made by set-up\nexport A='/x y/z'\nB=1\nexport C=plain\n");
        let entries: Vec<_> = read
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        assert_eq!(entries, [("A", "/x y/z"), ("C", "plain")]);
    }
}
