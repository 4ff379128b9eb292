//! Tokens that have been verified, until they expire.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hash, Hasher};
use std::mem;
use std::sync::Arc;

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::Identity;

/// Remembers verified tokens, so that a signature is checked once per token and not once per request.
///
/// Bounded in entries and in bytes. Tokens are known by their SHA-256 only; they are not kept.
/// Verification depends on the server (its issuers, its audiences), therefore each entry belongs to a
/// scope, by which the caller names the server. Call [`clear`](Self::clear) whenever keys, issuers or
/// audiences change.
///
/// Two generations approximate least-recently-used at constant cost: what is asked for moves to the
/// young one; when that has half of the bounds, it becomes the old one and the old one is dropped.
#[derive(Debug)]
pub struct TokenMemory {
    max_entries: usize,
    max_bytes: usize,
    young: Generation,
    old: Generation,
    /// When expired tokens are dropped next, in Unix seconds.
    sweep_at: u64,
}

/// Seconds between two looks for expired tokens.
const SWEEP_SECONDS: u64 = 60;

#[derive(Debug, Default)]
struct Generation {
    entries: HashMap<Key, Arc<Identity>, BuildHasherDefault<FirstBytes>>,
    bytes: usize,
}

impl TokenMemory {
    /// A memory for at most `max_entries` tokens whose identities take about `max_bytes` together.
    pub fn new(max_entries: usize, max_bytes: usize) -> Self {
        Self {
            max_entries,
            max_bytes,
            young: Generation::default(),
            old: Generation::default(),
            sweep_at: 0,
        }
    }

    /// The identity of `token` in `scope`, if it was verified there and is still valid at `now`
    /// (Unix seconds).
    pub fn get(&mut self, token: &str, scope: &str, now: u64) -> Option<Arc<Identity>> {
        if now >= self.sweep_at {
            self.sweep_at = now.saturating_add(SWEEP_SECONDS);
            self.young.sweep(now);
            self.old.sweep(now);
        }
        let key = Key::new(token, scope);
        if let Some(identity) = self.young.entries.get(&key) {
            if now < identity.expires_at {
                return Some(Arc::clone(identity));
            }
            self.young.remove(&key);
            return None;
        }
        let identity = self.old.remove(&key)?;
        if now >= identity.expires_at {
            return None;
        }
        self.put(key, Arc::clone(&identity));
        Some(identity)
    }

    /// Remembers what [`verify`](crate::verify) gave for `token` in `scope`.
    ///
    /// An identity that is too large for the bounds is returned all the same, but not remembered.
    pub fn insert(&mut self, token: &str, scope: &str, identity: Identity) -> Arc<Identity> {
        let key = Key::new(token, scope);
        let identity = Arc::new(identity);
        self.old.remove(&key);
        self.put(key, Arc::clone(&identity));
        identity
    }

    /// Forgets all tokens.
    pub fn clear(&mut self) {
        self.young = Generation::default();
        self.old = Generation::default();
    }

    /// Number of tokens that are remembered, expired ones included until they are asked for or swept out.
    pub fn len(&self) -> usize {
        self.young.entries.len() + self.old.entries.len()
    }

    /// Whether nothing is remembered.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// About how many bytes the remembered identities take.
    pub fn bytes(&self) -> usize {
        self.young.bytes.saturating_add(self.old.bytes)
    }

    fn put(&mut self, key: Key, identity: Arc<Identity>) {
        let size = size_of_identity(&identity);
        let (entries, bytes) = (self.max_entries / 2, self.max_bytes / 2);
        if entries == 0 || size > bytes {
            return;
        }
        self.young.remove(&key);
        if self.young.entries.len() >= entries || self.young.bytes.saturating_add(size) > bytes {
            self.old = mem::take(&mut self.young);
        }
        self.young.bytes = self.young.bytes.saturating_add(size);
        self.young.entries.insert(key, identity);
    }
}

impl Generation {
    fn sweep(&mut self, now: u64) {
        let Self { entries, bytes } = self;
        entries.retain(|_, identity| {
            let stays = now < identity.expires_at;
            if !stays {
                *bytes = bytes.saturating_sub(size_of_identity(identity));
            }
            stays
        });
        // A burst of tokens leaves no table behind that nobody needs.
        if entries.len() < entries.capacity() / 4 {
            entries.shrink_to_fit();
        }
    }

    fn remove(&mut self, key: &Key) -> Option<Arc<Identity>> {
        let identity = self.entries.remove(key)?;
        self.bytes = self.bytes.saturating_sub(size_of_identity(&identity));
        Some(identity)
    }
}

/// SHA-256 of scope and token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Key([u8; 32]);

impl Key {
    fn new(token: &str, scope: &str) -> Self {
        let mut hash = Sha256::new();
        // The length keeps (`a`, `bc`) and (`ab`, `c`) apart.
        hash.update((scope.len() as u64).to_le_bytes());
        hash.update(scope);
        hash.update(token);
        Self(hash.finalize().into())
    }
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write(&self.0);
    }
}

/// The first bytes of a [`Key`], which are random enough already. Collisions cannot be planted: only
/// tokens that an issuer signed get in.
#[derive(Default)]
struct FirstBytes(u64);

impl Hasher for FirstBytes {
    fn write(&mut self, bytes: &[u8]) {
        if let Some(first) = bytes.first_chunk() {
            self.0 = u64::from_le_bytes(*first);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// About how many bytes an entry takes, for the bound.
fn size_of_identity(identity: &Identity) -> usize {
    let Identity {
        issuer,
        user,
        agent,
        roles,
        groups,
        scopes,
        claims,
        expires_at: _,
    } = identity;
    let lists = [roles, groups, scopes];
    let texts = [issuer, user, agent]
        .into_iter()
        .chain(lists.into_iter().flatten());
    let texts = texts.map(|text| mem::size_of::<String>() + text.len());
    let members = claims.iter().map(|(key, value)| size_of_member(key, value));
    mem::size_of::<(Key, Identity)>() + texts.chain(members).sum::<usize>()
}

fn size_of_member(key: &str, value: &Value) -> usize {
    mem::size_of::<(String, Value)>() + key.len() + size_of_value(value)
}

/// What a value takes beside its own slot. The recursion is bounded by the JSON parser's depth (128).
fn size_of_value(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
        Value::String(text) => text.len(),
        Value::Array(items) => items
            .iter()
            .map(|item| mem::size_of::<Value>() + size_of_value(item))
            .sum(),
        Value::Object(members) => members
            .iter()
            .map(|(key, value)| size_of_member(key, value))
            .sum(),
    }
}
