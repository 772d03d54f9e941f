//! Writes the log lines that its input asks for.

use santokit_guest::prelude::*;

#[derive(Deserialize)]
struct Input {
    #[serde(default = "one")]
    count: u32,
    #[serde(default)]
    level: String,
    #[serde(default)]
    message: String,
    /// Each line is made at least this long.
    #[serde(default)]
    size: usize,
}

fn one() -> u32 {
    1
}

fn handle(input: Input) -> Result<u32, LogicError> {
    let level = match input.level.as_str() {
        "trace" => log::Level::Trace,
        "debug" => log::Level::Debug,
        "warn" => log::Level::Warn,
        "error" => log::Level::Error,
        _ => log::Level::Info,
    };
    let message = format!("{:x<size$}", input.message, size = input.size);
    for number in 0..input.count {
        log::log(level, &message, &[("number", &number.to_string()), ("logic", "log")]);
    }
    santokit_guest::debug!(count = input.count, level = input.level; "wrote {} lines", input.count);
    Ok(input.count)
}

santokit_guest::logic!(handle);
