//! `wasi:http` for guests: its types, and outbound requests, which go the one way that those of `santokit:http` go, under the same grant
//! and the same counts. The library's own way out is not even built.
//!
//! A request is sent beside what the guest does; its body is what the guest writes meanwhile. One after the other: each is held to what
//! those before it have left.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, header::CONTENT_LENGTH};
use http_body_util::{BodyExt as _, Full};
use santokit_core::limit::LimitName;
use tokio::sync::oneshot;
use tracing::Instrument as _;
use wasmtime::{
    StoreContextMut,
    component::{Linker, Resource},
};
use wasmtime_wasi_http::{
    DEFAULT_FORBIDDEN_HEADERS, Error, ForbiddenHeaderFilter, RequestOptions, WasiBody, WasiHttp, WasiHttpCtx,
    WasiHttpCtxView, WasiHttpHooks, WasiHttpView,
    p2::{
        bindings::http::types::{self, ErrorCode, Method, Scheme},
        body::{HyperIncomingBody, HyperOutgoingBody},
        types::{HostFutureIncomingResponse, HostOutgoingRequest},
    },
};

use crate::{
    error::LimitHit,
    host::{Host, HttpBudget, HttpDone, HttpError, HttpRequest, HttpResponse, SendOut},
    outbound::Outbound,
    state::State,
};

/// The interface in the version of the library's own types; guests of any other of 0.2 are linked to it.
const OUTGOING: &str = "wasi:http/outgoing-handler@0.2.12";

/// Of one set of fields, as they lie in memory.
const FIELDS_BYTES_MAX: usize = 32 << 10;
/// Of a body, in one write; one more waits to be sent.
const CHUNK_BYTES_MAX: usize = 32 << 10;

/// What the library asks of its embedder.
#[derive(Debug)]
pub(crate) struct Hooks;

/// An answer, as the library gives it to the guest.
type Answer = Result<(Response<HyperIncomingBody>, wasmtime_wasi::runtime::AbortOnDropJoinHandle<()>), Error>;

pub(super) fn link<H: Host>(linker: &mut Linker<State<H>>) -> wasmtime::Result<()> {
    let options = wasmtime_wasi_http::p2::bindings::LinkOptions::default();
    types::add_to_linker::<_, WasiHttp>(linker, &options.into(), WasiHttpView::http)?;
    linker.instance(OUTGOING)?.func_wrap(
        "handle",
        |mut store: StoreContextMut<'_, State<H>>,
         (request, options): (Resource<HostOutgoingRequest>, Option<Resource<RequestOptions>>)| {
            Ok((store.data_mut().send_beside(&request, options.as_ref())?,))
        },
    )
}

impl<H: Host> State<H> {
    fn send_beside(
        &mut self,
        request: &Resource<HostOutgoingRequest>,
        options: Option<&Resource<RequestOptions>>,
    ) -> wasmtime::Result<Result<Resource<HostFutureIncomingResponse>, ErrorCode>> {
        let send = self.enter("http")?.http();
        let options = options.map(|options| self.table.get(options).copied()).transpose()?.unwrap_or_default();
        let request = self.table.delete(Resource::new_own(request.rep()))?;
        // As with calls into the host: there is no use in going on.
        if self.http_requests >= self.limits.http_requests {
            self.went_wrong(false);
            return Err(LimitHit(LimitName::HttpRequests).into());
        }
        self.http_requests += 1;
        let send = match send {
            Ok(send) => send,
            Err(error) => {
                self.went_wrong(error.is_denied());
                return Ok(Ok(self.table.push(HostFutureIncomingResponse::Ready(Err(told(error))))?));
            }
        };
        let (outbound, bytes_max) = (Arc::clone(&self.outbound), self.limits.http_bytes.0);
        let (answer, answered) = oneshot::channel();
        // Of the invocation and not of the guest's handle: what it has begun counts, however little the guest wants of it.
        let sending = counted(exchange(send, request, timeout(options), Arc::clone(&outbound), bytes_max), outbound);
        self.sending.spawn(async move { drop(answer.send(sending.await)) }.in_current_span());
        let waiting = wasmtime_wasi::runtime::spawn(async move {
            let answered: Answer = answered.await.unwrap_or(Err(Error::ConnectionTerminated));
            answered
        });
        Ok(Ok(self.table.push(HostFutureIncomingResponse::Pending(waiting))?))
    }
}

/// With what became of it for who counts.
async fn counted(sending: impl Future<Output = Answer>, outbound: Arc<Outbound>) -> Answer {
    let answer = sending.await;
    if let Err(error) = &answer {
        outbound.went_wrong(matches!(error, Error::HttpRequestDenied | Error::DestinationIpProhibited));
    }
    answer
}

/// Waits for all of the body, then for the requests before it, then for the answer.
async fn exchange(
    send: SendOut,
    request: HostOutgoingRequest,
    timeout: Option<Duration>,
    outbound: Arc<Outbound>,
    bytes_max: u64,
) -> Answer {
    let HostOutgoingRequest { method, scheme, authority, path_with_query, headers, body } = request;
    let (body, _held) = match body {
        Some(body) => collected(body, &outbound, bytes_max).await?,
        None => (Vec::new(), outbound.hold()),
    };
    let request = HttpRequest {
        method: written(method),
        url: url(scheme, &authority.unwrap_or_default(), &path_with_query.unwrap_or_default()),
        headers: pairs(&headers).map_err(told)?,
        body,
        timeout,
        // As WASI has it: a guest follows redirects itself.
        options: vec![("redirect".to_owned(), "manual".to_owned())],
    };
    let mut turn = outbound.turn().await;
    let budget = HttpBudget { requests: 1, bytes: bytes_max.saturating_sub(outbound.bytes()) };
    turn.begin(request.body.len() as u64);
    let HttpDone { answer, bytes, .. } = send(request, budget).await;
    turn.end(bytes);
    let response = response(answer.map_err(told)?)?;
    Ok((response, wasmtime_wasi::runtime::spawn(async {})))
}

/// All that the guest writes, which counts while it lies here.
async fn collected(
    mut body: HyperOutgoingBody,
    outbound: &Arc<Outbound>,
    bytes_max: u64,
) -> Result<(Vec<u8>, crate::outbound::Held), Error> {
    let (mut bytes, mut held) = (Vec::new(), outbound.hold());
    while let Some(frame) = body.frame().await {
        // Trailers are not sent.
        let Ok(data) = frame?.into_data() else { continue };
        if held.add(data.len() as u64) > bytes_max {
            return Err(told(HttpError::Bytes));
        }
        bytes.extend_from_slice(&data);
    }
    Ok((bytes, held))
}

/// The whole answer is here before its first byte is given.
fn timeout(options: RequestOptions) -> Option<Duration> {
    let first = options.first_byte_timeout?;
    Some(options.connect_timeout.map_or(first, |connect| connect.saturating_add(first)))
}

fn url(scheme: Option<Scheme>, authority: &str, path: &str) -> String {
    let scheme = match scheme {
        None | Some(Scheme::Https) => "https".to_owned(),
        Some(Scheme::Http) => "http".to_owned(),
        Some(Scheme::Other(other)) => other,
    };
    let slash = if path.starts_with('/') { "" } else { "/" };
    format!("{scheme}://{authority}{slash}{path}")
}

fn written(method: Method) -> String {
    match method {
        Method::Get => "GET",
        Method::Head => "HEAD",
        Method::Post => "POST",
        Method::Put => "PUT",
        Method::Delete => "DELETE",
        Method::Connect => "CONNECT",
        Method::Options => "OPTIONS",
        Method::Trace => "TRACE",
        Method::Patch => "PATCH",
        Method::Other(other) => return other,
    }
    .to_owned()
}

/// Its length is the body's own, which is all here.
fn pairs(fields: &HeaderMap) -> Result<Vec<(String, String)>, HttpError> {
    let sent = fields.iter().filter(|(name, _)| *name != CONTENT_LENGTH);
    sent.map(|(name, value)| {
        let value = std::str::from_utf8(value.as_bytes());
        let value = value.map_err(|_| HttpError::Invalid(format!("the header {name:?} is not UTF-8")))?;
        Ok((name.as_str().to_owned(), value.to_owned()))
    })
    .collect()
}

fn response(answer: HttpResponse) -> Result<Response<HyperIncomingBody>, Error> {
    let HttpResponse { status, headers, body, .. } = answer;
    let body = Full::new(Bytes::from(body)).map_err(|never| match never {}).boxed_unsync();
    let mut response = Response::new(body);
    *response.status_mut() = http::StatusCode::from_u16(status).map_err(|_| Error::HttpProtocolError)?;
    for (name, value) in headers {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| Error::HttpProtocolError)?;
        let value = HeaderValue::from_bytes(value.as_bytes()).map_err(|_| Error::HttpProtocolError)?;
        response.headers_mut().append(name, value);
    }
    Ok(response)
}

/// In WASI's words, of which few have a place for a reason.
fn told(error: HttpError) -> Error {
    match error {
        HttpError::Denied(_) => Error::HttpRequestDenied,
        HttpError::Address(_) => Error::DestinationIpProhibited,
        HttpError::Timeout(_) => Error::HttpResponseTimeout,
        HttpError::Unreachable(_) => Error::DestinationUnavailable,
        HttpError::Answer(_) | HttpError::Redirects(_) => Error::HttpProtocolError,
        HttpError::Bytes => Error::HttpResponseBodySize(None),
        HttpError::Requests => Error::ConnectionLimitReached,
        HttpError::Invalid(reason) | HttpError::Transaction(reason) => Error::InternalError(Some(reason)),
    }
}

impl<H: Host> WasiHttpView for State<H> {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { hooks: &mut self.http_hooks, table: &mut self.table, ctx: &mut self.http }
    }
}

/// What a guest has of it.
pub(crate) fn context() -> WasiHttpCtx {
    let mut context = WasiHttpCtx::new();
    context.set_field_size_limit(FIELDS_BYTES_MAX);
    context
}

impl WasiHttpHooks for Hooks {
    /// What is of the connection, and of the message's length, is not the guest's on any side.
    fn forbidden_header_filter(&mut self) -> ForbiddenHeaderFilter {
        Arc::new(|name| {
            DEFAULT_FORBIDDEN_HEADERS.contains(name) || matches!(name.as_str(), "te" | "trailer" | "expect")
        })
    }

    fn p2_outgoing_body_chunk_size(&mut self) -> usize {
        CHUNK_BYTES_MAX
    }

    /// Never asked: requests go by [`State::send_beside`]. A way out that somebody links in its place is none.
    fn send_request(
        &mut self,
        _request: Request<WasiBody>,
        _options: Option<RequestOptions>,
        _ended: Box<dyn Future<Output = Result<(), Error>> + Send>,
    ) -> Box<dyn Future<Output = Result<(Response<WasiBody>, Ended), Error>> + Send> {
        Box::new(std::future::ready(Err(Error::HttpRequestDenied)))
    }
}

type Ended = Box<dyn Future<Output = Result<(), Error>> + Send>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_put_together_from_its_parts() {
        for (scheme, authority, path, expected) in [
            (None, "a.test", "/x?y", "https://a.test/x?y"),
            (Some(Scheme::Https), "a.test:8443", "", "https://a.test:8443/"),
            (Some(Scheme::Http), "a.test", "?q", "http://a.test/?q"),
            (Some(Scheme::Other("ftp".to_owned())), "a.test", "/", "ftp://a.test/"),
        ] {
            assert_eq!(url(scheme, authority, path), expected);
        }
    }

    #[test]
    fn a_timeout_is_of_the_first_byte() {
        let millis = |millis| Some(Duration::from_millis(millis));
        let options = |connect_timeout, first_byte_timeout| RequestOptions {
            connect_timeout,
            first_byte_timeout,
            between_bytes_timeout: millis(1),
        };
        assert_eq!(timeout(options(None, None)), None);
        assert_eq!(timeout(options(millis(5), None)), None);
        assert_eq!(timeout(options(None, millis(7))), millis(7));
        assert_eq!(timeout(options(millis(5), millis(7))), millis(12));
        assert_eq!(timeout(options(Some(Duration::MAX), millis(7))), Some(Duration::MAX));
    }
}
