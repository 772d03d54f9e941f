//! Asking a Bridge itself, at its listener for operators: which Bridges there are, the Hub's token for one request, what is told where it is
//! refused, and asking any of them what each can answer. What is asked of every one is a matter of who asks.

use std::time::Duration;

use anyhow::Context as _;
use reqwest::{Client, RequestBuilder, Response, Url};
use santokit_core::{admin::Deed, problem::ProblemBody};
use serde::Deserialize;
use serde_json::{Value as Json, json};

use crate::{
    client::{HubClient, unreachable},
    command::Shell,
    context::Target,
    failure::{Exit, Failure, exit_of},
    report::cell,
};

const CONNECT_MAX: Duration = Duration::from_secs(5);

/// Which Bridge, in which env.
#[derive(Debug, clap::Args)]
pub(crate) struct At {
    /// One Bridge, from `stk bridge status`; default: those of the env that have a listener for operators
    #[arg(long, value_name = "ID")]
    pub(crate) bridge: Option<String>,
    /// Where that Bridge takes operators; default: what its own settings say
    #[arg(long, value_name = "URL", requires = "bridge")]
    pub(crate) url: Option<String>,
    /// The Hub, project and env.
    #[command(flatten)]
    pub(crate) target: Target,
}

/// Bridges of an env, as somebody has named them.
pub(crate) struct Bridges {
    pub(crate) hub: HubClient,
    pub(crate) project: String,
    pub(crate) env: String,
    pub(crate) http: Client,
    /// One at least.
    pub(crate) ids: Vec<String>,
    pub(crate) url: Option<String>,
}

/// Where one request goes, and with what.
pub(crate) struct Asked {
    /// Of the deed at the env.
    pub(crate) url: Url,
    told: String,
    token: String,
}

/// What a Bridge answers that refuses.
#[derive(Deserialize)]
struct Body {
    error: ProblemBody,
}

/// A client that follows nobody elsewhere: it carries tokens.
pub(crate) fn client(answer_max: Option<Duration>) -> anyhow::Result<Client> {
    let mut client = Client::builder().connect_timeout(CONNECT_MAX).redirect(reqwest::redirect::Policy::none());
    if let Some(most) = answer_max {
        client = client.timeout(most);
    }
    client.build().context("cannot make an HTTP client")
}

/// Every Bridge of an env that can be asked.
pub(crate) async fn bridges(hub: &HubClient, (project, env): (&str, &str)) -> anyhow::Result<Vec<String>> {
    let answer = hub.get(&["v1", "projects", project, "envs", env, "bridges"]).await?;
    let bridges = answer["bridges"].as_array().into_iter().flatten();
    let can_be_asked = bridges.filter(|bridge: &&Json| bridge["standing"]["admin"].is_object());
    let ids: Vec<String> = can_be_asked.map(|bridge| cell(&bridge["id"])).collect();
    if ids.is_empty() {
        return Err(Failure::failed(format!("no Bridge of {project}/{env} has a listener for operators"))
            .hint("start them with STK_BRIDGE_ADMIN_LISTEN and STK_BRIDGE_ADMIN_URL")
            .into());
    }
    Ok(ids)
}

impl Bridges {
    pub(crate) async fn of(at: &At, shell: &Shell, answer_max: Option<Duration>) -> anyhow::Result<Self> {
        let (hub, context) = shell.hub(&at.target)?;
        let (project, env) = (context.project()?.to_owned(), context.env()?.to_owned());
        let ids = match &at.bridge {
            Some(id) => vec![id.clone()],
            None => bridges(&hub, (&project, &env)).await?,
        };
        Ok(Self { hub, project, env, http: client(answer_max)?, ids, url: at.url.clone() })
    }

    /// Asks the first that answers, and nobody else where one that did not may have done what changes something. `below` is what follows the env in its
    /// path.
    pub(crate) async fn ask(
        &self,
        (deed, job): (Deed, Option<&str>),
        below: &[&str],
        request: impl Fn(&Client, Url) -> RequestBuilder,
    ) -> anyhow::Result<Json> {
        self.ask_for(&json!({"deed": deed, "job": job}), below, request).await
    }

    /// The same with a token that says more: `of` is what the Hub is asked for.
    pub(crate) async fn ask_for(
        &self,
        of: &Json,
        below: &[&str],
        request: impl Fn(&Client, Url) -> RequestBuilder,
    ) -> anyhow::Result<Json> {
        let mut unreached = None;
        for bridge in &self.ids {
            match self.ask_one(bridge, of, below, &request).await {
                // It has answered: another would say the same.
                Err(error) if is_answer(&error) => return Err(error),
                Err(error) => drop(unreached.get_or_insert(error)),
                answer => return answer,
            }
        }
        Err(unreached.unwrap_or_else(|| Failure::failed("no Bridge answers").into()))
    }

    async fn ask_one(
        &self,
        bridge: &str,
        of: &Json,
        below: &[&str],
        request: impl Fn(&Client, Url) -> RequestBuilder,
    ) -> anyhow::Result<Json> {
        let at = (self.project.as_str(), self.env.as_str());
        let made = ("tokens", of.clone());
        let asked = Asked::made(&self.hub, at, bridge, made, self.url.as_deref(), below).await?;
        let response = asked.send(request(&self.http, asked.url.clone())).await?;
        let bytes = response.bytes().await.context("the Bridge's answer was cut off")?;
        serde_json::from_slice(&bytes).context("the Bridge answers JSON")
    }
}

/// What the Hub or a Bridge has said. One that is not ready says so with a code too.
fn is_answer(error: &anyhow::Error) -> bool {
    let has_code = error.downcast_ref::<Failure>().is_none_or(|failure| failure.code.is_some());
    has_code && exit_of(error) != Exit::Unreachable
}

impl Asked {
    /// With a token of the Hub for this one request. `url` stands before what the Bridge says of itself.
    pub(crate) async fn of(
        hub: &HubClient,
        (project, env): (&str, &str),
        bridge: &str,
        deed: Deed,
        url: Option<&str>,
    ) -> anyhow::Result<Self> {
        Self::made(hub, (project, env), bridge, ("tokens", json!({"deed": deed})), url, &[deed.as_str()]).await
    }

    /// The same for recordings: which there are, or one of them.
    pub(crate) async fn of_recordings(
        hub: &HubClient,
        at: (&str, &str),
        bridge: &str,
        recording: Option<&str>,
        url: Option<&str>,
    ) -> anyhow::Result<Self> {
        let path: Vec<&str> = [Some(Deed::Recordings.as_str()), recording].into_iter().flatten().collect();
        Self::made(hub, at, bridge, ("recordings", json!({"recording": recording})), url, &path).await
    }

    async fn made(
        hub: &HubClient,
        (project, env): (&str, &str),
        bridge: &str,
        (route, body): (&str, Json),
        url: Option<&str>,
        below: &[&str],
    ) -> anyhow::Result<Self> {
        let path = ["v1", "projects", project, "envs", env, "bridges", bridge, route];
        let made = hub.post(&path, &body).await?;
        let told = url.map(str::to_owned).or_else(|| made["url"].as_str().map(str::to_owned)).ok_or_else(|| {
            Failure::usage(format!("Bridge {bridge} does not say where it takes operators"))
                .hint("say --url URL, or set STK_BRIDGE_ADMIN_URL at the Bridge")
        })?;
        let mut url =
            Url::parse(&told).ok().filter(|url| matches!(url.scheme(), "http" | "https")).ok_or_else(|| {
                Failure::usage(format!("{told:?} is no address of a Bridge"))
                    .hint("it looks like https://10.0.0.7:9443")
            })?;
        url.path_segments_mut()
            .map_err(|()| Failure::usage("the Bridge's address has no path"))?
            .pop_if_empty()
            .extend(["admin", "envs", project, env])
            .extend(below);
        let token = made["token"].as_str().context("the Hub answers a token")?.to_owned();
        Ok(Self { url, told, token })
    }

    /// An answer that is a success, of which nothing but the head is read.
    pub(crate) async fn send(&self, request: RequestBuilder) -> anyhow::Result<Response> {
        let (client, request) = request.bearer_auth(&self.token).build_split();
        let request = request.context("cannot make a request")?;
        let is_safe = request.method().is_safe();
        let response = client.execute(request).await.map_err(|error| {
            if is_safe || error.is_connect() {
                return unreachable("the Bridge", &self.told, &error);
            }
            // It may have been heard: another Bridge would do it a second time.
            let told =
                format!("the Bridge at {} was asked and did not answer: it may have done it, so look first", self.told);
            anyhow::Error::new(error.without_url()).context(told)
        })?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let bytes = response.bytes().await.context("the Bridge's answer was cut off")?;
        Err(match serde_json::from_slice::<Body>(&bytes) {
            Ok(body) => Failure::from_body(body.error),
            // Of a proxy before it, which may have handed it on.
            Err(_) if !is_safe && status.is_server_error() => {
                return Err(anyhow::anyhow!("{} answered {status}: it may have been done, so look first", self.told));
            }
            Err(_) => Failure::failed(format!("{} answered {status}", self.told))
                .hint("is it the Bridge's listener for operators?"),
        }
        .into())
    }
}
