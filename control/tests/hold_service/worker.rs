//! A filter, as far as holds go, and people who vote.

use std::collections::VecDeque;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::{Signer as _, SigningKey};
use gatehold_proto::hold::HoldsClient;
use gatehold_wire::hold::{self, FromFilter, ToFilter, from_filter, to_filter};
use gatehold_wire::push;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;

use crate::support::{PATIENCE, Serving};

pub(crate) use from_filter::Message as In;
pub(crate) use to_filter::Message as Out;

/// A worker VM with its stream.
pub(crate) struct Worker {
    requests: mpsc::Sender<FromFilter>,
    responses: Streaming<ToFilter>,
    heard: VecDeque<Out>,
}

impl Worker {
    pub(crate) async fn connect(serving: &Serving, sender: &str) -> Self {
        let (requests, receiver) = mpsc::channel(4096);
        let mut worker = Self {
            responses: {
                let hello = In::Hello(hold::Hello {
                    sender: sender.to_owned(),
                    node: "envoy-1".to_owned(),
                });
                requests.send(message(hello)).await.expect("open");
                let mut client = HoldsClient::new(serving.channel().await);
                let stream = client.hold(ReceiverStream::new(receiver)).await;
                stream.expect("a stream").into_inner()
            },
            requests,
            heard: VecDeque::new(),
        };
        // So that it is connected when this returns.
        worker
            .say(In::Task(hold::TaskRequest {
                waiter: "connected".to_owned(),
                ..Default::default()
            }))
            .await;
        worker.hear("connected").await;
        worker
    }

    pub(crate) async fn say(&self, say: In) {
        self.requests.send(message(say)).await.expect("open");
    }

    /// The next message about that waiter; others wait.
    pub(crate) async fn hear(&mut self, waiter: &str) -> Out {
        let is_meant = |out: &Out| waiter_of(out) == waiter;
        if let Some(index) = self.heard.iter().position(is_meant) {
            return self.heard.remove(index).expect("there");
        }
        loop {
            let out = self.hear_any().await;
            if is_meant(&out) {
                return out;
            }
            self.heard.push_back(out);
        }
    }

    /// The next message that was not looked at.
    pub(crate) async fn hear_any(&mut self) -> Out {
        let response = timeout(PATIENCE, self.responses.message());
        let response = response.await.expect("in time").expect("no error");
        response.expect("a message").message.expect("something")
    }

    pub(crate) async fn ask(&mut self, waiter: &str, say: In) -> Out {
        self.say(say).await;
        self.hear(waiter).await
    }

    pub(crate) async fn decided(&mut self, waiter: &str) -> hold::Decided {
        match self.hear(waiter).await {
            Out::Decided(decided) => decided,
            other => unexpected(&other),
        }
    }

    /// Asks for a call, and gives the approval that it waits for.
    pub(crate) async fn pend(&mut self, wait: hold::Wait) -> String {
        let waiter = wait.waiter.clone();
        match self.ask(&waiter, In::Wait(wait)).await {
            Out::Pending(pending) => pending.approval,
            other => unexpected(&other),
        }
    }

    pub(crate) async fn claim(&mut self, wait: &hold::Wait, approval: &str) -> hold::Claimed {
        let call = wait.call.clone().expect("a call");
        let claim = hold::Claim {
            waiter: wait.waiter.clone(),
            approval: approval.to_owned(),
            digest: call.digest,
            policy_version: call.policy_version,
            server: call.server,
        };
        self.say(In::Claim(claim)).await;
        loop {
            match self.hear(&wait.waiter).await {
                Out::Claimed(claimed) => return claimed,
                // That another has used it crosses the claim.
                Out::Decided(decided) if decided.outcome() == hold::Outcome::Used => {}
                other => unexpected(&other),
            }
        }
    }

    pub(crate) async fn task(&mut self, approval: &str, cancel: bool) -> hold::TaskState {
        let request = hold::TaskRequest {
            waiter: "asks".to_owned(),
            approval: approval.to_owned(),
            cancel,
            issuer: ISSUER.to_owned(),
            user: "ana".to_owned(),
            agent: "bot".to_owned(),
        };
        match self.ask("asks", In::Task(request)).await {
            Out::Task(state) => state,
            other => unexpected(&other),
        }
    }
}

pub(crate) fn unexpected(message: &Out) -> ! {
    panic!("not expected: {message:?}")
}

fn message(say: In) -> FromFilter {
    FromFilter { message: Some(say) }
}

pub(crate) fn waiter_of(out: &Out) -> &str {
    match out {
        Out::Pending(message) => &message.waiter,
        Out::Decided(message) => &message.waiter,
        Out::Claimed(message) => &message.waiter,
        Out::Task(message) => &message.waiter,
        Out::Cancelled(message) => &message.waiter,
    }
}

pub(crate) const ISSUER: &str = "https://idp.example.com";

/// A call of `ana`'s agent that a lead has to approve.
pub(crate) fn wait(waiter: &str, digest: u8, version: &str) -> hold::Wait {
    hold::Wait {
        waiter: waiter.to_owned(),
        call: Some(hold::Call {
            digest: vec![digest; 32],
            server: "crm".to_owned(),
            policy_version: version.to_owned(),
            method: "tools/call".to_owned(),
            target: "refund".to_owned(),
            issuer: ISSUER.to_owned(),
            user: "ana".to_owned(),
            agent: "bot".to_owned(),
            arguments: format!(r#"{{"order":{digest}}}"#),
            rules: vec!["crm/0".to_owned()],
            requirements: vec![push::Approve {
                roles: vec!["lead".to_owned()],
                within_seconds: 900,
                ..Default::default()
            }],
            risks: vec!["financial".to_owned()],
            era: "modern".to_owned(),
            ..Default::default()
        }),
        mechanism: hold::Mechanism::Request.into(),
        cancel_key: format!("key-{waiter}"),
        ..Default::default()
    }
}

/// A token for the HTTP API, signed with the private key of RFC 8037, A.2.
fn token(user: &str, roles: &[&str]) -> String {
    let key = URL_SAFE_NO_PAD
        .decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A")
        .expect("base64");
    let key = SigningKey::from_bytes(&key.try_into().expect("32 bytes"));
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let expires = now.expect("after 1970").as_secs() + 300;
    let claims = json!({
        "iss": ISSUER, "aud": "gatehold-api", "sub": user, "roles": roles, "exp": expires,
    });
    let encode = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let header = encode(json!({ "alg": "EdDSA", "kid": "1" }));
    let message = format!("{header}.{}", encode(claims));
    let signature = key.sign(message.as_bytes()).to_bytes();
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// Votes over the HTTP API; gives the status and the answer.
pub(crate) async fn vote(
    serving: &Serving,
    user: &str,
    approval: &str,
    verdict: &str,
) -> (u16, Value) {
    let token = token(user, &["lead"]);
    let body = json!({ "reason": "looked\nat it" }).to_string();
    let request = format!(
        "POST /api/v1/approvals/{approval}/{verdict} HTTP/1.1\r\nhost: console\r\nconnection: close\r\n\
         authorization: Bearer {token}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let (status, answer) = Serving::ask(&serving.console, &request).await;
    let (_, body) = answer.split_once("\r\n\r\n").expect("a body");
    (status, serde_json::from_str(body).unwrap_or_default())
}
