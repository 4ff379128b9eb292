//! MCP servers and an OpenID provider that others wrote.

use std::net::Ipv4Addr;
use std::path::Path;

use serde_json::Value;
use tokio::net::TcpStream;

use crate::error::HarnessError;
use crate::http::Call;
use crate::place::Place;
use crate::ports;
use crate::process::{Process, command};
use crate::tools::Tools;

/// A Node program that says on which port it listens.
#[derive(Debug)]
struct Peer {
    process: Process,
    port: u16,
}

impl Peer {
    async fn start(
        place: &Place,
        tools: &Tools,
        folder: &Path,
        name: &str,
        script: &str,
        arguments: &[String],
    ) -> Result<Self, HarnessError> {
        let mut start = command(&tools.node, [tools.peer(script)?]);
        start.args(arguments);
        let mut process = Process::start_in(place, name, folder, start).await?;
        let said = process.announced().await?;
        let port = said
            .get("port")
            .and_then(Value::as_u64)
            .and_then(|port| u16::try_from(port).ok());
        let port =
            port.ok_or_else(|| HarnessError::Unexpected(format!("{name} says no port: {said}")))?;
        Ok(Self { process, port })
    }
}

/// The modern server of `tests/peers/crm.mjs`, on the official TypeScript server SDK 2.x.
#[derive(Debug)]
pub struct Crm(Peer);

impl Crm {
    /// Starts it; port 0 lets it choose.
    ///
    /// # Errors
    /// When it ends early or does not listen in time.
    pub async fn start(tools: &Tools, folder: &Path, port: u16) -> Result<Self, HarnessError> {
        Self::start_in(&Place::Processes, tools, folder, port).await
    }

    /// As `start`, where `place` says.
    ///
    /// # Errors
    /// As `start`.
    pub async fn start_in(
        place: &Place,
        tools: &Tools,
        folder: &Path,
        port: u16,
    ) -> Result<Self, HarnessError> {
        let arguments = ["--port".to_owned(), port.to_string()];
        Ok(Self(
            Peer::start(place, tools, folder, "crm", "crm.mjs", &arguments).await?,
        ))
    }

    /// Its port; the endpoint is `/mcp`.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.0.port
    }

    /// Every request that reached its endpoint so far: `http`, `method`, `tool`, `arguments`, `uri`, `id`, `headers`,
    /// `authorization` (whether there was one) and `body`.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn journal(&self) -> Result<Vec<Value>, HarnessError> {
        let reply = Call::get("/journal").send(self.port()).await?;
        serde_json::from_slice(&reply.body)
            .map_err(|error| HarnessError::Unexpected(format!("journal of crm: {error}")))
    }

    /// Calls of a tool that reached it so far.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn calls_of(&self, tool: &str) -> Result<usize, HarnessError> {
        let journal = self.journal().await?;
        Ok(journal
            .iter()
            .filter(|entry| entry.get("tool").and_then(Value::as_str) == Some(tool))
            .count())
    }

    /// Ends it.
    ///
    /// # Errors
    /// When the system refuses.
    pub async fn kill(&mut self) -> Result<(), HarnessError> {
        self.0.process.kill().await
    }
}

/// The stock `@modelcontextprotocol/server-everything`, which speaks the earlier protocols with sessions.
#[derive(Debug)]
pub struct Everything {
    _process: Process,
    port: u16,
}

impl Everything {
    /// Starts it; port 0 takes a free one.
    ///
    /// # Errors
    /// When it ends early or does not listen in time.
    pub async fn start(tools: &Tools, folder: &Path, port: u16) -> Result<Self, HarnessError> {
        Self::start_in(&Place::Processes, tools, folder, port).await
    }

    /// As `start`, where `place` says.
    ///
    /// # Errors
    /// As `start`.
    pub async fn start_in(
        place: &Place,
        tools: &Tools,
        folder: &Path,
        port: u16,
    ) -> Result<Self, HarnessError> {
        let script =
            tools.peer("node_modules/@modelcontextprotocol/server-everything/dist/index.js")?;
        // It cannot choose a port itself, so another program may be faster.
        let mut tries = 3;
        loop {
            tries -= 1;
            let port = if port == 0 { ports::free()? } else { port };
            let mut start = command(&tools.node, [script.as_os_str(), "streamableHttp".as_ref()]);
            start.env("PORT", port.to_string());
            let mut process = Process::start_in(place, "everything", folder, start).await?;
            let listening = process
                .ready(async |_| {
                    let connected = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await;
                    connected.map(drop).map_err(|error| error.to_string())
                })
                .await;
            match listening {
                Ok(()) => {
                    return Ok(Self {
                        _process: process,
                        port,
                    });
                }
                Err(HarnessError::Exited { log, .. })
                    if tries > 0 && log.contains("already in use") => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Its port; the endpoint is `/mcp`.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }
}

/// The OpenID provider of `tests/peers/provider.mjs`; alice (support) and bob (support lead) can sign in.
#[derive(Debug)]
pub struct Provider(Peer);

impl Provider {
    /// Starts it; port 0 lets it choose.
    ///
    /// # Errors
    /// When it ends early or does not listen in time.
    pub async fn start(tools: &Tools, folder: &Path, port: u16) -> Result<Self, HarnessError> {
        Self::start_in(&Place::Processes, tools, folder, port).await
    }

    /// As `start`, where `place` says.
    ///
    /// # Errors
    /// As `start`.
    pub async fn start_in(
        place: &Place,
        tools: &Tools,
        folder: &Path,
        port: u16,
    ) -> Result<Self, HarnessError> {
        let arguments = ["--port".to_owned(), port.to_string()];
        Ok(Self(
            Peer::start(place, tools, folder, "provider", "provider.mjs", &arguments).await?,
        ))
    }

    /// Its port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.0.port
    }

    /// Its issuer URL.
    #[must_use]
    pub fn issuer(&self) -> String {
        format!("http://127.0.0.1:{}", self.port())
    }

    /// Signs `user` in with the authorization code flow, as the client `agent`, and gives the access token for
    /// `resource`. The password of the provider's people is their name.
    ///
    /// # Errors
    /// When the sign-in fails, with the provider's words.
    pub async fn sign_in(
        &self,
        tools: &Tools,
        user: &str,
        agent: &str,
        resource: &str,
    ) -> Result<String, HarnessError> {
        sign_in(tools, &self.issuer(), user, agent, resource).await
    }
}

/// As [`Provider::sign_in`], for whoever knows the provider by its issuer URL only.
///
/// # Errors
/// When the sign-in fails, with the provider's words.
pub async fn sign_in(
    tools: &Tools,
    issuer: &str,
    user: &str,
    agent: &str,
    resource: &str,
) -> Result<String, HarnessError> {
    let mut login = command(&tools.node, [tools.peer("login.mjs")?]);
    login.args(["--issuer", issuer, "--user", user, "--password", user]);
    login.args(["--client", agent, "--resource", resource]);
    let output = login
        .output()
        .await
        .map_err(HarnessError::io("start the sign-in"))?;
    if !output.status.success() {
        return Err(HarnessError::Unexpected(
            String::from_utf8_lossy(&output.stderr).into_owned(),
        ));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// A receiver of webhooks that verifies them with the reference implementation of Standard Webhooks.
#[derive(Debug)]
pub struct WebhookReceiver(Peer);

impl WebhookReceiver {
    /// Starts it for messages that are signed with `secret`. It answers the first ones with these statuses, and the
    /// rest with 204.
    ///
    /// # Errors
    /// When it ends early or does not listen in time.
    pub async fn start(
        tools: &Tools,
        folder: &Path,
        secret: &str,
        answers: &[u16],
    ) -> Result<Self, HarnessError> {
        let answers: Vec<String> = answers.iter().map(ToString::to_string).collect();
        let arguments = ["--secret", secret, "--answers", &answers.join(",")].map(str::to_owned);
        let place = Place::Processes;
        let peer = Peer::start(
            &place,
            tools,
            folder,
            "webhooks",
            "webhooks.mjs",
            &arguments,
        );
        Ok(Self(peer.await?))
    }

    /// Where messages are posted.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/hook", self.0.port)
    }

    /// What has come so far: `verified`, `id`, `answered` and `body` of each message.
    #[must_use]
    pub fn messages(&self) -> Vec<Value> {
        let log = self.0.process.log();
        let lines = log
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines
            .filter(|line| line.get("verified").is_some())
            .collect()
    }
}
