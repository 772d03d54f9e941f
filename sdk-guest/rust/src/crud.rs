//! Requests to the project's tables: the params, rules and answers of `POST /db/{table}/{verb}`. Needs `grants.crud`, which says for whom
//! the tables are asked: `as: caller`, or `as: service` with roles of its own.
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
//! let open: Vec<Order> = crud::select("orders", json!({"where": {"status": "open"}, "orderBy": {"id": "asc"}}))?;
//! let changed = crud::update("orders", json!({"where": {"id": open[0].id}, "data": {"status": "paid"}}))?;
//! # Ok(()) }
//! ```
//!
//! What a rule does not give is as if it were not there. In a transaction of [`sql`](crate::sql): [`within`].

mod error;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::bindings::santokit::crud::crud as host;
use crate::bindings::santokit::sql::connections as sql;
use crate::sql::Transaction;

pub use error::{Error, Problem};

type Call = fn(&str, &[u8], Option<&sql::Transaction>) -> Result<host::Answer, host::Error>;

/// Rows, and how they go on.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Page<T> {
    /// The rows.
    pub rows: Vec<T>,
    /// For the param `cursor` of the next request; none at the end.
    pub next_cursor: Option<String>,
    /// How many there are in all, where `"count": true` asks for it.
    pub total: Option<u64>,
}

/// What one call of a batch answers.
#[derive(Debug, Clone, PartialEq, serde::Deserialize)]
#[non_exhaustive]
pub struct Answer {
    /// Rows, or `{"affected": 1}`.
    pub data: Value,
    /// `nextCursor`, `total`.
    #[serde(default)]
    pub meta: Map<String, Value>,
}

/// Requests in a transaction; see [`within`].
#[derive(Clone, Copy)]
pub struct Within<'t> {
    transaction: Option<&'t sql::Transaction>,
}

/// Requests that belong to a transaction: they see what it has done, and are undone with it. One that fails has done nothing, and the
/// transaction goes on. While one is open on a table's database, a request without it is [`Error::Invalid`].
pub fn within(transaction: &Transaction) -> Within<'_> {
    Within { transaction: Some(transaction.host()) }
}

const ALONE: Within<'static> = Within { transaction: None };

/// Reads rows: into a struct by column name.
pub fn select<T: DeserializeOwned>(table: &str, params: impl Serialize) -> Result<Vec<T>, Error> {
    ALONE.select(table, params)
}

/// Reads rows, with the cursor for those that follow and the total.
pub fn page<T: DeserializeOwned>(table: &str, params: impl Serialize) -> Result<Page<T>, Error> {
    ALONE.page(table, params)
}

/// Adds rows: `{"data": {…}}`, or a list. The rows as they are now, as far as they may be read: none of a table that may not be read, or with
/// `"returning": false`.
pub fn insert<T: DeserializeOwned>(table: &str, params: impl Serialize) -> Result<Vec<T>, Error> {
    ALONE.insert(table, params)
}

/// Changes rows: `{"where": {…}, "data": {…}}`. How many.
pub fn update(table: &str, params: impl Serialize) -> Result<u64, Error> {
    ALONE.update(table, params)
}

/// The same; the rows as they are now.
pub fn update_returning<T: DeserializeOwned>(table: &str, params: impl Serialize) -> Result<Vec<T>, Error> {
    ALONE.update_returning(table, params)
}

/// Removes rows: `{"where": {…}}`. How many.
pub fn delete(table: &str, params: impl Serialize) -> Result<u64, Error> {
    ALONE.delete(table, params)
}

/// The same; the rows as they were.
pub fn delete_returning<T: DeserializeOwned>(table: &str, params: impl Serialize) -> Result<Vec<T>, Error> {
    ALONE.delete_returning(table, params)
}

/// Several calls, all or nothing: `[{"path": "db/orders/insert", "params": {…}}]`.
pub fn batch(calls: impl Serialize) -> Result<Vec<Answer>, Error> {
    ALONE.batch(calls)
}

impl Within<'_> {
    /// See [`select`].
    pub fn select<T: DeserializeOwned>(&self, table: &str, params: impl Serialize) -> Result<Vec<T>, Error> {
        rows(&self.ask(host::select, table, params)?.data)
    }

    /// See [`page`].
    pub fn page<T: DeserializeOwned>(&self, table: &str, params: impl Serialize) -> Result<Page<T>, Error> {
        let answer = self.ask(host::select, table, params)?;
        let meta: Map<String, Value> = serde_json::from_slice(&answer.meta).map_err(|error| decode(&error))?;
        Ok(Page {
            rows: rows(&answer.data)?,
            next_cursor: meta.get("nextCursor").and_then(Value::as_str).map(str::to_owned),
            total: meta.get("total").and_then(Value::as_u64),
        })
    }

    /// See [`insert`].
    pub fn insert<T: DeserializeOwned>(&self, table: &str, params: impl Serialize) -> Result<Vec<T>, Error> {
        added(&self.ask(host::insert, table, params)?.data)
    }

    /// See [`update`].
    pub fn update(&self, table: &str, params: impl Serialize) -> Result<u64, Error> {
        affected(&self.ask(host::update, table, params)?.data)
    }

    /// See [`update_returning`].
    pub fn update_returning<T: DeserializeOwned>(&self, table: &str, params: impl Serialize) -> Result<Vec<T>, Error> {
        rows(&self.ask(host::update, table, returning(params)?)?.data)
    }

    /// See [`delete`].
    pub fn delete(&self, table: &str, params: impl Serialize) -> Result<u64, Error> {
        affected(&self.ask(host::delete, table, params)?.data)
    }

    /// See [`delete_returning`].
    pub fn delete_returning<T: DeserializeOwned>(&self, table: &str, params: impl Serialize) -> Result<Vec<T>, Error> {
        rows(&self.ask(host::delete, table, returning(params)?)?.data)
    }

    /// See [`batch`].
    pub fn batch(&self, calls: impl Serialize) -> Result<Vec<Answer>, Error> {
        #[derive(Serialize)]
        struct Batch<C> {
            calls: C,
        }
        let answer = host::batch(&written(&Batch { calls })?, self.transaction)?;
        serde_json::from_slice(&answer.data).map_err(|error| decode(&error))
    }

    fn ask(self, call: Call, table: &str, params: impl Serialize) -> Result<host::Answer, Error> {
        Ok(call(table, &written(&params)?, self.transaction)?)
    }
}

/// The params with what asks for the rows.
fn returning(params: impl Serialize) -> Result<Value, Error> {
    let params = serde_json::to_value(params);
    let mut params = params.map_err(|error| Error::Invalid(format!("the params have no JSON form: {error}")))?;
    if let Some(fields) = params.as_object_mut() {
        fields.insert("returning".to_owned(), Value::Bool(true));
    }
    Ok(params)
}

fn written(params: &impl Serialize) -> Result<Vec<u8>, Error> {
    serde_json::to_vec(params).map_err(|error| Error::Invalid(format!("the params have no JSON form: {error}")))
}

/// Rows that were added and may not be read are answered as a number; they are there, so that this is no error.
fn added<T: DeserializeOwned>(data: &[u8]) -> Result<Vec<T>, Error> {
    if data.first() == Some(&b'{') { Ok(Vec::new()) } else { rows(data) }
}

fn rows<T: DeserializeOwned>(data: &[u8]) -> Result<Vec<T>, Error> {
    serde_json::from_slice(data).map_err(|error| decode(&error))
}

fn affected(data: &[u8]) -> Result<u64, Error> {
    #[derive(serde::Deserialize)]
    struct Affected {
        affected: u64,
    }
    serde_json::from_slice::<Affected>(data).map(|answer| answer.affected).map_err(|error| decode(&error))
}

fn decode(error: &serde_json::Error) -> Error {
    Error::Decode(error.to_string())
}
