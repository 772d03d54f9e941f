//! `stk dev`: the flags; the work is in [`crate::dev`].

use std::path::PathBuf;

use super::Shell;
use crate::{
    dev::run::{self, Plan},
    folder::Folder,
};

/// Flags of `stk dev`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  stk dev --port 8081\n\nDatabases and keys come from santokit.dev.yaml; remove .stk/dev to begin anew."
)]
pub struct Options {
    /// The port on 127.0.0.1; 0 takes a free one
    #[arg(long, short, default_value_t = 8080, env = "STK_DEV_PORT")]
    pub port: u16,
    /// Let a change of the schema take data away
    #[arg(long)]
    pub force: bool,
    /// The project folder
    #[arg(long, value_name = "DIR")]
    pub project: Option<PathBuf>,
}

/// Runs it.
pub async fn run(options: Options, shell: &Shell) -> anyhow::Result<()> {
    let dir = options.project.map_or_else(|| Ok(shell.dir.clone()), std::path::absolute)?;
    let folder = Folder::find(&dir)?;
    run::run(folder, Plan { port: options.port, fuel: false, force: options.force }, shell.terminal).await
}
