//! A client of the Bridge's API, as an application would write it.

use anyhow::{Context, Result};
use reqwest::{Client, header::HeaderMap};
use serde_json::Value;

/// Calls one Bridge, with or without a key.
#[derive(Clone)]
pub struct BridgeClient {
    http: Client,
    url: String,
    key: Option<String>,
    bearer: Option<String>,
    name: Option<String>,
}

/// Status, headers and body of an answer.
#[derive(Debug)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// All headers.
    pub headers: HeaderMap,
    /// The body as JSON; null where it is none.
    pub body: Value,
}

impl BridgeClient {
    /// For a base URL such as `http://127.0.0.1:8080`.
    pub fn new(url: &str) -> Self {
        Self { http: Client::new(), url: url.trim_end_matches('/').to_owned(), key: None, bearer: None, name: None }
    }

    /// The same with an API key.
    #[must_use]
    pub fn with_key(&self, key: &str) -> Self {
        Self { key: Some(key.to_owned()), ..self.clone() }
    }

    /// The same with a token of an end user.
    #[must_use]
    pub fn with_bearer(&self, token: &str) -> Self {
        Self { bearer: Some(token.to_owned()), ..self.clone() }
    }

    /// The same as somebody who names itself, so that a canary keeps it on one side.
    #[must_use]
    pub fn named(&self, name: &str) -> Self {
        Self { name: Some(name.to_owned()), ..self.clone() }
    }

    /// Calls a logic.
    pub async fn logic(&self, name: &str, params: Value) -> Result<Answer> {
        self.post(&format!("/logics/{name}"), params.to_string()).await
    }

    /// Any POST with a JSON text.
    pub async fn post(&self, path: &str, body: String) -> Result<Answer> {
        let request =
            self.http.post(format!("{}{path}", self.url)).header("content-type", "application/json").body(body);
        self.send(request).await
    }

    /// Any GET.
    pub async fn get(&self, path: &str) -> Result<Answer> {
        self.send(self.http.get(format!("{}{path}", self.url))).await
    }

    /// Sends a request that was made by hand.
    pub async fn send(&self, mut request: reqwest::RequestBuilder) -> Result<Answer> {
        if let Some(key) = &self.key {
            request = request.header("x-santokit-api-key", key);
        }
        if let Some(token) = &self.bearer {
            request = request.bearer_auth(token);
        }
        if let Some(name) = &self.name {
            request = request.header("x-santokit-sticky", name);
        }
        let response = request.send().await.context("the Bridge answers")?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await.context("the body arrives")?;
        Ok(Answer { status, headers, body: serde_json::from_str(&text).unwrap_or(Value::String(text)) })
    }

    /// The base URL.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The HTTP client, for requests made by hand.
    pub fn http(&self) -> &Client {
        &self.http
    }
}

impl Answer {
    /// `error.code`, empty where there is none.
    pub fn code(&self) -> &str {
        self.body["error"]["code"].as_str().unwrap_or_default()
    }

    /// `error.details.limit`, empty where there is none.
    pub fn limit(&self) -> &str {
        self.body["error"]["details"]["limit"].as_str().unwrap_or_default()
    }

    /// The release that answered.
    pub fn release(&self) -> &str {
        self.headers.get("x-santokit-release").and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}
