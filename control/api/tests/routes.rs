//! The routes, asked without a socket.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use axum::body::Body;
use axum::http::{Request, StatusCode, header::CONTENT_TYPE};
use gatehold_api::{ApiState, Metrics, Readiness, Resource, Stream, router};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tower::ServiceExt as _;

async fn get(metrics: &Metrics, readiness: &Readiness, path: &str) -> (StatusCode, String, String) {
    let state = ApiState {
        metrics: metrics.clone(),
        readiness: readiness.clone(),
    };
    let request = Request::get(path).body(Body::empty()).unwrap();
    let response = router(state).oneshot(request).await.unwrap();
    let status = response.status();
    let kind = response.headers().get(CONTENT_TYPE);
    let kind = kind
        .map(|value| value.to_str().unwrap().to_owned())
        .unwrap_or_default();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, kind, String::from_utf8(body.to_vec()).unwrap())
}

async fn readyz(readiness: &Readiness) -> (StatusCode, Value) {
    let (status, _, body) = get(&Metrics::new("1.2.3"), readiness, "/readyz").await;
    (status, serde_json::from_str(&body).unwrap())
}

/// The samples whose line starts with `prefix`.
fn samples(text: &str, prefix: &str) -> Vec<String> {
    text.lines()
        .filter(|line| line.starts_with(prefix))
        .map(str::to_owned)
        .collect()
}

#[tokio::test]
async fn only_what_is_meant_to_be_there_is_there() {
    let (metrics, readiness) = (Metrics::new("1.2.3"), Readiness::new());
    for (path, expected) in [
        ("/healthz", StatusCode::OK),
        ("/readyz", StatusCode::OK),
        ("/metrics", StatusCode::OK),
        ("/", StatusCode::NOT_FOUND),
        ("/v1/audit", StatusCode::NOT_FOUND),
    ] {
        assert_eq!(get(&metrics, &readiness, path).await.0, expected, "{path}");
    }
}

#[tokio::test]
async fn readiness_says_why_not_and_changes_with_the_cause() {
    let loaded = Arc::new(AtomicBool::new(false));
    let probe = Arc::clone(&loaded);
    let readiness =
        Readiness::new()
            .probe("store", || async { Ok(()) })
            .probe("documents", move || {
                let loaded = probe.load(Ordering::SeqCst);
                async move {
                    if loaded {
                        Ok(())
                    } else {
                        Err("`crm.yaml` line 3: no such field".to_owned())
                    }
                }
            });
    assert_eq!(
        readyz(&readiness).await,
        (
            StatusCode::SERVICE_UNAVAILABLE,
            json!({"ready": false, "checks": {
                "documents": {"ready": false, "why": "`crm.yaml` line 3: no such field"},
                "store": {"ready": true},
            }})
        )
    );
    loaded.store(true, Ordering::SeqCst);
    assert_eq!(
        readyz(&readiness).await,
        (
            StatusCode::OK,
            json!({"ready": true, "checks": {"documents": {"ready": true}, "store": {"ready": true}}})
        )
    );
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_hangs_or_panics_is_not_ready() {
    let readiness = Readiness::new()
        .probe("hangs", || async { std::future::pending().await })
        .probe("panics", || async { panic!("on purpose") });
    let (status, report) = readyz(&readiness).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(report["checks"]["hangs"]["why"], "no answer within 2 s");
    assert_eq!(report["checks"]["panics"]["why"], "the check failed");
}

#[tokio::test]
async fn metrics_tell_what_happened() {
    let metrics = Metrics::new("1.2.3");
    metrics.documents_applied("v1", 2, 1, 4);
    metrics.documents_applied("v2", 3, 1, 4);
    metrics.documents_refused(7);
    let policy = metrics.stream_opened(Stream::Policy);
    drop(metrics.stream_opened(Stream::Audit));
    metrics.pushed(Resource::Server, 3);
    metrics.acked(Resource::Server, 2, Duration::from_millis(3));
    metrics.nacked(Resource::Server, 1);
    metrics.jwks_fetched("corp");
    metrics.jwks_failed("corp");
    metrics.jwks_failed("gone");
    metrics.jwks_forgotten("gone");
    metrics.audit_stored(10, 5);
    metrics.audit_repeated();
    metrics.audit_failed();
    metrics.audit_head(42);
    metrics.audit_head(41);

    let (status, kind, text) = get(&metrics, &Readiness::new(), "/metrics").await;
    assert_eq!(status, StatusCode::OK);
    assert!(kind.starts_with("application/openmetrics-text"), "{kind}");
    assert!(text.ends_with("# EOF\n"));
    for line in [
        "gatehold_build_info{version=\"1.2.3\"} 1",
        "gatehold_config{version=\"v2\"} 1",
        "gatehold_config_loads_total{result=\"applied\"} 2",
        "gatehold_config_loads_total{result=\"refused\"} 1",
        "gatehold_config_refused 1",
        "gatehold_config_problems 7",
        "gatehold_documents{kind=\"Server\"} 3",
        "gatehold_streams{stream=\"policy\"} 1",
        "gatehold_streams{stream=\"audit\"} 0",
        "gatehold_pushes_total{resource=\"server\"} 3",
        "gatehold_push_acks_total{resource=\"server\"} 2",
        "gatehold_push_nacks_total{resource=\"server\"} 1",
        "gatehold_push_nacks_total{resource=\"issuer\"} 0",
        "gatehold_push_ack_seconds_bucket{le=\"0.0025\"} 0",
        "gatehold_push_ack_seconds_bucket{le=\"0.005\"} 1",
        "gatehold_jwks_fetches_total{issuer=\"corp\"} 1",
        "gatehold_jwks_failures_total{issuer=\"corp\"} 1",
        "gatehold_audit_events_total 10",
        "gatehold_audit_batches_total 1",
        "gatehold_audit_batches_repeated_total 1",
        "gatehold_audit_dropped_total 5",
        "gatehold_audit_failures_total 1",
        "gatehold_audit_head 42",
    ] {
        assert!(
            text.lines().any(|found| found == line),
            "`{line}` is missing from:\n{text}"
        );
    }
    assert_eq!(samples(&text, "gatehold_config{").len(), 1);
    assert_eq!(
        samples(&text, "gatehold_jwks_age_seconds{issuer=\"corp\"}").len(),
        1
    );
    assert!(!text.contains("gone"));

    drop(policy);
    let (_, _, text) = get(&metrics, &Readiness::new(), "/metrics").await;
    assert_eq!(
        samples(&text, "gatehold_streams{stream=\"policy\"}"),
        ["gatehold_streams{stream=\"policy\"} 0"]
    );
}
