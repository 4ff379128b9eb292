//! What a set of documents comes to.

use std::path::PathBuf;
use std::sync::Arc;

use gatehold_detectors::UserRule;
use gatehold_engine::{Approval, PolicySource};
use gatehold_identity::{Algorithm, ClaimMapping};

use crate::specialize::glob_matches;
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
    /// The console, if there is one.
    pub console: Option<Arc<ConsoleDocument>>,
    /// The webhooks, by name.
    pub webhooks: Vec<Arc<WebhookDocument>>,
    /// What is looked for, if a document says anything about it.
    pub detectors: Option<Arc<DetectorsDocument>>,
    /// Which version of the filter which Envoys get, if control gives it to any.
    pub filter: Option<Arc<FilterDocument>>,
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
    /// Whether what is decided is done. Without (shadow mode) it is recorded, and nothing is refused or changed.
    pub enforce: bool,
    /// What is audited of arguments.
    pub audit_arguments: AuditArguments,
    /// What is done about what detection sees.
    pub detection: Detection,
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

/// What is done about what detection sees on one server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Detection {
    /// For what no entry speaks of.
    pub otherwise: DetectionActions,
    /// The first entry with a pattern for the tool, prompt or resource counts.
    pub tools: Vec<ToolDetection>,
    /// Who approves calls that [`DetectionAction::Approve`] holds; there whenever an action is that.
    pub approval: Option<Approval>,
}

/// The actions for some tools, prompts or resources.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ToolDetection {
    /// Patterns of their names. Never empty.
    pub patterns: Vec<String>,
    /// All actions, those of the server included where the entry says nothing.
    pub actions: DetectionActions,
}

/// What is done about injection and poisoning by kind of text, and about secrets by direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DetectionActions {
    /// In what agents send. Never [`DetectionAction::Redact`].
    pub arguments: DetectionAction,
    /// In what the server answers.
    pub results: DetectionAction,
    /// In definitions of tools, prompts and resources.
    pub definitions: DetectionAction,
    /// About secrets and personal data in what agents send.
    pub secrets_in_arguments: DetectionAction,
    /// About secrets and personal data in what the server answers.
    pub secrets_in_results: DetectionAction,
}

/// What is done about what is seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DetectionAction {
    /// Nobody looks.
    Off,
    /// It goes to audit and metrics.
    #[default]
    Log,
    /// It is taken out; the message stays valid.
    Redact,
    /// The principal's next call that does more than read needs approval.
    Approve,
    /// The message is refused or withheld.
    Block,
}

/// What is looked for beside what ships.
#[derive(Clone, Debug, PartialEq)]
pub struct DetectorsDocument {
    /// `metadata.name`.
    pub name: String,
    /// Where the document begins.
    pub location: Location,
    /// A pack to use instead of the one that ships, read when the document comes into force.
    pub pack: Option<PathBuf>,
    /// Rules of one's own. They compile.
    pub rules: Vec<UserRule>,
    /// Patterns of secrets and personal data that are looked for although they are off by default.
    pub on: Vec<String>,
    /// Patterns of secrets and personal data that are not looked for.
    pub off: Vec<String>,
    /// SHA-256 of texts that are never flagged.
    pub allow: Vec<[u8; 32]>,
    /// What is tried beside, and only logged.
    pub shadow: Option<Shadow>,
}

/// What is tried beside what is in force.
#[derive(Clone, Debug, PartialEq)]
pub struct Shadow {
    /// The pack to try; without, that in force.
    pub pack: Option<PathBuf>,
    /// All rules that are tried: those in force too, unless one of the same name takes the place.
    pub rules: Vec<UserRule>,
}

/// Which version of the filter control gives to which Envoys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilterDocument {
    /// `metadata.name`.
    pub name: String,
    /// Where the document begins.
    pub location: Location,
    /// The modules. Never empty; the names differ.
    pub versions: Vec<FilterVersion>,
    /// What the filter is configured with: a JSON object.
    pub configuration: String,
    /// Whether the filter holds headers, for which Envoy needs `allow_on_headers_stop_iteration`.
    pub hold_headers: bool,
    /// The first one that an Envoy belongs to counts. The names differ.
    pub groups: Vec<NodeGroup>,
    /// Name of the version for Envoys of no group. It exists.
    pub default: String,
}

/// A version of the filter's module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilterVersion {
    /// What it is called in the document.
    pub name: String,
    /// The file, read when the document comes into force.
    pub module: PathBuf,
    /// Where the file is named.
    pub module_at: Location,
    /// What the file's bytes come to.
    pub sha256: [u8; 32],
    /// Where that is written.
    pub sha256_at: Location,
}

/// Envoys that get a version of their own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeGroup {
    /// What it is called in the document.
    pub name: String,
    /// Patterns of node ids; empty for any.
    pub ids: Vec<String>,
    /// Patterns of the nodes' clusters; empty for any.
    pub clusters: Vec<String>,
    /// Name of a version that exists.
    pub version: String,
}

impl FilterDocument {
    /// The name of the version for the Envoy with this node id and cluster.
    pub fn version_of(&self, id: &str, cluster: &str) -> &str {
        let mut groups = self.groups.iter();
        let group = groups.find(|group| group.has(id, cluster));
        group.map_or(&self.default, |group| &group.version)
    }
}

impl NodeGroup {
    /// Whether the Envoy with this node id and cluster belongs to it.
    pub fn has(&self, id: &str, cluster: &str) -> bool {
        let any = |patterns: &[String], name: &str| {
            let mut all = patterns.iter();
            patterns.is_empty() || all.any(|pattern| glob_matches(pattern, name))
        };
        any(&self.ids, id) && any(&self.clusters, cluster)
    }
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

/// The console, where people sign in and decide about calls that wait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsoleDocument {
    /// `metadata.name`.
    pub name: String,
    /// Where the document begins.
    pub location: Location,
    /// Where browsers reach it, without `/` at the end. Links are made of it.
    pub url: String,
    /// How people sign in.
    pub sign_in: SignIn,
    /// Audiences of which a bearer token for the HTTP API must carry one; empty when it takes no tokens.
    pub api_audiences: Vec<String>,
    /// Seconds after which a session in which nothing happens ends.
    pub idle_seconds: u64,
    /// Seconds after which a session ends in any case.
    pub longest_seconds: u64,
}

/// How people sign in to the console: OpenID Connect, authorization code flow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignIn {
    /// Name of an issuer that exists.
    pub issuer: String,
    /// The client id under which the console is registered there.
    pub client_id: String,
    /// File with the client's secret, read when it is used; a public client has none.
    pub client_secret_file: Option<PathBuf>,
    /// Scopes to ask for; `openid` is among them.
    pub scopes: Vec<String>,
}

/// An address that is told what becomes of calls that wait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookDocument {
    /// `metadata.name`.
    pub name: String,
    /// Where the document begins.
    pub location: Location,
    /// Where to post: `https`, or `http` on the same machine.
    pub url: String,
    /// File with the secret that messages are signed with, read when it is used. Only Slack's may have none,
    /// since nobody there looks at a signature.
    pub secret_file: Option<PathBuf>,
    /// What the body looks like.
    pub format: WebhookFormat,
    /// Of what it is told. Never empty.
    pub events: Vec<WebhookEvent>,
    /// Patterns of the servers whose calls it is told of. Never empty.
    pub servers: Vec<String>,
}

/// What the body of a webhook's messages looks like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WebhookFormat {
    /// JSON of our own.
    #[default]
    Gatehold,
    /// JSON that incoming webhooks of Slack and what is compatible with it understand.
    Slack,
}

/// What became of a call that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WebhookEvent {
    /// It waits for people.
    Pending,
    /// It may run.
    Approved,
    /// Somebody was against it.
    Denied,
    /// Nobody decided in time.
    Expired,
    /// Who asked went away.
    Withdrawn,
    /// Policy or tool have changed meanwhile.
    Superseded,
    /// It has been let through.
    Used,
}

impl WebhookEvent {
    /// All of them, in the order of a call's life.
    pub const ALL: [Self; 7] = [
        Self::Pending,
        Self::Approved,
        Self::Denied,
        Self::Expired,
        Self::Withdrawn,
        Self::Superseded,
        Self::Used,
    ];

    /// As it is written in documents; the same as the state of the approval.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Approved => "approved",
            Self::Denied => "denied",
            Self::Expired => "expired",
            Self::Withdrawn => "withdrawn",
            Self::Superseded => "superseded",
            Self::Used => "used",
        }
    }
}

impl WebhookDocument {
    /// Whether it is told of this event of this server.
    pub fn wants(&self, event: WebhookEvent, server: &str) -> bool {
        let mut patterns = self.servers.iter();
        self.events.contains(&event) && patterns.any(|pattern| glob_matches(pattern, server))
    }
}
