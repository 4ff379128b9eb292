//! Test tokens of an issuer that has no server: its keys stand in the Issuer document itself.

use std::sync::OnceLock;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, RSA_PKCS1_SHA256,
    RSA_PSS_SHA256, RsaEncoding, RsaKeyPair,
};
use serde_json::{Map, Value, json};

use crate::error::HarnessError;
use crate::tools::Tools;

/// `iss` of the tokens that [`Keys::token`] makes.
pub const ISSUER: &str = "https://issuer.test";

/// Signature algorithms that Gatehold accepts (RFC 7518, RFC 8037).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// RSA PKCS#1 v1.5.
    Rs256,
    /// RSA PSS.
    Ps256,
    /// ECDSA on P-256.
    Es256,
    /// Ed25519.
    EdDsa,
}

impl Algorithm {
    /// All four.
    pub const ALL: [Self; 4] = [Self::Rs256, Self::Ps256, Self::Es256, Self::EdDsa];

    /// Its name in a JWT header.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Ps256 => "PS256",
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
        }
    }

    /// The `kid` of its key in [`Keys::jwks`].
    #[must_use]
    pub fn kid(self) -> &'static str {
        match self {
            Self::Rs256 => "test-rs",
            Self::Ps256 => "test-ps",
            Self::Es256 => "test-es",
            Self::EdDsa => "test-ed",
        }
    }
}

/// One key pair per algorithm, made anew for every test process.
#[derive(Debug)]
pub struct Keys {
    made: Value,
    jwks: Value,
    rs: RsaKeyPair,
    ps: RsaKeyPair,
    es: EcdsaKeyPair,
    ed: Ed25519KeyPair,
}

/// Prints one object: per `kid` the private key (PKCS #8, base64) and the public one (JWK).
const MAKE_KEYS: &str = r"
const { generateKeyPairSync: make } = require('node:crypto');
const rsa = { modulusLength: 2048 };
const pairs = {
  'test-rs': ['RS256', make('rsa', rsa)], 'test-ps': ['PS256', make('rsa', rsa)],
  'test-es': ['ES256', make('ec', { namedCurve: 'P-256' })], 'test-ed': ['EdDSA', make('ed25519')],
};
console.log(JSON.stringify(Object.fromEntries(Object.entries(pairs).map(([kid, [alg, pair]]) => [kid, {
  pkcs8: pair.privateKey.export({ format: 'der', type: 'pkcs8' }).toString('base64'),
  jwk: { ...pair.publicKey.export({ format: 'jwk' }), kid, alg, use: 'sig' },
}]))));";

impl Keys {
    /// The keys of this process; the first call makes them.
    ///
    /// # Errors
    /// When Node.js cannot make them.
    pub fn get(tools: &Tools) -> Result<&'static Self, HarnessError> {
        static KEYS: OnceLock<Keys> = OnceLock::new();
        if let Some(keys) = KEYS.get() {
            return Ok(keys);
        }
        let keys = Self::make(tools)?;
        Ok(KEYS.get_or_init(|| keys))
    }

    fn make(tools: &Tools) -> Result<Self, HarnessError> {
        let output = std::process::Command::new(&tools.node)
            .args(["-e", MAKE_KEYS])
            .output();
        let output = output.map_err(HarnessError::io("make keys with Node.js"))?;
        let made = serde_json::from_slice(&output.stdout)
            .map_err(|_| unexpected(String::from_utf8_lossy(&output.stderr)))?;
        Self::import(made)
    }

    /// The keys that another process has exported.
    ///
    /// # Errors
    /// When they are no keys.
    pub fn import(made: Value) -> Result<Self, HarnessError> {
        let private = |algorithm: Algorithm| {
            let key = made
                .get(algorithm.kid())
                .and_then(|key| key.get("pkcs8"))
                .and_then(Value::as_str);
            key.and_then(|key| STANDARD.decode(key).ok())
                .ok_or_else(|| unexpected("a key is missing"))
        };
        let public = made.as_object().into_iter().flat_map(Map::values);
        let public: Vec<&Value> = public.filter_map(|key| key.get("jwk")).collect();
        Ok(Self {
            jwks: json!({ "keys": public }),
            rs: RsaKeyPair::from_pkcs8(&private(Algorithm::Rs256)?).map_err(unexpected)?,
            ps: RsaKeyPair::from_pkcs8(&private(Algorithm::Ps256)?).map_err(unexpected)?,
            es: EcdsaKeyPair::from_pkcs8(
                &ECDSA_P256_SHA256_FIXED_SIGNING,
                &private(Algorithm::Es256)?,
                &SystemRandom::new(),
            )
            .map_err(unexpected)?,
            ed: Ed25519KeyPair::from_pkcs8_maybe_unchecked(&private(Algorithm::EdDsa)?)
                .map_err(unexpected)?,
            made,
        })
    }

    /// The keys, private parts included, for another process that signs tokens of the same issuer.
    #[must_use]
    pub fn export(&self) -> &Value {
        &self.made
    }

    /// The public keys (RFC 7517).
    #[must_use]
    pub fn jwks(&self) -> &Value {
        &self.jwks
    }

    /// Signs `claims` as they are.
    ///
    /// # Errors
    /// When the signature cannot be made.
    pub fn sign(&self, algorithm: Algorithm, claims: &Value) -> Result<String, HarnessError> {
        self.sign_with_header(
            algorithm,
            &json!({ "alg": algorithm.name(), "kid": algorithm.kid(), "typ": "at+jwt" }),
            claims,
        )
    }

    /// Signs with the key of `algorithm` under any header, for tokens that must be refused.
    ///
    /// # Errors
    /// When the signature cannot be made.
    pub fn sign_with_header(
        &self,
        algorithm: Algorithm,
        header: &Value,
        claims: &Value,
    ) -> Result<String, HarnessError> {
        let random = SystemRandom::new();
        let text = format!(
            "{}.{}",
            URL_SAFE_NO_PAD.encode(header.to_string()),
            URL_SAFE_NO_PAD.encode(claims.to_string())
        );
        let rsa = |key: &RsaKeyPair, encoding: &'static dyn RsaEncoding| {
            let mut signature = vec![0; key.public().modulus_len()];
            key.sign(encoding, &random, text.as_bytes(), &mut signature)
                .map_err(unexpected)?;
            Ok::<_, HarnessError>(signature)
        };
        let signature = match algorithm {
            Algorithm::Rs256 => rsa(&self.rs, &RSA_PKCS1_SHA256)?,
            Algorithm::Ps256 => rsa(&self.ps, &RSA_PSS_SHA256)?,
            Algorithm::Es256 => self
                .es
                .sign(&random, text.as_bytes())
                .map_err(unexpected)?
                .as_ref()
                .to_vec(),
            Algorithm::EdDsa => self.ed.sign(text.as_bytes()).as_ref().to_vec(),
        };
        Ok(format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}

/// The claims of a token, valid for ten minutes unless changed.
#[derive(Clone, Debug)]
pub struct Claims(Map<String, Value>);

impl Claims {
    /// For `user`, with `roles`, for the server whose resource is `audience`; the agent is `test-agent`.
    #[must_use]
    pub fn new(user: &str, roles: &[&str], audience: &str) -> Self {
        let now = now();
        let claims = json!({
            "iss": ISSUER, "sub": user, "aud": audience, "azp": "test-agent", "client_id": "test-agent",
            "roles": roles, "groups": [], "iat": now, "exp": now + 600,
        });
        let Value::Object(claims) = claims else {
            return Self(Map::new());
        };
        Self(claims)
    }

    /// Sets a claim; `null` removes it.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        match value.into() {
            Value::Null => self.0.remove(name),
            value => self.0.insert(name.to_owned(), value),
        };
        self
    }

    /// As JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        Value::Object(self.0.clone())
    }
}

/// Seconds since 1970.
#[must_use]
pub fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs()
}

fn unexpected(reason: impl ToString) -> HarnessError {
    HarnessError::Unexpected(format!("no test keys: {}", reason.to_string()))
}
