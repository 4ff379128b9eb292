//! Calls that go on all the time, and what became of each.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use gatehold_e2e::call;
use gatehold_harness::Recorder;
use serde_json::json;
use tokio::task::JoinSet;

/// Clients per gateway.
const CLIENTS: usize = 3;

/// Clients that make allowed and denied calls in turn, each with an order of its own, at all of these gateways.
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    clients: JoinSet<()>,
    sent: Arc<Sent>,
    begin: Instant,
}

#[derive(Default)]
struct Sent {
    orders: AtomicU64,
    /// Orders of calls that policy allows.
    allowed: Mutex<Vec<String>>,
    denied: AtomicU64,
    /// Answers that no decision gives, with how many of each.
    wrong: Mutex<BTreeMap<String, u64>>,
}

/// What became of all calls.
pub(crate) struct Outcome {
    pub(crate) calls: u64,
    pub(crate) wrong: BTreeMap<String, u64>,
    pub(crate) took: Duration,
    allowed: Vec<String>,
}

impl Load {
    pub(crate) fn start(gateways: &[u16], token: &str) -> Self {
        let (stop, sent) = (Arc::new(AtomicBool::new(false)), Arc::new(Sent::default()));
        let mut clients = JoinSet::new();
        for gateway in gateways.iter().flat_map(|port| [*port; CLIENTS]) {
            let (stop, sent, token) = (stop.clone(), sent.clone(), token.to_owned());
            clients.spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    sent.two_calls(gateway, &token).await;
                }
            });
        }
        Self {
            stop,
            clients,
            sent,
            begin: Instant::now(),
        }
    }

    /// How many calls were answered so far.
    pub(crate) fn calls(&self) -> u64 {
        self.sent.calls()
    }

    /// Lets every client finish its call.
    pub(crate) async fn stop(self) -> Outcome {
        self.stop.store(true, Ordering::Relaxed);
        let ended = self.clients.join_all().await;
        assert!(!ended.is_empty());
        Outcome {
            calls: self.sent.calls(),
            wrong: self.sent.wrong.lock().unwrap().clone(),
            took: self.begin.elapsed(),
            allowed: self.sent.allowed.lock().unwrap().clone(),
        }
    }
}

impl Sent {
    fn calls(&self) -> u64 {
        self.allowed.lock().unwrap().len() as u64 + self.denied.load(Ordering::Relaxed)
    }

    async fn two_calls(&self, gateway: u16, token: &str) {
        let number = self.orders.fetch_add(1, Ordering::Relaxed);
        let order = format!("allowed-{number}");
        let allowed = self.send(gateway, token, &order, 50).await;
        match allowed {
            Ok(false) => {}
            Ok(true) => self.note("an allowed call was refused".to_owned()),
            Err(wrong) => self.note(format!("an allowed call: {wrong}")),
        }
        self.allowed.lock().unwrap().push(order);
        match self.send(gateway, token, "denied", 500).await {
            Ok(true) => {}
            Ok(false) => self.note("a denied call was let through".to_owned()),
            Err(wrong) => self.note(format!("a denied call: {wrong}")),
        }
        self.denied.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether it was refused by policy; else what came instead of a decision.
    async fn send(
        &self,
        gateway: u16,
        token: &str,
        order: &str,
        amount: u32,
    ) -> Result<bool, String> {
        let refund = json!({ "order": order, "amount": amount });
        let reply = call("refund", &refund).bearer(token).send(gateway).await;
        let reply = reply.map_err(|error| error.to_string())?;
        let text = reply.text();
        let said = reply.json();
        let is_decided = reply.status == 200 && said["result"]["content"].is_array();
        if !is_decided {
            return Err(format!("{}: {text}", reply.status));
        }
        Ok(said["result"]["isError"] == json!(true))
    }

    fn note(&self, wrong: String) {
        *self.wrong.lock().unwrap().entry(wrong).or_default() += 1;
    }
}

impl Outcome {
    /// Holds that every call was decided as policy says, each allowed one ran once, and no other ran.
    pub(crate) fn all_were_decided(&self, upstream: &Recorder) {
        assert!(self.wrong.is_empty(), "{:?}", self.wrong);
        let mut ran: BTreeMap<String, u64> = BTreeMap::new();
        for request in upstream.take() {
            let order = &request.json()["params"]["arguments"]["order"];
            let order = order.as_str().unwrap_or_default().to_owned();
            *ran.entry(order).or_default() += 1;
        }
        for order in &self.allowed {
            assert_eq!(ran.remove(order), Some(1), "{order}");
        }
        assert!(ran.is_empty(), "these ran: {ran:?}");
    }
}
