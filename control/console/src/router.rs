//! The routes.

use std::io;

use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};
use axum::{Router, serve as axum_serve};
use tokio::net::TcpListener;

use crate::{Console, api, pages};

/// Largest form or JSON body, in bytes: a reason and two tokens.
const MAX_BODY: usize = 16 * 1024;

/// Pages, files and API.
pub fn router(console: Console) -> Router {
    Router::new()
        .route("/", get(pages::root))
        .route("/approvals", get(pages::queue))
        .route("/approvals/{id}", get(pages::approval))
        .route("/approvals/{id}/approve", post(pages::approve))
        .route("/approvals/{id}/deny", post(pages::deny))
        .route("/fleet", get(pages::fleet))
        .route("/events", get(pages::events))
        .route("/sign-in", get(pages::sign_in))
        .route("/sign-in/start", get(pages::start))
        .route("/callback", get(pages::callback))
        .route("/sign-out", post(pages::sign_out))
        .route("/assets/console.css", get(pages::style))
        .route("/assets/console.js", get(pages::script))
        .route("/assets/icon.svg", get(pages::icon))
        .nest("/api/v1", api::router())
        .fallback(pages::no_page)
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(from_fn_with_state(console.clone(), pages::protect))
        .with_state(console)
}

/// Serves [`router`] until the console's `shutdown`; requests under way are answered before it returns.
///
/// # Errors
/// None in practice: failures to accept are retried.
pub async fn serve(listener: TcpListener, console: Console) -> io::Result<()> {
    let shutdown = console.shutdown().clone();
    axum_serve(listener, router(console))
        .with_graceful_shutdown(shutdown.cancelled_owned())
        .await
}
