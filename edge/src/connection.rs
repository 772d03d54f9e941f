//! What clients may do to connections: how many there are at once, and how long a client may take for a request's head, be idle, and
//! take an answer in. One connection too many is closed at once; a client that is slower is cut off, whatever it sends to look alive.
//!
//! The clock runs on requests, not on bytes: one byte a second, or an HTTP/2 ping, keeps no connection open. It knows no route
//! and no plane. How long a body may take is a matter of who reads it.

use std::{
    future::Future,
    io,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use axum::body::Body;
use axum_server::accept::Accept;
use bytes::Bytes;
use http::{Request, Response, Version};
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::Sleep,
};
use tower::Service;

/// A larger answer is given to the connection in parts of this size, so that what a client has not taken in is not queued.
const PART_BYTES: usize = 64 << 10;
/// The same for one that comes in parts by itself: the clock runs for each of them, and an object is sent in as few steps as it was read in.
const STREAMED_BYTES: usize = 256 << 10;

/// The bounds of a listener's connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// How many there are at once; the next one is closed before it can send anything.
    pub connections_max: usize,
    /// For the handshake of TLS, for the first request to begin, and for each head after it.
    pub header_timeout: Duration,
    /// For the next request, when there is none.
    pub idle_timeout: Duration,
    /// For taking in an answer of more than 64 KiB.
    pub answer_timeout: Duration,
    /// Largest head of a request, at least 8 KiB.
    pub header_bytes_max: usize,
    /// HTTP/2 requests at once.
    pub streams_max: u32,
}

/// Holds each connection to its bounds.
#[derive(Clone, Debug)]
pub(crate) struct BoundedAcceptor<A> {
    inner: A,
    bounds: Bounds,
    places: Arc<Places>,
}

/// For connections.
#[derive(Debug)]
struct Places {
    free: Arc<Semaphore>,
    /// Since the last connection that got one: of a flood, one line is logged.
    is_full: AtomicBool,
}

/// A connection that ends by itself when its client is too slow.
#[derive(Debug)]
pub(crate) struct BoundedStream<I> {
    inner: I,
    activity: Arc<Activity>,
    timer: Option<Pin<Box<Sleep>>>,
    _place: OwnedSemaphorePermit,
}

/// Notes when requests begin and end.
#[derive(Clone, Debug)]
pub(crate) struct Noted<S> {
    inner: S,
    activity: Arc<Activity>,
}

/// What goes on on a connection.
#[derive(Debug)]
struct Activity {
    bounds: Bounds,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// Requests that are being served.
    running: usize,
    /// Since when there is none.
    idle_since: Instant,
    /// HTTP/1: since when a head arrives.
    head_since: Option<Instant>,
    is_http1: bool,
    /// Large answers that are not taken in yet, by number: since when it is the client that is waited for, if it is.
    answers: Vec<(u64, Option<Instant>)>,
    next_answer: u64,
}

/// A request that is being served; ended when dropped.
struct Running(Arc<Activity>);

/// An answer in parts; taken in, or given up, when dropped.
struct Answer {
    body: Body,
    rest: Bytes,
    number: u64,
    /// Its length is not known, as that of a stream of events: the clock runs for each part.
    is_stream: bool,
    activity: Arc<Activity>,
}

impl<A> BoundedAcceptor<A> {
    pub(crate) fn new(inner: A, bounds: Bounds) -> Self {
        let free = Arc::new(Semaphore::new(bounds.connections_max.min(Semaphore::MAX_PERMITS)));
        Self { inner, bounds, places: Arc::new(Places { free, is_full: AtomicBool::new(false) }) }
    }
}

impl Places {
    fn take(&self) -> io::Result<OwnedSemaphorePermit> {
        if let Ok(place) = self.free.clone().try_acquire_owned() {
            self.is_full.store(false, Ordering::Relaxed);
            return Ok(place);
        }
        if !self.is_full.swap(true, Ordering::Relaxed) {
            tracing::warn!("there are as many connections as may be; further ones are closed");
        }
        Err(io::Error::other("too many connections"))
    }
}

impl<A, I, S> Accept<I, S> for BoundedAcceptor<A>
where
    A: Accept<I, S>,
    A::Future: Send + 'static,
{
    type Stream = BoundedStream<A::Stream>;
    type Service = Noted<A::Service>;
    type Future = Pin<Box<dyn Future<Output = io::Result<(Self::Stream, Self::Service)>> + Send>>;

    fn accept(&self, stream: I, service: S) -> Self::Future {
        let (accepting, bounds, place) = (self.inner.accept(stream, service), self.bounds, self.places.take());
        Box::pin(async move {
            // Without one the stream is dropped, and so closed.
            let place = place?;
            let (stream, service) = accepting.await?;
            let activity = Arc::new(Activity::new(bounds));
            let stream = BoundedStream { inner: stream, activity: activity.clone(), timer: None, _place: place };
            Ok((stream, Noted { inner: service, activity }))
        })
    }
}

impl<S, B> Service<Request<B>> for Noted<S>
where
    S: Service<Request<B>, Response = Response<Body>>,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let running = Running::begin(&self.activity, request.version());
        let serving = self.inner.call(request);
        Box::pin(async move {
            let response = serving.await?;
            // Noted before the request ends: in between the connection would look idle.
            let response = response.map(|body| match body.size_hint().exact() {
                Some(size) if size <= PART_BYTES as u64 => body,
                _ => Body::new(Answer::begin(body, running.0.clone())),
            });
            drop(running);
            Ok(response)
        })
    }
}

impl Activity {
    fn new(bounds: Bounds) -> Self {
        let state = State {
            running: 0,
            idle_since: Instant::now(),
            head_since: None,
            is_http1: false,
            answers: Vec::new(),
            next_answer: 0,
        };
        Self { bounds, state: Mutex::new(state) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// When the client has been too slow, if nothing changes until then.
    fn deadline(&self) -> Option<Instant> {
        let state = self.state();
        if !state.answers.is_empty() {
            let since = state.answers.iter().filter_map(|(_, since)| *since).min();
            return since.and_then(|since| since.checked_add(self.bounds.answer_timeout));
        }
        if state.running > 0 {
            return None;
        }
        let idle = state.idle_since.checked_add(self.bounds.idle_timeout);
        let head = state.head_since.and_then(|since| since.checked_add(self.bounds.header_timeout));
        idle.into_iter().chain(head).min()
    }

    /// Bytes arrived. With HTTP/1, between two requests, they are of a head.
    fn received(&self) {
        let mut state = self.state();
        if state.is_http1 && state.running == 0 && state.head_since.is_none() {
            state.head_since = Some(Instant::now());
        }
    }
}

impl Running {
    fn begin(activity: &Arc<Activity>, version: Version) -> Self {
        let mut state = activity.state();
        state.running += 1;
        state.head_since = None;
        state.is_http1 = version < Version::HTTP_2;
        drop(state);
        Self(activity.clone())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.running = state.running.saturating_sub(1);
        state.idle_since = Instant::now();
        state.head_since = None;
    }
}

impl Answer {
    fn begin(body: Body, activity: Arc<Activity>) -> Self {
        let mut state = activity.state();
        let number = state.next_answer;
        state.next_answer += 1;
        state.answers.push((number, Some(Instant::now())));
        drop(state);
        let is_stream = body.size_hint().exact().is_none();
        Self { body, rest: Bytes::new(), number, is_stream, activity }
    }

    /// Runs the clock of a stream from now on, or stops it.
    fn note(&self, since: Option<Instant>) {
        if self.is_stream {
            let mut state = self.activity.state();
            state.answers.iter_mut().filter(|(number, _)| *number == self.number).for_each(|answer| answer.1 = since);
        }
    }
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if self.rest.is_empty() {
            let polled = Pin::new(&mut self.body).poll_frame(context);
            self.note(polled.is_ready().then(Instant::now));
            match ready!(polled) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => self.rest = data,
                    Err(frame) => return Poll::Ready(Some(Ok(frame))),
                },
                other => return Poll::Ready(other),
            }
        }
        let most = if self.is_stream { STREAMED_BYTES } else { PART_BYTES };
        let length = self.rest.len().min(most);
        Poll::Ready(Some(Ok(Frame::data(self.rest.split_to(length)))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (left, hint) = (self.rest.len() as u64, self.body.size_hint());
        let mut sum = SizeHint::new();
        sum.set_lower(hint.lower().saturating_add(left));
        if let Some(upper) = hint.upper() {
            sum.set_upper(upper.saturating_add(left));
        }
        sum
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        let mut state = self.activity.state();
        state.answers.retain(|(number, _)| *number != self.number);
        state.idle_since = Instant::now();
    }
}

impl<I> BoundedStream<I> {
    /// Whether the client has been too slow; if not, this task is woken when it will have been.
    fn is_late(&mut self, context: &mut Context<'_>) -> bool {
        while let Some(deadline) = self.activity.deadline() {
            if deadline <= Instant::now() {
                return true;
            }
            let deadline = tokio::time::Instant::from_std(deadline);
            let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
            if timer.deadline() != deadline {
                timer.as_mut().reset(deadline);
            }
            if timer.as_mut().poll(context).is_pending() {
                return false;
            }
        }
        false
    }

    fn or_late<T>(&mut self, context: &mut Context<'_>, polled: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        match polled {
            Poll::Pending if self.is_late(context) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            polled => polled,
        }
    }
}

impl<I: AsyncRead + Unpin> AsyncRead for BoundedStream<I> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.inner).poll_read(context, buffer);
        if matches!(polled, Poll::Ready(Ok(()))) && buffer.filled().len() > before {
            self.activity.received();
            return polled;
        }
        self.or_late(context, polled)
    }
}

impl<I: AsyncWrite + Unpin> AsyncWrite for BoundedStream<I> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.inner).poll_write(context, bytes);
        self.or_late(context, polled)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.inner).poll_write_vectored(context, slices);
        self.or_late(context, polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.inner).poll_flush(context);
        self.or_late(context, polled)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.inner).poll_shutdown(context);
        self.or_late(context, polled)
    }
}
