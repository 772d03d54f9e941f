//! The tables of a release as one caller sees them: names become columns, relations and what the rules ask of rows.
//!
//! A name that the caller may not use is answered as one that does not exist. Only a key learns that there is something, and why it
//! may not have it.

use std::collections::{BTreeMap, HashMap};

use santokit_core::{
    access::{
        predicate::Predicate,
        table::{Columns, TableRules, Verb},
    },
    event::Trigger,
    param::CompiledBounds,
    schema::{ColumnDefault, Items, Table, relation},
    storage::{CompiledPolicies, Storage},
};
use santokit_sql::plan::Column;

use super::{
    access::{self, Grant},
    findings::Place,
    request::Request,
};
use crate::events::trigger::{RowEvents, TableTriggers};

/// The tables of a release, by name. Made once per generation.
#[derive(Debug, Default)]
pub struct Tables {
    by_name: BTreeMap<String, Entry>,
    /// What publishes the events of written rows; none where nothing does.
    row_events: Option<RowEvents>,
    /// Who may put objects, by bucket: whoever may can name them in a row.
    policies: BTreeMap<String, CompiledPolicies>,
}

/// A table of a release.
#[derive(Debug)]
pub struct Entry {
    /// As requests name it.
    pub name: String,
    /// The connection that it is in.
    pub connection: String,
    /// As it is declared.
    pub table: Table,
    /// Who may do what.
    pub rules: TableRules,
    /// The primary key first.
    pub columns: Vec<EntryColumn>,
    /// What is published of written rows.
    pub triggers: TableTriggers,
    by_column: HashMap<String, usize>,
    relations: BTreeMap<String, relation::Relation>,
}

/// A column, ready for values.
#[derive(Debug)]
pub struct EntryColumn {
    /// As plans name it.
    pub column: Column,
    /// Of its values.
    pub bounds: CompiledBounds,
    /// Of the elements of an array.
    pub items: Option<Box<Items>>,
    /// What it has where nothing is sent.
    pub default: Option<ColumnDefault>,
    /// Whether no two rows have the same value, and none has NULL.
    pub is_unique: bool,
    /// Whether it is the primary key.
    pub is_key: bool,
    /// Where its values are keys of objects.
    pub file: Option<FileColumn>,
}

/// Keys of objects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileColumn {
    /// Of this bucket.
    pub bucket: String,
    /// Whether an object goes when no row names it any more.
    pub takes: bool,
}

/// A table that the caller may read, and as far as it may.
#[derive(Clone, Debug)]
pub struct Readable<'a> {
    /// The table.
    pub entry: &'a Entry,
    /// What the rule asks of its rows.
    pub rule: Predicate,
    /// The columns that the rule gives.
    columns: Columns,
}

/// A relation to a table that the caller may read, over columns that it may read.
#[derive(Clone, Debug)]
pub struct Relation<'a> {
    /// As the schema has it.
    pub relation: &'a relation::Relation,
    /// The other side.
    pub other: Readable<'a>,
}

/// What a name stands for.
#[derive(Debug)]
pub enum Named<'a> {
    /// A column that may be read.
    Column(&'a EntryColumn),
    /// A relation that may be followed.
    Relation(Relation<'a>),
    /// Neither.
    Missing(Missing),
}

/// Why a name stands for nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Missing {
    /// There is no such thing.
    Unknown,
    /// There is, but not for this caller. The reason is for keys.
    Denied(String),
}

impl Tables {
    /// Of tables that were made ready.
    pub fn new(entries: impl IntoIterator<Item = Entry>) -> Self {
        Self {
            by_name: entries.into_iter().map(|entry| (entry.name.clone(), entry)).collect(),
            row_events: None,
            policies: BTreeMap::new(),
        }
    }

    /// With who may put objects. The error is for operators.
    pub fn with_objects(mut self, storage: &Storage) -> Result<Self, String> {
        for (alias, bucket) in &storage.buckets {
            let policies = CompiledPolicies::compile(&bucket.policies);
            let policies = policies.map_err(|error| format!("bucket {alias:?}: {error}"))?;
            self.policies.insert(alias.clone(), policies);
        }
        Ok(self)
    }

    /// Who may put objects into a bucket.
    pub fn policies(&self, bucket: &str) -> Option<&CompiledPolicies> {
        self.policies.get(bucket)
    }

    /// The columns that name objects of a bucket.
    pub fn naming<'t>(&'t self, bucket: &'t str) -> impl Iterator<Item = (&'t Entry, &'t EntryColumn)> {
        self.by_name
            .values()
            .flat_map(|entry| entry.files().map(move |(column, file)| (entry, column, file)))
            .filter_map(move |(entry, column, file)| (file.bucket == bucket).then_some((entry, column)))
    }

    /// Whether a column of the bucket takes objects with it.
    pub fn takes(&self, bucket: &str) -> bool {
        self.naming(bucket).any(|(_, column)| column.file.as_ref().is_some_and(|file| file.takes))
    }

    /// With triggers, of whose topics events of written rows are published. The error is for operators.
    pub fn with_triggers(mut self, triggers: &BTreeMap<String, Trigger>, of: RowEvents) -> Result<Self, String> {
        for entry in self.by_name.values_mut() {
            entry.triggers = TableTriggers::of(&entry.name, &entry.table, triggers)?;
        }
        self.row_events = Some(of);
        Ok(self)
    }

    /// What publishes the events of written rows.
    pub fn row_events(&self) -> Option<&RowEvents> {
        self.row_events.as_ref()
    }

    /// A table by its name.
    pub fn get(&self, name: &str) -> Option<&Entry> {
        self.by_name.get(name)
    }

    /// Every name.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.by_name.keys().map(String::as_str)
    }
}

impl Entry {
    /// A table with its relations and rules.
    pub fn new(
        name: &str,
        connection: &str,
        table: &Table,
        relations: impl IntoIterator<Item = relation::Relation>,
        rules: TableRules,
    ) -> Result<Self, String> {
        let key = EntryColumn {
            column: Column::key(table),
            bounds: CompiledBounds::compile(table.id.kind, &santokit_core::schema::Bounds::NONE)
                .map_err(|error| error.to_string())?,
            items: None,
            default: None,
            is_unique: true,
            is_key: true,
            file: None,
        };
        let mut columns = vec![key];
        for column in &table.columns {
            let bounds = CompiledBounds::compile(column.kind, &column.bounds)
                .map_err(|error| format!("column {:?}: {error}", column.name))?;
            columns.push(EntryColumn {
                column: Column::declared(column),
                bounds,
                items: column.items.clone(),
                default: column.default.clone(),
                is_unique: column.unique && !column.nullable,
                is_key: false,
                file: column.bucket.clone().map(|bucket| FileColumn { bucket, takes: column.takes_objects() }),
            });
        }
        let by_column = columns.iter().enumerate().map(|(index, column)| (column.column.name.clone(), index)).collect();
        Ok(Self {
            name: name.to_owned(),
            connection: connection.to_owned(),
            table: table.clone(),
            rules,
            columns,
            triggers: TableTriggers::default(),
            by_column,
            relations: relations.into_iter().map(|relation| (relation.name.clone(), relation)).collect(),
        })
    }

    /// A column by its name, whoever asks.
    pub fn column(&self, name: &str) -> Option<&EntryColumn> {
        self.columns.get(*self.by_column.get(name)?)
    }

    /// The primary key.
    pub fn key(&self) -> Column {
        Column::key(&self.table)
    }

    /// The columns that name objects.
    pub fn files(&self) -> impl Iterator<Item = (&EntryColumn, &FileColumn)> {
        self.columns.iter().filter_map(|column| Some((column, column.file.as_ref()?)))
    }

    /// Whether the columns are the primary key, or exactly those of a unique index.
    pub fn is_unique(&self, columns: &[&str]) -> bool {
        let same = |names: &[String]| {
            names.len() == columns.len() && columns.iter().all(|column| names.iter().any(|name| name == column))
        };
        match columns {
            [one] if *one == self.table.id.name => true,
            [one] if self.table.columns.iter().any(|column| column.unique && column.name == *one) => true,
            _ => self.table.indexes.iter().any(|index| index.unique && same(&index.columns)),
        }
    }
}

impl<'a> Readable<'a> {
    /// The table as the caller may read it, if it may.
    pub fn of(request: &Request<'a>, entry: &'a Entry) -> Result<Self, String> {
        Ok(Self::granted(entry, access::ask(&entry.rules, Verb::Select, request)?))
    }

    /// The table as its select rule gives it.
    pub fn granted(entry: &'a Entry, grant: Grant) -> Self {
        Self { entry, rule: grant.rule, columns: grant.columns }
    }

    /// The columns that may be read, in the order of the schema.
    pub fn columns(&self) -> impl Iterator<Item = &'a EntryColumn> {
        self.entry.columns.iter().filter(move |column| self.columns.contains(&column.column.name))
    }

    /// A column that may be read.
    pub fn column_of(&self, name: &str) -> Option<&'a EntryColumn> {
        self.entry.column(name).filter(|column| self.columns.contains(&column.column.name))
    }

    /// What a name of a request stands for.
    pub fn named(&self, request: &Request<'a>, name: &str) -> Named<'a> {
        match self.entry.column(name) {
            Some(column) if self.columns.contains(name) => return Named::Column(column),
            Some(_) => return Named::Missing(Missing::Denied(format!("the rule does not give the column {name:?}"))),
            None => {}
        }
        match self.relation(request, name) {
            Ok(relation) => Named::Relation(relation),
            Err(missing) => Named::Missing(missing),
        }
    }

    /// A relation that may be followed.
    pub fn relation(&self, request: &Request<'a>, name: &str) -> Result<Relation<'a>, Missing> {
        let Some(relation) = self.entry.relations.get(name) else { return Err(Missing::Unknown) };
        let Some(entry) = request.tables.get(&relation.table) else { return Err(Missing::Unknown) };
        let denied = |column: &str| {
            Missing::Denied(format!(
                "the rule does not give the column {column:?} that the relation {name:?} goes over"
            ))
        };
        if !self.columns.contains(&relation.local) {
            return Err(denied(&relation.local));
        }
        let other = Readable::of(request, entry).map_err(|reason| {
            Missing::Denied(format!("the relation {name:?} goes to a table that may not be read: {reason}"))
        })?;
        if !other.columns.contains(&relation.remote) {
            return Err(denied(&relation.remote));
        }
        Ok(Relation { relation, other })
    }

    /// The relations that may be followed.
    pub fn relations(&self, request: &Request<'a>) -> Vec<&'a str> {
        let names = self.entry.relations.keys().map(String::as_str);
        names.filter(|name| self.relation(request, name).is_ok()).collect()
    }
}

impl Missing {
    /// Tells it. What is there but not for the caller is told to keys only; to all others it is as if it were not there.
    pub fn tell<'a>(&self, request: &mut Request<'a>, place: Place<'_>, what: &str, sent: &str, table: &Readable<'a>) {
        let known: Vec<&str> = if request.findings.is_full() {
            Vec::new()
        } else {
            let columns = table.columns().map(|column| column.column.name.as_str());
            columns.chain(table.relations(request)).collect()
        };
        self.tell_among(request, place, what, sent, known);
    }

    /// The same, with the names that the caller may learn of.
    pub fn tell_among<'k>(
        &self,
        request: &mut Request<'_>,
        place: Place<'_>,
        what: &str,
        sent: &str,
        known: impl IntoIterator<Item = &'k str>,
    ) {
        match self {
            Missing::Denied(reason) if access::is_told_reasons(request.actor.kind) => {
                request.findings.forbidden(place, reason.clone());
            }
            _ => request.findings.unknown(place, what, sent, known),
        }
    }
}
