//! `/http/…`: requests for components of `wasi:http` that a release mounts, given to them as they are, less what is ours. Who calls, for
//! which env and whether it may is decided as for every other call; a component sees neither a credential of ours nor a hint.

use std::{net::SocketAddr, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use axum::{
    body::Body,
    extract::{ConnectInfo, Extension, Request, State},
    response::Response,
};
use futures_util::FutureExt as _;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri,
    header::{ALLOW, HOST},
    request::Parts,
    uri::{Authority, PathAndQuery},
};
use http_body_util::BodyExt as _;
use santokit_core::{
    access::ActorKind,
    code::Code,
    limit::LimitName,
    logic::Mount,
    problem::{Outcome, Problem},
};
use santokit_edge::answer::REQUEST_ID;
use santokit_wasm::{BodyError, Exchange, GuestBody};
use tokio::{sync::oneshot, task::JoinSet};
use tracing::Instrument as _;

use super::{
    address,
    auth::Hints,
    counting::Counting,
    layers::{ClientAddress, RequestId},
    request::authenticate,
    respond::{self, Trail},
};
use crate::{app::App, call::LoadedLogicEntry, generation::Generation, release::canary::Tally};

mod answer;
mod fields;
mod incoming;

use answer::{Begun, MountedBody};
use incoming::Incoming;

/// An answer is sent with its first bytes, so that a component that fails before is an error that can be told; one that has begun and
/// has nothing to say yet is sent without them after this.
const HEAD_WAIT: Duration = Duration::from_millis(100);

/// What becomes of a request that was not refused.
enum Came {
    /// A component answers.
    Answer(Response),
    /// Not with this method: what it takes.
    Methods(String),
}

/// `/http/{mount}/…` and `/p/{project}/{env}/http/{mount}/…`
pub async fn mounted(
    State(app): State<Arc<App>>,
    Extension(id): Extension<RequestId>,
    Extension(from): Extension<ClientAddress>,
    request: Request,
) -> Response {
    let (method, mut trail) = (request.method().clone(), Trail::default());
    let mut counting = None;
    // Caught here, the answer after a panic still names its release.
    let running = AssertUnwindSafe(run(&app, &id, from, request, (&mut trail, &mut counting))).catch_unwind().await;
    let outcome = running.unwrap_or_else(|_| Err(Problem::internal("the request's task panicked")));
    let is_logic_failed = outcome.as_ref().is_err_and(|problem| problem.code == Code::LogicFailed);
    let response = match outcome {
        Ok(Came::Answer(mut response)) => {
            respond::name_release(&trail, response.headers_mut());
            response.extensions_mut().insert(trail);
            return response;
        }
        Ok(Came::Methods(allowed)) => {
            let problem = Problem::new(Code::BadRequest, format!("what is mounted here does not take {method}"))
                .hint("the header Allow lists what it takes");
            let mut response = respond::answer(Err(problem), trail, &id.0, app.config.response_limit);
            *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
            response.headers_mut().extend(HeaderValue::from_str(&allowed).ok().map(|allowed| (ALLOW, allowed)));
            response
        }
        Err(problem) => respond::answer(Err(problem), trail, &id.0, app.config.response_limit),
    };
    if let Some(counting) = counting {
        counting.end(response.status(), is_logic_failed);
    }
    response
}

/// The env that a request is about, where its path says it, or else its headers.
pub(super) fn hints(uri: &Uri, headers: &HeaderMap) -> Hints {
    let named = Place::of(uri).or_else(|| Place::of_object(uri)).and_then(|place| place.hints(headers).ok());
    named.unwrap_or_else(|| Hints::read(headers))
}

async fn run(
    app: &Arc<App>,
    id: &RequestId,
    ClientAddress(address): ClientAddress,
    request: Request,
    (trail, counting): (&mut Trail, &mut Option<Counting>),
) -> Outcome<Came> {
    let (parts, body) = request.into_parts();
    let uri = parts.uri.clone();
    let place = Place::of(&uri).ok_or_else(|| Problem::new(Code::NotFound, "there is no such path"))?;
    let hints = place.hints(&parts.headers)?;
    let (pinned, tally) = match authenticate(app, &parts.headers, &hints, address) {
        Err(problem) if problem.code == Code::Unauthorized => {
            app.rates.admit_refused(address).await?;
            return Err(problem);
        }
        pinned => pinned?,
    };
    let (generation, kind) = (Arc::clone(&pinned.generation), pinned.actor.kind);
    trail.project = Some(generation.env.project.clone());
    trail.env = Some(generation.env.env.clone());
    trail.release_id = Some(generation.release_id.clone());
    trail.auth_type = Some(kind);
    app.rates.admit(&generation.env, &pinned.actor, address).await?;
    let unknown = || unknown(kind, place.path, &generation);
    let found = generation.mounts.find(place.path).ok_or_else(unknown)?;
    let entry = generation.logics.get(found.logic).map(Arc::clone).ok_or_else(unknown)?;
    trail.logic = Some(found.logic.to_owned());
    let context = app.context(pinned, Arc::clone(&id.0));
    entry.admit_request(&context, unknown)?;
    if !found.mount.has_method(parts.method.as_str()) {
        return Ok(Came::Methods(allowed(found.mount)));
    }
    let prefix = place.prefix(found.mount);
    let (incoming, fault) = Incoming::new(body, app.config.body_limit, app.config.body_timeout)?;
    let is_head = parts.method == Method::HEAD;
    let request = for_guest(app, id, (parts, address), (&prefix, found.rest))?.map(|()| incoming.boxed_unsync());
    let (answer, begun) = oneshot::channel();
    let exchange = Exchange { request, is_https: app.config.edge.tls.is_some(), answer };
    *counting = tally.map(|tally: Tally| Counting::begin(tally, app.metrics.clone(), generation.env.clone()));
    // A task of its own: it goes on while the answer is sent, and ends with whoever waits for it.
    let mut task = JoinSet::new();
    task.spawn(async move { LoadedLogicEntry::serve(&entry, context, exchange).await }.in_current_span());
    let answered = match begun.await {
        Ok(answered) => begin(answered, is_head, &mut task).await,
        Err(_) => Err(ended(&mut task).await),
    };
    let (head, begun) = match answered {
        Ok(answered) => answered,
        // A component that was not given the whole of a request has not failed by itself.
        Err(problem) => return Err(fault.problem(app.config.body_limit).unwrap_or(problem)),
    };
    if let Some(problem) = fault.problem(app.config.body_limit) {
        return Err(problem);
    }
    let mut response = Response::new(Body::new(MountedBody::new(begun, task, counting.take(), head.status)));
    *response.status_mut() = head.status;
    *response.headers_mut() = fields::of_answer(&head.headers, head.status, &prefix);
    Ok(Came::Answer(response))
}

/// Waits for the first bytes, or for the end of what has none.
async fn begin(
    answered: Response<GuestBody>,
    is_head: bool,
    task: &mut JoinSet<Outcome<()>>,
) -> Outcome<(http::response::Parts, Begun)> {
    let (head, mut body) = answered.into_parts();
    let has_none =
        is_head || matches!(head.status, StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT | StatusCode::NOT_MODIFIED);
    if has_none {
        body.for_nobody();
    }
    let first = tokio::time::timeout(HEAD_WAIT, async {
        loop {
            match body.frame().await {
                // What is written for nobody is read, so that the component comes to its end.
                Some(Ok(_)) if has_none => {}
                other => return other,
            }
        }
    });
    let begun = match first.await {
        Ok(Some(Err(error))) => return Err(failed(error, task).await),
        Ok(None) => Begun::Empty,
        Ok(Some(Ok(frame))) => Begun::Body { first: Some(frame), body },
        Err(_) if has_none => Begun::Unseen(body),
        Err(_) => Begun::Body { first: None, body },
    };
    Ok((head, begun))
}

/// Why an answer that had begun is none: what ended its invocation says it best.
async fn failed(error: BodyError, task: &mut JoinSet<Outcome<()>>) -> Box<Problem> {
    match (task.join_next().await, error) {
        (Some(Ok(Err(problem))), _) => problem,
        (_, BodyError::Output) => {
            let limit = LimitName::Output.as_str();
            Problem::limit(Code::LogicFailed, limit, format!("the logic was stopped by its limit {limit}"))
        }
        (_, BodyError::Broken) => Problem::new(Code::LogicFailed, "the logic failed"),
    }
}

/// Why there is no answer.
async fn ended(task: &mut JoinSet<Outcome<()>>) -> Box<Problem> {
    match task.join_next().await {
        Some(Ok(Err(problem))) => problem,
        Some(Ok(Ok(()))) | None => Problem::internal("a component ended well without an answer"),
        Some(Err(error)) => Problem::internal(error),
    }
}

/// Where a request goes, by its path alone, as it was sent.
#[derive(Debug, PartialEq, Eq)]
struct Place<'u> {
    env: Option<(&'u str, &'u str)>,
    /// What follows `/http/`.
    path: &'u str,
}

impl<'u> Place<'u> {
    fn of(uri: &'u Uri) -> Option<Self> {
        let sent = uri.path();
        if let Some(path) = sent.strip_prefix("/http/") {
            return Some(Self { env: None, path });
        }
        let (project, rest) = sent.strip_prefix("/p/")?.split_once('/')?;
        let (env, rest) = rest.split_once('/')?;
        Some(Self { env: Some((project, env)), path: rest.strip_prefix("http/")? })
    }

    /// That of a URL of an object, which names its env as well.
    fn of_object(uri: &'u Uri) -> Option<Self> {
        let (project, rest) = uri.path().strip_prefix("/p/")?.split_once('/')?;
        let (env, rest) = rest.split_once('/')?;
        Some(Self { env: Some((project, env)), path: rest.strip_prefix("storage/")? })
    }

    /// What the path says of the env is as good as a header, and both must say the same.
    fn hints(&self, headers: &HeaderMap) -> Outcome<Hints> {
        let sent = Hints::read(headers);
        let Some((project, env)) = self.env else { return Ok(sent) };
        let is_same = |hint: &Option<String>, named: &str| hint.as_deref().is_none_or(|hint| hint == named);
        if !is_same(&sent.project, project) || !is_same(&sent.env, env) {
            return Err(Problem::new(Code::BadRequest, "the path and the headers name different envs")
                .hint("leave out X-Santokit-Project and X-Santokit-Env"));
        }
        Ok(Hints { project: Some(project.to_owned()), env: Some(env.to_owned()) })
    }

    /// The path at which a component finds itself.
    fn prefix(&self, mount: &Mount) -> String {
        match self.env {
            Some((project, env)) => format!("/p/{project}/{env}/http/{}", mount.path),
            None => format!("/http/{}", mount.path),
        }
    }
}

/// The request as a component sees it: a path that begins where it is mounted, and none of our headers.
fn for_guest(
    app: &App,
    id: &RequestId,
    (parts, address): (Parts, std::net::IpAddr),
    (prefix, rest): (&str, &str),
) -> Outcome<http::Request<()>> {
    let bad = |message: &str| Problem::new(Code::BadRequest, message);
    let host = parts.headers.get(HOST).ok_or_else(|| bad("the request names no host"))?;
    let authority = Authority::try_from(host.as_bytes()).map_err(|error| bad("the host is no host").because(error))?;
    if authority.as_str().contains('@') {
        return Err(bad("the host is no host"));
    }
    let path = match parts.uri.query() {
        Some(query) => format!("{rest}?{query}"),
        None => rest.to_owned(),
    };
    let path = PathAndQuery::try_from(path).map_err(|error| bad("the path cannot be read").because(error))?;
    let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip());
    let is_proxy = peer.is_some_and(|peer| address::is_trusted(peer, &app.config.edge.trusted_proxies));
    let is_https = app.config.edge.tls.is_some() || (is_proxy && fields::was_https(&parts.headers));
    let mut request = http::Request::new(());
    *request.method_mut() = parts.method;
    *request.uri_mut() = Uri::from(path);
    let headers = request.headers_mut();
    *headers = fields::of_request(&parts.headers);
    let mut insert = |name: &'static str, value: &str| {
        headers.extend(HeaderValue::from_str(value).ok().map(|value| (HeaderName::from_static(name), value)));
    };
    insert("x-forwarded-prefix", prefix);
    insert("x-forwarded-for", &address.to_string());
    insert("x-forwarded-host", authority.as_str());
    insert("x-forwarded-proto", if is_https { "https" } else { "http" });
    insert(REQUEST_ID, &id.0);
    insert(HOST.as_str(), authority.as_str());
    Ok(request)
}

/// The answer where nothing is mounted, or where a caller may not know of it: that of an unknown logic.
fn unknown(kind: ActorKind, path: &str, generation: &Generation) -> Box<Problem> {
    match kind {
        ActorKind::Anonymous => Problem::new(Code::Unauthorized, "this needs a credential"),
        ActorKind::User | ActorKind::Service => Problem::new(Code::NotFound, "there is no such logic"),
        ActorKind::ApiKey | ActorKind::System => {
            let problem = Problem::new(Code::NotFound, "there is no such logic");
            match generation.mounts.nearest(path) {
                Some(near) => problem.hint(format!("did you mean /http/{near}?")),
                None => problem,
            }
        }
    }
}

fn allowed(mount: &Mount) -> String {
    Mount::METHODS.iter().filter(|method| mount.has_method(method)).copied().collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_says_where_a_request_goes() {
        for (path, place) in [
            ("/http/a/b", Some((None, "a/b"))),
            ("/http/a/../b", Some((None, "a/../b"))),
            ("/http//a", Some((None, "/a"))),
            ("/p/shop/prod/http/a", Some((Some(("shop", "prod")), "a"))),
            ("/p/shop/prod/http", None),
            ("/p/shop/http/a", None),
            ("/p/shop/prod/x/http/a", None),
            ("/httpx/a", None),
        ] {
            let uri: Uri = path.parse().unwrap();
            assert_eq!(Place::of(&uri).map(|place| (place.env, place.path)), place, "{path}");
        }
    }

    #[test]
    fn path_and_headers_must_name_the_same_env() {
        let uri: Uri = "/p/shop/prod/http/a".parse().unwrap();
        let place = Place::of(&uri).unwrap();
        let hints = |name: &'static str, value: &'static str| {
            place.hints(&HeaderMap::from_iter([(HeaderName::from_static(name), HeaderValue::from_static(value))]))
        };
        assert_eq!(place.hints(&HeaderMap::new()).unwrap().project.as_deref(), Some("shop"));
        assert_eq!(hints("x-santokit-env", "prod").unwrap().env.as_deref(), Some("prod"));
        assert_eq!(hints("x-santokit-env", "dev").unwrap_err().code, Code::BadRequest);
        assert_eq!(hints("x-santokit-project", "other").unwrap_err().code, Code::BadRequest);
    }
}
