//! `/v1/keys`: the keys that this Hub signs with, and their exchange.

use std::sync::Arc;

use axum::{
    Extension,
    extract::{Path, State},
};

use super::{
    answer::{Answer, Created, made, ok},
    respond::{Body, Refused},
};
use crate::{
    app::{
        App,
        answers::system::{KeysStatus, SigningKey, SigningKeys},
        keys::RetireBody,
    },
    store::audit::Caller,
};

type Reply<T> = Result<T, Refused>;
type Hub = State<Arc<App>>;
type By = Extension<Caller>;

/// `GET /v1/keys`
pub async fn list(State(app): Hub) -> Reply<Answer<SigningKeys>> {
    ok(app.keys().await)
}

/// `GET /v1/keys/status`
pub async fn status(State(app): Hub) -> Reply<Answer<KeysStatus>> {
    ok(app.keys_status().await)
}

/// `POST /v1/keys`
pub async fn rotate(State(app): Hub, Extension(by): By) -> Reply<Created<SigningKey>> {
    made(app.rotate_keys(&by).await)
}

/// `POST /v1/keys/{id}/retire`
pub async fn retire(
    State(app): Hub,
    Extension(by): By,
    Path(id): Path<String>,
    Body(body): Body<RetireBody>,
) -> Reply<Answer<SigningKey>> {
    ok(app.retire_key(&by, &id, body).await)
}
