//! `schema/*.yaml`: the tables of one file, each checked in itself. What crosses tables is checked in `links`.

use std::collections::BTreeSet;

use super::{
    decode::{File, Map, Word},
    diagnostic::Check,
    keys,
    links::{DraftFile, DraftReference, DraftTable},
    node::{Entry, Node, Yaml},
    typed,
};
use crate::{
    name::{check_identifier, check_label},
    schema::{Column, ColumnDefault, FileOnDelete, Generate, Index, PrimaryKey, ReferenceAction, Table, Type},
};

/// Columns of a table.
const COLUMNS_MAX: usize = 200;

const GENERATE: &[Generate] =
    &[Generate::Ulid, Generate::Nanoid, Generate::UuidV4, Generate::UuidV7, Generate::AutoIncrement, Generate::Client];

const ACTIONS: &[ReferenceAction] = &[
    ReferenceAction::Restrict,
    ReferenceAction::NoAction,
    ReferenceAction::Cascade,
    ReferenceAction::SetNull,
    ReferenceAction::SetDefault,
];

/// What columns name outside of their table.
#[derive(Default)]
struct Beyond {
    references: Vec<DraftReference>,
    files: Vec<DraftFile>,
}

/// Adds the file's tables to `drafts`.
pub(super) fn read<'f>(file: &'f File<'f>, root: &Node, drafts: &mut Vec<DraftTable<'f>>) {
    let Some(map) = file.map(root, &keys::SCHEMA) else { return };
    super::version(file, &map);
    let Some(tables) = map.get("tables") else { return };
    for entry in file.names(tables) {
        file.check_name(&entry.key, entry.span, |name| check_identifier("a table name", name));
        drafts.extend(table(file, entry));
    }
}

fn table<'f>(file: &'f File<'f>, entry: &Entry) -> Option<DraftTable<'f>> {
    let map = file.map(&entry.value, &keys::TABLE)?;
    let connection =
        map.get("connection").and_then(|node| file.name(node, |name| check_label("a connection name", name)));
    let id = primary_key(file, &map);
    let mut beyond = Beyond::default();
    let columns = columns(file, &map, &id, &mut beyond);
    let indexes = indexes(file, &map, &id, &columns);
    let deprecated = map.get("deprecated").and_then(|node| file.text(node)).map(|word| word.text);
    let sunset = sunset(file, &map, deprecated.is_some());
    Some(DraftTable {
        file,
        name: Word { text: entry.key.clone(), span: entry.span },
        connection,
        table: Table { id, columns, indexes, deprecated, sunset },
        references: beyond.references,
        files: beyond.files,
    })
}

/// The day from which on something that is deprecated may go.
fn sunset(file: &File<'_>, map: &Map<'_>, is_deprecated: bool) -> Option<String> {
    let node = map.get("sunset")?;
    let day = file.text(node)?;
    if !is_deprecated {
        file.error(node.span, Check::InvalidValue, "sunset needs deprecated, which says why");
    }
    if day.text.parse::<chrono::NaiveDate>().is_err() || day.text.len() != 10 {
        file.error(node.span, Check::InvalidValue, "expected a day as YYYY-MM-DD, for example 2026-12-31");
        return None;
    }
    Some(day.text)
}

fn primary_key(file: &File<'_>, table: &Map<'_>) -> PrimaryKey {
    let mut id = PrimaryKey { name: "id".to_owned(), generate: Generate::Ulid, kind: Type::String };
    let Some(map) = table.get("id").and_then(|node| file.map(node, &keys::PRIMARY_KEY)) else { return id };
    if let Some(name) = map.get("name").and_then(|node| file.name(node, |name| check_identifier("a column name", name)))
    {
        id.name = name.text;
    }
    if let Some(generate) = map.get("generate").and_then(|node| file.word(node, keys::GENERATE, GENERATE)) {
        id.generate = generate;
    }
    if id.generate == Generate::AutoIncrement {
        id.kind = Type::Bigint;
    }
    let Some(node) = map.get("type") else { return id };
    let Some(kind) = typed::kind(file, node) else { return id };
    match id.generate {
        Generate::Client if matches!(kind, Type::Json | Type::Array | Type::File | Type::Float) => {
            file.error(node.span, Check::PrimaryKey, format!("a primary key cannot be of type {}", kind.as_str()));
        }
        Generate::Client => id.kind = kind,
        _ if kind != id.kind => {
            let hint = "use generate: client for a key of another type";
            let message =
                format!("a generated key of this kind is of type {}, not {}", id.kind.as_str(), kind.as_str());
            file.error_hint(node.span, Check::PrimaryKey, message, hint);
        }
        _ => {}
    }
    id
}

fn columns(file: &File<'_>, table: &Map<'_>, id: &PrimaryKey, beyond: &mut Beyond) -> Vec<Column> {
    let Some(node) = table.get("columns") else { return Vec::new() };
    let mut columns = Vec::new();
    for entry in file.names(node) {
        file.check_name(&entry.key, entry.span, |name| check_identifier("a column name", name));
        if entry.key == id.name {
            let hint = "the primary key stands under \"id\" of the table only; leave it out here";
            file.error_hint(
                entry.span,
                Check::PrimaryKey,
                format!("the column {:?} is the primary key", entry.key),
                hint,
            );
            continue;
        }
        if let Some(earlier) = columns.iter().find(|earlier: &&Column| earlier.name.eq_ignore_ascii_case(&entry.key)) {
            // Engines fold the case of names, each in its own way.
            let message = format!("the columns {:?} and {:?} differ in case only", earlier.name, entry.key);
            file.error(entry.span, Check::Duplicate, message);
        }
        columns.extend(column(file, entry, beyond));
    }
    if columns.len() > COLUMNS_MAX {
        file.error(
            node.span,
            Check::TooMany,
            format!("a table has at most {COLUMNS_MAX} columns; this one has {}", columns.len()),
        );
    }
    columns
}

fn column(file: &File<'_>, entry: &Entry, beyond: &mut Beyond) -> Option<Column> {
    let map = file.map(&entry.value, &keys::COLUMN)?;
    let kind = typed::kind(file, map.get("type")?)?;
    let (bounds, compiled) = typed::bounds(file, &map, kind);
    let items = typed::items(file, &map, kind);
    let flag = |key| map.get(key).and_then(|node| file.boolean(node));
    let text = |key| map.get(key).and_then(|node| file.text(node)).map(|word| word.text);
    let only_file = |key: &'static str| {
        let entry = map.entry(key)?;
        if kind != Type::File {
            typed::not_for(file, entry.span, key, kind, "file");
        }
        (kind == Type::File).then_some(&entry.value)
    };
    if let (Some(unique), Type::Json | Type::Array) = (map.entry("unique"), kind) {
        typed::not_for(file, unique.span, "unique", kind, "types whose values can be compared");
    }
    let default = map.get("default").and_then(|node| match (&node.yaml, kind) {
        (Yaml::Text(word), Type::Timestamp) if word == "now" => Some(ColumnDefault::Now),
        _ => typed::literal(file, node, kind, items.as_deref(), compiled.as_ref()).map(ColumnDefault::Literal),
    });
    let file_actions = [FileOnDelete::Preserve, FileOnDelete::Cascade];
    let column = Column {
        name: entry.key.clone(),
        kind,
        nullable: flag("nullable").unwrap_or(true),
        unique: flag("unique").unwrap_or(false),
        default,
        items,
        bucket: only_file("bucket")
            .and_then(|node| file.name(node, |name| check_label("a bucket name", name)))
            .map(|word| word.text),
        on_delete: only_file("onDelete").and_then(|node| file.word(node, keys::FILE_ACTIONS, &file_actions)),
        bounds,
        references: None,
        renamed_from: text("renamedFrom"),
        deprecated: text("deprecated"),
        sunset: sunset(file, &map, map.get("deprecated").is_some()),
    };
    beyond.references.extend(map.get("references").and_then(|node| reference(file, node, &column)));
    if kind == Type::File {
        let place = |key| map.get(key).map_or(entry.span, |node| node.span);
        let (bucket, default) = (place("bucket"), place("default"));
        beyond.files.push(DraftFile { column: column.name.clone(), bucket, default });
    }
    Some(column)
}

fn reference(file: &File<'_>, node: &Node, column: &Column) -> Option<DraftReference> {
    let map = file.map(node, &keys::REFERENCE)?;
    let action = |key| {
        map.get(key).and_then(|node| file.word(node, keys::ACTIONS, ACTIONS)).unwrap_or(ReferenceAction::Restrict)
    };
    let check = |key: &'static str, action| {
        let problem = match action {
            ReferenceAction::SetNull if !column.nullable => "set_null needs a column that is nullable",
            ReferenceAction::SetDefault if column.default.is_none() => "set_default needs a column with a default",
            _ => return,
        };
        file.error(map.get(key).map_or(map.span, |node| node.span), Check::InvalidReference, problem);
    };
    let (on_delete, on_update) = (action("onDelete"), action("onUpdate"));
    check("onDelete", on_delete);
    check("onUpdate", on_update);
    Some(DraftReference {
        from: column.name.clone(),
        table: map.get("table").and_then(|node| file.text(node))?,
        column: map.get("column").and_then(|node| file.text(node)),
        alias: map.get("as").and_then(|node| file.name(node, |name| check_identifier("a relation name", name))),
        on_delete,
        on_update,
    })
}

fn indexes(file: &File<'_>, table: &Map<'_>, id: &PrimaryKey, columns: &[Column]) -> Vec<Index> {
    let Some(node) = table.get("indexes") else { return Vec::new() };
    let names = || columns.iter().map(|column| column.name.as_str()).chain([id.name.as_str()]);
    let mut seen = BTreeSet::new();
    let mut indexes = Vec::new();
    for node in file.list(node) {
        let Some(map) = file.map(node, &keys::INDEX) else { continue };
        let words = map.get("columns").map(|node| file.texts(node)).unwrap_or_default();
        for word in words.iter().filter(|word| !names().any(|name| name == word.text)) {
            let message = format!("the table has no column {:?}", word.text);
            file.unknown(word.span, Check::UnknownColumn, message, &word.text, names());
        }
        if let (true, Some(list)) = (words.is_empty(), map.get("columns")) {
            file.error(list.span, Check::InvalidValue, "an index needs at least one column");
        }
        let index = Index {
            columns: words.into_iter().map(|word| word.text).collect(),
            unique: map.get("unique").and_then(|node| file.boolean(node)).unwrap_or(false),
        };
        if seen.insert(index.columns.clone()) {
            indexes.push(index);
        } else {
            file.error(map.span, Check::Duplicate, "the table has an index on these columns already");
        }
    }
    indexes
}
