//! Bodies that nobody read to their end. A server that answers early and closes makes the client's system throw the answer away
//! (the reset overtakes it: RFC 9112, 9.6), so that what is left is read and thrown away while the answer is on its way, within
//! bounds.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::{body::Body, extract::Request};
use bytes::Bytes;
use http::{Version, header::EXPECT};
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt as _;
use tokio::{runtime::Handle, time::timeout};

/// How much of a body is thrown away at most; what sends more is cut off.
const BYTES_MAX: usize = 64 * 1024 * 1024;

/// For how long at most.
const TIME_MAX: Duration = Duration::from_secs(5);

/// A layer for `axum::middleware::map_request`: what is left of the body when its reader is done is thrown away.
///
/// Left alone are HTTP/2, where an answer and a reset are of one stream and come in order, and a client that waits to be asked for
/// its body (`Expect: 100-continue`) and was not: it sends none.
#[expect(clippy::unused_async, reason = "`map_request` takes what is async")]
pub async fn drain(request: Request) -> Request {
    let is_done = request.body().is_end_stream();
    if is_done || request.version() >= Version::HTTP_2 {
        return request;
    }
    let waits = request.headers().contains_key(EXPECT);
    request.map(|body| Body::new(Drained { body: Some(body), is_asked_for: !waits }))
}

/// A body that reads itself to its end when it is dropped.
struct Drained {
    /// None where there is nothing left.
    body: Option<Body>,
    /// Whether the client was told to send it, or did not ask.
    is_asked_for: bool,
}

impl HttpBody for Drained {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        self.is_asked_for = true;
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        let frame = ready!(Pin::new(body).poll_frame(context));
        if !matches!(frame, Some(Ok(_))) {
            self.body = None;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(|| SizeHint::with_exact(0), HttpBody::size_hint)
    }
}

impl Drop for Drained {
    fn drop(&mut self) {
        let Some(body) = self.body.take().filter(|body| self.is_asked_for && !body.is_end_stream()) else { return };
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(timeout(TIME_MAX, throw_away(body)));
        }
    }
}

async fn throw_away(mut body: Body) {
    let mut left = BYTES_MAX;
    while let Some(Ok(frame)) = body.frame().await {
        let bytes = frame.data_ref().map_or(0, Bytes::len);
        let Some(fewer) = left.checked_sub(bytes) else { return };
        left = fewer;
    }
}
