//! What a task prints: one line per step, on standard error so that the output of tools stays apart.

#![expect(clippy::print_stderr, reason = "this module is where tasks print")]

use std::io::IsTerminal as _;
use std::time::Instant;

/// A step that takes a while: its name now, its duration at the end.
pub(crate) fn step<T>(name: &str, work: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<T> {
    eprintln!("{} {name}", paint("==>", "1;34"));
    let start = Instant::now();
    let result = work()?;
    eprintln!("{} {name} ({:.1} s)", paint("  ✓", "32"), start.elapsed().as_secs_f64());
    Ok(result)
}

/// A fact worth a line.
pub(crate) fn note(text: &str) {
    eprintln!("    {text}");
}

/// A heading between parts.
pub(crate) fn title(text: &str) {
    eprintln!("\n{}", paint(text, "1"));
}

/// A part that did what it should.
pub(crate) fn passed(text: &str) {
    eprintln!("  {} {text}", paint("✓", "32"));
}

/// The end of a task that did not work.
pub(crate) fn failed(text: &str) {
    eprintln!("{} {text}", paint("error:", "1;31"));
}

fn paint(text: &str, code: &str) -> String {
    if std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none() {
        format!("\x1b[{code}m{text}\x1b[0m")
    } else {
        text.to_owned()
    }
}
