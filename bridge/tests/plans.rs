//! Requests as statements, without a database. A file `plans/NAME.yaml` has requests of callers; `plans/NAME.sql` is what they become on each
//! dialect, or the refusal. `UPDATE_GOLDEN=1` writes these anew. The tables and rules are those of the HTTP cases.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{collections::BTreeMap, fmt::Write, fs, path::PathBuf, time::Duration};

use chrono::DateTime;
use santokit_bridge::{
    crud::{self, Crud, Planned, expand::Level, limits::CrudLimits, names::Tables, select::Selection},
    events::Publishing,
    metrics::Metrics,
};
use santokit_core::{
    access::{Actor, ActorKind},
    project::{self, SourceTree},
    value::Value,
};
use santokit_sql::{
    dialect::Dialect,
    plan::Keys,
    render::{self, RenderError},
    statement::Statement,
};
use serde::Deserialize;
use serde_json::{Map, Value as Json};

/// A request.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Case {
    name: String,
    /// `admin`, `app`, or `anonymous`.
    caller: String,
    path: String,
    params: Map<String, Json>,
}

#[test]
fn every_request_becomes_the_statements_that_are_expected() {
    let (tables, update) = (tables(), std::env::var_os("UPDATE_GOLDEN").is_some());
    let mut failed = Vec::new();
    for name in names() {
        let cases: Vec<Case> =
            serde_saphyr::from_str(&fs::read_to_string(folder().join(format!("{name}.yaml"))).unwrap())
                .unwrap_or_else(|error| panic!("{name}: {error}"));
        let found: String = cases.iter().map(|case| case.text(&tables)).collect();
        let path = folder().join(format!("{name}.sql"));
        if update {
            fs::write(&path, &found).unwrap();
        } else if fs::read_to_string(&path).unwrap_or_default() != found {
            failed.push(format!("{name}:\n{found}"));
        }
    }
    assert!(failed.is_empty(), "UPDATE_GOLDEN=1 writes these anew:\n{}", failed.join("\n"));
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/plans")
}

fn names() -> Vec<String> {
    let entries = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = entries.filter_map(|name| name.strip_suffix(".yaml").map(str::to_owned)).collect();
    assert!(!names.is_empty(), "there are no cases");
    names.sort();
    names
}

fn tables() -> Tables {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/cases/http/project");
    let mut files = SourceTree::new();
    let schemas = fs::read_dir(root.join("schema")).unwrap().map(|entry| entry.unwrap().file_name());
    let mut paths: Vec<String> = schemas.map(|name| format!("schema/{}", name.into_string().unwrap())).collect();
    paths.extend(["santokit.yaml", "config/permissions.yaml"].map(str::to_owned));
    for path in paths {
        let content = fs::read(root.join(&path)).unwrap();
        files.insert(path, content);
    }
    let project = project::parse(&files).unwrap_or_else(|found| panic!("{found:#?}"));
    crud::tables(&project.connections, &project.permissions).unwrap()
}

impl Case {
    fn text(&self, tables: &Tables) -> String {
        let mut text = format!("==== {}\n", self.name);
        let metrics = Metrics::new().unwrap();
        let crud = Crud {
            tables,
            databases: &BTreeMap::new(),
            env: ("cases", "dev"),
            actor: &self.actor(),
            now: DateTime::from_timestamp(1_767_225_600, 0).unwrap(),
            limits: &CrudLimits::default(),
            bytes_max: 0,
            query_timeout: Duration::from_secs(1),
            allowance: None,
            metrics: &metrics,
            request_id: "req",
            objects: None,
            events: Publishing::default(),
        };
        let (table, verb) = crud::table_path(&self.path).unwrap();
        match crud.plan(table, verb, &self.params) {
            Err(problem) => {
                writeln!(text, "{}", serde_json::to_string_pretty(&problem.body("req")).unwrap()).unwrap();
            }
            Ok((_, planned)) => {
                for dialect in Dialect::ALL {
                    writeln!(text, "-- {}", dialect.as_str()).unwrap();
                    for statement in statements(&planned, *dialect).unwrap() {
                        let params: Vec<String> = statement.params.iter().map(|param| shown(&param.value)).collect();
                        writeln!(text, "{}\n    [{}]", statement.sql, params.join(", ")).unwrap();
                    }
                }
            }
        }
        text.push('\n');
        text
    }

    fn actor(&self) -> Actor {
        let key = |roles: &[&str]| Actor {
            kind: ActorKind::ApiKey,
            subject: Some(self.caller.clone()),
            roles: roles.iter().map(|role| (*role).to_owned()).collect(),
            claims: Map::new(),
        };
        match self.caller.as_str() {
            "anonymous" => Actor::anonymous(),
            "admin" => key(&["admin", "app"]),
            other => key(&[other]),
        }
    }
}

/// Those that run in the first place; what runs after them depends on what they answer.
fn statements(planned: &Planned, dialect: Dialect) -> Result<Vec<Statement>, RenderError> {
    let mut all = Vec::new();
    match planned {
        Planned::Select(Selection::Rows(rows)) => {
            if let Some(count) = &rows.count {
                all.push(render::count(count, dialect)?);
            }
            all.push(render::select(&rows.select, dialect)?);
            levels(&rows.levels, dialect, &mut all)?;
        }
        Planned::Select(Selection::Groups(groups)) => {
            all.push(render::aggregate(&groups.aggregate, dialect)?.statement);
        }
        Planned::Insert(insertion) if dialect == Dialect::Mysql && insertion.insert.conflict.is_some() => {
            all.push(render::existing(santokit_sql::plan::Existing(&insertion.insert), dialect)?);
        }
        Planned::Insert(insertion) => all.extend(render::insert(&insertion.insert, dialect)?),
        Planned::Update(change) => match change.update.course(dialect) {
            santokit_sql::plan::Course::ByKey => all.push(render::lock(&change.update.target, 10_001, dialect)?),
            _ => all.push(render::update(&change.update, dialect)?),
        },
        Planned::Delete(removal) => match removal.delete.course(dialect) {
            santokit_sql::plan::Course::ByKey => all.push(render::lock(&removal.delete.target, 10_001, dialect)?),
            _ => all.push(render::delete(&removal.delete, dialect)?),
        },
    }
    Ok(all)
}

fn levels(levels: &[Level], dialect: Dialect, all: &mut Vec<Statement>) -> Result<(), RenderError> {
    for level in levels {
        let mut select = level.select.clone();
        select.source.keys = Some(Keys { column: level.remote.clone(), values: vec![Value::Text("a key".to_owned())] });
        select.limit = Some(10_001);
        all.push(render::select(&select, dialect)?);
        self::levels(&level.levels, dialect, all)?;
    }
    Ok(())
}

/// An id that was made is another one each time.
fn shown(value: &Value) -> String {
    match value {
        Value::Text(text) if text.len() == 26 && text.bytes().all(|b| b.is_ascii_alphanumeric()) => "a ULID".to_owned(),
        Value::Text(text) => format!("{text:?}"),
        Value::Typed(kind, text) => format!("{kind} {text}"),
        Value::Null => "NULL".to_owned(),
        Value::Int64(number) => number.to_string(),
        Value::Float64(number) => format!("{number:?}"),
        Value::Boolean(truth) => truth.to_string(),
        Value::Bytes(bytes) => format!("{bytes:?}"),
    }
}
