//! The issuer's public keys.

use serde_json::{Map, Value};

use crate::public_key::PublicKey;
use crate::{Algorithm, TokenError, json};

/// Longest key set that is read.
const MAX_JWKS_BYTES: usize = 256 * 1024;

/// Most keys that one token is tried with: each costs a signature check.
const MAX_TRIES: usize = 8;

/// The usable public keys of one issuer.
#[derive(Clone, Default, Debug)]
pub struct KeySet {
    keys: Vec<Key>,
    skipped: Vec<SkippedKey>,
}

/// A key of a set that cannot be used, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SkippedKey {
    /// Its `kid`, or its position in the set (`#1`) when it has none.
    pub key: String,
    /// Why it is not used.
    pub reason: &'static str,
}

/// Why a key set cannot be read at all.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Longer than 256 KiB.
    #[error("the key set is longer than 256 KiB")]
    TooLarge,
    /// Not a JWK Set (RFC 7517 section 5).
    #[error("not a JWK Set: {0}; expected an object with a list `keys`")]
    NotASet(String),
}

#[derive(Clone, Debug)]
struct Key {
    kid: Option<String>,
    /// The only algorithm that it may be used with, when the set says so.
    algorithm: Option<Algorithm>,
    public: PublicKey,
}

impl KeySet {
    /// Reads a JWK Set (RFC 7517): RSA keys of 2048 to 8192 bits, P-256 and Ed25519.
    ///
    /// Keys that cannot be used are left out and listed by [`skipped`](Self::skipped); that includes
    /// symmetric keys, keys for encryption, and keys whose private part was published.
    ///
    /// # Errors
    ///
    /// A text that is too long or is not a key set. A set without usable keys is not an error.
    pub fn from_jwks(json: &str) -> Result<Self, KeyError> {
        if json.len() > MAX_JWKS_BYTES {
            return Err(KeyError::TooLarge);
        }
        let set = json::object(json.as_bytes());
        let set = set.map_err(|error| KeyError::NotASet(error.to_string()))?;
        let Some(Value::Array(list)) = set.get("keys") else {
            return Err(KeyError::NotASet("there is no list `keys`".to_owned()));
        };
        let mut keys = Vec::new();
        let mut skipped = Vec::new();
        for (index, jwk) in list.iter().enumerate() {
            match Key::from_jwk(jwk) {
                Ok(key) => keys.push(key),
                Err(reason) => {
                    let kid = jwk.get("kid").and_then(Value::as_str);
                    let key = kid.map_or_else(|| format!("#{}", index + 1), str::to_owned);
                    skipped.push(SkippedKey { key, reason });
                }
            }
        }
        Ok(Self { keys, skipped })
    }

    /// Number of usable keys.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there is no usable key, so that no token can be verified.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// The keys that were left out.
    pub fn skipped(&self) -> &[SkippedKey] {
        &self.skipped
    }

    /// Checks a signature with the key that `kid` names, or with those that fit when there is no `kid`.
    pub(crate) fn verify(
        &self,
        algorithm: Algorithm,
        kid: Option<&str>,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), TokenError> {
        if self.is_empty() {
            return Err(TokenError::NoKeys);
        }
        let mut named = self
            .keys
            .iter()
            .filter(|key| kid.is_none() || key.kid.as_deref() == kid);
        let mut named = named.by_ref().peekable();
        if named.peek().is_none() {
            return Err(TokenError::UnknownKey);
        }
        let mut fitting = named
            .filter(|key| key.fits(algorithm))
            .take(MAX_TRIES)
            .peekable();
        if fitting.peek().is_none() {
            return Err(TokenError::KeyMismatch);
        }
        match fitting.any(|key| key.public.verify(algorithm, message, signature)) {
            true => Ok(()),
            false => Err(TokenError::Signature),
        }
    }
}

impl Key {
    fn from_jwk(jwk: &Value) -> Result<Self, &'static str> {
        let jwk = jwk.as_object().ok_or("it is not an object")?;
        let text = |name| match jwk.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.as_str())),
            Some(_) => Err("its `kid`, `use` or `alg` is not a string"),
        };
        if text("use")?.is_some_and(|usage| usage != "sig") || !may_verify(jwk) {
            return Err("it is not for verifying signatures");
        }
        let algorithm = match text("alg")? {
            None => None,
            Some(name) => Some(Algorithm::from_name(name).ok_or("its `alg` is not supported")?),
        };
        let public = PublicKey::from_jwk(jwk)?;
        if algorithm.is_some_and(|algorithm| !public.fits(algorithm)) {
            return Err("its `alg` does not fit its type");
        }
        Ok(Self {
            kid: text("kid")?.map(str::to_owned),
            algorithm,
            public,
        })
    }

    fn fits(&self, algorithm: Algorithm) -> bool {
        self.algorithm.is_none_or(|only| only == algorithm) && self.public.fits(algorithm)
    }
}

/// Whether `key_ops` (RFC 7517 section 4.3), if it is there, has `verify`.
fn may_verify(jwk: &Map<String, Value>) -> bool {
    match jwk.get("key_ops") {
        None => true,
        Some(Value::Array(operations)) => operations.iter().any(|item| item == "verify"),
        Some(_) => false,
    }
}
