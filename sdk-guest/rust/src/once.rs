//! What is done once, whatever is tried again. Needs `grants.once`.
//!
//! ```no_run
//! use santokit_guest::prelude::*;
//!
//! # fn f(event: events::Event) -> Result<(), LogicError> {
//! let db = sql::open("main")?;
//! let tx = db.begin()?;
//! once::within(&tx).once(&event.id, || {
//!     tx.execute("UPDATE stock SET reserved = reserved + 1 WHERE item = ?", params!["i1"])?;
//!     Ok::<_, LogicError>(())
//! })?;
//! tx.commit()?;
//!
//! // What is outside of the database: again only where the mark was not reached.
//! once(&event.id, || send_receipt())?;
//! # Ok(()) }
//! # fn send_receipt() -> Result<(), LogicError> { Ok(()) }
//! ```
//!
//! A mark is kept beside the rows, and is of this logic alone. In a transaction it comes with the commit: what is written there and the mark are both
//! stored, or neither is. It stands for 90 days.

use std::fmt;

use crate::bindings::santokit::events::once as host;
use crate::bindings::santokit::sql::connections as sql;
use crate::sql::Transaction;
use crate::{LogicError, log};

/// Why it is not known whether something was done, or not kept that it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// `denied` (not granted), `invalid` (the key, or the transaction), `conflict` (somebody did it at the same time; a transaction is lost with it),
    /// `rate` (more marks than a logic may make), `timeout` or `unavailable`. Others may come.
    pub code: String,
    /// For the developer.
    pub message: String,
}

/// Doing once in a transaction; see [`within`].
#[derive(Clone, Copy)]
pub struct Within<'t> {
    transaction: Option<&'t sql::Transaction>,
}

/// Marks that belong to a transaction: they come when it is committed. While one is open on their database, [`once()`] without it is `invalid`.
pub fn within(transaction: &Transaction) -> Within<'_> {
    Within { transaction: Some(transaction.host()) }
}

/// Does the work where the key is not marked, and marks it then; `None` where it was done before. What fails is not marked.
///
/// The mark is of the invocation's own transaction where the manifest says `transaction: required`. Otherwise it is stored when the work is done: who is
/// stopped between the two does the work again.
pub fn once<T, E: From<Error>>(key: &str, work: impl FnOnce() -> Result<T, E>) -> Result<Option<T>, E> {
    Within { transaction: None }.once(key, work)
}

impl Within<'_> {
    /// See [`once()`]. Work and mark are stored together.
    pub fn once<T, E: From<Error>>(&self, key: &str, work: impl FnOnce() -> Result<T, E>) -> Result<Option<T>, E> {
        if host::is_done(key, self.transaction).map_err(Error::from)? {
            return Ok(None);
        }
        let done = work()?;
        host::mark_done(key, self.transaction).map_err(Error::from)?;
        Ok(Some(done))
    }
}

impl From<host::Error> for Error {
    fn from(error: host::Error) -> Self {
        let host::Error { code, message } = error;
        Self { code, message }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "once {}: {}", self.code, self.message)
    }
}

impl std::error::Error for Error {}

impl From<Error> for LogicError {
    /// For `?`. The caller gets a code to act on; what it was about goes to the log.
    fn from(error: Error) -> Self {
        let (code, message) = match error.code.as_str() {
            "denied" => ("ONCE_DENIED", "the logic may not remember what it has done"),
            "conflict" => ("ONCE_CONFLICT", "somebody does the same at this moment"),
            "rate" => ("ONCE_RATE", "too much is done once in a short time"),
            "timeout" => ("ONCE_TIMEOUT", "the database took too long"),
            "unavailable" => ("ONCE_UNAVAILABLE", "what is done cannot be kept now"),
            _ => ("ONCE_INVALID", "the logic made a mistake with what is done once"),
        };
        log::error(&error.to_string(), &[("code", code)]);
        Self::new(code, message)
    }
}
