//! Routes of operators, each with its action: one cannot be mounted without, and none is reached before
//! [`authorise`](crate::app::authority::authorise) has said yes to what the path names.

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    Router,
    extract::{FromRequestParts, MatchedPath, RawPathParams, Request, State},
    handler::Handler,
    http::{Method, request::Parts},
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response},
};
use santokit_core::{
    code::Code,
    problem::{Outcome, Problem},
};
use santokit_edge::{Route, Routes};

use super::{bearer, respond::Refused};
use crate::{
    app::{
        App,
        authority::{Action, Scope, Target, Who},
    },
    store::audit::Caller,
};

/// Routes with their handlers and actions.
#[derive(Debug, Default)]
pub struct Guarded {
    routes: Routes<Arc<App>>,
    actions: Actions,
}

/// Path, method, action.
type Actions = BTreeMap<(String, String), Action>;

impl Guarded {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a GET.
    #[must_use]
    pub fn get<T: 'static>(self, path: &str, action: Action, handler: impl Handler<T, Arc<App>>) -> Self {
        self.add(&Method::GET, path, action, |routes| routes.get(path, handler))
    }

    /// Adds a POST.
    #[must_use]
    pub fn post<T: 'static>(self, path: &str, action: Action, handler: impl Handler<T, Arc<App>>) -> Self {
        self.add(&Method::POST, path, action, |routes| routes.post(path, handler))
    }

    /// Adds a PUT.
    #[must_use]
    pub fn put<T: 'static>(self, path: &str, action: Action, handler: impl Handler<T, Arc<App>>) -> Self {
        self.add(&Method::PUT, path, action, |routes| routes.put(path, handler))
    }

    /// Adds a DELETE.
    #[must_use]
    pub fn delete<T: 'static>(self, path: &str, action: Action, handler: impl Handler<T, Arc<App>>) -> Self {
        self.add(&Method::DELETE, path, action, |routes| routes.delete(path, handler))
    }

    /// Adds a HEAD.
    #[must_use]
    pub fn head<T: 'static>(self, path: &str, action: Action, handler: impl Handler<T, Arc<App>>) -> Self {
        self.add(&Method::HEAD, path, action, |routes| routes.head(path, handler))
    }

    /// What was added.
    pub fn list(self) -> Vec<(Route, Action)> {
        let Self { routes, actions } = self;
        let of = |route: &Route| actions.get(&(route.path.clone(), route.method.to_string())).copied();
        routes.list().into_iter().filter_map(|route| of(&route).map(|action| (route, action))).collect()
    }

    /// What serves it.
    pub fn router(self, app: Arc<App>) -> Router<Arc<App>> {
        let state = (app, Arc::new(self.actions));
        self.routes.router().route_layer(from_fn_with_state(state, authorised))
    }

    fn add(
        mut self,
        method: &Method,
        path: &str,
        action: Action,
        mount: impl FnOnce(Routes<Arc<App>>) -> Routes<Arc<App>>,
    ) -> Self {
        self.actions.insert((path.to_owned(), method.to_string()), action);
        Self { routes: mount(self.routes), actions: self.actions }
    }
}

async fn authorised(State((app, actions)): State<(Arc<App>, Arc<Actions>)>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    match decide(&app, &actions, &mut parts).await {
        Ok(who) => {
            if let Some(caller) = parts.extensions.get_mut::<Caller>() {
                (caller.actor_id, caller.actor_type) = (who.operator.clone(), "operator");
            }
            parts.extensions.insert(who);
            next.run(Request::from_parts(parts, body)).await
        }
        Err(problem) => Refused(problem).into_response(),
    }
}

async fn decide(app: &App, actions: &Actions, parts: &mut Parts) -> Outcome<Who> {
    let who = app.who(&bearer(&parts.headers)?).await?;
    let path = parts.extensions.get::<MatchedPath>().map(|path| path.as_str().to_owned()).unwrap_or_default();
    let of = |method: &str| actions.get(&(path.clone(), method.to_owned())).copied();
    // A HEAD is answered by the GET where it has no handler of its own; another method is refused after this, by the router.
    let action = match of(parts.method.as_str()) {
        None if parts.method == Method::HEAD => of("GET"),
        found => found,
    };
    let Some(action) = action else { return Ok(who) };
    let named = RawPathParams::from_request_parts(parts, &())
        .await
        .map_err(|_| Problem::new(Code::BadRequest, "the path or the query cannot be read"))?;
    let named = |name: &str| named.iter().find(|(key, _)| *key == name).map(|(_, value)| value);
    let unnamed = || Problem::internal(format!("the path {path} does not name what {action} is about"));
    let target = match action.scope() {
        Scope::Told => return Ok(who),
        Scope::Own => Target::Own,
        Scope::Hub => Target::Hub,
        Scope::Org => Target::Org(named("org").ok_or_else(unnamed)?),
        Scope::Project => Target::Project(named("project").ok_or_else(unnamed)?, named("env")),
    };
    app.authorise(&who, action, target).await?;
    Ok(who)
}
