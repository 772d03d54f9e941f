//! `stk bridge test-hub-connectivity`: where the way from here to the Hub ends, and what to do about it.

use santokit_bridge::{
    BridgeConfig,
    release::probe::{self, State},
};
use serde_json::json;

use crate::{
    command::Shell,
    failure::{Exit, Failure},
    report::{Tone, printable},
};

/// Runs it.
pub(super) async fn run(config: &BridgeConfig, shell: &Shell) -> anyhow::Result<()> {
    for variable in &config.ignored {
        shell.terminal.warn(&format!("{variable} means nothing to the Bridge"));
    }
    let steps = probe::try_all(config).await?;
    let failed = steps.iter().find(|step| step.state == State::Failed);
    let answer =
        json!({"ok": failed.is_none(), "hubUrl": config.hub_url.as_str(), "bridge": config.id, "steps": steps});
    shell.terminal.answer(&answer, |terminal| {
        for step in &steps {
            let (tone, word) = match step.state {
                State::Ok => (Tone::Good, "ok     "),
                State::Warning => (Tone::Warn, "warning"),
                State::Failed => (Tone::Bad, "failed "),
                State::Skipped => (Tone::Faint, "skipped"),
            };
            terminal.say(&format!("{} {}: {}", terminal.tone(tone, word), step.name, printable(&step.found)));
            if let Some(todo) = &step.todo {
                terminal.say(&format!("        {} {}", terminal.tone(Tone::Strong, "do:"), printable(todo)));
            }
        }
    });
    let Some(failed) = failed else { return Ok(()) };
    let exit = match failed.name.as_str() {
        "dns" | "tcp" | "tls" => Exit::Unreachable,
        _ => Exit::Refused,
    };
    Err(Failure::new(exit, format!("the way to the Hub ends at {}", failed.name))
        .reported(shell.terminal.is_json())
        .into())
}
