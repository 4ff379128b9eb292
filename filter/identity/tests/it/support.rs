//! Keys and tokens of the tests. The private keys are those that RFC 7515 and RFC 8037 publish.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::Signer as _;
use gatehold_identity::{Algorithm, ClaimMapping, Identity, Issuer, KeySet, TokenError, verify};
use serde_json::{Value, json};

pub(crate) const ISSUER: &str = "https://idp.example.com";
pub(crate) const AUDIENCE: &str = "https://gw.example.com/crm/mcp";
pub(crate) const NOW: u64 = 1_800_000_000;

pub(crate) const EC_X: &str = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU";
pub(crate) const EC_Y: &str = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0";
const EC_D: &str = "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI";
pub(crate) const ED_X: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
const ED_D: &str = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A";

pub(crate) fn base64url(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub(crate) fn ec_jwk() -> Value {
    json!({"kty": "EC", "crv": "P-256", "kid": "ec", "x": EC_X, "y": EC_Y})
}

pub(crate) fn ed_jwk() -> Value {
    json!({"kty": "OKP", "crv": "Ed25519", "kid": "ed", "x": ED_X})
}

pub(crate) fn keys(jwks: &[Value]) -> KeySet {
    KeySet::from_jwks(&json!({ "keys": jwks }).to_string()).unwrap()
}

pub(crate) fn issuer() -> Issuer {
    Issuer {
        name: "corp".to_owned(),
        issuer: ISSUER.to_owned(),
        algorithms: Algorithm::ALL.to_vec(),
        clock_skew_seconds: 60,
        claims: ClaimMapping::default(),
        keys: keys(&[ec_jwk(), ed_jwk()]),
    }
}

pub(crate) fn header() -> Value {
    json!({"alg": "ES256", "typ": "at+jwt", "kid": "ec"})
}

pub(crate) fn claims() -> Value {
    json!({
        "iss": ISSUER,
        "sub": "alice",
        "aud": AUDIENCE,
        "exp": NOW + 300,
        "nbf": NOW,
        "iat": NOW,
        "azp": "agent-1",
        "roles": ["support", "sales"],
        "scope": "mcp:tools profile",
    })
}

/// Copies members over an object; `null` removes.
pub(crate) fn with(mut object: Value, changes: Value) -> Value {
    for (key, value) in changes.as_object().unwrap() {
        match value {
            Value::Null => drop(object.as_object_mut().unwrap().remove(key)),
            value => object[key] = value.clone(),
        }
    }
    object
}

/// Signs with ES256 and the key `ec`, whatever the header says.
pub(crate) fn sign(header: &str, claims: &str) -> String {
    static KEY: LazyLock<p256::ecdsa::SigningKey> = LazyLock::new(|| {
        let d = URL_SAFE_NO_PAD.decode(EC_D).unwrap();
        p256::ecdsa::SigningKey::from_slice(&d).unwrap()
    });
    let message = format!("{}.{}", base64url(header), base64url(claims));
    let signature: p256::ecdsa::Signature = KEY.sign(message.as_bytes());
    format!("{message}.{}", base64url(signature.to_bytes()))
}

/// Signs with EdDSA and the key `ed`, whatever the header says.
pub(crate) fn sign_ed(header: &str, claims: &str) -> String {
    let d: [u8; 32] = URL_SAFE_NO_PAD.decode(ED_D).unwrap().try_into().unwrap();
    let key = ed25519_dalek::SigningKey::from_bytes(&d);
    let message = format!("{}.{}", base64url(header), base64url(claims));
    let signature = key.sign(message.as_bytes());
    format!("{message}.{}", base64url(signature.to_bytes()))
}

pub(crate) fn token(header_changes: Value, claim_changes: Value) -> String {
    let header = with(header(), header_changes).to_string();
    sign(&header, &with(claims(), claim_changes).to_string())
}

pub(crate) fn check(issuer: &Issuer, token: &str) -> Result<Identity, TokenError> {
    verify(token, &[issuer], &[AUDIENCE.to_owned()], NOW)
}

#[track_caller]
pub(crate) fn refused(token: &str, expected: TokenError) {
    assert_eq!(check(&issuer(), token), Err(expected), "{token}");
}
