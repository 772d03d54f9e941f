//! Instances that are made ahead: used once, within bounds, and no call can tell.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use santokit_core::{
    limit::{InvocationLimits, LimitName},
    quantity::{Bytes, Millis},
};
use santokit_wasm::{
    CallError, Fixed, Invocation, LoadedLogic, Sandbox, SandboxConfig, Seed, SupplyConfig, SupplyUsage,
};

use crate::{
    guest::guest,
    host::{Fake, Record},
};

fn supplied_by(supply: SupplyConfig) -> Arc<Sandbox<Fake>> {
    Sandbox::new(&SandboxConfig { instances_max: 32, supply, ..SandboxConfig::default() }).unwrap()
}

fn supplied() -> Arc<Sandbox<Fake>> {
    supplied_by(SupplyConfig::default())
}

fn plain() -> Arc<Sandbox<Fake>> {
    supplied_by(SupplyConfig::NONE)
}

async fn load(sandbox: &Arc<Sandbox<Fake>>, name: &str) -> LoadedLogic<Fake> {
    sandbox.load(&guest(name), name).await.unwrap()
}

async fn once(logic: &LoadedLogic<Fake>, input: &str, limits: &InvocationLimits) -> Invocation<Fake> {
    logic.call(Record::default().host(), input.into(), limits).await
}

/// Waits until the usage is as it should be.
async fn until(sandbox: &Sandbox<Fake>, is_so: impl Fn(&SupplyUsage) -> bool) {
    for _ in 0..2_000 {
        if is_so(&sandbox.supply()) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("{:?}", sandbox.supply());
}

/// Instances that wait for a call.
fn waiting(usage: &SupplyUsage) -> u64 {
    usage.made_ahead.saturating_sub(usage.taken + usage.unused)
}

/// A call that takes an instance from the supply, whatever happened in the one before it.
async fn from_supply(
    sandbox: &Sandbox<Fake>,
    logic: &LoadedLogic<Fake>,
    input: &str,
    limits: &InvocationLimits,
) -> Invocation<Fake> {
    for _ in 0..2_000 {
        let invocation = once(logic, input, limits).await;
        if invocation.usage.is_supplied {
            return invocation;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("{:?}", sandbox.supply());
}

fn hit(invocation: &Invocation<Fake>) -> LimitName {
    match &invocation.outcome {
        Err(CallError::Limit { limit, .. }) => *limit,
        other => panic!("no limit: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_instance_is_used_once() {
    let sandbox = supplied();
    let logic = Arc::new(load(&sandbox, "counter").await);
    let callers: Vec<_> = (0..8)
        .map(|_| {
            let logic = Arc::clone(&logic);
            tokio::spawn(async move {
                let mut supplied = 0;
                for _ in 0..200 {
                    let invocation = once(&logic, "{}", &InvocationLimits::default()).await;
                    assert_eq!(invocation.outcome.unwrap(), b"11");
                    supplied += u64::from(invocation.usage.is_supplied);
                    tokio::time::sleep(Duration::from_micros(200)).await;
                }
                supplied
            })
        })
        .collect();
    let mut taken = 0;
    for caller in callers {
        taken += caller.await.unwrap();
    }
    let usage = sandbox.supply();
    assert!(taken > 0, "{usage:?}");
    assert_eq!((usage.taken, usage.taken + usage.made_in_call), (taken, 1_600));
    assert!(usage.made_ahead >= taken, "{usage:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_left_when_the_last_release_of_a_component_goes() {
    let sandbox = supplied();
    let (old, new) = (load(&sandbox, "echo").await, load(&sandbox, "counter").await);
    for logic in [&old, &new] {
        from_supply(&sandbox, logic, "1", &InvocationLimits::default()).await;
    }
    until(&sandbox, |usage| waiting(usage) == 4).await;
    drop(old);
    until(&sandbox, |usage| usage.held == 2 && waiting(usage) == 2).await;
    assert!(from_supply(&sandbox, &new, "1", &InvocationLimits::default()).await.outcome.is_ok());
    drop(new);
    until(&sandbox, |usage| usage.held == 0 && usage.held_memory_bytes == 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_component_that_nobody_calls_keeps_none() {
    let sandbox = supplied_by(SupplyConfig { idle: Duration::from_secs(2), ..SupplyConfig::default() });
    let logic = load(&sandbox, "echo").await;
    // A component that was never called has none either.
    assert_eq!(sandbox.supply().held, 0);
    from_supply(&sandbox, &logic, "1", &InvocationLimits::default()).await;
    until(&sandbox, |usage| waiting(usage) == 2).await;
    until(&sandbox, |usage| usage.held == 0).await;
    let usage = sandbox.supply();
    assert_eq!((usage.unused, usage.held_memory_bytes), (2, 0));
    assert!(from_supply(&sandbox, &logic, "1", &InvocationLimits::default()).await.outcome.is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn count_and_memory_are_bounded() {
    // A guest has a page of 64 KiB.
    for (instances_max, pages) in [(3, 1_000), (100, 3)] {
        let supply = SupplyConfig { instances_max, memory_bytes_max: pages << 16, ..SupplyConfig::default() };
        let sandbox = supplied_by(supply);
        let (waiting, echo) = (Arc::new(load(&sandbox, "waiting_host").await), load(&sandbox, "echo").await);
        let limits = InvocationLimits { timeout: Millis(300), ..InvocationLimits::default() };
        let calls: Vec<_> = (0..24)
            .map(|_| {
                let (waiting, limits) = (Arc::clone(&waiting), limits.clone());
                tokio::spawn(async move { once(&waiting, "{}", &limits).await.outcome.is_err() })
            })
            .collect();
        for _ in 0..100 {
            assert!(once(&echo, "1", &InvocationLimits::default()).await.outcome.is_ok());
            let usage = sandbox.supply();
            assert!(usage.held <= 3 && usage.held_memory_bytes <= 3 << 16, "{usage:?}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        for call in calls {
            assert!(call.await.unwrap());
        }
        assert!(sandbox.supply().made_ahead > 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_supply_never_takes_the_room_of_calls() {
    let sandbox = supplied();
    let (waiting, echo) = (Arc::new(load(&sandbox, "waiting_host").await), load(&sandbox, "echo").await);
    from_supply(&sandbox, &echo, "1", &InvocationLimits::default()).await;
    let limits = InvocationLimits { timeout: Millis(1_000), ..InvocationLimits::default() };
    // As many as may be alive, while the supply holds its own.
    let calls: Vec<_> = (0..32)
        .map(|_| {
            let (waiting, limits) = (Arc::clone(&waiting), limits.clone());
            tokio::spawn(async move { hit(&once(&waiting, "{}", &limits).await) })
        })
        .collect();
    for call in calls {
        assert_eq!(call.await.unwrap(), LimitName::Timeout);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limits_are_those_of_the_call() {
    let default = InvocationLimits::default;
    let cases = [
        ("memory_growth", "{}", LimitName::Memory, InvocationLimits { memory: Bytes(5 << 20), ..default() }),
        ("table_growth", "{}", LimitName::Table, default()),
        ("endless_loop", "{}", LimitName::Cpu, InvocationLimits { cpu: Millis(60), ..default() }),
        ("waiting_host", "{}", LimitName::Timeout, InvocationLimits { timeout: Millis(150), ..default() }),
        ("host_calls", "{}", LimitName::HostCalls, InvocationLimits { host_calls: 7, ..default() }),
        ("many_rows", "rows 10", LimitName::SqlRows, InvocationLimits { sql_rows: 9, ..default() }),
        ("huge_output", "{}", LimitName::Output, default()),
        ("deep_recursion", "{}", LimitName::Stack, default()),
    ];
    for (name, input, limit, limits) in cases {
        let (with, without) = (supplied(), plain());
        let ahead = from_supply(&with, &load(&with, name).await, input, &limits).await;
        let in_call = once(&load(&without, name).await, input, &limits).await;
        assert!(!in_call.usage.is_supplied);
        assert_eq!((hit(&ahead), hit(&in_call)), (limit, limit), "{name}");
        let used = |invocation: &Invocation<Fake>| {
            let usage = &invocation.usage;
            (usage.memory_peak_bytes, usage.host_calls.clone(), usage.sql_rows, usage.output_bytes)
        };
        assert_eq!(used(&ahead), used(&in_call), "{name}");
        assert!(ahead.host.is_some(), "{name}");
        if limit == LimitName::Cpu {
            let cpu = ahead.usage.cpu;
            assert!(cpu >= Duration::from_millis(60) && cpu < Duration::from_millis(160), "{cpu:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_making_took_counts_against_the_call() {
    let sandbox = supplied();
    let logic = load(&sandbox, "start_work").await;
    let ample = InvocationLimits { cpu: Millis(2_000), ..InvocationLimits::default() };
    let made_in_call = once(&logic, "1", &ample).await;
    assert!(!made_in_call.usage.is_supplied);
    let ahead = from_supply(&sandbox, &logic, "1", &ample).await;
    for usage in [&ahead.usage, &made_in_call.usage] {
        assert_eq!(usage.memory_peak_bytes, 33 << 16);
        assert!(usage.cpu > Duration::from_millis(5), "{:?}", usage.cpu);
    }
    // Less than the making takes: the call fails as it would without a supply, and leaves what is there to others.
    until(&sandbox, |usage| waiting(usage) > 0).await;
    let small = InvocationLimits { memory: Bytes(32 << 16), ..ample.clone() };
    let invocation = once(&logic, "1", &small).await;
    // The growth at its start is refused, which this guest bears.
    assert!(!invocation.usage.is_supplied);
    assert_eq!(invocation.usage.memory_peak_bytes, 1 << 16);
    let short = InvocationLimits { cpu: Millis(1), ..ample };
    let invocation = once(&logic, "1", &short).await;
    assert!(!invocation.usage.is_supplied);
    assert_eq!(hit(&invocation), LimitName::Cpu);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn time_begins_with_the_call() {
    let sandbox = supplied();
    let logic = load(&sandbox, "waiting_host").await;
    let limits = InvocationLimits { timeout: Millis(200), ..InvocationLimits::default() };
    once(&logic, "{}", &limits).await;
    until(&sandbox, |usage| waiting(usage) > 0).await;
    // Older than the limit when it is taken.
    tokio::time::sleep(Duration::from_millis(400)).await;
    let invocation = once(&logic, "{}", &limits).await;
    assert!(invocation.usage.is_supplied);
    assert_eq!(hit(&invocation), LimitName::Timeout);
    let wall = invocation.usage.wall;
    assert!(wall >= Duration::from_millis(200) && wall < Duration::from_millis(390), "{wall:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_test_fixes_holds_for_the_making_too() {
    let sandbox = supplied();
    let logic = load(&sandbox, "echo").await;
    from_supply(&sandbox, &logic, "1", &InvocationLimits::default()).await;
    until(&sandbox, |usage| waiting(usage) > 0).await;
    for fixed in [
        Fixed { now: Some(SystemTime::UNIX_EPOCH), random_seed: None },
        Fixed { now: None, random_seed: Some(Seed::Number(7)) },
    ] {
        let host = Record::default().host().fixed_to(fixed);
        let invocation = logic.call(host, b"1".to_vec(), &InvocationLimits::default()).await;
        assert!(!invocation.usage.is_supplied);
        assert_eq!(invocation.outcome.unwrap(), b"1");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_making_that_asks_for_something_is_done_in_the_call() {
    let sandbox = supplied();
    let logic = load(&sandbox, "start_output").await;
    for _ in 0..20 {
        let invocation = once(&logic, "1", &InvocationLimits::default()).await;
        assert!(!invocation.usage.is_supplied);
        assert_eq!(invocation.outcome.unwrap(), b"1");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let usage = sandbox.supply();
    assert_eq!((usage.made_ahead, usage.made_in_call), (0, 20));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_go_on_where_nothing_can_be_made_ahead() {
    let no_memory = SupplyConfig { memory_bytes_max: 1, ..SupplyConfig::default() };
    for (sandbox, makes) in [(plain(), false), (supplied_by(no_memory), false), (supplied(), true)] {
        let logic = load(&sandbox, "echo").await;
        for _ in 0..20 {
            assert_eq!(once(&logic, "1", &InvocationLimits::default()).await.outcome.unwrap(), b"1");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        let usage = sandbox.supply();
        assert_eq!(usage.made_ahead > 0, makes, "{usage:?}");
        assert_eq!(usage.taken + usage.made_in_call, 20);
    }
}

/// The pages that calls write are written before, which no call can tell; and what the supply needs for that is not the guest's to give.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_that_every_call_writes_are_there_before_it() {
    let (with, without) = (supplied(), plain());
    let name = "writes_pages";
    let (logic, alone) = (load(&with, name).await, load(&without, name).await);
    let limits = InvocationLimits::default();
    let expected = once(&alone, "{}", &limits).await.outcome.unwrap();
    let mut prepared = 0;
    for _ in 0..2_000 {
        let invocation = from_supply(&with, &logic, "{}", &limits).await;
        assert_eq!(invocation.outcome.unwrap(), expected);
        assert_eq!(invocation.usage.memory_peak_bytes, 32 << 16);
        prepared = with.supply().prepared;
        if prepared > 20 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    assert!(prepared > 20, "{:?}", with.supply());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_guests_own_functions_of_those_names_are_not_called() {
    let sandbox = supplied();
    let logic = load(&sandbox, "own_touching").await;
    for _ in 0..20 {
        let invocation = from_supply(&sandbox, &logic, "1", &InvocationLimits::default()).await;
        assert_eq!(invocation.outcome.unwrap(), b"0");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(sandbox.supply().prepared, 0);
}

/// Instances that cannot be entered any more teach nothing, and end as they do without.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_that_fail_teach_nothing() {
    let sandbox = supplied();
    let limits = InvocationLimits { timeout: Millis(30), ..InvocationLimits::default() };
    for name in ["trap", "waiting_host"] {
        let logic = load(&sandbox, name).await;
        for _ in 0..10 {
            assert!(from_supply(&sandbox, &logic, "{}", &limits).await.outcome.is_err(), "{name}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        drop(logic);
    }
    until(&sandbox, |usage| usage.held == 0).await;
    assert_eq!(sandbox.supply().prepared, 0);
}
