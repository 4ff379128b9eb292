//! One governed server, compiled from the resource that control pushed.

use gatehold_engine::{PolicyError, ServerPolicy};
use gatehold_identity::Binding;
use gatehold_wire::{WireError, policy_from_wire, push};
use thiserror::Error;

use crate::detection::Detection;
use crate::paths;

/// Where the metadata of protected resources lives (RFC 9728, section 3).
pub const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

/// What a server may require of filters; see `requires` of the message.
const KNOWN: [&str; 0] = [];

/// Bounds for what one exchange may bring, defaults filled in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a request body.
    pub request_bytes: usize,
    /// Bytes of a JSON response body.
    pub response_bytes: usize,
    /// Bytes of one event of an SSE response.
    pub event_bytes: usize,
    /// Nesting of JSON.
    pub depth: u32,
    /// Entries of a list result.
    pub list_entries: u32,
}

/// What events say of the arguments beside their digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuditArguments {
    /// The arguments, up to a bound.
    Full,
    /// Nothing.
    Digest,
}

/// One server.
#[derive(Debug)]
pub struct Server {
    /// Name of its document.
    pub name: String,
    /// Version of the resource, as control numbers it.
    pub version: String,
    /// Hosts in lower case, without port; empty means any.
    pub hosts: Vec<String>,
    /// Exact path of the endpoint.
    pub path: String,
    /// Canonical URL.
    pub resource: Resource,
    /// Audiences of which a token must carry one.
    pub audiences: Vec<String>,
    /// Names of the issuers whose tokens are accepted.
    pub issuers: Vec<String>,
    /// Scopes that the challenge asks for.
    pub scopes: Vec<String>,
    /// Origins that browsers may call from, in lower case, beside the server's own host.
    pub allowed_origins: Vec<String>,
    /// Bounds.
    pub limits: Limits,
    /// What events say of arguments.
    pub audit_arguments: AuditArguments,
    /// Whether nothing that is decided is enforced.
    pub shadow: bool,
    /// The policy.
    pub policy: ServerPolicy,
    /// Whether some of its rules, or of its detection, want people to approve.
    pub approves: bool,
    /// What is done about what detection sees.
    pub detection: Detection,
    /// What ties sessions and tasks to the callers they were given to.
    pub binding: Binding,
}

/// The canonical URL of a server, in the parts that are needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    /// The whole.
    pub url: String,
    /// Scheme, host and port.
    pub origin: String,
    /// Path; empty when the URL ends with the host.
    pub path: String,
}

/// A server that cannot be used.
#[derive(Debug, Error)]
pub enum ServerError {
    /// A field is missing or unusable.
    #[error("field `{field}` {problem}")]
    Field {
        /// Name of the field.
        field: &'static str,
        /// What is wrong.
        problem: &'static str,
    },
    /// Another version of the filter is needed, which knows what this one would pass over.
    #[error("requires `{0}`, which filter {version} does not know; upgrade the filter", version = env!("CARGO_PKG_VERSION"))]
    Requires(String),
    /// The rules cannot be read.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// The rules cannot be compiled.
    #[error(transparent)]
    Policy(#[from] PolicyError),
}

impl Server {
    /// Compiles a resource.
    ///
    /// # Errors
    /// When a field is missing or a rule cannot be used; nothing is used of it then.
    pub fn new(server: push::Server, version: String) -> Result<Self, ServerError> {
        if let Some(unknown) = server
            .requires
            .iter()
            .find(|it| !KNOWN.contains(&it.as_str()))
        {
            return Err(ServerError::Requires(unknown.clone()));
        }
        let policy = ServerPolicy::new(policy_from_wire(&server)?)?;
        let resource = Resource::parse(&server.resource).ok_or(ServerError::Field {
            field: "resource",
            problem: "is no http(s) URL",
        })?;
        require("name", &server.name)?;
        if !server.path.starts_with('/') {
            return Err(ServerError::Field {
                field: "path",
                problem: "does not start with `/`",
            });
        }
        for (field, values) in [
            ("audiences", &server.audiences),
            ("issuers", &server.issuers),
        ] {
            if values.is_empty() {
                return Err(ServerError::Field {
                    field,
                    problem: "is empty",
                });
            }
        }
        let key = server.binding_key.as_slice().try_into();
        let key = key.map_err(|_| ServerError::Field {
            field: "binding_key",
            problem: "is not 32 bytes",
        })?;
        let audit_arguments = match server.audit_arguments() {
            push::AuditArguments::Digest => AuditArguments::Digest,
            push::AuditArguments::Full | push::AuditArguments::Unspecified => AuditArguments::Full,
        };
        let detection = Detection::from_wire(server.detection.as_ref());
        let detection = detection.ok_or(ServerError::Field {
            field: "detection",
            problem: "has the action `approve`, and nobody who approves",
        })?;
        Ok(Self {
            binding: Binding::new(key, &server.name),
            limits: Limits::new(server.limits.unwrap_or_default()),
            audit_arguments,
            shadow: server.shadow,
            hosts: server
                .hosts
                .iter()
                .map(|host| host.to_ascii_lowercase())
                .collect(),
            allowed_origins: server
                .allowed_origins
                .iter()
                .map(|origin| origin.trim_end_matches('/').to_ascii_lowercase())
                .collect(),
            name: server.name,
            version,
            path: server.path,
            resource,
            audiences: server.audiences,
            issuers: server.issuers,
            scopes: server.scopes,
            approves: policy.has_approvals() || detection.approves(),
            detection,
            policy,
        })
    }

    /// Whether requests for this host are for this server.
    pub fn serves(&self, host: &str) -> bool {
        self.hosts.is_empty() || self.hosts.iter().any(|own| own == host)
    }

    /// Whether a browser page of this origin may call the server (DNS rebinding protection).
    pub fn allows_origin(&self, origin: &[u8]) -> bool {
        let Ok(origin) = std::str::from_utf8(origin) else {
            return false;
        };
        let origin = origin.trim().to_ascii_lowercase();
        let same_host = || {
            let (_, authority) = origin.split_once("://")?;
            let (_, own) = self.resource.origin.split_once("://")?;
            Some(paths::host(authority.as_bytes())? == paths::host(own.as_bytes())?)
        };
        self.allowed_origins.contains(&origin) || same_host() == Some(true)
    }

    /// URL of the metadata document, for the challenge.
    pub fn metadata_url(&self) -> String {
        format!("{}{WELL_KNOWN}{}", self.resource.origin, self.resource.path)
    }
}

fn require(field: &'static str, value: &str) -> Result<(), ServerError> {
    if value.is_empty() {
        return Err(ServerError::Field {
            field,
            problem: "is empty",
        });
    }
    Ok(())
}

impl Resource {
    fn parse(url: &str) -> Option<Self> {
        // It goes into a quoted header value, so only what needs no escape is taken.
        if !url
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\')
        {
            return None;
        }
        let (scheme, rest) = url.split_once("://")?;
        if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") {
            return None;
        }
        let (authority, path) = match rest.find(['/', '?', '#']) {
            Some(at) => rest.split_at_checked(at)?,
            None => (rest, ""),
        };
        if authority.is_empty() || path.contains(['?', '#']) {
            return None;
        }
        Some(Self {
            url: url.to_owned(),
            origin: format!("{scheme}://{authority}").to_ascii_lowercase(),
            path: if path == "/" {
                String::new()
            } else {
                path.to_owned()
            },
        })
    }
}

impl Limits {
    fn new(limits: push::Limits) -> Self {
        let bytes = |value: u64, default: usize| match value {
            0 => default,
            value => usize::try_from(value).unwrap_or(usize::MAX),
        };
        let count = |value: u32, default: u32| if value == 0 { default } else { value };
        Self {
            request_bytes: bytes(limits.request_bytes, 1 << 20),
            response_bytes: bytes(limits.response_bytes, 8 << 20),
            event_bytes: bytes(limits.event_bytes, 4 << 20),
            depth: count(limits.depth, 64),
            list_entries: count(limits.list_entries, 10_000),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resources() {
        for (url, expected) in [
            (
                "http://127.0.0.1:10000/crm/mcp",
                Some(("http://127.0.0.1:10000", "/crm/mcp")),
            ),
            (
                "HTTPS://Gw.Example.com",
                Some(("https://gw.example.com", "")),
            ),
            (
                "https://gw.example.com/",
                Some(("https://gw.example.com", "")),
            ),
            ("ftp://gw.example.com/x", None),
            ("https:///x", None),
            ("https://gw/x?y", None),
            ("https://gw/x\"y", None),
            ("gw/x", None),
        ] {
            let parsed = Resource::parse(url);
            let parts = parsed
                .as_ref()
                .map(|it| (it.origin.as_str(), it.path.as_str()));
            assert_eq!(parts, expected, "{url}");
        }
    }

    #[test]
    fn origins() {
        let server = crate::testing::server("s", "/s", &[]);
        for (origin, allowed) in [
            ("https://app.example.com", true),
            ("https://APP.example.com", true),
            ("http://app.example.com", false),
            ("http://gw.example.com", true),
            ("https://gw.example.com:8443", true),
            ("https://gw.example.com.evil.com", false),
            ("https://gw.example.com@evil.com", false),
            ("null", false),
            ("", false),
        ] {
            assert_eq!(server.allows_origin(origin.as_bytes()), allowed, "{origin}");
        }
    }

    #[test]
    fn limits_have_defaults() {
        let limits = Limits::new(push::Limits {
            depth: 3,
            ..push::Limits::default()
        });
        assert_eq!((limits.depth, limits.request_bytes), (3, 1 << 20));
    }
}
