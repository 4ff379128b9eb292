//! Errors of the API (RFC 9457).

use axum::response::{IntoResponse, Response};
use gatehold_desk::DeskError;
use http::header::{CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use serde::{Deserialize, Serialize};
use tracing::error;

use crate::sign_in::Unauthorized;

/// Why a request was not carried out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// For programs: `unauthorized`, `not-an-approver`, `requester`, `not-found`, `too-late`, `already-voted`,
    /// `reason-required`, `changed`, `bad-request`, `unavailable`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The HTTP status.
    pub status: u16,
    /// In a few words.
    pub title: String,
    /// What to do.
    pub detail: String,
    /// With `too-late`: what the approval has come to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
}

impl Problem {
    pub(super) fn new(
        status: StatusCode,
        kind: &str,
        title: &str,
        detail: impl Into<String>,
    ) -> Self {
        Self {
            kind: kind.to_owned(),
            status: status.as_u16(),
            title: title.to_owned(),
            detail: detail.into(),
            state: None,
        }
    }

    pub(super) fn not_found() -> Self {
        let detail = "look at the list: GET /api/v1/approvals";
        Self::new(
            StatusCode::NOT_FOUND,
            "not-found",
            "there is no such approval",
            detail,
        )
    }

    pub(super) fn no_console() -> Self {
        let detail = "no document of kind Console is in force; add one";
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "unavailable",
            "no console",
            detail,
        )
    }
}

impl From<DeskError> for Problem {
    fn from(error: DeskError) -> Self {
        error!(problem = %error, "the API has no answer");
        let detail = "try again; the log of `gatehold serve` says why";
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "unavailable",
            "no answer right now",
            detail,
        )
    }
}

impl From<Unauthorized> for Problem {
    fn from(error: Unauthorized) -> Self {
        let title = "no valid bearer token";
        Self::new(
            StatusCode::UNAUTHORIZED,
            "unauthorized",
            title,
            error.to_string(),
        )
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        // Texts and a number can always be written.
        let body = serde_json::to_string(&self).unwrap_or_default();
        let mut response =
            (status, [(CONTENT_TYPE, "application/problem+json")], body).into_response();
        if status == StatusCode::UNAUTHORIZED {
            let challenge = HeaderValue::from_static("Bearer");
            response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
        }
        response
    }
}
