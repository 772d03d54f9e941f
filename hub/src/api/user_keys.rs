//! `…/userkeys` and `…/usertokens`: the keys for tokens of end users, their exchange, and the tokens themselves.

use std::sync::Arc;

use axum::{
    Extension,
    extract::{Path, State},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};

use super::{
    guarded::Guarded,
    respond::{Body, Refused, json},
};
use crate::{
    app::{App, authority::Action as A, projects::At, user_keys::ExchangeBody, user_tokens::UserTokenBody},
    store::audit::Caller,
};

type Reply = Result<Response, Refused>;
type Hub = State<Arc<App>>;
type By = Extension<Caller>;
type InEnv = Path<(String, String)>;

/// For operators.
pub(super) fn add(routes: Guarded) -> Guarded {
    let at = |rest: &str| format!("/v1/projects/{{project}}/envs/{{env}}{rest}");
    routes
        .get(&at("/userkeys"), A::UserKeyList, list)
        .post(&at("/userkeys"), A::UserKeyRotate, exchange)
        .delete(&at("/userkeys/{id}"), A::UserKeyEnd, end)
        .post(&at("/usertokens"), A::UserTokenIssue, issue)
}

/// `GET …/userkeys`
pub async fn list(State(app): Hub, Path((project, env)): InEnv) -> Reply {
    Ok(json(StatusCode::OK, &app.user_keys(At { project: &project, env: &env }).await?))
}

/// `POST …/userkeys`
pub async fn exchange(
    State(app): Hub,
    Extension(by): By,
    Path((project, env)): InEnv,
    Body(body): Body<ExchangeBody>,
) -> Reply {
    let at = At { project: &project, env: &env };
    Ok(json(StatusCode::CREATED, &app.exchange_user_keys(&by, at, body).await?))
}

/// `DELETE …/userkeys/{id}`
pub async fn end(
    State(app): Hub,
    Extension(by): By,
    Path((project, env, id)): Path<(String, String, String)>,
) -> Reply {
    app.end_user_key(&by, At { project: &project, env: &env }, &id).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// `POST …/usertokens`
pub async fn issue(
    State(app): Hub,
    Extension(by): By,
    Path((project, env)): InEnv,
    Body(body): Body<UserTokenBody>,
) -> Reply {
    let at = At { project: &project, env: &env };
    let mut response = json(StatusCode::CREATED, &app.issue_user_token(&by, at, body).await?);
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}
