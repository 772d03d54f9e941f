//! MySQL 8 and MariaDB: their catalogues, and their types. What is compared or indexed is kept in the row, in a collation that
//! tells all texts apart; DDL is not transactional, so that foreign keys and indexes are steps of their own.

use santokit_core::schema::{Column, ReferenceAction, Schema, Table, Type};

use super::{
    CurrentColumn, Engine, Refusal,
    catalog::Catalog,
    fit::{self, Declared, Natural},
};

/// Characters of a `VARCHAR`; longer texts are kept apart from the row.
const VARCHAR_MAX: u32 = 16_000;
/// Of a key whose length nobody declared.
const KEY_LENGTH: u32 = 255;
const FILE_LENGTH: u32 = 1024;
/// Bytes of an index, and of a row without what is kept apart from it.
const INDEX_BYTES_MAX: u32 = 3072;
const ROW_BYTES_MAX: u32 = 65_535;

macro_rules! columns {
    ($json:literal, $from:literal) => {
        concat!(
            "SELECT CAST(c.table_name AS CHAR), CAST(c.column_name AS CHAR), ",
            $json,
            ", CASE c.is_nullable WHEN 'NO' THEN '0' ELSE '1' END, CAST(c.column_default AS CHAR), ",
            "CASE WHEN c.extra LIKE '%auto_increment%' THEN '1' ELSE '0' END, ",
            "CASE WHEN c.generation_expression <> '' THEN '1' ELSE '0' END, ",
            "CAST(coalesce((SELECT s.seq_in_index FROM information_schema.statistics AS s WHERE s.table_schema = c.table_schema ",
            "AND s.table_name = c.table_name AND s.index_name = 'PRIMARY' AND s.column_name = c.column_name), 0) AS CHAR), ",
            "CAST(c.collation_name AS CHAR), CASE WHEN c.extra LIKE '%DEFAULT_GENERATED%' THEN '1' ELSE '0' END ",
            "FROM information_schema.columns AS c JOIN information_schema.tables AS t ",
            "ON t.table_schema = c.table_schema AND t.table_name = c.table_name AND t.table_type = 'BASE TABLE' ",
            $from,
            " WHERE c.table_schema = database() ORDER BY c.table_name, c.ordinal_position"
        )
    };
}

pub(super) const CATALOG: Catalog = Catalog { columns: columns!("CAST(c.column_type AS CHAR)", ""), ..CATALOG_MARIADB };

pub(super) const CATALOG_MARIADB: Catalog = Catalog {
    // JSON is text with a check there.
    columns: columns!(
        "CASE WHEN k.check_clause IS NULL THEN CAST(c.column_type AS CHAR) ELSE 'json' END",
        "LEFT JOIN information_schema.check_constraints AS k ON k.constraint_schema = c.table_schema \
            AND k.table_name = c.table_name AND k.constraint_name = c.column_name AND c.column_type = 'longtext' \
            AND k.check_clause = concat('json_valid(`', replace(c.column_name, '`', '``'), '`)')"
    ),
    indexes: "SELECT CAST(table_name AS CHAR), CAST(index_name AS CHAR), CASE non_unique WHEN 0 THEN '1' ELSE '0' END, \
        CAST(seq_in_index AS CHAR), \
        CASE WHEN sub_part IS NULL AND index_type IN ('BTREE', 'HASH') THEN CAST(column_name AS CHAR) END \
        FROM information_schema.statistics WHERE table_schema = database() AND index_name <> 'PRIMARY' \
        ORDER BY table_name, index_name, seq_in_index",
    references: "SELECT CAST(k.table_name AS CHAR), CAST(k.constraint_name AS CHAR), CAST(k.ordinal_position AS CHAR), \
        CAST(k.column_name AS CHAR), \
        CASE WHEN k.referenced_table_schema <> k.table_schema THEN CAST(k.referenced_table_schema AS CHAR) END, \
        CAST(k.referenced_table_name AS CHAR), CAST(k.referenced_column_name AS CHAR), \
        CAST(r.update_rule AS CHAR), CAST(r.delete_rule AS CHAR) \
        FROM information_schema.key_column_usage AS k JOIN information_schema.referential_constraints AS r \
        ON r.constraint_schema = k.constraint_schema AND r.constraint_name = k.constraint_name AND r.table_name = k.table_name \
        WHERE k.table_schema = database() AND k.referenced_table_name IS NOT NULL \
        ORDER BY k.table_name, k.constraint_name, k.ordinal_position",
    extras: None,
    views: "SELECT CAST(table_name AS CHAR) FROM information_schema.views WHERE table_schema = database() ORDER BY table_name",
};

pub(super) fn column_type(engine: Engine, declared: &Declared<'_>) -> String {
    let text = |length: u32| format!("VARCHAR({length}) {}", collated(engine));
    match declared.kind {
        Type::String => match varchar(declared) {
            Some(length) => text(length),
            None => format!("LONGTEXT {}", collated(engine)),
        },
        Type::File => text(FILE_LENGTH),
        Type::Int => "INT".to_owned(),
        Type::Bigint => "BIGINT".to_owned(),
        Type::Float => "DOUBLE".to_owned(),
        Type::Decimal => "DECIMAL(65,30)".to_owned(),
        Type::Boolean => "TINYINT(1)".to_owned(),
        Type::Json | Type::Array => "JSON".to_owned(),
        Type::Timestamp => "DATETIME(6)".to_owned(),
        Type::Bytes if declared.is_keyed => format!("VARBINARY({KEY_LENGTH})"),
        Type::Bytes => "LONGBLOB".to_owned(),
    }
}

/// Of every text.
pub(super) const CHARACTER_SET: &str = "utf8mb4";

/// All texts differ that differ in a code point, and trailing spaces count.
pub(super) fn collation(engine: Engine) -> &'static str {
    match engine {
        Engine::Mysql => "utf8mb4_0900_bin",
        _ => "utf8mb4_nopad_bin",
    }
}

fn collated(engine: Engine) -> String {
    format!("CHARACTER SET {CHARACTER_SET} COLLATE {}", collation(engine))
}

/// The type of a column that is there, so that it stays.
pub(super) fn as_found(column: &CurrentColumn) -> String {
    match &column.collation {
        // A name of a collation begins with that of its character set.
        Some(collation) if column.declared != "json" => {
            let set = collation.split('_').next().unwrap_or(CHARACTER_SET);
            format!("{} CHARACTER SET {set} COLLATE {collation}", column.declared)
        }
        _ => column.declared.clone(),
    }
}

fn varchar(declared: &Declared<'_>) -> Option<u32> {
    match declared.max_length {
        Some(length) if length <= VARCHAR_MAX => Some(length.max(1)),
        None if declared.is_keyed => Some(KEY_LENGTH),
        _ => None,
    }
}

/// Whether the default of such a column is written as an expression.
pub(super) fn is_large(declared: &Declared<'_>) -> bool {
    declared.kind == Type::String && varchar(declared).is_none()
}

/// Types whose values are not in the row have no index on all of them.
pub(super) fn is_out_of_row(declared: &str) -> bool {
    let name = declared.split(['(', ' ']).next().unwrap_or_default();
    name.ends_with("text") || name.ends_with("blob") || name == "json"
}

/// The texts of `enum('a','it''s')`.
pub(super) fn labels(written: &str) -> Option<Vec<String>> {
    let is_enum = written.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("enum("));
    let mut rest = written.get(5..)?.strip_suffix(')').filter(|_| is_enum)?;
    let mut labels = Vec::new();
    loop {
        let (mut label, mut chars) = (String::new(), rest.strip_prefix('\'')?.char_indices());
        rest = loop {
            match chars.next()? {
                (_, '\'') if chars.as_str().starts_with('\'') => {
                    chars.next();
                    label.push('\'');
                }
                (_, '\'') => break chars.as_str(),
                (_, c) => label.push(c),
            }
        };
        labels.push(label);
        match rest.strip_prefix(',') {
            Some(next) => rest = next,
            None => return rest.is_empty().then_some(labels),
        }
    }
}

/// By the words of `column_type`.
pub(super) fn natural(column: &CurrentColumn) -> Option<Natural> {
    let word = column.declared.as_str();
    let (name, rest) = word.split_once(['(', ' ']).unwrap_or((word, ""));
    let is_unsigned = word.contains("unsigned");
    let length = || rest.split(')').next()?.parse().ok();
    let text = |max_length| {
        let remark = column.collation.as_deref().filter(|collation| !tells_apart(collation)).map(
            |_| "its collation takes texts for equal that are not: filters and conditions of permissions on it do too",
        );
        Some(Natural { max_length, remark, ..Natural::of(Type::String)? })
    };
    match name {
        "varchar" | "char" => text(length()),
        "enum" => Some(Natural { labels: Some(column.labels.clone()?), ..Natural::of(Type::String)? }),
        "uuid" => Natural::like(fit::UUID),
        "date" => Natural::like(fit::DATE),
        "tinytext" => text(Some(63)),
        "text" => text(Some(16_383)),
        "mediumtext" | "longtext" => text(None),
        "tinyint" if word == "tinyint(1)" => Natural::of(Type::Boolean),
        "int" | "integer" if is_unsigned => {
            Natural::but(Type::Bigint, "it takes no negative numbers, and none above 4294967295")
        }
        "tinyint" | "smallint" | "mediumint" | "int" | "integer" => Natural::of(Type::Int),
        "bigint" if is_unsigned => {
            Natural::but(Type::Bigint, "it takes no negative numbers; those above 9223372036854775807 cannot be read")
        }
        "bigint" => Natural::of(Type::Bigint),
        "double" | "float" => Natural::of(Type::Float),
        "decimal" if word == "decimal(65,30)" => Natural::of(Type::Decimal),
        "decimal" => Natural::but(Type::Decimal, "the database rounds to the number of places that the column has"),
        "json" => Natural::of(Type::Json),
        "datetime" | "timestamp" if rest.starts_with('6') => Natural::of(Type::Timestamp),
        "datetime" | "timestamp" => Natural::but(Type::Timestamp, "it keeps no microseconds"),
        "tinyblob" | "blob" | "mediumblob" | "longblob" | "varbinary" => Natural::of(Type::Bytes),
        _ => None,
    }
}

/// Whether a collation compares by code point and does not pad.
fn tells_apart(collation: &str) -> bool {
    matches!(collation, "utf8mb4_nopad_bin" | "utf8mb4_0900_bin" | "utf8mb3_nopad_bin" | "ascii_nopad_bin" | "binary")
}

/// What this engine has no table for, of one that is not there yet or of its indexes.
pub(super) fn impossible(engine: Engine, name: &str, table: &Table, schema: &Schema, is_new: bool) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    let all = || {
        let columns = table.columns.iter().map(|column| (&column.name, Declared::column(schema, name, table, column)));
        columns.chain([(&table.id.name, Declared::key(table))])
    };
    for column in &table.columns {
        let sets_default = column
            .references
            .as_ref()
            .is_some_and(|to| [to.on_delete, to.on_update].contains(&ReferenceAction::SetDefault));
        if sets_default {
            let description = format!("{name}.{}: the reference has set_default", column.name);
            refusals.push(Refusal::new(description, format!("{} does not have it", engine.as_str())));
        }
        if engine == Engine::Mariadb && could_become_null(column, schema) {
            let reason = "MariaDB takes no onUpdate: cascade from a column that may be NULL to one that may not; make both alike, or \
                          take another onUpdate";
            refusals.push(Refusal::new(format!("{name}.{}: the reference", column.name), reason));
        }
    }
    for (column, declared) in all() {
        let has_default = declared.column.is_some_and(|column| column.default.is_some());
        if declared.kind == Type::Bytes && declared.is_keyed && has_default {
            let reason = format!("the catalogue of {} does not tell it again; leave the default out", engine.as_str());
            refusals.push(Refusal::new(format!("{name}.{column}: a default of bytes in an index"), reason));
        }
    }
    let row: u32 = all().map(|(_, declared)| row_bytes(&declared)).fold(0, u32::saturating_add);
    if is_new && row > ROW_BYTES_MAX {
        let reason = format!(
            "{} keeps {ROW_BYTES_MAX} bytes of a row, and strings of up to {VARCHAR_MAX} characters take four each; lower \
             their maxLength, or leave it out",
            engine.as_str()
        );
        refusals.push(Refusal::new(format!("{name}: the row may have {row} bytes"), reason));
    }
    // A reference gets an index by itself.
    let single = table
        .columns
        .iter()
        .filter(|column| column.unique || column.references.is_some())
        .map(|column| vec![column.name.clone()]);
    for columns in single.chain(table.indexes.iter().map(|index| index.columns.clone())) {
        let parts: Vec<Declared<'_>> =
            all().filter(|(column, _)| columns.contains(column)).map(|(_, declared)| declared).collect();
        let bytes: u32 = parts.iter().map(index_bytes).fold(0, u32::saturating_add);
        let place = format!("{name}: an index on {}", columns.join(", "));
        if parts.iter().any(|part| is_out_of_row(&part.sql_type(engine).to_ascii_lowercase())) {
            let reason = format!("{} indexes no json, and no string longer than {VARCHAR_MAX}", engine.as_str());
            refusals.push(Refusal::new(place, reason));
        } else if bytes > INDEX_BYTES_MAX {
            let reason = format!(
                "{} takes {INDEX_BYTES_MAX} bytes in an index, a character is four; declare a maxLength of at most 768",
                engine.as_str()
            );
            refusals.push(Refusal::new(place, reason));
        }
    }
    refusals
}

/// Whether an update that cascades could bring NULL where a value is needed (MDEV-34392).
fn could_become_null(column: &Column, schema: &Schema) -> bool {
    let Some(to) = column.references.as_ref().filter(|to| to.on_update == ReferenceAction::Cascade) else {
        return false;
    };
    let target =
        schema.tables.get(&to.table).and_then(|table| table.columns.iter().find(|known| known.name == to.column));
    !column.nullable && target.is_some_and(|target| target.nullable)
}

/// At most, of a value in an index.
fn index_bytes(declared: &Declared<'_>) -> u32 {
    let length_bytes = if matches!(declared.kind, Type::String | Type::File | Type::Bytes) { 2 } else { 0 };
    row_bytes(declared) - length_bytes
}

/// At most, with what tells the length.
fn row_bytes(declared: &Declared<'_>) -> u32 {
    match declared.kind {
        Type::String => varchar(declared).map_or(12, |length| length.saturating_mul(4).saturating_add(2)),
        Type::File => FILE_LENGTH * 4 + 2,
        Type::Bytes if declared.is_keyed => KEY_LENGTH + 2,
        Type::Decimal => 30,
        Type::Json | Type::Array | Type::Bytes => 12,
        Type::Int | Type::Bigint | Type::Float | Type::Boolean | Type::Timestamp => 8,
    }
}
