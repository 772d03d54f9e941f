//! `db/{table}/update`: which rows, and what they get. What updates and deletes share is here too: the rows that a write is for, and
//! what is answered of rows that were written.

use santokit_core::{schema::Generate, value::Value};
use santokit_sql::plan::{Column, Condition, Target, Update};
use serde_json::Value as Json;

use super::{
    access::{self, Grant},
    answer::Returning,
    filter::{Filter, both},
    findings::Place,
    names::{Entry, EntryColumn, Missing, Readable},
    objects,
    request::Request,
    select::{self, Columns},
    value,
};

/// What an update may say.
const PARAMS: &[&str] = &["where", "all", "data", "returning"];

/// Changed rows, and what is answered of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// The write.
    pub update: Update,
    /// What is answered.
    pub returning: Returning,
}

/// Reads an update.
pub fn read<'a>(request: &mut Request<'a>, entry: &'a Entry, grant: &Grant) -> Change {
    request.only(PARAMS);
    let set = set(request, entry, grant);
    let returning = returning(request, entry, false);
    let target = target(request, entry, grant, &returning);
    let check = Update::check_needed(&grant.rule, &set);
    Change { update: Update { target, set, check, returning: returning.columns(entry) }, returning }
}

/// The new values.
fn set<'a>(request: &mut Request<'a>, entry: &'a Entry, grant: &Grant) -> Vec<(Column, Value)> {
    let place = Place::Params.field("data");
    let Some(Json::Object(fields)) = request.param("data") else {
        request.findings.hinted(
            place,
            "must be an object of columns",
            "data is what the rows get, {\"column\": value}",
        );
        return Vec::new();
    };
    if fields.is_empty() {
        request.findings.request(place, "must not be empty");
    }
    let mut set = Vec::new();
    for (name, json) in fields {
        if request.findings.is_full() {
            break;
        }
        let place = place.field(name);
        let Some(column) = column_named(request, entry, grant, name, place) else { continue };
        if column.is_key && entry.table.id.generate != Generate::Client {
            request.findings.hinted(place, "is generated and cannot be changed", "leave it out");
            continue;
        }
        match value::stored(column, json) {
            Ok(value) => {
                objects::may_name(request, column, &value, place);
                set.push((column.column.clone(), value));
            }
            Err(message) => request.findings.value(place, message),
        }
    }
    set
}

/// A column that the rule of a write gives; else it is told that there is none.
pub fn column_named<'a>(
    request: &mut Request<'a>,
    entry: &'a Entry,
    grant: &Grant,
    name: &str,
    place: Place<'_>,
) -> Option<&'a EntryColumn> {
    let missing = match entry.column(name) {
        Some(column) if grant.columns.contains(name) => return Some(column),
        Some(_) => Missing::Denied(format!("the rule does not give the column {name:?}")),
        None => Missing::Unknown,
    };
    let known: Vec<&str> = if request.findings.is_full() { Vec::new() } else { access::names(&grant.columns, entry) };
    missing.tell_among(request, place, "column", name, known);
    None
}

/// The rows that a write is for: those that its rule admits and that the caller asks for.
///
/// Who asks by a column, or for the rows, learns of them: such a write is for rows only that the caller may also read.
pub fn target<'a>(request: &mut Request<'a>, entry: &'a Entry, grant: &Grant, returning: &Returning) -> Target {
    let place = Place::Params.field("where");
    let is_all = request.flag("all");
    let asked = request.param("where");
    match (asked, is_all) {
        (Some(_), true) => request.findings.request(Place::Params.field("all"), "cannot stand beside where"),
        (None, false) => {
            let hint = "say which rows, or \"all\": true if every row is meant";
            request.findings.hinted(place, "is missing", hint);
        }
        _ => {}
    }
    let mut rule = grant.rule.clone();
    let mut filter = Condition::EVERY;
    if let Some(json) = asked {
        match Readable::of(request, entry) {
            Ok(table) => {
                filter = Filter::new(request).read(&table, json, place);
                rule = both(&rule, &table.rule);
            }
            Err(reason) => unreadable(request, json, place, &reason),
        }
        if filter.is_every() && request.findings.is_empty() {
            request.findings.hinted(place, "names no condition", "use \"all\": true if every row is meant");
        }
    }
    if let Returning::Rows { rule: read, .. } = returning {
        rule = both(&rule, read);
    }
    Target { table: entry.name.clone(), key: entry.key(), rule, filter, keys: None }
}

/// No column can be asked for: each is answered as unknown.
fn unreadable(request: &mut Request<'_>, json: &Json, place: Place<'_>, reason: &str) {
    let missing = Missing::Denied(format!("where needs the right to select: {reason}"));
    let name = json.as_object().and_then(|fields| fields.keys().next()).map_or("", String::as_str);
    missing.tell_among(request, place.field(name), "column or relation", name, []);
}

/// `returning`: true for everything that may be read, or a list of columns.
pub fn returning<'a>(request: &mut Request<'a>, entry: &'a Entry, default: bool) -> Returning {
    let place = Place::Params.field("returning");
    let json = request.param("returning");
    let wanted = match json {
        None => default,
        Some(Json::Bool(truth)) => *truth,
        Some(Json::Array(_)) => true,
        Some(_) => {
            request.findings.request(place, "must be true, false or a list of columns");
            false
        }
    };
    if !wanted {
        return Returning::Affected;
    }
    let table = match Readable::of(request, entry) {
        Ok(table) => table,
        // Nobody asked for rows, and there are none for this caller.
        Err(_) if json.is_none() => return Returning::Affected,
        Err(reason) => {
            if access::is_told_reasons(request.actor.kind) {
                request.findings.forbidden(place, reason);
            } else {
                request.findings.request(place, "the rows of this table cannot be read");
            }
            return Returning::Affected;
        }
    };
    let mut columns = Columns::default();
    match json {
        Some(json @ Json::Array(_)) => {
            for (index, name) in request.names(json, place).into_iter().enumerate() {
                let found = select::named_column(request, &table, name, place.element(index));
                columns.extend(found.as_ref());
            }
        }
        _ => columns.extend(table.columns().map(|column| &column.column)),
    }
    Returning::Rows { columns: columns.into_inner(), rule: table.rule.clone() }
}

impl Returning {
    /// What the write itself has to answer: the rows, or the keys of rows that are then read under the select rule.
    pub fn columns(&self, entry: &Entry) -> Vec<Column> {
        match self {
            Returning::Affected => Vec::new(),
            Returning::Rows { columns, rule } if rule.is_always() => columns.clone(),
            Returning::Rows { .. } => vec![entry.key()],
        }
    }
}
