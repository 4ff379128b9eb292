//! A console to ask, with everything around it.

pub(crate) mod desk;
pub(crate) mod provider;

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use gatehold_console::{Console, ConsoleConfig, Fleet, router};
use gatehold_documents::{ConsoleDocument, Documents, load};
use gatehold_push::FleetView;
use http::header::{COOKIE, LOCATION, SET_COOKIE};
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt as _;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

pub(crate) use desk::{Memory, approval};
pub(crate) use provider::{Claims, TestProvider};

/// Where the console of the tests is reached.
pub(crate) const URL: &str = "https://gatehold.example.com";

/// A console, its approvals and its identity provider.
pub(crate) struct App {
    pub(crate) router: Router,
    pub(crate) desk: Memory,
    pub(crate) fleet: FixedFleet,
    pub(crate) provider: TestProvider,
    pub(crate) config: watch::Sender<Option<Arc<ConsoleConfig>>>,
    pub(crate) shutdown: CancellationToken,
}

/// A fleet that is as the test says.
#[derive(Clone, Default)]
pub(crate) struct FixedFleet(Arc<Mutex<FleetView>>);

impl FixedFleet {
    pub(crate) fn set(&self, view: FleetView) {
        *self.0.lock().unwrap() = view;
    }
}

impl Fleet for FixedFleet {
    fn view(&self) -> FleetView {
        self.0.lock().unwrap().clone()
    }
}

/// An answer that was read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn location(&self) -> &str {
        self.header(LOCATION.as_str())
    }

    pub(crate) fn cookies(&self) -> Vec<String> {
        let cookies = self.headers.get_all(SET_COOKIE).into_iter();
        cookies
            .map(|cookie| cookie.to_str().unwrap().to_owned())
            .collect()
    }

    /// `name=value` of a cookie that is set.
    pub(crate) fn cookie(&self, name: &str) -> String {
        let cookies = self.cookies();
        let found = cookies
            .iter()
            .find(|cookie| cookie.starts_with(&format!("{name}=")));
        found.unwrap().split(';').next().unwrap().to_owned()
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("{}", self.body))
    }

    /// The value of a hidden field of a form in the page.
    pub(crate) fn field(&self, name: &str) -> String {
        let from = format!("name=\"{name}\" value=\"");
        let at = self
            .body
            .find(&from)
            .unwrap_or_else(|| panic!("no {name} in {}", self.body));
        let rest = &self.body[at + from.len()..];
        rest[..rest.find('"').unwrap()].to_owned()
    }
}

impl App {
    pub(crate) async fn new() -> Self {
        Self::with(URL).await
    }

    pub(crate) async fn with(url: &str) -> Self {
        let provider = TestProvider::start().await;
        let config = provider.config(url);
        let (sender, receiver) = watch::channel(Some(Arc::new(config)));
        let desk = Memory::default();
        let approvals = Arc::new(desk.clone());
        let fleet = FixedFleet::default();
        let shutdown = CancellationToken::new();
        let console = Console::new(
            approvals,
            Arc::new(fleet.clone()),
            receiver,
            shutdown.clone(),
        )
        .unwrap();
        Self {
            router: router(console),
            desk,
            fleet,
            provider,
            config: sender,
            shutdown,
        }
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Answer {
            status: parts.status,
            headers: parts.headers,
            body: String::from_utf8(body.to_vec()).unwrap(),
        }
    }

    pub(crate) async fn get(&self, path: &str, cookie: &str) -> Answer {
        let request = Request::get(path).header(COOKIE, cookie);
        self.send(request.body(Body::empty()).unwrap()).await
    }

    /// Sends a form as a browser does from our own page, but for `headers`.
    pub(crate) async fn post(
        &self,
        path: &str,
        cookie: &str,
        fields: &[(&str, &str)],
        headers: &[(&str, &str)],
    ) -> Answer {
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        form.extend_pairs(fields);
        let mut request = Request::post(path)
            .header(COOKIE, cookie)
            .header("content-type", "application/x-www-form-urlencoded");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request.body(Body::from(form.finish())).unwrap())
            .await
    }

    /// Signs somebody in, and gives their session's cookie.
    pub(crate) async fn sign_in(&self, claims: Claims) -> String {
        let answer = self.sign_in_with(claims, "").await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
        answer.cookie("__Host-gatehold-session")
    }

    /// The whole way through the provider; the answer is the last one, with another cookie sent along.
    pub(crate) async fn sign_in_with(&self, claims: Claims, cookie: &str) -> Answer {
        let start = self.get("/sign-in/start?to=/approvals", "").await;
        assert_eq!(start.status, StatusCode::SEE_OTHER, "{}", start.body);
        let ticket = start.cookie("__Host-gatehold-sign-in");
        let back = self.provider.answer(start.location(), claims);
        self.get(&back, &format!("{ticket}; {cookie}")).await
    }

    /// Asks the API.
    pub(crate) async fn api(&self, method: &str, path: &str, token: &str, body: &str) -> Answer {
        let request = Request::builder()
            .method(method)
            .uri(format!("/api/v1{path}"))
            .header("authorization", format!("Bearer {token}"));
        self.send(request.body(Body::from(body.to_owned())).unwrap())
            .await
    }
}

/// The headers of a form of our own page.
pub(crate) const OURS: &[(&str, &str)] = &[("origin", URL), ("sec-fetch-site", "same-origin")];

/// A console document and its issuer, as they are loaded from files.
pub(crate) fn documents(url: &str, issuer: &str, x: &str) -> (Arc<ConsoleDocument>, Documents) {
    let text = format!(
        "
apiVersion: gatehold.io/v1
kind: Issuer
metadata: {{ name: corporate }}
spec:
  issuer: {issuer}
  jwks: {{ keys: {{ keys: [{{ kty: OKP, crv: Ed25519, kid: one, x: {x} }}] }} }}
---
apiVersion: gatehold.io/v1
kind: Console
metadata: {{ name: console }}
spec:
  url: {url}
  signIn: {{ issuer: corporate, clientId: gatehold-console, scopes: [openid, profile] }}
  api: {{ audiences: [gatehold-api] }}
"
    );
    let documents =
        load(&[(PathBuf::from("test.yaml"), text)]).unwrap_or_else(|problems| panic!("{problems}"));
    (documents.console.clone().unwrap(), documents)
}
