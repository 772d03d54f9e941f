//! `stk keys … --users`: the keys that tokens of end users of an env are signed with.

use serde_json::{Value as Json, json};

use super::Shell;
use crate::{
    client::HubClient,
    context::{Context, Target},
    report::{Terminal, Tone, cell, printable},
};

const HEAD: [&str; 6] = ["id", "is", "key", "made", "signs from", "ends"];

/// What an exchange may end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Exchange {
    pub(super) force: bool,
    pub(super) revoke_previous: bool,
    pub(super) yes: bool,
}

/// The keys that hold.
pub(super) async fn list(target: &Target, shell: &Shell) -> anyhow::Result<()> {
    let (hub, context) = shell.hub(target)?;
    let keys = keys_of(&hub, &context).await?;
    super::super::list(shell, &keys, "keys", &HEAD, row);
    Ok(())
}

/// The same, and what comes next.
pub(super) async fn status(target: &Target, shell: &Shell) -> anyhow::Result<()> {
    let (hub, context) = shell.hub(target)?;
    let keys = keys_of(&hub, &context).await?;
    shell.terminal.answer(&keys, |terminal| show(terminal, &keys));
    Ok(())
}

/// A new current key.
pub(super) async fn rotate(exchange: Exchange, target: &Target, shell: &Shell) -> anyhow::Result<()> {
    let (hub, context) = shell.hub(target)?;
    let env = format!("{}/{}", context.project()?, context.env()?);
    let ends = match exchange {
        Exchange { revoke_previous: true, .. } => " Every end user is logged out",
        Exchange { force: true, .. } => " End users with tokens of the key before the current one are logged out",
        Exchange { .. } => "",
    };
    shell.confirm(exchange.yes, &format!("Make a new key for tokens of end users of {env}?{ends}"))?;
    let body = json!({"force": exchange.force, "revokePrevious": exchange.revoke_previous});
    let keys = hub.post(&path(&context)?, &body).await?;
    shell.terminal.answer(&keys, |terminal| {
        show(terminal, &keys);
        if exchange.revoke_previous {
            terminal.note("what was signed before ends at each Bridge with its next poll");
        } else {
            terminal
                .note("nobody is logged out: the key before signs until every Bridge has the new one, and holds on");
        }
    });
    Ok(())
}

/// Ends the key before the current one.
pub(super) async fn retire(id: &str, yes: bool, target: &Target, shell: &Shell) -> anyhow::Result<()> {
    let (hub, context) = shell.hub(target)?;
    shell.confirm(yes, &format!("End key {id}? End users whose tokens it has signed are logged out"))?;
    hub.delete(&[&path(&context)?[..], &[id]].concat()).await?;
    shell.terminal.answer(&json!({"ended": id}), |terminal| {
        terminal.say(&format!("key {id} is ended"));
        terminal.note("each Bridge knows with its next poll");
    });
    Ok(())
}

/// `GET …/userkeys`
pub(in crate::command) async fn keys_of(hub: &HubClient, context: &Context) -> anyhow::Result<Json> {
    hub.get(&path(context)?).await
}

fn path(context: &Context) -> anyhow::Result<[&str; 6]> {
    Ok(["v1", "projects", context.project()?, "envs", context.env()?, "userkeys"])
}

fn row(key: &Json) -> Vec<String> {
    ["id", "state", "key", "createdAt", "signsFrom", "endsAt"].iter().map(|name| cell(&key[*name])).collect()
}

fn show(terminal: Terminal, keys: &Json) {
    terminal.table(&HEAD, keys["keys"].as_array().map(Vec::as_slice).unwrap_or_default().iter().map(row));
    terminal.say(&format!("{} {}", terminal.tone(Tone::Strong, "next:"), printable(&cell(&keys["next"]))));
}
