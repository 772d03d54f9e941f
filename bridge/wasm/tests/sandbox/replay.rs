//! What is recorded runs again as it ran, and what another guest does otherwise is named.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use santokit_core::{limit::InvocationLimits, quantity::Millis};
use santokit_wasm::{
    Fixed, Host, LoadedLogic, Sandbox, SandboxConfig, Seed,
    record::{
        About, Outcome, Recorder, Recording, Replay, ReplayError, Replayed, Replayer, Side, Tape, TapeLimits, Verdict,
    },
};
use secrecy::SecretString;
use serde_json::json;

use crate::{
    guest::guest,
    host::{Fake, Record},
};

const ROOM: TapeLimits = TapeLimits { bytes_max: 8 << 20, calls_max: 10_000 };

/// A call, and what was recorded of it, through the text that a Bridge keeps.
async fn recorded(name: &str, input: &str, room: TapeLimits, limits: &InvocationLimits) -> Recording {
    recorded_with(&BTreeMap::new(), name, input, room, limits).await
}

async fn recorded_with(
    secrets: &BTreeMap<String, SecretString>,
    name: &str,
    input: &str,
    room: TapeLimits,
    limits: &InvocationLimits,
) -> Recording {
    let sandbox: Arc<Sandbox<Recorder<Fake>>> = Sandbox::new(&SandboxConfig::default()).unwrap();
    let logic = sandbox.load(&guest(name), name).await.unwrap();
    let (tape, host) = (Tape::new(room), Record::default().host());
    let about = About {
        id: "rec_1".to_owned(),
        invocation: host.invocation(),
        caller: host.caller(),
        component: name.to_owned(),
        input: input.into(),
        at: "2026-01-01T00:00:00Z".to_owned(),
        until: "2026-01-02T00:00:00Z".to_owned(),
    };
    let invocation = logic.call(Recorder::new(host, Some(Arc::clone(&tape))), input.into(), limits).await;
    let plain = logic.call(Recorder::new(Record::default().host(), None), input.into(), limits).await;
    assert_eq!(Outcome::of(&plain.outcome), Outcome::of(&invocation.outcome), "{name}: recording changes nothing");
    let made = tape.recording(about, &[], secrets, &invocation.outcome, &invocation.usage).unwrap();
    let text = serde_json::to_string(&made).unwrap();
    let read: Recording = serde_json::from_str(&text).unwrap();
    assert_eq!(read, made, "{name}");
    read
}

async fn loaded(name: &str) -> LoadedLogic<Replayer> {
    let sandbox: Arc<Sandbox<Replayer>> = Sandbox::new(&SandboxConfig::default()).unwrap();
    sandbox.load(&guest(name), name).await.unwrap()
}

async fn replayed(recording: &Recording, name: &str, limits: &InvocationLimits) -> Replayed {
    Replay::new(recording.clone()).unwrap().run(&loaded(name).await, limits).await
}

fn limits() -> InvocationLimits {
    InvocationLimits { timeout: Millis(20_000), ..InvocationLimits::default() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn guests_do_again_what_they_did() {
    let many = InvocationLimits { host_calls: 100_000, ..limits() };
    for (name, ended) in [
        ("echo", Outcome::Answer),
        ("clocks", Outcome::Answer),
        ("standard_output", Outcome::Answer),
        ("transaction_dropped", Outcome::Answer),
        ("logic_error", Outcome::Refused),
        ("trap", Outcome::Trap),
        ("random_flood", Outcome::Trap),
        ("deep_recursion", Outcome::Limit),
        ("memory_growth", Outcome::Limit),
        ("many_rows", Outcome::Limit),
    ] {
        let recording =
            recorded(name, if name == "many_rows" { "rows 10001" } else { "{\"a\": 1}" }, ROOM, &many).await;
        assert_eq!(recording.head.outcome, ended, "{name}: {:?}", recording.ending);
        assert_eq!(recording.head.cut, None, "{name}");
        let replayed = replayed(&recording, name, &many).await;
        assert_eq!(replayed.verdict, Verdict::Same, "{name}");
        assert_eq!(replayed.calls.len(), recording.calls.len(), "{name}");
        assert!(replayed.calls.iter().all(|call| call.is_same && call.took_us.is_some()), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_another_guest_does_is_named() {
    let (echo, transaction) =
        (recorded("echo", "1", ROOM, &limits()).await, recorded("transaction_dropped", "1", ROOM, &limits()).await);
    let of = |replayed: Replayed| match replayed.verdict {
        Verdict::Diverged(divergence) => *divergence,
        other => panic!("{other:?}"),
    };
    let ended = of(replayed(&echo, "logic_error", &limits()).await);
    assert_eq!((ended.number, ended.difference.unwrap().path.as_str()), (1, "kind"));
    let more = of(replayed(&echo, "transaction_dropped", &limits()).await);
    assert!(
        matches!((&more.recorded, &more.now), (Side::End { .. }, Side::Call { capability, .. }) if capability == "sql")
    );
    let fewer = of(replayed(&transaction, "echo", &limits()).await);
    assert!(matches!((&fewer.recorded, &fewer.now), (Side::Call { op, .. }, Side::End { .. }) if op == "open"));
    // One call with other arguments, and one of another kind.
    let mut changed = transaction.clone();
    changed.calls[0].args = json!({"name": "other"});
    let other = of(replayed(&changed, "transaction_dropped", &limits()).await);
    let difference = other.difference.unwrap();
    assert_eq!((other.number, difference.path.as_str(), difference.recorded), (1, "name", Some(json!("other"))));
    let mut changed = transaction.clone();
    changed.calls[1].op = "commit".to_owned();
    let other = of(replayed(&changed, "transaction_dropped", &limits()).await);
    assert_eq!((other.number, other.difference), (2, None));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_recording_has_not_is_not_taken_for_a_difference() {
    // The guest waits for a connection until its time is over.
    let short = InvocationLimits { timeout: Millis(100), ..limits() };
    let waiting = recorded("waiting_host", "1", ROOM, &short).await;
    assert_eq!((waiting.head.outcome, waiting.calls.len(), &waiting.calls[0].result), (Outcome::Limit, 1, &None));
    let verdict = replayed(&waiting, "waiting_host", &limits()).await.verdict;
    let told = "it was stopped by its limit timeout within this call".to_owned();
    assert_eq!(verdict, Verdict::Unfinished { after: 1, why: told });
    // One that loops is stopped by its CPU time here as there.
    let spinning = InvocationLimits { cpu: Millis(50), ..limits() };
    let looping = recorded("endless_loop", "1", ROOM, &spinning).await;
    assert_eq!(replayed(&looping, "endless_loop", &spinning).await.verdict, Verdict::Same);
    assert!(matches!(replayed(&looping, "echo", &limits()).await.verdict, Verdict::Unfinished { after: 0, .. }));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recording_has_no_more_than_there_is_room_for() {
    let many = InvocationLimits { host_calls: 100_000, ..limits() };
    for (name, room) in [
        ("many_rows", TapeLimits { bytes_max: 4_000, calls_max: 100 }),
        ("clocks", TapeLimits { bytes_max: 4_000, calls_max: 100 }),
        ("transaction_dropped", TapeLimits { bytes_max: 1 << 20, calls_max: 1 }),
    ] {
        let recording = recorded(name, "rows 100", room, &many).await;
        assert!(recording.head.cut.is_some(), "{name}");
        assert!(serde_json::to_vec(&recording).unwrap().len() < 40_000, "{name}");
        let verdict = replayed(&recording, name, &many).await.verdict;
        assert!(matches!(verdict, Verdict::Unfinished { .. } | Verdict::Same), "{name}: {verdict:?}");
    }
}

/// What was asked for after the cut is known to nobody who makes the recording, and the answer repeats it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recording_that_was_cut_has_no_secret_in_its_ending() {
    let whole = recorded("tells_secret", "1", ROOM, &limits()).await;
    assert!(whole.head.cut.is_none() && whole.ending.to_string().contains("secret-"), "{:?}", whole.ending);
    let room = TapeLimits { calls_max: 0, ..ROOM };
    let cut = recorded("tells_secret", "1", room, &limits()).await;
    assert!(cut.head.cut.is_some());
    assert_eq!(cut.ending, json!({"kind": "answer", "answer": "[hidden]"}));
    assert!(matches!(replayed(&cut, "tells_secret", &limits()).await.verdict, Verdict::Unfinished { after: 0, .. }));
    for recording in [&whole, &cut] {
        assert!(!serde_json::to_string(recording).unwrap().contains("planted"), "{recording:?}");
    }
}

/// Nor one that the guest has from somebody else than the host.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secret_of_the_env_is_in_no_recording_whoever_says_it() {
    let secrets = BTreeMap::from([("KEY".to_owned(), SecretString::from("of-the-env"))]);
    let input = r#"{"note": "it is of-the-env"}"#;
    let recording = recorded_with(&secrets, "echo", input, ROOM, &limits()).await;
    let text = serde_json::to_string(&recording).unwrap();
    assert!(!text.contains("of-the-env") && text.contains("secret-KEY"), "{text}");
    assert_eq!(replayed(&recording, "echo", &limits()).await.verdict, Verdict::Same);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_recording_is_refused_and_runs_nothing() {
    let good = recorded("echo", "1", ROOM, &limits()).await;
    let mut newer = good.clone();
    newer.head.format = 2;
    assert_eq!(Replay::new(newer).unwrap_err(), ReplayError::Format(2));
    for seed in ["", "AAAA", "?", &"A".repeat(1_000)] {
        assert!(Replay::new(Recording { seed: seed.to_owned(), ..good.clone() }).is_err());
    }
    for input in [json!(null), json!({"base64": "?"}), json!({"text": 1}), json!([])] {
        assert!(Replay::new(Recording { input, ..good.clone() }).is_err());
    }
    // An answer that no host gives ends the replay, not the process.
    let mut changed = recorded("transaction_dropped", "1", ROOM, &limits()).await;
    changed.calls[0].result = Some(json!({"ok": "x"}));
    changed.caller = json!({"base64": "?"});
    let verdict = replayed(&changed, "transaction_dropped", &limits()).await.verdict;
    assert!(matches!(verdict, Verdict::Unfinished { after: 1, .. }), "{verdict:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_recorded_takes_an_instance_that_was_made_ahead_and_its_seed_is_its_own() {
    let sandbox: Arc<Sandbox<Recorder<Fake>>> = Sandbox::new(&SandboxConfig::default()).unwrap();
    let logic = sandbox.load(&guest("echo"), "echo").await.unwrap();
    let mut was_supplied = false;
    for _ in 0..500 {
        let host = Recorder::new(Record::default().host(), Some(Tape::new(ROOM)));
        was_supplied |= logic.call(host, b"1".to_vec(), &limits()).await.usage.is_supplied;
        if was_supplied {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(was_supplied);
    let seed = || Recorder::new(Record::default().host(), Some(Tape::new(ROOM))).fixed().random_seed;
    assert!(matches!(seed(), Some(Seed::Secret(_))) && seed() != seed());
    assert!(!format!("{:?}", seed()).contains(char::is_numeric), "a seed is not shown");
    let fixed = Fixed { now: None, random_seed: Some(Seed::Number(7)) };
    let tested = Recorder::new(Record::default().host().fixed_to(fixed), Some(Tape::new(ROOM)));
    assert_eq!(tested.fixed(), fixed, "what a test fixes stays");
}
