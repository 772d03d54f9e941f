//! `stk project ceilings`: the most that components of a project may have. The Hub holds releases against it.

use std::path::PathBuf;

use anyhow::Context as _;
use santokit_core::release::ceilings::Ceilings;
use serde_json::json;

use super::{Shell, Target};
use crate::{
    failure::Failure,
    report::{cell, printable},
};

/// A file of them is short.
const FILE_BYTES_MAX: u64 = 256 << 10;

/// The commands.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Set them from a file (YAML): `allow`, `deny` and `limits`
    #[command(after_help = "Example:\n  stk project ceilings set ceilings.yaml --project shop")]
    Set {
        /// The file
        file: PathBuf,
        /// The Hub and project.
        #[command(flatten)]
        target: Target,
    },
    /// Show them
    #[command(after_help = "Example:\n  stk project ceilings show --project shop")]
    Show {
        /// The Hub and project.
        #[command(flatten)]
        target: Target,
    },
    /// Remove them: then only what a release is consented to counts
    #[command(after_help = "Example:\n  stk project ceilings clear --project shop --yes")]
    Clear {
        /// Do not ask
        #[arg(long, short = 'y')]
        yes: bool,
        /// The Hub and project.
        #[command(flatten)]
        target: Target,
    },
}

/// Runs one.
pub(super) async fn run(command: Command, shell: &Shell) -> anyhow::Result<()> {
    match command {
        Command::Set { file, target } => {
            let ceilings = read(&file)?;
            let (hub, context) = shell.hub(&target)?;
            let project = context.project()?;
            let answer = hub.put(&["v1", "projects", project, "ceilings"], &json!(ceilings)).await?;
            shell.terminal.answer(&answer, |terminal| terminal.say(&format!("the ceilings of {project} are set")));
        }
        Command::Show { target } => {
            let (hub, context) = shell.hub(&target)?;
            let answer = hub.get(&["v1", "projects", context.project()?, "ceilings"]).await?;
            shell.terminal.answer(&answer, |terminal| {
                let ceilings = &answer["ceilings"];
                if ceilings.is_null() {
                    terminal.say("none");
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
        }
        Command::Clear { yes, target } => {
            let (hub, context) = shell.hub(&target)?;
            let project = context.project()?;
            shell.confirm(yes, &format!("Remove the ceilings of {project}?"))?;
            hub.delete(&["v1", "projects", project, "ceilings"]).await?;
            let answer = json!({"project": project, "ceilings": null});
            shell.terminal.answer(&answer, |terminal| terminal.say(&format!("{project} has no ceilings any more")));
        }
    }
    Ok(())
}

fn read(file: &std::path::Path) -> anyhow::Result<Ceilings> {
    let shown = file.display();
    let length = std::fs::metadata(file).with_context(|| format!("cannot read {shown}"))?.len();
    let wrong = |why: String| Failure::failed(format!("{shown}: {why}"));
    if length > FILE_BYTES_MAX {
        return Err(wrong(format!("larger than {FILE_BYTES_MAX} bytes")).into());
    }
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {shown}"))?;
    Ceilings::parse(&text).map_err(|error| wrong(error.to_string()).into())
}
