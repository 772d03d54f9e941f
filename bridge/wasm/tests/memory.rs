//! Swapping components again and again leaves nothing behind. A process of its own, because it looks at the process's memory.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "sandbox/guest.rs"]
mod guest;
#[expect(dead_code, reason = "shared with the tests of the sandbox, which use all of it")]
#[path = "sandbox/host.rs"]
mod host;

use std::sync::Arc;

use santokit_core::{limit::InvocationLimits, quantity::Millis};
use santokit_wasm::{Sandbox, SandboxConfig};

use crate::host::{Fake, Record};

/// The process has one memory: one test at a time looks at it.
static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

fn resident_kib() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    pages.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4
}

/// As a swap does it: the new one is loaded while the old one is still held.
async fn swap(sandbox: &Arc<Sandbox<Fake>>, count: u32) {
    let guests = ["log_flood", "memory_growth", "trap"].map(guest::guest);
    let mut held = None;
    for swap in 0..count {
        let logic = sandbox.load(&guests[swap as usize % guests.len()], &format!("digest {swap}")).await.unwrap();
        for _ in 0..3 {
            logic.call(Record::default().host(), b"{}".to_vec(), &InvocationLimits::default()).await;
        }
        held = Some(logic);
    }
    drop(held);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_is_flat_over_many_swaps() {
    let _alone = ALONE.lock().await;
    let sandbox = Sandbox::new(&SandboxConfig::default()).unwrap();
    // Until the slots of instances that are made ahead are warm, which is a number of them and not one for each swap.
    swap(&sandbox, 700).await;
    let before = resident_kib();
    swap(&sandbox, 300).await;
    let grown = resident_kib().saturating_sub(before);
    // What 300 components would take if they stayed is many times as much.
    assert!(grown < 8 << 10, "{grown} KiB more after 300 swaps");
}

/// GHSA-5m8g-xhq4-4h93: each empty write of a guest took memory of the host that was never given back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn empty_writes_take_no_memory() {
    let _alone = ALONE.lock().await;
    let sandbox = Sandbox::new(&SandboxConfig::default()).unwrap();
    let logic = sandbox.load(&guest::guest("empty_writes"), "digest").await.unwrap();
    let patient = InvocationLimits { timeout: Millis(60_000), cpu: Millis(60_000), ..InvocationLimits::default() };
    let write = async || {
        let record = Record::default();
        let invocation = logic.call(record.host(), b"1".to_vec(), &patient).await;
        assert_eq!(invocation.outcome.unwrap(), b"1");
        assert!(record.lines().is_empty());
    };
    write().await;
    let before = resident_kib();
    for _ in 0..5 {
        write().await;
    }
    // A queue of half a million empty writes would be 16 MiB and more.
    let grown = resident_kib().saturating_sub(before);
    assert!(grown < 4 << 10, "{grown} KiB more after 500,000 empty writes");
}
