//! What `stk` writes to the terminal: answers on standard output, progress and errors on standard error, colours only where
//! a person looks. With `--json`, standard output holds JSON and nothing else.

use std::{
    io::{self, IsTerminal, Write},
    time::Duration,
};

use comfy_table::{ContentArrangement, Table, presets};
use indicatif::{ProgressBar, ProgressStyle};
use owo_colors::{OwoColorize, Style};
use santokit_core::project::{Diagnostic, Severity};
use serde_json::{Map, Value as Json, json};

use crate::failure::{self, Failure};

/// Where and how a command writes.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is asked alone")]
pub struct Terminal {
    json: bool,
    quiet: bool,
    out_colour: bool,
    err_colour: bool,
}

/// What a piece of text says, and so its colour.
#[derive(Clone, Copy, Debug)]
pub enum Tone {
    /// It worked.
    Good,
    /// It did not.
    Bad,
    /// Look at this.
    Warn,
    /// Look at this first.
    Strong,
    /// Read it if you like.
    Faint,
}

impl Terminal {
    /// For this process.
    pub fn new(json: bool) -> Self {
        let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Self {
            json,
            quiet: false,
            out_colour: wanted && io::stdout().is_terminal(),
            err_colour: wanted && io::stderr().is_terminal(),
        }
    }

    /// Whether programs read the answer.
    pub fn is_json(self) -> bool {
        self.json
    }

    /// The same, without answers and events: for work inside of another command.
    #[must_use]
    pub fn quiet(self) -> Self {
        Self { quiet: true, ..self }
    }

    /// Whether answers and events are kept back.
    pub fn is_quiet(self) -> bool {
        self.quiet
    }

    /// Whether the log may be coloured.
    pub fn colours_log(self) -> bool {
        self.err_colour
    }

    /// Text for [`Terminal::say`].
    pub fn tone(self, tone: Tone, text: &str) -> String {
        paint(self.out_colour, tone, text)
    }

    /// A line of the answer for people.
    pub fn say(self, line: &str) {
        if !self.json && !self.quiet {
            write_line(&mut io::stdout().lock(), line);
        }
    }

    /// A line of progress.
    pub fn note(self, line: &str) {
        write_line(&mut io::stderr().lock(), &paint(self.err_colour, Tone::Faint, line));
    }

    /// A line that a person should see, whatever is read by programs.
    pub fn warn(self, line: &str) {
        write_line(&mut io::stderr().lock(), &format!("{} {line}", paint(self.err_colour, Tone::Warn, "warning:")));
    }

    /// The answer: JSON for programs, else what `people` says.
    pub fn answer(self, value: &Json, people: impl FnOnce(Self)) {
        if self.json {
            write_line(&mut io::stdout().lock(), &value.to_string());
        } else {
            people(self);
        }
    }

    /// One event of a command that goes on: a line of JSON for programs, else the line for people.
    pub fn event(self, name: &str, fields: Json, line: &str) {
        if self.quiet {
            return;
        }
        if self.json {
            let mut event = Map::new();
            event.insert("event".to_owned(), json!(name));
            if let Json::Object(fields) = fields {
                event.extend(fields);
            }
            write_line(&mut io::stdout().lock(), &Json::Object(event).to_string());
        } else if !line.is_empty() {
            write_line(&mut io::stdout().lock(), line);
        }
    }

    /// A table for people.
    pub fn table(self, head: &[&str], rows: impl IntoIterator<Item = Vec<String>>) {
        let mut table = Table::new();
        table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
        table.set_header(head.iter().map(|name| name.to_uppercase()));
        for row in rows {
            table.add_row(row.iter().map(|cell| printable(cell)));
        }
        self.say(&table.trim_fmt());
    }

    /// Findings in a project, for people.
    pub fn diagnostics(self, findings: &[Diagnostic]) -> String {
        let mut text = String::new();
        for finding in findings {
            let (tone, word) = match finding.severity {
                Severity::Error => (Tone::Bad, "error["),
                Severity::Warning => (Tone::Warn, "warning["),
            };
            let shown = printable(&finding.to_string());
            text.push_str(&shown.replacen(word, &paint(self.out_colour, tone, word), 1));
            text.push('\n');
        }
        text.trim_end().to_owned()
    }

    /// A spinner or, with a length, a bar; hidden where nobody looks.
    pub fn progress(self, length: Option<u64>, what: &str) -> ProgressBar {
        if self.json || !io::stderr().is_terminal() {
            return ProgressBar::hidden();
        }
        let (bar, template) = match length {
            Some(length) => (ProgressBar::new(length), "{msg} {wide_bar} {human_pos}/{human_len} {eta}"),
            None => (ProgressBar::new_spinner(), "{spinner} {msg} {human_pos} {elapsed}"),
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.set_message(what.to_owned());
        bar.enable_steady_tick(Duration::from_millis(100));
        bar
    }

    /// Why the command failed and what to do next.
    pub fn failure(self, error: &anyhow::Error) {
        if error.downcast_ref::<Failure>().is_some_and(|failure| failure.is_reported) {
            return;
        }
        if self.json {
            write_line(&mut io::stdout().lock(), &failure::to_json(error).to_string());
            return;
        }
        let mut out = io::stderr().lock();
        write_line(
            &mut out,
            &format!("{} {}", paint(self.err_colour, Tone::Bad, "error:"), printable(&format!("{error:#}"))),
        );
        let Some(failure) = error.downcast_ref::<Failure>() else { return };
        for (key, value) in &failure.details {
            for line in detail_lines(value) {
                write_line(&mut out, &format!("  {key}: {}", printable(&line)));
            }
        }
        if let Some(hint) = &failure.hint {
            write_line(&mut out, &format!(" {} {}", paint(self.err_colour, Tone::Strong, "help:"), printable(hint)));
        }
    }
}

/// Text from elsewhere (guests, servers, files) without control characters, which could steer the terminal.
pub fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\n' && c != '\t' { '\u{fffd}' } else { c }).collect()
}

/// A value as a cell of a table: text as it is, nothing as nothing.
pub fn cell(value: &Json) -> String {
    match value {
        Json::Null => String::new(),
        Json::String(text) => text.clone(),
        Json::Array(items) if items.iter().all(Json::is_string) => {
            items.iter().filter_map(Json::as_str).collect::<Vec<_>>().join(", ")
        }
        other => other.to_string(),
    }
}

/// A time for people: `840 ms`, `2.1 s`.
pub fn took(time: Duration) -> String {
    let millis = time.as_millis();
    if millis < 1000 { format!("{millis} ms") } else { format!("{:.1} s", time.as_secs_f64()) }
}

/// A longer time for people, from its seconds: `40s`, `3m`, `5h`, `2d`.
pub fn span(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3_600 => format!("{}m", seconds / 60),
        3_600..86_400 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}

fn detail_lines(value: &Json) -> Vec<String> {
    match value {
        Json::Array(items) => items.iter().map(cell).collect(),
        other => vec![cell(other)],
    }
}

fn paint(coloured: bool, tone: Tone, text: &str) -> String {
    if !coloured {
        return text.to_owned();
    }
    let style = match tone {
        Tone::Good => Style::new().green(),
        Tone::Bad => Style::new().red().bold(),
        Tone::Warn => Style::new().yellow(),
        Tone::Strong => Style::new().bold(),
        Tone::Faint => Style::new().dimmed(),
    };
    text.style(style).to_string()
}

fn write_line(out: &mut impl Write, line: &str) {
    // The reader may have gone (`stk … | head`); there is nobody left to tell.
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_text_cannot_steer_the_terminal() {
        assert_eq!(printable("a\u{1b}[2Jb\n\tc"), "a\u{fffd}[2Jb\n\tc");
    }
}
