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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What a guest does, written from the text of the WIT file.
    fn unpack(mut data: &[u8]) -> Vec<Value> {
        fn take<'d>(data: &mut &'d [u8], count: usize) -> &'d [u8] {
            let (taken, rest) = data.split_at(count);
            *data = rest;
            taken
        }
        fn bytes(data: &mut &[u8]) -> Vec<u8> {
            let length = u32::from_le_bytes(take(data, 4).try_into().unwrap());
            take(data, length as usize).to_vec()
        }
        fn text(data: &mut &[u8]) -> String {
            String::from_utf8(bytes(data)).unwrap()
        }
        let mut cells = Vec::new();
        while !data.is_empty() {
            let tag = take(&mut data, 1)[0];
            cells.push(match tag {
                0 => Value::Null,
                1 => Value::Boolean(false),
                2 => Value::Boolean(true),
                3 => Value::Int64(i64::from_le_bytes(take(&mut data, 8).try_into().unwrap())),
                4 => Value::Float64(f64::from_le_bytes(take(&mut data, 8).try_into().unwrap())),
                5 => Value::Text(text(&mut data)),
                6 => Value::Bytes(bytes(&mut data)),
                _ => Value::Typed(text(&mut data), text(&mut data)),
            });
        }
        cells
    }

    fn cell() -> impl Strategy<Value = Value> {
        prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::Boolean),
            any::<i64>().prop_map(Value::Int64),
            prop::num::f64::ANY.prop_filter("equal to itself", |number| !number.is_nan()).prop_map(Value::Float64),
            any::<String>().prop_map(Value::Text),
            any::<Vec<u8>>().prop_map(Value::Bytes),
            any::<(String, String)>().prop_map(|(name, text)| Value::Typed(name, text)),
        ]
    }

    proptest! {
        #[test]
        fn what_is_packed_comes_back(rows in prop::collection::vec(prop::collection::vec(cell(), 3), 0..20)) {
            prop_assert_eq!(unpack(&pack(&rows)), rows.concat());
        }
    }
}
