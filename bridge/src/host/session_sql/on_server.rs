//! What of an invocation's SQL is another way on a database server: statements run as logins, and the platform's own requests to tables
//! in a transaction of theirs.

use std::{collections::btree_map::Entry, sync::Arc, time::Instant};

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
pub(crate) struct OnServer {
    pub(crate) session: Session,
    pub(crate) deadline: Instant,
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
    pub(super) async fn ensure_own_on_server(
        &mut self,
        connection: ConnectionId,
        login: &Login,
    ) -> Result<(), SqlError> {
        let deadline = self.deadline;
        let name = self.opened(connection)?.name.clone();
        let (is_whole, is_taken) = (self.whole.contains(&name), self.on_server.contains_key(&name));
        let opened = self.opened(connection)?;
        if opened.levels.is_some() || !is_whole && !is_taken {
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
        let (database, name) = (Arc::clone(&opened.database), opened.name.clone());
        match self.on_server.entry(name) {
            Entry::Occupied(begun) if begun.get().is_broken => {
                Err(SqlError::Invalid("the transaction has ended".to_owned()))
            }
            Entry::Occupied(begun) => Ok(begun.into_mut()),
            Entry::Vacant(free) => {
                let session = database.begin(Mode::Write, Share::Guest, deadline).await.map_err(guest_error)?;
                let begun = OnServer { session, deadline, is_broken: false };
                Ok(free.insert(begun))
            }
        }
    }

    /// Stores what the invocation's own transactions did.
    pub(super) async fn commit_on_server(&mut self) -> Result<(), SqlError> {
        for OnServer { mut session, deadline, is_broken } in std::mem::take(&mut self.on_server).into_values() {
            if is_broken {
                return Err(SqlError::Other("ROLLED_BACK".to_owned(), "a part could not be undone".to_owned()));
            }
            session.commit(deadline).await.map_err(guest_error)?;
            session.end();
        }
        for opened in &mut self.opened {
            if let Some(levels) = opened.levels.take().filter(Levels::is_own) {
                levels.commit().await?;
            }
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
