//! One apply for each env at a time, over all Hubs of a store: a lock in the store that its owner keeps renewing. Who was
//! stopped for so long that the lock went to another finds that out before the pointer moves.

use std::time::Duration;

use santokit_core::{
    code::Code,
    id::Kind,
    problem::{Outcome, Problem},
};
use tokio::{task::JoinSet, time};

use super::projects::At;
use crate::store::{Db, Store, StoreError, apply_locks, commit};

/// A lock is lent for six times as long.
const RENEW_EVERY: Duration = Duration::from_secs(5);

/// The right to apply to an env. Dropped, it ends when it is not renewed any more.
#[derive(Debug)]
pub(super) struct Turn {
    store: Store,
    lock: Lock,
    /// Ends with it.
    _renewing: JoinSet<()>,
}

#[derive(Clone, Debug)]
struct Lock {
    project: String,
    env: String,
    owner: String,
}

impl Turn {
    /// Takes it, or says that another has it.
    pub(super) async fn take(store: &Store, at: At<'_>) -> Outcome<Self> {
        let (project, env) = (at.project.to_owned(), at.env.to_owned());
        let lock = Lock { project, env, owner: Kind::Request.generate() };
        let mut db = store.write().await?;
        if !apply_locks::take(&mut db, &lock.project, &lock.env, &lock.owner).await? {
            return Err(Problem::new(Code::Conflict, "another apply to this env is running")
                .hint("try again when it has ended; that of a Hub that died ends after half a minute"));
        }
        commit(db).await?;
        let mut renewing = JoinSet::new();
        renewing.spawn(renew(store.clone(), lock.clone()));
        Ok(Self { store: store.clone(), lock, _renewing: renewing })
    }

    /// Whose turn it is.
    pub(super) fn at(&self) -> At<'_> {
        At { project: &self.lock.project, env: &self.lock.env }
    }

    /// Fails where it has gone to another meanwhile. Asked in the transaction that moves the pointer.
    pub(super) async fn need(&self, db: &mut Db) -> Outcome<()> {
        if apply_locks::renew(db, &self.lock.project, &self.lock.env, &self.lock.owner).await? {
            return Ok(());
        }
        Err(Problem::new(Code::Conflict, "this apply was stopped for so long that another one may have begun")
            .hint("what it changed in databases stands, and nothing was released; apply again"))
    }

    /// Gives it to the next one, before the caller is told that it may try again.
    pub(super) async fn end(self) {
        let Lock { project, env, owner } = &self.lock;
        let given_back = async {
            let mut db = self.store.write().await?;
            apply_locks::give_back(&mut db, project, env, owner).await?;
            commit(db).await
        };
        if let Err(error) = given_back.await {
            tracing::warn!(project, env, %error, "the lock of an apply stays until it expires");
        }
    }
}

async fn renew(store: Store, lock: Lock) {
    loop {
        time::sleep(RENEW_EVERY).await;
        let renewed = async {
            let mut db = store.write().await?;
            let is_own = apply_locks::renew(&mut db, &lock.project, &lock.env, &lock.owner).await?;
            commit(db).await?;
            Ok::<_, StoreError>(is_own)
        };
        match renewed.await {
            Ok(true) => {}
            Ok(false) => return,
            // The next time it may work, before it expires.
            Err(error) => {
                tracing::warn!(project = lock.project, env = lock.env, %error, "the lock of an apply was not renewed");
            }
        }
    }
}
