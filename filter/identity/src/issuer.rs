//! Whose tokens are accepted, and how their claims are read.

use crate::KeySet;

/// One identity provider, as control pushed it.
#[derive(Clone, Debug)]
pub struct Issuer {
    /// Name of its document, for messages.
    pub name: String,
    /// The `iss` claim; compared byte by byte.
    pub issuer: String,
    /// Signature algorithms that its tokens may use.
    pub algorithms: Vec<Algorithm>,
    /// Seconds by which its clock and ours may differ; widens `exp`, `nbf` and `iat`.
    pub clock_skew_seconds: u32,
    /// How its claims become an [`Identity`](crate::Identity).
    pub claims: ClaimMapping,
    /// Its public keys; empty until control has fetched them, and then no token is accepted.
    pub keys: KeySet,
}

/// The signature algorithms that are supported (RFC 7518, RFC 8037).
///
/// Neither `none` nor the HMAC family are here: no configuration can turn them on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// `RS256`: RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// `PS256`: RSASSA-PSS with SHA-256, MGF1 with SHA-256, a salt of 32 bytes.
    Ps256,
    /// `ES256`: ECDSA over P-256 with SHA-256.
    Es256,
    /// `EdDSA` with Ed25519, which RFC 9864 spells `Ed25519`.
    EdDsa,
}

impl Algorithm {
    /// All of them, in the order in which documents name them.
    pub const ALL: [Self; 4] = [Self::Rs256, Self::Ps256, Self::Es256, Self::EdDsa];

    /// The JOSE name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Ps256 => "PS256",
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
        }
    }

    /// The algorithm of a JOSE name (case-sensitive, as RFC 7515 section 4.1.1 asks), if it is supported.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "RS256" => Some(Self::Rs256),
            "PS256" => Some(Self::Ps256),
            "ES256" => Some(Self::Es256),
            "EdDSA" | "Ed25519" => Some(Self::EdDsa),
            _ => None,
        }
    }
}

/// Which claims say who the user and the agent are.
///
/// Each entry is a path into the claims. A key that is spelled exactly like the whole path wins
/// (`https://example.com/roles`); otherwise dots lead into nested objects (`realm_access.roles`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimMapping {
    /// Paths of the user's identifier; the first that is present counts.
    pub user: Vec<String>,
    /// Paths of the agent's client id; the first that is present counts.
    pub agent: Vec<String>,
    /// Paths of roles; all that are present are joined.
    pub roles: Vec<String>,
    /// Paths of groups; all that are present are joined.
    pub groups: Vec<String>,
}

impl Default for ClaimMapping {
    fn default() -> Self {
        let paths = |paths: &[&str]| paths.iter().map(|&path| path.to_owned()).collect();
        Self {
            user: paths(&["sub"]),
            agent: paths(&["azp", "client_id"]),
            roles: paths(&["roles", "realm_access.roles"]),
            groups: paths(&["groups"]),
        }
    }
}
