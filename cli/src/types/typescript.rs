//! `project.ts`, imported as `@santokit/project`: interfaces for rows, declared queries and params.

use santokit_core::schema::Type;

use super::{Field, QueryShape, Shape, Shapes, element, head, quoted};

pub(super) fn file(shapes: &Shapes) -> String {
    let mut parts = vec![head("//")];
    if shapes
        .queries
        .iter()
        .flat_map(|query| &query.params.fields)
        .any(|field| query_type(field.kind).contains("queries."))
    {
        parts.push("import type { queries } from \"@santokit/guest\";".to_owned());
    }
    for shape in &shapes.rows {
        let fields: Vec<String> = shape.fields.iter().map(row_field).collect();
        parts.push(interface(&format!("A row of `{}`.", shape.of), &format!("{}Row", shape.name), &fields));
    }
    let tables: Vec<String> =
        shapes.rows.iter().map(|shape| format!("{}: {}Row;", quoted(&shape.path), shape.name)).collect();
    parts.push(interface("The tables, by name.", "Tables", &tables));
    for shape in &shapes.rows {
        let fields: Vec<String> = shape.fields.iter().map(record_field).collect();
        let doc = format!("A row of `{}` as JSON has it: what `crud` answers.", shape.of);
        parts.push(interface(&doc, &format!("{}Record", shape.name), &fields));
    }
    // Requests name a table without its connection; its name is unique in the project.
    let records: Vec<String> =
        shapes.rows.iter().map(|shape| format!("{}: {}Record;", quoted(&shape.of), shape.name)).collect();
    parts.push(interface("The tables as JSON has them, by name: `crud.declared<Records>()`.", "Records", &records));
    parts.extend(shapes.queries.iter().flat_map(query));
    let queries: Vec<String> = shapes.queries.iter().map(described).collect();
    parts.push(interface("The declared queries, by name: `queries.declared<Queries>()`.", "Queries", &queries));
    for shape in &shapes.params {
        let fields: Vec<String> = shape.fields.iter().map(param_field).collect();
        parts.push(interface(&format!("What `{}` is given.", shape.of), &format!("{}Params", shape.name), &fields));
    }
    let logics: Vec<String> =
        shapes.params.iter().map(|shape| format!("{}: {}Params;", quoted(&shape.path), shape.name)).collect();
    parts.push(interface("The params of the logics, by name.", "Params", &logics));
    parts.join("\n\n") + "\n"
}

/// What a query takes and what a row of it has.
fn query(query: &QueryShape) -> Vec<String> {
    let (of, name) = (&query.params.of, &query.params.name);
    let fields: Vec<String> = query.params.fields.iter().map(sent_field).collect();
    let mut parts = vec![interface(&format!("What the query `{of}` takes."), &format!("{name}QueryParams"), &fields)];
    if let Some(row) = &query.row {
        let fields: Vec<String> = row.fields.iter().map(row_field).collect();
        parts.push(interface(&format!("A row of the query `{of}`."), &format!("{name}QueryRow"), &fields));
    }
    parts
}

fn described(query: &QueryShape) -> String {
    let name = &query.params.name;
    let row = if query.row.is_some() { format!("{name}QueryRow") } else { "never".to_owned() };
    let (of, returns) = (quoted(&query.params.of), query.returns.as_str());
    format!("{of}: {{ params: {name}QueryParams; row: {row}; returns: \"{returns}\" }};")
}

fn interface(doc: &str, name: &str, fields: &[String]) -> String {
    let fields: Vec<String> = fields.iter().map(|field| format!("  {field}\n")).collect();
    if fields.is_empty() {
        return format!("/** {doc} */\nexport type {name} = Record<string, never>;");
    }
    format!("/** {doc} */\nexport interface {name} {{\n{}}}", fields.concat())
}

/// As SQL gives it: NULL is null.
fn row_field(field: &Field) -> String {
    let null = if field.is_optional { " | null" } else { "" };
    format!("{}: {}{null};", key(&field.name), kind(field, row_type))
}

/// As a request to the table answers it.
fn record_field(field: &Field) -> String {
    let null = if field.is_optional { " | null" } else { "" };
    format!("{}: {}{null};", key(&field.name), kind(field, json_type))
}

/// As JSON gives it: what was not sent is not there.
fn param_field(field: &Field) -> String {
    let optional = if field.is_optional { "?" } else { "" };
    format!("{}{optional}: {};", key(&field.name), kind(field, json_type))
}

/// As a logic sends it to a query.
fn sent_field(field: &Field) -> String {
    let optional = if field.is_optional { "?" } else { "" };
    let kind = if field.one_of.is_some() { kind(field, query_type) } else { query_type(field.kind).to_owned() };
    format!("{}{optional}: {kind};", key(&field.name))
}

/// A name that is none of the language stands in quotes.
fn key(name: &str) -> String {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || letter == '_' || letter == '$';
    let begins = name.starts_with(|first: char| first.is_ascii_digit());
    if name.is_empty() || begins || !name.chars().all(is_plain) { quoted(name) } else { name.to_owned() }
}

fn kind(field: &Field, of: fn(Type) -> &'static str) -> String {
    if let Some(values) = &field.one_of {
        return values.iter().map(|value| quoted(value)).collect::<Vec<_>>().join(" | ");
    }
    if field.kind != Type::Array {
        return of(field.kind).to_owned();
    }
    // Elements of an array column are JSON as well.
    let (element, depth) = element(field.items.as_deref());
    format!("{}{}", element.map_or("unknown", json_type), "[]".repeat(depth))
}

fn row_type(kind: Type) -> &'static str {
    match kind {
        // Beyond 2^53 it is a bigint.
        Type::Bigint => "number | bigint",
        Type::Bytes => "Uint8Array",
        other => json_type(other),
    }
}

fn json_type(kind: Type) -> &'static str {
    match kind {
        Type::Int | Type::Float => "number",
        Type::Boolean => "boolean",
        Type::Json => "unknown",
        Type::Array => "unknown[]",
        Type::String | Type::Bigint | Type::Decimal | Type::Timestamp | Type::Bytes | Type::File => "string",
    }
}

fn query_type(kind: Type) -> &'static str {
    match kind {
        Type::Int | Type::Float => "number",
        Type::Bigint => "number | bigint",
        Type::Boolean => "boolean",
        Type::Decimal => "string | queries.Typed",
        Type::Timestamp => "string | Date",
        Type::Bytes => "Uint8Array",
        // `queries.json(value)`
        Type::Json | Type::Array => "queries.Typed",
        Type::String | Type::File => "string",
    }
}

impl Shape {
    /// Whether the shape has nothing in it.
    pub(super) fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }
}
