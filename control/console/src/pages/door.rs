//! Signing in and out.

use askama::Template;
use axum::extract::{Form, Query, State};
use axum::response::{AppendHeaders, IntoResponse as _, Redirect, Response};
use http::header::SET_COOKIE;
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use tracing::{info, warn};

use super::form::genuine;
use super::frame::{Failure, Frame, page};
use super::viewer::{Config, Viewer, signed};
use crate::config::now;
use crate::sign_in::{Cookies, Tickets, read_cookie, same};
use crate::{Console, ConsoleConfig};

#[derive(Debug, Deserialize)]
pub(crate) struct To {
    #[serde(default)]
    to: String,
    /// Somebody has just signed out.
    #[serde(default)]
    out: bool,
}

#[derive(Template)]
#[template(path = "sign_in.html")]
struct Door<'a> {
    frame: Frame,
    heading: &'a str,
    text: &'a str,
    detail: Option<&'a str>,
    issuer: &'a str,
    href: String,
}

fn door(
    config: &ConsoleConfig,
    status: StatusCode,
    words: [&str; 2],
    detail: Option<&str>,
    to: &str,
) -> Response {
    let [heading, text] = words;
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.append_pair("to", &inside(to));
    let template = Door {
        frame: Frame::open("Sign in"),
        heading,
        text,
        detail,
        issuer: &config.issuer.name,
        href: format!("/sign-in/start?{}", query.finish()),
    };
    page(status, &template)
}

/// The page with the way to the identity provider.
pub(crate) async fn sign_in(
    State(console): State<Console>,
    Config(config): Config,
    headers: HeaderMap,
    Query(To { to, out }): Query<To>,
) -> Response {
    if signed(&console, &config, &headers, false).is_some() {
        return Redirect::to(&inside(&to)).into_response();
    }
    let words = match out {
        true => [
            "Signed out",
            "This browser is signed out of the console. Your identity provider may still know you.",
        ],
        false => [
            "Sign in to decide",
            "Agents want to do what policy leaves to people. Sign in to see what waits for you.",
        ],
    };
    door(&config, StatusCode::OK, words, None, &to)
}

/// Sends the browser to the identity provider.
pub(crate) async fn start(
    State(console): State<Console>,
    Config(config): Config,
    Query(To { to, .. }): Query<To>,
) -> Response {
    match console.provider().begin(&config, inside(&to), now()).await {
        Ok((url, ticket)) => {
            let cookies = Cookies::new(config.is_secure());
            let ticket = console.tickets().write(&ticket);
            let cookie = cookies.set(cookies.sign_in(), &ticket, Tickets::LIFETIME);
            (AppendHeaders([(SET_COOKIE, cookie)]), Redirect::to(&url)).into_response()
        }
        Err(problem) => {
            warn!(%problem, "nobody can sign in");
            let detail = "The identity provider can’t be used at the moment; the log of `gatehold serve` says why.";
            failed(&config, StatusCode::BAD_GATEWAY, detail, &to)
        }
    }
}

#[derive(Debug, Deserialize)]
pub(crate) struct Back {
    #[serde(default)]
    state: String,
    #[serde(default)]
    code: String,
    #[serde(default)]
    error: String,
    iss: Option<String>,
}

/// The browser comes back from the identity provider.
pub(crate) async fn callback(
    State(console): State<Console>,
    Config(config): Config,
    headers: HeaderMap,
    Query(Back {
        state,
        code,
        error,
        iss,
    }): Query<Back>,
) -> Response {
    let cookies = Cookies::new(config.is_secure());
    let ticket = read_cookie(&headers, cookies.sign_in())
        .and_then(|value| console.tickets().read(value, now()))
        .filter(|ticket| same(&ticket.state, &state));
    let Some(ticket) = ticket else {
        let detail = "This sign-in was begun elsewhere, or took too long. Begin again.";
        return failed(&config, StatusCode::BAD_REQUEST, detail, "");
    };
    let to = ticket.to.clone();
    // An answer of another provider, smuggled in (RFC 9207).
    let is_ours = iss.is_none_or(|iss| iss == config.issuer.issuer);
    if !error.is_empty() || code.is_empty() || !is_ours {
        let error: String = error.chars().take(60).collect();
        warn!(error, is_ours, "the identity provider signed nobody in");
        let detail = "The identity provider did not sign you in. Begin again.";
        return failed(&config, StatusCode::FORBIDDEN, detail, &to);
    }
    let person = match console
        .provider()
        .finish(&config, ticket, code, now())
        .await
    {
        Ok(person) => person,
        Err(problem) => {
            warn!(%problem, "somebody could not sign in");
            let detail = "What the identity provider said of you can’t be used; the log of `gatehold serve` says why.";
            return failed(&config, StatusCode::FORBIDDEN, detail, &to);
        }
    };
    info!(
        user = person.user,
        issuer = person.issuer,
        "signed in to the console"
    );
    // Always a new id: one that somebody else put into this browser before is worth nothing.
    if let Some(before) = read_cookie(&headers, cookies.session()) {
        console.sessions().end(before);
    }
    let longest = config.document.longest_seconds;
    match console.sessions().begin(&config, person, now()) {
        Ok(id) => {
            let set = AppendHeaders([
                (SET_COOKIE, cookies.set(cookies.session(), &id, longest)),
                (SET_COOKIE, cookies.set(cookies.sign_in(), "", 0)),
            ]);
            (set, Redirect::to(&to)).into_response()
        }
        Err(problem) => failed(
            &config,
            StatusCode::SERVICE_UNAVAILABLE,
            &problem.to_string(),
            &to,
        ),
    }
}

#[derive(Debug, Deserialize)]
pub(crate) struct Out {
    #[serde(default)]
    csrf: String,
}

/// Ends the session.
pub(crate) async fn sign_out(
    State(console): State<Console>,
    viewer: Viewer,
    headers: HeaderMap,
    Form(Out { csrf }): Form<Out>,
) -> Result<Response, Failure> {
    let Viewer { config, signed } = viewer;
    genuine(&headers, &config, &signed, &csrf)?;
    let cookies = Cookies::new(config.is_secure());
    if let Some(id) = read_cookie(&headers, cookies.session()) {
        console.sessions().end(id);
    }
    let gone = AppendHeaders([(SET_COOKIE, cookies.set(cookies.session(), "", 0))]);
    Ok((gone, Redirect::to("/sign-in?out=true")).into_response())
}

fn failed(config: &ConsoleConfig, status: StatusCode, detail: &str, to: &str) -> Response {
    let words = ["Not signed in", "Nobody was signed in."];
    door(config, status, words, Some(detail), to)
}

/// An address of ours to go to; anything else becomes the list, so that nobody is sent elsewhere.
fn inside(to: &str) -> String {
    let is_ours = to.starts_with("/approvals")
        && to.len() < 1000
        && to
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    if is_ours { to } else { "/approvals" }.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_addresses() {
        let check = |to: &str, expected: &str| assert_eq!(inside(to), expected, "{to}");
        check("/approvals/abc?x=1", "/approvals/abc?x=1");
        check("", "/approvals");
        for bad in [
            "//evil.example",
            "https://evil.example",
            "/\\evil",
            "/approvals\r\nx: y",
            "/approvals\\",
        ] {
            check(bad, "/approvals");
        }
    }
}
