//! Rows in one byte string: format 1 of `santokit:sql/types.batch`. Encoding only; guests decode.

use santokit_core::value::Value;

/// The format's number.
pub const FORMAT: u32 = 1;

/// Packs cells row after row.
pub fn pack(rows: &[Vec<Value>]) -> Vec<u8> {
    let size: usize = rows.iter().flatten().map(|cell| cell.size_bytes() + 9).sum();
    let mut data = Vec::with_capacity(size);
    for cell in rows.iter().flatten() {
        pack_cell(cell, &mut data);
    }
    data
}

fn pack_cell(cell: &Value, data: &mut Vec<u8>) {
    match cell {
        Value::Null => data.push(0),
        Value::Boolean(false) => data.push(1),
        Value::Boolean(true) => data.push(2),
        Value::Int64(number) => {
            data.push(3);
            data.extend_from_slice(&number.to_le_bytes());
        }
        Value::Float64(number) => {
            data.push(4);
            data.extend_from_slice(&number.to_le_bytes());
        }
        Value::Text(text) => {
            data.push(5);
            pack_bytes(text.as_bytes(), data);
        }
        Value::Bytes(bytes) => {
            data.push(6);
            pack_bytes(bytes, data);
        }
        Value::Typed(name, text) => {
            data.push(7);
            pack_bytes(name.as_bytes(), data);
            pack_bytes(text.as_bytes(), data);
        }
    }
}

/// The byte limit of an invocation (1 GiB at most) keeps every cell below 4 GiB.
fn pack_bytes(bytes: &[u8], data: &mut Vec<u8>) {
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    data.extend_from_slice(&length.to_le_bytes());
    data.extend_from_slice(&bytes[..length as usize]);
}
