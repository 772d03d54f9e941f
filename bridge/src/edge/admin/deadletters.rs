//! Dead letters, for an operator: which there are, and what becomes of them. What customers sent is not shown: who deploys need not have it. Each
//! request is a token of its own, in the Hub's audit log, and a line of the log here.

use std::sync::Arc;

use axum::{
    Extension,
    body::Bytes,
    extract::{Path, Query, State},
    response::Response,
};
use chrono::{DateTime, Utc};
use http::{HeaderMap, StatusCode};
use santokit_core::{
    admin::Deed,
    code::Code,
    problem::{Outcome, Problem},
};
use serde::Deserialize;
use serde_json::json;

use super::{Admin, RequestId, respond};
use crate::{
    delivery::dead::{self, Fate, IDS_MAX, LISTED_MAX, Wanted},
    generation::Generation,
};

/// The longest body of a request: ids.
const BODY_BYTES_MAX: usize = 128 << 10;

/// Which are asked for.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Asked {
    /// One of them, with its history.
    id: Option<String>,
    topic: Option<String>,
    subscription: Option<String>,
    since: Option<DateTime<Utc>>,
    until: Option<DateTime<Utc>>,
}

/// What is to become of some.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Decided {
    fate: Word,
    #[serde(default)]
    ids: Vec<String>,
    topic: Option<String>,
    subscription: Option<String>,
    since: Option<DateTime<Utc>>,
    until: Option<DateTime<Utc>>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Word {
    Replay,
    Purge,
}

/// `GET /admin/envs/{project}/{env}/deadletters`
pub(super) async fn list(
    State(admin): State<Arc<Admin>>,
    Extension(id): Extension<RequestId>,
    Path((project, env)): Path<(String, String)>,
    asked: Result<Query<Asked>, axum::extract::rejection::QueryRejection>,
    headers: HeaderMap,
) -> Response {
    let done = async {
        let generation = allow(&admin, &headers, (&project, &env), &id, "an operator reads dead letters")?;
        let Query(asked) = asked.map_err(|error| Problem::new(Code::BadRequest, error.body_text()))?;
        let is_one = asked.id.is_some();
        let wanted = Wanted {
            ids: asked.id.into_iter().collect(),
            topic: asked.topic,
            subscription: asked.subscription,
            since: asked.since,
            until: asked.until,
        };
        let found = dead::list(&generation, &wanted, is_one).await?;
        if is_one && found.is_empty() {
            return Err(Problem::new(Code::NotFound, "there is no such dead letter, or no more"));
        }
        let is_cut = found.len() >= LISTED_MAX as usize;
        let answer = json!({"bridge": admin.app.config.id, "deadLetters": found, "isCut": is_cut});
        serde_json::to_vec(&answer).map_err(Problem::internal)
    };
    answer(done.await, &id)
}

/// `POST /admin/envs/{project}/{env}/deadletters`
pub(super) async fn decide(
    State(admin): State<Arc<Admin>>,
    Extension(id): Extension<RequestId>,
    Path((project, env)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let done = async {
        let generation = allow(&admin, &headers, (&project, &env), &id, "an operator decides about dead letters")?;
        if body.len() > BODY_BYTES_MAX {
            return Err(Problem::new(Code::BadRequest, "the body is too large"));
        }
        let decided: Decided = serde_json::from_slice(&body)
            .map_err(|error| Problem::new(Code::BadRequest, format!("the body cannot be read: {error}")))?;
        if decided.ids.len() > IDS_MAX {
            return Err(Problem::new(Code::BadRequest, format!("at most {IDS_MAX} ids are named at once")));
        }
        let fate = match decided.fate {
            Word::Replay => Fate::Replay,
            Word::Purge => Fate::Purge,
        };
        let Decided { ids, topic, subscription, since, until, .. } = decided;
        let wanted = Wanted { ids, topic, subscription, since, until };
        let touched = dead::decide(&generation, &wanted, fate).await?;
        tracing::info!(requestId = %id.0, ?fate, touched, "it was decided about dead letters");
        let answer = json!({"bridge": admin.app.config.id, "touched": touched});
        serde_json::to_vec(&answer).map_err(Problem::internal)
    };
    answer(done.await, &id)
}

/// What is served, for who may do this at it.
fn allow(
    admin: &Admin,
    headers: &HeaderMap,
    (project, env): (&str, &str),
    id: &RequestId,
    what: &str,
) -> Outcome<Arc<Generation>> {
    let claims = admin.allow(headers, (Deed::Deadletters, None), (project, env), Utc::now().timestamp())?;
    tracing::info!(requestId = %id.0, operator = claims.sub, token = claims.jti, project, env, "{what}");
    let slot = admin.slot(project, env)?;
    slot.generation()
        .ok_or_else(|| Problem::new(Code::ServiceUnavailable, "this Bridge has no release of that env yet"))
}

fn answer(done: Outcome<Vec<u8>>, id: &RequestId) -> Response {
    match done {
        Ok(body) => respond::json(StatusCode::OK, body),
        Err(problem) => respond::error(&problem, &id.0),
    }
}
