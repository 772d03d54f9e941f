//! Projects, envs, connections and secrets. URLs and secrets come in, are sealed at once and never go out to an operator.

use chrono::TimeDelta;
use santokit_core::{
    code::Code,
    name,
    problem::{Outcome, Problem},
    wire::Sealed,
};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    App,
    answers::projects::{Connection, Connections, Env, Envs, NewEnv, Project, Projects, Secret, Secrets},
    authority::{self, Action, Target, Who},
    schema::Address,
    user_keys,
};
use crate::store::{
    self, Db,
    audit::{self, Caller, Deed, Detail, name as named},
    commit,
    envs::{self, ConnectionRow, now},
    members, orgs,
};

const PROJECTS_MAX: i64 = 500;
const ENVS_MAX: usize = 10;
const CONNECTIONS_MAX: i64 = 10;
const SECRETS_MAX: usize = 200;
const SECRET_BYTES_MAX: usize = 64 << 10;

/// The body of a connection.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ConnectionBody {
    /// `sqlite`, `postgres` or `mysql`.
    pub engine: String,
    /// For the Bridge.
    pub url: Sealed,
    /// For the Hub, if it is another.
    #[serde(default)]
    pub admin_url: Option<Sealed>,
}

/// Names an env.
#[derive(Clone, Copy, Debug)]
pub struct At<'a> {
    /// The project's name.
    pub project: &'a str,
    /// The env's name.
    pub env: &'a str,
}

impl At<'_> {
    /// What a sealed record of this env is bound to.
    pub(super) fn context(self, kind: &str, name: &str) -> String {
        format!("{kind}/{}/{}/{name}", self.project, self.env)
    }

    pub(super) fn deed(&self, action: &'static str, detail: Detail) -> Deed<'_> {
        Deed { action, project: Some(self.project), env: Some(self.env), detail }
    }
}

/// Fails where the project is unknown.
pub(super) async fn need_project(db: &mut Db, project: &str) -> Outcome<()> {
    if envs::has_project(db, project).await? {
        return Ok(());
    }
    Err(no_project(project))
}

/// There is none, or the caller has no role in it.
pub(super) fn no_project(project: &str) -> Box<Problem> {
    Problem::new(Code::NotFound, format!("there is no project {project:?}")).hint("make it with `stk project create`")
}

/// Fails where the env is unknown.
pub(super) async fn need_env(db: &mut Db, at: At<'_>) -> Outcome<()> {
    need_project(db, at.project).await?;
    if envs::has_env(db, at.project, at.env).await? {
        return Ok(());
    }
    let message = format!("project {:?} has no env {:?}", at.project, at.env);
    Err(Problem::new(Code::NotFound, message).hint("make it with `stk env create`"))
}

pub(super) fn bad_name(error: &name::NameError) -> Box<Problem> {
    Problem::new(Code::BadRequest, error.to_string())
}

pub(super) fn full(limit: &str, most: impl std::fmt::Display, what: &str) -> Box<Problem> {
    Problem::limit(Code::Conflict, limit, format!("there are {most} {what}, which is the most there may be"))
        .hint("remove one that is not used")
}

pub(super) fn missing(what: &str, name: &str) -> Box<Problem> {
    Problem::new(Code::NotFound, format!("there is no {what} {name:?}"))
}

impl App {
    /// Makes a project, in the first org that the caller is in where none is named.
    pub async fn create_project(&self, caller: &Caller, who: &Who, name: &str, org: Option<&str>) -> Outcome<Project> {
        name::check_label("a project's name", name).map_err(|error| bad_name(&error))?;
        let (mut db, at) = (self.store.write().await?, now());
        let org = match org {
            Some(org) => org.to_owned(),
            None => org_of_caller(&mut db, who).await?,
        };
        authority::authorise(&mut db, who, Action::ProjectCreate, Target::Org(&org)).await?;
        if envs::count_projects(&mut db, &org).await? >= PROJECTS_MAX {
            return Err(full("projects", PROJECTS_MAX, "projects in the org"));
        }
        if !envs::add_project(&mut db, &org, name, &at).await? {
            return Err(Problem::new(Code::Conflict, format!("project {name:?} exists already")));
        }
        let deed = Deed { action: "project.create", project: Some(name), env: None, detail: Detail::none() };
        audit::append(&mut db, caller, &deed).await?;
        commit(db).await?;
        Ok(Project { name: name.to_owned(), org, created_at: at })
    }

    /// The projects in which the caller has a role.
    pub async fn projects(&self, who: &Who) -> Outcome<Projects> {
        let rows = envs::projects_of(&mut *self.store.read().await?, &who.operator).await?;
        let rows = rows.into_iter().filter(|(name, ..)| who.is_for(name, None));
        let projects = rows.map(|(name, org, created_at)| Project { name, org, created_at }).collect();
        Ok(Projects { projects })
    }

    /// Makes an env.
    pub async fn create_env(&self, caller: &Caller, project: &str, name: &str) -> Outcome<NewEnv> {
        name::check_label("an env's name", name).map_err(|error| bad_name(&error))?;
        let (mut db, at) = (self.store.write().await?, now());
        need_project(&mut db, project).await?;
        if envs::envs(&mut db, project).await?.len() >= ENVS_MAX {
            return Err(full("envs", ENVS_MAX, "envs in the project"));
        }
        if !envs::add_env(&mut db, project, name, &at).await? {
            return Err(Problem::new(Code::Conflict, format!("env {name:?} exists already")));
        }
        let env = At { project, env: name };
        // It is there before any Bridge asks, so that it signs at once.
        let key =
            user_keys::sealed(&self.master_key, env, &self.clock, TimeDelta::zero()).map_err(Problem::internal)?;
        store::user_keys::add(&mut db, project, name, &key).await?;
        self.make_storage_key(&mut db, env).await?;
        audit::append(&mut db, caller, &env.deed("env.create", Detail::of("userKey", named(&key.id)))).await?;
        commit(db).await?;
        Ok(NewEnv { project: project.to_owned(), name: name.to_owned(), created_at: at })
    }

    /// The envs of a project, as far as the caller's token is for them.
    pub async fn envs(&self, who: &Who, project: &str) -> Outcome<Envs> {
        let mut db = self.store.read().await?;
        need_project(&mut db, project).await?;
        let mut rows = Vec::new();
        for (name, created_at) in envs::envs(&mut db, project).await? {
            if who.is_for(project, Some(&name)) {
                let protected = envs::is_protected(&mut db, project, &name).await?;
                rows.push(Env { name, created_at, protected });
            }
        }
        Ok(Envs { envs: rows })
    }

    /// Adds or changes a connection.
    pub async fn set_connection(
        &self,
        caller: &Caller,
        at: At<'_>,
        name: &str,
        body: ConnectionBody,
    ) -> Outcome<Connection> {
        name::check_label("a connection's name", name).map_err(|error| bad_name(&error))?;
        let address = |url: &Sealed| Address { name: name.to_owned(), engine: body.engine.clone(), url: url.clone() };
        let masked = address(&body.url).masked(&self.data_dir)?;
        if let Some(url) = &body.admin_url {
            address(url).masked(&self.data_dir)?;
        }
        let seal = |kind: &str, url: &Sealed| self.seal(&at.context(kind, name), url);
        let row = ConnectionRow {
            name: name.to_owned(),
            engine: body.engine,
            url: seal("connection", &body.url)?,
            admin_url: body.admin_url.as_ref().map(|url| seal("admin-connection", url)).transpose()?,
            masked,
            updated_at: now(),
        };
        let mut db = self.store.write().await?;
        need_env(&mut db, at).await?;
        if envs::count_other_connections(&mut db, at.project, name).await? >= CONNECTIONS_MAX {
            return Err(full("connections", CONNECTIONS_MAX, "connections in the project"));
        }
        let before =
            envs::connections(&mut db, at.project, at.env).await?.into_iter().find(|before| before.name == name);
        if let Some(before) = before.filter(|before| (&before.masked, &before.engine) != (&row.masked, &row.engine)) {
            self.leave_logins(&mut db, at, &before).await?;
        }
        envs::set_connection(&mut db, at.project, at.env, &row).await?;
        let detail = Detail::of("name", named(name))
            .with("engine", named(&row.engine))
            .with("hasAdminUrl", row.admin_url.is_some());
        audit::append(&mut db, caller, &at.deed("connection.set", detail)).await?;
        commit(db).await?;
        Ok(shown(row))
    }

    /// The connections of an env, masked.
    pub async fn connections(&self, at: At<'_>) -> Outcome<Connections> {
        let mut db = self.store.read().await?;
        need_env(&mut db, at).await?;
        let rows = envs::connections(&mut db, at.project, at.env).await?;
        Ok(Connections { connections: rows.into_iter().map(shown).collect() })
    }

    /// One connection, masked.
    pub async fn connection(&self, at: At<'_>, name: &str) -> Outcome<Connection> {
        let mut db = self.store.read().await?;
        need_env(&mut db, at).await?;
        let rows = envs::connections(&mut db, at.project, at.env).await?;
        rows.into_iter().find(|row| row.name == name).map(shown).ok_or_else(|| missing("connection", name))
    }

    /// Removes a connection.
    pub async fn delete_connection(&self, caller: &Caller, at: At<'_>, name: &str) -> Outcome<()> {
        let mut db = self.store.write().await?;
        need_env(&mut db, at).await?;
        let rows = envs::connections(&mut db, at.project, at.env).await?;
        let row = rows.iter().find(|row| row.name == name).ok_or_else(|| missing("connection", name))?;
        self.leave_logins(&mut db, at, row).await?;
        envs::delete_connection(&mut db, at.project, at.env, name).await?;
        audit::append(&mut db, caller, &at.deed("connection.delete", Detail::of("name", named(name)))).await?;
        Ok(commit(db).await?)
    }

    /// Adds or changes a secret.
    pub async fn set_secret(&self, caller: &Caller, at: At<'_>, name: &str, value: &Sealed) -> Outcome<Secret> {
        name::check_secret(name).map_err(|error| bad_name(&error))?;
        if value.expose().len() > SECRET_BYTES_MAX {
            return Err(Problem::limit(
                Code::BadRequest,
                "secretBytes",
                format!("a secret may have {SECRET_BYTES_MAX} bytes"),
            ));
        }
        let sealed = self.seal(&at.context("secret", name), value)?;
        let (mut db, time) = (self.store.write().await?, now());
        need_env(&mut db, at).await?;
        if envs::secrets(&mut db, at.project, at.env).await?.iter().filter(|(other, ..)| other != name).count()
            >= SECRETS_MAX
        {
            return Err(full("secrets", SECRETS_MAX, "secrets in the env"));
        }
        envs::set_secret(&mut db, (at.project, at.env, name), &sealed, &time).await?;
        audit::append(&mut db, caller, &at.deed("secret.set", Detail::of("name", named(name)))).await?;
        commit(db).await?;
        Ok(Secret { name: name.to_owned(), updated_at: time })
    }

    /// The names of an env's secrets.
    pub async fn secrets(&self, at: At<'_>) -> Outcome<Secrets> {
        let mut db = self.store.read().await?;
        need_env(&mut db, at).await?;
        let rows = envs::secrets(&mut db, at.project, at.env).await?;
        Ok(Secrets { secrets: rows.into_iter().map(|(name, _, updated_at)| Secret { name, updated_at }).collect() })
    }

    /// When a secret was set; never what it is.
    pub async fn secret(&self, at: At<'_>, name: &str) -> Outcome<Secret> {
        let all = self.secrets(at).await?.secrets;
        all.into_iter().find(|secret| secret.name == name).ok_or_else(|| missing("secret", name))
    }

    /// Removes a secret.
    pub async fn delete_secret(&self, caller: &Caller, at: At<'_>, name: &str) -> Outcome<()> {
        let mut db = self.store.write().await?;
        need_env(&mut db, at).await?;
        if !envs::delete_secret(&mut db, at.project, at.env, name).await? {
            return Err(missing("secret", name));
        }
        audit::append(&mut db, caller, &at.deed("secret.delete", Detail::of("name", named(name)))).await?;
        Ok(commit(db).await?)
    }
}

/// The org of who names none: the Hub's first, or the only one.
async fn org_of_caller(db: &mut Db, who: &Who) -> Outcome<String> {
    let orgs = members::orgs_of(db, &who.operator).await?;
    match orgs.iter().find(|(org, _)| org == orgs::FIRST).or_else(|| orgs.first().filter(|_| orgs.len() == 1)) {
        Some((org, _)) => Ok(org.clone()),
        None if orgs.is_empty() => Err(Problem::new(Code::Forbidden, "you are in no org")),
        None => Err(Problem::new(Code::BadRequest, "you are in several orgs: say in which one").hint("name `org`")),
    }
}

fn shown(row: ConnectionRow) -> Connection {
    Connection {
        name: row.name,
        engine: row.engine,
        url: row.masked,
        has_admin_url: row.admin_url.is_some(),
        updated_at: row.updated_at,
    }
}
