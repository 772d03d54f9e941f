//! What operators are answered, a type for each answer: the OpenAPI document is made of these, so that it cannot say something
//! else than the Hub does. They hold what is shown and decide nothing. Times are RFC 3339, UTC.

pub mod credentials;
pub mod fleet;
pub mod people;
pub mod projects;
pub mod releases;
pub mod system;
