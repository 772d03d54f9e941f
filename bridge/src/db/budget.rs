//! How much of a guest's rows is held while they are read: what its limits count, and the memory that they truly take. It stops within a
//! row, before the next cell is copied.

use santokit_core::{limit::LimitName, value::Value};
use santokit_wasm::RowBudget;

/// What a statement of a guest may take of SQLite's memory, beside what it may still read: to sort, to group, to keep what it makes
/// on its way to a row.
pub(super) const WORKING_BYTES: u64 = 128 << 20;
/// What rows may take beside the bytes that limits count: a NULL counts one, and takes as much as any value. The second for each row.
const SPARE_BYTES: u64 = 64 << 20;
const SPARE_ROW_BYTES: u64 = 512;
/// The same of rows that wait packed, of which a guest can have sixteen times as many.
const SPARE_PACKED_BYTES: u64 = 4 << 20;
const SPARE_PACKED_ROW_BYTES: u64 = 64;

/// The most memory that packed rows of one reading may take.
pub(super) fn packed_most(budget: RowBudget) -> u64 {
    let spare = budget.rows.saturating_mul(SPARE_PACKED_ROW_BYTES).saturating_add(SPARE_PACKED_BYTES);
    budget.bytes.saturating_add(spare)
}

/// Of one reading.
#[derive(Debug)]
pub(super) struct Tally {
    budget: RowBudget,
    rows: u64,
    /// As limits count.
    bytes: u64,
    /// As they lie in memory, without what a text or a blob has beside its own bytes.
    memory: u64,
}

impl Tally {
    pub(super) fn new(budget: RowBudget) -> Self {
        Self { budget, rows: 0, bytes: 0, memory: 0 }
    }

    /// Copies the next row, cell by cell, or says which limit it is beyond.
    pub(super) fn row<E>(
        &mut self,
        cells: usize,
        cell: impl Fn(usize) -> Result<Value, E>,
    ) -> Result<Result<Vec<Value>, LimitName>, E> {
        if self.rows >= self.budget.rows {
            return Ok(Err(LimitName::SqlRows));
        }
        self.rows += 1;
        self.memory = self.memory.saturating_add((size_of::<Vec<Value>>() + cells * size_of::<Value>()) as u64);
        let spare = self.budget.rows.saturating_mul(SPARE_ROW_BYTES).saturating_add(SPARE_BYTES);
        if self.memory > self.budget.bytes.saturating_add(spare) {
            return Ok(Err(LimitName::SqlBytes));
        }
        let mut row = Vec::with_capacity(cells);
        for index in 0..cells {
            let value = cell(index)?;
            let bytes = value.size_bytes() as u64;
            self.bytes = self.bytes.saturating_add(bytes);
            self.memory = self.memory.saturating_add(bytes);
            if self.bytes > self.budget.bytes {
                return Ok(Err(LimitName::SqlBytes));
            }
            row.push(value);
        }
        Ok(Ok(row))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(tally: &mut Tally, cells: usize, value: &Value) -> Result<Vec<Value>, LimitName> {
        tally.row(cells, |_| Ok::<_, ()>(value.clone())).unwrap()
    }

    #[test]
    fn rows_end_with_what_limits_count() {
        let mut tally = Tally::new(RowBudget { rows: 2, bytes: 20 });
        let text = Value::Text("123456".to_owned());
        assert_eq!(read(&mut tally, 1, &text), Ok(vec![text.clone()]));
        assert_eq!(read(&mut tally, 3, &text), Err(LimitName::SqlBytes));
        assert_eq!(read(&mut tally, 0, &text), Err(LimitName::SqlRows));
    }

    /// Two thousand NULLs count two thousand bytes.
    #[test]
    fn rows_of_nothing_end_with_the_memory_that_they_take() {
        let mut tally = Tally::new(RowBudget { rows: 10_000, bytes: 8 << 20 });
        let mut taken = 0;
        while let Ok(row) = read(&mut tally, 2_000, &Value::Null) {
            taken += row.len() * size_of::<Value>();
        }
        assert!((64 << 20..96 << 20).contains(&taken), "{taken}");
    }
}
