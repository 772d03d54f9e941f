//! `/v1/keys`: the keys that this Hub signs with, and their exchange.

use std::sync::Arc;

use axum::{
    Extension,
    extract::{Path, State},
    http::StatusCode,
    response::Response,
};

use super::respond::{Body, Refused, json};
use crate::{
    app::{App, keys::RetireBody},
    store::audit::Caller,
};

type Reply = Result<Response, Refused>;
type Hub = State<Arc<App>>;
type By = Extension<Caller>;

/// `GET /v1/keys`
pub async fn list(State(app): Hub) -> Reply {
    Ok(json(StatusCode::OK, &app.keys().await?))
}

/// `GET /v1/keys/status`
pub async fn status(State(app): Hub) -> Reply {
    Ok(json(StatusCode::OK, &app.keys_status().await?))
}

/// `POST /v1/keys`
pub async fn rotate(State(app): Hub, Extension(by): By) -> Reply {
    Ok(json(StatusCode::CREATED, &app.rotate_keys(&by).await?))
}

/// `POST /v1/keys/{id}/retire`
pub async fn retire(State(app): Hub, Extension(by): By, Path(id): Path<String>, Body(body): Body<RetireBody>) -> Reply {
    Ok(json(StatusCode::OK, &app.retire_key(&by, &id, body).await?))
}
