//! `stk completions`: a script for the user's shell.

use clap::CommandFactory;

use super::Arguments;

/// Flags of `stk completions`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  stk completions bash > /etc/bash_completion.d/stk")]
pub struct Options {
    /// Which shell
    pub shell: clap_complete::Shell,
}

/// Runs it.
pub fn run(options: &Options) -> anyhow::Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(options.shell, &mut Arguments::command(), "stk", &mut script);
    match std::io::Write::write_all(&mut std::io::stdout().lock(), &script) {
        // The reader has what it wanted.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        other => Ok(other?),
    }
}
