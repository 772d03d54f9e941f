//! From a database that is there to a declaration of it. What no declaration can say is left out and told; what is declared
//! needs no step afterwards.

use std::collections::{BTreeMap, BTreeSet};

use santokit_core::{
    name::check_identifier,
    param::bounds::CompiledBounds,
    schema::{
        Bounds, Column, ColumnDefault, Generate, Index, PrimaryKey, Reference, ReferenceAction, Schema, Table, Type,
    },
};
use serde::{Deserialize, Serialize};

use super::{
    CurrentColumn, CurrentDefault, CurrentIndex, CurrentReference, CurrentSchema, CurrentTable, Engine, default,
    fit::{self, Natural},
};

/// As many as a project may declare.
const TABLES_MAX: usize = 500;
const COLUMNS_MAX: usize = 200;

/// A declaration, and what it does not say.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Pulled {
    /// What can be declared.
    pub schema: Schema,
    /// In the order of the tables.
    pub remarks: Vec<Remark>,
}

/// Something that is not, or not quite, as in the database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Remark {
    /// Of this table or view.
    pub table: String,
    /// Of this column.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    /// Whether it is not declared at all.
    pub left_out: bool,
    /// Why, or what is different.
    pub message: String,
}

/// Declares what is there.
pub fn pull(engine: Engine, current: &CurrentSchema) -> Pulled {
    let mut pull = Pull { engine, current, remarks: Vec::new(), schema: Schema::default() };
    for (name, table) in &current.tables {
        if !name.starts_with("stk_") {
            pull.table(name, table);
        }
    }
    pull.types_of_references();
    pull.defaults();
    pull.references();
    pull.indexes();
    for view in &current.views {
        pull.left_out(view, None, "a view: it can be read by SQL logic and declared queries, not declared");
    }
    let names: Vec<&String> = current.tables.keys().chain(&current.views).collect();
    let place = |remark: &Remark| names.iter().position(|name| **name == remark.table);
    pull.remarks.sort_by_key(place);
    Pulled { schema: pull.schema, remarks: pull.remarks }
}

/// A foreign key as a declaration of its column, or why it cannot be one.
pub(super) fn reference(
    engine: Engine,
    current: &CurrentSchema,
    declared: &Schema,
    column: &Column,
    found: &CurrentReference,
) -> Result<Reference, String> {
    if let Some(elsewhere) = &found.elsewhere {
        return Err(format!("it refers to {elsewhere}.{}, in another schema than the connection's", found.table));
    }
    let ([_], [target]) = (found.columns.as_slice(), found.targets.as_slice()) else {
        return Err(format!("it refers to {} by several columns", found.table));
    };
    let Some(table) = declared.tables.get(&found.table) else {
        return Err(format!("it refers to {}, which is not declared", found.table));
    };
    let Some(kind) = kind_of(table, target) else {
        return Err(format!("it refers to {}.{target}, which is not declared", found.table));
    };
    if kind != column.kind {
        return Err(format!("it refers to {}.{target}, which is of another type", found.table));
    }
    let is_unique = |table: &CurrentTable| {
        table.key == [target.clone()]
            || table.indexes.iter().any(|index| index.is_unique && index.columns == [target.clone()])
    };
    if !current.tables.get(&found.table).is_some_and(is_unique) {
        return Err(format!("it refers to {}.{target}, whose values are not unique", found.table));
    }
    let actions = [found.on_delete, found.on_update];
    if actions.contains(&ReferenceAction::SetNull) && !column.nullable {
        return Err(format!("it refers to {} with set null, and the column is not nullable", found.table));
    }
    if actions.contains(&ReferenceAction::SetDefault) && (column.default.is_none() || engine.is_mysql()) {
        return Err(format!("it refers to {} with set default, and the column has no default", found.table));
    }
    Ok(Reference {
        table: found.table.clone(),
        column: target.clone(),
        alias: found.table.clone(),
        on_delete: found.on_delete,
        on_update: found.on_update,
    })
}

/// MySQL makes an index for each foreign key, of the same name.
pub(super) fn is_of_reference(engine: Engine, table: &CurrentTable, index: &CurrentIndex) -> bool {
    !index.is_unique && engine.is_mysql() && table.references.iter().any(|reference| reference.name == index.name)
}

struct Pull<'a> {
    engine: Engine,
    current: &'a CurrentSchema,
    schema: Schema,
    remarks: Vec<Remark>,
}

impl Pull<'_> {
    fn left_out(&mut self, table: &str, column: Option<&str>, message: impl Into<String>) {
        self.remark(table, column, true, message.into());
    }

    fn note(&mut self, table: &str, column: &str, message: impl Into<String>) {
        self.remark(table, Some(column), false, message.into());
    }

    fn remark(&mut self, table: &str, column: Option<&str>, left_out: bool, message: String) {
        let column = column.map(str::to_owned);
        self.remarks.push(Remark { table: table.to_owned(), column, left_out, message });
    }

    /// A table with its columns; references, defaults and indexes follow when all types are known.
    fn table(&mut self, name: &str, found: &CurrentTable) {
        let id = match self.key(name, found) {
            Ok(id) => id,
            Err(why) => return self.left_out(name, None, why),
        };
        let mut columns = Vec::new();
        for column in &found.columns {
            if column.name == id.name {
                self.remarks_on(name, column);
                continue;
            }
            if let Some(why) = fit::undeclarable(self.engine, found, column) {
                let blocks = !column.is_nullable && column.default == CurrentDefault::None && !column.is_computed;
                let blocks = if blocks { "; as it needs a value, no row can be inserted but by SQL" } else { "" };
                self.left_out(name, Some(&column.name), format!("{why}{blocks}"));
                continue;
            }
            let Some(natural) = fit::natural(self.engine, column) else { continue };
            self.remarks_on(name, column);
            columns.push(declared(column, &natural));
        }
        self.schema
            .tables
            .insert(name.to_owned(), Table { id, columns, indexes: Vec::new(), deprecated: None, sunset: None });
    }

    fn key(&self, name: &str, found: &CurrentTable) -> Result<PrimaryKey, String> {
        check_identifier("its name", name).map_err(|error| error.to_string())?;
        if self.schema.tables.keys().any(|other| other.eq_ignore_ascii_case(name)) {
            return Err("its name differs from that of another table in case only".to_owned());
        }
        if self.schema.tables.len() >= TABLES_MAX {
            return Err(format!("a connection has at most {TABLES_MAX} tables"));
        }
        if found.columns.len() > COLUMNS_MAX {
            return Err(format!("a table has at most {COLUMNS_MAX} columns; this one has {}", found.columns.len()));
        }
        let key = match found.key.as_slice() {
            [key] => key,
            [] => return Err("it has no primary key".to_owned()),
            several => {
                return Err(format!("its primary key is several columns ({}); one is needed", several.join(", ")));
            }
        };
        let column = found.column(key).ok_or("its primary key is not among its columns")?;
        if let Some(why) = fit::undeclarable(self.engine, found, column) {
            return Err(format!("its primary key {key}: {why}"));
        }
        let natural = fit::natural(self.engine, column).ok_or("its primary key has no type of a project")?;
        let (generate, kind) = match natural.kind {
            Type::Int | Type::Bigint if column.is_counted => (Generate::AutoIncrement, Type::Bigint),
            Type::Json | Type::Array | Type::File | Type::Float => {
                return Err(format!("its primary key {key} is of type {}", natural.kind.as_str()));
            }
            kind => (Generate::Client, kind),
        };
        Ok(PrimaryKey { name: key.clone(), generate, kind })
    }

    fn remarks_on(&mut self, table: &str, column: &CurrentColumn) {
        let Some(natural) = fit::natural(self.engine, column) else { return };
        if let Some(remark) = natural.remark {
            self.note(table, &column.name, remark);
        }
        if self.engine == Engine::Sqlite && natural.kind == Type::String && column.collation.is_some() {
            self.note(
                table,
                &column.name,
                "the table declares a collation: filters and conditions of permissions may take texts for equal that are not",
            );
        }
    }

    /// A column that refers has the type of what it refers to, so that one that follows another needs to go last.
    fn types_of_references(&mut self) {
        let mut kinds = BTreeMap::new();
        for _ in 0..=self.schema.tables.len() {
            let before = kinds.len();
            for (name, column, found) in self.foreign_keys() {
                let Some(target) = self.kind(&found.table, &found.targets) else { continue };
                let own = self.schema.tables.get_mut(&name).and_then(|table| column_mut(table, &column));
                let Some(own) = own.filter(|own| own.kind != target && (own.kind, target) == (Type::Int, Type::Bigint))
                else {
                    continue;
                };
                own.kind = target;
                kinds.insert((name, column), target);
            }
            if kinds.len() == before {
                break;
            }
        }
    }

    fn references(&mut self) {
        for (name, column, found) in self.foreign_keys() {
            self.refer(&name, &column, &found);
        }
        for (name, table) in self.current.tables.iter().filter(|(name, _)| self.schema.tables.contains_key(*name)) {
            for found in table.references.iter().filter(|found| found.columns.len() > 1) {
                let columns = found.columns.join(", ");
                let message = format!("{columns}: a reference of several columns to {} is not declared", found.table);
                self.remarks.push(Remark { table: name.clone(), column: None, left_out: false, message });
            }
        }
    }

    /// Those of one column, in the order of the tables and columns.
    fn foreign_keys(&self) -> Vec<(String, String, CurrentReference)> {
        let mut all = Vec::new();
        for (name, table) in &self.schema.tables {
            let found = self.current.tables.get(name).map(|table| table.references.as_slice()).unwrap_or_default();
            for column in &table.columns {
                let of_column = found.iter().filter(|found| found.columns == [column.name.clone()]);
                all.extend(of_column.map(|found| (name.clone(), column.name.clone(), found.clone())));
            }
        }
        all
    }

    fn kind(&self, table: &str, targets: &[String]) -> Option<Type> {
        let [target] = targets else { return None };
        kind_of(self.schema.tables.get(table)?, target)
    }

    fn refer(&mut self, name: &str, column_name: &str, found: &CurrentReference) {
        let Some(table) = self.schema.tables.get(name) else { return };
        let Some(column) = table.columns.iter().find(|column| column.name == column_name) else { return };
        if let Some(first) = &column.references {
            let message =
                format!("it refers to {} too; only the reference to {} is declared", found.table, first.table);
            return self.note(name, column_name, message);
        }
        match reference(self.engine, self.current, &self.schema, column, found) {
            Ok(mut reference) => {
                reference.alias = alias(table, column, &reference);
                if let Some(column) = self.schema.tables.get_mut(name).and_then(|table| column_mut(table, column_name))
                {
                    column.references = Some(reference);
                }
            }
            Err(why) => self.note(name, column_name, format!("{why}: the reference is not declared")),
        }
    }

    fn defaults(&mut self) {
        let mut notes = Vec::new();
        for (name, table) in &mut self.schema.tables {
            let Some(found) = self.current.tables.get(name) else { continue };
            for column in &mut table.columns {
                let Some(is) = found.column(&column.name) else { continue };
                column.default = default::declared(column.kind, &is.default);
                // A default that the bounds do not allow would be an error of the project.
                let fits = |json| {
                    let bounds = CompiledBounds::compile(column.kind, &column.bounds);
                    bounds.is_ok_and(|bounds| bounds.check(column.kind, json).is_ok())
                };
                if let Some(ColumnDefault::Literal(json)) = &column.default
                    && !fits(json)
                {
                    column.bounds = Bounds::NONE;
                }
                if column.default.is_none() && is.default != CurrentDefault::None {
                    notes.push((name.clone(), column.name.clone()));
                }
            }
        }
        for (table, column) in notes {
            self.note(
                &table,
                &column,
                "its default is an expression: what leaves it out gets it, but it is not declared",
            );
        }
    }

    fn indexes(&mut self) {
        for (name, table) in &mut self.schema.tables {
            let Some(found) = self.current.tables.get(name) else { continue };
            let mut seen: BTreeSet<Vec<String>> = BTreeSet::from([vec![table.id.name.clone()]]);
            let (unique, others): (Vec<_>, Vec<_>) = found.indexes.iter().partition(|index| index.is_unique);
            for index in unique.into_iter().chain(others) {
                let is_of_reference = is_of_reference(self.engine, found, index);
                let columns = &index.columns;
                let is_declared = |column: &String| *column == table.id.name || has(table, column);
                if is_of_reference || columns.is_empty() || !columns.iter().all(is_declared) {
                    continue;
                }
                if !seen.insert(columns.clone()) {
                    continue;
                }
                let single = match columns.as_slice() {
                    [single] if index.is_unique => table.columns.iter_mut().find(|column| column.name == *single),
                    _ => None,
                };
                match single {
                    Some(column) if !matches!(column.kind, Type::Json | Type::Array) => column.unique = true,
                    Some(_) => {}
                    None => table.indexes.push(Index { columns: columns.clone(), unique: index.is_unique }),
                }
            }
        }
    }
}

fn declared(column: &CurrentColumn, natural: &Natural) -> Column {
    Column {
        name: column.name.clone(),
        kind: natural.kind,
        nullable: column.is_nullable,
        unique: false,
        default: None,
        items: None,
        bucket: None,
        on_delete: None,
        bounds: Bounds {
            max_length: natural.max_length,
            pattern: natural.pattern.map(str::to_owned),
            one_of: natural.labels.clone(),
            ..Bounds::NONE
        },
        references: None,
        renamed_from: None,
        deprecated: None,
        sunset: None,
    }
}

fn kind_of(table: &Table, column: &str) -> Option<Type> {
    if table.id.name == column {
        return Some(table.id.kind);
    }
    table.columns.iter().find(|declared| declared.name == column).map(|declared| declared.kind)
}

fn has(table: &Table, column: &str) -> bool {
    table.columns.iter().any(|declared| declared.name == column)
}

fn column_mut<'t>(table: &'t mut Table, name: &str) -> Option<&'t mut Column> {
    table.columns.iter_mut().find(|column| column.name == name)
}

/// The relation's name: the table's, where that is free, else the column's without what says that it is a key.
fn alias(table: &Table, column: &Column, reference: &Reference) -> String {
    let is_free = |name: &str| {
        let is_relation =
            |other: &Column| other.references.as_ref().is_some_and(|known| known.alias.eq_ignore_ascii_case(name));
        let is_column = |other: &str| other.eq_ignore_ascii_case(name);
        check_identifier("a relation name", name).is_ok()
            && !is_column(&table.id.name)
            && !table.columns.iter().any(|other| is_column(&other.name) || is_relation(other))
    };
    let bare = ["_id", "Id", "ID", "_ID"].iter().find_map(|end| column.name.strip_suffix(end));
    let long = format!("{}_{}", reference.table, column.name);
    let candidates = [Some(reference.table.as_str()), bare, Some(long.as_str())];
    let free = candidates.into_iter().flatten().find(|name| is_free(name)).map(str::to_owned);
    free.unwrap_or_else(|| {
        let number = (2_u32..=u32::MAX).map(|number| format!("relation{number}")).find(|name| is_free(name));
        number.unwrap_or_else(|| reference.table.clone())
    })
}
