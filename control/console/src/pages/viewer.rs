//! Who looks at a page.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::response::{IntoResponse as _, Redirect, Response};
use http::request::Parts;
use http::{HeaderMap, Method};

use super::frame::{Failure, no_console};
use crate::config::now;
use crate::sign_in::{Cookies, Signed, read_cookie};
use crate::{Console, ConsoleConfig};

/// Said by the script with what it loads by itself.
const LIVE: &str = "x-gatehold-live";

/// The documents in force; without a Console document the request ends here.
pub(crate) struct Config(pub(crate) Arc<ConsoleConfig>);

impl FromRequestParts<Console> for Config {
    type Rejection = Response;

    async fn from_request_parts(_: &mut Parts, console: &Console) -> Result<Self, Response> {
        console.config().map(Self).ok_or_else(no_console)
    }
}

/// Somebody who is signed in; others are sent to sign in.
pub(crate) struct Viewer {
    pub(crate) config: Arc<ConsoleConfig>,
    pub(crate) signed: Signed,
}

impl FromRequestParts<Console> for Viewer {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, console: &Console) -> Result<Self, Response> {
        let Config(config) = Config::from_request_parts(parts, console).await?;
        let is_live = parts.headers.contains_key(LIVE);
        if let Some(signed) = signed(console, &config, &parts.headers, !is_live) {
            return Ok(Self { config, signed });
        }
        if parts.method != Method::GET || is_live {
            return Err(Failure::SignedOut.into_response());
        }
        let to = parts.uri.path_and_query();
        let to = to.map_or("/approvals", |to| to.as_str());
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.append_pair("to", to);
        Err(Redirect::to(&format!("/sign-in?{}", query.finish())).into_response())
    }
}

/// Who has the session of the request's cookie.
pub(super) fn signed(
    console: &Console,
    config: &ConsoleConfig,
    headers: &HeaderMap,
    active: bool,
) -> Option<Signed> {
    let cookies = Cookies::new(config.is_secure());
    let id = read_cookie(headers, cookies.session())?;
    console.sessions().find(config, id, now(), active)
}
