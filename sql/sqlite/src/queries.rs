//! Declared queries against the declared schema, in one place for all who look: `stk check` with the place of every mistake, the
//! Hub before a release, a Bridge before it serves one.

use std::collections::BTreeMap;

use santokit_core::{
    logic::Body,
    name::{check_identifier, nearest},
    project::{Check, Diagnostic, Project, ProjectQuery},
    query::{Query, ResultColumn, Returns},
    release::Manifest,
    schema::{Schema, Type},
};

use crate::prepare::{Missing, Prepared, Refused, Scratch, ScratchError};

/// Declared queries of a project.
pub const QUERIES_MAX: usize = 1_000;

/// Why the queries of a release are refused.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// Of the release.
    #[error("{0}")]
    Refused(String),
    /// Of this machine.
    #[error(transparent)]
    Scratch(#[from] ScratchError),
}

/// What is wrong with a query.
#[derive(Debug)]
enum Fault {
    /// With its statement.
    Statement(Refused),
    /// With a column that it declares.
    Declared { name: String, code: Check, message: String, hint: Option<String> },
}

/// Types every query of a project; the findings.
pub async fn check(project: &mut Project) -> Result<Vec<Diagnostic>, ScratchError> {
    let mut found = Vec::new();
    let empty = Schema::default();
    for (connection, queries) in by_connection(&mut project.queries) {
        let mut scratch = Scratch::new(project.connections.get(&connection).unwrap_or(&empty)).await?;
        for query in queries {
            let declared = query.declared.iter().map(|column| (column.name.clone(), column.kind)).collect();
            match typed(&mut scratch, &query.query, &declared).await? {
                Ok(typed) => query.query = typed,
                Err(fault) => found.push(finding(query, fault)),
            }
        }
    }
    found.sort_by(|a, b| (&a.path, a.line, a.column).cmp(&(&b.path, b.line, b.column)));
    Ok(found)
}

/// Whether every query of a release touches and answers what its manifest says, and every grant of one names one.
pub async fn verify(manifest: &Manifest) -> Result<(), VerifyError> {
    if manifest.queries.len() > QUERIES_MAX {
        return Err(VerifyError::Refused(format!("a release has at most {QUERIES_MAX} declared queries")));
    }
    for (name, logic) in &manifest.logics {
        let Body::Wasm(wasm) = &logic.body else { continue };
        if let Some(missing) = wasm.grants.queries.iter().find(|query| !manifest.queries.contains_key(*query)) {
            let message = format!("logic {name:?} is granted query {missing:?}, which the release does not have");
            return Err(VerifyError::Refused(message));
        }
    }
    for (connection, schema) in &manifest.connections {
        let here = manifest.queries.iter().filter(|(_, query)| query.connection == *connection);
        let queries: Vec<(&String, &Query)> = here.collect();
        if queries.is_empty() {
            continue;
        }
        let mut scratch = Scratch::new(schema).await?;
        for (name, query) in queries {
            let refused = |message: &str| VerifyError::Refused(format!("query {name:?}: {message}"));
            let declared =
                query.result.iter().filter_map(|column| Some((column.name.clone(), column.kind()?))).collect();
            match typed(&mut scratch, query, &declared).await? {
                Ok(typed) if typed == *query => {}
                Ok(_) => return Err(refused("it touches or answers something else than the manifest says")),
                Err(fault) => return Err(refused(fault.message())),
            }
        }
    }
    let stray = manifest.queries.iter().find(|(_, query)| !manifest.connections.contains_key(&query.connection));
    match stray {
        Some((name, _)) => Err(VerifyError::Refused(format!("query {name:?} is on a connection that there is not"))),
        None => Ok(()),
    }
}

fn by_connection(queries: &mut BTreeMap<String, ProjectQuery>) -> BTreeMap<String, Vec<&mut ProjectQuery>> {
    let mut all: BTreeMap<String, Vec<&mut ProjectQuery>> = BTreeMap::new();
    for query in queries.values_mut() {
        all.entry(query.query.connection.clone()).or_default().push(query);
    }
    all
}

/// The query with what its statement touches and answers.
async fn typed(
    scratch: &mut Scratch<'_>,
    query: &Query,
    declared: &BTreeMap<String, Type>,
) -> Result<Result<Query, Fault>, ScratchError> {
    let prepared = match scratch.prepare(&query.statement).await? {
        Ok(prepared) => prepared,
        Err(refused) => return Ok(Err(Fault::Statement(refused))),
    };
    Ok(fits(query.returns, &prepared).and_then(|()| columns(&prepared, declared)).map(|result| Query {
        result,
        tables: prepared.tables.clone(),
        ..query.clone()
    }))
}

fn fits(returns: Returns, prepared: &Prepared) -> Result<(), Fault> {
    match (returns, prepared.columns.is_empty()) {
        (Returns::Exec, false) => {
            Err(statement("it answers rows, which returns: exec does not", "say returns: many or returns: one"))
        }
        (Returns::Many | Returns::One, true) => {
            Err(statement("it answers no rows", "say returns: exec, or add RETURNING"))
        }
        _ => Ok(()),
    }
}

fn columns(prepared: &Prepared, declared: &BTreeMap<String, Type>) -> Result<Vec<ResultColumn>, Fault> {
    let mut columns: Vec<ResultColumn> = Vec::new();
    for (column, number) in prepared.columns.iter().zip(1..) {
        let name = &column.name;
        if check_identifier("a column", name).is_err() {
            let message = format!("column {number} of its rows has no name that a program can use");
            return Err(statement(&message, "give it one: … AS name"));
        }
        if columns.iter().any(|known| known.name.eq_ignore_ascii_case(name)) {
            let message = format!("two columns of its rows are named {name:?}");
            return Err(statement(&message, "give one of them another name: … AS name"));
        }
        let said = declared.get(name).copied();
        if let (Some(said), Some(kind)) = (said, column.kind)
            && said != kind
        {
            let message = format!("the schema says that {name:?} is {}, not {}", kind.as_str(), said.as_str());
            let hint = Some("leave it out: what a plain column is, is known".to_owned());
            return Err(Fault::Declared { name: name.clone(), code: Check::Conflict, message, hint });
        }
        let type_name = column.kind.or(said).map_or("any", Type::as_str).to_owned();
        columns.push(ResultColumn { name: name.clone(), type_name, nullable: column.nullable });
    }
    let unknown = declared.keys().find(|name| !columns.iter().any(|column| column.name == **name));
    match unknown {
        None => Ok(columns),
        Some(name) => {
            let near = nearest(name, columns.iter().map(|column| column.name.as_str()));
            Err(Fault::Declared {
                name: name.clone(),
                code: Check::UnknownColumn,
                message: format!("its rows have no column {name:?}"),
                hint: near.map(|near| format!("did you mean {near:?}?")),
            })
        }
    }
}

fn statement(message: &str, hint: &str) -> Fault {
    let hint = Some(hint.to_owned());
    Fault::Statement(Refused { message: message.to_owned(), hint, missing: None, place: (0, 0) })
}

fn finding(query: &ProjectQuery, fault: Fault) -> Diagnostic {
    match fault {
        Fault::Statement(Refused { message, hint, missing, place: (at, width) }) => {
            let code = match missing {
                Some(Missing::Table) => Check::UnknownTable,
                Some(Missing::Column) => Check::UnknownColumn,
                None => Check::Sql,
            };
            query.finding(at, width, code, message, hint)
        }
        Fault::Declared { name, code, message, hint } => query.finding_at(&name, code, message, hint),
    }
}

impl Fault {
    fn message(&self) -> &str {
        match self {
            Fault::Statement(refused) => &refused.message,
            Fault::Declared { message, .. } => message,
        }
    }
}
