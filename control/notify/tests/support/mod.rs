//! Approvals, a desk and a receiver for tests.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "not every test uses all of it, and helpers of tests may panic"
)]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State as Shared;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use gatehold_approvals::{Approval, ApprovalId, Call, Mechanism, Person, Requester, State};
use gatehold_desk::{Changed, DeskError};
use gatehold_engine::Approval as Requirement;
use gatehold_notify::Source;
use tokio::net::TcpListener;
use tokio::sync::broadcast;

/// Somebody of finance.
pub(crate) fn person(user: &str) -> Person {
    Person {
        issuer: "https://idp.example.com".to_owned(),
        user: user.to_owned(),
        name: user.to_owned(),
        roles: vec!["finance-lead".to_owned()],
    }
}

/// A refund that somebody asks for.
pub(crate) fn approval(id: &str, state: State, created: u64) -> Approval {
    Approval {
        id: ApprovalId::from_text(id),
        state,
        call: Call {
            server: "crm".to_owned(),
            method: "tools/call".to_owned(),
            target: "refund".to_owned(),
            arguments: r#"{"amount":500,"order":"o-1"}"#.to_owned(),
            rules: vec!["support/large".to_owned()],
            requirements: vec![Requirement {
                roles: vec!["finance-lead".to_owned()],
                users: vec!["carol".to_owned()],
                within_seconds: 900,
                quorum: 2,
                ..Requirement::default()
            }],
            risks: vec!["financial".to_owned()],
            era: "modern".to_owned(),
            trace_id: "0af7651916cd43dd8448eb211c80319c".to_owned(),
            requester: Requester {
                issuer: "https://idp.example.com".to_owned(),
                user: "ada".to_owned(),
                agent: "desk-agent".to_owned(),
                roles: vec!["support".to_owned()],
            },
            ..Call::default()
        },
        definition: None,
        created_unix_millis: created,
        expires_unix_millis: created + 900_000,
        decided_unix_millis: None,
        votes: Vec::new(),
        mechanism: Mechanism::Rounds,
        waiting: 1,
        ended_reason: String::new(),
        run: None,
    }
}

/// A desk that does what the test says.
#[derive(Clone)]
pub(crate) struct FakeDesk {
    approvals: Arc<Mutex<BTreeMap<u64, Approval>>>,
    changes: broadcast::Sender<Changed>,
}

impl FakeDesk {
    /// One that remembers this many changes for who is late.
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            approvals: Arc::default(),
            changes: broadcast::channel(capacity).0,
        }
    }

    /// Makes or changes an approval, and says so.
    pub(crate) fn set(&self, id: &str, state: State) {
        let now = now();
        let mut approvals = self.approvals.lock().unwrap();
        let known = approvals
            .values_mut()
            .find(|approval| approval.id.as_str() == id);
        match known {
            Some(approval) => {
                approval.state = state;
                approval.decided_unix_millis.get_or_insert(now);
            }
            None => {
                let number = u64::try_from(approvals.len()).unwrap();
                let mut made = approval(id, state, now);
                if state != State::Pending {
                    made.decided_unix_millis = Some(now);
                }
                approvals.insert(number, made);
            }
        }
        drop(approvals);
        let _ = self.changes.send(Changed {
            id: id.to_owned(),
            state,
            at_unix_millis: now,
        });
    }
}

impl Source for FakeDesk {
    async fn page(
        &self,
        states: Vec<State>,
        before: Option<String>,
        limit: usize,
    ) -> Result<Vec<Approval>, DeskError> {
        let approvals = self.approvals.lock().unwrap();
        let newest_first = approvals.values().rev();
        let mut rest: Vec<Approval> = newest_first.cloned().collect();
        if let Some(before) = before {
            let place = rest
                .iter()
                .position(|approval| approval.id.as_str() == before);
            rest.drain(..=place.unwrap());
        }
        rest.retain(|approval| states.is_empty() || states.contains(&approval.state));
        rest.truncate(limit);
        Ok(rest)
    }

    async fn get(&self, id: &str) -> Result<Option<Approval>, DeskError> {
        let approvals = self.approvals.lock().unwrap();
        Ok(approvals
            .values()
            .find(|approval| approval.id.as_str() == id)
            .cloned())
    }

    fn changes(&self) -> broadcast::Receiver<Changed> {
        self.changes.subscribe()
    }
}

/// Now.
pub(crate) fn now() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    u64::try_from(since.unwrap().as_millis()).unwrap()
}

/// One request of a webhook.
#[derive(Clone, Debug)]
pub(crate) struct Posted {
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Posted {
    /// A header as text.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }
}

/// A real HTTP server that webhooks are posted to.
#[derive(Clone)]
pub(crate) struct Receiver {
    pub(crate) url: String,
    posted: Arc<Mutex<Vec<Posted>>>,
    /// The statuses that it answers with next; 204 when there are none.
    answers: Arc<Mutex<Vec<u16>>>,
}

impl Receiver {
    /// Listens on a free port.
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let receiver = Self {
            url: format!("http://{}/hook", listener.local_addr().unwrap()),
            posted: Arc::default(),
            answers: Arc::default(),
        };
        let router = Router::new()
            .route("/hook", post(receive))
            .with_state(receiver.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        receiver
    }

    /// Answers the next requests with these statuses.
    pub(crate) fn answer(&self, statuses: &[u16]) {
        self.answers.lock().unwrap().extend(statuses.iter().rev());
    }

    /// What came so far.
    pub(crate) fn posted(&self) -> Vec<Posted> {
        self.posted.lock().unwrap().clone()
    }

    /// The ids of what came so far, in order.
    pub(crate) fn ids(&self) -> Vec<String> {
        let posted = self.posted();
        posted
            .iter()
            .map(|posted| posted.header("webhook-id").to_owned())
            .collect()
    }

    /// Waits until that many requests have come.
    pub(crate) async fn came(&self, count: usize) -> Vec<Posted> {
        for _ in 0..2000 {
            if self.posted().len() >= count {
                return self.posted();
            }
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        panic!("only {:?} came, not {count}", self.ids());
    }
}

async fn receive(
    Shared(receiver): Shared<Receiver>,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, [(&'static str, &'static str); 1]) {
    let body = String::from_utf8(body.to_vec()).unwrap();
    receiver
        .posted
        .lock()
        .unwrap()
        .push(Posted { headers, body });
    let status = receiver.answers.lock().unwrap().pop().unwrap_or(204);
    (
        StatusCode::from_u16(status).unwrap(),
        [("location", "/elsewhere")],
    )
}
