//! `expand`: the rows of relations, each level of each relation by one statement, whatever the number of parents.

use santokit_core::schema::relation::Cardinality;
use santokit_sql::plan::{Column, Condition, Direction, Select, SortKey, Source};

use super::{
    findings::Place,
    names::{Readable, Relation},
    request::Request,
    select::Columns,
};

/// The rows of one relation, for all parents at once.
#[derive(Clone, Debug, PartialEq)]
pub struct Level {
    /// The field that they are answered in.
    pub name: String,
    /// An object, or a list.
    pub cardinality: Cardinality,
    /// Which column of the parents leads to them.
    pub parent_column: usize,
    /// The rows, but for the keys and the limit, which are known when the parents are read.
    pub select: Select,
    /// The column that the keys are of.
    pub remote: Column,
    /// Where it stands in the select.
    pub remote_column: usize,
    /// How many of the columns are answered.
    pub shown: usize,
    /// What hangs on these rows.
    pub levels: Vec<Level>,
}

/// The names of `expand` as a tree.
#[derive(Debug, Default)]
struct Tree<'a>(Vec<(&'a str, Tree<'a>)>);

/// Reads `expand`, and adds the columns that lead to the relations.
pub fn read<'a>(request: &mut Request<'a>, table: &Readable<'a>, columns: &mut Columns) -> Vec<Level> {
    let Some(json) = request.param("expand") else { return Vec::new() };
    let place = Place::Params.field("expand");
    let names = request.names(json, place);
    let (depth, count) = (request.limits.expand_depth, request.limits.expand_relations);
    let mut tree = Tree::default();
    for (index, name) in names.into_iter().enumerate() {
        if name.split('.').count() > depth {
            request.findings.limit(place.element(index), "expandDepth", format!("is deeper than {depth} relations"));
            continue;
        }
        tree.add(name);
        if tree.size() > count {
            request.findings.limit(place, "expandRelations", format!("has more than {count} relations"));
            return Vec::new();
        }
    }
    levels(request, table, &tree, columns, place)
}

fn levels<'a>(
    request: &mut Request<'a>,
    table: &Readable<'a>,
    tree: &Tree<'a>,
    columns: &mut Columns,
    place: Place<'_>,
) -> Vec<Level> {
    let mut levels = Vec::new();
    for (name, below) in &tree.0 {
        match table.relation(request, name) {
            Ok(relation) => levels.extend(level(request, table, name, relation, below, columns)),
            Err(missing) => {
                let known = table.relations(request);
                missing.tell_among(request, place, "relation", name, known);
            }
        }
    }
    levels
}

fn level<'a>(
    request: &mut Request<'a>,
    table: &Readable<'a>,
    name: &str,
    relation: Relation<'a>,
    below: &Tree<'a>,
    parents: &mut Columns,
) -> Option<Level> {
    let Relation { relation, other } = relation;
    let local = table.column_of(&relation.local)?;
    let remote = other.column_of(&relation.remote)?;
    let mut columns = Columns::default();
    columns.extend(other.columns().map(|column| &column.column));
    let shown = columns.count();
    let remote_column = columns.place(&remote.column);
    let below = levels(request, &other, below, &mut columns, Place::Params.field("expand"));
    let key = other.columns().find(|column| column.is_key);
    let order = match relation.cardinality {
        Cardinality::One => None,
        Cardinality::Many => key.map(|key| SortKey { column: key.column.clone(), direction: Direction::Ascending }),
    };
    let select = Select {
        source: Source { filter: Condition::EVERY, ..Source::of(&other.entry.name, other.rule.clone()) },
        columns: columns.into_inner(),
        distinct: false,
        order: order.into_iter().collect(),
        after: None,
        limit: None,
        offset: 0,
    };
    Some(Level {
        name: name.to_owned(),
        cardinality: relation.cardinality,
        parent_column: parents.place(&local.column),
        select,
        remote: remote.column.clone(),
        remote_column,
        shown,
        levels: below,
    })
}

impl<'a> Tree<'a> {
    /// `a.b` is also `a`.
    fn add(&mut self, path: &'a str) {
        let (first, rest) = path.split_once('.').map_or((path, None), |(first, rest)| (first, Some(rest)));
        let index = self.0.iter().position(|(name, _)| *name == first).unwrap_or_else(|| {
            self.0.push((first, Tree::default()));
            self.0.len() - 1
        });
        if let Some(rest) = rest {
            self.0[index].1.add(rest);
        }
    }

    fn size(&self) -> usize {
        self.0.iter().map(|(_, below)| 1 + below.size()).sum()
    }
}
