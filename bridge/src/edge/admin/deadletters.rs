//! Dead letters, for an operator: which there are, and what becomes of them. What customers sent is not shown: who deploys need not have it. Each
//! request is a token of its own, in the Hub's audit log, and a line of the log here. A token for reading decides nothing, and one that decides is for
//! the dead letters that it names.

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
    admin::{Claims, Deed, Letters},
    code::Code,
    problem::{Outcome, Problem},
};
use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::{Admin, RequestId, refused, respond};
use crate::{
    delivery::dead::{self, Fate, IDS_MAX, Wanted},
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
    /// Those behind this one.
    after: Option<String>,
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
    /// All of the env: nothing is meant by saying nothing.
    #[serde(default)]
    all: bool,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Word {
    Replay,
    Purge,
}

impl Decided {
    /// As a token has them.
    fn letters(&self) -> Letters {
        Letters {
            ids: u32::try_from(self.ids.len()).unwrap_or(u32::MAX),
            topic: self.topic.clone(),
            subscription: self.subscription.clone(),
            since: self.since,
            until: self.until,
            all: self.all,
        }
    }
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
        let (generation, _) =
            allow(&admin, &headers, (&project, &env), &id, (&[Deed::Deadletters], "an operator reads dead letters"))?;
        let Query(asked) = asked.map_err(|error| Problem::new(Code::BadRequest, error.body_text()))?;
        let is_one = asked.id.is_some();
        let wanted = Wanted {
            ids: asked.id.into_iter().collect(),
            topic: asked.topic,
            subscription: asked.subscription,
            since: asked.since,
            until: asked.until,
        };
        let found = dead::list(&generation, &wanted, asked.after.as_deref(), is_one).await?;
        if is_one && found.letters.is_empty() {
            return Err(Problem::new(Code::NotFound, "there is no such dead letter, or no more"));
        }
        let next = found.letters.last().filter(|_| found.is_cut).map(|letter| &letter.id);
        let answer = json!({
            "bridge": admin.app.config.id, "deadLetters": found.letters, "isCut": found.is_cut, "next": next,
        });
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
        let deeds = [Deed::DeadlettersReplay, Deed::DeadlettersPurge];
        let what = "an operator decides about dead letters";
        let (generation, claims) = allow(&admin, &headers, (&project, &env), &id, (&deeds, what))?;
        let decided = read(&body)?;
        let fate = match decided.fate {
            Word::Replay => Fate::Replay,
            Word::Purge => Fate::Purge,
        };
        let deed = if fate == Fate::Replay { Deed::DeadlettersReplay } else { Deed::DeadlettersPurge };
        // What the audit log says is what is done.
        if claims.deed != deed || claims.letters != Some(decided.letters()) {
            return Err(refused("it is for something else"));
        }
        let Decided { ids, topic, subscription, since, until, .. } = decided;
        let wanted = Wanted { ids, topic, subscription, since, until };
        let done = dead::decide(&generation, &wanted, fate).await?;
        tracing::info!(requestId = %id.0, ?fate, touched = done.touched, isCut = done.is_cut, "it was decided about dead letters");
        let failed: Vec<Json> = done
            .failed
            .iter()
            .map(|(connection, problem)| json!({"connection": connection, "code": problem.code, "message": problem.message}))
            .collect();
        let answer = json!({
            "bridge": admin.app.config.id, "touched": done.touched, "isCut": done.is_cut, "failed": failed,
        });
        serde_json::to_vec(&answer).map_err(Problem::internal)
    };
    answer(done.await, &id)
}

/// What is to become of which.
fn read(body: &[u8]) -> Outcome<Decided> {
    if body.len() > BODY_BYTES_MAX {
        return Err(Problem::new(Code::BadRequest, "the body is too large"));
    }
    let decided: Decided = serde_json::from_slice(body)
        .map_err(|error| Problem::new(Code::BadRequest, format!("the body cannot be read: {error}")))?;
    if decided.ids.len() > IDS_MAX {
        return Err(Problem::new(Code::BadRequest, format!("at most {IDS_MAX} ids are named at once")));
    }
    if !decided.letters().is_said() {
        return Err(Problem::new(Code::BadRequest, "which dead letters?")
            .hint("ids, topic, subscription, since, until; or all: true, and nothing else"));
    }
    Ok(decided)
}

/// What is served, for who may do one of these at it; and what the token says.
fn allow(
    admin: &Admin,
    headers: &HeaderMap,
    (project, env): (&str, &str),
    id: &RequestId,
    (deeds, what): (&[Deed], &str),
) -> Outcome<(Arc<Generation>, Claims)> {
    let claims = admin.allow_one_of(headers, (deeds, None), (project, env), Utc::now().timestamp())?;
    let deed = claims.deed.as_str();
    tracing::info!(requestId = %id.0, operator = claims.sub, token = claims.jti, project, env, deed, "{what}");
    let slot = admin.slot(project, env)?;
    let generation = slot
        .generation()
        .ok_or_else(|| Problem::new(Code::ServiceUnavailable, "this Bridge has no release of that env yet"))?;
    Ok((generation, claims))
}

fn answer(done: Outcome<Vec<u8>>, id: &RequestId) -> Response {
    match done {
        Ok(body) => respond::json(StatusCode::OK, body),
        Err(problem) => respond::error(&problem, &id.0),
    }
}
