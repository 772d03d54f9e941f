//! Runs SQL as its input says: one statement per call, or a whole program of steps over one connection.

use santokit_guest::prelude::*;
use santokit_guest::sql::{Connection, Decimal, Json, Param, Transaction, Value};
use serde_json::Value as AnyJson;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Input {
    #[serde(default = "main_connection")]
    connection: String,
    #[serde(flatten)]
    step: Step,
}

/// What is done with the connection.
#[derive(Deserialize)]
#[serde(tag = "op", rename_all = "camelCase")]
enum Step {
    /// The engine's name.
    Engine,
    /// All rows, as objects.
    Query {
        sql: String,
        #[serde(default)]
        params: Vec<AnyJson>,
    },
    /// All rows, each value with its kind.
    Values {
        sql: String,
        #[serde(default)]
        params: Vec<AnyJson>,
    },
    /// The number of rows affected.
    Execute {
        sql: String,
        #[serde(default)]
        params: Vec<AnyJson>,
    },
    /// The sum of the first column and the number of rows, read through a cursor.
    Cursor {
        sql: String,
        #[serde(default)]
        params: Vec<AnyJson>,
    },
    /// Opens a cursor that many times and keeps them open.
    Cursors { sql: String, count: usize },
    /// The same statement that many times.
    Repeat { sql: String, count: u32 },
    /// Steps in a transaction; then `commit`, `rollback`, `drop`, `error` or `panic`.
    Transaction { steps: Vec<Step>, end: String },
    /// Steps in the closure form; `fail` makes the closure refuse.
    Closure {
        steps: Vec<Step>,
        #[serde(default)]
        fail: bool,
    },
    /// The step again until it does not fail, and how the failure looked.
    Failure { step: Box<Step> },
    /// A typed row.
    Item { id: String },
}

#[derive(Serialize, Deserialize)]
struct Item {
    id: String,
    name: String,
    stock: i64,
    price: Option<f64>,
    active: bool,
}

fn main_connection() -> String {
    "main".to_owned()
}

fn handle(input: Input) -> Result<AnyJson, LogicError> {
    let db = sql::open(&input.connection)?;
    run(&db, &input.step)
}

fn run(db: &Connection, step: &Step) -> Result<AnyJson, LogicError> {
    Ok(match step {
        Step::Engine => json!(db.engine()),
        Step::Query { sql, params } => {
            let rows: Vec<AnyJson> = db.query_as(sql, &values(params)?)?;
            json!(rows)
        }
        Step::Values { sql, params } => {
            let rows = db.query(sql, &values(params)?)?;
            let columns: Vec<_> = rows.columns().iter().map(|column| json!([column.name, column.type_name])).collect();
            let names: Vec<String> = rows.columns().iter().map(|column| column.name.clone()).collect();
            let rows: Vec<Vec<String>> = rows
                .map(|row| names.iter().map(|name| format!("{:?}", row.value(name).unwrap_or(&Value::Null))).collect())
                .collect();
            json!({"columns": columns, "rows": rows})
        }
        Step::Execute { sql, params } => json!(db.execute(sql, &values(params)?)?),
        Step::Cursor { sql, params } => {
            let (mut sum, mut rows) = (0, 0);
            for row in db.cursor(sql, &values(params)?)?.decode::<(i64,)>() {
                sum += row?.0;
                rows += 1;
            }
            json!({"sum": sum, "rows": rows})
        }
        Step::Cursors { sql, count } => {
            let cursors = (0..*count).map(|_| db.cursor(sql, &[])).collect::<Result<Vec<_>, _>>()?;
            json!(cursors.len())
        }
        Step::Repeat { sql, count } => {
            for _ in 0..*count {
                db.query(sql, &[])?;
            }
            json!(count)
        }
        Step::Transaction { steps, end } => transaction(db, steps, end)?,
        Step::Closure { steps, fail } => db.transaction(|_| {
            let done = run_all(db, steps)?;
            if *fail { Err(LogicError::new("REFUSED", "asked to refuse")) } else { Ok(done) }
        })?,
        Step::Failure { step } => failure(db, step)?,
        Step::Item { id } => {
            let item: Item =
                db.query_one("SELECT id, name, stock, price, active FROM items WHERE id = ?", params![id])?;
            json!(item)
        }
    })
}

fn run_all(db: &Connection, steps: &[Step]) -> Result<AnyJson, LogicError> {
    steps.iter().map(|step| run(db, step)).collect()
}

fn transaction(db: &Connection, steps: &[Step], end: &str) -> Result<AnyJson, LogicError> {
    let tx: Transaction = db.begin()?;
    let done = run_all(db, steps)?;
    match end {
        "commit" => tx.commit()?,
        "rollback" => tx.rollback()?,
        "drop" => drop(tx),
        "panic" => panic!("asked to panic in a transaction"),
        _ => return Err(LogicError::new("REFUSED", "asked to refuse in a transaction")),
    }
    Ok(done)
}

/// How the error of a statement looks to the guest.
fn failure(db: &Connection, step: &Step) -> Result<AnyJson, LogicError> {
    let (Step::Query { sql, params } | Step::Execute { sql, params }) = step else {
        return Err(LogicError::new("BAD_STEP", "failure takes a query or an execute"));
    };
    let outcome = match step {
        Step::Query { .. } => db.query(sql, &values(params)?).map(|rows| rows.len() as u64),
        _ => db.execute(sql, &values(params)?),
    };
    Ok(match outcome {
        Ok(rows) => json!({"ok": rows}),
        Err(sql::Error::Database(error)) => json!({
            "kind": "database",
            "code": error.code,
            "message": error.message,
            "constraint": error.constraint.map(|kind| format!("{kind:?}")),
            "retryable": error.retryable,
        }),
        Err(sql::Error::Limit(name)) => json!({"kind": "limit", "name": name}),
        Err(error) => json!({
            "kind": format!("{error:?}").split('(').next().unwrap_or_default().to_lowercase(),
            "message": error.to_string(),
        }),
    })
}

/// JSON params as values: `{"decimal": "1.20"}`, `{"json": …}`, `{"bytes": [1, 2]}` and `{"type": t, "text": x}` for
/// what JSON has no word for.
fn values(params: &[AnyJson]) -> Result<Vec<Value>, LogicError> {
    params.iter().map(value).collect()
}

fn value(param: &AnyJson) -> Result<Value, LogicError> {
    Ok(match param {
        AnyJson::Null => Value::Null,
        AnyJson::Bool(value) => value.to_value(),
        AnyJson::Number(number) => match number.as_i64() {
            Some(integer) => integer.to_value(),
            None => number.as_f64().to_value(),
        },
        AnyJson::String(text) => text.to_value(),
        AnyJson::Object(object) => match (object.get("decimal"), object.get("json"), object.get("bytes")) {
            (Some(decimal), _, _) => Decimal(decimal.as_str().unwrap_or_default()).to_value(),
            (_, Some(document), _) => Json(document).to_value(),
            (_, _, Some(bytes)) => Vec::<u8>::deserialize(bytes).unwrap_or_default().to_value(),
            _ => {
                let text = |key: &str| object.get(key).and_then(AnyJson::as_str).unwrap_or_default().to_owned();
                Value::Typed((text("type"), text("text")))
            }
        },
        AnyJson::Array(_) => return Err(LogicError::new("BAD_PARAM", "a param cannot be an array")),
    })
}

santokit_guest::logic!(handle);
