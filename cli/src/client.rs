//! The client of the Hub's operator API (`/v1`): credentials, errors with their codes, and bounded answers.

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use reqwest::{Client, Method, Response, StatusCode, Url};
use santokit_core::{problem::ProblemBody, release::Digest, wire::Sealed};
use serde_json::Value as Json;

use crate::{
    context::Context,
    failure::{Exit, Failure},
    session::{Bearer, Login},
};

/// Migrations run within an apply.
const ANSWER_MAX: Duration = Duration::from_mins(10);
const CONNECT_MAX: Duration = Duration::from_secs(5);

/// One Hub, one operator.
#[derive(Clone, Debug)]
pub struct HubClient {
    http: Client,
    base: Url,
    /// None where nobody is logged in, and nobody has to be.
    bearer: Option<Bearer>,
}

impl HubClient {
    /// For what the context names.
    pub fn of(context: &Context) -> anyhow::Result<Self> {
        let missing = |what: &str, hint: &str| Failure::usage(format!("no {what} is known")).hint(hint);
        let url = context.hub_url.as_deref().ok_or_else(|| {
            missing(
                "Hub",
                "say --hub-url URL, or keep one with `stk context set --hub-url URL`; without a Hub, use `stk dev`",
            )
        })?;
        if let Some(token) = context.token.clone() {
            return Self::new(url, token);
        }
        match Login::of(url)? {
            Some(login) => Self::with(url, Some(Bearer::Login(Arc::new(login)))),
            None => Err(missing("login at the Hub", "log in with `stk login`, or set STK_TOKEN").into()),
        }
    }

    /// With the login that is kept, whatever token the context has.
    pub fn logged_in(url: &str) -> anyhow::Result<Self> {
        Self::with(url, Login::of(url)?.map(|login| Bearer::Login(Arc::new(login))))
    }

    /// For what is asked before one is logged in.
    pub fn open(url: &str) -> anyhow::Result<Self> {
        Self::with(url, None)
    }

    /// For an address and a token.
    pub fn new(url: &str, token: Sealed) -> anyhow::Result<Self> {
        Self::with(url, Some(Bearer::Token(token)))
    }

    fn with(url: &str, bearer: Option<Bearer>) -> anyhow::Result<Self> {
        let base = Url::parse(&format!("{}/", url.trim_end_matches('/')))
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https"))
            .ok_or_else(|| {
                Failure::usage(format!("{url:?} is no address of a Hub")).hint("it looks like https://hub.example.com")
            })?;
        let http = Client::builder()
            .connect_timeout(CONNECT_MAX)
            .timeout(ANSWER_MAX)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .context("cannot make an HTTP client")?;
        Ok(Self { http, base, bearer })
    }

    /// `GET`.
    pub async fn get(&self, path: &[&str]) -> anyhow::Result<Json> {
        self.json(Method::GET, path, None).await
    }

    /// `GET` with a query.
    pub async fn find(&self, path: &[&str], query: &[(&str, String)]) -> anyhow::Result<Json> {
        let request = self.http.get(self.url(path)?).query(query);
        let bytes = answered(self.send(request).await?).await?.bytes().await.context("the Hub's answer was cut off")?;
        serde_json::from_slice(&bytes).context("the Hub's answer is no JSON; is it a Hub?")
    }

    /// `POST` with a body.
    pub async fn post(&self, path: &[&str], body: &Json) -> anyhow::Result<Json> {
        self.json(Method::POST, path, Some(body)).await
    }

    /// `PUT` with a body.
    pub async fn put(&self, path: &[&str], body: &Json) -> anyhow::Result<Json> {
        self.json(Method::PUT, path, Some(body)).await
    }

    /// `DELETE`.
    pub async fn delete(&self, path: &[&str]) -> anyhow::Result<Json> {
        self.json(Method::DELETE, path, None).await
    }

    /// `DELETE` with a query.
    pub async fn delete_with(&self, path: &[&str], query: &[(&str, &str)]) -> anyhow::Result<Json> {
        let request = self.http.delete(self.url(path)?).query(query);
        let bytes = answered(self.send(request).await?).await?.bytes().await.context("the Hub's answer was cut off")?;
        serde_json::from_slice(&bytes).context("the Hub's answer is no JSON; is it a Hub?")
    }

    /// Whether the Hub has a component already.
    pub async fn has_blob(&self, project: &str, digest: &Digest) -> anyhow::Result<bool> {
        let path = ["v1", "projects", project, "blobs", digest.as_str()];
        let response = self.send(self.http.request(Method::HEAD, self.url(&path)?)).await?;
        match response.status() {
            StatusCode::NOT_FOUND => Ok(false),
            _ => answered(response).await.map(|_| true),
        }
    }

    /// Uploads a component under its digest.
    pub async fn put_blob(&self, project: &str, digest: &Digest, bytes: Vec<u8>) -> anyhow::Result<()> {
        let path = ["v1", "projects", project, "blobs", digest.as_str()];
        let request = self.http.put(self.url(&path)?).header("content-type", "application/wasm").body(bytes);
        answered(self.send(request).await?).await.map(|_| ())
    }

    /// Downloads bytes.
    pub async fn bytes(&self, path: &[&str]) -> anyhow::Result<Vec<u8>> {
        let response = answered(self.send(self.http.get(self.url(path)?)).await?).await?;
        Ok(response.bytes().await.context("the Hub's answer was cut off")?.to_vec())
    }

    /// `POST` whose answer is written out as it comes; how many bytes.
    pub async fn download(
        &self,
        path: &[&str],
        out: &mut impl std::io::Write,
        mut came: impl FnMut(u64),
    ) -> anyhow::Result<u64> {
        let mut response = answered(self.send(self.http.post(self.url(path)?)).await?).await?;
        let mut length = 0;
        while let Some(bytes) = response.chunk().await.context("the Hub's answer was cut off")? {
            out.write_all(&bytes)?;
            length += bytes.len() as u64;
            came(length);
        }
        Ok(length)
    }

    async fn json(&self, method: Method, path: &[&str], body: Option<&Json>) -> anyhow::Result<Json> {
        let mut request = self.http.request(method, self.url(path)?);
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = answered(self.send(request).await?).await?;
        let bytes = response.bytes().await.context("the Hub's answer was cut off")?;
        if bytes.is_empty() {
            return Ok(Json::Null);
        }
        serde_json::from_slice(&bytes).context("the Hub's answer is no JSON; is it a Hub?")
    }

    fn url(&self, path: &[&str]) -> anyhow::Result<Url> {
        let mut url = self.base.clone();
        url.path_segments_mut()
            .map_err(|()| Failure::usage("the Hub's address has no path"))?
            .pop_if_empty()
            .extend(path);
        Ok(url)
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> anyhow::Result<Response> {
        let request = request.header("user-agent", concat!("stk/", env!("CARGO_PKG_VERSION")));
        let sent = async |request: reqwest::RequestBuilder| {
            request.send().await.map_err(|error| unreachable("the Hub", self.base.as_str(), &error))
        };
        let login = match &self.bearer {
            None => return sent(request).await,
            Some(Bearer::Token(token)) => return sent(request.bearer_auth(token.expose())).await,
            Some(Bearer::Login(login)) => login,
        };
        let again = request.try_clone();
        let token = login.access(&self.http, &self.base, None).await?;
        let response = sent(request.bearer_auth(token.expose())).await?;
        match again {
            // By the Hub's clock it is over already.
            Some(again) if response.status() == StatusCode::UNAUTHORIZED => {
                let token = login.access(&self.http, &self.base, Some(&token)).await?;
                sent(again.bearer_auth(token.expose())).await
            }
            _ => Ok(response),
        }
    }
}

/// What it means that no answer came.
pub fn unreachable(who: &str, url: &str, error: &reqwest::Error) -> anyhow::Error {
    let why = if error.is_timeout() {
        "it took too long".to_owned()
    } else {
        let mut cause: &dyn std::error::Error = error;
        while let Some(source) = cause.source() {
            cause = source;
        }
        cause.to_string()
    };
    Failure::new(Exit::Unreachable, format!("{who} at {url} does not answer: {why}"))
        .hint("check the address and that it runs")
        .into()
}

/// The answer, or what the Hub says is wrong.
pub(crate) async fn answered(response: Response) -> anyhow::Result<Response> {
    #[derive(serde::Deserialize)]
    struct Body {
        error: ProblemBody,
    }
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let bytes = response.bytes().await.unwrap_or_default();
    let failure = if let Ok(body) = serde_json::from_slice::<Body>(&bytes) {
        Failure::from_body(body.error)
    } else {
        let exit = if status.is_server_error() { Exit::Unreachable } else { Exit::Failed };
        Failure::new(exit, format!("the Hub answered {status}")).hint("check that the address is the one of a Hub")
    };
    Err(failure.into())
}
