//! The `stk` command as a library, so that tests can use its parts: commands, the building of logic, the Hub's client and
//! `stk dev`. It decides nothing that Hub, Bridge or `core` decide; it asks them and says what they answered.

pub mod archive;
pub mod build;
pub mod client;
pub mod command;
pub mod context;
pub mod credentials;
pub mod dev;
pub mod failure;
pub mod folder;
pub mod logic_test;
pub mod plugins;
pub mod prompt;
pub mod report;
pub mod session;
pub mod telemetry;
pub mod types;
pub mod user_cache;

use std::{io::Write, process::ExitCode};

use clap::Parser;

use crate::{
    command::Arguments,
    failure::{Exit, exit_of},
    report::Terminal,
};

/// Runs the command line of this process to its end.
pub fn run() -> ExitCode {
    let arguments = Arguments::parse();
    if arguments.command.is_compiler() {
        // Without runtime, telemetry or anything else that it could be made to use.
        return compile();
    }
    // Before anything opens a database.
    santokit_sqlite::memory::install();
    let terminal = Terminal::new(arguments.json);
    // Before the runtime and ended after it: the exporter of traces blocks.
    let telemetry = telemetry::start(arguments.command.log_for(), terminal.colours_log(), arguments.project());
    let ended = telemetry.and_then(|telemetry| {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let ended = runtime.block_on(command::run(arguments, terminal));
        runtime.shutdown_background();
        telemetry.end();
        ended
    });
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            terminal.failure(&error);
            let exit: Exit = exit_of(&error);
            ExitCode::from(exit as u8)
        }
    }
}

/// Compiles components for the Bridge that started this process.
fn compile() -> ExitCode {
    match santokit_wasm::run_worker(std::io::stdin().lock(), std::io::stdout().lock()) {
        Ok(()) => ExitCode::SUCCESS,
        // Its words are for who started it by hand; a Bridge looks at how it ended.
        Err(error) => {
            writeln!(std::io::stderr(), "{error}").ok();
            ExitCode::FAILURE
        }
    }
}
