//! Rules for objects: a condition also knows what the names of its pattern stand for in the key (`path`).

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value as Json};

use super::{
    Actor, ActorKind, CompiledRules, Decision, Rule, RuleError,
    cel::{Expression, Scope},
    decide::{map, request},
};

/// An ordered list of them, ready to decide.
#[derive(Clone, Debug, Default)]
pub struct ObjectRules(CompiledRules);

impl ObjectRules {
    /// Compiles those of one verb.
    pub fn compile(rules: &[Rule]) -> Result<Self, RuleError> {
        CompiledRules::compile_in(rules, Scope::Object).map(Self)
    }

    /// What their conditions read after `path.`
    pub fn path_names(&self) -> impl Iterator<Item = &str> {
        self.0.conditions().flat_map(|condition| condition.uses().path.iter().map(String::as_str))
    }

    /// Decides for one request; the rule that lets the caller, from 0. `params` are as they were sent.
    pub fn decide(
        &self,
        actor: &Actor,
        params: &Map<String, Json>,
        path: &BTreeMap<String, String>,
        now: DateTime<Utc>,
    ) -> (Decision, Option<usize>) {
        if actor.kind == ActorKind::System {
            return (Decision::Allow, None);
        }
        let path = || map(path.iter().map(|(name, value)| (name.as_str(), value.as_str().into())));
        let evaluate = |condition: &Expression| {
            condition.evaluate([("request", request(condition.uses(), actor, params, now)?), ("path", path())])
        };
        match self.0.deciding(actor, evaluate) {
            Ok(rule) => (Decision::Allow, Some(rule)),
            Err(reason) => (Decision::denied(actor, reason), None),
        }
    }
}
