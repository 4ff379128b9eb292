//! What is around every page, and pages that only say something.

use askama::Template;
use axum::response::{Html, IntoResponse, Response};
use gatehold_approvals::Person;
use gatehold_desk::DeskError;
use http::StatusCode;
use tracing::error;

use super::assets;
use crate::sign_in::Signed;

/// The frame of a page: navigation, and who is signed in.
#[derive(Clone, Debug, Default)]
pub(super) struct Frame {
    pub(super) title: String,
    pub(super) section: &'static str,
    pub(super) person: Option<Person>,
    pub(super) shown_name: String,
    pub(super) initial: String,
    pub(super) csrf: String,
    pub(super) version: &'static str,
}

impl Frame {
    /// Of a page that needs nobody to be signed in.
    pub(super) fn open(title: &str) -> Self {
        Self {
            title: title.to_owned(),
            version: assets::version(),
            ..Self::default()
        }
    }

    /// Of a page in a section, for somebody.
    pub(super) fn of(signed: &Signed, section: &'static str, title: String) -> Self {
        let Signed { person, csrf } = signed;
        let shown_name = match person.name.is_empty() {
            true => person.user.clone(),
            false => person.name.clone(),
        };
        let initial = shown_name.chars().find(|char| char.is_alphanumeric());
        Self {
            title,
            section,
            initial: initial.unwrap_or('?').to_uppercase().to_string(),
            shown_name,
            person: Some(person.clone()),
            csrf: csrf.clone(),
            version: assets::version(),
        }
    }
}

/// A rendered page.
pub(super) fn page(status: StatusCode, template: &impl Template) -> Response {
    match template.render() {
        Ok(html) => (status, Html(html)).into_response(),
        Err(problem) => {
            error!(%problem, "a page can't be rendered");
            (
                StatusCode::INTERNAL_SERVER_ERROR,
                "the page can't be rendered\n",
            )
                .into_response()
        }
    }
}

#[derive(Template)]
#[template(path = "message.html")]
struct Message<'a> {
    frame: Frame,
    heading: &'a str,
    text: &'a str,
    code: &'a str,
    link: Option<(&'a str, &'a str)>,
}

/// Why there is no page.
#[derive(Debug)]
pub(crate) enum Failure {
    /// There is no such approval, or it is not for this person.
    NotFound,
    /// The person may not look at it.
    NotForYou(String),
    /// A form that did not come from our own page.
    Forged(&'static str),
    /// The session is over.
    SignedOut,
    /// The desk does not answer.
    Desk(DeskError),
}

impl From<DeskError> for Failure {
    fn from(error: DeskError) -> Self {
        Self::Desk(error)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let list = Some(("/approvals", "To the approvals"));
        match self {
            Self::NotFound => message(
                StatusCode::NOT_FOUND,
                "There is no such approval",
                "The address may be incomplete, or the approval is too old to be kept.",
                list,
            ),
            Self::NotForYou(who) => {
                let text = format!("This call is for others to decide: {who}.");
                message(StatusCode::FORBIDDEN, "Not yours to decide", &text, list)
            }
            Self::Forged(why) => message(
                StatusCode::FORBIDDEN,
                "This did not come from the console",
                &format!("{why} Nothing was done. Open the approval again and decide there."),
                list,
            ),
            Self::SignedOut => message(
                StatusCode::UNAUTHORIZED,
                "You are signed out",
                "Your session has ended, and nothing was done. Sign in and decide again.",
                Some(("/sign-in", "Sign in")),
            ),
            Self::Desk(problem) => {
                error!(%problem, "the console has no answer");
                message(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "No answer right now",
                    "The approvals can’t be read or written at the moment. Try again; the log of `gatehold serve` \
                     says why.",
                    list,
                )
            }
        }
    }
}

/// A page that says one thing.
pub(super) fn message(
    status: StatusCode,
    heading: &str,
    text: &str,
    link: Option<(&str, &str)>,
) -> Response {
    let template = Message {
        frame: Frame::open(heading),
        heading,
        text,
        code: "",
        link,
    };
    page(status, &template)
}

/// There is nothing at this address.
pub(crate) async fn no_page() -> Response {
    let list = Some(("/approvals", "To the approvals"));
    let text = "The address leads nowhere.";
    message(StatusCode::NOT_FOUND, "No such page", text, list)
}

/// The console is served, and no document says how people sign in.
pub(crate) fn no_console() -> Response {
    let template = Message {
        frame: Frame::open("No console yet"),
        heading: "No console yet",
        text: "No document of kind Console is in force. Add one to the directory of `gatehold serve --config`:",
        code: EXAMPLE,
        link: None,
    };
    page(StatusCode::SERVICE_UNAVAILABLE, &template)
}

const EXAMPLE: &str = "apiVersion: gatehold.io/v1
kind: Console
metadata: { name: console }
spec:
  url: https://gatehold.example.com   # where browsers reach it
  signIn:
    issuer: corporate                 # an Issuer document
    clientId: gatehold-console        # redirect URI: <url>/callback
  api:
    audiences: [gatehold-api]         # of tokens for API and command line
";
