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

    /// Another maximum. What is counted already counts against it.
    pub(crate) fn set_memory_bytes_max(&mut self, memory_bytes_max: u64) {
        self.memory_bytes_max = usize::try_from(memory_bytes_max).unwrap_or(usize::MAX);
    }

    /// What linear memories may still grow by.
    pub(crate) fn memory_bytes_left(&self) -> u64 {
        self.memory_bytes_max.saturating_sub(self.memory_bytes) as u64
    }

    pub(crate) fn memory_bytes_peak(&self) -> u64 {
        self.memory_bytes_peak as u64
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        // Its own declared maximum is the guest's matter, and no limit of ours.
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        let more = desired.saturating_sub(current);
        let total = self.memory_bytes.saturating_add(more);
        if total > self.memory_bytes_max {
            self.denied = Some(LimitName::Memory);
            return Ok(false);
        }
        self.memory_bytes = total;
        self.memory_bytes_peak = self.memory_bytes_peak.max(total);
        Ok(true)
    }

    // What was counted stays counted: this is also called for a growth that was never asked about, and to count too much is safe.
    fn memory_grow_failed(&mut self, _error: wasmtime::Error) -> wasmtime::Result<()> {
        self.denied = Some(LimitName::Memory);
        Ok(())
    }

    fn table_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        if maximum.is_some_and(|maximum| desired > maximum) && desired <= TABLE_ELEMENTS_MAX {
            return Ok(false);
        }
        let more = desired.saturating_sub(current);
        let total = self.table_elements.saturating_add(more);
        if total > TABLE_ELEMENTS_MAX {
            self.denied = Some(LimitName::Table);
            return Ok(false);
        }
        self.table_elements = total;
        Ok(true)
    }

    fn table_grow_failed(&mut self, _error: wasmtime::Error) -> wasmtime::Result<()> {
        self.denied = Some(LimitName::Table);
        Ok(())
    }
}
