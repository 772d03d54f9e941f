//! Compiled functions by their content: a component that shares code with one that was compiled before (every logic on the
//! same interpreter does) compiles only what is its own.
//!
//! In memory, bounded, and only ever filled by this process's own compiler: nothing from outside becomes code here.

use std::{
    borrow::Cow,
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use wasmtime::CacheStore;

/// Two shelves: what is asked for moves to the young one; when that is full, the old one goes.
#[derive(Debug)]
pub(crate) struct CompiledFunctions {
    bytes_max: usize,
    shelves: Mutex<Shelves>,
}

#[derive(Debug, Default)]
struct Shelves {
    young: HashMap<Vec<u8>, Vec<u8>>,
    young_bytes: usize,
    old: HashMap<Vec<u8>, Vec<u8>>,
}

impl CompiledFunctions {
    /// Keeps at most about this many bytes.
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self { bytes_max, shelves: Mutex::default() }
    }
}

impl CacheStore for CompiledFunctions {
    fn get(&self, key: &[u8]) -> Option<Cow<'_, [u8]>> {
        let mut shelves = self.shelves.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(function) = shelves.young.get(key) {
            return Some(Cow::Owned(function.clone()));
        }
        let (key, function) = shelves.old.remove_entry(key)?;
        shelves.put(key, function.clone(), self.bytes_max);
        Some(Cow::Owned(function))
    }

    fn insert(&self, key: &[u8], value: Vec<u8>) -> bool {
        self.shelves.lock().unwrap_or_else(PoisonError::into_inner).put(key.to_vec(), value, self.bytes_max);
        true
    }
}

impl Shelves {
    fn put(&mut self, key: Vec<u8>, function: Vec<u8>, bytes_max: usize) {
        let bytes = key.len() + function.len();
        if self.young_bytes + bytes > bytes_max / 2 {
            self.old = std::mem::take(&mut self.young);
            self.young_bytes = 0;
        }
        if self.young.insert(key, function).is_none() {
            self.young_bytes += bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_used_stays_and_the_whole_is_bounded() {
        let functions = CompiledFunctions::new(10_000);
        functions.insert(b"used", vec![1; 100]);
        for number in 0_u32..1_000 {
            functions.insert(&number.to_le_bytes(), vec![0; 100]);
            assert_eq!(functions.get(b"used").as_deref(), Some([1; 100].as_slice()), "after {number}");
            let shelves = functions.shelves.lock().unwrap();
            let held =
                |shelf: &HashMap<Vec<u8>, Vec<u8>>| shelf.iter().map(|(key, f)| key.len() + f.len()).sum::<usize>();
            assert!(held(&shelves.young) + held(&shelves.old) <= 10_000);
            assert_eq!(held(&shelves.young), shelves.young_bytes);
        }
        assert_eq!(functions.get(&0_u32.to_le_bytes()), None, "what nobody asks for goes");
    }
}
