//! `project.rs`, taken in with `include!`: structs for rows, declared queries and params, and the columns of a table for a
//! `SELECT`.

use santokit_core::schema::Type;

use super::{Field, Shape, Shapes, element, head, quoted, snake_names};

/// Words that cannot be a field's name as they are. (`self` and its kin cannot even be raw.)
const KEYWORDS: &str = "as async await box break const continue crate do dyn else enum extern false final fn for gen if impl in let \
    loop macro match mod move mut override priv pub ref return self static struct super trait true try type typeof unsafe \
    unsized use virtual where while yield abstract become Self";

pub(super) fn file(shapes: &Shapes) -> String {
    let mut parts = vec![head("//")];
    for shape in &shapes.rows {
        parts.push(structure(&format!("A row of `{}`.", shape.of), &format!("{}Row", shape.name), shape, row_type));
        parts.push(constants(shape));
    }
    for query in &shapes.queries {
        let (of, name) = (&query.params.of, &query.params.name);
        let doc = format!("What the query `{of}` takes.");
        parts.push(structure(&doc, &format!("{name}QueryParams"), &query.params, row_type));
        parts.push(call(&query.params));
        if let Some(row) = &query.row {
            parts.push(structure(&format!("A row of the query `{of}`."), &format!("{name}QueryRow"), row, row_type));
        }
    }
    for shape in &shapes.params {
        let doc = format!("What `{}` is given.", shape.of);
        parts.push(structure(&doc, &format!("{}Params", shape.name), shape, json_type));
    }
    parts.join("\n\n") + "\n"
}

fn structure(doc: &str, name: &str, shape: &Shape, of: fn(Type) -> &'static str) -> String {
    let named = shape.fields.iter().zip(snake_names(shape));
    let fields: Vec<String> = named.map(|(field, plain)| line(field, &plain, of)).collect();
    format!(
        "/// {doc}\n#[allow(dead_code)]\n#[derive(Debug, Clone, PartialEq, serde::Deserialize, serde::Serialize)]\npub struct {name} {{\n{}}}",
        fields.concat()
    )
}

fn constants(shape: &Shape) -> String {
    let columns: Vec<String> = shape.fields.iter().map(|field| format!("\\\"{}\\\"", field.name)).collect();
    format!(
        "#[allow(dead_code)]\nimpl {}Row {{\n    /// The table.\n    pub const TABLE: &'static str = \"{}\";\n    \
         /// All columns, for a `SELECT`.\n    pub const COLUMNS: &'static str = \"{}\";\n}}",
        shape.name,
        shape.of,
        columns.join(", ")
    )
}

/// A query's name and its params, for the functions of `santokit_guest::queries`.
fn call(shape: &Shape) -> String {
    let values: Vec<String> =
        shape.fields.iter().zip(snake_names(shape)).map(|(field, plain)| value(field, &plain)).collect();
    format!(
        "#[allow(dead_code)]\nimpl {}QueryParams {{\n    /// The query.\n    pub const QUERY: &'static str = {};\n\n    \
         /// What it is called with.\n    pub fn named(&self) -> Vec<(&'static str, santokit_guest::sql::Value)> {{\n        \
         vec![{}]\n    }}\n}}",
        shape.name,
        quoted(&shape.of),
        values.join(", ")
    )
}

fn value(field: &Field, plain: &str) -> String {
    let own = format!("self.{}", name(plain));
    let json = "santokit_guest::sql::Json";
    let bound = match (field.kind, field.is_optional) {
        (Type::Json | Type::Array, true) => format!("&{own}.as_ref().map({json})"),
        (Type::Json | Type::Array, false) => format!("&{json}(&{own})"),
        _ => format!("&{own}"),
    };
    format!("({}, santokit_guest::sql::Param::to_value({bound}))", quoted(&field.name))
}

/// A field's name that is no word of the language.
fn name(plain: &str) -> String {
    let is_keyword = KEYWORDS.split_whitespace().any(|word| word == plain);
    if is_keyword { format!("{plain}_") } else { plain.to_owned() }
}

fn line(field: &Field, plain: &str, of: fn(Type) -> &'static str) -> String {
    let name = name(plain);
    let rename =
        if name == field.name { String::new() } else { format!("    #[serde(rename = {})]\n", quoted(&field.name)) };
    let values =
        field.one_of.as_ref().map(|values| format!("    /// One of {}.\n", values.join(", "))).unwrap_or_default();
    let kind = kind(field, of);
    let kind = if field.is_optional { format!("Option<{kind}>") } else { kind };
    format!("{values}{rename}    pub {name}: {kind},\n")
}

fn kind(field: &Field, of: fn(Type) -> &'static str) -> String {
    if field.kind != Type::Array {
        return of(field.kind).to_owned();
    }
    let (element, depth) = element(field.items.as_deref());
    let element = element.map_or("serde_json::Value", json_type);
    format!("{}{element}{}", "Vec<".repeat(depth), ">".repeat(depth))
}

fn row_type(kind: Type) -> &'static str {
    match kind {
        Type::Bigint => "i64",
        Type::Bytes => "Vec<u8>",
        other => json_type(other),
    }
}

fn json_type(kind: Type) -> &'static str {
    match kind {
        Type::Int => "i32",
        Type::Float => "f64",
        Type::Boolean => "bool",
        Type::Json => "serde_json::Value",
        Type::Array => "Vec<serde_json::Value>",
        // Exact numbers, times and bytes are text in JSON.
        Type::String | Type::Bigint | Type::Decimal | Type::Timestamp | Type::Bytes | Type::File => "String",
    }
}
