//! The HTTP API.

use std::collections::BTreeSet;

use gatehold_approvals::State;
use gatehold_console::api::{ApprovalJson, OPENAPI};
use http::StatusCode;
use serde_json::{Value, json};

use crate::support::provider::now;
use crate::support::{Answer, App, approval};

#[track_caller]
fn problem(answer: &Answer, status: u16, kind: &str) {
    assert_eq!(answer.status.as_u16(), status, "{}", answer.body);
    assert_eq!(answer.header("content-type"), "application/problem+json");
    assert_eq!(answer.json()["type"], kind, "{}", answer.body);
    assert_eq!(answer.json()["status"], status);
}

#[tokio::test]
async fn listed_shown_and_decided() {
    let app = App::new().await;
    let (one, two) = (app.desk.add(approval(1)), app.desk.add(approval(2)));
    let token = app.provider.api_token("bob", &["finance-lead"]);
    let list = app
        .api(
            "GET",
            "/approvals?state=pending,approved&limit=1",
            &token,
            "",
        )
        .await
        .json();
    assert_eq!(list["approvals"][0]["id"], two);
    let next = list["next"].as_str().unwrap();
    let rest = app
        .api("GET", &format!("/approvals?before={next}"), &token, "")
        .await
        .json();
    assert_eq!(rest["approvals"][0]["id"], one);
    assert_eq!(rest.get("next"), None);

    let shown = app
        .api("GET", &format!("/approvals/{one}"), &token, "")
        .await;
    let shown: ApprovalJson = serde_json::from_str(&shown.body).unwrap();
    assert_eq!(
        shown.arguments.unwrap().get(),
        r#"{"amount":120,"customer":"c-17"}"#
    );
    assert_eq!(shown.digest, "01".repeat(32));
    assert_eq!(
        shown.url,
        format!("https://gatehold.example.com/approvals/{one}")
    );
    assert!(shown.may_approve && shown.may_deny);

    let body = json!({ "reason": "fine", "digest": shown.digest }).to_string();
    let after = app
        .api("POST", &format!("/approvals/{one}/approve"), &token, &body)
        .await;
    assert_eq!(after.status, StatusCode::OK, "{}", after.body);
    assert_eq!(after.json()["state"], "approved");
    assert_eq!(after.json()["votes"][0]["reason"], "fine");
    let denied = app
        .api("POST", &format!("/approvals/{two}/deny"), &token, "")
        .await;
    assert_eq!(denied.json()["state"], "denied");
}

#[tokio::test]
async fn refusals() {
    let app = App::new().await;
    let mut one = approval(1);
    one.call.requirements[0].reason_required = true;
    let id = app.desk.add(one);
    let path = format!("/approvals/{id}/approve");
    let lead = app.provider.api_token("bob", &["finance-lead"]);
    let other = app.provider.api_token("carol", &["support"]);
    let requester = app.provider.api_token("alice", &["finance-lead"]);
    problem(
        &app.api("POST", &path, &lead, "").await,
        422,
        "reason-required",
    );
    problem(
        &app.api("POST", &path, &lead, "{").await,
        400,
        "bad-request",
    );
    problem(
        &app.api("POST", &path, &lead, r#"{"digest":"00","reason":"x"}"#)
            .await,
        409,
        "changed",
    );
    problem(
        &app.api("POST", &path, &other, r#"{"reason":"x"}"#).await,
        403,
        "not-an-approver",
    );
    problem(
        &app.api("POST", &path, &requester, r#"{"reason":"x"}"#)
            .await,
        403,
        "requester",
    );
    problem(
        &app.api("GET", &format!("/approvals/{id}"), &other, "")
            .await,
        403,
        "not-an-approver",
    );
    problem(
        &app.api("POST", "/approvals/none/deny", &lead, "").await,
        404,
        "not-found",
    );
    problem(
        &app.api("GET", "/approvals/none", &lead, "").await,
        404,
        "not-found",
    );
    problem(
        &app.api("GET", "/nowhere", &lead, "").await,
        404,
        "not-found",
    );
    problem(
        &app.api("DELETE", "/approvals", &lead, "").await,
        405,
        "bad-request",
    );
    problem(
        &app.api("GET", "/approvals?state=open", &lead, "").await,
        400,
        "bad-request",
    );
    problem(
        &app.api("GET", "/approvals?limit=many", &lead, "").await,
        400,
        "bad-request",
    );
    let hidden = app.api("GET", "/approvals", &other, "").await.json();
    assert_eq!(hidden["approvals"], json!([]));
    app.desk
        .change(&id, |approval| approval.state = State::Expired);
    let late = app.api("POST", &path, &lead, r#"{"reason":"x"}"#).await;
    problem(&late, 409, "too-late");
    assert_eq!(late.json()["state"], "expired");
}

#[tokio::test]
async fn only_tokens_for_the_api() {
    let app = App::new().await;
    let cookie = app
        .sign_in(json!({ "sub": "bob", "roles": ["finance-lead"] }))
        .await;
    let by_cookie = app.get("/api/v1/approvals", &cookie).await;
    problem(&by_cookie, 401, "unauthorized");
    assert_eq!(by_cookie.header("www-authenticate"), "Bearer");
    let issuer = app.provider.issuer.clone();
    for claims in [
        json!({ "iss": issuer, "aud": "gatehold-console", "sub": "bob", "exp": now() + 60 }),
        json!({ "iss": "https://other.example.com", "aud": "gatehold-api", "sub": "bob", "exp": now() + 60 }),
        json!({ "iss": issuer, "aud": "gatehold-api", "sub": "bob", "exp": now() - 600 }),
    ] {
        let token = app.provider.sign(&claims);
        problem(
            &app.api("GET", "/approvals", &token, "").await,
            401,
            "unauthorized",
        );
    }
    problem(
        &app.api("GET", "/approvals", "x.y.z", "").await,
        401,
        "unauthorized",
    );
}

/// Every path and method of the document is answered by something else than "no such address", and has the
/// statuses that the routes give; there is no route that the document does not know.
#[tokio::test]
async fn the_document_is_what_is_served() {
    let app = App::new().await;
    let served = app.get("/api/v1/openapi.json", "").await;
    assert_eq!(served.body, OPENAPI);
    let document: Value = serde_json::from_str(OPENAPI).unwrap();
    let token = app.provider.api_token("bob", &["finance-lead"]);
    let mut described = BTreeSet::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for method in methods.as_object().unwrap().keys() {
            described.insert(format!("{} {path}", method.to_uppercase()));
            let path = path.replace("{id}", "none");
            let answer = app.api(&method.to_uppercase(), &path, &token, "").await;
            let title = serde_json::from_str::<Value>(&answer.body).unwrap()["title"].clone();
            assert_ne!(title, "no such address", "{method} {path}");
            assert_ne!(
                answer.status,
                StatusCode::METHOD_NOT_ALLOWED,
                "{method} {path}"
            );
        }
    }
    let routes = include_str!("../../src/api/mod.rs");
    let routed: BTreeSet<String> = routes
        .lines()
        .filter_map(|line| line.trim().strip_prefix(".route(\""))
        .map(|line| {
            let (path, rest) = line.split_once("\", ").unwrap();
            let method = rest.split_once('(').unwrap().0;
            format!("{} {path}", method.to_uppercase())
        })
        .collect();
    assert_eq!(routed, described);
}

/// The schema of an approval names exactly the members that are written.
#[tokio::test]
async fn the_schema_is_what_is_written() {
    let app = App::new().await;
    let id = app.desk.add(approval(1));
    let token = app.provider.api_token("bob", &["finance-lead"]);
    let shown = app
        .api("GET", &format!("/approvals/{id}"), &token, "")
        .await
        .json();
    let document: Value = serde_json::from_str(OPENAPI).unwrap();
    let schemas = &document["components"]["schemas"];
    let names = |value: &Value| {
        value
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect::<BTreeSet<_>>()
    };
    let check = |value: &Value, schema: &Value| {
        let required: BTreeSet<String> =
            serde_json::from_value(schema["required"].clone()).unwrap();
        assert!(names(value).is_superset(&required), "{value}");
        assert!(
            names(&schema["properties"]).is_superset(&names(value)),
            "{value}"
        );
    };
    check(&shown, &schemas["Approval"]);
    check(&shown["requester"], &schemas["Requester"]);
    check(&shown["requirements"][0], &schemas["Requirement"]);
    check(&shown["missing"][0], &schemas["Missing"]);
    let after = app
        .api("POST", &format!("/approvals/{id}/deny"), &token, "")
        .await
        .json();
    check(&after["votes"][0], &schemas["Vote"]);
    let late = app
        .api("POST", &format!("/approvals/{id}/deny"), &token, "")
        .await
        .json();
    check(&late, &schemas["Problem"]);
}
