//! Calls that wait, over gRPC and the HTTP API of the real binary, which is killed between any two steps.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

#[path = "../support/mod.rs"]
mod support;
mod worker;

use std::collections::HashMap;

use gatehold_store::Reader;
use gatehold_wire::{SERVER_TYPE_URL, hold};
use hold::Outcome;
use serde_json::Value;
use support::{Filter, Folder, Serving, until};
use tokio_stream::StreamExt as _;
use worker::{In, Out, Worker, unexpected, vote, wait};

const DOCUMENTS: &str = r#"
apiVersion: gatehold.io/v1
kind: Issuer
metadata: { name: corp }
spec:
  issuer: https://idp.example.com
  jwks:
    keys:
      keys:
        - { kty: OKP, crv: Ed25519, kid: "1", x: 11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo }
---
apiVersion: gatehold.io/v1
kind: Server
metadata: { name: crm }
spec:
  path: /crm/mcp
  resource: https://gw.example.com/crm/mcp
  issuers: [corp]
---
apiVersion: gatehold.io/v1
kind: Console
metadata: { name: console }
spec:
  url: https://gatehold.example.com
  signIn: { issuer: corp, clientId: gatehold-console }
  api: { audiences: [gatehold-api] }
"#;

fn policy(within: &str) -> String {
    format!(
        "
apiVersion: gatehold.io/v1
kind: Policy
metadata: {{ name: crm }}
spec:
  rules:
    - approve: {{ server: crm, tools: [refund], by: {{ roles: [lead] }}, within: {within} }}
"
    )
}

/// A control that is killed and started again on the same folder.
struct Site {
    folder: Folder,
    serving: Option<Serving>,
    version: String,
}

impl Site {
    async fn new() -> Self {
        let folder = Folder::new();
        folder.write("documents.yaml", DOCUMENTS);
        folder.write("policy.yaml", &policy("15m"));
        let serving = Serving::start(&folder, &folder.config()).await;
        let version = version(&serving).await;
        Self {
            folder,
            serving: Some(serving),
            version,
        }
    }

    fn serving(&self) -> &Serving {
        self.serving.as_ref().expect("running")
    }

    /// What a power cut and a restart do.
    async fn kill(&mut self) {
        self.serving.take().expect("running").kill().await;
        let serving = Serving::start(&self.folder, &self.folder.config()).await;
        assert_eq!(version(&serving).await, self.version);
        self.serving = Some(serving);
    }

    async fn worker(&self, sender: &str) -> Worker {
        Worker::connect(self.serving(), sender).await
    }

    fn wait(&self, waiter: &str, digest: u8) -> hold::Wait {
        wait(waiter, digest, &self.version)
    }

    /// Votes, and expects that status.
    async fn vote(&self, user: &str, approval: &str, verdict: &str, expected: u16) {
        let (status, answer) = vote(self.serving(), user, approval, verdict).await;
        assert_eq!(status, expected, "{user} {verdict}: {answer}");
    }

    /// The methods of the audit events about an approval, in order; the chain is looked at too.
    async fn audited(&self, approval: &str) -> Vec<String> {
        let reader = Reader::open(self.folder.path("audit.db")).await;
        let reader = reader.expect("a store");
        reader.verify().await.expect("an unbroken chain");
        let mut lines = Box::pin(reader.export(1));
        let mut found = Vec::new();
        while let Some(line) = lines.next().await {
            let line: Value = serde_json::from_str(&line.expect("read")).expect("JSON");
            if line["approval"] == approval {
                found.push(line["method"].as_str().expect("text").to_owned());
            }
        }
        found
    }
}

/// The version of the server's policy that filters have.
async fn version(serving: &Serving) -> String {
    let mut filter = Filter::connect(serving, &[]).await;
    loop {
        filter.take().await;
        let held = filter.held.iter();
        let mut servers = held.filter(|(of_type, _, _)| of_type == SERVER_TYPE_URL);
        if let Some((_, _, version)) = servers.next() {
            return version.clone();
        }
    }
}

fn leave(waiter: &str, why: hold::leave::Why) -> In {
    In::Leave(hold::Leave {
        waiter: waiter.to_owned(),
        why: why.into(),
    })
}

fn report(waiter: &str, approval: &str, progress: hold::report::Progress, result: &str) -> In {
    In::Report(hold::Report {
        waiter: waiter.to_owned(),
        approval: approval.to_owned(),
        progress: progress.into(),
        detail: "ok".to_owned(),
        result: result.as_bytes().to_vec(),
    })
}

#[tokio::test]
async fn a_call_is_asked_decided_and_let_through_once_whatever_is_killed_in_between() {
    let mut site = Site::new().await;
    let (one, two) = (site.wait("one", 1), site.wait("two", 1));
    let mut worker = site.worker("a").await;
    let approval = worker.pend(one.clone()).await;

    site.kill().await;
    // The same request again, and an identical one: both wait for the same.
    let (mut a, mut b) = (site.worker("a").await, site.worker("b").await);
    assert_eq!(a.pend(one.clone()).await, approval);
    assert_eq!(b.pend(two.clone()).await, approval);
    let early = a.claim(&one, &approval).await;
    assert!(!early.granted, "nobody has approved yet");
    site.vote("ana", &approval, "approve", 403).await;
    site.vote("bob", &approval, "approve", 200).await;
    for (worker, waiter) in [(&mut a, "one"), (&mut b, "two")] {
        let decided = worker.decided(waiter).await;
        assert_eq!(decided.outcome(), Outcome::Approved);
        assert_eq!(decided.reason, "looked at it");
    }

    site.kill().await;
    let (mut a, mut b) = (site.worker("a").await, site.worker("b").await);
    site.vote("cid", &approval, "deny", 409).await;
    // The decision that was made meanwhile is honoured.
    for (worker, wait) in [(&mut a, &one), (&mut b, &two)] {
        match worker.ask(&wait.waiter, In::Wait(wait.clone())).await {
            Out::Decided(decided) => assert_eq!(decided.outcome(), Outcome::Approved),
            other => unexpected(&other),
        }
    }
    // Another call under its name is none.
    let mut other = one.clone();
    other.call.as_mut().expect("a call").digest = vec![9; 32];
    let refused = a.claim(&other, &approval).await;
    assert_eq!(
        (refused.granted, refused.outcome()),
        (false, Outcome::Superseded)
    );
    let (first, second) = tokio::join!(a.claim(&one, &approval), b.claim(&two, &approval));
    let granted = [first.granted, second.granted];
    assert_ne!(granted[0], granted[1], "one of both may run");
    let (winner, loser) = if granted[0] {
        (&one, &two)
    } else {
        (&two, &one)
    };

    site.kill().await;
    // Who did not hear the answer asks again, and hears the same.
    let mut a = site.worker("a").await;
    assert!(a.claim(winner, &approval).await.granted);
    let refused = a.claim(loser, &approval).await;
    assert_eq!((refused.granted, refused.outcome()), (false, Outcome::Used));
    match a.ask(&loser.waiter, In::Wait(loser.clone())).await {
        Out::Decided(decided) => assert_eq!(decided.outcome(), Outcome::Used),
        other => unexpected(&other),
    }
    let done = hold::report::Progress::Answered;
    a.say(report(&winner.waiter, &approval, done, "")).await;
    // The next identical call is a new question.
    assert_ne!(a.pend(site.wait("three", 1)).await, approval);
    assert_eq!(
        site.audited(&approval).await,
        ["approvals/request", "approvals/approve", "approvals/use"]
    );
    let (_, metrics) = site.serving().get("/metrics").await;
    for line in [
        "gatehold_approvals{state=\"pending\"} 1",
        "gatehold_approvals_waiting 1",
        "gatehold_streams{stream=\"hold\"} 1",
    ] {
        assert!(metrics.contains(line), "{line} in {metrics}");
    }
}

#[tokio::test]
async fn a_denial_is_told_and_stays_told() {
    let mut site = Site::new().await;
    let mut worker = site.worker("a").await;
    let one = site.wait("one", 1);
    let approval = worker.pend(one.clone()).await;
    site.vote("bob", &approval, "deny", 200).await;
    assert_eq!(worker.decided("one").await.outcome(), Outcome::Denied);
    site.kill().await;
    let mut worker = site.worker("a").await;
    match worker.ask("one", In::Wait(one.clone())).await {
        Out::Decided(decided) => {
            assert_eq!(decided.outcome(), Outcome::Denied);
            assert_eq!(decided.reason, "looked at it");
        }
        other => unexpected(&other),
    }
    assert!(!worker.claim(&one, &approval).await.granted);
}

#[tokio::test]
async fn a_call_in_rounds_goes_on_where_it_was() {
    let mut site = Site::new().await;
    let rounds = |waiter: &str, number: u32, approval: &str| {
        let mut wait = site.wait(waiter, 1);
        wait.set_mechanism(hold::Mechanism::Rounds);
        wait.leg = (number > 0).then(|| hold::Leg {
            approval: approval.to_owned(),
            chain: "leg-0".to_owned(),
            number,
        });
        wait
    };
    let first = rounds("leg-0", 0, "");
    let mut worker = site.worker("a").await;
    let approval = worker.pend(first).await;
    let second = rounds("leg-1", 1, &approval);
    let third = rounds("leg-2", 2, &approval);
    let replayed = rounds("leg-x", 2, &approval);
    let fourth = rounds("leg-3", 3, &approval);
    let ended = |waiter: &str| leave(waiter, hold::leave::Why::LegEnded);
    worker.say(ended("leg-0")).await;
    assert_eq!(worker.pend(second.clone()).await, approval);
    worker.say(ended("leg-1")).await;
    // Between two legs.
    site.vote("bob", &approval, "approve", 200).await;
    site.kill().await;
    let mut worker = site.worker("b").await;
    match worker.ask("leg-2", In::Wait(third.clone())).await {
        Out::Decided(decided) => assert_eq!(decided.outcome(), Outcome::Approved),
        other => unexpected(&other),
    }
    match worker.ask("leg-x", In::Wait(replayed)).await {
        Out::Decided(decided) => assert_eq!(decided.outcome(), Outcome::Replayed),
        other => unexpected(&other),
    }
    assert!(!worker.claim(&second, &approval).await.granted);
    assert!(worker.claim(&third, &approval).await.granted);
    // The upstream asked for something itself, and the client comes back with it.
    worker.say(ended("leg-2")).await;
    site.kill().await;
    let mut worker = site.worker("a").await;
    match worker.ask("leg-3", In::Wait(fourth.clone())).await {
        Out::Decided(decided) => assert_eq!(decided.outcome(), Outcome::Approved),
        other => unexpected(&other),
    }
    assert!(worker.claim(&fourth, &approval).await.granted);
    assert!(worker.claim(&fourth, &approval).await.granted);
    // A client that goes away is never executed for.
    let mut gone = site.wait("gone", 2);
    gone.set_mechanism(hold::Mechanism::Rounds);
    let approval = worker.pend(gone.clone()).await;
    worker.say(leave("gone", hold::leave::Why::Gone)).await;
    assert!(!worker.claim(&gone, &approval).await.granted);
    site.vote("bob", &approval, "approve", 409).await;
}

#[tokio::test]
async fn a_task_is_run_once_and_its_answer_kept() {
    let mut site = Site::new().await;
    let mut wait = site.wait("make", 1);
    wait.set_mechanism(hold::Mechanism::Task);
    wait.body = b"{\"the\":\"message\"}".to_vec();
    let mut worker = site.worker("a").await;
    let approval = worker.pend(wait.clone()).await;
    worker.say(leave("make", hold::leave::Why::Told)).await;
    let state = worker.task(&approval, false).await;
    assert_eq!((state.status.as_str(), state.claimable), ("working", false));
    site.kill().await;
    site.vote("bob", &approval, "approve", 200).await;
    let mut worker = site.worker("b").await;
    assert!(worker.task(&approval, false).await.claimable);
    let claim = |waiter: &str| {
        In::Claim(hold::Claim {
            waiter: waiter.to_owned(),
            approval: approval.clone(),
            digest: Vec::new(),
            policy_version: site.version.clone(),
            server: "crm".to_owned(),
        })
    };
    let (first, second) = (claim("asks-1"), claim("asks-2"));
    match worker.ask("asks-1", first.clone()).await {
        Out::Claimed(claimed) => {
            assert!(claimed.granted);
            assert_eq!((claimed.body, claimed.digest), (wait.body, vec![1; 32]));
        }
        other => unexpected(&other),
    }
    match worker.ask("asks-2", second).await {
        Out::Claimed(claimed) => assert!(!claimed.granted),
        other => unexpected(&other),
    }
    site.kill().await;
    let mut worker = site.worker("b").await;
    match worker.ask("asks-1", first).await {
        Out::Claimed(claimed) => assert!(claimed.granted && !claimed.body.is_empty()),
        other => unexpected(&other),
    }
    let done = hold::report::Progress::Answered;
    worker
        .say(report("asks-1", &approval, done, "{\"is\":\"done\"}"))
        .await;
    let state = worker.task(&approval, false).await;
    assert_eq!(state.status, "completed");
    site.kill().await;
    let mut worker = site.worker("c").await;
    let state = worker.task(&approval, true).await;
    assert_eq!(state.status, "completed", "too late to cancel");
    assert_eq!(state.result, b"{\"is\":\"done\"}");
}

#[tokio::test]
async fn what_was_asked_under_another_policy_or_for_another_tool_is_void() {
    let mut site = Site::new().await;
    let mut worker = site.worker("a").await;
    let define = |digest: u8| {
        In::Definition(hold::Definition {
            server: "crm".to_owned(),
            tool: "refund".to_owned(),
            digest: vec![digest; 32],
            definition: "{}".to_owned(),
        })
    };
    worker.say(define(1)).await;
    let one = site.wait("one", 1);
    let approval = worker.pend(one.clone()).await;
    worker.say(define(1)).await;
    site.vote("bob", &approval, "approve", 200).await;
    assert_eq!(worker.decided("one").await.outcome(), Outcome::Approved);
    worker.say(define(2)).await;
    assert_eq!(worker.decided("one").await.outcome(), Outcome::Superseded);
    let refused = worker.claim(&one, &approval).await;
    assert_eq!(
        (refused.granted, refused.outcome()),
        (false, Outcome::Superseded)
    );

    let two = site.wait("two", 2);
    worker.pend(two.clone()).await;
    site.folder.write("policy.yaml", &policy("10m"));
    assert_eq!(worker.decided("two").await.outcome(), Outcome::Superseded);
    // A filter that has the old policy still can't ask by it.
    match worker.ask("three", In::Wait(site.wait("three", 3))).await {
        Out::Decided(decided) => assert_eq!(decided.outcome(), Outcome::Superseded),
        other => unexpected(&other),
    }
    let before = site.version.clone();
    site.version = until("the new policy", async || {
        let version = version(site.serving()).await;
        (version != before).then_some(version)
    })
    .await;
    worker.pend(site.wait("four", 3)).await;
}

#[tokio::test]
async fn who_cancels_is_heard_by_the_filter_that_holds_the_request() {
    let site = Site::new().await;
    let (mut a, b) = (site.worker("a").await, site.worker("b").await);
    let approval = a.pend(site.wait("one", 1)).await;
    b.say(In::Cancel(hold::Cancel {
        cancel_key: "key-one".to_owned(),
    }))
    .await;
    match a.hear("one").await {
        Out::Cancelled(_) => {}
        other => unexpected(&other),
    }
    site.vote("bob", &approval, "approve", 409).await;
}

/// 100 different calls, each made twice, at four workers that come and go with control: each that was approved runs
/// once, each that was denied never.
#[tokio::test]
async fn two_hundred_calls_are_let_through_once_each() {
    const CALLS: u8 = 100;
    const WORKERS: usize = 4;
    let mut site = Site::new().await;
    let waits: Vec<hold::Wait> = (0..2 * u16::from(CALLS))
        .map(|number| {
            let digest = u8::try_from(number % u16::from(CALLS)).expect("small");
            site.wait(&format!("w{number}"), digest)
        })
        .collect();
    let mut approvals: HashMap<u8, String> = HashMap::new();
    let mut granted: HashMap<u8, Vec<String>> = HashMap::new();
    for round in 0..3 {
        let mut workers = Vec::new();
        for number in 0..WORKERS {
            workers.push(site.worker(&format!("worker-{number}")).await);
        }
        for (number, wait) in waits.iter().enumerate() {
            workers[number % WORKERS].say(In::Wait(wait.clone())).await;
        }
        // In each round a third of the people's work is done while the filters say what they hold.
        for (number, wait) in waits.iter().enumerate() {
            let worker = &mut workers[number % WORKERS];
            let digest = wait.call.as_ref().expect("a call").digest[0];
            match worker.hear(&wait.waiter).await {
                Out::Pending(pending) => {
                    let known = approvals.entry(digest).or_insert(pending.approval.clone());
                    assert_eq!(*known, pending.approval, "one question for both");
                }
                Out::Decided(decided) => match decided.outcome() {
                    Outcome::Approved => {
                        let claimed = worker.claim(wait, &decided.approval).await;
                        if claimed.granted {
                            granted.entry(digest).or_default().push(wait.waiter.clone());
                        } else {
                            assert_eq!(claimed.outcome(), Outcome::Used);
                        }
                    }
                    Outcome::Denied => assert_eq!(digest % 5, 0),
                    Outcome::Used => {}
                    other => panic!("{other:?}"),
                },
                other => unexpected(&other),
            }
            if round < 2 && digest % 2 == round && number < usize::from(CALLS) {
                let verdict = if digest % 5 == 0 { "deny" } else { "approve" };
                let approval = approvals[&digest].clone();
                site.vote("bob", &approval, verdict, 200).await;
            }
        }
        if round < 2 {
            site.kill().await;
        }
    }
    for digest in 0..CALLS {
        let mut winners = granted.remove(&digest).unwrap_or_default();
        winners.dedup();
        let expected = usize::from(digest % 5 != 0);
        assert_eq!(winners.len(), expected, "call {digest}: {winners:?}");
    }
    Reader::open(site.folder.path("audit.db"))
        .await
        .expect("a store")
        .verify()
        .await
        .expect("an unbroken chain");
}
