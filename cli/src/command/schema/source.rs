//! Who is asked about databases: the Hub, where one is known, else the databases of `santokit.dev.yaml` themselves, with the code
//! that a Hub runs.

use std::collections::BTreeMap;

use santokit_core::{problem::Problem, project::Project, schema::Schema};
use santokit_hub::app::schema::{self, Consent, Wanted};
use serde_json::{Value as Json, json};

use super::Shell;
use crate::{
    client::HubClient,
    context::{Context, Target},
    dev::{database::Database, settings::Settings},
    failure::Failure,
};

/// Where the answers come from.
pub(super) enum Source {
    /// A Hub, and what of it is meant.
    Hub(HubClient, Box<Context>),
    /// The developer's databases, by connection.
    Local(BTreeMap<String, Database>),
}

impl Source {
    /// As the flags and the folder say. A folder without tables has its default connection.
    pub(super) fn of(shell: &Shell, target: &Target) -> anyhow::Result<Self> {
        let context = shell.context(target)?;
        if context.hub_url.is_some() {
            let hub = HubClient::of(&context)?;
            context.project()?;
            context.env()?;
            return Ok(Source::Hub(hub, Box::new(context)));
        }
        let folder = shell.folder()?;
        let project: Project = folder.project()?;
        let mut databases = Settings::of(&project, folder.root())?.connections;
        // Those too that no table is on yet: a pull is how the first ones come.
        for (name, connection) in project.dev.iter().flat_map(|dev| &dev.connections) {
            if !databases.contains_key(name) {
                databases.insert(name.clone(), Database::new(folder.root(), connection)?);
            }
        }
        Ok(Source::Local(databases))
    }

    /// `{connections: [{name, engine, steps, refusals, undeclared}]}`.
    pub(super) async fn compare(&self, declared: &BTreeMap<String, Schema>) -> anyhow::Result<Json> {
        match self {
            Source::Hub(hub, context) => {
                let path = ["v1", "projects", context.project()?, "envs", context.env()?, "schema", "plan"];
                hub.post(&path, &json!({"connections": declared})).await
            }
            Source::Local(databases) => {
                let mut connections = Vec::new();
                for (name, schema) in declared {
                    let database = known(databases, name)?;
                    let wanted = Wanted { declared: schema, before: &schema::EMPTY, consent: Consent::ALL };
                    let compared = schema::compare(&database.address(name), &wanted).await;
                    let compared = compared.map_err(|problem| local(&problem))?;
                    connections.push(compared.plan(name, database.engine.as_str()));
                }
                Ok(json!({"connections": connections}))
            }
        }
    }

    /// `{name, engine, schema, remarks}`.
    pub(super) async fn pull(&self, name: &str) -> anyhow::Result<Json> {
        match self {
            Source::Hub(hub, context) => {
                let path =
                    ["v1", "projects", context.project()?, "envs", context.env()?, "connections", name, "schema"];
                hub.get(&path).await
            }
            Source::Local(databases) => {
                let database = known(databases, name)?;
                let pulled = schema::pull(&database.address(name)).await.map_err(|problem| local(&problem))?;
                let engine = database.engine.as_str();
                Ok(json!({"name": name, "engine": engine, "schema": pulled.schema, "remarks": pulled.remarks}))
            }
        }
    }
}

fn known<'a>(databases: &'a BTreeMap<String, Database>, name: &str) -> anyhow::Result<&'a Database> {
    databases.get(name).ok_or_else(|| {
        let names: Vec<&str> = databases.keys().map(String::as_str).collect();
        Failure::usage(format!("there is no connection {name:?} in santokit.dev.yaml"))
            .hint(format!("there is {}; or name a Hub with --hub-url", names.join(", ")))
            .into()
    })
}

/// The database is the developer's own: its words may be shown here.
fn local(problem: &Problem) -> anyhow::Error {
    let cause = problem.cause.as_ref().map(ToString::to_string);
    let mut failure = Failure::from_body(problem.body(""));
    if let Some(cause) = cause {
        failure.hint = Some(format!("the database says: {cause}"));
    }
    failure.into()
}
