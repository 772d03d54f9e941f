//! `where`: from JSON to a condition on columns that the caller may read. What it may not read is unknown here.

use santokit_core::{access::predicate::Predicate, schema::Type, value::Value};
use santokit_sql::plan::{Column, Comparison, Condition, Related};
use serde_json::{Map, Value as Json};

use super::{
    findings::Place,
    names::{Named, Readable, Relation},
    request::Request,
    value,
};

/// The operators, for "did you mean".
const OPERATORS: &[&str] = &[
    "$eq",
    "$ne",
    "$gt",
    "$gte",
    "$lt",
    "$lte",
    "$in",
    "$notIn",
    "$like",
    "$ilike",
    "$contains",
    "$isNull",
    "$isNotNull",
    "$between",
];

/// What joins conditions.
const CONNECTIVES: &[&str] = &["$and", "$or", "$not"];

/// Characters of a pattern: matching one takes time that grows with its length.
const PATTERN_MAX: usize = 1_000;

/// Reads the filters of one request; the bounds are over all of them.
pub struct Filter<'r, 'a> {
    request: &'r mut Request<'a>,
    conditions: usize,
    values: usize,
}

impl<'r, 'a> Filter<'r, 'a> {
    /// Nothing read yet.
    pub fn new(request: &'r mut Request<'a>) -> Self {
        Self { request, conditions: 0, values: 0 }
    }

    /// The condition that `json` asks of rows of a table.
    pub fn read(mut self, table: &Readable<'a>, json: &Json, place: Place<'_>) -> Condition {
        let condition = self.object(table, json, place, 0);
        let (conditions, values) = (self.request.limits.conditions, self.request.limits.list_values);
        if self.conditions > conditions {
            let message = format!("has {} conditions; {conditions} is the most", self.conditions);
            self.request.findings.limit(place, "conditions", message);
        }
        if self.values > values {
            let message = format!("has {} values in lists; {values} is the most", self.values);
            self.request.findings.limit(place, "listValues", message);
        }
        condition
    }

    /// `depth` counts relations.
    fn object(&mut self, table: &Readable<'a>, json: &Json, place: Place<'_>, depth: usize) -> Condition {
        let Json::Object(fields) = json else {
            self.request.findings.request(place, "must be an object of conditions");
            return Condition::EVERY;
        };
        if fields.is_empty() {
            // An empty object asks nothing, but a long list of them is work.
            self.conditions += usize::from(!matches!(place, Place::Field(Place::Params, _)));
        }
        let mut parts: Vec<Condition> =
            fields.iter().map(|(name, value)| self.entry(table, name, value, place.field(name), depth)).collect();
        if parts.len() == 1 { parts.remove(0) } else { Condition::All(parts) }
    }

    fn entry(&mut self, table: &Readable<'a>, name: &str, value: &Json, place: Place<'_>, depth: usize) -> Condition {
        if self.conditions > self.request.limits.conditions {
            // It is refused in any case: the rest is only counted.
            self.conditions += 1;
            return Condition::EVERY;
        }
        match name {
            "$and" => Condition::All(self.list(table, value, place, depth)),
            "$or" => Condition::Any(self.list(table, value, place, depth)),
            "$not" => Condition::Not(Box::new(self.object(table, value, place, depth))),
            operator if operator.starts_with('$') => {
                self.request.findings.unknown(place, "operator", operator, CONNECTIVES.iter().copied());
                Condition::EVERY
            }
            path if path.contains('.') => self.path(table, path, value, place, depth),
            name => match table.named(self.request, name) {
                Named::Column(column) => {
                    let column = column.column.clone();
                    self.column(&column, value, place)
                }
                Named::Relation(relation) => {
                    let condition =
                        |filter: &mut Self, table: &Readable<'a>| filter.object(table, value, place, depth + 1);
                    self.related(table, &relation, place, depth, condition)
                }
                Named::Missing(missing) => {
                    missing.tell(self.request, place, "column or relation", name, table);
                    Condition::EVERY
                }
            },
        }
    }

    fn list(&mut self, table: &Readable<'a>, json: &Json, place: Place<'_>, depth: usize) -> Vec<Condition> {
        let Json::Array(items) = json else {
            self.request.findings.request(place, "must be a list of objects");
            return Vec::new();
        };
        if items.is_empty() {
            self.request.findings.request(place, "must not be empty");
        }
        if items.len() > self.request.limits.conditions {
            self.conditions += items.len();
            return Vec::new();
        }
        items.iter().enumerate().map(|(index, item)| self.object(table, item, place.element(index), depth)).collect()
    }

    /// `"customer.name": …` is `"customer": {"name": …}`.
    fn path(&mut self, table: &Readable<'a>, path: &str, value: &Json, place: Place<'_>, depth: usize) -> Condition {
        let Some((first, rest)) = path.split_once('.') else { return self.entry(table, path, value, place, depth) };
        match table.named(self.request, first) {
            Named::Relation(relation) => {
                let condition =
                    |filter: &mut Self, table: &Readable<'a>| filter.entry(table, rest, value, place, depth + 1);
                self.related(table, &relation, place, depth, condition)
            }
            Named::Column(_) => {
                self.request.findings.request(place, "a column has no parts; only relations have");
                Condition::EVERY
            }
            Named::Missing(missing) => {
                missing.tell(self.request, place, "column or relation", first, table);
                Condition::EVERY
            }
        }
    }

    fn related(
        &mut self,
        table: &Readable<'a>,
        relation: &Relation<'a>,
        place: Place<'_>,
        depth: usize,
        condition: impl FnOnce(&mut Self, &Readable<'a>) -> Condition,
    ) -> Condition {
        let most = self.request.limits.expand_depth;
        if depth >= most {
            let message = format!("goes over more than {most} relations");
            self.request.findings.limit(place, "expandDepth", message);
            return Condition::EVERY;
        }
        self.conditions += 1;
        let condition = condition(self, &relation.other);
        let local = table.column_of(&relation.relation.local);
        let remote = relation.other.column_of(&relation.relation.remote);
        let (Some(local), Some(remote)) = (local, remote) else { return Condition::EVERY };
        Condition::Related(Box::new(Related {
            local: local.column.clone(),
            table: relation.relation.table.clone(),
            remote: remote.column.clone(),
            rule: relation.other.rule.clone(),
            condition,
        }))
    }

    fn column(&mut self, column: &Column, json: &Json, place: Place<'_>) -> Condition {
        match json {
            Json::Object(operators) if is_operators(operators) => {
                let mut parts: Vec<Condition> = operators
                    .iter()
                    .map(|(operator, value)| self.operator(column, operator, value, place.field(operator)))
                    .collect();
                if parts.len() == 1 { parts.remove(0) } else { Condition::All(parts) }
            }
            Json::Object(_) => {
                self.request.findings.hinted(
                    place,
                    "must be a value, or an object of operators",
                    format!("operators are {}", OPERATORS.join(", ")),
                );
                Condition::EVERY
            }
            value => self.operator(column, "$eq", value, place),
        }
    }

    fn operator(&mut self, column: &Column, operator: &str, json: &Json, place: Place<'_>) -> Condition {
        self.conditions += 1;
        let read = match operator {
            "$isNull" => truth(json).map(|truth| null(column, truth)),
            "$isNotNull" => truth(json).map(|truth| null(column, !truth)),
            "$eq" if json.is_null() => Ok(null(column, true)),
            "$ne" if json.is_null() => Ok(null(column, false)),
            "$eq" => compared(column, Comparison::Equal, json),
            "$ne" => compared(column, Comparison::NotEqual, json),
            "$gt" => ordered(column, Comparison::Greater, json),
            "$gte" => ordered(column, Comparison::GreaterOrEqual, json),
            "$lt" => ordered(column, Comparison::Less, json),
            "$lte" => ordered(column, Comparison::LessOrEqual, json),
            "$in" => self.one_of(column, json),
            "$notIn" => self.one_of(column, json).map(|condition| Condition::Not(Box::new(condition))),
            "$between" => between(column, json),
            "$like" => like(column, json, true),
            "$ilike" => like(column, json, false),
            "$contains" => text(column, json).map(|wanted| Condition::Contains(column.clone(), wanted)),
            unknown => {
                self.request.findings.unknown(place, "operator", unknown, OPERATORS.iter().copied());
                return Condition::EVERY;
            }
        };
        read.unwrap_or_else(|message| {
            self.request.findings.request(place, message);
            Condition::EVERY
        })
    }

    fn one_of(&mut self, column: &Column, json: &Json) -> Result<Condition, String> {
        comparable(column)?;
        let Json::Array(items) = json else { return Err("must be a list of values".to_owned()) };
        self.values += items.len();
        if self.values > self.request.limits.list_values {
            return Ok(Condition::EVERY);
        }
        let read = |(index, item): (usize, &Json)| {
            if item.is_null() {
                return Err(format!("element {index}: null is in no list; use $isNull"));
            }
            value::of(column.kind, item).map_err(|message| format!("element {index}: {message}"))
        };
        let values = items.iter().enumerate().map(read).collect::<Result<_, _>>()?;
        Ok(Condition::OneOf(column.clone(), values))
    }
}

/// Operators begin with `$`; an empty object is none.
fn is_operators(fields: &Map<String, Json>) -> bool {
    !fields.is_empty() && fields.keys().any(|name| name.starts_with('$'))
}

fn null(column: &Column, is_null: bool) -> Condition {
    let test = Condition::IsNull(column.clone());
    if is_null { test } else { Condition::Not(Box::new(test)) }
}

fn truth(json: &Json) -> Result<bool, String> {
    json.as_bool().ok_or_else(|| "must be true or false".to_owned())
}

fn comparable(column: &Column) -> Result<(), String> {
    match column.kind {
        Type::Json | Type::Array => {
            Err(format!("a column of type {} can only be asked for $isNull and $isNotNull", column.kind.as_str()))
        }
        _ => Ok(()),
    }
}

fn one(column: &Column, json: &Json) -> Result<Value, String> {
    comparable(column)?;
    if json.is_null() {
        return Err("cannot be null; use $isNull".to_owned());
    }
    value::of(column.kind, json)
}

fn compared(column: &Column, comparison: Comparison, json: &Json) -> Result<Condition, String> {
    Ok(Condition::Compare(column.clone(), comparison, one(column, json)?))
}

fn ordered(column: &Column, comparison: Comparison, json: &Json) -> Result<Condition, String> {
    has_order(column)?;
    compared(column, comparison, json)
}

fn has_order(column: &Column) -> Result<(), String> {
    match column.kind {
        Type::Boolean | Type::Bytes => Err(format!("values of type {} have no order", column.kind.as_str())),
        _ => Ok(()),
    }
}

fn between(column: &Column, json: &Json) -> Result<Condition, String> {
    has_order(column)?;
    let Some([least, most]) = json.as_array().map(Vec::as_slice) else {
        return Err("must be a list of two values".to_owned());
    };
    Ok(Condition::Between(column.clone(), one(column, least)?, one(column, most)?))
}

fn text(column: &Column, json: &Json) -> Result<String, String> {
    if !matches!(column.kind, Type::String | Type::File) {
        return Err(format!("is for text; this column is of type {}", column.kind.as_str()));
    }
    match value::of(column.kind, json)? {
        Value::Text(text) => Ok(text),
        _ => Err("must be a string".to_owned()),
    }
}

fn like(column: &Column, json: &Json, case_sensitive: bool) -> Result<Condition, String> {
    let pattern = text(column, json)?;
    if pattern.chars().count() > PATTERN_MAX {
        return Err(format!("a pattern has at most {PATTERN_MAX} characters"));
    }
    let mut characters = pattern.chars();
    while let Some(character) = characters.next() {
        if character == '\\' && !matches!(characters.next(), Some('%' | '_' | '\\')) {
            return Err("after \\ there must be %, _ or \\".to_owned());
        }
    }
    Ok(Condition::Like { column: column.clone(), pattern, case_sensitive })
}

/// Every row that both admit.
pub fn both(left: &Predicate, right: &Predicate) -> Predicate {
    match (left.is_always(), right.is_always()) {
        (true, _) => right.clone(),
        (_, true) => left.clone(),
        _ if left == right => left.clone(),
        _ => Predicate::All(vec![left.clone(), right.clone()]),
    }
}
