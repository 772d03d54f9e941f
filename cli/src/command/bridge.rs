//! `stk bridge`: serving the data plane, and what is known of the Bridges that do. Each command that is more than the first is a file
//! below.

use std::path::PathBuf;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use santokit_bridge::{BridgeConfig, Settings};
use serde_json::json;

use super::Shell;
use crate::failure::Failure;

mod connectivity;
pub(crate) mod operator;
mod status;
mod sync;

/// The commands.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Serve applications from signed releases
    #[command(
        after_help = "Example:\n  STK_BRIDGE_SERVICE_TOKEN=… stk bridge serve --hub-url https://hub.example.com \\\n      --envs shop/prod --trusted-keys ed25519:… --listen 0.0.0.0:8080\n\nAll settings: docs/reference/bridge.md"
    )]
    Serve(Box<Serve>),
    /// Which Bridges there are, what each runs, what is wrong and what to do
    Status(status::Options),
    /// Let Bridges ask the Hub at once what is current, and try again what they refused
    ForceSync(sync::Options),
    /// Try each step on the way from this machine to the Hub, with the settings of a Bridge
    #[command(
        after_help = "Example:\n  stk bridge test-hub-connectivity --config bridge.yaml\n\nRun it where the Bridge runs, with the Bridge's environment."
    )]
    TestHubConnectivity(Box<Serve>),
    /// Compile components for the Bridge that starts this
    #[command(
        hide = true,
        after_help = "Example:\n  stk bridge serve --config bridge.yaml    # starts it when there is something to compile"
    )]
    CompileWorker,
}

/// Flags of `stk bridge serve`. Every setting is also a variable `STK_BRIDGE_…` and a key of the file.
#[derive(Debug, clap::Args)]
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
    match command {
        Command::Serve(flags) => serve(flags.config()?, shell).await,
        Command::Status(options) => status::run(&options, shell).await,
        Command::ForceSync(options) => sync::run(&options, shell).await,
        // Taken before there is a runtime: see `stk::run`.
        Command::CompileWorker => Ok(()),
        Command::TestHubConnectivity(flags) => connectivity::run(&flags.config()?, shell).await,
    }
}

impl Serve {
    /// The settings of a Bridge, from these flags, the environment and the file.
    fn config(self) -> anyhow::Result<BridgeConfig> {
        let flags = Settings {
            listen: self.listen.map(Into::into),
            metrics_listen: self.metrics_listen.map(Into::into),
            hub_url: self.hub_url.map(Into::into),
            envs: self.envs.map(Into::into),
            trusted_keys: self.trusted_keys.map(Into::into),
            required_signers: self.required_signers.map(Into::into),
            cache_dir: self.cache_dir.map(Into::into),
            poll_interval: self.poll_interval.map(Into::into),
            ..Settings::default()
        };
        let variables =
            std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        let variables = variables.filter(|(name, _)| name != "STK_BRIDGE_CONFIG");
        let mut config = BridgeConfig::load(flags, variables, self.config.as_deref())
            .map_err(|error| Failure::usage(error.to_string()).hint("see `stk bridge serve --help`"))?;
        // `stk call` and these commands share the prefix.
        config.ignored.retain(|name| name != "STK_BRIDGE_URL");
        Ok(config)
    }
}

async fn serve(mut config: BridgeConfig, shell: &Shell) -> anyhow::Result<()> {
    let mut asked = super::ending()?;
    allow_files();
    config.compile_with(this_program()?, vec!["bridge".to_owned(), "compile-worker".to_owned()]);
    let mut bridge = santokit_bridge::serve(config).await?;
    let (url, metrics, admin) = (bridge.url(), bridge.metrics_url(), bridge.admin_url());
    shell.terminal.event(
        "ready",
        json!({"url": url, "metricsUrl": metrics, "adminUrl": admin}),
        &format!("the Bridge serves on {url}"),
    );
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

/// As many as the machine lets it have: each connection is one, and so is each component that is mapped from the disk.
fn allow_files() {
    let limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        // It serves with what it has, where that is all.
        setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).ok();
    }
}

/// The program that runs, even where its file was replaced since: machine code is for the version that asked for it.
fn this_program() -> std::io::Result<PathBuf> {
    if cfg!(target_os = "linux") { Ok(PathBuf::from("/proc/self/exe")) } else { std::env::current_exe() }
}
