//! `project.h`: for each table its columns for a `SELECT`, and an enum of their positions in a row of it; its name and the keys
//! of its rows as JSON, for requests to it; positions for each declared query too, with the names of its params; for each logic
//! the names of its params.

use super::{QueryShape, Shape, Shapes, head, quoted, snake, snake_names};

pub(super) fn file(shapes: &Shapes) -> String {
    let mut parts = vec![format!("{}\n#ifndef SANTOKIT_PROJECT_H\n#define SANTOKIT_PROJECT_H", head("//"))];
    parts.extend(shapes.rows.iter().map(table));
    parts.extend(shapes.queries.iter().map(query));
    parts.extend(shapes.params.iter().filter(|shape| !shape.is_empty()).map(params));
    parts.push("#endif".to_owned());
    parts.join("\n\n") + "\n"
}

fn table(shape: &Shape) -> String {
    let prefix = snake(&shape.name).to_ascii_uppercase();
    let of = &shape.of;
    let columns: Vec<String> = shape.fields.iter().map(|field| format!("\\\"{}\\\"", field.name)).collect();
    let positions: Vec<String> = shape
        .fields
        .iter()
        .zip(snake_names(shape))
        .map(|(field, name)| format!("  /* {} */ {prefix}_{},\n", field.kind.as_str(), position(&name)))
        .collect();
    let keys = shape.fields.iter().zip(snake_names(shape)).map(|(field, name)| {
        let name = name.to_ascii_uppercase();
        format!("\n#define {prefix}_KEY_{name} {} /* {} */", quoted(&field.name), field.kind.as_str())
    });
    let keys: String = keys.collect();
    format!(
        "/* The columns of `{of}`, and where each stands in a row of \"SELECT \" {prefix}_COLUMNS. */\n\
         #define {prefix}_COLUMNS \"{}\"\nenum {{\n{}  {prefix}_COLUMN_COUNT\n}};\n\
         /* For requests to it: its name, and the keys of its rows. */\n#define {prefix}_TABLE {}{keys}",
        columns.join(", "),
        positions.concat(),
        quoted(of),
    )
}

/// A column's name in the enum; a macro of the same name would take its place.
fn position(name: &str) -> String {
    let is_taken = matches!(name, "columns" | "column_count" | "table") || name.starts_with("key_");
    format!("{}{}", name.to_ascii_uppercase(), if is_taken { "_" } else { "" })
}

fn query(query: &QueryShape) -> String {
    let prefix = format!("{}_QUERY", snake(&query.params.name).to_ascii_uppercase());
    let of = &query.params.of;
    let mut parts =
        vec![format!("/* The query `{of}`, and the params that it takes. */\n#define {prefix} {}", quoted(of))];
    parts.extend(param_names(&prefix, &query.params));
    if let Some(row) = &query.row {
        let positions = row.fields.iter().zip(snake_names(row));
        let positions = positions.map(|(field, name)| {
            format!("  /* {} */ {prefix}_COLUMN_{},\n", field.kind.as_str(), name.to_ascii_uppercase())
        });
        let positions: String = positions.collect();
        parts.push(format!("/* Where each column stands in its rows. */\nenum {{\n{positions}  {prefix}_WIDTH\n}};"));
    }
    parts.join("\n")
}

fn params(shape: &Shape) -> String {
    let prefix = snake(&shape.name).to_ascii_uppercase();
    format!("/* What `{}` is given. */\n{}", shape.of, param_names(&prefix, shape).join("\n"))
}

fn param_names(prefix: &str, shape: &Shape) -> Vec<String> {
    let names = shape.fields.iter().zip(snake_names(shape)).map(|(field, name)| {
        let name = name.to_ascii_uppercase();
        format!("#define {prefix}_PARAM_{name} {} /* {} */", quoted(&field.name), field.kind.as_str())
    });
    names.collect()
}
