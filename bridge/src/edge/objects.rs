//! `/p/{project}/{env}/storage/…`: objects that the Bridge keeps itself, at URLs that it has signed. The URL is the credential: who holds it may do
//! what it says. Nothing is decided here, and nothing is kept in memory but a part of the object.

use std::{panic::AssertUnwindSafe, sync::Arc};

use axum::{
    body::Body,
    extract::{Extension, Request, State},
    response::Response,
};
use chrono::Utc;
use futures_util::FutureExt as _;
use http::{HeaderMap, StatusCode, request::Parts};
use percent_encoding::percent_decode_str;
use santokit_core::{
    code::Code,
    problem::{Outcome, Problem},
    storage::{ObjectKey, told::Happened},
};

use super::{
    auth::{Credential, Hints, Pinned},
    layers::{ClientAddress, RequestId},
    request::origin,
    respond::{self, Trail},
};
use crate::{
    app::App,
    config::EnvName,
    storage::{
        Bucket,
        asked::problem_of,
        signed::{Deed, Refusal, Signed, Size, Upload},
        told::Told,
    },
};

mod download;
mod upload;

/// What a path names.
#[derive(Debug, PartialEq, Eq)]
struct Place {
    project: String,
    env: String,
    bucket: String,
    key: String,
}

/// `/p/{project}/{env}/storage/{bucket}/{key}`
pub async fn object(
    State(app): State<Arc<App>>,
    Extension(id): Extension<RequestId>,
    Extension(from): Extension<ClientAddress>,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let mut trail = Trail::default();
    // Caught here, the answer after a panic still names its release.
    let running = AssertUnwindSafe(run(&app, from, &parts, body, &mut trail)).catch_unwind().await;
    match running.unwrap_or_else(|_| Err(Problem::internal("the request's task panicked"))) {
        Ok(mut response) => {
            respond::name_release(&trail, response.headers_mut());
            response.extensions_mut().insert(trail);
            response
        }
        Err(problem) => respond::answer(Err(problem), trail, &id.0, app.config.response_limit),
    }
}

async fn run(
    app: &App,
    ClientAddress(address): ClientAddress,
    parts: &Parts,
    body: Body,
    trail: &mut Trail,
) -> Outcome<Response> {
    let place = Place::of(parts.uri.path()).ok_or_else(|| Problem::new(Code::NotFound, "there is no such path"))?;
    let hints = Hints { project: Some(place.project.clone()), env: Some(place.env.clone()) };
    let (Pinned { generation, .. }, _) = app.identify(&Credential::None, &hints, origin(&parts.headers, address))?;
    trail.project = Some(generation.env.project.clone());
    trail.env = Some(generation.env.env.clone());
    trail.release_id = Some(generation.release_id.clone());
    let found = generation.buckets.get(&place.bucket);
    let signed = match found {
        Some(bucket) => signed(bucket, &generation.env, &place, parts).await,
        None => Err(refused(Refusal::Forged)),
    };
    let (bucket, signed) = match (found, signed) {
        (Some(bucket), Ok(signed)) => (bucket, signed),
        (_, Err(problem)) if problem.code == Code::Forbidden => {
            // Who tries signatures is slowed down as who tries keys.
            app.rates.admit_refused(address).await?;
            return Err(problem);
        }
        (_, Err(problem)) => return Err(problem),
        (None, Ok(_)) => return Err(refused(Refusal::Forged)),
    };
    match &signed.deed {
        Deed::Get { save_as } => {
            trail.op = Some("object_get");
            download::answer(bucket, &signed, save_as.as_deref(), parts).await
        }
        Deed::Put(upload) => {
            trail.op = Some("object_put");
            let told = Told { generation: &generation, by: "url", metrics: &app.metrics };
            told.admit(bucket, Happened::Upload).await?;
            let put = upload::answer(bucket, &signed.key, upload, (&parts.headers, body), app.config.body_timeout);
            let (response, stat) = put.await?;
            told.there(bucket, &stat).await?;
            Ok(response)
        }
        Deed::Part { upload, part, size } => {
            trail.op = Some("object_part");
            let (of_parts, key) = bucket.part_place(upload, *part).ok_or_else(|| refused(Refusal::Forged))?;
            let upload = Upload { size: Size::Exactly(*size), ..Upload::default() };
            let put = upload::answer(&of_parts, &key, &upload, (&parts.headers, body), app.config.body_timeout);
            put.await.map(|(response, _)| response)
        }
    }
}

/// What the URL says, where we have said it.
async fn signed(bucket: &Bucket, env: &EnvName, place: &Place, parts: &Parts) -> Outcome<Signed> {
    let url_key = bucket.url_key().await.map_err(|error| problem_of(&error))?;
    let url_key = url_key.ok_or_else(|| refused(Refusal::Forged))?;
    let key = ObjectKey::parse(&place.key).ok().filter(|key| key.as_str() == place.key);
    let key = key.ok_or_else(|| refused(Refusal::Forged))?;
    let query = parts.uri.query().unwrap_or_default();
    let signed = Signed::check((env, &url_key), &place.bucket, key, query, Utc::now()).map_err(refused)?;
    if signed.is_for(&parts.method) { Ok(signed) } else { Err(refused(Refusal::Forged)) }
}

/// Why is not told to who made it up.
fn refused(refusal: Refusal) -> Box<Problem> {
    match refusal {
        Refusal::Expired => Problem::new(Code::Forbidden, "this URL has expired").hint("ask for a new one"),
        Refusal::Forged => Problem::new(Code::Forbidden, "this URL is not signed for that")
            .hint("use it as it was given, with its method, and ask for a new one where it was changed"),
    }
}

impl Place {
    /// Each part is decoded once; what is no UTF-8 names nothing.
    fn of(path: &str) -> Option<Self> {
        let mut parts = path.strip_prefix("/p/")?.splitn(5, '/');
        let mut part = || parts.next();
        let (project, env, storage, bucket, key) = (part()?, part()?, part()?, part()?, part()?);
        if storage != "storage" {
            return None;
        }
        let decoded = |text: &str| percent_decode_str(text).decode_utf8().ok().map(std::borrow::Cow::into_owned);
        // A slash that is written as %2F is no end of a segment, and no key has one in a segment.
        if key.to_ascii_lowercase().contains("%2f") {
            return None;
        }
        Some(Self { project: decoded(project)?, env: decoded(env)?, bucket: decoded(bucket)?, key: decoded(key)? })
    }
}

/// A header as text; what is no text is not there.
fn text<'h>(headers: &'h HeaderMap, name: &http::HeaderName) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

/// An answer without a body.
fn empty(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_names_one_object() {
        let place = Place::of("/p/shop/prod/storage/images/a/b%20c/%C3%A9").unwrap();
        assert_eq!((place.bucket.as_str(), place.key.as_str()), ("images", "a/b c/\u{e9}"));
        assert_eq!((place.project.as_str(), place.env.as_str()), ("shop", "prod"));
        for path in [
            "/p/shop/prod/storage/images",
            "/p/shop/prod/other/images/a",
            "/p/shop/storage/images/a",
            "/p/shop/prod/storage/images/a%2Fb",
            "/p/shop/prod/storage/images/a%2fb",
            "/p/shop/prod/storage/images/%ff",
            "/storage/images/a",
        ] {
            assert_eq!(Place::of(path), None, "{path}");
        }
    }
}
