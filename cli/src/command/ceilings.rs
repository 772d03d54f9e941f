//! Ceilings of a project or of an org: what is sent to the Hub, which holds releases against them, and what is shown.

use std::path::Path;

use anyhow::Context as _;
use santokit_core::release::ceilings::Ceilings;
use serde_json::json;

use super::Shell;
use crate::{
    client::HubClient,
    failure::Failure,
    report::{cell, printable},
};

/// A file of them is short.
const FILE_BYTES_MAX: u64 = 256 << 10;

/// Whose they are.
#[derive(Clone, Copy)]
pub(super) struct Holder<'a> {
    /// `project` or `org`.
    pub(super) kind: &'static str,
    /// Its name.
    pub(super) name: &'a str,
    /// Of the path at the Hub.
    pub(super) segments: [&'a str; 4],
}

/// Sets them from a file.
pub(super) async fn set(shell: &Shell, hub: &HubClient, holder: Holder<'_>, file: &Path) -> anyhow::Result<()> {
    let answer = hub.put(&holder.segments, &json!(read(file)?)).await?;
    let said = format!("the ceilings of {} are set", holder.name);
    shell.terminal.answer(&answer, |terminal| terminal.say(&said));
    Ok(())
}

/// Shows them.
pub(super) async fn show(shell: &Shell, hub: &HubClient, holder: Holder<'_>) -> anyhow::Result<()> {
    let answer = hub.get(&holder.segments).await?;
    shell.terminal.answer(&answer, |terminal| {
        let ceilings = &answer["ceilings"];
        if ceilings.is_null() {
            terminal.say("none");
        }
        if let Some(mounts) = ceilings["mounts"].as_bool() {
            terminal.say(&format!("mounts {mounts}"));
        }
        for list in ["allow", "deny"] {
            for pattern in ceilings[list].as_array().into_iter().flatten() {
                terminal.say(&format!("{list} {}", printable(&cell(pattern))));
            }
        }
        for (name, most) in ceilings["limits"].as_object().into_iter().flatten() {
            terminal.say(&format!("limit {name} {}", printable(&cell(most))));
        }
    });
    Ok(())
}

/// Removes them.
pub(super) async fn clear(shell: &Shell, hub: &HubClient, holder: Holder<'_>, yes: bool) -> anyhow::Result<()> {
    shell.confirm(yes, &format!("Remove the ceilings of {} {}?", holder.kind, holder.name))?;
    hub.delete(&holder.segments).await?;
    let answer = json!({holder.kind: holder.name, "ceilings": null});
    shell.terminal.answer(&answer, |terminal| terminal.say(&format!("{} has no ceilings any more", holder.name)));
    Ok(())
}

fn read(file: &Path) -> anyhow::Result<Ceilings> {
    let shown = file.display();
    let length = std::fs::metadata(file).with_context(|| format!("cannot read {shown}"))?.len();
    let wrong = |why: String| Failure::failed(format!("{shown}: {why}"));
    if length > FILE_BYTES_MAX {
        return Err(wrong(format!("larger than {FILE_BYTES_MAX} bytes")).into());
    }
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {shown}"))?;
    Ceilings::parse(&text).map_err(|error| wrong(error.to_string()).into())
}
