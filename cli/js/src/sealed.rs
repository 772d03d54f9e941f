//! Where a machine runs while it is made: nothing that differs between two runs may reach it, and it comes to an end.
//! Clocks stand still and random numbers repeat.

use std::{path::Path, time::Duration};

use rustix::time::{ClockId, clock_gettime};
use wasmtime::{Cache, CacheConfig, Config, Engine};
use wasmtime_wasi::{Deterministic, HostMonotonicClock, HostWallClock, WasiCtxBuilder, p2::pipe::MemoryOutputPipe};

use crate::JsError;

/// A module that does not come to an end while it is loaded is stopped.
pub(crate) const LOADING_TICKS_MAX: u64 = 200;
const TICK: Duration = Duration::from_millis(50);
/// How much of what a module prints while it is loaded is kept, in bytes.
const PRINTED_MAX: usize = 16 << 10;

/// A clock that stands still.
struct Still;

/// An engine that keeps what it compiles below `cache`: an engine's code is the same for every module.
pub(crate) fn engine(cache: &Path) -> wasmtime::Result<Engine> {
    let mut config = Config::new();
    config.epoch_interruption(true);
    let mut kept = CacheConfig::new();
    kept.with_directory(cache);
    match Cache::new(kept) {
        Ok(cache) => drop(config.cache(Some(cache))),
        // Only slower without.
        Err(error) => tracing::warn!(error = %format!("{error:#}"), "the compiled JavaScript runtime cannot be kept"),
    }
    Engine::new(&config)
}

/// The world that a machine sees, and what it prints there.
pub(crate) fn wasi() -> (MemoryOutputPipe, WasiCtxBuilder) {
    let printed = MemoryOutputPipe::new(PRINTED_MAX);
    let mut wasi = WasiCtxBuilder::new();
    wasi.stdout(printed.clone())
        .stderr(printed.clone())
        .secure_random(Deterministic::new(vec![0x5a]))
        .insecure_random(Deterministic::new(vec![0xa5]))
        .insecure_random_seed(0)
        .wall_clock(Still)
        .monotonic_clock(Still);
    (printed, wasi)
}

/// What made the machine stop in the middle.
pub(crate) fn stopped(error: &wasmtime::Error) -> JsError {
    let text = format!("{error:#}");
    if let Some((_, call)) = text.split_once("unknown import: `")
        && let Some((call, _)) = call.split_once('`')
    {
        return JsError::CallsHost(call.to_owned());
    }
    match error.downcast_ref::<wasmtime::Trap>() {
        Some(wasmtime::Trap::Interrupt) => {
            JsError::Module("the module does not come to an end while it is loaded".to_owned())
        }
        _ => JsError::Module(text),
    }
}

/// What was thrown, and what was printed before.
pub(crate) fn said(thrown: &str, printed: &MemoryOutputPipe) -> String {
    let printed = printed.contents();
    [thrown.trim(), String::from_utf8_lossy(&printed).trim()].join("\n").trim().to_owned()
}

/// Moves the engine's epoch on until it is dropped, as this process uses the CPU: on a busy machine a module has as long as elsewhere.
pub(crate) struct Ticker(tokio::task::JoinHandle<()>);

impl HostWallClock for Still {
    fn resolution(&self) -> Duration {
        Duration::from_millis(1)
    }

    fn now(&self) -> Duration {
        Duration::ZERO
    }
}

impl HostMonotonicClock for Still {
    fn resolution(&self) -> u64 {
        1
    }

    fn now(&self) -> u64 {
        0
    }
}

impl Ticker {
    pub(crate) fn start(engine: &Engine) -> Self {
        let engine = engine.weak();
        Self(tokio::spawn(async move {
            let mut ticks = tokio::time::interval(TICK);
            let mut counted = process_cpu();
            loop {
                ticks.tick().await;
                let Some(engine) = engine.upgrade() else { return };
                if process_cpu().saturating_sub(counted) >= TICK {
                    counted = process_cpu();
                    engine.increment_epoch();
                }
            }
        }))
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// What all threads of this process have used.
fn process_cpu() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}
