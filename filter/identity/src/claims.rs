//! Reading claims: dates, audiences, scopes, and the issuer's mapping.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::{ClaimMapping, Identity, TokenError};

type Claims = Map<String, Value>;

/// A `NumericDate` (RFC 7519 section 2): seconds since the Unix epoch, maybe with a fraction, which is
/// rounded by `round`. What is before the epoch counts as the epoch.
pub(crate) fn date(
    claims: &Claims,
    name: &'static str,
    round: fn(f64) -> f64,
) -> Result<Option<u64>, TokenError> {
    let number = match claims.get(name) {
        None => return Ok(None),
        Some(Value::Number(number)) => number,
        Some(_) => return Err(TokenError::Claim(name)),
    };
    if let Some(seconds) = number.as_u64() {
        return Ok(Some(seconds));
    }
    match number.as_f64() {
        // OK because `as` saturates.
        Some(seconds) if seconds.is_finite() => Ok(Some(round(seconds) as u64)),
        _ => Err(TokenError::Claim(name)),
    }
}

/// Whether `aud`, a string or a list of strings, has one of the accepted audiences.
pub(crate) fn is_for(claims: &Claims, audiences: &[String]) -> Result<bool, TokenError> {
    let wrong = TokenError::Claim("aud");
    let is_accepted = |audience: &Value| match audience {
        Value::String(audience) => Ok(audiences.contains(audience)),
        _ => Err(wrong),
    };
    match claims.get("aud") {
        None => Err(wrong),
        Some(Value::Array(list)) => list
            .iter()
            .try_fold(false, |found, audience| Ok(is_accepted(audience)? || found)),
        Some(audience) => is_accepted(audience),
    }
}

/// Maps verified claims.
pub(crate) fn identity(
    issuer: &str,
    mapping: &ClaimMapping,
    claims: Claims,
    expires_at: u64,
) -> Result<Identity, TokenError> {
    let name = |paths, of| first_name(&claims, paths).map_err(|()| TokenError::Mapping(of));
    let user = name(&mapping.user, "user")?.ok_or(TokenError::Mapping("user"))?;
    let agent = name(&mapping.agent, "agent")?.unwrap_or_default();
    let all =
        |paths, blanks, of| all_names(&claims, paths, blanks).map_err(|()| TokenError::Mapping(of));
    let roles = all(&mapping.roles, Blanks::Separate, "roles")?;
    // Names of directory groups have blanks in them: one string is one group.
    let groups = all(&mapping.groups, Blanks::Belong, "groups")?;
    let scopes = scopes(&claims)?;
    let issuer = issuer.to_owned();
    Ok(Identity {
        issuer,
        user,
        agent,
        roles,
        groups,
        scopes,
        claims,
        expires_at,
    })
}

/// `scope` (RFC 8693 section 4.2), else `scp`; a list of strings, or one string with blanks.
fn scopes(claims: &Claims) -> Result<Vec<String>, TokenError> {
    let name = if claims.contains_key("scope") {
        "scope"
    } else {
        "scp"
    };
    let mut names = Names::default();
    match claims.get(name) {
        None => {}
        Some(value) => names
            .add(value, Blanks::Separate)
            .map_err(|()| TokenError::Claim(name))?,
    }
    Ok(names.list)
}

/// The first of the paths that leads to something; an empty string is nothing.
fn first_name(claims: &Claims, paths: &[String]) -> Result<Option<String>, ()> {
    for path in paths {
        match find(claims, path) {
            None => {}
            Some(Value::String(name)) if name.is_empty() => {}
            Some(Value::String(name)) => return Ok(Some(name.clone())),
            // To skip it would be to take another claim for the one that was meant.
            Some(_) => return Err(()),
        }
    }
    Ok(None)
}

/// All names that the paths lead to.
fn all_names(claims: &Claims, paths: &[String], blanks: Blanks) -> Result<Vec<String>, ()> {
    let mut names = Names::default();
    for path in paths {
        if let Some(value) = find(claims, path) {
            // What cannot be read is not left out: a `deny` rule may depend on it.
            names.add(value, blanks)?;
        }
    }
    Ok(names.list)
}

/// What a blank in a single string means.
#[derive(Clone, Copy)]
enum Blanks {
    Separate,
    Belong,
}

/// A list in which each name stands once.
#[derive(Default)]
struct Names<'a> {
    list: Vec<String>,
    seen: BTreeSet<&'a str>,
}

impl<'a> Names<'a> {
    fn add(&mut self, value: &'a Value, blanks: Blanks) -> Result<(), ()> {
        match (value, blanks) {
            (Value::String(text), Blanks::Separate) => {
                text.split(' ').for_each(|name| self.push(name));
            }
            (Value::String(text), Blanks::Belong) => self.push(text),
            (Value::Array(items), _) => {
                for item in items {
                    self.push(item.as_str().ok_or(())?);
                }
            }
            _ => return Err(()),
        }
        Ok(())
    }

    fn push(&mut self, name: &'a str) {
        if !name.is_empty() && self.seen.insert(name) {
            self.list.push(name.to_owned());
        }
    }
}

/// What a path of a [`ClaimMapping`] leads to; `null` is nothing.
///
/// At each object the longest key that begins the path is tried first. Each combination of keys leads to
/// another value, so the cost is bounded by the size of the claims.
fn find<'a>(claims: &'a Claims, path: &str) -> Option<&'a Value> {
    if let Some(value) = claims.get(path)
        && !value.is_null()
    {
        return Some(value);
    }
    path.rmatch_indices('.').find_map(|(dot, _)| {
        let (key, rest) = (path.get(..dot)?, path.get(dot + 1..)?);
        find(claims.get(key)?.as_object()?, rest)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn claims(value: Value) -> Claims {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn paths() {
        let claims = claims(json!({
            "sub": "u",
            "a": {"b": {"c": 1, "c.d": 2}, "b.c": 3},
            "a.b": {"x": 4},
            "https://x.example/roles": 5,
            "https://x.example/claims": {"roles": 6},
            "none": null,
        }));
        for (path, expected) in [
            ("sub", Some(json!("u"))),
            ("sub.x", None),
            ("a.b.c", Some(json!(3))),
            ("a.b.c.d", Some(json!(2))),
            ("a.b.x", Some(json!(4))),
            ("https://x.example/roles", Some(json!(5))),
            ("https://x.example/claims.roles", Some(json!(6))),
            ("none", None),
            ("", None),
            (".", None),
            ("a.", None),
            ("..a", None),
        ] {
            assert_eq!(find(&claims, path), expected.as_ref(), "{path}");
        }
    }

    #[test]
    fn dates() {
        let claims = claims(json!({
            "u": 1_800_000_000, "f": 1.5, "n": -1, "nf": -0.5, "s": "1", "z": null, "big": 1e300
        }));
        let check =
            |name, expected| assert_eq!(date(&claims, name, f64::floor), expected, "{name}");
        check("u", Ok(Some(1_800_000_000)));
        check("f", Ok(Some(1)));
        check("n", Ok(Some(0)));
        check("nf", Ok(Some(0)));
        check("big", Ok(Some(u64::MAX)));
        check("absent", Ok(None));
        check("s", Err(TokenError::Claim("s")));
        check("z", Err(TokenError::Claim("z")));
    }

    #[test]
    fn audiences() {
        let accepted = ["a".to_owned(), "b".to_owned()];
        let wrong = Err(TokenError::Claim("aud"));
        for (aud, expected) in [
            (json!({"aud": "a"}), Ok(true)),
            (json!({"aud": "A"}), Ok(false)),
            (json!({"aud": "a b"}), Ok(false)),
            (json!({"aud": ["x", "b"]}), Ok(true)),
            (json!({"aud": []}), Ok(false)),
            (json!({"aud": ["a", 1]}), wrong),
            (json!({"aud": {"a": 1}}), wrong),
            (json!({"aud": null}), wrong),
            (json!({}), wrong),
        ] {
            assert_eq!(is_for(&claims(aud.clone()), &accepted), expected, "{aud}");
            assert!(is_for(&claims(aud), &[]) != Ok(true));
        }
    }
}
