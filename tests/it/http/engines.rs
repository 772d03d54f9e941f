//! The project of the cases on an engine that has a server: a Hub that makes its tables, a Bridge that serves them, both as
//! processes, and a database of their own.

use anyhow::{Result, ensure};
use reqwest::Method;
use santokit_tests::{Bridge, Engine, Hub, ProjectFolder, TestDatabase, folder::repository, planes::OPERATOR, stk};
use serde_json::json;
use tempfile::TempDir;

use super::case::{TABLES_PROJECT, Variables};

const PROJECT: &str = "cases";
const ENV: &str = "dev";

/// What runs, and where. Whoever uses something ends before it.
pub(super) struct Planes {
    _bridge: Bridge,
    _hub: Hub,
    _database: TestDatabase,
    _dir: TempDir,
    /// Of the Bridge.
    pub(super) address: String,
    /// For every case.
    pub(super) variables: Variables,
}

impl Planes {
    /// With the release applied and served, and the keys of `santokit.dev.yaml`.
    pub(super) async fn start(engine: Engine) -> Result<Self> {
        let (database, dir) = (TestDatabase::create(engine).await?, tempfile::tempdir()?);
        let hub = Hub::start(dir.path()).await?;
        let env = format!("/v1/projects/{PROJECT}/envs/{ENV}");
        hub.operate(Method::POST, "/v1/projects", &json!({"name": PROJECT})).await?;
        hub.operate(Method::POST, &format!("/v1/projects/{PROJECT}/envs"), &json!({"name": ENV})).await?;
        let connection = json!({"engine": engine.as_str(), "url": database.url()});
        hub.operate(Method::PUT, &format!("{env}/connections/main"), &connection).await?;
        let keys = [
            ("app", "stk_app.planted-app-key", vec!["app"]),
            ("admin", "stk_admin.planted-admin-key", vec!["admin", "app"]),
        ];
        for (name, key, roles) in &keys {
            let wanted = json!({"name": name, "key": key, "roles": roles});
            hub.operate(Method::POST, &format!("{env}/apikeys"), &wanted).await?;
        }
        apply(&hub).await?;
        let served = format!("{PROJECT}/{ENV}");
        let (token, trusted) = (hub.service_token(&[&served]).await?, hub.key().await?);
        let settings = [
            ("STK_BRIDGE_HUB_URL", hub.url.as_str()),
            ("STK_BRIDGE_SERVICE_TOKEN", &token),
            ("STK_BRIDGE_TRUSTED_KEYS", &trusted),
            ("STK_BRIDGE_ENVS", &served),
        ];
        let bridge = Bridge::start(dir.path(), &settings).await?;
        bridge.until_state("fresh").await?;
        let address = bridge.client.url().trim_start_matches("http://").to_owned();
        let variables = keys.iter().map(|(name, key, _)| ((*name).to_owned(), json!(key))).collect();
        Ok(Self { _bridge: bridge, _hub: hub, _database: database, _dir: dir, address, variables })
    }
}

/// The tables and their permissions, as `stk apply` sends them.
async fn apply(hub: &Hub) -> Result<()> {
    let folder = ProjectFolder::new([])?;
    for path in TABLES_PROJECT {
        folder.write(path, &std::fs::read_to_string(repository().join("tests/cases/http/project").join(path))?)?;
    }
    let context =
        [("STK_HUB_URL", hub.url.as_str()), ("STK_TOKEN", OPERATOR), ("STK_PROJECT", PROJECT), ("STK_ENV", ENV)];
    let applied = stk(folder.path(), &["apply", "--yes", "--json"], &context).await?;
    ensure!(applied.code == 0, "{applied:?}");
    Ok(())
}
