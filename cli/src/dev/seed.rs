//! Seed files: `seed/*.sql`, `*.json` and `*.csv` go once into a fresh database, one transaction a file. Loaded files are
//! remembered by digest in `.stk/dev/seeded.json`; a file that changes afterwards is not loaded again.
//!
//! On SQLite rows of a file may refer to later ones; PostgreSQL looks at the end of a statement, MySQL at each row.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use santokit_core::{
    release::Digest,
    schema::{Generate, Schema, Table, Type},
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use super::{
    database::{Database, Opened},
    value::{Cell, from_json, from_text, new_id},
};
use crate::{context::write_private, report::Terminal};

mod insert;

const FILE: &str = ".stk/dev/seeded.json";

/// What was loaded, by database file and seed file.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Seeded(BTreeMap<String, BTreeMap<String, Digest>>);

/// One file that was loaded.
#[derive(Debug)]
pub struct Loaded {
    /// Relative to the project folder.
    pub path: String,
    /// Rows that it wrote.
    pub rows: u64,
    /// How long it took.
    pub elapsed: Duration,
}

/// A database that is not there yet has nothing in it, whatever was remembered.
pub async fn forget_if_fresh(root: &Path, database: &Database) -> anyhow::Result<()> {
    let mut seeded = read(root)?;
    if seeded.0.contains_key(key(database)) && database.is_fresh().await? {
        seeded.0.remove(key(database));
        write(root, &seeded)?;
    }
    Ok(())
}

/// Loads every file that this database has not seen, in order of their names.
pub async fn load(
    root: &Path,
    database: &Database,
    schema: &Schema,
    terminal: Terminal,
) -> anyhow::Result<Vec<Loaded>> {
    let mut seeded = read(root)?;
    let mut loaded = Vec::new();
    for path in files(root)? {
        let name = format!("seed/{}", path.file_name().unwrap_or_default().to_string_lossy());
        let bytes = fs::read(&path).with_context(|| format!("cannot read {name}"))?;
        let digest = Digest::of(&bytes);
        let known = seeded.0.entry(key(database).to_owned()).or_default();
        match known.get(&name) {
            Some(before) if *before == digest => continue,
            Some(_) => {
                terminal.note(&format!("{name} changed after it was loaded; remove {} to begin anew", database.shown));
                continue;
            }
            None => {}
        }
        let started = Instant::now();
        let mut connection = database.open().await?;
        let rows = load_file(&mut connection, &path, &bytes, schema, terminal)
            .await
            .with_context(|| format!("{name} cannot be loaded, nothing of it was kept"))?;
        connection.close().await?;
        known.insert(name.clone(), digest);
        write(root, &seeded)?;
        loaded.push(Loaded { path: name, rows, elapsed: started.elapsed() });
    }
    Ok(loaded)
}

fn files(root: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let dir = root.join("seed");
    if !dir.is_dir() {
        return Ok(Vec::new());
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(&dir).context("cannot read seed/")? {
        let path = entry.context("cannot read seed/")?.path();
        if path.is_file() && matches!(extension(&path), "sql" | "json" | "csv") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// Loads one file, in one transaction.
pub(crate) async fn load_file(
    connection: &mut Opened,
    path: &Path,
    bytes: &[u8],
    schema: &Schema,
    terminal: Terminal,
) -> anyhow::Result<u64> {
    let text = std::str::from_utf8(bytes).context("it is not UTF-8")?;
    connection.command("BEGIN").await?;
    let loaded = load_text(connection, path, text, schema, terminal).await;
    connection.command(if loaded.is_ok() { "COMMIT" } else { "ROLLBACK" }).await?;
    loaded
}

async fn load_text(
    connection: &mut Opened,
    path: &Path,
    text: &str,
    schema: &Schema,
    terminal: Terminal,
) -> anyhow::Result<u64> {
    let shown = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    if matches!(connection, Opened::Sqlite(_)) {
        // All references are checked at the end of the file.
        connection.command("PRAGMA defer_foreign_keys = ON").await?;
    }
    let rows = match extension(path) {
        "sql" => insert::script(connection, text, &terminal.progress(None, &shown)).await?,
        extension => {
            let (table_name, table) = table_of(path, schema)?;
            let rows = if extension == "csv" { rows_of_csv(text, table)? } else { rows_of_json(text, table)? };
            let bar = terminal.progress(Some(rows.len() as u64), &shown);
            insert::rows(connection, table_name, &rows, &bar).await?
        }
    };
    insert::count_on(connection, schema).await?;
    Ok(rows)
}

/// `orders.csv` and `02_orders.csv` are rows of `orders`.
fn table_of<'a>(path: &Path, schema: &'a Schema) -> anyhow::Result<(&'a str, &'a Table)> {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let bare = stem.trim_start_matches(|c: char| c.is_ascii_digit()).trim_start_matches(['_', '-']);
    for name in [stem.as_str(), bare] {
        if let Some((name, table)) = schema.tables.get_key_value(name) {
            return Ok((name, table));
        }
    }
    let near = santokit_core::name::nearest(bare, schema.tables.keys().map(String::as_str));
    bail!("there is no table {bare:?}{}", near.map(|near| format!("; did you mean {near}?")).unwrap_or_default())
}

/// Rows, all with the same columns.
struct Rows {
    columns: Vec<String>,
    /// Of the columns.
    kinds: Vec<Type>,
    cells: Vec<Vec<Cell>>,
}

impl Rows {
    fn len(&self) -> usize {
        self.cells.len()
    }
}

fn rows_of_csv(text: &str, table: &Table) -> anyhow::Result<Rows> {
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::Headers).from_reader(text.as_bytes());
    let mut columns: Vec<String> = reader.headers()?.iter().map(str::to_owned).collect();
    for name in &columns {
        kind_of(table, name)?;
    }
    let makes_id = needs_id(table, &columns);
    let mut cells = Vec::new();
    for record in reader.records() {
        let record = record?;
        let line = record.position().map_or(0, csv::Position::line);
        let mut row = Vec::with_capacity(columns.len() + 1);
        for (name, field) in columns.iter().zip(&record) {
            let (kind, nullable) = kind_of(table, name)?;
            row.push(from_text(kind, nullable, field).with_context(|| format!("line {line}, column {name}"))?);
        }
        if makes_id {
            row.push(new_id(table.id.generate)?);
        }
        cells.push(row);
    }
    if makes_id {
        columns.push(table.id.name.clone());
    }
    let kinds = columns.iter().map(|name| Ok(kind_of(table, name)?.0)).collect::<anyhow::Result<_>>()?;
    Ok(Rows { columns, kinds, cells })
}

fn rows_of_json(text: &str, table: &Table) -> anyhow::Result<Rows> {
    let objects: Vec<Map<String, Json>> = serde_json::from_str(text).context("it is no list of objects")?;
    // A column that one row has, every row has: a multi-row insert knows no gaps.
    let mut columns: Vec<String> = Vec::new();
    for name in objects.iter().flat_map(Map::keys) {
        if !columns.contains(name) {
            kind_of(table, name)?;
            columns.push(name.clone());
        }
    }
    let makes_id = needs_id(table, &columns);
    let mut cells = Vec::with_capacity(objects.len());
    for (index, object) in objects.iter().enumerate() {
        let mut row = Vec::with_capacity(columns.len() + 1);
        for name in &columns {
            let (kind, _) = kind_of(table, name)?;
            let value = object.get(name).unwrap_or(&Json::Null);
            row.push(from_json(kind, value).with_context(|| format!("row {}, column {name}", index + 1))?);
        }
        if makes_id {
            row.push(new_id(table.id.generate)?);
        }
        cells.push(row);
    }
    if makes_id {
        columns.push(table.id.name.clone());
    }
    let kinds = columns.iter().map(|name| Ok(kind_of(table, name)?.0)).collect::<anyhow::Result<_>>()?;
    Ok(Rows { columns, kinds, cells })
}

fn needs_id(table: &Table, columns: &[String]) -> bool {
    !matches!(table.id.generate, Generate::Client | Generate::AutoIncrement) && !columns.contains(&table.id.name)
}

fn kind_of(table: &Table, name: &str) -> anyhow::Result<(Type, bool)> {
    if table.id.name == name {
        return Ok((table.id.kind, false));
    }
    if let Some(column) = table.columns.iter().find(|column| column.name == name) {
        return Ok((column.kind, column.nullable));
    }
    let known = table.columns.iter().map(|column| column.name.as_str()).chain([table.id.name.as_str()]);
    let near = santokit_core::name::nearest(name, known);
    bail!("there is no column {name:?}{}", near.map(|near| format!("; did you mean {near}?")).unwrap_or_default())
}

fn key(database: &Database) -> &str {
    &database.shown
}

fn extension(path: &Path) -> &str {
    path.extension().and_then(|extension| extension.to_str()).unwrap_or_default()
}

fn read(root: &Path) -> anyhow::Result<Seeded> {
    match fs::read(root.join(FILE)) {
        Ok(bytes) => serde_json::from_slice(&bytes).with_context(|| format!("{FILE} cannot be read; remove it")),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Seeded::default()),
        Err(error) => Err(error).with_context(|| format!("cannot read {FILE}")),
    }
}

fn write(root: &Path, seeded: &Seeded) -> anyhow::Result<()> {
    write_private(&root.join(FILE), &serde_json::to_vec_pretty(seeded)?)
}

#[cfg(test)]
mod tests;
