//! A server, an issuer, tokens and messages to test with.
//!
//! The server `crm` lets `support` call `get_*`, anybody `refund` up to 100 (from 1000 on it needs
//! approval), nobody `drop_*`; documents below `docs://` and the prompt `greet` are open.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::OnceLock;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::{Signer as _, SigningKey};
use gatehold_engine::{
    Approval, BinaryOp, Expr, Literal, PolicySource, Rule, RuleEffect, Subjects, Targets, Var,
};
use gatehold_wire::{policy_to_wire, push};
use serde_json::{Value, json};

use crate::control::Push;

/// The time at which a worker starts, in seconds.
pub const NOW: u64 = 1_800_000_000;

/// The filter's configuration.
pub const CONFIG: &str = r#"{"control_cluster": "gatehold_control"}"#;

/// `requestBytes` of the server.
pub const REQUEST_BYTES: usize = 16 << 10;

/// Headers of an upstream's JSON answer.
pub const JSON: &[(&str, &str)] = &[(":status", "200"), ("content-type", "application/json")];

/// Headers of an upstream's stream of events.
pub const EVENTS: &[(&str, &str)] = &[(":status", "200"), ("content-type", "text/event-stream")];

/// The key of the issuer, new for every process.
fn key() -> &'static SigningKey {
    static KEY: OnceLock<SigningKey> = OnceLock::new();
    KEY.get_or_init(|| {
        let mut seed = [0; 32];
        for part in seed.chunks_mut(8) {
            part.copy_from_slice(&RandomState::new().hash_one(0).to_le_bytes());
        }
        SigningKey::from_bytes(&seed)
    })
}

/// The issuer `corp`.
pub fn issuer() -> push::Issuer {
    let x = URL_SAFE_NO_PAD.encode(key().verifying_key().as_bytes());
    let jwks = json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "kid": "k", "x": x }] });
    push::Issuer {
        name: "corp".into(),
        issuer: "https://idp.example.com".into(),
        algorithms: vec!["EdDSA".into()],
        jwks: jwks.to_string(),
        ..push::Issuer::default()
    }
}

/// A token of the issuer for the server `crm`, an hour long.
pub fn token(roles: &[&str]) -> String {
    static SUPPORT: OnceLock<String> = OnceLock::new();
    let make = || {
        let claims = json!({
            "iss": "https://idp.example.com", "aud": "http://gw.example.com/crm/mcp",
            "sub": "ann", "azp": "agent-1", "roles": roles, "exp": NOW + 3600, "iat": NOW,
        });
        let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!(
            "{}.{}",
            part(json!({ "alg": "EdDSA", "kid": "k" })),
            part(claims)
        );
        let signature = key().sign(signed.as_bytes()).to_bytes();
        format!("Bearer {signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    };
    match roles {
        ["support"] => SUPPORT.get_or_init(make).clone(),
        _ => make(),
    }
}

/// Headers of a POST to the server, with this `authorization` unless it is empty.
pub fn headers(authorization: &str) -> Vec<(&str, &str)> {
    let mut headers = vec![
        (":method", "POST"),
        (":scheme", "http"),
        (":path", "/crm/mcp"),
        (":authority", "gw.example.com"),
        ("content-type", "application/json"),
        ("accept", "application/json, text/event-stream"),
        ("mcp-protocol-version", "2025-06-18"),
    ];
    if !authorization.is_empty() {
        headers.push(("authorization", authorization));
    }
    headers
}

/// A request with the id 7.
pub fn rpc(method: &str, params: Value) -> Vec<u8> {
    let message = json!({ "jsonrpc": "2.0", "id": 7, "method": method, "params": params });
    message.to_string().into_bytes()
}

/// A call of a tool.
pub fn call(tool: &str, arguments: Value) -> Vec<u8> {
    rpc(
        "tools/call",
        json!({ "name": tool, "arguments": arguments }),
    )
}

/// A result for the request with the id 7.
pub fn result(result: Value) -> Vec<u8> {
    let message = json!({ "jsonrpc": "2.0", "id": 7, "result": result });
    message.to_string().into_bytes()
}

/// A result with these tools.
pub fn tools(names: &[&str]) -> Vec<u8> {
    let tool = |name: &&str| json!({ "name": name, "inputSchema": { "type": "object" } });
    result(json!({ "tools": names.iter().map(tool).collect::<Vec<_>>() }))
}

/// A message as an event.
pub fn event(message: &[u8]) -> Vec<u8> {
    [b"event: message\ndata: ".as_slice(), message, b"\n\n"].concat()
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|&text| text.to_owned()).collect()
}

fn rule(id: &str, effect: RuleEffect, tools: &[&str]) -> Rule {
    Rule {
        id: id.into(),
        effect,
        subjects: Subjects::default(),
        targets: Targets {
            tools: texts(tools),
            ..Targets::default()
        },
        when: None,
    }
}

fn amount(operator: BinaryOp, than: f64) -> Option<Expr> {
    let amount = Expr::Select(Box::new(Expr::Var(Var::Args)), "amount".into());
    let than = serde_json::Number::from_f64(than).expect("a finite number");
    let than = Expr::Literal(Literal::Number(than));
    Some(Expr::Binary(operator, Box::new(amount), Box::new(than)))
}

fn policy(server: &str) -> PolicySource {
    let get = Rule {
        subjects: Subjects {
            roles: texts(&["support"]),
            ..Subjects::default()
        },
        ..rule("p/get", RuleEffect::Allow, &["get_*"])
    };
    let small = Rule {
        when: amount(BinaryOp::LessOrEqual, 100.0),
        ..rule("p/small", RuleEffect::Allow, &["refund"])
    };
    let approve = RuleEffect::Approve(Approval::default());
    let large = Rule {
        when: amount(BinaryOp::Greater, 1000.0),
        ..rule("p/large", approve, &["refund"])
    };
    let docs = Rule {
        targets: Targets {
            resources: texts(&["docs://*"]),
            prompts: texts(&["greet"]),
            ..Targets::default()
        },
        ..rule("p/docs", RuleEffect::Allow, &[])
    };
    let drop = rule("p/drop", RuleEffect::Deny, &["drop_*"]);
    PolicySource {
        server: server.into(),
        rules: vec![get, small, large, drop, docs],
        risks: Vec::new(),
    }
}

/// A server of this name and path, with the policy above.
pub fn server(name: &str, path: &str) -> push::Server {
    let (rules, risks) = policy_to_wire(&policy(name)).expect("the policy can be written");
    let resource = format!("http://gw.example.com{path}");
    push::Server {
        binding_key: vec![7; 32],
        name: name.into(),
        path: path.into(),
        resource: resource.clone(),
        audiences: vec![resource],
        issuers: texts(&["corp"]),
        limits: Some(push::Limits {
            request_bytes: REQUEST_BYTES as u64,
            response_bytes: 64 << 10,
            event_bytes: 4 << 10,
            ..push::Limits::default()
        }),
        rules,
        risks,
        ..push::Server::default()
    }
}

/// Issuer and server, both at version `1`.
pub fn resources() -> Push {
    Push::default()
        .issuer("1", &issuer())
        .server("1", &server("crm", "/crm/mcp"))
}
