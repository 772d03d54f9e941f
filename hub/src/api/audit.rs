//! `/v1/audit`: what was done, and whether the log of it is whole.

use std::sync::Arc;

use axum::{
    Extension,
    extract::{Query, State},
    http::StatusCode,
    response::Response,
};

use super::respond::{Refused, json};
use crate::app::{App, audit::AuditQuery, authority::Who};

type Reply = Result<Response, Refused>;
type Hub = State<Arc<App>>;

/// `GET /v1/audit`
pub async fn entries(State(app): Hub, Extension(who): Extension<Who>, Query(query): Query<AuditQuery>) -> Reply {
    Ok(json(StatusCode::OK, &app.audit(&who, query).await?))
}

/// `GET /v1/audit/head`
pub async fn head(State(app): Hub) -> Reply {
    Ok(json(StatusCode::OK, &app.audit_head().await?))
}

/// `GET /v1/audit/verify`
pub async fn verify(State(app): Hub) -> Reply {
    Ok(json(StatusCode::OK, &app.verify_audit().await?))
}
