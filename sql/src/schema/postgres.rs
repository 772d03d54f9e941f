//! PostgreSQL: its catalogue, of the schema that the search path begins with, and its types.

use santokit_core::schema::Type;

use super::{
    CurrentColumn,
    catalog::Catalog,
    fit::{self, Natural},
};

pub(super) const CATALOG: Catalog = Catalog {
    // Domains are told as what they are made of. 'a' and 'd' are identities; a sequence that the column owns counts too.
    columns: "SELECT c.relname::text, a.attname::text, \
        CASE t.typtype WHEN 'd' THEN format_type(t.typbasetype, t.typtypmod) ELSE format_type(a.atttypid, a.atttypmod) END, \
        CASE WHEN a.attnotnull OR t.typnotnull THEN '0' ELSE '1' END, \
        CASE a.attgenerated WHEN '' THEN pg_get_expr(d.adbin, d.adrelid) END, \
        CASE WHEN a.attidentity <> '' OR (pg_get_expr(d.adbin, d.adrelid) LIKE 'nextval(%' AND \
            pg_get_serial_sequence(quote_ident(n.nspname) || '.' || quote_ident(c.relname), a.attname) IS NOT NULL) \
            THEN '1' ELSE '0' END, \
        CASE a.attgenerated WHEN '' THEN '0' ELSE '1' END, \
        coalesce(array_position(k.conkey, a.attnum), 0)::text, \
        CASE WHEN NOT l.collisdeterministic THEN 'nondeterministic' END, \
        (SELECT json_agg(e.enumlabel ORDER BY e.enumsortorder)::text FROM pg_enum AS e \
            WHERE e.enumtypid = CASE t.typtype WHEN 'd' THEN t.typbasetype ELSE t.oid END) \
        FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace \
        JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped \
        JOIN pg_type AS t ON t.oid = a.atttypid \
        LEFT JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum \
        LEFT JOIN pg_constraint AS k ON k.conrelid = c.oid AND k.contype = 'p' \
        LEFT JOIN pg_collation AS l ON l.oid = a.attcollation \
        WHERE n.nspname = current_schema() AND c.relkind IN ('r', 'p') AND NOT c.relispartition \
        ORDER BY c.relname COLLATE \"C\", a.attnum",
    indexes: "SELECT c.relname::text, i.relname::text, CASE WHEN x.indisunique THEN '1' ELSE '0' END, u.seq::text, \
        CASE WHEN x.indpred IS NULL AND m.amname = 'btree' THEN a.attname::text END, \
        CASE WHEN x.indisvalid THEN '1' ELSE '0' END \
        FROM pg_index AS x JOIN pg_class AS c ON c.oid = x.indrelid JOIN pg_class AS i ON i.oid = x.indexrelid \
        JOIN pg_am AS m ON m.oid = i.relam JOIN pg_namespace AS n ON n.oid = c.relnamespace \
        CROSS JOIN LATERAL unnest(x.indkey) WITH ORDINALITY AS u(num, seq) \
        LEFT JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = u.num AND u.num > 0 \
        WHERE n.nspname = current_schema() AND NOT x.indisprimary AND u.seq <= x.indnkeyatts \
        ORDER BY c.relname COLLATE \"C\", i.relname COLLATE \"C\", u.seq",
    references: "SELECT c.relname::text, k.conname::text, u.seq::text, a.attname::text, \
        CASE WHEN f.relnamespace <> c.relnamespace THEN fn.nspname::text END, f.relname::text, fa.attname::text, \
        k.confupdtype::text, k.confdeltype::text, CASE WHEN k.convalidated THEN '1' ELSE '0' END \
        FROM pg_constraint AS k JOIN pg_class AS c ON c.oid = k.conrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace \
        JOIN pg_class AS f ON f.oid = k.confrelid JOIN pg_namespace AS fn ON fn.oid = f.relnamespace \
        CROSS JOIN LATERAL unnest(k.conkey, k.confkey) WITH ORDINALITY AS u(num, target, seq) \
        JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = u.num \
        JOIN pg_attribute AS fa ON fa.attrelid = f.oid AND fa.attnum = u.target \
        WHERE k.contype = 'f' AND n.nspname = current_schema() AND NOT c.relispartition \
        ORDER BY c.relname COLLATE \"C\", k.conname COLLATE \"C\", u.seq",
    extras: None,
    views: "SELECT c.relname::text FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace \
        WHERE n.nspname = current_schema() AND c.relkind IN ('v', 'm', 'f') ORDER BY c.relname COLLATE \"C\"",
};

pub(super) fn column_type(kind: Type) -> String {
    let word = match kind {
        // By code points, as statements compare and order: only an index of the same collation serves them.
        Type::String | Type::File => "text COLLATE \"C\"",
        Type::Int => "integer",
        Type::Bigint => "bigint",
        Type::Float => "double precision",
        Type::Decimal => "numeric",
        Type::Boolean => "boolean",
        Type::Json | Type::Array => "jsonb",
        Type::Timestamp => "timestamptz",
        Type::Bytes => "bytea",
    };
    word.to_owned()
}

/// By the words of `format_type`.
pub(super) fn natural(column: &CurrentColumn) -> Option<Natural> {
    let word = column.declared.as_str();
    let (name, argument) = word.split_once('(').map_or((word, None), |(name, rest)| (name, Some(rest)));
    if column.collation.as_deref() == Some("nondeterministic") {
        return None;
    }
    if let Some(labels) = &column.labels {
        return Some(Natural { labels: Some(labels.clone()), ..Natural::of(Type::String)? })
            .filter(|_| !word.ends_with(']'));
    }
    match name {
        "uuid" => Natural::like(fit::UUID),
        "date" => Natural::like(fit::DATE),
        "text" | "character varying" => {
            let max_length = argument.and_then(|rest| rest.strip_suffix(')')?.parse().ok());
            Some(Natural { max_length, ..Natural::of(Type::String)? })
        }
        "integer" | "smallint" => Natural::of(Type::Int),
        "bigint" => Natural::of(Type::Bigint),
        "double precision" | "real" => Natural::of(Type::Float),
        "numeric" if argument.is_some() => {
            Natural::but(Type::Decimal, "the database rounds to the number of places that the column has")
        }
        "numeric" => Natural::of(Type::Decimal),
        "boolean" => Natural::of(Type::Boolean),
        "jsonb" => Natural::of(Type::Json),
        "json" => Natural::but(Type::Json, "json cannot be compared in the database; jsonb can"),
        "timestamp" if word.ends_with("with time zone") => Natural::of(Type::Timestamp),
        "timestamp with time zone" => Natural::of(Type::Timestamp),
        "timestamp" | "timestamp without time zone" => {
            Natural::but(Type::Timestamp, "it has no time zone: what is there is taken to be UTC")
        }
        "bytea" => Natural::of(Type::Bytes),
        _ => None,
    }
    // An array of any of these has brackets at its end.
    .filter(|_| !word.ends_with(']'))
}
