//! A client of a Bridge: calls with the shop's key, and what an answer says.

use std::time::Duration;

use anyhow::{Context as _, bail};
use serde_json::Value;

use super::shop;

/// Where a Bridge looks for an API key.
pub(crate) const KEY_HEADER: &str = "X-Santokit-Api-Key";
const RELEASE_HEADER: &str = "X-Santokit-Release";
/// Longer than any answer may take: what needs longer has failed.
const TIMEOUT: Duration = Duration::from_secs(15);

/// Keeps its connections; every clone shares them.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    agent: ureq::Agent,
    url: String,
}

/// What a call was answered.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// The release that answered.
    pub(crate) release: Option<String>,
    pub(crate) body: Value,
}

impl Client {
    pub(crate) fn new(url: &str) -> Self {
        let config = ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(TIMEOUT)).build();
        Self { agent: config.into(), url: url.to_owned() }
    }

    /// Calls a path with parameters.
    pub(crate) fn call(&self, path: &str, params: &Value) -> anyhow::Result<Answer> {
        let mut response = self
            .agent
            .post(format!("{}/{path}", self.url))
            .header("Content-Type", "application/json")
            .header(KEY_HEADER, shop::KEY)
            .send(params.to_string())
            .with_context(|| format!("no answer from {path}"))?;
        let release = response.headers().get(RELEASE_HEADER).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let text = response.body_mut().read_to_string().with_context(|| format!("{path} ended in the middle"))?;
        let body = serde_json::from_str(&text).with_context(|| format!("{path} did not answer JSON: {text}"))?;
        Ok(Answer { status: response.status().as_u16(), release, body })
    }

    /// Whether the Bridge says that it can serve.
    pub(crate) fn is_ready(&self) -> bool {
        let answer = self.agent.get(format!("{}/readyz", self.url)).call();
        answer.is_ok_and(|response| response.status().as_u16() == 200)
    }
}

impl Answer {
    pub(crate) fn expect_status(self, status: u16) -> anyhow::Result<Self> {
        if self.status != status {
            bail!("answered {} instead of {status}: {}", self.status, self.body);
        }
        Ok(self)
    }

    pub(crate) fn expect_code(&self, code: &str) -> anyhow::Result<()> {
        if self.body["error"]["code"] != code {
            bail!("answered the code {} instead of {code}", self.body["error"]["code"]);
        }
        Ok(())
    }
}
