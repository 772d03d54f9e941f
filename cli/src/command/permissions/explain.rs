//! `stk permissions explain`: a call as the Bridge would decide and run it, without running it.

use std::collections::BTreeMap;

use chrono::Utc;
use santokit_bridge::{
    crud::{self, Crud, limits::CrudLimits},
    db::DatabaseSettings,
    metrics::Metrics,
};
use santokit_core::{
    access::{
        Actor, CompiledRules, Decision, Rule,
        table::{Columns, TableDecision, Verb},
    },
    project::Project,
};
use santokit_sql::dialect::Dialect;
use serde_json::{Map, Value as Json, json};

use super::{super::Shell, caller, object};
use crate::{
    failure::Failure,
    report::{Terminal, Tone},
};

mod statements;
mod words;

/// Flags of `stk permissions explain`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  stk permissions explain --as user --sub c-00001 db/orders/select '{\"where\": {\"status\": \"open\"}}'\n  stk permissions explain --as clerk logics/purchase"
)]
pub struct Options {
    /// For example db/orders/select or logics/purchase
    pub path: String,
    /// The params in JSON
    #[arg(default_value = "{}")]
    pub params: String,
    /// anonymous; user or user:ROLE,ROLE for an end user; ROLE,ROLE for an API key
    #[arg(long = "as", value_name = "CALLER")]
    pub caller: String,
    /// The end user's id, or the key's
    #[arg(long, value_name = "ID")]
    pub sub: Option<String>,
    /// Further claims, in JSON
    #[arg(long, value_name = "JSON", default_value = "{}")]
    pub claims: String,
    /// Whose SQL is shown: sqlite, postgres or mysql; default: that of the connection in santokit.dev.yaml
    #[arg(long, value_name = "ENGINE")]
    pub engine: Option<String>,
}

/// What is known of a call.
#[derive(Debug, Default)]
struct Explained {
    allowed: bool,
    /// From 1, with its text.
    rule: Option<(usize, Rule)>,
    /// Why not.
    reason: Option<String>,
    columns: Option<Vec<String>>,
    /// What is asked of rows, in words.
    rows: Option<String>,
    statements: Vec<statements::Shown>,
    engine: Option<&'static str>,
}

/// Runs it.
pub(super) fn run(options: &Options, shell: &Shell) -> anyhow::Result<()> {
    let project = shell.folder()?.project()?;
    let actor = caller(&options.caller, options.sub.as_deref(), object(&options.claims, "--claims")?)?;
    let params = object(&options.params, "the params")?;
    let explained = match (options.path.strip_prefix("logics/"), crud::table_path(&options.path)) {
        (Some(name), _) => logic(&project, name, &actor, &params)?,
        (None, Some((table, verb))) => {
            let dialect = dialect(options, &project, table)?;
            of_table(&project, (table, verb), &actor, &params, dialect)?
        }
        (None, None) => {
            let hint = "paths are db/{table}/{select|insert|update|delete} and logics/{name}";
            return Err(Failure::usage(format!("{:?} is no path of a call", options.path)).hint(hint).into());
        }
    };
    shell.terminal.answer(&explained.json(), |terminal| explained.say(&options.path, terminal));
    Ok(())
}

fn logic(project: &Project, name: &str, actor: &Actor, params: &Map<String, Json>) -> anyhow::Result<Explained> {
    let logic = project.logics.get(name).ok_or_else(|| {
        let known: Vec<&str> = project.logics.keys().map(String::as_str).collect();
        Failure::usage(format!("there is no logic {name:?}")).hint(format!("known are {}", known.join(", ")))
    })?;
    let decision = CompiledRules::compile(&logic.rules).map_err(anyhow::Error::msg)?.decide(actor, params, Utc::now());
    let rule = the_rule(&logic.rules, actor);
    Ok(match decision {
        Decision::Allow => Explained { allowed: true, rule, ..Explained::default() },
        Decision::DenyAnonymous => denied(rule, "no public rule allows it"),
        Decision::Deny { reason } => denied(rule, &reason.to_string()),
    })
}

fn of_table(
    project: &Project,
    (table, verb): (&str, Verb),
    actor: &Actor,
    params: &Map<String, Json>,
    dialect: Dialect,
) -> anyhow::Result<Explained> {
    let tables = crud::tables(&project.connections, &project.permissions)
        .and_then(|tables| tables.with_objects(&project.storage))
        .map_err(Failure::failed)?;
    let entry = tables.get(table).ok_or_else(|| {
        let known: Vec<&str> = tables.names().collect();
        Failure::usage(format!("there is no table {table:?}")).hint(format!("known are {}", known.join(", ")))
    })?;
    let now = Utc::now();
    let rules = project.permissions.tables.get(table).map(|rules| rules.rules(verb)).unwrap_or_default();
    let rule = the_rule(rules, actor);
    let allowed = match entry.rules.decide(verb, actor, params, now) {
        TableDecision::Allow(allowed) => allowed,
        TableDecision::DenyAnonymous => return Ok(denied(rule, "no public rule allows it")),
        TableDecision::Deny { reason } => return Ok(denied(rule, &reason.to_string())),
    };
    let columns = match &allowed.columns {
        Columns::All => None,
        Columns::Only(columns) => Some(columns.to_vec()),
    };
    let crud = Crud {
        tables: &tables,
        databases: &BTreeMap::new(),
        env: (&project.name, "explain"),
        actor,
        now,
        limits: &CrudLimits::default(),
        bytes_max: usize::MAX,
        query_timeout: DatabaseSettings::default().query_timeout,
        metrics: &Metrics::new()?,
        allowance: None,
        request_id: "explain",
        objects: None,
        events: santokit_bridge::events::Publishing::default(),
    };
    let (_, planned) = crud.plan(table, verb, params).map_err(|problem| Failure::from_body(problem.body("explain")))?;
    Ok(Explained {
        allowed: true,
        rule,
        reason: None,
        columns,
        rows: Some(words::predicate(&allowed.predicate)),
        statements: statements::of(&planned, dialect)?,
        engine: Some(dialect.as_str()),
    })
}

/// The first rule that is for the caller.
fn the_rule(rules: &[Rule], actor: &Actor) -> Option<(usize, Rule)> {
    let found = rules.iter().zip(1..).find(|(rule, _)| rule.roles.iter().any(|role| actor.has_role(role)));
    found.map(|(rule, number)| (number, rule.clone()))
}

fn denied(rule: Option<(usize, Rule)>, reason: &str) -> Explained {
    Explained { rule, reason: Some(reason.to_owned()), ..Explained::default() }
}

fn dialect(options: &Options, project: &Project, table: &str) -> anyhow::Result<Dialect> {
    let connection = project.connections.iter().find(|(_, schema)| schema.tables.contains_key(table));
    let declared = connection.and_then(|(name, _)| project.dev.as_ref()?.connections.get(name));
    let engine = options.engine.as_deref().or_else(|| declared.map(|declared| declared.engine.as_str()));
    let engine = engine.unwrap_or("sqlite");
    Dialect::ALL.iter().copied().find(|dialect| dialect.as_str() == engine).ok_or_else(|| {
        Failure::usage(format!("there is no engine {engine:?}")).hint("engines are sqlite, postgres and mysql").into()
    })
}

impl Explained {
    fn json(&self) -> Json {
        json!({
            "allowed": self.allowed,
            "rule": self.rule.as_ref().map(|(number, rule)| json!({
                "number": number, "roles": rule.roles, "condition": rule.condition, "columns": rule.columns,
            })),
            "reason": self.reason,
            "columns": self.columns,
            "rows": self.rows,
            "engine": self.engine,
            "statements": self.statements.iter().map(statements::Shown::json).collect::<Vec<_>>(),
        })
    }

    fn say(&self, path: &str, terminal: Terminal) {
        match &self.rule {
            None => terminal.say("rule: none is for this caller"),
            Some((number, rule)) => {
                let condition = rule.condition.as_ref().map(|source| format!(", where {source}")).unwrap_or_default();
                terminal.say(&format!("rule: {number} of {path}, for {}{condition}", rule.roles.join(", ")));
            }
        }
        if let Some(reason) = &self.reason {
            return terminal.say(&format!("{}: {reason}", terminal.tone(Tone::Bad, "denied")));
        }
        terminal.say(&terminal.tone(Tone::Good, "allowed"));
        if let Some(columns) = &self.columns {
            terminal.say(&format!("columns: {}", columns.join(", ")));
        }
        if let Some(rows) = &self.rows {
            terminal.say(&format!("rows: {rows}"));
        }
        for shown in &self.statements {
            terminal.say(&format!("{} ({}):\n  {}", shown.what, self.engine.unwrap_or_default(), shown.sql));
            if !shown.values.is_empty() {
                terminal.say(&format!("  with {}", Json::from(shown.values.clone())));
            }
        }
    }
}
