//! `kind: Issuer`.

use gatehold_identity::{Algorithm, ClaimMapping, KeySet};
use serde_json::{Map, Number, Value as Json};

use crate::documents::KeySource;
use crate::fields::{self, Fields};
use crate::format;
use crate::names::{checked, values};
use crate::problem::{At, Report};
use crate::suggest::{excerpt, instead_of};
use crate::yaml::{Kind, Node, Value};

/// The `spec` of an issuer.
#[derive(Debug)]
pub(crate) struct IssuerSpec {
    pub(crate) issuer: At<String>,
    pub(crate) keys: KeySource,
    pub(crate) refresh_seconds: u64,
    pub(crate) algorithms: Vec<Algorithm>,
    pub(crate) clock_skew_seconds: u32,
    pub(crate) claims: ClaimMapping,
}

/// Reads the `spec`; nothing when a required field is missing or wrong.
pub(crate) fn issuer(spec: &Node, report: &mut Report) -> Option<IssuerSpec> {
    let known = [
        "issuer",
        "jwks",
        "refresh",
        "algorithms",
        "clockSkew",
        "claims",
    ];
    let what = "an issuer's `spec`";
    let fields = Fields::new(spec, what, &known, report)?;
    let help = "write the `iss` claim of its tokens: `issuer: https://idp.example.com`";
    let issuer = fields.require("issuer", what, help, report);
    let issuer = issuer.and_then(|node| fields::text(node, "`issuer`", report));
    let issuer = issuer.and_then(|text| checked(text, "issuer", format::url, report));
    let jwks = fields.get("jwks");
    let keys = match jwks {
        Some(node) => keys(node, report),
        None => issuer.as_ref().map(|issuer| discovery(&issuer.value)),
    };
    let mut seconds = |name: &str, least, most| {
        let node = fields.get(name)?;
        let read = |text: &str| format::duration(text, least, most);
        fields::scalar(node, &format!("`{name}`"), read, report)
    };
    let refresh_seconds = seconds("refresh", 5, 7 * 86_400).unwrap_or(300);
    let skew = seconds("clockSkew", 0, 600).unwrap_or(60);
    let algorithms = fields
        .get("algorithms")
        .map(|node| algorithms(node, report));
    let claims = fields.get("claims").and_then(|node| claims(node, report));
    Some(IssuerSpec {
        issuer: issuer?,
        keys: keys?,
        refresh_seconds,
        algorithms: algorithms.unwrap_or_else(|| Algorithm::ALL.to_vec()),
        clock_skew_seconds: u32::try_from(skew).unwrap_or(60),
        claims: claims.unwrap_or_default(),
    })
}

/// The metadata of the issuer (OpenID Connect Discovery 1.0 section 4.1).
fn discovery(issuer: &str) -> KeySource {
    let base = issuer.strip_suffix('/').unwrap_or(issuer);
    KeySource::Discovery(format!("{base}/.well-known/openid-configuration"))
}

fn algorithms(node: &Node, report: &mut Report) -> Vec<Algorithm> {
    let names = fields::some_texts(node, "`algorithms`", report);
    let known = Algorithm::ALL.map(Algorithm::name);
    let mut algorithms = Vec::with_capacity(names.len());
    for name in names {
        match Algorithm::from_name(&name.value) {
            Some(algorithm) if !algorithms.contains(&algorithm) => algorithms.push(algorithm),
            Some(_) => {
                let message = format!("`{}` is another name of an algorithm above", name.value);
                report.add(name.at, message, "remove it".to_owned());
            }
            None => {
                let message = format!("algorithm `{}` is not supported", excerpt(&name.value));
                report.add(name.at, message, instead_of(&name.value, &known));
            }
        }
    }
    algorithms
}

fn claims(node: &Node, report: &mut Report) -> Option<ClaimMapping> {
    let known = ["user", "agent", "roles", "groups"];
    let fields = Fields::new(node, "`claims`", &known, report)?;
    let defaults = ClaimMapping::default();
    let mut paths = |name: &str, default: Vec<String>| match fields.get(name) {
        Some(node) => values(fields::some_texts(node, &format!("`{name}`"), report)),
        None => default,
    };
    Some(ClaimMapping {
        user: paths("user", defaults.user),
        agent: paths("agent", defaults.agent),
        roles: paths("roles", defaults.roles),
        groups: paths("groups", defaults.groups),
    })
}

fn keys(node: &Node, report: &mut Report) -> Option<KeySource> {
    let fields = Fields::new(node, "`jwks`", &["uri", "keys"], report)?;
    match (fields.get("uri"), fields.get("keys")) {
        (Some(uri), None) => {
            let uri = fields::text(uri, "`uri`", report)?;
            let uri = checked(uri, "URL", format::fetch_url, report)?;
            Some(KeySource::Uri(uri.value))
        }
        (None, Some(keys)) => inline(keys, report),
        _ => {
            let help = "write `jwks: { uri: https://… }` or `jwks: { keys: {…} }`, \
                        or leave `jwks` out to use the issuer's discovery document";
            report.add(
                node.at,
                "`jwks` needs either `uri` or `keys`",
                help.to_owned(),
            );
            None
        }
    }
}

/// A JWK Set in the document: the set itself, its list of keys, or its JSON text.
fn inline(node: &Node, report: &mut Report) -> Option<KeySource> {
    let json = match &node.kind {
        Kind::Scalar(scalar) => match serde_json::from_str(&scalar.text) {
            Ok(json) => json,
            Err(error) => {
                let help = "write a JWK Set as YAML, or as JSON in one text";
                report.add(
                    node.at,
                    format!("`keys` is not JSON: {error}"),
                    help.to_owned(),
                );
                return None;
            }
        },
        Kind::List(_) => {
            let mut set = Map::new();
            set.insert("keys".to_owned(), json(node));
            Json::Object(set)
        }
        Kind::Map(_) => json(node),
    };
    let keys = json.get("keys").and_then(Json::as_array);
    let private = keys.into_iter().flatten().any(|key| {
        let secret = ["d", "k", "p", "q"]
            .iter()
            .any(|part| key.get(part).is_some());
        secret || key.get("kty").and_then(Json::as_str) == Some("oct")
    });
    if private {
        let help =
            "publish only public keys: without `d`, `k`, `p`, `q`; and treat this one as leaked";
        report.add(
            node.at,
            "`keys` holds a private or symmetric key",
            help.to_owned(),
        );
        return None;
    }
    let text = json.to_string();
    match KeySet::from_jwks(&text) {
        Err(error) => {
            report.add(node.at, format!("`keys`: {error}"), None);
            None
        }
        Ok(set) if set.is_empty() => {
            let skipped = set.skipped().iter();
            let reasons: Vec<_> = skipped
                .map(|key| format!("`{}`: {}", excerpt(&key.key), key.reason))
                .collect();
            let help = if reasons.is_empty() {
                "add the issuer's public keys".to_owned()
            } else {
                reasons.join("; ")
            };
            report.add(node.at, "`keys` has no key that can be used", help);
            None
        }
        Ok(_) => Some(KeySource::Inline(text)),
    }
}

fn json(node: &Node) -> Json {
    match &node.kind {
        Kind::List(items) => Json::Array(items.iter().map(json).collect()),
        Kind::Map(entries) => {
            let entries = entries.iter();
            Json::Object(
                entries
                    .map(|(key, node)| (key.text.clone(), json(node)))
                    .collect(),
            )
        }
        Kind::Scalar(scalar) => match scalar.value() {
            Value::Null => Json::Null,
            Value::Bool(bool) => Json::Bool(bool),
            Value::String(text) => Json::String(text.to_owned()),
            Value::Number(text) => text
                .parse::<Number>()
                .map_or_else(|_| Json::String(text.to_owned()), Json::Number),
        },
    }
}
