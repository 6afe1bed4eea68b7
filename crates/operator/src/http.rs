//! Metrics, health and webhooks over HTTP.

use std::{fmt::Write, net::SocketAddr};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
    routing::{get, post},
};
use lockstep_cluster::Verb;
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

/// Prints the metrics in the text format of Prometheus.
async fn metrics(State((operator, _)): State<Shared>) -> (StatusCode, String) {
    let Ok(apps) = operator.apps().await else { return (StatusCode::SERVICE_UNAVAILABLE, String::new()) };
    let mut text =
        String::from("# HELP lockstep_app_info The phase and health of each App.\n# TYPE lockstep_app_info gauge\n");
    for app in &apps {
        let line = writeln!(
            text,
            "lockstep_app_info{{namespace=\"{}\",name=\"{}\",phase=\"{:?}\",health=\"{:?}\"}} 1",
            app.id.namespace, app.id.name, app.status.phase, app.status.health
        );
        line.expect("a String takes everything");
    }
    text.push_str("# HELP lockstep_apps The number of Apps.\n# TYPE lockstep_apps gauge\n");
    text.push_str(&format!("lockstep_apps {}\n", apps.len()));
    text.push_str("# HELP lockstep_objects The number of objects that Apps own.\n# TYPE lockstep_objects gauge\n");
    text.push_str(&format!("lockstep_objects {}\n", apps.iter().map(|app| app.objects).sum::<usize>()));
    text.push_str(
        "# HELP lockstep_api_requests_total Requests to the API server.\n# TYPE lockstep_api_requests_total counter\n",
    );
    for verb in Verb::ALL {
        let count = operator.cluster().counts().get(verb);
        text.push_str(&format!("lockstep_api_requests_total{{verb=\"{}\"}} {count}\n", verb.as_str()));
    }
    (StatusCode::OK, text)
}
