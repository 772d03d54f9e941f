//! Declared queries of the project (`queries/*.sql`), called by name. Needs `grants.queries` for each name, and no grant of SQL.
//!
//! ```no_run
//! use santokit_guest::prelude::*;
//!
//! #[derive(Deserialize)]
//! struct Order {
//!     id: String,
//!     total: String,
//! }
//!
//! # fn f() -> Result<(), LogicError> {
//! let orders: Vec<Order> = queries::many("orders_of_customer", params! {"customerId" => "c1", "limit" => 10})?;
//! # Ok(()) }
//! ```

use serde::de::DeserializeOwned;

use crate::bindings::santokit::queries::queries as host;
use crate::sql::{Cursor, Error, Value, batch_as};

/// A param of a query: its name and its value. See [`params!`](crate::params!).
pub type Named<'a> = (&'a str, Value);

/// An open transaction. Dropped without a commit, it is rolled back; so it is when the logic answers with an error.
pub struct Transaction {
    host: host::Transaction,
}

/// Reads all rows of a query that returns many: into a struct (by column name), a tuple (in order) or, with one column, a value.
pub fn many<T: DeserializeOwned>(name: &str, params: &[Named<'_>]) -> Result<Vec<T>, Error> {
    let packed = host::many(name, &owned(params))?;
    batch_as(&packed.columns, &packed.batch)
}

/// Reads the row of a query that returns one. None or several are [`Error::RowCount`]; then nothing was changed.
pub fn one<T: DeserializeOwned>(name: &str, params: &[Named<'_>]) -> Result<T, Error> {
    let packed = host::one(name, &owned(params)).map_err(row_count)?;
    batch_as(&packed.columns, &packed.batch)?.pop().ok_or(Error::RowCount { found: 0 })
}

/// Runs a query that returns `exec`; the number of rows affected.
pub fn execute(name: &str, params: &[Named<'_>]) -> Result<u64, Error> {
    Ok(host::execute(name, &owned(params))?)
}

/// Reads a large result of a query that returns many in parts.
pub fn cursor(name: &str, params: &[Named<'_>]) -> Result<Cursor, Error> {
    Ok(Cursor::of_query(host::open_cursor(name, &owned(params))?))
}

/// Begins a transaction on a connection that a granted query is on. Queries of that connection belong to the innermost one.
pub fn begin(connection: &str) -> Result<Transaction, Error> {
    Ok(Transaction { host: host::begin(connection, &[])? })
}

/// Runs the closure in a transaction: commits where it answers `Ok`, rolls back where it answers `Err`.
pub fn transaction<T, E: From<Error>>(connection: &str, work: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
    let transaction = begin(connection)?;
    match work() {
        Ok(done) => {
            transaction.commit()?;
            Ok(done)
        }
        Err(error) => {
            // The error of the work is the one that tells what happened; a failed rollback rolls back as well.
            let _ = transaction.rollback();
            Err(error)
        }
    }
}

impl Transaction {
    /// Makes the changes last.
    pub fn commit(self) -> Result<(), Error> {
        Ok(self.host.commit()?)
    }

    /// Takes the changes back.
    pub fn rollback(self) -> Result<(), Error> {
        Ok(self.host.rollback()?)
    }
}

fn owned(params: &[Named<'_>]) -> Vec<(String, Value)> {
    params.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
}

fn row_count(error: crate::bindings::santokit::sql::types::Error) -> Error {
    match Error::from(error) {
        Error::Other { code, .. } if code == "NO_ROW" => Error::RowCount { found: 0 },
        Error::Other { code, .. } if code == "SEVERAL_ROWS" => Error::RowCount { found: 2 },
        other => other,
    }
}
