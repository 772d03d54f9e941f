//! Whether a release can work with a database as it is, which may have more than the release knows: what it lacks, and what of the
//! rest stands in the way of its writes. Nothing is changed for it, so that what is merely left over is no difference here.

use santokit_core::schema::{Schema, Table};

use super::{Change, CurrentColumn, CurrentDefault, CurrentSchema, CurrentTable, Engine, ddl, diff};

/// What a database would need before a release could work with it, each in words; empty where it can.
pub fn misfits(engine: Engine, current: &CurrentSchema, declared: &Schema) -> Vec<String> {
    let (mut known, mut found) = (current.clone(), Vec::new());
    for (name, table) in &declared.tables {
        let Some(is) = known.tables.get_mut(name) else { continue };
        found.extend(in_the_way(name, table, is));
        forget_others(table, is);
    }
    match diff::plan(engine, &known, declared, &Schema::default()) {
        Ok(steps) => found.extend(steps.iter().flat_map(|step| needed(&step.change))),
        Err(refusals) => found.extend(refusals.into_iter().map(|refusal| refusal.description)),
    }
    found
}

/// What an insert of the release would meet without knowing of it.
fn in_the_way(name: &str, table: &Table, found: &CurrentTable) -> Vec<String> {
    let unmet = |column: &&CurrentColumn| {
        let has_value = column.is_nullable || column.default != CurrentDefault::None;
        !is_declared(table, &column.name) && !has_value && !column.is_counted && !column.is_computed
    };
    let columns = found.columns.iter().filter(unmet);
    let mut all: Vec<String> =
        columns.map(|column| format!("allow NULL in column {name}.{}, or give it a default", column.name)).collect();
    let declared = ddl::indexes(table);
    for index in found.indexes.iter().filter(|index| index.is_unique && index.is_valid) {
        let is_known = declared.iter().any(|wanted| wanted.unique && wanted.columns == index.columns);
        let is_of_others = index.columns.iter().any(|column| !is_declared(table, column));
        if !is_known && !is_of_others && !index.columns.contains(&table.id.name) {
            all.push(format!("drop the unique index of {name} on {}", index.columns.join(", ")));
        }
    }
    all
}

fn is_declared(table: &Table, column: &str) -> bool {
    table.id.name == column || table.columns.iter().any(|declared| declared.name == column)
}

/// The table as far as it is declared.
fn forget_others(table: &Table, found: &mut CurrentTable) {
    let are_declared = |columns: &[String]| columns.iter().all(|column| is_declared(table, column));
    found.columns.retain(|column| is_declared(table, &column.name));
    found.indexes.retain(|index| are_declared(&index.columns));
    found.references.retain(|reference| are_declared(&reference.columns));
    // They would stand in the way of a change, and there is none.
    found.extras.clear();
}

/// What a step says of a need. An index that nobody declares is none.
fn needed(change: &Change) -> Vec<String> {
    match change {
        Change::DropIndex { .. } | Change::Backfill { .. } => Vec::new(),
        Change::Rebuild { changes, .. } => changes.iter().flat_map(needed).collect(),
        change => vec![change.to_string()],
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::schema::CurrentIndex;

    fn declared() -> Schema {
        serde_json::from_value(json!({"tables": {"items": {
            "id": {"name": "id", "generate": "ulid", "type": "string"},
            "columns": [{"name": "name", "type": "string", "nullable": false}, {"name": "code", "type": "int", "nullable": true, "unique": true}],
        }}}))
        .unwrap()
    }

    fn column(name: &str, declared: &str, is_nullable: bool) -> CurrentColumn {
        CurrentColumn {
            name: name.to_owned(),
            declared: declared.to_owned(),
            is_nullable,
            default: CurrentDefault::None,
            is_counted: false,
            is_computed: false,
            collation: None,
            labels: None,
        }
    }

    fn index(columns: &[&str], is_unique: bool) -> CurrentIndex {
        let columns: Vec<String> = columns.iter().map(|column| (*column).to_owned()).collect();
        CurrentIndex { name: format!("by_{}", columns.join("_")), columns, is_unique, is_valid: true }
    }

    /// What is declared, changed.
    fn after(change: impl FnOnce(&mut CurrentTable)) -> Vec<String> {
        let mut table = CurrentTable {
            columns: vec![column("id", "TEXT", false), column("name", "TEXT", false), column("code", "INTEGER", true)],
            key: vec!["id".to_owned()],
            indexes: vec![index(&["code"], true)],
            ..CurrentTable::default()
        };
        change(&mut table);
        let tables = [("items".to_owned(), table)].into();
        misfits(Engine::Sqlite, &CurrentSchema { tables, views: Vec::new() }, &declared())
    }

    #[test]
    fn what_is_left_over_is_no_misfit_unless_writes_meet_it() {
        assert_eq!(misfits(Engine::Sqlite, &CurrentSchema::default(), &declared())[0], "create table items");
        assert_eq!(after(|_| ()), Vec::<String>::new());
        assert_eq!(after(|table| table.columns.push(column("more", "TEXT", true))), Vec::<String>::new());
        let with_default = |table: &mut CurrentTable| {
            let default = CurrentDefault::Literal("x".to_owned());
            table.columns.push(CurrentColumn { default, ..column("more", "TEXT", false) });
            table.indexes.extend([index(&["more"], true), index(&["name"], false)]);
            table.extras.push("a trigger".to_owned());
        };
        assert_eq!(after(with_default), Vec::<String>::new());
        let unmet = after(|table| table.columns.push(column("more", "TEXT", false)));
        assert_eq!(unmet, ["allow NULL in column items.more, or give it a default"]);
        assert_eq!(
            after(|table| table.indexes.push(index(&["name"], true))),
            ["drop the unique index of items on name"]
        );
    }

    #[test]
    fn what_the_release_needs_is_named() {
        let without = after(|table| table.columns.retain(|column| column.name != "name"));
        assert_eq!(without, ["items.name: add the column"]);
        assert_eq!(after(|table| table.indexes.clear()), ["create index stk_uq_items$code"]);
        let nullable = after(|table| table.columns[1].is_nullable = true);
        assert_eq!(nullable, ["change column items.name: NULL is not allowed any more"]);
        let narrow = after(|table| table.columns[2] = column("code", "TEXT", true));
        assert!(narrow[0].contains("items.code: TEXT becomes"), "{narrow:?}");
    }
}
