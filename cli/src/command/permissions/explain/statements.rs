//! The statements of a planned request, in the order in which they would run. What only a row read before would tell is left open.

use santokit_bridge::{
    crud::{Planned, expand::Level, select::Selection},
    db::json_value,
};
use santokit_sql::{
    dialect::Dialect,
    plan::{Course, Existing, Keys, Target},
    render::{self, RenderError},
    statement::Statement,
};
use serde_json::{Value as Json, json};

/// A statement as it is shown.
#[derive(Debug)]
pub(super) struct Shown {
    /// What it is for.
    pub(super) what: String,
    /// With placeholders.
    pub(super) sql: String,
    /// For the placeholders.
    pub(super) values: Vec<Json>,
}

/// Rows that a write by key finds first.
const ROWS_SHOWN: u64 = 10_000;

/// All of a request.
pub(super) fn of(planned: &Planned, dialect: Dialect) -> Result<Vec<Shown>, RenderError> {
    let mut shown = Vec::new();
    match planned {
        Planned::Select(Selection::Rows(rows)) => {
            shown.push(Shown::new("rows", render::select(&rows.select, dialect)?));
            levels(&rows.levels, "", dialect, &mut shown)?;
            if let Some(count) = &rows.count {
                shown.push(Shown::new("total", render::count(count, dialect)?));
            }
        }
        Planned::Select(Selection::Groups(groups)) => {
            shown.push(Shown::new("groups", render::aggregate(&groups.aggregate, dialect)?.statement));
        }
        Planned::Insert(insertion) => {
            let insert = &insertion.insert;
            if dialect == Dialect::Mysql && insert.conflict.is_some() {
                shown.push(Shown::new("rows that are there", render::existing(Existing(insert), dialect)?));
            }
            let mut insert = insert.clone();
            if dialect == Dialect::Mysql {
                insert.conflict = None;
            }
            shown.extend(render::insert(&insert, dialect)?.into_iter().map(|made| Shown::new("insert", made)));
        }
        Planned::Update(change) => {
            let mut update = change.update.clone();
            if update.course(dialect) == Course::ByKey {
                by_key(&mut update.target, dialect, &mut shown)?;
            }
            shown.push(Shown::new("update", render::update(&update, dialect)?));
        }
        Planned::Delete(removal) => {
            let mut delete = removal.delete.clone();
            if delete.course(dialect) == Course::ByKey {
                by_key(&mut delete.target, dialect, &mut shown)?;
            }
            shown.push(Shown::new("delete", render::delete(&delete, dialect)?));
        }
    }
    Ok(shown)
}

fn levels(levels_of: &[Level], path: &str, dialect: Dialect, shown: &mut Vec<Shown>) -> Result<(), RenderError> {
    for level in levels_of {
        let mut select = level.select.clone();
        select.source.keys = Some(Keys { column: level.remote.clone(), values: Vec::new() });
        let path = if path.is_empty() { level.name.clone() } else { format!("{path}.{}", level.name) };
        shown.push(Shown::new(
            &format!("rows of {path}, by the keys of the rows above"),
            render::select(&select, dialect)?,
        ));
        levels(&level.levels, &path, dialect, shown)?;
    }
    Ok(())
}

fn by_key(target: &mut Target, dialect: Dialect, shown: &mut Vec<Shown>) -> Result<(), RenderError> {
    shown.push(Shown::new("rows to write", render::lock(target, ROWS_SHOWN, dialect)?));
    target.keys = Some(Keys { column: target.key.clone(), values: Vec::new() });
    Ok(())
}

impl Shown {
    fn new(what: &str, statement: Statement) -> Self {
        let values = statement.params.into_iter().map(|bound| json_value(bound.kind.as_str(), bound.value));
        Self { what: what.to_owned(), sql: statement.sql, values: values.collect() }
    }

    pub(super) fn json(&self) -> Json {
        json!({"what": self.what, "sql": self.sql, "values": self.values})
    }
}
