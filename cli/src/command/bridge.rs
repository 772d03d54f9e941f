//! `stk bridge`: serving the data plane.

use std::path::PathBuf;

use santokit_bridge::{BridgeConfig, Settings};
use serde_json::json;

use super::Shell;
use crate::failure::Failure;

/// The commands.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Serve applications from signed releases
    Serve(Box<Serve>),
}

/// Flags of `stk bridge serve`. Every setting is also a variable `STK_BRIDGE_…` and a key of the file.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  STK_BRIDGE_SERVICE_TOKEN=… stk bridge serve --hub-url https://hub.example.com \\\n      --envs shop/prod --trusted-keys ed25519:… --listen 0.0.0.0:8080\n\nAll settings: docs/reference/bridge.md"
)]
pub struct Serve {
    /// Settings in YAML
    #[arg(long, env = "STK_BRIDGE_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Where applications connect, address:port
    #[arg(long)]
    pub listen: Option<String>,
    /// Where metrics are read, address:port
    #[arg(long)]
    pub metrics_listen: Option<String>,
    /// The Hub's address
    #[arg(long)]
    pub hub_url: Option<String>,
    /// What is served: project/env, several with commas
    #[arg(long)]
    pub envs: Option<String>,
    /// Whose releases are loaded: ed25519:…, several with commas
    #[arg(long)]
    pub trusted_keys: Option<String>,
    /// How many of them must have signed
    #[arg(long)]
    pub required_signers: Option<String>,
    /// Where releases are kept, so that a restart needs no Hub
    #[arg(long)]
    pub cache_dir: Option<String>,
    /// How often the Hub is asked, for example 30s
    #[arg(long)]
    pub poll_interval: Option<String>,
}

/// Runs one.
pub async fn run(command: Command, shell: &Shell) -> anyhow::Result<()> {
    let Command::Serve(serve) = command;
    let flags = Settings {
        listen: serve.listen.map(Into::into),
        metrics_listen: serve.metrics_listen.map(Into::into),
        hub_url: serve.hub_url.map(Into::into),
        envs: serve.envs.map(Into::into),
        trusted_keys: serve.trusted_keys.map(Into::into),
        required_signers: serve.required_signers.map(Into::into),
        cache_dir: serve.cache_dir.map(Into::into),
        poll_interval: serve.poll_interval.map(Into::into),
        ..Settings::default()
    };
    let variables =
        std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    let mut config =
        BridgeConfig::load(flags, variables.filter(|(name, _)| name != "STK_BRIDGE_CONFIG"), serve.config.as_deref())
            .map_err(|error| Failure::usage(error.to_string()).hint("see `stk bridge serve --help`"))?;
    // `stk call` and this command share the prefix.
    config.ignored.retain(|name| name != "STK_BRIDGE_URL");
    let mut asked = super::ending()?;
    let mut bridge = santokit_bridge::serve(config).await?;
    let (url, metrics) = (bridge.url(), bridge.metrics_url());
    shell.terminal.event("ready", json!({"url": url, "metricsUrl": metrics}), &format!("the Bridge serves on {url}"));
    tokio::select! {
        ended = bridge.wait() => return Ok(ended?),
        () = asked.asked() => {}
    }
    shell.terminal.note("ending: running requests finish first; asked again, it ends at once");
    tokio::select! {
        () = bridge.shutdown() => {}
        () = asked.asked() => shell.terminal.note("ended at once"),
    }
    Ok(())
}
