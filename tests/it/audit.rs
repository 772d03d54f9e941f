//! The audit log: whoever changes it, cuts it or replaces its end is found out, at the entry; on SQLite and on PostgreSQL.

use std::{path::Path, sync::Arc};

use santokit_core::{
    audit::{Head, Row, Verdict},
    release::{Envelope, SigningKey, canonical_json},
    seal::SealKey,
};
use santokit_hub::store::{
    Store, StoreError,
    audit::{self, Caller, Deed, Detail, FILE, Filter, Page, Signer, line, name},
    commit, credentials, envs, orgs,
};
use serde_json::{Value as Json, json};
use sqlx::AssertSqlSafe;

use crate::hub_store::Bed;

mod command;
mod retention;

/// Tables, and what a Hub signs with.
struct Ledger {
    bed: Bed,
    key: Arc<SigningKey>,
    master_key: Arc<SealKey>,
}

impl Ledger {
    async fn both() -> [Self; 2] {
        Bed::both().await.map(|bed| Self {
            bed,
            key: Arc::new(SigningKey::generate().unwrap()),
            master_key: Arc::new(SealKey::parse(&SealKey::generate_text().unwrap()).unwrap()),
        })
    }

    /// As a Hub that starts, without a file to remember in.
    async fn open(&self) -> Store {
        let store = Store::open(self.bed.place()).await.unwrap();
        store.log.sign_with(Signer { key: Arc::clone(&self.key), master_key: Arc::clone(&self.master_key) });
        store
    }

    /// As a Hub that starts, with one.
    async fn open_with(&self, dir: &Path) -> Store {
        let store = self.open().await;
        store.log.remember_in(&mut store.read().await.unwrap(), dir.join(FILE)).await.unwrap();
        store
    }

    /// With so many entries.
    async fn with(&self, count: usize) -> Store {
        let store = self.open().await;
        add(&store, count).await;
        store
    }

    /// As somebody who owns the tables, but not the Hub.
    async fn tamper(&self, store: &Store, statements: &[&str]) {
        let mut db = store.read().await.unwrap();
        let triggers = if self.bed.is_postgres() {
            ["ALTER TABLE audit DISABLE TRIGGER USER", "SELECT 1"]
        } else {
            ["DROP TRIGGER IF EXISTS audit_is_not_changed", "DROP TRIGGER IF EXISTS audit_is_not_deleted"]
        };
        for sql in triggers.iter().chain(statements) {
            sqlx::query(AssertSqlSafe(*sql)).execute(&mut *db).await.unwrap();
        }
    }
}

fn caller(actor: &str) -> Caller {
    Caller { actor_id: actor.into(), actor_type: "operator", request_id: format!("req-{actor}"), ip: None }
}

async fn add(store: &Store, count: usize) {
    for _ in 0..count {
        let mut db = store.write().await.unwrap();
        let deed =
            Deed { action: "a.b", project: None, env: None, detail: Detail::of("z", 1_i64).with("a", line("ü")) };
        audit::append(&mut db, &caller("op"), &deed).await.unwrap();
        commit(db).await.unwrap();
    }
}

async fn verdict(store: &Store) -> Verdict {
    audit::verify(store, Vec::new()).await.unwrap()
}

/// Where it does not hold; 0 is nowhere.
async fn broken_at(store: &Store) -> i64 {
    verdict(store).await.broken.map_or(0, |broken| broken.at)
}

async fn head_text(store: &Store) -> String {
    serde_json::to_string(&audit::head(&mut store.read().await.unwrap()).await.unwrap().unwrap()).unwrap()
}

fn set_head(envelope: &str) -> String {
    format!("UPDATE audit_head SET envelope = '{envelope}'")
}

#[tokio::test(flavor = "multi_thread")]
async fn writers_take_turns() {
    for ledger in Ledger::both().await {
        let (one, other) = (ledger.open().await, ledger.open().await);
        let mut writing = tokio::task::JoinSet::new();
        for store in [&one, &other, &one, &other] {
            let store = store.clone();
            writing.spawn(async move { add(&store, 25).await });
        }
        writing.join_all().await;
        for store in [&one, &other] {
            let found = verdict(store).await;
            assert_eq!((found.entries, found.unsigned, found.broken), (100, 0, None));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tables_do_not_let_entries_be_changed_or_removed() {
    for ledger in Ledger::both().await {
        let store = ledger.with(3).await;
        let mut db = store.read().await.unwrap();
        let mut wanted =
            vec!["UPDATE audit SET entry = '{}' WHERE seq = 2", "DELETE FROM audit WHERE seq = 1", "DELETE FROM audit"];
        wanted.extend(ledger.bed.is_postgres().then_some("TRUNCATE audit"));
        for sql in wanted {
            sqlx::query(AssertSqlSafe(sql)).execute(&mut *db).await.unwrap_err();
        }
        drop(db);
        assert_eq!(broken_at(&store).await, 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_does_to_the_rows_is_found_at_its_entry() {
    let swap = "UPDATE audit SET seq = CASE seq WHEN 102 THEN 3 ELSE 2 END WHERE seq IN (102, 103)";
    let cases: &[(&str, &[&str], i64)] = &[
        ("a changed row", &["UPDATE audit SET entry = replace(entry, 'ü', 'u') WHERE seq = 3"], 3),
        ("a changed hash", &["UPDATE audit SET hash = 'sha256:0' WHERE seq = 3"], 3),
        ("a row deleted in the middle", &["DELETE FROM audit WHERE seq = 3"], 3),
        ("the first row deleted", &["DELETE FROM audit WHERE seq = 1"], 1),
        ("a cut tail", &["DELETE FROM audit WHERE seq > 4"], 5),
        ("all gone but the head", &["DELETE FROM audit"], 1),
        ("swapped rows", &["UPDATE audit SET seq = seq + 100 WHERE seq IN (2, 3)", swap], 2),
        ("a row without its signature", &["UPDATE audit SET signature = NULL WHERE seq = 3"], 3),
        (
            "another row's signature",
            &["UPDATE audit SET signature = (SELECT signature FROM audit WHERE seq = 2) WHERE seq = 3"],
            3,
        ),
        ("a head that is none", &["UPDATE audit_head SET envelope = '{}'"], 6),
        ("no head", &["DELETE FROM audit_head"], 6),
        ("a row that is filed wrongly", &["UPDATE audit SET actor = 'somebody' WHERE seq = 2"], 2),
    ];
    for (what, statements, at) in cases {
        for ledger in Ledger::both().await {
            let store = ledger.with(6).await;
            store.close().await;
            // A Hub that remembers nothing, so that the tables speak for themselves.
            let store = ledger.open().await;
            assert_eq!(broken_at(&store).await, 0);
            ledger.tamper(&store, statements).await;
            let found = verdict(&store).await;
            assert_eq!(found.broken.as_ref().map(|broken| broken.at), Some(*at), "{what}: {found:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_can_compute_hashes_but_has_not_the_key_cannot_rewrite_the_log() {
    for ledger in Ledger::both().await {
        let store = ledger.with(6).await;
        store.close().await;
        let store = ledger.open().await;
        let stranger = SigningKey::generate().unwrap();
        // Their own key is put beside the Hub's; it is not sealed by the master key.
        let mut db = store.write().await.unwrap();
        let public = stranger.verifying_key();
        let row = credentials::SigningKeyRow {
            id: public.id(),
            public: public.to_string(),
            private: vec![1; 80],
            created_at: "2030".to_owned(),
            replaced_at: Some("2031".to_owned()),
            retired_at: None,
        };
        credentials::add_signing_key(&mut db, &row).await.unwrap();
        commit(db).await.unwrap();
        let rows = audit::list(&mut store.read().await.unwrap(), &Filter::default(), Page::After(0), 10).await.unwrap();
        let mut prev = rows[1].hash.clone();
        let mut statements = Vec::new();
        let mut last = None;
        for row in &rows[2..] {
            let mut entry: Json = serde_json::from_str(&row.entry).unwrap();
            (entry["detail"], entry["prevHash"]) = (json!({}), json!(prev));
            let text = String::from_utf8(canonical_json(&entry).unwrap()).unwrap();
            let forged = Row::sign(row.seq, text, &stranger).unwrap();
            let (hash, signature) = (&forged.hash, forged.signature.as_ref().unwrap());
            statements.push(format!(
                "UPDATE audit SET entry = '{}', hash = '{hash}', signature = '{signature}' WHERE seq = {}",
                forged.entry, forged.seq
            ));
            (prev, last) = (hash.clone(), Some(forged));
        }
        let last = last.unwrap();
        let head = Head { epoch: 9, seq: last.seq, hash: last.hash.parse().unwrap(), ts: "2030".into() };
        statements.push(set_head(&serde_json::to_string(&head.sign(&stranger).unwrap()).unwrap()));
        let statements: Vec<&str> = statements.iter().map(String::as_str).collect();
        ledger.tamper(&store, &statements).await;
        assert_eq!(broken_at(&store).await, 3);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_was_put_back_is_found_by_what_the_hub_remembers() {
    for ledger in Ledger::both().await {
        let dir = tempfile::tempdir().unwrap();
        let store = ledger.open_with(dir.path()).await;
        add(&store, 3).await;
        let older = head_text(&store).await;
        add(&store, 3).await;
        // All rows are there, and the head is a real one, but older.
        let newest = head_text(&store).await;
        ledger.tamper(&store, &[&set_head(&older)]).await;
        assert_eq!(broken_at(&store).await, 4);
        // The tail is cut, and the head fits what is left: the tables alone are whole.
        ledger.tamper(&store, &["DELETE FROM audit WHERE seq > 3"]).await;
        assert_eq!(broken_at(&ledger.open().await).await, 0, "nobody remembers");
        assert_eq!(broken_at(&store).await, 4, "the running Hub does");
        store.close().await;
        let store = ledger.open_with(dir.path()).await;
        assert_eq!(broken_at(&store).await, 4, "its file does");
        // Whoever kept the head elsewhere does too.
        let kept: Envelope = serde_json::from_str(&newest).unwrap();
        let kept = Head::open(&kept, &[ledger.key.verifying_key()]).unwrap();
        let forgetful = ledger.open().await;
        let found = audit::verify(&forgetful, vec![(kept, "what was kept".into())]).await.unwrap();
        assert_eq!(found.broken.unwrap().at, 4);
        // What comes after does not cover it up.
        add(&store, 2).await;
        assert_eq!(broken_at(&store).await, 4);
        store.close().await;
        assert_eq!(broken_at(&ledger.open().await).await, 4, "the gap stays, for everybody");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_rolled_back_is_not_remembered() {
    for ledger in Ledger::both().await {
        let store = ledger.with(2).await;
        for _ in 0..2 {
            let mut db = store.write().await.unwrap();
            let deed = Deed { action: "a.b", project: None, env: None, detail: Detail::none() };
            for _ in 0..3 {
                audit::append(&mut db, &caller("op"), &deed).await.unwrap();
            }
            drop(db);
        }
        assert_eq!(store.log.anchor().unwrap().seq, 2);
        add(&store, 1).await;
        let found = verdict(&store).await;
        assert_eq!((found.entries, found.broken), (3, None));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hub_that_has_lost_the_end_of_its_log_says_so_for_ever() {
    for ledger in Ledger::both().await {
        let store = ledger.with(3).await;
        ledger.tamper(&store, &["DELETE FROM audit_head"]).await;
        store.close().await;
        let store = ledger.open().await;
        add(&store, 1).await;
        assert_eq!(broken_at(&store).await, 4, "it begins a second time");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn entries_are_found_by_what_they_say() {
    for ledger in Ledger::both().await {
        let store = ledger.open().await;
        let mut db = store.write().await.unwrap();
        for (actor, action, project, env) in [
            ("ann", "release.promote", Some("shop"), Some("prod")),
            ("ben", "release.rollback", Some("shop"), Some("dev")),
            ("ann", "releases.other", Some("other"), None),
            ("ben", "secret.set", None, None),
        ] {
            let deed = Deed { action, project, env, detail: Detail::of("name", name("n")) };
            audit::append(&mut db, &caller(actor), &deed).await.unwrap();
        }
        commit(db).await.unwrap();
        let text = |value: &str| Some(value.to_owned());
        let found = async |filter: Filter, page: Page| -> Vec<i64> {
            let rows = audit::list(&mut store.read().await.unwrap(), &filter, page, 3).await.unwrap();
            rows.iter().map(|row| row.seq).collect()
        };
        let all = Page::After(0);
        assert_eq!(found(Filter::default(), all).await, [1, 2, 3]);
        assert_eq!(found(Filter::default(), Page::After(3)).await, [4]);
        assert_eq!(found(Filter::default(), Page::Before(i64::MAX)).await, [4, 3, 2]);
        assert_eq!(found(Filter { actor: text("ann"), ..Filter::default() }, all).await, [1, 3]);
        assert_eq!(found(Filter { action: text("release."), ..Filter::default() }, all).await, [1, 2]);
        assert_eq!(found(Filter { action: text("release.promote"), ..Filter::default() }, all).await, [1]);
        assert_eq!(found(Filter { project: text("shop"), env: text("dev"), ..Filter::default() }, all).await, [2]);
        assert_eq!(found(Filter { request_id: text("req-ben"), ..Filter::default() }, Page::Before(3)).await, [2]);
        assert_eq!(found(Filter { since: text("2999"), ..Filter::default() }, all).await, [] as [i64; 0]);
        assert_eq!(
            found(Filter { until: text("2999"), since: text("2000"), ..Filter::default() }, Page::After(2)).await,
            [3, 4]
        );
        assert_eq!(found(Filter { actor: text("' OR 1=1 --"), ..Filter::default() }, all).await, [] as [i64; 0]);
        for (orgs, wanted) in [(vec![], vec![]), (vec!["default"], vec![]), (vec!["' OR 1=1 --"], vec![])] {
            let orgs = Some(orgs.into_iter().map(str::to_owned).collect());
            assert_eq!(
                found(Filter { orgs, ..Filter::default() }, all).await,
                wanted as Vec<i64>,
                "of no project there is"
            );
        }
    }
}

/// Entries from before they named an org are of the org of their project, from when there was this project.
#[tokio::test(flavor = "multi_thread")]
async fn older_entries_are_of_the_org_that_their_project_is_in() {
    for ledger in Ledger::both().await {
        let store = ledger.open().await;
        let mut db = store.write().await.unwrap();
        // Of a project that was another org's, and is gone.
        let deed = Deed { action: "a.b", project: Some("shop"), env: None, detail: Detail::none() };
        audit::append(&mut db, &caller("before"), &deed).await.unwrap();
        commit(db).await.unwrap();
        tokio::time::sleep(std::time::Duration::from_millis(3)).await;
        let mut db = store.write().await.unwrap();
        orgs::add(&mut db, "acme", "2026").await.unwrap();
        envs::add_project(&mut db, "acme", "shop", &envs::now()).await.unwrap();
        audit::append(&mut db, &caller("op"), &deed).await.unwrap();
        let told = Deed { project: None, detail: Detail::of("org", name("acme")), ..deed.clone() };
        audit::append(&mut db, &caller("op"), &told).await.unwrap();
        commit(db).await.unwrap();
        let of = async |org: &str| -> Vec<i64> {
            let filter = Filter { orgs: Some(vec![org.to_owned()]), ..Filter::default() };
            let rows = audit::list(&mut store.read().await.unwrap(), &filter, Page::After(0), 10).await.unwrap();
            rows.iter().map(|row| row.seq).collect()
        };
        assert_eq!((of("acme").await, of("default").await), (vec![2, 3], vec![]));
        assert_eq!(broken_at(&store).await, 0);
        // As the migration leaves the second one, but for what it says itself.
        ledger.tamper(&store, &["UPDATE audit SET org = NULL WHERE seq = 2"]).await;
        assert_eq!(of("acme").await, [2, 3]);
        assert_eq!(broken_at(&store).await, 2, "it is filed under what it does not say");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_of_before_signatures_is_taken_over() {
    for ledger in Ledger::both().await {
        let store = ledger.with(3).await;
        // As the migration leaves it.
        ledger.tamper(&store, &["UPDATE audit SET signature = NULL", "DELETE FROM audit_head"]).await;
        store.close().await;
        let store = ledger.open().await;
        let found = verdict(&store).await;
        assert_eq!((found.entries, found.unsigned, found.broken), (3, 3, None));
        add(&store, 1).await;
        let found = verdict(&store).await;
        assert_eq!((found.entries, found.unsigned, found.broken), (5, 3, None));
        ledger.tamper(&store, &["UPDATE audit SET entry = replace(entry, 'ü', 'u') WHERE seq = 2"]).await;
        assert_eq!(broken_at(&store).await, 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_written_without_a_signature() {
    for ledger in Ledger::both().await {
        let store = Store::open(ledger.bed.place()).await.unwrap();
        let mut db = store.write().await.unwrap();
        let deed = Deed { action: "a.b", project: None, env: None, detail: Detail::none() };
        let refused = audit::append(&mut db, &caller("op"), &deed).await;
        assert!(matches!(refused, Err(StoreError::Damaged(_))), "{refused:?}");
    }
}
