//! `/v1/audit`: what was done, and whether the log of it is whole.

use std::sync::Arc;

use axum::{
    Extension,
    extract::{Query, State},
};

use super::{
    answer::{Answer, ok},
    respond::Refused,
};
use crate::app::{
    App,
    answers::system::{AuditHead, AuditPage, AuditVerdict},
    audit::AuditQuery,
    authority::Who,
};

type Reply<T> = Result<T, Refused>;
type Hub = State<Arc<App>>;

/// `GET /v1/audit`
pub async fn entries(
    State(app): Hub,
    Extension(who): Extension<Who>,
    Query(query): Query<AuditQuery>,
) -> Reply<Answer<AuditPage>> {
    ok(app.audit(&who, query).await)
}

/// `GET /v1/audit/head`
pub async fn head(State(app): Hub) -> Reply<Answer<AuditHead>> {
    ok(app.audit_head().await)
}

/// `GET /v1/audit/verify`
pub async fn verify(State(app): Hub) -> Reply<Answer<AuditVerdict>> {
    ok(app.verify_audit().await)
}
