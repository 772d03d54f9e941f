//! Reading typed values out of a [`Node`] tree. Whatever does not fit is reported with its place, and reading goes on.

use std::{
    cell::RefCell,
    collections::{HashMap, HashSet},
    str::FromStr,
};

use serde_json::{Map as JsonMap, Value as Json};

use super::{
    diagnostic::{Check, Diagnostic, Severity},
    keys::{Keys, Shape},
    node::{Entry, Node, Span, Yaml},
};
use crate::name::{NameError, nearest};

/// Bytes of a source line that is shown.
const SNIPPET_BYTES_MAX: usize = 400;

/// A file that is being read, and where findings go.
pub(super) struct File<'f> {
    pub(super) path: &'f str,
    lines: Vec<&'f str>,
    /// Findings show no source line: the file holds secrets.
    secret: bool,
    found: &'f RefCell<Vec<Diagnostic>>,
}

/// A map with fixed keys. Unknown, double and missing keys were reported when it was made.
pub(super) struct Map<'n> {
    keys: &'static Keys,
    entries: &'n [Entry],
    pub(super) span: Span,
}

/// A word with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Word {
    pub(super) text: String,
    pub(super) span: Span,
}

impl<'f> File<'f> {
    pub(super) fn new(path: &'f str, text: &'f str, secret: bool, found: &'f RefCell<Vec<Diagnostic>>) -> Self {
        Self { path, lines: text.lines().collect(), secret, found }
    }

    pub(super) fn error(&self, span: Span, code: Check, message: impl Into<String>) {
        self.report(Severity::Error, span, code, message.into(), None);
    }

    pub(super) fn error_hint(&self, span: Span, code: Check, message: impl Into<String>, hint: impl Into<String>) {
        self.report(Severity::Error, span, code, message.into(), Some(hint.into()));
    }

    pub(super) fn warning(&self, span: Span, code: Check, message: impl Into<String>, hint: impl Into<String>) {
        self.report(Severity::Warning, span, code, message.into(), Some(hint.into()));
    }

    /// An unknown name: the hint is the nearest known one, or all of them where they are few.
    pub(super) fn unknown<'k>(
        &self,
        span: Span,
        code: Check,
        message: impl Into<String>,
        name: &str,
        known: impl IntoIterator<Item = &'k str>,
    ) {
        self.report(Severity::Error, span, code, message.into(), hint_for(name, known));
    }

    /// Where a character of a text stands in the file, for a text that begins at `span`; the character is given by its line and
    /// column in the text. Quotes, escapes of quotes, and what YAML folds or cuts off are passed over; `None` where the file and the
    /// text differ by more than that.
    pub(super) fn place_in(&self, span: Span, text: &str, (line, column): (u32, u32)) -> Option<Span> {
        let before = text.split_inclusive('\n').take(line as usize - 1).map(|line| line.chars().count()).sum::<usize>();
        let mut wanted = text.chars().take(before + column as usize - 1).filter(|c| !c.is_whitespace()).peekable();
        let mut quote = None;
        let (mut escaped, mut last) = (false, Span { width: 0, ..span });
        for (at, row) in self.lines.iter().enumerate().skip(span.line as usize - 1) {
            let first = if at == span.line as usize - 1 { span.column as usize - 1 } else { 0 };
            for (column, c) in row.chars().enumerate().skip(first).filter(|(_, c)| !c.is_whitespace()) {
                last = Span { line: u32::try_from(at + 1).ok()?, column: u32::try_from(column + 1).ok()?, width: 0 };
                let opening = *quote.get_or_insert(c);
                match opening {
                    '"' | '\'' if last == (Span { width: 0, ..span }) => {}
                    '"' if c == '\\' && !escaped => escaped = true,
                    '\'' if c == '\'' && !escaped => escaped = true,
                    _ => match wanted.next() {
                        None => return Some(last),
                        Some(expected) if expected == c => escaped = false,
                        Some(_) => return None,
                    },
                }
            }
        }
        wanted.peek().is_none().then(|| Span { column: last.column + 1, ..last })
    }

    fn report(&self, severity: Severity, span: Span, code: Check, message: String, hint: Option<String>) {
        let shown = |line: &&&str| !self.secret && line.len() <= SNIPPET_BYTES_MAX;
        let snippet = self.lines.get(span.line as usize - 1).filter(shown).map(|line| (*line).to_owned());
        let end = (span.width > 0).then(|| span.column.saturating_add(span.width));
        let Span { line, column, .. } = span;
        self.found.borrow_mut().push(Diagnostic {
            severity,
            code,
            message,
            path: self.path.to_owned(),
            line,
            column,
            end,
            hint,
            snippet,
        });
    }

    fn wrong_type(&self, node: &Node, expected: &str) {
        let message = format!("expected {expected}, found {}", node.yaml.what());
        match &node.yaml {
            Yaml::Whole(_) | Yaml::Float(_) | Yaml::Boolean(_) if expected.contains("text") => {
                self.error_hint(node.span, Check::WrongType, message, "put it in quotes");
            }
            _ => self.error(node.span, Check::WrongType, message),
        }
    }

    /// A map with fixed keys.
    pub(super) fn map<'n>(&self, node: &'n Node, keys: &'static Keys) -> Option<Map<'n>> {
        let entries = self.entries(node)?;
        for entry in entries {
            if !keys.names().any(|name| name == entry.key) {
                let message = format!("unknown key {:?} in {}", entry.key, keys.what);
                self.unknown(entry.span, Check::UnknownKey, message, &entry.key, keys.names());
            }
        }
        self.once(entries);
        let map = Map { keys, entries, span: node.span };
        for key in keys.keys.iter().filter(|key| key.required && map.get(key.name).is_none()) {
            let hint = match key.shape {
                Shape::One => format!("add {}: 1", key.name),
                _ => format!("{}: {}", key.name, key.doc),
            };
            self.error_hint(node.span, Check::MissingKey, format!("missing key {:?} in {}", key.name, keys.what), hint);
        }
        Some(map)
    }

    /// A map with free names, each once.
    pub(super) fn names<'n>(&self, node: &'n Node) -> Vec<&'n Entry> {
        self.entries(node).map(|entries| self.once(entries)).unwrap_or_default()
    }

    fn entries<'n>(&self, node: &'n Node) -> Option<&'n [Entry]> {
        match &node.yaml {
            Yaml::Map(entries) => Some(entries),
            Yaml::Null => Some(&[]),
            _ => {
                self.wrong_type(node, "a map");
                None
            }
        }
    }

    /// The first entry of each key; the others are reported.
    fn once<'n>(&self, entries: &'n [Entry]) -> Vec<&'n Entry> {
        let mut lines: HashMap<&str, u32> = HashMap::new();
        let mut once = Vec::new();
        for entry in entries {
            if let Some(line) = lines.get(entry.key.as_str()) {
                let message = format!("the key {:?} stands here twice; the first is in line {line}", entry.key);
                self.error(entry.span, Check::DuplicateKey, message);
            } else {
                lines.insert(&entry.key, entry.span.line);
                once.push(entry);
            }
        }
        once
    }

    pub(super) fn text(&self, node: &Node) -> Option<Word> {
        if let Yaml::Text(text) = &node.yaml {
            return Some(Word { text: text.clone(), span: node.span });
        }
        self.wrong_type(node, "text");
        None
    }

    /// Text that is a name of some kind.
    pub(super) fn name(&self, node: &Node, rule: impl Fn(&str) -> Result<(), NameError>) -> Option<Word> {
        self.text(node).filter(|word| self.check_name(&word.text, word.span, rule))
    }

    pub(super) fn check_name(&self, name: &str, span: Span, rule: impl Fn(&str) -> Result<(), NameError>) -> bool {
        let checked = rule(name);
        if let Err(error) = &checked {
            self.error(span, Check::InvalidName, error.to_string());
        }
        checked.is_ok()
    }

    pub(super) fn boolean(&self, node: &Node) -> Option<bool> {
        if let Yaml::Boolean(truth) = node.yaml {
            return Some(truth);
        }
        self.wrong_type(node, "true or false");
        None
    }

    pub(super) fn whole(&self, node: &Node) -> Option<u64> {
        let n = match &node.yaml {
            Yaml::Whole(n) => u64::try_from(*n).ok(),
            _ => None,
        };
        if n.is_none() {
            self.wrong_type(node, "a whole number from 0");
        }
        n
    }

    /// A number as written; decimals may be in quotes.
    pub(super) fn number(&self, node: &Node) -> Option<Word> {
        match &node.yaml {
            Yaml::Whole(_) | Yaml::Float(_) => Some(Word { text: node.raw.clone(), span: node.span }),
            Yaml::Text(text) => Some(Word { text: text.clone(), span: node.span }),
            _ => {
                self.wrong_type(node, "a number");
                None
            }
        }
    }

    /// `5s`, `64MiB` and the like.
    pub(super) fn quantity<Q: FromStr>(&self, node: &Node) -> Option<Q>
    where
        Q::Err: std::fmt::Display,
    {
        let text = match &node.yaml {
            Yaml::Text(text) => text,
            // A number without a unit: the error says which units there are.
            Yaml::Whole(_) | Yaml::Float(_) => &node.raw,
            _ => {
                self.wrong_type(node, "a quantity with its unit");
                return None;
            }
        };
        text.parse().map_err(|error: Q::Err| self.error(node.span, Check::InvalidValue, error.to_string())).ok()
    }

    /// One of a few words.
    pub(super) fn word<T: Copy>(&self, node: &Node, words: &[&'static str], values: &[T]) -> Option<T> {
        let word = self.text(node)?;
        let found = words.iter().zip(values).find(|(known, _)| **known == word.text);
        if found.is_none() {
            let message = format!("{:?} is not one of {}", word.text, words.join(", "));
            self.report(
                Severity::Error,
                word.span,
                Check::UnknownValue,
                message,
                nearest_hint(&word.text, words.iter().copied()),
            );
        }
        found.map(|(_, value)| *value)
    }

    pub(super) fn list<'n>(&self, node: &'n Node) -> &'n [Node] {
        match &node.yaml {
            Yaml::List(items) => items,
            Yaml::Null => &[],
            _ => {
                self.wrong_type(node, "a list");
                &[]
            }
        }
    }

    /// A list of different texts.
    pub(super) fn texts(&self, node: &Node) -> Vec<Word> {
        let mut seen = HashSet::new();
        let mut first = |word: &Word| {
            let is_first = seen.insert(word.text.clone());
            if !is_first {
                self.error(word.span, Check::Duplicate, format!("{:?} stands in the list twice", word.text));
            }
            is_first
        };
        self.list(node).iter().filter_map(|item| self.text(item)).filter(|word| first(word)).collect()
    }
}

impl<'n> Map<'n> {
    /// The value of a key; an empty one is the same as none. The key is one of the map's table.
    pub(super) fn get(&self, key: &'static str) -> Option<&'n Node> {
        self.entry(key).map(|entry| &entry.value)
    }

    /// The key with its own place.
    pub(super) fn entry(&self, key: &'static str) -> Option<&'n Entry> {
        debug_assert!(self.keys.names().any(|name| name == key), "{key} is not in the table of {}", self.keys.what);
        self.entries.iter().find(|entry| entry.key == key && !matches!(entry.value.yaml, Yaml::Null))
    }
}

impl Yaml {
    const fn what(&self) -> &'static str {
        match self {
            Yaml::Null => "nothing",
            Yaml::Boolean(_) => "a truth value",
            Yaml::Whole(_) | Yaml::Float(_) => "a number",
            Yaml::Text(_) => "text",
            Yaml::List(_) => "a list",
            Yaml::Map(_) => "a map",
        }
    }
}

impl Node {
    /// As JSON. Numbers that JSON does not hold exactly become what a double holds.
    pub(super) fn json(&self) -> Json {
        match &self.yaml {
            Yaml::Null => Json::Null,
            Yaml::Boolean(truth) => Json::Bool(*truth),
            Yaml::Whole(n) => Json::from(*n),
            Yaml::Float(n) => Json::from(*n),
            Yaml::Text(text) => Json::String(text.clone()),
            Yaml::List(items) => items.iter().map(Node::json).collect(),
            Yaml::Map(entries) => Json::Object(
                entries.iter().map(|entry| (entry.key.clone(), entry.value.json())).collect::<JsonMap<_, _>>(),
            ),
        }
    }
}

fn nearest_hint<'k>(name: &str, known: impl IntoIterator<Item = &'k str>) -> Option<String> {
    // A long name is no misspelling of a short one.
    (name.len() <= 100).then(|| nearest(name, known)).flatten().map(|near| format!("did you mean {near:?}?"))
}

fn hint_for<'k>(name: &str, known: impl IntoIterator<Item = &'k str>) -> Option<String> {
    let known: Vec<&str> = known.into_iter().collect();
    nearest_hint(name, known.iter().copied()).or_else(|| match known.len() {
        1..=12 => Some(format!("known: {}", known.join(", "))),
        _ => None,
    })
}
