//! From HTTP to a call: the last module that names axum's inbound types. Sizes and times are bounded before anything is read.

use std::{error::Error, net::IpAddr, panic::AssertUnwindSafe, sync::Arc};

use axum::{
    body::Body,
    extract::{Extension, Path, State, rejection::PathRejection},
    response::Response,
};
use bytes::Bytes;
use futures_util::FutureExt;
use http::{HeaderMap, Method, StatusCode, Uri, header::HOST};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use santokit_core::{
    code::Code,
    name,
    problem::{Outcome, Problem},
};
use serde_json::{Map, Value as Json};
use tracing::field::Empty;

use super::{
    auth::{self, Credential, Hints, Pinned},
    counting::Counting,
    layers::{ClientAddress, RequestId},
    respond::{self, Trail},
};
use crate::{
    app::{Answer, App, Asked, Asking},
    crud::{self, idempotency::Remembered},
    events,
    release::{canary::Tally, serving::Origin},
    storage::ops::ObjectOp,
};

/// Params, by name.
type Params = Map<String, Json>;

/// `POST /call`: the path and the params are in the body.
pub async fn call(
    State(app): State<Arc<App>>,
    Extension(id): Extension<RequestId>,
    Extension(from): Extension<ClientAddress>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    serve(&app, &id, (&headers, from), async {
        let body = object(&read(&app, body).await?)?;
        let (path, params) = path_and_params(body)?;
        Ok((asked(&path)?, params))
    })
    .await
}

/// `POST /db/{table}/{op}`: the params are the body.
pub async fn table(
    State(app): State<Arc<App>>,
    Extension(id): Extension<RequestId>,
    Extension(from): Extension<ClientAddress>,
    path: Result<Path<(String, String)>, PathRejection>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    serve(&app, &id, (&headers, from), async {
        let Path((table, verb)) =
            path.map_err(|error| Problem::new(Code::BadRequest, "the path is not UTF-8").because(error))?;
        let params = object(&read(&app, body).await?)?;
        Ok((asked(&format!("db/{table}/{verb}"))?, params))
    })
    .await
}

/// `POST /storage/{bucket}/{op}`: the params are the body.
pub async fn storage(
    State(app): State<Arc<App>>,
    Extension(id): Extension<RequestId>,
    Extension(from): Extension<ClientAddress>,
    path: Result<Path<(String, String)>, PathRejection>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    serve(&app, &id, (&headers, from), async {
        let Path((bucket, op)) =
            path.map_err(|error| Problem::new(Code::BadRequest, "the path is not UTF-8").because(error))?;
        let params = object(&read(&app, body).await?)?;
        Ok((asked(&format!("storage/{bucket}/{op}"))?, params))
    })
    .await
}

/// `POST /batch`: the body has the calls.
pub async fn batch(
    State(app): State<Arc<App>>,
    Extension(id): Extension<RequestId>,
    Extension(from): Extension<ClientAddress>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    serve(&app, &id, (&headers, from), async { Ok((Asked::Batch, object(&read(&app, body).await?)?)) }).await
}

/// `POST /logics/{name}`: the params are the body.
pub async fn logic(
    State(app): State<Arc<App>>,
    Extension(id): Extension<RequestId>,
    Extension(from): Extension<ClientAddress>,
    name: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    serve(&app, &id, (&headers, from), async {
        let Path(name) =
            name.map_err(|error| Problem::new(Code::BadRequest, "the path is not UTF-8").because(error))?;
        Ok((Asked::Logic(name), object(&read(&app, body).await?)?))
    })
    .await
}

/// `POST /events/{topic}/publish`: the payload is the body.
pub async fn publish(
    State(app): State<Arc<App>>,
    Extension(id): Extension<RequestId>,
    Extension(from): Extension<ClientAddress>,
    topic: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    serve(&app, &id, (&headers, from), async {
        let Path(topic) =
            topic.map_err(|error| Problem::new(Code::BadRequest, "the path is not UTF-8").because(error))?;
        Ok((Asked::Publish(topic), object(&read(&app, body).await?)?))
    })
    .await
}

/// No route.
pub async fn not_found(Extension(id): Extension<RequestId>, uri: Uri) -> Response {
    let problem = Problem::new(Code::NotFound, "there is no such path");
    let paths =
        ["/call", "/logics", "/db", "/batch", "/storage", "/events", "/http", "/healthz", "/readyz", "/metrics", "/p"];
    let problem = match name::nearest(uri.path(), paths) {
        Some(near) => problem.hint(format!("did you mean {near}?")),
        None => problem.hint(
            "calls are POST /call, POST /logics/{name}, POST /db/{table}/{op}, POST /storage/{bucket}/{op}, POST /batch and \
             POST /events/{topic}/publish",
        ),
    };
    respond::error(&problem, &id.0)
}

/// A route, but not with this method; axum adds `Allow`.
pub async fn method_not_allowed(Extension(id): Extension<RequestId>, method: Method) -> Response {
    let problem = Problem::new(Code::BadRequest, format!("this path does not take {method}"))
        .hint("the header Allow lists what it takes");
    let mut response = respond::error(&problem, &id.0);
    *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
    response
}

/// Who calls, then what is called, then the call. The credential is checked, and the request counted, before the body is read.
async fn serve(
    app: &App,
    id: &RequestId,
    caller: (&HeaderMap, ClientAddress),
    read: impl Future<Output = Outcome<(Asked, Params)>>,
) -> Response {
    let (mut trail, mut counting) = (Trail::default(), None);
    // Caught here, the answer after a panic still names its release.
    let running = AssertUnwindSafe(run(app, id, caller, read, (&mut trail, &mut counting))).catch_unwind().await;
    let outcome = running.unwrap_or_else(|_| Err(Problem::internal("the request's task panicked")));
    let is_logic_failed = outcome.as_ref().is_err_and(|problem| problem.code == Code::LogicFailed);
    let _span = tracing::info_span!("response").entered();
    let response = respond::answer(outcome, trail, &id.0, app.config.response_limit);
    if let Some(counting) = counting {
        counting.end(response.status(), is_logic_failed);
    }
    response
}

async fn run(
    app: &App,
    id: &RequestId,
    (headers, ClientAddress(address)): (&HeaderMap, ClientAddress),
    read: impl Future<Output = Outcome<(Asked, Params)>>,
    (trail, counting): (&mut Trail, &mut Option<Counting>),
) -> Outcome<Answer> {
    let (pinned, tally) = match authenticate(app, headers, &Hints::read(headers), address) {
        Err(problem) if problem.code == Code::Unauthorized => {
            app.rates.admit_refused(address).await?;
            return Err(problem);
        }
        pinned => pinned?,
    };
    let generation = &pinned.generation;
    trail.project = Some(generation.env.project.clone());
    trail.env = Some(generation.env.env.clone());
    trail.release_id = Some(generation.release_id.clone());
    trail.auth_type = Some(pinned.actor.kind);
    app.rates.admit(&generation.env, &pinned.actor, address).await?;
    let idempotency_key = match headers.get("idempotency-key") {
        Some(key) => Some(Remembered::check_key(key.as_bytes())?),
        None => None,
    };
    let (asked, params) = read.await?;
    if idempotency_key.is_some() && matches!(asked, Asked::Object(..)) {
        return Err(Problem::new(
            Code::BadRequest,
            "Idempotency-Key is for writes of tables and for events, not for objects",
        )
        .hint("leave it out: a URL can be asked for again, and onlyNew puts an object once"));
    }
    // Only names of the release.
    match &asked {
        Asked::Logic(name) if generation.logics.contains_key(name) => trail.logic = Some(name.clone()),
        Asked::Table(table, verb) if generation.tables.get(table).is_some() => {
            (trail.table, trail.op) = (Some(table.clone()), Some(verb.as_str()));
        }
        Asked::Batch => trail.op = Some("batch"),
        Asked::Object(_, verb) => trail.op = Some(verb.as_str()),
        Asked::Publish(_) => trail.op = Some("publish"),
        Asked::Logic(_) | Asked::Table(..) => {}
    }
    // What the caller took to send its body is not the release's.
    *counting = tally.map(|tally| Counting::begin(tally, app.metrics.clone(), generation.env.clone()));
    let base = base(app, headers);
    app.answer(Asking { pinned, asked, params, request_id: id.0.clone(), idempotency_key, base }).await
}

/// How clients reach the Bridge: as it is set, or as this one has.
fn base(app: &App, headers: &HeaderMap) -> String {
    if let Some(public) = &app.config.storage.public_url {
        return public.clone();
    }
    let scheme = if app.config.edge.tls.is_some() { "https" } else { "http" };
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost");
    format!("{scheme}://{host}")
}

/// What a path of `POST /call` names.
fn asked(path: &str) -> Outcome<Asked> {
    if path == "batch" {
        return Ok(Asked::Batch);
    }
    if let Some(name) = path.strip_prefix("logics/") {
        return Ok(Asked::Logic(name.to_owned()));
    }
    if let Some(topic) = events::topic_path(path) {
        return Ok(Asked::Publish(topic.to_owned()));
    }
    match crud::table_path(path) {
        Some((table, verb)) => Ok(Asked::Table(table.to_owned(), verb)),
        None if path.starts_with("storage/") => object_path(path),
        None if path.starts_with("db/") => Err(Problem::new(Code::NotFound, "there is no such operation of tables")
            .hint("calls of tables are db/{table}/{select|insert|update|delete}")),
        None => Err(Problem::new(Code::NotFound, "there is nothing to call at that path").hint(
            "calls are logics/{name}, db/{table}/{select|insert|update|delete}, storage/{bucket}/{op}, batch and \
             events/{topic}/publish",
        )),
    }
}

/// `storage/{bucket}/{op}`
fn object_path(path: &str) -> Outcome<Asked> {
    let named = path.strip_prefix("storage/").and_then(|rest| rest.split_once('/'));
    let found = named.and_then(|(bucket, op)| {
        let op = ObjectOp::ALL.into_iter().find(|known| known.as_str() == op)?;
        Some(Asked::Object(bucket.to_owned(), op))
    });
    found.ok_or_else(|| {
        let ops = ObjectOp::ALL.map(ObjectOp::as_str).join("|");
        Problem::new(Code::NotFound, "there is no such operation of objects")
            .hint(format!("they are storage/{{bucket}}/{{{ops}}}"))
    })
}

/// Where a request comes from, for what a canary asks.
pub(super) fn origin(headers: &HeaderMap, address: IpAddr) -> Origin<'_> {
    Origin { address, hint: auth::sticky(headers) }
}

/// Who calls, for the env that the hints name.
pub(super) fn authenticate(
    app: &App,
    headers: &HeaderMap,
    hints: &Hints,
    address: IpAddr,
) -> Outcome<(Pinned, Option<Tally>)> {
    let span = tracing::info_span!("auth", authType = Empty, code = Empty).entered();
    let pinned =
        Credential::read(headers).and_then(|credential| app.identify(&credential, hints, origin(headers, address)));
    match &pinned {
        Ok((pinned, _)) => span.record("authType", pinned.actor.kind.as_str()),
        Err(problem) => span.record("code", problem.code.as_str()),
    };
    pinned
}

/// The whole body, within its bound of bytes and of time.
async fn read(app: &App, body: Body) -> Outcome<Bytes> {
    let limit = app.config.body_limit;
    match tokio::time::timeout(app.config.body_timeout, Limited::new(body, limit).collect()).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if is_too_large(error.as_ref()) => {
            Err(Problem::limit(Code::BadRequest, "requestBody", format!("the body is larger than {limit} bytes")))
        }
        Ok(Err(error)) => Err(Problem::new(Code::BadRequest, "the body could not be read").because(error)),
        Err(_) => Err(Problem::new(Code::BadRequest, "the body did not arrive in time")),
    }
}

fn is_too_large(error: &(dyn Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if error.is::<LengthLimitError>() {
            return true;
        }
        next = error.source();
    }
    false
}

/// A JSON object; nothing at all is an empty one.
fn object(bytes: &[u8]) -> Outcome<Params> {
    if bytes.trim_ascii().is_empty() {
        return Ok(Map::new());
    }
    match serde_json::from_slice::<Json>(bytes) {
        Ok(Json::Object(object)) => Ok(object),
        Ok(_) => Err(Problem::new(Code::BadRequest, "the body is not a JSON object")),
        Err(error) => {
            let (line, column) = (error.line(), error.column());
            Err(Problem::new(Code::BadRequest, format!("the body is not JSON: line {line}, column {column}"))
                .detail("line", line)
                .detail("column", column))
        }
    }
}

/// The body of `POST /call`.
fn path_and_params(mut body: Params) -> Outcome<(String, Params)> {
    let path = body.remove("path");
    let params = body.remove("params");
    if let Some(unknown) = body.keys().next() {
        let problem = Problem::new(Code::BadRequest, format!("the body has an unknown field {unknown:?}"));
        return Err(match name::nearest(unknown, ["path", "params"]) {
            Some(near) => problem.hint(format!("did you mean {near}?")),
            None => problem.hint("a call is {\"path\": …, \"params\": {…}}"),
        });
    }
    let Some(Json::String(path)) = path else {
        return Err(Problem::new(Code::BadRequest, "path must be a text, for example \"logics/quote\""));
    };
    match params {
        None | Some(Json::Null) => Ok((path, Map::new())),
        Some(Json::Object(params)) => Ok((path, params)),
        Some(_) => Err(Problem::new(Code::BadRequest, "params must be an object")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broken_body_is_told_with_its_place() {
        let problem = object(b"{\n  \"a\": 1,\n  b\n}").unwrap_err();
        assert_eq!((problem.details["line"].as_u64(), problem.details["column"].as_u64()), (Some(3), Some(3)));
        assert!(object(b" \n").unwrap().is_empty());
        assert!(object(b"[1]").is_err());
        let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
        assert!(object(deep.as_bytes()).is_err());
    }

    #[test]
    fn a_call_is_a_path_and_params() {
        let call = |text: &str| path_and_params(object(text.as_bytes()).unwrap());
        assert_eq!(call(r#"{"path":"logics/a"}"#).unwrap().0, "logics/a");
        assert_eq!(call(r#"{"path":"logics/a","params":{"x":1}}"#).unwrap().1["x"], 1);
        assert_eq!(
            call(r#"{"path":"logics/a","param":{}}"#).unwrap_err().hint.as_deref(),
            Some("did you mean params?")
        );
        assert!(call(r#"{"path":1}"#).is_err());
        assert!(call(r#"{"path":"logics/a","params":[]}"#).is_err());
    }
}
