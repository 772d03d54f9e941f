//! Memory and tables of one invocation, counted together over all of its instances.

use santokit_core::limit::LimitName;
use wasmtime::ResourceLimiter;

/// All tables together; interpreters need about 10,000 elements.
const TABLE_ELEMENTS_MAX: usize = 100_000;

/// Counts and refuses.
#[derive(Debug)]
pub(crate) struct Limiter {
    memory_bytes: usize,
    memory_bytes_max: usize,
    memory_bytes_peak: usize,
    table_elements: usize,
    /// The growth that was refused last.
    pub(crate) denied: Option<LimitName>,
}

impl Limiter {
    pub(crate) fn new(memory_bytes_max: u64) -> Self {
        Self {
            memory_bytes: 0,
            memory_bytes_max: usize::try_from(memory_bytes_max).unwrap_or(usize::MAX),
            memory_bytes_peak: 0,
            table_elements: 0,
            denied: None,
        }
    }

    pub(crate) fn memory_bytes_peak(&self) -> u64 {
        self.memory_bytes_peak as u64
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        let total = self.memory_bytes.saturating_add(desired.saturating_sub(current));
        if total > self.memory_bytes_max {
            self.denied = Some(LimitName::Memory);
            return Ok(false);
        }
        self.memory_bytes = total;
        self.memory_bytes_peak = self.memory_bytes_peak.max(total);
        Ok(true)
    }

    fn table_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        let total = self.table_elements.saturating_add(desired.saturating_sub(current));
        if total > TABLE_ELEMENTS_MAX {
            self.denied = Some(LimitName::Table);
            return Ok(false);
        }
        self.table_elements = total;
        Ok(true)
    }
}
