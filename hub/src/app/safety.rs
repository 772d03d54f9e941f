//! Which releases an env could go back to: those that it ran last and those that are pinned, each held against its databases as
//! they are now, and against the steps of a plan.

use std::collections::{BTreeMap, BTreeSet};

use santokit_core::{
    code::Code,
    problem::{Outcome, Problem},
    release::{Manifest, logins::TablePowers},
    schema::Schema,
};
use santokit_sql::schema::{Change, CurrentSchema, Engine, bookkeeping, misfits};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    App,
    answers::releases::{Pinned, RollbackTarget, RollbackTargets},
    projects::{At, missing, need_env, need_project},
    schema,
};
use crate::store::{
    audit::{self, Caller, Deed, Detail, line, name},
    commit, envs,
    envs::now,
    moves, pins, releases,
};

/// So many of the releases that an env ran last are looked at.
const LOOKED_AT: i64 = 10;
const PINS_MAX: usize = 20;
const REASON_CHARS_MAX: usize = 200;

/// The body of a pin.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PinBody {
    /// For people.
    #[serde(default)]
    pub reason: String,
}

/// A release that an env may want to go back to.
pub(super) struct Earlier {
    pub(super) id: String,
    /// Of its last pointer; none where the env never ran it.
    sequence: Option<i64>,
    pub(super) is_pinned: bool,
    connections: BTreeMap<String, Schema>,
    /// What its guests' SQL needs, by connection.
    pub(super) logins: BTreeMap<String, BTreeSet<TablePowers>>,
}

impl App {
    /// The releases that an env ran last or that are pinned, each with what its databases lack for it.
    pub async fn rollback_targets(&self, at: At<'_>) -> Outcome<RollbackTargets> {
        need_env(&mut *self.store.read().await?, at).await?;
        let earlier = self.earlier(at).await?;
        let mut live: BTreeMap<String, (Engine, CurrentSchema)> = BTreeMap::new();
        for row in envs::connections(&mut *self.store.read().await?, at.project, at.env).await? {
            if earlier.iter().any(|release| release.connections.contains_key(&row.name)) {
                live.insert(row.name.clone(), schema::live(&self.address(at, &row, true)?).await?);
            }
        }
        let targets = earlier.iter().map(|release| {
            let needs = release.needs(&live);
            RollbackTarget {
                release_id: release.id.clone(),
                sequence: release.sequence,
                pinned: release.is_pinned,
                safe: needs.is_empty(),
                needs,
            }
        });
        Ok(RollbackTargets { targets: targets.collect() })
    }

    /// What an env ran last, the last one first, then what else is pinned.
    pub(super) async fn earlier(&self, at: At<'_>) -> Outcome<Vec<Earlier>> {
        let mut db = self.store.read().await?;
        let current = releases::pointer(&mut db, at.project, at.env).await?.map(|pointer| pointer.release);
        let current = current.unwrap_or_default();
        let pinned: Vec<String> = pins::of_project(&mut db, at.project).await?.into_iter().map(|(id, _)| id).collect();
        let ran = moves::earlier(&mut db, at.project, at.env, &current, LOOKED_AT).await?;
        let mut ids: Vec<(String, Option<i64>)> = ran.into_iter().map(|(id, sequence)| (id, Some(sequence))).collect();
        for id in &pinned {
            if *id != current && !ids.iter().any(|(known, _)| known == id) {
                ids.push((id.clone(), None));
            }
        }
        let mut all = Vec::new();
        for (id, sequence) in ids {
            let Some(row) = releases::by_id(&mut db, &id).await? else { continue };
            let manifest: Manifest = serde_json::from_str(&row.manifest).map_err(Problem::internal)?;
            let is_pinned = pinned.contains(&id);
            let logins = manifest.logins();
            all.push(Earlier { id, sequence, is_pinned, connections: manifest.connections, logins });
        }
        Ok(all)
    }

    /// Keeps a release to go back to.
    pub async fn pin(&self, caller: &Caller, project: &str, id: &str, body: PinBody) -> Outcome<Pinned> {
        let reason: String = body.reason.chars().filter(|c| !c.is_control()).take(REASON_CHARS_MAX).collect();
        let mut db = self.store.write().await?;
        need_project(&mut db, project).await?;
        let row = releases::by_id(&mut db, id).await?.filter(|row| row.project == project);
        row.ok_or_else(|| missing("release", id))?;
        let pinned = pins::of_project(&mut db, project).await?;
        if pinned.len() >= PINS_MAX && !pinned.iter().any(|(known, _)| known == id) {
            let message = format!("there are {PINS_MAX} pinned releases, which is the most there may be");
            return Err(Problem::limit(Code::Conflict, "pins", message).hint("`stk release unpin` ends one"));
        }
        pins::set(&mut db, id, project, &reason, &now()).await?;
        let detail = Detail::of("releaseId", name(id)).with("reason", line(&reason));
        let deed = Deed { action: "release.pin", project: Some(project), env: None, detail };
        audit::append(&mut db, caller, &deed).await?;
        commit(db).await?;
        Ok(Pinned { release_id: id.to_owned(), pinned: true, reason })
    }

    /// Ends that.
    pub async fn unpin(&self, caller: &Caller, project: &str, id: &str) -> Outcome<()> {
        let mut db = self.store.write().await?;
        need_project(&mut db, project).await?;
        let is_own = releases::by_id(&mut db, id).await?.is_some_and(|row| row.project == project);
        if !is_own || !pins::remove(&mut db, id).await? {
            return Err(missing("pinned release", id));
        }
        let detail = Detail::of("releaseId", name(id));
        let deed = Deed { action: "release.unpin", project: Some(project), env: None, detail };
        audit::append(&mut db, caller, &deed).await?;
        Ok(commit(db).await?)
    }
}

impl Earlier {
    fn needs(&self, live: &BTreeMap<String, (Engine, CurrentSchema)>) -> Vec<String> {
        let mut needs = Vec::new();
        for (name, declared) in &self.connections {
            match live.get(name) {
                None => needs.push(format!("a connection {name}")),
                Some((engine, current)) => {
                    let lacking = misfits(*engine, current, &bookkeeping::beside(declared));
                    needs.extend(lacking.into_iter().map(|need| format!("{name}: {need}")));
                }
            }
        }
        needs
    }

    /// What a step takes from it that it has; none where it could do without.
    pub(super) fn loses(&self, connection: &str, change: &Change) -> Option<String> {
        let declared = self.connections.get(connection)?.tables.get(change.table())?;
        let has = |column: &str| declared.columns.iter().any(|known| known.name == column);
        let is_lost = match change {
            Change::DropTable { .. } => true,
            Change::DropColumn { column, .. } | Change::AlterColumn { column, .. } => has(column),
            Change::RenameColumn { from, .. } => has(from),
            Change::Rebuild { changes, .. } => {
                return changes.iter().find_map(|change| self.loses(connection, change));
            }
            _ => false,
        };
        (is_lost && change.is_breaking()).then(|| change.to_string())
    }
}
