//! The reference servers of `tests/peers/conformance`, on the official SDKs.

use std::path::Path;

use gatehold_harness::Tools;
use gatehold_harness::process::Process;
use serde_json::Value;
use tokio::process::Command;

use crate::ConformanceError;
use crate::suite::Edition;

/// A running reference server. Dropping it ends it.
#[derive(Debug)]
pub struct Reference {
    _process: Process,
    port: u16,
}

impl Reference {
    /// Starts the one for `edition`; its log is `<folder>/<name>.log`.
    ///
    /// # Errors
    /// When it ends early or does not listen in time.
    pub async fn start(
        tools: &Tools,
        edition: Edition,
        folder: &Path,
        name: &str,
    ) -> Result<Self, ConformanceError> {
        let script = match edition {
            Edition::Legacy => "conformance/legacy.mjs",
            Edition::Modern => "conformance/modern.mjs",
        };
        let mut command = Command::new(&tools.node);
        command.arg(tools.peer(script)?);
        let mut process = Process::start(name, folder, command)?;
        let said = process.announced().await?;
        let port = said.get("port").and_then(Value::as_u64);
        let port = port.and_then(|port| u16::try_from(port).ok());
        let port = port
            .ok_or_else(|| ConformanceError::Unexpected(format!("{name} says no port: {said}")))?;
        Ok(Self {
            _process: process,
            port,
        })
    }

    /// Its port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its endpoint.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/mcp", self.port)
    }
}
