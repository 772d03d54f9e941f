//! Rows in one byte string: format 1 of `santokit:sql/types.batch`. Encoding only; guests decode.

use santokit_core::value::Value;

use crate::host::RowBudget;

/// The format's number.
pub const FORMAT: u32 = 1;

/// Rows as they are packed, and where each ends: what a cursor keeps, so that no cell is a value of its own in between.
#[derive(Clone, Debug, Default)]
pub struct PackedRows {
    data: Vec<u8>,
    /// Of the cells since the last row.
    pending_bytes: u64,
    ends: Vec<End>,
}

/// The end of a row.
#[derive(Clone, Copy, Debug)]
struct End {
    /// In the data.
    offset: usize,
    /// As limits count ([`Value::size_bytes`]), of this row.
    bytes: u64,
}

/// Some rows, for the guest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackedBatch {
    /// How many.
    pub rows: u64,
    /// As limits count.
    pub bytes: u64,
    /// In format 1.
    pub data: Vec<u8>,
}

impl PackedRows {
    /// Packs rows that are there as values.
    pub fn of(rows: &[Vec<Value>]) -> Self {
        let size: usize = rows.iter().flatten().map(|cell| cell.size_bytes() + 9).sum();
        let mut packed =
            Self { data: Vec::with_capacity(size), pending_bytes: 0, ends: Vec::with_capacity(rows.len()) };
        for row in rows {
            for cell in row {
                packed.cell(cell);
            }
            packed.end_row();
        }
        packed
    }

    /// The next cell.
    pub fn cell(&mut self, cell: &Value) {
        match cell {
            Value::Null => self.null(),
            Value::Boolean(truth) => self.boolean(*truth),
            Value::Int64(number) => self.int64(*number),
            Value::Float64(number) => self.float64(*number),
            Value::Text(text) => self.text(text),
            Value::Bytes(bytes) => self.bytes(bytes),
            Value::Typed(name, text) => self.typed(name, text),
        }
    }

    /// The next cell is NULL.
    pub fn null(&mut self) {
        self.data.push(0);
        self.pending_bytes += 1;
    }

    /// The next cell.
    pub fn boolean(&mut self, truth: bool) {
        self.data.push(if truth { 2 } else { 1 });
        self.pending_bytes += 1;
    }

    /// The next cell.
    pub fn int64(&mut self, number: i64) {
        self.data.push(3);
        self.data.extend_from_slice(&number.to_le_bytes());
        self.pending_bytes += 8;
    }

    /// The next cell.
    pub fn float64(&mut self, number: f64) {
        self.data.push(4);
        self.data.extend_from_slice(&number.to_le_bytes());
        self.pending_bytes += 8;
    }

    /// The next cell.
    pub fn text(&mut self, text: &str) {
        self.data.push(5);
        self.sized(text.as_bytes());
    }

    /// The next cell.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.data.push(6);
        self.sized(bytes);
    }

    /// The next cell: a type's name, and the value's text.
    pub fn typed(&mut self, name: &str, text: &str) {
        self.data.push(7);
        self.sized(name.as_bytes());
        self.sized(text.as_bytes());
    }

    /// The byte limit of an invocation (1 GiB at most) keeps every cell below 4 GiB.
    fn sized(&mut self, bytes: &[u8]) {
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        self.data.extend_from_slice(&length.to_le_bytes());
        self.data.extend_from_slice(&bytes[..length as usize]);
        self.pending_bytes += u64::from(length);
    }

    /// Bytes of the row that is not complete, as limits count.
    pub fn pending_bytes(&self) -> u64 {
        self.pending_bytes
    }

    /// The row is complete; its bytes, as limits count.
    pub fn end_row(&mut self) -> u64 {
        let bytes = std::mem::take(&mut self.pending_bytes);
        self.ends.push(End { offset: self.data.len(), bytes });
        bytes
    }

    /// Takes the last row back.
    pub fn drop_row(&mut self) {
        self.ends.pop();
        self.data.truncate(self.ends.last().map_or(0, |end| end.offset));
    }

    /// All complete rows, as limits count.
    pub fn counted(&self) -> RowBudget {
        RowBudget { rows: self.ends.len() as u64, bytes: self.ends.iter().map(|end| end.bytes).sum() }
    }

    /// How many rows are complete.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether no row is complete.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Bytes in memory.
    pub fn data_bytes(&self) -> usize {
        self.data.len()
    }

    /// Bytes in memory, with where each row ends.
    pub fn memory_bytes(&self) -> u64 {
        (self.data.len() + self.ends.len() * size_of::<End>()) as u64
    }

    /// Rows from that of an index on, as many as the budget has: one more is added while it is not used up.
    pub fn batch(&self, from: usize, budget: RowBudget) -> PackedBatch {
        let (mut rows, mut bytes) = (0, 0);
        while rows < budget.rows && bytes < budget.bytes {
            let Some(end) = usize::try_from(rows).ok().and_then(|index| self.ends.get(from + index)) else { break };
            rows += 1;
            bytes += end.bytes;
        }
        let offset = |row: usize| row.checked_sub(1).and_then(|last| self.ends.get(last)).map_or(0, |end| end.offset);
        let until = from + usize::try_from(rows).unwrap_or_default();
        PackedBatch { rows, bytes, data: self.data[offset(from)..offset(until)].to_vec() }
    }
}

/// Rows of so many cells, as they were before they were packed: for recordings. What is not of the format ends it.
pub(crate) fn unpack(mut data: &[u8], columns: usize) -> Vec<Vec<Value>> {
    fn take<'d>(data: &mut &'d [u8], count: usize) -> Option<&'d [u8]> {
        let (taken, rest) = data.split_at_checked(count)?;
        *data = rest;
        Some(taken)
    }
    fn bytes<'d>(data: &mut &'d [u8]) -> Option<&'d [u8]> {
        let length = u32::from_le_bytes(take(data, 4)?.try_into().ok()?);
        take(data, length as usize)
    }
    fn text(data: &mut &[u8]) -> Option<String> {
        String::from_utf8(bytes(data)?.to_vec()).ok()
    }
    fn cell(data: &mut &[u8]) -> Option<Value> {
        Some(match take(data, 1)?[0] {
            0 => Value::Null,
            1 => Value::Boolean(false),
            2 => Value::Boolean(true),
            3 => Value::Int64(i64::from_le_bytes(take(data, 8)?.try_into().ok()?)),
            4 => Value::Float64(f64::from_le_bytes(take(data, 8)?.try_into().ok()?)),
            5 => Value::Text(text(data)?),
            6 => Value::Bytes(bytes(data)?.to_vec()),
            7 => Value::Typed(text(data)?, text(data)?),
            _ => return None,
        })
    }
    let mut rows = Vec::new();
    while columns > 0 && !data.is_empty() {
        let Some(row) = (0..columns).map(|_| cell(&mut data)).collect() else { break };
        rows.push(row);
    }
    rows
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
            let packed = PackedRows::of(&rows);
            prop_assert_eq!(packed.len(), rows.len());
            let all = packed.batch(0, RowBudget { rows: u64::MAX, bytes: u64::MAX });
            prop_assert_eq!(&super::unpack(&all.data, 3), &rows);
            let _no_panic = super::unpack(&all.data[..all.data.len() / 2], 2);
            prop_assert_eq!(unpack(&packed.batch(0, RowBudget { rows: u64::MAX, bytes: u64::MAX }).data), rows.concat());
        }

        #[test]
        fn batches_are_what_they_are_cut_from(
            rows in prop::collection::vec(prop::collection::vec(cell(), 2), 0..20), most in 1_u64..5, bytes in 1_u64..40,
        ) {
            let (packed, mut at, mut cells) = (PackedRows::of(&rows), 0, Vec::new());
            while at < packed.len() {
                let batch = packed.batch(at, RowBudget { rows: most, bytes });
                let cut = &rows[at..at + usize::try_from(batch.rows).unwrap()];
                prop_assert!(batch.rows >= 1 && batch.rows <= most);
                let counted: usize = cut.iter().flatten().map(Value::size_bytes).sum();
                prop_assert_eq!(batch.bytes, counted as u64);
                let all_but_last: usize = cut[..cut.len() - 1].iter().flatten().map(Value::size_bytes).sum();
                prop_assert!(cut.len() == 1 || (all_but_last as u64) < bytes);
                cells.extend(unpack(&batch.data));
                at += cut.len();
            }
            prop_assert_eq!(cells, rows.concat());
        }

        #[test]
        fn a_row_that_is_taken_back_leaves_nothing(rows in prop::collection::vec(prop::collection::vec(cell(), 3), 1..10)) {
            let mut packed = PackedRows::of(&rows);
            packed.drop_row();
            let before = PackedRows::of(&rows[..rows.len() - 1]);
            prop_assert_eq!((packed.len(), packed.data_bytes()), (before.len(), before.data_bytes()));
        }
    }
}
