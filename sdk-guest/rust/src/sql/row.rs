//! Rows as the guest sees them, out of the packed form.

use std::rc::Rc;

use serde::de::DeserializeOwned;

use super::cell::Cell;
use super::decode::{RowDeserializer, in_column};
use super::packed::Reader;
use super::{Error, Value};

pub use crate::bindings::santokit::sql::types::Column;

use crate::bindings::santokit::sql::types::{Batch, PackedRows};

/// One row. [`Row::get`] for one column, [`Row::decode`] for the whole.
#[derive(Debug, Clone)]
pub struct Row {
    columns: Rc<[Column]>,
    values: Vec<Value>,
}

/// All rows of a result, in order: `for row in rows`.
#[derive(Debug, Clone)]
pub struct Rows {
    columns: Rc<[Column]>,
    rows: std::vec::IntoIter<Vec<Value>>,
}

impl Row {
    /// The value of a column as the type that is asked for: `row.get::<i64>("stock")?`.
    pub fn get<T: DeserializeOwned>(&self, column: &str) -> Result<T, Error> {
        let value = self.value(column).ok_or_else(|| {
            let known: Vec<&str> = self.columns.iter().map(|column| column.name.as_str()).collect();
            Error::Decode(format!("there is no column {column}; there are: {}", known.join(", ")))
        })?;
        T::deserialize(Cell::of(value)).map_err(|error| in_column(error, column))
    }

    /// The bare value of a column.
    pub fn value(&self, column: &str) -> Option<&Value> {
        let index = self.columns.iter().position(|known| known.name == column)?;
        self.values.get(index)
    }

    /// The whole row as a struct (by column name), a tuple (in order) or, with one column, its value.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T, Error> {
        let cells: Vec<Cell<'_>> = self.values.iter().map(Cell::of).collect();
        T::deserialize(RowDeserializer { columns: &self.columns, cells: &cells })
    }

    /// Names and types of the columns, in order.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }
}

impl Rows {
    /// Names and types of the columns, in order.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// Whether no row is left.
    pub fn is_empty(&self) -> bool {
        self.rows.len() == 0
    }
}

impl Iterator for Rows {
    type Item = Row;

    fn next(&mut self) -> Option<Row> {
        let values = self.rows.next()?;
        Some(Row { columns: Rc::clone(&self.columns), values })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.rows.size_hint()
    }
}

impl ExactSizeIterator for Rows {}

/// Decodes a result into rows.
pub(crate) fn rows(packed: PackedRows) -> Result<Rows, Error> {
    let columns: Rc<[Column]> = packed.columns.into();
    let rows = batch_values(&columns, &packed.batch)?.into_iter();
    Ok(Rows { columns, rows })
}

/// Decodes a batch into rows.
pub(crate) fn batch_rows(columns: &Rc<[Column]>, batch: &Batch) -> Result<Vec<Row>, Error> {
    let rows = batch_values(columns, batch)?;
    Ok(rows.into_iter().map(|values| Row { columns: Rc::clone(columns), values }).collect())
}

/// Decodes a batch straight into a type, with no values in between.
pub(crate) fn batch_as<T: DeserializeOwned>(columns: &[Column], batch: &Batch) -> Result<Vec<T>, Error> {
    let mut reader = Reader::new(batch.format, &batch.data)?;
    let mut cells = vec![Cell::Null; columns.len()];
    let mut decoded = Vec::new();
    for _ in 0..batch.rows {
        for cell in &mut cells {
            *cell = reader.cell()?;
        }
        decoded.push(T::deserialize(RowDeserializer { columns, cells: &cells })?);
    }
    Ok(decoded)
}

fn batch_values(columns: &[Column], batch: &Batch) -> Result<Vec<Vec<Value>>, Error> {
    let mut reader = Reader::new(batch.format, &batch.data)?;
    (0..batch.rows).map(|_| columns.iter().map(|_| reader.cell().map(Cell::to_value)).collect()).collect()
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::{Batch, Cell, Column, PackedRows, batch_as, rows};
    use crate::sql::Error;

    #[derive(Debug, PartialEq, Deserialize)]
    struct Item {
        id: String,
        active: bool,
        price: Option<f64>,
        big: i64,
        tags: Vec<String>,
        raw: Vec<u8>,
    }

    #[derive(Debug, Deserialize)]
    struct Wrong {
        #[expect(dead_code, reason = "only its decoding is of interest")]
        id: i64,
    }

    /// The packed form, written as `sql.wit` describes it.
    fn pack(cells: &[Cell<'_>]) -> Vec<u8> {
        let mut data = Vec::new();
        let block = |data: &mut Vec<u8>, bytes: &[u8]| {
            data.extend(u32::try_from(bytes.len()).unwrap().to_le_bytes());
            data.extend(bytes);
        };
        for cell in cells {
            match cell {
                Cell::Null => data.push(0),
                Cell::Boolean(value) => data.push(1 + u8::from(*value)),
                Cell::Int64(value) => {
                    data.push(3);
                    data.extend(value.to_le_bytes());
                }
                Cell::Float64(value) => {
                    data.push(4);
                    data.extend(value.to_le_bytes());
                }
                Cell::Text(text) => {
                    data.push(5);
                    block(&mut data, text.as_bytes());
                }
                Cell::Bytes(bytes) => {
                    data.push(6);
                    block(&mut data, bytes);
                }
                Cell::Typed(name, text) => {
                    data.push(7);
                    block(&mut data, name.as_bytes());
                    block(&mut data, text.as_bytes());
                }
            }
        }
        data
    }

    fn columns(names: &[&str]) -> Vec<Column> {
        names.iter().map(|name| Column { name: (*name).to_owned(), type_name: String::new() }).collect()
    }

    fn items() -> (Vec<Column>, Batch) {
        let data = pack(&[
            Cell::Text("i1"),
            Cell::Int64(1),
            Cell::Typed("decimal", "19.90"),
            Cell::Typed("bigint", "9223372036854775807"),
            Cell::Typed("json", r#"["a", "ü"]"#),
            Cell::Bytes(&[0, 255]),
            Cell::Text("i2"),
            Cell::Boolean(false),
            Cell::Null,
            Cell::Int64(-1),
            Cell::Text("[]"),
            Cell::Bytes(&[]),
        ]);
        (columns(&["id", "active", "price", "big", "tags", "raw"]), Batch { rows: 2, format: 1, data })
    }

    #[test]
    fn rows_become_structs_whatever_the_database_calls_its_types() {
        let (columns, batch) = items();
        let decoded: Vec<Item> = batch_as(&columns, &batch).unwrap();
        assert_eq!(
            decoded,
            [
                Item {
                    id: "i1".into(),
                    active: true,
                    price: Some(19.9),
                    big: i64::MAX,
                    tags: vec!["a".into(), "ü".into()],
                    raw: vec![0, 255]
                },
                Item { id: "i2".into(), active: false, price: None, big: -1, tags: vec![], raw: vec![] },
            ]
        );
    }

    #[test]
    fn a_row_gives_its_columns_by_name() {
        let (columns, batch) = items();
        let mut rows = rows(PackedRows { columns, batch }).unwrap();
        assert_eq!(rows.len(), 2);
        let row = rows.next().unwrap();
        assert_eq!(row.get::<String>("price").unwrap(), "19.90");
        assert_eq!(row.get::<Option<i64>>("big").unwrap(), Some(i64::MAX));
        assert_eq!(row.decode::<Item>().unwrap().id, "i1");
        let unknown = row.get::<i64>("prize").unwrap_err().to_string();
        assert!(unknown.contains("no column prize; there are: id, active, price"), "{unknown}");
    }

    #[test]
    fn a_single_column_is_its_value_and_tuples_go_by_order() {
        let one = Batch { rows: 2, format: 1, data: pack(&[Cell::Int64(7), Cell::Null]) };
        assert_eq!(batch_as::<Option<i64>>(&columns(&["n"]), &one).unwrap(), [Some(7), None]);
        let two = Batch { rows: 1, format: 1, data: pack(&[Cell::Int64(7), Cell::Text("x")]) };
        assert_eq!(batch_as::<(u8, String)>(&columns(&["a", "b"]), &two).unwrap(), [(7, "x".to_owned())]);
        assert!(batch_as::<i64>(&columns(&["a", "b"]), &two).unwrap_err().to_string().contains("2 columns"));
    }

    #[test]
    fn an_error_names_the_column() {
        let (columns, batch) = items();
        let error = batch_as::<Wrong>(&columns, &batch).unwrap_err();
        assert!(error.to_string().contains("column id: invalid type: string \"i1\""), "{error}");
    }

    #[test]
    fn broken_batches_are_errors() {
        let (columns, batch) = items();
        for length in 0..batch.data.len() {
            let cut = Batch { data: batch.data[..length].to_vec(), ..batch };
            assert!(matches!(batch_as::<Item>(&columns, &cut), Err(Error::Decode(_))), "cut at {length}");
        }
        let newer = Batch { format: 2, ..batch.clone() };
        assert!(batch_as::<Item>(&columns, &newer).unwrap_err().to_string().contains("format 2"));
        let unknown = Batch { rows: 1, format: 1, data: vec![9] };
        assert!(matches!(batch_as::<i64>(&columns, &unknown), Err(Error::Decode(_))));
    }
}
