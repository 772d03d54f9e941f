//! SQLite: its catalogue and its types. A type is a name there; ours say how the value is kept, and their affinity leaves it as
//! it is: decimals and times are text.

use santokit_core::schema::Type;

use super::{
    catalog::Catalog,
    fit::{Declared, Natural},
};

pub(super) const CATALOG: Catalog = Catalog {
    columns: "SELECT m.name, p.name, p.type, CASE p.\"notnull\" WHEN 0 THEN '1' ELSE '0' END, p.dflt_value, \
        CASE WHEN p.pk = 1 AND upper(p.type) = 'INTEGER' AND upper(m.sql) NOT LIKE '%WITHOUT ROWID%' \
            AND (SELECT count(*) FROM pragma_table_info(m.name) AS k WHERE k.pk > 0) = 1 THEN '1' ELSE '0' END, \
        CASE WHEN p.hidden > 1 THEN '1' ELSE '0' END, CAST(p.pk AS TEXT), \
        CASE WHEN upper(m.sql) LIKE '%COLLATE%' THEN 'declared' END \
        FROM sqlite_schema AS m JOIN pragma_table_xinfo(m.name) AS p \
        WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND p.hidden <> 1 ORDER BY m.name, p.cid",
    // Indexes on a part of the rows or on expressions are told with a column that is none.
    indexes: "SELECT m.name, l.name, CAST(l.\"unique\" AS TEXT), CAST(i.seqno AS TEXT), \
        CASE l.partial WHEN 0 THEN i.name END \
        FROM sqlite_schema AS m JOIN pragma_index_list(m.name) AS l JOIN pragma_index_info(l.name) AS i \
        WHERE m.type = 'table' AND l.origin <> 'pk' ORDER BY m.name, l.name, i.seqno",
    references: "SELECT m.name, CAST(f.id AS TEXT), CAST(f.seq AS TEXT), f.\"from\", NULL, f.\"table\", f.\"to\", \
        f.on_update, f.on_delete \
        FROM sqlite_schema AS m JOIN pragma_foreign_key_list(m.name) AS f WHERE m.type = 'table' \
        ORDER BY m.name, f.id, f.seq",
    extras: Some(
        "SELECT tbl_name, 'its trigger ' || name FROM sqlite_schema WHERE type = 'trigger' \
        UNION ALL SELECT m.name, 'its index ' || l.name || ', on a part of the rows or on an expression,' \
        FROM sqlite_schema AS m JOIN pragma_index_list(m.name) AS l JOIN pragma_index_info(l.name) AS i \
        WHERE m.type = 'table' AND l.origin = 'c' AND (l.partial OR i.name IS NULL) \
        UNION ALL SELECT m.name, 'what its statement says of ' || w.column1 FROM sqlite_schema AS m \
        JOIN (VALUES ('CHECK', '% CHECK%(%'), ('COLLATE', '% COLLATE %'), ('WITHOUT ROWID', '%) WITHOUT ROWID%'), \
            ('STRICT', '%) STRICT%'), ('GENERATED', '% AS (%'), ('CONFLICT', '% ON CONFLICT %'), ('DEFERRED', '% INITIALLY DEFERRED%')) AS w \
        WHERE m.type = 'table' AND upper(m.sql) LIKE w.column2",
    ),
    views: "SELECT name FROM sqlite_schema WHERE type = 'view' ORDER BY name",
};

pub(super) fn column_type(declared: &Declared<'_>) -> String {
    let word = match declared.kind {
        _ if declared.is_counted => "INTEGER",
        // INTEGER would be the number of the row, and be counted.
        Type::Int if declared.column.is_none() => "INT",
        Type::String | Type::File => "TEXT",
        Type::Int => "INTEGER",
        Type::Bigint => "BIGINT",
        Type::Float => "REAL",
        Type::Decimal => "DECIMAL_TEXT",
        Type::Boolean => "BOOLEAN",
        Type::Json | Type::Array => "JSON_TEXT",
        Type::Timestamp => "TIMESTAMP_TEXT",
        Type::Bytes => "BLOB",
    };
    word.to_owned()
}

/// By the engine's own rules of affinity, after the names that say more.
pub(super) fn natural(declared: &str) -> Option<Natural> {
    let word = declared.to_ascii_uppercase();
    let name = word.split('(').next().unwrap_or_default().trim();
    let has = |parts: &[&str]| parts.iter().any(|part| name.contains(part));
    match name {
        "DECIMAL_TEXT" => Natural::of(Type::Decimal),
        "JSON_TEXT" | "JSON" => Natural::of(Type::Json),
        "TIMESTAMP_TEXT" => Natural::of(Type::Timestamp),
        "BOOLEAN" | "BOOL" => Natural::of(Type::Boolean),
        "DATE" | "DATETIME" | "TIMESTAMP" | "TIME" => {
            Natural::but(Type::String, "SQLite has no type for times: it is served as the text that is there")
        }
        "UUID" => Natural::of(Type::String),
        "TINYINT" if word.replace(' ', "") == "TINYINT(1)" => Natural::of(Type::Boolean),
        _ if has(&["BIGINT", "BIG INT", "INT8"]) => Natural::of(Type::Bigint),
        _ if has(&["INT"]) => Natural::of(Type::Int),
        _ if has(&["CHAR", "CLOB", "TEXT"]) => {
            Some(Natural { max_length: length(&word), ..Natural::of(Type::String)? })
        }
        _ if has(&["BLOB"]) => Natural::of(Type::Bytes),
        _ if has(&["REAL", "FLOA", "DOUB"]) => Natural::of(Type::Float),
        _ if has(&["NUMERIC", "DECIMAL", "NUMBER", "MONEY"]) => Natural::but(
            Type::Float,
            "SQLite keeps it as a floating-point number: it is served as float, not as decimal",
        ),
        _ => None,
    }
}

/// SQLite does not hold anyone to it; the edge will.
fn length(word: &str) -> Option<u32> {
    word.split_once('(')?.1.strip_suffix(')')?.trim().parse().ok()
}
