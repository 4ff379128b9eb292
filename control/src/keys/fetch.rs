//! Fetching a key set over HTTP: bounded in time and size, over TLS unless it stays on this machine.

use std::error::Error as _;
use std::sync::Arc;
use std::time::Duration;

use gatehold_documents::KeySource;
use gatehold_identity::KeySet;
use reqwest::{Client, StatusCode, Url, redirect};
use rustls::crypto::ring;
use serde::Deserialize;

/// Answers that are bigger are refused.
pub const MAX_ANSWER_BYTES: usize = 1 << 20;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// For a whole answer.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Why there is no key set.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The HTTP client could not be made.
    #[error("cannot start the HTTP client: {0}")]
    Client(String),
    /// The address is none.
    #[error("`{0}` is no URL; write it as `https://host/path`")]
    NoUrl(String),
    /// Anybody on the way could replace keys that come over plain HTTP.
    #[error("`{0}` is not safe; use https (http is for loopback addresses)")]
    Plain(String),
    /// No answer.
    #[error("cannot get `{url}`: {reason}")]
    Unreachable {
        /// From where.
        url: String,
        /// Why.
        reason: String,
    },
    /// An answer that is no 200. Redirects are not followed.
    #[error("`{url}` answered {status}; give the address of the key set in `jwks.uri`")]
    Status {
        /// From where.
        url: String,
        /// The status.
        status: StatusCode,
    },
    /// An answer without an end.
    #[error("`{0}` answered with more than {MAX_ANSWER_BYTES} bytes")]
    TooBig(String),
    /// The discovery document can't be read.
    #[error("`{url}` is no OpenID discovery document: {reason}; set `jwks.uri` if there is none")]
    Discovery {
        /// From where.
        url: String,
        /// Why.
        reason: String,
    },
    /// The discovery document is somebody else's.
    #[error("`{url}` is that of issuer `{found}`, not of `{expected}`; write `issuer` exactly so")]
    OtherIssuer {
        /// From where.
        url: String,
        /// Whose it is.
        found: String,
        /// Whose it should be.
        expected: String,
    },
    /// The keys can't be used.
    #[error("the key set of `{issuer}` can't be used: {reason}")]
    Keys {
        /// Whose.
        issuer: String,
        /// Why.
        reason: String,
    },
}

/// The HTTP client. A clone shares its connections.
#[derive(Clone, Debug)]
pub struct Fetcher {
    outside: Client,
    /// Never through a proxy.
    loopback: Client,
}

#[derive(Deserialize)]
struct Discovery {
    issuer: String,
    jwks_uri: String,
}

impl Fetcher {
    /// A client that trusts the certificate authorities of the system.
    ///
    /// # Errors
    /// When it can't be made.
    pub fn new() -> Result<Self, FetchError> {
        // An error says that a provider was chosen before, which is as good.
        let _ = ring::default_provider().install_default();
        let client = || {
            Client::builder()
                .connect_timeout(CONNECT_TIMEOUT)
                .timeout(TIMEOUT)
                .redirect(redirect::Policy::none())
                .user_agent(concat!("gatehold/", env!("CARGO_PKG_VERSION")))
        };
        let failed = |error| FetchError::Client(reason(&error));
        Ok(Self {
            outside: client().https_only(true).build().map_err(failed)?,
            loopback: client().no_proxy().build().map_err(failed)?,
        })
    }

    /// The key set of an issuer as JSON, in which at least one key can be used.
    ///
    /// # Errors
    /// Why there is none.
    pub async fn key_set(&self, issuer: &str, source: &KeySource) -> Result<Arc<str>, FetchError> {
        let jwks = match source {
            KeySource::Inline(jwks) => jwks.clone(),
            KeySource::Uri(uri) => self.get(uri).await?,
            KeySource::Discovery(url) => self.get(&self.discover(issuer, url).await?).await?,
        };
        let unusable = |reason| FetchError::Keys {
            issuer: issuer.to_owned(),
            reason,
        };
        let keys = KeySet::from_jwks(&jwks).map_err(|error| unusable(error.to_string()))?;
        if keys.is_empty() {
            let skipped: Vec<_> = keys
                .skipped()
                .iter()
                .map(|key| format!("`{}`: {}", key.key, key.reason))
                .collect();
            return Err(unusable(format!(
                "no key of a known kind is in it ({})",
                skipped.join(", ")
            )));
        }
        Ok(jwks.into())
    }

    /// Asks the issuer where its keys are (OpenID Connect Discovery 1.0, 4).
    async fn discover(&self, issuer: &str, url: &str) -> Result<String, FetchError> {
        let url = url.to_owned();
        let document = self.get(&url).await?;
        let Discovery {
            issuer: found,
            jwks_uri,
        } = serde_json::from_str(&document).map_err(|error| FetchError::Discovery {
            url: url.clone(),
            reason: error.to_string(),
        })?;
        if found != issuer {
            return Err(FetchError::OtherIssuer {
                url,
                found,
                expected: issuer.to_owned(),
            });
        }
        Ok(jwks_uri)
    }

    async fn get(&self, url: &str) -> Result<String, FetchError> {
        let parsed = Url::parse(url).map_err(|_| FetchError::NoUrl(url.to_owned()))?;
        let client = match parsed.scheme() {
            "https" if !is_loopback(&parsed) => &self.outside,
            "https" => &self.loopback,
            "http" if is_loopback(&parsed) => &self.loopback,
            _ => return Err(FetchError::Plain(url.to_owned())),
        };
        let unreachable = |error: reqwest::Error| FetchError::Unreachable {
            url: url.to_owned(),
            reason: reason(&error.without_url()),
        };
        let mut answer = client.get(parsed).send().await.map_err(unreachable)?;
        if answer.status() != StatusCode::OK {
            return Err(FetchError::Status {
                url: url.to_owned(),
                status: answer.status(),
            });
        }
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(unreachable)? {
            if body.len() + chunk.len() > MAX_ANSWER_BYTES {
                return Err(FetchError::TooBig(url.to_owned()));
            }
            body.extend_from_slice(&chunk);
        }
        String::from_utf8(body).map_err(|error| FetchError::Unreachable {
            url: url.to_owned(),
            reason: error.to_string(),
        })
    }
}

/// Whether an address leads to this machine, where plain HTTP is as good as TLS.
pub(crate) fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host
        .trim_start_matches('[')
        .trim_end_matches(']')
        .parse::<std::net::IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_stays_on_this_machine() {
        let check = |url: &str, expected| {
            assert_eq!(
                is_loopback(&Url::parse(url).expect("a URL")),
                expected,
                "{url}"
            );
        };
        check("http://localhost:1/x", true);
        check("http://127.0.0.1/x", true);
        check("http://127.9.9.9/x", true);
        check("http://[::1]:8080/x", true);
        check("http://localhost.example.com/x", false);
        check("http://127.0.0.1.example.com/x", false);
        check("http://10.0.0.1/x", false);
        check("http://[2001:db8::1]/x", false);
        check("http://user@example.com/localhost", false);
    }
}
