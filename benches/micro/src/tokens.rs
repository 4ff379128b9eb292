//! Tokens that are signed once and for all. The private keys are gone.

use gatehold_identity::{Algorithm, ClaimMapping, Identity, Issuer, KeySet, verify};

/// The time at which the tokens are valid, in seconds.
pub const NOW: u64 = 1_800_000_000;

/// Whom they are for.
pub const AUDIENCE: &str = "https://gw.example.com/crm/mcp";

/// Signed with Ed25519.
pub const EDDSA: &str = include_str!("tokens/eddsa.txt");

/// One for each algorithm, with a line feed at the end.
pub const ALL: [(&str, &str); 3] = [
    ("eddsa", EDDSA),
    ("es256", include_str!("tokens/es256.txt")),
    ("rs256", include_str!("tokens/rs256.txt")),
];

/// Who signed them.
#[must_use]
pub fn issuer() -> Issuer {
    Issuer {
        name: "corp".to_owned(),
        issuer: "https://idp.example.com".to_owned(),
        algorithms: Algorithm::ALL.to_vec(),
        clock_skew_seconds: 60,
        claims: ClaimMapping::default(),
        keys: KeySet::from_jwks(include_str!("tokens/jwks.json")).expect("the keys are good"),
    }
}

/// Whom they speak of.
#[must_use]
pub fn identity() -> Identity {
    let audiences = [AUDIENCE.to_owned()];
    verify(EDDSA.trim(), &[&issuer()], &audiences, NOW).expect("the token is valid")
}
