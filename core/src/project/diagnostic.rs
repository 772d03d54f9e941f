//! What is wrong with a project, where, and what to do: as a value, and as text for people.

use std::fmt::{self, Write as _};

use serde::{Deserialize, Serialize};

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Diagnostic {
    /// Whether it stops a release.
    pub severity: Severity,
    /// What kind of finding it is.
    pub code: Check,
    /// One sentence, lower case.
    pub message: String,
    /// The file, relative to the project.
    pub path: String,
    /// From 1.
    pub line: u32,
    /// From 1, in characters.
    pub column: u32,
    /// The column behind the last character, where the place is more than a point; on the same line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<u32>,
    /// What to do, or the nearest valid name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// The source line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snippet: Option<String>,
}

/// Whether a finding stops a release.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// It does.
    Error,
    /// It does not.
    Warning,
}

macro_rules! checks {
    ($($(#[$doc:meta])* $variant:ident = $text:literal,)*) => {
        /// The kinds of findings. Their spelling is stable: tools may depend on it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum Check { $($(#[$doc])* #[serde(rename = $text)] $variant,)* }

        impl Check {
            /// Every kind there is.
            pub const ALL: &'static [Check] = &[$(Check::$variant),*];

            /// As tools see it.
            pub const fn as_str(self) -> &'static str {
                match self { $(Check::$variant => $text),* }
            }
        }
    };
}

checks! {
    /// The file is not YAML, or not UTF-8, or too large.
    Syntax = "syntax",
    /// A key stands twice in a map.
    DuplicateKey = "duplicate-key",
    /// A key that means nothing there.
    UnknownKey = "unknown-key",
    /// A key that must be there is not.
    MissingKey = "missing-key",
    /// A file that must be there is not.
    MissingFile = "missing-file",
    /// A file in a place or with a name that means nothing.
    UnknownFile = "unknown-file",
    /// Text where a list is wanted, and the like.
    WrongType = "wrong-type",
    /// None of the words that are allowed there.
    UnknownValue = "unknown-value",
    /// Of the right type, but not of the right form.
    InvalidValue = "invalid-value",
    /// A name that breaks the rules for names.
    InvalidName = "invalid-name",
    /// More of something than the limit allows.
    TooMany = "too-many",
    /// Part of the contract, but not of this version.
    Unsupported = "unsupported",
    /// A table, column or logic is defined twice, or a relation has the name of a column or of another relation.
    Duplicate = "duplicate",
    /// There is no such table.
    UnknownTable = "unknown-table",
    /// There is no such column.
    UnknownColumn = "unknown-column",
    /// There is no such connection.
    UnknownConnection = "unknown-connection",
    /// There is no such logic.
    UnknownLogic = "unknown-logic",
    /// There is no such declared query.
    UnknownQuery = "unknown-query",
    /// There is no such bucket.
    UnknownBucket = "unknown-bucket",
    /// There is no such topic.
    UnknownTopic = "unknown-topic",
    /// A trigger whose rows are not what its topic needs.
    InvalidTrigger = "invalid-trigger",
    /// What a SQL logic publishes is not what its topic needs.
    InvalidPublish = "invalid-publish",
    /// SQL of a logic's own that writes a table of which events are published: it fires no trigger.
    PastTrigger = "past-trigger",
    /// Events whose handlers publish events that lead to the same handlers again.
    EventLoop = "event-loop",
    /// What removes or changes rows that take objects with them, and is not seen by the Bridge: the objects stay.
    PastFile = "past-file",
    /// A schedule that cannot be read, or an interval that days cannot be divided by.
    InvalidSchedule = "invalid-schedule",
    /// A job whose handler cannot be called by it.
    InvalidJob = "invalid-job",
    /// There is no such configuration value.
    UnknownConfig = "unknown-config",
    /// The primary key breaks its rules.
    PrimaryKey = "primary-key",
    /// A key that does not go with the column's type.
    NotForType = "not-for-type",
    /// A default that does not fit its type or bounds.
    InvalidDefault = "invalid-default",
    /// A lower bound above the upper one, and the like.
    InvalidBounds = "invalid-bounds",
    /// A regular expression that cannot be read.
    InvalidPattern = "invalid-pattern",
    /// A reference between columns that cannot hold.
    InvalidReference = "invalid-reference",
    /// A condition that cannot be read, is too large, uses what is not there, or cannot be asked of rows in SQL.
    InvalidCondition = "invalid-condition",
    /// Two keys that exclude each other.
    Conflict = "conflict",
    /// A SQL file without front matter, or without an end of it.
    FrontMatter = "front-matter",
    /// SQL that ends inside a string, a comment or a quoted name, has no statement, or acts on more than rows.
    Sql = "sql",
    /// A placeholder that is neither a param nor a system variable.
    UnknownPlaceholder = "unknown-placeholder",
    /// A param that is used nowhere.
    UnusedParam = "unused-param",
    /// A logic that nobody may call.
    NoAccess = "no-access",
    /// More than the ceiling allows.
    AboveCeiling = "above-ceiling",
}

/// Whether one of them stops a release.
pub fn has_errors(diagnostics: &[Diagnostic]) -> bool {
    diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error)
}

/// All of them as text, with a blank line between two.
pub fn render(diagnostics: &[Diagnostic]) -> String {
    let mut text = String::new();
    for (index, diagnostic) in diagnostics.iter().enumerate() {
        if index > 0 {
            text.push('\n');
        }
        // Writing to a string cannot fail.
        let _ = write!(text, "{diagnostic}");
    }
    text
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
        })
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// `path:line:column: error[code]: message`, the source line with a mark under the place, and the hint.
impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Diagnostic { severity, code, message, path, line, column, .. } = self;
        writeln!(f, "{path}:{line}:{column}: {severity}[{code}]: {message}")?;
        if let Some(snippet) = &self.snippet {
            let margin = line.to_string();
            let before = (*column as usize).saturating_sub(1);
            let before: String = snippet.chars().take(before).map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
            // A file can hold anything; a terminal must not obey it.
            let snippet: String =
                snippet.chars().map(|c| if c.is_control() && c != '\t' { '\u{fffd}' } else { c }).collect();
            let width = self.end.map_or(1, |end| end.saturating_sub(*column).max(1)) as usize;
            writeln!(f, " {margin} | {snippet}")?;
            writeln!(f, " {} | {before}{}", " ".repeat(margin.len()), "^".repeat(width))?;
        }
        match &self.hint {
            Some(hint) => writeln!(f, " help: {hint}"),
            None => Ok(()),
        }
    }
}
