//! What is done and what is looked for changes while everything runs.

use super::*;
use gatehold_harness::Reply;

fn ran(reply: &Reply) -> bool {
    reply.status == 200 && reply.json()["result"]["isError"] != json!(true)
}

fn refused(reply: &Reply) -> bool {
    reply.status == 200 && reply.json()["result"]["isError"] == json!(true)
}

#[tokio::test]
async fn actions_change_while_everything_runs() {
    let mut harness = started(detecting("log")).await;
    let token = alice(&harness);
    says(&harness, "They call it project nightjar.");
    let read = call("get_mail", &json!({})).bearer(&token);
    harness.on_all_workers(&read, PATIENCE, ran).await.unwrap();
    for (detection, holds) in [
        ("{ results: block }", refused as fn(&Reply) -> bool),
        ("{ results: redact }", |reply| {
            ran(reply) && !reply.text().contains("nightjar")
        }),
        ("off", ran),
    ] {
        let text = server(detection);
        harness.documents.write("server.yaml", &text).unwrap();
        harness
            .on_all_workers(&read, PATIENCE, holds)
            .await
            .unwrap();
    }
    nothing_crashed(&mut harness).await;
}

#[tokio::test]
async fn a_rule_of_the_users_own_is_in_force_on_all_workers_and_gone_again() {
    let mut harness = started(detecting("{ results: block }")).await;
    let token = alice(&harness);
    says(&harness, "Operation Quiet Heron begins at nine.");
    let read = call("get_mail", &json!({})).bearer(&token);
    harness.on_all_workers(&read, PATIENCE, ran).await.unwrap();
    let rules = DETECTORS.replace("project nightjar", "quiet heron");
    harness.documents.write("detectors.yaml", &rules).unwrap();
    let taken = harness
        .on_all_workers(&read, PATIENCE, refused)
        .await
        .unwrap();
    figure(&format!(
        "a new rule of the user's own was in force on all workers after {taken:?}"
    ));
    harness.documents.remove("detectors.yaml").unwrap();
    harness.on_all_workers(&read, PATIENCE, ran).await.unwrap();
    nothing_crashed(&mut harness).await;
}

#[tokio::test]
async fn a_shadow_is_recorded_and_changes_nothing() {
    let shadow = DETECTORS.replace(
        "  rules:\n",
        "  shadow: { rules: [{ name: heron, pattern: 'quiet heron' }] }\n  rules:\n",
    );
    let harness = detecting("{ results: block }").document("detectors.yaml", &shadow);
    let mut harness = started(harness).await;
    let token = alice(&harness);
    says(&harness, "Operation Quiet Heron begins at nine.");
    let read = call("get_mail", &json!({})).bearer(&token);
    harness.on_all_workers(&read, PATIENCE, ran).await.unwrap();
    let seen = |event: &Value| {
        event["findings"]
            .as_array()
            .is_some_and(|it| !it.is_empty())
    };
    let event = events(&harness, 1, seen).await.remove(0);
    let finding = &event["findings"][0];
    assert_eq!(finding["shadow"], true, "{event}");
    assert_eq!(finding["features"][0], "rule.heron", "{event}");
    assert_eq!(
        event["detection"].as_str().unwrap_or_default(),
        "",
        "{event}"
    );
    nothing_crashed(&mut harness).await;
}

#[tokio::test]
async fn without_control_detection_goes_on() {
    let mut harness = started(detecting("{ results: block }")).await;
    let token = alice(&harness);
    says(&harness, "They call it project nightjar.");
    let read = call("get_mail", &json!({})).bearer(&token);
    harness
        .on_all_workers(&read, PATIENCE, refused)
        .await
        .unwrap();
    harness.control.kill().await.unwrap();
    harness
        .on_all_workers(&read, PATIENCE, refused)
        .await
        .unwrap();
    nothing_crashed(&mut harness).await;
}
