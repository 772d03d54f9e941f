//! The only implementation of the sandbox's [`Host`]: what a guest's imports reach. Every method checks its grant.
//!
//! A session belongs to one invocation. Dropped, it gives its connections back, and what is open on them is rolled back.

use std::{collections::BTreeMap, sync::Arc, time::Instant};

use santokit_core::{
    access::Actor,
    logic::Grants,
    schema::Schema,
    value::{Column, RowSet, Value},
};
use santokit_wasm::{
    CallerInfo, ConnectionId, CursorId, Host, InvocationInfo, Level, LogLine, LookupError, RowBudget, SqlError,
    TransactionId,
};
use secrecy::SecretString;

use crate::{db::Database, metrics::Metrics};

mod session_sql;

use session_sql::SqlSession;

/// What an invocation may reach.
#[derive(Debug)]
pub struct Session {
    invocation: InvocationInfo,
    actor: Actor,
    grants: Arc<Grants>,
    config: Arc<BTreeMap<String, String>>,
    secrets: Arc<BTreeMap<String, SecretString>>,
    sql: SqlSession,
}

/// What a session is made of.
#[derive(Debug)]
pub struct SessionParts {
    /// What this invocation is.
    pub invocation: InvocationInfo,
    /// Who called.
    pub actor: Actor,
    /// Of the logic.
    pub grants: Arc<Grants>,
    /// Configuration values of the env.
    pub config: Arc<BTreeMap<String, String>>,
    /// Secrets of the env.
    pub secrets: Arc<BTreeMap<String, SecretString>>,
    /// Databases by connection name.
    pub databases: Arc<BTreeMap<String, Arc<Database>>>,
    /// Declared schemas by connection name.
    pub schemas: Arc<BTreeMap<String, Schema>>,
    /// The connection on which the whole invocation is one transaction, if it is.
    pub transaction_on: Option<String>,
    /// When every statement must have ended.
    pub deadline: Instant,
    /// The numbers.
    pub metrics: Arc<Metrics>,
}

impl Session {
    /// Nothing is opened yet.
    pub fn new(parts: SessionParts) -> Self {
        let SessionParts {
            invocation,
            actor,
            grants,
            config,
            secrets,
            databases,
            schemas,
            transaction_on,
            deadline,
            metrics,
        } = parts;
        let sql = SqlSession::new(Arc::clone(&grants), databases, schemas, transaction_on, deadline, metrics);
        Self { invocation, actor, grants, config, secrets, sql }
    }

    /// Ends the invocation's own transaction: commits it, or rolls it back. What the guest left open is rolled back.
    pub async fn finish(self, commit: bool) -> Result<(), SqlError> {
        self.sql.finish(commit).await
    }
}

impl Host for Session {
    fn invocation(&self) -> InvocationInfo {
        self.invocation.clone()
    }

    fn caller(&self) -> CallerInfo {
        CallerInfo {
            kind: self.actor.kind.as_str().to_owned(),
            subject: self.actor.subject.clone(),
            roles: self.actor.roles.clone(),
            claims: serde_json::to_vec(&self.actor.claims).unwrap_or_else(|_| b"{}".to_vec()),
        }
    }

    fn config(&self, name: &str) -> Result<Option<String>, LookupError> {
        if !self.grants.config.contains(name) {
            return Err(LookupError::Denied(format!("grants.config does not list {name:?}")));
        }
        Ok(self.config.get(name).cloned())
    }

    fn secret(&self, name: &str) -> Result<SecretString, LookupError> {
        if !self.grants.secrets.contains(name) {
            return Err(LookupError::Denied(format!("grants.secrets does not list {name:?}")));
        }
        self.secrets.get(name).cloned().ok_or_else(|| LookupError::Missing(format!("this env has no secret {name:?}")))
    }

    fn log(&self, line: LogLine) {
        let (logic, request_id) = (&self.invocation.logic, &self.invocation.request_id);
        let fields: BTreeMap<&str, &str> =
            line.fields.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        let fields = serde_json::to_string(&fields).unwrap_or_default();
        let message = &line.message;
        match line.level {
            Level::Trace => tracing::trace!(target: "guest", %logic, requestId = %request_id, %fields, "{message}"),
            Level::Debug => tracing::debug!(target: "guest", %logic, requestId = %request_id, %fields, "{message}"),
            Level::Info => tracing::info!(target: "guest", %logic, requestId = %request_id, %fields, "{message}"),
            Level::Warn => tracing::warn!(target: "guest", %logic, requestId = %request_id, %fields, "{message}"),
            Level::Error => tracing::error!(target: "guest", %logic, requestId = %request_id, %fields, "{message}"),
        }
    }

    async fn sql_open(&mut self, name: &str) -> Result<ConnectionId, SqlError> {
        self.sql.open(name)
    }

    fn sql_engine(&self, connection: ConnectionId) -> &'static str {
        self.sql.engine(connection)
    }

    async fn sql_query(
        &mut self,
        connection: ConnectionId,
        sql: String,
        params: Vec<Value>,
        budget: RowBudget,
    ) -> Result<RowSet, SqlError> {
        let reading = self.sql.read(connection, &sql, &params, budget).await?;
        match reading.limit {
            Some(limit) => Err(SqlError::Limit(limit)),
            None => Ok(reading.rows),
        }
    }

    async fn sql_execute(
        &mut self,
        connection: ConnectionId,
        sql: String,
        params: Vec<Value>,
    ) -> Result<u64, SqlError> {
        self.sql.run(connection, &sql, &params).await
    }

    async fn sql_cursor(
        &mut self,
        connection: ConnectionId,
        sql: String,
        params: Vec<Value>,
        budget: RowBudget,
    ) -> Result<(CursorId, Vec<Column>), SqlError> {
        self.sql.open_cursor(connection, &sql, &params, budget).await
    }

    async fn sql_cursor_next(
        &mut self,
        cursor: CursorId,
        budget: RowBudget,
    ) -> Result<Option<Vec<Vec<Value>>>, SqlError> {
        self.sql.next_rows(cursor, budget)
    }

    async fn sql_cursor_close(&mut self, cursor: CursorId) {
        self.sql.close_cursor(cursor);
    }

    async fn sql_begin(&mut self, connection: ConnectionId) -> Result<TransactionId, SqlError> {
        self.sql.begin(connection).await
    }

    async fn sql_commit(&mut self, transaction: TransactionId) -> Result<(), SqlError> {
        self.sql.end(transaction, true).await
    }

    async fn sql_rollback(&mut self, transaction: TransactionId) -> Result<(), SqlError> {
        self.sql.end(transaction, false).await
    }
}
