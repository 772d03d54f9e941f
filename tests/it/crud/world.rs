//! A project's tables on a database of its own, and requests to them by the code that answers HTTP.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use santokit_bridge::{
    crud::{
        self, Crud,
        answer::Answer,
        limits::{Allowance, CrudLimits},
        names::Tables,
    },
    db::{Database, DatabaseSettings},
    events::Publishing,
    metrics::Metrics,
};
use santokit_core::{
    access::{Actor, ActorKind, Permissions},
    problem::Outcome,
    schema::Schema,
};
use santokit_sql::dialect::Dialect;
use serde_json::{Map, Value as Json};

use crate::own_database::Own;

/// Tables with what keeps their database.
pub(crate) struct World {
    pub(super) tables: Tables,
    pub(super) databases: BTreeMap<String, Arc<Database>>,
    pub(super) limits: CrudLimits,
    pub(super) now: DateTime<Utc>,
    pub(super) metrics: Metrics,
    _own: Own,
}

/// Bytes of an answer.
const BYTES_MAX: usize = 50_000_000;

impl World {
    /// The tables of one connection, empty, and the platform's own beside them: as the Hub makes them.
    pub(super) async fn new(dialect: Dialect, schema: &Schema, permissions: &Permissions) -> Self {
        let own = Own::create(dialect.as_str()).await;
        own.apply(schema).await.unwrap_or_else(|refused| panic!("{refused:?}"));
        Self::over(own, schema, permissions)
    }

    /// A database that has the tables.
    pub(crate) fn over(own: Own, schema: &Schema, permissions: &Permissions) -> Self {
        let connections = BTreeMap::from([("main".to_owned(), schema.clone())]);
        let settings = DatabaseSettings { pool_size: 8, ..DatabaseSettings::default() };
        Self {
            tables: crud::tables(&connections, permissions).unwrap(),
            databases: BTreeMap::from([("main".to_owned(), Arc::new(own.open(&settings)))]),
            limits: CrudLimits::default(),
            now: Utc::now(),
            metrics: Metrics::new().unwrap(),
            _own: own,
        }
    }

    /// Answers a request.
    pub(crate) async fn call(
        &self,
        actor: &Actor,
        path: &str,
        params: &Map<String, Json>,
        key: Option<&str>,
    ) -> Outcome<Answer> {
        let crud = self.crud(actor, None);
        match crud::table_path(path) {
            Some((table, verb)) => crud.call(table, verb, params, key).await,
            None => crud.batch(params, key).await,
        }
    }

    /// What requests are answered with; for a guest within what its invocation has left.
    pub(super) fn crud<'c>(&'c self, actor: &'c Actor, allowance: Option<Allowance>) -> Crud<'c> {
        Crud {
            tables: &self.tables,
            databases: &self.databases,
            env: ("cases", "dev"),
            actor,
            now: self.now,
            limits: &self.limits,
            bytes_max: BYTES_MAX,
            query_timeout: Duration::from_mins(2),
            metrics: &self.metrics,
            allowance,
            request_id: "req_test",
            objects: None,
            events: Publishing::default(),
        }
    }
}

/// A caller with roles.
pub(crate) fn actor(kind: ActorKind, subject: &str, roles: &[&str]) -> Actor {
    Actor {
        kind,
        subject: Some(subject.to_owned()),
        roles: roles.iter().map(|role| (*role).to_owned()).collect(),
        claims: Map::new(),
    }
}
