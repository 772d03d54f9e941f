//! SQLite: the declared schema as statements, what a database has now, and the steps between the two.
//!
//! This version makes additive steps only. Bounds (`enum`, `min`, `maxLength`, …) are checked at the edge and are not part
//! of the table, so that changing one needs no rewrite.

use std::collections::BTreeMap;

use santokit_core::schema::{Column, ColumnDefault, Generate, Reference, ReferenceAction, Schema, Table, Type};
use sea_query::{Alias, ColumnDef, Expr, Index, SqliteQueryBuilder, Table as TableStatement};

/// Rows of (table, column, type, notnull, default, pk), in the order of the table.
pub const CATALOG_COLUMNS_SQL: &str = "SELECT m.name, p.name, p.type, p.\"notnull\", p.dflt_value, p.pk \
    FROM sqlite_schema AS m JOIN pragma_table_info(m.name) AS p \
    WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND m.name NOT LIKE 'stk\\_%' ESCAPE '\\' \
    ORDER BY m.name, p.cid";

/// Rows of (table, index).
pub const CATALOG_INDEXES_SQL: &str =
    "SELECT tbl_name, name FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL";

/// Rows of (table, column, target table, target column, on update, on delete).
pub const CATALOG_REFERENCES_SQL: &str = "SELECT m.name, f.\"from\", f.\"table\", f.\"to\", f.on_update, f.on_delete \
    FROM sqlite_schema AS m JOIN pragma_foreign_key_list(m.name) AS f WHERE m.type = 'table'";

/// What a database has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CurrentSchema {
    /// By table, then by column.
    pub tables: BTreeMap<String, BTreeMap<String, CurrentColumn>>,
    /// (table, index).
    pub indexes: Vec<(String, String)>,
    /// (table, column) to the target and its actions.
    pub references: BTreeMap<(String, String), CurrentReference>,
}

/// A column as the catalogue has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CurrentColumn {
    /// Declared type.
    pub declared: String,
    /// Whether NULL is refused.
    pub not_null: bool,
    /// Default expression.
    pub default: Option<String>,
    /// Whether it is the primary key.
    pub is_key: bool,
}

/// A foreign key as the catalogue has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CurrentReference {
    /// Table referred to.
    pub table: String,
    /// Its column.
    pub column: String,
    /// `CASCADE`, `RESTRICT`, …
    pub on_update: String,
    /// As `on_update`.
    pub on_delete: String,
}

/// One statement that brings a database nearer to what is declared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// For people.
    pub description: String,
    /// The statement.
    pub sql: String,
}

/// A difference that this version does not resolve by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Which difference.
    pub description: String,
    /// Why it is left alone.
    pub reason: String,
}

/// The steps from what is to what is declared, or every difference that has none.
pub fn plan(current: &CurrentSchema, desired: &Schema) -> Result<Vec<Step>, Vec<Refusal>> {
    let (mut tables, mut columns, mut indexes, mut refusals) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (name, table) in &desired.tables {
        match current.tables.get(name) {
            None => tables
                .push(Step { description: format!("create table {name}"), sql: create_table(name, table, desired) }),
            Some(existing) => alter(name, table, existing, current, &mut columns, &mut refusals),
        }
        for (index, sql) in create_indexes(name, table) {
            if !current.indexes.iter().any(|(of, known)| of == name && *known == index) {
                indexes.push(Step { description: format!("create index {index}"), sql });
            }
        }
    }
    if refusals.is_empty() { Ok([tables, columns, indexes].concat()) } else { Err(refusals) }
}

fn alter(
    name: &str,
    table: &Table,
    existing: &BTreeMap<String, CurrentColumn>,
    current: &CurrentSchema,
    steps: &mut Vec<Step>,
    refusals: &mut Vec<Refusal>,
) {
    let mut refuse =
        |description: String, reason: &str| refusals.push(Refusal { description, reason: reason.to_owned() });
    if !existing.get(&table.id.name).is_some_and(|column| column.is_key && column.declared == key_type(table)) {
        refuse(format!("{name}.{}: another primary key", table.id.name), "a primary key cannot be changed in place");
    }
    for column in &table.columns {
        let place = format!("{name}.{}", column.name);
        match existing.get(&column.name) {
            None => match unaddable(column) {
                Some(reason) => refuse(format!("{place}: add the column"), reason),
                None => steps.push(Step { description: format!("add column {place}"), sql: add_column(name, column) }),
            },
            Some(found) => {
                if found.declared != declared_type(column.kind) {
                    refuse(
                        format!("{place}: {} becomes {}", found.declared, declared_type(column.kind)),
                        "a type is not changed in place; add a column and copy",
                    );
                }
                if found.not_null == column.nullable {
                    refuse(
                        format!("{place}: nullable becomes {}", column.nullable),
                        "SQLite cannot change it in place; add a column and copy",
                    );
                }
                if found.default.as_deref().map(bare) != default_expression(column).as_deref().map(bare) {
                    refuse(
                        format!("{place}: the default changes"),
                        "SQLite cannot change it in place; add a column and copy",
                    );
                }
                if current.references.get(&(name.to_owned(), column.name.clone()))
                    != column.references.as_ref().map(current_reference).as_ref()
                {
                    refuse(
                        format!("{place}: the reference changes"),
                        "SQLite cannot change it in place; add a column and copy",
                    );
                }
            }
        }
    }
    for column in existing.keys() {
        if *column != table.id.name && !table.columns.iter().any(|declared| declared.name == *column) {
            refuse(
                format!("{name}.{column}: drop the column"),
                "its data would be lost; keep it declared, as deprecated",
            );
        }
    }
}

fn unaddable(column: &Column) -> Option<&'static str> {
    if column.default == Some(ColumnDefault::Now) {
        return Some("SQLite cannot add a column whose default is the current time; add it without a default");
    }
    if !column.nullable && column.default.is_none() {
        return Some("existing rows would have no value; make it nullable or give it a default");
    }
    if column.references.is_some() && column.default.is_some() {
        return Some("SQLite cannot add a reference with a default; make it nullable without one");
    }
    None
}

fn create_table(name: &str, table: &Table, _schema: &Schema) -> String {
    let mut statement = TableStatement::create();
    statement.table(Alias::new(name));
    let mut id = ColumnDef::new(Alias::new(&table.id.name));
    id.custom(Alias::new(key_type(table)));
    if table.id.generate == Generate::AutoIncrement {
        id.primary_key().auto_increment();
    } else {
        id.not_null().primary_key();
    }
    statement.col(&mut id);
    for column in &table.columns {
        statement.col(definition(column));
    }
    statement.to_string(SqliteQueryBuilder)
}

fn add_column(table: &str, column: &Column) -> String {
    TableStatement::alter().table(Alias::new(table)).add_column(definition(column)).to_string(SqliteQueryBuilder)
}

fn create_indexes(name: &str, table: &Table) -> Vec<(String, String)> {
    let unique = table.columns.iter().filter(|column| column.unique).map(|column| (vec![column.name.clone()], true));
    let declared = table.indexes.iter().map(|index| (index.columns.clone(), index.unique));
    unique
        .chain(declared)
        .map(|(columns, is_unique)| {
            let index = format!("stk_{}_{name}_{}", if is_unique { "uq" } else { "ix" }, columns.join("_"));
            let mut statement = Index::create();
            statement.name(&index).table(Alias::new(name));
            for column in &columns {
                statement.col(Alias::new(column));
            }
            if is_unique {
                statement.unique();
            }
            (index, statement.to_string(SqliteQueryBuilder))
        })
        .collect()
}

fn definition(column: &Column) -> ColumnDef {
    let mut definition = ColumnDef::new(Alias::new(&column.name));
    definition.custom(Alias::new(declared_type(column.kind)));
    if !column.nullable {
        definition.not_null();
    }
    if let Some(default) = default_expression(column) {
        definition.default(Expr::cust(default));
    }
    if let Some(reference) = &column.references {
        let target = current_reference(reference);
        definition.extra(format!(
            "REFERENCES {} ({}) ON UPDATE {} ON DELETE {}",
            quote(&target.table),
            quote(&target.column),
            target.on_update,
            target.on_delete
        ));
    }
    definition
}

fn current_reference(reference: &Reference) -> CurrentReference {
    CurrentReference {
        table: reference.table.clone(),
        column: reference.column.clone(),
        on_update: action(reference.on_update).to_owned(),
        on_delete: action(reference.on_delete).to_owned(),
    }
}

fn action(action: ReferenceAction) -> &'static str {
    match action {
        ReferenceAction::Restrict => "RESTRICT",
        ReferenceAction::NoAction => "NO ACTION",
        ReferenceAction::Cascade => "CASCADE",
        ReferenceAction::SetNull => "SET NULL",
        ReferenceAction::SetDefault => "SET DEFAULT",
    }
}

/// The declared type of a column. Its affinity keeps the value as it is: decimals and times are text.
pub fn declared_type(kind: Type) -> &'static str {
    match kind {
        Type::String | Type::File => "TEXT",
        Type::Int => "INTEGER",
        Type::Bigint => "BIGINT",
        Type::Float => "REAL",
        Type::Decimal => "DECIMAL_TEXT",
        Type::Boolean => "BOOLEAN",
        Type::Json | Type::Array => "JSON_TEXT",
        Type::Timestamp => "TIMESTAMP_TEXT",
        Type::Bytes => "BLOB",
    }
}

fn key_type(table: &Table) -> &'static str {
    if table.id.generate == Generate::AutoIncrement { "INTEGER" } else { declared_type(table.id.kind) }
}

fn default_expression(column: &Column) -> Option<String> {
    Some(match column.default.as_ref()? {
        ColumnDefault::Now => "(strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000Z')".to_owned(),
        ColumnDefault::Literal(serde_json::Value::Null) => "NULL".to_owned(),
        ColumnDefault::Literal(serde_json::Value::Bool(truth)) if column.kind == Type::Boolean => {
            u8::from(*truth).to_string()
        }
        ColumnDefault::Literal(serde_json::Value::Number(number))
            if matches!(column.kind, Type::Int | Type::Bigint | Type::Float) =>
        {
            number.to_string()
        }
        ColumnDefault::Literal(serde_json::Value::String(text)) if column.kind == Type::Bigint => text.clone(),
        ColumnDefault::Literal(serde_json::Value::String(text)) if column.kind != Type::Json => literal(text),
        ColumnDefault::Literal(json) => literal(&json.to_string()),
    })
}

fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

fn quote(identifier: &str) -> String {
    format!("\"{}\"", identifier.replace('"', "\"\""))
}

/// Without the parentheses that the catalogue may or may not keep.
fn bare(expression: &str) -> &str {
    expression.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')).unwrap_or(expression)
}
