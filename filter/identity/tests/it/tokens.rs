//! Which tokens are accepted, and why others are not.

use crate::support::{self, *};
use std::sync::LazyLock;

use gatehold_identity::{Algorithm, MAX_TOKEN_BYTES, TokenError, verify};
use proptest::prelude::*;
use serde_json::json;

#[test]
fn a_good_token() {
    let identity = check(&issuer(), &token(json!({}), json!({}))).unwrap();
    assert_eq!(identity.issuer, "corp");
    assert_eq!(identity.user, "alice");
    assert_eq!(identity.agent, "agent-1");
    assert_eq!(identity.roles, ["support", "sales"]);
    assert_eq!(identity.groups, [""; 0]);
    assert_eq!(identity.scopes, ["mcp:tools", "profile"]);
    assert_eq!(identity.expires_at, NOW + 360);
    assert_eq!(serde_json::Value::Object(identity.claims), claims());
}

#[test]
fn algorithms_that_nothing_can_turn_on() {
    for alg in [
        "none", "None", "HS256", "HS384", "HS512", "RS384", "RS512", "RS1", "es256", "",
    ] {
        refused(
            &token(json!({ "alg": alg }), json!({})),
            TokenError::Algorithm,
        );
    }
    refused(
        &token(json!({"alg": null}), json!({})),
        TokenError::Algorithm,
    );
    refused(
        &token(json!({"alg": ["ES256"]}), json!({})),
        TokenError::Algorithm,
    );
    // Without a signature, the classic.
    let header = base64url(r#"{"alg":"none"}"#);
    refused(
        &format!("{header}.{}.", base64url(claims().to_string())),
        TokenError::Algorithm,
    );
}

#[test]
fn an_algorithm_that_the_issuer_does_not_allow() {
    let mut issuer = issuer();
    issuer.algorithms = vec![Algorithm::Rs256, Algorithm::EdDsa];
    assert_eq!(
        check(&issuer, &token(json!({}), json!({}))),
        Err(TokenError::Algorithm)
    );
}

#[test]
fn an_algorithm_that_the_key_is_not_for() {
    refused(
        &token(json!({"alg": "RS256"}), json!({})),
        TokenError::KeyMismatch,
    );
    refused(
        &token(json!({"kid": "ed"}), json!({})),
        TokenError::KeyMismatch,
    );
    // The public key as the secret of an HMAC cannot even be asked for.
    refused(
        &token(json!({"alg": "HS256"}), json!({})),
        TokenError::Algorithm,
    );
}

#[test]
fn headers() {
    for (changes, expected) in [
        (json!({"typ": null}), None),
        (json!({"typ": "JWT"}), None),
        (json!({"typ": "application/AT+JWT"}), None),
        (json!({"typ": "dpop+jwt"}), Some(TokenError::Type)),
        (json!({"typ": "logout+jwt"}), Some(TokenError::Type)),
        (json!({"typ": 1}), Some(TokenError::Type)),
        (json!({"kid": null}), None),
        (json!({"kid": "EC"}), Some(TokenError::UnknownKey)),
        (json!({"kid": ""}), Some(TokenError::UnknownKey)),
        (json!({"kid": 1}), Some(TokenError::Header)),
        (
            json!({"crit": ["b64"], "b64": true}),
            Some(TokenError::Critical),
        ),
        (json!({"crit": []}), Some(TokenError::Critical)),
        (
            json!({"jwk": ed_jwk(), "jku": "https://evil.example"}),
            None,
        ),
    ] {
        let result = check(&issuer(), &token(changes.clone(), json!({})));
        assert_eq!(result.err(), expected, "{changes}");
    }
}

#[test]
fn claims_and_clocks() {
    for (changes, expected) in [
        (json!({"iss": null}), Some(TokenError::UnknownIssuer)),
        (
            json!({"iss": "https://idp.example.com/"}),
            Some(TokenError::UnknownIssuer),
        ),
        (json!({"iss": [ISSUER]}), Some(TokenError::UnknownIssuer)),
        (json!({"exp": null}), Some(TokenError::Claim("exp"))),
        (json!({"exp": "1900000000"}), Some(TokenError::Claim("exp"))),
        (json!({"exp": NOW - 60}), Some(TokenError::Expired)),
        (json!({"exp": NOW - 59}), None),
        (json!({"exp": NOW as f64 - 59.5}), Some(TokenError::Expired)),
        (json!({"exp": -1}), Some(TokenError::Expired)),
        (json!({"exp": u64::MAX}), None),
        (json!({"exp": 1e300}), None),
        (json!({"nbf": null, "iat": null}), None),
        (json!({"nbf": NOW + 60}), None),
        (json!({"nbf": NOW + 61}), Some(TokenError::NotYetValid)),
        (
            json!({"nbf": NOW as f64 + 60.5}),
            Some(TokenError::NotYetValid),
        ),
        (json!({"nbf": true}), Some(TokenError::Claim("nbf"))),
        (json!({"iat": NOW + 60}), None),
        (json!({"iat": NOW + 61}), Some(TokenError::IssuedInFuture)),
        (json!({"iat": "now"}), Some(TokenError::Claim("iat"))),
        (json!({"aud": null}), Some(TokenError::Claim("aud"))),
        (json!({"aud": ["x", AUDIENCE]}), None),
        (json!({"aud": []}), Some(TokenError::Audience)),
        (
            json!({"aud": format!("{AUDIENCE}/")}),
            Some(TokenError::Audience),
        ),
        (
            json!({"aud": [AUDIENCE, 1]}),
            Some(TokenError::Claim("aud")),
        ),
        (json!({"sub": null}), Some(TokenError::Mapping("user"))),
        (json!({"sub": ""}), Some(TokenError::Mapping("user"))),
        (json!({"sub": 7}), Some(TokenError::Claim("sub"))),
        (json!({"sub": ["alice"]}), Some(TokenError::Claim("sub"))),
    ] {
        let result = check(&issuer(), &token(json!({}), changes.clone()));
        assert_eq!(result.err(), expected, "{changes}");
    }
}

#[test]
fn ambiguous_json() {
    let (header, claims) = (header().to_string(), claims().to_string());
    let more =
        |object: &str, member: &str| format!("{},{member}}}", object.strip_suffix('}').unwrap());
    refused(
        &sign(&more(&header, r#""alg":"ES256""#), &claims),
        TokenError::Header,
    );
    refused(
        &sign(&header, &more(&claims, r#""sub":"alice""#)),
        TokenError::Claims,
    );
    refused(
        &sign(&header, &more(&claims, r#""s\u0075b":"mallory""#)),
        TokenError::Claims,
    );
    refused(
        &sign(&header, &more(&claims, r#""x":{"y":1,"y":1}"#)),
        TokenError::Claims,
    );
    refused(&sign("[]", &claims), TokenError::Header);
    refused(&sign(&header, "null"), TokenError::Claims);
    refused(
        &sign(&header, &format!("{claims} {{}}")),
        TokenError::Claims,
    );
}

#[test]
fn not_a_compact_jws() {
    let good = token(json!({}), json!({}));
    for bad in [
        String::new(),
        ".".to_owned(),
        "..".to_owned(),
        "opaque-token".to_owned(),
        format!("{good}.x.y"),
        format!(".{good}"),
        format!("{good}="),
        format!("{good}\n"),
        format!(" {good}"),
        good.replace('.', ".."),
    ] {
        let error = check(&issuer(), &bad).unwrap_err();
        assert!(
            matches!(error, TokenError::NotCompact | TokenError::Header),
            "{bad}: {error}"
        );
    }
    // The same signature in other letters: the unused bits of the last one.
    let last = good.chars().last().unwrap();
    let twin = char::from_u32(last as u32 + 1).unwrap();
    let bad = format!("{}{twin}", good.strip_suffix(last).unwrap());
    assert!(check(&issuer(), &bad).is_err());
}

#[test]
fn the_limit_is_exact() {
    let fill = |size| token(json!({}), json!({"x": "x".repeat(size)}));
    let base = fill(0).len();
    let size = (MAX_TOKEN_BYTES - base) * 3 / 4 - 3;
    let good = fill(size);
    assert!(good.len() <= MAX_TOKEN_BYTES && good.len() > MAX_TOKEN_BYTES - 16);
    assert!(check(&issuer(), &good).is_ok());
    refused(&fill(size + 16), TokenError::TooLarge);
}

#[test]
fn every_part_is_signed() {
    let good = token(json!({}), json!({}));
    let [header, claims, signature] = good.split('.').collect::<Vec<_>>().try_into().unwrap();
    let forged = base64url(with(support::claims(), json!({"sub": "root"})).to_string());
    refused(
        &format!("{header}.{forged}.{signature}"),
        TokenError::Signature,
    );
    let forged = base64url(with(support::header(), json!({"typ": "JWT"})).to_string());
    refused(
        &format!("{forged}.{claims}.{signature}"),
        TokenError::Signature,
    );
    refused(&format!("{header}.{claims}."), TokenError::Signature);
    refused(&format!("{header}.{claims}.AAAA"), TokenError::Signature);
    // What the claims say is not told before the signature is known to be good.
    let expired = base64url(with(support::claims(), json!({"exp": 0})).to_string());
    refused(
        &format!("{header}.{expired}.{signature}"),
        TokenError::Signature,
    );
}

#[test]
fn several_issuers() {
    let (good, mut other) = (issuer(), issuer());
    other.name = "other".to_owned();
    other.issuer = "https://other.example".to_owned();
    let audiences = [AUDIENCE.to_owned()];
    let token = token(json!({}), json!({}));
    let name = |issuers: &[&_]| verify(&token, issuers, &audiences, NOW).map(|id| id.issuer);
    assert_eq!(name(&[&other, &good]), Ok("corp".to_owned()));
    assert_eq!(name(&[&other]), Err(TokenError::UnknownIssuer));
    assert_eq!(name(&[]), Err(TokenError::UnknownIssuer));
    // Two documents for one provider.
    other.issuer = ISSUER.to_owned();
    other.keys = keys(&[ed_jwk()]);
    assert_eq!(name(&[&other, &good]), Ok("corp".to_owned()));
    assert_eq!(name(&[&good, &other]), Ok("corp".to_owned()));
    assert_eq!(name(&[&other]), Err(TokenError::UnknownKey));
    assert_eq!(
        verify(&token, &[&good], &[], NOW),
        Err(TokenError::Audience)
    );
}

#[test]
fn messages_fit_into_a_challenge_and_hold_nothing_of_the_token() {
    for error in [
        TokenError::TooLarge,
        TokenError::NotCompact,
        TokenError::Header,
        TokenError::Claims,
        TokenError::Critical,
        TokenError::Type,
        TokenError::Algorithm,
        TokenError::UnknownIssuer,
        TokenError::NoKeys,
        TokenError::UnknownKey,
        TokenError::KeyMismatch,
        TokenError::Signature,
        TokenError::Claim("exp"),
        TokenError::Expired,
        TokenError::NotYetValid,
        TokenError::IssuedInFuture,
        TokenError::Audience,
        TokenError::Mapping("roles"),
    ] {
        // RFC 6750 section 3: %x20-21 / %x23-5B / %x5D-7E.
        let text = error.to_string();
        assert!(
            text.chars()
                .all(|c| matches!(c, ' '..='~') && !"\"\\".contains(c)),
            "{text}"
        );
    }
}

proptest! {
    // Each case checks a signature, which is slow without optimization.
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_text_is_refused(token in ".{0,64}(\\..{0,64}){0,4}") {
        prop_assert!(check(&issuer(), &token).is_err());
    }

    #[test]
    fn any_header_and_claims_are_refused(header in ".*", claims in ".*") {
        let claims = base64url(claims);
        for header in [base64url(header), base64url(support::header().to_string())] {
            let result = check(&issuer(), &format!("{header}.{claims}.AAAA"));
            prop_assert!(result.is_err());
        }
    }

    #[test]
    fn no_changed_byte_is_accepted(at in any::<prop::sample::Index>(), by in 1_u8..128) {
        static GOOD: LazyLock<String> = LazyLock::new(|| token(json!({}), json!({})));
        let mut bytes = GOOD.clone().into_bytes();
        let at = at.index(bytes.len());
        bytes[at] = (bytes[at] + by) & 0x7f;
        let bad = String::from_utf8(bytes).unwrap();
        prop_assert!(check(&issuer(), &bad).is_err());
    }
}
