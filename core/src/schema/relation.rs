//! The relations between the tables of a schema, by the names that `expand` and `where` use.
//!
//! To one: by `references.as`. To many: by the name of the table that refers, or `<table>_<as>` where two of its references point
//! here, or where that name is taken by a column or a relation to one.

use std::collections::BTreeMap;

use super::{Reference, Schema, Table};
use crate::name::nearest;

/// The relations of every table of a schema. Made once per release.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Relations {
    by_table: BTreeMap<String, BTreeMap<String, Relation>>,
    collisions: Vec<Collision>,
}

/// One relation, seen from one table.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Relation {
    /// What requests call it.
    pub name: String,
    /// How many rows are on the other side.
    pub cardinality: Cardinality,
    /// The column on this side: the foreign key of a relation to one, what is referred to of a relation to many.
    pub local: String,
    /// The table on the other side.
    pub table: String,
    /// Its column.
    pub remote: String,
}

/// How many rows are on the other side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cardinality {
    /// At most one.
    One,
    /// Any number.
    Many,
}

/// A relation that has no name of its own, and so cannot be asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Collision {
    /// The table that refers.
    pub table: String,
    /// Its column.
    pub column: String,
    /// The table whose relation it would be.
    pub of: String,
    /// The name that is taken there.
    pub name: String,
}

impl Relations {
    /// All of a schema's.
    pub fn of(schema: &Schema) -> Self {
        let mut relations = Self::default();
        for (name, table) in &schema.tables {
            for (column, reference) in references(table).filter(|(_, to)| schema.tables.contains_key(&to.table)) {
                let relation = Relation {
                    name: reference.alias.clone(),
                    cardinality: Cardinality::One,
                    local: column.to_owned(),
                    table: reference.table.clone(),
                    remote: reference.column.clone(),
                };
                relations.add(name, table, relation, name, column);
            }
        }
        // Relations to many come second: those to one have the first choice of names.
        for (from, table) in &schema.tables {
            for (column, reference) in references(table) {
                let Some(to) = schema.tables.get(&reference.table) else { continue };
                let several = references(table).filter(|(_, other)| other.table == reference.table).count() > 1;
                let taken = is_column(to, from) || relations.get(&reference.table, from).is_some();
                let name = if several || taken { format!("{from}_{}", reference.alias) } else { from.clone() };
                let relation = Relation {
                    name,
                    cardinality: Cardinality::Many,
                    local: reference.column.clone(),
                    table: from.clone(),
                    remote: column.to_owned(),
                };
                relations.add(&reference.table, to, relation, from, column);
            }
        }
        relations
    }

    /// The relation of that name.
    pub fn get(&self, table: &str, name: &str) -> Option<&Relation> {
        self.by_table.get(table)?.get(name)
    }

    /// Those of a table, by name.
    pub fn of_table(&self, table: &str) -> impl Iterator<Item = &Relation> {
        self.by_table.get(table).into_iter().flat_map(BTreeMap::values)
    }

    /// The name that is nearest to an unknown one, for "did you mean". `visible` says which relations the caller may learn of.
    pub fn nearest(&self, table: &str, unknown: &str, visible: impl Fn(&Relation) -> bool) -> Option<&str> {
        nearest(
            unknown,
            self.of_table(table).filter(|relation| visible(relation)).map(|relation| relation.name.as_str()),
        )
    }

    /// Relations that have no name of their own.
    pub fn collisions(&self) -> &[Collision] {
        &self.collisions
    }

    fn add(&mut self, name: &str, table: &Table, relation: Relation, from: &str, column: &str) {
        let own = self.by_table.entry(name.to_owned()).or_default();
        if is_column(table, &relation.name) || own.contains_key(&relation.name) {
            self.collisions.push(Collision {
                table: from.to_owned(),
                column: column.to_owned(),
                of: name.to_owned(),
                name: relation.name,
            });
        } else {
            own.insert(relation.name.clone(), relation);
        }
    }
}

fn references(table: &Table) -> impl Iterator<Item = (&str, &Reference)> {
    table.columns.iter().filter_map(|column| Some((column.name.as_str(), column.references.as_ref()?)))
}

fn is_column(table: &Table, name: &str) -> bool {
    table.id.name == name || table.columns.iter().any(|column| column.name == name)
}
