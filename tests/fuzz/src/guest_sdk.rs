//! The decoder of the Rust SDK, whose sources are taken as they are: the SDK itself needs a host around it. What they name of the SDK is here.

use std::fmt;

use serde::{Deserialize, de::DeserializeOwned};

#[expect(dead_code, reason = "the SDK's file, of which a part is called")]
#[path = "../../../sdk-guest/rust/src/sql/cell.rs"]
mod cell;
#[path = "../../../sdk-guest/rust/src/sql/decode.rs"]
mod decode;
#[path = "../../../sdk-guest/rust/src/sql/packed.rs"]
mod reader;

use cell::Cell;
use decode::RowDeserializer;
use reader::Reader;

/// The format that the SDK reads.
const FORMAT: u32 = 1;

/// As the SDK's bindings have it.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// NULL.
    Null,
    /// A truth value.
    Boolean(bool),
    /// An integer.
    Int64(i64),
    /// A number.
    Float64(f64),
    /// Text.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
    /// A type's name, and the value as text.
    Typed((String, String)),
}

/// As the SDK has it, where its decoder makes the first kind alone.
#[derive(Debug)]
#[expect(dead_code, reason = "the others are of the host, which is not there")]
pub(crate) enum Error {
    Decode(String),
    Invalid(String),
    Other(String),
}

/// As the SDK has it.
struct Column {
    name: String,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Decode(why) | Self::Invalid(why) | Self::Other(why)) = self;
        f.write_str(why)
    }
}

impl std::error::Error for Error {}

impl serde::de::Error for Error {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::Decode(message.to_string())
    }
}

/// What a logic might ask a row to be.
#[derive(Debug, Deserialize)]
#[expect(dead_code, reason = "only decoded")]
struct Item {
    a: Option<f64>,
    b: String,
    #[serde(default)]
    c: Vec<u8>,
}

/// A choice by its name.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Choice {
    Open,
    Closed,
}

/// The cells of packed rows, up to the first that is none.
pub fn cells(data: &[u8]) -> Vec<Value> {
    let mut values = Vec::new();
    each(data, |cell| values.push(cell.to_value()));
    values
}

fn each<'d>(data: &'d [u8], mut take: impl FnMut(Cell<'d>)) {
    let Ok(mut reader) = Reader::new(FORMAT, data) else { unreachable!("it is the SDK's format") };
    while let Ok(cell) = reader.cell() {
        take(cell);
    }
}

/// Packed rows: what is read is no more than there is, and becomes the type that is asked for or an error.
pub fn packed(data: &[u8]) {
    assert!(Reader::new(FORMAT + 1, data).is_err());
    let mut all = Vec::new();
    each(data, |cell| all.push(cell));
    assert!(all.len() <= data.len());
    let columns = ["a", "b", "c"].map(|name| Column { name: name.to_owned() });
    for cells in all.chunks(columns.len()) {
        become_types(&columns[..cells.len()], cells);
    }
    for cell in &all {
        become_types(&columns[..1], std::slice::from_ref(cell));
    }
}

fn become_types(columns: &[Column], cells: &[Cell<'_>]) {
    become_one::<bool>(columns, cells);
    become_one::<i8>(columns, cells);
    become_one::<u64>(columns, cells);
    become_one::<f32>(columns, cells);
    become_one::<char>(columns, cells);
    become_one::<String>(columns, cells);
    become_one::<Option<i64>>(columns, cells);
    become_one::<Vec<u8>>(columns, cells);
    become_one::<Choice>(columns, cells);
    become_one::<Item>(columns, cells);
    become_one::<(Option<i32>, f64, String)>(columns, cells);
    become_one::<(serde_json::Value, (u8, u8))>(columns, cells);
    become_one::<std::collections::BTreeMap<String, Option<String>>>(columns, cells);
    become_one::<serde_json::Value>(columns, cells);
}

fn become_one<T: DeserializeOwned>(columns: &[Column], cells: &[Cell<'_>]) {
    if let Err(error) = T::deserialize(RowDeserializer { columns, cells }) {
        assert!(!error.to_string().is_empty());
    }
}
