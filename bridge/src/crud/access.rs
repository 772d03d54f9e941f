//! The rules of a table, asked for a request: what the caller gets, or why it gets nothing.

use santokit_core::access::{
    ActorKind, Denial,
    predicate::Predicate,
    table::{Columns, TableDecision, TableRules, Verb},
};

use super::{names::Entry, request::Request};

/// What a rule gives a caller.
#[derive(Clone, Debug)]
pub struct Grant {
    /// What it asks of rows.
    pub rule: Predicate,
    /// The columns that it gives.
    pub columns: Columns,
}

/// Asks the rules of a table. The error is the reason, for keys and the log; it holds no value of the request.
pub fn ask(rules: &TableRules, verb: Verb, request: &Request<'_>) -> Result<Grant, String> {
    match rules.decide(verb, request.actor, request.params, request.now) {
        TableDecision::Allow(allowed) => Ok(Grant { rule: allowed.predicate, columns: allowed.columns }),
        TableDecision::DenyAnonymous => Err("no public rule allows it".to_owned()),
        TableDecision::Deny { reason: Denial::Evaluation { rule, .. } } => {
            // The evaluator's words can hold values of the request.
            Err(format!("the condition of rule {rule} cannot be evaluated"))
        }
        TableDecision::Deny { reason } => Err(reason.to_string()),
    }
}

/// The names of the columns that a rule gives, in the order of the schema.
pub fn names<'e>(columns: &Columns, entry: &'e Entry) -> Vec<&'e str> {
    entry.columns.iter().map(|column| column.column.name.as_str()).filter(|name| columns.contains(name)).collect()
}

/// Whether a caller is told what it may not have.
pub const fn is_told_reasons(kind: ActorKind) -> bool {
    matches!(kind, ActorKind::ApiKey | ActorKind::System)
}
