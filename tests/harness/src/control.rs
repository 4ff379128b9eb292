//! Control: the real `gatehold serve` on a folder of documents.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::certificates::Certificates;
use crate::error::HarnessError;
use crate::http::{Call, Reply};
use crate::place::Place;
use crate::process::{Process, command};
use crate::tools::Tools;

/// A running control. It keeps its ports and its audit file over a restart.
#[derive(Debug)]
pub struct Control {
    process: Process,
    place: Place,
    program: PathBuf,
    folder: PathBuf,
    ports: Ports,
    certificates: Option<Certificates>,
}

/// Where control listens on this machine; 0 lets it choose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ports {
    /// The push, audit and hold services.
    pub grpc: u16,
    /// Health, readiness and metrics.
    pub http: u16,
    /// The console and its API.
    pub console: u16,
}

impl Control {
    /// Starts it on `<folder>/documents`, with its store beside them. Port 0 lets it choose.
    ///
    /// # Errors
    /// When it ends early or does not say its ports in time.
    pub async fn start(
        tools: &Tools,
        folder: &Path,
        grpc: u16,
        http: u16,
    ) -> Result<Self, HarnessError> {
        let ports = Ports {
            grpc,
            http,
            console: 0,
        };
        Self::start_in(&Place::Processes, tools, folder, ports).await
    }

    /// As [`Control::start`], where `place` says.
    ///
    /// # Errors
    /// As [`Control::start`].
    pub async fn start_in(
        place: &Place,
        tools: &Tools,
        folder: &Path,
        ports: Ports,
    ) -> Result<Self, HarnessError> {
        Self::start_with(place, tools, folder, ports, None).await
    }

    /// As [`Control::start_in`], with these on the port for filters.
    ///
    /// # Errors
    /// As [`Control::start`].
    pub async fn start_with(
        place: &Place,
        tools: &Tools,
        folder: &Path,
        ports: Ports,
        certificates: Option<&Certificates>,
    ) -> Result<Self, HarnessError> {
        let (process, ports) = launch(place, &tools.gatehold, folder, ports, certificates).await?;
        Ok(Self {
            certificates: certificates.cloned(),
            process,
            place: place.clone(),
            program: tools.gatehold.clone(),
            folder: folder.to_path_buf(),
            ports,
        })
    }

    /// Port of the push, audit and hold services.
    #[must_use]
    pub fn grpc_port(&self) -> u16 {
        self.ports.grpc
    }

    /// Port of health, readiness and metrics.
    #[must_use]
    pub fn http_port(&self) -> u16 {
        self.ports.http
    }

    /// Port of the console and its API.
    #[must_use]
    pub fn console_port(&self) -> u16 {
        self.ports.console
    }

    /// Its process id, while it runs.
    #[must_use]
    pub fn id(&self) -> Option<u32> {
        self.process.id()
    }

    /// GET of its HTTP surface.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn get(&self, path: &str) -> Result<Reply, HarnessError> {
        Call::get(path).send(self.http_port()).await
    }

    /// The sum of a Prometheus metric over the lines whose labels contain `labels`; 0 if there is none.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn metric(&self, name: &str, labels: &str) -> Result<f64, HarnessError> {
        let text = self.get("/metrics").await?.text();
        let value = |line: &str| {
            let rest = line.strip_prefix(name)?;
            let (found, value) = rest.rsplit_once(' ')?;
            let exact = found.is_empty() || found.starts_with('{');
            (exact && found.contains(labels)).then(|| value.parse::<f64>().ok())?
        };
        Ok(text.lines().filter_map(value).sum())
    }

    /// Everything it has printed, over all of its lives.
    #[must_use]
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// Kills it without a word, as a crash does.
    ///
    /// # Errors
    /// When the system refuses.
    pub async fn kill(&mut self) -> Result<(), HarnessError> {
        self.process.kill().await
    }

    /// Ends it gracefully.
    ///
    /// # Errors
    /// When it does not end in time, or with a failure.
    pub async fn stop(&mut self) -> Result<(), HarnessError> {
        let status = self.process.terminate().await?;
        if status.success() {
            return Ok(());
        }
        Err(HarnessError::Exited {
            name: "control".to_owned(),
            status: status.to_string(),
            log: self.process.tail(),
        })
    }

    /// Starts it again on the same ports, store and documents.
    ///
    /// # Errors
    /// As [`Control::start`].
    pub async fn restart(&mut self) -> Result<(), HarnessError> {
        let (place, program) = (&self.place, &self.program);
        let certificates = self.certificates.as_ref();
        self.process = launch(place, program, &self.folder, self.ports, certificates)
            .await?
            .0;
        Ok(())
    }

    /// The audit events on disk, by `gatehold audit export`.
    ///
    /// # Errors
    /// When the export fails or prints something else than JSON Lines.
    pub async fn audit(&self) -> Result<Vec<Value>, HarnessError> {
        let text = self.of_data(&["audit", "export"]).await?;
        let parse = |line| {
            serde_json::from_str(line)
                .map_err(|error| HarnessError::Unexpected(format!("{error}: {line}")))
        };
        text.lines().map(parse).collect()
    }

    /// What a command of `gatehold` that reads the audit file prints, such as `["report", "--server", "crm"]`.
    ///
    /// # Errors
    /// When it fails, with what it says.
    pub async fn of_data(&self, words: &[&str]) -> Result<String, HarnessError> {
        let mut run = command(&self.program, words);
        run.arg("--data").arg(data(&self.folder));
        let output = run
            .output()
            .await
            .map_err(HarnessError::io("run gatehold"))?;
        if !output.status.success() {
            let errors = String::from_utf8_lossy(&output.stderr);
            return Err(HarnessError::Unexpected(format!(
                "gatehold {} failed: {errors}",
                words.join(" ")
            )));
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    pub(crate) fn tail(&self) -> String {
        self.process.tail()
    }
}

fn data(folder: &Path) -> PathBuf {
    folder.join("gatehold.db")
}

async fn launch(
    place: &Place,
    program: &Path,
    folder: &Path,
    wanted: Ports,
    certificates: Option<&Certificates>,
) -> Result<(Process, Ports), HarnessError> {
    let ports = folder.join("control-ports.json");
    let _ = std::fs::remove_file(&ports);
    let mut start = command(program, ["serve"]);
    start.arg("--config").arg(folder.join("documents"));
    for (option, port) in [
        ("--grpc", wanted.grpc),
        ("--http", wanted.http),
        ("--console", wanted.console),
    ] {
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        start.args([option, &address.to_string()]);
    }
    start
        .arg("--data")
        .arg(data(folder))
        .arg("--ports-file")
        .arg(&ports);
    if let Some(certificates) = certificates {
        start
            .arg("--grpc-cert")
            .arg(certificates.certificate("control"));
        start.arg("--grpc-key").arg(certificates.key("control"));
        start.arg("--grpc-client-ca").arg(certificates.authority());
    }
    let mut process = Process::start_in(place, "control", folder, start).await?;
    let ports = process
        .ready(async |_| {
            let text = std::fs::read_to_string(&ports).map_err(|error| error.to_string())?;
            let said: Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
            let port = |name: &str| {
                let text = said.get(name).and_then(Value::as_str).unwrap_or_default();
                let address = text.parse::<SocketAddr>();
                address
                    .map(|address| address.port())
                    .map_err(|_| format!("its ports file says {said}"))
            };
            Ok(Ports {
                grpc: port("grpc")?,
                http: port("http")?,
                console: port("console")?,
            })
        })
        .await?;
    Ok((process, ports))
}
