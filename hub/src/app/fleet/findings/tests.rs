//! Each thing that can be wrong with a Bridge, and the words for it; it asks no store and no clock but its own.

use std::collections::{BTreeMap, BTreeSet};

use chrono::Utc;

use super::*;

const CURRENT: &str = "aaaa";
const OLDER: &str = "bbbb";

fn around() -> Surroundings {
    let since = Utc::now() - TimeDelta::hours(1);
    Surroundings {
        now: Utc::now(),
        project: "shop".to_owned(),
        pointers: BTreeMap::from([("prod".to_owned(), ("rel_new".to_owned(), 7, since))]),
        signing_keys: vec![CURRENT.to_owned(), OLDER.to_owned()],
        kept: TimeDelta::hours(24),
    }
}

/// One with which nothing is wrong.
fn bridge() -> Bridge {
    let env = EnvReport {
        project: "shop".to_owned(),
        env: "prod".to_owned(),
        state: EnvState::Fresh,
        release_id: Some("rel_new".to_owned()),
        sequence: 7,
        cache_age_seconds: 3,
        refused: None,
        keys_used: BTreeMap::new(),
        stopped_jobs: BTreeSet::new(),
        canary: None,
    };
    let trusted_keys = vec![vec![CURRENT.to_owned()]];
    Bridge {
        id: "brg_1".to_owned(),
        version: VERSION.to_owned(),
        seen: Utc::now(),
        standing: Some(Standing { trusted_keys, seals_cache: true, ..Standing::default() }),
        clock_skew_seconds: Some(2),
        service_token: None,
        envs: BTreeMap::from([("prod".to_owned(), env)]),
    }
}

fn found(change: impl FnOnce(&mut Bridge)) -> Vec<Finding> {
    let mut bridge = bridge();
    change(&mut bridge);
    of_bridge(&bridge, &around())
}

fn env(bridge: &mut Bridge) -> &mut EnvReport {
    bridge.envs.get_mut("prod").unwrap()
}

fn refuse(bridge: &mut Bridge, release: &str, code: Code, message: &str) {
    let (release_id, message) = (release.to_owned(), message.to_owned());
    env(bridge).refused = Some(Refused { release_id, sequence: 7, code, message });
}

#[test]
fn nothing_is_said_of_a_bridge_that_is_well() {
    assert_eq!(found(|_| {}), []);
    // One of before tells nothing of itself.
    assert_eq!(found(|bridge| (bridge.standing, bridge.clock_skew_seconds) = (None, None)), []);
    assert_eq!(of_envs(&[bridge()], &around()), []);
}

#[test]
fn each_thing_that_is_wrong_is_told_with_what_to_do() {
    use Severity::{Error, Note, Warning};
    type Change = fn(&mut Bridge);
    let cases: &[(Change, Severity, &str, &str)] = &[
        (|b| b.seen = Utc::now() - TimeDelta::seconds(100), Warning, "not reported for 1m ", "test-hub-connectivity"),
        (|b| env(b).sequence = 9, Error, "restored from an older state", "above 9"),
        (
            |b| refuse(b, "rel_new", Code::IncompatibleBridge, "too old"),
            Error,
            "refuses rel_new (INCOMPATIBLE_BRIDGE): too old",
            "update this Bridge",
        ),
        (|b| refuse(b, "", Code::ReleaseBlocked, "x"), Error, "refuses the Hub's pointer", "trustedKeys"),
        (
            |b| refuse(b, "rel_new", Code::ReleaseBlocked, "secret \"A\""),
            Error,
            "secret \"A\"",
            "stk release rollback --env prod",
        ),
        (
            |b| refuse(b, "rel_new", Code::ServiceUnavailable, "x"),
            Error,
            "SERVICE_UNAVAILABLE",
            "tries again by itself",
        ),
        (
            |b| (env(b).state, env(b).cache_age_seconds) = (EnvState::Expired, 3_700),
            Error,
            "answers 503: the Hub has not confirmed its release for 1h 1m",
            "polls fail",
        ),
        (|b| (env(b).state, env(b).cache_age_seconds) = (EnvState::Stale, 200), Warning, "for 3m 20s", "polls fail"),
        (|b| env(b).sequence = 6, Warning, "has not loaded rel_new since", "log"),
        (
            |b| env(b).stopped_jobs = ["nightly", "tidy"].map(str::to_owned).into(),
            Warning,
            "not run any more: nightly, tidy",
            "stk cron resume nightly --env prod",
        ),
        (|b| b.clock_skew_seconds = Some(-90), Warning, "its clock is 1m 30s behind the Hub's", "NTP"),
        (|b| b.clock_skew_seconds = Some(11), Warning, "11s ahead of", "NTP"),
        (
            |b| b.standing.as_mut().unwrap().trusted_keys = vec![vec![OLDER.to_owned()]],
            Warning,
            "older bbbb only",
            "add key aaaa",
        ),
        (|b| b.standing.as_mut().unwrap().trusted_keys.clear(), Error, "trusts no key of this Hub", "add key aaaa"),
        (
            |b| b.standing.as_mut().unwrap().limits_hit = BTreeMap::from([("poolSize".to_owned(), 4)]),
            Note,
            "poolSize 4 times",
            "limits.md",
        ),
        (|b| b.standing.as_mut().unwrap().events_wait = true, Error, "NATS is away", "STK_BRIDGE_NATS_URL"),
        (|b| b.standing.as_mut().unwrap().seals_cache = false, Note, "answers 503", "STK_BRIDGE_CACHE_KEY"),
        (|b| b.version = "0.0.1".to_owned(), Note, "older than the Hub", "update"),
        (|b| b.version = "nonsense".to_owned(), Note, "older than the Hub", "update"),
    ];
    for (change, severity, what, todo) in cases {
        let found = found(change);
        let [one] = found.as_slice() else { panic!("{what}: {found:?}") };
        assert_eq!(one.severity, *severity, "{one:?}");
        assert!(one.what.contains(what) && one.todo.contains(todo), "{what}: {one:?}");
    }
}

#[test]
fn the_worst_comes_first_and_a_silent_one_says_no_more() {
    let change = |bridge: &mut Bridge| {
        bridge.version = "0.0.1".to_owned();
        bridge.clock_skew_seconds = Some(100);
        refuse(bridge, "rel_new", Code::ReleaseBlocked, "x");
    };
    let severities: Vec<Severity> = found(change).iter().map(|finding| finding.severity).collect();
    assert_eq!(severities, [Severity::Error, Severity::Warning, Severity::Note]);
    let silent = |bridge: &mut Bridge| {
        change(bridge);
        bridge.seen = Utc::now() - TimeDelta::hours(3);
    };
    assert_eq!(found(silent).len(), 1);
}

#[test]
fn an_env_that_no_bridge_serves_is_told() {
    let mut bridge = bridge();
    bridge.seen = Utc::now() - TimeDelta::hours(3);
    for bridges in [vec![], vec![bridge]] {
        let found = of_envs(&bridges, &around());
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].todo.contains("stk bridge serve --envs shop/prod"), "{found:?}");
    }
}
