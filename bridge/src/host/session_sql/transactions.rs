//! Transactions of one invocation: its own, those that the guest begins, savepoints within them, and where requests to tables run beside
//! them.

use santokit_core::limit::LimitName;
use santokit_wasm::{ConnectionId, SqlError, TransactionId};

use super::{Levels, Opened, Place, SAVEPOINTS_MAX, ServerLevels, SqlSession, begin, guest_error};

impl SqlSession {
    pub(in crate::host) async fn begin(&mut self, connection: ConnectionId) -> Result<TransactionId, SqlError> {
        let name = self.named(connection)?.name.clone();
        if self.is_on_server(connection) {
            let login = self.logins.of_raw(&name);
            return self.begin_on_server(connection, &login).await;
        }
        self.begin_within(connection).await
    }

    /// Begins one for declared queries, as a part of a call whose span names the connection.
    pub(in crate::host) async fn begin_declared(
        &mut self,
        connection: ConnectionId,
    ) -> Result<TransactionId, SqlError> {
        let name = self.opened(connection)?.name.clone();
        if self.is_on_server(connection) {
            let login = self.logins.of_declared(&name);
            return self.begin_on_server(connection, &login).await;
        }
        self.begin_within(connection).await
    }

    async fn begin_within(&mut self, connection: ConnectionId) -> Result<TransactionId, SqlError> {
        self.ensure_own_transaction(connection).await?;
        let id = TransactionId(self.next_id());
        let deadline = self.deadline;
        let opened = self.opened(connection)?;
        match &mut opened.transaction {
            None => opened.transaction = Some(begin(&opened.database, deadline, false).await?),
            Some(transaction) => {
                transaction.enter(id).await?;
                return Ok(id);
            }
        }
        if let Some(transaction) = &mut opened.transaction {
            transaction.savepoints.push(id);
        }
        Ok(id)
    }

    /// Ends a level. Only the innermost one can be committed; rolling back an outer one ends the inner ones with it.
    pub(in crate::host) async fn end(&mut self, id: TransactionId, commit: bool) -> Result<(), SqlError> {
        let ended = || SqlError::Invalid("the transaction has ended".to_owned());
        let opened = self.opened.iter_mut().find(|opened| opened.savepoints().contains(&id)).ok_or_else(ended)?;
        tracing::Span::current().record("connection", opened.name.as_str());
        let known = opened.savepoints();
        let level = known.iter().position(|known| *known == id).ok_or_else(ended)?;
        if commit && level + 1 != known.len() {
            return Err(SqlError::Invalid("an inner transaction is still open".to_owned()));
        }
        if let Some(levels) = &mut opened.levels {
            if level > 0 || levels.is_own() {
                return levels.leave(level, commit).await;
            }
            let Some(levels) = opened.levels.take() else { return Err(ended()) };
            // Dropped, it rolls back.
            return if commit { levels.commit().await } else { Ok(()) };
        }
        let transaction = opened.transaction.as_mut().ok_or_else(ended)?;
        transaction.savepoints.truncate(level);
        if level == 0 && !transaction.is_own {
            let Some(transaction) = opened.transaction.take() else { return Err(ended()) };
            // Dropped, it rolls back.
            return if commit { transaction.open.commit().await.map_err(guest_error) } else { Ok(()) };
        }
        let text = if commit {
            format!("RELEASE stk_{level}")
        } else {
            format!("ROLLBACK TO stk_{level}; RELEASE stk_{level}")
        };
        transaction.open.command(&text).await.map_err(guest_error)
    }

    /// Where an event is kept, and on which connection: in its transaction; in the invocation's own where there is one; else alone.
    pub(in crate::host) async fn event_place(
        &mut self,
        default: &str,
        within: Option<TransactionId>,
    ) -> Result<(String, EventPlace<'_>), SqlError> {
        let name = match within {
            Some(id) => {
                let found = self.opened.iter().find(|opened| opened.savepoints().contains(&id));
                found.ok_or_else(|| SqlError::Invalid("the transaction has ended".to_owned()))?.name.clone()
            }
            None if self.whole.contains(default) => default.to_owned(),
            None => self.whole.first().map_or(default, String::as_str).to_owned(),
        };
        if within.is_none() && self.whole.contains(&name) && !self.on_server.contains_key(&name) {
            // It is the transaction of what the logic will say in SQL.
            let id = self.open_declared(&name)?;
            let login = if self.is_on_server(id) { self.logins.of_any(&name) } else { None };
            if let Some(login) = login {
                self.ensure_own_on_server(id, &login).await?;
            }
        }
        let is_of_login = |opened: &Opened| opened.name == name && opened.levels.is_some();
        let is_meant = within.is_some() || self.whole.contains(&name) || self.has_joined(&name);
        if let Some(at) = self.opened.iter().position(is_of_login).filter(|_| is_meant) {
            let floor = self.floors.get(&name).copied().unwrap_or(0);
            let levels = self.opened.get_mut(at).and_then(|opened| opened.levels.as_mut()).ok_or_else(still_open)?;
            // Of what is open within it, only what was passed.
            if within.is_none() && levels.savepoints().len() > floor {
                return Err(still_open());
            }
            return Ok((name, EventPlace::OfLogin(levels)));
        }
        let place = self.place(&name, within).await?;
        Ok((name, EventPlace::OfTables(place)))
    }

    /// Where a request to tables of a connection runs: never beside a transaction of this invocation, for whose locks it would wait.
    pub(crate) async fn place(
        &mut self,
        connection: &str,
        within: Option<TransactionId>,
    ) -> Result<Place<'_>, SqlError> {
        let floor = self.floors.get(connection).copied().unwrap_or(0);
        let open = |opened: &Opened| opened.savepoints().len() > floor;
        if let Some(id) = within {
            let found = self.opened.iter().find(|opened| opened.savepoints().contains(&id));
            let found = found.ok_or_else(|| SqlError::Invalid("the transaction has ended".to_owned()))?;
            if found.name != connection {
                return Err(SqlError::Invalid("the table is in another database than the transaction".to_owned()));
            }
        } else if self.opened.iter().any(|opened| opened.name == connection && open(opened)) {
            return Err(still_open());
        } else if !self.whole.contains(connection) && !self.has_joined(connection) {
            return Ok(Place::Alone);
        }
        let id = self.open_declared(connection)?;
        if self.opened(id)?.database.sqlite().is_err() {
            return self.own_on_server(id).await.map(Place::OnServer);
        }
        self.ensure_own_transaction(id).await?;
        let transaction = self.opened(id)?.transaction.as_ref();
        let Levels { open, .. } = transaction.ok_or_else(|| SqlError::Invalid("there is no transaction".to_owned()))?;
        let deadline = open.deadline();
        Ok(Place::Lent(open.lend().await.map_err(guest_error)?, deadline))
    }
}

/// Where an event is kept.
pub(in crate::host) enum EventPlace<'s> {
    /// Where requests to tables run.
    OfTables(Place<'s>),
    /// In a transaction of a login.
    OfLogin(&'s mut ServerLevels),
}

fn still_open() -> SqlError {
    let message = "a transaction is open on the table's database: pass it to this call, or end it before";
    SqlError::Invalid(message.to_owned())
}

impl Levels {
    /// Begins a level within it.
    pub(super) async fn enter(&mut self, id: TransactionId) -> Result<(), SqlError> {
        let level = self.savepoints.len();
        if level >= SAVEPOINTS_MAX {
            return Err(SqlError::Limit(LimitName::Handles));
        }
        self.open.command(&format!("SAVEPOINT stk_{level}")).await.map_err(guest_error)?;
        self.savepoints.push(id);
        Ok(())
    }
}
