//! A component's answer on its way to the client. Whoever leaves before its end ends the invocation too; an answer that is whole lets it
//! come to its own end.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::StatusCode;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt as _;
use santokit_core::problem::Outcome;
use santokit_wasm::{BodyError, GuestBody};
use tokio::task::JoinSet;

use crate::edge::counting::Counting;

/// How an answer has begun.
#[derive(Debug)]
pub(super) enum Begun {
    /// It has no body, and there is nothing more of it.
    Empty,
    /// It has none for the client; what the component still writes is for nobody.
    Unseen(GuestBody),
    /// Its first part, if it is here.
    Body { first: Option<Frame<Bytes>>, body: GuestBody },
}

/// The body that is sent.
#[derive(Debug)]
pub(super) struct MountedBody {
    first: Option<Frame<Bytes>>,
    /// None where nothing more comes.
    rest: Option<GuestBody>,
    task: Option<JoinSet<Outcome<()>>>,
    counting: Option<Counting>,
    status: StatusCode,
}

impl MountedBody {
    pub(super) fn new(
        begun: Begun,
        task: JoinSet<Outcome<()>>,
        counting: Option<Counting>,
        status: StatusCode,
    ) -> Self {
        let (first, rest) = match begun {
            Begun::Body { first, body } => (first, Some(body)),
            Begun::Empty => (None, None),
            Begun::Unseen(mut body) => {
                tokio::spawn(async move { while let Some(Ok(_)) = body.frame().await {} });
                (None, None)
            }
        };
        let mut made = Self { first, rest, task: Some(task), counting, status };
        if made.rest.is_none() {
            made.end(true);
        }
        made
    }

    /// The client has all that it gets; the invocation goes on to its end, within its limits, if it is well.
    fn end(&mut self, is_well: bool) {
        if let Some(counting) = self.counting.take() {
            let status = if is_well { self.status } else { StatusCode::INTERNAL_SERVER_ERROR };
            counting.end(status, !is_well);
        }
        if let Some(mut task) = self.task.take() {
            task.detach_all();
        }
    }
}

impl Body for MountedBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(Ok(first)));
        }
        let Some(rest) = &mut self.rest else { return Poll::Ready(None) };
        let frame = ready!(Pin::new(rest).poll_frame(context));
        if !matches!(frame, Some(Ok(_))) {
            self.rest = None;
            self.end(frame.is_none());
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.first.is_none() && self.rest.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        let first = self.first.as_ref().and_then(Frame::data_ref).map_or(0, Bytes::len) as u64;
        match self.rest.as_ref().map(|rest| rest.size_hint().exact()) {
            None => SizeHint::with_exact(first),
            Some(Some(rest)) => SizeHint::with_exact(first.saturating_add(rest)),
            Some(None) => SizeHint::default(),
        }
    }
}

impl Drop for MountedBody {
    fn drop(&mut self) {
        // Who knows the length does not ask whether anything follows.
        if self.first.is_none() && self.rest.as_ref().is_some_and(GuestBody::is_whole) {
            self.end(true);
        }
        // Who leaves ends the invocation, and before the guest sees that nobody reads it any more: what it makes of that is no failure of
        // its own.
        drop(self.task.take());
    }
}
