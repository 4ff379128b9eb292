//! The HTTP API's client.

use std::fs;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};
use gatehold_console::api::Problem;
use gatehold_console::text::plain;
use reqwest::header::CONTENT_TYPE;
use reqwest::{RequestBuilder, Url, redirect};
use rustls::crypto::ring;
use serde_json::Value;

use super::Connection;
use crate::keys::is_loopback;

const TIMEOUT: Duration = Duration::from_secs(30);
/// A list of 200 approvals with 256 KiB of arguments each is the largest answer there is.
const MAX_ANSWER_BYTES: usize = 64 << 20;

/// The console understood, and did not do it.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
pub struct Refused {
    text: String,
    code: u8,
}

impl Refused {
    /// 3: who asks may not. 4: too late, voted before, or another call. 5: there is no such approval. 1: else.
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.code)
    }
}

pub(crate) struct Client {
    http: reqwest::Client,
    url: Url,
    token: String,
}

impl Client {
    pub(crate) fn new(connection: &Connection) -> anyhow::Result<Self> {
        let Connection {
            url, token_file, ..
        } = connection;
        let given = url;
        let is_plain = |url: &Url| {
            let is_web = matches!(url.scheme(), "http" | "https") && url.has_host();
            is_web && url.username().is_empty() && url.password().is_none()
        };
        let url = Url::parse(url).ok().filter(is_plain);
        let Some(url) = url else {
            bail!(
                "`{given}` is no address of a console; give one with --url, such as https://gatehold.example.com"
            );
        };
        let is_here = is_loopback(&url);
        if url.scheme() == "http" && !is_here {
            bail!(
                "`{given}` would carry your token in the clear; use https (http is for loopback addresses)"
            );
        }
        let token = token(token_file.as_deref())?;
        // An error says that a provider was chosen before, which is as good.
        let _ = ring::default_provider().install_default();
        let mut http = reqwest::Client::builder()
            .timeout(TIMEOUT)
            .redirect(redirect::Policy::none())
            .user_agent(concat!("gatehold/", env!("CARGO_PKG_VERSION")));
        if is_here {
            http = http.no_proxy();
        }
        Ok(Self {
            http: http.build().context("cannot start the HTTP client")?,
            url,
            token,
        })
    }

    pub(crate) async fn get(
        &self,
        path: &[&str],
        query: &[(&str, &str)],
    ) -> anyhow::Result<String> {
        let mut url = self.address(path)?;
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        self.send(self.http.get(url)).await
    }

    pub(crate) async fn post(&self, path: &[&str], body: &Value) -> anyhow::Result<String> {
        let request = self.http.post(self.address(path)?);
        let request = request.header(CONTENT_TYPE, "application/json");
        self.send(request.body(body.to_string())).await
    }

    fn address(&self, path: &[&str]) -> anyhow::Result<Url> {
        let mut url = self.url.clone();
        match url.path_segments_mut() {
            // Each part is escaped, so that no id leads elsewhere.
            Ok(mut segments) => segments.pop_if_empty().extend(["api", "v1"]).extend(path),
            Err(()) => bail!("`{}` is no address of a console", self.url),
        };
        Ok(url)
    }

    async fn send(&self, request: RequestBuilder) -> anyhow::Result<String> {
        let url = &self.url;
        let unreachable = || {
            format!(
                "cannot reach the console at `{url}`; does `gatehold serve` run there, and is --url right?"
            )
        };
        let request = request.bearer_auth(&self.token);
        let mut answer = request.send().await.with_context(unreachable)?;
        let status = answer.status();
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.with_context(unreachable)? {
            if body.len() + chunk.len() > MAX_ANSWER_BYTES {
                bail!("`{url}` answers without an end; is that a console?");
            }
            body.extend_from_slice(&chunk);
        }
        let body = String::from_utf8(body).with_context(unreachable)?;
        if status.is_success() {
            return Ok(body);
        }
        let Ok(problem) = serde_json::from_str::<Problem>(&body) else {
            bail!("`{url}` answered {status}, which no console does; is --url right?");
        };
        Err(refused(&problem).into())
    }
}

fn refused(problem: &Problem) -> Refused {
    let Problem {
        kind,
        title,
        detail,
        ..
    } = problem;
    let (title, detail) = (plain(title), plain(detail));
    let (help, code) = match kind.as_str() {
        "unauthorized" => (
            "get a new token, and give it with --token-file or GATEHOLD_TOKEN",
            3,
        ),
        "not-an-approver" => ("`gatehold approvals show` says who may decide", 3),
        "requester" => ("ask somebody else to decide", 3),
        "too-late" => ("`gatehold approvals show` says what became of it", 4),
        "already-voted" => ("`gatehold approvals show` says who is missing", 4),
        "changed" => (
            "look at it with `gatehold approvals show`, and decide again",
            4,
        ),
        "not-found" => ("`gatehold approvals list` prints the ids", 5),
        "reason-required" => ("say why with --reason", 1),
        _ => (detail.as_str(), 1),
    };
    let text = match kind.as_str() {
        "unauthorized" => format!("{title} ({detail}); {help}"),
        _ => format!("{title}; {help}"),
    };
    Refused { text, code }
}

fn token(file: Option<&std::path::Path>) -> anyhow::Result<String> {
    let token = match file {
        Some(file) => fs::read_to_string(file)
            .with_context(|| format!("cannot read the token in `{}`", file.display()))?,
        None => std::env::var("GATEHOLD_TOKEN").unwrap_or_default(),
    };
    let token = token.trim();
    if token.is_empty() {
        bail!(
            "there is no token; put one into a file and name it with --token-file, or set GATEHOLD_TOKEN"
        );
    }
    if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        bail!(
            "the token holds blanks or other characters that no token has; is it the right file?"
        );
    }
    Ok(token.to_owned())
}
