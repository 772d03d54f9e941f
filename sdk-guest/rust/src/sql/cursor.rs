//! Large results, read in parts.

use std::marker::PhantomData;
use std::rc::Rc;

use serde::de::DeserializeOwned;

use super::row::{batch_as, batch_rows};
use super::{Column, Error, Row};
use crate::bindings::santokit::queries::queries;
use crate::bindings::santokit::sql::{connections as host, types};

/// How much is fetched at a time: enough to make the border cheap, little enough to stay small in memory.
const BATCH_ROWS: u32 = 500;
const BATCH_BYTES: u32 = 256 * 1024;

/// Reads rows one by one, fetching them in batches: `for row in cursor { let row = row?; … }`.
pub struct Cursor {
    source: Source,
    batch: std::vec::IntoIter<Row>,
}

/// A [`Cursor`] that decodes each row into a type.
pub struct TypedCursor<T> {
    source: Source,
    batch: std::vec::IntoIter<T>,
    decodes: PhantomData<fn() -> T>,
}

/// A cursor of the guest's own statement, or of a declared query. Behind a pointer, so that a logic which uses one of them does
/// not import the interface of the other.
trait HostCursor {
    fn next_batch(&self) -> Result<Option<host::Batch>, types::Error>;
}

struct Source {
    cursor: Box<dyn HostCursor>,
    columns: Rc<[Column]>,
    /// Nothing is asked for after the end or after an error.
    finished: bool,
}

impl Cursor {
    pub(crate) fn new(cursor: host::Cursor) -> Self {
        let columns = cursor.columns();
        Self::of(Box::new(cursor), columns)
    }

    pub(crate) fn of_query(cursor: queries::Cursor) -> Self {
        let columns = cursor.columns();
        Self::of(Box::new(cursor), columns)
    }

    fn of(cursor: Box<dyn HostCursor>, columns: Vec<Column>) -> Self {
        let source = Source { cursor, columns: columns.into(), finished: false };
        Self { source, batch: Vec::new().into_iter() }
    }

    /// Names and types of the columns, in order.
    pub fn columns(&self) -> &[Column] {
        &self.source.columns
    }

    /// Decodes each row into a type, from here on: `db.cursor(…)?.decode::<Order>()`.
    pub fn decode<T: DeserializeOwned>(self) -> TypedCursor<T> {
        TypedCursor { source: self.source, batch: Vec::new().into_iter(), decodes: PhantomData }
    }
}

impl HostCursor for host::Cursor {
    fn next_batch(&self) -> Result<Option<host::Batch>, types::Error> {
        self.next_batch(BATCH_ROWS, BATCH_BYTES)
    }
}

impl HostCursor for queries::Cursor {
    fn next_batch(&self) -> Result<Option<host::Batch>, types::Error> {
        self.next_batch(BATCH_ROWS, BATCH_BYTES)
    }
}

impl Iterator for Cursor {
    type Item = Result<Row, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(row) = self.batch.next() {
                return Some(Ok(row));
            }
            match self.source.next_batch(batch_rows)? {
                Ok(rows) => self.batch = rows.into_iter(),
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

impl<T: DeserializeOwned> Iterator for TypedCursor<T> {
    type Item = Result<T, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(row) = self.batch.next() {
                return Some(Ok(row));
            }
            match self.source.next_batch(|columns, batch| batch_as(columns, batch))? {
                Ok(rows) => self.batch = rows.into_iter(),
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

impl Source {
    fn next_batch<T>(
        &mut self,
        decode: impl FnOnce(&Rc<[Column]>, &host::Batch) -> Result<Vec<T>, Error>,
    ) -> Option<Result<Vec<T>, Error>> {
        if self.finished {
            return None;
        }
        let next = self.cursor.next_batch().map_err(Error::from);
        let rows = next.and_then(|batch| batch.map(|batch| decode(&self.columns, &batch)).transpose()).transpose();
        self.finished = !matches!(rows, Some(Ok(_)));
        rows
    }
}
