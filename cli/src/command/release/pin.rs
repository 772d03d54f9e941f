//! `stk release pin` and `unpin`: which releases an operator wants to be able to go back to.

use serde_json::json;

use super::{Shell, Target};

/// Flags of `stk release pin`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  stk release pin rel_01J… --reason \"before the new prices\"")]
pub struct Pin {
    /// Its id
    release: String,
    /// For people
    #[arg(long, default_value = "", value_name = "TEXT")]
    reason: String,
    /// The Hub and project.
    #[command(flatten)]
    target: Target,
}

/// Flags of `stk release unpin`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  stk release unpin rel_01J…")]
pub struct Unpin {
    /// Its id
    release: String,
    /// The Hub and project.
    #[command(flatten)]
    target: Target,
}

/// Runs `pin`.
pub(super) async fn pin(options: &Pin, shell: &Shell) -> anyhow::Result<()> {
    let (hub, context) = shell.hub(&options.target)?;
    let path = ["v1", "projects", context.project()?, "releases", &options.release, "pin"];
    let answer = hub.put(&path, &json!({"reason": options.reason})).await?;
    shell.terminal.answer(&answer, |terminal| terminal.say(&format!("{} is pinned", options.release)));
    Ok(())
}

/// Runs `unpin`.
pub(super) async fn unpin(options: &Unpin, shell: &Shell) -> anyhow::Result<()> {
    let (hub, context) = shell.hub(&options.target)?;
    let path = ["v1", "projects", context.project()?, "releases", &options.release, "pin"];
    hub.delete(&path).await?;
    let answer = json!({"releaseId": options.release, "pinned": false});
    shell.terminal.answer(&answer, |terminal| terminal.say(&format!("{} is not pinned any more", options.release)));
    Ok(())
}
