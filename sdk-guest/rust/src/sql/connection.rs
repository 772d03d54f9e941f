//! Connections, statements and transactions.

use serde::de::DeserializeOwned;

use super::row::{batch_as, rows};
use super::{Cursor, Error, Rows, Value};
use crate::bindings::santokit::sql::connections as host;

/// A database of the project.
///
/// While a transaction is open on it, statements made through the connection belong to the innermost one.
pub struct Connection {
    host: host::Connection,
}

/// An open transaction. Dropped without a commit, it is rolled back; so it is when the logic answers with an error.
pub struct Transaction {
    host: host::Transaction,
}

/// Opens a connection of the project by its name, for example `main`.
pub fn open(name: &str) -> Result<Connection, Error> {
    Ok(Connection { host: host::open(name)? })
}

/// Statements, on a [`Connection`] or in a [`Transaction`].
pub trait Queries {
    /// Reads all rows of a result.
    fn query(&self, sql: &str, params: &[Value]) -> Result<Rows, Error> {
        rows(self.packed(sql, params)?)
    }

    /// Reads all rows into a struct (by column name), a tuple (in order) or, with one column, a value.
    fn query_as<T: DeserializeOwned>(&self, sql: &str, params: &[Value]) -> Result<Vec<T>, Error> {
        let packed = self.packed(sql, params)?;
        batch_as(&packed.columns, &packed.batch)
    }

    /// Reads exactly one row; none or several are an error.
    fn query_one<T: DeserializeOwned>(&self, sql: &str, params: &[Value]) -> Result<T, Error> {
        self.query_optional(sql, params)?.ok_or(Error::RowCount { found: 0 })
    }

    /// Reads one row or none; several are an error.
    fn query_optional<T: DeserializeOwned>(&self, sql: &str, params: &[Value]) -> Result<Option<T>, Error> {
        let mut rows = self.query_as(sql, params)?.into_iter();
        let first = rows.next();
        if rows.next().is_some() { Err(Error::RowCount { found: 2 }) } else { Ok(first) }
    }

    /// Runs a statement for its effect; the number of rows affected.
    fn execute(&self, sql: &str, params: &[Value]) -> Result<u64, Error>;

    /// Reads a large result in parts.
    fn cursor(&self, sql: &str, params: &[Value]) -> Result<Cursor, Error>;

    /// The packed rows of a result. Of use to the other methods.
    #[doc(hidden)]
    fn packed(&self, sql: &str, params: &[Value]) -> Result<host::PackedRows, Error>;
}

impl Connection {
    /// For example `sqlite`, `postgres`, `mysql`.
    pub fn engine(&self) -> String {
        self.host.engine()
    }

    /// Begins a transaction. One begun inside another is a savepoint of it.
    pub fn begin(&self) -> Result<Transaction, Error> {
        Ok(Transaction { host: self.host.begin(&[])? })
    }

    /// Runs the closure in a transaction: commits where it answers `Ok`, rolls back where it answers `Err`.
    pub fn transaction<T, E: From<Error>>(&self, work: impl FnOnce(&Transaction) -> Result<T, E>) -> Result<T, E> {
        let transaction = self.begin()?;
        match work(&transaction) {
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
}

impl Transaction {
    /// For requests to tables in it.
    pub(crate) fn host(&self) -> &host::Transaction {
        &self.host
    }

    /// Makes the changes last.
    pub fn commit(self) -> Result<(), Error> {
        Ok(self.host.commit()?)
    }

    /// Takes the changes back.
    pub fn rollback(self) -> Result<(), Error> {
        Ok(self.host.rollback()?)
    }
}

impl Queries for Connection {
    fn execute(&self, sql: &str, params: &[Value]) -> Result<u64, Error> {
        Ok(self.host.execute(sql, params)?)
    }

    fn cursor(&self, sql: &str, params: &[Value]) -> Result<Cursor, Error> {
        Ok(Cursor::new(self.host.open_cursor(sql, params)?))
    }

    fn packed(&self, sql: &str, params: &[Value]) -> Result<host::PackedRows, Error> {
        Ok(self.host.query_packed(sql, params)?)
    }
}

impl Queries for Transaction {
    fn execute(&self, sql: &str, params: &[Value]) -> Result<u64, Error> {
        Ok(self.host.execute(sql, params)?)
    }

    fn cursor(&self, sql: &str, params: &[Value]) -> Result<Cursor, Error> {
        Ok(Cursor::new(self.host.open_cursor(sql, params)?))
    }

    fn packed(&self, sql: &str, params: &[Value]) -> Result<host::PackedRows, Error> {
        Ok(self.host.query_packed(sql, params)?)
    }
}
