//! `/v1/auth/*`, `/v1/tokens` and `/v1/operators`: who operators are and what they show. What opens a session is asked without one.

use std::sync::Arc;

use axum::{
    Extension,
    extract::{Path, State},
};

use super::{
    answer::{Answer, Created, NoContent, gone, made, ok},
    guarded::Guarded,
    respond::{Body, Refused},
    told::Told,
};
use crate::{
    app::{
        App,
        answers::{
            credentials::{Enrolment, NewToken, RecoveryCodes, Session, Tokens, WhoAmI},
            people::{Accepted, FirstOwner, Joined, Operator, Operators, Recovered, ResetCode},
        },
        authority::{Action as A, Who},
        invites::{AcceptBody, JoinBody},
        login::{
            BootstrapBody, LoginBody, PasswordBody, RefreshBody,
            mfa::{CodeBody, DisableBody, EnrolBody},
            reset::ResetBody,
        },
        tokens::TokenBody,
    },
    store::audit::Caller,
};

type Reply<T> = Result<T, Refused>;
type Hub = State<Arc<App>>;
type By = Extension<Caller>;
type Asking = Extension<Who>;

/// For who has no session yet: each of them wants a secret in its body.
pub(super) fn open() -> Told {
    Told::new()
        .post("/v1/auth/login", login)
        .post("/v1/auth/refresh", refresh)
        .post("/v1/auth/join", join)
        .post("/v1/auth/reset", reset)
}

/// For operators.
pub(super) fn add(routes: Guarded) -> Guarded {
    routes
        .post("/v1/auth/bootstrap", A::OperatorBootstrap, bootstrap)
        .post("/v1/auth/logout", A::SessionEnd, logout)
        .get("/v1/auth/whoami", A::SessionRead, whoami)
        .put("/v1/auth/password", A::PasswordChange, set_password)
        .post("/v1/auth/mfa/enrol", A::MfaEnrol, enrol)
        .post("/v1/auth/mfa/confirm", A::MfaConfirm, confirm)
        .post("/v1/auth/mfa/disable", A::MfaDisable, disable)
        .post("/v1/auth/accept", A::InviteAccept, accept)
        .post("/v1/tokens", A::TokenCreate, create_token)
        .get("/v1/tokens", A::TokenList, tokens)
        .delete("/v1/tokens/{id}", A::TokenRevoke, revoke_token)
        .get("/v1/operators", A::OperatorList, operators)
        .post("/v1/operators/{id}/disable", A::OperatorDisable, disable_operator)
        .post("/v1/operators/{id}/enable", A::OperatorEnable, enable_operator)
        .post("/v1/operators/{id}/reset", A::OperatorReset, reset_operator)
}

/// `POST /v1/auth/login`
pub async fn login(State(app): Hub, Extension(by): By, Body(body): Body<LoginBody>) -> Reply<Answer<Session>> {
    ok(app.login(&by, body).await)
}

/// `POST /v1/auth/refresh`
pub async fn refresh(State(app): Hub, Extension(by): By, Body(body): Body<RefreshBody>) -> Reply<Answer<Session>> {
    ok(app.refresh(&by, body).await)
}

/// `POST /v1/auth/join`
pub async fn join(State(app): Hub, Extension(by): By, Body(body): Body<JoinBody>) -> Reply<Created<Joined>> {
    made(app.join(&by, body).await)
}

/// `POST /v1/auth/reset`
pub async fn reset(State(app): Hub, Extension(by): By, Body(body): Body<ResetBody>) -> Reply<Answer<Recovered>> {
    ok(app.reset_password(&by, body).await)
}

/// `POST /v1/operators/{id}/reset`
pub async fn reset_operator(
    State(app): Hub,
    Extension(by): By,
    Extension(who): Asking,
    Path(id): Path<String>,
) -> Reply<Created<ResetCode>> {
    made(app.reset_operator(&by, &who, &id).await)
}

/// `POST /v1/auth/bootstrap`
pub async fn bootstrap(
    State(app): Hub,
    Extension(by): By,
    Body(body): Body<BootstrapBody>,
) -> Reply<Created<FirstOwner>> {
    made(app.bootstrap(&by, body).await)
}

/// `POST /v1/auth/logout`
pub async fn logout(State(app): Hub, Extension(by): By, Extension(who): Asking) -> Reply<NoContent> {
    gone(app.logout(&by, &who).await)
}

/// `GET /v1/auth/whoami`
pub async fn whoami(State(app): Hub, Extension(who): Asking) -> Reply<Answer<WhoAmI>> {
    ok(app.whoami(&who).await)
}

/// `PUT /v1/auth/password`
pub async fn set_password(
    State(app): Hub,
    Extension(by): By,
    Extension(who): Asking,
    Body(body): Body<PasswordBody>,
) -> Reply<NoContent> {
    gone(app.set_password(&by, &who, body).await)
}

/// `POST /v1/auth/mfa/enrol`
pub async fn enrol(
    State(app): Hub,
    Extension(by): By,
    Extension(who): Asking,
    Body(body): Body<EnrolBody>,
) -> Reply<Answer<Enrolment>> {
    ok(app.enrol_mfa(&by, &who, body).await)
}

/// `POST /v1/auth/mfa/confirm`
pub async fn confirm(
    State(app): Hub,
    Extension(by): By,
    Extension(who): Asking,
    Body(body): Body<CodeBody>,
) -> Reply<Answer<RecoveryCodes>> {
    ok(app.confirm_mfa(&by, &who, body).await)
}

/// `POST /v1/auth/mfa/disable`
pub async fn disable(
    State(app): Hub,
    Extension(by): By,
    Extension(who): Asking,
    Body(body): Body<DisableBody>,
) -> Reply<NoContent> {
    gone(app.disable_mfa(&by, &who, body).await)
}

/// `POST /v1/auth/accept`
pub async fn accept(
    State(app): Hub,
    Extension(by): By,
    Extension(who): Asking,
    Body(body): Body<AcceptBody>,
) -> Reply<Answer<Accepted>> {
    ok(app.accept(&by, &who, body).await)
}

/// `POST /v1/tokens`
pub async fn create_token(
    State(app): Hub,
    Extension(by): By,
    Extension(who): Asking,
    Body(body): Body<TokenBody>,
) -> Reply<Created<NewToken>> {
    made(app.create_token(&by, &who, body).await)
}

/// `GET /v1/tokens`
pub async fn tokens(State(app): Hub, Extension(who): Asking) -> Reply<Answer<Tokens>> {
    ok(app.tokens(&who).await)
}

/// `DELETE /v1/tokens/{id}`
pub async fn revoke_token(
    State(app): Hub,
    Extension(by): By,
    Extension(who): Asking,
    Path(id): Path<String>,
) -> Reply<NoContent> {
    gone(app.revoke_token(&by, &who, &id).await)
}

/// `GET /v1/operators`
pub async fn operators(State(app): Hub) -> Reply<Answer<Operators>> {
    ok(app.operators().await)
}

/// `POST /v1/operators/{id}/disable`
pub async fn disable_operator(
    State(app): Hub,
    Extension(by): By,
    Extension(who): Asking,
    Path(id): Path<String>,
) -> Reply<Answer<Operator>> {
    ok(app.disable_operator(&by, &who, &id).await)
}

/// `POST /v1/operators/{id}/enable`
pub async fn enable_operator(State(app): Hub, Extension(by): By, Path(id): Path<String>) -> Reply<Answer<Operator>> {
    ok(app.enable_operator(&by, &id).await)
}
