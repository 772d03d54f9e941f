//! Every type on every engine, there and back through real databases: JSON in, bound, stored, read, JSON bytes out, equal. As
//! values and as JSON, by the same code that answers requests.

use std::time::{Duration, Instant};

use proptest::{
    collection::vec,
    prelude::*,
    test_runner::{Config, TestRunner},
};
use santokit_bridge::db::{Database, DatabaseSettings, JsonLimits, Mode, Share};
use santokit_core::{
    param::{self, Param},
    schema::{Bounds, Type},
    value::Value,
};
use santokit_sql::{
    dialect::Dialect,
    statement::{Bound, OutputColumn, Statement},
};
use serde_json::{Value as Json, json};

use crate::own_database::Own;

/// A database with a table that has a column of each type, and what keeps it.
struct Store {
    database: Database,
    /// Dropped last.
    _own: Own,
}

const KINDS: [Type; 11] = [
    Type::String,
    Type::Int,
    Type::Bigint,
    Type::Float,
    Type::Decimal,
    Type::Boolean,
    Type::Json,
    Type::Timestamp,
    Type::Bytes,
    Type::File,
    Type::Array,
];
const LIMITS: JsonLimits = JsonLimits { rows: 10, bytes: 50_000_000 };

#[tokio::test(flavor = "multi_thread")]
async fn on_sqlite() {
    all(Dialect::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_postgres() {
    all(Dialect::Postgres).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_mysql() {
    all(Dialect::Mysql).await;
}

async fn all(dialect: Dialect) {
    let store = Store::new(dialect).await;
    for (kind, json) in edges(dialect) {
        store.round_trip(kind, &json).await;
    }
    for kind in KINDS {
        store.round_trip(kind, &Json::Null).await;
        let mut runner = TestRunner::new(Config { cases: 24, failure_persistence: None, ..Config::default() });
        let values = strategy(kind);
        for _ in 0..runner.config().cases {
            let json = values.new_tree(&mut runner).unwrap().current();
            store.round_trip(kind, &json).await;
        }
    }
    store.long_decimals(dialect).await;
    store.what_does_not_fit_is_refused_as_a_value(dialect).await;
    store.one_text_with_other_types().await;
}

impl Store {
    async fn new(dialect: Dialect) -> Self {
        let own = Own::create(dialect.as_str()).await;
        let settings = DatabaseSettings { pool_size: 4, ..DatabaseSettings::default() };
        let store = Self { database: own.open(&settings), _own: own };
        let columns: Vec<String> =
            KINDS.iter().map(|kind| format!("c_{} {}", kind.as_str(), native(dialect, *kind))).collect();
        store.execute(&format!("CREATE TABLE t ({})", columns.join(", ")), Vec::new()).await.unwrap();
        store
    }

    /// By the param's own check, as requests come in.
    async fn round_trip(&self, kind: Type, json: &Json) {
        let param =
            Param { name: "p".to_owned(), kind, required: false, default: None, items: None, bounds: Bounds::NONE };
        let value = param::to_value(&param, Some(json)).unwrap_or_else(|error| panic!("{kind:?} {json}: {error}"));
        let (back, bytes) = self.there_and_back(kind, value.clone()).await;
        let found: Json = serde_json::from_slice(&bytes)
            .unwrap_or_else(|error| panic!("{kind:?} {json}: no JSON ({error}): {}", String::from_utf8_lossy(&bytes)));
        let found = &found[0]["value"];
        match (kind, found.as_str(), json.as_str()) {
            // The zeros at the end are not kept on every engine.
            (Type::Decimal, Some(found), Some(sent)) => assert_eq!(without_zeros(found), without_zeros(sent)),
            _ => assert_eq!(found, json, "{kind:?}"),
        }
        match kind {
            // Spaces and the order of keys are the engine's.
            Type::Json | Type::Array => {
                let text = |value: &Value| match value {
                    Value::Typed(_, text) => serde_json::from_str(text).unwrap(),
                    _ => Json::Null,
                };
                assert_eq!(text(&back), text(&value));
            }
            Type::Decimal => {}
            _ => assert_eq!(back, value, "{kind:?} {json}"),
        }
    }

    /// Written, found again by its value, read.
    async fn there_and_back(&self, kind: Type, value: Value) -> (Value, Vec<u8>) {
        let column = format!("c_{}", kind.as_str());
        let deadline = deadline();
        let mut session = self.database.begin(Mode::Write, Share::Platform, deadline).await.unwrap();
        let insert = self.statement(&format!("INSERT INTO t ({column}) VALUES (?)"), vec![bound(kind, value)], &[]);
        let done = session
            .execute(&insert, deadline)
            .await
            .unwrap_or_else(|error| panic!("{kind:?}: {error} {}", error.message));
        assert_eq!(done.affected, 1);
        let select = self.statement(&format!("SELECT {column} FROM t"), Vec::new(), &[("value", kind)]);
        let rows = session.rows(&select, deadline).await.unwrap();
        let json = session.json(&select, LIMITS, deadline).await.unwrap();
        assert_eq!((rows.len(), json.rows, json.cut), (1, 1, None));
        session.rollback(deadline).await.unwrap();
        (rows[0][0].clone(), json.bytes)
    }

    /// As many digits as the engines have in common: what comes back is what was sent, and it compares as a number.
    async fn long_decimals(&self, dialect: Dialect) {
        let whole = "12345678901234567890123456789012345";
        for digits in [
            format!("{whole}.123456789012345678901234567891"),
            format!("-{whole}.000000000000000000000000000001"),
            format!("0.{}1", "0".repeat(29)),
            "9".repeat(35),
        ] {
            let value = Value::Typed("decimal".to_owned(), digits.clone());
            let (back, bytes) = self.there_and_back(Type::Decimal, value.clone()).await;
            assert_eq!(back, value);
            assert_eq!(String::from_utf8(bytes).unwrap(), format!("[{{\"value\":\"{digits}\"}}]"));
        }
        // Two that a floating point number cannot tell apart.
        let (a, b) = (format!("{whole}.1"), format!("{whole}.2"));
        let comparison = match dialect {
            Dialect::Sqlite => "SELECT ? < ? COLLATE stk_decimal",
            Dialect::Postgres | Dialect::Mysql => "SELECT ? < ?",
        };
        for (left, right, expected) in [(&a, &b, true), (&b, &a, false), (&a, &a, false)] {
            let decimal = |digits: &String| bound(Type::Decimal, Value::Typed("decimal".to_owned(), digits.clone()));
            let statement =
                self.statement(comparison, vec![decimal(left), decimal(right)], &[("value", Type::Boolean)]);
            let rows = self.database.rows(Mode::Read, &statement, deadline()).await.unwrap();
            assert_eq!(rows, [[Value::Boolean(expected)]], "{left} < {right}");
        }
    }

    async fn what_does_not_fit_is_refused_as_a_value(&self, dialect: Dialect) {
        if dialect == Dialect::Sqlite {
            return;
        }
        let wide = vec![bound(Type::Bigint, Value::Int64(i64::MAX))];
        let error = self.execute("INSERT INTO t (c_int) VALUES (?)", wide).await.unwrap_err();
        assert_eq!(error.kind.as_str(), "value", "{} {}", error.code, error.message);
        let problem = error.problem();
        assert_eq!(problem.code.as_str(), "BAD_REQUEST");
        assert!(!problem.message.contains("c_int"), "{}", problem.message);
    }

    /// Prepared statements are kept by their text: a float must not be read as the whole number that was bound before.
    async fn one_text_with_other_types(&self) {
        for (kind, value, expected) in [
            (Type::Bigint, Value::Int64(1), "1"),
            (Type::Float, Value::Float64(1.5), "1.5"),
            (Type::Int, Value::Int64(2), "2"),
            (Type::String, Value::Text("x".to_owned()), "x"),
            (Type::Bigint, Value::Int64(3), "3"),
        ] {
            let sql = if self.database.dialect() == Dialect::Mysql {
                "SELECT CAST(? AS CHAR)"
            } else {
                "SELECT CAST(? AS TEXT)"
            };
            let statement = self.statement(sql, vec![bound(kind, value)], &[("value", Type::String)]);
            let rows = self.database.rows(Mode::Read, &statement, deadline()).await.unwrap();
            assert_eq!(rows, [[Value::Text(expected.to_owned())]]);
        }
    }

    async fn execute(&self, sql: &str, params: Vec<Bound>) -> Result<(), santokit_bridge::db::DbError> {
        self.database.execute(&self.statement(sql, params, &[]), deadline()).await.map(drop)
    }

    fn statement(&self, sql: &str, params: Vec<Bound>, columns: &[(&str, Type)]) -> Statement {
        let mut number = 0;
        let sql = sql.split('?').collect::<Vec<_>>();
        let numbered = sql.iter().skip(1).fold(sql[0].to_owned(), |text, part| {
            number += 1;
            match self.database.dialect() {
                Dialect::Sqlite => format!("{text}?{number}{part}"),
                Dialect::Postgres => format!("{text}${number}{part}"),
                Dialect::Mysql => format!("{text}?{part}"),
            }
        });
        let column = |(name, kind): &(&str, Type)| OutputColumn { name: (*name).to_owned(), kind: *kind };
        Statement { sql: numbered, params, columns: columns.iter().map(column).collect() }
    }
}

/// The mapping of types, for one column.
fn native(dialect: Dialect, kind: Type) -> &'static str {
    let index = KINDS.iter().position(|known| *known == kind).unwrap();
    let all: [&str; 11] = match dialect {
        Dialect::Sqlite => [
            "TEXT",
            "INTEGER",
            "BIGINT",
            "REAL",
            "DECIMAL_TEXT",
            "BOOLEAN",
            "JSON_TEXT",
            "TIMESTAMP_TEXT",
            "BLOB",
            "TEXT",
            "JSON_TEXT",
        ],
        Dialect::Postgres => [
            "text",
            "integer",
            "bigint",
            "double precision",
            "numeric",
            "boolean",
            "jsonb",
            "timestamptz",
            "bytea",
            "text",
            "jsonb",
        ],
        Dialect::Mysql => [
            "LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
            "INT",
            "BIGINT",
            "DOUBLE",
            "DECIMAL(65,30)",
            "TINYINT(1)",
            "JSON",
            "DATETIME(6)",
            "LONGBLOB",
            "VARCHAR(1024) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
            "JSON",
        ],
    };
    all[index]
}

/// What each type has at its ends.
fn edges(dialect: Dialect) -> Vec<(Type, Json)> {
    let mut edges = vec![
        (Type::Int, json!(i32::MIN)),
        (Type::Int, json!(i32::MAX)),
        (Type::Int, json!(0)),
        (Type::Bigint, json!(i64::MIN.to_string())),
        (Type::Bigint, json!(i64::MAX.to_string())),
        (Type::Bigint, json!("9007199254740993")),
        (Type::Float, json!(f64::MIN)),
        (Type::Float, json!(f64::MAX)),
        (Type::Float, json!(f64::MIN_POSITIVE)),
        (Type::Float, json!(0.1)),
        (Type::Float, json!(-1.0)),
        (Type::Boolean, json!(true)),
        (Type::Boolean, json!(false)),
        (Type::Bytes, json!("")),
        (Type::Bytes, json!("AP9BAA==")),
        (Type::Bytes, json!("QUJD".repeat(350_000))),
        (Type::String, json!("")),
        (Type::String, json!("x".repeat(1_000_000))),
        (Type::Array, json!([])),
        (Type::Array, json!([[1], [], ["a"]])),
        (Type::Json, json!({})),
        (Type::Json, json!(null)),
        (Type::Json, json!("text with \" and \\ and \u{7f}")),
        (Type::Json, json!(9_007_199_254_740_993_i64)),
        (Type::Json, json!({"b": 1, "a": [true, null, {"ü": "\u{1F600}"}], "": -0.5})),
        (Type::File, json!("folder/a b+ü.png")),
    ];
    // MariaDB takes no more levels (`JSON_DEPTH_LIMIT`).
    let depth = if dialect == Dialect::Mysql { 31 } else { 100 };
    edges.push((Type::Json, (0..depth).fold(json!(1), |inner, _| json!([inner]))));
    for time in [
        "0001-01-01T00:00:00.000000Z",
        "9999-12-31T23:59:59.999999Z",
        "1970-01-01T00:00:00.000000Z",
        "2026-02-28T23:59:59.000001Z",
        "1582-10-10T12:00:00.500000Z",
        "2026-03-29T02:30:00.000000Z",
    ] {
        edges.push((Type::Timestamp, json!(time)));
    }
    let (most, least) = (format!("-{}.{}", "9".repeat(35), "9".repeat(30)), format!("0.{}1", "0".repeat(29)));
    for digits in ["0", "-0.5", "1.50", "100", &most, &least] {
        edges.push((Type::Decimal, json!(digits)));
    }
    for text in [
        "trailing   ",
        "   leading",
        "\t\n\r",
        "a\\b'c\"d`e",
        "%_\\%",
        "Ähre ß İ",
        "e\u{301}",
        "\u{1F468}\u{200D}\u{1F469}",
        "\u{10FFFF}",
        "-- ; DROP TABLE t",
        "$1 ? :x /*",
        "NULL",
        "\u{FEFF}bom",
        "\u{1}\u{1f}",
    ] {
        edges.push((Type::String, json!(text)));
        edges.push((Type::Json, json!({ text: text })));
    }
    edges
}

fn strategy(kind: Type) -> BoxedStrategy<Json> {
    let text = vec(any::<char>().prop_filter("no engine takes it", |c| *c != '\0'), 0..40)
        .prop_map(|chars| chars.into_iter().collect::<String>());
    match kind {
        Type::String | Type::File => text.prop_map(Json::from).boxed(),
        Type::Int => any::<i32>().prop_map(Json::from).boxed(),
        Type::Bigint => any::<i64>().prop_map(|number| Json::from(number.to_string())).boxed(),
        Type::Float => any::<f64>().prop_filter("finite", |n| n.is_finite()).prop_map(Json::from).boxed(),
        Type::Decimal => "-?(0|[1-9][0-9]{0,34})(\\.[0-9]{1,30})?".prop_map(Json::from).boxed(),
        Type::Boolean => any::<bool>().prop_map(Json::from).boxed(),
        Type::Timestamp => (-62_135_596_800_000_000_i64..253_402_300_800_000_000)
            .prop_map(|micros| {
                let time = chrono::DateTime::from_timestamp_micros(micros).unwrap();
                Json::from(time.to_rfc3339_opts(chrono::SecondsFormat::Micros, true))
            })
            .boxed(),
        Type::Bytes => vec(any::<u8>(), 0..60)
            .prop_map(|bytes| {
                use base64::Engine as _;
                Json::from(base64::engine::general_purpose::STANDARD.encode(bytes))
            })
            .boxed(),
        Type::Json => json_strategy(text.boxed()),
        Type::Array => vec(json_strategy(text.boxed()), 0..4).prop_map(Json::from).boxed(),
    }
}

fn json_strategy(text: BoxedStrategy<String>) -> BoxedStrategy<Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        text.clone().prop_map(Json::from),
    ];
    leaf.prop_recursive(4, 24, 4, move |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Json::from),
            vec((text.clone(), inner), 0..4)
                .prop_map(|fields| Json::Object(fields.into_iter().collect::<serde_json::Map<_, _>>())),
        ]
    })
    .boxed()
}

fn without_zeros(digits: &str) -> &str {
    let digits = if digits.contains('.') { digits.trim_end_matches('0').trim_end_matches('.') } else { digits };
    if digits == "-0" { "0" } else { digits }
}

fn bound(kind: Type, value: Value) -> Bound {
    Bound { kind, value }
}

fn deadline() -> Instant {
    Instant::now() + Duration::from_mins(1)
}
