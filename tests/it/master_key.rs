//! The master key is changed: on both stores, stopped in the middle, and with a wrong key.

use std::{collections::BTreeSet, fs, time::Duration};

use reqwest::Method;
use santokit_core::seal::SealKey;
use santokit_hub::store::{NEWEST, dump, sealed::COLUMNS};
use santokit_tests::{Engine, Finished, Hub, StkServer, TestDatabase, planes::OPERATOR, stk};
use serde_json::{Value as Json, json};
use sqlx::{Connection, Executor, PgConnection};
use tempfile::TempDir;

use crate::lab::{Lab, assert_serves};

const ENV: &str = "/v1/projects/shop/envs/dev";
const BUNDLE: &str = "/internal/runtime/shop/dev";

/// A store, and the key that its Hub has.
struct Vault {
    dir: TempDir,
    database: Option<TestDatabase>,
    key: String,
}

impl Vault {
    async fn both() -> [Self; 2] {
        let database = TestDatabase::create(Engine::Postgres).await.unwrap();
        [None, Some(database)].map(|database| Self {
            dir: tempfile::tempdir().unwrap(),
            database,
            key: SealKey::generate_text().unwrap(),
        })
    }

    fn settings<'a>(&'a self, url: &'a str, key: &'a str) -> Vec<(&'a str, &'a str)> {
        let mut all = vec![("STK_MASTER_KEY", key), ("STK_HUB_OPERATOR_TOKEN", OPERATOR)];
        all.extend(self.database.is_some().then_some(("STK_HUB_DATABASE_URL", url)));
        all
    }

    fn url(&self) -> String {
        self.database.as_ref().map(TestDatabase::url).unwrap_or_default()
    }

    async fn start(&self, key: &str) -> anyhow::Result<Hub> {
        let url = self.url();
        Hub::start_with(self.dir.path(), &self.settings(&url, key)).await
    }

    async fn rotate(&self, old: &str) -> Finished {
        let url = self.url();
        let args = ["hub", "rotate-master-key", "--json", "--data-dir", "hub", "--new-key-file", "new-key"];
        loop {
            let done = stk(self.dir.path(), &args, &self.settings(&url, old)).await.unwrap();
            // A server takes a moment to see that a killed Hub is gone.
            if !(self.database.is_some() && done.stdout.contains("a Hub is running")) {
                return done;
            }
        }
    }

    fn new_key(&self) -> String {
        fs::read_to_string(self.dir.path().join("new-key")).unwrap()
    }

    /// A Hub with so many secrets, which has ended again; a token of Bridges.
    async fn filled(&self, secrets: usize) -> String {
        let hub = self.start(&self.key).await.unwrap();
        let url = format!("sqlite:{}", self.dir.path().join("main.db").display());
        for (method, path, body) in [
            (Method::POST, "/v1/projects".to_owned(), json!({"name": "shop"})),
            (Method::POST, "/v1/projects/shop/envs".to_owned(), json!({"name": "dev"})),
            (Method::PUT, format!("{ENV}/connections/main"), json!({"engine": "sqlite", "url": url, "adminUrl": url})),
        ] {
            hub.operate(method, &path, &body).await.unwrap();
        }
        for n in 0..secrets {
            let body = json!({"value": format!("planted-{n}")});
            hub.operate(Method::PUT, &format!("{ENV}/secrets/NAME_{n}"), &body).await.unwrap();
        }
        let token = hub.service_token(&["shop/dev"]).await.unwrap();
        hub.kill().await.unwrap();
        token
    }

    /// Whether a Hub with this key opens all there is.
    async fn assert_opens(&self, key: &str, token: &str) {
        let hub = self.start(key).await.unwrap();
        let (status, _, body) = hub.ask(Some(token), BUNDLE, None).await.unwrap();
        assert_eq!(status, 200, "{}", String::from_utf8_lossy(&body));
        let tested = hub.operate(Method::POST, &format!("{ENV}/connections/main/test"), &Json::Null).await.unwrap();
        assert!(tested["hub"].is_object(), "both URLs open: {tested}");
        let user = hub.operate(Method::POST, &format!("{ENV}/usertokens"), &json!({"sub": "anna"})).await.unwrap();
        assert!(user["token"].is_string(), "the key of end users opens: {user}");
        let chain = hub.operate(Method::GET, "/v1/audit/verify", &Json::Null).await.unwrap();
        assert_eq!(chain["verified"], true, "{chain}");
        hub.kill().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_opens_with_the_new_key_and_nothing_with_the_old_one() {
    for vault in Vault::both().await {
        let token = vault.filled(3).await;
        let other = SealKey::generate_text().unwrap();
        let wrong = vault.rotate(&other).await;
        assert!(wrong.code == 3 && wrong.stdout.contains("does not open"), "{wrong:?}");
        assert!(!vault.dir.path().join("new-key").exists(), "a mistake leaves no key behind");
        vault.assert_opens(&vault.key, &token).await;

        let hub = vault.start(&vault.key).await.unwrap();
        let url = vault.url();
        let args = ["hub", "rotate-master-key", "--data-dir", "hub", "--new-key-file", "new-key"];
        let running = stk(vault.dir.path(), &args, &vault.settings(&url, &vault.key)).await.unwrap();
        assert!(running.code == 3 && running.stderr.contains("a Hub is running"), "{running:?}");
        hub.kill().await.unwrap();

        let done = vault.rotate(&vault.key).await;
        // Two URLs, three secrets, the key of end users, that of uploads, the signing key.
        assert_eq!((done.code, &done.json()["records"]), (0, &json!(8)), "{done:?}");
        vault.assert_opens(&vault.new_key(), &token).await;
        let told = vault.start(&vault.key).await.err().unwrap().to_string();
        assert!(told.contains("STK_MASTER_KEY"), "{told}");
        let hub = vault.start(&vault.new_key()).await.unwrap();
        let found = hub.operate(Method::GET, "/v1/audit?action=masterkey.rotate", &Json::Null).await.unwrap();
        assert_eq!(found["entries"][0]["detail"], json!({"records": 8, "doneBefore": 0}), "{found}");
        hub.kill().await.unwrap();
        // Once more with the same keys: it was done.
        let again = vault.rotate(&vault.key).await;
        assert_eq!(
            (again.code, &again.json()["records"], &again.json()["doneBefore"]),
            (0, &json!(0), &json!(8)),
            "{again:?}"
        );
        let same = vault.rotate(&vault.new_key()).await;
        assert_eq!(same.code, 3, "{same:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_killed_in_the_middle_has_changed_nothing_and_goes_on_later() {
    for vault in Vault::both().await {
        let token = vault.filled(5).await;
        let (old, url) = (vault.key.clone(), vault.url());
        let settings = vault.settings(&url, &old);
        let args = ["hub", "rotate-master-key", "--data-dir", "hub", "--new-key-file", "new-key"];
        // The last record is held by somebody else, so that it stands in the middle.
        if vault.database.is_some() {
            let mut holder = PgConnection::connect(&url).await.unwrap();
            let hubs = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'santokit-hub%'";
            while sqlx::query_scalar::<_, i64>(hubs).fetch_one(&mut holder).await.unwrap() > 0 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            holder.execute("BEGIN").await.unwrap();
            holder.execute("SELECT 1 FROM signing_keys FOR UPDATE").await.unwrap();
            let rotating = StkServer::begin(vault.dir.path(), &args, &settings).unwrap();
            // By another session: one in a transaction sees the server's sessions as they were.
            let mut watcher = PgConnection::connect(&url).await.unwrap();
            let waits =
                "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()";
            while sqlx::query_scalar::<_, i64>(waits).fetch_one(&mut watcher).await.unwrap() == 0 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            rotating.kill().await.unwrap();
            holder.execute("ROLLBACK").await.unwrap();
        } else {
            // Nobody can hold one record of a file: wherever it is killed.
            for n in 0..12 {
                let rotating = StkServer::begin(vault.dir.path(), &args, &settings).unwrap();
                tokio::time::sleep(Duration::from_millis(40 * n)).await;
                rotating.kill().await.unwrap();
            }
        }
        let done = vault.rotate(&old).await;
        let (records, before) = (done.json()["records"].as_i64().unwrap(), done.json()["doneBefore"].as_i64().unwrap());
        assert!(done.code == 0 && (records, before).min((before, records)) == (0, 10), "{done:?}");
        vault.assert_opens(&vault.new_key(), &token).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_key_beside_the_data_is_replaced_and_a_bridge_serves_meanwhile() {
    let mut lab = Lab::start("new-key").await;
    let bridge = lab.bridge("cache", &[]).await;
    lab.apply().await;
    lab.kill_hub().await;
    let data = lab.dir.path().join("hub");
    let before = fs::read_to_string(data.join("master-key")).unwrap();
    let rotate = ["hub", "rotate-master-key", "--json", "--data-dir", "hub"];
    let done = stk(lab.dir.path(), &rotate, &[("STK_HUB_OPERATOR_TOKEN", OPERATOR)]).await.unwrap();
    assert_eq!(done.code, 0, "{done:?}");
    let after = fs::read_to_string(data.join("master-key")).unwrap();
    assert_ne!(before, after);
    assert_eq!(fs::read_to_string(done.json()["oldKeyFile"].as_str().unwrap()).unwrap(), before);
    assert!(!data.join("master-key.new").exists() && !done.stdout.contains(after.trim()));
    assert_serves(&bridge, &lab.api_key.0, 1).await;
    // As where it was stopped between the database and the file.
    fs::rename(data.join("master-key"), data.join("master-key.new")).unwrap();
    fs::write(data.join("master-key"), &before).unwrap();
    let told = Hub::start(lab.dir.path()).await.err().unwrap().to_string();
    assert!(told.contains("stk hub rotate-master-key"), "{told}");
    let ended = stk(lab.dir.path(), &rotate, &[("STK_HUB_OPERATOR_TOKEN", OPERATOR)]).await.unwrap();
    assert_eq!((ended.code, &ended.json()["records"]), (0, &json!(0)), "{ended:?}");
    assert_eq!(fs::read_to_string(data.join("master-key")).unwrap(), after);
    lab.revive_hub().await;
    lab.set_version(2);
    lab.apply().await;
    assert_serves(&bridge, &lab.api_key.0, 2).await;
}

#[tokio::test]
async fn no_sealed_record_is_forgotten() {
    let listed: BTreeSet<(String, String)> =
        COLUMNS.iter().map(|column| (column.table.to_owned(), column.name.to_owned())).collect();
    let tables = dump::tables(NEWEST).await.unwrap().unwrap();
    let kept: BTreeSet<(String, String)> = tables
        .iter()
        .flat_map(|table| table.columns_of_bytes().into_iter().map(|name| (table.name.clone(), name.to_owned())))
        .collect();
    assert_eq!(listed, kept, "every column of bytes is sealed, and sealed anew with a new master key");
}
