//! Issuers, from the wire.

use gatehold_identity::{Algorithm, ClaimMapping};
use gatehold_wire::{issuer_from_wire, push};

fn issuer() -> push::Issuer {
    push::Issuer {
        name: "corp".to_owned(),
        issuer: "https://idp.example.com".to_owned(),
        algorithms: vec!["RS256".to_owned(), "EdDSA".to_owned()],
        clock_skew_seconds: 60,
        claims: None,
        jwks: String::new(),
    }
}

#[test]
fn a_good_issuer() {
    let converted = issuer_from_wire(&issuer()).unwrap();
    assert_eq!(converted.name, "corp");
    assert_eq!(converted.issuer, "https://idp.example.com");
    assert_eq!(converted.algorithms, [Algorithm::Rs256, Algorithm::EdDsa]);
    assert_eq!(converted.clock_skew_seconds, 60);
    assert_eq!(converted.claims, ClaimMapping::default());
    assert!(converted.keys.is_empty());
}

#[test]
fn keys_and_claims() {
    let mapping = ClaimMapping {
        user: vec!["email".to_owned()],
        agent: vec![],
        roles: vec!["r".to_owned()],
        groups: vec![],
    };
    let jwks = r#"{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;
    let wire = push::Issuer {
        claims: Some(mapping.clone().into()),
        jwks: jwks.to_owned(),
        ..issuer()
    };
    let converted = issuer_from_wire(&wire).unwrap();
    assert_eq!(converted.claims, mapping);
    assert_eq!(converted.keys.len(), 1);
}

#[test]
fn issuers_that_are_refused() {
    let missing = |field| format!("issuer `corp`, field `{field}`: missing or empty");
    let claims = Some(push::ClaimMapping::default());
    for (wire, expected) in [
        (
            push::Issuer {
                name: String::new(),
                ..issuer()
            },
            "issuer ``, field `name`: missing or empty".to_owned(),
        ),
        (
            push::Issuer {
                issuer: String::new(),
                ..issuer()
            },
            missing("issuer"),
        ),
        (
            push::Issuer {
                algorithms: vec![],
                ..issuer()
            },
            missing("algorithms"),
        ),
        (push::Issuer { claims, ..issuer() }, missing("claims.user")),
        (
            push::Issuer {
                algorithms: vec!["HS256".to_owned()],
                ..issuer()
            },
            "issuer `corp`, field `algorithms`: unknown algorithm `HS256`; \
             supported are RS256, PS256, ES256 and EdDSA"
                .to_owned(),
        ),
        (
            push::Issuer {
                jwks: "{}".to_owned(),
                ..issuer()
            },
            "issuer `corp`, field `jwks`: not a JWK Set: there is no list `keys`; \
             expected an object with a list `keys`"
                .to_owned(),
        ),
    ] {
        assert_eq!(issuer_from_wire(&wire).unwrap_err().to_string(), expected);
    }
}
