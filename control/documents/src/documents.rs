//! What a set of documents comes to.

use std::sync::Arc;

use gatehold_engine::PolicySource;
use gatehold_identity::{Algorithm, ClaimMapping};

use crate::{Location, Rules};

/// A checked and compiled set of documents.
///
/// The same files give an equal value, whatever their order: everything is sorted by name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Documents {
    /// The servers with their compiled policies, by name.
    pub servers: Vec<Arc<ServerDocument>>,
    /// The issuers, by name.
    pub issuers: Vec<IssuerDocument>,
    /// Where each rule is written, by its id (`support/2`).
    pub rules: Rules,
    /// Number of policies.
    pub policies: usize,
}

impl Documents {
    /// The server with this name.
    pub fn server(&self, name: &str) -> Option<&ServerDocument> {
        let server = self.servers.iter().find(|server| server.name == name);
        server.map(|server| &**server)
    }

    /// The issuer with this name.
    pub fn issuer(&self, name: &str) -> Option<&IssuerDocument> {
        self.issuers.iter().find(|issuer| issuer.name == name)
    }
}

/// An MCP server as clients reach it.
#[derive(Clone, Debug, PartialEq)]
pub struct ServerDocument {
    /// `metadata.name`.
    pub name: String,
    /// Where the document begins.
    pub location: Location,
    /// Hosts in lower case, without port; empty means any.
    pub hosts: Vec<String>,
    /// Exact path of the endpoint. No other server has the same path on a common host.
    pub path: String,
    /// Canonical URL as an OAuth resource (RFC 8707).
    pub resource: String,
    /// Audiences of which a token must carry one. Never empty.
    pub audiences: Vec<String>,
    /// Names of the issuers whose tokens are accepted. Never empty; all exist.
    pub issuers: Vec<String>,
    /// Scopes that the challenge asks for.
    pub scopes: Vec<String>,
    /// Origins that browsers may call from.
    pub allowed_origins: Vec<String>,
    /// Bounds of messages.
    pub limits: Limits,
    /// What is audited of arguments.
    pub audit_arguments: AuditArguments,
    /// The rules of all policies that reach this server.
    pub policy: PolicySource,
}

/// Bounds of the messages of one server; what is absent has the filter's default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a request's body.
    pub request_bytes: Option<u64>,
    /// Bytes of a response's body when it is JSON.
    pub response_bytes: Option<u64>,
    /// Bytes of one event of an event stream.
    pub event_bytes: Option<u64>,
    /// Nesting of JSON.
    pub depth: Option<u32>,
    /// Entries of a list that is filtered.
    pub list_entries: Option<u32>,
}

/// What goes into audit events beside the digest of the arguments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AuditArguments {
    /// The arguments themselves.
    #[default]
    Full,
    /// Nothing.
    Digest,
}

/// An identity provider whose tokens are accepted.
#[derive(Clone, Debug, PartialEq)]
pub struct IssuerDocument {
    /// `metadata.name`.
    pub name: String,
    /// Where the document begins.
    pub location: Location,
    /// The `iss` claim, exact.
    pub issuer: String,
    /// Where its keys come from.
    pub keys: KeySource,
    /// Seconds between two fetches of the keys.
    pub refresh_seconds: u64,
    /// Accepted signature algorithms. Never empty.
    pub algorithms: Vec<Algorithm>,
    /// Seconds by which clocks may differ.
    pub clock_skew_seconds: u32,
    /// How claims become users, agents, roles and groups.
    pub claims: ClaimMapping,
}

/// Where an issuer's keys come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeySource {
    /// The `jwks_uri` of the metadata at this URL (OpenID Connect Discovery 1.0 section 4).
    Discovery(String),
    /// The JWK Set at this URL.
    Uri(String),
    /// This JWK Set (RFC 7517), as JSON.
    Inline(String),
}
