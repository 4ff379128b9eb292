//! An identity provider that signs what a test tells it to.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use axum::extract::State;
use axum::routing::{get, post};
use axum::{Form, Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::{Signer as _, SigningKey};
use gatehold_console::ConsoleConfig;
use gatehold_documents::KeySource;
use http::HeaderMap;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::net::TcpListener;
use url::Url;

use super::documents;

/// What the next ID token says; `nonce`, `iss`, `aud` and the times are right unless they are here.
pub(crate) type Claims = Value;

#[derive(Clone)]
pub(crate) struct TestProvider {
    pub(crate) issuer: String,
    key: Arc<SigningKey>,
    next: Arc<Mutex<Next>>,
    /// How the client said who it is when it redeemed the last code.
    pub(crate) client: Arc<Mutex<String>>,
}

#[derive(Default)]
struct Next {
    id_token: String,
    challenge: String,
}

pub(crate) fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs()
}

impl TestProvider {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let issuer = format!("http://{}", listener.local_addr().unwrap());
        let provider = Self {
            issuer,
            key: Arc::new(SigningKey::from_bytes(&[7; 32])),
            next: Arc::default(),
            client: Arc::default(),
        };
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(Self::metadata))
            .route("/token", post(Self::token))
            .with_state(provider.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        provider
    }

    pub(crate) fn config(&self, url: &str) -> ConsoleConfig {
        let x = URL_SAFE_NO_PAD.encode(self.key.verifying_key().as_bytes());
        let (document, documents) = documents(url, &self.issuer, &x);
        let issuer = documents.issuer("corporate").unwrap();
        let KeySource::Inline(jwks) = &issuer.keys else {
            panic!("the keys are in the document")
        };
        ConsoleConfig::new(document, issuer, jwks.as_str().into())
    }

    /// Signs claims, whatever they are.
    pub(crate) fn sign(&self, claims: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let header = json!({ "alg": "EdDSA", "kid": "one", "typ": "JWT" });
        let message = format!("{}.{}", part(&header), part(claims));
        let signature = self.key.sign(message.as_bytes());
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature.to_bytes()))
    }

    /// An access token for the API.
    pub(crate) fn api_token(&self, user: &str, roles: &[&str]) -> String {
        self.sign(&json!({ "iss": self.issuer, "aud": "gatehold-api", "sub": user, "roles": roles, "exp": now() + 60 }))
    }

    /// What the provider does with a browser that was sent to `location`: the address to which it is sent back.
    pub(crate) fn answer(&self, location: &str, claims: Claims) -> String {
        let url = Url::parse(location).unwrap();
        let query: HashMap<String, String> = url.query_pairs().into_owned().collect();
        assert_eq!(query["response_type"], "code");
        assert_eq!(query["client_id"], "gatehold-console");
        assert_eq!(query["code_challenge_method"], "S256");
        assert_eq!(query["scope"], "openid profile");
        assert!(query["redirect_uri"].ends_with("/callback"));
        assert!(query["nonce"].len() >= 16 && query["state"].len() >= 16);
        let mut all = json!({
            "iss": self.issuer,
            "aud": "gatehold-console",
            "sub": "nobody",
            "iat": now(),
            "exp": now() + 60,
            "nonce": query["nonce"],
        });
        for (name, value) in claims.as_object().unwrap() {
            all[name] = value.clone();
        }
        *self.next.lock().unwrap() = Next {
            id_token: self.sign(&all),
            challenge: query["code_challenge"].clone(),
        };
        let mut back = url::form_urlencoded::Serializer::new(String::new());
        back.append_pair("code", "the-code");
        back.append_pair("state", &query["state"]);
        back.append_pair("iss", &self.issuer);
        format!("/callback?{}", back.finish())
    }

    async fn metadata(State(provider): State<Self>) -> Json<Value> {
        let issuer = &provider.issuer;
        Json(json!({
            "issuer": issuer,
            "authorization_endpoint": format!("{issuer}/auth"),
            "token_endpoint": format!("{issuer}/token"),
        }))
    }

    async fn token(
        State(provider): State<Self>,
        headers: HeaderMap,
        Form(form): Form<HashMap<String, String>>,
    ) -> Result<Json<Value>, &'static str> {
        let Next {
            id_token,
            challenge,
        } = std::mem::take(&mut *provider.next.lock().unwrap());
        let by_header = headers
            .get("authorization")
            .map(|value| value.to_str().unwrap().to_owned());
        *provider.client.lock().unwrap() =
            by_header.unwrap_or_else(|| form.get("client_id").cloned().unwrap_or_default());
        let verifier = form
            .get("code_verifier")
            .map(String::as_str)
            .unwrap_or_default();
        let is_proven = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier)) == challenge;
        if !is_proven || form.get("code").is_none_or(|code| code != "the-code") {
            return Err("wrong code or verifier");
        }
        Ok(Json(
            json!({ "access_token": "none", "token_type": "Bearer", "id_token": id_token }),
        ))
    }
}
