//! One attempt to deliver one message.

use std::error::Error as _;
use std::path::PathBuf;
use std::time::Duration;

use gatehold_documents::WebhookDocument;
use reqwest::{Client, StatusCode, Url, redirect};
use rustls::crypto::ring;

use crate::signature::{Keys, KeysError};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// For a whole attempt.
const TIMEOUT: Duration = Duration::from_secs(15);
/// A secret file that is longer is none.
const MAX_SECRET_BYTES: usize = 64 * 1024;

/// Why an attempt failed. No text holds the address, which may be a secret itself.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PostError {
    #[error("cannot start the HTTP client: {0}")]
    Client(String),
    #[error("its address is no URL")]
    NoUrl,
    #[error("cannot read `{}`: {why}; write the secret there", path.display())]
    Secret { path: PathBuf, why: String },
    #[error("the secret in `{}` can't be used: {error}", path.display())]
    Keys { path: PathBuf, error: KeysError },
    #[error("{0}")]
    Unreachable(String),
    #[error("it answered {0}")]
    Status(StatusCode),
}

impl PostError {
    /// Whether the receiver wants no more of it.
    pub(crate) fn is_final(&self) -> bool {
        matches!(self, Self::Status(StatusCode::GONE))
    }
}

/// Posts messages. A clone shares its connections.
#[derive(Clone, Debug)]
pub(crate) struct Poster {
    outside: Client,
    /// Never through a proxy.
    loopback: Client,
}

impl Poster {
    pub(crate) fn new() -> Result<Self, PostError> {
        // An error says that a provider was chosen before, which is as good.
        let _ = ring::default_provider().install_default();
        let client = || {
            Client::builder()
                .connect_timeout(CONNECT_TIMEOUT)
                .timeout(TIMEOUT)
                // A message is for the address in the documents, and for no other.
                .redirect(redirect::Policy::none())
                .user_agent(concat!("gatehold/", env!("CARGO_PKG_VERSION")))
        };
        let failed = |error| PostError::Client(reason(error));
        Ok(Self {
            outside: client().https_only(true).build().map_err(failed)?,
            loopback: client().no_proxy().build().map_err(failed)?,
        })
    }

    /// Posts one message; it is delivered when this returns `Ok`.
    pub(crate) async fn post(
        &self,
        webhook: &WebhookDocument,
        id: &str,
        body: &str,
        unix_seconds: u64,
    ) -> Result<(), PostError> {
        let url = Url::parse(&webhook.url).map_err(|_| PostError::NoUrl)?;
        // The documents let `http` be for loopback addresses only.
        let client = if url.scheme() == "http" {
            &self.loopback
        } else {
            &self.outside
        };
        let mut request = client
            .post(url)
            .header("content-type", "application/json")
            .header("webhook-id", id)
            .header("webhook-timestamp", unix_seconds);
        if let Some(path) = &webhook.secret_file {
            let keys = keys(path).await?;
            request = request.header("webhook-signature", keys.sign(id, unix_seconds, body));
        }
        let answer = request.body(body.to_owned()).send().await;
        let answer = answer.map_err(|error| PostError::Unreachable(reason(error)))?;
        let status = answer.status();
        if status.is_success() {
            return Ok(());
        }
        Err(PostError::Status(status))
    }
}

/// Read at every attempt, so that a secret can be changed while control runs.
async fn keys(path: &PathBuf) -> Result<Keys, PostError> {
    let failed = |why: String| PostError::Secret {
        path: path.clone(),
        why,
    };
    let text = tokio::fs::read_to_string(path).await;
    let text = text.map_err(|error| failed(error.to_string()))?;
    if text.len() > MAX_SECRET_BYTES {
        return Err(failed("it is longer than 64 KiB".to_owned()));
    }
    Keys::parse(&text).map_err(|error| PostError::Keys {
        path: path.clone(),
        error,
    })
}

/// The error with what lies under it, without the address.
fn reason(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut reason = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        reason.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    reason
}
