//! The HTTP API: the same approvals, votes and fleet, for programs. `openapi.json` describes it.
//!
//! It takes bearer tokens and nothing else: a browser's session is none, so no other site can use it.

mod fleet;
mod json;
mod problem;
mod routes;

use axum::Router;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http::header::CONTENT_TYPE;

use crate::Console;

pub(crate) use fleet::millis;
pub use fleet::{FleetJson, GivenJson, HeldBackJson, NodeJson, RefusalJson};
pub use json::{
    ApprovalJson, ListJson, MissingJson, RequesterJson, RequirementJson, RunJson, VoteJson,
};
pub use problem::Problem;

/// The OpenAPI 3.1 document of the API.
pub const OPENAPI: &str = include_str!("openapi.json");

/// The routes, relative to `/api/v1`.
pub(crate) fn router() -> Router<Console> {
    Router::new()
        .route("/openapi.json", get(openapi))
        .route("/approvals", get(routes::list))
        .route("/approvals/{id}", get(routes::show))
        .route("/approvals/{id}/approve", post(routes::approve))
        .route("/approvals/{id}/deny", post(routes::deny))
        .route("/fleet", get(routes::fleet))
        .fallback(routes::nothing)
        .method_not_allowed_fallback(routes::no_method)
}

async fn openapi() -> Response {
    ([(CONTENT_TYPE, "application/json")], OPENAPI).into_response()
}
