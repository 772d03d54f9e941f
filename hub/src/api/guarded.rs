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
use santokit_edge::Route;

use super::{
    bearer,
    openapi::describe::Described,
    respond::Refused,
    told::{Documented, Told, Verb},
};
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
    routes: Told,
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
    pub fn get<T, H, P>(self, path: &str, action: Action, handler: H) -> Self
    where
        T: 'static,
        H: Handler<T, Arc<App>> + Described<P>,
    {
        self.add((Verb::Get, path), action, None, handler)
    }

    /// Adds a POST.
    #[must_use]
    pub fn post<T, H, P>(self, path: &str, action: Action, handler: H) -> Self
    where
        T: 'static,
        H: Handler<T, Arc<App>> + Described<P>,
    {
        self.add((Verb::Post, path), action, None, handler)
    }

    /// Adds a PUT.
    #[must_use]
    pub fn put<T, H, P>(self, path: &str, action: Action, handler: H) -> Self
    where
        T: 'static,
        H: Handler<T, Arc<App>> + Described<P>,
    {
        self.add((Verb::Put, path), action, None, handler)
    }

    /// Adds a DELETE.
    #[must_use]
    pub fn delete<T, H, P>(self, path: &str, action: Action, handler: H) -> Self
    where
        T: 'static,
        H: Handler<T, Arc<App>> + Described<P>,
    {
        self.add((Verb::Delete, path), action, None, handler)
    }

    /// Adds a HEAD.
    #[must_use]
    pub fn head<T, H, P>(self, path: &str, action: Action, handler: H) -> Self
    where
        T: 'static,
        H: Handler<T, Arc<App>> + Described<P>,
    {
        self.add((Verb::Head, path), action, None, handler)
    }

    /// Adds one whose body may be larger than most.
    #[must_use]
    pub fn large<T, H, P>(self, route: (Verb, &str), action: Action, bytes_max: usize, handler: H) -> Self
    where
        T: 'static,
        H: Handler<T, Arc<App>> + Described<P>,
    {
        self.add(route, action, Some(bytes_max), handler)
    }

    /// What was added.
    pub fn list(self) -> Vec<(Documented, Action)> {
        let Self { routes, actions } = self;
        let of = |route: &Route| actions.get(&(route.path.clone(), route.method.to_string())).copied();
        routes.list().into_iter().filter_map(|told| of(&told.route).map(|action| (told, action))).collect()
    }

    /// What serves it.
    pub fn router(self, app: Arc<App>) -> Router<Arc<App>> {
        let state = (app, Arc::new(self.actions));
        self.routes.router().route_layer(from_fn_with_state(state, authorised))
    }

    fn add<T, H, P>(mut self, (verb, path): (Verb, &str), action: Action, bytes_max: Option<usize>, handler: H) -> Self
    where
        T: 'static,
        H: Handler<T, Arc<App>> + Described<P>,
    {
        self.actions.insert((path.to_owned(), verb.method().to_string()), action);
        Self { routes: self.routes.add(verb, path, bytes_max, handler), actions: self.actions }
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
