//! What guests say, for an operator who looks: lines of JSON, those that are kept and, where it is asked for, those that come.

use std::{sync::Arc, time::Duration};

use axum::{
    Extension,
    body::{Body, Bytes},
    extract::{Path, Query, State},
    response::{IntoResponse, Response},
};
use chrono::Utc;
use futures_util::{Stream, stream};
use http::{HeaderMap, StatusCode, header};
use santokit_core::{
    admin::Deed,
    code::Code,
    problem::{Outcome, Problem},
};
use serde::Deserialize;
use serde_json::json;
use tokio::time::Instant;

use super::{Admin, RequestId, respond};
use crate::{
    app::App,
    guest_log::{self, Filter, Found, GuestLog},
};

/// An answer that goes on ends after this: who wants more comes with another token, which is audited.
const FOLLOW_MAX: Duration = Duration::from_mins(10);

/// How often a client that waits is shown that the line is alive.
const QUIET_MAX: Duration = Duration::from_secs(10);

/// How often it is seen whether the Bridge ends: who follows does not hold that up.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// What is asked.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Asked {
    /// Of this logic alone.
    logic: Option<String>,
    /// This level and above.
    level: Option<String>,
    /// Of this request alone.
    request: Option<String>,
    /// Lines after this one.
    #[serde(default)]
    after: u64,
    /// Whether lines that come are sent as well.
    #[serde(default)]
    follow: bool,
}

/// An answer that goes on.
struct Following {
    app: Arc<App>,
    log: Arc<GuestLog>,
    grown: tokio::sync::watch::Receiver<u64>,
    filter: Filter,
    /// The number of the last line that was looked at.
    last: u64,
    is_first: bool,
    /// None: it does not go on.
    until: Option<Instant>,
}

/// `GET /admin/envs/{project}/{env}/logs`
pub(super) async fn read(
    State(admin): State<Arc<Admin>>,
    Extension(id): Extension<RequestId>,
    Path((project, env)): Path<(String, String)>,
    asked: Result<Query<Asked>, axum::extract::rejection::QueryRejection>,
    headers: HeaderMap,
) -> Response {
    let begun = || -> Outcome<Following> {
        let claims = admin.allow(&headers, (Deed::Logs, None), (&project, &env), Utc::now().timestamp())?;
        let Query(asked) = asked.map_err(|error| Problem::new(Code::BadRequest, error.body_text()))?;
        let slot = admin.slot(&project, &env)?;
        let filter = filter(&asked)?;
        tracing::info!(requestId = %id.0, operator = claims.sub, token = claims.jti, project, env, "an operator reads what guests say");
        let log = admin.app.guest_log(&slot.name);
        let until = asked.follow.then(|| Instant::now() + FOLLOW_MAX);
        let app = Arc::clone(&admin.app);
        Ok(Following { app, grown: log.grown(), log, filter, last: asked.after, is_first: true, until })
    };
    match begun() {
        Ok(following) => {
            let body = Body::from_stream(following.parts());
            (StatusCode::OK, [(header::CONTENT_TYPE, "application/x-ndjson")], body).into_response()
        }
        Err(problem) => respond::error(&problem, &id.0),
    }
}

fn filter(asked: &Asked) -> Outcome<Filter> {
    let level = asked.level.as_deref().map(|name| {
        guest_log::level_of(name).ok_or_else(|| {
            let message = format!("{name:?} is no level; trace, debug, info, warn and error are");
            Problem::new(Code::BadRequest, message)
        })
    });
    Ok(Filter { logic: asked.logic.clone(), level: level.transpose()?, request_id: asked.request.clone() })
}

impl Following {
    fn parts(self) -> impl Stream<Item = Result<Bytes, std::io::Error>> + Send {
        stream::unfold(Some(self), async |following| {
            let mut following = following?;
            let part = following.next().await?;
            Some((Ok(part), Some(following)))
        })
    }

    /// The lines that have come, or a sign of life; none at the end, and where the Bridge ends.
    async fn next(&mut self) -> Option<Bytes> {
        let quiet = Instant::now() + QUIET_MAX;
        loop {
            // Seen before it is read: what comes between is seen the next time.
            self.grown.mark_unchanged();
            let found = self.log.after(self.last, &self.filter);
            self.last = found.last;
            if self.is_first || !found.lines.is_empty() || found.lost > 0 {
                self.is_first = false;
                return Some(text(&found).into());
            }
            let (until, now) = (self.until?, Instant::now());
            if now >= until || self.app.is_draining() {
                return None;
            }
            if now >= quiet {
                return Some(Bytes::from_static(b"\n"));
            }
            drop(tokio::time::timeout(LOOK_AGAIN, self.grown.changed()).await);
        }
    }
}

fn text(found: &Found) -> String {
    let mut text = String::new();
    if found.lost > 0 {
        text.push_str(&json!({"lost": found.lost}).to_string());
        text.push('\n');
    }
    for line in &found.lines {
        // A line that cannot be written is none that could be read.
        text.push_str(&serde_json::to_string(&**line).unwrap_or_default());
        text.push('\n');
    }
    if text.is_empty() {
        // So that the head of the answer goes out at once.
        text.push('\n');
    }
    text
}
