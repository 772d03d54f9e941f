//! Project folders: from file contents to a checked [`Project`], or to everything that is wrong with them at once.
//!
//! It must not read files, build components or know a Hub: the caller gives the files and turns a project into a release.

use std::collections::BTreeMap;

use crate::{
    access::{Permissions, Rule},
    component::World,
    cors::Cors,
    cron::Job,
    event::Events,
    limit::InvocationLimits,
    logic::{Grants, Mount, Record, SqlBody, TransactionMode},
    param::Param,
    quantity::Millis,
    release::Overlay,
    schema::Schema,
    storage::Storage,
};

mod access;
mod cors;
mod cron;
mod decode;
pub mod diagnostic;
mod events;
pub mod json_schema;
mod keys;
mod links;
mod logics;
mod loops;
pub mod manifest;
mod mapping;
mod mount;
mod node;
mod objects;
mod publish;
mod query;
mod read;
mod settings;
pub mod source;
mod sql_logic;
mod storage;
mod subscriptions;
mod tables;
pub mod test_file;
mod triggers;
mod typed;
mod wasm_logic;

use read::version;

pub use diagnostic::{Check, Diagnostic, Severity, has_errors, render};
pub use json_schema::{FileKind, json_schema};
pub use manifest::{BuiltComponent, MissingComponent};
pub use query::{DeclaredColumn, ProjectQuery};
pub use source::{SourceTree, is_project_file};
pub use sql_logic::SYSTEM_VARIABLES;

/// A project without a mistake in it.
#[derive(Clone, Debug)]
pub struct Project {
    /// Unique in a Hub.
    pub name: String,
    /// Meant where no connection is named.
    pub default_connection: String,
    /// The declared schema of each connection; the default connection is always among them.
    pub connections: BTreeMap<String, Schema>,
    /// Rules of the tables.
    pub permissions: Permissions,
    /// Which web pages may call it.
    pub cors: Option<Cors>,
    /// Buckets.
    pub storage: Storage,
    /// Topics and triggers.
    pub events: Events,
    /// Jobs.
    pub cron: BTreeMap<String, Job>,
    /// Configuration values.
    pub config: BTreeMap<String, String>,
    /// What differs by env.
    pub envs: BTreeMap<String, Overlay>,
    /// Declared queries by name.
    pub queries: BTreeMap<String, ProjectQuery>,
    /// By name, for example `pricing/quote`.
    pub logics: BTreeMap<String, ProjectLogic>,
    /// `santokit.dev.yaml`: never part of a release.
    pub dev: Option<DevSettings>,
    /// What is allowed, but probably not meant.
    pub warnings: Vec<Diagnostic>,
}

/// A logic as it stands in the project: all but what only a build can know.
#[derive(Clone, Debug, PartialEq)]
pub struct ProjectLogic {
    /// The file that declares it.
    pub path: String,
    /// For people.
    pub description: Option<String>,
    /// Who may call it.
    pub rules: Vec<Rule>,
    /// In the order of the file.
    pub params: Vec<Param>,
    /// Of its transaction and its statements.
    pub connection: String,
    /// Whether an invocation is a transaction.
    pub transaction: TransactionMode,
    /// Wall time.
    pub timeout: Millis,
    /// What runs.
    pub source: LogicSource,
}

impl ProjectLogic {
    /// Where it is mounted, if it is.
    pub fn mount(&self) -> Option<&Mount> {
        match &self.source {
            LogicSource::Wasm(source) => source.mount.as_ref(),
            LogicSource::Sql(_) => None,
        }
    }
}

/// What runs when a logic is called.
#[derive(Clone, Debug, PartialEq)]
pub enum LogicSource {
    /// Statements.
    Sql(SqlBody),
    /// A component, which has to be built or read.
    Wasm(Box<WasmSource>),
}

/// A component that is to be built or read, and its powers.
#[derive(Clone, Debug, PartialEq)]
pub struct WasmSource {
    /// Where the component comes from.
    pub component: ComponentSource,
    /// The logic's folder, relative to the project.
    pub dir: String,
    /// What it may do.
    pub grants: Grants,
    /// Where that stands, or should: `logics/NAME/logic.yaml:4`.
    pub grants_at: String,
    /// How much it may use; its `timeout` is the logic's.
    pub limits: InvocationLimits,
    /// Where it answers requests of HTTP.
    pub mount: Option<Mount>,
    /// Which of its invocations are recorded.
    pub record: Option<Record>,
    /// A subscription that gives it events: its component must take them.
    pub subscription: Option<String>,
    /// Where a job names it, as `cron/x.yaml:3:10`: its component must take calls.
    pub job_at: Option<String>,
}

impl WasmSource {
    /// What its component must export.
    pub fn world(&self) -> World {
        World::of(self.mount.as_ref())
    }
}

/// Where a component comes from. Paths are relative to the logic's folder and stay in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ComponentSource {
    /// It is there already.
    Path(String),
    /// Built from the source beside the manifest.
    Build(Language),
    /// Built by a command of the developer's.
    Command {
        /// For the shell, run in the logic's folder.
        command: String,
        /// The file that it leaves there.
        output: String,
    },
}

/// A language that `stk` builds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// A cargo package.
    Rust,
    /// JavaScript.
    Js(JsEngine),
    /// TypeScript.
    Ts(JsEngine),
    /// Python modules.
    Python,
    /// C files.
    C,
}

/// What runs JavaScript.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum JsEngine {
    /// Small and quick to compile.
    #[default]
    QuickJs,
    /// SpiderMonkey, for heavy code.
    StarlingMonkey,
}

/// What `stk dev` uses in place of a Hub's connections, keys and secrets.
#[derive(Clone, Debug, Default)]
pub struct DevSettings {
    /// By connection name.
    pub connections: BTreeMap<String, DevConnection>,
    /// Keys that the local Bridge accepts.
    pub api_keys: Vec<DevApiKey>,
    /// By secret name.
    pub secrets: BTreeMap<String, DevSecret>,
}

/// A database of `stk dev`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DevConnection {
    /// The kind of database.
    pub engine: DevEngine,
    /// `sqlite:<path relative to the project>`, or the URL of a server.
    pub url: String,
}

/// A kind of database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DevEngine {
    /// SQLite.
    Sqlite,
    /// PostgreSQL.
    Postgres,
    /// MySQL or MariaDB.
    Mysql,
}

/// A key of `stk dev`.
#[derive(Clone, Debug)]
pub struct DevApiKey {
    /// For people.
    pub name: String,
    /// `stk_<id>.<secret>`.
    pub key: secrecy::SecretString,
    /// Its roles.
    pub roles: Vec<String>,
}

/// Where `stk dev` finds a secret.
#[derive(Clone, Debug)]
pub enum DevSecret {
    /// Here.
    Value(secrecy::SecretString),
    /// In a variable of the environment.
    FromEnv(String),
}

/// Reads a project. `Err` holds every error and warning of all files, by path and place.
pub fn parse(files: &SourceTree) -> Result<Project, Vec<Diagnostic>> {
    read::project(files)
}

impl DevEngine {
    /// Every kind.
    pub const ALL: &'static [DevEngine] = &[DevEngine::Sqlite, DevEngine::Postgres, DevEngine::Mysql];

    /// As written in project files, and as a connection's `engine`.
    pub const fn as_str(self) -> &'static str {
        match self {
            DevEngine::Sqlite => "sqlite",
            DevEngine::Postgres => "postgres",
            DevEngine::Mysql => "mysql",
        }
    }

    /// What its URLs begin with.
    const fn schemes(self) -> &'static [&'static str] {
        match self {
            DevEngine::Sqlite => &["sqlite:"],
            DevEngine::Postgres => &["postgres://", "postgresql://"],
            DevEngine::Mysql => &["mysql://", "mariadb://"],
        }
    }

    /// Whether a URL is of this engine, and not empty.
    pub fn fits(self, url: &str) -> bool {
        self.schemes().iter().any(|scheme| url.strip_prefix(scheme).is_some_and(|rest| !rest.is_empty()))
    }
}

impl Language {
    /// As written in `logic.yaml`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Language::Rust => "rust",
            Language::Js(_) => "js",
            Language::Ts(_) => "ts",
            Language::Python => "python",
            Language::C => "c",
        }
    }
}
