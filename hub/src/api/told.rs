//! Routes, each with what its handler takes and answers: one cannot be mounted that the OpenAPI document does not have.

use std::sync::Arc;

use axum::{Router, extract::DefaultBodyLimit, handler::Handler, http::Method};
use santokit_edge::{Route, Routes};

use super::openapi::describe::{Describe, Described};
use crate::app::App;

/// Routes with their handlers.
#[derive(Debug, Default)]
pub struct Told {
    routes: Routes<Arc<App>>,
    told: Vec<Documented>,
}

/// The methods that routes have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// Reads.
    Get,
    /// Makes, or does.
    Post,
    /// Sets.
    Put,
    /// Removes.
    Delete,
    /// Asks whether there is one.
    Head,
}

/// A route, as the document is to tell it.
#[derive(Clone, Debug)]
pub struct Documented {
    /// Method and path.
    pub route: Route,
    /// What its handler says.
    pub describe: Describe,
    /// The largest body, where it takes one that is larger than most.
    pub bytes_max: Option<usize>,
}

impl Told {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a GET.
    #[must_use]
    pub fn get<T, H, P>(self, path: &str, handler: H) -> Self
    where
        T: 'static,
        H: Handler<T, Arc<App>> + Described<P>,
    {
        self.add(Verb::Get, path, None, handler)
    }

    /// Adds a POST.
    #[must_use]
    pub fn post<T, H, P>(self, path: &str, handler: H) -> Self
    where
        T: 'static,
        H: Handler<T, Arc<App>> + Described<P>,
    {
        self.add(Verb::Post, path, None, handler)
    }

    /// What was added.
    pub fn list(self) -> Vec<Documented> {
        self.told
    }

    /// What serves it.
    pub fn router(self) -> Router<Arc<App>> {
        self.routes.router()
    }

    /// Adds a route; its body may be larger than most where that is said.
    #[must_use]
    pub fn add<T, H, P>(mut self, verb: Verb, path: &str, bytes_max: Option<usize>, handler: H) -> Self
    where
        T: 'static,
        H: Handler<T, Arc<App>> + Described<P>,
    {
        let describe = <H as Described<P>>::describe;
        self.told.push(Documented {
            route: Route { method: verb.method(), path: path.to_owned() },
            describe,
            bytes_max,
        });
        let routes = match bytes_max {
            Some(bytes) => mount(self.routes, verb, path, handler.layer(DefaultBodyLimit::max(bytes))),
            None => mount(self.routes, verb, path, handler),
        };
        Self { routes, told: self.told }
    }
}

fn mount<T: 'static>(
    routes: Routes<Arc<App>>,
    verb: Verb,
    path: &str,
    handler: impl Handler<T, Arc<App>>,
) -> Routes<Arc<App>> {
    match verb {
        Verb::Get => routes.get(path, handler),
        Verb::Post => routes.post(path, handler),
        Verb::Put => routes.put(path, handler),
        Verb::Delete => routes.delete(path, handler),
        Verb::Head => routes.head(path, handler),
    }
}

impl Verb {
    /// As it stands in a request.
    pub const fn method(self) -> Method {
        match self {
            Self::Get => Method::GET,
            Self::Post => Method::POST,
            Self::Put => Method::PUT,
            Self::Delete => Method::DELETE,
            Self::Head => Method::HEAD,
        }
    }
}
