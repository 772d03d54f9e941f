//! The command line: which commands there are, and who runs them. Each command is a file below; none of them prints but
//! through [`Terminal`], and none decides what the Hub or the Bridge decides.

use std::{
    io::{BufRead, IsTerminal, Read},
    path::{Path, PathBuf},
};

use clap::{CommandFactory, Parser, Subcommand};
use serde_json::Value as Json;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::{
    client::HubClient,
    context::{Context, Target},
    credentials,
    dev::{ENV, plane::Announced},
    failure::{Exit, Failure},
    folder::Folder,
    report::Terminal,
    telemetry::LogFor,
};

pub mod apikey;
pub mod apply;
pub mod audit;
pub mod auth;
pub mod bridge;
pub mod call;
mod ceilings;
pub mod check;
pub mod completions;
pub mod connections;
pub mod context;
pub mod cron;
pub mod dev;
pub mod env;
pub mod events;
pub mod hub;
pub mod init;
pub mod keys;
pub mod logic;
pub mod login;
pub mod mfa;
pub mod operator;
pub mod org;
pub mod permissions;
pub mod plugins;
pub mod project;
pub mod release;
pub mod schema;
pub mod secrets;
pub mod storage;
pub mod team;
pub mod token;

/// Santokit: a self-hosted backend whose logic is WebAssembly in signed releases
#[derive(Debug, Parser)]
#[command(name = "stk", version, arg_required_else_help = true, max_term_width = 100)]
#[command(
    after_help = "Start here:\n  stk init shop && cd shop && stk dev\n\nExit codes: 0 ok, 1 failed, 2 usage, 3 refused, 4 not reachable"
)]
pub struct Arguments {
    /// Answer in JSON, for programs
    #[arg(long, global = true)]
    pub json: bool,
    /// The project folder; default: this one or the nearest above with a santokit.yaml
    #[arg(long, short = 'C', global = true, value_name = "DIR")]
    pub dir: Option<PathBuf>,
    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a project folder that works at once
    Init(init::Options),
    /// Serve the project here, and swap on every save
    Dev(dev::Options),
    /// Find everything that is wrong with the project
    Check(check::Options),
    /// Build a release, show what it changes, and let an env run it
    Apply(apply::Options),
    /// Call a Bridge as an application would
    Call(call::Options),
    /// Jobs: when they run, what came of it, and running one by hand
    #[command(subcommand)]
    Cron(cron::Command),
    /// Whether buckets work, and what is wrong with one
    #[command(subcommand)]
    Storage(storage::Command),
    /// Topics, events of them, and those that were tried in vain
    #[command(subcommand)]
    Events(events::Command),
    /// Make, build, inspect and run logic
    #[command(subcommand)]
    Logic(logic::Command),
    /// The declared tables beside those of the databases
    #[command(subcommand)]
    Schema(schema::Command),
    /// Why a caller may or may not, and tests of the rules
    #[command(subcommand)]
    Permissions(permissions::Command),
    /// Look at releases, and verify them without trusting the Hub
    #[command(subcommand, alias = "releases")]
    Release(release::Command),
    /// Log in at a Hub, without a browser
    Login(login::Options),
    /// End the login
    #[command(after_help = "Example:\n  stk logout")]
    Logout(login::Where),
    /// Who you are at a Hub, and by what
    #[command(after_help = "Example:\n  stk whoami --json")]
    Whoami(login::Where),
    /// Take an invite as somebody who is no operator yet
    Join(login::JoinOptions),
    /// Your second factor
    #[command(subcommand)]
    Mfa(mfa::Command),
    /// Tokens for CI
    #[command(subcommand)]
    Token(token::Command),
    /// Components that ship with stk, for a project
    #[command(subcommand)]
    Plugins(plugins::Command),
    /// Orgs, who is in them, and invites
    #[command(subcommand)]
    Org(org::Command),
    /// Teams of an org
    #[command(subcommand)]
    Team(team::Command),
    /// Everyone who works with the Hub
    #[command(subcommand)]
    Operator(operator::Command),
    /// Projects of the Hub
    #[command(subcommand)]
    Project(project::Command),
    /// Envs of a project
    #[command(subcommand)]
    Env(env::Command),
    /// Databases of an env
    #[command(subcommand)]
    Connections(connections::Command),
    /// Secrets of an env
    #[command(subcommand)]
    Secrets(secrets::Command),
    /// Keys that applications call with
    #[command(subcommand, alias = "apikeys")]
    Apikey(apikey::Command),
    /// Keys that the Hub signs with: releases, and tokens of end users
    #[command(subcommand)]
    Keys(keys::Command),
    /// Tokens of end users
    #[command(subcommand)]
    Auth(auth::Command),
    /// The Hub: serve it, make tokens for Bridges
    #[command(subcommand)]
    Hub(Box<hub::Command>),
    /// The Bridge: serve it, look at those that serve
    #[command(subcommand)]
    Bridge(Box<bridge::Command>),
    /// What was done at the Hub, and whether the log of it is whole
    #[command(subcommand)]
    Audit(audit::Command),
    /// Which Hub, project and env the commands of this folder mean
    #[command(subcommand)]
    Context(context::Command),
    /// Completions for a shell
    Completions(completions::Options),
}

/// What every command is given.
#[derive(Clone, Debug)]
pub struct Shell {
    /// Where it writes.
    pub terminal: Terminal,
    /// `--dir`, else the working directory.
    pub dir: PathBuf,
}

/// Runs a command to its end.
pub async fn run(arguments: Arguments, terminal: Terminal) -> anyhow::Result<()> {
    let dir = match arguments.dir {
        Some(dir) => dir,
        None => std::env::current_dir()?,
    };
    let shell = Shell { terminal, dir: std::path::absolute(dir)? };
    match arguments.command {
        Command::Init(options) => init::run(&options, &shell),
        Command::Dev(options) => dev::run(options, &shell).await,
        Command::Check(options) => check::run(&options, &shell),
        Command::Apply(options) => apply::run(&options, &shell).await,
        Command::Call(options) => call::run(&options, &shell).await,
        Command::Cron(command) => cron::run(&command, &shell).await,
        Command::Storage(command) => storage::run(&command, &shell).await,
        Command::Events(command) => events::run(&command, &shell).await,
        Command::Logic(command) => Box::pin(logic::run(command, &shell)).await,
        Command::Schema(command) => schema::run(command, &shell).await,
        Command::Permissions(command) => permissions::run(command, &shell),
        Command::Plugins(command) => plugins::run(&command, &shell),
        Command::Release(command) => release::run(command, &shell).await,
        Command::Login(options) => login::run(options, &shell).await,
        Command::Logout(options) => login::logout(options, &shell).await,
        Command::Whoami(options) => login::whoami(options, &shell).await,
        Command::Join(options) => login::join(options, &shell).await,
        Command::Mfa(command) => mfa::run(command, &shell).await,
        Command::Token(command) => token::run(command, &shell).await,
        Command::Org(command) => org::run(command, &shell).await,
        Command::Team(command) => team::run(command, &shell).await,
        Command::Operator(command) => operator::run(command, &shell).await,
        Command::Project(command) => project::run(command, &shell).await,
        Command::Env(command) => env::run(command, &shell).await,
        Command::Connections(command) => connections::run(command, &shell).await,
        Command::Secrets(command) => secrets::run(command, &shell).await,
        Command::Apikey(command) => apikey::run(command, &shell).await,
        Command::Keys(command) => keys::run(command, &shell).await,
        Command::Auth(command) => auth::run(command, &shell).await,
        Command::Hub(command) => hub::run(*command, &shell).await,
        Command::Bridge(command) => bridge::run(*command, &shell).await,
        Command::Audit(command) => audit::run(command, &shell).await,
        Command::Context(command) => context::run(command, &shell),
        Command::Completions(options) => completions::run(&options),
    }
}

impl Arguments {
    /// The project folder, if there is one.
    pub fn project(&self) -> Option<PathBuf> {
        let named = match &self.command {
            Command::Dev(options) => options.project.as_ref(),
            _ => None,
        };
        let dir = named.or(self.dir.as_ref()).map_or(Path::new("."), PathBuf::as_path);
        let dir = std::path::absolute(dir).ok()?;
        Folder::find(&dir).ok().map(|folder| folder.root().to_owned())
    }
}

impl Command {
    /// Whether this process is a Bridge's compiler and nothing else.
    pub fn is_compiler(&self) -> bool {
        matches!(self, Self::Bridge(command) if matches!(**command, bridge::Command::CompileWorker))
    }

    /// For whom the process logs.
    pub fn log_for(&self) -> LogFor {
        match self {
            Command::Dev(_) => LogFor::Developer,
            Command::Hub(command) if matches!(**command, hub::Command::Serve(_)) => LogFor::Server("stk-hub"),
            Command::Bridge(command) if matches!(**command, bridge::Command::Serve(_)) => LogFor::Server("stk-bridge"),
            Command::Logic(logic::Command::Invoke(options)) if options.trace => LogFor::Trace,
            _ => LogFor::Command,
        }
    }
}

impl Shell {
    /// The project folder that the command is in.
    pub fn folder(&self) -> anyhow::Result<Folder> {
        Folder::find(&self.dir)
    }

    /// Where the context is kept: the project folder, else here.
    pub fn context_dir(&self) -> PathBuf {
        self.folder().map_or_else(|_| self.dir.clone(), |folder| folder.root().to_owned())
    }

    /// Flags over what is kept; the project's name is the folder's where nothing else says one.
    pub fn context(&self, target: &Target) -> anyhow::Result<Context> {
        let mut context = Context::load(&self.context_dir())?.under(target);
        if context.project.is_none() {
            context.project = self.folder().ok().and_then(|folder| folder.project_name());
        }
        Ok(context)
    }

    /// The Hub's client and what the flags mean; where no Hub is named, the one of the `stk dev` that runs in this folder, else the
    /// one that was logged in to last.
    pub fn hub(&self, target: &Target) -> anyhow::Result<(HubClient, Context)> {
        let mut context = self.context(target)?;
        if context.hub_url.is_none()
            && let Some(running) = self.folder().ok().and_then(|folder| Announced::of(&folder))
        {
            context.hub_url = Some(running.hub_url);
            context.token = Some(running.token);
            context.env = context.env.or_else(|| Some(ENV.to_owned()));
        }
        context.hub_url = context.hub_url.or_else(credentials::current);
        Ok((HubClient::of(&context)?, context))
    }
}

impl Shell {
    /// Asks before something is destroyed; without a terminal it wants `--yes`.
    pub fn confirm(&self, yes: bool, question: &str) -> anyhow::Result<()> {
        if yes {
            return Ok(());
        }
        if !std::io::stdin().is_terminal() || self.terminal.is_json() {
            return Err(Failure::usage(question.to_owned()).hint("say --yes; there is nobody to ask").into());
        }
        self.terminal.note(&format!("{question} [y/N]"));
        let mut line = String::new();
        std::io::stdin().lock().take(100).read_line(&mut line)?;
        if matches!(line.trim(), "y" | "Y" | "yes") {
            return Ok(());
        }
        Err(Failure::new(Exit::Refused, "nothing was changed").into())
    }
}

/// Every command that does something, in full (`hub token create`), in the order of the help.
pub fn leaves() -> Vec<String> {
    fn below(command: &clap::Command, path: &str, leaves: &mut Vec<String>) {
        let mut commands = command.get_subcommands().filter(|below| below.get_name() != "help").peekable();
        if commands.peek().is_none() || command.is_args_conflicts_with_subcommands_set() {
            leaves.push(path.to_owned());
        }
        for command in commands {
            below(command, format!("{path} {}", command.get_name()).trim_start(), leaves);
        }
    }
    let mut leaves = Vec::new();
    below(&Arguments::command(), "", &mut leaves);
    leaves
}

/// A list that a Hub answered, under a key or bare.
fn list(shell: &Shell, answer: &Json, key: &str, head: &[&str], row: impl Fn(&Json) -> Vec<String>) {
    shell.terminal.answer(answer, |terminal| {
        let rows = answer[key].as_array().or_else(|| answer.as_array()).map(Vec::as_slice).unwrap_or_default();
        if rows.is_empty() {
            terminal.say("none");
        } else {
            terminal.table(head, rows.iter().map(row));
        }
    });
}

/// A secret from a flag or standard input, without the line's end.
fn secret_text(given: Option<String>, from_stdin: bool, what: &str, how: &str) -> anyhow::Result<String> {
    let text = match given {
        Some(text) => text,
        None if from_stdin => {
            if std::io::stdin().is_terminal() {
                return Err(Failure::usage(format!("{what} is read from standard input")).hint("pipe it in").into());
            }
            let mut text = String::new();
            std::io::stdin().lock().take(64 << 10).read_to_string(&mut text)?;
            text.trim_end_matches(['\r', '\n']).to_owned()
        }
        None => return Err(Failure::usage(format!("{what} is missing")).hint(format!("use {how}")).into()),
    };
    if text.is_empty() {
        return Err(Failure::usage(format!("{what} is empty")).into());
    }
    Ok(text)
}

/// Ctrl-C or SIGTERM.
pub struct Ending(Signal, Signal);

/// Takes both signals over from now on.
pub fn ending() -> anyhow::Result<Ending> {
    Ok(Ending(signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?))
}

impl Ending {
    /// Returns when the process is asked to end.
    pub async fn asked(&mut self) {
        tokio::select! { _ = self.0.recv() => {} _ = self.1.recv() => {} }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_holds_together_and_every_command_has_an_example() {
        Arguments::command().debug_assert();
        let mut open = vec![Arguments::command()];
        while let Some(command) = open.pop() {
            let below: Vec<_> = command.get_subcommands().filter(|below| below.get_name() != "help").cloned().collect();
            if below.is_empty() || command.is_args_conflicts_with_subcommands_set() {
                let after = command.get_after_help().map(ToString::to_string).unwrap_or_default();
                assert!(after.contains("Example:\n  "), "{} has no example", command.get_name());
            }
            open.extend(below);
        }
    }
}
