//! Requests to tables on every engine, below HTTP: what is denied beside what is not there, hostile input everywhere, filters that are
//! made to cost, and random requests against a reference that knows no SQL. What cases say is asked over HTTP: `tests/it/http`.

mod alone;
mod denied;
mod differential;
mod guests;
mod hostile;
mod once;
mod patterns;
mod reference;
mod shop;
pub(crate) mod world;
