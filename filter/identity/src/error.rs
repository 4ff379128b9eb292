//! Why a token is refused.

/// Why a token is refused.
///
/// The messages are for the client (`error_description`) and for the audit log: printable ASCII without
/// quotes or backslashes, and nothing in them comes from the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum TokenError {
    /// Longer than [`MAX_TOKEN_BYTES`](crate::MAX_TOKEN_BYTES).
    #[error("the token is longer than 16 KiB")]
    TooLarge,
    /// Not three parts of unpadded base64url (RFC 7515 section 7.1). Opaque tokens end here.
    #[error("the token is not a signed JWT in compact form")]
    NotCompact,
    /// The header is not a JSON object, or repeats a member somewhere.
    #[error("the token's header is not a JSON object with unique members")]
    Header,
    /// The claims are not a JSON object, or repeat a member somewhere.
    #[error("the token's claims are not a JSON object with unique members")]
    Claims,
    /// `crit` is present: it asks for extensions, and none is supported (RFC 7515 section 4.1.11).
    #[error("the token's header has `crit`, and no extension is supported")]
    Critical,
    /// `typ` names something else than a JWT or an access token.
    #[error("the token's `typ` is neither `JWT` nor `at+jwt`")]
    Type,
    /// `alg` is missing, unsupported (`none`, HMAC) or not accepted from this issuer.
    #[error("the token's signature algorithm is not accepted from its issuer")]
    Algorithm,
    /// `iss` is missing or names no issuer that this server accepts.
    #[error("the token's issuer is not accepted here")]
    UnknownIssuer,
    /// The issuer's keys have not been fetched yet, or none of them is usable.
    #[error("no usable key of the token's issuer is known yet")]
    NoKeys,
    /// No key has the token's `kid`.
    #[error("no key of the token's issuer has the token's `kid`")]
    UnknownKey,
    /// There are keys, but none that may be used with the token's `alg`.
    #[error("no matching key of the token's issuer may be used with the token's algorithm")]
    KeyMismatch,
    /// The signature is not that of any key that fits.
    #[error("the token's signature is wrong")]
    Signature,
    /// This claim is missing, although it is required, or has the wrong type.
    #[error("the token's claim `{0}` is missing or has the wrong type")]
    Claim(&'static str),
    /// `exp` is over.
    #[error("the token has expired")]
    Expired,
    /// `nbf` is to come.
    #[error("the token is not valid yet")]
    NotYetValid,
    /// `iat` is to come.
    #[error("the token was issued in the future; compare the clocks")]
    IssuedInFuture,
    /// `aud` names none of the accepted audiences.
    #[error("the token is meant for another audience")]
    Audience,
    /// A claim that the issuer's mapping names for this part of the identity has the wrong type, or no
    /// claim names the user.
    #[error("the token's claims do not give the {0} in the form that the issuer's mapping expects")]
    Mapping(&'static str),
}
