//! Requests to tables on every engine: the HTTP cases of tables once more on servers, what is denied beside what is not there, hostile
//! input everywhere, and random requests against a reference that knows no SQL.

mod cases;
mod denied;
mod differential;
mod guests;
mod hostile;
mod once;
mod reference;
mod world;
