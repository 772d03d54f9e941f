//! Logins whose time is over: retired ones are dropped, old ones get a successor, at an apply and from time to time.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use chrono::TimeDelta;
use santokit_core::{problem::Outcome, release::Digest};

use super::{GRACE, detail, is_at};
use crate::{
    app::{
        App,
        apply::current_manifest,
        hub_itself,
        projects::At,
        releases::ago,
        schema::{Address, logins},
        turn::Turn,
    },
    store::{
        audit::{self, Caller},
        commit,
        envs::{self, ConnectionRow, now},
        guest_logins::{self, GuestLoginRow},
    },
};

/// For so long a login is tried to be dropped where its server does not answer.
const GIVE_UP: TimeDelta = TimeDelta::days(7);
/// How often it is looked for what is due, beside applies.
const LOOK_EVERY: Duration = Duration::from_mins(10);

impl App {
    /// Does what is due in all envs, from time to time; it never ends. Of several Hubs one has the turn.
    pub(crate) async fn tend_logins(self: Arc<Self>) {
        loop {
            let due = async {
                let mut db = self.store.read().await?;
                guest_logins::due(&mut db, &self.rotated_before(), &ago(GRACE)).await
            };
            match due.await {
                Ok(envs) => {
                    for (project, env) in envs {
                        self.tend(At { project: &project, env: &env }).await;
                    }
                }
                Err(error) => tracing::debug!(%error, "cannot look for logins that are due"),
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    async fn tend(&self, at: At<'_>) {
        // Somebody applies: then it is done there.
        let Ok(turn) = Turn::take(&self.store, at).await else { return };
        let caller = hub_itself();
        let made = async {
            let Some(manifest) = current_manifest(&mut *self.store.read().await?, at).await? else { return Ok(()) };
            let (wishes, _) = self.wanted_logins(at, &manifest, false).await?;
            self.make_logins(&caller, &turn, &manifest, &wishes).await.map(|_| ())
        };
        let made: Outcome<()> = made.await;
        if let Err(problem) = made {
            tracing::warn!(
                project = at.project,
                env = at.env,
                code = problem.code.as_str(),
                message = problem.message,
                "logins of guests' SQL are not rotated yet"
            );
        }
        self.drop_logins(&caller, &turn).await;
        turn.end().await;
    }

    /// A Hub that keeps nothing ends: nobody would know its logins.
    pub(crate) async fn drop_every_login(&self) -> Outcome<()> {
        let latest = now();
        let envs = guest_logins::due(&mut *self.store.read().await?, &latest, &latest).await?;
        for (project, env) in envs {
            let at = At { project: &project, env: &env };
            let turn = Turn::take(&self.store, at).await?;
            let mut db = self.store.write().await?;
            for row in guest_logins::of_env(&mut db, at.project, at.env).await? {
                guest_logins::set_retired(&mut db, &row.name, Some(&latest)).await?;
            }
            commit(db).await?;
            self.drop_retired(&hub_itself(), &turn, &latest).await?;
            turn.end().await;
        }
        Ok(())
    }

    /// Drops what was retired for long enough. What cannot be dropped now is tried again the next time; it blocks nothing.
    pub(in crate::app) async fn drop_logins(&self, caller: &Caller, turn: &Turn) {
        let at = turn.at();
        if let Err(problem) = self.drop_retired(caller, turn, &ago(GRACE)).await {
            tracing::warn!(project = at.project, env = at.env, code = %problem.code, cause = ?problem.cause, "logins are not dropped yet");
        }
    }

    /// Drops what was retired at a time or before.
    pub(in crate::app) async fn drop_retired(&self, caller: &Caller, turn: &Turn, latest: &str) -> Outcome<()> {
        let at = turn.at();
        let rows = self.known(at).await?;
        let connections = envs::connections(&mut *self.store.read().await?, at.project, at.env).await?;
        let is_over = |row: &&GuestLoginRow| row.retired_at.as_deref().is_some_and(|time| time <= latest);
        let mut places: BTreeMap<String, (Option<Address>, Vec<GuestLoginRow>)> = BTreeMap::new();
        for row in rows.iter().filter(is_over) {
            let address = self.address_of(at, row, &connections)?;
            let key =
                address.as_ref().map_or(String::new(), |address| Digest::of(address.url.expose().as_bytes()).into());
            places.entry(key).or_insert_with(|| (address, Vec::new())).1.push(row.clone());
        }
        for (address, rows) in places.into_values() {
            let users: Vec<String> = rows.iter().map(|row| row.name.clone()).collect();
            let gone = match &address {
                Some(address) => logins::drop_all(address, &users).await.unwrap_or_else(|error| {
                    tracing::warn!(project = at.project, env = at.env, %error, "logins of guests' SQL are not dropped yet");
                    Vec::new()
                }),
                None => Vec::new(),
            };
            let gone = gone.into_iter().chain(std::iter::repeat(false));
            self.forget(caller, turn, rows.iter().zip(gone)).await?;
        }
        Ok(())
    }

    async fn forget(
        &self,
        caller: &Caller,
        turn: &Turn,
        rows: impl Iterator<Item = (&GuestLoginRow, bool)>,
    ) -> Outcome<()> {
        let mut db = self.store.write().await?;
        turn.need(&mut db).await?;
        for (row, is_gone) in rows {
            let is_given_up = row.retired_at.as_deref().is_some_and(|time| time <= ago(GIVE_UP).as_str());
            if !is_gone && !is_given_up {
                continue;
            }
            guest_logins::remove(&mut db, &row.name).await?;
            let detail = detail(row).with("dropped", is_gone);
            audit::append(&mut db, caller, &turn.at().deed("guestlogin.drop", detail)).await?;
        }
        Ok(commit(db).await?)
    }

    /// Where a login is dropped; none where nobody knows any more.
    fn address_of(&self, at: At<'_>, row: &GuestLoginRow, connections: &[ConnectionRow]) -> Outcome<Option<Address>> {
        let Some(sealed) = &row.address else {
            let connection = connections.iter().find(|connection| is_at(row, connection));
            return connection.map(|connection| self.address(at, connection, true)).transpose();
        };
        let url = self.unseal(&at.context("guest-login-address", &row.name), sealed)?;
        Ok(Some(Address { name: row.connection.clone(), engine: row.engine.clone(), url }))
    }
}
