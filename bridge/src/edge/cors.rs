//! CORS at the edge: the answers to preflights, and what a browser is told about every other answer. The setting is the release's
//! (`santokit_core::cors`); a preflight carries no credential and no hint, so that it may be about any env that is served.
//!
//! It lets a browser show an answer to a page, or not. It allows no call and refuses none: what may be done is decided elsewhere.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use http::{
    HeaderMap, HeaderValue, Method, StatusCode,
    header::{
        ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
        ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
        ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, CACHE_CONTROL, ORIGIN, VARY,
    },
};
use santokit_core::{
    code::Code,
    cors::{ANY, Cors},
    problem::Problem,
};
use santokit_edge::answer::REQUEST_ID;

use super::{
    auth::Hints,
    layers::RequestId,
    mounted,
    respond::{self, RELEASE, Trail},
};
use crate::{app::App, config::EnvName, generation::Generation};

/// What every page may read, whatever a project says.
const ALWAYS_EXPOSED: &[&str] = &[REQUEST_ID, RELEASE, "retry-after"];

const AUTHORIZATION_NAME: &str = "authorization";

/// Answers preflights, and says of every other answer who may read it.
pub async fn apply(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let Some(origin) = request.headers().get(ORIGIN).cloned() else {
        let mut response = next.run(request).await;
        vary(&app, response.headers_mut());
        return response;
    };
    let hints = mounted::hints(request.uri(), request.headers());
    if request.method() == Method::OPTIONS && request.headers().contains_key(ACCESS_CONTROL_REQUEST_METHOD) {
        return preflight(&app, &hints, &origin, &request);
    }
    let mut response = next.run(request).await;
    let served = response.extensions().get::<Trail>().and_then(Trail::served);
    let generation = match served {
        // What answered has the word.
        Some((env, release)) => app.slots.iter().find(|slot| slot.name == env).and_then(|slot| slot.running(&release)),
        None => find(&app, &hints, &origin),
    };
    if let Some(cors) = generation.as_ref().and_then(|generation| generation.cors.as_ref()) {
        answer(cors, &origin, response.headers_mut());
    }
    vary(&app, response.headers_mut());
    response
}

/// No credential, no call, and no budget: the answer depends on nothing but the release.
fn preflight(app: &App, hints: &Hints, origin: &HeaderValue, request: &Request) -> Response {
    let generation = find(app, hints, origin);
    let cors = generation.as_ref().and_then(|generation| generation.cors.as_ref());
    let mut response = match cors.filter(|cors| allows(cors, origin)) {
        Some(cors) => {
            let mut response = Response::default();
            *response.status_mut() = StatusCode::NO_CONTENT;
            answer_preflight(cors, origin, response.headers_mut());
            response
        }
        None => refused(request),
    };
    let asked = [ORIGIN, ACCESS_CONTROL_REQUEST_METHOD, ACCESS_CONTROL_REQUEST_HEADERS];
    for name in asked {
        response.headers_mut().append(VARY, HeaderValue::from(name));
    }
    response
}

/// The generation that a browser's question is about: of the env that the hints name, or of the only one; else of one that lets the
/// origin in.
fn find(app: &App, hints: &Hints, origin: &HeaderValue) -> Option<Arc<Generation>> {
    let mut candidates = app.slots.iter().filter(|slot| hints.admit(&slot.name)).filter_map(|slot| slot.generation());
    let first = candidates.next()?;
    let lets_in = |generation: &Generation| generation.cors.as_ref().is_some_and(|cors| allows(cors, origin));
    if lets_in(&first) { Some(first) } else { candidates.find(|generation| lets_in(generation)).or(Some(first)) }
}

fn refused(request: &Request) -> Response {
    let id = request.extensions().get::<RequestId>().map(|id| id.0.clone()).unwrap_or_default();
    let problem = Problem::new(Code::Forbidden, "pages of this origin may not call this project")
        .hint("santokit.yaml says which may, under cors.origins");
    respond::error(&problem, &id)
}

/// A cache must not give one origin's answer to another, where any env tells origins apart.
fn vary(app: &App, headers: &mut HeaderMap) {
    let has_cors = |generation: Arc<Generation>| generation.cors.is_some();
    if app.slots.iter().filter_map(|slot| slot.generation()).any(has_cors) {
        headers.append(VARY, HeaderValue::from(ORIGIN));
    }
}

fn allows(cors: &Cors, origin: &HeaderValue) -> bool {
    origin.to_str().is_ok_and(|origin| cors.allows(origin))
}

fn answer_preflight(cors: &Cors, origin: &HeaderValue, answer: &mut HeaderMap) {
    allow(cors, origin, answer);
    let headers = cors.headers.iter().map(String::as_str);
    // The star is not for it (Fetch standard, CORS-preflight fetch).
    let beside_star = cors.headers.contains(ANY).then_some(AUTHORIZATION_NAME);
    answer.insert(ACCESS_CONTROL_ALLOW_METHODS, list(cors.methods.iter().map(String::as_str)));
    answer.insert(ACCESS_CONTROL_ALLOW_HEADERS, list(headers.chain(beside_star)));
    answer.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from(cors.max_age.0 / 1_000));
    answer.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
}

fn answer(cors: &Cors, origin: &HeaderValue, answer: &mut HeaderMap) {
    if allows(cors, origin) {
        allow(cors, origin, answer);
        let exposed = ALWAYS_EXPOSED.iter().copied().chain(cors.exposed_headers.iter().map(String::as_str));
        answer.insert(ACCESS_CONTROL_EXPOSE_HEADERS, list(exposed));
    }
}

fn allow(cors: &Cors, origin: &HeaderValue, answer: &mut HeaderMap) {
    let is_any = cors.origins.contains(ANY);
    let allowed = if is_any { HeaderValue::from_static(ANY) } else { origin.clone() };
    answer.insert(ACCESS_CONTROL_ALLOW_ORIGIN, allowed);
    // A setting with both is refused where it is read; here as well, it must not work.
    if cors.credentials && !is_any {
        answer.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
    }
}

/// Names of headers and methods are checked where the setting is read: there is nothing in them that no header may have.
fn list<'n>(names: impl Iterator<Item = &'n str>) -> HeaderValue {
    let names: Vec<&str> = names.collect();
    HeaderValue::from_str(&names.join(", ")).unwrap_or_else(|_| HeaderValue::from_static(""))
}

impl Trail {
    fn served(&self) -> Option<(EnvName, String)> {
        Some((EnvName { project: self.project.clone()?, env: self.env.clone()? }, self.release_id.clone()?))
    }
}
