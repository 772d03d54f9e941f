//! Settings of how components are compiled and run.

use std::path::PathBuf;

use santokit_wasm::{CompileLimits, CompiledStore, SandboxConfig, SupplyConfig, WorkerConfig};

use super::{
    BridgeConfig, Settings,
    read::{Check, duration, number, size, truth},
};

/// What compiling may cost, and where its results are kept.
#[derive(Clone, Debug)]
pub struct CompileConfig {
    /// For one component.
    pub limits: CompileLimits,
    /// A folder that this user alone can write. Bridges of one user may share it.
    pub dir: PathBuf,
    /// Of compiled code in it, about; 0 keeps none.
    pub disk_bytes_max: usize,
}

impl BridgeConfig {
    /// Lets a program of its own compile: with these arguments it must call [`santokit_wasm::run_worker`].
    pub fn compile_with(&mut self, program: PathBuf, arguments: Vec<String>) {
        self.sandbox.worker = Some(WorkerConfig { program, arguments, limits: self.compile.limits });
    }

    /// Where compiled code is kept. A Bridge that cannot keep any compiles at every start, and says so.
    pub(crate) fn compiled_store(&self) -> Option<CompiledStore> {
        let CompileConfig { dir, disk_bytes_max, .. } = &self.compile;
        if *disk_bytes_max == 0 {
            return None;
        }
        CompiledStore::open(dir, self.cache_key.as_ref(), *disk_bytes_max as u64)
            .inspect_err(|error| tracing::warn!(error = %error, "compiled code is not kept on disk"))
            .ok()
    }
}

impl Settings {
    pub(super) fn sandbox(&mut self, check: &mut Check) -> SandboxConfig {
        let default = SandboxConfig::default();
        let (compiled, debug_info) = (self.sandbox_compiled.take(), self.sandbox_debug_info.take());
        let supply = self.supply(check, default.supply);
        SandboxConfig {
            instances_max: check.value(
                "sandboxInstances",
                self.sandbox_instances.take(),
                default.instances_max,
                number,
            ),
            project_instances_max: check.optional(
                "sandboxProjectInstances",
                self.sandbox_project_instances.take(),
                number,
            ),
            env_instances_max: check.optional("sandboxEnvInstances", self.sandbox_env_instances.take(), number),
            logic_instances_max: check.optional("sandboxLogicInstances", self.sandbox_logic_instances.take(), number),
            memory_bytes_max: check.value("sandboxMemory", self.sandbox_memory.take(), default.memory_bytes_max, size),
            compiles_max: check.value("sandboxCompiles", self.sandbox_compiles.take(), default.compiles_max, number),
            compiled_bytes_max: check.value("sandboxCompiled", compiled, default.compiled_bytes_max, size),
            debug_info: check.value("sandboxDebugInfo", debug_info, default.debug_info, truth),
            fuel: check.value("sandboxFuel", self.sandbox_fuel.take(), default.fuel, truth),
            supply,
            ..default
        }
    }

    fn supply(&mut self, check: &mut Check, default: SupplyConfig) -> SupplyConfig {
        let (memory, idle) = (self.sandbox_supply_memory.take(), self.sandbox_supply_idle.take());
        let config = SupplyConfig {
            instances_max: check.value("sandboxSupply", self.sandbox_supply.take(), default.instances_max, number),
            memory_bytes_max: check.value("sandboxSupplyMemory", memory, default.memory_bytes_max, size),
            idle: check.value("sandboxSupplyIdle", idle, default.idle, duration),
        };
        if config.idle.as_secs() == 0 {
            check.add("sandboxSupplyIdle", "must be at least 1s; `sandboxSupply: 0` makes no instances ahead");
        }
        config
    }

    /// `cache_dir` must still be there: compiled code is kept in it.
    pub(super) fn compile(&mut self, check: &mut Check) -> CompileConfig {
        let default = CompileLimits::default();
        let cache_dir = self.cache_dir.as_ref().map_or_else(|| super::CACHE_DIR.into(), |dir| PathBuf::from(&dir.0));
        let dir = self.compiled_dir.take().map_or_else(|| cache_dir.join("compiled"), |dir| PathBuf::from(dir.0));
        let memory = self.compile_memory.take();
        let limits = CompileLimits {
            memory_bytes_max: check.value("compileMemory", memory, default.memory_bytes_max, size),
            cpu: check.value("compileCpu", self.compile_cpu.take(), default.cpu, duration),
            timeout: check.value("compileTimeout", self.compile_timeout.take(), default.timeout, duration),
        };
        if limits.memory_bytes_max < 512 << 20 {
            check.add("compileMemory", "must be at least 512MiB: the compiler itself needs some of it");
        }
        if limits.cpu.as_secs() == 0 {
            check.add("compileCpu", "must be at least 1s");
        }
        let disk_bytes_max = check.value("compiledDisk", self.compiled_disk.take(), 4 << 30, size);
        CompileConfig { limits, dir, disk_bytes_max }
    }
}
