//! What orchestrators and scrapers ask: alive, ready, and the numbers. It shows no name that is not in the configuration or in
//! a release.

use std::{sync::Arc, time::Instant};

use axum::{
    extract::{Extension, State},
    response::{IntoResponse, Response},
};
use http::{HeaderMap, StatusCode, header};
use santokit_core::{
    code::Code,
    problem::Problem,
    wire::{EnvState, Refused},
};
use secrecy::ExposeSecret;
use serde::Serialize;
use subtle::ConstantTimeEq;

use super::{layers::RequestId, respond};
use crate::app::App;

/// The body of `/readyz`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Readiness {
    status: &'static str,
    envs: Vec<EnvReadiness>,
    /// Told while events wait: requests are served all the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    events: Option<&'static str>,
}

/// One env of it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct EnvReadiness {
    project: String,
    env: String,
    state: EnvState,
    release_id: Option<String>,
    sequence: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<Refused>,
}

/// The process answers.
pub async fn healthz() -> Response {
    respond::json(StatusCode::OK, br#"{"status":"ok"}"#.to_vec())
}

/// Every env can be served; else 503, with the reasons.
pub async fn readyz(State(app): State<Arc<App>>) -> Response {
    readiness(&app, false)
}

/// The same on the operators' listener: with what exactly is wrong with a refused release, which may name what it needs.
pub async fn readyz_in_full(State(app): State<Arc<App>>) -> Response {
    readiness(&app, true)
}

fn readiness(app: &App, in_full: bool) -> Response {
    let now = Instant::now();
    let envs: Vec<EnvReadiness> = app
        .slots
        .iter()
        .map(|slot| {
            let report = slot.report(now);
            let reason = slot.reason(now);
            EnvReadiness {
                project: report.project,
                env: report.env,
                state: report.state,
                release_id: report.release_id,
                sequence: report.sequence,
                reason,
                refused: report.refused.filter(|_| in_full),
            }
        })
        .collect();
    let serves = envs.iter().all(|env| matches!(env.state, EnvState::Fresh | EnvState::Stale));
    let (status, code) = match (app.is_draining(), serves) {
        (true, _) => ("draining", StatusCode::SERVICE_UNAVAILABLE),
        (false, true) => ("ready", StatusCode::OK),
        (false, false) => ("unavailable", StatusCode::SERVICE_UNAVAILABLE),
    };
    let waits = app.broker.as_ref().is_some_and(|broker| !broker.is_there());
    let events = waits.then_some("NATS is away: events wait in the database");
    respond::json(code, serde_json::to_vec(&Readiness { status, envs, events }).unwrap_or_default())
}

/// The numbers, on the listener that is only for them.
pub async fn metrics(State(app): State<Arc<App>>) -> Response {
    exposition(&app)
}

/// The numbers, on the applications' listener: to who has the token, and to nobody where there is none.
pub async fn metrics_with_token(
    State(app): State<Arc<App>>,
    Extension(id): Extension<RequestId>,
    headers: HeaderMap,
) -> Response {
    let Some(token) = &app.config.metrics_token else {
        let problem = Problem::new(Code::NotFound, "there is no such path")
            .hint("metrics have a listener of their own, or need STK_BRIDGE_METRICS_TOKEN");
        return respond::error(&problem, &id.0);
    };
    let sent = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok()?.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    let equal = sent.is_some_and(|(_, sent)| bool::from(sent.as_bytes().ct_eq(token.expose_secret().as_bytes())));
    if equal {
        exposition(&app)
    } else {
        respond::error(&Problem::new(Code::Unauthorized, "metrics need their bearer token"), &id.0)
    }
}

fn exposition(app: &App) -> Response {
    match app.scrape() {
        Ok(text) => ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response(),
        Err(error) => {
            tracing::error!(%error, "the metrics cannot be rendered");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
