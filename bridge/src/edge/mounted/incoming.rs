//! The body of a request on its way to a component: bounded in bytes and in time as every other, and not kept.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use axum::body::Body;
use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use santokit_core::{
    code::Code,
    problem::{Outcome, Problem},
};
use santokit_wasm::IncomingError;
use tokio::time::{Sleep, sleep};

/// A body that is read.
pub(super) struct Incoming {
    /// None where nothing more comes.
    body: Option<Body>,
    left: usize,
    late: Pin<Box<Sleep>>,
    fault: Fault,
}

/// What is wrong with a body, which its client is told whatever a component makes of it.
#[derive(Clone, Debug, Default)]
pub(super) struct Fault(Arc<AtomicU8>);

const TOO_LARGE: u8 = 1;
const LATE: u8 = 2;
const BROKEN: u8 = 3;

impl Incoming {
    /// Refused where it says that it is too large.
    pub(super) fn new(body: Body, limit: usize, timeout: Duration) -> Outcome<(Self, Fault)> {
        let fault = Fault::default();
        if body.size_hint().lower() > limit as u64 {
            return Err(too_large(limit));
        }
        let late = Box::pin(sleep(timeout));
        Ok((Self { body: Some(body), left: limit, late, fault: fault.clone() }, fault))
    }

    fn fail(&mut self, fault: u8, error: IncomingError) -> Poll<Option<Result<Frame<Bytes>, IncomingError>>> {
        self.body = None;
        self.fault.0.store(fault, Ordering::Release);
        Poll::Ready(Some(Err(error)))
    }
}

impl HttpBody for Incoming {
    type Data = Bytes;
    type Error = IncomingError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, IncomingError>>> {
        loop {
            let Some(body) = &mut self.body else { return Poll::Ready(None) };
            let data = match Pin::new(body).poll_frame(context) {
                Poll::Pending if self.late.as_mut().poll(context).is_ready() => {
                    return self.fail(LATE, IncomingError::Broken);
                }
                Poll::Pending => return Poll::Pending,
                Poll::Ready(None) => {
                    self.body = None;
                    return Poll::Ready(None);
                }
                Poll::Ready(Some(Err(_))) => return self.fail(BROKEN, IncomingError::Broken),
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    Ok(data) => data,
                    // Trailers can be anything that a header can be, and nobody has looked at them.
                    Err(_trailers) => continue,
                },
            };
            let Some(left) = self.left.checked_sub(data.len()) else {
                return self.fail(TOO_LARGE, IncomingError::TooLarge);
            };
            self.left = left;
            return Poll::Ready(Some(Ok(Frame::data(data))));
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(|| SizeHint::with_exact(0), HttpBody::size_hint)
    }
}

impl Fault {
    /// For the client.
    pub(super) fn problem(&self, limit: usize) -> Option<Box<Problem>> {
        match self.0.load(Ordering::Acquire) {
            TOO_LARGE => Some(too_large(limit)),
            LATE => Some(Problem::new(Code::BadRequest, "the body did not arrive in time")),
            BROKEN => Some(Problem::new(Code::BadRequest, "the body could not be read")),
            _ => None,
        }
    }
}

fn too_large(limit: usize) -> Box<Problem> {
    Problem::limit(Code::BadRequest, "requestBody", format!("the body is larger than {limit} bytes"))
}
