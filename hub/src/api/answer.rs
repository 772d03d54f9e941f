//! What handlers answer, by kind: the type of an answer is what the OpenAPI document says of it.

use std::{convert::Infallible, io};

use axum::{
    body::Body,
    extract::FromRequestParts,
    http::{HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures_util::stream;
use santokit_core::problem::{Outcome, Problem};
use serde::Serialize;
use tokio::{fs::File, io::AsyncReadExt};

use super::respond::{Refused, json};
use crate::app::{backup::Backup, bridges};

const READ_BYTES: usize = 64 << 10;

/// 200 with a JSON body.
#[derive(Debug)]
pub struct Answer<T>(pub T);

/// 201 with a JSON body.
#[derive(Debug)]
pub struct Created<T>(pub T);

/// The same, and nobody on the way keeps it.
#[derive(Debug)]
pub struct CreatedOnce<T>(pub T);

/// 204.
#[derive(Clone, Copy, Debug)]
pub struct NoContent;

/// 200 without a body, to a HEAD.
#[derive(Clone, Copy, Debug)]
pub struct Exists;

/// 200 with a JSON body and its `ETag`, or 304.
#[derive(Debug)]
pub struct Tagged<T>(pub bridges::Tagged<T>);

/// 200 with the bytes of a component.
#[derive(Debug)]
pub struct Component(pub Vec<u8>);

/// 200 with a backup, as a stream.
#[derive(Debug)]
pub struct Tar(pub Backup);

/// 200 with what is counted.
#[derive(Debug)]
pub struct Metrics(pub Vec<u8>);

/// The `ETag` of what the caller has.
#[derive(Debug)]
pub struct IfNoneMatch(pub Option<String>);

/// 200 with it.
pub(super) fn ok<T>(outcome: Outcome<T>) -> Result<Answer<T>, Refused> {
    Ok(Answer(outcome?))
}

/// 201 with it.
pub(super) fn made<T>(outcome: Outcome<T>) -> Result<Created<T>, Refused> {
    Ok(Created(outcome?))
}

/// 204.
pub(super) fn gone(outcome: Outcome<()>) -> Result<NoContent, Refused> {
    outcome?;
    Ok(NoContent)
}

impl<T: Serialize> IntoResponse for Answer<T> {
    fn into_response(self) -> Response {
        json(StatusCode::OK, &self.0)
    }
}

impl<T: Serialize> IntoResponse for Created<T> {
    fn into_response(self) -> Response {
        json(StatusCode::CREATED, &self.0)
    }
}

impl<T: Serialize> IntoResponse for CreatedOnce<T> {
    fn into_response(self) -> Response {
        let mut response = Created(self.0).into_response();
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }
}

impl IntoResponse for NoContent {
    fn into_response(self) -> Response {
        StatusCode::NO_CONTENT.into_response()
    }
}

impl IntoResponse for Exists {
    fn into_response(self) -> Response {
        StatusCode::OK.into_response()
    }
}

impl<T: Serialize> IntoResponse for Tagged<T> {
    fn into_response(self) -> Response {
        let Some((body, etag)) = self.0 else { return StatusCode::NOT_MODIFIED.into_response() };
        let etag = match HeaderValue::from_str(&etag) {
            Ok(etag) => etag,
            Err(error) => return Refused(Problem::internal(error)).into_response(),
        };
        let mut response = json(StatusCode::OK, &body);
        let headers = response.headers_mut();
        headers.insert(header::ETAG, etag);
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
        response
    }
}

impl IntoResponse for Component {
    fn into_response(self) -> Response {
        ([(header::CONTENT_TYPE, "application/wasm")], self.0).into_response()
    }
}

impl IntoResponse for Tar {
    fn into_response(self) -> Response {
        let body = Body::from_stream(stream::try_unfold(File::from_std(self.0.file), read));
        let headers = [
            (header::CONTENT_TYPE, HeaderValue::from_static("application/x-tar")),
            (header::CONTENT_LENGTH, HeaderValue::from(self.0.length)),
            (header::CACHE_CONTROL, HeaderValue::from_static("private, no-store")),
        ];
        (headers, body).into_response()
    }
}

async fn read(mut file: File) -> io::Result<Option<(Bytes, File)>> {
    let mut bytes = vec![0; READ_BYTES];
    let length = file.read(&mut bytes).await?;
    bytes.truncate(length);
    Ok((length > 0).then(|| (Bytes::from(bytes), file)))
}

impl IntoResponse for Metrics {
    fn into_response(self) -> Response {
        ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], self.0).into_response()
    }
}

impl<S: Sync> FromRequestParts<S> for IfNoneMatch {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let sent = parts.headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
        Ok(Self(sent.map(str::to_owned)))
    }
}
