//! Guests that misbehave, each contained with its own error while a neighbour's calls go on; and what is refused at load.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "sandbox/advisories.rs"]
mod advisories;
#[path = "sandbox/beside.rs"]
mod beside;
#[path = "sandbox/contained.rs"]
mod contained;
#[path = "sandbox/guest.rs"]
mod guest;
#[path = "sandbox/host.rs"]
mod host;
#[path = "sandbox/load.rs"]
mod load;
#[path = "sandbox/replay.rs"]
mod replay;
#[path = "sandbox/supply.rs"]
mod supply;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use santokit_core::limit::InvocationLimits;
use santokit_wasm::{Invocation, LoadedLogic, Sandbox, SandboxConfig};

use crate::{
    guest::guest,
    host::{Fake, Record},
};

fn sandbox() -> Arc<Sandbox<Fake>> {
    Sandbox::new(&SandboxConfig { instances_max: 32, ..SandboxConfig::default() }).unwrap()
}

async fn load(sandbox: &Arc<Sandbox<Fake>>, name: &str) -> LoadedLogic<Fake> {
    sandbox.load(&guest(name), name).await.unwrap()
}

/// One call of a guest in a sandbox of its own.
async fn call(name: &str, input: &str, limits: &InvocationLimits) -> (Invocation<Fake>, Record) {
    let record = Record::default();
    let logic = load(&sandbox(), name).await;
    (logic.call(record.host(), input.into(), limits).await, record)
}

/// Four hostile calls at once on two threads, while a neighbour's calls must all succeed within the limits they have anyway.
async fn beside_a_neighbour(name: &str, input: &str, limits: &InvocationLimits) -> Invocation<Fake> {
    let sandbox = sandbox();
    let (hostile, echo) = (Arc::new(load(&sandbox, name).await), load(&sandbox, "echo").await);
    let done = Arc::new(AtomicBool::new(false));
    let neighbour = tokio::spawn({
        let done = Arc::clone(&done);
        async move {
            let mut calls = 0;
            while !done.load(Ordering::Relaxed) || calls < 10 {
                let limits = InvocationLimits::default();
                let answer = echo.call(Record::default().host(), b"{}".to_vec(), &limits).await;
                assert_eq!(answer.outcome.unwrap(), b"{}");
                calls += 1;
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
    });
    let calls: Vec<_> = (0..4)
        .map(|_| {
            let (hostile, input, limits) = (Arc::clone(&hostile), input.as_bytes().to_vec(), limits.clone());
            tokio::spawn(async move { hostile.call(Record::default().host(), input, &limits).await })
        })
        .collect();
    let mut last = None;
    for call in calls {
        last = Some(tokio::time::timeout(Duration::from_secs(30), call).await.unwrap().unwrap());
    }
    done.store(true, Ordering::Relaxed);
    neighbour.await.unwrap();
    last.unwrap()
}
