//! What a Hub keeps, and for how long: releases, components, silent Bridges. On both stores, without a listener; the time is told.

use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use santokit_core::{
    quantity::Millis,
    release::{Canary, Digest},
};
use santokit_hub::{
    HubConfig, Settings,
    app::{App, projects::At, retention::Removed},
    store::{
        audit::{Caller, Filter, Page, list},
        canaries, commit, moves, pins, releases,
    },
};
use serde_json::{Value as Json, json};
use sqlx::AssertSqlSafe;
use tempfile::TempDir;

use crate::hub_store::Bed;

const TOKEN: &str = "planted-operator-token";
const PROD: At<'_> = At { project: "shop", env: "prod" };
const AT: &str = "2026-01-02T03:04:05.678Z";

/// A Hub of a store; of PostgreSQL there may be several.
async fn hub(bed: &Bed, dir: &TempDir) -> App {
    let mut variables = vec![
        ("STK_HUB_DATA_DIR".to_owned(), dir.path().display().to_string()),
        ("STK_HUB_OPERATOR_TOKEN".to_owned(), TOKEN.to_owned()),
        ("STK_MASTER_KEY".to_owned(), crate::lab::CACHE_KEY.to_owned()),
        ("STK_HUB_BRIDGES_KEPT".to_owned(), "7d".to_owned()),
    ];
    if let Bed::Postgres(database, _) = bed {
        variables.push(("STK_HUB_DATABASE_URL".to_owned(), database.url()));
    }
    let config = HubConfig::load(Settings::default(), variables, None).unwrap();
    assert_eq!((config.releases_kept, config.bridges_kept), (1_000, Duration::from_hours(7 * 24)));
    // Fewer than the setting allows: so many releases take less time.
    let (app, _) = App::open(&HubConfig { releases_kept: 5, ..config }).await.unwrap();
    app
}

fn caller() -> Caller {
    Caller { actor_id: "op".into(), actor_type: "operator", request_id: "req".into(), ip: None }
}

fn component(number: usize) -> (Digest, Bytes) {
    let bytes = Bytes::from(format!("component {number}"));
    (Digest::of(&bytes), bytes)
}

/// With a project of two envs.
async fn shop(bed: &Bed, dir: &TempDir) -> App {
    let app = hub(bed, dir).await;
    let who = app.who(TOKEN).await.unwrap();
    app.create_project(&caller(), &who, "shop", None).await.unwrap();
    for env in ["dev", "prod"] {
        app.create_env(&caller(), "shop", env).await.unwrap();
    }
    app
}

/// A release of a component of its own, as an apply leaves it.
async fn release(app: &App, number: usize) -> String {
    let (digest, bytes) = component(number);
    app.put_blob(&caller(), "shop", &digest, bytes).await.unwrap();
    let row = releases::ReleaseRow {
        id: format!("rel_{number}"),
        project: "shop".into(),
        digest: format!("digest-{number}"),
        manifest: "{}".into(),
        envelope: "{}".into(),
        author: "op".into(),
        created_at: AT.into(),
    };
    let mut db = app.store.write().await.unwrap();
    releases::add(&mut db, &row, [digest.to_string()]).await.unwrap();
    commit(db).await.unwrap();
    row.id
}

async fn point(app: &App, env: &str, release: &str, sequence: i64) {
    let row = releases::PointerRow {
        release: release.into(),
        digest: "d".into(),
        sequence,
        envelope: "{}".into(),
        issued_at: AT.into(),
    };
    let mut db = app.store.write().await.unwrap();
    releases::set_pointer(&mut db, "shop", env, &row).await.unwrap();
    moves::add(&mut db, "shop", env, &row, "apply").await.unwrap();
    commit(db).await.unwrap();
}

/// The numbers of the releases that are there.
async fn there(app: &App) -> Vec<usize> {
    let rows = releases::list(&mut app.store.read().await.unwrap(), "shop", 1_000).await.unwrap();
    let mut numbers: Vec<usize> = rows.iter().map(|(id, ..)| id["rel_".len()..].parse().unwrap()).collect();
    numbers.sort_unstable();
    numbers
}

async fn entries(app: &App, action: &str) -> Vec<Json> {
    let filter = Filter { action: Some(action.to_owned()), ..Filter::default() };
    let rows = list(&mut app.store.read().await.unwrap(), &filter, Page::After(0), 100).await.unwrap();
    rows.iter().map(|row| serde_json::from_str(&row.entry).unwrap()).collect()
}

async fn tend(app: &App, now: DateTime<Utc>) -> (usize, usize, usize) {
    let Removed { releases, components, blobs } = app.tend_releases(now).await.unwrap();
    (releases, components, blobs)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_env_needs_any_more_is_removed_and_nothing_else() {
    for bed in Bed::both().await {
        let dir = tempfile::tempdir().unwrap();
        let app = shop(&bed, &dir).await;
        for number in 1..=30 {
            let id = release(&app, number).await;
            point(&app, "dev", &id, i64::try_from(number).unwrap()).await;
        }
        // Gone back to, and so among the last ones again.
        point(&app, "dev", "rel_12", 31).await;
        for number in 31..=37 {
            release(&app, number).await;
        }
        point(&app, "prod", "rel_1", 1).await;
        point(&app, "prod", "rel_2", 2).await;
        let (mut db, terms) = (
            app.store.write().await.unwrap(),
            Canary {
                release_id: "rel_4".into(),
                digest: Digest::of(b"candidate"),
                percent: 5,
                salt: "salt-of-a-canary".into(),
                gates: Vec::new(),
                min_requests: 1,
                window: Millis(60_000),
            },
        );
        pins::set(&mut db, "rel_3", "shop", "", AT).await.unwrap();
        // The other side of it is what prod pointed to when it began.
        let record = json!({"terms": terms, "baseline": "rel_7", "sequence": 3, "startedAt": AT, "startedBy": "op"});
        canaries::set(&mut db, "shop", "prod", &record.to_string(), None).await.unwrap();
        commit(db).await.unwrap();

        let now = Utc::now();
        assert_eq!(tend(&app, now).await, (22, 0, 0));
        // Of dev its last five, of prod both, the pinned one, both sides of the canary, and the newest five that nobody has run yet.
        let left = [1, 2, 3, 4, 7, 12, 27, 28, 29, 30, 33, 34, 35, 36, 37];
        assert_eq!(there(&app).await, left, "kept");
        assert_eq!(tend(&app, now).await, (0, 0, 0), "it is done");
        let told = entries(&app, "release.remove").await;
        assert_eq!((told.len(), &told[0]["actorType"], &told[0]["project"]), (1, &json!("system"), &json!("shop")));
        assert_eq!((&told[0]["detail"]["count"], &told[0]["detail"]["releases"][0]), (&json!(22), &json!("rel_5")));
        // Nothing leads to what is gone.
        let gone = app.signed_release("shop", "rel_5").await.unwrap_err();
        assert_eq!(gone.code.as_str(), "NOT_FOUND");
        let mut db = app.store.read().await.unwrap();
        assert!(!moves::has_run(&mut db, "shop", "dev", "rel_26").await.unwrap());
        assert_eq!(moves::history(&mut db, "shop", "dev", 100).await.unwrap().len(), 11);
        drop(db);

        // The canary has ended, the pin too.
        let mut db = app.store.write().await.unwrap();
        let ended = json!({"how": "aborted", "at": AT, "by": "op", "fleet": {"bridges": [], "baseline": counts(), "candidate": counts()}});
        let record = json!({"terms": terms, "baseline": "rel_7", "sequence": 3, "startedAt": AT, "startedBy": "op", "ended": ended});
        canaries::set(&mut db, "shop", "prod", &record.to_string(), Some(AT)).await.unwrap();
        pins::remove(&mut db, "rel_3").await.unwrap();
        commit(db).await.unwrap();
        assert_eq!(tend(&app, now).await, (3, 0, 0));
        assert!(app.verify_audit().await.unwrap().verified);
    }
}

fn counts() -> Json {
    json!({"window": {"requests": 0, "errors": 0, "logicFailed": 0, "latencies": []}, "requests": 0, "errors": 0})
}

#[tokio::test(flavor = "multi_thread")]
async fn components_go_after_their_releases_and_never_under_an_upload() {
    for bed in Bed::both().await {
        let (dir, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let app = shop(&bed, &dir).await;
        // Of a file there is one Hub.
        let other = if bed.is_postgres() { Some(hub(&bed, &elsewhere).await) } else { None };
        let other = other.as_ref().unwrap_or(&app);
        for number in 1..=8 {
            let id = release(&app, number).await;
            point(&app, "dev", &id, i64::try_from(number).unwrap()).await;
        }
        // Nobody has made a release of it yet.
        let (waiting, bytes) = component(100);
        app.put_blob(&caller(), "shop", &waiting, bytes.clone()).await.unwrap();
        let (now, hour) = (Utc::now(), TimeDelta::hours(1));
        assert_eq!(tend(&app, now + hour).await, (3, 0, 0));
        assert_eq!(app.blob("shop", &component(1).0).await.unwrap(), component(1).1, "for a day");
        assert_eq!(app.blob("shop", &waiting).await.unwrap(), bytes);
        assert_eq!(tend(&app, now + hour * 23).await, (0, 0, 0));

        let (one, two) = tokio::join!(app.tend_releases(now + hour * 25), other.tend_releases(now + hour * 25));
        let (one, two) = (one.unwrap(), two.unwrap());
        assert_eq!((one.components + two.components, one.blobs + two.blobs), (4, 0));
        let told: i64 =
            entries(&app, "blob.remove").await.iter().map(|entry| entry["detail"]["count"].as_i64().unwrap()).sum();
        assert_eq!(told, 4);
        for digest in [component(1).0, waiting.clone()] {
            assert_eq!(app.blob("shop", &digest).await.unwrap_err().code.as_str(), "NOT_FOUND");
            assert!(app.store.blobs.get(&digest).await.unwrap().is_some(), "a backup may be reading it");
        }
        // It comes back with a release of it.
        release(&app, 2).await;
        assert_eq!(tend(other, now + hour * 48).await, (0, 0, 0));
        assert_eq!(tend(other, now + hour * 50).await, (0, 0, 3));
        assert!(app.store.blobs.get(&component(1).0).await.unwrap().is_none());
        for number in [2, 4, 5, 6, 7, 8] {
            assert_eq!(app.blob("shop", &component(number).0).await.unwrap(), component(number).1);
        }

        // Uploads and removals of one component, all at once and by two Hubs: what a project has is there.
        let (contested, bytes) = component(200);
        for round in 1..=10 {
            let (later, by) = (now + hour * (100 * round), caller());
            let (put, again, ..) = tokio::join!(
                app.put_blob(&by, "shop", &contested, bytes.clone()),
                other.put_blob(&by, "shop", &contested, bytes.clone()),
                app.tend_releases(later),
                other.tend_releases(later + hour * 30),
                app.tend_releases(later + hour * 60),
            );
            put.unwrap();
            again.unwrap();
            match other.blob("shop", &contested).await {
                Ok(found) => assert_eq!(found, bytes),
                Err(problem) => assert_eq!(problem.code.as_str(), "NOT_FOUND", "{problem:?}"),
            }
        }
        app.put_blob(&caller(), "shop", &contested, bytes.clone()).await.unwrap();
        assert_eq!(other.blob("shop", &contested).await.unwrap(), bytes);
    }
}

/// `stk apply` asks whether a component is there, and then uploads none.
#[tokio::test(flavor = "multi_thread")]
async fn who_finds_a_component_finds_it_when_it_is_applied() {
    for bed in Bed::both().await {
        let dir = tempfile::tempdir().unwrap();
        let app = shop(&bed, &dir).await;
        for number in [1, 2] {
            let (digest, bytes) = component(number);
            app.put_blob(&caller(), "shop", &digest, bytes).await.unwrap();
        }
        let mut db = app.store.write().await.unwrap();
        let aged = format!("UPDATE project_blobs SET created_at = '{AT}'");
        sqlx::query(AssertSqlSafe(aged)).execute(&mut *db).await.unwrap();
        commit(db).await.unwrap();
        assert!(app.wants_no_blob("shop", &component(1).0).await.unwrap());
        assert_eq!(tend(&app, Utc::now()).await, (0, 1, 0), "of the two, one is wanted");
        assert!(app.blob("shop", &component(1).0).await.is_ok());
        assert!(!app.wants_no_blob("shop", &component(2).0).await.unwrap());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_bridge_is_shown_for_as_long_as_the_setting_says() {
    for bed in Bed::both().await {
        let dir = tempfile::tempdir().unwrap();
        let app = shop(&bed, &dir).await;
        let report = json!({"project": "shop", "env": "prod", "state": "fresh", "releaseId": null, "sequence": 1,
            "cacheAgeSeconds": 0, "refused": null});
        for (id, days) in [("brg_1", 6), ("brg_2", 8)] {
            let at = (Utc::now() - TimeDelta::days(days)).to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
            let row = (id.to_owned(), "0.1.0".to_owned(), report.to_string(), at);
            let mut db = app.store.write().await.unwrap();
            releases::set_report(&mut db, PROD.project, PROD.env, &row).await.unwrap();
            commit(db).await.unwrap();
        }
        let shown = app.bridges_of("shop").await.unwrap();
        let bridges: Vec<_> = shown.bridges.iter().map(|bridge| (bridge.id.as_str(), bridge.state.as_str())).collect();
        assert_eq!(bridges, [("brg_1", "silent")]);
    }
}
