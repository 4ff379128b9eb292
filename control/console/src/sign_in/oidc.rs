//! Sign-in by OpenID Connect: authorization code with PKCE, state and nonce.

use std::sync::{Arc, Mutex, PoisonError};

use gatehold_approvals::Person;
use gatehold_identity::{Algorithm, TokenError, verify};
use openidconnect::core::{
    CoreAuthenticationFlow, CoreClient, CoreJsonWebKeySet, CoreJwsSigningAlgorithm,
};
use openidconnect::{
    AuthType, AuthUrl, AuthorizationCode, ClientId, ClientSecret, CsrfToken, EndpointNotSet,
    EndpointSet, IssuerUrl, Nonce, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, Scope,
    TokenUrl,
};
use serde::Deserialize;
use tokio::fs;

use super::bearer::person;
use super::http::{Http, HttpError, is_safe};
use super::ticket::Ticket;
use crate::ConsoleConfig;

/// Path to which the provider sends people back; registered there as redirect URI.
pub(crate) const CALLBACK: &str = "/callback";
/// Seconds for which the provider's metadata is believed.
const METADATA_LIFETIME: u64 = 600;

type Client = CoreClient<
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointSet,
    EndpointNotSet,
>;

/// Why somebody could not sign in. The texts are for whoever runs the console; none holds a secret.
#[derive(Debug, thiserror::Error)]
pub enum SignInError {
    /// The provider does not answer.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// The provider's metadata can't be used.
    #[error("`{url}` can't be used: {reason}; check `issuer` in the Issuer document")]
    Metadata {
        /// Where it is.
        url: String,
        /// Why.
        reason: String,
    },
    /// The issuer's keys were not fetched yet.
    #[error("no keys of the issuer are known yet; the log of `gatehold serve` says why")]
    NoKeys,
    /// The file with the client's secret can't be read.
    #[error("the file of `signIn.clientSecretFile` can't be read: {0}")]
    Secret(std::io::Error),
    /// The provider refused the code.
    #[error("the provider did not redeem the code: {0}")]
    Code(String),
    /// There is no ID token in the answer.
    #[error("the provider gave no ID token; is `openid` among `signIn.scopes`?")]
    NoIdToken,
    /// The ID token does not stand the test.
    #[error("the ID token is refused: {0}")]
    IdToken(String),
    /// The claims do.
    #[error("the ID token is refused: {0}")]
    Claims(#[from] TokenError),
}

/// What of the provider's metadata (OpenID Connect Discovery 1.0 section 3) is used. Its keys are not: they come
/// from where the Issuer document says.
#[derive(Clone, Debug, Deserialize)]
struct Metadata {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    #[serde(default)]
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
}

/// The identity provider, as far as signing in goes.
#[derive(Debug)]
pub struct Provider {
    http: Http,
    metadata: Mutex<Option<(u64, Arc<Metadata>)>>,
}

impl Provider {
    /// A provider of which nothing is known yet.
    ///
    /// # Errors
    /// When the HTTP client can't be made.
    pub fn new() -> Result<Self, HttpError> {
        Ok(Self {
            http: Http::new()?,
            metadata: Mutex::default(),
        })
    }

    /// Begins a sign-in at `now` (Unix seconds): where to send the browser, and what to keep until it comes back.
    ///
    /// # Errors
    /// When the provider does not answer, or the documents do not fit it.
    pub async fn begin(
        &self,
        config: &ConsoleConfig,
        to: String,
        now: u64,
    ) -> Result<(String, Ticket), SignInError> {
        let client = self.client(config, now).await?;
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let mut request = client
            .authorize_url(
                CoreAuthenticationFlow::AuthorizationCode,
                CsrfToken::new_random,
                Nonce::new_random,
            )
            .set_pkce_challenge(challenge);
        for scope in &config.document.sign_in.scopes {
            // The client adds this one by itself.
            if scope != "openid" {
                request = request.add_scope(Scope::new(scope.clone()));
            }
        }
        let (url, state, nonce) = request.url();
        let ticket = Ticket {
            state: state.into_secret(),
            nonce: nonce.secret().clone(),
            verifier: verifier.into_secret(),
            to,
            at: now,
        };
        Ok((url.into(), ticket))
    }

    /// Ends a sign-in whose state was right: redeems the code, verifies the ID token, and reads who it is by the
    /// issuer's claim mapping.
    ///
    /// # Errors
    /// Why nobody is signed in.
    pub async fn finish(
        &self,
        config: &ConsoleConfig,
        ticket: Ticket,
        code: String,
        now: u64,
    ) -> Result<Person, SignInError> {
        use openidconnect::{OAuth2TokenResponse as _, TokenResponse as _};

        if config.issuer.keys.is_empty() {
            return Err(SignInError::NoKeys);
        }
        let client = self.client(config, now).await?;
        let http = |request| self.http.clone().send(request);
        let tokens = client
            .exchange_code(AuthorizationCode::new(code))
            .set_pkce_verifier(PkceCodeVerifier::new(ticket.verifier))
            .request_async(&http)
            .await
            .map_err(|error| SignInError::Code(deepest(&error)))?;
        // It is for nothing here: who signed in is all that is asked.
        let _ = tokens.access_token();
        let id_token = tokens.id_token().ok_or(SignInError::NoIdToken)?;
        let algorithms = config
            .issuer
            .algorithms
            .iter()
            .map(|algorithm| match algorithm {
                Algorithm::Rs256 => CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
                Algorithm::Ps256 => CoreJwsSigningAlgorithm::RsaSsaPssSha256,
                Algorithm::Es256 => CoreJwsSigningAlgorithm::EcdsaP256Sha256,
                Algorithm::EdDsa => CoreJwsSigningAlgorithm::EdDsa,
            });
        let verifier = client.id_token_verifier().set_allowed_algs(algorithms);
        id_token
            .claims(&verifier, &Nonce::new(ticket.nonce))
            .map_err(|error| SignInError::IdToken(error.to_string()))?;
        // Once more, by what every token here is held to; it also maps the claims.
        let audience = std::slice::from_ref(&config.document.sign_in.client_id);
        let identity = verify(&id_token.to_string(), &[&config.issuer], audience, now)?;
        Ok(person(identity))
    }

    async fn client(&self, config: &ConsoleConfig, now: u64) -> Result<Client, SignInError> {
        let metadata = self.metadata(&config.issuer.issuer, now).await?;
        let bad = |reason: String| SignInError::Metadata {
            url: discovery(&config.issuer.issuer),
            reason,
        };
        let sign_in = &config.document.sign_in;
        let keys = match config.jwks.as_ref() {
            "" => CoreJsonWebKeySet::new(Vec::new()),
            keys => serde_json::from_str(keys).map_err(|error| bad(error.to_string()))?,
        };
        let issuer =
            IssuerUrl::new(metadata.issuer.clone()).map_err(|error| bad(error.to_string()))?;
        let authorization = AuthUrl::new(metadata.authorization_endpoint.clone())
            .map_err(|error| bad(error.to_string()))?;
        let token = TokenUrl::new(metadata.token_endpoint.clone())
            .map_err(|error| bad(error.to_string()))?;
        let redirect = RedirectUrl::new(format!("{}{CALLBACK}", config.document.url))
            .map_err(|error| bad(error.to_string()))?;
        let client_id = ClientId::new(sign_in.client_id.clone());
        let mut client = CoreClient::new(client_id, issuer, keys)
            .set_auth_uri(authorization)
            .set_token_uri(token)
            .set_redirect_uri(redirect);
        if let Some(file) = &sign_in.client_secret_file {
            let secret = fs::read_to_string(file)
                .await
                .map_err(SignInError::Secret)?;
            client = client.set_client_secret(ClientSecret::new(secret.trim().to_owned()));
        }
        let methods = metadata.token_endpoint_auth_methods_supported.as_deref();
        let by_basic =
            |methods: &[String]| methods.iter().any(|method| method == "client_secret_basic");
        if methods.is_some_and(|methods| !by_basic(methods)) {
            client = client.set_auth_type(AuthType::RequestBody);
        }
        Ok(client)
    }

    async fn metadata(&self, issuer: &str, now: u64) -> Result<Arc<Metadata>, SignInError> {
        let lock = || self.metadata.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, metadata)) = &*lock()
            && metadata.issuer == issuer
            && now.saturating_sub(*at) < METADATA_LIFETIME
        {
            return Ok(metadata.clone());
        }
        let url = discovery(issuer);
        let bad = |reason: String| SignInError::Metadata {
            url: url.clone(),
            reason,
        };
        let request = http::Request::get(&url)
            .body(Vec::new())
            .map_err(|error| bad(error.to_string()))?;
        let answer = self.http.clone().send(request).await?;
        if answer.status() != http::StatusCode::OK {
            return Err(bad(format!("it answered {}", answer.status())));
        }
        let metadata: Metadata =
            serde_json::from_slice(answer.body()).map_err(|error| bad(error.to_string()))?;
        if metadata.issuer != issuer {
            return Err(bad(format!("it is that of issuer `{}`", metadata.issuer)));
        }
        // Browsers are sent there with what only the provider should see.
        for endpoint in [&metadata.authorization_endpoint, &metadata.token_endpoint] {
            if !is_safe(endpoint) {
                return Err(HttpError::Plain(endpoint.clone()).into());
            }
        }
        let metadata = Arc::new(metadata);
        *lock() = Some((now, metadata.clone()));
        Ok(metadata)
    }
}

/// Where the issuer's metadata is (OpenID Connect Discovery 1.0 section 4).
fn discovery(issuer: &str) -> String {
    let base = issuer.strip_suffix('/').unwrap_or(issuer);
    format!("{base}/.well-known/openid-configuration")
}

/// The error with what is behind it.
fn deepest(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
