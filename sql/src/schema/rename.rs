//! Columns that keep their values under another name (`renamedFrom`).

use santokit_core::schema::Schema;

use super::{Change, CurrentSchema, Engine, Step, alter, diff::Plan};

/// Plans the renames, and answers what is there after them. A name that is still declared, or the new one where it is there
/// already, is no rename: the declaration may stand in the files for as long as one likes.
pub(super) fn columns(engine: Engine, current: &CurrentSchema, desired: &Schema, plan: &mut Plan) -> CurrentSchema {
    let mut after = current.clone();
    for (name, table) in &desired.tables {
        let Some(found) = current.tables.get(name) else { continue };
        for column in &table.columns {
            let Some(from) = &column.renamed_from else { continue };
            let is_declared = table.id.name == *from || table.columns.iter().any(|other| other.name == *from);
            if is_declared || found.column(&column.name).is_some() || found.column(from).is_none() {
                continue;
            }
            rename(&mut after, name, from, &column.name);
            let change = Change::RenameColumn { table: name.clone(), column: column.name.clone(), from: from.clone() };
            plan.renames.push(Step::one(change, alter::rename_column(engine, name, from, &column.name)));
        }
    }
    after
}

fn rename(schema: &mut CurrentSchema, table: &str, from: &str, to: &str) {
    let change = |names: &mut Vec<String>| {
        for name in names.iter_mut().filter(|name| *name == from) {
            to.clone_into(name);
        }
    };
    for (name, found) in &mut schema.tables {
        for reference in &mut found.references {
            if reference.elsewhere.is_none() && reference.table == table {
                change(&mut reference.targets);
            }
            if name == table {
                change(&mut reference.columns);
            }
        }
        if name == table {
            found
                .columns
                .iter_mut()
                .filter(|column| column.name == from)
                .for_each(|column| to.clone_into(&mut column.name));
            found.indexes.iter_mut().for_each(|index| change(&mut index.columns));
        }
    }
}
