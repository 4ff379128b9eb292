//! Promise: what was approved runs once, and what was not runs never, whatever becomes of control and workers
//! meanwhile.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests may panic"
)]

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use gatehold_e2e::*;
use gatehold_harness::{Approver, Call, Harness, message};
use serde_json::{Value, json};

/// Calls that are made at the same time.
const CALLS: usize = 200;
/// Longer than all of it takes.
const PATIENCE: Duration = Duration::from_secs(180);

/// What people will say to an order, or its client do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fate {
    Approved,
    Denied,
    Expires,
    Abandoned,
}

/// One client and what it asks for. Several may ask for the same.
#[derive(Clone, Debug)]
struct Plan {
    order: String,
    user: String,
    modern: bool,
    fate: Fate,
}

/// Half of all calls are like no other; of the rest, five each are the same.
fn plans() -> Vec<Plan> {
    let fates = [
        Fate::Approved,
        Fate::Approved,
        Fate::Approved,
        Fate::Denied,
        Fate::Expires,
        Fate::Abandoned,
    ];
    let plan = |number: usize| {
        let group = if number < CALLS / 2 {
            number
        } else {
            CALLS + number / 5
        };
        Plan {
            order: format!("o-{group}"),
            // Nobody may have more than a hundred calls waiting.
            user: format!("user-{}", group % 8),
            modern: group.is_multiple_of(2),
            fate: fates[(group / 2) % fates.len()],
        }
    };
    (0..CALLS).map(plan).collect()
}

impl Plan {
    fn tool(&self) -> &'static str {
        match self.fate {
            Fate::Expires => "refund_soon",
            _ => "refund",
        }
    }

    fn call(&self, state: Option<&str>, token: &str) -> Call {
        let mut params = message::tool(self.tool(), &json!({ "order": self.order, "amount": 500 }));
        if let Some(state) = state {
            params["requestState"] = json!(state);
        }
        let call = match self.modern {
            true => message::modern(CRM, "tools/call", &params),
            false => message::legacy(CRM, "tools/call", &params),
        };
        call.bearer(token)
    }
}

/// What clients have been through.
#[derive(Debug, Default)]
struct Tally {
    cut_off: usize,
    rounds: usize,
    again: usize,
}

/// A client that goes on until it has a result: it comes back when it is asked to, asks again when it is told that
/// the call is pending, and when it was cut off.
async fn client(port: u16, plan: Plan, token: String, tally: Arc<Mutex<Tally>>) -> String {
    let begin = Instant::now();
    let mut state: Option<String> = None;
    loop {
        assert!(begin.elapsed() < PATIENCE, "{plan:?} never got an answer");
        let reply = plan.call(state.as_deref(), &token).send(port).await;
        let reply = match reply {
            Ok(reply) if reply.status == 200 => reply,
            _ => {
                // Its worker went away under it. What it carried is spent, maybe; it begins anew.
                tally.lock().unwrap().cut_off += 1;
                state = None;
                tokio::time::sleep(Duration::from_millis(200)).await;
                continue;
            }
        };
        let answer = reply.json();
        if answer["result"]["resultType"] == "input_required" {
            tally.lock().unwrap().rounds += 1;
            state = answer["result"]["requestState"].as_str().map(str::to_owned);
            continue;
        }
        state = None;
        let text = answer["result"]["content"][0]["text"].as_str();
        let text = text.map_or_else(|| answer.to_string(), str::to_owned);
        if answer["result"]["isError"] == json!(true) && text.contains("/approvals/") {
            tally.lock().unwrap().again += 1;
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        }
        return text;
    }
}

/// A client that goes away once its call was seen to wait.
async fn leaver(
    port: u16,
    plan: Plan,
    token: String,
    seen: Arc<Mutex<HashMap<String, String>>>,
) -> String {
    let order = plan.order.clone();
    let waiting = tokio::spawn(async move { plan.call(None, &token).send(port).await.is_ok() });
    let begin = Instant::now();
    while !waiting.is_finished() && begin.elapsed() < PATIENCE {
        if seen.lock().unwrap().contains_key(&order) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    waiting.abort();
    "left".to_owned()
}

/// Votes in a random order, on each order once: what was let through before is not approved again.
async fn people(
    carol: Approver,
    fates: BTreeMap<String, Fate>,
    seen: Arc<Mutex<HashMap<String, String>>>,
    random: Arc<Mutex<u64>>,
) {
    let mut approved: HashMap<String, String> = HashMap::new();
    loop {
        let Ok(mut pending) = carol.pending().await else {
            // Control is away.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        for index in (1..pending.len()).rev() {
            let other = dice(&random, index + 1);
            pending.swap(index, other);
        }
        for approval in &pending {
            let id = approval["id"].as_str().unwrap().to_owned();
            let order = approval["arguments"]["order"].as_str().unwrap().to_owned();
            seen.lock().unwrap().insert(order.clone(), id.clone());
            let vote = match fates[&order] {
                Fate::Approved => {
                    let before = match approved.get(&order) {
                        Some(before) => carol.state(before).await.ok(),
                        None => Some("none".to_owned()),
                    };
                    match before.as_deref() {
                        Some("used") => carol.deny(&id, "it ran before").await,
                        Some("none" | "withdrawn" | "superseded") => {
                            let vote = carol.approve(&id, "").await;
                            if vote.as_ref().is_ok_and(|vote| vote.status == 200) {
                                approved.insert(order, id);
                            }
                            vote
                        }
                        _ => continue,
                    }
                }
                Fate::Denied => carol.deny(&id, "no").await,
                Fate::Expires | Fate::Abandoned => continue,
            };
            // It may be too late, or control away: it is looked at again.
            drop(vote);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn dice(random: &Mutex<u64>, sides: usize) -> usize {
    let mut state = random.lock().unwrap();
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    usize::try_from(*state % sides as u64).unwrap()
}

async fn reload_a_worker(harness: &Harness, token: &str) {
    let trap = call("get_customer", &json!({ "id": "c1" }))
        .bearer(token)
        .header("x-gatehold-trap", "1");
    // Whoever had calls on that worker is cut off.
    let _ = harness.send(&trap).await;
}

#[tokio::test]
async fn each_approved_call_runs_once_and_each_other_never() {
    let policy = format!(
        "{HOLDING}    - name: soon\n      approve: {{ server: crm, tools: [refund_soon], by: {{ roles: [finance] }}, within: 4s }}\n"
    );
    let builder = holding()
        .document("policy.yaml", &policy)
        .trapping()
        .workers(2)
        .filter_config(&legs_of(3));
    let mut harness = started(builder).await;
    let plans = plans();
    let carol = carol(&harness);
    let seed = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .subsec_nanos();
    let random = Arc::new(Mutex::new(u64::from(seed) | 1));
    let seen = Arc::new(Mutex::new(HashMap::new()));
    let tally = Arc::new(Mutex::new(Tally::default()));
    let fates: BTreeMap<String, Fate> = plans
        .iter()
        .map(|plan| (plan.order.clone(), plan.fate))
        .collect();

    let clients: Vec<_> = plans
        .iter()
        .map(|plan| {
            let token = harness.token(&plan.user, &["support"], CRM).unwrap();
            let (port, plan) = (harness.port(), plan.clone());
            match plan.fate {
                Fate::Abandoned => tokio::spawn(leaver(port, plan, token, seen.clone())),
                _ => tokio::spawn(client(port, plan, token, tally.clone())),
            }
        })
        .collect();
    // All of them wait, and nothing has run.
    let waiting = fates.len();
    let all = async || {
        let known = carol
            .list("limit=200")
            .await
            .map_err(|error| error.to_string())?;
        if known.len() >= waiting {
            Ok(())
        } else {
            Err(format!("{} of {waiting}", known.len()))
        }
    };
    gatehold_harness::wait::until("all calls wait", PATIENCE, all)
        .await
        .unwrap();
    assert!(
        harness.recorder.received().is_empty(),
        "something ran before anybody approved"
    );

    let people = tokio::spawn(people(
        carol.clone(),
        fates.clone(),
        seen.clone(),
        random.clone(),
    ));
    let alice = alice(&harness);
    let done = async || match clients
        .iter()
        .filter(|client| !client.is_finished())
        .count()
    {
        0 => Ok(()),
        count => Err(format!("{count} clients wait")),
    };
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_millis(300 + dice(&random, 700) as u64)).await;
        harness.control.kill().await.unwrap();
        reload_a_worker(&harness, &alice).await;
        harness.control.restart().await.unwrap();
        reload_a_worker(&harness, &alice).await;
    }
    gatehold_harness::wait::until("all clients have an answer", PATIENCE, done)
        .await
        .unwrap();
    people.abort();
    let mut answers: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (client, plan) in clients.into_iter().zip(&plans) {
        answers
            .entry(&plan.order)
            .or_default()
            .push(client.await.unwrap());
    }

    let mut ran: BTreeMap<String, u32> = BTreeMap::new();
    for request in harness.recorder.received() {
        let body: Value = request.json();
        let tool = body["params"]["name"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        if tool.starts_with("refund") {
            let order = body["params"]["arguments"]["order"]
                .as_str()
                .unwrap()
                .to_owned();
            *ran.entry(order).or_default() += 1;
        }
    }
    let mut wrong = Vec::new();
    for (order, fate) in &fates {
        let times = ran.get(order).copied().unwrap_or_default();
        let expected = u32::from(*fate == Fate::Approved);
        if times != expected {
            let said = &answers[order.as_str()];
            wrong.push(format!(
                "{order} ({fate:?}) ran {times} times; its clients were told {said:?}"
            ));
        }
    }
    assert!(wrong.is_empty(), "seed {seed}:\n{}", wrong.join("\n"));
    let stats = harness.envoy.stats().await.unwrap();
    let reloads = stats
        .iter()
        .filter(|(name, _)| name.contains("vm_reload_success"));
    let reloads: u64 = reloads.map(|(_, value)| value).sum();
    assert!(
        reloads >= 2,
        "Envoy replaced only {reloads} VMs: the test proves nothing"
    );
    let Tally {
        cut_off,
        rounds,
        again,
    } = &*tally.lock().unwrap();
    let approved = fates
        .values()
        .filter(|fate| **fate == Fate::Approved)
        .count();
    figure(&format!(
        "{CALLS} calls that waited, {} different ones, {approved} of these approved: each of those ran once, no other ran; control was killed 3 times and {reloads} workers were replaced meanwhile; clients were cut off {cut_off} times, came back {rounds} times, and asked again {again} times",
        fates.len(),
    ));
}
