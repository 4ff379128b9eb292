//! The demo's traffic with stock clients, in shadow mode and without a policy; then the policy that is proposed.

use gatehold_e2e::*;
use gatehold_harness::client::{Client, Era, Sdk};
use gatehold_harness::{Harness, Upstream, message};
use serde_json::{Value, json};

use super::{SOON, events};

const EVERYTHING: &str = "/everything/mcp";
const SERVERS: &str = "servers.yaml";
const POLICIES: &str = "policies.yaml";

/// One of the demo's people with one of its clients.
type Actor = (&'static str, &'static str, Sdk, Era);
const ALICE: Actor = ("alice", CRM, Sdk::TypeScript2, Era::Modern);
const BOB: Actor = ("bob", CRM, Sdk::Python2, Era::Modern);
const LEGACY: Actor = ("alice", EVERYTHING, Sdk::TypeScript1, Era::Legacy);

/// What they do in the demo: calls that its policy allows, holds and denies.
fn seen() -> Vec<(Actor, Vec<(&'static str, Value)>)> {
    let customer = json!({ "id": "c1" });
    vec![
        (
            ALICE,
            vec![
                ("get_customer", customer.clone()),
                ("refund", json!({ "order": "o-1", "amount": 50 })),
                ("refund", json!({ "order": "o-2", "amount": 500 })),
                ("delete_customer", customer.clone()),
                ("echo", json!({ "text": "Opening hours: 9 to 5." })),
            ],
        ),
        (
            BOB,
            vec![
                ("add", json!({ "a": 19, "b": 23 })),
                ("delete_customer", customer),
            ],
        ),
        (
            LEGACY,
            vec![
                ("get-sum", json!({ "a": 19, "b": 23 })),
                ("get-env", json!({})),
            ],
        ),
    ]
}

/// What they could have done, and did not.
fn unseen() -> Vec<(Actor, Vec<(&'static str, Value)>)> {
    vec![
        (
            ALICE,
            vec![
                ("add", json!({ "a": 1, "b": 2 })),
                ("search_customers", json!({ "query": "a" })),
            ],
        ),
        (
            BOB,
            vec![
                ("get_customer", json!({ "id": "c1" })),
                ("refund", json!({ "order": "o-1", "amount": 1 })),
                ("echo", json!({ "text": "x" })),
            ],
        ),
        (LEGACY, vec![("echo", json!({ "message": "x" }))]),
    ]
}

async fn connect(harness: &Harness, (user, path, sdk, era): Actor) -> Client {
    let token = harness.sign_in(user, path).await.unwrap();
    harness.client(sdk, era, path, &token).await.unwrap()
}

/// Whether a tool was run, whatever came of it.
fn ran(answer: &Value) -> bool {
    let text = answer.to_string();
    let refused = ["Unknown tool", "did not run", "Needs approval"];
    answer["ok"] == true && !refused.iter().any(|words| text.contains(words))
}

/// Plays it; everything has to run.
async fn play(harness: &Harness) {
    for (actor, calls) in seen() {
        let mut client = connect(harness, actor).await;
        for (tool, arguments) in calls {
            let answer = client.call(tool, &arguments).await.unwrap();
            assert!(ran(&answer), "{actor:?} {tool}: {answer}");
        }
        client.close().await.unwrap();
    }
}

/// Puts servers in force, enforced or not, and waits until all workers have them.
async fn put(harness: &Harness, servers: &str, enforce: bool) {
    let written = servers.replace("spec:\n", &format!("spec:\n  enforce: {enforce}\n"));
    harness.documents.write(SERVERS, &written).unwrap();
    for path in [CRM, EVERYTHING] {
        let anybody = message::legacy(path, "ping", &json!({}));
        let holds = |reply: &gatehold_harness::Reply| (reply.status == 401) == enforce;
        harness.on_all_workers(&anybody, SOON, holds).await.unwrap();
    }
}

#[tokio::test]
async fn the_policy_that_is_proposed_allows_what_was_seen_and_nothing_else() {
    let builder = Harness::builder()
        .upstream(Upstream::Crm)
        .everything()
        .provider()
        .documents_of("envoy/local/documents");
    let mut harness = started(builder).await;
    let servers = harness.documents.read(SERVERS).unwrap();
    // Without a policy everything would be refused.
    harness.documents.remove(POLICIES).unwrap();
    put(&harness, &servers, false).await;

    play(&harness).await;
    let calls: usize = seen().iter().map(|(_, calls)| calls.len()).sum();
    let is_call = |event: &Value| event["method"] == "tools/call";
    let all = events(&harness, |all| {
        all.iter().filter(|event| is_call(event)).count() >= calls
    });
    let all = all.await;
    for event in all.iter().filter(|event| is_call(event)) {
        assert_eq!(
            (&event["effect"], &event["refusal"], &event["outcome"]),
            (&json!("deny"), &json!("hidden"), &json!("ok")),
            "{event}"
        );
    }

    let report = harness
        .control
        .of_data(&["report", "--format", "json"])
        .await;
    let report: Value = serde_json::from_str(&report.unwrap()).unwrap();
    let groups = report["servers"]["crm"]["not_allowed"].as_array().unwrap();
    let refund = groups.iter().find(|group| group["target"] == "refund");
    let refund = refund.unwrap();
    assert_eq!(
        (&refund["user"], &refund["count"]),
        (&json!("alice"), &json!(2))
    );
    let text = harness
        .control
        .of_data(&["report", "--server", "crm"])
        .await
        .unwrap();
    assert!(
        text.contains("would have been refused") && !text.contains("everything:"),
        "{text}"
    );

    let folder = harness.documents.folder().display().to_string();
    let suggest = ["suggest", "--config", &folder];
    let proposed = harness.control.of_data(&suggest).await.unwrap();
    figure(&format!(
        "the policy that is proposed for the demo's traffic:\n{proposed}"
    ));
    harness.documents.write(POLICIES, &proposed).unwrap();
    put(&harness, &servers, true).await;

    play(&harness).await;
    let crm = harness.crm.as_ref().unwrap();
    let before = crm.journal().await.unwrap().len();
    for (actor, calls) in unseen() {
        let mut client = connect(&harness, actor).await;
        for (tool, arguments) in calls {
            let reached = crm.calls_of(tool).await.unwrap();
            let answer = client.call(tool, &arguments).await.unwrap();
            assert!(!ran(&answer), "{actor:?} {tool}: {answer}");
            let words = answer.to_string();
            assert!(words.contains("Unknown tool"), "{actor:?} {tool}: {words}");
            assert_eq!(crm.calls_of(tool).await.unwrap(), reached, "{tool}");
        }
        client.close().await.unwrap();
    }
    let journal = crm.journal().await.unwrap();
    let after = journal.iter().skip(before);
    let calls = after.filter(|entry| entry["method"] == "tools/call");
    assert_eq!(calls.count(), 0, "{journal:?}");
    nothing_crashed(&mut harness).await;
}
