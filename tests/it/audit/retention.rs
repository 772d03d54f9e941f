//! What is older than it must be kept goes, and a signed checkpoint stands for it.

use std::time::Duration;

use chrono::{TimeDelta, Utc};
use santokit_hub::{
    HubConfig, Settings,
    app::App,
    store::audit::{Caller, Filter, Page},
};
use serde_json::{Value as Json, json};
use sqlx::AssertSqlSafe;
use tempfile::TempDir;

use super::{Bed, audit, caller};

const MASTER_KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

/// A Hub without a listener.
async fn hub(bed: &Bed, dir: &TempDir) -> App {
    hub_with(bed, dir, &[]).await
}

async fn hub_with(bed: &Bed, dir: &TempDir, more: &[(&str, &str)]) -> App {
    let variables = [
        ("STK_HUB_DATA_DIR", dir.path().to_str().unwrap()),
        ("STK_HUB_OPERATOR_TOKEN", "planted-operator-token"),
        ("STK_MASTER_KEY", MASTER_KEY),
        ("STK_HUB_AUDIT_RETENTION", "30d"),
    ];
    let variables = variables.iter().chain(more).map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let mut variables: Vec<(String, String)> = variables.collect();
    if let Bed::Postgres(database, _) = bed {
        variables.push(("STK_HUB_DATABASE_URL".to_owned(), database.url()));
    }
    let config = HubConfig::load(Settings::default(), variables, None).unwrap();
    assert_eq!(config.audit_retention, Duration::from_hours(30 * 24));
    App::open(&config).await.unwrap().0
}

async fn projects(app: &App, by: &Caller, names: &[&str]) {
    let who = app.who("planted-operator-token").await.unwrap();
    for name in names {
        app.create_project(by, &who, name, None).await.unwrap();
    }
}

async fn verdict(app: &App) -> Json {
    serde_json::to_value(app.verify_audit().await.unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_old_is_removed_and_a_checkpoint_stands_for_it() {
    for bed in Bed::both().await {
        let dir = tempfile::tempdir().unwrap();
        let app = hub(&bed, &dir).await;
        projects(&app, &caller("op"), &["one", "two", "three"]).await;
        let before = verdict(&app).await;
        let count = before["entries"].as_i64().unwrap();
        assert_eq!(app.trim_audit(Utc::now() + TimeDelta::days(29)).await.unwrap(), 0, "nothing is old enough");
        // The last entry stays: the log has an end.
        let removed = app.trim_audit(Utc::now() + TimeDelta::days(31)).await.unwrap();
        assert_eq!(i64::try_from(removed).unwrap(), count - 1);
        let after = verdict(&app).await;
        assert_eq!((&after["verified"], &after["entries"]), (&json!(true), &json!(2)), "{after}");
        assert_eq!(after["checkpoint"]["seq"], json!(count - 1));
        let rows =
            audit::list(&mut app.store.read().await.unwrap(), &Filter::default(), Page::After(0), 10).await.unwrap();
        let entry: Json = serde_json::from_str(&rows[1].entry).unwrap();
        assert_eq!((&entry["action"], &entry["actorId"]), (&json!("audit.truncate"), &json!("hub")));
        assert_eq!(entry["detail"]["removed"], json!(count - 1));
        // A head from before the removal, of an entry that is gone or that is there still.
        let head = app.audit_head().await.unwrap();
        assert_eq!(head.checkpoint.unwrap().seq, count - 1);

        // Two Hubs that do so at once remove what there is once.
        projects(&app, &caller("op"), &["four", "five"]).await;
        let later = Utc::now() + TimeDelta::days(62);
        let other = hub(&bed, &tempfile::tempdir().unwrap()).await;
        let (one, two) = tokio::join!(app.trim_audit(later), other.trim_audit(later));
        // The second one finds the entry of the first, which is old too on a day in two months.
        assert_eq!(one.unwrap() + two.unwrap(), 3 + 1);
        assert_eq!(verdict(&app).await["verified"], true);

        // What is removed without a checkpoint is missed.
        let mut db = app.store.read().await.unwrap();
        sqlx::query("DELETE FROM audit_checkpoint").execute(&mut *db).await.unwrap();
        drop(db);
        let found = verdict(&app).await;
        assert_eq!((&found["verified"], &found["brokenAt"]), (&json!(false), &json!(1)), "{found}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_of_somebody_else_is_not_believed() {
    for bed in Bed::both().await {
        let dir = tempfile::tempdir().unwrap();
        let app = hub(&bed, &dir).await;
        projects(&app, &caller("op"), &["one", "two"]).await;
        let checkpoint = santokit_core::audit::Checkpoint {
            seq: 2,
            hash: santokit_core::release::Digest::of(b"x"),
            until: "2030".into(),
            ts: "2030".into(),
        };
        let forged = checkpoint.sign(&santokit_core::release::SigningKey::generate().unwrap()).unwrap();
        let sql = format!(
            "INSERT INTO audit_checkpoint (one, seq, envelope) VALUES (1, 2, '{}')",
            serde_json::to_string(&forged).unwrap()
        );
        let mut db = app.store.read().await.unwrap();
        for sql in [sql.as_str(), "DELETE FROM audit WHERE seq <= 2"] {
            sqlx::query(AssertSqlSafe(sql)).execute(&mut *db).await.unwrap();
        }
        drop(db);
        assert_eq!(verdict(&app).await["brokenAt"], 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_tampered_with_is_evidence_and_stays() {
    for bed in Bed::both().await {
        let dir = tempfile::tempdir().unwrap();
        let app = hub(&bed, &dir).await;
        projects(&app, &caller("op"), &["one", "two"]).await;
        let drop_trigger = if bed.is_postgres() {
            "DROP TRIGGER audit_is_not_changed ON audit"
        } else {
            "DROP TRIGGER audit_is_not_changed"
        };
        let mut db = app.store.read().await.unwrap();
        for sql in [drop_trigger, "UPDATE audit SET entry = replace(entry, 'one', 'two') WHERE seq = 3"] {
            sqlx::query(AssertSqlSafe(sql)).execute(&mut *db).await.unwrap();
        }
        drop(db);
        assert_eq!(app.trim_audit(Utc::now() + TimeDelta::days(31)).await.unwrap(), 0);
        let found = verdict(&app).await;
        assert_eq!((&found["brokenAt"], &found["checkpoint"]), (&json!(3), &Json::Null));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_say_how_the_log_fares() {
    for bed in Bed::both().await {
        let dir = tempfile::tempdir().unwrap();
        let app = hub(&bed, &dir).await;
        projects(&app, &caller("op"), &["one"]).await;
        let growth = app.tend_audit(Utc::now()).await.unwrap();
        assert_eq!((growth.entries, growth.is_fast), (3, false));
        let text = String::from_utf8(app.metrics.scrape().unwrap()).unwrap();
        for line in
            ["stk_hub_audit_write_lag_seconds_count 2", "stk_hub_audit_entries_last_day 3", "stk_hub_audit_intact 1"]
        {
            assert!(text.lines().any(|other| other == line), "{line} is not in {text}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_grows_fast_is_warned_about() {
    for bed in Bed::both().await {
        let dir = tempfile::tempdir().unwrap();
        let app = hub_with(&bed, &dir, &[("STK_HUB_AUDIT_ENTRIES_A_DAY", "3")]).await;
        let gauge = |app: &App| {
            let text = String::from_utf8(app.metrics.scrape().unwrap()).unwrap();
            text.lines().find_map(|line| line.strip_prefix("stk_hub_audit_grows_fast ").map(str::to_owned)).unwrap()
        };
        // With the key and the token that it was made with.
        projects(&app, &caller("op"), &["one"]).await;
        assert!(!app.tend_audit(Utc::now()).await.unwrap().is_fast, "as many as may be");
        assert_eq!(gauge(&app), "0");
        projects(&app, &caller("op"), &["two"]).await;
        let growth = app.tend_audit(Utc::now()).await.unwrap();
        assert_eq!((growth.entries, growth.is_fast, gauge(&app).as_str()), (4, true, "1"));
        // The day passes.
        assert!(!app.tend_audit(Utc::now() + TimeDelta::hours(25)).await.unwrap().is_fast);
        assert_eq!(gauge(&app), "0");
    }
}
