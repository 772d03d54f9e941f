//! Components and core modules made at random (wasm-smith, `tests/smith`), through the gate, the compiler, the linker and the probe: each is refused with
//! an error that says why, or it runs within its limits; and nothing that it does breaks the host.
//!
//! Some seeds are the same in every run, some are new. A failure names its seed: `SMITH_SEED=… cargo test -p santokit-wasm --test smith` runs it alone.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "sandbox/guest.rs"]
mod guest;
#[expect(dead_code, reason = "shared with the tests of the sandbox, which use all of it")]
#[path = "sandbox/host.rs"]
mod host;

use std::{
    hash::{BuildHasher as _, Hasher as _, RandomState},
    panic::AssertUnwindSafe,
    path::Path,
    process::Command,
    sync::{Arc, LazyLock},
};

use santokit_core::{
    component::{ComponentError, inspect},
    limit::InvocationLimits,
    quantity::Bytes,
};
use santokit_wasm::{LoadError, Sandbox, SandboxConfig, guest_engine};
use wasmtime::component::Component;

use crate::host::{Fake, Record};

/// Seeds that are the same in every run, and seeds that are new.
const FIXED: u64 = 150;
const NEW: u64 = 50;

/// Of an instance: twice what a module of our features takes.
const MEMORY_BYTES_MAX: u64 = 4 << 20;

/// What a seed comes to.
struct Made {
    seed: u64,
    /// Of the features of our engine; ends by itself.
    ours: Option<Vec<u8>>,
    /// Of any features.
    any: Option<Vec<u8>>,
    component: Option<Vec<u8>>,
}

static MADE: LazyLock<Vec<Made>> = LazyLock::new(|| {
    if let Ok(seed) = std::env::var("SMITH_SEED") {
        return made(seed.parse().unwrap(), 1);
    }
    let new = RandomState::new().build_hasher().finish();
    made(0, FIXED).into_iter().chain(made(new, NEW)).collect()
});

/// In a workspace of its own, which this builds.
fn made(first: u64, count: u64) -> Vec<Made> {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/smith/Cargo.toml");
    let output = Command::new(env!("CARGO"))
        .args(["run", "--quiet", "--locked", "--manifest-path"])
        .arg(manifest)
        .arg("--target-dir")
        .arg(Path::new(env!("CARGO_TARGET_TMPDIR")).join("smith"))
        .args(["--", &first.to_string(), &count.to_string()])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut rest = output.stdout.as_slice();
    let mut next = || {
        let (length, after) = rest.split_first_chunk().unwrap();
        let (bytes, after) = after.split_at(usize::try_from(u64::from_le_bytes(*length)).unwrap());
        rest = after;
        (!bytes.is_empty()).then(|| bytes.to_vec())
    };
    (0..count)
        .map(|number| Made { seed: first.wrapping_add(number), ours: next(), any: next(), component: next() })
        .collect()
}

/// Runs a check on what each seed comes to; what panics is told with its seed.
fn for_each_seed(mut check: impl FnMut(&Made)) {
    for made in MADE.iter() {
        // What it says has been written by then.
        assert!(std::panic::catch_unwind(AssertUnwindSafe(|| check(made))).is_ok(), "SMITH_SEED={}", made.seed);
    }
}

/// A logic that answers, with one more module that is made together with it: a section of the module and a section with its instance.
fn logic_with(module: &[u8]) -> Vec<u8> {
    let mut logic = guest::guest("echo");
    let index = inspect(&logic).unwrap().modules;
    section(&mut logic, 1, module);
    let mut instance = vec![1, 0];
    leb(&mut instance, index);
    instance.push(0);
    section(&mut logic, 2, &instance);
    logic
}

fn section(component: &mut Vec<u8>, id: u8, content: &[u8]) {
    component.push(id);
    leb(component, content.len());
    component.extend_from_slice(content);
}

fn leb(bytes: &mut Vec<u8>, mut number: usize) {
    loop {
        let low = u8::try_from(number & 0x7f).unwrap();
        number >>= 7;
        bytes.push(if number == 0 { low } else { low | 0x80 });
        if number == 0 {
            return;
        }
    }
}

struct Bench {
    runtime: tokio::runtime::Runtime,
    sandbox: Arc<Sandbox<Fake>>,
}

impl Bench {
    fn new() -> Self {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let config = SandboxConfig { instances_max: 16, compiled_bytes_max: 0, ..SandboxConfig::default() };
        Self { runtime, sandbox: Sandbox::new(&config).unwrap() }
    }

    /// Loads a logic and calls it; whether it was loaded. An error of the host's would be a panic of the compiler's.
    fn load_and_call(&self, bytes: &[u8]) -> bool {
        let limits = InvocationLimits { memory: Bytes(MEMORY_BYTES_MAX), ..InvocationLimits::default() };
        self.runtime.block_on(async {
            let logic = match self.sandbox.load(bytes, "digest").await {
                Ok(logic) => logic,
                Err(LoadError::Host(error)) => panic!("the host fails: {error}"),
                Err(error) => {
                    assert!(!error.to_string().is_empty());
                    return false;
                }
            };
            let invocation = logic.call(Record::default().host(), b"[1]".to_vec(), &limits).await;
            assert!(invocation.usage.memory_peak_bytes <= limits.memory.0);
            if let Ok(output) = invocation.outcome {
                assert_eq!(output, b"[1]");
            }
            true
        })
    }
}

#[test]
fn modules_of_our_features_are_taken_and_run() {
    let bench = Bench::new();
    let (mut tried, mut loaded) = (0, 0);
    for_each_seed(|made| {
        let Some(module) = &made.ours else { return };
        let logic = logic_with(module);
        // The gate knows every feature that is on: it refuses none of these.
        inspect(&logic).unwrap();
        tried += 1;
        loaded += usize::from(bench.load_and_call(&logic));
    });
    // What is not loaded traps where it is made.
    assert!(MADE.len() == 1 || (tried > 100 && loaded > tried / 2), "of {tried} {loaded} are loaded");
}

#[test]
fn modules_of_any_kind_are_refused_or_run() {
    let bench = Bench::new();
    for_each_seed(|made| {
        if let Some(module) = &made.any {
            bench.load_and_call(&logic_with(module));
        }
    });
}

#[test]
fn components_are_refused_or_compile() {
    let engines = [true, false].map(|pooled| guest_engine(&SandboxConfig::default(), pooled).unwrap());
    let bench = Bench::new();
    let mut compiled = 0;
    for_each_seed(|made| {
        let Some(bytes) = &made.component else { return };
        let gate = inspect(bytes);
        for engine in &engines {
            let component = Component::new(engine, bytes);
            // The gate refuses nothing as malformed that an engine of ours would take.
            assert!(!matches!(gate, Err(ComponentError::Malformed(_))) || component.is_err(), "{gate:?}");
            compiled += usize::from(component.is_ok());
        }
        // No logic, so it is refused at the latest by its world.
        assert!(!bench.load_and_call(bytes));
    });
    assert!(MADE.len() == 1 || compiled > 50, "{compiled}");
}
