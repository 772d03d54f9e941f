//! `stk hub serve` and `stk bridge serve` as processes of a test's own, as an operator starts them.

use std::{path::Path, time::Duration};

use anyhow::{Context, Result, bail};
use reqwest::{Client, Method};
use serde_json::Value as Json;

use crate::{BridgeClient, StkServer};

/// The operator's token of every test's Hub.
pub const OPERATOR: &str = "planted-operator-token-4410";

const LOOK_AGAIN: Duration = Duration::from_millis(50);
const LOOKS: usize = 2_400;

/// A Hub. Killed when dropped; its data stays in its folder.
pub struct Hub {
    server: StkServer,
    http: Client,
    /// `http://127.0.0.1:…`
    pub url: String,
}

/// A Bridge. Killed when dropped.
pub struct Bridge {
    server: StkServer,
    scrape: BridgeClient,
    /// A caller without a key.
    pub client: BridgeClient,
}

impl Hub {
    /// Starts one with its data in a folder.
    pub async fn start(dir: &Path) -> Result<Self> {
        Self::start_with(dir, &[]).await
    }

    /// Starts one with settings of the test.
    pub async fn start_with(dir: &Path, settings: &[(&str, &str)]) -> Result<Self> {
        let args = ["hub", "serve", "--json", "--listen", "127.0.0.1:0", "--data-dir", "hub"];
        let settings: Vec<_> = [("STK_HUB_OPERATOR_TOKEN", OPERATOR)].iter().chain(settings).copied().collect();
        let server = StkServer::start(dir, &args, &settings, "\"ready\"").await?;
        let url = server.ready()["url"].as_str().context("ready has a url")?.to_owned();
        Ok(Self { server, http: Client::new(), url })
    }

    /// Asks with any token; status, ETag and bytes.
    pub async fn ask(
        &self,
        token: Option<&str>,
        path: &str,
        etag: Option<&str>,
    ) -> Result<(u16, Option<String>, Vec<u8>)> {
        get(&self.http, &self.url, token, path, etag).await
    }

    /// Asks as the operator, and must succeed.
    pub async fn operate(&self, method: Method, path: &str, body: &Json) -> Result<Json> {
        let mut request = self.http.request(method, format!("{}{path}", self.url)).bearer_auth(OPERATOR);
        if !body.is_null() {
            request = request.json(body);
        }
        let response = request.send().await?;
        let (status, bytes) = (response.status(), response.bytes().await?);
        anyhow::ensure!(status.is_success(), "{path}: {status} {}", String::from_utf8_lossy(&bytes));
        Ok(serde_json::from_slice(&bytes).unwrap_or_default())
    }

    /// Its public signing key.
    pub async fn key(&self) -> Result<String> {
        let keys = self.operate(Method::GET, "/v1/keys", &Json::Null).await?;
        keys["keys"][0]["key"].as_str().map(str::to_owned).context("a key")
    }

    /// A token for Bridges of some envs, `project/env`.
    pub async fn service_token(&self, envs: &[&str]) -> Result<String> {
        let wanted = serde_json::json!({"name": "fleet", "envs": envs});
        let made = self.operate(Method::POST, "/v1/service-tokens", &wanted).await?;
        made["token"].as_str().map(str::to_owned).context("a token")
    }

    /// Where Bridges connect, if that is a listener of its own.
    pub fn internal_url(&self) -> Option<String> {
        self.server.ready()["internalUrl"].as_str().map(str::to_owned)
    }

    /// All that it wrote so far.
    pub fn output(&self) -> String {
        self.server.output()
    }

    /// SIGKILL.
    pub async fn kill(self) -> Result<()> {
        self.server.kill().await
    }
}

impl Bridge {
    /// Starts one with a folder to work in and its settings; listeners take free ports, callers have no rate, the end no grace.
    pub async fn start(dir: &Path, settings: &[(&str, &str)]) -> Result<Self> {
        // Nobody balances load to it, and a test may send more than a caller.
        let own = [
            ("STK_BRIDGE_LISTEN", "127.0.0.1:0"),
            ("STK_BRIDGE_METRICS_LISTEN", "127.0.0.1:0"),
            ("STK_BRIDGE_DRAIN_GRACE", "0s"),
            ("STK_BRIDGE_API_KEY_RATE", "off"),
            ("STK_BRIDGE_ADDRESS_RATE", "off"),
        ];
        let settings: Vec<_> = own.iter().chain(settings).copied().collect();
        let server = StkServer::start(dir, &["bridge", "serve", "--json"], &settings, "\"ready\"").await?;
        let ready = server.ready();
        let client = BridgeClient::new(ready["url"].as_str().context("ready has a url")?);
        let metrics = ready["metricsUrl"].as_str().context("ready has a metricsUrl")?;
        let scrape = BridgeClient::new(metrics.trim_end_matches("/metrics"));
        Ok(Self { server, scrape, client })
    }

    /// What it says of its first env on the operators' listener; the status of `/readyz` is `httpStatus`.
    pub async fn readiness(&self) -> Result<Json> {
        let answer = self.scrape.get("/readyz").await?;
        let mut env = answer.body["envs"][0].clone();
        env["httpStatus"] = answer.status.into();
        Ok(env)
    }

    /// Its numbers, as a scraper reads them.
    pub async fn metrics(&self) -> Result<String> {
        let answer = self.scrape.get("/metrics").await?;
        answer.body.as_str().map(str::to_owned).context("metrics are text")
    }

    /// Waits for what it says of its first env.
    pub async fn until(&self, what: &str, is_so: impl Fn(&Json) -> bool) -> Result<Json> {
        let mut env = Json::Null;
        for _ in 0..LOOKS {
            env = self.readiness().await?;
            if is_so(&env) {
                return Ok(env);
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        bail!("the Bridge did not become {what}: {env}; its output:\n{}", self.output())
    }

    /// Waits for a state.
    pub async fn until_state(&self, state: &str) -> Result<Json> {
        self.until(state, |env| env["state"] == state).await
    }

    /// All that it wrote so far.
    pub fn output(&self) -> String {
        self.server.output()
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.server.pid()
    }

    /// Where it takes operators.
    pub fn admin_url(&self) -> String {
        self.server.ready()["adminUrl"].as_str().unwrap_or_default().to_owned()
    }

    /// SIGTERM; its exit code once it has ended.
    pub async fn end(self) -> Result<i32> {
        self.server.end().await
    }

    /// SIGKILL.
    pub async fn kill(self) -> Result<()> {
        self.server.kill().await
    }
}

/// Asks any address; status, ETag and bytes.
pub async fn get(
    http: &Client,
    url: &str,
    token: Option<&str>,
    path: &str,
    etag: Option<&str>,
) -> Result<(u16, Option<String>, Vec<u8>)> {
    let mut request = http.get(format!("{url}{path}"));
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    if let Some(etag) = etag {
        request = request.header("if-none-match", etag);
    }
    let response = request.send().await?;
    let etag = response.headers().get("etag").and_then(|value| value.to_str().ok()).map(str::to_owned);
    Ok((response.status().as_u16(), etag, response.bytes().await?.to_vec()))
}

/// Waits until something holds; `what` names it.
pub async fn until(what: &str, is_so: impl Fn() -> bool) -> Result<()> {
    for _ in 0..LOOKS {
        if is_so() {
            return Ok(());
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
    bail!("waited in vain: {what}")
}
