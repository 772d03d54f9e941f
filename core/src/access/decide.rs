//! The decision whether a caller may call, from rules compiled once per release.
//!
//! The first rule whose roles match the caller is *the* rule; its condition must then hold. Whatever cannot be evaluated denies.

use std::{collections::HashMap, sync::Arc};

use cel::{Value as CelValue, objects::Key};
use chrono::{DateTime, Utc};
use serde_json::{Map, Value as Json};

use super::{
    Actor, ActorKind, Rule,
    cel::{Expression, ExpressionError, Scope, Uses},
};

/// Role name for anyone, also without a credential.
pub const PUBLIC: &str = "public";

/// Role name for every end user.
pub const AUTHENTICATED: &str = "authenticated";

/// Values and bytes of text in the params that one condition may read.
const PARAMS_MAX: Size = Size { values: 10_000, bytes: 256 << 10 };

/// The same for a condition that goes over lists, and so does its work for every element.
const LISTED_PARAMS_MAX: Size = Size { values: 1_000, bytes: 16 << 10 };

#[derive(Clone, Copy)]
struct Size {
    values: usize,
    bytes: usize,
}

/// An ordered list of rules, ready to decide. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct CompiledRules {
    rules: Arc<[CompiledRule]>,
}

#[derive(Clone, Debug)]
struct CompiledRule {
    roles: Vec<String>,
    condition: Option<Expression>,
}

/// Whether a caller may.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It may.
    Allow,
    /// It has no credential and no public rule allows: the answer is 401.
    DenyAnonymous,
    /// It may not.
    Deny {
        /// Why, for keys, operators and the log; end users are told nothing.
        reason: Denial,
    },
}

/// Why a caller may not.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denial {
    /// No rule names a role of the caller.
    #[error("no rule applies to any of the caller's roles")]
    NoRule,
    /// The condition of the rule is false.
    #[error("the condition of rule {rule} does not hold")]
    Condition {
        /// From 1.
        rule: usize,
    },
    /// The condition of the rule cannot be evaluated.
    #[error("the condition of rule {rule} cannot be evaluated: {message}")]
    Evaluation {
        /// From 1.
        rule: usize,
        /// The evaluator's words; they can hold values of the request, so they are for the log only.
        message: String,
    },
}

/// A rule whose condition cannot be compiled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the condition of rule {rule} is refused: {error}")]
pub struct RuleError {
    /// From 1.
    pub rule: usize,
    /// What is wrong.
    pub error: ExpressionError,
}

/// Decides for rules that are used once. A Bridge compiles them once per release instead.
pub fn decide_call(
    rules: &[Rule],
    actor: &Actor,
    params: &Map<String, Json>,
    now: DateTime<Utc>,
) -> Result<Decision, RuleError> {
    Ok(CompiledRules::compile(rules)?.decide(actor, params, now))
}

impl CompiledRules {
    /// Compiles the rules of a logic.
    pub fn compile(rules: &[Rule]) -> Result<Self, RuleError> {
        Self::compile_in(rules, Scope::Call)
    }

    pub(super) fn compile_in(rules: &[Rule], scope: Scope) -> Result<Self, RuleError> {
        let compile = |(index, rule): (usize, &Rule)| {
            let condition = rule.condition.as_deref().map(|source| Expression::parse(source, scope)).transpose();
            let condition = condition.map_err(|error| RuleError { rule: index + 1, error })?;
            Ok(CompiledRule { roles: rule.roles.clone(), condition })
        };
        Ok(Self { rules: rules.iter().enumerate().map(compile).collect::<Result<_, _>>()? })
    }

    /// Decides for one call. `params` are checked params.
    pub fn decide(&self, actor: &Actor, params: &Map<String, Json>, now: DateTime<Utc>) -> Decision {
        let evaluate =
            |condition: &Expression| condition.evaluate([("request", request(condition.uses(), actor, params, now)?)]);
        if actor.kind == ActorKind::System {
            return Decision::Allow;
        }
        match self.deciding(actor, evaluate) {
            Ok(_) => Decision::Allow,
            Err(reason) => Decision::denied(actor, reason),
        }
    }

    /// The rule that lets the caller, from 0.
    pub(super) fn deciding(
        &self,
        actor: &Actor,
        evaluate: impl Fn(&Expression) -> Result<CelValue, String>,
    ) -> Result<usize, Denial> {
        let is_for = |rule: &&CompiledRule| rule.roles.iter().any(|role| actor.has_role(role));
        let Some((index, rule)) = self.rules.iter().enumerate().find(|(_, rule)| is_for(rule)) else {
            return Err(Denial::NoRule);
        };
        let rule_number = index + 1;
        match rule.condition.as_ref().map(evaluate) {
            None | Some(Ok(CelValue::Bool(true))) => Ok(index),
            Some(Ok(CelValue::Bool(false))) => Err(Denial::Condition { rule: rule_number }),
            Some(Ok(_)) => {
                Err(Denial::Evaluation { rule: rule_number, message: "it is neither true nor false".to_owned() })
            }
            Some(Err(message)) => Err(Denial::Evaluation { rule: rule_number, message }),
        }
    }

    pub(super) fn conditions(&self) -> impl Iterator<Item = &Expression> {
        self.rules.iter().filter_map(|rule| rule.condition.as_ref())
    }
}

impl Decision {
    pub(super) fn denied(actor: &Actor, reason: Denial) -> Self {
        if actor.kind == ActorKind::Anonymous { Self::DenyAnonymous } else { Self::Deny { reason } }
    }
}

impl Actor {
    /// Whether a rule for `role` is for this caller.
    ///
    /// A credential cannot claim `authenticated`: it means an end user, whatever roles a key was given.
    pub fn has_role(&self, role: &str) -> bool {
        match role {
            PUBLIC => true,
            AUTHENTICATED => self.kind == ActorKind::User,
            _ => self.kind != ActorKind::Anonymous && self.roles.iter().any(|own| own == role),
        }
    }
}

/// What a condition sees as `request`.
pub(super) fn request(
    uses: &Uses,
    actor: &Actor,
    params: &Map<String, Json>,
    now: DateTime<Utc>,
) -> Result<CelValue, String> {
    let auth = map([
        ("sub", actor.subject.as_deref().map_or(CelValue::Null, Into::into)),
        ("roles", CelValue::List(Arc::new(actor.roles.iter().map(|role| role.as_str().into()).collect()))),
        ("type", actor.kind.as_str().into()),
        ("claims", object(&actor.claims)),
    ]);
    Ok(map([("auth", auth), ("params", params_read(uses, params)?), ("now", CelValue::Timestamp(now.fixed_offset()))]))
}

/// The params that the condition reads, if they are not too many for it.
fn params_read(uses: &Uses, params: &Map<String, Json>) -> Result<CelValue, String> {
    let read: Vec<_> = params.iter().filter(|(name, _)| uses.all_params || uses.params.contains(*name)).collect();
    let most = if uses.comprehension { LISTED_PARAMS_MAX } else { PARAMS_MAX };
    if !is_within(read.iter().map(|(_, value)| *value), most) {
        let Size { values, bytes } = most;
        return Err(format!("the params that it reads have more than {values} values or {bytes} bytes of text"));
    }
    Ok(map(read.into_iter().map(|(name, value)| (name.as_str(), cel_value(value)))))
}

/// Counts without recursion, and stops as soon as it is too much.
fn is_within<'j>(values: impl Iterator<Item = &'j Json>, most: Size) -> bool {
    let mut open: Vec<&Json> = values.collect();
    let (mut count, mut bytes) = (0, 0);
    while let Some(value) = open.pop() {
        count += 1;
        match value {
            Json::Array(items) => open.extend(items.iter().take(most.values + 1)),
            Json::Object(fields) => {
                bytes += fields.keys().take(most.values + 1).map(String::len).sum::<usize>();
                open.extend(fields.values().take(most.values + 1));
            }
            Json::String(text) => bytes += text.len(),
            Json::Null | Json::Bool(_) | Json::Number(_) => {}
        }
        if count + open.len() > most.values || bytes > most.bytes {
            return false;
        }
    }
    true
}

/// Recursion is bounded: JSON from outside is read with a depth limit of 128.
pub(super) fn cel_value(json: &Json) -> CelValue {
    match json {
        Json::Null => CelValue::Null,
        Json::Bool(truth) => CelValue::Bool(*truth),
        Json::Number(number) => {
            number.as_i64().map_or_else(|| CelValue::Float(number.as_f64().unwrap_or(f64::NAN)), CelValue::Int)
        }
        Json::String(text) => text.as_str().into(),
        Json::Array(items) => CelValue::List(Arc::new(items.iter().map(cel_value).collect())),
        Json::Object(fields) => object(fields),
    }
}

fn object(fields: &Map<String, Json>) -> CelValue {
    map(fields.iter().map(|(name, value)| (name.as_str(), cel_value(value))))
}

pub(super) fn map<'n>(fields: impl IntoIterator<Item = (&'n str, CelValue)>) -> CelValue {
    let fields: HashMap<Key, CelValue> =
        fields.into_iter().map(|(name, value)| (Key::String(Arc::new(name.to_owned())), value)).collect();
    CelValue::Map(cel::objects::Map { map: Arc::new(fields) })
}
