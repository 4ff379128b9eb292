//! Promises: what was approved runs once, and what was not runs never, whatever becomes of control and workers
//! meanwhile; and nothing runs twice, ever.
//!
//! One case keeps the first promise from holding at every instant. Control writes down that a call may run, and then
//! says so to the worker that holds it. If control goes in between, the worker asks again. If the worker goes before
//! the call is at the upstream, nobody is left who knows whether it was sent: its approval stays `used`, people see
//! that nobody has said what became of it, and the call has to be made and approved again. So in the first test workers
//! go while calls wait, but never while one is on its way; and the second lets them go at any time, and holds that
//! nothing runs twice, and that a call that did not run is not said to have.
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
use gatehold_harness::approver::id_of;
use gatehold_harness::wait::until;
use gatehold_harness::{Approver, Call, Harness, HarnessError, message};
use serde_json::{Value, json};

/// Calls that are made at the same time.
const CALLS: usize = 200;
/// Longer than all of it takes.
const PATIENCE: Duration = Duration::from_secs(180);
/// Seconds for which a request waits, before its client has to come back.
const LEG_SECONDS: u32 = 3;
/// A worker that lives has answered by then: after a leg, and the eight seconds for which it asks control whether the
/// call may run.
const CUT_OFF: Duration = Duration::from_secs(LEG_SECONDS as u64 + 9);
/// How often workers are replaced.
const STORMS: usize = 3;
/// How often control is killed before that, while people vote.
const KILLS: usize = 3;
/// Votes from one kill to the next: few enough that calls wait in the last storm too.
const VOTES: usize = 6;

/// When workers go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Storm {
    /// While calls wait, but none that was approved is on its way.
    BetweenRuns,
    AtAnyTime,
}

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
        let call = plan.call(state.as_deref(), &token);
        let reply = match tokio::time::timeout(CUT_OFF, call.send(port)).await {
            Ok(Ok(reply)) if reply.status == 200 => reply,
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
        // It waits on, or control was away.
        let status = &answer["result"]["_meta"]["gatehold.io/approval"]["status"];
        if status == "pending" || status == "unavailable" {
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

/// How many more votes are cast. It is held while one is: who holds it knows that none is under way.
type Votes = Arc<tokio::sync::Mutex<usize>>;

/// Votes in a random order, on each order once: what ran before is not approved again, nor what may have run.
async fn people(
    carol: Approver,
    storm: Storm,
    fates: BTreeMap<String, Fate>,
    seen: Arc<Mutex<HashMap<String, String>>>,
    random: Arc<Mutex<u64>>,
    votes: Votes,
) {
    let mut approved: HashMap<String, Vec<String>> = HashMap::new();
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
            seen.lock()
                .unwrap()
                .insert(order_of(approval), id_of(approval));
        }
        for approval in &pending {
            let (id, order) = (id_of(approval), order_of(approval));
            let mut left = votes.lock().await;
            if *left == 0 {
                break;
            }
            let vote = match fates[&order] {
                Fate::Approved => {
                    // Noted before: control may take a vote and be killed before it says so.
                    let before = approved.entry(order).or_default();
                    match (progress_before(&carol, before, &id).await, storm) {
                        (Some(Progress::Over), _) => {
                            before.push(id.clone());
                            carol.approve(&id, "").await
                        }
                        (Some(Progress::Ran), _) => carol.deny(&id, "it ran before").await,
                        (Some(Progress::Unknown), Storm::AtAnyTime) => {
                            carol.deny(&id, "it may have run before").await
                        }
                        // Where none is lost, it will be known.
                        (Some(Progress::Unknown | Progress::Open) | None, _) => continue,
                    }
                }
                Fate::Denied => carol.deny(&id, "no").await,
                Fate::Expires | Fate::Abandoned => continue,
            };
            // It may be too late, or control away: it is looked at again.
            if vote.is_ok_and(|vote| vote.status == 200) {
                *left -= 1;
            }
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// How far an order came by the approvals that were given it before; `None` while control is away.
async fn progress_before(carol: &Approver, before: &[String], now: &str) -> Option<Progress> {
    let mut furthest = Progress::Over;
    for id in before.iter().filter(|id| *id != now) {
        furthest = furthest.max(progress(&carol.show(id).await.ok()?));
    }
    Some(furthest)
}

/// What an approval that was given has come to, as people are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Progress {
    /// Nothing runs by it any more, and nothing did.
    Over,
    /// It may be used.
    Open,
    /// It was used, and nobody has said what became of the call.
    Unknown,
    Ran,
}

fn progress(approval: &Value) -> Progress {
    let run = approval["run"]["state"].as_str();
    match (approval["state"].as_str(), run) {
        (Some("approved"), _) => Progress::Open,
        (Some("used"), None) => Progress::Unknown,
        (Some("used"), Some("not_run")) => Progress::Over,
        (Some("used"), Some(_)) => Progress::Ran,
        _ => Progress::Over,
    }
}

fn order_of(approval: &Value) -> String {
    approval["arguments"]["order"].as_str().unwrap().to_owned()
}

/// How often each order has reached the upstream.
fn runs(harness: &Harness) -> BTreeMap<String, u32> {
    let mut ran = BTreeMap::new();
    for request in harness.recorder.received() {
        let body: Value = request.json();
        let params = &body["params"];
        let is_refund = |tool: &str| tool.starts_with("refund");
        if params["name"].as_str().is_some_and(is_refund) {
            *ran.entry(order_of(params)).or_default() += 1;
        }
    }
    ran
}

/// Approvals that people have given.
async fn given(carol: &Approver) -> Result<Vec<Value>, HarnessError> {
    let given = carol.list("state=approved,used&limit=200").await?;
    assert!(given.len() < 200, "some are not listed");
    Ok(given)
}

/// Waits until nothing that was approved is on its way: it has reached the upstream, or will not.
async fn nothing_on_its_way(harness: &Harness, carol: &Approver) {
    let nothing = async || {
        let given = given(carol).await.map_err(|error| error.to_string())?;
        let ran = runs(harness);
        let on_its_way = given.iter().find(|approval| match progress(approval) {
            Progress::Over => false,
            Progress::Open | Progress::Unknown => true,
            Progress::Ran => !ran.contains_key(&order_of(approval)),
        });
        on_its_way.map_or(Ok(()), |approval| Err(approval.to_string()))
    };
    until("what was approved has run", PATIENCE, nothing)
        .await
        .unwrap();
}

/// Waits until people have voted a random number of times more, and lets them go on up to `most`.
async fn some_votes(votes: &Votes, most: usize, random: &Mutex<u64>) {
    *votes.lock().await = most;
    let enough = dice(random, most);
    let voted = async || match *votes.lock().await {
        left if left <= enough => Ok(()),
        left => Err(format!("{left} votes are left")),
    };
    until("people have voted", PATIENCE, voted).await.unwrap();
}

/// Control goes while people vote and calls are let through, and workers go as the storm has it. Gives how often
/// control was killed.
async fn rage(
    storm: Storm,
    harness: &mut Harness,
    carol: &Approver,
    votes: &Votes,
    random: &Mutex<u64>,
) -> usize {
    let alice = alice(harness);
    let mut kills = 0;
    for _ in 0..STORMS {
        let quiet = match storm {
            Storm::AtAnyTime => {
                some_votes(votes, KILLS * VOTES, random).await;
                None
            }
            Storm::BetweenRuns => {
                for _ in 0..KILLS {
                    some_votes(votes, VOTES, random).await;
                    harness.control.kill().await.unwrap();
                    harness.control.restart().await.unwrap();
                    kills += 1;
                }
                let quiet = votes.lock().await;
                nothing_on_its_way(harness, carol).await;
                let waiting = carol.pending().await.unwrap().len();
                assert!(waiting > 0, "nothing waits: the test proves nothing");
                reload_a_worker(harness, &alice).await;
                Some(quiet)
            }
        };
        harness.control.kill().await.unwrap();
        reload_a_worker(harness, &alice).await;
        harness.control.restart().await.unwrap();
        reload_a_worker(harness, &alice).await;
        kills += 1;
        drop(quiet);
    }
    kills
}

/// What is known when the storm is over.
struct Aftermath {
    seed: u32,
    fates: BTreeMap<String, Fate>,
    /// What clients were told, by order.
    answers: BTreeMap<String, Vec<String>>,
    /// How often orders have reached the upstream.
    ran: BTreeMap<String, u32>,
    /// Approvals that people have given.
    given: Vec<Value>,
    /// What happened, in words.
    summary: String,
}

impl Aftermath {
    /// Fails when an order did not do what `why_wrong` says of its fate and how often it ran.
    fn holds(&self, why_wrong: impl Fn(&str, Fate, u32) -> Option<&'static str>) {
        let wrong: Vec<String> = self
            .fates
            .iter()
            .filter_map(|(order, fate)| {
                let times = self.ran.get(order).copied().unwrap_or_default();
                let why = why_wrong(order, *fate, times)?;
                let said = &self.answers[order];
                let given = self.given_to(order).collect::<Vec<_>>();
                Some(format!(
                    "{order} ({fate:?}) ran {times} times, {why}; its clients were told {said:?}; approved by {given:?}"
                ))
            })
            .collect();
        assert!(
            wrong.is_empty(),
            "seed {}:\n{}",
            self.seed,
            wrong.join("\n")
        );
    }

    fn given_to(&self, order: &str) -> impl Iterator<Item = &Value> {
        let is_meant = move |approval: &&Value| approval["arguments"]["order"] == order;
        self.given.iter().filter(is_meant)
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

async fn weather(storm: Storm) -> Aftermath {
    let policy = format!(
        "{HOLDING}    - name: soon\n      approve: {{ server: crm, tools: [refund_soon], by: {{ roles: [finance] }}, within: 4s }}\n"
    );
    let builder = holding()
        .document("policy.yaml", &policy)
        .trapping()
        .workers(2)
        .filter_config(&legs_of(LEG_SECONDS));
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
    until("all calls wait", PATIENCE, all).await.unwrap();
    assert!(
        harness.recorder.received().is_empty(),
        "something ran before anybody approved"
    );

    let votes = Votes::default();
    let people = tokio::spawn(people(
        carol.clone(),
        storm,
        fates.clone(),
        seen.clone(),
        random.clone(),
        votes.clone(),
    ));
    let done = async || match clients
        .iter()
        .filter(|client| !client.is_finished())
        .count()
    {
        0 => Ok(()),
        count => Err(format!("{count} clients wait")),
    };
    let kills = rage(storm, &mut harness, &carol, &votes, &random).await;
    *votes.lock().await = usize::MAX;
    until("all clients have an answer", PATIENCE, done)
        .await
        .unwrap();
    people.abort();
    let mut answers: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (client, plan) in clients.into_iter().zip(&plans) {
        answers
            .entry(plan.order.clone())
            .or_default()
            .push(client.await.unwrap());
    }

    let stats = harness.envoy.stats().await.unwrap();
    let reloads = stats
        .iter()
        .filter(|(name, _)| name.contains("vm_reload_success"));
    let reloads: u64 = reloads.map(|(_, value)| value).sum();
    assert!(
        reloads >= 2,
        "Envoy replaced only {reloads} VMs: the test proves nothing"
    );
    let given = given(&carol).await.unwrap();
    let Tally {
        cut_off,
        rounds,
        again,
    } = &*tally.lock().unwrap();
    let approved = fates
        .values()
        .filter(|fate| **fate == Fate::Approved)
        .count();
    let summary = format!(
        "{CALLS} calls that waited, {} different ones, {approved} of these approved; control was killed {kills} times and {reloads} workers were replaced meanwhile; clients were cut off {cut_off} times, came back {rounds} times, and asked again {again} times",
        fates.len(),
    );
    Aftermath {
        seed,
        ran: runs(&harness),
        given,
        fates,
        answers,
        summary,
    }
}

#[tokio::test]
async fn each_approved_call_runs_once_and_each_other_never() {
    let after = weather(Storm::BetweenRuns).await;
    after.holds(|_, fate, times| {
        let expected = u32::from(fate == Fate::Approved);
        (times != expected).then_some("which is not as often as it was approved")
    });
    figure(&format!(
        "{}: each approved call ran once, no other ran",
        after.summary
    ));
}

#[tokio::test]
async fn nothing_runs_twice_whenever_workers_go() {
    let after = weather(Storm::AtAnyTime).await;
    after.holds(|order, fate, times| {
        let mut came = after.given_to(order).map(progress);
        match times {
            0 if fate != Fate::Approved => None,
            0 if came.any(|it| it != Progress::Unknown && it != Progress::Over) => {
                Some("and people are told that it did, or will")
            }
            0 if !after
                .given_to(order)
                .any(|it| progress(it) == Progress::Unknown) =>
            {
                Some("and nothing was lost")
            }
            0 => None,
            1 if fate == Fate::Approved => None,
            _ => Some("which is more often than it was approved"),
        }
    });
    let approved = after.fates.values().filter(|fate| **fate == Fate::Approved);
    let lost = approved.count() - after.ran.len();
    figure(&format!(
        "{}: nothing ran twice, and {lost} approved calls went with their workers",
        after.summary
    ));
}
