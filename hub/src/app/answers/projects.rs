//! Projects, their envs, and what is set there: connections, secrets, ceilings.

use santokit_core::{release::ceilings, schema};
use santokit_sql::schema::pull::Remark;
use schemars::JsonSchema;
use serde::Serialize;

use crate::app::schema::diagnosis::Diagnosis;

/// A project.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Project {
    /// Its name.
    pub name: String,
    /// The org that it is in.
    pub org: String,
    /// When it was made.
    pub created_at: String,
}

/// The projects in which the caller has a role.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Projects {
    /// By name.
    pub projects: Vec<Project>,
}

/// An env that was made.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NewEnv {
    /// The project's name.
    pub project: String,
    /// Its name.
    pub name: String,
    /// When it was made.
    pub created_at: String,
}

/// An env of a project.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Env {
    /// Its name.
    pub name: String,
    /// When it was made.
    pub created_at: String,
    /// Whether what it runs is changed with a second factor alone.
    pub protected: bool,
}

/// The envs of a project.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Envs {
    /// By name.
    pub envs: Vec<Env>,
}

/// Whether an env is protected now.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Protection {
    /// The project's name.
    pub project: String,
    /// The env's name.
    pub name: String,
    /// Whether what it runs is changed with a second factor alone.
    pub protected: bool,
}

/// A connection, masked.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Connection {
    /// Its name.
    pub name: String,
    /// `sqlite`, `postgres` or `mysql`.
    pub engine: String,
    /// Without its credentials.
    pub url: String,
    /// Whether the Hub has a URL of its own.
    pub has_admin_url: bool,
    /// When it was set.
    pub updated_at: String,
}

/// The connections of an env.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Connections {
    /// By name.
    pub connections: Vec<Connection>,
}

/// What is wrong with a connection, if something is.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ConnectionTest {
    /// Its name.
    pub name: String,
    /// `sqlite`, `postgres` or `mysql`.
    pub engine: String,
    /// Without its credentials.
    pub url: String,
    /// Over the URL of Bridges.
    pub bridge: Diagnosis,
    /// Over the Hub's own, where it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hub: Option<Diagnosis>,
    /// Whether all of it can be used.
    pub ok: bool,
}

/// What is in a database.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct PulledSchema {
    /// The connection's name.
    pub name: String,
    /// `sqlite`, `postgres` or `mysql`.
    pub engine: String,
    /// As a declaration.
    pub schema: schema::Schema,
    /// What is not, or not quite, as in the database.
    #[schemars(with = "Vec<PullRemark>")]
    pub remarks: Vec<Remark>,
}

/// Something that is not, or not quite, as in the database. The document's view of the type of `santokit-sql`, which knows no JSON
/// Schema; the contract tests hold the two against each other.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PullRemark {
    /// Of this table or view.
    pub table: String,
    /// Of this column.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    /// Whether it is not declared at all.
    pub left_out: bool,
    /// Why, or what is different.
    pub message: String,
}

/// What an apply would change in each database.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Plans {
    /// By name.
    pub connections: Vec<Plan>,
}

/// What an apply would change in one database.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Plan {
    /// The connection's name.
    pub name: String,
    /// `sqlite`, `postgres` or `mysql`.
    pub engine: String,
    /// In the order in which they are taken.
    pub steps: Vec<PlanStep>,
    /// What cannot be done; then there are no steps.
    pub refusals: Vec<PlanRefusal>,
    /// Tables that nobody declared. They are left alone.
    pub undeclared: Vec<String>,
}

/// One step.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlanStep {
    /// In words.
    pub description: String,
    /// The table that it changes.
    pub table: String,
    /// As it is sent.
    pub sql: String,
    /// How dangerous it is.
    pub class: String,
    /// Whether the release before cannot work with it.
    pub breaking: bool,
    /// What it holds up while it runs, in words.
    pub holds_up: String,
    /// About how many rows it meets; null where the table is not there yet.
    pub estimated_rows: Option<u64>,
}

/// A change that cannot be made.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct PlanRefusal {
    /// The change.
    pub description: String,
    /// Why not.
    pub reason: String,
}

/// A secret that is set: never what it is.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "SecretShown")]
pub struct Secret {
    /// Its name.
    pub name: String,
    /// When it was set.
    pub updated_at: String,
}

/// The secrets of an env.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Secrets {
    /// By name.
    pub secrets: Vec<Secret>,
}

/// The most that components of a project may have.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "ProjectCeilings")]
pub struct Ceilings {
    /// Null where there are none.
    pub ceilings: Option<ceilings::Ceilings>,
    /// When they were set.
    pub updated_at: Option<String>,
}

/// An env that was removed.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EnvGone {
    /// The project's name.
    pub project: String,
    /// Its name.
    pub deleted: String,
    /// Bridges that served it.
    pub bridges: Vec<String>,
    /// Logins for guests' SQL that could not be dropped.
    pub left_logins: Vec<String>,
}

/// A project that was removed.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ProjectGone {
    /// Its name.
    pub deleted: String,
    /// How many releases went with it.
    pub releases: usize,
}
