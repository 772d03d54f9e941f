//! `stk call`: one call of a Bridge, as an application would make it.

use std::io::Read;

use anyhow::Context as _;
use reqwest::Url;
use santokit_core::problem::ProblemBody;
use serde_json::{Map, Value as Json, json};

use super::Shell;
use crate::{client::unreachable, dev::plane::Announced, failure::Failure, report::printable};

/// Flags of `stk call`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  stk call logics/quote '{\"productId\": \"p-0002\"}'\n  stk call logics/purchase @params.json --key stk_app.secret\n  stk call db/orders/select --user-token \"$(stk auth issue-token --sub anna)\""
)]
pub struct Options {
    /// For example logics/quote
    pub path: String,
    /// The params in JSON, @FILE, or - for standard input
    #[arg(default_value = "{}")]
    pub params: String,
    /// Where and as whom
    #[command(flatten)]
    pub at: At,
}

/// Where and as whom a Bridge is called.
#[derive(Debug, clap::Args)]
pub struct At {
    /// The Bridge; default: the `stk dev` that runs in this folder, else http://127.0.0.1:8080
    #[arg(long, env = "STK_BRIDGE_URL", value_name = "URL")]
    pub url: Option<String>,
    /// An API key
    #[arg(long, env = "STK_API_KEY", hide_env_values = true, value_name = "KEY")]
    pub key: Option<String>,
    /// A token of an end user, from `stk auth issue-token`; it stands before a key
    #[arg(long, env = "STK_USER_TOKEN", hide_env_values = true, value_name = "TOKEN")]
    pub user_token: Option<String>,
    /// The project, where the Bridge serves several
    #[arg(long, env = "STK_PROJECT", value_name = "NAME")]
    pub project: Option<String>,
    /// The env, where the Bridge serves several
    #[arg(long, env = "STK_ENV", value_name = "NAME")]
    pub env: Option<String>,
    /// Show status, release and request id as well
    #[arg(long, short)]
    pub verbose: bool,
}

/// Where and as whom a call is made.
#[derive(Debug)]
pub struct Caller {
    /// Of the Bridge.
    pub url: String,
    /// An API key.
    pub key: Option<String>,
    /// A token of an end user.
    pub user_token: Option<String>,
    /// Routing hints: project and env.
    pub hints: (Option<String>, Option<String>),
    /// A W3C trace context to send along.
    pub trace: Option<String>,
}

/// What a Bridge answered.
#[derive(Debug)]
pub struct Answered {
    /// HTTP status.
    pub status: u16,
    /// `X-Santokit-Release`.
    pub release: String,
    /// `X-Request-Id`.
    pub request_id: String,
    /// The body.
    pub body: Json,
}

/// Runs it.
pub async fn run(options: &Options, shell: &Shell) -> anyhow::Result<()> {
    call(&options.path, &options.params, &options.at, shell).await
}

/// Makes a call, and shows what came of it.
pub(super) async fn call(path: &str, params: &str, options: &At, shell: &Shell) -> anyhow::Result<()> {
    let params = read_params(params)?;
    let announced = || shell.folder().ok().and_then(|folder| Announced::of(&folder)).map(|dev| dev.url);
    let url = options.url.clone().or_else(announced).unwrap_or_else(|| "http://127.0.0.1:8080".to_owned());
    let hints = (options.project.clone(), options.env.clone());
    let user_token = options.user_token.clone();
    let key = options.key.clone().filter(|_| user_token.is_none());
    let caller = Caller { url, key, user_token, hints, trace: None };
    let answered = caller.call(path, &params).await?;
    if options.verbose {
        shell.terminal.note(&printable(&format!(
            "{} release={} request={}",
            answered.status, answered.release, answered.request_id
        )));
    }
    answered.show(shell)
}

/// JSON from the command line, a file or standard input.
pub fn read_params(text: &str) -> anyhow::Result<Json> {
    let read = if text == "-" {
        let mut read = String::new();
        std::io::stdin().lock().take(64 << 20).read_to_string(&mut read).context("cannot read standard input")?;
        read
    } else if let Some(path) = text.strip_prefix('@') {
        std::fs::read_to_string(path).with_context(|| format!("cannot read {path}"))?
    } else {
        text.to_owned()
    };
    let value: Json = serde_json::from_str(&read).map_err(|error| {
        Failure::usage(format!("the params are no JSON: {error}")).hint("quote them for your shell: '{\"limit\": 3}'")
    })?;
    if value.is_object() {
        Ok(value)
    } else {
        Err(Failure::usage("the params are no JSON object").hint("for example '{}'").into())
    }
}

impl Caller {
    /// Makes the call.
    pub async fn call(&self, path: &str, params: &Json) -> anyhow::Result<Answered> {
        let base = Url::parse(&format!("{}/", self.url.trim_end_matches('/'))).map_err(|_| {
            Failure::usage(format!("{:?} is no URL", self.url)).hint("it looks like http://127.0.0.1:8080")
        })?;
        let mut url = base.clone();
        url.path_segments_mut()
            .map_err(|()| Failure::usage("the Bridge's address has no path"))?
            .pop_if_empty()
            .extend(path.trim_matches('/').split('/'));
        let mut request = reqwest::Client::new().post(url).json(params);
        if let Some(key) = &self.key {
            request = request.header("x-santokit-api-key", key);
        }
        if let Some(token) = &self.user_token {
            request = request.bearer_auth(token);
        }
        for (name, hint) in
            [("x-santokit-project", &self.hints.0), ("x-santokit-env", &self.hints.1), ("traceparent", &self.trace)]
        {
            if let Some(hint) = hint {
                request = request.header(name, hint);
            }
        }
        let response = request.send().await.map_err(|error| unreachable("the Bridge", base.as_str(), &error))?;
        let header = |name: &str| {
            response.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
        };
        let (status, release, request_id) =
            (response.status().as_u16(), header("x-santokit-release"), header("x-request-id"));
        let text = response.text().await.context("the Bridge's answer was cut off")?;
        let body = serde_json::from_str(&text)
            .map_err(|_| Failure::failed(format!("{base} answered {status} and no JSON")).hint("is it a Bridge?"))?;
        Ok(Answered { status, release, request_id, body })
    }
}

impl Answered {
    /// The data on standard output; an error as the command's own.
    pub fn show(mut self, shell: &Shell) -> anyhow::Result<()> {
        if self.status < 400 {
            shell.terminal.answer(&self.body, |terminal| {
                let data = self.body.get("data").unwrap_or(&self.body);
                terminal.say(&printable(&serde_json::to_string_pretty(data).unwrap_or_default()));
            });
            return Ok(());
        }
        let body: ProblemBody = serde_json::from_value(self.body["error"].take())
            .map_err(|_| Failure::failed(format!("the Bridge answered {}", self.status)))?;
        let request_id = body.request_id.clone();
        let mut failure = Failure::from_body(body);
        let mut details = Map::new();
        details.append(&mut failure.details);
        details.insert("requestId".to_owned(), json!(request_id));
        failure.details = details;
        Err(failure.into())
    }
}
