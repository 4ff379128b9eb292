//! HTTP to the identity provider: bounded in time and size, over TLS unless it stays on this machine.

use std::error::Error as _;
use std::time::Duration;

use openidconnect::{HttpRequest, HttpResponse};
use reqwest::{Client, redirect};
use rustls::crypto::ring;
use url::{Host, Url};

const MAX_ANSWER_BYTES: usize = 1 << 20;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// For a whole answer; somebody looks at a page that loads meanwhile.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// The HTTP client could not be made.
    #[error("cannot start the HTTP client: {0}")]
    Client(String),
    /// Codes and tokens do not go over plain HTTP.
    #[error("`{0}` is not safe; use https (http is for loopback addresses)")]
    Plain(String),
    /// No answer.
    #[error("cannot reach `{url}`: {reason}")]
    Unreachable {
        /// Where.
        url: String,
        /// Why.
        reason: String,
    },
    /// An answer without an end.
    #[error("`{0}` answered with more than {MAX_ANSWER_BYTES} bytes")]
    TooBig(String),
}

/// The HTTP client. A clone shares its connections.
#[derive(Clone, Debug)]
pub(super) struct Http {
    outside: Client,
    /// Never through a proxy.
    loopback: Client,
}

impl Http {
    /// A client that trusts the certificate authorities of the system.
    pub(super) fn new() -> Result<Self, HttpError> {
        // An error says that a provider was chosen before, which is as good.
        let _ = ring::default_provider().install_default();
        let client = || {
            Client::builder()
                .connect_timeout(CONNECT_TIMEOUT)
                .timeout(TIMEOUT)
                .redirect(redirect::Policy::none())
                .user_agent(concat!("gatehold/", env!("CARGO_PKG_VERSION")))
        };
        let failed = |error| HttpError::Client(reason(&error));
        Ok(Self {
            outside: client().https_only(true).build().map_err(failed)?,
            loopback: client().no_proxy().build().map_err(failed)?,
        })
    }

    /// Sends one request. Redirects are not followed.
    pub(super) async fn send(self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let (parts, body) = request.into_parts();
        let shown = parts.uri.to_string();
        let url = Url::parse(&shown).map_err(|error| HttpError::Unreachable {
            url: shown.clone(),
            reason: error.to_string(),
        })?;
        let client = match (url.scheme(), is_loopback(&url)) {
            ("https", false) => &self.outside,
            ("https" | "http", true) => &self.loopback,
            _ => return Err(HttpError::Plain(shown)),
        };
        let unreachable = |error: reqwest::Error| HttpError::Unreachable {
            url: shown.clone(),
            reason: reason(&error.without_url()),
        };
        let request = client.request(parts.method, url).headers(parts.headers);
        let mut answer = request.body(body).send().await.map_err(unreachable)?;
        let mut response = http::Response::new(Vec::new());
        *response.status_mut() = answer.status();
        *response.headers_mut() = answer.headers().clone();
        while let Some(chunk) = answer.chunk().await.map_err(unreachable)? {
            if response.body().len() + chunk.len() > MAX_ANSWER_BYTES {
                return Err(HttpError::TooBig(shown));
            }
            response.body_mut().extend_from_slice(&chunk);
        }
        Ok(response)
    }
}

/// Whether an address may be asked.
pub(super) fn is_safe(url: &str) -> bool {
    Url::parse(url).is_ok_and(|url| url.scheme() == "https" || is_loopback(&url))
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// The error with what is behind it: the outermost alone says only that sending failed.
fn reason(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
