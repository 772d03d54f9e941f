//! `…/userkeys` and `…/usertokens`: the keys for tokens of end users, their exchange, and the tokens themselves.

use std::sync::Arc;

use axum::{
    Extension,
    extract::{Path, State},
};

use super::{
    answer::{Answer, Created, CreatedOnce, NoContent, gone, made, ok},
    guarded::Guarded,
    respond::{Body, Refused},
};
use crate::{
    app::{
        App,
        authority::Action as A,
        projects::At,
        user_keys::{ExchangeBody, UserKeys},
        user_tokens::{UserToken, UserTokenBody},
    },
    store::audit::Caller,
};

type Reply<T> = Result<T, Refused>;
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
pub async fn list(State(app): Hub, Path((project, env)): InEnv) -> Reply<Answer<UserKeys>> {
    ok(app.user_keys(At { project: &project, env: &env }).await)
}

/// `POST …/userkeys`
pub async fn exchange(
    State(app): Hub,
    Extension(by): By,
    Path((project, env)): InEnv,
    Body(body): Body<ExchangeBody>,
) -> Reply<Created<UserKeys>> {
    let at = At { project: &project, env: &env };
    made(app.exchange_user_keys(&by, at, body).await)
}

/// `DELETE …/userkeys/{id}`
pub async fn end(
    State(app): Hub,
    Extension(by): By,
    Path((project, env, id)): Path<(String, String, String)>,
) -> Reply<NoContent> {
    gone(app.end_user_key(&by, At { project: &project, env: &env }, &id).await)
}

/// `POST …/usertokens`
pub async fn issue(
    State(app): Hub,
    Extension(by): By,
    Path((project, env)): InEnv,
    Body(body): Body<UserTokenBody>,
) -> Reply<CreatedOnce<UserToken>> {
    let at = At { project: &project, env: &env };
    Ok(CreatedOnce(app.issue_user_token(&by, at, body).await?))
}
