//! Messages reach real receivers: signed, again after failures and restarts, each webhook by itself.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests may panic"
)]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use gatehold_approvals::State;
use gatehold_documents::{Documents, load};
use gatehold_notify::{Backoff, Notifier, Observer, Settings, Told};
use gatehold_store::{Outbox, Store};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::Value;
use sha2::Sha256;
use tempfile::TempDir;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use support::{FakeDesk, Posted, Receiver};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

#[derive(Clone, Default)]
struct Count(Arc<Mutex<BTreeMap<(String, String), u32>>>);

impl Observer for Count {
    fn told(&self, webhook: &str, told: Told) {
        let mut counts = self.0.lock().unwrap();
        *counts
            .entry((webhook.to_owned(), format!("{told:?}")))
            .or_default() += 1;
    }
}

impl Count {
    fn of(&self, webhook: &str, told: Told) -> u32 {
        let counts = self.0.lock().unwrap();
        counts
            .get(&(webhook.to_owned(), format!("{told:?}")))
            .copied()
            .unwrap_or_default()
    }
}

struct World {
    directory: TempDir,
    desk: FakeDesk,
    documents: watch::Sender<Option<Arc<Documents>>>,
    count: Count,
    backoff: Backoff,
}

struct Running {
    shutdown: CancellationToken,
    task: JoinHandle<()>,
}

impl World {
    fn new(capacity: usize) -> Self {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("secret"), SECRET).unwrap();
        Self {
            directory,
            desk: FakeDesk::new(capacity),
            documents: watch::channel(None).0,
            count: Count::default(),
            backoff: Backoff {
                first: Duration::from_millis(20),
                longest: Duration::from_millis(200),
                give_up: Duration::from_secs(60),
            },
        }
    }

    fn file(&self) -> PathBuf {
        self.directory.path().join("store.db")
    }

    /// Puts these webhooks in force: name, address, and more fields.
    fn webhooks(&self, webhooks: &[(&str, &str, &str)]) {
        let documents = documents(&self.directory.path().join("secret"), webhooks);
        self.documents.send_replace(Some(Arc::new(documents)));
    }

    async fn start(&self) -> Running {
        drop(Store::open(self.file()).await.unwrap());
        let documents = self.documents.borrow().clone().unwrap();
        let names: Vec<_> = documents
            .webhooks
            .iter()
            .map(|webhook| webhook.name.clone())
            .collect();
        // They are told what happens from now on, and not from whenever the task is first run.
        let _ = Outbox::open(self.file())
            .await
            .unwrap()
            .webhooks(&names, support::now())
            .await
            .unwrap();
        let outbox = Outbox::open(self.file()).await.unwrap();
        let settings = Settings {
            backoff: self.backoff,
        };
        let documents = self.documents.subscribe();
        let notifier = Notifier::new(
            self.desk.clone(),
            outbox,
            documents,
            self.count.clone(),
            settings,
        );
        let shutdown = CancellationToken::new();
        let task = tokio::spawn(notifier.unwrap().run(shutdown.clone()));
        Running { shutdown, task }
    }
}

impl Running {
    async fn stop(self) {
        self.shutdown.cancel();
        self.task.await.unwrap();
    }
}

fn documents(secret: &Path, webhooks: &[(&str, &str, &str)]) -> Documents {
    let mut text = "apiVersion: gatehold.io/v1
kind: Issuer
metadata: { name: corp }
spec: { issuer: https://idp.example.com }
---
apiVersion: gatehold.io/v1
kind: Server
metadata: { name: crm }
spec: { path: /crm/mcp, resource: https://gw.example.com/crm/mcp, issuers: [corp] }
---
apiVersion: gatehold.io/v1
kind: Console
metadata: { name: console }
spec: { url: https://gatehold.example.com, signIn: { issuer: corp, clientId: c } }
"
    .to_owned();
    for (name, url, more) in webhooks {
        let secret = secret.display();
        text.push_str(&format!("---\napiVersion: gatehold.io/v1\nkind: Webhook\nmetadata: {{ name: {name} }}\nspec: {{ url: \"{url}\", secretFile: {secret}, {more} }}\n"));
    }
    load(&[(PathBuf::from("a.yaml"), text)]).unwrap()
}

/// As any receiver would, by the specification alone.
fn verify(posted: &Posted) {
    let key = BASE64.decode(SECRET.trim_start_matches("whsec_")).unwrap();
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
    let (id, time) = (
        posted.header("webhook-id"),
        posted.header("webhook-timestamp"),
    );
    mac.update(format!("{id}.{time}.{}", posted.body).as_bytes());
    let expected = format!("v1,{}", BASE64.encode(mac.finalize().into_bytes()));
    assert_eq!(posted.header("webhook-signature"), expected);
    let age = support::now() / 1000 - time.parse::<u64>().unwrap();
    assert!(age < 60, "{age}");
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..2000 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("not in time: {what}");
}

#[tokio::test]
async fn messages_are_signed_and_tell_what_happens() {
    let world = World::new(64);
    let receiver = Receiver::start().await;
    world.webhooks(&[("pager", &receiver.url, "events: [pending, approved, used]")]);
    let running = world.start().await;
    world.desk.set("a", State::Pending);
    receiver.came(1).await;
    // A vote that decides nothing is no event.
    world.desk.set("a", State::Pending);
    world.desk.set("a", State::Approved);
    world.desk.set("a", State::Used);
    world.desk.set("b", State::Pending);
    world.desk.set("b", State::Denied);
    let posted = receiver.came(4).await;
    for posted in &posted {
        verify(posted);
        assert_eq!(posted.header("content-type"), "application/json");
        let body: Value = serde_json::from_str(&posted.body).unwrap();
        let (id, event) = posted.header("webhook-id").split_once('.').unwrap();
        assert_eq!(body["type"], format!("approval.{event}"));
        assert_eq!(
            body["data"]["url"],
            format!("https://gatehold.example.com/approvals/{id}")
        );
    }
    let ids: BTreeSet<_> = receiver.ids().into_iter().collect();
    let expected = ["a.approved", "a.pending", "a.used", "b.pending"].map(str::to_owned);
    assert_eq!(ids, expected.into());
    until("all are counted", || {
        world.count.of("pager", Told::Delivered) == 4
    })
    .await;
    running.stop().await;
}

#[tokio::test]
async fn a_message_is_posted_again_under_its_id_until_it_is_taken() {
    let world = World::new(64);
    let receiver = Receiver::start().await;
    // Neither errors nor redirects are a delivery, and no redirect is followed.
    receiver.answer(&[500, 503, 429, 302, 400]);
    world.webhooks(&[("pager", &receiver.url, "")]);
    let running = world.start().await;
    world.desk.set("a", State::Pending);
    let posted = receiver.came(6).await;
    for other in &posted {
        verify(other);
        assert_eq!(other.header("webhook-id"), "a.pending");
        assert_eq!(other.body, posted.first().unwrap().body);
    }
    until("it is counted", || {
        world.count.of("pager", Told::Delivered) == 1
    })
    .await;
    assert_eq!(world.count.of("pager", Told::Failed), 5);
    // Nothing comes after it was taken.
    world.desk.set("b", State::Pending);
    receiver.came(7).await;
    assert_eq!(receiver.ids().last().unwrap(), "b.pending");
    running.stop().await;
}

#[tokio::test]
async fn what_was_not_delivered_is_after_a_restart() {
    let world = World::new(64);
    let receiver = Receiver::start().await;
    receiver.answer(&[500; 4]);
    world.webhooks(&[("pager", &receiver.url, "")]);
    let running = world.start().await;
    world.desk.set("a", State::Pending);
    receiver.came(1).await;
    running.stop().await;
    let tried = receiver.posted().len();
    let running = world.start().await;
    until("it is delivered", || {
        world.count.of("pager", Told::Delivered) == 1
    })
    .await;
    let ids: BTreeSet<_> = receiver.ids().into_iter().collect();
    assert_eq!(ids, ["a.pending".to_owned()].into());
    assert!(receiver.posted().len() > tried);
    running.stop().await;
}

#[tokio::test]
async fn what_happened_meanwhile_is_told_once() {
    let world = World::new(64);
    let receiver = Receiver::start().await;
    world.webhooks(&[(
        "pager",
        &receiver.url,
        "events: [pending, approved, denied, used]",
    )]);
    // From before the webhook was there.
    world.desk.set("old", State::Pending);
    tokio::time::sleep(Duration::from_millis(2)).await;
    let running = world.start().await;
    for id in ["a", "b", "c"] {
        world.desk.set(id, State::Pending);
    }
    receiver.came(3).await;
    until("they are counted", || {
        world.count.of("pager", Told::Delivered) == 3
    })
    .await;
    running.stop().await;
    world.desk.set("a", State::Approved);
    world.desk.set("b", State::Used);
    // Came and went.
    world.desk.set("d", State::Pending);
    world.desk.set("d", State::Denied);
    world.desk.set("e", State::Pending);
    let running = world.start().await;
    until("they are counted", || {
        world.count.of("pager", Told::Delivered) == 8
    })
    .await;
    running.stop().await;
    // And nothing of it a second time.
    let running = world.start().await;
    world.desk.set("f", State::Pending);
    receiver.came(9).await;
    running.stop().await;
    let mut ids = receiver.ids();
    ids.sort();
    let expected = [
        "a.approved",
        "a.pending",
        "b.approved",
        "b.pending",
        "b.used",
        "c.pending",
        "d.denied",
        "e.pending",
        "f.pending",
    ];
    assert_eq!(ids, expected);
}

#[tokio::test]
async fn a_burst_that_overtakes_the_notifier_loses_nothing() {
    // The desk remembers two changes only.
    let world = World::new(2);
    let receiver = Receiver::start().await;
    world.webhooks(&[("pager", &receiver.url, "events: [pending, denied]")]);
    let running = world.start().await;
    for number in 0..300 {
        world.desk.set(&format!("n{number}"), State::Pending);
        if number % 3 == 0 {
            tokio::task::yield_now().await;
        }
    }
    for number in 0..300 {
        world.desk.set(&format!("n{number}"), State::Denied);
    }
    let denied = || {
        receiver
            .ids()
            .iter()
            .filter(|id| id.ends_with(".denied"))
            .count()
    };
    until("all are told", || denied() == 300).await;
    let mut ids = receiver.ids();
    let count = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), count, "something was told twice");
    running.stop().await;
}

#[tokio::test]
async fn one_webhook_does_not_wait_for_another() {
    let world = World::new(64);
    let (good, bad) = (Receiver::start().await, Receiver::start().await);
    bad.answer(&[500; 10_000]);
    world.webhooks(&[
        ("bad", &bad.url, ""),
        // Nobody listens there.
        ("dead", "http://127.0.0.1:1/hook", ""),
        ("good", &good.url, ""),
        ("other", &good.url, "events: [denied]"),
    ]);
    let running = world.start().await;
    for number in 0..50 {
        world.desk.set(&format!("n{number}"), State::Pending);
    }
    good.came(50).await;
    until("the others are tried", || {
        world.count.of("bad", Told::Failed) >= 50 && world.count.of("dead", Told::Failed) >= 50
    })
    .await;
    // A webhook that goes takes along what it was still to be told.
    world.webhooks(&[("good", &good.url, "")]);
    world.desk.set("last", State::Pending);
    good.came(51).await;
    running.stop().await;
    let outbox = Outbox::open(world.file()).await.unwrap();
    assert_eq!(outbox.next_due("bad").await.unwrap(), None);
}

#[tokio::test]
async fn a_message_is_given_up_in_the_end() {
    let mut world = World::new(64);
    world.backoff.give_up = Duration::from_millis(150);
    let (gone, deaf) = (Receiver::start().await, Receiver::start().await);
    gone.answer(&[410]);
    deaf.answer(&[500; 1000]);
    world.webhooks(&[("deaf", &deaf.url, ""), ("gone", &gone.url, "")]);
    let running = world.start().await;
    world.desk.set("a", State::Pending);
    until("both are given up", || {
        world.count.of("gone", Told::GivenUp) == 1 && world.count.of("deaf", Told::GivenUp) == 1
    })
    .await;
    assert_eq!(world.count.of("gone", Told::Failed), 0);
    assert!(world.count.of("deaf", Told::Failed) > 1);
    assert_eq!(gone.posted().len(), 1);
    running.stop().await;
}

#[tokio::test]
async fn nothing_is_sent_without_its_signature() {
    let world = World::new(64);
    let receiver = Receiver::start().await;
    let secret = world.directory.path().join("secret");
    std::fs::write(&secret, "no key").unwrap();
    world.webhooks(&[("pager", &receiver.url, "")]);
    let running = world.start().await;
    world.desk.set("a", State::Pending);
    until("it fails", || world.count.of("pager", Told::Failed) >= 2).await;
    assert!(receiver.posted().is_empty());
    // A secret is read when it is used.
    std::fs::write(&secret, SECRET).unwrap();
    verify(receiver.came(1).await.first().unwrap());
    running.stop().await;
}
