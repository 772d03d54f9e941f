//! The end of envs and projects. Databases of customers are left as they are, but for the users that the Hub has made in them; and so is
//! the audit log.

use santokit_core::{
    code::Code,
    problem::{Outcome, Problem},
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::{
    App,
    answers::projects::{EnvGone, ProjectGone},
    fleet::SEEN_MAX,
    projects::{At, need_env, need_project},
    releases::ago,
    turn::Turn,
};
use crate::store::{
    audit::{self, Caller, Deed, Detail, name, names},
    commit, envs,
    envs::now,
    guest_logins, releases, removal, retention, sequences,
};

/// How an env is removed.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RemoveQuery {
    /// Although Bridges serve it, or what the Hub has made elsewhere cannot be taken back.
    #[serde(default)]
    pub force: bool,
}

impl App {
    /// Removes an env with its connections, secrets, keys and history. Its releases are the project's, and stay.
    pub async fn delete_env(&self, caller: &Caller, at: At<'_>, query: RemoveQuery) -> Outcome<EnvGone> {
        need_env(&mut *self.store.read().await?, at).await?;
        let turn = Turn::take(&self.store, at).await?;
        let done = self.delete_in_turn(caller, &turn, query.force).await;
        turn.end().await;
        done
    }

    async fn delete_in_turn(&self, caller: &Caller, turn: &Turn, force: bool) -> Outcome<EnvGone> {
        let at = turn.at();
        let mut db = self.store.read().await?;
        let bridges: Vec<String> = releases::reports(&mut db, at.project, at.env, &ago(SEEN_MAX))
            .await?
            .into_iter()
            .map(|(id, ..)| id)
            .collect();
        drop(db);
        if !bridges.is_empty() && !force {
            let message = format!("{} Bridge(s) serve env {:?}", bridges.len(), at.env);
            return Err(Problem::new(Code::Conflict, message)
                .hint(format!(
                    "end them first, or take it out of their envs; to remove it all the same: `stk env delete {} --force`",
                    at.env
                ))
                .detail("bridges", json!(bridges)));
        }
        let left = self.drop_logins_of(caller, turn).await?;
        if !left.is_empty() && !force {
            let message =
                format!("{} login(s) for guests' SQL could not be dropped from the env's databases", left.len());
            return Err(Problem::new(Code::Conflict, message)
                .hint(format!(
                    "the Hub must reach them; to leave the logins behind: `stk env delete {} --force`, and drop them there yourself",
                    at.env
                ))
                .detail("logins", json!(left)));
        }
        let mut db = self.store.write().await?;
        turn.need(&mut db).await?;
        let pointer = releases::pointer(&mut db, at.project, at.env).await?;
        if let Some(pointer) = &pointer {
            sequences::raise(&mut db, pointer.sequence).await?;
        }
        let connections = envs::connections(&mut db, at.project, at.env).await?;
        let detail = Detail::of("releaseId", pointer.as_ref().map(|pointer| name(&pointer.release)))
            .with("connections", names(connections.iter().map(|row| row.name.as_str())))
            .with("bridges", names(bridges.iter().map(String::as_str)))
            .with("leftLogins", names(left.iter().map(String::as_str)))
            .with("force", force);
        audit::append(&mut db, caller, &at.deed("env.delete", detail)).await?;
        removal::env(&mut db, at.project, at.env).await?;
        commit(db).await?;
        self.moved.send_modify(|count| *count = count.wrapping_add(1));
        Ok(EnvGone { project: at.project.to_owned(), deleted: at.env.to_owned(), bridges, left_logins: left })
    }

    /// Drops the users that the Hub has made in the databases of an env; those that are left, by name.
    async fn drop_logins_of(&self, caller: &Caller, turn: &Turn) -> Outcome<Vec<String>> {
        let (at, time) = (turn.at(), now());
        let mut db = self.store.write().await?;
        turn.need(&mut db).await?;
        for row in guest_logins::of_env(&mut db, at.project, at.env).await? {
            guest_logins::set_retired(&mut db, &row.name, Some(&time)).await?;
        }
        commit(db).await?;
        self.drop_retired(caller, turn, &time).await?;
        let rows = guest_logins::of_env(&mut *self.store.read().await?, at.project, at.env).await?;
        Ok(rows.into_iter().map(|row| row.name).collect())
    }

    /// Removes a project that has no env any more, with its releases, roles and ceilings.
    pub async fn delete_project(&self, caller: &Caller, project: &str) -> Outcome<ProjectGone> {
        let mut db = self.store.write().await?;
        need_project(&mut db, project).await?;
        let envs = envs::envs(&mut db, project).await?;
        if let Some((env, _)) = envs.first() {
            return Err(Problem::new(Code::Conflict, format!("the project has {} env(s) still", envs.len()))
                .hint(format!("remove them first: `stk env delete {env} --project {project}`"))
                .detail("envs", json!(envs.iter().map(|(name, _)| name).collect::<Vec<_>>())));
        }
        let count = retention::releases(&mut db, project).await?.len();
        let detail = Detail::of("releases", count);
        // Before it is gone: the entry says whose it was.
        let deed = Deed { action: "project.delete", project: Some(project), env: None, detail };
        audit::append(&mut db, caller, &deed).await?;
        removal::project(&mut db, project, &now()).await?;
        commit(db).await?;
        Ok(ProjectGone { deleted: project.to_owned(), releases: count })
    }
}
