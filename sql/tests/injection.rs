//! Names and values that want to be more than that. Whatever they are, a statement keeps the skeleton that it has with harmless ones: a
//! name stays one quoted name, and a value is nowhere in the text.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use santokit_core::{
    access::predicate::{Field, Operand, Predicate, TextTest},
    schema::Type,
    value::Value,
};
use santokit_sql::{
    dialect::Dialect,
    plan::{
        Aggregate, Cell, Check, Column, Comparison, Condition, Conflict, Count, Delete, Direction, Existing, Function,
        Insert, Keys, Measure, OnConflict, Position, Related, Select, SortKey, Source, Target, Update,
    },
    render::{self, RenderError},
    statement::Statement,
};

const NAMES: &[&str] = &[
    "select",
    "ORDER",
    "a\"b",
    "\"",
    "\"\"",
    "`",
    "``",
    "a`b",
    "a\\",
    "\\\"",
    "a\\`b",
    "'",
    "a'b",
    "x\"; DROP TABLE t; --",
    "x`; DROP TABLE t; #",
    "a b",
    "a.b",
    "\u{201d}",
    "é",
    "表",
    "😀",
    "a\nb",
    "a\r\n--",
    "/*",
    "*/",
    "$1",
    "?",
    ":name",
    "@a",
    "]",
    "[x]",
    "%s",
    "{0}",
    "stk",
    "NULL",
    "\u{feff}a",
    "\u{202e}b",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
];

const VALUES: &[&str] = &[
    "",
    "'",
    "''",
    "\\'",
    "' OR '1'='1",
    "\" OR 1=1 --",
    "; DROP TABLE t",
    "$1",
    "?",
    "%",
    "_",
    "!",
    "\\",
    "\\%",
    "[a]*?",
    "a%00",
    "/*",
    "--",
    "#",
    "\u{2019}",
    "x' UNION SELECT * FROM u --",
    "{\"$ne\": null}",
    "\r\n",
    "😀",
    "\u{0}",
];

/// A sequence that a seed determines (splitmix64).
struct Chance(u64);

impl Chance {
    fn below(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((z ^ (z >> 31)) % most as u64).unwrap()
    }

    fn name(&mut self) -> String {
        let (one, other) = (NAMES[self.below(NAMES.len())], NAMES[self.below(NAMES.len())]);
        let name = if self.below(2) == 0 { one.to_owned() } else { format!("{one}{other}") };
        name.chars().take(63).collect()
    }
}

/// Everything that has a name in it, with these names; and the same values everywhere.
struct Names {
    table: String,
    other: String,
    key: String,
    text: String,
}

fn column(name: &str) -> Column {
    Column { name: name.to_owned(), kind: Type::String, nullable: true, is_listed: false }
}

impl Names {
    fn rule(&self, value: &str) -> Predicate {
        let field = || Field { name: Arc::from(self.text.as_str()), kind: Type::String };
        let of = |value: &str| Operand::Value { kind: Type::String, value: Value::Text(value.to_owned()) };
        Predicate::Any(vec![
            Predicate::Not(Box::new(Predicate::Same(field(), of(value)))),
            Predicate::OneOf(field(), vec![of(value), of(value)]),
            Predicate::Text { subject: Operand::Field(field()), test: TextTest::EndsWith, wanted: of(value) },
            Predicate::IsNull(field()),
        ])
    }

    fn source(&self, value: &str) -> Source {
        let text = || column(&self.text);
        let related = Related {
            local: column(&self.key),
            table: self.other.clone(),
            remote: column(&self.text),
            rule: self.rule(value),
            condition: Condition::Contains(text(), value.to_owned()),
        };
        let filter = Condition::All(vec![
            Condition::Compare(text(), Comparison::Equal, Value::Text(value.to_owned())),
            Condition::Not(Box::new(Condition::OneOf(text(), vec![Value::Text(value.to_owned())]))),
            Condition::Like { column: text(), pattern: value.to_owned(), case_sensitive: true },
            Condition::Like { column: text(), pattern: value.to_owned(), case_sensitive: false },
            Condition::Related(Box::new(related)),
        ]);
        let keys = Keys { column: column(&self.key), values: vec![Value::Text(value.to_owned())] };
        Source { table: self.table.clone(), rule: self.rule(value), filter, keys: Some(keys) }
    }

    fn statements(&self, value: &str, dialect: Dialect) -> Result<Vec<Statement>, RenderError> {
        let (key, text) = (column(&self.key), column(&self.text));
        let source = self.source(value);
        let sorted = |column: &Column, direction| SortKey { column: column.clone(), direction };
        let order = vec![sorted(&text, Direction::Descending), sorted(&key, Direction::Ascending)];
        let of = |value: &str| Value::Text(value.to_owned());
        let select = |distinct| Select {
            source: source.clone(),
            columns: vec![key.clone(), text.clone()],
            distinct,
            order: order.clone(),
            after: Some(Position(vec![of(value), of(value)])),
            limit: Some(10),
            offset: 5,
        };
        let aggregate = Aggregate {
            source: source.clone(),
            groups: vec![text.clone()],
            measures: vec![Measure { name: "m".to_owned(), function: Function::Maximum(key.clone()) }],
            order: vec![sorted(&text, Direction::Ascending)],
            limit: Some(1),
            offset: 0,
        };
        let mut insert = Insert {
            table: self.table.clone(),
            key: key.clone(),
            auto_increment: false,
            columns: vec![key.clone(), text.clone()],
            rows: vec![vec![Cell::Value(of(value)), Cell::Value(of(value))]],
            conflict: Some(Conflict {
                columns: vec![key.clone()],
                action: OnConflict::Update { set: vec![text.clone()], rule: self.rule(value) },
            }),
            check: self.rule(value),
            returning: vec![text.clone()],
            visible: self.rule(value),
            tells_new: false,
        };
        let target = |keys| Target {
            table: self.table.clone(),
            key: key.clone(),
            rule: self.rule(value),
            filter: source.filter.clone(),
            keys,
        };
        let keys = |by_key: bool| by_key.then(|| Keys { column: key.clone(), values: vec![of(value)] });
        let by_key = dialect == Dialect::Mysql;
        let update = Update {
            target: target(keys(by_key)),
            set: vec![(text.clone(), of(value))],
            check: self.rule(value),
            returning: vec![key.clone()],
        };
        let delete = Delete { target: target(keys(by_key)), returning: vec![key.clone()] };
        let check = Check { table: self.table.clone(), keys: keys(true).unwrap(), predicate: self.rule(value) };
        let mut statements = vec![
            render::select(&select(false), dialect)?,
            render::select(&select(true), dialect)?,
            render::count(&Count { source: source.clone(), distinct: vec![text.clone()] }, dialect)?,
            render::aggregate(&aggregate, dialect)?.statement,
            render::existing(Existing(&insert), dialect)?,
            render::update(&update, dialect)?,
            render::delete(&delete, dialect)?,
            render::lock(&target(None), 10, dialect)?,
            render::check(&check, dialect)?,
        ];
        insert.conflict = insert.conflict.filter(|_| !by_key);
        statements.extend(render::insert(&insert, dialect)?);
        // One row by itself, whose check is a part of the statement.
        insert.conflict = None;
        statements.extend(render::insert(&insert, dialect)?);
        Ok(statements)
    }
}

/// The text with each quoted name replaced by its number, and the names; read as the engine reads it.
fn skeleton(sql: &str, dialect: Dialect) -> (String, Vec<String>) {
    let quote = if dialect == Dialect::Mysql { '`' } else { '"' };
    let (mut text, mut names) = (String::new(), Vec::new());
    let mut chars = sql.chars().peekable();
    while let Some(c) = chars.next() {
        if c == '\'' {
            // Our own literals hold no quote.
            text.push(c);
            for inside in chars.by_ref() {
                text.push(inside);
                if inside == '\'' {
                    break;
                }
            }
        } else if c == quote {
            let mut name = String::new();
            loop {
                match chars.next() {
                    None => panic!("a name has no end: {sql}"),
                    Some(inside) if inside == quote && chars.peek() == Some(&quote) => {
                        chars.next();
                        name.push(quote);
                    }
                    Some(inside) if inside == quote => break,
                    Some(inside) => name.push(inside),
                }
            }
            text.push_str("<name>");
            names.push(name);
        } else {
            text.push(c);
        }
    }
    (text, names)
}

fn plain() -> Names {
    Names { table: "t".to_owned(), other: "u".to_owned(), key: "k".to_owned(), text: "v".to_owned() }
}

#[test]
fn a_name_stays_one_quoted_name() {
    let mut chance = Chance(1);
    for round in 0..500 {
        let names = Names { table: chance.name(), other: chance.name(), key: chance.name(), text: chance.name() };
        for dialect in Dialect::ALL {
            let expected = plain().statements("x", *dialect).unwrap();
            let found = names.statements("x", *dialect).unwrap();
            assert_eq!(expected.len(), found.len());
            for (expected, found) in expected.iter().zip(&found) {
                let (expected_text, expected_names) = skeleton(&expected.sql, *dialect);
                let (text, spelled) = skeleton(&found.sql, *dialect);
                assert_eq!(text, expected_text, "round {round}, {dialect:?}: {}", found.sql);
                let meant = expected_names.iter().map(|name| match name.as_str() {
                    "t" => names.table.as_str(),
                    "u" => names.other.as_str(),
                    "k" => names.key.as_str(),
                    "v" => names.text.as_str(),
                    ours => {
                        assert!(ours.starts_with("stk_") || ours == "count" || ours == "C", "{ours}");
                        ours
                    }
                });
                assert!(meant.eq(spelled.iter().map(String::as_str)), "round {round}, {dialect:?}: {}", found.sql);
                assert_eq!(found.params, expected.params);
            }
        }
    }
}

#[test]
fn a_value_is_bound_and_nowhere_in_a_text() {
    for dialect in Dialect::ALL {
        let expected = plain().statements("x", *dialect).unwrap();
        for value in VALUES {
            if value.contains('\0') {
                // No engine keeps it alike: it is refused before it gets there, and here too.
                assert_eq!(plain().statements(value, *dialect).unwrap_err(), RenderError::Value { kind: Type::String });
                continue;
            }
            let found = plain().statements(value, *dialect).unwrap();
            for (expected, found) in expected.iter().zip(&found) {
                assert_eq!(found.sql, expected.sql, "{value:?}");
                assert_eq!(found.params.len(), expected.params.len());
                let placeholders = match dialect {
                    Dialect::Postgres => found.sql.matches('$').count(),
                    Dialect::Sqlite | Dialect::Mysql => found.sql.matches('?').count(),
                };
                assert_eq!(placeholders, found.params.len(), "{}", found.sql);
            }
        }
    }
}

#[test]
fn what_is_no_name_is_refused() {
    for bad in ["", "a\0b"] {
        for dialect in Dialect::ALL {
            let names = Names { table: bad.to_owned(), ..plain() };
            assert!(matches!(names.statements("x", *dialect), Err(RenderError::Plan(_))), "{bad:?}");
        }
    }
}

#[test]
fn a_value_of_another_form_is_refused() {
    let typed = |name: &str, text: &str| Value::Typed(name.to_owned(), text.to_owned());
    for (kind, value) in [
        (Type::Int, Value::Text("1".to_owned())),
        (Type::Float, Value::Float64(f64::NAN)),
        (Type::Float, Value::Float64(f64::INFINITY)),
        (Type::Decimal, typed("decimal", "1e5")),
        (Type::Decimal, typed("decimal", "1; DROP TABLE t")),
        (Type::Decimal, typed("decimal", "")),
        (Type::Decimal, Value::Float64(1.0)),
        (Type::Timestamp, typed("timestamp", "2026-01-31T12:00:00Z")),
        (Type::Timestamp, typed("timestamp", "2026-01-31T12:00:00.000000+")),
        (Type::Timestamp, typed("decimal", "1")),
        (Type::Boolean, Value::Int64(1)),
        (Type::Bytes, Value::Text("a".to_owned())),
        (Type::Bigint, Value::Null),
    ] {
        let column = Column { name: "c".to_owned(), kind, nullable: true, is_listed: false };
        let mut source = Source::of("t", Predicate::ALWAYS);
        source.filter = Condition::Compare(column, Comparison::Equal, value.clone());
        for dialect in Dialect::ALL {
            let found = render::count(&Count { source: source.clone(), distinct: Vec::new() }, *dialect);
            assert_eq!(found, Err(RenderError::Value { kind }), "{value:?}");
        }
    }
}

#[test]
fn a_statement_binds_no_more_than_the_engine_takes() {
    let key = Column { name: "k".to_owned(), kind: Type::Bigint, nullable: false, is_listed: false };
    let keys = |count: i64| Keys { column: key.clone(), values: (0..count).map(Value::Int64).collect() };
    let of = |count| Count {
        source: Source { keys: Some(keys(count)), ..Source::of("t", Predicate::ALWAYS) },
        distinct: Vec::new(),
    };
    for dialect in Dialect::ALL {
        assert_eq!(render::count(&of(10_001), *dialect).unwrap().params.len(), 16_384);
        assert!(matches!(render::count(&of(70_000), *dialect), Err(RenderError::TooManyParams { .. })));
        // Rows that do not fit into one statement are in several.
        let columns: Vec<Column> = (0..200)
            .map(|n| Column { name: format!("c{n}"), kind: Type::Int, nullable: true, is_listed: false })
            .collect();
        let insert = Insert {
            table: "t".to_owned(),
            key: key.clone(),
            auto_increment: false,
            rows: vec![vec![Cell::Value(Value::Int64(1)); columns.len()]; 1_000],
            columns,
            conflict: None,
            check: Predicate::ALWAYS,
            returning: Vec::new(),
            visible: Predicate::ALWAYS,
            tells_new: false,
        };
        let statements = render::insert(&insert, *dialect).unwrap();
        assert!(statements.iter().all(|statement| statement.params.len() <= dialect.params_max()));
        assert_eq!(statements.iter().map(|statement| statement.params.len()).sum::<usize>(), 200_000);
    }
}
