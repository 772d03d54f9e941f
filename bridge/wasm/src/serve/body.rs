//! The body of a guest's answer on its way to the client. It is counted, held to the length that it says, and ends well only if the
//! invocation did: what a trap or a limit has cut off must not look whole.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::sync::{Notify, oneshot};
use wasmtime_wasi_http::p2::body::HyperOutgoingBody;

/// How an invocation has ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ended {
    pub(super) is_well: bool,
}

/// Why an answer ends early.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// It is longer than the invocation's `output`.
    #[error("the answer is longer than it may be")]
    Output,
    /// Its guest failed, or it is not as long as it said.
    #[error("the answer broke off")]
    Broken,
}

/// The body of an answer.
#[derive(Debug)]
pub struct GuestBody {
    /// None where nothing more comes.
    inner: Option<HyperOutgoingBody>,
    declared: Option<u64>,
    sent: u64,
    progress: Arc<Progress>,
    ended: oneshot::Receiver<Ended>,
}

/// How much of an answer has come. The body tells, and who runs the guest listens.
#[derive(Debug)]
pub(super) struct Progress {
    bytes: AtomicU64,
    bytes_max: u64,
    is_exceeded: AtomicBool,
    exceeded: Notify,
}

impl Progress {
    pub(super) fn new(bytes_max: u64) -> Self {
        Self { bytes: AtomicU64::new(0), bytes_max, is_exceeded: AtomicBool::new(false), exceeded: Notify::new() }
    }

    pub(super) fn bytes_max(&self) -> u64 {
        self.bytes_max
    }

    pub(super) fn sent_bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Counts; false beyond the maximum.
    fn add(&self, bytes: u64) -> bool {
        let total = self.bytes.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes);
        total <= self.bytes_max
    }

    pub(super) fn exceed(&self) {
        self.is_exceeded.store(true, Ordering::Release);
        self.exceeded.notify_one();
    }

    pub(super) fn is_exceeded(&self) -> bool {
        self.is_exceeded.load(Ordering::Acquire)
    }

    /// Ends when it is.
    pub(super) async fn exceeded(&self) {
        self.exceeded.notified().await;
    }
}

impl GuestBody {
    pub(super) fn new(
        inner: HyperOutgoingBody,
        declared: Option<u64>,
        progress: Arc<Progress>,
        ended: oneshot::Receiver<Ended>,
    ) -> Self {
        Self { inner: Some(inner), declared, sent: 0, progress, ended }
    }

    /// Whether all that was declared has come.
    pub fn is_whole(&self) -> bool {
        self.declared == Some(self.sent)
    }

    /// What is written of it is for nobody: a length is that of what somebody else would get.
    pub fn for_nobody(&mut self) {
        self.declared = None;
    }

    fn take_in(&mut self, frame: &Frame<Bytes>) -> Result<(), BodyError> {
        let bytes = frame.data_ref().map_or(0, Bytes::len) as u64;
        self.sent = self.sent.saturating_add(bytes);
        if self.declared.is_some_and(|declared| self.sent > declared) {
            return Err(BodyError::Broken);
        }
        if !self.progress.add(bytes) {
            self.progress.exceed();
            return Err(BodyError::Output);
        }
        Ok(())
    }

    fn fail(&mut self, error: BodyError) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        self.inner = None;
        Poll::Ready(Some(Err(error)))
    }
}

impl Body for GuestBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let frame = loop {
            let Some(inner) = &mut self.inner else { return Poll::Ready(None) };
            let frame = ready!(Pin::new(inner).poll_frame(context));
            // What is empty counts nowhere: in HTTP/2 it would lie in a queue that nothing bounds (GHSA-f8mm-ggr3-89wh). The channel that
            // it comes from lets others run now and then.
            if !matches!(&frame, Some(Ok(frame)) if frame.data_ref().is_some_and(Bytes::is_empty)) {
                break frame;
            }
        };
        match frame {
            Some(Ok(frame)) => match self.take_in(&frame) {
                Ok(()) => Poll::Ready(Some(Ok(frame))),
                Err(error) => self.fail(error),
            },
            Some(Err(_)) => self.fail(BodyError::Broken),
            None if self.declared.is_some_and(|declared| declared != self.sent) => self.fail(BodyError::Broken),
            // What the guest has left of it is over: whether that is its end, its invocation says.
            None => match ready!(Pin::new(&mut self.ended).poll(context)) {
                Ok(Ended { is_well: true }) => {
                    self.inner = None;
                    Poll::Ready(None)
                }
                _ if self.progress.is_exceeded() => self.fail(BodyError::Output),
                _ => self.fail(BodyError::Broken),
            },
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        match self.declared {
            Some(declared) => SizeHint::with_exact(declared.saturating_sub(self.sent)),
            None => SizeHint::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::{BodyExt as _, Full, StreamBody};
    use wasmtime_wasi_http::Error;

    use super::*;

    fn body(text: &'static str, declared: Option<u64>, bytes_max: u64) -> (GuestBody, oneshot::Sender<Ended>) {
        let (end, ended) = oneshot::channel();
        let inner = Full::new(Bytes::from_static(text.as_bytes())).map_err(|never| match never {}).boxed_unsync();
        (GuestBody::new(inner, declared, Arc::new(Progress::new(bytes_max)), ended), end)
    }

    async fn read(body: GuestBody) -> Result<usize, BodyError> {
        body.collect().await.map(|whole| whole.to_bytes().len())
    }

    #[tokio::test]
    async fn an_answer_is_whole_only_if_its_invocation_ended_well() {
        let (whole, end) = body("abc", None, 10);
        let _ = end.send(Ended { is_well: true });
        assert_eq!(read(whole).await, Ok(3));
        let (failed, end) = body("abc", None, 10);
        let _ = end.send(Ended { is_well: false });
        assert_eq!(read(failed).await, Err(BodyError::Broken));
        // Whoever ran it has gone.
        let (left, end) = body("abc", None, 10);
        drop(end);
        assert_eq!(read(left).await, Err(BodyError::Broken));
    }

    #[tokio::test]
    async fn an_answer_is_as_long_as_it_says_and_no_longer_than_it_may_be() {
        for (declared, bytes_max, expected) in [
            (Some(3), 3, Ok(3)),
            (None, 3, Ok(3)),
            (Some(2), 10, Err(BodyError::Broken)),
            (Some(4), 10, Err(BodyError::Broken)),
            (None, 2, Err(BodyError::Output)),
        ] {
            let (body, end) = body("abc", declared, bytes_max);
            let _ = end.send(Ended { is_well: true });
            let progress = Arc::clone(&body.progress);
            assert_eq!(read(body).await, expected, "{declared:?} {bytes_max}");
            assert_eq!(progress.is_exceeded(), expected == Err(BodyError::Output));
        }
    }

    #[tokio::test]
    async fn what_is_empty_is_not_passed_on() {
        let (end, ended) = oneshot::channel();
        let parts = ["", "a", "", "", "b", ""].map(|part| Ok(Frame::data(Bytes::from_static(part.as_bytes()))));
        let inner = StreamBody::new(futures_util::stream::iter(parts)).boxed_unsync();
        let mut body = GuestBody::new(inner, None, Arc::new(Progress::new(10)), ended);
        let _ = end.send(Ended { is_well: true });
        let mut frames = Vec::new();
        while let Some(Ok(frame)) = body.frame().await {
            frames.push(frame.into_data().map(|data| data.len()).ok());
        }
        assert_eq!(frames, [Some(1), Some(1)]);
    }

    #[tokio::test]
    async fn an_aborted_answer_is_broken() {
        let (_end, ended) = oneshot::channel();
        let parts = [Ok(Frame::data(Bytes::from_static(b"a"))), Err(Error::HttpProtocolError)];
        let inner = StreamBody::new(futures_util::stream::iter(parts)).boxed_unsync();
        let mut body = GuestBody::new(inner, None, Arc::new(Progress::new(10)), ended);
        assert!(body.frame().await.is_some_and(|frame| frame.is_ok()));
        assert!(body.frame().await.is_some_and(|frame| frame.is_err()));
        assert!(body.frame().await.is_none() && body.is_end_stream());
    }
}
