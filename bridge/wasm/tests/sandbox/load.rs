//! What is refused before it runs: by looking at it, by compiling it, by making it once.

use std::path::Path;

use proptest::prelude::*;
use santokit_core::{
    component::ComponentError,
    limit::{InvocationLimits, LimitName},
};
use santokit_wasm::{CallError, EventInfo, LoadError, LoadedLogic};

use crate::{guest::guest, host::Record, sandbox};

async fn refusal(bytes: &[u8]) -> LoadError {
    match sandbox().load(bytes, "digest").await {
        Err(error) => error,
        Ok(_) => panic!("it was loaded"),
    }
}

fn text(wat: &str) -> Vec<u8> {
    wat::parse_str(wat).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unknown_import_is_named() {
    let error = refusal(&guest("unknown_import")).await;
    assert!(
        matches!(&error, LoadError::Refused(ComponentError::UnknownImport { import, .. }) if import == "acme:rocket/launch@1.0.0"),
        "{error}"
    );
    let error = refusal(&guest("newer_import")).await;
    assert!(error.to_string().contains("this version offers santokit:runtime/log@0.1"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_world_is_no_logic() {
    let error = refusal(&text("(component)")).await;
    assert!(matches!(error, LoadError::Refused(ComponentError::WrongWorld(_))), "{error}");
    let error = refusal(&text("(module)")).await;
    assert!(matches!(error, LoadError::Refused(ComponentError::CoreModule)), "{error}");
    // The right name on the wrong type.
    let error = refusal(&text(
        r#"(component (instance $handler) (export "santokit:logic/handler@0.1.0" (instance $handler)))"#,
    ))
    .await;
    assert!(matches!(error, LoadError::Link(_)), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_guest_that_never_starts_is_not_loaded() {
    let error = refusal(&guest("start_loop")).await;
    assert!(matches!(error, LoadError::Probe(CallError::Limit { limit: LimitName::Cpu, .. })), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_gate_stops_what_would_be_long_to_compile() {
    let nested = format!("{}{}", "(component ".repeat(10), ")".repeat(10));
    let functions = format!("(component (core module {}))", "(func)".repeat(200_001));
    let modules = format!("(component {})", "(core module)".repeat(65));
    let locals = "(component (core module (func (local i32 i64) ".to_owned() + &"(local i32 i64)".repeat(6_000) + ")))";
    let body = format!("(component (core module (func {})))", "(drop (i64.const 1234567890123456789))".repeat(100_000));
    for (what, wat) in [
        ("nesting", nested),
        ("functions", functions),
        ("modules", modules),
        ("locals", locals),
        ("one function", body),
    ] {
        let error = refusal(&text(&wat)).await;
        let is_too_large =
            matches!(&error, LoadError::Refused(ComponentError::TooLarge { what: found, .. }) if found.contains(what));
        assert!(is_too_large, "{what}: {error}");
    }
    // What the engine has switched off is refused by the gate, which the build uses too.
    for (what, wat) in [
        ("memory64", "(component (core module (memory i64 1)))"),
        ("gc", "(component (core module (type (struct (field i32)))))"),
        ("exceptions", "(component (core module (tag)))"),
        ("threads", "(component (core module (memory 1 1 shared)))"),
    ] {
        let error = refusal(&text(wat)).await;
        assert!(matches!(error, LoadError::Refused(ComponentError::Malformed(_))), "{what}: {error}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn truncated_bytes_are_refused() {
    let (sandbox, whole) = (sandbox(), guest("echo"));
    let mut loaded = 0;
    for length in 0..whole.len() {
        match sandbox.load(&whole[..length], "digest").await {
            Err(error) => assert!(matches!(error, LoadError::Refused(_)), "at {length}: {error}"),
            // Cut between two of the custom sections at the end, it is whole.
            Ok(logic) => {
                let invocation =
                    logic.call(Record::default().host(), b"1".to_vec(), &InvocationLimits::default()).await;
                assert_eq!(invocation.outcome.unwrap(), b"1");
                loaded += 1;
            }
        }
    }
    assert!(loaded < 4, "{loaded}");
}

#[test]
fn random_and_changed_bytes_never_break_the_host() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (sandbox, whole) = (sandbox(), guest("log_flood"));
    let limits = InvocationLimits::default();
    let run = |bytes: Vec<u8>| {
        runtime.block_on(async {
            if let Ok(logic) = sandbox.load(&bytes, "digest").await {
                let invocation = logic.call(Record::default().host(), b"{}".to_vec(), &limits).await;
                assert!(invocation.host.is_some());
            }
        });
    };
    let edits = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4);
    proptest!(ProptestConfig::with_cases(150), |(noise in prop::collection::vec(any::<u8>(), 0..512), edits in edits)| {
        let mut header = b"\0asm\x0d\0\x01\0".to_vec();
        header.extend(&noise);
        run(noise);
        run(header);
        let mut changed = whole.clone();
        for (at, byte) in edits {
            changed[at.index(whole.len())] = byte;
        }
        run(changed);
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_digest_is_compiled_once_while_it_is_held() {
    let sandbox = sandbox();
    let first = sandbox.load(&guest("echo"), "sha256:1").await.unwrap();
    // Known by its digest: the bytes are not looked at again.
    assert!(sandbox.load(b"", "sha256:1").await.is_ok());
    // Of this owner alone: another's compiler has made what it is.
    assert!(sandbox.load_for("other", b"", "sha256:1").await.is_err());
    assert!(sandbox.load_for("other", &guest("echo"), "sha256:1").await.is_ok());
    drop(first);
    assert!(sandbox.load(b"", "sha256:1").await.is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kept_guests_of_every_published_version_run() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/guests/kept");
    let first =
        r#"{"connection": "main", "query": "rows 3", "statement": "change", "config": "greeting", "secret": "key"}"#;
    let objects = r#"{"steps": [{"op": "put", "key": "a", "text": "x"}, {"op": "stream", "key": "a", "text": "x"}, {"op": "get", "key": "a"},
        {"op": "stat", "key": "a"}, {"op": "read", "key": "a"}, {"op": "drop", "key": "a"}, {"op": "list"}, {"op": "delete", "key": "a"}]}"#;
    let limits = InvocationLimits { cpu: santokit_core::quantity::Millis(5_000), ..InvocationLimits::default() };
    for (name, input, event) in [
        ("logic-0.1.0-rust.wasm", first, Some("commit")),
        ("logic-0.1.0-js.wasm", first, Some("commit")),
        ("http-0.1.0-rust.wasm", r#"{"steps": [{"url": "https://a.test/"}]}"#, None),
        ("logics-0.1.0-rust.wasm", r#"{"steps": [{"op": "call", "name": "add", "params": {"a": 1}}]}"#, None),
        ("storage-0.1.0-rust.wasm", objects, Some("finish")),
        (
            "events-0.1.0-rust.wasm",
            r#"{"steps": [{"op": "publish", "topic": "granted", "payload": {}}]}"#,
            Some("publish"),
        ),
    ] {
        let logic = sandbox().load(&std::fs::read(folder.join(name)).unwrap(), name).await.unwrap();
        let record = Record::default();
        let invocation = logic.call(record.host(), input.into(), &limits).await;
        let output = invocation.outcome.unwrap_or_else(|error| panic!("{name}: {error:?} {:?}", record.lines()));
        let output: serde_json::Value = serde_json::from_slice(&output).unwrap();
        let is_fine = output.is_object()
            || output.as_array().is_some_and(|steps| steps.iter().all(|step| step.get("code").is_none()));
        assert!(is_fine, "{name}: {output}");
        if let Some(event) = event {
            assert!(record.events().contains(&event.to_owned()), "{name}: {:?}", record.events());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_component_is_given_what_it_exports_a_handler_for() {
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/guests/kept/on-event-0.1.0-rust.wasm");
    let both = sandbox().load(&std::fs::read(kept).unwrap(), "both").await.unwrap();
    let event = || EventInfo {
        id: "evt_1".to_owned(),
        topic: "work".to_owned(),
        published_at: "2026-01-31T08:00:00.000000Z".to_owned(),
        attempt: 3,
        caused_by: Some("evt_0".to_owned()),
        depth: 1,
    };
    let limits = InvocationLimits { cpu: santokit_core::quantity::Millis(5_000), ..InvocationLimits::default() };
    let given = async |logic: &LoadedLogic<_>, payload: &str| {
        logic.handle(Record::default().host(), event(), payload.into(), &limits).await.outcome
    };
    match given(&both, r#"{"action": "fail"}"#).await {
        Err(CallError::Logic(error)) => {
            assert_eq!((error.code.as_str(), error.message.as_str()), ("NOT_NOW", "attempt 3"));
            assert_eq!(error.details, Some(serde_json::json!({"event": "evt_1"})));
        }
        other => panic!("{other:?}"),
    }
    match given(&both, r#"{"action": "panic"}"#).await {
        Err(CallError::Trap { backtrace, .. }) => {
            assert!(backtrace.iter().any(|frame| frame.function.contains("on_event")), "{backtrace:?}");
        }
        other => panic!("{other:?}"),
    }
    assert!(matches!(given(&both, "[]").await, Err(CallError::Logic(error)) if error.code == "INVALID_INPUT"));
    let called = r#"{"topic": "granted", "payload": {}}"#;
    let answer = both.call(Record::default().host(), called.into(), &limits).await.outcome.unwrap();
    assert_eq!(answer, b"\"evt_1\"");
    // What takes no events is not given one.
    let echo = sandbox().load(&guest("echo"), "echo").await.unwrap();
    assert!(given(&echo, "{}").await.is_err());
}
