//! What is on the disk: sealed, bounded, gone when its time is over; and what somebody else put there.

use std::{collections::BTreeSet, path::Path};

use chrono::TimeDelta;
use santokit_core::quantity::Millis;
use santokit_wasm::record::FORMAT;
use serde_json::json;

use super::*;

const ENV: &str = "shop/prod";

fn key(byte: u8) -> Arc<SealKey> {
    Arc::new(SealKey::new(&[byte; 32]).unwrap())
}

fn opened(dir: &Path, env: &str, byte: u8, bounds: (u64, usize)) -> Shelf {
    Shelf::open(dir.to_owned(), env.to_owned(), key(byte), bounds)
}

fn recording(until: DateTime<Utc>, size: usize) -> Recording {
    let id = Kind::Recording.generate();
    let head = json!({
        "format": FORMAT, "id": id, "logic": "buy", "project": "shop", "env": "prod", "releaseId": "rel_1",
        "component": "sha256:0", "requestId": "req_1", "at": text(Utc::now()), "until": text(until), "outcome": "trap",
        "wallUs": 1, "cpuUs": 1, "calls": 0, "redacted": 0,
    });
    serde_json::from_value(json!({
        "head": head, "trigger": "request", "caller": {"json": {}}, "input": {"text": "planted".repeat(size / 7)},
        "seed": "", "times": {}, "calls": [], "ending": {"kind": "trap"},
    }))
    .unwrap()
}

fn soon() -> DateTime<Utc> {
    Utc::now() + TimeDelta::hours(1)
}

#[test]
fn a_recording_is_sealed_and_opens_with_its_key_in_its_place_alone() {
    let dir = tempfile::tempdir().unwrap();
    let own = opened(dir.path(), ENV, 7, (1 << 20, 10));
    let made = recording(soon(), 100);
    own.put(&made).unwrap();
    let id = made.head.id.as_str();
    let read = |shelf: &Shelf, id: &str| shelf.read(id, Utc::now());
    assert_eq!(serde_json::from_slice::<Recording>(&read(&own, id).unwrap()).unwrap(), made);
    let path = dir.path().join(id);
    let bytes = fs::read(&path).unwrap();
    for plain in [&b"planted"[..], b"buy", b"req_1", b"trap"] {
        assert!(!bytes.windows(plain.len()).any(|window| window == plain), "it can be read on the disk");
    }
    // Another Bridge that starts finds it; with another env, another key or another name it is none of its own.
    assert_eq!(opened(dir.path(), ENV, 7, (1 << 20, 10)).list(Utc::now()).len(), 1);
    for (env, byte) in [("shop/dev", 7), (ENV, 8)] {
        let copy = tempfile::tempdir().unwrap();
        fs::copy(&path, copy.path().join(id)).unwrap();
        let other = opened(copy.path(), env, byte, (1 << 20, 10));
        assert!(other.list(Utc::now()).is_empty() && read(&other, id).is_none());
        assert!(!copy.path().join(id).exists(), "what does not open is removed");
    }
    let copy = tempfile::tempdir().unwrap();
    let name = Kind::Recording.generate();
    fs::copy(&path, copy.path().join(&name)).unwrap();
    assert!(opened(copy.path(), ENV, 7, (1 << 20, 10)).list(Utc::now()).is_empty(), "under another name");
}

#[test]
fn what_was_changed_is_not_read() {
    let dir = tempfile::tempdir().unwrap();
    let own = opened(dir.path(), ENV, 7, (1 << 20, 10));
    let (one, other) = (recording(soon(), 100), recording(soon(), 100));
    own.put(&one).unwrap();
    own.put(&other).unwrap();
    let (path, whole) = (dir.path().join(&one.head.id), fs::read(dir.path().join(&one.head.id)).unwrap());
    let read = || own.read(&one.head.id, Utc::now());
    for at in [whole.len() - 1, whole.len() / 2] {
        let mut changed = whole.clone();
        changed[at] ^= 1;
        fs::write(&path, changed).unwrap();
        assert!(read().is_none(), "a bit at {at}");
    }
    for changed in
        [&whole[..whole.len() - 1], &whole[..3], &[], &[0xff; 40], &fs::read(dir.path().join(&other.head.id)).unwrap()]
    {
        fs::write(&path, changed).unwrap();
        assert!(read().is_none());
    }
    // A file without an end is not read to its end.
    fs::write(&path, [&whole[..], &vec![0; 1 << 20]].concat()).unwrap();
    assert!(read().is_none());
    fs::write(&path, &whole).unwrap();
    assert!(read().is_some());
}

#[test]
fn an_id_is_never_a_path() {
    let dir = tempfile::tempdir().unwrap();
    let own = opened(&dir.path().join("recordings"), ENV, 7, (1 << 20, 10));
    own.put(&recording(soon(), 10)).unwrap();
    fs::write(dir.path().join("good.json"), "planted").unwrap();
    for id in ["../good.json", "/etc/passwd", "", ".", "..", "rec_\0", "good.json", "rec_01ARZ3NDEKTSV4RRFFQ69G5FAV"] {
        assert!(own.read(id, Utc::now()).is_none(), "{id:?}");
    }
}

#[test]
fn what_a_crash_and_what_others_left_is_no_recording() {
    let dir = tempfile::tempdir().unwrap();
    let own = opened(dir.path(), ENV, 7, (1 << 20, 10));
    let made = recording(soon(), 10);
    own.put(&made).unwrap();
    // A power cut in the middle of a write, before and after the name was given.
    let half = fs::read(dir.path().join(&made.head.id)).unwrap();
    let (torn, foreign) = (Kind::Recording.generate(), "notes.txt");
    fs::write(dir.path().join(".req_01ARZ3NDEKTSV4RRFFQ69G5FAV"), &half[..20]).unwrap();
    fs::write(dir.path().join(&torn), &half[..half.len() / 3]).unwrap();
    fs::write(dir.path().join(foreign), "of somebody").unwrap();
    fs::create_dir(dir.path().join(Kind::Recording.generate())).unwrap();
    let again = opened(dir.path(), ENV, 7, (1 << 20, 10));
    assert_eq!(again.list(Utc::now()).len(), 1);
    let left: BTreeSet<String> =
        fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert!(left.contains(foreign) && left.contains(&made.head.id) && !left.contains(&torn), "{left:?}");
    assert!(!left.iter().any(|name| name.starts_with('.')), "{left:?}");
}

#[tokio::test]
async fn recordings_end_and_are_bounded() {
    let dir = tempfile::tempdir().unwrap();
    let own = opened(dir.path(), ENV, 7, (20_000, 3));
    let count = || fs::read_dir(dir.path()).unwrap().count();
    let now = Utc::now();
    let short = recording(now + TimeDelta::seconds(10), 10);
    own.put(&short).unwrap();
    own.put(&recording(now + TimeDelta::hours(1), 10)).unwrap();
    let later = now + TimeDelta::seconds(11);
    assert!(own.list(later).len() == 1 && own.read(&short.head.id, later).is_none(), "before it is removed, too");
    assert_eq!(count(), 2);
    own.sweep(later);
    assert_eq!(count(), 1);
    // As many as there may be, then as much: the oldest goes.
    let mut made = Vec::new();
    for _ in 0..5 {
        let one = recording(soon(), 10);
        own.put(&one).unwrap();
        made.push(one);
        // Ids of one millisecond have no order.
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let ids: Vec<String> = own.list(now).into_iter().map(|listed| listed.head.id).collect();
    assert_eq!(ids, [&made[4], &made[3], &made[2]].map(|one| one.head.id.clone()));
    own.put(&recording(soon(), 15_000)).unwrap();
    assert!(own.list(now).iter().map(|listed| listed.bytes).sum::<u64>() <= 20_000);
    assert!(own.put(&recording(soon(), 30_000)).is_err(), "larger than all may be");
    assert!(own.list(now).iter().any(|listed| listed.bytes > 15_000), "and nothing went for it");
    assert_eq!(count(), own.list(now).len());
}

fn recordings(dir: &Path, key: Option<Arc<SealKey>>) -> Arc<Recordings> {
    let config = RecordingConfig { key, env_bytes_max: 1 << 20, bytes_max: 10_000, keep_max: Duration::from_mins(30) };
    Arc::new(Recordings::new(config, dir.to_owned(), Arc::new(Metrics::new().unwrap())))
}

fn record(sample: u32, failures: u32) -> Arc<Record> {
    let keep = Millis(86_400_000);
    Arc::new(Record { sample: Share(sample), failures: Share(failures), keep, redact: BTreeSet::new() })
}

fn begun(recordings: &Recordings, record: &Arc<Record>, input: &[u8]) -> Option<InProgress> {
    let of = || {
        let text = |text: &str| text.to_owned();
        let invocation = InvocationInfo {
            request_id: text("req_1"),
            logic: text("buy"),
            project: text("shop"),
            env: text("prod"),
            release_id: text("rel_1"),
            trigger: text("request"),
        };
        let caller =
            CallerInfo { kind: text("user"), subject: None, roles: Vec::new(), claims: b"{\"email\": 1}".to_vec() };
        Of { invocation, caller, secrets: Arc::default() }
    };
    recordings.begin(Some(record), "sha256:0", input, of)
}

#[tokio::test]
async fn what_neither_side_asks_for_is_not_recorded() {
    let dir = tempfile::tempdir().unwrap();
    let (on, off) = (recordings(dir.path(), Some(key(7))), recordings(dir.path(), None));
    let all = record(1_000_000, 0);
    assert!(begun(&on, &all, b"{}").is_some());
    assert!(begun(&off, &all, b"{}").is_none(), "the Bridge has no key for it");
    assert!(on.begin(None, "", b"{}", || unreachable!()).is_none(), "the release does not ask for it");
    assert!(begun(&on, &all, &vec![b' '; 10_001]).is_none(), "larger than one may be");
    let some = record(500_000, 0);
    let hit = (0..2_000).filter(|_| begun(&on, &some, b"{}").is_some()).count();
    assert!((700..1_300).contains(&hit), "{hit} of 2000");
    // So many at once, and no more; what was dropped gives its place back.
    let held: Vec<_> = (0..AT_ONCE_MAX + 5).filter_map(|_| begun(&on, &all, b"{}")).collect();
    assert_eq!(held.len(), AT_ONCE_MAX);
    drop(held);
    assert!(begun(&on, &all, b"{}").is_some());
    let counted = String::from_utf8(on.metrics.render().unwrap()).unwrap();
    for line in ["result=\"busy\"} 5", "result=\"large\"} 1"] {
        assert!(counted.contains(&format!("stk_bridge_logic_recordings_total{{{line}")), "{counted}");
    }
}

#[tokio::test]
async fn failures_are_kept_and_what_was_written_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let on = recordings(dir.path(), Some(key(7)));
    let env = EnvName::parse(ENV).unwrap();
    let (stop, stopped) = watch::channel(false);
    let running = tokio::spawn(Arc::clone(&on).run(vec![env.clone()], stopped));
    let failures = record(0, 1_000_000);
    let trap = || Err(CallError::Trap { message: "unreachable".to_owned(), backtrace: Vec::new() });
    begun(&on, &failures, b"{}").unwrap().finish(&Ok(b"1".to_vec()), &Usage::default(), &on.metrics);
    begun(&on, &failures, b"{\"password\":\"hunter2-planted\"}").unwrap().finish(
        &trap(),
        &Usage::default(),
        &on.metrics,
    );
    let large = Ok(vec![b'1'; 20_000]);
    begun(&on, &record(1_000_000, 0), b"{}").unwrap().finish(&large, &Usage::default(), &on.metrics);
    // What waits when the Bridge ends is written all the same.
    stop.send_replace(true);
    running.await.unwrap();
    let found = on.list(&env, None).await;
    assert_eq!(found.len(), 1, "the call that answered is not kept");
    let head = &found[0].head;
    assert_eq!((head.outcome, head.redacted), (Outcome::Trap, 1));
    let keep = DateTime::parse_from_rfc3339(&head.until).unwrap() - DateTime::parse_from_rfc3339(&head.at).unwrap();
    assert_eq!(keep, TimeDelta::minutes(30), "no longer than the Bridge allows");
    assert!(on.list(&env, Some("sell".to_owned())).await.is_empty());
    let read = String::from_utf8(on.read(&env, &head.id).await.unwrap()).unwrap();
    assert!(!read.contains("hunter2") && read.contains("unreachable"), "{read}");
    assert!(on.read(&EnvName::parse("shop/dev").unwrap(), &head.id).await.is_none(), "of another env");
    let counted = String::from_utf8(on.metrics.render().unwrap()).unwrap();
    assert!(counted.contains("result=\"whole\"} 1") && counted.contains("result=\"large\"} 1"), "{counted}");
    // An operator who allows none any more has none any more.
    let off = recordings(dir.path(), None);
    let (_stop, stopped) = watch::channel(true);
    off.run(vec![env], stopped).await;
    assert!(!dir.path().join("envs/shop/prod/recordings").exists());
}

/// An env was taken out of the settings.
#[tokio::test]
async fn recordings_of_envs_that_are_not_served_are_removed() {
    let dir = tempfile::tempdir().unwrap();
    let folder = |env: &str| dir.path().join("envs").join(env).join("recordings");
    for env in [ENV, "shop/old", "gone/prod"] {
        opened(&folder(env), env, 7, (1 << 20, 10)).put(&recording(soon(), 10)).unwrap();
        fs::write(folder(env).with_file_name("good.json"), "{}").unwrap();
    }
    // Whether anything is recorded now or not.
    for key in [Some(key(7)), None] {
        let is_on = key.is_some();
        opened(&folder("shop/old"), "shop/old", 7, (1 << 20, 10)).put(&recording(soon(), 10)).unwrap();
        let (_stop, stopped) = watch::channel(true);
        recordings(dir.path(), key).run(vec![EnvName::parse(ENV).unwrap()], stopped).await;
        assert_eq!(folder(ENV).exists(), is_on);
        for gone in ["shop/old", "gone/prod"] {
            assert!(!folder(gone).exists(), "{gone}");
            assert!(folder(gone).with_file_name("good.json").exists(), "nothing else of {gone} is touched");
        }
    }
}
