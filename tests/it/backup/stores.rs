//! From each store to each, and from an older version.

use reqwest::{Client, Method};
use santokit_core::{
    release::{Digest, Manifest, SigningKey},
    seal::SealKey,
};
use santokit_hub::{
    app::{
        backup::archive::{self, Contents, Scratch, Writer},
        restore::SEQUENCES_ADVANCED,
    },
    store::{NEWEST, Store, commit, credentials, dump},
};
use santokit_tests::{Engine, Hub, TestDatabase, planes::OPERATOR, stk};
use serde_json::{Value as Json, json};
use tempfile::TempDir;

use super::told;
use crate::hub_store::Bed;

const MASTER_KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const ENV: &str = "/v1/projects/shop/envs/dev";

/// Where a Hub is to be.
pub(super) struct Place {
    pub(super) dir: TempDir,
    database: Option<TestDatabase>,
}

impl Place {
    pub(super) async fn on(engine: Option<Engine>) -> Self {
        let database = match engine {
            Some(engine) => Some(TestDatabase::create(engine).await.unwrap()),
            None => None,
        };
        Self { dir: tempfile::tempdir().unwrap(), database }
    }

    pub(super) fn settings(&self) -> Vec<(&'static str, String)> {
        let mut all = vec![("STK_MASTER_KEY", MASTER_KEY.to_owned()), ("STK_HUB_OPERATOR_TOKEN", OPERATOR.to_owned())];
        all.extend(self.database.as_ref().map(|database| ("STK_HUB_DATABASE_URL", database.url())));
        all
    }

    pub(super) async fn hub(&self) -> Hub {
        let settings = self.settings();
        let settings: Vec<(&str, &str)> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
        Hub::start_with(self.dir.path(), &settings).await.unwrap()
    }

    pub(super) async fn command(&self, args: &[&str]) -> santokit_tests::Finished {
        let settings = self.settings();
        let settings: Vec<(&str, &str)> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
        stk(self.dir.path(), &[args, &["--json"]].concat(), &settings).await.unwrap()
    }
}

async fn apply(hub: &Hub, tables: &[&str]) -> Json {
    let table = json!({"id": {"name": "id", "generate": "ulid", "type": "string"}, "columns": []});
    let tables: serde_json::Map<String, Json> = tables.iter().map(|name| ((*name).to_owned(), table.clone())).collect();
    let manifest: Manifest = serde_json::from_value(json!({
        "format": 1, "project": "shop", "minimumBridge": "0.1.0", "defaultConnection": "main",
        "connections": {"main": {"tables": tables}},
    }))
    .unwrap();
    let body = json!({"manifest": String::from_utf8(manifest.canonical().unwrap()).unwrap()});
    hub.operate(Method::POST, &format!("{ENV}/apply"), &body).await.unwrap()
}

/// With one of everything; a token of Bridges.
async fn fill(hub: &Hub, data: &TempDir, component: &[u8]) -> String {
    let url = format!("sqlite:{}", data.path().join("main.db").display());
    for (method, path, body) in [
        (Method::POST, "/v1/projects".to_owned(), json!({"name": "shop"})),
        (Method::POST, "/v1/projects/shop/envs".to_owned(), json!({"name": "dev"})),
        (Method::PUT, format!("{ENV}/connections/main"), json!({"engine": "sqlite", "url": url, "adminUrl": url})),
        (Method::PUT, format!("{ENV}/secrets/TOKEN"), json!({"value": "planted-ü\"\\"})),
        (Method::POST, format!("{ENV}/apikeys"), json!({"name": "äpp", "roles": ["app"], "key": "stk_app.planted"})),
    ] {
        hub.operate(method, &path, &body).await.unwrap();
    }
    let path = format!("{}/v1/projects/shop/blobs/{}", hub.url, Digest::of(component));
    let put = Client::new().put(path).bearer_auth(OPERATOR).body(component.to_vec()).send().await.unwrap();
    assert_eq!(put.status(), 201);
    apply(hub, &["first"]).await;
    apply(hub, &["first", "second"]).await;
    hub.service_token(&["shop/dev"]).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_of_either_store_comes_back_on_either_store() {
    let component = b"\0asm of a kind".repeat(200_000);
    for from in [None, Some(Engine::Postgres)] {
        let (origin, data) = (Place::on(from).await, tempfile::tempdir().unwrap());
        let hub = origin.hub().await;
        let token = fill(&hub, &data, &component).await;
        let user = json!({"sub": "anna"});
        let issued = hub.operate(Method::POST, &format!("{ENV}/usertokens"), &user).await.unwrap();
        let (before, bundle) =
            (told(&hub).await, hub.ask(Some(&token), "/internal/runtime/shop/dev", None).await.unwrap());
        let file = origin.dir.path().join("backup.tar");
        let file = file.to_str().unwrap();
        let at_hub = [("STK_HUB_URL", hub.url.as_str()), ("STK_TOKEN", OPERATOR)];
        let made = stk(origin.dir.path(), &["hub", "backup", "--json", "--out", file], &at_hub).await.unwrap();
        assert_eq!((made.code, &made.json()["components"]), (0, &json!(1)), "{made:?}");
        hub.kill().await.unwrap();

        for to in [None, Some(Engine::Postgres)] {
            let place = Place::on(to).await;
            let restored = place.command(&["hub", "restore", "--data-dir", "hub", "--from", file]).await;
            assert_eq!(
                (restored.code, &restored.json()["auditVerified"]),
                (0, &json!(true)),
                "{from:?} to {to:?}: {restored:?}"
            );
            let hub = place.hub().await;
            assert_eq!(told(&hub).await, before, "{from:?} to {to:?}");
            let path = format!("/v1/projects/shop/blobs/{}", Digest::of(&component));
            assert_eq!(hub.ask(Some(OPERATOR), &path, None).await.unwrap().2, component);
            assert_eq!(hub.ask(Some(&token), "/internal/runtime/shop/dev", None).await.unwrap().2, bundle.2);
            let chain = hub.operate(Method::GET, "/v1/audit/verify", &Json::Null).await.unwrap();
            assert_eq!(chain["verified"], true, "{chain}");
            let again = hub.operate(Method::POST, &format!("{ENV}/usertokens"), &user).await.unwrap();
            assert_eq!(again["keyId"], issued["keyId"], "end users stay logged in");
            // It goes on, also where the server gives numbers.
            let next = apply(&hub, &["first", "second", "third"]).await;
            assert_eq!((&next["created"], &next["sequence"]), (&json!(true), &json!(SEQUENCES_ADVANCED + 3)));
            let found = hub.operate(Method::GET, "/v1/audit?action=hub.restore", &Json::Null).await.unwrap();
            assert_eq!(found["entries"][0]["detail"]["lostHead"], Json::Null, "{found}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_table_is_forgotten() {
    let covered = dump::tables(NEWEST).await.unwrap().unwrap();
    for bed in Bed::both().await {
        let store = Store::open(bed.place()).await.unwrap();
        let sql = if bed.is_postgres() {
            "SELECT CAST(table_name AS TEXT) FROM information_schema.tables WHERE table_schema = current_schema()"
        } else {
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'"
        };
        let names: Vec<(String,)> = sqlx::query_as(sql).fetch_all(&mut *store.read().await.unwrap()).await.unwrap();
        assert!(names.len() > 15, "{names:?}");
        for (name,) in names {
            // Who applies now, the version, and components, which are members of their own.
            let is_other = ["apply_locks", "schema_version", "blob_chunks"].contains(&name.as_str());
            assert_eq!(covered.iter().any(|table| table.name == name), !is_other, "{name}");
        }
    }
    assert!(dump::tables(NEWEST + 1).await.unwrap().is_none() && dump::tables(0).await.unwrap().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_of_an_older_version_is_brought_up_to_date() {
    const OLDER: usize = 3;
    let (dir, key) = (tempfile::tempdir().unwrap(), SigningKey::generate().unwrap());
    let sealed = SealKey::parse(MASTER_KEY)
        .unwrap()
        .seal(&format!("signing-key/{}", key.verifying_key().id()), &key.to_pkcs8().unwrap())
        .unwrap();
    let store = Store::open_raw(santokit_hub::store::Place::Directory(dir.path())).await.unwrap();
    let mut db = store.write().await.unwrap();
    store.migrate_to(&mut db, OLDER).await.unwrap();
    let public = key.verifying_key();
    let row = credentials::SigningKeyRow {
        id: public.id(),
        public: public.to_string(),
        private: sealed,
        created_at: "2026".into(),
        replaced_at: None,
        retired_at: None,
    };
    credentials::add_signing_key(&mut db, &row).await.unwrap();
    // An env of a time before there were keys for end users.
    for sql in [
        "INSERT INTO projects (name, created_at) VALUES ('shop', '2026')",
        "INSERT INTO envs (project, name, created_at) VALUES ('shop', 'dev', '2026')",
    ] {
        sqlx::query(sql).execute(&mut *db).await.unwrap();
    }
    let entry = r#"{"action":"a.b","actorId":"op","env":null,"prevHash":null,"project":null,"requestId":"r","seq":1,"ts":"2026"}"#;
    let insert = sqlx::query("INSERT INTO audit (seq, entry, hash) VALUES (1, $1, $2)");
    insert.bind(entry).bind(Digest::of(entry.as_bytes()).as_str()).execute(&mut *db).await.unwrap();
    let mut writer = Writer::begin(Scratch::file(dir.path()).unwrap());
    for table in dump::tables(OLDER).await.unwrap().unwrap() {
        let mut scratch = Scratch::new(dir.path()).unwrap();
        scratch.line(&json!(table.columns()).to_string()).unwrap();
        let rows = table.dump(&mut db, |line| scratch.line(line)).await.unwrap();
        writer.table(&table.name, rows, scratch).unwrap();
    }
    commit(db).await.unwrap();
    let contents = |schema_version| Contents {
        format: archive::FORMAT,
        version: "0.0.9".into(),
        schema_version,
        engine: "sqlite".into(),
        created_at: "2026-01-02T03:04:05Z".into(),
        head: None,
        members: Vec::new(),
    };
    let file = dir.path().join("old.tar");
    let (mut from, _) = writer.end(contents(OLDER), &key).unwrap();
    std::io::copy(&mut from, &mut std::fs::File::create(&file).unwrap()).unwrap();
    for engine in [None, Some(Engine::Postgres)] {
        let place = Place::on(engine).await;
        let restored = place.command(&["hub", "restore", "--data-dir", "hub", "--from", file.to_str().unwrap()]).await;
        assert_eq!(restored.code, 0, "{restored:?}");
        let hub = place.hub().await;
        let chain = hub.operate(Method::GET, "/v1/audit/verify", &Json::Null).await.unwrap();
        assert_eq!((&chain["verified"], &chain["unsigned"]), (&json!(true), &json!(1)), "{chain}");
        let found = hub.operate(Method::GET, "/v1/audit?actor=op", &Json::Null).await.unwrap();
        assert_eq!(found["entries"][0]["action"], "a.b");
        let made = hub.operate(Method::POST, &format!("{ENV}/usertokens"), &json!({"sub": "anna"})).await.unwrap();
        let keys = hub.operate(Method::GET, &format!("{ENV}/userkeys"), &Json::Null).await.unwrap();
        assert_eq!(keys["keys"][0]["id"], made["keyId"], "every env has a key: {keys}");
        let token = hub.service_token(&["shop/dev"]).await.unwrap();
        let bundle = hub.ask(Some(&token), "/internal/runtime/shop/dev", None).await.unwrap().2;
        assert!(String::from_utf8_lossy(&bundle).contains("\"storageKey\""), "and one for uploads");
    }
    // One that this program is too old for.
    let newer = Writer::begin(Scratch::file(dir.path()).unwrap()).end(contents(NEWEST + 1), &key).unwrap();
    let (mut from, file) = (newer.0, dir.path().join("newer.tar"));
    std::io::copy(&mut from, &mut std::fs::File::create(&file).unwrap()).unwrap();
    let refused = Place::on(None).await.command(&["hub", "restore", "--from", file.to_str().unwrap()]).await;
    assert!(refused.code == 3 && refused.stdout.contains("newer"), "{refused:?}");
}
