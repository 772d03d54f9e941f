//! `project.py`: typed dictionaries for rows, declared queries and params. Their functional form, because a column may be called `from`.

use santokit_core::schema::Type;

use super::{Field, Shape, Shapes, element, head, quoted};

pub(super) fn file(shapes: &Shapes) -> String {
    let imports = "from __future__ import annotations\n\nfrom decimal import Decimal\nfrom typing import Any, Literal, NotRequired, TypedDict";
    let mut parts = vec![format!("{}\n\n{imports}", head("#"))];
    for shape in &shapes.rows {
        let doc = format!("A row of `{}`.", shape.of);
        parts.push(dictionary(&doc, &format!("{}Row", shape.name), shape, row_field));
    }
    for query in &shapes.queries {
        let (of, name) = (&query.params.of, &query.params.name);
        let doc = format!("What the query `{of}` takes.");
        parts.push(dictionary(&doc, &format!("{name}QueryParams"), &query.params, sent_field));
        if let Some(row) = &query.row {
            let doc = format!("A row of the query `{of}`.");
            parts.push(dictionary(&doc, &format!("{name}QueryRow"), row, row_field));
        }
    }
    for shape in &shapes.params {
        let doc = format!("What `{}` is given.", shape.of);
        parts.push(dictionary(&doc, &format!("{}Params", shape.name), shape, param_field));
    }
    parts.join("\n\n") + "\n"
}

fn dictionary(doc: &str, name: &str, shape: &Shape, field: fn(&Field) -> String) -> String {
    if shape.is_empty() {
        return format!("# {doc}\n{name} = TypedDict(\"{name}\", {{}})");
    }
    let fields: Vec<String> =
        shape.fields.iter().map(|one| format!("    {}: {},\n", quoted(&one.name), field(one))).collect();
    format!("# {doc}\n{name} = TypedDict(\"{name}\", {{\n{}}})", fields.concat())
}

fn row_field(field: &Field) -> String {
    let kind = kind(field, row_type);
    if field.is_optional { format!("{kind} | None") } else { kind }
}

/// As a logic sends it to a query.
fn sent_field(field: &Field) -> String {
    let kind = kind(field, row_type);
    if field.is_optional { format!("NotRequired[{kind}]") } else { kind }
}

fn param_field(field: &Field) -> String {
    let kind = kind(field, json_type);
    if field.is_optional { format!("NotRequired[{kind}]") } else { kind }
}

fn kind(field: &Field, of: fn(Type) -> &'static str) -> String {
    if let Some(values) = &field.one_of {
        let values: Vec<String> = values.iter().map(|value| quoted(value)).collect();
        return format!("Literal[{}]", values.join(", "));
    }
    if field.kind != Type::Array {
        return of(field.kind).to_owned();
    }
    let (element, depth) = element(field.items.as_deref());
    format!("{}{}{}", "list[".repeat(depth), element.map_or("Any", json_type), "]".repeat(depth))
}

fn row_type(kind: Type) -> &'static str {
    match kind {
        Type::Bigint => "int",
        Type::Decimal => "Decimal",
        Type::Bytes => "bytes",
        other => json_type(other),
    }
}

fn json_type(kind: Type) -> &'static str {
    match kind {
        Type::Int => "int",
        Type::Float => "float",
        Type::Boolean => "bool",
        Type::Json => "Any",
        Type::Array => "list[Any]",
        Type::String | Type::Bigint | Type::Decimal | Type::Timestamp | Type::Bytes | Type::File => "str",
    }
}
