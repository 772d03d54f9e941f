//! Routes, written down as they are registered: what is served can be listed, and no route stands outside of the list.

use axum::{
    Router,
    handler::Handler,
    http::Method,
    routing::{MethodFilter, any, on},
};

/// What a listener takes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Route {
    /// The method.
    pub method: Method,
    /// The path, with `{name}` for a segment and `{*name}` for the rest.
    pub path: String,
}

/// Routes with their handlers.
#[derive(Debug)]
pub struct Routes<S> {
    router: Router<S>,
    list: Vec<Route>,
}

impl<S: Clone + Send + Sync + 'static> Routes<S> {
    /// None yet.
    pub fn new() -> Self {
        Self { router: Router::new(), list: Vec::new() }
    }

    /// Adds a GET.
    #[must_use]
    pub fn get<T: 'static>(self, path: &str, handler: impl Handler<T, S>) -> Self {
        self.add((Method::GET, MethodFilter::GET), path, handler)
    }

    /// Adds a POST.
    #[must_use]
    pub fn post<T: 'static>(self, path: &str, handler: impl Handler<T, S>) -> Self {
        self.add((Method::POST, MethodFilter::POST), path, handler)
    }

    /// Adds a PUT.
    #[must_use]
    pub fn put<T: 'static>(self, path: &str, handler: impl Handler<T, S>) -> Self {
        self.add((Method::PUT, MethodFilter::PUT), path, handler)
    }

    /// Adds a DELETE.
    #[must_use]
    pub fn delete<T: 'static>(self, path: &str, handler: impl Handler<T, S>) -> Self {
        self.add((Method::DELETE, MethodFilter::DELETE), path, handler)
    }

    /// Adds a HEAD.
    #[must_use]
    pub fn head<T: 'static>(self, path: &str, handler: impl Handler<T, S>) -> Self {
        self.add((Method::HEAD, MethodFilter::HEAD), path, handler)
    }

    /// Adds whatever method there is, which is listed as `ANY`.
    #[must_use]
    pub fn any<T: 'static>(mut self, path: &str, handler: impl Handler<T, S>) -> Self {
        // Letters are a method.
        let method = Method::from_bytes(b"ANY").unwrap_or_default();
        self.list.push(Route { method, path: path.to_owned() });
        Self { router: self.router.route(path, any(handler)), list: self.list }
    }

    /// With those of another.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.list.extend(other.list);
        Self { router: self.router.merge(other.router), list: self.list }
    }

    /// What was added.
    pub fn list(self) -> Vec<Route> {
        self.list
    }

    /// What serves it.
    pub fn router(self) -> Router<S> {
        self.router
    }

    fn add<T: 'static>(
        mut self,
        (method, filter): (Method, MethodFilter),
        path: &str,
        handler: impl Handler<T, S>,
    ) -> Self {
        self.list.push(Route { method, path: path.to_owned() });
        Self { router: self.router.route(path, on(filter, handler)), list: self.list }
    }
}

impl<S: Clone + Send + Sync + 'static> Default for Routes<S> {
    fn default() -> Self {
        Self::new()
    }
}
