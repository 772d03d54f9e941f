//! wasmtime with the same profile and nothing around it.

use std::time::{Duration, Instant};

use wasmtime::{
    Config, Engine, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig, Store,
    component::{Component, ComponentType, InstancePre, Lift, Linker, TypedFunc},
};

/// What every guest is asked, and answers.
pub(crate) const INPUT: &[u8] = br#"{"productId":"p-0001","quantity":3}"#;
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

pub(crate) struct Bare {
    engine: Engine,
    pre: InstancePre<()>,
}

impl Bare {
    pub(crate) fn new(component: &[u8]) -> Self {
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

    /// A call in an instance of its own, and its end.
    pub(crate) async fn call(&self) -> Duration {
        let started = Instant::now();
        let mut live = self.instance().await;
        live.call().await;
        drop(live);
        started.elapsed()
    }

    /// An instance that stays.
    pub(crate) async fn instance(&self) -> Live {
        let mut store = Store::new(&self.engine, ());
        store.set_epoch_deadline(u64::MAX / 2);
        let instance = self.pre.instantiate_async(&mut store).await.unwrap();
        let interface = instance.get_export_index(&mut store, None, HANDLER).unwrap();
        let handle = instance.get_export_index(&mut store, Some(&interface), "handle").unwrap();
        let handle = instance.get_typed_func(&mut store, handle).unwrap();
        Live { store, handle }
    }
}

/// An instance that can be called again and again.
pub(crate) struct Live {
    store: Store<()>,
    handle: TypedFunc<(&'static [u8],), (Handle,)>,
}

impl Live {
    pub(crate) async fn call(&mut self) {
        let (answer,) = self.handle.call_async(&mut self.store, (INPUT,)).await.unwrap();
        assert!(answer.is_ok_and(|answer| answer == INPUT), "the guest answers its input");
    }
}
