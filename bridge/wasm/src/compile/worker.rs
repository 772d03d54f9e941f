//! The compiler's own process. It reads components from its input and writes machine code to its output, and can do nothing else: its limits
//! are set, and files, networks and other processes taken from it, before it has read a byte of a component.
//!
//! The exchange, integers as 8 bytes little-endian: one [`Order`] as JSON behind its length, answered by a [`Confinement`] as JSON behind its
//! length; then, for each component, its bytes behind their length, answered by one byte (0: compiled, 1: refused) and the machine code or the reason behind its length. The end of the input ends the
//! process.

use std::{
    io::{self, Read, Write},
    sync::Arc,
    time::Duration,
};

use rustix::{
    process::{Resource, Rlimit, getrlimit, setrlimit},
    time::{ClockId, clock_gettime},
};
use serde::{Deserialize, Serialize};
use wasmtime::Engine;

use super::confine::{self, Confinement};
use crate::{
    compiled_functions::CompiledFunctions,
    engine::{SandboxConfig, settings},
};

/// Longest order.
const ORDER_BYTES_MAX: u64 = 4 << 10;
/// Longest component; the gate before it takes less.
const COMPONENT_BYTES_MAX: u64 = 1 << 30;
/// Largest machine code of one component: the Bridge holds it in memory until it is on the disk, for each component that compiles at once.
pub(super) const CODE_BYTES_MAX: u64 = 256 << 20;
/// Lets everything else on the machine go first.
const NICE: i32 = 10;

/// Answer: what follows is machine code.
pub(super) const COMPILED: u8 = 0;
/// Answer: what follows is why there is none.
pub(super) const REFUSED: u8 = 1;

/// What a compiler is to make, and within what.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Order {
    /// Whether backtraces will name source lines.
    pub(super) debug_info: bool,
    /// Whether the code counts as it goes.
    pub(super) fuel: bool,
    /// Functions kept for the next component, in bytes.
    pub(super) functions_bytes_max: usize,
    /// Address space of the process, in bytes.
    pub(super) memory_bytes_max: u64,
    /// Seconds on the processors for one component.
    pub(super) cpu_seconds: u64,
}

/// Why a compiler's process ended early.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// Its limits could not be set, so it reads nothing.
    #[error("the compiler's limits cannot be set: {0}")]
    Limits(#[from] rustix::io::Errno),
    /// What it was sent is not of its protocol.
    #[error("this is no order for a compiler; it is started by a Bridge, not by hand")]
    Order,
    /// It cannot compile at all.
    #[error("there is no compiler: {0}")]
    Engine(String),
    /// The other end is gone.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Serves as a compiler until the input ends.
pub fn run_worker(mut input: impl Read, mut output: impl Write) -> Result<(), WorkerError> {
    let order = read_block(&mut input, ORDER_BYTES_MAX)?.ok_or(WorkerError::Order)?;
    let order: Order = serde_json::from_slice(&order).map_err(|_| WorkerError::Order)?;
    limit_process(&order)?;
    // A machine that does not let processes be nice has another way to share its processors.
    let nice = rustix::process::nice(NICE).is_ok();
    let engine = engine(&order)?;
    let held = Confinement { nice, ..confine::confine() };
    write_block(&mut output, &serde_json::to_vec(&held).map_err(|_| WorkerError::Order)?)?;
    output.flush()?;
    while let Some(component) = read_block(&mut input, COMPONENT_BYTES_MAX)? {
        allow_cpu(order.cpu_seconds)?;
        let compiled = engine.precompile_component(&component).map_err(|error| format!("{error:#}"));
        let (kind, answer) = answer(compiled, CODE_BYTES_MAX);
        output.write_all(&[kind])?;
        write_block(&mut output, &answer)?;
        output.flush()?;
    }
    Ok(())
}

fn answer(compiled: Result<Vec<u8>, String>, bytes_max: u64) -> (u8, Vec<u8>) {
    match compiled {
        Ok(code) if code.len() as u64 > bytes_max => {
            (REFUSED, format!("its machine code is larger than {} MiB; split it", bytes_max >> 20).into_bytes())
        }
        Ok(code) => (COMPILED, code),
        Err(reason) => (REFUSED, reason.into_bytes()),
    }
}

fn engine(order: &Order) -> Result<Engine, WorkerError> {
    let config = SandboxConfig {
        debug_info: order.debug_info,
        fuel: order.fuel,
        compiled_bytes_max: order.functions_bytes_max,
        ..SandboxConfig::default()
    };
    let functions = Arc::new(CompiledFunctions::new(config.compiled_bytes_max));
    // No pool of instances: nothing runs here, and its address space would be above the limit.
    settings(&config, None, &functions)
        .and_then(|settings| Engine::new(&settings))
        .map_err(|error| WorkerError::Engine(format!("{error:#}")))
}

/// What holds for all components of this process.
fn limit_process(order: &Order) -> Result<(), WorkerError> {
    rustix::thread::set_no_new_privs(true)?;
    limit(Resource::As, order.memory_bytes_max)?;
    // No dump of what a customer sent, and no file of any kind.
    limit(Resource::Core, 0)?;
    limit(Resource::Fsize, 0)
}

/// A new allowance from now on: the kernel ends the process at its end. It is the soft limit, which the next component can be given anew: a
/// component that has taken the process over could raise it too. Then the Bridge's clock ends it.
fn allow_cpu(seconds: u64) -> Result<(), WorkerError> {
    let used = clock_gettime(ClockId::ProcessCPUTime);
    let used = Duration::new(u64::try_from(used.tv_sec).unwrap_or(0), 0).as_secs();
    let maximum = getrlimit(Resource::Cpu).maximum;
    let allowed = used.saturating_add(seconds).saturating_add(1);
    // A machine may allow less in all; asking for more than that would be an error, not more time.
    let current = Some(maximum.map_or(allowed, |maximum| maximum.min(allowed)));
    setrlimit(Resource::Cpu, Rlimit { current, maximum })?;
    Ok(())
}

fn limit(resource: Resource, value: u64) -> Result<(), WorkerError> {
    let value = getrlimit(resource).maximum.map_or(value, |maximum| maximum.min(value));
    setrlimit(resource, Rlimit { current: Some(value), maximum: Some(value) })?;
    Ok(())
}

fn write_block(output: &mut impl Write, block: &[u8]) -> Result<(), WorkerError> {
    output.write_all(&(block.len() as u64).to_le_bytes())?;
    output.write_all(block)?;
    Ok(())
}

/// Bytes behind their length; none where the input ended before it.
fn read_block(input: &mut impl Read, bytes_max: u64) -> Result<Option<Vec<u8>>, WorkerError> {
    let mut length = [0; 8];
    match input.read_exact(&mut length) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(error.into()),
    }
    let length = u64::from_le_bytes(length);
    if length > bytes_max {
        return Err(WorkerError::Order);
    }
    // Grows with what arrives: a length alone takes no memory.
    let mut block = Vec::new();
    input.take(length).read_to_end(&mut block)?;
    if block.len() as u64 == length { Ok(Some(block)) } else { Err(WorkerError::Order) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machine_code_has_a_bound_of_its_own() {
        assert_eq!(answer(Ok(vec![7; 2 << 20]), 2 << 20), (COMPILED, vec![7; 2 << 20]));
        let (kind, reason) = answer(Ok(vec![7; (2 << 20) + 1]), 2 << 20);
        assert_eq!((kind, reason), (REFUSED, b"its machine code is larger than 2 MiB; split it".to_vec()));
        assert_eq!(answer(Err("no".to_owned()), 1), (REFUSED, b"no".to_vec()));
    }
}
