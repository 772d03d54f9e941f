//! From HTTP to a call: the last module that names axum's inbound types. Sizes and times are bounded before anything is read.

use std::{error::Error, panic::AssertUnwindSafe, sync::Arc};

use axum::{
    body::Body,
    extract::{Extension, Path, State},
    response::Response,
};
use bytes::Bytes;
use futures_util::FutureExt;
use http::{HeaderMap, Method, StatusCode, Uri};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use santokit_core::{
    code::Code,
    name,
    problem::{Outcome, Problem},
};
use serde_json::{Map, Value as Json, value::RawValue};

use super::{
    auth::{Credential, Hints},
    layers::RequestId,
    respond::{self, Trail},
};
use crate::app::{App, Call};

/// Params, by name.
type Params = Map<String, Json>;

/// `POST /call`: the path and the params are in the body.
pub async fn call(
    State(app): State<Arc<App>>,
    Extension(id): Extension<RequestId>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    serve(&app, &id, &headers, async {
        let body = object(&read(&app, body).await?)?;
        let (path, params) = path_and_params(body)?;
        match path.strip_prefix("logics/") {
            Some(name) => Ok((name.to_owned(), params)),
            None => Err(Problem::new(Code::NotFound, "there is nothing to call at that path")
                .hint("logics are at logics/{name}")),
        }
    })
    .await
}

/// `POST /logics/{name}`: the params are the body.
pub async fn logic(
    State(app): State<Arc<App>>,
    Extension(id): Extension<RequestId>,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    serve(&app, &id, &headers, async { Ok((name, object(&read(&app, body).await?)?)) }).await
}

/// No route.
pub async fn not_found(Extension(id): Extension<RequestId>, uri: Uri) -> Response {
    let problem = Problem::new(Code::NotFound, "there is no such path");
    let problem = match name::nearest(uri.path(), ["/call", "/logics", "/healthz", "/readyz", "/metrics"]) {
        Some(near) => problem.hint(format!("did you mean {near}?")),
        None => problem.hint("calls are POST /call and POST /logics/{name}"),
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

/// Who calls, then what is called, then the call. The credential is checked before the body is read.
async fn serve(
    app: &App,
    id: &RequestId,
    headers: &HeaderMap,
    read: impl Future<Output = Outcome<(String, Params)>>,
) -> Response {
    let mut trail = Trail::default();
    // Caught here, the answer after a panic still names its release.
    let running = AssertUnwindSafe(run(app, id, headers, read, &mut trail)).catch_unwind().await;
    let outcome = running.unwrap_or_else(|_| Err(Problem::internal("the request's task panicked")));
    let _span = tracing::info_span!("response").entered();
    respond::answer(outcome, trail, &id.0, app.config.response_limit)
}

async fn run(
    app: &App,
    id: &RequestId,
    headers: &HeaderMap,
    read: impl Future<Output = Outcome<(String, Params)>>,
    trail: &mut Trail,
) -> Outcome<Box<RawValue>> {
    let pinned =
        tracing::info_span!("auth").in_scope(|| app.identify(&Credential::read(headers)?, &Hints::read(headers)))?;
    let generation = &pinned.generation;
    trail.project = Some(generation.env.project.clone());
    trail.env = Some(generation.env.env.clone());
    trail.release_id = Some(generation.release_id.clone());
    trail.auth_type = Some(pinned.actor.kind);
    let (name, params) = read.await?;
    if generation.logics.contains_key(&name) {
        trail.logic = Some(name.clone());
    }
    app.call(Call { pinned, name, params, request_id: id.0.clone() }).await
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
    match serde_json::from_slice(bytes) {
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
