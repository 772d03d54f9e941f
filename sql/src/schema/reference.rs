//! Foreign keys that are there beside declared ones.

use santokit_core::schema::{Column, Reference, ReferenceAction};

use super::{Change, CurrentReference, CurrentTable, Engine, diff::Pair, pull};

/// What is to change of the references of a column.
#[derive(Default)]
pub(super) struct ReferenceChange<'a> {
    /// Goes.
    pub(super) dropped: Option<&'a CurrentReference>,
    /// The column whose declared reference comes.
    pub(super) added: Option<&'a Column>,
    /// Is there, and has not been held against all rows.
    pub(super) validated: Option<&'a CurrentReference>,
}

/// Those of one column. A reference that no declaration can describe is somebody else's, and stays.
pub(super) fn changes<'a>(pair: Pair<'a>, column: &'a Column) -> Vec<ReferenceChange<'a>> {
    let Pair { engine, current, desired, found, .. } = pair;
    let known: Vec<&CurrentReference> =
        found.references.iter().filter(|reference| reference.columns == [column.name.clone()]).collect();
    let same = |found: &&&CurrentReference| column.references.as_ref().is_some_and(|to| is_same(engine, found, to));
    if let Some(same) = known.iter().find(same) {
        let validated = (!same.is_validated).then_some(*same);
        return validated
            .map(|found| ReferenceChange { validated: Some(found), ..ReferenceChange::default() })
            .into_iter()
            .collect();
    }
    let declarable = known.into_iter().filter(|found| {
        let target_goes = !desired.tables.contains_key(&found.table) && found.elsewhere.is_none();
        target_goes || pull::reference(engine, current, desired, column, found).is_ok() || column.references.is_some()
    });
    let mut changes: Vec<ReferenceChange<'_>> =
        declarable.map(|found| ReferenceChange { dropped: Some(found), ..ReferenceChange::default() }).collect();
    if column.references.is_some() {
        changes.push(ReferenceChange { added: Some(column), ..ReferenceChange::default() });
    }
    changes
}

/// Those that go with a column.
pub(super) fn of_dropped<'a>(found: &'a CurrentTable, column: &str) -> Vec<ReferenceChange<'a>> {
    let of_column = found.references.iter().filter(|reference| reference.columns.iter().any(|name| name == column));
    of_column.map(|found| ReferenceChange { dropped: Some(found), ..ReferenceChange::default() }).collect()
}

/// A table that is not declared and refers to a column.
pub(super) fn from_elsewhere<'a>(Pair { current, desired, name, .. }: Pair<'a>, column: &str) -> Option<&'a str> {
    let others = current.tables.iter().filter(|(other, _)| !desired.tables.contains_key(*other));
    let mut refers = others.filter(|(_, table)| table.references.iter().any(|to| is_to(to, name, column)));
    refers.next().map(|(other, _)| other.as_str())
}

/// Whether a column that is there refers to another or is referred to. A reference that comes is made after the types have changed.
pub(super) fn has(Pair { current, name, found, .. }: Pair<'_>, column: &str) -> bool {
    let refers = found.references.iter().any(|reference| reference.columns.iter().any(|own| own == column));
    refers || current.tables.values().flat_map(|table| &table.references).any(|to| is_to(to, name, column))
}

pub(super) fn drop_change(table: &str, found: &CurrentReference) -> Change {
    Change::DropReference { table: table.to_owned(), column: found.columns.join(", "), target: found.table.clone() }
}

fn is_to(reference: &CurrentReference, table: &str, column: &str) -> bool {
    reference.elsewhere.is_none() && reference.table == table && reference.targets.iter().any(|name| name == column)
}

/// Restrict and no action are one on MySQL.
fn is_same(engine: Engine, found: &CurrentReference, declared: &Reference) -> bool {
    let same = |found: ReferenceAction, declared: ReferenceAction| {
        let neutral = |action| match action {
            ReferenceAction::NoAction if engine.is_mysql() => ReferenceAction::Restrict,
            action => action,
        };
        neutral(found) == neutral(declared)
    };
    found.elsewhere.is_none()
        && found.table == declared.table
        && found.targets == [declared.column.clone()]
        && same(found.on_update, declared.on_update)
        && same(found.on_delete, declared.on_delete)
}
