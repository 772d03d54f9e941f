//! Seed files: `seed/*.sql`, `*.json` and `*.csv` go once into a fresh database, one transaction a file. Loaded files are
//! remembered by digest in `.stk/dev/seeded.json`; a file that changes afterwards is not loaded again.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use futures_util::TryStreamExt;
use santokit_core::{
    release::Digest,
    schema::{Schema, Table},
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};
use sqlx::{AssertSqlSafe, Connection, Executor, QueryBuilder, Sqlite, Transaction, sqlite::SqliteConnection};

use super::{
    database::Database,
    value::{Cell, from_json, from_text, new_id},
};
use crate::{context::write_private, report::Terminal};

/// SQLite takes 32,766 bound values in a statement.
const VALUES_MAX: usize = 30_000;
const ROWS_MAX: usize = 500;
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
pub fn forget_if_fresh(root: &Path, database: &Database) -> anyhow::Result<()> {
    let mut seeded = read(root)?;
    if !database.exists() && seeded.0.remove(&key(database)).is_some() {
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
        let known = seeded.0.entry(key(database)).or_default();
        match known.get(&name) {
            Some(before) if *before == digest => continue,
            Some(_) => {
                terminal.note(&format!(
                    "{name} changed after it was loaded; remove {} to begin anew",
                    database.file.display()
                ));
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

async fn load_file(
    connection: &mut SqliteConnection,
    path: &Path,
    bytes: &[u8],
    schema: &Schema,
    terminal: Terminal,
) -> anyhow::Result<u64> {
    let text = std::str::from_utf8(bytes).context("it is not UTF-8")?;
    let shown = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut transaction = connection.begin().await?;
    // Rows of a file may refer to later ones; all references are checked at its end.
    transaction.execute("PRAGMA defer_foreign_keys = ON").await?;
    let rows = match extension(path) {
        "sql" => load_sql(&mut transaction, text, &terminal.progress(None, &shown)).await?,
        extension => {
            let (table_name, table) = table_of(path, schema)?;
            let rows = if extension == "csv" { rows_of_csv(text, table)? } else { rows_of_json(text, table)? };
            let bar = terminal.progress(Some(rows.len() as u64), &shown);
            insert(&mut transaction, table_name, &rows, &bar).await?
        }
    };
    transaction.commit().await?;
    Ok(rows)
}

async fn load_sql(
    transaction: &mut Transaction<'_, Sqlite>,
    text: &str,
    bar: &indicatif::ProgressBar,
) -> anyhow::Result<u64> {
    #[expect(clippy::disallowed_methods, reason = "the developer's own file, run on the developer's own database")]
    let script = sqlx::raw_sql(AssertSqlSafe(text));
    let mut rows = 0;
    let mut results = script.execute_many(&mut **transaction);
    while let Some(result) = results.try_next().await? {
        rows += result.rows_affected();
        bar.set_position(rows);
    }
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
    Ok(Rows { columns, cells })
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
    Ok(Rows { columns, cells })
}

fn needs_id(table: &Table, columns: &[String]) -> bool {
    use santokit_core::schema::Generate;
    !matches!(table.id.generate, Generate::Client | Generate::AutoIncrement) && !columns.contains(&table.id.name)
}

fn kind_of(table: &Table, name: &str) -> anyhow::Result<(santokit_core::schema::Type, bool)> {
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

async fn insert(
    transaction: &mut Transaction<'_, Sqlite>,
    table: &str,
    rows: &Rows,
    bar: &indicatif::ProgressBar,
) -> anyhow::Result<u64> {
    if rows.columns.is_empty() {
        return Ok(0);
    }
    // Identifiers are the schema's own: letters, digits and `_` (core::name).
    let columns: Vec<String> = rows.columns.iter().map(|name| format!("\"{name}\"")).collect();
    let head = format!("INSERT INTO \"{table}\" ({}) ", columns.join(", "));
    let mut written = 0;
    for chunk in rows.cells.chunks((VALUES_MAX / rows.columns.len()).clamp(1, ROWS_MAX)) {
        let mut builder = QueryBuilder::<Sqlite>::new(head.clone());
        builder.push_values(chunk, |mut row, cells| {
            for cell in cells {
                cell.bind(&mut row);
            }
        });
        written += builder.build().execute(&mut **transaction).await?.rows_affected();
        bar.set_position(written);
    }
    Ok(written)
}

fn key(database: &Database) -> String {
    database.file.display().to_string()
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
