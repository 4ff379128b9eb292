//! Tokens that have been verified, until they expire.

use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasherDefault, Hash, Hasher};
use std::mem;
use std::rc::Rc;

use siphasher::sip128::{Hasher128 as _, SipHasher24};

/// What is remembered of a token.
pub trait Remember {
    /// The second (Unix time) from which on it counts no more.
    fn expires_at(&self) -> u64;
    /// About how many bytes it takes.
    fn bytes(&self) -> usize;
}

/// Remembers verified tokens, so that a signature is checked once per token and not once per request.
///
/// Bounded in entries and in bytes. Tokens are not kept: they are known by 128 bits of SipHash-2-4 under a key
/// that nobody else has (Aumasson and Bernstein, 2012), so that without the key, no other token can be made
/// that is taken for one of them. A digest that needs no key, such as SHA-256, would do the same for many times
/// the work, on every request.
///
/// Verification depends on the server (its issuers, its audiences), therefore each entry belongs to a
/// scope, by which the caller names the server. Call [`clear`](Self::clear) whenever keys, issuers or
/// audiences change.
///
/// Two generations approximate least-recently-used at constant cost: what is asked for moves to the
/// young one; when that has half of the bounds, it becomes the old one and the old one is dropped.
pub struct TokenMemory<V> {
    max_entries: usize,
    max_bytes: usize,
    hasher: SipHasher24,
    young: Generation<V>,
    old: Generation<V>,
    /// When expired tokens are dropped next, in Unix seconds.
    sweep_at: u64,
}

/// Seconds between two looks for expired tokens.
const SWEEP_SECONDS: u64 = 60;

struct Generation<V> {
    entries: HashMap<Key, Rc<V>, BuildHasherDefault<FirstBytes>>,
    bytes: usize,
}

impl<V: Remember> TokenMemory<V> {
    /// A memory for at most `max_entries` tokens whose identities take about `max_bytes` together. `key` must
    /// be random, and nobody outside may come to know it.
    pub fn new(max_entries: usize, max_bytes: usize, key: [u64; 2]) -> Self {
        let [low, high] = key;
        Self {
            max_entries,
            max_bytes,
            hasher: SipHasher24::new_with_keys(low, high),
            young: Generation::default(),
            old: Generation::default(),
            sweep_at: 0,
        }
    }

    /// The identity of `token` in `scope`, if it was verified there and is still valid at `now`
    /// (Unix seconds).
    pub fn get(&mut self, token: &str, scope: &str, now: u64) -> Option<Rc<V>> {
        if now >= self.sweep_at {
            self.sweep_at = now.saturating_add(SWEEP_SECONDS);
            self.young.sweep(now);
            self.old.sweep(now);
        }
        let key = self.key(token, scope);
        if let Some(identity) = self.young.entries.get(&key) {
            if now < identity.expires_at() {
                return Some(Rc::clone(identity));
            }
            self.young.remove(&key);
            return None;
        }
        let identity = self.old.remove(&key)?;
        if now >= identity.expires_at() {
            return None;
        }
        self.put(key, Rc::clone(&identity));
        Some(identity)
    }

    /// Remembers what [`verify`](crate::verify) gave for `token` in `scope`.
    ///
    /// An identity that is too large for the bounds is returned all the same, but not remembered.
    pub fn insert(&mut self, token: &str, scope: &str, identity: V) -> Rc<V> {
        let key = self.key(token, scope);
        let identity = Rc::new(identity);
        self.old.remove(&key);
        self.put(key, Rc::clone(&identity));
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

    fn key(&self, token: &str, scope: &str) -> Key {
        let mut hasher = self.hasher;
        // The length keeps (`a`, `bc`) and (`ab`, `c`) apart.
        hasher.write_u64(scope.len() as u64);
        hasher.write(scope.as_bytes());
        hasher.write(token.as_bytes());
        Key(hasher.finish128().as_u128())
    }

    fn put(&mut self, key: Key, identity: Rc<V>) {
        let size = size_of_entry(&*identity);
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

impl<V: Remember> Generation<V> {
    fn sweep(&mut self, now: u64) {
        let Self { entries, bytes } = self;
        entries.retain(|_, identity| {
            let stays = now < identity.expires_at();
            if !stays {
                *bytes = bytes.saturating_sub(size_of_entry(&**identity));
            }
            stays
        });
        // A burst of tokens leaves no table behind that nobody needs.
        if entries.len() < entries.capacity() / 4 {
            entries.shrink_to_fit();
        }
    }

    fn remove(&mut self, key: &Key) -> Option<Rc<V>> {
        let identity = self.entries.remove(key)?;
        self.bytes = self.bytes.saturating_sub(size_of_entry(&*identity));
        Some(identity)
    }
}

impl<V> Default for Generation<V> {
    fn default() -> Self {
        Self {
            entries: HashMap::default(),
            bytes: 0,
        }
    }
}

impl<V> fmt::Debug for TokenMemory<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenMemory(..)")
    }
}

/// Keyed hash of scope and token.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Key(u128);

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u128(self.0);
    }
}

/// One half of a [`Key`], which is random enough already.
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
fn size_of_entry<V: Remember>(value: &V) -> usize {
    mem::size_of::<Key>() + value.bytes()
}
