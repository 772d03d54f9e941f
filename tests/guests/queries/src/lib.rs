//! Calls declared queries as its input says, and answers errors as values.

use santokit_guest::bindings::santokit::queries::queries as host;
use santokit_guest::prelude::*;
use santokit_guest::queries::Named;
use santokit_guest::sql::{Decimal, Error, Value};
use serde_json::Value as AnyJson;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Input {
    op: String,
    #[serde(default)]
    query: Option<String>,
    #[serde(default)]
    params: Option<AnyJson>,
    #[serde(default)]
    fail: bool,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Order {
    id: String,
    customer_id: String,
    total: String,
    paid: Option<bool>,
}

fn handle(input: Input) -> Result<AnyJson, LogicError> {
    let name = input.query.clone().unwrap_or_default();
    let params = values(input.params.as_ref());
    let named: Vec<Named<'_>> = params.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
    let done = match input.op.as_str() {
        "many" => queries::many::<Order>(&name, &named).map(|orders| json!(orders)),
        "one" => queries::one::<Order>(&name, &named).map(|order| json!(order)),
        "execute" => queries::execute(&name, &named).map(|affected| json!(affected)),
        "cursor" => cursor(&name, &named),
        "columns" => columns(&name, &params),
        "transaction" => transaction(input.fail),
        "handles" => handles(),
        other => return Err(LogicError::new("UNKNOWN_OP", other)),
    };
    done.or_else(|error| match error {
        // As any logic does: then the caller is told the limit.
        Error::Limit(_) => Err(error.into()),
        error => Ok(told(&error)),
    })
}

/// The number of rows and the sum of the totals, read through a cursor.
fn cursor(name: &str, params: &[Named<'_>]) -> Result<AnyJson, Error> {
    let mut count = 0;
    for row in queries::cursor(name, params)? {
        row?;
        count += 1;
    }
    Ok(json!({"rows": count}))
}

/// What a query answers, also where there is no row.
fn columns(name: &str, params: &[(String, Value)]) -> Result<AnyJson, Error> {
    let cursor = host::open_cursor(name, params)?;
    let columns: Vec<_> = cursor.columns().into_iter().map(|column| (column.name, column.type_name)).collect();
    while cursor.next_batch(2, 1)?.is_some() {}
    Ok(json!(columns))
}

/// Two orders or none.
fn transaction(fail: bool) -> Result<AnyJson, Error> {
    queries::transaction("main", || {
        for id in ["t1", "t2"] {
            let total = Decimal("1.50");
            queries::execute("add", params! {"id" => id, "customerId" => "c1", "total" => total})?;
        }
        let seen: Vec<Order> = queries::many("by_customer", params! {"customerId" => "c1"})?;
        if fail { Err(Error::Decode("as asked".to_owned())) } else { Ok(json!(seen.len())) }
    })
}

/// A transaction that has ended, one inside another, and one that is dropped.
fn handles() -> Result<AnyJson, Error> {
    let outer = host::begin("main", &[])?;
    let inner = host::begin("main", &[])?;
    let early = outer.commit().is_err();
    let added = [("id", "h1"), ("customerId", "c1"), ("total", "1")];
    let added: Vec<(String, Value)> =
        added.iter().map(|(name, value)| ((*name).to_owned(), Value::Text((*value).to_owned()))).collect();
    host::execute("add", &added)?;
    inner.rollback()?;
    let twice = inner.rollback().is_err();
    drop(outer);
    let option = host::begin("main", &[("a".to_owned(), "b".to_owned())]).is_err();
    let elsewhere = host::begin("other", &[]).is_err();
    let left = host::many("by_customer", &[("customerId".to_owned(), Value::Text("c1".to_owned()))])?;
    let missing = host::one("by_id", &[("id".to_owned(), Value::Text("h1".to_owned()))]).is_err();
    Ok(json!({"refused": early && twice && option && elsewhere && missing, "left": left.batch.rows}))
}

fn values(params: Option<&AnyJson>) -> Vec<(String, Value)> {
    let value = |value: &AnyJson| match value {
        AnyJson::Bool(truth) => Value::Boolean(*truth),
        AnyJson::Number(number) => {
            number.as_i64().map_or_else(|| Value::Float64(number.as_f64().unwrap_or_default()), Value::Int64)
        }
        AnyJson::String(text) => Value::Text(text.clone()),
        _ => Value::Null,
    };
    let params = params.and_then(AnyJson::as_object);
    params.map(|params| params.iter().map(|(name, sent)| (name.clone(), value(sent))).collect()).unwrap_or_default()
}

fn told(error: &Error) -> AnyJson {
    let kind = match error {
        Error::Denied(_) => "denied",
        Error::Invalid(_) => "invalid",
        Error::Database(_) => "database",
        Error::RowCount { .. } => "rowCount",
        _ => "other",
    };
    json!({"error": kind, "message": error.to_string()})
}

santokit_guest::logic!(handle);
