//! A call in a fresh instance, through the sandbox and through wasmtime alone, on the same component in the same run: what our
//! bookkeeping (limits, CPU time, host seam, answer) costs over instantiate-and-call. Nothing is made ahead: `supply` measures that.
//!
//! Arguments are `name=component.wasm`. Prints one line of JSON for each. Run by `cargo xtask bench`.
#![expect(clippy::unwrap_used, reason = "a benchmark fails by panicking")]

#[expect(dead_code, reason = "shared with the tests of the sandbox, which use all of it")]
#[path = "../tests/sandbox/host.rs"]
mod host;

#[path = "invocation/bare.rs"]
mod bare;

use std::time::{Duration, Instant};

use santokit_core::{limit::InvocationLimits, quantity::Millis};
use santokit_wasm::{Sandbox, SandboxConfig, SupplyConfig};

use crate::{
    bare::{Bare, INPUT},
    host::{Fake, Record},
};

/// Interleaved, so that a slow moment of the machine hits both.
const ROUNDS: usize = 40;
const CALLS_A_ROUND: usize = 50;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let sandbox =
        Sandbox::<Fake>::new(&SandboxConfig { supply: SupplyConfig::NONE, ..SandboxConfig::default() }).unwrap();
    let limits = InvocationLimits { cpu: Millis(5_000), ..InvocationLimits::default() };
    for argument in std::env::args().skip(1) {
        // `cargo bench` adds flags of its own.
        let Some((name, path)) = argument.split_once('=') else { continue };
        let bytes = std::fs::read(path).unwrap();
        let bare = Bare::new(&bytes);
        let compiling = Instant::now();
        let logic = sandbox.load(&bytes, name).await.unwrap();
        let compiled = compiling.elapsed();
        let (mut alone, mut ours) = (Vec::new(), Vec::new());
        for round in 0..=ROUNDS {
            let (mut alone_now, mut ours_now) = (Vec::new(), Vec::new());
            for _ in 0..CALLS_A_ROUND {
                alone_now.push(bare.call().await);
                let started = Instant::now();
                let answered = logic.call(Record::default().host(), INPUT.to_vec(), &limits).await;
                drop(answered.host);
                ours_now.push(started.elapsed());
                assert!(answered.outcome.is_ok_and(|answer| answer == INPUT), "the guest answers its input");
            }
            // The first round warms pools and caches up.
            if round > 0 {
                alone.append(&mut alone_now);
                ours.append(&mut ours_now);
            }
        }
        report(name, bytes.len(), compiled, &mut alone, &mut ours);
    }
}

#[expect(clippy::print_stdout, reason = "this is what a benchmark is for")]
fn report(name: &str, size_bytes: usize, compiled: Duration, alone: &mut [Duration], ours: &mut [Duration]) {
    let line = serde_json::json!({
        "bench": "invocation", "name": name, "sizeKiB": size_bytes / 1024, "loadMs": compiled.as_secs_f64() * 1e3,
        "bareP50Us": percentile(alone, 50), "bareP99Us": percentile(alone, 99),
        "sandboxP50Us": percentile(ours, 50), "sandboxP99Us": percentile(ours, 99),
    });
    println!("{line}");
}

/// In microseconds.
fn percentile(times: &mut [Duration], percent: usize) -> f64 {
    times.sort_unstable();
    times[(times.len() - 1) * percent / 100].as_secs_f64() * 1e6
}
