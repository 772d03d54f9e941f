//! `/v1/status` and `/v1/time`.

use std::sync::Arc;

use axum::{extract::State, http::StatusCode, response::Response};

use super::respond::{Refused, json};
use crate::app::App;

type Reply = Result<Response, Refused>;

/// `GET /v1/status`
pub async fn status(State(app): State<Arc<App>>) -> Reply {
    Ok(json(StatusCode::OK, &app.status().await?))
}

/// `GET /v1/time`
pub async fn time(State(app): State<Arc<App>>) -> Reply {
    Ok(json(StatusCode::OK, &app.time().await?))
}
