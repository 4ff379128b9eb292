//! Keys, fetched from a real HTTP server.
#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Redirect, Response};
use gatehold_api::Metrics;
use gatehold_control::keys::{FetchError, Fetcher, Found, Held, Keeper, MAX_ANSWER_BYTES, Wanted};
use gatehold_documents::KeySource;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::time::timeout;

// RFC 8037, A.2, and RFC 7517, A.1.
const ED25519: &str = r#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"1","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;
const ED25519_OTHERWISE: &str = r#"{ "keys": [ {"x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","kid":"1","crv":"Ed25519","kty":"OKP"} ] }"#;
const P256: &str = r#"{"keys":[{"kty":"EC","crv":"P-256","kid":"2","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}]}"#;
const PATIENCE: Duration = Duration::from_secs(20);

/// Answers by path; what is not there is a 500.
type Answers = Arc<Mutex<HashMap<String, String>>>;

struct Provider {
    address: SocketAddr,
    answers: Answers,
}

impl Provider {
    async fn start() -> Self {
        let answers = Answers::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
        let address = listener.local_addr().expect("bound");
        let app = Router::new().fallback(answer).with_state(answers.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { address, answers }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    fn set(&self, path: &str, body: impl Into<String>) {
        self.answers
            .lock()
            .expect("whole")
            .insert(path.to_owned(), body.into());
    }

    fn unset(&self, path: &str) {
        self.answers.lock().expect("whole").remove(path);
    }

    fn discovery(&self) -> KeySource {
        KeySource::Discovery(self.url("/.well-known/openid-configuration"))
    }

    fn set_discovery(&self, issuer: &str) {
        let document = serde_json::json!({ "issuer": issuer, "jwks_uri": self.url("/jwks") });
        self.set("/.well-known/openid-configuration", document.to_string());
    }
}

async fn answer(State(answers): State<Answers>, uri: Uri) -> Response {
    if uri.path() == "/moved" {
        return Redirect::temporary("/jwks").into_response();
    }
    match answers.lock().expect("whole").get(uri.path()) {
        Some(body) => body.clone().into_response(),
        None => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

#[tokio::test]
async fn keys_are_found_through_discovery() {
    let provider = Provider::start().await;
    let issuer = provider.url("");
    provider.set_discovery(&issuer);
    provider.set("/jwks", ED25519);
    let fetcher = Fetcher::new().expect("a client");
    let keys = fetcher
        .key_set(&issuer, &provider.discovery())
        .await
        .expect("keys");
    assert_eq!(&*keys, ED25519);
}

#[tokio::test]
async fn what_is_not_safe_or_not_right_is_refused() {
    let provider = Provider::start().await;
    let issuer = provider.url("");
    let fetcher = Fetcher::new().expect("a client");
    let fetch = async |source| {
        fetcher
            .key_set(&issuer, &source)
            .await
            .expect_err("refused")
    };
    let uri = |path: &str| KeySource::Uri(provider.url(path));

    provider.set_discovery("https://somebody.else");
    let error = fetch(provider.discovery()).await;
    assert!(
        matches!(&error, FetchError::OtherIssuer { found, .. } if found == "https://somebody.else")
    );
    provider.set("/.well-known/openid-configuration", "{}");
    assert!(matches!(
        fetch(provider.discovery()).await,
        FetchError::Discovery { .. }
    ));

    assert!(matches!(
        fetch(uri("/missing")).await,
        FetchError::Status { .. }
    ));
    provider.set("/jwks", ED25519);
    assert!(matches!(
        fetch(uri("/moved")).await,
        FetchError::Status { .. }
    ));
    provider.set("/big", " ".repeat(MAX_ANSWER_BYTES + 1));
    assert!(matches!(fetch(uri("/big")).await, FetchError::TooBig(_)));
    provider.set("/none", r#"{"keys":[]}"#);
    assert!(matches!(fetch(uri("/none")).await, FetchError::Keys { .. }));
    provider.set("/text", "keys");
    assert!(matches!(fetch(uri("/text")).await, FetchError::Keys { .. }));

    let source = |url: &str| KeySource::Uri(url.to_owned());
    assert!(matches!(
        fetch(source("http://idp.example.com/jwks")).await,
        FetchError::Plain(_)
    ));
    assert!(matches!(
        fetch(source("file:///etc/passwd")).await,
        FetchError::Plain(_)
    ));
    assert!(matches!(fetch(source("jwks")).await, FetchError::NoUrl(_)));
    // Nothing listens on the port of a listener that was dropped.
    let gone = TcpListener::bind("127.0.0.1:0")
        .await
        .expect("bind")
        .local_addr()
        .expect("bound");
    let error = fetch(source(&format!("http://{gone}/jwks"))).await;
    assert!(matches!(error, FetchError::Unreachable { .. }), "{error}");
}

struct Kept {
    keeper: Keeper,
    found: mpsc::Receiver<Found>,
    metrics: Metrics,
}

impl Kept {
    fn new() -> Self {
        let (sender, found) = mpsc::channel(16);
        let metrics = Metrics::new("test");
        let keeper = Keeper::new(Fetcher::new().expect("a client"), metrics.clone(), sender);
        Self {
            keeper,
            found,
            metrics,
        }
    }

    fn keep(&mut self, issuer: &str, source: KeySource) {
        let refresh = Duration::from_millis(5);
        let wanted = Wanted {
            issuer: issuer.to_owned(),
            source,
            refresh,
        };
        self.keeper.keep([("corp".to_owned(), wanted)]);
    }

    async fn take(&mut self) -> bool {
        let found = timeout(PATIENCE, self.found.recv()).await.expect("in time");
        self.keeper.take(found.expect("open"))
    }

    /// Takes key sets in until one is news.
    async fn until_news(&mut self) -> Held {
        while !self.take().await {}
        self.keeper.held("corp")
    }
}

#[tokio::test]
async fn only_other_keys_are_news() {
    let provider = Provider::start().await;
    provider.set("/jwks", ED25519);
    let mut kept = Kept::new();
    kept.keep("i", KeySource::Uri(provider.url("/jwks")));
    assert_eq!(kept.keeper.held("corp"), Held::NotYet);
    assert_eq!(kept.until_news().await, Held::Keys(ED25519.into()));
    assert!(!kept.take().await);
    provider.set("/jwks", ED25519_OTHERWISE);
    for _ in 0..3 {
        assert!(!kept.take().await);
    }
    provider.set("/jwks", P256);
    assert_eq!(kept.until_news().await, Held::Keys(P256.into()));
}

#[tokio::test]
async fn the_last_good_keys_stay_when_the_issuer_fails() {
    let provider = Provider::start().await;
    provider.set("/jwks", ED25519);
    let mut kept = Kept::new();
    kept.keep("i", KeySource::Uri(provider.url("/jwks")));
    kept.until_news().await;
    provider.unset("/jwks");
    let failed = || {
        kept.metrics
            .render()
            .expect("text")
            .contains("jwks_failures_total{issuer=\"corp\"} 2")
    };
    let wait = async {
        while !failed() {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, wait).await.expect("two failures");
    assert_eq!(kept.keeper.held("corp"), Held::Keys(ED25519.into()));
    provider.set("/jwks", P256);
    assert_eq!(kept.until_news().await, Held::Keys(P256.into()));
}

#[tokio::test]
async fn keys_go_when_the_document_names_others() {
    let provider = Provider::start().await;
    provider.set("/jwks", ED25519);
    let mut kept = Kept::new();
    kept.keep("i", KeySource::Uri(provider.url("/jwks")));
    kept.until_news().await;
    kept.keep("i", KeySource::Uri(provider.url("/jwks")));
    assert_eq!(kept.keeper.held("corp"), Held::Keys(ED25519.into()));
    kept.keep("i", KeySource::Uri(provider.url("/other")));
    assert_eq!(kept.keeper.held("corp"), Held::Replaced);
    kept.keep("i", KeySource::Inline(P256.to_owned()));
    assert_eq!(kept.keeper.held("corp"), Held::Keys(P256.into()));
    kept.keeper.keep([]);
    assert_eq!(kept.keeper.held("corp"), Held::NotYet);
}
