//! An in-memory host, and a server, an issuer and tokens to test with.

use std::rc::Rc;
use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::{Signer as _, SigningKey};
use gatehold_engine::{
    Approval, BinaryOp, Expr, Literal, PolicySource, Rule, RuleEffect, Subjects, Targets, Var,
};
use gatehold_identity::Issuer;
use gatehold_wire::audit::{AppendRequest, Event};
use gatehold_wire::{issuer_from_wire, policy_to_wire, push};
use prost::Message as _;
use serde_json::{Value, json};

use crate::config::Config;
use crate::detection::Detectors;
use crate::exchange::Exchange;
use crate::host::{Direction, Flow, HeaderPairs};
use crate::metrics::Metrics;
use crate::server::Server;
use crate::setup::Setup;
use crate::snapshot::Catalog;
use crate::worker::Worker;

mod host;

pub(crate) use host::FakeHost;
use host::at;

/// The time of all tests, in seconds.
pub(crate) const NOW: u64 = 1_800_000_000;

fn key() -> SigningKey {
    SigningKey::from_bytes(&[7; 32])
}

/// The issuer resource of all tests.
pub(crate) fn issuer_resource() -> push::Issuer {
    let x = URL_SAFE_NO_PAD.encode(key().verifying_key().as_bytes());
    push::Issuer {
        name: "corp".into(),
        issuer: "https://idp.example.com".into(),
        algorithms: vec!["EdDSA".into()],
        jwks: json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "kid": "k", "x": x }] })
            .to_string(),
        ..push::Issuer::default()
    }
}

/// Whom a token of the issuer names.
pub(crate) fn identity() -> gatehold_identity::Identity {
    gatehold_identity::Identity {
        issuer: "corp".into(),
        user: "ann".into(),
        agent: "agent-1".into(),
        roles: Vec::new(),
        groups: Vec::new(),
        scopes: Vec::new(),
        claims: serde_json::Map::new(),
        expires_at: NOW + 3600,
    }
}

/// The issuer of all tests.
pub(crate) fn issuer() -> Issuer {
    issuer_from_wire(&issuer_resource()).unwrap()
}

/// A token of the issuer, for the server `crm`, an hour long.
pub(crate) fn token(roles: &[&str]) -> String {
    token_with(json!({
        "iss": "https://idp.example.com", "aud": "http://gw.example.com/crm/mcp", "sub": "ann",
        "azp": "agent-1", "roles": roles, "exp": NOW + 3600, "iat": NOW,
    }))
}

/// A token like [`token`], of somebody else.
pub(crate) fn token_of(user: &str, agent: &str) -> String {
    token_with(json!({
        "iss": "https://idp.example.com", "aud": "http://gw.example.com/crm/mcp", "sub": user,
        "azp": agent, "roles": ["support"], "exp": NOW + 3600, "iat": NOW,
    }))
}

/// A token with these claims.
pub(crate) fn token_with(claims: Value) -> String {
    let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!(
        "{}.{}",
        part(json!({ "alg": "EdDSA", "kid": "k" })),
        part(claims)
    );
    let signature = key().sign(signed.as_bytes()).to_bytes();
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

fn rule(id: &str, effect: RuleEffect, targets: Targets) -> Rule {
    Rule {
        id: id.into(),
        effect,
        subjects: Subjects::default(),
        targets,
        when: None,
    }
}

fn amount(op: BinaryOp, than: f64) -> Option<Expr> {
    let amount = Expr::Select(Box::new(Expr::Var(Var::Args)), "amount".into());
    let than = Literal::Number(serde_json::Number::from_f64(than).unwrap());
    Some(Expr::Binary(
        op,
        Box::new(amount),
        Box::new(Expr::Literal(than)),
    ))
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|&text| text.to_owned()).collect()
}

/// The server resource of all tests: `get_*` for support, `refund` by amount, some resources and prompts.
pub(crate) fn server_resource(name: &str, path: &str, hosts: &[&str]) -> push::Server {
    let tools = |names: &[&str]| Targets {
        tools: texts(names),
        ..Targets::default()
    };
    let support = Subjects {
        roles: texts(&["support"]),
        ..Subjects::default()
    };
    let source = PolicySource {
        server: name.into(),
        rules: vec![
            Rule {
                subjects: support,
                ..rule("p/get", RuleEffect::Allow, tools(&["get_*"]))
            },
            Rule {
                when: amount(BinaryOp::LessOrEqual, 100.0),
                ..rule("p/small", RuleEffect::Allow, tools(&["refund"]))
            },
            Rule {
                when: amount(BinaryOp::Greater, 1000.0),
                ..rule(
                    "p/large",
                    RuleEffect::Approve(Approval::default()),
                    tools(&["refund"]),
                )
            },
            rule("p/drop", RuleEffect::Deny, tools(&["drop_*"])),
            rule(
                "p/docs",
                RuleEffect::Allow,
                Targets {
                    resources: texts(&["docs://*"]),
                    prompts: texts(&["greet"]),
                    ..Targets::default()
                },
            ),
            rule(
                "p/secret",
                RuleEffect::Deny,
                Targets {
                    resources: texts(&["docs://a/secret/*"]),
                    ..Targets::default()
                },
            ),
        ],
        risks: Vec::new(),
    };
    let (rules, risks) = policy_to_wire(&source).unwrap();
    push::Server {
        binding_key: vec![7; 32],
        name: name.into(),
        path: path.into(),
        hosts: texts(hosts),
        resource: format!("http://gw.example.com{path}"),
        audiences: vec![format!("http://gw.example.com{path}")],
        issuers: texts(&["corp"]),
        scopes: texts(&["mcp:tools"]),
        allowed_origins: texts(&["https://app.example.com"]),
        limits: Some(push::Limits {
            request_bytes: 4096,
            response_bytes: 4096,
            event_bytes: 1024,
            ..push::Limits::default()
        }),
        rules,
        risks,
        ..push::Server::default()
    }
}

/// A pack that flags `ignore … instructions`, whatever it is that ships, and the secrets that are known to all.
pub(crate) fn pack() -> &'static [u8] {
    static PACK: LazyLock<Vec<u8>> = LazyLock::new(|| pack_of("override.instructions"));
    &PACK
}

/// A pack that flags whatever has this feature.
pub(crate) fn pack_of(feature: &str) -> Vec<u8> {
    let weights = gatehold_detectors::Weights {
        features: [(feature.to_owned(), [3000; 3])].into(),
        thresholds: [2000; 3],
    };
    let draft = gatehold_detectors::Draft::shipped().unwrap();
    let pack = draft.pack("test", &weights, Vec::new()).unwrap();
    pack.to_bytes()
}

/// The detectors of all tests.
pub(crate) fn detectors() -> push::Detectors {
    push::Detectors {
        pack: pack().to_vec(),
        ..push::Detectors::default()
    }
}

/// A compiled server.
pub(crate) fn server(name: &str, path: &str, hosts: &[&str]) -> Server {
    Server::new(server_resource(name, path, hosts), "v1".into()).unwrap()
}

/// A worker with the server `crm` at `/crm/mcp` in force.
pub(crate) fn worker(host: &FakeHost, config: &str) -> Rc<Worker> {
    worker_with(host, config, server_resource("crm", "/crm/mcp", &[]), None)
}

/// A worker with this server in force, and these detectors.
pub(crate) fn worker_with(
    host: &FakeHost,
    config: &str,
    server: push::Server,
    detectors: Option<push::Detectors>,
) -> Rc<Worker> {
    let config = Config::parse(config.as_bytes()).unwrap();
    let metrics = Metrics::define(host).unwrap();
    let setup = Setup::new(host, &metrics, config.hold_headers);
    let worker = Worker::new(config, metrics, setup, "node".into());
    let mut catalog = Catalog::default();
    catalog.insert_server(Server::new(server, "v1".into()).unwrap());
    catalog.insert_issuer("v1".into(), issuer());
    if let Some(detectors) = detectors {
        let detectors = Detectors::new(&detectors, "v1".into()).unwrap();
        catalog.insert_detectors("detectors", detectors);
    }
    *worker.snapshot.borrow_mut() = Some(Rc::new(catalog.snapshot()));
    Rc::new(worker)
}

/// The events that a worker has queued.
pub(crate) fn events(worker: &Worker) -> Vec<Event> {
    let mut events = Vec::new();
    while let Some(message) = worker.audit.borrow_mut().next_message() {
        events.extend(AppendRequest::decode(message.as_slice()).unwrap().events);
    }
    events
}

/// One exchange with the bodies as Envoy buffers them.
#[derive(Debug)]
pub(crate) struct Driver<'a> {
    pub(crate) host: &'a FakeHost,
    pub(crate) exchange: Exchange,
    /// What the upstream got of the body.
    pub(crate) upstream: Vec<u8>,
    /// What the client got of the body, our own replies aside.
    pub(crate) client: Vec<u8>,
}

/// How a body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// With its last piece.
    Piece,
    /// With an empty piece after it.
    Empty,
    /// With trailers.
    Trailers,
    /// Not yet.
    Open,
}

impl<'a> Driver<'a> {
    pub(crate) fn new(host: &'a FakeHost, worker: &Rc<Worker>) -> Self {
        host.with(|inner| {
            inner.bodies = Default::default();
            inner.replies.clear();
            inner.published.clear();
            inner.resets = 0;
        });
        let exchange = Exchange::new(Some(Rc::clone(worker)));
        Self {
            host,
            exchange,
            upstream: Vec::new(),
            client: Vec::new(),
        }
    }

    /// Sends a request; gives what the headers did.
    pub(crate) fn request(&mut self, headers: &[(&str, &str)], pieces: &[&[u8]], end: End) -> Flow {
        self.host.with(|inner| inner.headers[0] = pairs(headers));
        let whole = pieces.is_empty() && end == End::Piece;
        let flow = self.exchange.request_headers(self.host, whole);
        self.body(Direction::Request, pieces, end);
        flow
    }

    /// Sends a response; gives what the headers did.
    pub(crate) fn response(
        &mut self,
        headers: &[(&str, &str)],
        pieces: &[&[u8]],
        end: End,
    ) -> Flow {
        self.host.with(|inner| inner.headers[1] = pairs(headers));
        let whole = pieces.is_empty() && end == End::Piece;
        let flow = self.exchange.response_headers(self.host, whole);
        self.body(Direction::Response, pieces, end);
        flow
    }

    /// More of a body.
    pub(crate) fn body(&mut self, direction: Direction, pieces: &[&[u8]], end: End) {
        let count = pieces.len();
        for (number, piece) in pieces.iter().enumerate() {
            self.piece(direction, piece, end == End::Piece && number + 1 == count);
        }
        match end {
            End::Empty => self.piece(direction, b"", true),
            End::Trailers if !self.is_refused() => {
                let flow = match direction {
                    Direction::Request => self.exchange.request_trailers(self.host),
                    Direction::Response => self.exchange.response_trailers(self.host),
                };
                self.pass(direction, flow);
            }
            End::Piece | End::Open | End::Trailers => {}
        }
    }

    fn piece(&mut self, direction: Direction, piece: &[u8], end: bool) {
        if self.is_refused() {
            return;
        }
        let size = self.host.with(|inner| {
            let body = &mut inner.bodies[at(direction)];
            body.extend_from_slice(piece);
            body.len()
        });
        let flow = match direction {
            Direction::Request => self.exchange.request_body(self.host, size, end),
            Direction::Response => self.exchange.response_body(self.host, size, end),
        };
        self.pass(direction, flow);
    }

    fn pass(&mut self, direction: Direction, flow: Flow) {
        if flow == Flow::Continue && !self.is_refused() {
            let body = self
                .host
                .with(|inner| std::mem::take(&mut inner.bodies[at(direction)]));
            match direction {
                Direction::Request => self.upstream.extend(body),
                Direction::Response => self.client.extend(body),
            }
        }
    }

    /// After a reply or a reset the host brings nothing more of the other side.
    fn is_refused(&self) -> bool {
        self.host
            .with(|inner| !inner.replies.is_empty() || inner.resets > 0)
    }
}

pub(crate) fn pairs(headers: &[(&str, &str)]) -> HeaderPairs {
    HeaderPairs::of(headers)
}

fn without(pairs: &HeaderPairs, name: &str) -> Vec<(Vec<u8>, Vec<u8>)> {
    let others = pairs.iter().filter(|(key, _)| *key != name.as_bytes());
    others
        .map(|(key, value)| (key.to_vec(), value.to_vec()))
        .collect()
}
