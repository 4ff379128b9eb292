//! The real binary, and a client of its push service.
#![allow(dead_code, reason = "not every test file uses all of it")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use gatehold_proto::audit::AuditClient;
use gatehold_proto::discovery::AggregatedDiscoveryServiceClient;
use gatehold_wire::discovery::{DeltaDiscoveryRequest, DeltaDiscoveryResponse, Node};
use gatehold_wire::{ISSUER_TYPE_URL, SERVER_TYPE_URL};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;
use tonic::transport::Channel;

pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_gatehold");

/// Looks again and again until there is something, or the patience ends.
pub(crate) async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < end, "waited too long for {what}");
        sleep(Duration::from_millis(5)).await;
    }
}

/// A folder with documents and everything else that `serve` needs.
pub(crate) struct Folder(TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        let folder = Self(tempfile::tempdir().expect("a folder"));
        fs::create_dir(folder.config()).expect("made");
        folder
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.path("config")
    }

    /// In one step: a half-written file may be valid.
    pub(crate) fn write(&self, name: &str, text: &str) {
        let unfinished = self.path("unfinished");
        fs::write(&unfinished, text).expect("written");
        fs::rename(unfinished, self.config().join(name)).expect("moved");
    }
}

/// A running `gatehold serve`.
pub(crate) struct Serving {
    child: Child,
    log: Arc<Mutex<String>>,
    pub(crate) grpc: String,
    pub(crate) http: String,
    pub(crate) console: String,
}

impl Serving {
    pub(crate) async fn start(folder: &Folder, config: &Path) -> Self {
        let ports = folder.path("ports.json");
        let _ = fs::remove_file(&ports);
        let mut child = Command::new(BINARY)
            .args([
                "serve",
                "--grpc",
                "127.0.0.1:0",
                "--http",
                "127.0.0.1:0",
                "--console",
                "127.0.0.1:0",
                "--config",
            ])
            .arg(config)
            .arg("--data")
            .arg(folder.path("audit.db"))
            .arg("--ports-file")
            .arg(&ports)
            .env_remove("RUST_LOG")
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("started");
        let log = Arc::new(Mutex::new(String::new()));
        let mut lines = BufReader::new(child.stderr.take().expect("piped")).lines();
        let sink = log.clone();
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                let mut log = sink.lock().expect("whole");
                log.push_str(&line);
                log.push('\n');
            }
        });
        let ports = until("the ports", async || fs::read_to_string(&ports).ok()).await;
        let ports: serde_json::Value = serde_json::from_str(&ports).expect("JSON");
        let address = |name: &str| ports[name].as_str().expect("an address").to_owned();
        Self {
            child,
            log,
            grpc: address("grpc"),
            http: address("http"),
            console: address("console"),
        }
    }

    pub(crate) fn log(&self) -> String {
        self.log.lock().expect("whole").clone()
    }

    /// Waits until the log holds a line with this.
    pub(crate) async fn logged(&self, part: &str) -> String {
        let line = async || {
            let log = self.log();
            log.lines()
                .find(|line| line.contains(part))
                .map(str::to_owned)
        };
        until(&format!("`{part}` in the log"), line).await
    }

    pub(crate) async fn channel(&self) -> Channel {
        Channel::from_shared(format!("http://{}", self.grpc))
            .expect("a URL")
            .connect()
            .await
            .expect("connects")
    }

    pub(crate) async fn audit(&self) -> AuditClient<Channel> {
        AuditClient::new(self.channel().await)
    }

    /// Status and the rest of the answer to a GET.
    pub(crate) async fn get(&self, path: &str) -> (u16, String) {
        let request = format!("GET {path} HTTP/1.1\r\nhost: control\r\nconnection: close\r\n\r\n");
        Self::ask(&self.http, &request).await
    }

    /// Status and the rest of the answer of that address to a request.
    pub(crate) async fn ask(address: &str, request: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(address).await.expect("connects");
        stream.write_all(request.as_bytes()).await.expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("text");
        let status = answer
            .split(' ')
            .nth(1)
            .expect("a status")
            .parse()
            .expect("a number");
        (status, answer)
    }

    /// Ends it as a power cut does.
    pub(crate) async fn kill(mut self) {
        self.child.kill().await.expect("killed");
    }

    /// Ends it as an orchestrator does, and gives its exit code.
    pub(crate) async fn stop(mut self) -> Option<i32> {
        let id = self.child.id().expect("running").to_string();
        let sent = Command::new("kill")
            .args(["-TERM", &id])
            .status()
            .await
            .expect("kill");
        assert!(sent.success());
        timeout(PATIENCE, self.child.wait())
            .await
            .expect("ends in time")
            .expect("ended")
            .code()
    }
}

/// A filter, as far as pushes go.
pub(crate) struct Filter {
    requests: mpsc::Sender<DeltaDiscoveryRequest>,
    pub(crate) responses: Streaming<DeltaDiscoveryResponse>,
    /// Type URL, name, version of what it holds.
    pub(crate) held: Vec<(String, String, String)>,
}

impl Filter {
    pub(crate) async fn connect(serving: &Serving, held: &[(String, String, String)]) -> Self {
        Self::subscribe(serving, &[ISSUER_TYPE_URL, SERVER_TYPE_URL], held).await
    }

    /// Asks for these types only.
    pub(crate) async fn subscribe(
        serving: &Serving,
        types: &[&str],
        held: &[(String, String, String)],
    ) -> Self {
        let (requests, receiver) = mpsc::channel(8);
        for type_url in types {
            let held = held.iter().filter(|(held, _, _)| held == type_url);
            let hello = DeltaDiscoveryRequest {
                node: Some(Node {
                    id: "envoy-1".to_owned(),
                    ..Default::default()
                }),
                type_url: (*type_url).to_owned(),
                resource_names_subscribe: vec!["*".to_owned()],
                initial_resource_versions: held
                    .map(|(_, name, version)| (name.clone(), version.clone()))
                    .collect(),
                ..Default::default()
            };
            requests.send(hello).await.expect("open");
        }
        let mut client = AggregatedDiscoveryServiceClient::new(serving.channel().await);
        let responses = client
            .delta_aggregated_resources(ReceiverStream::new(receiver))
            .await
            .expect("a stream")
            .into_inner();
        Self {
            requests,
            responses,
            held: held.to_vec(),
        }
    }

    /// Takes the next response and acknowledges it.
    pub(crate) async fn take(&mut self) -> DeltaDiscoveryResponse {
        let message = timeout(PATIENCE, self.responses.message())
            .await
            .expect("in time");
        let response = message.expect("no error").expect("a response");
        for resource in &response.resources {
            self.held
                .retain(|(held, name, _)| (held, name) != (&response.type_url, &resource.name));
            let (name, version) = (resource.name.clone(), resource.version.clone());
            self.held.push((response.type_url.clone(), name, version));
        }
        let answer = DeltaDiscoveryRequest {
            type_url: response.type_url.clone(),
            response_nonce: response.nonce.clone(),
            ..Default::default()
        };
        self.requests.send(answer).await.expect("open");
        response
    }

    /// The next response in short: names of what came, and of what went with a `-`.
    pub(crate) async fn names(&mut self) -> Vec<String> {
        let response = self.take().await;
        let came = response
            .resources
            .iter()
            .map(|resource| resource.name.clone());
        came.chain(
            response
                .removed_resources
                .iter()
                .map(|name| format!("-{name}")),
        )
        .collect()
    }
}
