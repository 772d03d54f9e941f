//! A comparison for people, one line for each difference. The only place where it is put into words.

use std::fmt;

use serde_json::Value as Json;

use super::{
    AccessChange, Break, Broken, Caller, Comparison, Difference, Field, Reach, Ruled, SchemaPart, Section, Target,
};
use crate::access::{Rule, table::Verb};

/// Longest value that is shown.
const VALUE_CHARS_MAX: usize = 80;

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// `+` is new or wider, `-` is gone or narrower, `~` is another, `!` breaks who relies on it.
    pub sign: char,
    /// The rest.
    pub text: String,
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.sign, self.text)
    }
}

impl Comparison {
    /// A section in words.
    pub fn lines(&self, section: Section) -> Vec<Line> {
        match section {
            Section::Schema => self.schema.iter().map(schema).collect(),
            Section::Permissions => self.permissions.iter().flat_map(permissions).collect(),
            Section::Capabilities => {
                let signed = |sign, powers: &[super::Power]| -> Vec<Line> {
                    powers.iter().map(|power| Line { sign, text: power.to_string() }).collect()
                };
                [signed('+', &self.capabilities.added), signed('-', &self.capabilities.removed)].concat()
            }
            Section::Access => self.access.lines(),
            Section::Logics => self.logics.iter().map(|one| field("logic ", one)).collect(),
            Section::Queries => self.queries.iter().map(|one| field("query ", one)).collect(),
            Section::Events => {
                let breaks = self.breaking_events.iter().map(breaking);
                self.events.iter().map(|one| field("", one)).chain(breaks).collect()
            }
            Section::Cron => self.cron.iter().map(|one| field("job ", one)).collect(),
            Section::Settings => self.settings.iter().map(|one| field("", one)).collect(),
        }
    }
}

impl super::Access {
    /// In words.
    pub fn lines(&self) -> Vec<Line> {
        let mut lines: Vec<Line> = self.changes.iter().map(access).collect();
        if self.is_cut {
            lines.push(Line { sign: '~', text: "and more than are shown".to_owned() });
        }
        lines
    }
}

fn sign<Of, As>(difference: &Difference<Of, As>) -> char {
    match (&difference.before, &difference.after) {
        (None, _) => '+',
        (_, None) => '-',
        _ => '~',
    }
}

fn schema(difference: &Difference<SchemaPart, String>) -> Line {
    let what = match &difference.of {
        SchemaPart::Connection { connection } => format!("connection {connection}"),
        SchemaPart::Table { connection, table } => format!("table {connection}.{table}"),
        SchemaPart::Key { connection, table } => format!("primary key of {connection}.{table}"),
        SchemaPart::Column { connection, table, column } => format!("column {connection}.{table}.{column}"),
        SchemaPart::Reference { connection, table, column } => format!("reference of {connection}.{table}.{column}"),
        SchemaPart::Index { connection, table, columns } => {
            format!("index of {connection}.{table} on {}", columns.join(", "))
        }
    };
    let text = match (&difference.before, &difference.after) {
        (Some(before), Some(after)) => format!("{what}: {} becomes {}", or_nothing(before), or_nothing(after)),
        (None, Some(one)) | (Some(one), None) if !one.is_empty() => format!("{what}: {one}"),
        _ => what,
    };
    Line { sign: sign(difference), text }
}

fn or_nothing(text: &str) -> &str {
    if text.is_empty() { "nothing" } else { text }
}

/// The rules that only one side has, or, where only their order differs, all.
fn permissions(difference: &Difference<Ruled, Vec<Rule>>) -> Vec<Line> {
    let what = match &difference.of {
        Ruled::Table { table, verb } => format!("{table}.{}", verb.as_str()),
        Ruled::Logic { logic } => format!("logic {logic}"),
        Ruled::Topic { topic } => format!("publish {topic}"),
    };
    let of = |rules: &Option<Vec<Rule>>| rules.clone().unwrap_or_default();
    let (before, after) = (of(&difference.before), of(&difference.after));
    let only = |sign, of: &[Rule], other: &[Rule]| -> Vec<Line> {
        let rules = of.iter().zip(1..).filter(|(rule, _)| !other.contains(rule));
        rules.map(|(rule, number)| Line { sign, text: format!("{what} rule {number}: {}", in_words(rule)) }).collect()
    };
    let lines = [only('-', &before, &after), only('+', &after, &before)].concat();
    if lines.is_empty() {
        vec![Line { sign: '~', text: format!("{what}: the same rules in another order") }]
    } else {
        lines
    }
}

fn in_words(rule: &Rule) -> String {
    let mut text = format!("for {}", rule.roles.join(", "));
    if let Some(columns) = &rule.columns {
        text = format!("{text}, columns {}", columns.join(", "));
    }
    if let Some(condition) = &rule.condition {
        text = format!("{text}, where {}", short(condition.trim()));
    }
    text
}

fn field(kind: &str, difference: &Difference<Field, Json>) -> Line {
    let Field { name, field } = &difference.of;
    let what = match (name, field) {
        (Some(name), Some(field)) => format!("{kind}{name} {field}"),
        (Some(one), None) | (None, Some(one)) => format!("{kind}{one}"),
        (None, None) => kind.to_owned(),
    };
    let text = match (&difference.before, &difference.after) {
        (Some(before), Some(after)) => format!("{what}: {} becomes {}", value(before), value(after)),
        (None, Some(one)) | (Some(one), None) => format!("{what}: {}", value(one)),
        (None, None) => what,
    };
    Line { sign: sign(difference), text }
}

fn breaking(of: &Break) -> Line {
    let what = match &of.field {
        Some(field) => format!("field {field} of topic {}", of.topic),
        None => format!("topic {}", of.topic),
    };
    // What need not be there any more can still be sent.
    let publishers = if of.what == Broken::FieldOptional { &[][..] } else { &of.publishers };
    let affected: Vec<&str> = publishers.iter().chain(&of.handlers).map(String::as_str).collect();
    let affected = if affected.is_empty() { "events that wait".to_owned() } else { affected.join(", ") };
    Line { sign: '!', text: format!("{what} {}: breaks {affected}", of.what.told()) }
}

fn value(json: &Json) -> String {
    short(&json.as_str().map_or_else(|| json.to_string(), str::to_owned))
}

fn short(text: &str) -> String {
    let one_line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if one_line.chars().count() <= VALUE_CHARS_MAX {
        return one_line;
    }
    one_line.chars().take(VALUE_CHARS_MAX).chain(['…']).collect()
}

fn access(change: &AccessChange) -> Line {
    let (who, what) = (caller(&change.caller), target(&change.target));
    let (sign, text) = match (&change.before, &change.after) {
        (Reach::Never, Reach::When { condition }) => ('+', format!("{who} gains {what} where {}", short(condition))),
        (Reach::Never, _) => ('+', format!("{who} gains {what}")),
        (_, Reach::Never) => ('-', format!("{who} loses {what}")),
        (Reach::When { condition }, Reach::Always) => {
            ('+', format!("{who} gains {what} everywhere, before only where {}", short(condition)))
        }
        (Reach::Always, Reach::When { condition }) => {
            ('-', format!("{who} keeps {what} only where {}", short(condition)))
        }
        (Reach::When { condition: before }, Reach::When { condition: after }) => {
            ('~', format!("{who} has {what} where {}, before where {}", short(after), short(before)))
        }
        (Reach::Always, Reach::Always) => ('~', format!("{who} has {what}")),
    };
    Line { sign, text }
}

fn caller(caller: &Caller) -> String {
    match caller {
        Caller::Anyone => "anyone".to_owned(),
        Caller::EndUser => "every end user".to_owned(),
        Caller::Role { role } => format!("role {role}"),
        Caller::Key { role } => format!("role {role} of a key"),
        Caller::User { role } => format!("role {role} of an end user"),
    }
}

fn target(target: &Target) -> String {
    match target {
        Target::Logic { logic } => format!("calls of {logic}"),
        Target::Topic { topic } => format!("publishing of {topic}"),
        Target::Table { table, verb: Verb::Delete, .. } => format!("delete of rows of {table}"),
        Target::Table { table, verb, columns } => {
            let verb = if *verb == Verb::Select { "read" } else { verb.as_str() };
            let columns: Vec<String> = columns.iter().map(|column| format!("{table}.{column}")).collect();
            format!("{verb} of {}", columns.join(", "))
        }
    }
}
