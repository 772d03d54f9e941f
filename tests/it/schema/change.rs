//! Changes that are not additions, on databases with rows: what is refused without consent, what is kept, and where it ends.

use proptest::{
    collection::vec,
    prelude::any,
    test_runner::{Config, TestCaseError, TestError, TestRunner},
};
use santokit_core::{
    code::Code,
    schema::{Column, Generate, ReferenceAction, Schema, Table, Type},
};
use santokit_hub::app::schema::{self, Consent, Wanted};
use serde_json::{Value as Json, json};

use super::generated::{self, Choices, as_told, refer};
use crate::own_database::{ENGINES, Own};

const CASES: u32 = 10;
const SHRINKS_MAX: u32 = 20;

fn declared(tables: &Json) -> Schema {
    serde_json::from_value(json!({"tables": tables})).unwrap()
}

fn table(columns: &Json) -> Json {
    json!({"id": {"name": "id", "generate": "client", "type": "string"}, "columns": columns})
}

/// What it is about, the columns of `t` before and after, the values of its rows `a` and `b` before and after, and the flag that it wants.
type Case = (&'static str, Json, Json, &'static str, [Json; 2], &'static str);

fn changes() -> Vec<Case> {
    let int = |more: Json| {
        let mut column = json!({"name": "v", "type": "int", "nullable": true});
        column.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!([column])
    };
    let kind = |kind: &str| int(json!({"type": kind}));
    let reference = json!({"table": "t", "column": "id", "as": "t", "onDelete": "cascade", "onUpdate": "restrict"});
    let refers = |on_delete: &str| {
        let mut to = reference.clone();
        to["onDelete"] = json!(on_delete);
        json!([{"name": "v", "type": "string", "nullable": true, "references": to}])
    };
    let text = json!([{"name": "v", "type": "string", "nullable": true}]);
    vec![
        ("wider whole", kind("int"), kind("bigint"), "7, NULL", [json!("7"), Json::Null], "--force"),
        ("decimal", kind("int"), kind("decimal"), "7, NULL", [json!("7"), Json::Null], "--force"),
        ("double", kind("int"), kind("float"), "7, NULL", [json!("7"), Json::Null], "--force"),
        ("text", kind("int"), kind("string"), "7, NULL", [json!("7"), Json::Null], "--force"),
        (
            "a value is required",
            kind("int"),
            int(json!({"nullable": false})),
            "7, 8",
            [json!("7"), json!("8")],
            "--force",
        ),
        (
            "a value is required, and there is a default",
            kind("int"),
            int(json!({"nullable": false, "default": {"literal": 5}})),
            "7, NULL",
            [json!("7"), json!("5")],
            "--force",
        ),
        ("no value is required", int(json!({"nullable": false})), kind("int"), "7, 8", [json!("7"), json!("8")], ""),
        ("a default", kind("int"), int(json!({"default": {"literal": 3}})), "7, NULL", [json!("7"), Json::Null], ""),
        ("no default", int(json!({"default": {"literal": 3}})), kind("int"), "7, NULL", [json!("7"), Json::Null], ""),
        ("unique no more", int(json!({"unique": true})), kind("int"), "7, 8", [json!("7"), json!("8")], ""),
        ("a reference", text.clone(), refers("cascade"), "'a', NULL", [json!("a"), Json::Null], ""),
        ("no reference", refers("cascade"), text.clone(), "'a', NULL", [json!("a"), Json::Null], ""),
        ("another reference", refers("cascade"), refers("restrict"), "'a', NULL", [json!("a"), Json::Null], ""),
        (
            "another name",
            json!([{"name": "w", "type": "int", "nullable": true, "unique": true}]),
            int(json!({"unique": true, "renamedFrom": "w"})),
            "7, NULL",
            [json!("7"), Json::Null],
            "--migration-window",
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn every_change_keeps_the_rows_and_asks_for_what_it_needs() {
    for engine in ENGINES {
        // SQLite has one type for both of the first.
        let skipped = usize::from(engine == "sqlite");
        for (what, before, after, values, found, consent) in changes().into_iter().skip(skipped) {
            let own = Own::create(engine).await;
            let (before, after) = (declared(&json!({"t": table(&before)})), declared(&json!({"t": table(&after)})));
            own.apply(&before).await.unwrap();
            let old = &before.tables["t"].columns[0].name;
            let (one, two) = values.split_once(", ").unwrap();
            own.execute(&format!("INSERT INTO t (id, {old}) VALUES ('a', {one})")).await;
            own.execute(&format!("INSERT INTO t (id, {old}) VALUES ('b', {two})")).await;
            let asked = own.apply(&after).await;
            // There, a text of any length has no index, and so no reference: it becomes a shorter one.
            let consent = if engine == "mysql" && what == "a reference" { "--force" } else { consent };
            if !consent.is_empty() {
                let refused = asked.expect_err(what);
                assert!(refused.iter().all(|line| line.contains(consent)), "{engine}, {what}: {refused:?}");
                let forced = own.force(&before, &after).await;
                let forced = forced.unwrap_or_else(|problem| panic!("{engine}, {what}: {problem:?}"));
                forced.unwrap_or_else(|refused| panic!("{engine}, {what}: {refused:?}"));
            }
            assert_eq!(own.plan(&after).await, Ok(Vec::new()), "{engine}, {what}");
            assert_eq!(as_told(&own.pull().await.schema), as_told(&after), "{engine}, {what}");
            for (id, expected) in ["a", "b"].iter().zip(found) {
                let text = if engine == "mysql" { "CAST(v AS CHAR)" } else { "CAST(v AS TEXT)" };
                let sql = format!("SELECT coalesce({text}, '-') FROM t WHERE id = '{id}'");
                let is = own.text(&sql).await;
                let expected = expected.as_str().unwrap_or("-");
                // A number may be told with its point, and MySQL tells every place of a decimal.
                let told = if is.contains('.') { is.trim_end_matches('0').trim_end_matches('.') } else { is.as_str() };
                assert_eq!(told, expected, "{engine}, {what}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_column_and_a_table_go_only_if_it_is_meant() {
    let column =
        |name: &str| json!({"name": name, "type": "string", "nullable": true, "maxLength": 50, "unique": true});
    let to_u = json!({"table": "u", "column": "id", "as": "u", "onDelete": "cascade", "onUpdate": "restrict"});
    let refers = json!({"name": "u", "type": "string", "nullable": true, "references": to_u});
    let before =
        declared(&json!({"t": table(&json!([column("kept"), column("gone"), refers])), "u": table(&json!([]))}));
    let after = declared(&json!({"t": table(&json!([column("kept")]))}));
    for engine in ENGINES {
        let own = Own::create(engine).await;
        own.apply(&before).await.unwrap();
        own.execute("CREATE TABLE others (id INT PRIMARY KEY)").await;
        own.execute("INSERT INTO u (id) VALUES ('u')").await;
        own.execute("INSERT INTO t (id, kept, gone, u) VALUES ('a', 'k', 'g', 'u')").await;
        let refused = own.apply(&after).await.unwrap_err();
        assert!(refused.iter().any(|line| line.contains("--force")), "{engine}: {refused:?}");
        assert_eq!(own.text("SELECT gone FROM t").await, "g", "{engine}: nothing was done");
        let steps = own.force(&before, &after).await.unwrap().unwrap().join("\n");
        assert!(steps.contains("drop table u") && steps.contains("drop column t.gone"), "{engine}: {steps}");
        assert_eq!(own.text("SELECT kept FROM t").await, "k", "{engine}");
        assert_eq!(own.plan(&after).await, Ok(Vec::new()), "{engine}");
        // A table that no release declared is nobody's to drop.
        own.execute("INSERT INTO others (id) VALUES (1)").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_could_lose_values_is_refused_with_what_to_do_instead() {
    let column = |kind: &str| json!([{"name": "v", "type": kind, "nullable": true}]);
    for engine in ENGINES {
        for (from, to) in
            [("string", "int"), ("bigint", "int"), ("float", "decimal"), ("json", "string"), ("timestamp", "int")]
        {
            let own = Own::create(engine).await;
            let (before, after) =
                (declared(&json!({"t": table(&column(from))})), declared(&json!({"t": table(&column(to))})));
            own.apply(&before).await.unwrap();
            let planned = own.force(&before, &after).await.unwrap();
            let refused = planned.expect_err(&format!("{engine}: {from} becomes {to}")).join("\n");
            assert!(refused.contains("add a column of the new type"), "{engine}: {refused}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_do_not_fit_stop_the_step_and_are_as_they_were() {
    let column = |nullable: bool| json!([{"name": "v", "type": "int", "nullable": nullable}]);
    let (before, after) =
        (declared(&json!({"t": table(&column(true))})), declared(&json!({"t": table(&column(false))})));
    for engine in ENGINES {
        let own = Own::create(engine).await;
        own.apply(&before).await.unwrap();
        own.execute("INSERT INTO t (id, v) VALUES ('a', NULL)").await;
        let problem = own.force(&before, &after).await.unwrap_err();
        assert_eq!(problem.code, Code::Conflict, "{engine}: {problem:?}");
        assert!(problem.message.contains("NULL is not allowed any more"), "{engine}: {problem:?}");
        let text = if engine == "mysql" { "CHAR" } else { "TEXT" };
        assert_eq!(own.text(&format!("SELECT CAST(count(*) AS {text}) FROM t WHERE v IS NULL")).await, "1", "{engine}");
        own.execute("UPDATE t SET v = 1").await;
        own.force(&before, &after).await.unwrap().unwrap();
        assert_eq!(own.plan(&after).await, Ok(Vec::new()), "{engine}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_says_how_many_rows_it_meets() {
    let column = |kind: &str| json!([{"name": "v", "type": kind, "nullable": true}]);
    let (before, after) = (
        declared(&json!({"t": table(&column("int"))})),
        declared(&json!({"t": table(&column("bigint")), "new": table(&json!([]))})),
    );
    for engine in ENGINES {
        let own = Own::create(engine).await;
        own.apply(&before).await.unwrap();
        own.execute("INSERT INTO t (id, v) VALUES ('a', 1), ('b', 2), ('c', NULL)").await;
        let wanted = Wanted { declared: &after, before: &before, consent: Consent::ALL };
        let compared = schema::compare(&own.address(), &wanted).await.unwrap();
        assert!(!compared.rows.contains_key("new"), "{engine}: it is not there yet");
        match engine {
            "sqlite" => assert_eq!(compared.rows, [].into(), "one type for whole numbers: no step meets it"),
            "postgres" => assert_eq!(compared.rows, [("t".to_owned(), 3)].into()),
            // InnoDB guesses.
            _ => assert!(compared.rows["t"] <= 10, "{engine}: {:?}", compared.rows),
        }
    }
}

/// SQLite makes a table anew; what nobody declared of it must not be lost with the old one.
#[tokio::test(flavor = "multi_thread")]
async fn what_only_the_table_has_is_not_lost() {
    let column = |kind: &str| json!([{"name": "v", "type": kind, "nullable": true}]);
    let (before, after) =
        (declared(&json!({"t": table(&column("int"))})), declared(&json!({"t": table(&column("decimal"))})));
    for made in [
        "CREATE TRIGGER watch AFTER INSERT ON t BEGIN UPDATE t SET v = 0; END",
        "CREATE INDEX part ON t (v) WHERE v > 3",
        "CREATE INDEX twice ON t (v * 2)",
    ] {
        let own = Own::create("sqlite").await;
        own.apply(&before).await.unwrap();
        own.execute(made).await;
        let refused = own.force(&before, &after).await.unwrap().unwrap_err().join("\n");
        assert!(refused.contains("would be lost"), "{made}: {refused}");
    }
    // Views and indexes of others are there again, and what refers to the table still does.
    let own = Own::create("sqlite").await;
    own.apply(&before).await.unwrap();
    own.execute("CREATE VIEW seen AS SELECT v FROM t").await;
    own.execute("CREATE INDEX others ON t (v)").await;
    own.execute("CREATE TABLE refers (id INT PRIMARY KEY, t TEXT REFERENCES t (id))").await;
    own.execute("INSERT INTO t (id, v) VALUES ('a', 1); INSERT INTO refers VALUES (1, 'a')").await;
    // SQLite takes a reference to what is no key, and cannot check it.
    own.execute("CREATE TABLE no_key (x INT); CREATE TABLE lost (id INT PRIMARY KEY, x INT REFERENCES no_key (x))")
        .await;
    own.force(&before, &after).await.unwrap().unwrap();
    assert_eq!(own.text("SELECT CAST(v AS TEXT) FROM seen").await, "1");
    assert_eq!(own.text("SELECT tbl_name FROM sqlite_schema WHERE name = 'others'").await, "t");
    assert_eq!(own.text("SELECT \"table\" FROM pragma_foreign_key_list('refers')").await, "t");
}

/// Another schema that somebody could come to from this one.
fn changed(choices: &mut Choices<'_>, from: &Schema) -> Schema {
    let mut schema = from.clone();
    if choices.once_in(3)
        && let Some(name) = schema.tables.keys().next().cloned()
    {
        schema.tables.remove(&name);
    }
    for table in schema.tables.values_mut() {
        table.columns.retain(|_| !choices.once_in(5));
        for column in &mut table.columns {
            change(choices, column);
        }
        if choices.once_in(2) {
            let mut new = generated::column(choices, "new");
            new.nullable = true;
            new.default = None;
            table.columns.push(new);
        }
        table.indexes.retain(|_| !choices.once_in(3));
        let names: Vec<String> = table.columns.iter().map(|column| column.name.clone()).collect();
        table.indexes.retain(|index| index.columns.iter().all(|column| names.contains(column)));
    }
    mend(&mut schema);
    let target = schema.tables.iter().next().map(|(name, table)| (name.clone(), table.id.clone()));
    if let (Some((name, id)), true) = (target, choices.once_in(2))
        && let Some(column) = schema.tables.values_mut().flat_map(|table| &mut table.columns).find(|column| {
            column.kind == id.kind && column.references.is_none() && !column.unique && column.default.is_none()
        })
    {
        refer(choices, column, &name, &id.name, id.kind);
    }
    schema
}

fn change(choices: &mut Choices<'_>, column: &mut Column) {
    match choices.below(8) {
        0 => column.nullable = !column.nullable,
        1 => column.default = None,
        2 if column.kind == Type::Int => column.kind = choices.one(&[Type::Bigint, Type::Decimal, Type::String]),
        3 => column.unique = false,
        4 => column.references = None,
        5 if column.kind == Type::String => column.bounds.max_length = choices.one(&[None, Some(300), Some(20)]),
        _ => {}
    }
    let fits = match (&column.default, column.kind) {
        (Some(santokit_core::schema::ColumnDefault::Literal(json)), Type::Bigint | Type::Decimal | Type::String) => {
            json.is_string() && column.bounds.max_length.is_none()
        }
        _ => true,
    };
    if !fits {
        column.default = None;
    }
}

/// References that lead nowhere, or to another type, go; so do actions that the column cannot take.
fn mend(schema: &mut Schema) {
    let known = schema.clone();
    let kind_of = |table: &Table, name: &str| {
        let column = table.columns.iter().find(|column| column.name == name && column.unique).map(|column| column.kind);
        column.or_else(|| (table.id.name == name).then_some(table.id.kind))
    };
    for column in schema.tables.values_mut().flat_map(|table| &mut table.columns) {
        let Some(to) = &column.references else { continue };
        let fits = known.tables.get(&to.table).and_then(|table| kind_of(table, &to.column)) == Some(column.kind);
        let actions = [to.on_delete, to.on_update];
        let can = (column.nullable || !actions.contains(&ReferenceAction::SetNull))
            && (column.default.is_some() || !actions.contains(&ReferenceAction::SetDefault));
        if !fits || !can {
            column.references = None;
        }
    }
}

/// A row for every table that can have one without another.
async fn fill(own: &Own, schema: &Schema) -> Vec<(String, Vec<String>)> {
    let mut filled = Vec::new();
    for (name, table) in &schema.tables {
        let needs = |column: &&Column| !column.nullable && column.default.is_none();
        if table.columns.iter().any(|column| needs(&column) && column.references.is_some()) {
            continue;
        }
        let mut cells: Vec<(String, String)> =
            table.columns.iter().filter(needs).map(|column| (column.name.clone(), literal(own, column.kind))).collect();
        if table.id.generate != Generate::AutoIncrement {
            cells.push((table.id.name.clone(), literal(own, table.id.kind)));
        }
        let quote = |name: &str| if own.engine() == "mysql" { format!("`{name}`") } else { format!("\"{name}\"") };
        let (columns, values): (Vec<String>, Vec<String>) =
            cells.iter().map(|(name, value)| (quote(name), value.clone())).unzip();
        // A reference may have a default that refers to nothing.
        let refers = table.columns.iter().any(|column| column.references.is_some() && column.default.is_some());
        if refers || columns.is_empty() {
            continue;
        }
        own.execute(&format!("INSERT INTO {} ({}) VALUES ({})", quote(name), columns.join(", "), values.join(", ")))
            .await;
        filled.push((name.clone(), columns));
    }
    filled
}

fn literal(own: &Own, kind: Type) -> String {
    match (kind, own.engine()) {
        (Type::Bytes, "postgres") => r"'\x01'::bytea".to_owned(),
        (Type::Bytes, _) => "X'01'".to_owned(),
        (Type::Boolean, "postgres") => "true".to_owned(),
        (Type::Json, _) => "'{}'".to_owned(),
        (Type::Array, _) => "'[]'".to_owned(),
        (Type::Timestamp, "sqlite") => "'2020-01-01T00:00:00.000000Z'".to_owned(),
        (Type::Timestamp, _) => "'2020-01-01 00:00:00'".to_owned(),
        (Type::String | Type::File, _) | (Type::Decimal, "sqlite") => "'1'".to_owned(),
        _ => "1".to_owned(),
    }
}

/// Whether it came from the one to the other; what is refused has a reason.
async fn check(engine: &str, numbers: &[u16]) -> Result<bool, String> {
    let mut choices = Choices(numbers.iter().cycle());
    let first = generated::schema(&mut choices);
    let second = changed(&mut choices, &first);
    let own = Own::create(engine).await;
    if own.apply(&first).await.is_err() {
        return Ok(false);
    }
    let filled = fill(&own, &first).await;
    let told = || format!("from {first:?}\nto {second:?}");
    match own.force(&first, &second).await {
        Ok(Ok(_)) => {}
        Ok(Err(refused)) if refused.iter().all(|line| line.contains(": ")) => return Ok(false),
        // A text that is longer than it may be now, or a value that is there twice.
        Err(problem) if problem.code == Code::Conflict => return Ok(false),
        other => return Err(format!("{other:?} {}", told())),
    }
    if own.plan(&second).await != Ok(Vec::new()) {
        return Err(format!("the second plan is {:?} {}", own.plan(&second).await, told()));
    }
    let (mut wanted, mut found) = (as_told(&second), as_told(&own.pull().await.schema));
    if engine == "sqlite" {
        // It has one type for both, so that one does not become the other.
        for column in wanted.tables.values_mut().chain(found.tables.values_mut()).flat_map(|table| &mut table.columns) {
            if column.kind == Type::Int {
                column.kind = Type::Bigint;
            }
        }
    }
    if wanted != found && engine != "mysql" {
        return Err(format!("found {found:?} {}", told()));
    }
    for (table, _) in filled.iter().filter(|(table, _)| second.tables.contains_key(table)) {
        let (quoted, text) = match engine {
            "mysql" => (format!("`{table}`"), "CHAR"),
            _ => (format!("\"{table}\""), "TEXT"),
        };
        if own.text(&format!("SELECT CAST(count(*) AS {text}) FROM {quoted}")).await != "1" {
            return Err(format!("{table} has lost its row {}", told()));
        }
    }
    Ok(true)
}

fn any_schema_becomes_another(engine: &str) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let config = Config { cases: CASES, max_shrink_iters: SHRINKS_MAX, failure_persistence: None, ..Config::default() };
    let made = std::cell::Cell::new(0_u32);
    let ended = TestRunner::new(config).run(&vec(any::<u16>(), 200), |numbers| {
        let checked = runtime.block_on(check(engine, &numbers)).map_err(TestCaseError::fail)?;
        made.set(made.get() + u32::from(checked));
        Ok(())
    });
    match ended {
        Ok(()) => assert!(made.get() > 0, "of {CASES} changes none was made"),
        Err(TestError::Fail(reason, numbers)) => panic!("{engine}: from {numbers:?}\n{reason}"),
        Err(other) => panic!("{engine}: {other}"),
    }
}

#[test]
fn any_schema_on_sqlite_becomes_another() {
    any_schema_becomes_another("sqlite");
}

#[test]
fn any_schema_on_postgres_becomes_another() {
    any_schema_becomes_another("postgres");
}

#[test]
fn any_schema_on_mysql_becomes_another() {
    any_schema_becomes_another("mysql");
}
