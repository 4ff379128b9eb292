//! The control that is measured: `gatehold serve` in a process of its own.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::Instant;

use crate::stages::InForce;

/// How long control may take until documents are in force, or resources counted.
const PATIENCE: Duration = Duration::from_secs(120);
/// How often it is asked meanwhile.
const POLL: Duration = Duration::from_millis(5);

/// A running control. Dropping it kills it.
#[derive(Debug)]
pub(crate) struct Control {
    program: PathBuf,
    folder: PathBuf,
    child: Child,
    grpc: SocketAddr,
    http: SocketAddr,
}

impl Control {
    /// Starts it on `<folder>/documents` and waits until they are in force.
    pub(crate) async fn start(program: &Path, folder: &Path) -> anyhow::Result<Self> {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let (child, grpc, http) = launch(program, folder, any, any).await?;
        let mut control = Self {
            program: program.to_path_buf(),
            folder: folder.to_path_buf(),
            child,
            grpc,
            http,
        };
        control.ready().await?;
        Ok(control)
    }

    /// Where filters connect.
    pub(crate) fn grpc(&self) -> SocketAddr {
        self.grpc
    }

    /// Its process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id().unwrap_or_default()
    }

    /// Kills it without a word, as a crash does.
    pub(crate) async fn kill(&mut self) -> anyhow::Result<()> {
        Ok(self.child.kill().await?)
    }

    /// Starts it again on the same ports and documents, and does not wait until these are in force.
    pub(crate) async fn restart(&mut self) -> anyhow::Result<()> {
        let launched = launch(&self.program, &self.folder, self.grpc, self.http).await?;
        self.child = launched.0;
        Ok(())
    }

    /// Waits until documents are in force.
    pub(crate) async fn ready(&mut self) -> anyhow::Result<()> {
        let end = Instant::now() + PATIENCE;
        while !self.get("/readyz").await?.starts_with("HTTP/1.1 200") {
            if Instant::now() > end || self.child.try_wait()?.is_some() {
                bail!("control is not ready:\n{}", tail(&self.log()));
            }
            tokio::time::sleep(POLL).await;
        }
        Ok(())
    }

    /// How many servers filters have acknowledged, over all streams.
    pub(crate) async fn acknowledged(&self) -> anyhow::Result<u64> {
        let metrics = self.get("/metrics").await?;
        Ok(count(&metrics, "gatehold_push_acks_total", "server"))
    }

    /// Waits until filters have acknowledged that many servers.
    pub(crate) async fn has_counted(&self, servers: u64) -> anyhow::Result<()> {
        let end = Instant::now() + PATIENCE;
        loop {
            let counted = self.acknowledged().await?;
            if counted >= servers {
                return Ok(());
            }
            if Instant::now() > end {
                bail!("control has counted {counted} acknowledgements of {servers}");
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// The last time that documents came into force, by the log, and how often they did.
    pub(crate) fn in_force(&self) -> (usize, Option<InForce>) {
        let log = self.log();
        let mut told = log.lines().filter_map(InForce::read);
        let first = told.next();
        let (rest, last) = told.fold((0, None), |(count, _), told| (count + 1, Some(told)));
        (rest + usize::from(first.is_some()), last.or(first))
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.join("control.log")).unwrap_or_default()
    }

    async fn get(&self, path: &str) -> anyhow::Result<String> {
        let mut stream = TcpStream::connect(self.http).await?;
        let request = format!("GET {path} HTTP/1.1\r\nhost: control\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok(answer)
    }
}

async fn launch(
    program: &Path,
    folder: &Path,
    grpc: SocketAddr,
    http: SocketAddr,
) -> anyhow::Result<(Child, SocketAddr, SocketAddr)> {
    let ports = folder.join("ports.json");
    let _ = fs::remove_file(&ports);
    let log = File::options()
        .create(true)
        .append(true)
        .open(folder.join("control.log"))?;
    let mut child = Command::new(program)
        .args(["serve", "--log-format", "json"])
        .args(["--grpc", &grpc.to_string(), "--http", &http.to_string()])
        .args(["--console", "127.0.0.1:0"])
        .arg("--config")
        .arg(folder.join("documents"))
        .arg("--data")
        .arg(folder.join("gatehold.db"))
        .arg("--ports-file")
        .arg(&ports)
        // What every filter says when it comes would be a line for each stream.
        .env("RUST_LOG", "warn,gatehold_control=info")
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("cannot start `{}`; build it first", program.display()))?;
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some((grpc, http)) = read_ports(&ports) {
            return Ok((child, grpc, http));
        }
        if Instant::now() > end || child.try_wait()?.is_some() {
            let log = fs::read_to_string(folder.join("control.log")).unwrap_or_default();
            bail!("control does not start:\n{}", tail(&log));
        }
        tokio::time::sleep(POLL).await;
    }
}

fn read_ports(file: &Path) -> Option<(SocketAddr, SocketAddr)> {
    let said: Value = serde_json::from_str(&fs::read_to_string(file).ok()?).ok()?;
    let address = |name: &str| said.get(name)?.as_str()?.parse().ok();
    Some((address("grpc")?, address("http")?))
}

/// The sum of a metric over the lines that name this resource.
fn count(metrics: &str, name: &str, resource: &str) -> u64 {
    let label = format!("resource=\"{resource}\"");
    let lines = metrics.lines().filter(|line| line.starts_with(name));
    let lines = lines.filter(|line| line.contains(&label));
    let values = lines.filter_map(|line| line.rsplit_once(' ')?.1.parse::<u64>().ok());
    values.sum()
}

fn tail(log: &str) -> String {
    let lines: Vec<&str> = log.lines().rev().take(20).collect();
    let lines: Vec<&str> = lines.into_iter().rev().collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_summed() {
        let metrics = "# x\na_total{resource=\"server\"} 3\na_total{resource=\"issuer\"} 4\n";
        assert_eq!(count(metrics, "a_total", "server"), 3);
        assert_eq!(count(metrics, "b_total", "server"), 0);
    }
}
