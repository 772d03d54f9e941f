//! `stk hub`: serving the control plane, and tokens for Bridges.

use std::path::{Path, PathBuf};

use santokit_hub::{HubConfig, Settings};
use serde_json::json;

use super::Shell;
use crate::{
    context::{HubTarget, Target},
    failure::Failure,
    report::{Tone, cell},
};

mod backup;
mod master_key;
mod recover;
mod status;

/// The commands.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Serve operators and Bridges
    Serve(Box<Serve>),
    /// How the Hub fares
    #[command(after_help = "Example:\n  stk hub status")]
    Status {
        /// The Hub.
        #[command(flatten)]
        target: HubTarget,
    },
    /// The clocks of the Hub and of its database beside the one here
    #[command(after_help = "Example:\n  stk hub time")]
    Time {
        /// The Hub.
        #[command(flatten)]
        target: HubTarget,
    },
    /// Seal everything with a new master key; no Hub runs meanwhile
    RotateMasterKey(Box<master_key::Options>),
    /// A code for who has lost the password or the second factor, where nobody else can let them in; no Hub runs meanwhile
    Recover(Box<recover::Options>),
    /// Write everything that the Hub keeps into one file, while it runs
    Backup(backup::Backup),
    /// Bring a Hub back from a backup; no Hub runs meanwhile
    Restore(Box<backup::Restore>),
    /// Tokens that Bridges show themselves with
    #[command(subcommand)]
    Token(Token),
}

/// Flags of `stk hub serve`. Every setting is also a variable `STK_HUB_…` and a key of the file.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  STK_HUB_OPERATOR_TOKEN=… STK_MASTER_KEY=… stk hub serve --listen 127.0.0.1:7070 --data-dir /var/lib/santokit\n\nAll settings: docs/reference/hub.md"
)]
pub struct Serve {
    /// Settings in YAML
    #[arg(long, env = "STK_HUB_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Where operators and Bridges connect, address:port
    #[arg(long)]
    pub listen: Option<String>,
    /// Where the database, blobs and keys are kept
    #[arg(long)]
    pub data_dir: Option<String>,
}

/// Tokens of Bridges.
#[derive(Debug, clap::Subcommand)]
pub enum Token {
    /// Make a token and show it, once
    #[command(after_help = "Example:\n  stk hub token create eu-fleet --for shop/prod")]
    Create {
        /// What it is for
        name: String,
        /// What its Bridges may serve, project/env; more than one may be named
        #[arg(long = "for", value_name = "PROJECT/ENV", required = true)]
        envs: Vec<String>,
        /// The Hub.
        #[command(flatten)]
        target: Target,
    },
    /// Show all, without the tokens themselves
    #[command(after_help = "Example:\n  stk hub token list")]
    List {
        /// The Hub.
        #[command(flatten)]
        target: Target,
    },
    /// End one, at once; `stk bridge status --json` says which Bridge shows which
    #[command(after_help = "Example:\n  stk hub token revoke key_01J… --yes")]
    Revoke {
        /// Its id, from `stk hub token list`
        id: String,
        /// Do not ask
        #[arg(long, short = 'y')]
        yes: bool,
        /// The Hub.
        #[command(flatten)]
        target: Target,
    },
}

/// Runs one.
pub async fn run(command: Command, shell: &Shell) -> anyhow::Result<()> {
    match command {
        Command::Serve(serve) => run_serve(*serve, shell).await,
        Command::Status { target } => status::status(&target, shell).await,
        Command::Time { target } => status::time(&target, shell).await,
        Command::RotateMasterKey(options) => master_key::run(*options, shell).await,
        Command::Recover(options) => recover::run(*options, shell).await,
        Command::Backup(options) => backup::backup(&options, shell).await,
        Command::Restore(options) => backup::restore(*options, shell).await,
        Command::Token(command) => run_token(command, shell).await,
    }
}

async fn run_token(command: Token, shell: &Shell) -> anyhow::Result<()> {
    match command {
        Token::Create { name, envs, target } => {
            let (hub, _) = shell.hub(&target)?;
            let made = hub.post(&["v1", "service-tokens"], &json!({"name": name, "envs": envs})).await?;
            shell.terminal.answer(&made, |terminal| {
                terminal.say(&terminal.tone(Tone::Strong, &cell(&made["token"])));
                terminal
                    .note("this is the only time that it is shown; give it to the Bridge as STK_BRIDGE_SERVICE_TOKEN");
            });
        }
        Token::List { target } => {
            let (hub, _) = shell.hub(&target)?;
            let all = hub.get(&["v1", "service-tokens"]).await?;
            super::list(shell, &all, "serviceTokens", &["id", "name", "for", "made"], |row| {
                ["id", "name", "envs", "createdAt"].iter().map(|key| cell(&row[*key])).collect()
            });
        }
        Token::Revoke { id, yes, target } => {
            let (hub, _) = shell.hub(&target)?;
            shell.confirm(yes, &format!("End token {id}? Bridges that show it are refused from now on"))?;
            hub.delete(&["v1", "service-tokens", &id]).await?;
            shell.terminal.answer(&json!({"revoked": id}), |terminal| terminal.say(&format!("token {id} is ended")));
        }
    }
    Ok(())
}

/// The settings of a Hub, as it would start with them.
fn config(listen: Option<String>, data_dir: Option<String>, file: Option<&Path>) -> anyhow::Result<HubConfig> {
    let flags = Settings { listen: listen.map(Into::into), data_dir: data_dir.map(Into::into), ..Settings::default() };
    let variables =
        std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    Ok(HubConfig::load(flags, variables, file)
        .map_err(|error| Failure::usage(error.to_string()).hint("see `stk hub serve --help`"))?)
}

async fn run_serve(serve: Serve, shell: &Shell) -> anyhow::Result<()> {
    let config = config(serve.listen, serve.data_dir, serve.config.as_deref())?;
    let mut asked = super::ending()?;
    let mut hub = santokit_hub::serve(config).await?;
    let (url, internal) = (hub.url(), hub.internal_url());
    let token = hub.operator_token_path.as_ref().map(|path| path.display().to_string());
    let whose = token.as_ref().map(|path| format!("; the operator's token is in {path}")).unwrap_or_default();
    shell.terminal.event(
        "ready",
        json!({"url": url, "internalUrl": internal, "operatorTokenFile": token}),
        &format!(
            "the Hub serves on {url}{}{whose}",
            internal.map(|url| format!(", Bridges on {url}")).unwrap_or_default()
        ),
    );
    tokio::select! {
        ended = hub.wait() => return Ok(ended?),
        () = asked.asked() => {}
    }
    shell.terminal.note("ending");
    hub.shutdown().await;
    Ok(())
}
