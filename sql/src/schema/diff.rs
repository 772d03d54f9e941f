//! From what is to what is declared: steps that add, and for every other difference the reason why it is left alone.

use santokit_core::schema::{Column, ColumnDefault, Index, Reference, ReferenceAction, Schema, Table};

use super::{
    Change, CurrentColumn, CurrentReference, CurrentSchema, CurrentTable, Engine, Refusal, Step, ddl, default,
    fit::{self, Declared},
    mysql, pull,
};

const NAME_BYTES_MAX: usize = 63;
const BESIDE: &str = "it is not changed in place; add a column and copy";

/// Steps by kind, in the order in which they are taken: an index needs its columns, a reference the index of its target.
#[derive(Default)]
struct Plan {
    tables: Vec<Step>,
    columns: Vec<Step>,
    indexes: Vec<Step>,
    references: Vec<Step>,
    refusals: Vec<Refusal>,
}

/// A table of both sides.
#[derive(Clone, Copy)]
struct Pair<'a> {
    engine: Engine,
    current: &'a CurrentSchema,
    desired: &'a Schema,
    name: &'a str,
    table: &'a Table,
    found: &'a CurrentTable,
}

pub(super) fn plan(engine: Engine, current: &CurrentSchema, desired: &Schema) -> Result<Vec<Step>, Vec<Refusal>> {
    let mut plan = Plan::default();
    for (name, table) in &desired.tables {
        if let Some(bad) = unusable_name(name, table) {
            plan.refuse(format!("{name}: the name {bad:?}"), "no engine takes it for a table, column or index");
            continue;
        }
        let found = current.tables.get(name);
        if engine.is_mysql() {
            plan.refusals.extend(mysql::impossible(engine, name, table, desired, found.is_none()));
        }
        match found {
            None => plan.create(engine, desired, name, table),
            Some(found) => plan.alter(Pair { engine, current, desired, name, table, found }),
        }
    }
    if plan.refusals.is_empty() {
        Ok([plan.tables, plan.columns, plan.indexes, plan.references].concat())
    } else {
        Err(plan.refusals)
    }
}

/// The edge lets no such name through; a manifest that nobody's `stk` made could have one.
fn unusable_name<'a>(name: &'a str, table: &'a Table) -> Option<&'a str> {
    let columns = table.columns.iter().map(|column| column.name.as_str());
    let targets = table.columns.iter().filter_map(|column| column.references.as_ref());
    let targets = targets.flat_map(|to| [to.table.as_str(), to.column.as_str()]);
    let indexed = table.indexes.iter().flat_map(|index| index.columns.iter().map(String::as_str));
    columns
        .chain([name, table.id.name.as_str()])
        .chain(targets)
        .chain(indexed)
        .find(|name| name.is_empty() || name.len() > NAME_BYTES_MAX || name.chars().any(char::is_control))
}

impl Plan {
    fn refuse(&mut self, description: impl Into<String>, reason: impl Into<String>) {
        self.refusals.push(Refusal::new(description, reason));
    }

    fn create(&mut self, engine: Engine, desired: &Schema, name: &str, table: &Table) {
        match ddl::create_table(engine, desired, name, table) {
            Ok(sql) => self.tables.push(Step { change: Change::CreateTable { table: name.to_owned() }, sql }),
            Err((column, why)) => self.refuse(format!("{name}.{column}: create the column"), why),
        }
        for index in ddl::indexes(table) {
            self.index(engine, name, &index);
        }
        if engine != Engine::Sqlite {
            for column in &table.columns {
                self.reference(engine, name, column);
            }
        }
    }

    fn index(&mut self, engine: Engine, table: &str, index: &Index) {
        let (name, sql) = ddl::create_index(engine, table, index);
        self.indexes.push(Step { change: Change::CreateIndex { table: table.to_owned(), index: name }, sql });
    }

    fn reference(&mut self, engine: Engine, table: &str, column: &Column) {
        let Some(reference) = &column.references else { return };
        let change = Change::AddReference {
            table: table.to_owned(),
            column: column.name.clone(),
            target: reference.table.clone(),
        };
        self.references.push(Step { change, sql: ddl::add_reference(engine, table, &column.name, reference) });
    }

    fn alter(&mut self, pair: Pair<'_>) {
        let Pair { engine, desired, name, table, found, .. } = pair;
        self.key(pair);
        for column in &table.columns {
            let place = format!("{name}.{}", column.name);
            if let Some(is) = found.column(&column.name) {
                self.column(pair, column, is, &place);
                self.existing_reference(pair, column, &place);
                continue;
            }
            let added = match unaddable(engine, column) {
                Some(why) => Err(why),
                None => ddl::add_column(engine, desired, (name, table), column),
            };
            match added {
                Ok(sql) => {
                    let change = Change::AddColumn { table: name.to_owned(), column: column.name.clone() };
                    self.columns.push(Step { change, sql });
                    if engine != Engine::Sqlite {
                        self.reference(engine, name, column);
                    }
                }
                Err(why) => self.refuse(format!("{place}: add the column"), why),
            }
        }
        for column in &found.columns {
            let is_declared = table.columns.iter().any(|declared| declared.name == column.name);
            // What no declaration can describe is somebody else's, and stays.
            let is_others = fit::undeclarable(engine, found, column).is_some();
            if column.name != table.id.name && !is_declared && !is_others {
                let reason = "its data would be lost; keep it declared, as deprecated";
                self.refuse(format!("{name}.{}: drop the column", column.name), reason);
            }
        }
        for index in ddl::indexes(table) {
            // A unique index finds rows as any other does. One that MySQL made for a reference is not the declared one: it goes with
            // the reference, and by itself where there is another.
            let is_there = found.indexes.iter().any(|known| {
                known.columns == index.columns
                    && (known.is_unique || !index.unique)
                    && !pull::is_of_reference(engine, found, known)
            });
            if !is_there {
                self.index(engine, name, &index);
            }
        }
    }

    fn key(&mut self, Pair { engine, name, table, found, .. }: Pair<'_>) {
        let is_key = found.key == [table.id.name.clone()];
        let declared = Declared::key(table);
        if !is_key || !found.column(&table.id.name).is_some_and(|column| declared.fits(engine, column)) {
            let description = format!("{name}.{}: another primary key", table.id.name);
            self.refuse(description, "a primary key cannot be changed in place");
        }
    }

    fn column(&mut self, pair: Pair<'_>, column: &Column, is: &CurrentColumn, place: &str) {
        let Pair { engine, desired, name, table, .. } = pair;
        let declared = Declared::column(desired, name, table, column);
        if !declared.fits(engine, is) {
            let reason = if engine.is_mysql() && declared.is_keyed && mysql::is_out_of_row(&is.declared) {
                "a column that was made without an index or a maxLength cannot get one in place; add a column and copy"
            } else {
                "a type is not changed in place; add a column and copy"
            };
            // The collation is said by the engine, not by who declares.
            let wanted = declared.sql_type(engine);
            let wanted =
                wanted.split(" CHARACTER SET").flat_map(|part| part.split(" COLLATE")).next().unwrap_or_default();
            self.refuse(format!("{place}: {} becomes {wanted}", is.declared), reason);
        }
        if is.is_nullable != column.nullable {
            self.refuse(format!("{place}: nullable becomes {}", column.nullable), BESIDE);
        }
        if !default::is_same(column, &is.default) {
            self.refuse(format!("{place}: the default changes"), BESIDE);
        }
    }

    fn existing_reference(&mut self, pair: Pair<'_>, column: &Column, place: &str) {
        let Pair { engine, current, desired, name, found, .. } = pair;
        let mut known = found.references.iter().filter(|reference| reference.columns == [column.name.clone()]);
        match &column.references {
            Some(reference) if known.clone().any(|found| is_same_reference(engine, found, reference)) => {}
            Some(_) if known.clone().next().is_none() && engine != Engine::Sqlite => {
                self.reference(engine, name, column);
            }
            None if known.all(|found| pull::reference(engine, current, desired, column, found).is_err()) => {}
            _ => self.refuse(format!("{place}: the reference changes"), BESIDE),
        }
    }
}

/// Restrict and no action are one on MySQL.
fn is_same_reference(engine: Engine, found: &CurrentReference, declared: &Reference) -> bool {
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

fn unaddable(engine: Engine, column: &Column) -> Option<&'static str> {
    let has_default = !matches!(column.default, None | Some(ColumnDefault::Literal(serde_json::Value::Null)));
    if engine == Engine::Sqlite && column.default == Some(ColumnDefault::Now) {
        return Some("SQLite cannot add a column whose default is the current time; add it without a default");
    }
    if !column.nullable && !has_default {
        return Some("existing rows would have no value; make it nullable or give it a default");
    }
    if column.unique && has_default {
        return Some("existing rows would all have the same value; make it nullable without a default");
    }
    if engine == Engine::Sqlite && column.references.is_some() && has_default {
        return Some("SQLite cannot add a reference with a default; make it nullable without one");
    }
    None
}
