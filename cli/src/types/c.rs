//! `project.h`: for each table its columns for a `SELECT`, and an enum of their positions in a row of it; the same for each
//! declared query, with the names of its params; for each logic the names of its params.

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
    let columns: Vec<String> = shape.fields.iter().map(|field| format!("\\\"{}\\\"", field.name)).collect();
    let positions: Vec<String> = shape
        .fields
        .iter()
        .zip(snake_names(shape))
        .map(|(field, name)| format!("  /* {} */ {prefix}_{},\n", field.kind.as_str(), name.to_ascii_uppercase()))
        .collect();
    format!(
        "/* The columns of `{}`, and where each stands in a row of \"SELECT \" {prefix}_COLUMNS. */\n\
         #define {prefix}_COLUMNS \"{}\"\nenum {{\n{}  {prefix}_COLUMN_COUNT\n}};",
        shape.of,
        columns.join(", "),
        positions.concat()
    )
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
