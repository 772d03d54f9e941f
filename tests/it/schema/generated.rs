//! Any schema of the model: made, read back, planned again, grown, read back.

use std::collections::{BTreeMap, BTreeSet};

use proptest::{
    collection::vec,
    prelude::any,
    test_runner::{Config, TestError, TestRunner},
};
use santokit_core::schema::{
    Bounds, Column, ColumnDefault, Generate, Index, Items, PrimaryKey, Reference, ReferenceAction, Schema, Table, Type,
};
use santokit_tests::repository;
use serde_json::json;

use crate::own_database::{ENGINES, Own};

const CASES: u32 = 12;
const SHRINKS_MAX: u32 = 30;

const TABLES: &[&str] = &[
    "orders",
    "select",
    "MixedCase",
    "group",
    "_",
    "a_table_whose_name_is_as_long_as_any_engine_here_will_ever_take",
    "User",
];
const COLUMNS: &[&str] = &[
    "name",
    "from",
    "Value",
    "order",
    "index",
    "_1",
    "userId",
    "a_column_whose_name_is_as_long_as_any_engine_here_will_ever_ta1",
    "a_column_whose_name_is_as_long_as_any_engine_here_will_ever_ta2",
    "default",
];

/// Numbers that decide, one after another.
pub(super) struct Choices<'a>(pub(super) std::iter::Cycle<std::slice::Iter<'a, u16>>);

impl Choices<'_> {
    pub(super) fn below(&mut self, n: usize) -> usize {
        usize::from(*self.0.next().unwrap()) % n
    }

    pub(super) fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }

    /// Once in so many times.
    pub(super) fn once_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }
}

pub(super) fn schema(choices: &mut Choices<'_>) -> Schema {
    let first = choices.below(TABLES.len());
    let names: Vec<&str> = (0..=choices.below(4)).map(|n| TABLES[(first + n) % TABLES.len()]).collect();
    let mut tables: BTreeMap<String, Table> = names.iter().map(|name| ((*name).to_owned(), table(choices))).collect();
    let targets: Vec<(String, String, Type)> = tables
        .iter()
        .flat_map(|(name, table)| {
            let unique = table.columns.iter().filter(|column| column.unique && column.kind != Type::File);
            let unique = unique.map(|column| (name.clone(), column.name.clone(), column.kind));
            unique.chain([(name.clone(), table.id.name.clone(), table.id.kind)]).collect::<Vec<_>>()
        })
        .collect();
    for table in tables.values_mut() {
        for column in &mut table.columns {
            if choices.once_in(4) && !column.unique {
                let (table, target, kind) = targets[choices.below(targets.len())].clone();
                refer(choices, column, &table, &target, kind);
            }
        }
    }
    Schema { tables }
}

pub(super) fn refer(choices: &mut Choices<'_>, column: &mut Column, table: &str, target: &str, kind: Type) {
    if column.kind != kind {
        *column = Column { nullable: column.nullable, ..plain(&column.name, kind) };
    }
    column.bounds = Bounds::NONE;
    let mut actions = vec![ReferenceAction::Restrict, ReferenceAction::NoAction, ReferenceAction::Cascade];
    if column.nullable {
        actions.push(ReferenceAction::SetNull);
    }
    if column.default.is_some() {
        actions.push(ReferenceAction::SetDefault);
    }
    column.references = Some(Reference {
        table: table.to_owned(),
        column: target.to_owned(),
        alias: table.to_owned(),
        on_delete: choices.one(&actions),
        on_update: choices.one(&actions),
    });
}

fn table(choices: &mut Choices<'_>) -> Table {
    let (generate, kind) = choices.one(&[
        (Generate::Ulid, Type::String),
        (Generate::Nanoid, Type::String),
        (Generate::UuidV4, Type::String),
        (Generate::UuidV7, Type::String),
        (Generate::AutoIncrement, Type::Bigint),
        (Generate::Client, Type::String),
        (Generate::Client, Type::Int),
        (Generate::Client, Type::Bigint),
        (Generate::Client, Type::Decimal),
        (Generate::Client, Type::Timestamp),
        (Generate::Client, Type::Bytes),
    ]);
    let id = PrimaryKey { name: choices.one(&["id", "Key", "primary"]).to_owned(), generate, kind };
    let first = choices.below(COLUMNS.len());
    let columns: Vec<Column> =
        (0..choices.below(7)).map(|n| column(choices, COLUMNS[(first + n) % COLUMNS.len()])).collect();
    let mut indexes: Vec<Index> = Vec::new();
    for _ in 0..choices.below(3) {
        indexes.extend(index(choices, &columns).filter(|new| indexes.iter().all(|known| known.columns != new.columns)));
    }
    Table { id, columns, indexes, deprecated: None, sunset: None }
}

fn index(choices: &mut Choices<'_>, columns: &[Column]) -> Option<Index> {
    let can = |column: &&Column| !matches!(column.kind, Type::Json | Type::Array | Type::File);
    let can: Vec<&Column> = columns.iter().filter(can).collect();
    if can.is_empty() {
        return None;
    }
    let first = choices.below(can.len());
    let names = (0..=choices.below(can.len().min(3))).map(|n| can[(first + n) % can.len()].name.clone());
    Some(Index { columns: names.collect(), unique: choices.once_in(3) })
}

fn plain(name: &str, kind: Type) -> Column {
    Column {
        name: name.to_owned(),
        kind,
        nullable: true,
        unique: false,
        default: None,
        items: (kind == Type::Array).then(|| Box::new(Items { kind: Type::Int, items: None })),
        bucket: None,
        on_delete: None,
        bounds: Bounds::NONE,
        references: None,
        renamed_from: None,
        deprecated: None,
        sunset: None,
    }
}

pub(super) fn column(choices: &mut Choices<'_>, name: &str) -> Column {
    let kind = choices.one(Type::ALL);
    let literal = |json| Some(ColumnDefault::Literal(json));
    let default = match kind {
        _ if !choices.once_in(2) => None,
        Type::String | Type::File => {
            literal(json!(choices.one(&["", "x", "it's \"so\" \\ `or`\n-- not", "NULL", "ä€😀"])))
        }
        Type::Int => literal(json!(choices.one(&[0, -1, i32::MAX, i32::MIN]))),
        Type::Bigint => literal(json!(choices.one(&["0", "-9223372036854775808", "9007199254740993"]))),
        Type::Float => literal(json!(choices.one(&[0.5, -1e300, 2.0e-7]))),
        Type::Decimal => literal(json!(choices.one(&["0", "-12.5", "1234567890123456.000001"]))),
        Type::Boolean => literal(json!(choices.once_in(2))),
        Type::Json => {
            literal(choices.one(&[r#"{"a": ["it's", 1.5, null], "b\\": "x"}"#, "[]", "\"text\""]).parse().unwrap())
        }
        Type::Array => literal(json!([1, 2])),
        Type::Timestamp if choices.once_in(2) => Some(ColumnDefault::Now),
        Type::Timestamp => literal(json!(choices.one(&["2020-01-02T03:04:05.678901Z", "1999-12-31T23:59:59.000000Z"]))),
        Type::Bytes => literal(json!(choices.one(&["AP8=", "eA=="]))),
    };
    let length = choices.one(&[None, None, Some(1), Some(255), Some(700), Some(20_000)]);
    // As the project's check has it, a default fits its bounds.
    let long = default.as_ref().is_some_and(
        |default| matches!(default, ColumnDefault::Literal(json) if json.as_str().is_some_and(|text| text.len() > 1)),
    );
    let max_length = length.filter(|length| kind == Type::String && !(long && *length == 1));
    Column {
        nullable: !choices.once_in(3),
        unique: !matches!(kind, Type::Json | Type::Array) && choices.once_in(5),
        default,
        bounds: Bounds { max_length, ..Bounds::NONE },
        ..plain(name, kind)
    }
}

/// More columns, indexes and a table; existing rows would get by with all of it.
fn grown(choices: &mut Choices<'_>, from: &Schema) -> Schema {
    let mut schema = from.clone();
    for table in schema.tables.values_mut() {
        for n in 0..choices.below(3) {
            let mut new = column(choices, &format!("more{n}"));
            new.nullable |= new.default.is_none();
            if new.unique || new.default == Some(ColumnDefault::Now) {
                new.default = None;
                new.nullable = true;
            }
            table.columns.push(new);
        }
        let known: BTreeSet<Vec<String>> = table.indexes.iter().map(|index| index.columns.clone()).collect();
        table.indexes.extend(index(choices, &table.columns).filter(|index| !known.contains(&index.columns)));
    }
    if let Some((name, target)) = from.tables.iter().next().map(|(name, table)| (name.clone(), table.id.clone())) {
        let mut new = table(choices);
        if !new.columns.iter().any(|column| column.name == "refers") && new.id.name != "refers" {
            let mut column = plain("refers", target.kind);
            refer(choices, &mut column, &name, &target.name, target.kind);
            new.columns.push(column);
        }
        schema.tables.insert("newcomer".to_owned(), new);
    }
    schema
}

/// What a catalogue can tell of a declaration.
pub(super) fn as_told(declared: &Schema) -> Schema {
    let mut schema = declared.clone();
    for table in schema.tables.values_mut() {
        if table.id.generate != Generate::AutoIncrement {
            table.id.generate = Generate::Client;
        }
        for column in &mut table.columns {
            column.kind = match column.kind {
                Type::File => Type::String,
                Type::Array => Type::Json,
                kind => kind,
            };
            column.items = None;
            column.bounds = Bounds::NONE;
            column.renamed_from = None;
            if let Some(reference) = &mut column.references {
                reference.alias = String::new();
            }
        }
        // Unique over plain, and one for each list of columns; a single unique column says so itself.
        let mut indexes: BTreeMap<Vec<String>, bool> = BTreeMap::new();
        for index in table.indexes.drain(..) {
            *indexes.entry(index.columns).or_default() |= index.unique;
        }
        for column in &mut table.columns {
            let single = vec![column.name.clone()];
            column.unique |= indexes.get(&single).copied().unwrap_or(false);
            if column.unique {
                indexes.remove(&single);
            }
        }
        table.indexes = indexes.into_iter().map(|(columns, unique)| Index { columns, unique }).collect();
    }
    schema
}

/// The first thing in which they differ, for the head of a long message.
fn difference(told: &Schema, found: &Schema) -> String {
    for name in told.tables.keys().chain(found.tables.keys()) {
        let (Some(told), Some(found)) = (told.tables.get(name), found.tables.get(name)) else {
            return format!("table {name} is on one side only");
        };
        if told.id != found.id {
            return format!("{name}: declared key {:?}, found {:?}", told.id, found.id);
        }
        if told.indexes != found.indexes {
            return format!("{name}: declared indexes {:?}, found {:?}", told.indexes, found.indexes);
        }
        let columns = told.columns.iter().zip(&found.columns);
        if let Some((told, found)) = columns.into_iter().find(|(told, found)| told != found) {
            return format!("{name}: declared {told:?}, found {found:?}");
        }
        if told.columns.len() != found.columns.len() {
            return format!("{name}: declared {} columns, found {}", told.columns.len(), found.columns.len());
        }
    }
    "nothing".to_owned()
}

/// Whether the database was made; a schema that an engine has no tables for is refused before anything is done.
async fn check(engine: &str, steps: &[Schema]) -> Result<bool, String> {
    let own = Own::create(engine).await;
    let mut made = false;
    for (step, declared) in steps.iter().enumerate() {
        let planned = own.plan(declared).await;
        match (own.apply(declared).await, planned) {
            (Ok(taken), Ok(planned)) if taken >= planned.len() => {}
            (Err(refused), Err(planned)) if refused == planned => {
                // SQLite and PostgreSQL have a table for every schema, and grow by all that this adds.
                let may_refuse = engine == "mysql";
                return if may_refuse { Ok(made) } else { Err(format!("step {step} is refused: {refused:?}")) };
            }
            other => return Err(format!("step {step}: apply and plan say {other:?}")),
        }
        made = true;
        let again = own.plan(declared).await;
        if again != Ok(Vec::new()) {
            return Err(format!("step {step}: the second plan is {again:?}"));
        }
        let pulled = own.pull().await;
        let (told, found) = (as_told(declared), as_told(&pulled.schema));
        if told != found {
            return Err(format!("step {step}: {}", difference(&told, &found)));
        }
        let again = own.plan(&pulled.schema).await;
        if again != Ok(Vec::new()) {
            return Err(format!("step {step}: what was pulled needs {again:?}: {:?}", pulled.schema));
        }
    }
    Ok(made)
}

fn steps(numbers: &[u16]) -> [Schema; 2] {
    let mut choices = Choices(numbers.iter().cycle());
    let first = schema(&mut choices);
    let second = grown(&mut choices, &first);
    [first, second]
}

fn every_schema_is_found_as_it_was_declared(engine: &str) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let config = Config { cases: CASES, max_shrink_iters: SHRINKS_MAX, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new(config);
    let made = std::cell::Cell::new(0_u32);
    let ended = runner.run(&vec(any::<u16>(), 150), |numbers| {
        let checked =
            runtime.block_on(check(engine, &steps(&numbers))).map_err(proptest::test_runner::TestCaseError::fail)?;
        made.set(made.get() + u32::from(checked));
        Ok(())
    });
    match ended {
        Ok(()) => assert!(made.get() > CASES / 4, "of {CASES} schemas {} were made", made.get()),
        // A log may be cut: what is wrong comes first, then the schemas.
        Err(TestError::Fail(reason, numbers)) => {
            panic!("{engine}: {reason}\nof {}", serde_json::to_string(&steps(&numbers)).unwrap())
        }
        Err(other) => panic!("{engine}: {other}"),
    }
}

#[test]
fn sqlite_is_found_as_it_was_declared() {
    every_schema_is_found_as_it_was_declared("sqlite");
}

#[test]
fn postgres_is_found_as_it_was_declared() {
    every_schema_is_found_as_it_was_declared("postgres");
}

#[test]
fn mysql_is_found_as_it_was_declared() {
    every_schema_is_found_as_it_was_declared("mysql");
}

/// What failed once, as the message of the failure has it: `tests/cases/schema-found`.
#[tokio::test(flavor = "multi_thread")]
async fn what_failed_once_is_found_as_it_was_declared() {
    let mut seen = 0;
    for entry in std::fs::read_dir(repository().join("tests/cases/schema-found")).unwrap() {
        let path = entry.unwrap().path();
        let steps: Vec<Schema> = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        for engine in ENGINES {
            let checked = check(engine, &steps).await;
            assert_eq!(checked, Ok(true), "{engine}: {}", path.display());
        }
        seen += 1;
    }
    assert!(seen > 0, "the cases are gone");
}
