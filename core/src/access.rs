//! Who may do what: rules, the caller they are decided for, and the decision.
//!
//! It decides from values only: no permission decision depends on the Hub, a database or a clock of its own.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

pub mod cel;
pub mod decide;
pub mod filter;
pub mod lower;
pub mod object;
pub mod predicate;
pub mod table;
pub mod trial;

pub use decide::{CompiledRules, Decision, Denial, RuleError, decide_call};

/// One rule of an ordered list. The first rule whose roles match the caller is *the* rule; its condition must then hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rule {
    /// `public`, `authenticated` or role names.
    pub roles: Vec<String>,
    /// CEL; absent holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub condition: Option<String>,
    /// For tables: the columns; absent is all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub columns: Option<Vec<String>>,
}

/// The rules of a project's tables and topics. Logics carry their own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Permissions {
    /// By table name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tables: BTreeMap<String, TablePermissions>,
    /// By topic.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub events: BTreeMap<String, EventPermissions>,
}

/// Ordered rules of a topic; an empty list allows nobody.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EventPermissions {
    /// Who may publish.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub publish: Vec<Rule>,
}

/// Ordered rules for each verb; an empty list allows nobody.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TablePermissions {
    /// Who may read rows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub select: Vec<Rule>,
    /// Who may add rows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub insert: Vec<Rule>,
    /// Who may change rows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub update: Vec<Rule>,
    /// Who may remove rows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub delete: Vec<Rule>,
}

impl Permissions {
    /// Whether there is no rule at all.
    pub fn is_empty(&self) -> bool {
        self.tables.is_empty() && self.events.is_empty()
    }
}

/// Who is calling, after authentication.
#[derive(Clone, Debug, PartialEq)]
pub struct Actor {
    /// How the caller was authenticated.
    pub kind: ActorKind,
    /// API key id or end user's `sub`.
    pub subject: Option<String>,
    /// Role names of the credential.
    pub roles: Vec<String>,
    /// Further claims of the credential.
    pub claims: Map<String, Json>,
}

/// How a caller was authenticated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActorKind {
    /// No credential: only `public` rules apply.
    Anonymous,
    /// An API key: `public` and its roles.
    ApiKey,
    /// An end user: `public`, `authenticated` and its roles.
    User,
    /// The platform itself (cron, events).
    System,
    /// A logic that asks tables for itself: `public` and the roles of its grant.
    Service,
}

impl ActorKind {
    /// As guests, logs and CEL see it.
    pub const fn as_str(self) -> &'static str {
        match self {
            ActorKind::Anonymous => "anonymous",
            ActorKind::ApiKey => "apiKey",
            ActorKind::User => "user",
            ActorKind::System => "system",
            ActorKind::Service => "service",
        }
    }
}

impl Actor {
    /// A caller without a credential.
    pub fn anonymous() -> Self {
        Self { kind: ActorKind::Anonymous, subject: None, roles: Vec::new(), claims: Map::new() }
    }

    /// The platform itself, for whom events are handled.
    pub fn system() -> Self {
        Self { kind: ActorKind::System, ..Self::anonymous() }
    }
}
