//! `stk keys`: the keys that the Hub signs releases and pointers with, and their exchange. With `--users`, those that tokens of end
//! users are signed with.

use serde_json::{Value as Json, json};

use super::Shell;
use crate::{
    context::Target,
    report::{Terminal, Tone, cell, printable},
};

pub(super) mod users;

const HEAD: [&str; 5] = ["id", "is", "key", "made", "retired"];

/// The commands.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// All keys, retired ones too
    #[command(after_help = "Example:\n  stk keys list\n  stk keys list --users --env prod")]
    List {
        /// Of tokens of end users of an env instead
        #[arg(long)]
        users: bool,
        /// The Hub; with --users, project and env as well.
        #[command(flatten)]
        target: Target,
    },
    /// The keys that sign, which of them each Bridge trusts, and what comes next
    #[command(after_help = "Example:\n  stk keys status\n  stk keys status --users --env prod")]
    Status {
        /// Of tokens of end users of an env instead
        #[arg(long)]
        users: bool,
        /// The Hub; with --users, project and env as well.
        #[command(flatten)]
        target: Target,
    },
    /// Make a new key; the one before signs beside it until it is retired, so that no Bridge is cut off
    #[command(
        after_help = "Example:\n  stk keys rotate --yes\n  stk keys status\n  stk keys rotate --users --env prod --yes"
    )]
    Rotate {
        /// Of tokens of end users of an env instead
        #[arg(long)]
        users: bool,
        /// With --users: also before the exchange before is over; end users with its tokens are logged out
        #[arg(long, requires = "users")]
        force: bool,
        /// With --users: a key is known to others; all that was signed before ends, and every end user is logged out
        #[arg(long, requires = "users")]
        revoke_previous: bool,
        /// Do not ask
        #[arg(long, short = 'y')]
        yes: bool,
        /// The Hub; with --users, project and env as well.
        #[command(flatten)]
        target: Target,
    },
    /// End the key before the current one, once no Bridge needs it
    #[command(
        after_help = "Example:\n  stk keys retire 3f0c9a1be77d2c41 --yes\n  stk keys retire --users 3f0c9a1be77d2c41 --env prod --yes"
    )]
    Retire {
        /// Its id, from `stk keys status`
        id: String,
        /// Of tokens of end users of an env instead
        #[arg(long)]
        users: bool,
        /// Also where Bridges trust no other key of this Hub: they keep what they run, and load nothing new
        #[arg(long, conflicts_with = "users")]
        force: bool,
        /// Do not ask
        #[arg(long, short = 'y')]
        yes: bool,
        /// The Hub; with --users, project and env as well.
        #[command(flatten)]
        target: Target,
    },
}

/// Runs one.
pub async fn run(command: Command, shell: &Shell) -> anyhow::Result<()> {
    match command {
        Command::List { users: true, target } => users::list(&target, shell).await?,
        Command::Status { users: true, target } => users::status(&target, shell).await?,
        Command::Rotate { users: true, force, revoke_previous, yes, target } => {
            users::rotate(users::Exchange { force, revoke_previous, yes }, &target, shell).await?;
        }
        Command::Retire { users: true, id, yes, target, .. } => users::retire(&id, yes, &target, shell).await?,
        Command::List { target, .. } => {
            let (hub, _) = shell.hub(&target)?;
            super::list(shell, &hub.get(&["v1", "keys"]).await?, "keys", &HEAD, row);
        }
        Command::Status { target, .. } => {
            let (hub, _) = shell.hub(&target)?;
            let status = hub.get(&["v1", "keys", "status"]).await?;
            shell.terminal.answer(&status, |terminal| show(terminal, &status));
        }
        Command::Rotate { yes, target, .. } => {
            let (hub, _) = shell.hub(&target)?;
            shell.confirm(yes, "Make a new signing key?")?;
            let made = hub.post(&["v1", "keys"], &json!({})).await?;
            shell.terminal.answer(&made, |terminal| {
                terminal.say(&terminal.tone(Tone::Strong, &cell(&made["key"])));
                terminal.say("it signs from now on, and the one before beside it");
                terminal.note(
                    "add it to STK_BRIDGE_TRUSTED_KEYS of each Bridge, as OLD|NEW; `stk keys status` says who has it",
                );
            });
        }
        Command::Retire { id, force, yes, target, .. } => {
            let (hub, _) = shell.hub(&target)?;
            shell.confirm(yes, &format!("End signing key {id}? Its private half is deleted"))?;
            let retired = hub.post(&["v1", "keys", &id, "retire"], &json!({"force": force})).await?;
            shell.terminal.answer(&retired, |terminal| {
                terminal.say(&format!("key {id} is retired"));
                terminal.note("take it out of STK_BRIDGE_TRUSTED_KEYS of each Bridge");
            });
        }
    }
    Ok(())
}

fn row(key: &Json) -> Vec<String> {
    ["id", "state", "key", "createdAt", "retiredAt"].iter().map(|name| cell(&key[*name])).collect()
}

fn show(terminal: Terminal, status: &Json) {
    let list = |name: &str| status[name].as_array().map(Vec::as_slice).unwrap_or_default();
    terminal.table(&HEAD[..4], list("keys").iter().map(|key| row(key)[..4].to_vec()));
    for bridge in list("bridges") {
        let trusts = cell(&bridge["trusts"]);
        let tone = match trusts.as_str() {
            "current" | "both" => Tone::Good,
            "none" => Tone::Bad,
            _ => Tone::Warn,
        };
        let line =
            format!("{} of {}: trusts {}", cell(&bridge["id"]), cell(&bridge["envs"]), terminal.tone(tone, &trusts));
        terminal.say(&line);
    }
    terminal.say(&format!("{} {}", terminal.tone(Tone::Strong, "next:"), printable(&cell(&status["next"]))));
}
