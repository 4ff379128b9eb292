//! Identifiers that only the caller they were given to can use.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::Identity;

/// Bytes of a tag: half of the MAC, which is 128 bits that nobody can guess.
const TAG: usize = 16;
/// Characters of a tag as it is written.
const WRITTEN: usize = 22;

/// Ties the identifiers of one server, such as session ids, to the callers that got them.
///
/// A server behind the gateway does not see who calls: the token ends at the gateway. So it cannot do what
/// the specification asks of it, to bind a session to its user (2025-11-25, "Session Hijacking"), and the
/// gateway does it. It keeps nothing to that end: what a client gets is `<tag>.<identifier>`, where the tag
/// is a MAC (RFC 2104, HMAC-SHA-256, cut to 128 bits) over server, caller and identifier. So it holds across
/// workers, gateways and restarts that share a key.
#[derive(Clone)]
pub struct Binding {
    mac: Hmac<Sha256>,
}

/// What an identifier names; the tag of one kind is none of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// A session (`Mcp-Session-Id`, up to 2025-11-25).
    Session,
    /// A task.
    Task,
    /// An event of a stream that belongs to no session (`Last-Event-ID`, up to 2025-11-25).
    Event,
    /// The state of a multi-round request (`requestState`, 2026-07-28).
    State,
    /// A task of the gateway's own: a call that waits for a person.
    Hold,
}

impl Binding {
    /// Length of a key in bytes.
    pub const KEY: usize = 32;

    /// A binding for one server, by its name.
    pub fn new(key: &[u8; Self::KEY], server: &str) -> Self {
        // A block of the hash, as RFC 2104 pads a shorter key: of this length, making it cannot fail.
        let mut block = [0; 64];
        for (padded, byte) in block.iter_mut().zip(key) {
            *padded = *byte;
        }
        let mut mac = Hmac::<Sha256>::new(&block.into());
        field(&mut mac, server.as_bytes());
        Self { mac }
    }

    /// The identifier as `caller` gets it. Characters that HTTP headers and JSON strings take as they are
    /// stand before it: letters, digits, `-`, `_`, and one `.`.
    pub fn seal(&self, kind: Bound, caller: &Identity, identifier: &str) -> String {
        self.sealer(kind, caller).seal(identifier)
    }

    /// What seals many identifiers of one kind for `caller`, for less than one by one.
    pub fn sealer(&self, kind: Bound, caller: &Identity) -> Sealer {
        let kind: &[u8] = match kind {
            Bound::Session => b"session",
            Bound::Task => b"task",
            Bound::Event => b"event",
            Bound::State => b"state",
            Bound::Hold => b"hold",
        };
        let mut mac = self.mac.clone();
        for part in [
            kind,
            caller.issuer.as_bytes(),
            caller.user.as_bytes(),
            caller.agent.as_bytes(),
        ] {
            field(&mut mac, part);
        }
        Sealer { mac }
    }

    /// The server's identifier in what a client sent. Nothing unless it was sealed for this very caller: the
    /// same user, through the same agent, by a token of the same issuer. Roles may have changed meanwhile.
    pub fn open<'t>(&self, kind: Bound, caller: &Identity, sealed: &'t str) -> Option<&'t str> {
        let (tag, _) = sealed.split_at_checked(WRITTEN)?;
        let identifier = Self::identifier(sealed)?;
        let tag = URL_SAFE_NO_PAD.decode(tag).ok()?;
        self.sealer(kind, caller)
            .mac(identifier)
            .verify_truncated_left(&tag)
            .ok()?;
        Some(identifier)
    }

    /// The identifier in what may have been sealed; for whom, if it was, [`Self::open`] tells.
    pub fn identifier(sealed: &str) -> Option<&str> {
        let (_, identifier) = sealed.split_at_checked(WRITTEN)?;
        identifier.strip_prefix('.')
    }
}

/// A [`Binding`] for one kind of identifier and one caller.
#[derive(Clone)]
pub struct Sealer {
    mac: Hmac<Sha256>,
}

impl Sealer {
    /// The same as [`Binding::seal`].
    pub fn seal(&self, identifier: &str) -> String {
        let tag = self.mac(identifier).finalize().into_bytes();
        let mut sealed = String::with_capacity(WRITTEN + 1 + identifier.len());
        URL_SAFE_NO_PAD.encode_string(tag.get(..TAG).unwrap_or_default(), &mut sealed);
        sealed.push('.');
        sealed.push_str(identifier);
        sealed
    }

    fn mac(&self, identifier: &str) -> Hmac<Sha256> {
        let mut mac = self.mac.clone();
        field(&mut mac, identifier.as_bytes());
        mac
    }
}

/// Its length goes before each part, so that no two lists of parts are the same bytes.
fn field(mac: &mut Hmac<Sha256>, part: &[u8]) {
    mac.update(&(part.len() as u64).to_be_bytes());
    mac.update(part);
}

impl fmt::Debug for Binding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Binding(..)")
    }
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealer(..)")
    }
}
