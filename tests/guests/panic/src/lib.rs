//! Panics as its input says, a few calls deep, so that a backtrace has names to show.

use santokit_guest::prelude::*;

#[derive(Deserialize)]
struct Input {
    message: Option<String>,
    kind: Option<String>,
}

fn handle(input: Input) -> Result<u64, LogicError> {
    outer_step(&input)
}

#[inline(never)]
fn outer_step(input: &Input) -> Result<u64, LogicError> {
    inner_step(input)
}

#[inline(never)]
fn inner_step(input: &Input) -> Result<u64, LogicError> {
    match input.kind.as_deref() {
        Some("index") => Ok(u64::from(input.message.as_deref().unwrap_or("").as_bytes()[1000])),
        Some("unwrap") => Ok(input.message.as_deref().and_then(|text| text.parse().ok()).unwrap()),
        _ => panic!("{}", input.message.as_deref().unwrap_or("asked to panic")),
    }
}

santokit_guest::logic!(handle);
