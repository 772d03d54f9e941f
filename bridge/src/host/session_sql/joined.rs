//! Transactions that a logic has in common with one that calls it. While the call lasts they are the called one's, within a level that
//! the caller has begun for it: what fails there is undone, and the caller's transaction goes on.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use santokit_wasm::{SqlError, TransactionId};

use super::{Levels, OnServer, ServerLevels, SqlSession, guest_error};
use crate::db::Database;

/// Of the platform's own statements on a server: above every level of theirs.
const CALL_LEVEL: usize = 10_000;

/// What a call takes over and gives back.
#[derive(Debug, Default)]
pub struct Joined {
    connections: Vec<Connection>,
    on_server: BTreeMap<String, OnServer>,
    /// Where the whole of the caller's invocation is one transaction, begun or not.
    whole: BTreeSet<String>,
    ids: u32,
}

/// A transaction that is open.
#[derive(Debug)]
struct Connection {
    name: String,
    database: Arc<Database>,
    transaction: Option<Levels>,
    levels: Option<ServerLevels>,
}

/// The levels that were begun for a call.
#[derive(Debug, Default)]
pub(in crate::host) struct CallLevels {
    ids: Vec<TransactionId>,
    on_server: Vec<String>,
    depth: usize,
}

impl SqlSession {
    /// Gives what is open to a logic that is called, in levels of its own.
    pub(in crate::host) async fn lend(&mut self, depth: usize) -> Result<(Joined, CallLevels), SqlError> {
        let mut levels = CallLevels { depth, ..CallLevels::default() };
        if let Err(error) = self.enter_call(&mut levels).await {
            // What was begun is empty. What cannot be ended is undone with its transaction.
            drop(self.end_call(levels, true).await);
            return Err(error);
        }
        let connections = self.opened.iter_mut().filter(|opened| opened.has_transaction()).map(|opened| Connection {
            name: opened.name.clone(),
            database: Arc::clone(&opened.database),
            transaction: opened.transaction.take(),
            levels: opened.levels.take(),
        });
        let joined = Joined {
            connections: connections.collect(),
            on_server: std::mem::take(&mut self.on_server),
            whole: self.whole.clone(),
            ids: self.ids,
        };
        // Until it is given back: a caller must not begin anew what may be half done.
        self.is_lent = true;
        Ok((joined, levels))
    }

    /// Takes back what was lent: all of the call, or nothing of it.
    pub(in crate::host) async fn take_back(
        &mut self,
        joined: Joined,
        levels: CallLevels,
        keep: bool,
    ) -> Result<(), SqlError> {
        let Joined { connections, on_server, ids, .. } = joined;
        self.is_lent = false;
        self.ids = ids;
        for Connection { name, transaction, levels, .. } in connections {
            let id = self.open_declared(&name)?;
            let opened = self.opened(id)?;
            (opened.transaction, opened.levels) = (transaction, levels);
        }
        self.on_server = on_server;
        self.end_call(levels, keep).await
    }

    async fn enter_call(&mut self, levels: &mut CallLevels) -> Result<(), SqlError> {
        for index in 0..self.opened.len() {
            let id = TransactionId(self.next_id());
            let Some(opened) = self.opened.get_mut(index) else { continue };
            if let Some(open) = &mut opened.levels {
                open.enter(id).await?;
            } else if let Some(open) = &mut opened.transaction {
                open.enter(id).await?;
            } else {
                continue;
            }
            levels.ids.push(id);
        }
        for (name, begun) in self.on_server.iter_mut().filter(|(_, begun)| !begun.is_broken) {
            let level = CALL_LEVEL + levels.depth;
            begun.session.savepoint(level, begun.deadline).await.map_err(guest_error)?;
            levels.on_server.push(name.clone());
        }
        Ok(())
    }

    async fn end_call(&mut self, levels: CallLevels, keep: bool) -> Result<(), SqlError> {
        let mut ended = Ok(());
        for id in levels.ids.into_iter().rev() {
            ended = ended.and(self.end(id, keep).await);
        }
        let level = CALL_LEVEL + levels.depth;
        for name in &levels.on_server {
            let Some(begun) = self.on_server.get_mut(name) else { continue };
            let undone = if keep { Ok(()) } else { begun.session.rollback_to(level, begun.deadline).await };
            let released = begun.session.release(level, begun.deadline).await;
            begun.is_broken |= undone.is_err() || released.is_err();
        }
        ended
    }

    /// Begins with what a caller has lent.
    pub(crate) fn join(&mut self, joined: Joined) {
        let Joined { connections, on_server, whole, ids } = joined;
        self.ids = ids;
        self.inherited = whole;
        self.whole.extend(self.inherited.iter().cloned());
        self.floors.extend(on_server.keys().map(|name| (name.clone(), 0)));
        self.on_server = on_server;
        for Connection { name, database, transaction, levels } in connections {
            let floor = transaction.as_ref().map_or(0, |open| open.savepoints.len())
                + levels.as_ref().map_or(0, |open| open.savepoints().len());
            self.floors.insert(name.clone(), floor);
            self.open_on(&name, database, transaction, levels);
        }
    }

    /// The end: stores what is this invocation's own, or undoes it. What is a caller's goes back to it, also what was begun of a
    /// transaction that is to be the whole of the caller's invocation.
    pub(crate) async fn hand_back(mut self, commit: bool) -> (Result<(), SqlError>, Joined) {
        let mut ended = if commit { self.check_left_open() } else { Ok(()) };
        let keep = commit && ended.is_ok();
        let (floors, inherited) = (&self.floors, &self.inherited);
        let is_the_callers =
            |name: &String, is_own: bool| floors.contains_key(name) || keep && is_own && inherited.contains(name);
        let mut joined = Joined { ids: self.ids, ..Joined::default() };
        let begun = std::mem::take(&mut self.on_server).into_iter();
        let (lent, own) = begun.partition(|(name, _)| is_the_callers(name, true));
        (joined.on_server, self.on_server) = (lent, own);
        for opened in self.opened.iter_mut().filter(|opened| is_the_callers(&opened.name, opened.is_own())) {
            if opened.has_transaction() {
                joined.connections.push(Connection {
                    name: opened.name.clone(),
                    database: Arc::clone(&opened.database),
                    transaction: opened.transaction.take(),
                    levels: opened.levels.take(),
                });
            }
        }
        if keep {
            ended = self.commit_own().await;
        }
        (ended, joined)
    }

    /// Whether a transaction on a connection is a caller's.
    pub(super) fn has_joined(&self, connection: &str) -> bool {
        self.floors.contains_key(connection)
    }

    /// What a guest began and did not end.
    fn check_left_open(&self) -> Result<(), SqlError> {
        if self.is_lent {
            return Err(SqlError::Other("ROLLED_BACK".to_owned(), "a called logic did not come back".to_owned()));
        }
        let is_left = |opened: &super::Opened| {
            let floor = self.floors.get(&opened.name).copied();
            let levels = opened.savepoints().len();
            // A transaction that the guest began itself, and all of it, is taken back without a word.
            match floor {
                Some(floor) => levels > floor,
                None => opened.is_own() && levels > 0,
            }
        };
        if self.opened.iter().any(is_left) {
            return Err(SqlError::Invalid("a nested transaction was left open, so all was rolled back".to_owned()));
        }
        Ok(())
    }

    async fn commit_own(&mut self) -> Result<(), SqlError> {
        self.commit_on_server().await?;
        for opened in &mut self.opened {
            // What is not committed is rolled back when it is dropped.
            if let Some(transaction) = opened.transaction.take().filter(|transaction| transaction.is_own) {
                transaction.open.commit().await.map_err(guest_error)?;
            }
        }
        Ok(())
    }
}
