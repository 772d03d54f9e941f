//! Trying the way to the Hub step by step, as an operator does who wants to know where it ends. Nothing is loaded and nothing is
//! reported: it asks what a Bridge asks, and looks at the answers.

use std::{
    error::Error,
    io,
    net::{IpAddr, SocketAddr},
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use reqwest::{StatusCode, Url};
use santokit_core::release::verify;
use serde::Serialize;
use tokio::{net::TcpStream, time::timeout};

use super::fetch::{ClientError, Conditional, FetchError, HubClient};
use crate::config::{BridgeConfig, EnvName};

/// How often the time of an answer is taken.
const ROUNDS: u32 = 5;
/// As the Hub says it of a Bridge.
const SKEW_SECONDS_MAX: i64 = 10;

/// How a step went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// As it should.
    Ok,
    /// It works, and should be looked at.
    Warning,
    /// Here the way ends.
    Failed,
    /// What comes before failed.
    Skipped,
}

/// A step on the way.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    /// `dns`, `tcp`, `tls`, `token`, `clock`, `latency`, or `project/env`.
    pub name: String,
    /// How it went.
    pub state: State,
    /// What was found.
    pub found: String,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub todo: Option<String>,
}

/// Collects the steps; what comes after one that failed is skipped.
struct Way(Vec<Step>);

impl Way {
    fn add(&mut self, name: &str, state: State, found: impl Into<String>, todo: Option<&str>) {
        self.0.push(Step { name: name.to_owned(), state, found: found.into(), todo: todo.map(str::to_owned) });
    }

    fn ok(&mut self, name: &str, found: impl Into<String>) {
        self.add(name, State::Ok, found, None);
    }

    fn fail(&mut self, name: &str, found: impl Into<String>, todo: &str) {
        self.add(name, State::Failed, found, Some(todo));
    }

    fn has_failed(&self) -> bool {
        self.0.iter().any(|step| step.state == State::Failed)
    }
}

/// Tries all steps. They stand in their order, and every one that there is stands there.
pub async fn try_all(config: &BridgeConfig) -> Result<Vec<Step>, ClientError> {
    let hub = HubClient::new(config)?;
    let mut way = Way(Vec::new());
    let is_proxied = proxy_of(&config.hub_url).is_some();
    reach(config, &mut way, is_proxied).await;
    if !way.has_failed() {
        ask(config, &hub, &mut way).await;
    }
    let names = ["dns", "tcp", "tls", "token", "clock", "latency"].map(str::to_owned).into_iter();
    for name in names.chain(config.envs.iter().map(ToString::to_string)) {
        if !way.0.iter().any(|step| step.name == name) {
            way.add(&name, State::Skipped, "not tried", None);
        }
    }
    Ok(way.0)
}

/// The name, and a connection to one of its addresses.
async fn reach(config: &BridgeConfig, way: &mut Way, is_proxied: bool) {
    let (host, port) =
        (config.hub_url.host_str().unwrap_or_default(), config.hub_url.port_or_known_default().unwrap_or(80));
    if is_proxied {
        let proxy = proxy_of(&config.hub_url).unwrap_or_default();
        way.ok("dns", format!("not needed: {proxy} names a proxy"));
        way.ok("tcp", "not needed: by the proxy");
        return;
    }
    let found = timeout(config.hub_timeout, tokio::net::lookup_host((bare(&config.hub_url), port))).await;
    let addresses: Vec<SocketAddr> = match found {
        Ok(Ok(addresses)) => addresses.collect(),
        Ok(Err(error)) => {
            return way.fail("dns", format!("{host}: {error}"), "the name in hubUrl, and the resolver of this machine");
        }
        Err(_) => {
            return way.fail(
                "dns",
                format!("{host}: no answer in {:?}", config.hub_timeout),
                "the resolver of this machine",
            );
        }
    };
    let shown: Vec<String> = addresses.iter().map(|address| address.ip().to_string()).collect();
    way.ok("dns", format!("{host} is {}", shown.join(", ")));
    let mut errors = Vec::new();
    for address in &addresses {
        match timeout(config.hub_timeout, TcpStream::connect(address)).await {
            Ok(Ok(_)) => return way.ok("tcp", format!("connected to {address}")),
            Ok(Err(error)) => errors.push((address, error)),
            Err(_) => errors.push((address, io::ErrorKind::TimedOut.into())),
        }
    }
    let is_refused = errors.iter().any(|(_, error)| error.kind() == io::ErrorKind::ConnectionRefused);
    let told: Vec<String> = errors.iter().map(|(address, error)| format!("{address}: {error}")).collect();
    let todo = if is_refused {
        "the port in hubUrl, and whether the Hub runs"
    } else {
        "firewalls and routes between here and the Hub"
    };
    way.fail("tcp", told.join("; "), todo);
}

/// What only the Hub can answer.
async fn ask(config: &BridgeConfig, hub: &HubClient, way: &mut Way) {
    let is_tls = config.hub_url.scheme() == "https";
    let answered = hub.health().await;
    match &answered {
        Err(FetchError::Away(error)) if is_tls && error.is_connect() => {
            let todo = match config.hub_ca_file {
                Some(_) => "the authorities in hubCaFile, the host in hubUrl, and the Hub's certificate",
                None => "the Hub's certificate; where it is of an authority of your own, set hubCaFile",
            };
            return way.fail("tls", innermost(error), todo);
        }
        _ if is_tls => way.ok("tls", "the Hub's certificate is of an authority that is trusted, and names the host"),
        _ if is_local(&config.hub_url) => way.ok("tls", "not used: the Hub is on this machine"),
        _ => way.add(
            "tls",
            State::Warning,
            "not used: whoever is in between reads tokens and secrets",
            Some("give the Hub a certificate (STK_HUB_TLS_CERT) and use https://"),
        ),
    }
    let date = match answered {
        Ok((StatusCode::OK, date)) => date,
        Ok((StatusCode::UNAUTHORIZED, _)) => {
            return way.fail(
                "token",
                "the Hub does not know the serviceToken",
                "`stk hub token create`; it may have been revoked",
            );
        }
        Ok((StatusCode::NOT_FOUND, _)) => {
            return way.fail(
                "token",
                "there is no /internal here",
                "hubUrl: is it a Hub's, and its listener for Bridges (STK_HUB_INTERNAL_LISTEN)?",
            );
        }
        Ok((status, _)) => return way.fail("token", format!("the Hub answered {status}"), "the Hub's log"),
        Err(FetchError::Away(error)) if error.is_timeout() => {
            return way.fail(
                "token",
                format!("no answer in {:?}", config.hub_timeout),
                "the Hub is slow, or what stands before it is no Hub; see hubTimeout",
            );
        }
        Err(error) => return way.fail("token", in_words(&error), "whether a Hub listens there"),
    };
    way.ok("token", "the Hub takes the serviceToken");
    clock(date, way);
    latency(hub, way).await;
    for env in &config.envs {
        one_env(config, hub, env, way).await;
    }
}

fn clock(date: Option<DateTime<Utc>>, way: &mut Way) {
    let Some(date) = date else { return way.add("clock", State::Warning, "the Hub did not tell its time", None) };
    let skew = (Utc::now() - date).num_seconds();
    let found = format!("{} s from the Hub's, to the second", skew.abs());
    if skew.abs() > SKEW_SECONDS_MAX {
        way.add(
            "clock",
            State::Warning,
            found,
            Some("let both keep time by NTP: keys and operators' tokens expire by their clocks"),
        );
    } else {
        way.ok("clock", found);
    }
}

async fn latency(hub: &HubClient, way: &mut Way) {
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        let began = Instant::now();
        if hub.health().await.is_ok() {
            times.push(began.elapsed());
        }
    }
    times.sort_unstable();
    match (times.first(), times.get(times.len() / 2), times.last()) {
        (Some(least), Some(middle), Some(most)) => {
            let ms = |time: &Duration| format!("{:.1}", time.as_secs_f64() * 1e3);
            let found = format!(
                "{} of {ROUNDS} answers in {} / {} / {} ms (least, middle, most)",
                times.len(),
                ms(least),
                ms(middle),
                ms(most)
            );
            let state = if times.len() == ROUNDS as usize { State::Ok } else { State::Warning };
            way.add("latency", state, found, None);
        }
        _ => way.add("latency", State::Warning, "no answer came again", None),
    }
}

/// Whether the token is for it, and whether what it points to would be believed.
async fn one_env(config: &BridgeConfig, hub: &HubClient, env: &EnvName, way: &mut Way) {
    let name = env.to_string();
    match hub.current(env, None, Duration::ZERO).await {
        Ok(Conditional::New(current, _)) => {
            match verify::pointer(&current.pointer, &config.trust, &env.project, &env.env) {
                Ok(pointer) => {
                    way.ok(&name, format!("points to {} (sequence {})", pointer.release_id, pointer.sequence));
                }
                Err(error) => {
                    way.fail(&name, error.to_string(), "trustedKeys: `stk keys list` shows whose signatures are on it");
                }
            }
        }
        Ok(Conditional::Absent | Conditional::Unchanged) => {
            way.add(&name, State::Warning, "nothing was applied to it yet", Some("`stk apply`"));
        }
        Err(FetchError::Status { status: StatusCode::FORBIDDEN, .. }) => {
            way.fail(&name, "the serviceToken is not for it", &format!("`stk hub token create NAME --for {name}`"));
        }
        Err(error) => way.fail(&name, in_words(&error), "the Hub's log"),
    }
}

/// An IPv6 address has brackets in a URL, and nowhere else.
fn bare(url: &Url) -> String {
    url.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']').to_owned()
}

fn is_local(url: &Url) -> bool {
    let host = bare(url);
    host.parse::<IpAddr>().map_or(host == "localhost", |address| address.is_loopback())
}

/// The variable that names a proxy for an address, if one does. What a client does with it in detail is its own.
fn proxy_of(url: &Url) -> Option<String> {
    let own = format!("{}_proxy", url.scheme());
    let names = [own.to_uppercase(), own, "ALL_PROXY".to_owned(), "all_proxy".to_owned()];
    names.into_iter().find(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()))
}

fn in_words(error: &FetchError) -> String {
    match error.source() {
        Some(_) => format!("{error}: {}", innermost(error)),
        None => error.to_string(),
    }
}

fn innermost(error: &dyn Error) -> String {
    let mut inner = error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    inner.to_string()
}
