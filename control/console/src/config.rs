//! What the documents say of the console, and the keys of its issuer.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use gatehold_documents::{ConsoleDocument, IssuerDocument};
use gatehold_identity::{Issuer, KeySet};

/// What is in force now. The console reads it anew for every request, from a `watch` channel: `None` there means
/// that no document of kind Console is in force.
#[derive(Clone, Debug)]
pub struct ConsoleConfig {
    /// The document.
    pub document: Arc<ConsoleDocument>,
    /// Who vouches for people: the issuer of `signIn`, with the keys that were fetched last. Without keys
    /// nobody can sign in.
    pub issuer: Issuer,
    /// The same keys as the JWK Set they came in.
    pub jwks: Arc<str>,
}

impl ConsoleConfig {
    /// Puts a console document and its issuer together. `jwks` is empty as long as no keys are known.
    pub fn new(document: Arc<ConsoleDocument>, issuer: &IssuerDocument, jwks: Arc<str>) -> Self {
        let IssuerDocument {
            name,
            issuer,
            algorithms,
            clock_skew_seconds,
            claims,
            ..
        } = issuer;
        let issuer = Issuer {
            name: name.clone(),
            issuer: issuer.clone(),
            algorithms: algorithms.clone(),
            clock_skew_seconds: *clock_skew_seconds,
            claims: claims.clone(),
            // A set that can't be read is one without keys: nobody signs in by it.
            keys: KeySet::from_jwks(&jwks).unwrap_or_default(),
        };
        Self {
            document,
            issuer,
            jwks,
        }
    }

    /// Whether browsers reach the console over TLS. Without, it only serves the machine it runs on.
    pub fn is_secure(&self) -> bool {
        self.document.url.starts_with("https://")
    }

    /// Scheme, host and port of the console, as browsers write them in `Origin`.
    pub fn origin(&self) -> String {
        url::Url::parse(&self.document.url)
            .map(|url| url.origin().ascii_serialization())
            .unwrap_or_default()
    }
}

/// Seconds since the Unix epoch.
pub(crate) fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map(|since| since.as_secs()).unwrap_or_default()
}

/// Milliseconds since the Unix epoch.
pub(crate) fn now_millis() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    // OK for the next 500 million years.
    since
        .map(|since| since.as_millis() as u64)
        .unwrap_or_default()
}
