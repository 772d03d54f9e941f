//! Asking a person on a terminal, with or without showing what is typed. Nobody is asked where there is no terminal.

use std::io::{self, BufRead, IsTerminal, Read};

use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};

use crate::{failure::Failure, report::Terminal};

const LINE_BYTES_MAX: u64 = 4 << 10;

/// Asks for a line. `how` says how to give it without a terminal.
pub fn line(terminal: Terminal, question: &str, how: &str) -> anyhow::Result<String> {
    need_terminal(terminal, question, how)?;
    terminal.note(question);
    read(question)
}

/// The same, and what is typed is not shown.
pub fn hidden(terminal: Terminal, question: &str, how: &str) -> anyhow::Result<String> {
    need_terminal(terminal, question, how)?;
    let stdin = io::stdin();
    let before = tcgetattr(&stdin)?;
    let mut without_echo = before.clone();
    without_echo.local_modes.remove(LocalModes::ECHO);
    without_echo.local_modes.insert(LocalModes::ECHONL);
    tcsetattr(&stdin, OptionalActions::Flush, &without_echo)?;
    // Only now: what is typed after the question must not be shown.
    terminal.note(question);
    let text = read(question);
    tcsetattr(&stdin, OptionalActions::Drain, &before)?;
    text
}

fn need_terminal(terminal: Terminal, question: &str, how: &str) -> anyhow::Result<()> {
    if io::stdin().is_terminal() && !terminal.is_json() {
        return Ok(());
    }
    Err(Failure::usage(format!("{question} there is nobody to ask")).hint(how.to_owned()).into())
}

fn read(question: &str) -> anyhow::Result<String> {
    let mut text = String::new();
    io::stdin().lock().take(LINE_BYTES_MAX).read_line(&mut text)?;
    let text = text.trim_end_matches(['\r', '\n']).to_owned();
    if text.is_empty() { Err(Failure::usage(format!("{question} nothing was typed")).into()) } else { Ok(text) }
}
