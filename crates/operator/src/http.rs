//! Metrics, health and webhooks over HTTP.

use std::net::SocketAddr;

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use tokio::task::JoinHandle;

use crate::Handle;

/// Serves `/metrics`, `/healthz`, `/readyz` and `POST /api/webhook`.
///
/// `secret` is what webhooks must prove to know. Without one, a push only makes the sources look again at once, which
/// anybody may ask for.
///
/// # Errors
/// The address cannot be listened on.
pub async fn serve(operator: Handle, address: SocketAddr, secret: Option<String>) -> std::io::Result<JoinHandle<()>> {
    let listener = tokio::net::TcpListener::bind(address).await?;
    let router = Router::new()
        .route("/healthz", get(|| async { "ok" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .route("/api/webhook", post(webhook))
        .with_state((operator, secret));
    Ok(tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, router).await {
            tracing::error!(%error, "the HTTP server ended");
        }
    }))
}

type Shared = (Handle, Option<String>);

async fn ready(State((operator, _)): State<Shared>) -> (StatusCode, &'static str) {
    match operator.apps().await {
        Ok(_) => (StatusCode::OK, "ok"),
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "stopping"),
    }
}

async fn webhook(State((operator, secret)): State<Shared>, headers: HeaderMap, body: Bytes) -> (StatusCode, String) {
    let headers: Vec<(String, String)> = headers
        .iter()
        .filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())))
        .collect();
    match lockstep_sources::webhook::parse(&headers, &body, secret.as_deref()) {
        Ok(push) => {
            let woken: usize = push.urls.iter().map(|url| operator.git().poke(url)).sum();
            (StatusCode::OK, format!("{woken} sources look again\n"))
        }
        Err(error) if error.kind() == lockstep_sources::ErrorKind::BadSignature => {
            (StatusCode::UNAUTHORIZED, format!("{error}\n"))
        }
        Err(error) => (StatusCode::BAD_REQUEST, format!("{error}\n")),
    }
}

/// The format that Prometheus asks for by this name.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

async fn metrics(State((operator, _)): State<Shared>) -> Response {
    let Ok(apps) = operator.apps().await else { return StatusCode::SERVICE_UNAVAILABLE.into_response() };
    match operator.metrics.print(&apps, operator.cluster()) {
        Ok(text) => ([(CONTENT_TYPE, OPEN_METRICS)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}
