//! Logic as a release carries it: who may call it, what it takes, what it is, and for Wasm what it was granted and limited to.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    access::Rule,
    component::{self, Handled, World},
    limit::InvocationLimits,
    param::Param,
    quantity::Millis,
};

mod http_grant;
mod mount;
mod publish;
mod record;
mod storage_grant;

pub use http_grant::{HttpGrant, HttpGrantError};
pub use mount::{Mount, MountError, Mounted, Mounts};
pub use publish::{PUBLISHED_MAX, Publish, PublishError, Source};
pub use record::{KEEP_MAX, Record, RecordError, Share};
pub use storage_grant::{StorageGrant, StorageGrantError, StorageOp};

/// A named function.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Logic {
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Who may call it: ordered, the first rule whose roles match decides. Empty: nobody but the host itself.
    pub rules: Vec<Rule>,
    /// By name, in the order of the file.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub params: Vec<Param>,
    /// The connection that `transaction` and SQL statements are on.
    pub connection: String,
    /// Whether the whole invocation is one transaction.
    pub transaction: TransactionMode,
    /// Wall time.
    pub timeout: Millis,
    /// What runs.
    pub body: Body,
}

/// What runs when a logic is called.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "LogicBody")]
pub enum Body {
    /// One or more SQL statements with named parameters.
    Sql(SqlBody),
    /// A WebAssembly component.
    Wasm(Box<WasmBody>),
}

/// The statements of a SQL logic.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SqlBody {
    /// In order; `:name` placeholders as written.
    pub statements: Vec<String>,
    /// Events that are stored with what the statements did; none where absent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub publish: Vec<Publish>,
}

/// A component with its powers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WasmBody {
    /// `sha256:<hex>` of the component's bytes.
    pub component: String,
    /// Size of the component.
    pub size_bytes: u64,
    /// What it was built from: `rust`, `js`, `ts`, `component`, …
    pub language: String,
    /// The component's own imports, sorted.
    pub imports: BTreeSet<String>,
    /// What it can be given, by its exports: calls where absent.
    #[serde(default = "component::calls", skip_serializing_if = "component::is_calls")]
    pub handles: BTreeSet<Handled>,
    /// What it may do. Absent is nothing.
    pub grants: Grants,
    /// How much it may use.
    pub limits: InvocationLimits,
    /// Where it answers requests of HTTP; none for a component that is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mount: Option<Mount>,
    /// Digest of the software bill of materials of its build.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sbom: Option<String>,
    /// Which of its invocations are recorded; none where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<Record>,
}

impl Logic {
    /// Where it is mounted, if it is.
    pub fn mount(&self) -> Option<&Mount> {
        match &self.body {
            Body::Wasm(wasm) => wasm.mount.as_ref(),
            Body::Sql(_) => None,
        }
    }

    /// Whether it can be called with params.
    pub fn is_called(&self) -> bool {
        match &self.body {
            Body::Wasm(wasm) => wasm.mount.is_none() && wasm.handles.contains(&Handled::Call),
            Body::Sql(_) => true,
        }
    }

    /// Whether a job can run it: by an export of its own, or by a call without params.
    pub fn is_run(&self) -> bool {
        self.is_called() || self.is_told_of_runs()
    }

    /// Whether it has an export for jobs.
    pub fn is_told_of_runs(&self) -> bool {
        match &self.body {
            Body::Wasm(wasm) => wasm.mount.is_none() && wasm.handles.contains(&Handled::Cron),
            Body::Sql(_) => false,
        }
    }

    /// Whether its own transaction says that an event is handled.
    pub fn acknowledges(&self) -> bool {
        self.is_given_events() && self.transaction == TransactionMode::Required
    }

    /// Whether it can be given events.
    pub fn is_given_events(&self) -> bool {
        match &self.body {
            Body::Wasm(wasm) => wasm.mount.is_none() && wasm.handles.contains(&Handled::Event),
            Body::Sql(_) => true,
        }
    }
}

impl WasmBody {
    /// What its component must export.
    pub fn world(&self) -> World {
        World::of(self.mount.as_ref())
    }

    /// One line for every single power: its grants, and where it is mounted.
    pub fn lines(&self) -> BTreeSet<String> {
        let mut lines = self.grants.lines();
        lines.extend(self.mount.iter().flat_map(Mount::lines));
        lines.extend(self.record.iter().map(Record::line));
        lines
    }
}

/// Whether an invocation is a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum TransactionMode {
    /// Only what the logic begins itself.
    None,
    /// The whole invocation, on the logic's connection.
    Required,
}

/// Every power that a component can be given. Deny by default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Grants {
    /// Names of declared queries.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub queries: BTreeSet<String>,
    /// Raw SQL: the widest.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sql: Vec<SqlGrant>,
    /// Requests to tables, under the rules of the tables.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crud: Option<CrudGrant>,
    /// Names of other logics.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub logics: BTreeSet<String>,
    /// Outbound requests.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub http: Vec<HttpGrant>,
    /// Objects in buckets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub storage: Vec<StorageGrant>,
    /// Topics whose events it may publish.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub events: BTreeSet<String>,
    /// Whether it remembers what it has done, to do it once.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub once: bool,
    /// Names of secrets.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub secrets: BTreeSet<String>,
    /// Names of configuration values.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub config: BTreeSet<String>,
}

/// For whom a component asks the tables.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "as", rename_all = "camelCase", deny_unknown_fields)]
pub enum CrudGrant {
    /// For its caller: what it gets is what the caller would get.
    Caller {},
    /// For itself, whoever called.
    Service {
        /// What the rules of tables know it by; one at least.
        roles: BTreeSet<String>,
    },
}

/// Raw SQL on some tables of one connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SqlGrant {
    /// The connection's name.
    pub connection: String,
    /// Verbs by table.
    pub tables: BTreeMap<String, BTreeSet<Verb>>,
}

/// What may be done to a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Verb {
    /// Read rows.
    Select,
    /// Add rows.
    Insert,
    /// Change rows.
    Update,
    /// Remove rows.
    Delete,
}

impl Verb {
    /// As written in project files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Verb::Select => "select",
            Verb::Insert => "insert",
            Verb::Update => "update",
            Verb::Delete => "delete",
        }
    }
}

/// What grants cannot say.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GrantError {
    /// Of outbound requests.
    #[error(transparent)]
    Http(#[from] HttpGrantError),
    /// Of objects.
    #[error(transparent)]
    Storage(#[from] StorageGrantError),
}

impl Grants {
    /// The verbs granted on a table of a connection.
    pub fn sql_verbs(&self, connection: &str, table: &str) -> BTreeSet<Verb> {
        self.sql
            .iter()
            .filter(|grant| grant.connection == connection)
            .filter_map(|grant| grant.tables.get(table))
            .flatten()
            .copied()
            .collect()
    }

    /// What no project file can say, in a manifest that may come from anywhere: too many hosts, paths or keys, or such as mean nothing.
    pub fn check(&self) -> Result<(), GrantError> {
        HttpGrant::check_all(&self.http)?;
        Ok(StorageGrant::check_all(&self.storage)?)
    }

    /// One line for every single power, sorted: what `compare` and the consent to widened grants are made of. What declared
    /// queries may do stands in the manifest; see `Manifest::capability_lines`.
    pub fn lines(&self) -> BTreeSet<String> {
        let mut lines = BTreeSet::new();
        for grant in &self.sql {
            // Statements of one's own are a power, also where they may touch no table.
            if grant.tables.values().all(BTreeSet::is_empty) {
                lines.insert(format!("sql {}", grant.connection));
            }
            for (table, verbs) in &grant.tables {
                lines.extend(verbs.iter().map(|verb| format!("sql {}.{table} {}", grant.connection, verb.as_str())));
            }
        }
        match &self.crud {
            None => {}
            Some(CrudGrant::Caller {}) => drop(lines.insert("crud as caller".to_owned())),
            // A role more is a power more.
            Some(CrudGrant::Service { roles }) => {
                lines.insert("crud as service".to_owned());
                lines.extend(roles.iter().map(|role| format!("crud as service, role {role}")));
            }
        }
        lines.extend(self.logics.iter().map(|name| format!("logic {name}")));
        lines.extend(self.http.iter().flat_map(HttpGrant::lines));
        lines.extend(self.storage.iter().flat_map(StorageGrant::lines));
        lines.extend(self.events.iter().map(|topic| format!("publish {topic}")));
        lines.extend(self.once.then(|| "once".to_owned()));
        lines.extend(self.secrets.iter().map(|name| format!("secret {name}")));
        lines.extend(self.config.iter().map(|name| format!("config {name}")));
        lines
    }
}
