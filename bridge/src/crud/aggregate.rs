//! `aggregate`: counts, sums, averages and extremes of rows that the caller may read, in groups or in all.

use santokit_core::schema::Type;
use santokit_sql::plan::{Aggregate, Column, Condition, Function, Measure, Source};
use serde_json::Value as Json;

use super::{
    findings::Place,
    names::Readable,
    request::Request,
    select::{self, is_sortable},
};

/// What `aggregate` may say.
const FIELDS: &[&str] = &["count", "sum", "avg", "min", "max", "groupBy"];

/// What a select may not say beside `aggregate`.
const OTHERS: &[&str] = &["select", "expand", "cursor", "count", "distinct"];

/// Numbers about groups of rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Groups {
    /// Asks for one group more than is wanted.
    pub aggregate: Aggregate,
    /// How the answer's columns are answered, in their order.
    pub fields: Vec<Field>,
    /// Most groups that are answered.
    pub limit: u64,
}

/// Where a column of the answer goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// `count`, `sum`, … or a column of the groups.
    pub name: String,
    /// The column that a number is about.
    pub of: Option<String>,
    /// A number of rows, which is a number in JSON too.
    pub is_count: bool,
}

/// Reads `aggregate`.
pub fn read<'a>(request: &mut Request<'a>, table: &Readable<'a>, filter: Condition, json: &'a Json) -> Groups {
    let place = Place::Params.field("aggregate");
    for name in OTHERS {
        if request.param(name).is_some() {
            request.findings.request(Place::Params.field(name), "cannot stand beside aggregate");
        }
    }
    let (mut groups, mut measures, mut fields) = (Vec::new(), Vec::new(), Vec::new());
    if let Json::Object(asked) = json {
        for name in asked.keys().filter(|name| !FIELDS.contains(&name.as_str())) {
            request.findings.unknown(place.field(name), "function", name, FIELDS.iter().copied());
        }
        if let Some(json) = asked.get("groupBy") {
            groups = group_by(request, table, json);
        }
        fields.extend(groups.iter().map(|column| Field { name: column.name.clone(), of: None, is_count: false }));
        for function in FIELDS.iter().filter(|name| **name != "groupBy") {
            let Some(json) = asked.get(*function) else { continue };
            if groups.iter().any(|column| column.name == *function) {
                let message =
                    format!("the answer would have two fields {function:?}; rows are grouped by a column of that name");
                request.findings.request(place.field(function), message);
            }
            for (function, field) in functions(request, table, function, json) {
                // No column of a customer's begins so.
                measures.push(Measure { name: format!("stk_{}", measures.len()), function });
                fields.push(field);
            }
        }
    } else {
        request.findings.request(place, "must be an object");
    }
    if measures.is_empty() && request.findings.is_empty() {
        let hint = "for example {\"count\": true, \"sum\": [\"total\"], \"groupBy\": [\"status\"]}";
        request.findings.hinted(place, "asks for nothing", hint);
    }
    let by_group = groups.clone();
    let order = select::read_order(request, move |request, name, place| {
        let found = by_group.iter().find(|column| column.name == name).cloned();
        if found.is_none() {
            request.findings.unknown(place, "group", name, by_group.iter().map(|column| column.name.as_str()));
        }
        found
    });
    let limit = select::limit(request);
    let offset = request.number("offset").unwrap_or(0);
    let source = Source { filter, ..Source::of(&table.entry.name, table.rule.clone()) };
    Groups {
        aggregate: Aggregate { source, groups, measures, order, limit: Some(limit.saturating_add(1)), offset },
        fields,
        limit,
    }
}

fn group_by<'a>(request: &mut Request<'a>, table: &Readable<'a>, json: &'a Json) -> Vec<Column> {
    let place = Place::Params.field("aggregate");
    let place = place.field("groupBy");
    let mut groups: Vec<Column> = Vec::new();
    for (index, name) in request.names(json, place).into_iter().enumerate() {
        let place = place.element(index);
        let Some(column) = select::named_column(request, table, name, place) else { continue };
        if !is_sortable(column.kind) {
            let message = format!("values of type {} cannot be grouped", column.kind.as_str());
            request.findings.request(place, message);
        } else if !groups.contains(&column) {
            groups.push(column);
        }
    }
    groups
}

/// `true` counts rows; a list is of columns.
fn functions<'a>(
    request: &mut Request<'a>,
    table: &Readable<'a>,
    name: &str,
    json: &'a Json,
) -> Vec<(Function, Field)> {
    let place = Place::Params.field("aggregate");
    let place = place.field(name);
    if name == "count" && *json == Json::Bool(true) {
        return vec![(Function::CountRows, Field { name: name.to_owned(), of: None, is_count: true })];
    }
    let mut functions: Vec<(Function, Field)> = Vec::new();
    for (index, of) in request.names(json, place).into_iter().enumerate() {
        let place = place.element(index);
        let Some(column) = select::named_column(request, table, of, place) else { continue };
        let function = match name {
            "sum" => Function::Sum(column),
            "avg" => Function::Average(column),
            "min" => Function::Minimum(column),
            "max" => Function::Maximum(column),
            _ => Function::Count(column),
        };
        if let Err(refused) = function.result() {
            request.findings.request(place, refused.to_string());
        } else if !functions.iter().any(|(other, _)| *other == function) {
            let field = Field { name: name.to_owned(), of: Some(of.to_owned()), is_count: name == "count" };
            functions.push((function, field));
        }
    }
    functions
}

/// The type of a measure's column.
pub fn kind(measure: &Measure) -> Type {
    measure.function.result().unwrap_or(Type::Json)
}
