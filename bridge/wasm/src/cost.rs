//! What a component costs before it does anything: its compilation, its instances, their memory. For people who choose a
//! language or wonder about a logic; nothing of it is used to run one.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes as Body;
use http_body_util::{BodyExt as _, Empty};
use santokit_core::{
    component::World,
    limit::InvocationLimits,
    quantity::{Bytes, Millis},
};

use crate::{
    call,
    engine::{Instance, LoadError, LoadedLogic, Sandbox},
    error::CallError,
    host::Host,
    serve,
};

/// Enough for a median that does not jump.
const INSTANCES: usize = 51;

/// The cost of one component on this machine.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    /// Checking, compiling and linking, as every Bridge does once for a release.
    pub load: Duration,
    /// A fresh instance and its end, the median: every call pays it.
    pub instance: Duration,
    /// A fresh instance that is called with `{}`, or asked for `/`, up to its answer or its first call into the host, and its end; the
    /// median.
    pub call: Duration,
    /// Linear memory of an instance that has not been called yet.
    pub memory_bytes: u64,
}

impl<H: Host> Sandbox<H> {
    /// Loads a component and makes instances of it. Takes seconds for an interpreter.
    pub async fn cost(self: &Arc<Self>, world: World, bytes: &[u8], digest: &str) -> Result<Cost, LoadError> {
        let loading = Instant::now();
        let logic = self.load_as(world, "", bytes, digest).await?;
        let load = loading.elapsed();
        let mut memory_bytes = 0;
        let (mut instances, mut calls) = (Vec::with_capacity(INSTANCES), Vec::with_capacity(INSTANCES));
        for _ in 0..INSTANCES {
            let started = Instant::now();
            memory_bytes = logic.instance_memory().await?;
            instances.push(started.elapsed());
            let started = Instant::now();
            logic.call_alone().await?;
            calls.push(started.elapsed());
        }
        Ok(Cost { load, instance: median(&mut instances), call: median(&mut calls), memory_bytes })
    }
}

impl<H: Host> LoadedLogic<H> {
    /// Makes an instance without a host and throws it away; the memory that it had.
    async fn instance_memory(&self) -> Result<u64, LoadError> {
        let (engine, compiled, memory_bytes_max) = self.parts();
        let mut store = call::store::<H>(engine, compiled, None, &limits(memory_bytes_max));
        let made = compiled.pre.instantiate(&mut store).await;
        let memory_bytes = store.data().limiter.memory_bytes_peak();
        let denied = store.data().limiter.denied;
        made.map(|_| memory_bytes).map_err(|error| LoadError::Probe(CallError::from_engine(&error, denied)))
    }

    /// Calls the handler without a host: its first call into it ends the guest, which is as good an end here as an answer.
    async fn call_alone(&self) -> Result<(), LoadError> {
        let (engine, compiled, memory_bytes_max) = self.parts();
        let mut store = call::store::<H>(engine, compiled, None, &limits(memory_bytes_max));
        let made = compiled.pre.instantiate(&mut store).await;
        match made.map_err(|error| LoadError::Probe(CallError::from_engine(&error, None)))?.0 {
            Instance::Logic { called: Some(logic), .. } => {
                let _ended = logic.santokit_logic_handler().call_handle(&mut store, b"{}").await;
            }
            // What only takes events is looked at as it is made.
            Instance::Logic { called: None, .. } => {}
            Instance::Http(proxy) => {
                let mut request =
                    http::Request::new(Empty::<Body>::new().map_err(|never| match never {}).boxed_unsync());
                request.headers_mut().insert(http::header::HOST, http::HeaderValue::from_static("localhost"));
                let _ended = serve::handle(&proxy, &mut store, request, false, drop).await;
            }
        }
        Ok(())
    }
}

fn limits(memory_bytes_max: usize) -> InvocationLimits {
    InvocationLimits { cpu: Millis(5_000), memory: Bytes(memory_bytes_max as u64), ..InvocationLimits::default() }
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}
