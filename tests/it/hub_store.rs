//! The Hub's store: every test runs on SQLite and on PostgreSQL, on tables of its own.

use std::collections::BTreeSet;

use bytes::Bytes;
use santokit_core::release::Digest;
use santokit_hub::store::{
    Db, Failure, Place, Store, StoreError, apply_locks, canaries,
    ceilings::{self, Holder},
    commit, credentials, envs, moves, orgs, pins, releases, removal,
};
use santokit_tests::{Engine, TestDatabase};
use secrecy::SecretString;
use tempfile::TempDir;

const AT: &str = "2026-01-02T03:04:05.678Z";

/// Tables on one of the engines.
pub(crate) enum Bed {
    Sqlite(TempDir),
    Postgres(TestDatabase, SecretString),
}

impl Bed {
    /// One of each, with nothing in it.
    pub(crate) async fn both() -> [Self; 2] {
        let database = TestDatabase::create(Engine::Postgres).await.unwrap();
        let url = SecretString::from(database.url());
        [Self::Sqlite(tempfile::tempdir().unwrap()), Self::Postgres(database, url)]
    }

    async fn open(&self) -> Result<Store, StoreError> {
        Store::open(self.place()).await
    }

    pub(crate) fn place(&self) -> Place<'_> {
        match self {
            Self::Sqlite(dir) => Place::Directory(dir.path()),
            Self::Postgres(_, url) => Place::Postgres(url),
        }
    }

    pub(crate) fn is_postgres(&self) -> bool {
        matches!(self, Self::Postgres(..))
    }
}

async fn add_env(db: &mut Db) {
    assert!(envs::add_project(db, orgs::FIRST, "shop", AT).await.unwrap());
    assert!(envs::add_env(db, "shop", "dev", AT).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_belongs_to_an_env_is_found_as_it_was_kept() {
    for bed in Bed::both().await {
        let store = bed.open().await.unwrap();
        let mut db = store.write().await.unwrap();
        add_env(&mut db).await;
        assert!(!envs::add_project(&mut db, orgs::FIRST, "shop", AT).await.unwrap());
        assert!(!envs::add_env(&mut db, "shop", "dev", AT).await.unwrap());
        for (name, admin_url) in [("main", None), ("other", Some(vec![0, 255]))] {
            let row = envs::ConnectionRow {
                name: name.into(),
                engine: "sqlite".into(),
                url: vec![0, 1, 254],
                admin_url,
                masked: "…'\"\\".into(),
                updated_at: AT.into(),
            };
            envs::set_connection(&mut db, "shop", "dev", &row).await.unwrap();
            envs::set_connection(&mut db, "shop", "dev", &row).await.unwrap();
        }
        for value in [b"first".as_slice(), b""] {
            envs::set_secret(&mut db, ("shop", "dev", "TOKEN"), value, AT).await.unwrap();
        }
        commit(db).await.unwrap();
        store.close().await;

        let store = bed.open().await.unwrap();
        let mut db = store.read().await.unwrap();
        assert_eq!(envs::org_of(&mut db, "shop").await.unwrap().as_deref(), Some(orgs::FIRST));
        assert_eq!(envs::org_of(&mut db, "Shop").await.unwrap(), None);
        assert_eq!(envs::count_projects(&mut db, orgs::FIRST).await.unwrap(), 1);
        assert_eq!(envs::count_projects(&mut db, "other").await.unwrap(), 0);
        assert!(envs::has_env(&mut db, "shop", "dev").await.unwrap());
        assert!(!envs::has_env(&mut db, "shop", "DEV").await.unwrap());
        let rows = envs::connections(&mut db, "shop", "dev").await.unwrap();
        let [main, other] = rows.as_slice() else { panic!("{rows:?}") };
        assert_eq!(
            (main.url.as_slice(), &main.admin_url, main.masked.as_str()),
            ([0, 1, 254].as_slice(), &None, "…'\"\\")
        );
        assert_eq!(other.admin_url, Some(vec![0, 255]));
        assert_eq!(envs::count_other_connections(&mut db, "shop", "main").await.unwrap(), 1);
        let secrets = envs::secrets(&mut db, "shop", "dev").await.unwrap();
        assert_eq!(secrets, [("TOKEN".to_owned(), Vec::new(), AT.to_owned())]);
        drop(db);
        let mut db = store.write().await.unwrap();
        assert!(envs::delete_connection(&mut db, "shop", "dev", "main").await.unwrap());
        assert!(!envs::delete_connection(&mut db, "shop", "dev", "main").await.unwrap());
        assert!(envs::delete_secret(&mut db, "shop", "dev", "TOKEN").await.unwrap());
        // Rolled back: nothing of it stays.
        drop(db);
        let mut db = store.read().await.unwrap();
        assert_eq!(envs::connections(&mut db, "shop", "dev").await.unwrap().len(), 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_and_tokens_are_found_as_they_were_kept() {
    for bed in Bed::both().await {
        let store = bed.open().await.unwrap();
        let mut db = store.write().await.unwrap();
        add_env(&mut db).await;
        let mut row = credentials::ApiKeyRow {
            id: "key".into(),
            name: "app".into(),
            hash: "h".into(),
            roles: "[]".into(),
            created_at: AT.into(),
            expires_at: None,
            revoked_at: None,
            last_used_at: None,
        };
        assert!(credentials::add_api_key(&mut db, "shop", "dev", &row).await.unwrap());
        assert!(!credentials::add_api_key(&mut db, "shop", "dev", &row).await.unwrap());
        assert_eq!(credentials::count_api_keys(&mut db, "shop").await.unwrap(), 1);
        assert!(credentials::revoke_api_key(&mut db, "shop", "dev", "key", AT).await.unwrap());
        assert!(!credentials::revoke_api_key(&mut db, "shop", "dev", "key", AT).await.unwrap());
        assert_eq!(credentials::count_api_keys(&mut db, "shop").await.unwrap(), 0);
        // In the place of the revoked one.
        row.expires_at = Some(AT.into());
        assert!(credentials::add_api_key(&mut db, "shop", "dev", &row).await.unwrap());
        let keys = credentials::api_keys(&mut db, "shop", "dev").await.unwrap();
        assert_eq!((keys.len(), keys[0].expires_at.as_deref(), &keys[0].revoked_at), (1, Some(AT), &None));

        // What was known before stays known; only what is later counts.
        for (at, known) in [("2026-02", "2026-02"), ("2026-01", "2026-02"), ("2026-03", "2026-03")] {
            credentials::note_use(&mut db, "shop", "dev", "key", at).await.unwrap();
            credentials::note_use(&mut db, "shop", "other", "key", "2027").await.unwrap();
            let keys = credentials::api_keys(&mut db, "shop", "dev").await.unwrap();
            assert_eq!(keys[0].last_used_at.as_deref(), Some(known));
        }

        let token = ("tok".to_owned(), "fleet".to_owned(), AT.to_owned());
        let served = [("shop".to_owned(), "dev".to_owned())];
        credentials::add_service_token(&mut db, &token, "hash", &served).await.unwrap();
        assert_eq!(credentials::service_tokens(&mut db).await.unwrap(), [token]);
        assert_eq!(credentials::service_token_by_hash(&mut db, "hash").await.unwrap().as_deref(), Some("tok"));
        assert_eq!(credentials::service_token_envs(&mut db, "tok").await.unwrap(), served);
        assert!(credentials::delete_service_token(&mut db, "tok").await.unwrap());
        assert!(credentials::service_token_envs(&mut db, "tok").await.unwrap().is_empty());

        assert!(credentials::set_operator(&mut db, "op_1", "one", AT).await.unwrap());
        assert!(!credentials::set_operator(&mut db, "op_2", "one", AT).await.unwrap());
        assert!(credentials::set_operator(&mut db, "op_3", "two", AT).await.unwrap());
        assert_eq!(credentials::operator_by_hash(&mut db, "one").await.unwrap(), None);
        for (id, at) in [("old", "2025"), ("new", "2026")] {
            credentials::replace_signing_keys(&mut db, at).await.unwrap();
            let (id, public, created_at) = (id.to_owned(), "public".to_owned(), at.to_owned());
            let row = credentials::SigningKeyRow {
                id,
                public,
                private: vec![0, 9],
                created_at,
                replaced_at: None,
                retired_at: None,
            };
            credentials::add_signing_key(&mut db, &row).await.unwrap();
        }
        let keys = credentials::signing_keys(&mut db).await.unwrap();
        assert_eq!((keys[0].id.as_str(), keys[0].private.as_slice(), keys.len()), ("new", [0, 9].as_slice(), 2));
        assert_eq!((&keys[0].replaced_at, keys[1].replaced_at.as_deref()), (&None, Some("2026")));
        credentials::retire_signing_key(&mut db, "old", AT, &[7]).await.unwrap();
        let keys = credentials::signing_keys(&mut db).await.unwrap();
        assert_eq!(
            (keys[1].private.as_slice(), keys[1].retired_at.as_deref(), &keys[0].retired_at),
            ([7].as_slice(), Some(AT), &None)
        );
        commit(db).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn releases_pointers_and_reports_are_found_as_they_were_kept() {
    for bed in Bed::both().await {
        let store = bed.open().await.unwrap();
        let mut db = store.write().await.unwrap();
        add_env(&mut db).await;
        releases::add_blob(&mut db, "shop", "sha256:1", 1 << 40, AT).await.unwrap();
        releases::add_blob(&mut db, "shop", "sha256:1", 1 << 40, AT).await.unwrap();
        assert!(releases::has_blob(&mut db, "shop", "sha256:1").await.unwrap());
        // Ids fall while time rises: the order is that of making.
        for (id, digest) in [("rel_2", "d2"), ("rel_1", "d1")] {
            let row = releases::ReleaseRow {
                id: id.into(),
                project: "shop".into(),
                digest: digest.into(),
                manifest: "{}".into(),
                envelope: "{}".into(),
                author: "op".into(),
                created_at: AT.into(),
            };
            releases::add(&mut db, &row, ["sha256:1".to_owned()]).await.unwrap();
        }
        let ids: Vec<String> =
            releases::list(&mut db, "shop", 10).await.unwrap().into_iter().map(|(id, ..)| id).collect();
        assert_eq!(ids, ["rel_1", "rel_2"]);
        assert_eq!(releases::by_digest(&mut db, "shop", "d2").await.unwrap().unwrap().id, "rel_2");
        assert_eq!(releases::by_id(&mut db, "rel_1").await.unwrap().unwrap().digest, "d1");
        assert_eq!(releases::projects_of_blob(&mut db, "sha256:1").await.unwrap(), ["shop"]);
        let mut moves = vec![releases::moves(&mut db).await.unwrap()];
        for (release, sequence) in [("rel_1", 1), ("rel_2", 2)] {
            let row = releases::PointerRow {
                release: release.into(),
                digest: "d".into(),
                sequence,
                envelope: "{}".into(),
                issued_at: AT.into(),
            };
            releases::set_pointer(&mut db, "shop", "dev", &row).await.unwrap();
            moves.push(releases::moves(&mut db).await.unwrap());
        }
        let pointer = releases::pointer(&mut db, "shop", "dev").await.unwrap().unwrap();
        assert_eq!((pointer.release.as_str(), pointer.sequence), ("rel_2", 2));
        assert_eq!(moves.iter().collect::<BTreeSet<_>>().len(), 3, "every move is seen: {moves:?}");
        // By their bytes on every engine, whatever a server's language is.
        for bridge in ["a", "B", "_", "ä"] {
            let row = (bridge.to_owned(), "1".to_owned(), "{}".to_owned(), AT.to_owned());
            releases::set_report(&mut db, "shop", "dev", &row).await.unwrap();
        }
        let reports = releases::reports(&mut db, "shop", "dev", AT).await.unwrap();
        assert_eq!(reports.into_iter().map(|(id, ..)| id).collect::<Vec<_>>(), ["B", "_", "a", "ä"]);
        let of_project = releases::project_reports(&mut db, "shop", AT).await.unwrap();
        let first = of_project.first().map(|(env, bridge, ..)| (env.as_str(), bridge.as_str()));
        assert_eq!((of_project.len(), first), (4, Some(("dev", "B"))));
        assert!(releases::project_reports(&mut db, "shop", "2027").await.unwrap().is_empty());
        assert!(releases::project_reports(&mut db, "other", AT).await.unwrap().is_empty());
        releases::forget_report(&mut db, "shop", "dev", "B").await.unwrap();
        assert_eq!(releases::reports(&mut db, "shop", "dev", AT).await.unwrap().len(), 3);
        releases::forget_reports(&mut db, "2027").await.unwrap();
        assert!(releases::reports(&mut db, "shop", "dev", "2026").await.unwrap().is_empty());
        commit(db).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn both_engines_have_the_same_tables() {
    let [sqlite, postgres] = Bed::both().await;
    let columns = async |bed: &Bed, sql: &'static str| -> BTreeSet<(String, String, String, i64)> {
        let store = bed.open().await.unwrap();
        sqlx::query_as(sql).fetch_all(&mut *store.read().await.unwrap()).await.unwrap().into_iter().collect()
    };
    // Name, column, type, and whether it may be missing. What only one engine needs is left out.
    let of_sqlite = columns(
        &sqlite,
        "SELECT m.name, c.name, lower(c.type), CASE WHEN c.\"notnull\" = 1 OR c.pk > 0 THEN 0 ELSE 1 END \
         FROM sqlite_schema m, pragma_table_info(m.name) c WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite%'",
    )
    .await;
    let of_postgres = columns(
        &postgres,
        "SELECT CAST(table_name AS TEXT), CAST(column_name AS TEXT), \
         CAST(CASE data_type WHEN 'bigint' THEN 'integer' WHEN 'bytea' THEN 'blob' ELSE data_type END AS TEXT), \
         CAST(CASE is_nullable WHEN 'YES' THEN 1 ELSE 0 END AS BIGINT) FROM information_schema.columns \
         WHERE table_schema = current_schema() AND table_name NOT IN ('schema_version', 'blob_chunks')",
    )
    .await;
    assert!(of_sqlite.len() > 50, "{of_sqlite:?}");
    assert_eq!(of_sqlite, of_postgres);
}

/// A table that somebody adds is thought of where envs and projects are removed.
#[tokio::test(flavor = "multi_thread")]
async fn every_table_with_rows_of_an_env_or_a_project_is_removed_with_it() {
    let [sqlite, _] = Bed::both().await;
    let store = sqlite.open().await.unwrap();
    let with = async |column: &str| -> BTreeSet<String> {
        let sql =
            "SELECT m.name FROM sqlite_schema m, pragma_table_info(m.name) c WHERE m.type = 'table' AND c.name = $1";
        let rows = sqlx::query_as::<_, (String,)>(sql).bind(column);
        rows.fetch_all(&mut *store.read().await.unwrap()).await.unwrap().into_iter().map(|(name,)| name).collect()
    };
    let (of_project, of_env) = (with("project").await, with("env").await);
    let names = |all: &[&str]| all.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
    // What stays, and why, is said there.
    let kept = names(&["audit", "personal_token_envs"]);
    assert_eq!(of_env.difference(&kept).cloned().collect::<BTreeSet<_>>(), names(removal::OF_ENV));
    let alone: BTreeSet<String> = of_project.difference(&of_env).cloned().collect();
    let own = [removal::OF_PROJECT, &["envs", "project_blobs"]].concat();
    assert_eq!(alone, names(&own));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_opens_at_the_same_time_finds_the_same_tables() {
    for bed in Bed::both().await {
        let opened = tokio::join!(bed.open(), bed.open(), bed.open(), bed.open());
        for store in [opened.0, opened.1, opened.2, opened.3] {
            let mut db = store.unwrap().read().await.unwrap();
            assert_eq!(envs::count_projects(&mut db, orgs::FIRST).await.unwrap(), 0);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_of_a_newer_version_are_left_alone() {
    for bed in Bed::both().await {
        let store = bed.open().await.unwrap();
        let sql =
            if bed.is_postgres() { "UPDATE schema_version SET version = 9999" } else { "PRAGMA user_version = 9999" };
        sqlx::query(sql).execute(&mut *store.read().await.unwrap()).await.unwrap();
        store.close().await;
        let told = bed.open().await.unwrap_err();
        assert!(matches!(told, StoreError::Newer(9999)), "{told}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_has_one_owner_who_loses_it_in_time() {
    for bed in Bed::both().await {
        let store = bed.open().await.unwrap();
        let mut db = store.write().await.unwrap();
        add_env(&mut db).await;
        assert!(apply_locks::take(&mut db, "shop", "dev", "one").await.unwrap());
        assert!(!apply_locks::take(&mut db, "shop", "dev", "other").await.unwrap());
        assert!(!apply_locks::renew(&mut db, "shop", "dev", "other").await.unwrap());
        apply_locks::give_back(&mut db, "shop", "dev", "other").await.unwrap();
        assert!(apply_locks::renew(&mut db, "shop", "dev", "one").await.unwrap());
        sqlx::query("UPDATE apply_locks SET expires_at = 1").execute(&mut *db).await.unwrap();
        assert!(!apply_locks::renew(&mut db, "shop", "dev", "one").await.unwrap(), "what was lost stays lost");
        assert!(apply_locks::take(&mut db, "shop", "dev", "other").await.unwrap());
        assert!(!apply_locks::take(&mut db, "shop", "dev", "one").await.unwrap());
        commit(db).await.unwrap();
        store.close().await;
        // The one Hub of a file starts again, and nobody else can be at it; of several Hubs, another one may be.
        let store = bed.open().await.unwrap();
        let mut db = store.write().await.unwrap();
        assert_eq!(apply_locks::take(&mut db, "shop", "dev", "new").await.unwrap(), !bed.is_postgres());
        if bed.is_postgres() {
            apply_locks::give_back(&mut db, "shop", "dev", "other").await.unwrap();
            assert!(apply_locks::take(&mut db, "shop", "dev", "new").await.unwrap());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn blobs_are_whole_or_refused() {
    for bed in Bed::both().await {
        let (store, other) = (bed.open().await.unwrap(), bed.open().await.unwrap());
        let large: Vec<u8> = (0..(5 << 19) + 7).map(|n: u32| n.to_le_bytes()[n as usize % 3]).collect();
        for bytes in [large.clone(), b"component".to_vec(), Vec::new()] {
            let digest = Digest::of(&bytes);
            assert!(store.blobs.get(&digest).await.unwrap().is_none());
            let bytes = Bytes::from(bytes);
            let (one, two) =
                tokio::join!(store.blobs.put(&digest, bytes.clone()), other.blobs.put(&digest, bytes.clone()));
            one.unwrap();
            two.unwrap();
            assert_eq!(other.blobs.get(&digest).await.unwrap().unwrap(), bytes);
        }
        if bed.is_postgres() {
            let digest = Digest::of(&large);
            let sql = "DELETE FROM blob_chunks WHERE number = 1";
            sqlx::query(sql).execute(&mut *store.read().await.unwrap()).await.unwrap();
            assert!(matches!(store.blobs.get(&digest).await, Err(StoreError::Damaged(_))));
            store.blobs.put(&digest, Bytes::from(large.clone())).await.unwrap();
            assert_eq!(store.blobs.get(&digest).await.unwrap().unwrap(), large);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_is_told_by_what_can_be_done_and_without_the_url() {
    for bed in Bed::both().await {
        let store = bed.open().await.unwrap();
        let found = envs::has_project(&mut store.read().await.unwrap(), "a\0b").await;
        match found {
            Ok(found) => assert!(!found && !bed.is_postgres()),
            Err(error) => assert_eq!((error.failure(), bed.is_postgres()), (Failure::Character, true), "{error:?}"),
        }
        let shown = format!("{store:?} {:?}", store.blobs);
        assert!(!shown.contains("postgres:") && !shown.contains("hub.db"), "{shown}");
    }
    let away = SecretString::from("postgres://someone:planted-password@127.0.0.1:1/hub");
    let told = Store::open(Place::Postgres(&away)).await.unwrap_err();
    assert_eq!(told.failure(), Failure::Away, "{told:?}");
    assert!(!format!("{told:?}").contains("planted"), "{told:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_env_has_one_canary_which_runs_until_it_ends() {
    for bed in Bed::both().await {
        let store = bed.open().await.unwrap();
        let mut db = store.write().await.unwrap();
        add_env(&mut db).await;
        assert_eq!(canaries::get(&mut db, "shop", "dev").await.unwrap(), None);
        canaries::set(&mut db, "shop", "dev", "{\"of\":1}", None).await.unwrap();
        let running = [("shop".to_owned(), "dev".to_owned(), "{\"of\":1}".to_owned())];
        assert_eq!(canaries::running(&mut db).await.unwrap(), running);
        canaries::set(&mut db, "shop", "dev", "{\"of\":2}", Some(AT)).await.unwrap();
        assert_eq!(canaries::running(&mut db).await.unwrap(), []);
        assert_eq!(canaries::get(&mut db, "shop", "dev").await.unwrap().as_deref(), Some("{\"of\":2}"));
        canaries::set(&mut db, "shop", "dev", "{\"of\":3}", None).await.unwrap();
        assert_eq!(canaries::running(&mut db).await.unwrap().len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_env_ran_and_what_is_kept_for_it_is_found_again() {
    for bed in Bed::both().await {
        let store = bed.open().await.unwrap();
        let mut db = store.write().await.unwrap();
        add_env(&mut db).await;
        for id in ["rel_a", "rel_b", "rel_c"] {
            let row = releases::ReleaseRow {
                id: id.into(),
                project: "shop".into(),
                digest: id.into(),
                manifest: "{}".into(),
                envelope: "{}".into(),
                author: "op".into(),
                created_at: AT.into(),
            };
            releases::add(&mut db, &row, []).await.unwrap();
        }
        let ran = [("rel_a", "apply"), ("rel_b", "promote"), ("rel_c", "apply"), ("rel_b", "rollback")];
        for (sequence, (release, how)) in (1..).zip(ran) {
            let row = releases::PointerRow {
                release: release.into(),
                digest: release.into(),
                sequence,
                envelope: "{}".into(),
                issued_at: AT.into(),
            };
            releases::set_pointer(&mut db, "shop", "dev", &row).await.unwrap();
            moves::add(&mut db, "shop", "dev", &row, how).await.unwrap();
        }
        assert!(moves::has_run(&mut db, "shop", "dev", "rel_a").await.unwrap());
        assert!(!moves::has_run(&mut db, "shop", "prod", "rel_a").await.unwrap());
        // Once more goes back further, not to what one came from.
        let before = async |db: &mut Db, release: &str| moves::before(db, "shop", "dev", release).await.unwrap();
        assert_eq!(before(&mut db, "rel_b").await.as_deref(), Some("rel_a"));
        assert_eq!(before(&mut db, "rel_c").await.as_deref(), Some("rel_b"));
        assert_eq!(before(&mut db, "rel_a").await, None);
        let earlier = moves::earlier(&mut db, "shop", "dev", "rel_b", 10).await.unwrap();
        assert_eq!(earlier, [("rel_c".to_owned(), 3), ("rel_a".to_owned(), 1)]);
        assert_eq!(moves::earlier(&mut db, "shop", "dev", "rel_b", 1).await.unwrap().len(), 1);
        releases::set_envelope(&mut db, "rel_b", "{\"signed\":2}").await.unwrap();
        assert_eq!(releases::by_id(&mut db, "rel_b").await.unwrap().unwrap().envelope, "{\"signed\":2}");

        for reason in ["first", "second"] {
            pins::set(&mut db, "rel_a", "shop", reason, AT).await.unwrap();
        }
        assert_eq!(pins::of_project(&mut db, "shop").await.unwrap(), [("rel_a".to_owned(), "second".to_owned())]);
        assert!(pins::remove(&mut db, "rel_a").await.unwrap());
        assert!(!pins::remove(&mut db, "rel_a").await.unwrap());
        for holder in [Holder::Project("shop"), Holder::Org("default")] {
            assert_eq!(ceilings::get(&mut db, holder).await.unwrap(), None);
            for document in ["{}", "{\"deny\":[]}"] {
                ceilings::set(&mut db, holder, document, AT).await.unwrap();
            }
            let found = ceilings::get(&mut db, holder).await.unwrap();
            assert_eq!(found, Some(("{\"deny\":[]}".to_owned(), AT.to_owned())));
            assert!(ceilings::remove(&mut db, holder).await.unwrap());
            assert!(!ceilings::remove(&mut db, holder).await.unwrap());
        }
        commit(db).await.unwrap();
    }
}
