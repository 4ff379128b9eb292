//! Verification of one token.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use crate::{Algorithm, Identity, Issuer, TokenError, claims, json};

/// Longest token that is looked at.
pub const MAX_TOKEN_BYTES: usize = 16 * 1024;

/// Verifies `token` at `now` (Unix seconds) and reads its claims.
///
/// The token must be a JWS in compact form (RFC 7515) with the claims `iss` of one of `issuers`, `exp`
/// and an `aud` among `audiences`; `nbf` and `iat` are checked when they are there. It must be signed by a
/// key of that issuer, with an algorithm that the issuer allows.
/// Keys never come from the token: `jwk`, `jku`, `x5c` and the like are ignored.
///
/// # Errors
///
/// The first reason to refuse it. What depends on claims other than `iss` is only said after the
/// signature has been checked.
pub fn verify(
    token: &str,
    issuers: &[&Issuer],
    audiences: &[String],
    now: u64,
) -> Result<Identity, TokenError> {
    if token.len() > MAX_TOKEN_BYTES {
        return Err(TokenError::TooLarge);
    }
    let (message, signature) = token.rsplit_once('.').ok_or(TokenError::NotCompact)?;
    let (header, payload) = message.split_once('.').ok_or(TokenError::NotCompact)?;
    let header = Header::read(&decode(header)?)?;
    let claims = json::object(&decode(payload)?).map_err(|_| TokenError::Claims)?;
    let token = Token {
        message,
        signature: decode(signature)?,
        header,
        claims,
    };

    let iss = token
        .claims
        .get("iss")
        .and_then(Value::as_str)
        .ok_or(TokenError::UnknownIssuer)?;
    let mut candidates = issuers.iter().filter(|issuer| issuer.issuer == iss);
    // Usually there is one. Documents may describe the same provider twice, with other keys or mappings.
    let first = candidates.next().ok_or(TokenError::UnknownIssuer)?;
    let mut result = token.verify(first, audiences, now);
    for issuer in candidates {
        if result.is_ok() {
            break;
        }
        result = token.verify(issuer, audiences, now).or(result);
    }
    result
}

/// A token that has been taken apart; nothing in it is to be trusted yet.
struct Token<'a> {
    /// What is signed: header and claims as they were sent, with the dot.
    message: &'a str,
    signature: Vec<u8>,
    header: Header,
    claims: Map<String, Value>,
}

struct Header {
    algorithm: Algorithm,
    kid: Option<String>,
}

impl Header {
    fn read(text: &[u8]) -> Result<Self, TokenError> {
        let header = json::object(text).map_err(|_| TokenError::Header)?;
        if header.contains_key("crit") {
            return Err(TokenError::Critical);
        }
        match header.get("typ") {
            None => {}
            Some(Value::String(typ)) if is_token_type(typ) => {}
            Some(_) => return Err(TokenError::Type),
        }
        let algorithm = header.get("alg").and_then(Value::as_str);
        let algorithm = algorithm
            .and_then(Algorithm::from_name)
            .ok_or(TokenError::Algorithm)?;
        let kid = match header.get("kid") {
            None => None,
            Some(Value::String(kid)) => Some(kid.clone()),
            Some(_) => return Err(TokenError::Header),
        };
        Ok(Self { algorithm, kid })
    }
}

/// `JWT` (RFC 7519 section 5.1) and `at+jwt` (RFC 9068 section 2.1), both also as complete media types.
/// What is another kind of JWT, a logout token or a DPoP proof, says so here and is not an access token.
fn is_token_type(typ: &str) -> bool {
    ["jwt", "at+jwt", "application/jwt", "application/at+jwt"]
        .iter()
        .any(|known| typ.eq_ignore_ascii_case(known))
}

impl Token<'_> {
    fn verify(
        &self,
        issuer: &Issuer,
        audiences: &[String],
        now: u64,
    ) -> Result<Identity, TokenError> {
        let Header { algorithm, kid } = &self.header;
        if !issuer.algorithms.contains(algorithm) {
            return Err(TokenError::Algorithm);
        }
        let message = self.message.as_bytes();
        issuer
            .keys
            .verify(*algorithm, kid.as_deref(), message, &self.signature)?;

        let skew = u64::from(issuer.clock_skew_seconds);
        let exp = claims::date(&self.claims, "exp", f64::floor)?.ok_or(TokenError::Claim("exp"))?;
        let expires_at = exp.saturating_add(skew);
        if now >= expires_at {
            return Err(TokenError::Expired);
        }
        let soon = now.saturating_add(skew);
        if claims::date(&self.claims, "nbf", f64::ceil)?.is_some_and(|nbf| nbf > soon) {
            return Err(TokenError::NotYetValid);
        }
        if claims::date(&self.claims, "iat", f64::floor)?.is_some_and(|iat| iat > soon) {
            return Err(TokenError::IssuedInFuture);
        }
        if !claims::is_for(&self.claims, audiences)? {
            return Err(TokenError::Audience);
        }
        if self.claims.get("sub").is_some_and(|sub| !sub.is_string()) {
            return Err(TokenError::Claim("sub"));
        }
        claims::identity(
            &issuer.name,
            &issuer.claims,
            self.claims.clone(),
            expires_at,
        )
    }
}

fn decode(part: &str) -> Result<Vec<u8>, TokenError> {
    URL_SAFE_NO_PAD
        .decode(part)
        .map_err(|_| TokenError::NotCompact)
}
