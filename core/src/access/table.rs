//! The decision about a verb on a table: which rule, which columns, and what the rule asks of rows.
//!
//! The same code serves everything that touches a table: CRUD, `expand`, paths in `where`, aggregates, batches, guests.

use std::{collections::BTreeMap, sync::Arc};

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use super::{
    Actor, ActorKind, Denial, Permissions, Rule, TablePermissions,
    cel::ExpressionError,
    decide::RuleError,
    lower::{Asked, RowCondition},
    predicate::Predicate,
};
use crate::schema::{Schema, Table};

/// What is done to rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "TableVerb")]
pub enum Verb {
    /// Reading, also counting and aggregating.
    Select,
    /// Adding.
    Insert,
    /// Changing.
    Update,
    /// Removing.
    Delete,
}

/// The rules of one table, ready to decide. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct TableRules {
    verbs: Arc<[Vec<TableRule>; 4]>,
}

#[derive(Clone, Debug)]
struct TableRule {
    roles: Vec<String>,
    condition: Option<RowCondition>,
    columns: Columns,
}

/// Whether a caller may do something to some rows of a table.
#[derive(Clone, Debug, PartialEq)]
pub enum TableDecision {
    /// It may, on the rows that the predicate admits.
    Allow(Allowed),
    /// It has no credential and no public rule allows: the answer is 401.
    DenyAnonymous,
    /// It may not.
    Deny {
        /// Why, for keys, operators and the log; for an end user the table is not there.
        reason: Denial,
    },
}

/// What a rule allows.
#[derive(Clone, Debug, PartialEq)]
pub struct Allowed {
    /// The rule, from 1; none for the platform itself.
    pub rule: Option<usize>,
    /// Which columns.
    pub columns: Columns,
    /// What is asked of each row: as it is for select, update and delete, as it then is for insert and, again, update.
    pub predicate: Predicate,
}

/// The columns of a rule.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Columns {
    /// Every one.
    #[default]
    All,
    /// These.
    Only(Arc<[String]>),
}

/// A rule of a table whose condition is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{table}.{}: {error}", verb.as_str())]
pub struct TableRuleError {
    /// The table.
    pub table: String,
    /// The verb.
    pub verb: Verb,
    /// Which rule, and what is wrong.
    pub error: RuleError,
}

impl Verb {
    /// Every verb.
    pub const ALL: &'static [Verb] = &[Verb::Select, Verb::Insert, Verb::Update, Verb::Delete];

    /// As project files and paths name it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Verb::Select => "select",
            Verb::Insert => "insert",
            Verb::Update => "update",
            Verb::Delete => "delete",
        }
    }
}

impl TablePermissions {
    /// The rules for a verb.
    pub fn rules(&self, verb: Verb) -> &[Rule] {
        match verb {
            Verb::Select => &self.select,
            Verb::Insert => &self.insert,
            Verb::Update => &self.update,
            Verb::Delete => &self.delete,
        }
    }
}

impl TableRules {
    /// Compiles the rules of a table.
    pub fn compile(name: &str, table: &Table, permissions: &TablePermissions) -> Result<Self, TableRuleError> {
        let verb = |verb: Verb| {
            let compile = |(rule, number): (&Rule, usize)| {
                TableRule::compile(rule, table).map_err(|error| TableRuleError {
                    table: name.to_owned(),
                    verb,
                    error: RuleError { rule: number, error },
                })
            };
            permissions.rules(verb).iter().zip(1..).map(compile).collect::<Result<Vec<_>, _>>()
        };
        let [select, insert, update, delete] = [Verb::Select, Verb::Insert, Verb::Update, Verb::Delete].map(verb);
        Ok(Self { verbs: Arc::new([select?, insert?, update?, delete?]) })
    }

    /// The rules of every table of a schema. A table that no rule names is there, and allows nobody.
    pub fn compile_all(
        schema: &Schema,
        permissions: &Permissions,
    ) -> Result<BTreeMap<String, TableRules>, TableRuleError> {
        let compile = |(name, table): (&String, &Table)| {
            let rules = permissions.tables.get(name).map(|rules| TableRules::compile(name, table, rules));
            Ok((name.clone(), rules.transpose()?.unwrap_or_default()))
        };
        schema.tables.iter().map(compile).collect()
    }

    /// Decides for one request. `params` are what the condition sees as `request.params`.
    ///
    /// The first rule that is for a role of the caller is the rule. A condition that does not look at rows is decided here; any other
    /// becomes the predicate. The platform itself may everything.
    pub fn decide(&self, verb: Verb, actor: &Actor, params: &Map<String, Json>, now: DateTime<Utc>) -> TableDecision {
        if actor.kind == ActorKind::System {
            return TableDecision::Allow(Allowed { rule: None, columns: Columns::All, predicate: Predicate::ALWAYS });
        }
        match self.verdict(verb, actor, params, now) {
            Ok(allowed) => TableDecision::Allow(allowed),
            Err(_) if actor.kind == ActorKind::Anonymous => TableDecision::DenyAnonymous,
            Err(reason) => TableDecision::Deny { reason },
        }
    }

    fn verdict(
        &self,
        verb: Verb,
        actor: &Actor,
        params: &Map<String, Json>,
        now: DateTime<Utc>,
    ) -> Result<Allowed, Denial> {
        let rules = &self.verbs[verb as usize];
        let found = rules.iter().zip(1..).find(|(rule, _)| rule.roles.iter().any(|role| actor.has_role(role)));
        let (rule, number) = found.ok_or(Denial::NoRule)?;
        let predicate = match rule.condition.as_ref().map(|condition| condition.ask(actor, params, now)) {
            None | Some(Asked::Holds) => Predicate::ALWAYS,
            Some(Asked::Row(predicate)) => predicate,
            Some(Asked::Fails) => return Err(Denial::Condition { rule: number }),
            Some(Asked::Error(message)) => return Err(Denial::Evaluation { rule: number, message }),
        };
        Ok(Allowed { rule: Some(number), columns: rule.columns.clone(), predicate })
    }
}

impl TableRule {
    fn compile(rule: &Rule, table: &Table) -> Result<Self, ExpressionError> {
        let condition = rule.condition.as_deref().map(|source| RowCondition::compile(source, table)).transpose();
        let condition = condition.map_err(|mut errors| errors.swap_remove(0))?;
        let columns = match &rule.columns {
            None => Columns::All,
            Some(columns) if columns.iter().any(|column| column == "*") => Columns::All,
            Some(columns) => Columns::Only(columns.as_slice().into()),
        };
        Ok(Self { roles: rule.roles.clone(), condition, columns })
    }
}

impl Columns {
    /// Whether the column is among them.
    pub fn contains(&self, column: &str) -> bool {
        match self {
            Columns::All => true,
            Columns::Only(columns) => columns.iter().any(|allowed| allowed == column),
        }
    }
}
