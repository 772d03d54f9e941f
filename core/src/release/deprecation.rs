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

    /// What uses each of them, in words. Statements are looked through for the names: one that only mentions them is told as well.
    /// Each text is taken apart once, however many things there are.
    pub fn uses(&self, things: &BTreeMap<Thing, Notice>) -> BTreeMap<Thing, BTreeSet<String>> {
        let mut looked = Uses::of(things);
        for (table, rules) in &self.permissions.tables {
            let verbs = [
                ("select", &rules.select),
                ("insert", &rules.insert),
                ("update", &rules.update),
                ("delete", &rules.delete),
            ];
            for (verb, rules) in verbs {
                let names: BTreeSet<&str> = rules.iter().flat_map(names).collect();
                if !rules.is_empty() {
                    looked.of_rule(table, &names, &format!("permissions of {table}: {verb}"));
                }
            }
        }
        for (name, query) in &self.queries {
            let words = words(&query.statement);
            for table in query.tables.keys() {
                looked.of_text(&query.connection, table, &words, &format!("query {name}"));
            }
        }
        for (name, logic) in &self.logics {
            let user = format!("logic {name}");
            match &logic.body {
                Body::Sql(body) => {
                    for words in body.statements.iter().map(|text| words(text)) {
                        for table in &words {
                            looked.of_text(&logic.connection, table, &words, &user);
                        }
                    }
                }
                // What a component does with a table's columns is its own.
                Body::Wasm(body) => {
                    for grant in &body.grants.sql {
                        for table in grant.tables.keys() {
                            looked.of_text(&grant.connection, table, &BTreeSet::new(), &user);
                        }
                    }
                }
            }
        }
        for (connection, schema) in &self.connections {
            for (name, table) in &schema.tables {
                looked.of_structure(connection, name, table);
            }
        }
        looked.found
    }
}

/// What is looked for, and who uses it.
struct Uses<'t> {
    /// By connection and table: whether the table itself, and which columns.
    wanted: BTreeMap<(&'t str, &'t str), (bool, BTreeSet<&'t str>)>,
    found: BTreeMap<Thing, BTreeSet<String>>,
}

impl<'t> Uses<'t> {
    fn of(things: &'t BTreeMap<Thing, Notice>) -> Self {
        let mut wanted: BTreeMap<_, (bool, BTreeSet<&str>)> = BTreeMap::new();
        for thing in things.keys() {
            let entry = wanted.entry((thing.connection.as_str(), thing.table.as_str())).or_default();
            match &thing.column {
                None => entry.0 = true,
                Some(column) => drop(entry.1.insert(column)),
            }
        }
        Self { wanted, found: BTreeMap::new() }
    }

    /// A text that has a table's name in it, and these words.
    fn of_text(&mut self, connection: &str, table: &str, words: &BTreeSet<&str>, user: &str) {
        let Some((is_table, columns)) = self.wanted.get(&(connection, table)) else { return };
        let columns: Vec<&str> = columns.iter().copied().filter(|column| words.contains(column)).collect();
        if *is_table {
            self.add(connection, table, None, user);
        }
        for column in columns {
            self.add(connection, table, Some(column), user);
        }
    }

    /// A rule of a table, whichever connection it is on: tables' names are the project's.
    fn of_rule(&mut self, table: &str, names: &BTreeSet<&str>, user: &str) {
        let connections: Vec<&str> =
            self.wanted.keys().filter(|(_, known)| *known == table).map(|(connection, _)| *connection).collect();
        for connection in connections {
            self.of_text(connection, table, names, user);
        }
    }

    /// Indexes with a column, and references to it.
    fn of_structure(&mut self, connection: &str, name: &str, table: &Table) {
        for column in &table.columns {
            let Some(to) = column.references.as_ref().filter(|to| to.table != name) else { continue };
            let of_target = BTreeSet::from([to.column.as_str()]);
            self.of_text(connection, &to.table, &of_target, &format!("reference of {name}.{}", column.name));
        }
        for index in &table.indexes {
            let user = format!("index of {name} on {}", index.columns.join(", "));
            for column in &index.columns {
                if self.wanted.get(&(connection, name)).is_some_and(|(_, columns)| columns.contains(column.as_str())) {
                    self.add(connection, name, Some(column), &user);
                }
            }
        }
    }

    fn add(&mut self, connection: &str, table: &str, column: Option<&str>, user: &str) {
        let thing =
            Thing { connection: connection.to_owned(), table: table.to_owned(), column: column.map(str::to_owned) };
        self.found.entry(thing).or_default().insert(user.to_owned());
    }
}

/// What a rule names: columns of its list, and all words of its condition.
fn names(rule: &Rule) -> impl Iterator<Item = &str> {
    let listed = rule.columns.iter().flatten().map(String::as_str);
    listed.chain(rule.condition.iter().flat_map(|condition| words(condition)))
}

fn words(text: &str) -> BTreeSet<&str> {
    text.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty()).collect()
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
            .uses(&manifest.deprecated())
            .into_iter()
            .map(|(thing, uses)| format!("{thing}: {}", uses.into_iter().collect::<Vec<_>>().join("; ")))
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
