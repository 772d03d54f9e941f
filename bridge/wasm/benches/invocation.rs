//! A call in a fresh instance, through the sandbox and through wasmtime alone, on the same component in the same run: what our
//! bookkeeping (limits, CPU time, host seam, answer) costs over instantiate-and-call.
//!
//! Arguments are `name=component.wasm`. Prints one line of JSON for each. Run by `cargo xtask bench`.
#![expect(clippy::unwrap_used, reason = "a benchmark fails by panicking")]

#[expect(dead_code, reason = "shared with the tests of the sandbox, which use all of it")]
#[path = "../tests/sandbox/host.rs"]
mod host;

use std::time::{Duration, Instant};

use santokit_core::{limit::InvocationLimits, quantity::Millis};
use santokit_wasm::{Sandbox, SandboxConfig};
use wasmtime::{
    Config, Engine, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig, Store,
    component::{Component, ComponentType, InstancePre, Lift, Linker},
};

use crate::host::{Fake, Record};

/// Interleaved, so that a slow moment of the machine hits both.
const ROUNDS: usize = 40;
const CALLS_A_ROUND: usize = 50;
const INPUT: &[u8] = br#"{"productId":"p-0001","quantity":3}"#;
const HANDLER: &str = "santokit:logic/handler@0.1.0";

#[expect(dead_code, reason = "only its type is needed")]
#[derive(ComponentType, Lift)]
#[component(record)]
struct LogicError {
    code: String,
    message: String,
    details: Option<Vec<u8>>,
}

type Handle = Result<Vec<u8>, LogicError>;

/// wasmtime with the same profile and nothing around it.
struct Bare {
    engine: Engine,
    pre: InstancePre<()>,
}

impl Bare {
    fn new(component: &[u8]) -> Self {
        let mut pool = PoolingAllocationConfig::default();
        pool.total_component_instances(256)
            .total_core_instances(8_192)
            .total_memories(320)
            .total_tables(2_560)
            .total_stacks(256)
            .max_memories_per_component(4)
            .max_tables_per_component(64)
            .table_elements(100_000)
            .max_component_instance_size(10 << 20)
            .max_core_instance_size(10 << 20)
            .max_memory_size(256 << 20)
            .linear_memory_keep_resident(1 << 20)
            .table_keep_resident(64 << 10);
        let mut config = Config::new();
        config
            .concurrency_support(false)
            .gc_support(false)
            .wasm_gc(false)
            .wasm_function_references(false)
            .wasm_exceptions(false)
            .wasm_threads(false)
            .cranelift_opt_level(OptLevel::Speed)
            .epoch_interruption(true)
            .memory_may_move(false)
            .max_wasm_stack(1 << 20)
            .async_stack_size(2 << 20)
            .native_unwind_info(false)
            .allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
        let engine = Engine::new(&config).unwrap();
        let component = Component::new(&engine, component).unwrap();
        let mut linker = Linker::new(&engine);
        // Hash tables of C and Python want a seed.
        let bytes = |count: u64| Ok((vec![0x5a_u8; usize::try_from(count).unwrap()],));
        let mut ours = linker.instance("santokit:runtime/random@0.1.0").unwrap();
        ours.func_wrap("bytes", move |_, (count,): (u32,)| bytes(u64::from(count))).unwrap();
        for version in ["0.2.0", "0.2.9"] {
            let mut wasi = linker.instance(&format!("wasi:random/random@{version}")).unwrap();
            wasi.func_wrap("get-random-bytes", move |_, (count,): (u64,)| bytes(count)).unwrap();
        }
        linker.define_unknown_imports_as_traps(&component).unwrap();
        let pre = linker.instantiate_pre(&component).unwrap();
        Self { engine, pre }
    }

    async fn call(&self) -> Duration {
        let started = Instant::now();
        let mut store = Store::new(&self.engine, ());
        store.set_epoch_deadline(u64::MAX / 2);
        let instance = self.pre.instantiate_async(&mut store).await.unwrap();
        let interface = instance.get_export_index(&mut store, None, HANDLER).unwrap();
        let handle = instance.get_export_index(&mut store, Some(&interface), "handle").unwrap();
        let handle = instance.get_typed_func::<(&[u8],), (Handle,)>(&mut store, handle).unwrap();
        let (answer,) = handle.call_async(&mut store, (INPUT,)).await.unwrap();
        drop(store);
        let took = started.elapsed();
        assert!(answer.is_ok_and(|answer| answer == INPUT), "the guest answers its input");
        took
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let sandbox = Sandbox::<Fake>::new(&SandboxConfig::default()).unwrap();
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
