//! One request of HTTP, given as it is to a fresh instance of a component of `wasi:http`: the same limits and the same account as a call
//! has. The answer is on its way as soon as the guest has begun it; that its end is an end, and not the guest's, is told by its body.
//!
//! It must not know whose headers are whose: what a guest may see of a request, and a client of an answer, is who asks' matter.

use std::{
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use http::{Request, Response, StatusCode, header::CONTENT_LENGTH};
use http_body_util::{BodyExt as _, combinators::UnsyncBoxBody};
use santokit_core::limit::{InvocationLimits, LimitName};
use tokio::sync::oneshot;
use wasmtime::Store;
use wasmtime_wasi_http::{
    Error, WasiHttpView as _,
    p2::{
        bindings::{
            Proxy,
            http::types::{ErrorCode, Scheme},
        },
        body::HyperOutgoingBody,
    },
};

use crate::{
    call::{self, Usage},
    engine::{Compiled, Instance},
    error::{CallError, LimitHit},
    host::Host,
    slices::Slices,
    state::State,
    supply::Shelf,
    told,
};

mod body;

pub use body::{BodyError, GuestBody};
use body::{Ended, Progress};

/// The body of a request, bounded by who has it.
pub type IncomingBody = UnsyncBoxBody<Bytes, IncomingError>;

/// Why the body of a request ends early.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IncomingError {
    /// There is more of it than may be.
    #[error("the body is too large")]
    TooLarge,
    /// It ended, or did not come in time.
    #[error("the body did not arrive")]
    Broken,
}

/// A request, and where its answer goes.
#[derive(Debug)]
pub struct Exchange {
    /// With the path that the guest is to see, and a `Host`.
    pub request: Request<IncomingBody>,
    /// Whether it came over TLS.
    pub is_https: bool,
    /// Gets the answer when the guest begins it; dropped, there will be none.
    pub answer: oneshot::Sender<Response<GuestBody>>,
}

/// How a request ended.
pub struct Served<H> {
    /// Why it failed, also in the middle of an answer.
    pub outcome: Result<(), CallError>,
    /// Given back, so that what is open on it can be ended.
    pub host: Option<H>,
    /// What it used.
    pub usage: Usage,
}

/// What the guest has said of its answer.
#[derive(Debug, Default)]
enum Said {
    #[default]
    Nothing,
    Begun,
    /// It has none, or none that can be given.
    None(String),
}

impl Said {
    fn answered(self) -> Result<(), CallError> {
        match self {
            Said::Begun => Ok(()),
            Said::Nothing => Err(CallError::Answer("it ended without an answer".to_owned())),
            Said::None(why) => Err(CallError::Answer(why)),
        }
    }
}

/// Serves a request in a fresh instance, which is dropped at the end.
pub(crate) async fn run<H: Host>(
    engine: &wasmtime::Engine,
    compiled: &Arc<Compiled<H>>,
    host: H,
    exchange: Exchange,
    limits: &InvocationLimits,
    slices: &Slices,
) -> Served<H> {
    let running = Shelf::begin(compiled);
    let (mut store, made, probe) = match compiled.shelf.take(host, limits) {
        Ok((store, instance, probe)) => (store, Some(instance), probe),
        Err(host) => (call::store(engine, compiled, Some(host), limits), None, None),
    };
    let is_supplied = made.is_some();
    let cpu = Arc::clone(&store.data().cpu);
    let progress = Arc::new(Progress::new(limits.output.0));
    let (end, ended) = oneshot::channel();
    let said = Arc::new(Mutex::new(Said::default()));
    let handled = {
        let handling = pin!(async {
            let instance = match made {
                Some(instance) => instance,
                None => compiled.pre.instantiate(&mut store).await?.0,
            };
            let Instance::Http(proxy) = instance else {
                return Err(wasmtime::Error::msg("the component is loaded as a logic"));
            };
            let Exchange { request, is_https, answer } = exchange;
            let (said, progress) = (Arc::clone(&said), Arc::clone(&progress));
            let begin = move |begun: Result<Response<HyperOutgoingBody>, ErrorCode>| {
                let now =
                    begun.map_err(|error| format!("it answers an error: {}", told::reason(&error))).and_then(|begun| {
                        let begun = acceptable(begun, progress, ended)?;
                        // Nobody waits any more where the client has gone.
                        drop(answer.send(begun));
                        Ok(())
                    });
                *said.lock().unwrap_or_else(PoisonError::into_inner) = now.map_or_else(Said::None, |()| Said::Begun);
            };
            handle(&proxy, &mut store, request, is_https, begin).await
        });
        let counted = running.count(cpu.measure(handling));
        let bounded = tokio::time::timeout(limits.timeout.duration(), slices.slice(counted, &cpu));
        tokio::select! {
            biased;
            () = progress.exceeded() => Ok(Err(LimitHit(LimitName::Output).into())),
            handled = bounded => handled,
        }
    };
    let state = store.data_mut();
    let outcome = match handled {
        Err(_elapsed) => Err(CallError::Limit { limit: LimitName::Timeout, backtrace: Vec::new() }),
        Ok(Err(error)) => Err(CallError::from_engine(&error, state.limiter.denied)),
        Ok(Ok(())) if progress.is_exceeded() => {
            Err(CallError::Limit { limit: LimitName::Output, backtrace: Vec::new() })
        }
        Ok(Ok(())) => std::mem::take(&mut *said.lock().unwrap_or_else(PoisonError::into_inner)).answered(),
    };
    // Before anything of the guest is dropped: an answer that ends with it must know how.
    let _ = end.send(Ended { is_well: outcome.is_ok() });
    // Requests that it still sends, and bodies that nobody ends any more, end now and not with the store.
    state.end_http().await;
    let host = state.take_host();
    let usage = Usage { output_bytes: progress.sent_bytes(), is_supplied, ..call::used(state) };
    Shelf::put_away(compiled, store, probe);
    drop(running);
    Served { outcome, host, usage }
}

/// Calls the handler.
pub(crate) async fn handle<H: Host>(
    proxy: &Proxy,
    store: &mut Store<State<H>>,
    request: Request<IncomingBody>,
    is_https: bool,
    begin: impl FnOnce(Result<Response<HyperOutgoingBody>, ErrorCode>) + Send + Sync + 'static,
) -> wasmtime::Result<()> {
    let request = request.map(|body| body.map_err(Error::from));
    let scheme = if is_https { Scheme::Https } else { Scheme::Http };
    let mut view = store.data_mut().http();
    let request = view.new_incoming_request(scheme, request)?;
    let answer = view.new_response_outparam_from_callback(begin)?;
    proxy.wasi_http_incoming_handler().call_handle(store, request, answer).await
}

/// What can be an answer: of a final status, as long as it says, and not longer than may be.
fn acceptable(
    begun: Response<HyperOutgoingBody>,
    progress: Arc<Progress>,
    ended: oneshot::Receiver<Ended>,
) -> Result<Response<GuestBody>, String> {
    let status = begun.status();
    // One below 200 is not the end of an exchange, and 101 would give the connection away.
    if !(StatusCode::OK.as_u16()..=599).contains(&status.as_u16()) {
        return Err(format!("the status {} is none of 200 to 599", status.as_u16()));
    }
    let mut lengths = begun.headers().get_all(CONTENT_LENGTH).iter();
    let declared = match (lengths.next(), lengths.next()) {
        (None, _) => None,
        (Some(length), None) => Some(whole(length.as_bytes()).ok_or("its content-length is no number")?),
        (Some(_), Some(_)) => return Err("it has several content-lengths".to_owned()),
    };
    if declared.is_some_and(|length| length > progress.bytes_max()) {
        progress.exceed();
        return Err("it says that it is longer than it may be".to_owned());
    }
    Ok(begun.map(|inner| GuestBody::new(inner, declared, progress, ended)))
}

/// Digits and nothing else.
fn whole(text: &[u8]) -> Option<u64> {
    let is_whole = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(text).ok().filter(|_| is_whole)?.parse().ok()
}

impl From<IncomingError> for Error {
    fn from(error: IncomingError) -> Self {
        match error {
            IncomingError::TooLarge => Self::HttpRequestBodySize(None),
            IncomingError::Broken => Self::ConnectionTerminated,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_is_digits() {
        for (text, length) in [("0", Some(0)), ("12", Some(12)), ("", None), ("+1", None), ("-1", None), (" 1", None)] {
            assert_eq!(whole(text.as_bytes()), length, "{text:?}");
        }
        assert_eq!(whole(b"99999999999999999999999"), None);
        assert_eq!(whole(b"1, 1"), None);
    }
}
