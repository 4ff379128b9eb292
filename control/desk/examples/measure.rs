//! What ten thousand holds at once cost the desk, and how soon a filter hears of a vote.
//!
//! `cargo run --profile load -p gatehold-desk --example measure [holds]`
#![expect(
    clippy::print_stdout,
    clippy::expect_used,
    reason = "a measurement prints, and ends when something is wrong"
)]

use std::fs;
use std::time::{Duration, Instant};

use gatehold_approvals::{Limits, Person, Verdict, Vote};
use gatehold_desk::{Connection, Desk, Settings};
use gatehold_store::Store;
use gatehold_wire::hold::{self, FromFilter, from_filter, to_filter};
use gatehold_wire::push;
use tokio_util::sync::CancellationToken;

#[tokio::main]
async fn main() {
    let holds = std::env::args().nth(1);
    let holds: usize = holds.map_or(10_000, |text| text.parse().expect("a number of holds"));
    let directory = tempfile::tempdir().expect("a directory");
    let store = Store::open(directory.path().join("store.db"));
    let store = store.await.expect("a store");
    let settings = Settings {
        limits: Limits {
            open_per_caller: holds,
            ..Limits::default()
        },
        ..Settings::default()
    };
    let desk = Desk::open(&store, settings, CancellationToken::new());
    let desk = desk.await.expect("a desk");
    let mut filter = desk.connect("filter", "envoy-1").await.expect("connected");

    let (before, start) = (resident(), Instant::now());
    let mut approvals = Vec::with_capacity(holds);
    for number in 0..holds {
        filter.send(wait(number)).await.expect("open");
        // Some are always on their way, as from many clients.
        if number >= 500 {
            approvals.push(pending(&mut filter).await);
        }
    }
    while approvals.len() < holds {
        approvals.push(pending(&mut filter).await);
    }
    let took = start.elapsed();
    let grown = resident().saturating_sub(before);
    println!("{holds} holds asked in {took:.1?}, each answered when it was on disk");
    println!(
        "memory: {} KiB more, {} bytes a hold",
        grown / 1024,
        grown / holds.max(1)
    );

    let votes = approvals.len().min(2000);
    let (one_by_one, together) = approvals.split_at(votes / 2);
    let mut times = Vec::new();
    for approval in one_by_one {
        let start = Instant::now();
        desk.vote(approval, approve()).await.expect("counts");
        decided(&mut filter).await;
        times.push(start.elapsed());
    }
    report("one by one, vote to the filter's message", &mut times);
    let mut times = Vec::new();
    for group in together.chunks(50).take(votes / 100) {
        let start = Instant::now();
        let votes = group.iter().map(|approval| {
            let (desk, approval) = (desk.clone(), approval.clone());
            tokio::spawn(async move { desk.vote(&approval, approve()).await })
        });
        let votes: Vec<_> = votes.collect();
        for _ in group {
            decided(&mut filter).await;
            times.push(start.elapsed());
        }
        for vote in votes {
            vote.await.expect("done").expect("counts");
        }
    }
    report("50 at once, vote to the filter's message", &mut times);
    drop(filter);
    drop(desk);
    let (before, start) = (resident(), Instant::now());
    let desk = Desk::open(&store, Settings::default(), CancellationToken::new());
    desk.await.expect("a desk");
    println!(
        "opened again in {:.1?}, {} KiB more",
        start.elapsed(),
        resident().saturating_sub(before) / 1024
    );
}

fn report(what: &str, times: &mut [Duration]) {
    times.sort_unstable();
    let at = |share: usize| times.get(times.len() * share / 100).copied();
    let (p50, p99) = (at(50).unwrap_or_default(), at(99).unwrap_or_default());
    println!(
        "{what}: p50 {p50:.2?}, p99 {p99:.2?} ({} votes)",
        times.len()
    );
}

fn approve() -> Vote {
    Vote {
        by: Person {
            user: "bob".to_owned(),
            roles: vec!["lead".to_owned()],
            ..Person::default()
        },
        verdict: Verdict::Approve,
        reason: "looked at it".to_owned(),
        at_unix_millis: 0,
    }
}

fn wait(number: usize) -> FromFilter {
    let mut digest = vec![0; 24];
    digest.extend((number as u64).to_be_bytes());
    let call = hold::Call {
        digest,
        server: "crm".to_owned(),
        policy_version: "0123456789abcdef".to_owned(),
        method: "tools/call".to_owned(),
        target: "refund".to_owned(),
        issuer: "https://idp.example.com".to_owned(),
        user: "ana@example.com".to_owned(),
        agent: "support-desk".to_owned(),
        roles: vec!["support".to_owned()],
        arguments: format!(r#"{{"note":"{}","order":{number}}}"#, "x".repeat(500)),
        rules: vec!["crm-money/0".to_owned()],
        requirements: vec![push::Approve {
            roles: vec!["lead".to_owned()],
            within_seconds: 900,
            ..Default::default()
        }],
        risks: vec!["financial".to_owned()],
        era: "modern".to_owned(),
        ..Default::default()
    };
    FromFilter {
        message: Some(from_filter::Message::Wait(hold::Wait {
            waiter: format!("{number:032x}"),
            call: Some(call),
            mechanism: hold::Mechanism::Request.into(),
            cancel_key: format!("{number:064x}"),
            ..Default::default()
        })),
    }
}

async fn pending(filter: &mut Connection) -> String {
    match filter.next().await.expect("open").message {
        Some(to_filter::Message::Pending(pending)) => pending.approval,
        other => panic_with(&format!("{other:?}")),
    }
}

async fn decided(filter: &mut Connection) {
    let message = filter.next().await.expect("open").message;
    assert!(
        matches!(message, Some(to_filter::Message::Decided(_))),
        "{message:?}"
    );
}

#[expect(clippy::panic, reason = "a measurement ends when something is wrong")]
fn panic_with(what: &str) -> ! {
    panic!("{what}")
}

/// Bytes of this process that are in memory.
fn resident() -> usize {
    let status = fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next());
    kib.and_then(|kib| kib.parse::<usize>().ok())
        .expect("VmRSS")
        * 1024
}
