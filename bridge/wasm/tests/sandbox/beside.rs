//! Requests of WASI's that go on beside a guest: they count together with what it calls, and end with it.

use santokit_core::{
    limit::InvocationLimits,
    quantity::{Bytes, Millis},
};

use crate::{
    host::{Asked, Record},
    load, sandbox,
};

fn limits() -> InvocationLimits {
    InvocationLimits { http_bytes: Bytes(10_000), timeout: Millis(60_000), ..InvocationLimits::default() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_called_logic_has_what_a_request_beside_it_leaves() {
    let (record, logic) = (Record::default(), load(&sandbox(), "sends_beside").await);
    let host = record.host().asking(Asked::Slow(4_000));
    let invocation = logic.call(host, b"1".to_vec(), &limits()).await;
    assert_eq!(invocation.outcome.unwrap(), b"1");
    assert_eq!(record.events(), ["sending", "sent", "call with 6000"]);
    assert_eq!(invocation.usage.http_bytes, 4_000);
}

/// Also in an instance that was made ahead, whose end waits for a thread.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_ends_with_the_invocation_that_sends_it() {
    let logic = load(&sandbox(), "sends_beside").await;
    for _ in 0..50 {
        let record = Record::default();
        let invocation = logic.call(record.host().asking(Asked::Never), b"2".to_vec(), &limits()).await;
        assert_eq!(invocation.outcome.unwrap(), b"2");
        assert_eq!(record.events(), ["sending", "sent"], "it is over when what was done is kept");
    }
}
