//! Types of a project for its logics: a file for each guest language, made from the schema, the declared queries and the params,
//! so that an editor completes columns and a compiler finds what a change of the schema breaks.
//!
//! The files are written into the project's `.stk/types` with every build and with `stk logic types`. They hold types only:
//! nothing of them runs.

mod c;
mod python;
mod rust;
mod typescript;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use santokit_core::{
    project::Project,
    query::{Query, Returns},
    schema::{Items, Type},
};

/// Where the files are, relative to the project's root.
pub const TYPES_DIR: &str = ".stk/types";

/// The head of every file, behind the language's comment sign.
const HEAD: [&str; 2] = [
    "Written by stk from the project's schema and logics, with every build and with `stk logic types`.",
    "Do not edit: it is written again.",
];

/// What the files are made from.
struct Shapes {
    /// A row of each table, as SQL gives it.
    rows: Vec<Shape>,
    /// The declared queries, as a logic calls them.
    queries: Vec<QueryShape>,
    /// The params of each logic, as its handler is given them.
    params: Vec<Shape>,
}

/// What a declared query takes and answers.
struct QueryShape {
    params: Shape,
    /// None where it answers how many rows it changed.
    row: Option<Shape>,
    returns: Returns,
}

/// One type.
struct Shape {
    /// In Pascal case, unique in its list.
    name: String,
    /// The table or logic, as the project spells it.
    of: String,
    /// The same, with the connection before it where that is not the default one.
    path: String,
    fields: Vec<Field>,
}

/// One field of a type.
struct Field {
    name: String,
    kind: Type,
    items: Option<Box<Items>>,
    one_of: Option<Vec<String>>,
    /// NULL in a row, left out in params; of a query's row also where nobody knows.
    is_optional: bool,
}

/// Writes the files; those that are as they should be are left alone, for what watches them.
pub fn write(root: &Path, project: &Project) -> anyhow::Result<Vec<PathBuf>> {
    let folder = root.join(TYPES_DIR);
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let mut paths = Vec::new();
    for (name, text) in files(project) {
        let path = folder.join(name);
        if fs::read_to_string(&path).ok().as_deref() != Some(text.as_str()) {
            let aside = folder.join(format!(".{name}.{}", std::process::id()));
            fs::write(&aside, &text)
                .and_then(|()| fs::rename(&aside, &path))
                .with_context(|| format!("cannot write {}", path.display()))?;
        }
        paths.push(path);
    }
    Ok(paths)
}

/// Name and text of each file.
pub fn files(project: &Project) -> Vec<(&'static str, String)> {
    let shapes = Shapes::of(project);
    vec![
        ("project.ts", typescript::file(&shapes)),
        ("project.rs", rust::file(&shapes)),
        ("project.py", python::file(&shapes)),
        ("project.h", c::file(&shapes)),
    ]
}

impl Shapes {
    fn of(project: &Project) -> Self {
        let mut rows = Vec::new();
        for (connection, schema) in &project.connections {
            // Tables of the default connection have their plain names; the others may have tables of the same name.
            let prefix = if *connection == project.default_connection { "" } else { connection.as_str() };
            for (name, table) in &schema.tables {
                let id = Field::plain(&table.id.name, table.id.kind);
                let columns = table.columns.iter().map(|column| Field {
                    name: column.name.clone(),
                    kind: column.kind,
                    items: column.items.clone(),
                    one_of: column.bounds.one_of.clone(),
                    is_optional: column.nullable,
                });
                let fields = std::iter::once(id).chain(columns).collect();
                let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
                rows.push(Shape { name: pascal(&format!("{prefix}_{name}")), of: name.clone(), path, fields });
            }
        }
        let params = project.logics.iter().map(|(name, logic)| {
            let fields = logic.params.iter().map(|param| Field {
                name: param.name.clone(),
                kind: param.kind,
                items: param.items.clone(),
                one_of: param.bounds.one_of.clone(),
                is_optional: !param.required && param.default.is_none(),
            });
            Shape { name: pascal(name), of: name.clone(), path: name.clone(), fields: fields.collect() }
        });
        let queries = project.queries.iter().map(|(name, found)| QueryShape::of(name, &found.query));
        Self { rows: unique(rows), queries: unique_queries(queries.collect()), params: unique(params.collect()) }
    }
}

impl QueryShape {
    fn of(name: &str, query: &Query) -> Self {
        let params = query.params.iter().map(|param| Field {
            name: param.name.clone(),
            kind: param.kind,
            items: param.items.clone(),
            one_of: param.bounds.one_of.clone(),
            is_optional: !param.required,
        });
        let columns = query.result.iter().map(|column| Field {
            name: column.name.clone(),
            // What has no type of the schema is what is said of JSON: anything.
            kind: column.kind().unwrap_or(Type::Json),
            items: None,
            one_of: None,
            is_optional: column.nullable != Some(false),
        });
        let shape = |fields| Shape { name: pascal(name), of: name.to_owned(), path: name.to_owned(), fields };
        let row = (query.returns != Returns::Exec).then(|| shape(columns.collect()));
        Self { params: shape(params.collect()), row, returns: query.returns }
    }
}

impl Field {
    fn plain(name: &str, kind: Type) -> Self {
        Self { name: name.to_owned(), kind, items: None, one_of: None, is_optional: false }
    }
}

/// Each word with a large first letter: `order_items`, `orderItems` and `order/items` are all `OrderItems`.
fn pascal(name: &str) -> String {
    let words = name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let large = words.map(|word| {
        let (first, rest) = word.split_at(1);
        first.to_ascii_uppercase() + rest
    });
    large.collect()
}

/// Lower case with underscores: `priceCents` is `price_cents`.
fn snake(name: &str) -> String {
    let mut snake = String::with_capacity(name.len() + 4);
    let mut before = '_';
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && (before.is_ascii_lowercase() || before.is_ascii_digit()) {
            snake.push('_');
        }
        // A column of a query may be called `count(*)`.
        snake.push(if letter.is_ascii_alphanumeric() { letter.to_ascii_lowercase() } else { '_' });
        before = letter;
    }
    if snake.starts_with(|first: char| first.is_ascii_digit()) { format!("_{snake}") } else { snake }
}

/// The fields' names in lower case with underscores; names that two fields would share get a number.
fn snake_names(shape: &Shape) -> Vec<String> {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let number = |field: &Field| {
        let name = snake(&field.name);
        let count = seen.entry(name.clone()).and_modify(|count| *count += 1).or_insert(1);
        if *count > 1 { format!("{name}_{count}") } else { name }
    };
    shape.fields.iter().map(number).collect()
}

/// Names that two shapes would share get a number.
fn unique(mut shapes: Vec<Shape>) -> Vec<Shape> {
    let mut seen = BTreeMap::new();
    for shape in &mut shapes {
        shape.name = numbered(&shape.name, &mut seen);
    }
    shapes
}

fn unique_queries(mut queries: Vec<QueryShape>) -> Vec<QueryShape> {
    let mut seen = BTreeMap::new();
    for query in &mut queries {
        query.params.name = numbered(&query.params.name, &mut seen);
        if let Some(row) = &mut query.row {
            row.name.clone_from(&query.params.name);
        }
    }
    queries
}

fn numbered(name: &str, seen: &mut BTreeMap<String, usize>) -> String {
    let count = seen.entry(name.to_owned()).and_modify(|count| *count += 1).or_insert(1);
    if *count > 1 { format!("{name}{count}") } else { name.to_owned() }
}

/// Text in double quotes, as all these languages have it.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// The element type of an array, with how deep it lies.
fn element(items: Option<&Items>) -> (Option<Type>, usize) {
    let (mut items, mut depth) = (items, 1);
    while let Some(Items { kind: Type::Array, items: inner }) = items {
        items = inner.as_deref();
        depth += 1;
    }
    (items.map(|items| items.kind), depth)
}

/// The head in a language whose comments begin with `sign`.
fn head(sign: &str) -> String {
    HEAD.iter().map(|line| format!("{sign} {line}")).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests;
