//! `db/{table}/insert`: one row or many, all or none, checked before a statement is made.

use std::collections::BTreeSet;

use base64::{Engine, engine::general_purpose::STANDARD};
use santokit_core::{
    access::{predicate::Predicate, table::Verb},
    schema::Generate,
    value::Value,
};
use santokit_sql::plan::{Cell, Column, Conflict, Insert, OnConflict};
use serde_json::{Map, Value as Json};

use super::{
    access::{self, Grant},
    answer::Returning,
    filter::both,
    findings::Place,
    names::{Entry, EntryColumn, Missing},
    objects,
    request::Request,
    update::{column_named, returning},
    value::{self, Ids},
};

/// What an insert may say.
const PARAMS: &[&str] = &["data", "onConflict", "returning"];

/// New rows, and what is answered of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Insertion {
    /// The write; it answers what [`Returning`] says.
    pub insert: Insert,
    /// What is answered.
    pub returning: Returning,
    /// How many rows are there already, where it was looked. With another number it is not stored.
    pub overwrites: Option<usize>,
}

/// Reads an insert.
pub fn read<'a>(request: &mut Request<'a>, entry: &'a Entry, grant: &Grant) -> Insertion {
    request.only(PARAMS);
    let rows = rows(request);
    let columns = columns(request, entry, grant, &rows);
    let cells = cells(request, entry, grant, &columns, &rows);
    let (conflict, update_rule) = conflict(request, entry, &columns, &rows);
    let returning = returning(request, entry, true);
    let mut all: Vec<Column> = columns.iter().map(|(column, _)| column.column.clone()).collect();
    let mut ids = Ids::new(entry.table.id.generate);
    let is_made_here = !matches!(entry.table.id.generate, Generate::AutoIncrement | Generate::Client);
    let mut cells = cells;
    if is_made_here {
        all.insert(0, entry.key());
        for row in &mut cells {
            row.insert(0, ids.make().map_or(Cell::Default, Cell::Value));
        }
    }
    let insert = Insert {
        table: entry.name.clone(),
        key: entry.key(),
        auto_increment: entry.table.id.generate == Generate::AutoIncrement,
        columns: all,
        rows: cells,
        conflict,
        check: both(&grant.rule, &update_rule),
        returning: returning.shown().to_vec(),
        visible: returning.rule().clone(),
        tells_new: false,
    };
    Insertion { insert, returning, overwrites: None }
}

/// `data`: an object, or a list of them. Each with its place.
fn rows<'a>(request: &mut Request<'a>) -> Vec<(Option<usize>, &'a Map<String, Json>)> {
    let place = Place::Params.field("data");
    let most = request.limits.insert_rows;
    match request.param("data") {
        Some(Json::Object(row)) => vec![(None, row)],
        Some(Json::Array(items)) => {
            if items.is_empty() {
                request.findings.request(place, "must not be empty");
            }
            if items.len() > most {
                let message = format!("has {} rows; {most} is the most", items.len());
                request.findings.limit(place, "insertRows", message);
                return Vec::new();
            }
            let mut rows = Vec::new();
            for (index, item) in items.iter().enumerate() {
                match item {
                    Json::Object(row) => rows.push((Some(index), row)),
                    _ => request.findings.request(place.element(index), "must be an object of columns"),
                }
            }
            rows
        }
        Some(_) => {
            request.findings.request(place, "must be an object of columns, or a list of them");
            Vec::new()
        }
        None => {
            request.findings.hinted(place, "is missing", "data is one row, {\"column\": value}, or a list of rows");
            Vec::new()
        }
    }
}

/// With `place` of a row.
fn at<T>(index: Option<usize>, use_place: impl FnOnce(Place<'_>) -> T) -> T {
    let data = Place::Params.field("data");
    match index {
        Some(index) => use_place(data.element(index)),
        None => use_place(data),
    }
}

/// The columns that at least one row names, in the order of the schema, and the name by which rows have them.
fn columns<'a>(
    request: &mut Request<'a>,
    entry: &'a Entry,
    grant: &Grant,
    rows: &[(Option<usize>, &'a Map<String, Json>)],
) -> Vec<(&'a EntryColumn, &'a str)> {
    let mut named: BTreeSet<&str> = BTreeSet::new();
    for (index, row) in rows {
        for name in row.keys() {
            if named.contains(name.as_str()) || request.findings.is_full() {
                continue;
            }
            let found = at(*index, |place| column_named(request, entry, grant, name, place.field(name)));
            let Some(column) = found else { continue };
            if column.is_key && entry.table.id.generate != Generate::Client {
                at(*index, |place| {
                    request.findings.hinted(place.field(name), "is generated and cannot be sent", "leave it out");
                });
                continue;
            }
            named.insert(name);
        }
    }
    let all = entry.columns.iter();
    all.filter_map(|column| Some((column, *named.get(column.column.name.as_str())?))).collect()
}

/// A cell for each column of each row. What is needed and not sent is told.
fn cells<'a>(
    request: &mut Request<'a>,
    entry: &'a Entry,
    grant: &Grant,
    columns: &[(&'a EntryColumn, &'a str)],
    rows: &[(Option<usize>, &'a Map<String, Json>)],
) -> Vec<Vec<Cell>> {
    let is_needed = |column: &&EntryColumn| {
        !column.column.nullable
            && column.default.is_none()
            && (!column.is_key || entry.table.id.generate == Generate::Client)
    };
    let needed: Vec<&EntryColumn> = entry.columns.iter().filter(is_needed).collect();
    let mut all = Vec::with_capacity(rows.len());
    for (index, row) in rows {
        if request.findings.is_full() {
            break;
        }
        for column in needed.iter().filter(|column| !row.contains_key(&column.column.name)) {
            at(*index, |place| {
                if grant.columns.contains(&column.column.name) {
                    request.findings.value(place.field(&column.column.name), "is required");
                } else {
                    // Its name is not for this caller.
                    request.findings.value(place, "a required value is missing");
                }
            });
        }
        let mut cells = Vec::with_capacity(columns.len() + 1);
        for (column, name) in columns {
            cells.push(match row.get(*name) {
                Some(json) => match value::stored(column, json) {
                    Ok(value) => {
                        at(*index, |place| objects::may_name(request, column, &value, place.field(name)));
                        Cell::Value(value)
                    }
                    Err(message) => {
                        at(*index, |place| request.findings.value(place.field(name), message));
                        Cell::Default
                    }
                },
                None => value::default(column, request.now).map_or(Cell::Default, Cell::Value),
            });
        }
        all.push(cells);
    }
    all
}

/// `onConflict`, and what the update rule asks of rows that are changed by it.
fn conflict<'a>(
    request: &mut Request<'a>,
    entry: &'a Entry,
    columns: &[(&'a EntryColumn, &'a str)],
    rows: &[(Option<usize>, &'a Map<String, Json>)],
) -> (Option<Conflict>, Predicate) {
    let none = (None, Predicate::ALWAYS);
    let Some(json) = request.param("onConflict") else { return none };
    let place = Place::Params.field("onConflict");
    let Json::Object(asked) = json else {
        request.findings.hinted(
            place,
            "must be an object",
            "for example {\"columns\": [\"email\"], \"do\": \"ignore\"}",
        );
        return none;
    };
    for name in asked.keys().filter(|name| !["columns", "do"].contains(&name.as_str())) {
        request.findings.unknown(place.field(name), "field", name, ["columns", "do"]);
    }
    let names = match asked.get("columns") {
        Some(json) => request.names(json, place.field("columns")),
        None => vec![entry.table.id.name.as_str()],
    };
    let mut met: Vec<&'a EntryColumn> = Vec::new();
    for (index, name) in names.iter().enumerate() {
        let list = place.field("columns");
        match columns.iter().find(|(_, sent)| sent == name) {
            Some((column, _)) if met.iter().any(|other| other.column.name == *name) => {
                request.findings.request(list.element(index), format!("{:?} is named twice", column.column.name));
            }
            Some((column, _)) => met.push(column),
            // Also where there is no such column: it is not told which.
            None => request.findings.request(list.element(index), "is no column of data"),
        }
    }
    if met.len() == names.len() && !entry.is_unique(&names) {
        request.findings.hinted(
            place.field("columns"),
            "are not unique together",
            "name the primary key, a unique column, or all columns of a unique index",
        );
    }
    check_met(request, &met, rows);
    let columns_met = met.iter().map(|column| column.column.clone()).collect();
    match asked.get("do").and_then(Json::as_str) {
        Some("ignore") => (Some(Conflict { columns: columns_met, action: OnConflict::Ignore }), Predicate::ALWAYS),
        Some("update") => {
            let (action, rule) = changed(request, entry, columns, &met, rows);
            (Some(Conflict { columns: columns_met, action }), rule)
        }
        _ => {
            request.findings.request(place.field("do"), "must be \"update\" or \"ignore\"");
            none
        }
    }
}

/// Every row has a value for what it may meet another row on, and no two rows the same.
fn check_met(request: &mut Request<'_>, met: &[&EntryColumn], rows: &[(Option<usize>, &Map<String, Json>)]) {
    let mut seen: BTreeSet<String> = BTreeSet::new();
    for (index, row) in rows {
        let values: Option<Vec<String>> = met
            .iter()
            .map(|column| {
                let json = row.get(&column.column.name).filter(|json| !json.is_null())?;
                value::stored(column, json).ok().map(|value| key_text(&value))
            })
            .collect();
        let message = match values {
            None => "needs values for the columns of onConflict",
            Some(values) if !seen.insert(values.join("\u{0}")) => {
                "has the same values as an earlier row in the columns of onConflict"
            }
            Some(_) => continue,
        };
        at(*index, |place| request.findings.value(place, message));
    }
}

/// What a conflict changes: every column that is sent and that it is not about.
fn changed<'a>(
    request: &mut Request<'a>,
    entry: &'a Entry,
    columns: &[(&'a EntryColumn, &'a str)],
    met: &[&EntryColumn],
    rows: &[(Option<usize>, &Map<String, Json>)],
) -> (OnConflict, Predicate) {
    let place = Place::Params.field("onConflict");
    let place = place.field("do");
    let grant = match access::ask(&entry.rules, Verb::Update, request) {
        Ok(grant) => grant,
        Err(reason) => {
            if access::is_told_reasons(request.actor.kind) {
                request.findings.forbidden(place, reason);
            } else {
                request.findings.request(place, "rows of this table cannot be updated");
            }
            return (OnConflict::Ignore, Predicate::ALWAYS);
        }
    };
    let is_met = |column: &EntryColumn| met.iter().any(|other| other.column.name == column.column.name);
    let mut set = Vec::new();
    for (column, name) in columns.iter().filter(|(column, _)| !is_met(column) && !column.is_key) {
        if grant.columns.contains(name) {
            set.push(column.column.clone());
        } else {
            let missing = Missing::Denied(format!("the rule for update does not give the column {name:?}"));
            let known: Vec<&str> = access::names(&grant.columns, entry);
            let data = Place::Params.field("data");
            missing.tell_among(request, data.field(name), "column", name, known);
        }
    }
    if rows.iter().any(|(_, row)| columns.iter().any(|(_, name)| !row.contains_key(*name))) {
        request.findings.request(place, "update needs the same columns in every row");
    }
    if set.is_empty() {
        request.findings.hinted(place, "there is nothing to update", "use \"ignore\"");
    }
    (OnConflict::Update { set, rule: grant.rule.clone() }, grant.rule)
}

/// Equal for equal values of one column.
pub fn key_text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Boolean(truth) => truth.to_string(),
        Value::Int64(number) => number.to_string(),
        Value::Float64(number) => number.to_string(),
        Value::Bytes(bytes) => STANDARD.encode(bytes),
        Value::Typed(kind, text) if kind == "decimal" && text.contains('.') => {
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        }
        Value::Text(text) | Value::Typed(_, text) => text.clone(),
    }
}
