//! `/v1/status` and `/v1/time`.

use std::sync::Arc;

use axum::extract::State;

use super::{
    answer::{Answer, ok},
    respond::Refused,
};
use crate::app::{
    App,
    answers::system::{Clocks, HubStatus},
};

type Reply<T> = Result<T, Refused>;

/// `GET /v1/status`
pub async fn status(State(app): State<Arc<App>>) -> Reply<Answer<HubStatus>> {
    ok(app.status().await)
}

/// `GET /v1/time`
pub async fn time(State(app): State<Arc<App>>) -> Reply<Answer<Clocks>> {
    ok(app.time().await)
}
