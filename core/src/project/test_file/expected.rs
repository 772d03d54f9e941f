//! What a case expects. A value is expected exactly, unless it is a map with one key that begins with `$`: a matcher.

use serde_json::{Map, Value as Json};

use super::{
    super::{
        LogicSource,
        decode::File,
        diagnostic::Check,
        keys,
        node::{Entry, Node, Span, Yaml},
    },
    Reader, UsageMax, json,
};
use crate::{
    limit::LimitName,
    name::nearest,
    param::convert,
    schema::{Schema, Table, Type},
};

/// What becomes of a call.
#[derive(Clone, Debug, Default)]
pub struct Expect {
    /// The answer; none is any.
    pub answer: Option<Matcher>,
    /// The error; none is success.
    pub error: Option<ExpectError>,
    /// All rows of tables, by primary key.
    pub rows: Vec<ExpectRows>,
    /// Queries.
    pub sql: Vec<ExpectRows>,
    /// Parts of log lines.
    pub logs: Vec<String>,
    /// Upper bounds.
    pub usage: UsageMax,
    /// All events that it publishes, each a map of `topic` and `payload`; none is not looked at.
    pub events: Option<Matcher>,
}

/// An error, as its caller sees it.
#[derive(Clone, Debug)]
pub struct ExpectError {
    /// The logic's own where the logic says no, else the platform's.
    pub code: String,
    /// Its message.
    pub message: Option<Matcher>,
    /// Its details.
    pub details: Option<Matcher>,
    /// The limit that stopped it.
    pub limit: Option<LimitName>,
}

/// Rows that are found afterwards.
#[derive(Clone, Debug)]
pub struct ExpectRows {
    /// Where.
    pub connection: String,
    /// The table, or the query.
    pub of: String,
    /// In order.
    pub rows: Matcher,
}

/// What a value is compared with.
#[derive(Clone, Debug, PartialEq)]
pub enum Matcher {
    /// This value: also what a map or a list without a matcher in it is.
    Exactly(Json),
    /// Anything, but it is there.
    Any,
    /// A text that holds this one.
    Contains(String),
    /// A map with at least these members.
    Partial(Vec<(String, Matcher)>),
    /// A map with these members.
    Map(Vec<(String, Matcher)>),
    /// A list of these items.
    List(Vec<Matcher>),
}

const MATCHERS: [&str; 4] = ["$any", "$contains", "$partial", "$exactly"];

impl Reader<'_> {
    pub(super) fn expect(&self, node: &Node, logic: &str) -> Expect {
        let file = self.file;
        let mut expect = Expect::default();
        let Some(map) = file.map(node, &keys::TEST_EXPECT) else { return expect };
        // An answer can be null, which elsewhere is the same as nothing.
        let answer = match &node.yaml {
            Yaml::Map(entries) => entries.iter().find(|entry| entry.key == "answer"),
            _ => None,
        };
        expect.answer = answer.map(|entry| matcher(file, &entry.value));
        expect.error = map.get("error").and_then(|node| self.error(node));
        if let (Some(entry), Some(_)) = (answer, &expect.error) {
            file.error(entry.span, Check::Conflict, "a call has an answer or an error, not both");
        }
        for table in map.get("rows").map(|node| file.names(node)).unwrap_or_default() {
            let Some((connection, schema)) = self.table(&table.key, table.span) else { continue };
            let rows = file.list(&table.value).iter().map(|row| self.row(row, &table.key, schema)).collect();
            let (connection, of) = (connection.to_owned(), table.key.clone());
            expect.rows.push(ExpectRows { connection, of, rows: Matcher::List(rows) });
        }
        let queries = map.get("sql").map(|node| file.list(node)).unwrap_or_default();
        expect.sql = queries.iter().filter_map(|node| self.query(node)).collect();
        expect.logs =
            map.get("logs").map(|node| file.texts(node)).unwrap_or_default().into_iter().map(|w| w.text).collect();
        if let Some(entry) = map.entry("usage") {
            let is_sql =
                self.project.logics.get(logic).is_some_and(|logic| matches!(logic.source, LogicSource::Sql(_)));
            if is_sql {
                file.error(entry.span, Check::Conflict, "usage is measured of components; this logic is SQL");
            }
            expect.usage = self.usage(&entry.value);
        }
        expect.events = map
            .get("events")
            .map(|node| Matcher::List(file.list(node).iter().filter_map(|node| self.published(node)).collect()));
        expect
    }

    /// An event that is published.
    fn published(&self, node: &Node) -> Option<Matcher> {
        let map = self.file.map(node, &keys::TEST_EXPECTED_EVENT)?;
        let topic = self.topic(map.get("topic")?)?;
        let topic = ("topic".to_owned(), Matcher::Exactly(topic.into()));
        let payload = map.get("payload").map(|node| ("payload".to_owned(), matcher(self.file, node)));
        Some(Matcher::Partial([topic].into_iter().chain(payload).collect()))
    }

    fn error(&self, node: &Node) -> Option<ExpectError> {
        let file = self.file;
        let map = file.map(node, &keys::TEST_ERROR)?;
        let limits: Vec<&'static str> = LimitName::ALL.iter().map(|limit| limit.as_str()).collect();
        Some(ExpectError {
            code: map.get("code").and_then(|node| file.text(node))?.text,
            message: map.get("message").map(|node| matcher(file, node)),
            details: map.get("details").map(|node| matcher(file, node)),
            limit: map.get("limit").and_then(|node| file.word(node, &limits, LimitName::ALL)),
        })
    }

    fn query(&self, node: &Node) -> Option<ExpectRows> {
        let file = self.file;
        let map = file.map(node, &keys::TEST_SQL)?;
        let mut connection = self.project.default_connection.clone();
        if let Some(word) = map.get("connection").and_then(|node| file.text(node)) {
            let known = self.project.connections.keys().map(String::as_str);
            if !self.project.connections.contains_key(&word.text) {
                let message = format!("there is no connection {:?}", word.text);
                file.unknown(word.span, Check::UnknownConnection, message, &word.text, known);
            }
            connection = word.text;
        }
        let query = map.get("query").and_then(|node| file.text(node))?;
        let rows = file.list(map.get("rows")?).iter().map(|row| matcher(file, row)).collect();
        Some(ExpectRows { connection, of: query.text, rows: Matcher::List(rows) })
    }

    fn usage(&self, node: &Node) -> UsageMax {
        let file = self.file;
        let Some(map) = file.map(node, &keys::TEST_USAGE) else { return UsageMax::default() };
        let size = |key| map.get(key).and_then(|node| file.quantity(node));
        let whole = |key| map.get(key).and_then(|node| file.whole(node));
        UsageMax {
            cpu: map.get("cpu").and_then(|node| file.quantity(node)),
            memory: size("memory"),
            host_calls: whole("hostCalls"),
            sql_rows: whole("sqlRows"),
            sql_bytes: size("sqlBytes"),
            output: size("output"),
            log_bytes: size("logBytes"),
        }
    }

    /// A row of a table: values are brought to the one spelling of their column's type.
    fn row(&self, node: &Node, name: &str, table: &Table) -> Matcher {
        let file = self.file;
        let cells = |node: &Node| -> Vec<(String, Matcher)> {
            let cell = |entry: &&Entry| {
                let kind = self.column(table, name, &entry.key, entry.span)?;
                let wanted = matcher(file, &entry.value);
                let wanted = match wanted {
                    Matcher::Exactly(Json::Null) => Matcher::Exactly(Json::Null),
                    Matcher::Exactly(value) => Matcher::Exactly(normal(file, &entry.value, kind, value)?),
                    other => other,
                };
                Some((entry.key.clone(), wanted))
            };
            file.names(node).iter().filter_map(cell).collect()
        };
        match special(node) {
            Some(entry) if entry.key == "$partial" => Matcher::Partial(cells(&entry.value)),
            Some(_) => matcher(file, node),
            None => Matcher::Map(cells(node)),
        }
    }

    /// A table by its name, with its connection.
    pub(super) fn table(&self, name: &str, span: Span) -> Option<(&str, &Table)> {
        let find = |(connection, schema): (&'_ String, &'_ Schema)| {
            schema.tables.contains_key(name).then(|| connection.clone())
        };
        let connection = self.project.connections.iter().find_map(find);
        let found = connection.and_then(|connection| {
            let (connection, schema) = self.project.connections.get_key_value(&connection)?;
            Some((connection.as_str(), schema.tables.get(name)?))
        });
        if found.is_none() {
            let known = self.project.connections.values().flat_map(|schema| schema.tables.keys());
            let message = format!("there is no table {name:?}");
            self.file.unknown(span, Check::UnknownTable, message, name, known.map(String::as_str));
        }
        found
    }

    pub(super) fn column(&self, table: &Table, of: &str, name: &str, span: Span) -> Option<Type> {
        if table.id.name == name {
            return Some(table.id.kind);
        }
        let found = table.columns.iter().find(|column| column.name == name).map(|column| column.kind);
        if found.is_none() {
            let known = table.columns.iter().map(|column| column.name.as_str()).chain([table.id.name.as_str()]);
            let message = format!("table {of:?} has no column {name:?}");
            self.file.unknown(span, Check::UnknownColumn, message, name, known);
        }
        found
    }
}

/// A value of a type in its one JSON spelling, which is how the Bridge answers it.
pub(super) fn normal(file: &File<'_>, node: &Node, kind: Type, value: Json) -> Option<Json> {
    let normal = convert::normalise(kind, None, value);
    normal.map_err(|message| file.error(node.span, Check::InvalidValue, message)).ok()
}

/// The one entry of a map whose key begins with `$`.
fn special(node: &Node) -> Option<&Entry> {
    match &node.yaml {
        Yaml::Map(entries) if entries.len() == 1 => entries.first().filter(|entry| entry.key.starts_with('$')),
        _ => None,
    }
}

fn matcher(file: &File<'_>, node: &Node) -> Matcher {
    if let Some(entry) = special(node) {
        return named(file, entry);
    }
    match &node.yaml {
        Yaml::Map(_) => {
            let members: Vec<_> = members(file, node);
            let values: Option<Map<String, Json>> = members.iter().map(exact).collect();
            values.map_or(Matcher::Map(members), |values| Matcher::Exactly(Json::Object(values)))
        }
        Yaml::List(items) => {
            let items: Vec<Matcher> = items.iter().map(|item| matcher(file, item)).collect();
            let values =
                items.iter().map(|item| if let Matcher::Exactly(value) = item { Some(value.clone()) } else { None });
            let values: Option<Vec<Json>> = values.collect();
            values.map_or(Matcher::List(items), |values| Matcher::Exactly(Json::Array(values)))
        }
        _ => Matcher::Exactly(node.json()),
    }
}

fn exact((name, value): &(String, Matcher)) -> Option<(String, Json)> {
    match value {
        Matcher::Exactly(value) => Some((name.clone(), value.clone())),
        _ => None,
    }
}

fn members(file: &File<'_>, node: &Node) -> Vec<(String, Matcher)> {
    file.names(node).into_iter().map(|entry| (entry.key.clone(), matcher(file, &entry.value))).collect()
}

fn named(file: &File<'_>, entry: &Entry) -> Matcher {
    match entry.key.as_str() {
        "$any" => {
            if !matches!(entry.value.yaml, Yaml::Boolean(true)) {
                file.error(entry.value.span, Check::InvalidValue, "write {$any: true}");
            }
            Matcher::Any
        }
        "$contains" => Matcher::Contains(file.text(&entry.value).map(|word| word.text).unwrap_or_default()),
        "$partial" => Matcher::Partial(members(file, &entry.value)),
        "$exactly" => Matcher::Exactly(json(file, &entry.value)),
        other => {
            let hint = match nearest(other, MATCHERS) {
                Some(near) => format!("did you mean {near}?"),
                None => format!("known: {}; {{$exactly: …}} is a map as it stands", MATCHERS.join(", ")),
            };
            file.error_hint(entry.span, Check::UnknownKey, format!("unknown matcher {other:?}"), hint);
            Matcher::Any
        }
    }
}
