//! Running the suite as a user would.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use gatehold_harness::Tools;
use tokio::process::Command;

use crate::ConformanceError;
use crate::results::{Scenario, read_results};

/// How long all scenarios of an edition may take; a busy machine needs a minute.
const PATIENCE: Duration = Duration::from_secs(300);
/// How long the suite gives one scenario, in milliseconds.
const SCENARIO_MILLISECONDS: &str = "60000";

/// A revision of the protocol, with the scenarios that the suite requires of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edition {
    /// 2025-11-25.
    Legacy,
    /// 2026-07-28.
    Modern,
}

impl Edition {
    /// The revision's date, which is its name.
    #[must_use]
    pub fn date(self) -> &'static str {
        match self {
            Self::Legacy => "2025-11-25",
            Self::Modern => "2026-07-28",
        }
    }

    /// How many scenarios the suite's release has for it, so that a run of fewer is noticed.
    #[must_use]
    pub fn scenarios(self) -> usize {
        match self {
            Self::Legacy => 33,
            Self::Modern => 50,
        }
    }
}

/// The installed suite.
#[derive(Clone, Debug)]
pub struct Suite {
    node: PathBuf,
    script: PathBuf,
}

impl Suite {
    /// Finds it where set-up has put it.
    ///
    /// # Errors
    /// When it is not there; the text says how to install it.
    pub fn find(tools: &Tools) -> Result<Self, ConformanceError> {
        const HELP: &str = "run `tests/setup/setup.sh --conformance`";
        Ok(Self {
            node: tools.further("Node.js 22", "GATEHOLD_NODE22", HELP)?,
            script: tools.further("the conformance suite", "GATEHOLD_CONFORMANCE", HELP)?,
        })
    }

    /// Runs every scenario of `edition` against the server at `url`. Details go to `folder`, which must be new.
    ///
    /// # Errors
    /// When the suite cannot be run to its end, or ran other scenarios than expected. Failed checks are no error.
    pub async fn run(
        &self,
        url: &str,
        edition: Edition,
        folder: &Path,
    ) -> Result<Vec<Scenario>, ConformanceError> {
        let scenarios = self
            .start(url, folder, &["--requirements", edition.date()])
            .await?;
        if scenarios.len() == edition.scenarios() {
            return Ok(scenarios);
        }
        Err(ConformanceError::Unexpected(format!(
            "the suite ran {} scenarios of {}, not {}; correct the number if its release has changed",
            scenarios.len(),
            edition.date(),
            edition.scenarios()
        )))
    }

    /// Runs one scenario.
    ///
    /// # Errors
    /// As [`Suite::run`].
    pub async fn run_one(
        &self,
        url: &str,
        edition: Edition,
        scenario: &str,
        folder: &Path,
    ) -> Result<Vec<Scenario>, ConformanceError> {
        let chosen = [
            "--scenario",
            scenario,
            "--spec-version",
            edition.date(),
            "--force",
        ];
        self.start(url, folder, &chosen).await
    }

    async fn start(
        &self,
        url: &str,
        folder: &Path,
        chosen: &[&str],
    ) -> Result<Vec<Scenario>, ConformanceError> {
        let mut command = Command::new(&self.node);
        command.arg(&self.script).args(["server", "--url", url]);
        command
            .args(chosen)
            .args(["--timeout", SCENARIO_MILLISECONDS]);
        command.arg("-o").arg(folder);
        command.stdin(Stdio::null()).kill_on_drop(true);
        let output = tokio::time::timeout(PATIENCE, command.output()).await;
        let output = output.map_err(|_| {
            let seconds = PATIENCE.as_secs();
            ConformanceError::Unexpected(format!("the suite did not end within {seconds} s"))
        })?;
        let output = output.map_err(ConformanceError::io("start the suite"))?;
        // Its exit status says whether checks failed, which the results say better.
        read_results(folder).map_err(|error| {
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            ConformanceError::Unexpected(format!("{error}; the suite said: {said}"))
        })
    }
}
