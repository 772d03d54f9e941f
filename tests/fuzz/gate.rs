//! The fuzzers' functions in the gate: over every seed, and over a fixed number of mutations of each, the same in every run. What it finds is written
//! to a file, to become a seed once it is mended.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[expect(unreachable_pub, reason = "a library where libFuzzer's programs call it")]
#[path = "src/targets.rs"]
mod targets;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
};

use santokit_core::value::Value;
use santokit_wasm::{RowBudget, packed::PackedRows};

/// A generator that needs no library (SplitMix64): the same numbers on every machine.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % (end.max(1) as u64)).unwrap()
    }
}

/// What readers of lengths and of text stumble over.
const PIECES: [&[u8]; 16] = [
    b"\0",
    b"\xff\xff\xff\xff",
    b"\x80\x80\x80\x80\x0f",
    b"\xff\xff\xff\xff\x7f",
    b"\xc3",
    b"\xe2\x82\xac",
    b"'",
    b"\"",
    b"/*",
    b"*/",
    b"--",
    b"$$",
    b";",
    b"(",
    b"\\",
    b"[[[[[[[[",
];

/// A seed with one to eight changes.
fn mutated(seed: &[u8], other: &[u8], numbers: &mut Numbers) -> Vec<u8> {
    let mut data = seed.to_vec();
    for _ in 0..=numbers.below(8) {
        let at = numbers.below(data.len() + 1);
        let length = numbers.below(16).min(data.len() - at);
        match numbers.below(7) {
            0 if at < data.len() => data[at] ^= 1 << numbers.below(8),
            1 if at < data.len() => data[at] = u8::try_from(numbers.below(256)).unwrap(),
            2 => drop(data.splice(at..at + length, [])),
            3 => {
                let copy = data[at..at + length].to_vec();
                let to = numbers.below(data.len() + 1);
                data.splice(to..to, copy);
            }
            4 => data.truncate(at),
            5 => drop(data.splice(at..at, PIECES[numbers.below(PIECES.len())].iter().copied())),
            _ => {
                let from = numbers.below(other.len() + 1);
                let until = (from + numbers.below(64)).min(other.len());
                data.splice(at..at + length, other[from..until].iter().copied());
            }
        }
    }
    data
}

/// The seeds of a target, by name.
fn seeds(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(target);
    let mut seeds: Vec<(String, Vec<u8>)> = std::fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read(path).unwrap()))
        .collect();
    seeds.sort();
    assert!(seeds.len() >= 3, "{target} has {} seeds", seeds.len());
    seeds
}

fn run(target: &str, mutations: usize, check: fn(&[u8])) {
    let seeds = seeds(target);
    let mut numbers = Numbers(0x5a17_70c1);
    let probe = |data: &[u8], of: &str| {
        // What it says has been written by then.
        if catch_unwind(AssertUnwindSafe(|| check(data))).is_err() {
            let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{target}-found"));
            std::fs::write(&path, data).unwrap();
            panic!("{target} fails for what was made of the seed {of}: {}", path.display());
        }
    };
    for (name, seed) in &seeds {
        probe(seed, name);
        for _ in 0..mutations / seeds.len() {
            let other = &seeds[numbers.below(seeds.len())].1;
            probe(&mutated(seed, other, &mut numbers), name);
        }
    }
}

#[test]
fn components() {
    run("component", 10_000, targets::component);
}

#[test]
fn manifests() {
    run("manifest", 40_000, targets::manifest);
}

#[test]
fn envelopes() {
    run("envelope", 40_000, targets::envelope);
}

#[test]
fn sql_of_guests() {
    run("guest_sql", 60_000, targets::guest_sql);
}

#[test]
fn packed_rows() {
    run("packed", 60_000, |data| {
        targets::packed(data);
        packs_as_it_was(data);
    });
}

/// What the guest's decoder reads, the host's encoder packs to the same bytes, whatever batches it is cut into.
fn packs_as_it_was(data: &[u8]) {
    let cells: Vec<Value> = targets::cells(data).into_iter().map(value).collect();
    let width = data.first().map_or(1, |byte| usize::from(byte % 5) + 1);
    let rows: Vec<Vec<Value>> = cells.chunks(width).map(<[Value]>::to_vec).collect();
    let packed = PackedRows::of(&rows);
    let (mut at, mut again) = (0, Vec::new());
    let budget = RowBudget { rows: 1 + data.len() as u64 % 7, bytes: 1 + data.len() as u64 % 64 };
    while at < packed.len() {
        let batch = packed.batch(at, budget);
        assert!((1..=budget.rows).contains(&batch.rows), "{}", batch.rows);
        at += usize::try_from(batch.rows).unwrap();
        again.extend(batch.data);
    }
    assert_eq!(data.get(..again.len()), Some(&again[..]));
}

fn value(value: targets::Value) -> Value {
    match value {
        targets::Value::Null => Value::Null,
        targets::Value::Boolean(truth) => Value::Boolean(truth),
        targets::Value::Int64(number) => Value::Int64(number),
        targets::Value::Float64(number) => Value::Float64(number),
        targets::Value::Text(text) => Value::Text(text),
        targets::Value::Bytes(bytes) => Value::Bytes(bytes),
        targets::Value::Typed((name, text)) => Value::Typed(name, text),
    }
}
