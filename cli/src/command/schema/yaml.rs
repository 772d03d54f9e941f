//! A schema as a file of the project, with a comment at everything that it does not say.

use std::fmt::Write as _;

use santokit_core::schema::{
    Column, ColumnDefault, Generate, Index, PrimaryKey, Reference, ReferenceAction, Table, Type,
};
use santokit_sql::schema::pull::{Pulled, Remark};
use serde_json::Value as Json;

/// Words that YAML, of whichever version, reads as something else than text.
const RESERVED: &[&str] = &["true", "false", "null", "yes", "no", "on", "off", "y", "n"];

/// The file's text. `connection` stands at each table where it is not the default.
pub(super) fn write(pulled: &Pulled, head: &str, connection: Option<&str>) -> String {
    let mut text = format!("# {}\nversion: 1\n", one_line(head));
    if pulled.schema.tables.is_empty() {
        text.push_str("tables: {}\n");
    } else {
        text.push_str("tables:\n");
    }
    let mut names: Vec<&str> = pulled.schema.tables.keys().map(String::as_str).collect();
    names.extend(pulled.remarks.iter().map(|remark| remark.table.as_str()));
    names.sort_unstable();
    names.dedup();
    for name in names {
        let remarks: Vec<&Remark> = pulled.remarks.iter().filter(|remark| remark.table == name).collect();
        for remark in remarks.iter().filter(|remark| remark.column.is_none()) {
            comment(&mut text, 2, remark);
        }
        if let Some(table) = pulled.schema.tables.get(name) {
            write_table(&mut text, name, table, &remarks, connection);
        }
    }
    text
}

fn write_table(text: &mut String, name: &str, table: &Table, remarks: &[&Remark], connection: Option<&str>) {
    let mut line = |indent: usize, line: &str| {
        text.push_str(&" ".repeat(indent));
        text.push_str(line);
        text.push('\n');
    };
    line(2, &format!("{}:", word(name)));
    if let Some(connection) = connection {
        line(4, &format!("connection: {}", word(connection)));
    }
    for remark in remarks.iter().filter(|remark| remark.column.as_deref() == Some(&table.id.name)) {
        line(4, &remark_line(remark));
    }
    line(4, &format!("id: {}", key(&table.id)));
    let is_of_columns = |remark: &&&Remark| remark.column.as_deref().is_some_and(|column| column != table.id.name);
    if !table.columns.is_empty() {
        line(4, "columns:");
    }
    let is_declared = |remark: &Remark| table.columns.iter().any(|column| remark.column.as_ref() == Some(&column.name));
    for remark in remarks.iter().filter(is_of_columns).filter(|remark| !is_declared(remark)) {
        line(6, &remark_line(remark));
    }
    for column in &table.columns {
        for remark in remarks.iter().filter(|remark| remark.column.as_ref() == Some(&column.name)) {
            line(6, &remark_line(remark));
        }
        line(6, &format!("{}: {}", word(&column.name), definition(column)));
    }
    if !table.indexes.is_empty() {
        line(4, "indexes:");
    }
    for index in &table.indexes {
        line(6, &format!("- {}", index_of(index)));
    }
}

fn key(id: &PrimaryKey) -> String {
    let generate = match id.generate {
        Generate::Ulid => "ulid",
        Generate::Nanoid => "nanoid",
        Generate::UuidV4 => "uuid_v4",
        Generate::UuidV7 => "uuid_v7",
        Generate::AutoIncrement => "auto_increment",
        Generate::Client => "client",
    };
    let kind = match id.generate {
        Generate::Client if id.kind != Type::String => format!(", type: {}", id.kind.as_str()),
        _ => String::new(),
    };
    format!("{{name: {}, generate: {generate}{kind}}}", word(&id.name))
}

fn definition(column: &Column) -> String {
    let mut text = format!("{{type: {}", column.kind.as_str());
    if !column.nullable {
        text.push_str(", nullable: false");
    }
    if column.unique {
        text.push_str(", unique: true");
    }
    if let Some(length) = column.bounds.max_length {
        let _ = write!(text, ", maxLength: {length}");
    }
    if let Some(pattern) = &column.bounds.pattern {
        let _ = write!(text, ", pattern: {}", value(&Json::from(pattern.as_str())));
    }
    if let Some(texts) = &column.bounds.one_of {
        let _ = write!(text, ", enum: {}", value(&Json::from(texts.as_slice())));
    }
    match &column.default {
        None => {}
        Some(ColumnDefault::Now) => text.push_str(", default: now"),
        Some(ColumnDefault::Literal(json)) => {
            let _ = write!(text, ", default: {}", value(json));
        }
    }
    if let Some(reference) = &column.references {
        let _ = write!(text, ", references: {}", references(reference));
    }
    text.push('}');
    text
}

fn references(reference: &Reference) -> String {
    let mut text = format!("{{table: {}, column: {}", word(&reference.table), word(&reference.column));
    if reference.alias != reference.table {
        let _ = write!(text, ", as: {}", word(&reference.alias));
    }
    for (name, action) in [("onDelete", reference.on_delete), ("onUpdate", reference.on_update)] {
        let action = match action {
            ReferenceAction::Restrict => continue,
            ReferenceAction::NoAction => "no_action",
            ReferenceAction::Cascade => "cascade",
            ReferenceAction::SetNull => "set_null",
            ReferenceAction::SetDefault => "set_default",
        };
        let _ = write!(text, ", {name}: {action}");
    }
    text.push('}');
    text
}

fn index_of(index: &Index) -> String {
    let columns: Vec<String> = index.columns.iter().map(|column| word(column)).collect();
    let unique = if index.unique { ", unique: true" } else { "" };
    format!("{{columns: [{}]{unique}}}", columns.join(", "))
}

fn comment(text: &mut String, indent: usize, remark: &Remark) {
    text.push_str(&" ".repeat(indent));
    text.push_str(&remark_line(remark));
    text.push('\n');
}

fn remark_line(remark: &Remark) -> String {
    let place = remark.column.as_ref().unwrap_or(&remark.table);
    let what = if remark.left_out { "left out: " } else { "" };
    format!("# {}: {what}{}", one_line(place), one_line(&remark.message))
}

/// A comment ends with its line: what stands in a database's names must not end it.
fn one_line(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}') { ' ' } else { c })
        .collect()
}

/// A name, quoted where YAML would read it as something else. Names are letters, digits and `_` (`core::name`).
fn word(name: &str) -> String {
    let is_plain = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
        && !RESERVED.contains(&name.to_ascii_lowercase().as_str());
    if is_plain { name.to_owned() } else { value(&Json::from(name)) }
}

/// JSON is YAML, but for characters that YAML's readers take for line ends or refuse.
fn value(json: &Json) -> String {
    let mut text = String::new();
    for c in json.to_string().chars() {
        if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}') {
            let _ = write!(text, "\\u{:04x}", u32::from(c));
        } else {
            text.push(c);
        }
    }
    text
}

#[cfg(test)]
mod tests;
