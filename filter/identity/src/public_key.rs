//! One public key, and the signature schemes behind the algorithms' names.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use p256::ecdsa::signature::Verifier as _;
use rsa::{BigUint, Pkcs1v15Sign, Pss, RsaPublicKey};
// The version of SHA-256 that `rsa` is made for; the rest of the crate has a later one.
use rsa::sha2::{Digest as _, Sha256};
use serde_json::{Map, Value};

use crate::Algorithm;

/// Below that RSA keys can be factored (RFC 7518 section 3.3); above it, checking a signature takes so long
/// that a few requests stop a worker.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

/// RFC 7518 section 3.5: "The size of the salt value is the same size as the hash function output".
const PSS_SALT_BYTES: usize = 32;

#[derive(Clone, Debug)]
pub(crate) enum PublicKey {
    Rsa(RsaPublicKey),
    P256(p256::ecdsa::VerifyingKey),
    Ed25519(ed25519_dalek::VerifyingKey),
}

impl PublicKey {
    /// Reads the members of RFC 7518 section 6 and RFC 8037 section 2.
    pub(crate) fn from_jwk(jwk: &Map<String, Value>) -> Result<Self, &'static str> {
        if jwk.contains_key("d") {
            return Err("its private part was published; replace it");
        }
        let text = |name| jwk.get(name).and_then(Value::as_str);
        match (text("kty"), text("crv")) {
            (Some("RSA"), _) => rsa_key(jwk).map(Self::Rsa),
            (Some("EC"), Some("P-256")) => p256_key(jwk).map(Self::P256),
            (Some("OKP"), Some("Ed25519")) => ed25519_key(jwk).map(Self::Ed25519),
            (Some("EC" | "OKP"), _) => Err("its curve is not supported"),
            (Some("oct"), _) => Err("symmetric keys are not accepted"),
            _ => Err("its type is not supported"),
        }
    }

    /// Whether keys of this type make signatures of this algorithm.
    pub(crate) fn fits(&self, algorithm: Algorithm) -> bool {
        match (self, algorithm) {
            (Self::Rsa(_), Algorithm::Rs256 | Algorithm::Ps256)
            | (Self::P256(_), Algorithm::Es256)
            | (Self::Ed25519(_), Algorithm::EdDsa) => true,
            (Self::Rsa(_) | Self::P256(_) | Self::Ed25519(_), _) => false,
        }
    }

    /// Whether `signature` is this key's signature of `message`.
    pub(crate) fn verify(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        match (self, algorithm) {
            (Self::Rsa(key), Algorithm::Rs256) => {
                let digest = Sha256::digest(message);
                key.verify(Pkcs1v15Sign::new::<Sha256>(), &digest, signature)
                    .is_ok()
            }
            (Self::Rsa(key), Algorithm::Ps256) => {
                let digest = Sha256::digest(message);
                let scheme = Pss::new_with_salt::<Sha256>(PSS_SALT_BYTES);
                key.verify(scheme, &digest, signature).is_ok()
            }
            (Self::P256(key), Algorithm::Es256) => p256::ecdsa::Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify(message, &signature).is_ok()),
            (Self::Ed25519(key), Algorithm::EdDsa) => {
                ed25519_dalek::Signature::from_slice(signature)
                    .is_ok_and(|signature| key.verify_strict(message, &signature).is_ok())
            }
            (Self::Rsa(_) | Self::P256(_) | Self::Ed25519(_), _) => false,
        }
    }
}

fn rsa_key(jwk: &Map<String, Value>) -> Result<RsaPublicKey, &'static str> {
    let (n, e) = (octets(jwk, "n")?, octets(jwk, "e")?);
    let n = BigUint::from_bytes_be(&n);
    if !RSA_BITS.contains(&n.bits()) {
        return Err("RSA keys must have 2048 to 8192 bits");
    }
    // Refuses even numbers and exponents of more than 33 bits.
    RsaPublicKey::new_with_max_size(n, BigUint::from_bytes_be(&e), *RSA_BITS.end())
        .map_err(|_| "its RSA modulus or exponent cannot be one")
}

fn p256_key(jwk: &Map<String, Value>) -> Result<p256::ecdsa::VerifyingKey, &'static str> {
    let (x, y) = (octets(jwk, "x")?, octets(jwk, "y")?);
    if x.len() != 32 || y.len() != 32 {
        return Err("its coordinates do not have 32 octets");
    }
    // SEC 1, 2.3.3: an uncompressed point.
    let point = [&[4], x.as_slice(), y.as_slice()].concat();
    p256::ecdsa::VerifyingKey::from_sec1_bytes(&point).map_err(|_| "it is not a point of P-256")
}

fn ed25519_key(jwk: &Map<String, Value>) -> Result<ed25519_dalek::VerifyingKey, &'static str> {
    let x = octets(jwk, "x")?;
    let x = x
        .as_slice()
        .try_into()
        .map_err(|_| "its coordinate does not have 32 octets")?;
    match ed25519_dalek::VerifyingKey::from_bytes(x) {
        Ok(key) if !key.is_weak() => Ok(key),
        _ => Err("it is not a point of Ed25519 that can be used"),
    }
}

fn octets(jwk: &Map<String, Value>, name: &str) -> Result<Vec<u8>, &'static str> {
    let text = jwk
        .get(name)
        .and_then(Value::as_str)
        .ok_or("a number of the key is missing")?;
    URL_SAFE_NO_PAD
        .decode(text)
        .map_err(|_| "a number of the key is not unpadded base64url")
}
