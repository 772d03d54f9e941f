//! From what is to what is declared: the steps, and for every difference that has none the reason and what to do instead.

use santokit_core::schema::{Column, Index, Schema, Table};

use super::{
    Change, CurrentIndex, CurrentSchema, CurrentTable, Engine, Refusal, Step, When,
    alter::{self, Altered},
    column::{self, Difference},
    ddl,
    fit::{self, Declared},
    mysql, names, pull,
    rebuild::{self, Copied},
    reference::{self, ReferenceChange},
    rename,
};

const NAME_BYTES_MAX: usize = 63;

/// Steps by kind, in the order in which they are taken: what stands in the way goes first, an index needs its columns, a reference
/// the index of its target.
#[derive(Default)]
pub(super) struct Plan {
    reference_drops: Vec<Step>,
    index_drops: Vec<Step>,
    pub(super) renames: Vec<Step>,
    tables: Vec<Step>,
    columns: Vec<Step>,
    column_drops: Vec<Step>,
    table_drops: Vec<Step>,
    indexes: Vec<Step>,
    references: Vec<Step>,
    validations: Vec<Step>,
    refusals: Vec<Refusal>,
}

/// A table of both sides.
#[derive(Clone, Copy)]
pub(super) struct Pair<'a> {
    pub(super) engine: Engine,
    pub(super) current: &'a CurrentSchema,
    pub(super) desired: &'a Schema,
    pub(super) name: &'a str,
    pub(super) table: &'a Table,
    pub(super) found: &'a CurrentTable,
}

/// What of a table that is there is another, before it is said how it is changed.
#[derive(Default)]
struct Differences<'a> {
    added: Vec<&'a Column>,
    altered: Vec<Difference<'a>>,
    dropped: Vec<&'a str>,
    references: Vec<ReferenceChange<'a>>,
}

pub(super) fn plan(
    engine: Engine,
    current: &CurrentSchema,
    desired: &Schema,
    before: &Schema,
) -> Result<Vec<Step>, Vec<Refusal>> {
    let mut plan = Plan::default();
    let current = &rename::columns(engine, current, desired, &mut plan);
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
            None => plan.create(engine, current, desired, name, table),
            Some(found) => plan.alter(Pair { engine, current, desired, name, table, found }),
        }
    }
    let gone = before.tables.keys().filter(|name| !desired.tables.contains_key(*name));
    for name in gone {
        plan.drop_table(engine, current, desired, before, name);
    }
    plan.end()
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
    pub(super) fn refuse(&mut self, description: impl Into<String>, reason: impl Into<String>) {
        self.refusals.push(Refusal::new(description, reason));
    }

    fn end(self) -> Result<Vec<Step>, Vec<Refusal>> {
        if !self.refusals.is_empty() {
            return Err(self.refusals);
        }
        let mut steps = [
            self.reference_drops,
            self.index_drops,
            self.renames,
            self.tables,
            self.columns,
            self.column_drops,
            self.table_drops,
            self.indexes,
            self.references,
            self.validations,
        ]
        .concat();
        steps.sort_by_key(|step| step.when);
        Ok(steps)
    }

    fn create(&mut self, engine: Engine, current: &CurrentSchema, desired: &Schema, name: &str, table: &Table) {
        match ddl::create_table(engine, desired, name, table) {
            Ok(sql) => self.tables.push(Step::one(Change::CreateTable { table: name.to_owned() }, sql)),
            Err((column, why)) => self.refuse(format!("{name}.{column}: create the column"), why),
        }
        for index in ddl::indexes(table) {
            self.index(engine, name, &index, true);
        }
        if engine != Engine::Sqlite {
            for column in &table.columns {
                self.reference(engine, current, name, column, true);
            }
        }
    }

    /// On a table that others write, PostgreSQL makes it beside them.
    fn index(&mut self, engine: Engine, table: &str, index: &Index, is_new_table: bool) {
        let is_beside = engine == Engine::Postgres && !is_new_table;
        let (name, sql) = if is_beside {
            alter::create_index_concurrently(table, index)
        } else {
            ddl::create_index(engine, table, index)
        };
        let when = if is_beside { When::After } else { When::Together };
        let change = Change::CreateIndex { table: table.to_owned(), index: name };
        self.indexes.push(Step { when, ..Step::one(change, sql) });
    }

    fn reference(&mut self, engine: Engine, current: &CurrentSchema, table: &str, column: &Column, is_new_table: bool) {
        let Some(reference) = &column.references else { return };
        let change = Change::AddReference {
            table: table.to_owned(),
            column: column.name.clone(),
            target: reference.table.clone(),
        };
        // What it refers to may get its index only after the others.
        let is_late = engine == Engine::Postgres && current.tables.contains_key(&reference.table);
        if engine != Engine::Postgres || is_new_table {
            let when = if is_late { When::After } else { When::Together };
            let sql = ddl::add_reference(engine, table, &column.name, reference);
            self.references.push(Step { when, ..Step::one(change, sql) });
            return;
        }
        let sql = alter::add_unvalidated_reference(table, &column.name, reference);
        self.references.push(Step { when: When::After, ..Step::one(change, sql) });
        self.validate(table, names::reference(table, &column.name));
    }

    fn validate(&mut self, table: &str, name: String) {
        let sql = alter::validate_reference(table, &name);
        let change = Change::ValidateReference { table: table.to_owned(), name };
        self.validations.push(Step { when: When::After, ..Step::one(change, sql) });
    }

    fn alter(&mut self, pair: Pair<'_>) {
        self.key(pair);
        let Some(differences) = self.differences(pair) else { return };
        let is_rebuilt = pair.engine == Engine::Sqlite && differences.need_a_rebuild(pair);
        self.dropped_indexes(pair, is_rebuilt);
        if is_rebuilt {
            self.rebuild(pair, &differences);
        } else {
            self.in_place(pair, &differences);
        }
        for index in ddl::indexes(pair.table) {
            // A unique index finds rows as any other does. One that MySQL made for a reference is not the declared one: it goes with
            // the reference, and by itself where there is another.
            let is_there = pair.found.indexes.iter().any(|known| {
                known.is_valid
                    && known.columns == index.columns
                    && (known.is_unique || !index.unique)
                    && !pull::is_of_reference(pair.engine, pair.found, known)
                    && !is_dropped(pair, known)
            });
            if !is_there {
                self.index(pair.engine, pair.name, &index, false);
            }
        }
    }

    fn key(&mut self, Pair { engine, name, table, found, .. }: Pair<'_>) {
        let is_key = found.key == [table.id.name.clone()];
        let declared = Declared::key(table);
        if !is_key || !found.column(&table.id.name).is_some_and(|column| declared.fits(engine, column)) {
            self.refuse(
                format!("{name}.{}: another primary key", table.id.name),
                "a primary key is not changed in place: make a new table beside, copy the rows, and let the old one go",
            );
        }
    }

    /// None where something is refused.
    fn differences<'a>(&mut self, pair: Pair<'a>) -> Option<Differences<'a>> {
        let before = self.refusals.len();
        let Pair { engine, name, table, found, .. } = pair;
        let mut differences = Differences::default();
        for column in &table.columns {
            let place = format!("{name}.{}", column.name);
            let Some(is) = found.column(&column.name) else {
                match column::unaddable(column) {
                    Some(why) => self.refuse(format!("{place}: add the column"), why),
                    None => differences.added.push(column),
                }
                continue;
            };
            match column::difference(pair, column, is) {
                Ok(difference) => differences.altered.extend(difference),
                Err((what, why)) => self.refuse(format!("{place}: {what}"), why),
            }
            differences.references.extend(reference::changes(pair, column));
        }
        for column in &found.columns {
            let is_declared = table.columns.iter().any(|declared| declared.name == column.name);
            // What no declaration can describe is somebody else's, and stays.
            let is_others = fit::undeclarable(engine, found, column).is_some();
            if column.name == table.id.name || is_declared || is_others {
                continue;
            }
            if let Some(other) = reference::from_elsewhere(pair, &column.name) {
                let reason = format!("{other} refers to it, which is not declared");
                self.refuse(format!("{name}.{}: drop the column", column.name), reason);
            }
            differences.dropped.push(&column.name);
            differences.references.extend(reference::of_dropped(found, &column.name));
        }
        (self.refusals.len() == before).then_some(differences)
    }

    fn dropped_indexes(&mut self, pair: Pair<'_>, is_rebuilt: bool) {
        // A table that is made anew has none of them.
        for index in pair.found.indexes.iter().filter(|index| !is_rebuilt && is_dropped(pair, index)) {
            let change = Change::DropIndex { table: pair.name.to_owned(), index: index.name.clone() };
            self.index_drops.push(Step::one(change, alter::drop_index(pair.engine, pair.name, &index.name)));
        }
    }

    fn in_place(&mut self, pair: Pair<'_>, differences: &Differences<'_>) {
        let Pair { engine, current, desired, name, table, .. } = pair;
        for change in &differences.references {
            if let Some(found) = change.dropped {
                let sql = alter::drop_reference(engine, name, &found.name);
                self.reference_drops.push(Step::one(reference::drop_change(name, found), sql));
            }
            if let Some(column) = change.added {
                self.reference(engine, current, name, column, false);
            }
            if let Some(found) = change.validated {
                self.validate(name, found.name.clone());
            }
        }
        for column in &differences.added {
            match ddl::add_column(engine, desired, (name, table), column) {
                Ok(sql) => {
                    self.columns.push(Step::one(added(name, column), sql));
                    if engine != Engine::Sqlite {
                        self.reference(engine, current, name, column, false);
                    }
                }
                Err(why) => self.refuse(format!("{name}.{}: add the column", column.name), why),
            }
        }
        for difference in &differences.altered {
            if let Err(why) = self.alter_column(pair, difference) {
                self.refuse(format!("{name}.{}: change the column", difference.column.name), why);
            }
        }
        for column in &differences.dropped {
            let change = Change::DropColumn { table: name.to_owned(), column: (*column).to_owned() };
            self.column_drops.push(Step::one(change, alter::drop_column(engine, name, column)));
        }
    }

    fn alter_column(&mut self, pair: Pair<'_>, difference: &Difference<'_>) -> Result<(), ddl::Impossible> {
        let Pair { engine, desired: schema, name, table, .. } = pair;
        let Difference { column, found, parts, cast } = difference;
        if difference.is_filled()
            && let Some(sql) = alter::backfill(engine, schema, (name, table), column)?
        {
            let change = Change::Backfill { table: name.to_owned(), column: column.name.clone() };
            self.columns.push(Step::one(change, sql));
        }
        let altered = Altered { schema, name, table, column, found, parts, cast: *cast };
        self.columns.push(Step::one(difference.change(name), alter::column(engine, &altered)?));
        Ok(())
    }

    fn rebuild(&mut self, pair: Pair<'_>, differences: &Differences<'_>) {
        let Pair { desired, name, table, found, .. } = pair;
        let changes = differences.changes(name);
        if let Some(why) = rebuild::impossible(found) {
            for change in &changes {
                self.refuse(format!("{name}: {change}"), why.clone());
            }
            return;
        }
        let copied = table.columns.iter().map(|column| {
            let difference = differences.altered.iter().find(|difference| difference.column.name == column.name);
            let cast = difference.and_then(|difference| difference.cast).unwrap_or("{}");
            Copied {
                column,
                from: found.column(&column.name).map(|_| cast),
                is_filled: difference.is_some_and(Difference::is_filled),
            }
        });
        let dropped = |index: &CurrentIndex| is_dropped(pair, index);
        match rebuild::statements(desired, (name, table), found, &copied.collect::<Vec<_>>(), dropped) {
            Ok(statements) => {
                let change = Change::Rebuild { table: name.to_owned(), changes };
                self.columns.push(Step { change, statements, when: When::Together });
            }
            Err((column, why)) => self.refuse(format!("{name}.{column}: change the column"), why),
        }
    }

    fn drop_table(&mut self, engine: Engine, current: &CurrentSchema, desired: &Schema, before: &Schema, name: &str) {
        let Some(found) = current.tables.get(name) else { return };
        let refers =
            |table: &CurrentTable| table.references.iter().any(|to| to.elsewhere.is_none() && to.table == name);
        let is_declared = |other: &String| desired.tables.contains_key(other) || before.tables.contains_key(other);
        if let Some((other, _)) = current.tables.iter().find(|(other, table)| !is_declared(other) && refers(table)) {
            self.refuse(format!("{name}: drop the table"), format!("{other} refers to it, which is not declared"));
            return;
        }
        if engine != Engine::Sqlite {
            for reference in &found.references {
                let sql = alter::drop_reference(engine, name, &reference.name);
                self.reference_drops.push(Step::one(reference::drop_change(name, reference), sql));
            }
        }
        let change = Change::DropTable { table: name.to_owned() };
        self.table_drops.push(Step::one(change, alter::drop_table(engine, name)));
    }
}

impl Differences<'_> {
    /// Whether SQLite has no statement for one of them.
    fn need_a_rebuild(&self, pair: Pair<'_>) -> bool {
        let is_used = |column: &str| {
            let is_in = |columns: &[String]| columns.iter().any(|name| name == column);
            pair.found.indexes.iter().any(|index| is_in(&index.columns))
                || pair.found.references.iter().any(|reference| is_in(&reference.columns))
        };
        !self.altered.is_empty()
            || !self.references.is_empty()
            || self.dropped.iter().any(|column| is_used(column))
            || self.added.iter().any(|column| column::is_unaddable_on_sqlite(column))
    }

    fn changes(&self, name: &str) -> Vec<Change> {
        let table = || name.to_owned();
        let mut changes: Vec<Change> = self.added.iter().map(|column| added(name, column)).collect();
        changes.extend(self.altered.iter().map(|difference| difference.change(name)));
        for change in &self.references {
            changes.extend(change.dropped.map(|found| reference::drop_change(name, found)));
            changes.extend(change.added.and_then(|column| {
                let target = column.references.as_ref()?.table.clone();
                Some(Change::AddReference { table: table(), column: column.name.clone(), target })
            }));
        }
        let dropped = self.dropped.iter();
        changes.extend(dropped.map(|column| Change::DropColumn { table: table(), column: (*column).to_owned() }));
        changes
    }
}

fn added(table: &str, column: &Column) -> Change {
    Change::AddColumn { table: table.to_owned(), column: column.name.clone() }
}

/// Whether an index of the platform's own is of an earlier declaration, or was not made to its end.
fn is_dropped(Pair { engine, name, table, found, .. }: Pair<'_>, index: &CurrentIndex) -> bool {
    if !alter::is_own(&index.name) {
        return false;
    }
    if !index.is_valid {
        return true;
    }
    // One that is more than it must be is no harm: a database that was pulled declares only the unique one of two.
    let is_declared = |wanted: &Index| wanted.columns == index.columns && (wanted.unique || !index.is_unique);
    if ddl::indexes(table).iter().any(is_declared) {
        return false;
    }
    // MySQL keeps an index for every foreign key, of whatever name, and gives up none that one needs.
    let first = index.columns.first();
    let mut referring = table.columns.iter().filter(|column| column.references.is_some());
    if referring.clone().any(|column| names::reference(name, &column.name) == index.name) {
        return false;
    }
    let is_needed = engine.is_mysql()
        && referring.any(|column| Some(&column.name) == first)
        && !found.indexes.iter().any(|other| other.name != index.name && other.columns.first() == first);
    !is_needed
}
