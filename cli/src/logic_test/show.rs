//! How cases ended, for people and for programs. What a guest said is made printable; secrets were taken out before.

use std::time::Duration;

use santokit_core::release::Digest;
use serde_json::{Value as Json, json};
use similar::{ChangeTag, TextDiff};

use super::{case::Ended, compare::Difference, files::Found};
use crate::report::{Terminal, Tone, printable, took};

/// Differences of one case that are shown to people.
const DIFFERENCES_MAX: usize = 20;
/// Characters of a value that fits into a line.
const LINE_MAX: usize = 60;
const DIFF_LINES_MAX: usize = 60;
const CONTEXT: usize = 3;
const LOGS_MAX: usize = 50;

/// One case, for people: a line, and below it what is wrong.
pub(super) fn case(found: &Found, ended: &Ended, terminal: Terminal) {
    let (tone, word) = if ended.passed() { (Tone::Good, "passed") } else { (Tone::Bad, "failed") };
    let name = printable(&found.case.name);
    let place = terminal.tone(Tone::Faint, &format!("{} ({})", found.path, took(ended.elapsed)));
    terminal.say(&format!("{} {name}  {place}", terminal.tone(tone, word)));
    if ended.passed() {
        return;
    }
    let line = match ended.step {
        Some(step) => found.case.steps.get(step - 1).map_or(found.case.line, |step| step.line),
        None => found.case.line,
    };
    let step = ended.step.map(|step| format!(", step {step}")).unwrap_or_default();
    terminal.say(&terminal.tone(Tone::Faint, &format!("  {}:{line}{step}", found.path)));
    if let Some(trouble) = &ended.trouble {
        terminal.say(&format!("  {}", printable(trouble)));
    }
    for difference in ended.differences.iter().take(DIFFERENCES_MAX) {
        one(difference, terminal);
    }
    if let Some(more) = ended.differences.len().checked_sub(DIFFERENCES_MAX).filter(|more| *more > 0) {
        terminal.say(&format!("  and {more} more differences"));
    }
    section("the guest", &ended.failure, terminal);
    section("its log", &ended.logs, terminal);
}

/// The end, for people; all of it, for programs.
pub(super) fn summary(
    ended: &[(Found, Digest, Ended)],
    unaffected: usize,
    elapsed: Duration,
    is_watching: bool,
    terminal: Terminal,
) {
    let passed = ended.iter().filter(|(_, _, ended)| ended.passed()).count();
    let failed = ended.len() - passed;
    if terminal.is_json() {
        let cases: Vec<Json> = ended.iter().map(|(found, _, ended)| as_json(found, ended)).collect();
        let report = json!({
            "passed": passed, "failed": failed, "unaffected": unaffected, "durationMs": elapsed.as_millis(), "cases": cases,
        });
        if is_watching {
            terminal.event("tested", report, "");
        } else {
            terminal.answer(&report, |_| {});
        }
        return;
    }
    if ended.is_empty() && unaffected == 0 {
        return;
    }
    let tone = if failed == 0 { Tone::Good } else { Tone::Bad };
    let unaffected = if unaffected > 0 { format!(", {unaffected} not affected") } else { String::new() };
    let counts = format!("{passed} passed, {failed} failed{unaffected}");
    terminal.say(&format!("{} in {}", terminal.tone(tone, &counts), took(elapsed)));
}

fn as_json(found: &Found, ended: &Ended) -> Json {
    let differences = ended.differences.iter().map(|difference| {
        let mut shown = json!({"path": difference.path});
        for (name, value) in [("expected", &difference.expected), ("got", &difference.got)] {
            if let Some(value) = value {
                shown[name] = value.clone();
            }
        }
        shown
    });
    let mut shown = json!({
        "file": found.path, "line": found.case.line, "name": found.case.name,
        "outcome": if ended.passed() { "passed" } else { "failed" }, "durationMs": ended.elapsed.as_millis(),
    });
    if !ended.passed() {
        shown["differences"] = differences.collect();
        shown["step"] = json!(ended.step);
        shown["trouble"] = json!(ended.trouble);
        shown["guest"] = json!(ended.failure);
        shown["logs"] = json!(ended.logs);
    }
    shown
}

fn section(title: &str, lines: &[String], terminal: Terminal) {
    if lines.is_empty() {
        return;
    }
    terminal.say(&format!("  {}", terminal.tone(Tone::Faint, title)));
    for line in lines.iter().take(LOGS_MAX).flat_map(|line| line.lines()) {
        terminal.say(&format!("    {}", printable(line)));
    }
    if let Some(more) = lines.len().checked_sub(LOGS_MAX).filter(|more| *more > 0) {
        terminal.say(&format!("    and {more} more lines"));
    }
}

/// Short values in two lines; others as what changes from line to line.
fn one(difference: &Difference, terminal: Terminal) {
    terminal.say(&format!("  {}", terminal.tone(Tone::Strong, &printable(&difference.path))));
    if difference.expected.is_none() && difference.got.is_none() {
        return;
    }
    let short = |value: &Option<Json>| match value {
        None => Some("nothing".to_owned()),
        Some(value) => Some(value.to_string()).filter(|text| text.chars().count() <= LINE_MAX),
    };
    if let (Some(expected), Some(got)) = (short(&difference.expected), short(&difference.got)) {
        terminal.say(&terminal.tone(Tone::Good, &format!("    expected  {}", printable(&expected))));
        terminal.say(&terminal.tone(Tone::Bad, &format!("    got       {}", printable(&got))));
        return;
    }
    let (expected, got) = (lines(difference.expected.as_ref()), lines(difference.got.as_ref()));
    terminal.say(&terminal.tone(Tone::Faint, "    - expected  + got"));
    let diff = TextDiff::from_lines(&expected, &got);
    let groups = diff.grouped_ops(CONTEXT);
    let changes = groups.iter().flatten().flat_map(|op| diff.iter_changes(op));
    for change in changes.take(DIFF_LINES_MAX) {
        let (mark, tone) = match change.tag() {
            ChangeTag::Delete => ('-', Tone::Good),
            ChangeTag::Insert => ('+', Tone::Bad),
            ChangeTag::Equal => (' ', Tone::Faint),
        };
        let line = format!("    {mark} {}", printable(change.value().trim_end_matches('\n')));
        terminal.say(&terminal.tone(tone, &line));
    }
}

/// Text as it is, anything else as JSON over several lines.
fn lines(value: Option<&Json>) -> String {
    match value {
        None => String::new(),
        Some(Json::String(text)) => format!("{text}\n"),
        Some(value) => serde_json::to_string_pretty(value).unwrap_or_default() + "\n",
    }
}
