//! `stk auth`: tokens of end users. One is made by the Hub and shown once; whether one is good is found out here, with public keys
//! alone.

use std::{io::Read, time::Duration};

use anyhow::Context as _;
use chrono::{DateTime, SecondsFormat, Utc};
use reqwest::Url;
use santokit_core::{
    release::VerifyingKey,
    user_token::{Claims, TOKEN_BYTES_MAX, TokenError, Unverified},
    wire::{Jwk, JwkSet},
};
use serde_json::{Value as Json, json};

use super::{Shell, call::read_params, keys};
use crate::{
    client::unreachable,
    context::{Context, Target},
    failure::Failure,
    report::{Tone, cell, printable},
};

/// A set of keys is small.
const JWKS_BYTES_MAX: usize = 1 << 20;
const ANSWER_MAX: Duration = Duration::from_secs(30);

/// The commands.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Make a token of an end user and show it, once
    #[command(
        after_help = "Example:\n  stk auth issue-token --sub anna --role customer --ttl 15m\n  stk auth issue-token --sub anna --claims '{\"tenant\": \"acme\"}'"
    )]
    IssueToken(IssueOptions),
    /// Whether a token of an end user is good, and what it says
    #[command(
        after_help = "Example:\n  stk auth verify-token eyJ…\n  stk auth verify-token - --jwks https://api.example.com/p/shop/prod/.well-known/jwks.json < token"
    )]
    VerifyToken(VerifyOptions),
}

/// Flags of `stk auth issue-token`.
#[derive(Debug, clap::Args)]
pub struct IssueOptions {
    /// Who it is: what your application calls its user
    #[arg(long, value_name = "ID")]
    pub sub: String,
    /// A role that it may act as; more than one may be named
    #[arg(long = "role", value_name = "ROLE")]
    pub roles: Vec<String>,
    /// More that conditions see, as request.auth.claims: JSON, @FILE, or - for standard input
    #[arg(long, value_name = "JSON")]
    pub claims: Option<String>,
    /// For how long; default and most: the Hub's setting, 1h
    #[arg(long, value_name = "DURATION")]
    pub ttl: Option<String>,
    /// The Hub, project and env.
    #[command(flatten)]
    pub target: Target,
}

/// Flags of `stk auth verify-token`.
#[derive(Debug, clap::Args)]
pub struct VerifyOptions {
    /// The token, or - for standard input
    #[arg(value_name = "TOKEN")]
    pub shown: String,
    /// The public keys: an address, or a file; default: the Hub is asked for them
    #[arg(long, value_name = "URL|FILE")]
    pub jwks: Option<String>,
    /// The Hub, project and env.
    #[command(flatten)]
    pub target: Target,
}

/// Runs one.
pub async fn run(command: Command, shell: &Shell) -> anyhow::Result<()> {
    match command {
        Command::IssueToken(options) => issue(&options, shell).await,
        Command::VerifyToken(options) => verify(&options, shell).await,
    }
}

async fn issue(options: &IssueOptions, shell: &Shell) -> anyhow::Result<()> {
    let (hub, context) = shell.hub(&options.target)?;
    let mut body = json!({"sub": options.sub, "roles": options.roles});
    if let Some(claims) = &options.claims {
        body["claims"] = read_params(claims)?;
    }
    if let Some(ttl) = &options.ttl {
        body["expiresIn"] = json!(ttl);
    }
    let made = hub.post(&["v1", "projects", context.project()?, "envs", context.env()?, "usertokens"], &body).await?;
    shell.terminal.answer(&made, |terminal| {
        terminal.say(&cell(&made["token"]));
        terminal.note(&printable(&format!(
            "it ends at {}; this is the only time that it is shown. Send it as Authorization: Bearer",
            cell(&made["expiresAt"])
        )));
    });
    Ok(())
}

/// A public key, and what the Hub says of it.
struct Key {
    key: VerifyingKey,
    state: Option<String>,
}

async fn verify(options: &VerifyOptions, shell: &Shell) -> anyhow::Result<()> {
    let text = text(&options.shown)?;
    let token = Unverified::read(&text).map_err(refused)?;
    let said = token.claims().ok_or_else(|| refused(TokenError::Malformed))?;
    // Whose keys to ask for. That the token is of there is found out with them.
    let mut context = shell.context(&options.target)?;
    context.project.get_or_insert_with(|| said.project_id.clone());
    context.env.get_or_insert_with(|| said.env_id.clone());
    let keys = match &options.jwks {
        Some(place) => published(place).await?,
        None => of_hub(&options.target, &context, shell).await?,
    };
    let at = (context.project()?, context.env()?);
    let found = keys.iter().find(|key| key.key.id() == token.kid()).ok_or_else(|| refused(TokenError::Key))?;
    let claims = token.verify(&found.key, at, Utc::now().timestamp()).map_err(refused)?;
    report(&claims, found, shell);
    Ok(())
}

fn report(claims: &Claims, key: &Key, shell: &Shell) {
    let time = |seconds| DateTime::from_timestamp(seconds, 0).map(|at| at.to_rfc3339_opts(SecondsFormat::Secs, true));
    let answer = json!({
        "valid": true, "sub": claims.sub, "roles": claims.roles, "claims": claims.claims, "projectId": claims.project_id,
        "envId": claims.env_id, "id": claims.jti, "issuedAt": time(claims.iat), "expiresAt": time(claims.exp),
        "key": {"id": key.key.id(), "state": key.state},
    });
    shell.terminal.answer(&answer, |terminal| {
        let (roles, extra) = (claims.roles.join(", "), Json::Object(claims.claims.clone()));
        let who = printable(&format!("{} of {}/{}", claims.sub, claims.project_id, claims.env_id));
        terminal.say(&format!("{} {who}", terminal.tone(Tone::Good, "good:")));
        terminal.say(&format!("  roles {}", if roles.is_empty() { "none" } else { &roles }));
        if !claims.claims.is_empty() {
            terminal.say(&printable(&format!("  claims {extra}")));
        }
        terminal.say(&format!("  ends at {}", cell(&answer["expiresAt"])));
        let state = key.state.as_ref().map(|state| format!(" ({})", printable(state))).unwrap_or_default();
        terminal.say(&format!("  signed with key {}{state}", key.key.id()));
    });
}

/// Exit code 1: the token is looked at, and is not good.
fn refused(error: TokenError) -> Failure {
    let hint = match error {
        TokenError::Expired => "make another: `stk auth issue-token`",
        TokenError::Key => "`stk keys list --users` shows the env's keys; --project and --env say which env",
        TokenError::Env => "--project and --env say which env it should be for",
        _ => "tokens of end users are made by a Hub: `stk auth issue-token`",
    };
    Failure::failed(format!("the token is not valid: {error}")).hint(hint)
}

fn text(given: &str) -> anyhow::Result<String> {
    if given != "-" {
        return Ok(given.to_owned());
    }
    let (mut read, most) = (String::new(), 2 * TOKEN_BYTES_MAX as u64);
    std::io::stdin().lock().take(most).read_to_string(&mut read).context("cannot read standard input")?;
    Ok(read.trim_end_matches(['\r', '\n']).to_owned())
}

async fn of_hub(target: &Target, context: &Context, shell: &Shell) -> anyhow::Result<Vec<Key>> {
    let (hub, known) = shell.hub(target)?;
    let context = Context { project: context.project.clone(), env: context.env.clone(), ..known };
    let answer = keys::users::keys_of(&hub, &context).await?;
    let list = answer["keys"].as_array().map(Vec::as_slice).unwrap_or_default();
    let key = |row: &Json| {
        let key = VerifyingKey::parse(row["key"].as_str().unwrap_or_default()).ok()?;
        Some(Key { key, state: row["state"].as_str().map(str::to_owned) })
    };
    Ok(list.iter().filter_map(key).collect())
}

/// A set of keys as a Bridge publishes it.
async fn published(place: &str) -> anyhow::Result<Vec<Key>> {
    let wrong = || {
        Failure::usage(format!("{place} is no set of keys"))
            .hint("a Bridge has it at /p/PROJECT/ENV/.well-known/jwks.json")
    };
    let mut bytes = Vec::new();
    if let Some(url) = Url::parse(place).ok().filter(|url| matches!(url.scheme(), "http" | "https")) {
        let http = reqwest::Client::builder().timeout(ANSWER_MAX).build().context("cannot make an HTTP client")?;
        let mut response =
            http.get(url).send().await.map_err(|error| unreachable("who has the keys", place, &error))?;
        let status = response.status();
        if !status.is_success() {
            let told = Failure::failed(format!("{place} answered {status}"));
            return Err(told.hint("is it a Bridge that serves this env?").into());
        }
        while let Some(chunk) = response.chunk().await.context("the answer was cut off")? {
            bytes.extend_from_slice(&chunk);
            if bytes.len() > JWKS_BYTES_MAX {
                return Err(wrong().into());
            }
        }
    } else {
        let file = std::fs::File::open(place).with_context(|| format!("cannot read {place}"))?;
        let most = JWKS_BYTES_MAX as u64;
        file.take(most).read_to_end(&mut bytes).with_context(|| format!("cannot read {place}"))?;
    }
    let set: JwkSet = serde_json::from_slice(&bytes).map_err(|_| wrong())?;
    Ok(set.keys.iter().filter_map(Jwk::verifying_key).map(|key| Key { key, state: None }).collect())
}
