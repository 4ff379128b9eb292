//! Which keys of a set are used.

use crate::support::*;
use gatehold_identity::{KeyError, KeySet, TokenError};
use proptest::prelude::*;
use serde_json::{Value, json};

fn rsa_jwk(bits: usize) -> Value {
    let mut n = vec![0xff; bits.div_ceil(8)];
    if !bits.is_multiple_of(8) {
        n[0] = 0xff >> (8 - bits % 8);
    }
    json!({"kty": "RSA", "n": base64url(n), "e": "AQAB"})
}

#[track_caller]
fn skipped(jwk: Value, reason: &str) {
    let set = keys(std::slice::from_ref(&jwk));
    assert!(set.is_empty(), "{jwk}");
    assert_eq!(set.skipped()[0].reason, reason, "{jwk}");
}

#[test]
fn usable_keys() {
    let jwks = [
        ec_jwk(),
        ed_jwk(),
        rsa_jwk(2048),
        rsa_jwk(4096),
        rsa_jwk(8192),
    ];
    let set = keys(&jwks);
    assert_eq!((set.len(), set.skipped()), (5, &[][..]));
    for changes in [
        json!({"use": "sig", "key_ops": ["verify"], "alg": "ES256"}),
        json!({"x5c": ["MIIB"], "x5t": "AA", "unknown": {}}),
        json!({"kid": null}),
    ] {
        assert_eq!(
            keys(&[with(ec_jwk(), changes.clone())]).len(),
            1,
            "{changes}"
        );
    }
}

#[test]
fn sizes_of_rsa_keys() {
    for bits in [1024, 2047, 8193, 65536] {
        skipped(rsa_jwk(bits), "RSA keys must have 2048 to 8192 bits");
    }
    let wrong = "its RSA modulus or exponent cannot be one";
    for e in ["AA", "AQ", "Ag", "AQAA", "_______w"] {
        skipped(with(rsa_jwk(2048), json!({ "e": e })), wrong);
    }
    let mut even = vec![0xff; 256];
    even[255] = 0xfe;
    skipped(with(rsa_jwk(2048), json!({"n": base64url(even)})), wrong);
}

#[test]
fn keys_that_are_left_out() {
    let ec = |changes| with(ec_jwk(), changes);
    skipped(json!(1), "it is not an object");
    skipped(json!({}), "its type is not supported");
    skipped(
        json!({"kty": "oct", "k": "AAAA"}),
        "symmetric keys are not accepted",
    );
    skipped(
        json!({"kty": "EC", "crv": "P-384"}),
        "its curve is not supported",
    );
    skipped(
        json!({"kty": "OKP", "crv": "X25519", "x": ED_X}),
        "its curve is not supported",
    );
    skipped(
        ec(json!({"use": "enc"})),
        "it is not for verifying signatures",
    );
    skipped(
        ec(json!({"key_ops": ["sign"]})),
        "it is not for verifying signatures",
    );
    skipped(ec(json!({"alg": "ES384"})), "its `alg` is not supported");
    skipped(
        ec(json!({"alg": "RS256"})),
        "its `alg` does not fit its type",
    );
    skipped(
        ec(json!({"d": "AA"})),
        "its private part was published; replace it",
    );
    skipped(ec(json!({"x": null})), "a number of the key is missing");
    skipped(
        ec(json!({"x": "A+A="})),
        "a number of the key is not unpadded base64url",
    );
    skipped(
        ec(json!({"x": "AAAA"})),
        "its coordinates do not have 32 octets",
    );
    skipped(ec(json!({"y": EC_X})), "it is not a point of P-256");
    skipped(
        ec(json!({"kid": 1})),
        "its `kid`, `use` or `alg` is not a string",
    );
    let ed = |x| with(ed_jwk(), json!({ "x": x }));
    skipped(
        ed("AAAA".to_owned()),
        "its coordinate does not have 32 octets",
    );
    // The point of order 4.
    skipped(
        ed(base64url([0; 32])),
        "it is not a point of Ed25519 that can be used",
    );
}

#[test]
fn one_bad_key_does_not_spoil_the_set() {
    let set = keys(&[json!({"kty": "oct"}), ec_jwk(), json!({"kid": "z"})]);
    assert_eq!(set.len(), 1);
    let names: Vec<_> = set
        .skipped()
        .iter()
        .map(|skipped| skipped.key.as_str())
        .collect();
    assert_eq!(names, ["#1", "z"]);
}

#[test]
fn what_is_no_set() {
    for text in ["", "[]", "{}", r#"{"keys":{}}"#, r#"{"keys":[],"keys":[]}"#] {
        assert!(
            matches!(KeySet::from_jwks(text), Err(KeyError::NotASet(_))),
            "{text}"
        );
    }
    let text = " ".repeat(256 * 1024 + 1);
    assert!(matches!(KeySet::from_jwks(&text), Err(KeyError::TooLarge)));
}

#[test]
fn which_key_a_token_is_tried_with() {
    let mut issuer = issuer();
    let mut check = |jwks: &[Value], kid: Value| {
        issuer.keys = keys(jwks);
        crate::support::check(&issuer, &token(json!({ "kid": kid }), json!({}))).err()
    };
    // Another P-256 key: the generator itself.
    let other = json!({"kty": "EC", "crv": "P-256", "kid": "other",
        "x": "axfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5RdiYwpY",
        "y": "T-NC4v4af5uO5-tKfA-eFivOM1drMV7Oy7ZAaDe_UfU"});
    let unnamed = with(ec_jwk(), json!({"kid": null}));
    let twin = with(other.clone(), json!({"kid": "ec"}));

    assert_eq!(check(&[], json!("ec")), Some(TokenError::NoKeys));
    assert_eq!(check(&[other.clone(), ec_jwk()], json!("ec")), None);
    assert_eq!(
        check(&[other.clone(), ec_jwk()], json!("other")),
        Some(TokenError::Signature)
    );
    // Without `kid`, those that fit.
    assert_eq!(
        check(&[ed_jwk(), other.clone(), ec_jwk()], Value::Null),
        None
    );
    assert_eq!(
        check(&[ed_jwk()], Value::Null),
        Some(TokenError::KeyMismatch)
    );
    assert_eq!(
        check(std::slice::from_ref(&other), Value::Null),
        Some(TokenError::Signature)
    );
    // At most eight.
    let mut many = vec![other.clone(); 7];
    many.push(ec_jwk());
    assert_eq!(check(&many, Value::Null), None);
    many.insert(0, other);
    assert_eq!(check(&many, Value::Null), Some(TokenError::Signature));
    // A `kid` names only keys that have it, and all of them.
    assert_eq!(check(&[unnamed], json!("ec")), Some(TokenError::UnknownKey));
    assert_eq!(check(&[twin, ec_jwk()], json!("ec")), None);
    // What the set says about the algorithm binds.
    let ed = with(ed_jwk(), json!({"kid": "ec"}));
    assert_eq!(check(&[ed], json!("ec")), Some(TokenError::KeyMismatch));
}

#[test]
fn eddsa_in_both_spellings() {
    let mut issuer = issuer();
    for key_alg in [json!(null), json!("EdDSA"), json!("Ed25519")] {
        issuer.keys = keys(&[with(ed_jwk(), json!({ "alg": key_alg }))]);
        for alg in ["EdDSA", "Ed25519"] {
            let header = json!({"alg": alg, "kid": "ed"}).to_string();
            let token = sign_ed(&header, &claims().to_string());
            assert!(
                crate::support::check(&issuer, &token).is_ok(),
                "{alg} {key_alg}"
            );
        }
    }
}

proptest! {
    #[test]
    fn any_text_gives_a_set_or_an_error(text in ".*") {
        let _ = KeySet::from_jwks(&text);
    }

    #[test]
    fn any_members_give_a_set(
        kty in "RSA|EC|OKP|oct|.*",
        crv in "P-256|Ed25519|.*",
        numbers in proptest::array::uniform4(proptest::collection::vec(any::<u8>(), 0..40)),
    ) {
        let [n, e, x, y] = numbers.map(base64url);
        let jwk = json!({"kty": kty, "crv": crv, "n": n, "e": e, "x": x, "y": y});
        let set = keys(&[jwk]);
        prop_assert_eq!(set.len() + set.skipped().len(), 1);
    }
}
