//! Tables and columns that are to go: what of a release still uses them, and from which day on they may go. Whether an apply
//! is refused for it is the Hub's to say.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use chrono::{Days, NaiveDate};

use super::Manifest;
use crate::{access::Rule, logic::Body, schema::Table};

/// Days between the first apply of a deprecation and the day from which on the thing may go, where none is declared.
pub const SUNSET_DAYS: u64 = 90;

/// A table, or one of its columns.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Thing {
    /// The connection's name.
    pub connection: String,
    /// The table's name.
    pub table: String,
    /// None is the table itself.
    pub column: Option<String>,
}

/// What is said about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// For people.
    pub why: String,
    /// The declared day.
    pub sunset: Option<NaiveDate>,
}

impl Notice {
    /// The day from which on it may go, where it has been deprecated since a day.
    pub fn sunset(&self, since: NaiveDate) -> NaiveDate {
        self.sunset.unwrap_or_else(|| since.checked_add_days(Days::new(SUNSET_DAYS)).unwrap_or(NaiveDate::MAX))
    }
}

impl fmt::Display for Thing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.connection, self.table)?;
        self.column.as_ref().map_or(Ok(()), |column| write!(f, ".{column}"))
    }
}

impl Manifest {
    /// What is deprecated.
    pub fn deprecated(&self) -> BTreeMap<Thing, Notice> {
        let mut all = BTreeMap::new();
        for (connection, schema) in &self.connections {
            for (name, table) in &schema.tables {
                let thing = |column: Option<&String>| Thing {
                    connection: connection.clone(),
                    table: name.clone(),
                    column: column.cloned(),
                };
                let notice = |why: &String, sunset: &Option<String>| Notice {
                    why: why.clone(),
                    sunset: sunset.as_deref().and_then(|day| day.parse().ok()),
                };
                all.extend(table.deprecated.as_ref().map(|why| (thing(None), notice(why, &table.sunset))));
                for column in &table.columns {
                    let found = column.deprecated.as_ref();
                    all.extend(found.map(|why| (thing(Some(&column.name)), notice(why, &column.sunset))));
                }
            }
        }
        all
    }

    /// Whether a table or column is declared.
    pub fn declares(&self, thing: &Thing) -> bool {
        let table = self.connections.get(&thing.connection).and_then(|schema| schema.tables.get(&thing.table));
        table.is_some_and(|table| match &thing.column {
            None => true,
            Some(name) => table.id.name == *name || table.columns.iter().any(|column| column.name == *name),
        })
    }

    /// What uses it, in words. Statements are looked through for the names: one that only mentions them is told as well.
    pub fn uses(&self, thing: &Thing) -> BTreeSet<String> {
        let mut uses = BTreeSet::new();
        let Thing { connection, table, column } = thing;
        if let Some(rules) = self.permissions.tables.get(table) {
            let verbs = [
                ("select", &rules.select),
                ("insert", &rules.insert),
                ("update", &rules.update),
                ("delete", &rules.delete),
            ];
            let using = verbs.iter().filter(|(_, rules)| rules.iter().any(|rule| names(rule, column.as_deref())));
            uses.extend(using.map(|(verb, _)| format!("permissions of {table}: {verb}")));
        }
        for (name, query) in &self.queries {
            let is_of_table = query.connection == *connection && query.tables.contains_key(table);
            if is_of_table && column.as_ref().is_none_or(|column| mentions(&query.statement, column)) {
                uses.insert(format!("query {name}"));
            }
        }
        for (name, logic) in &self.logics {
            let is_using = match &logic.body {
                Body::Sql(body) if logic.connection == *connection => body
                    .statements
                    .iter()
                    .any(|text| mentions(text, table) && column.as_ref().is_none_or(|column| mentions(text, column))),
                // What a component does with a table's columns is its own.
                Body::Wasm(body) => column.is_none() && !body.grants.sql_verbs(connection, table).is_empty(),
                Body::Sql(_) => false,
            };
            if is_using {
                uses.insert(format!("logic {name}"));
            }
        }
        let schema = self.connections.get(connection);
        for (name, other) in schema.iter().flat_map(|schema| &schema.tables) {
            uses.extend(structure(name, other, thing));
        }
        uses
    }
}

/// Indexes with the column, and references to it.
fn structure(name: &str, table: &Table, thing: &Thing) -> Vec<String> {
    let mut uses = Vec::new();
    for column in &table.columns {
        let Some(to) = column.references.as_ref().filter(|to| to.table == thing.table) else { continue };
        if thing.column.as_ref().is_none_or(|column| to.column == *column) && name != thing.table {
            uses.push(format!("reference of {name}.{}", column.name));
        }
    }
    if let (true, Some(column)) = (name == thing.table, &thing.column) {
        let of_column = table.indexes.iter().filter(|index| index.columns.contains(column));
        uses.extend(of_column.map(|index| format!("index of {name} on {}", index.columns.join(", "))));
    }
    uses
}

/// Whether a rule is about the column; every rule is about its table.
fn names(rule: &Rule, column: Option<&str>) -> bool {
    let Some(column) = column else { return true };
    let listed = rule.columns.as_ref().is_some_and(|columns| columns.iter().any(|known| known == column));
    listed || rule.condition.as_ref().is_some_and(|condition| mentions(condition, column))
}

/// Whether a name stands in a text as a word.
fn mentions(text: &str, name: &str) -> bool {
    text.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest() -> Manifest {
        let manifest = serde_json::json!({
            "format": 1, "project": "p", "minimumBridge": "0.1.0", "defaultConnection": "main",
            "connections": {"main": {"tables": {
                "orders": {"id": {"name": "id", "generate": "ulid", "type": "string"}, "columns": [
                    {"name": "total", "type": "int", "nullable": true, "deprecated": "use cents", "sunset": "2026-03-01"},
                    {"name": "cents", "type": "int", "nullable": true},
                ], "indexes": [{"columns": ["cents", "total"], "unique": false}]},
                "old": {"id": {"name": "id", "generate": "ulid", "type": "string"}, "columns": [], "deprecated": "gone soon"},
                "lines": {"id": {"name": "id", "generate": "ulid", "type": "string"}, "columns": [
                    {"name": "old", "type": "string", "nullable": true, "references": {"table": "old", "column": "id", "as": "old", "onDelete": "restrict", "onUpdate": "restrict"}},
                ]},
            }}},
            "permissions": {"tables": {"orders": {
                "select": [{"roles": ["a"], "columns": ["id", "total"]}],
                "update": [{"roles": ["a"], "condition": "resource.total > 1"}],
                "delete": [{"roles": ["a"], "condition": "resource.totals > 1"}],
            }}},
            "queries": {"sum": {"connection": "main", "returns": "many", "statement": "SELECT sum(total) FROM orders", "tables": {"orders": ["select"]}},
                "count": {"connection": "main", "returns": "many", "statement": "SELECT count(*) FROM orders", "tables": {"orders": ["select"]}}},
        });
        serde_json::from_value(manifest).unwrap()
    }

    #[test]
    fn everything_that_uses_a_column_or_a_table_is_told() {
        let manifest = manifest();
        let told: Vec<String> = manifest
            .deprecated()
            .keys()
            .map(|thing| format!("{thing}: {}", manifest.uses(thing).into_iter().collect::<Vec<_>>().join("; ")))
            .collect();
        assert_eq!(
            told,
            [
                "main: old: reference of lines.old",
                "main: orders.total: index of orders on cents, total; permissions of orders: select; permissions of orders: update; \
                 query sum",
            ]
        );
    }

    #[test]
    fn a_sunset_is_the_declared_day_or_ninety_days_after_the_first() {
        let day = |text: &str| text.parse::<NaiveDate>().unwrap();
        let notices: Vec<Notice> = manifest().deprecated().into_values().collect();
        let sunsets: Vec<NaiveDate> = notices.iter().map(|notice| notice.sunset(day("2026-01-01"))).collect();
        assert_eq!(sunsets, [day("2026-04-01"), day("2026-03-01")]);
    }
}
