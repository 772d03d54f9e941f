//! Events of the project's topics. Needs `grants.events`, which lists the topics.
//!
//! ```no_run
//! use santokit_guest::prelude::*;
//!
//! # fn f() -> Result<(), LogicError> {
//! let db = sql::open("main")?;
//! let tx = db.begin()?;
//! tx.execute("INSERT INTO orders (id, total) VALUES (?, ?)", params!["o1", "19.90"])?;
//! let id = events::within(&tx).publish("order_placed", json!({"orderId": "o1"}))?;
//! tx.commit()?;
//! # drop(id); Ok(()) }
//! ```
//!
//! Handling them is an export: see [`on_event!`](crate::on_event).
//!
//! An event is kept in the database beside the rows that it tells of. In a transaction it comes with the commit, and never without.

mod error;
mod handling;

use serde::Serialize;

use crate::bindings::santokit::events::events as host;
use crate::bindings::santokit::sql::connections as sql;
use crate::sql::Transaction;

pub use error::Error;
pub use handling::Event;
#[doc(hidden)]
pub use handling::handle;

/// Publishing in a transaction; see [`within`].
#[derive(Clone, Copy)]
pub struct Within<'t> {
    transaction: Option<&'t sql::Transaction>,
}

/// Events that belong to a transaction: they come when it is committed. While one is open on the event's database, publishing without it is
/// [`Error::Invalid`].
pub fn within(transaction: &Transaction) -> Within<'_> {
    Within { transaction: Some(transaction.host()) }
}

/// Publishes an event; its id. It belongs to the invocation's own transaction where the manifest says `transaction: required`; otherwise it is stored
/// at once.
pub fn publish(topic: &str, payload: impl Serialize) -> Result<String, Error> {
    Within { transaction: None }.publish(topic, payload)
}

impl Within<'_> {
    /// See [`publish`].
    pub fn publish(&self, topic: &str, payload: impl Serialize) -> Result<String, Error> {
        let payload = serde_json::to_vec(&payload);
        let payload = payload.map_err(|error| Error::Invalid(format!("the payload has no JSON form: {error}")))?;
        Ok(host::publish(topic, &payload, self.transaction)?)
    }
}
