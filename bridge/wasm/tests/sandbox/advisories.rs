//! Guests that do what advisories of wasmtime are about, where that needs a whole call: each is contained as any other guest is. What needs no more than
//! the engine is in `advisories/*.wast`; docs/reference/advisories.md has all of them.

use santokit_core::{
    limit::{InvocationLimits, LimitName},
    quantity::{Bytes, Millis},
};
use santokit_wasm::{CallError, LoadError};

use crate::{
    beside_a_neighbour, call,
    contained::{hit, limits},
    guest::guest,
    host::Record,
    load, sandbox,
};

/// GHSA-7v24-42x9-pxf7.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_allocator_that_calls_the_host_traps() {
    let invocation = beside_a_neighbour("realloc_calls_host", "{}", &limits()).await;
    let Err(CallError::Trap { message, .. }) = invocation.outcome else { panic!("{:?}", invocation.outcome) };
    assert!(message.contains("cannot leave component instance"), "{message}");
    assert_eq!(invocation.usage.host_calls_total, 0);
}

/// GHSA-852m-cvvp-9p4w, about sizes that a guest chooses.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_terabyte_of_randomness_traps() {
    let invocation = beside_a_neighbour("random_flood", "{}", &limits()).await;
    assert!(matches!(invocation.outcome, Err(CallError::Trap { .. })), "{:?}", invocation.outcome);
}

/// GHSA-gqmc-89g8-p25r.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn standard_input_is_closed_however_much_is_read() {
    let (invocation, _) = call("standard_input", "1", &InvocationLimits { cpu: Millis(5_000), ..limits() }).await;
    assert_eq!(invocation.outcome.unwrap(), b"1");
}

/// GHSA-q554-3cjc-rx7p: handles that a component makes by itself, of which the host has nothing but a place in a table.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn handles_of_a_guests_own_resources_end_it() {
    let invocation = beside_a_neighbour("own_handles", "{}", &limits()).await;
    assert_eq!(hit(invocation.outcome), LimitName::Handles);
}

/// GHSA-p8xm-42r7-89xg.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_giant_table_is_refused() {
    let Err(error) = sandbox().load(&guest("giant_table"), "digest").await else { panic!("it was loaded") };
    assert!(matches!(error, LoadError::Compile(_)), "{error}");
}

/// GHSA-2hw9-mc66-jc2q: where single instructions take long, the guest still yields and ends, and its store is not used again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn long_instructions_end_with_the_cpu_time() {
    let invocation =
        beside_a_neighbour("bulk_loop", "{}", &InvocationLimits { timeout: Millis(20_000), ..limits() }).await;
    assert_eq!(hit(invocation.outcome), LimitName::Cpu);
}

/// GHSA-6wgr-89rj-399p: memory, tables and globals of the pool, of the same component again and after another one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_of_an_earlier_instance_is_found() {
    let sandbox = sandbox();
    let (looking, other) = (load(&sandbox, "memory_left").await, load(&sandbox, "memory_growth_borne").await);
    let patient = InvocationLimits { cpu: Millis(10_000), memory: Bytes(16 << 20), ..limits() };
    for round in 0..60 {
        let invocation = looking.call(Record::default().host(), b"1".to_vec(), &patient).await;
        assert_eq!(invocation.outcome.unwrap(), b"1", "round {round}");
        if round % 3 == 0 {
            other.call(Record::default().host(), b"1".to_vec(), &patient).await.outcome.unwrap();
        }
    }
}

/// GHSA-hmmr-87qq-258j, and every other one about sockets.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_socket_is_made() {
    let (invocation, _) = call("sockets", "1", &limits()).await;
    assert_eq!(invocation.outcome.unwrap(), b"1");
}
