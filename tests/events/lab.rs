//! A Hub with one project, and Bridges that serve it, as processes.

use std::fs;

use anyhow::{Context as _, Result, ensure};
use santokit_tests::{Bridge, Hub, ProjectFolder, planes::OPERATOR, stk_fed};
use serde_json::Value as Json;
use sqlx::{AssertSqlSafe, PgPool, SqlitePool};
use tempfile::TempDir;

use crate::measure::Side;

const PROJECT: &str = "events";

/// Everything that a Bridge needs, the Bridges, and the database behind them.
pub(crate) struct Lab {
    dir: TempDir,
    hub: Hub,
    trusted: String,
    token: String,
    key: String,
    bridges: Vec<Bridge>,
    database: Database,
}

enum Database {
    Postgres(PgPool),
    Sqlite(SqlitePool),
}

impl Lab {
    /// On a server, or on SQLite.
    pub(crate) async fn start(url: Option<&str>, component: &[u8]) -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let hub = Hub::start(dir.path()).await?;
        let folder = ProjectFolder::copy_of("tests/events/project")?;
        fs::write(folder.path().join("logics/placed/made.wasm"), component)?;
        let file = format!("sqlite:{}", dir.path().join("main.db").display());
        let (engine, url) = url.map_or(("sqlite", file.as_str()), |url| ("postgres", url));
        let stk = async |args: &[&str], input: &str| {
            let env = [
                ("STK_HUB_URL", hub.url.as_str()),
                ("STK_TOKEN", OPERATOR),
                ("STK_PROJECT", PROJECT),
                ("STK_ENV", "prod"),
            ];
            let args: Vec<&str> = args.iter().copied().chain(["--json"]).collect();
            let finished = stk_fed(folder.path(), &args, &env, input).await?;
            ensure!(finished.code == 0, "stk {args:?}: {finished:?}");
            Ok::<Json, anyhow::Error>(finished.json())
        };
        stk(&["project", "create", PROJECT], "").await?;
        stk(&["env", "create", "prod"], "").await?;
        stk(&["connections", "set", "main", "--engine", engine, "--url-stdin"], url).await?;
        let made = stk(&["apikey", "create", "app", "--role", "app"], "").await?;
        stk(&["apply", "--accept-grants", "--yes", "--wait", "0"], "").await?;
        let database = match engine {
            "sqlite" => Database::Sqlite(SqlitePool::connect(url).await?),
            _ => Database::Postgres(PgPool::connect(url).await?),
        };
        Ok(Self {
            trusted: hub.key().await?,
            token: hub.service_token(&["events/prod"]).await?,
            key: made["key"].as_str().context("a key")?.to_owned(),
            bridges: Vec::new(),
            database,
            hub,
            dir,
        })
    }

    /// As many Bridges.
    pub(crate) async fn grow_to(&mut self, count: usize) -> Result<()> {
        while self.bridges.len() < count {
            let folder = self.dir.path().join(format!("bridge{}", self.bridges.len()));
            fs::create_dir_all(&folder)?;
            let (cache, compiled) = (folder.join("cache"), folder.join("compiled"));
            let settings = [
                ("STK_BRIDGE_HUB_URL", self.hub.url.as_str()),
                ("STK_BRIDGE_SERVICE_TOKEN", &self.token),
                ("STK_BRIDGE_TRUSTED_KEYS", &self.trusted),
                ("STK_BRIDGE_ENVS", "events/prod"),
                ("STK_BRIDGE_CACHE_DIR", cache.to_str().unwrap_or_default()),
                ("STK_BRIDGE_COMPILED_DIR", compiled.to_str().unwrap_or_default()),
                // A server takes a hundred, and the library and what stands for the application have theirs.
                ("STK_BRIDGE_POOL_SIZE", "16"),
                ("STK_LOG", "error"),
            ];
            let bridge = Bridge::start(&folder, &settings).await?;
            // Before it has the release it answers no request.
            bridge.until("ready", |env| env["httpStatus"] == 200).await?;
            self.bridges.push(bridge);
        }
        Ok(())
    }

    async fn is_there(&self, sql: &str) -> Result<bool> {
        Ok(match &self.database {
            Database::Postgres(pool) => sqlx::query(AssertSqlSafe(sql)).fetch_optional(pool).await?.is_some(),
            Database::Sqlite(pool) => sqlx::query(AssertSqlSafe(sql)).fetch_optional(pool).await?.is_some(),
        })
    }
}

impl Side for Lab {
    fn entry(&self, caller: usize) -> (&str, &str) {
        (self.bridges[caller % self.bridges.len()].client.url(), &self.key)
    }

    async fn backlog(&self, count: usize) -> Result<()> {
        let columns = "id, project, env, release, topic, payload, published_at, published_by, depth, expires_at";
        let payload = r#"{"orderId":"o","totalCents":1200}"#;
        match &self.database {
            Database::Postgres(pool) => {
                let sql = format!(
                    "INSERT INTO stk_outbox ({columns}) SELECT 'evt_' || gen_random_uuid(), '{PROJECT}', 'prod', 'rel_0', 'placed', \
                     convert_to('{payload}', 'UTF8'), now(), 'bench', 0, now() + interval '1 day' FROM generate_series(1, {count})"
                );
                sqlx::query(AssertSqlSafe(sql)).execute(pool).await?;
            }
            Database::Sqlite(pool) => {
                let now = "strftime('%Y-%m-%dT%H:%M:%S.000000Z', 'now')";
                let sql = format!(
                    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count}) INSERT INTO stk_outbox ({columns}) \
                     SELECT 'evt_' || lower(hex(randomblob(16))), '{PROJECT}', 'prod', 'rel_0', 'placed', CAST('{payload}' AS BLOB), {now}, \
                     'bench', 0, strftime('%Y-%m-%dT%H:%M:%S.000000Z', 'now', '+1 day') FROM n"
                );
                sqlx::query(AssertSqlSafe(sql)).execute(pool).await?;
            }
        }
        Ok(())
    }

    async fn is_done(&self) -> Result<bool> {
        ensure!(
            !self.is_there("SELECT 1 FROM stk_delivery WHERE state = 'dead' LIMIT 1").await?,
            "an event is dead: {:.4000}",
            self.said().join("\n")
        );
        let waits = "SELECT 1 FROM stk_outbox WHERE project = 'events' AND env = 'prod' AND shared_at IS NULL UNION ALL \
                     SELECT 1 FROM stk_delivery LIMIT 1";
        Ok(!self.is_there(waits).await?)
    }

    fn said(&self) -> Vec<String> {
        self.bridges.iter().map(Bridge::output).collect()
    }
}
