//! What crosses tables and files: one table of a name, references that hold, limits of a connection.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    decode::{File, Word},
    diagnostic::Check,
    node::Span,
    objects,
};
use crate::{
    schema::{
        Reference, ReferenceAction, Schema, Table, Type,
        files::{self, FileError},
        relation::Relations,
    },
    storage::Storage,
};

/// Tables of a connection.
const TABLES_MAX: usize = 500;

/// Connections of a project.
const CONNECTIONS_MAX: usize = 10;

/// A table that is checked in itself.
pub(super) struct DraftTable<'f> {
    pub(super) file: &'f File<'f>,
    pub(super) name: Word,
    pub(super) connection: Option<Word>,
    pub(super) table: Table,
    pub(super) references: Vec<DraftReference>,
    pub(super) files: Vec<DraftFile>,
}

/// The place of what a file column says.
pub(super) struct DraftFile {
    pub(super) column: String,
    pub(super) bucket: Span,
    pub(super) default: Span,
}

/// A reference whose other end is not looked up yet.
pub(super) struct DraftReference {
    pub(super) from: String,
    pub(super) table: Word,
    pub(super) column: Option<Word>,
    pub(super) alias: Option<Word>,
    pub(super) on_delete: ReferenceAction,
    pub(super) on_update: ReferenceAction,
}

/// Joins the tables of all files to a schema for each connection.
pub(super) fn join(
    drafts: Vec<DraftTable<'_>>,
    default_connection: &str,
    storage: &Storage,
) -> BTreeMap<String, Schema> {
    let drafts = unique(drafts);
    let mut schemas = BTreeMap::from([(default_connection.to_owned(), Schema::default())]);
    for draft in drafts.values() {
        let connection = draft.connection_or(default_connection);
        let mut table = draft.table.clone();
        for reference in &draft.references {
            let Some(resolved) = resolve(draft, reference, &drafts, default_connection) else { continue };
            if let Some(column) = table.columns.iter_mut().find(|column| column.name == reference.from) {
                column.references = Some(resolved);
            }
        }
        let count = schemas.len();
        let schema = schemas.entry(connection.to_owned()).or_insert_with(|| {
            if count == CONNECTIONS_MAX {
                draft.file.error(
                    draft.name.span,
                    Check::TooMany,
                    format!("a project has at most {CONNECTIONS_MAX} connections"),
                );
            }
            Schema::default()
        });
        if schema.tables.len() == TABLES_MAX {
            draft.file.error(draft.name.span, Check::TooMany, format!("a connection has at most {TABLES_MAX} tables"));
        }
        schema.tables.insert(draft.name.text.clone(), table);
    }
    for schema in schemas.values() {
        check_relations(schema, &drafts);
    }
    check_files(&schemas, &drafts, storage);
    objects::warn_of_references(&drafts);
    schemas
}

/// Keys of objects are of a bucket, and where rows take objects with them it is known which rows those are.
fn check_files(schemas: &BTreeMap<String, Schema>, drafts: &BTreeMap<String, DraftTable<'_>>, storage: &Storage) {
    for (place, error) in files::problems(schemas, storage) {
        let Some(draft) = drafts.get(place.table) else { continue };
        let Some(of) = draft.files.iter().find(|of| of.column == place.column) else { continue };
        let (file, message) = (draft.file, error.to_string());
        match &error {
            FileError::NoBucket => {
                let hint = "add bucket: and the name of one in config/storage.yaml";
                file.error_hint(of.bucket, Check::MissingKey, message, hint);
            }
            FileError::Unknown(bucket) => {
                let known = storage.buckets.keys().map(String::as_str);
                file.unknown(of.bucket, Check::UnknownBucket, message, bucket, known);
            }
            FileError::Default => {
                let hint = "leave one of the two out: the object would go with the first row";
                file.error_hint(of.default, Check::Conflict, message, hint);
            }
            FileError::Apart { .. } => {
                let hint = "give each connection a bucket of its own";
                file.error_hint(of.bucket, Check::Conflict, message, hint);
            }
        }
    }
}

/// A relation that would have the name of a column, or of another relation, could not be asked for.
fn check_relations(schema: &Schema, drafts: &BTreeMap<String, DraftTable<'_>>) {
    let relations = Relations::of(schema);
    let mut reported = BTreeSet::new();
    for collision in relations.collisions() {
        // One reference can collide on both sides.
        if !reported.insert((&collision.table, &collision.column)) {
            continue;
        }
        let Some(draft) = drafts.get(&collision.table) else { continue };
        let Some(reference) = draft.references.iter().find(|reference| reference.from == collision.column) else {
            continue;
        };
        let span = reference.alias.as_ref().unwrap_or(&reference.table).span;
        let message = format!(
            "the relation {:?} of the table {:?} has the name of a column or of another relation there",
            collision.name, collision.of
        );
        draft.file.error_hint(span, Check::Duplicate, message, "give the reference another name with \"as\"");
    }
}

/// Table names are unique in the project, also without regard to case: engines fold it, each in its own way.
fn unique(drafts: Vec<DraftTable<'_>>) -> BTreeMap<String, DraftTable<'_>> {
    let mut folded: BTreeMap<String, (String, String, u32)> = BTreeMap::new();
    let mut tables = BTreeMap::new();
    for draft in drafts {
        let place = (draft.name.text.clone(), draft.file.path.to_owned(), draft.name.span.line);
        if let Some((name, path, line)) = folded.get(&draft.name.text.to_lowercase()) {
            let message = if *name == draft.name.text {
                format!("the table {name:?} is there already, in {path} line {line}")
            } else {
                format!("the table {:?} differs from {name:?} ({path} line {line}) in case only", draft.name.text)
            };
            draft.file.error(draft.name.span, Check::Duplicate, message);
        } else {
            folded.insert(draft.name.text.to_lowercase(), place);
            tables.insert(draft.name.text.clone(), draft);
        }
    }
    tables
}

fn resolve(
    from: &DraftTable<'_>,
    reference: &DraftReference,
    drafts: &BTreeMap<String, DraftTable<'_>>,
    default_connection: &str,
) -> Option<Reference> {
    let file = from.file;
    let Some(to) = drafts.get(&reference.table.text) else {
        let message = format!("there is no table {:?}", reference.table.text);
        file.unknown(
            reference.table.span,
            Check::UnknownTable,
            message,
            &reference.table.text,
            drafts.keys().map(String::as_str),
        );
        return None;
    };
    let (here, there) = (from.connection_or(default_connection), to.connection_or(default_connection));
    if here != there {
        let message =
            format!("{:?} is on connection {there:?}, this table on {here:?}: a reference stays on one", to.name.text);
        file.error(reference.table.span, Check::InvalidReference, message);
    }
    let column = reference.column.as_ref().map_or(to.table.id.name.as_str(), |word| word.text.as_str());
    let span = reference.column.as_ref().unwrap_or(&reference.table).span;
    let Some((kind, unique)) = to.column(column) else {
        let message = format!("the table {:?} has no column {column:?}", to.name.text);
        file.unknown(span, Check::UnknownColumn, message, column, to.column_names());
        return None;
    };
    if !unique {
        let message = format!("{:?}.{column:?} is neither the primary key nor unique", to.name.text);
        file.error_hint(span, Check::InvalidReference, message, "a reference needs a column whose values are unique");
    }
    if let Some((own, _)) = from.column(&reference.from).filter(|(own, _)| *own != kind) {
        let message = format!(
            "{:?} is of type {}, {:?}.{column:?} of type {}",
            reference.from,
            own.as_str(),
            to.name.text,
            kind.as_str()
        );
        file.error_hint(span, Check::InvalidReference, message, "both ends of a reference have the same type");
    }
    Some(Reference {
        table: to.name.text.clone(),
        column: column.to_owned(),
        alias: reference.alias.as_ref().map_or_else(|| to.name.text.clone(), |word| word.text.clone()),
        on_delete: reference.on_delete,
        on_update: reference.on_update,
    })
}

impl DraftTable<'_> {
    fn connection_or<'a>(&'a self, default: &'a str) -> &'a str {
        self.connection.as_ref().map_or(default, |word| word.text.as_str())
    }

    fn column_names(&self) -> impl Iterator<Item = &str> {
        self.table.columns.iter().map(|column| column.name.as_str()).chain([self.table.id.name.as_str()])
    }

    /// Type of a column, and whether its values are unique.
    fn column(&self, name: &str) -> Option<(Type, bool)> {
        if self.table.id.name == name {
            return Some((self.table.id.kind, true));
        }
        let column = self.table.columns.iter().find(|column| column.name == name)?;
        let indexed = self.table.indexes.iter().any(|index| index.unique && index.columns == [name]);
        Some((column.kind, column.unique || indexed))
    }
}
