//! What is left out of a recording: values by the names of their fields, secrets, and the same values wherever else they stand.
//!
//! First everything is read, then everything is written, so that it does not matter where a value was met first.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, HashMap},
    ops::Range,
    sync::Arc,
};

use aho_corasick::{AhoCorasick, Input, MatchKind};
use santokit_core::value::Value;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Number, Value as Json, json};

use super::{
    piece::{self, Piece},
    placeholder::{self, HIDDEN},
};

mod forms;

use forms::Decoded;

/// A text that is shorter is left out where it is a whole value, and not where it is a part of a longer one.
const PART_BYTES_MIN: usize = 6;
/// Likewise for secrets.
const SECRET_PART_BYTES_MIN: usize = 4;
/// How much of a secret's beginning is looked for. As far as it goes on, it is left out: an env can have more of secrets than a search should hold.
const SECRET_BEGIN_BYTES: usize = 64;
/// A number with fewer digits is left out by its name, and where the guest sends it.
const NUMBER_DIGITS_MIN: usize = 4;
/// More values than that are left out of no recording: there is none.
const KNOWN_MAX: usize = 50_000;

/// Parts of names, in small letters and without what is between words.
const ALWAYS: [&str; 11] = [
    "password",
    "passwd",
    "passphrase",
    "secret",
    "authorization",
    "cookie",
    "apikey",
    "accesskey",
    "privatekey",
    "credential",
    "signature",
];
const ALWAYS_WHOLE: [&str; 7] = ["pwd", "pin", "otp", "cvv", "cvc", "ssn", "iban"];

/// Which way a part went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// To the guest: a replay gives it what stands in the recording.
    Given,
    /// From the guest: a replay compares.
    Sent,
}

/// Leaves out.
#[derive(Debug)]
pub(crate) struct Redactor {
    names: BTreeSet<String>,
    texts: HashMap<Arc<str>, Known>,
    numbers: HashMap<String, Known>,
    /// Texts that are looked for within others, those together that begin alike.
    parts: Vec<Vec<Arc<str>>>,
    /// Finds them all in one go, however many there are and however they look: they may be somebody's who wants it to take long.
    finder: Option<AhoCorasick>,
    count: usize,
}

#[derive(Clone, Debug)]
struct Known {
    placeholder: Json,
    /// Whether a guest is given the placeholder, and can be expected to send it.
    is_given: bool,
    is_secret: bool,
}

/// Something known within a text.
#[derive(Debug)]
struct Found<'r> {
    at: Range<usize>,
    known: &'r Known,
    /// Not in an encoding.
    is_literal: bool,
}

/// There is more to be left out than is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it has more values that must be left out than are looked for ({KNOWN_MAX})")]
pub struct TooMuch;

impl Redactor {
    pub(crate) fn new<'n>(names: impl IntoIterator<Item = &'n String>) -> Self {
        let names = names.into_iter().map(|name| plain(name)).collect();
        Self { names, texts: HashMap::new(), numbers: HashMap::new(), parts: Vec::new(), finder: None, count: 0 }
    }

    /// How many values are left out.
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// Whether values of that name are left out.
    fn hides(&self, name: &str) -> bool {
        let name = plain(name);
        self.names.contains(&name)
            || name.ends_with("token")
            || ALWAYS.iter().any(|part| name.contains(part))
            || ALWAYS_WHOLE.contains(&name.as_str())
    }

    /// Reads what is to be written later.
    pub(crate) fn learn(&mut self, piece: &Piece<'_>, way: Way) -> Result<(), TooMuch> {
        match piece {
            Piece::Plain(_) => {}
            Piece::Values(values) => values.iter().for_each(|value| self.learn_within(value, way)),
            Piece::Text(text) => {
                if let (true, Some((_, query))) = (text.contains("://"), text.split_once('?')) {
                    self.learn_query(query, way);
                }
            }
            Piece::Bytes(bytes) => match (piece::structured(bytes), std::str::from_utf8(bytes)) {
                (Some(json), _) => self.learn_json(&json, false, way),
                (None, Ok(text)) if is_query(text) => self.learn_query(text, way),
                (None, _) => {}
            },
            Piece::Secret(name, text) => self.learn_given_secret(name, text),
            Piece::Pairs(pairs) => {
                for (_, value) in pairs.iter().filter(|(name, _)| self.hides(name)).cloned().collect::<Vec<_>>() {
                    self.learn_text(&value, way);
                }
            }
            Piece::Named(values) => {
                for (name, value) in values.iter() {
                    if self.hides(name) {
                        self.learn_value(value, way);
                    } else {
                        self.learn_within(value, way);
                    }
                }
            }
            Piece::Rows(columns, rows) => {
                let hidden: Vec<bool> = columns.iter().map(|column| self.hides(&column.name)).collect();
                for (at, cell) in rows.iter().flat_map(|row| row.iter().enumerate()) {
                    if hidden.get(at).copied().unwrap_or(false) {
                        self.learn_value(cell, way);
                    } else {
                        self.learn_within(cell, way);
                    }
                }
            }
            Piece::Map(parts) => parts.iter().try_for_each(|(_, part)| self.learn(part, way))?,
            Piece::List(parts) => parts.iter().try_for_each(|part| self.learn(part, way))?,
        }
        if self.texts.len() + self.numbers.len() > KNOWN_MAX { Err(TooMuch) } else { Ok(()) }
    }

    /// Reads the secrets of the env. A guest may have been given one where nobody kept it, or have it from somebody else.
    pub(crate) fn learn_secrets(&mut self, secrets: &BTreeMap<String, SecretString>) {
        for (at, (name, secret)) in secrets.iter().enumerate() {
            let text = secret.expose_secret();
            // A shorter one is many a value that has nothing to do with it.
            if text.len() >= SECRET_PART_BYTES_MIN && !self.is_secret(text) {
                self.learn_secret(name, text, self.count + 1 + at, false);
            }
        }
    }

    /// All is read.
    pub(crate) fn learnt(&mut self) -> Result<(), TooMuch> {
        let is_part = |(text, known): &(&Arc<str>, &Known)| {
            text.len() >= if known.is_secret { SECRET_PART_BYTES_MIN } else { PART_BYTES_MIN }
        };
        let mut alike: BTreeMap<&str, Vec<Arc<str>>> = BTreeMap::new();
        for (text, known) in self.texts.iter().filter(is_part) {
            let end = if known.is_secret { text.floor_char_boundary(SECRET_BEGIN_BYTES) } else { text.len() };
            alike.entry(text.get(..end).unwrap_or(text)).or_default().push(Arc::clone(text));
        }
        // The longest: one may begin as another does.
        let builder = AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(alike.keys());
        self.finder = Some(builder.map_err(|_| TooMuch)?);
        self.parts = alike.into_values().collect();
        Ok(())
    }

    fn learn_query(&mut self, query: &str, way: Way) {
        for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
            if self.hides(name) {
                self.learn_text(value, way);
            }
        }
    }

    fn learn_json(&mut self, json: &Json, is_hidden: bool, way: Way) {
        match json {
            Json::String(text) if is_hidden => self.learn_text(text, way),
            Json::Number(number) if is_hidden => self.learn_number(number, way),
            Json::Null | Json::Bool(_) | Json::String(_) | Json::Number(_) => {}
            Json::Array(items) => items.iter().for_each(|item| self.learn_json(item, is_hidden, way)),
            Json::Object(map) => {
                for (name, value) in map {
                    let is_hidden = is_hidden || self.hides(name);
                    self.learn_json(value, is_hidden, way);
                }
            }
        }
    }

    fn learn_value(&mut self, value: &Value, way: Way) {
        match value {
            Value::Null | Value::Boolean(_) => {}
            Value::Int64(number) => self.learn_number(&Number::from(*number), way),
            Value::Float64(number) => {
                if let Some(number) = Number::from_f64(*number) {
                    self.learn_number(&number, way);
                }
            }
            Value::Text(text) | Value::Typed(_, text) => self.learn_text(text, way),
            Value::Bytes(bytes) => {
                if let Ok(text) = std::str::from_utf8(bytes) {
                    self.learn_text(text, way);
                }
            }
        }
    }

    /// A value that may be JSON, with names of its own.
    fn learn_within(&mut self, value: &Value, way: Way) {
        if let Value::Text(text) | Value::Typed(_, text) = value
            && let Some(json) = piece::structured(text.as_bytes())
        {
            self.learn_json(&json, false, way);
        }
    }

    fn learn_text(&mut self, text: &str, way: Way) {
        if text.is_empty() {
            return;
        }
        let is_given = way == Way::Given;
        if let Some(known) = self.texts.get_mut(text) {
            known.is_given |= is_given;
            return;
        }
        self.count += 1;
        let placeholder = Json::String(placeholder::of_text(text, self.count, None));
        self.texts.insert(text.into(), Known { placeholder, is_given, is_secret: false });
    }

    /// Whether it is known to be a secret, and not only to be the form of one.
    fn is_secret(&self, text: &str) -> bool {
        self.texts.get(text).is_some_and(|known| known.is_secret && known.placeholder != HIDDEN)
    }

    fn learn_given_secret(&mut self, name: &str, text: &str) {
        if text.is_empty() || self.is_secret(text) {
            return;
        }
        self.count += 1;
        self.learn_secret(name, text, self.count, true);
    }

    /// Also in the forms in which it is written elsewhere.
    fn learn_secret(&mut self, name: &str, text: &str, number: usize, is_given: bool) {
        let hidden = Known { placeholder: HIDDEN.into(), is_given: false, is_secret: true };
        for form in forms::of(text) {
            self.texts.entry(form.into()).or_insert_with(|| hidden.clone());
        }
        let placeholder = Json::String(placeholder::of_text(text, number, Some(name)));
        let is_given = is_given || self.texts.get(text).is_some_and(|known| known.is_given);
        self.texts.insert(text.into(), Known { placeholder, is_given, is_secret: true });
    }

    fn learn_number(&mut self, number: &Number, way: Way) {
        let is_given = way == Way::Given;
        if let Some(known) = self.numbers.get_mut(&number.to_string()) {
            known.is_given |= is_given;
            return;
        }
        self.count += 1;
        let placeholder = placeholder::of_number(number, self.count);
        self.numbers.insert(number.to_string(), Known { placeholder, is_given, is_secret: false });
    }

    /// As a recording has it.
    pub(crate) fn write(&self, piece: &Piece<'_>, way: Way) -> Json {
        match piece {
            Piece::Plain(json) => json.clone(),
            Piece::Text(text) => Json::String(self.address(text, way)),
            Piece::Secret(_, text) => self.whole(text, way),
            Piece::Bytes(bytes) => self.bytes(bytes, way),
            Piece::Pairs(pairs) => {
                let of = |(name, value): &(String, String)| {
                    let value = if self.hides(name) { self.whole(value, way) } else { self.text(value, way).into() };
                    json!([self.text(name, way), value])
                };
                pairs.iter().map(of).collect::<Vec<_>>().into()
            }
            Piece::Values(values) => {
                values.iter().map(|value| self.value(value, false, way)).collect::<Vec<_>>().into()
            }
            Piece::Named(values) => {
                let of = |(name, value): &(String, Value)| json!([name, self.value(value, self.hides(name), way)]);
                values.iter().map(of).collect::<Vec<_>>().into()
            }
            Piece::Rows(columns, rows) => {
                let hidden: Vec<bool> = columns.iter().map(|column| self.hides(&column.name)).collect();
                let row = |row: &Vec<Value>| -> Json {
                    let is_hidden = |at: usize| hidden.get(at).copied().unwrap_or(false);
                    row.iter()
                        .enumerate()
                        .map(|(at, cell)| self.value(cell, is_hidden(at), way))
                        .collect::<Vec<_>>()
                        .into()
                };
                json!({"columns": piece::of_columns(columns), "rows": rows.iter().map(row).collect::<Vec<_>>()})
            }
            Piece::Map(parts) => {
                let parts = parts.iter().map(|(name, part)| ((*name).to_owned(), self.write(part, way)));
                Json::Object(parts.collect())
            }
            Piece::List(parts) => parts.iter().map(|part| self.write(part, way)).collect::<Vec<_>>().into(),
        }
    }

    fn shown(known: &Known, way: Way) -> Json {
        if way == Way::Given || known.is_given { known.placeholder.clone() } else { HIDDEN.into() }
    }

    /// A whole value that is left out.
    fn whole(&self, text: &str, way: Way) -> Json {
        self.texts.get(text).map_or_else(|| text.into(), |known| Self::shown(known, way))
    }

    /// A text in which others may stand.
    fn text(&self, text: &str, way: Way) -> String {
        if let Some(known) = self.texts.get(text)
            && (text.len() >= PART_BYTES_MIN || way == Way::Sent || known.is_secret)
        {
            return text_of(Self::shown(known, way));
        }
        let (mut written, mut from) = (String::new(), 0);
        for Found { at, known, is_literal } in self.found(text.as_bytes()) {
            let (start, end) = (text.floor_char_boundary(at.start), text.floor_char_boundary(at.end));
            if start >= from {
                written.push_str(text.get(from..start).unwrap_or_default());
                // What it is encoded to in a replay is not known.
                let is_compared = is_literal || way == Way::Given;
                written.push_str(&if is_compared { text_of(Self::shown(known, way)) } else { HIDDEN.to_owned() });
            }
            from = from.max(end);
        }
        written.push_str(text.get(from..).unwrap_or_default());
        written
    }

    /// Where something known stands, as it is and as it is encoded in URLs and forms, in its order.
    fn found(&self, text: &[u8]) -> Vec<Found<'_>> {
        let mut found = self.literally(text);
        for decoded in Decoded::all(text) {
            found.extend(self.literally(&decoded.bytes).into_iter().map(|Found { at, known, .. }| Found {
                at: decoded.place(&at),
                known,
                is_literal: false,
            }));
        }
        // Of the same place the literal one stays first.
        found.sort_by_key(|found| (found.at.start, Reverse(found.at.end)));
        found
    }

    fn literally(&self, text: &[u8]) -> Vec<Found<'_>> {
        let Some(finder) = &self.finder else { return Vec::new() };
        let (mut found, mut from) = (Vec::new(), 0);
        while let Some(begin) = finder.find(Input::new(text).range(from..)) {
            let rest = text.get(begin.start()..).unwrap_or_default();
            let alike =
                |part: &Arc<str>| rest.iter().zip(part.as_bytes()).take_while(|(one, other)| one == other).count();
            let parts = self.parts.get(begin.pattern().as_usize()).into_iter().flatten();
            let longest = parts.map(|part| (alike(part), part)).max_by_key(|(length, _)| *length);
            from = begin.end().max(begin.start() + longest.map_or(0, |(length, _)| length));
            if let Some(known) = longest.and_then(|(_, part)| self.texts.get(part)) {
                found.push(Found { at: begin.start()..from, known, is_literal: true });
            }
        }
        found
    }

    /// A text that may be an address with a query.
    fn address(&self, text: &str, way: Way) -> String {
        match text.split_once('?') {
            Some((path, query)) if path.contains("://") => {
                self.text(&format!("{path}?{}", self.query(query, way)), way)
            }
            _ => self.text(text, way),
        }
    }

    /// Names and values as forms and addresses have them: what is left out by its name.
    fn query(&self, query: &str, way: Way) -> String {
        let pair = |pair: &str| match pair.split_once('=') {
            Some((name, value)) if self.hides(name) => format!("{name}={}", text_of(self.whole(value, way))),
            _ => pair.to_owned(),
        };
        query.split('&').map(pair).collect::<Vec<_>>().join("&")
    }

    /// A text that may be JSON.
    fn cell(&self, text: &str, way: Way) -> String {
        match piece::structured(text.as_bytes()) {
            Some(json) => {
                let written = self.json(&json, false, way);
                if written == json { text.to_owned() } else { written.to_string() }
            }
            None => self.text(text, way),
        }
    }

    fn number(&self, number: &Number, is_hidden: bool, way: Way) -> Json {
        let text = number.to_string();
        let Some(known) = self.numbers.get(&text) else { return number.clone().into() };
        let is_long = text.bytes().filter(u8::is_ascii_digit).count() >= NUMBER_DIGITS_MIN;
        match way {
            _ if is_hidden || is_long => Self::shown(known, way),
            Way::Given => number.clone().into(),
            Way::Sent => HIDDEN.into(),
        }
    }

    fn json(&self, json: &Json, is_hidden: bool, way: Way) -> Json {
        match json {
            Json::Null => Json::Null,
            Json::Bool(truth) => (*truth && !is_hidden).into(),
            Json::Number(number) => self.number(number, is_hidden, way),
            Json::String(text) if is_hidden => self.whole(text, way),
            Json::String(text) => self.text(text, way).into(),
            Json::Array(items) => items.iter().map(|item| self.json(item, is_hidden, way)).collect::<Vec<_>>().into(),
            Json::Object(map) => {
                let of = |(name, value): (&String, &Json)| {
                    (self.text(name, way), self.json(value, is_hidden || self.hides(name), way))
                };
                Json::Object(map.iter().map(of).collect())
            }
        }
    }

    /// What changes nothing is kept as it came, so that a replay gives the same bytes.
    fn bytes(&self, bytes: &[u8], way: Way) -> Json {
        if let Some(json) = piece::structured(bytes) {
            let written = self.json(&json, false, way);
            return if written == json { piece::of_bytes(bytes) } else { json!({"json": written}) };
        }
        match std::str::from_utf8(bytes) {
            Ok(text) if is_query(text) => json!({"text": self.text(&self.query(text, way), way)}),
            Ok(text) => json!({"text": self.text(text, way)}),
            Err(_) if self.is_within(bytes) => json!({"text": HIDDEN}),
            Err(_) => piece::of_bytes(bytes),
        }
    }

    fn is_within(&self, bytes: &[u8]) -> bool {
        !self.found(bytes).is_empty()
    }

    fn value(&self, value: &Value, is_hidden: bool, way: Way) -> Json {
        match value {
            Value::Null => Json::Null,
            Value::Boolean(truth) => (*truth && !is_hidden).into(),
            Value::Int64(number) => self.number(&Number::from(*number), is_hidden, way),
            Value::Float64(float) => {
                match Number::from_f64(*float).map(|number| self.number(&number, is_hidden, way)) {
                    Some(Json::Number(number)) => piece::of_value(&Value::Float64(number.as_f64().unwrap_or(*float))),
                    Some(hidden) => hidden,
                    None => piece::of_value(value),
                }
            }
            Value::Text(text) if is_hidden => self.whole(text, way),
            Value::Text(text) => self.cell(text, way).into(),
            Value::Typed(name, text) => {
                let text = if is_hidden { self.whole(text, way) } else { self.cell(text, way).into() };
                json!({"typed": name, "text": text})
            }
            Value::Bytes(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) => {
                    let text = if is_hidden { text_of(self.whole(text, way)) } else { self.text(text, way) };
                    piece::of_value(&Value::Bytes(text.into_bytes()))
                }
                Err(_) if is_hidden || self.is_within(bytes) => match way {
                    Way::Given => piece::of_value(&Value::Bytes(b"redacted".to_vec())),
                    Way::Sent => HIDDEN.into(),
                },
                Err(_) => piece::of_value(value),
            },
        }
    }
}

/// As a form is sent.
fn is_query(text: &str) -> bool {
    text.contains('=') && !text.contains(char::is_whitespace)
}

/// A name without what differs between ways of writing it: `X-Api-Key`, `apiKey` and `api_key` are one.
fn plain(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

fn text_of(json: Json) -> String {
    match json {
        Json::String(text) => text,
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests;
