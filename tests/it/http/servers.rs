//! The servers that cases ask: processes of `stk`, as a user starts them, and the variables that cases name.

use std::fs;

use anyhow::{Context, Result, ensure};
use santokit_core::release::Digest;
use santokit_tests::{ProjectFolder, StkDev, StkServer, folder::repository};
use serde_json::{Value as Json, json};
use tempfile::TempDir;

use super::{
    case::{Server, Variables},
    wire::{Got, Sent, send},
};

/// A component that every Hub takes.
pub(crate) const COMPONENT: &str = "tests/guests/kept/logic-0.1.0-rust.wasm";
const METRICS_TOKEN: &str = "planted-metrics-token";
const OPERATOR: &str = "planted-operator-token-of-cases";

/// What runs, and where.
pub(crate) struct Bridges {
    _dev: StkDev,
    _fleet: StkServer,
    _folder: ProjectFolder,
    _cache: TempDir,
    dev: String,
    fleet: String,
    scrape: String,
    admin: String,
    /// For every case.
    pub(crate) variables: Variables,
}

/// A Hub of its own.
pub(crate) struct Hub {
    _server: StkServer,
    /// Its data, and the databases of its envs.
    pub(crate) folder: TempDir,
    /// Where it answers.
    pub(crate) address: String,
    /// For every case.
    pub(crate) variables: Variables,
}

impl Bridges {
    /// `stk dev`, and a second Bridge beside its own.
    pub(crate) async fn start() -> Result<Self> {
        let folder = ProjectFolder::copy_of("tests/cases/http/project")?;
        let dev = StkDev::start(folder.path(), &[]).await?;
        let announced: Json = serde_json::from_str(&folder.read(".stk/dev/server.json")?)?;
        let field = |name: &str| announced[name].as_str().map(str::to_owned).context("server.json");
        let (hub, operator) = (address(&field("hubUrl")?), field("token")?);
        let cache = tempfile::tempdir()?;
        let fleet = second_bridge(&hub, &operator, &cache).await?;
        let ready = ready(&fleet)?;
        let at = |name: &str| ready[name].as_str().map(address).context("ready");
        let (fleet_at, scrape, admin) = (at("url")?, at("metricsUrl")?, at("adminUrl")?);
        until_ready(&scrape).await?;
        let mut variables = Variables::new();
        for (name, value) in [
            ("app", "stk_app.planted-app-key"),
            ("admin", "stk_admin.planted-admin-key"),
            ("metricsToken", METRICS_TOKEN),
            ("releaseId", dev.release_id.as_str()),
        ] {
            variables.insert(name.to_owned(), json!(value));
        }
        for (name, env, roles) in
            [("anna", "dev", json!([])), ("bob", "dev", json!(["app"])), ("elsewhere", "bare", json!([]))]
        {
            variables.insert(name.to_owned(), json!(user_token(&hub, &operator, (env, name), roles).await?));
        }
        Ok(Self {
            dev: address(dev.client.url()),
            fleet: fleet_at,
            scrape,
            admin,
            variables,
            _dev: dev,
            _fleet: fleet,
            _folder: folder,
            _cache: cache,
        })
    }

    /// Where a server is.
    pub(crate) fn address(&self, server: Server) -> Result<&str> {
        match server {
            Server::Bridge => Ok(&self.dev),
            Server::Fleet => Ok(&self.fleet),
            Server::Scrape => Ok(&self.scrape),
            Server::Admin => Ok(&self.admin),
            Server::Hub => anyhow::bail!("a Hub is started for each file"),
        }
    }
}

impl Hub {
    /// With nothing in it.
    pub(crate) async fn start() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let env = [("STK_HUB_OPERATOR_TOKEN", OPERATOR), ("STK_HUB_METRICS_TOKEN", METRICS_TOKEN)];
        let args = ["hub", "serve", "--json", "--listen", "127.0.0.1:0", "--data-dir", "hub"];
        let server = StkServer::start(folder.path(), &args, &env, "\"ready\"").await?;
        let address = address(ready(&server)?["url"].as_str().context("ready has a url")?);
        let bytes = fs::read(repository().join(COMPONENT))?;
        let inspection = santokit_core::component::inspect(&bytes)?;
        let mut variables = Variables::new();
        for (name, value) in [
            ("operator", json!(OPERATOR)),
            ("metricsToken", json!(METRICS_TOKEN)),
            ("wrong", json!("planted-wrong-token")),
            ("dir", json!(folder.path())),
            ("component", json!(Digest::of(&bytes))),
            ("componentBytes", json!(bytes.len())),
            ("componentImports", json!(inspection.imports)),
        ] {
            variables.insert(name.to_owned(), value);
        }
        Ok(Self { _server: server, folder, address, variables })
    }

    /// Asks as the operator.
    pub(crate) async fn ask(&self, method: &str, path: &str, body: &Json) -> Result<Got> {
        ask(&self.address, OPERATOR, method, path, body).await
    }
}

async fn second_bridge(hub: &str, operator: &str, cache: &TempDir) -> Result<StkServer> {
    let made = ask(hub, operator, "POST", "/v1/projects/cases/envs", &json!({"name": "bare"})).await?;
    ensure!(made.status == 201, "{made:?}");
    let wanted = json!({"name": "fleet", "envs": ["cases/dev", "cases/bare"]});
    let token = ask(hub, operator, "POST", "/v1/service-tokens", &wanted).await?;
    let keys = ask(hub, operator, "GET", "/v1/keys", &Json::Null).await?;
    let (token, key) = (&token.body["token"], &keys.body["keys"][0]["key"]);
    let (token, key) = (token.as_str().context("a token")?, key.as_str().context("a key")?);
    let url = format!("http://{hub}/");
    let env = [
        ("STK_BRIDGE_LISTEN", "127.0.0.1:0"),
        ("STK_BRIDGE_METRICS_LISTEN", "127.0.0.1:0"),
        ("STK_BRIDGE_METRICS_TOKEN", METRICS_TOKEN),
        ("STK_BRIDGE_ADMIN_LISTEN", "127.0.0.1:0"),
        ("STK_BRIDGE_HUB_URL", url.as_str()),
        ("STK_BRIDGE_SERVICE_TOKEN", token),
        ("STK_BRIDGE_ENVS", "cases/dev,cases/bare"),
        ("STK_BRIDGE_TRUSTED_KEYS", key),
        ("STK_BRIDGE_POLL_INTERVAL", "1s"),
        ("STK_BRIDGE_BODY_LIMIT", "1KB"),
        ("STK_BRIDGE_RESPONSE_LIMIT", "800B"),
    ];
    StkServer::start(cache.path(), &["bridge", "serve", "--json"], &env, "\"ready\"").await
}

/// A token of an end user, with a claim.
async fn user_token(hub: &str, operator: &str, (env, sub): (&str, &str), roles: Json) -> Result<String> {
    let wanted = json!({"sub": sub, "roles": roles, "claims": {"tenant": "acme"}});
    let made = ask(hub, operator, "POST", &format!("/v1/projects/cases/envs/{env}/usertokens"), &wanted).await?;
    made.body["token"].as_str().map(str::to_owned).with_context(|| format!("a token: {made:?}"))
}

/// Until the env that has a release serves it.
async fn until_ready(scrape: &str) -> Result<()> {
    for _ in 0..600 {
        let request =
            Sent { method: "GET".to_owned(), path: "/readyz".to_owned(), headers: Vec::new(), body: Vec::new() };
        let got = send(scrape, request).await?;
        if got.body["envs"][0]["state"] == "fresh" {
            return Ok(());
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    anyhow::bail!("the second Bridge did not load the release")
}

async fn ask(address: &str, token: &str, method: &str, path: &str, body: &Json) -> Result<Got> {
    let body = if body.is_null() { Vec::new() } else { serde_json::to_vec(body)? };
    let headers = vec![("authorization".to_owned(), format!("Bearer {token}"))];
    send(address, Sent { method: method.to_owned(), path: path.to_owned(), headers, body }).await
}

fn ready(server: &StkServer) -> Result<Json> {
    let output = server.output();
    let mut events = output.lines().filter_map(|line| serde_json::from_str::<Json>(line).ok());
    events.find(|event| event["event"] == "ready").context("the event ready")
}

fn address(url: &str) -> String {
    let rest = url.trim_start_matches("http://");
    rest.split('/').next().unwrap_or(rest).to_owned()
}
