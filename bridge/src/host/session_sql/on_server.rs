//! What of an invocation's SQL is another way on a database server: statements run as logins, and the platform's own requests to tables
//! in a transaction of theirs.

use std::{sync::Arc, time::Instant};

use santokit_core::schema::Schema;
use santokit_sql::guest::{self, Refused};
use santokit_wasm::{ConnectionId, CursorId, RowBudget, SqlError, TransactionId};

use super::{Opened, SqlSession, TRANSACTION_HOLD_MAX, guest_error};
use crate::{
    db::{Mode, Reading, Session, Share},
    host::server_sql::{self, Levels, Login, Logins, ServerStatement},
};

/// The transaction of requests to tables.
#[derive(Debug)]
pub(in crate::host) struct OnServer {
    pub(in crate::host) session: Session,
    pub(in crate::host) deadline: Instant,
    /// Whether a part of it could not be undone: it is not stored then.
    pub(in crate::host) is_broken: bool,
}

impl SqlSession {
    /// Whether statements on a connection run as logins.
    pub(in crate::host) fn is_on_server(&self, connection: ConnectionId) -> bool {
        self.opened.get(connection.0 as usize).is_some_and(Opened::is_on_server)
    }

    /// The logins of the logic.
    pub(in crate::host) fn logins(&self) -> &Arc<Logins> {
        &self.logins
    }

    pub(in crate::host) async fn read_on_server(
        &mut self,
        connection: ConnectionId,
        statement: ServerStatement<'_>,
        budget: RowBudget,
    ) -> Result<Reading, SqlError> {
        self.ensure_own_on_server(connection, &statement.login).await?;
        let (schemas, started, deadline) = (Arc::clone(&self.schemas), Instant::now(), self.deadline);
        let opened = self.opened(connection)?;
        let empty = Schema::default();
        let schema = schemas.get(&opened.name).unwrap_or(&empty);
        let answer = match &mut opened.levels {
            Some(levels) => levels.read(&statement, schema, budget).await,
            None => server_sql::read(&opened.database, &statement, schema, budget, deadline).await,
        };
        self.count(connection, started);
        answer
    }

    pub(in crate::host) async fn run_on_server(
        &mut self,
        connection: ConnectionId,
        statement: ServerStatement<'_>,
    ) -> Result<u64, SqlError> {
        self.ensure_own_on_server(connection, &statement.login).await?;
        let (schemas, started, deadline) = (Arc::clone(&self.schemas), Instant::now(), self.deadline);
        let opened = self.opened(connection)?;
        let empty = Schema::default();
        let schema = schemas.get(&opened.name).unwrap_or(&empty);
        let answer = match &mut opened.levels {
            Some(levels) => levels.run(&statement, schema).await,
            None => server_sql::run(&opened.database, &statement, schema, deadline).await,
        };
        self.count(connection, started);
        answer
    }

    /// Reads what the limits allow before the guest goes on.
    pub(super) async fn cursor_on_server(
        &mut self,
        connection: ConnectionId,
        statement: ServerStatement<'_>,
        budget: RowBudget,
    ) -> Result<(CursorId, Vec<santokit_core::value::Column>), SqlError> {
        let reading = self.read_on_server(connection, statement, budget).await?;
        Ok((self.keep_cursor(&reading.rows.rows, reading.limit), reading.rows.columns))
    }

    pub(super) async fn begin_on_server(
        &mut self,
        connection: ConnectionId,
        login: &Login,
    ) -> Result<TransactionId, SqlError> {
        self.ensure_own_on_server(connection, login).await?;
        let id = TransactionId(self.next_id());
        let deadline = self.deadline;
        let opened = self.opened(connection)?;
        if opened.levels.is_none() {
            opened.levels = Some(Levels::begin(&opened.database, login, deadline, false).await?);
        }
        if let Some(levels) = &mut opened.levels {
            levels.enter(id).await?;
        }
        Ok(id)
    }

    /// The invocation's own transaction is of the login that its first statement needs.
    async fn ensure_own_on_server(&mut self, connection: ConnectionId, login: &Login) -> Result<(), SqlError> {
        let (deadline, on, is_taken) = (self.deadline, self.transaction_on.clone(), self.on_server.is_some());
        let opened = self.opened(connection)?;
        if opened.levels.is_some() || on.as_deref() != Some(&opened.name) {
            return Ok(());
        }
        if is_taken {
            return Err(not_in_one());
        }
        opened.levels = Some(Levels::begin(&opened.database, login, deadline, true).await?);
        Ok(())
    }

    /// The invocation's own transaction of requests to tables, begun by the first.
    pub(super) async fn own_on_server(&mut self, connection: ConnectionId) -> Result<&mut OnServer, SqlError> {
        let deadline = self.deadline.min(Instant::now() + TRANSACTION_HOLD_MAX);
        let opened = self.opened(connection)?;
        if opened.levels.is_some() {
            return Err(not_in_one());
        }
        let database = Arc::clone(&opened.database);
        let begun = match self.on_server.take() {
            Some(begun) if begun.is_broken => {
                self.on_server = Some(begun);
                return Err(SqlError::Invalid("the transaction has ended".to_owned()));
            }
            Some(begun) => begun,
            None => {
                let session = database.begin(Mode::Write, Share::Guest, deadline).await.map_err(guest_error)?;
                OnServer { session, deadline, is_broken: false }
            }
        };
        Ok(self.on_server.insert(begun))
    }

    /// Stores what the invocation's own transactions did.
    pub(super) async fn commit_on_server(&mut self) -> Result<(), SqlError> {
        if let Some(OnServer { mut session, deadline, is_broken }) = self.on_server.take() {
            if is_broken {
                return Err(SqlError::Other("ROLLED_BACK".to_owned(), "a part could not be undone".to_owned()));
            }
            session.commit(deadline).await.map_err(guest_error)?;
            session.end();
        }
        for opened in &mut self.opened {
            let Some(levels) = opened.levels.take().filter(Levels::is_own) else { continue };
            if !levels.savepoints().is_empty() {
                return Err(SqlError::Invalid("a nested transaction was left open, so all was rolled back".to_owned()));
            }
            levels.commit().await?;
        }
        Ok(())
    }
}

impl Opened {
    pub(super) fn is_on_server(&self) -> bool {
        self.database.sqlite().is_err()
    }

    /// An early word on a guest's own text; the server has the last one.
    pub(super) fn check_on_server<'s>(
        &mut self,
        sql: &'s str,
        values: &[santokit_core::value::Value],
        logins: &Logins,
    ) -> Result<ServerStatement<'s>, SqlError> {
        let access = &self.access;
        let words = if let Some((_, words)) = self.checked.as_ref().filter(|(text, _)| text == sql) {
            words.clone()
        } else {
            let granted = |table: &str, verb| access.has(table, verb);
            let words = guest::check_on_server(sql, self.database.dialect(), granted, access.tables());
            let words = words.map_err(|refused| match refused {
                Refused::Denied(message) => SqlError::Denied(message),
                Refused::Invalid(message) => SqlError::Invalid(message),
            })?;
            self.checked = Some((sql.to_owned(), words.clone()));
            words
        };
        Ok(ServerStatement {
            sql,
            params: server_sql::bound(values),
            words,
            may_change_session: false,
            login: logins.of_raw(&self.name),
        })
    }
}

fn not_in_one() -> SqlError {
    let message = "on a database server requests to tables and SQL are not one transaction: use one of them in this logic, or leave out \
         `transaction: required`";
    SqlError::Invalid(message.to_owned())
}
