//! Signing in, sessions, cookies.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use gatehold_approvals::Person;
use gatehold_console::sign_in::Sessions;
use http::StatusCode;
use serde_json::json;

use crate::support::{App, OURS, TestProvider, URL, approval};

#[tokio::test]
async fn signing_in_opens_the_list_and_signing_out_closes_it() {
    let app = App::new().await;
    let stranger = app.get("/approvals?state=denied", "").await;
    assert_eq!(stranger.status, StatusCode::SEE_OTHER);
    assert_eq!(
        stranger.location(),
        "/sign-in?to=%2Fapprovals%3Fstate%3Ddenied"
    );
    let door = app.get(stranger.location(), "").await;
    assert!(
        door.body
            .contains("/sign-in/start?to=%2Fapprovals%3Fstate%3Ddenied"),
        "{}",
        door.body
    );

    let cookie = app
        .sign_in(json!({ "sub": "bob", "name": "Bob B.", "roles": ["finance-lead"] }))
        .await;
    let list = app.get("/approvals", &cookie).await;
    assert_eq!(list.status, StatusCode::OK);
    assert!(list.body.contains("Bob B.") && list.body.contains("finance-lead"));

    let forged = app.post("/sign-out", &cookie, &[("csrf", "x")], OURS).await;
    assert_eq!(forged.status, StatusCode::FORBIDDEN);
    let csrf = list.field("csrf");
    let out = app
        .post("/sign-out", &cookie, &[("csrf", &csrf)], OURS)
        .await;
    assert_eq!(out.status, StatusCode::SEE_OTHER, "{}", out.body);
    assert_eq!(
        app.get("/approvals", &cookie).await.status,
        StatusCode::SEE_OTHER
    );
}

#[tokio::test]
async fn cookies_are_for_this_host_alone() {
    let app = App::new().await;
    let answer = app.sign_in_with(json!({ "sub": "bob" }), "").await;
    let cookies = answer.cookies();
    let session = cookies
        .iter()
        .find(|cookie| cookie.contains("session="))
        .unwrap();
    assert!(session.starts_with("__Host-gatehold-session="), "{session}");
    for part in [
        "; Path=/",
        "; HttpOnly",
        "; SameSite=Lax",
        "; Secure",
        "; Max-Age=43200",
    ] {
        assert!(session.contains(part), "{session}");
    }
    assert!(!session.contains("Domain"));
    // The ticket is used up.
    assert!(
        cookies
            .iter()
            .any(|cookie| cookie.starts_with("__Host-gatehold-sign-in=;")
                && cookie.contains("Max-Age=0"))
    );
}

#[tokio::test]
async fn a_session_that_was_there_before_is_not_the_one_afterwards() {
    let app = App::new().await;
    let theirs = app.sign_in(json!({ "sub": "mallory" })).await;
    let answer = app
        .sign_in_with(json!({ "sub": "bob", "roles": ["finance-lead"] }), &theirs)
        .await;
    let session = answer.cookie("__Host-gatehold-session");
    assert_ne!(session, theirs);
    assert_eq!(
        app.get("/approvals", &theirs).await.status,
        StatusCode::SEE_OTHER,
        "the old one is over"
    );
    let made_up = app
        .sign_in_with(json!({ "sub": "bob" }), "__Host-gatehold-session=chosen")
        .await;
    assert!(!made_up.cookie("__Host-gatehold-session").contains("chosen"));
    assert_eq!(
        app.get("/approvals", "__Host-gatehold-session=chosen")
            .await
            .status,
        StatusCode::SEE_OTHER
    );
}

#[tokio::test]
async fn a_sign_in_that_was_begun_elsewhere_ends_nowhere() {
    let app = App::new().await;
    let start = app.get("/sign-in/start", "").await;
    let ticket = start.cookie("__Host-gatehold-sign-in");
    let back = app
        .provider
        .answer(start.location(), json!({ "sub": "bob" }));
    let check = async |path: &str, cookie: &str, why: &str| {
        let answer = app.get(path, cookie).await;
        assert!(answer.status.is_client_error(), "{why}: {}", answer.status);
        assert!(
            !answer
                .cookies()
                .iter()
                .any(|cookie| cookie.contains("session")),
            "{why}"
        );
    };
    check(&back, "", "without the cookie").await;
    let other = app
        .get("/sign-in/start", "")
        .await
        .cookie("__Host-gatehold-sign-in");
    check(&back, &other, "with another's cookie").await;
    check(&back.replace("state=", "state=x"), &ticket, "another state").await;
    check(
        &back.replace("iss=http", "iss=https"),
        &ticket,
        "another issuer",
    )
    .await;
    check(
        &back.replace("the-code", "another"),
        &ticket,
        "another code",
    )
    .await;
    check("/callback?error=access_denied", &ticket, "refused").await;
}

#[tokio::test]
async fn an_id_token_has_to_be_right() {
    let app = App::new().await;
    let check = async |claims: serde_json::Value| {
        let answer = app.sign_in_with(claims.clone(), "").await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{claims}");
        assert!(answer.cookies().is_empty(), "{claims}");
    };
    check(json!({ "nonce": "another" })).await;
    check(json!({ "nonce": null })).await;
    check(json!({ "aud": "gatehold-api" })).await;
    check(json!({ "aud": ["gatehold-console", "other"] })).await;
    check(json!({ "iss": "https://other.example.com" })).await;
    check(json!({ "exp": 1_000_000 })).await;
    check(json!({ "sub": "" })).await;
    check(json!({ "roles": { "not": "a list" } })).await;
}

#[tokio::test]
async fn a_session_ends_when_the_documents_say_something_else() {
    let app = App::new().await;
    let cookie = app.sign_in(json!({ "sub": "bob" })).await;
    let mut config = app.provider.config(crate::support::URL);
    config.issuer.issuer = "https://new.example.com".to_owned();
    app.config.send_replace(Some(config.into()));
    assert_eq!(
        app.get("/approvals", &cookie).await.status,
        StatusCode::SEE_OTHER
    );
}

#[tokio::test]
async fn without_a_document_it_says_which() {
    let app = App::new().await;
    app.config.send_replace(None);
    for path in [
        "/approvals",
        "/sign-in",
        "/sign-in/start",
        "/events",
        "/approvals/x",
    ] {
        let answer = app.get(path, "").await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{path}");
        assert!(
            answer.body.contains("kind: Console"),
            "{path}: {}",
            answer.body
        );
    }
    assert_eq!(
        app.api("GET", "/approvals", "x", "").await.status,
        StatusCode::SERVICE_UNAVAILABLE
    );
}

#[tokio::test]
async fn on_loopback_cookies_are_plain() {
    let app = App::with("http://127.0.0.1:18002").await;
    let start = app.get("/sign-in/start", "").await;
    let cookie = &start.cookies()[0];
    assert!(
        cookie.starts_with("gatehold-sign-in=") && !cookie.contains("Secure"),
        "{cookie}"
    );
    assert_eq!(start.header("strict-transport-security"), "");
}

#[tokio::test]
async fn every_answer_is_protected() {
    let app = App::new().await;
    let cookie = app.sign_in(json!({ "sub": "alice" })).await;
    let id = app.desk.add(approval(1));
    let one = format!("/approvals/{id}");
    for path in [
        "/",
        "/approvals",
        &one,
        "/sign-in",
        "/nowhere",
        "/api/v1/approvals",
        "/assets/console.js",
        "/callback",
    ] {
        let answer = app.get(path, &cookie).await;
        let policy = answer.header("content-security-policy");
        assert!(
            policy.contains("frame-ancestors 'none'") && policy.contains("default-src 'none'"),
            "{path}"
        );
        assert!(
            !policy.contains("inline") && !policy.contains("eval"),
            "{path}"
        );
        assert_eq!(answer.header("x-frame-options"), "DENY", "{path}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(answer.header("referrer-policy"), "same-origin", "{path}");
        assert_eq!(
            answer.header("cross-origin-opener-policy"),
            "same-origin",
            "{path}"
        );
        assert!(
            answer
                .header("strict-transport-security")
                .contains("max-age"),
            "{path}"
        );
        let keep = answer.header("cache-control");
        let is_file = path.starts_with("/assets/");
        assert_eq!(keep == "no-store", !is_file, "{path}: {keep}");
        let inline = ["<style", " style=", " onclick", "javascript:"];
        assert!(
            is_file || !inline.iter().any(|part| answer.body.contains(part)),
            "{path}"
        );
        assert!(!answer.body.contains("<script>"), "{path}");
    }
}

#[tokio::test]
async fn a_session_lasts_as_long_as_the_document_says() {
    let provider = TestProvider::start().await;
    let config = provider.config(URL);
    let (idle, longest) = (
        config.document.idle_seconds,
        config.document.longest_seconds,
    );
    let person = Person {
        user: "bob".to_owned(),
        ..Person::default()
    };
    let sessions = Sessions::default();
    let begin = || sessions.begin(&config, person.clone(), 1000).unwrap();
    let lives = |id: &str, at: u64, active| sessions.find(&config, id, at, active).is_some();

    let id = begin();
    assert!(lives(&id, 1000 + idle - 1, false), "looking does not count");
    assert!(!lives(&id, 1000 + idle, true), "idle");
    assert!(!lives(&id, 1000, true), "it does not come back");

    let id = begin();
    let mut at = 1000;
    while at + idle / 2 < 1000 + longest {
        at += idle / 2;
        assert!(lives(&id, at, true), "active at {at}");
    }
    assert!(!lives(&id, 1000 + longest, true), "over in any case");

    let (one, other) = (begin(), begin());
    assert_ne!(one, other);
    sessions.end(&one);
    assert!(!lives(&one, 1001, true) && lives(&other, 1001, true));
    assert!(!lives("made-up", 1001, true));
}

#[tokio::test]
async fn a_client_with_a_secret_shows_it_to_the_provider_alone() {
    let app = App::new().await;
    app.sign_in(json!({ "sub": "bob" })).await;
    assert_eq!(*app.provider.client.lock().unwrap(), "gatehold-console");

    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("client-secret");
    let mut config = app.provider.config(URL);
    let mut document = (*config.document).clone();
    document.sign_in.client_secret_file = Some(file.clone());
    config.document = Arc::new(document);
    app.config.send_replace(Some(config.into()));
    let missing = app.get("/sign-in/start", "").await;
    assert_eq!(missing.status, StatusCode::BAD_GATEWAY);
    assert!(!missing.body.contains("client-secret"), "{}", missing.body);

    fs::write(&file, "s3cret\n").unwrap();
    let start = app.get("/sign-in/start", "").await;
    assert!(!start.location().contains("s3cret"));
    app.sign_in(json!({ "sub": "bob" })).await;
    fs::remove_file(&file).unwrap();
    // `gatehold-console:s3cret` in base64.
    let basic = "Basic Z2F0ZWhvbGQtY29uc29sZTpzM2NyZXQ=";
    assert_eq!(*app.provider.client.lock().unwrap(), basic);
}
