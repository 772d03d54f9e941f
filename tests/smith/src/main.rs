//! Makes core modules and components at random, for `bridge/wasm/tests/smith.rs`: `santokit-smith FIRST COUNT` writes, for each of the seeds from FIRST
//! on, a module of the features that our engine has, a module of any, and a component, each behind its length (8 bytes, little-endian). What
//! a seed does not come to has the length 0. The same seed makes the same in every run.

use std::io::{self, Write as _};

use arbitrary::{Arbitrary as _, Unstructured};
use wasm_smith::{Component, Config, Module};

/// For the memory of a module of our features; an instance of a test has twice as much.
const MEMORY_BYTES_MAX: u64 = 2 << 20;

fn main() -> io::Result<()> {
    let numbers: Vec<u64> = std::env::args().skip(1).filter_map(|argument| argument.parse().ok()).collect();
    let &[first, count] = numbers.as_slice() else { return Err(io::Error::other("usage: santokit-smith FIRST COUNT")) };
    let mut output = io::stdout().lock();
    for seed in (0..count).map(|number| first.wrapping_add(number)) {
        let noise = noise(seed);
        for made in [module_of_ours(&noise), any_module(&noise), component(&noise, seed)] {
            let bytes = made.unwrap_or_default();
            output.write_all(&(bytes.len() as u64).to_le_bytes())?;
            output.write_all(&bytes)?;
        }
    }
    output.flush()
}

/// What is drawn from, by SplitMix64.
fn noise(seed: u64) -> Vec<u8> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    };
    (0..2_048).flat_map(|_| next().to_le_bytes()).collect()
}

/// What our engine has, and nothing else; no imports, so that it can be made as it is.
fn ours() -> Config {
    Config {
        gc_enabled: false,
        exceptions_enabled: false,
        threads_enabled: false,
        memory64_enabled: false,
        // With them come references to the host's objects, which need what GC needs.
        reference_types_enabled: false,
        max_imports: 0,
        max_memory32_bytes: MEMORY_BYTES_MAX,
        max_table_elements: 10_000,
        ..Config::default()
    }
}

/// It ends by itself.
fn module_of_ours(noise: &[u8]) -> Option<Vec<u8>> {
    let mut module = Module::new(ours(), &mut Unstructured::new(noise)).ok()?;
    module.ensure_termination(10_000).ok()?;
    Some(module.to_bytes())
}

/// It may have any feature and size, trap where it starts or never end there.
fn any_module(noise: &[u8]) -> Option<Vec<u8>> {
    let mut noise = Unstructured::new(noise);
    let config = Config { max_imports: 0, ..Config::arbitrary(&mut noise).ok()? };
    Some(Module::new(config, &mut noise).ok()?.to_bytes())
}

/// Of our features for even seeds, of any for odd ones.
fn component(noise: &[u8], seed: u64) -> Option<Vec<u8>> {
    let mut noise = Unstructured::new(noise);
    let config = if seed.is_multiple_of(2) { ours() } else { Config::arbitrary(&mut noise).ok()? };
    Some(Component::new(config, &mut noise).ok()?.to_bytes())
}
