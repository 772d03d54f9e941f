//! Hostile and broken guests, each contained with its own error while a neighbour's calls go on; and the kept guests of
//! every published version of the interfaces, linked and run on this host.
#![expect(clippy::unwrap_used, clippy::panic, missing_docs, reason = "a test fails by panicking")]

#[path = "sandbox/fake_host.rs"]
mod fake_host;
#[path = "sandbox/guests.rs"]
mod guests;

use std::{sync::Arc, time::Duration};

use fake_host::FakeHost;
use proptest::prelude::*;
use santokit_core::{
    component::ComponentError,
    limit::{InvocationLimits, LimitName},
    quantity::{Bytes, Millis},
};
use santokit_wasm::{Blame, CallError, Invocation, LoadError, LoadedLogic, LogSource, Sandbox, SandboxConfig};

type Fake = Arc<Sandbox<FakeHost>>;

fn sandbox() -> Fake {
    Sandbox::new(&SandboxConfig { instances_max: 32, ..SandboxConfig::default() }).unwrap()
}

fn limits() -> InvocationLimits {
    InvocationLimits {
        timeout: Millis(2_000),
        cpu: Millis(200),
        memory: Bytes(8 << 20),
        host_calls: 100,
        sql_rows: 10,
        sql_bytes: Bytes(1_000),
        output: Bytes(1_000),
        log_bytes: Bytes(1_000),
        http_requests: 0,
    }
}

async fn load(sandbox: &Fake, guest: &guests::Guest) -> LoadedLogic<FakeHost> {
    sandbox.load(&guests::component(guest), guest.name).await.unwrap()
}

async fn call(logic: &LoadedLogic<FakeHost>) -> Invocation<FakeHost> {
    logic.call(FakeHost::default(), b"{}".to_vec(), &limits()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_hostile_guest_meets_its_own_limit_while_neighbours_go_on() {
    let sandbox = sandbox();
    let neighbour = load(&sandbox, &guests::NEIGHBOUR).await;
    for guest in guests::HOSTILE {
        let hostile = load(&sandbox, guest).await;
        let attack = tokio::spawn(async move { call(&hostile).await });
        let mut served = 0;
        while !attack.is_finished() || served == 0 {
            let answer = call(&neighbour).await;
            assert_eq!(answer.outcome.unwrap(), b"\"ok\"", "the neighbour of {}", guest.name);
            served += 1;
        }
        let error = attack.await.unwrap().outcome.unwrap_err();
        assert_eq!(error.blame(), Blame::Guest, "{}: {error}", guest.name);
        match (&error, guest.limit) {
            (CallError::Limit { limit, .. }, Some(expected)) => assert_eq!(*limit, expected, "{}", guest.name),
            (CallError::Trap { .. } | CallError::Output(_), None) => {}
            (other, expected) => panic!("{}: {other:?}, expected {expected:?}", guest.name),
        }
    }
}

#[test]
fn every_limit_has_a_hostile_guest() {
    // Rows, bytes and log lines are shown by tests of their own below.
    let elsewhere = [LimitName::SqlRows, LimitName::SqlBytes, LimitName::LogBytes];
    for limit in LimitName::ALL {
        let shown = guests::HOSTILE.iter().any(|guest| guest.limit == Some(*limit)) || elsewhere.contains(limit);
        assert!(shown, "no guest reaches {}", limit.as_str());
    }
}

#[tokio::test]
async fn a_trap_names_the_guests_function() {
    let logic = load(&sandbox(), guests::HOSTILE.iter().find(|guest| guest.name == "trap").unwrap()).await;
    let Err(CallError::Trap { message, backtrace }) = call(&logic).await.outcome else { panic!("no trap") };
    assert!(message.contains("unreachable"), "{message}");
    assert!(backtrace.iter().any(|frame| frame.function.contains("culprit")), "{backtrace:?}");
}

#[tokio::test]
async fn log_lines_beyond_the_limit_are_dropped_and_said_to_be() {
    let logic = load(&sandbox(), &guests::LOG_FLOOD).await;
    let invocation = call(&logic).await;
    assert!(invocation.outcome.is_ok() && invocation.usage.is_log_cut);
    let lines = invocation.host.unwrap().lines();
    let kept: usize = lines.iter().filter(|line| line.source == LogSource::Guest).map(|line| line.message.len()).sum();
    assert!(kept <= 1_000, "{kept}");
    assert_eq!(lines.iter().filter(|line| line.source == LogSource::Sandbox).count(), 1);
}

#[tokio::test]
async fn rows_and_bytes_are_counted_over_all_statements() {
    let sandbox = sandbox();
    for (guest, limit) in [(&guests::ROWS, LimitName::SqlRows), (&guests::ROW_BYTES, LimitName::SqlBytes)] {
        let logic = load(&sandbox, guest).await;
        match call(&logic).await.outcome {
            Err(CallError::Limit { limit: found, .. }) => assert_eq!(found, limit),
            other => panic!("{}: {other:?}", guest.name),
        }
    }
}

#[tokio::test]
async fn kept_guests_of_every_version_link_and_run() {
    let sandbox = sandbox();
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/guests/kept");
    let input = br#"{"connection":"main","query":"rows 2","statement":"UPDATE t","config":"shown","secret":"KEY"}"#;
    let mut count = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "wasm") {
            continue;
        }
        let bytes = std::fs::read(&path).unwrap();
        let logic = sandbox.load(&bytes, &path.to_string_lossy()).await.unwrap();
        let limits = InvocationLimits { cpu: Millis(5_000), timeout: Millis(20_000), ..InvocationLimits::default() };
        let invocation = logic.call(FakeHost::default(), input.to_vec(), &limits).await;
        let output = invocation.outcome.unwrap_or_else(|error| panic!("{}: {error:?}", path.display()));
        assert!(serde_json::from_slice::<serde_json::Value>(&output).unwrap().is_object());
        count += 1;
    }
    assert!(count >= 2, "the kept guests are missing");
}

#[tokio::test]
async fn what_is_no_logic_is_refused_with_its_reason() {
    let sandbox = sandbox();
    let refused = |bytes: Vec<u8>| {
        let sandbox = Arc::clone(&sandbox);
        async move { sandbox.load(&bytes, "refused").await.map(drop).unwrap_err() }
    };
    let unknown = wat::parse_str(r#"(component (import "evil:host/shell@1.0.0" (instance)))"#).unwrap();
    assert!(matches!(refused(unknown).await, LoadError::Refused(ComponentError::WrongWorld(_))));
    let unknown = guests::with_unknown_import();
    match refused(unknown).await {
        LoadError::Refused(ComponentError::UnknownImport { import, .. }) => assert_eq!(import, "evil:host/shell@1.0.0"),
        other => panic!("{other:?}"),
    }
    assert!(matches!(refused(wat::parse_str("(module)").unwrap()).await, LoadError::Refused(ComponentError::CoreModule)));
    assert!(matches!(refused(wat::parse_str("(component)").unwrap()).await, LoadError::Refused(ComponentError::WrongWorld(_))));
    let nested = format!("{}{}", "(component ".repeat(10), ")".repeat(10));
    assert!(matches!(refused(wat::parse_str(nested).unwrap()).await, LoadError::Refused(ComponentError::TooLarge { .. })));
    let modules = format!("(component {})", "(core module)".repeat(100));
    assert!(matches!(refused(wat::parse_str(modules).unwrap()).await, LoadError::Refused(ComponentError::TooLarge { .. })));
}

#[tokio::test]
async fn a_component_that_never_finishes_starting_is_refused_at_load() {
    let error = sandbox().load(&guests::component(&guests::START_LOOP), "start").await.map(drop).unwrap_err();
    assert!(matches!(error, LoadError::Probe(CallError::Limit { limit: LimitName::Cpu, .. })), "{error:?}");
}

#[tokio::test]
async fn instances_share_nothing() {
    let logic = load(&sandbox(), &guests::COUNTER).await;
    for _ in 0..20 {
        assert_eq!(call(&logic).await.outcome.unwrap(), b"1");
    }
}

#[tokio::test]
async fn a_dropped_call_gives_its_host_back() {
    let logic = load(&sandbox(), guests::HOSTILE.iter().find(|guest| guest.limit == Some(LimitName::Timeout)).unwrap()).await;
    let host = FakeHost::default();
    let alive = host.alive();
    let _ = tokio::time::timeout(Duration::from_millis(50), logic.call(host, b"{}".to_vec(), &limits())).await.map(drop);
    assert!(alive.upgrade().is_none(), "the host is dropped with the call, and with it what was open");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn truncated_and_altered_components_are_refused_or_run_but_never_more(at in 0_usize..2_000, byte in any::<u8>(), cut in any::<bool>()) {
        let mut bytes = guests::component(&guests::NEIGHBOUR);
        let at = at % bytes.len();
        if cut { bytes.truncate(at) } else { bytes[at] = byte }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let sandbox = SHARED.get_or_init(sandbox);
            if let Ok(logic) = sandbox.load(&bytes, &format!("{at} {byte} {cut}")).await {
                let _ = call(&logic).await.outcome;
            }
        });
    }

    #[test]
    fn random_bytes_are_no_component(bytes in proptest::collection::vec(any::<u8>(), 0..2_000)) {
        prop_assert!(santokit_core::component::inspect(&bytes).is_err());
        let mut headed = b"\0asm\x0d\0\x01\0".to_vec();
        headed.extend(bytes);
        let _ = santokit_core::component::inspect(&headed);
    }
}

static SHARED: std::sync::OnceLock<Fake> = std::sync::OnceLock::new();
