//! `santokit.dev.yaml` as the local Hub is told it: connections, keys with the text that stands in the file, secrets.

use std::collections::BTreeMap;

use santokit_core::{
    project::{DevSecret, Project},
    release::Digest,
    wire::Sealed,
};
use secrecy::ExposeSecret;
use serde_json::json;

use super::{ENV, database::Database};
use crate::{client::HubClient, failure::Failure};

/// What the local env is to have.
#[derive(Debug)]
pub struct Settings {
    /// By connection name.
    pub connections: BTreeMap<String, Database>,
    keys: BTreeMap<String, Key>,
    secrets: BTreeMap<String, Sealed>,
}

#[derive(Debug, PartialEq, Eq)]
struct Key {
    name: String,
    hash: Digest,
    roles: Vec<String>,
}

impl Settings {
    /// Of a project. A connection that nobody named is a SQLite file of its own.
    pub fn of(project: &Project, root: &std::path::Path) -> anyhow::Result<Self> {
        let dev = project.dev.clone().unwrap_or_default();
        let mut connections = BTreeMap::new();
        for name in project.connections.keys() {
            let given = dev.connections.get(name).cloned();
            let connection = given.unwrap_or_else(|| santokit_core::project::DevConnection {
                engine: santokit_core::project::DevEngine::Sqlite,
                url: format!("sqlite:{}/{name}.db", super::STATE),
            });
            connections.insert(name.clone(), Database::new(root, &connection)?);
        }
        let mut keys = BTreeMap::new();
        for key in &dev.api_keys {
            let text = key.key.expose_secret();
            let (id, secret) = text.strip_prefix("stk_").and_then(|rest| rest.split_once('.')).ok_or_else(|| {
                Failure::failed(format!("the key {:?} in santokit.dev.yaml is not stk_<id>.<secret>", key.name))
            })?;
            let key = Key { name: key.name.clone(), hash: Digest::of(secret.as_bytes()), roles: key.roles.clone() };
            keys.insert(id.to_owned(), key);
        }
        let mut secrets = BTreeMap::new();
        for (name, secret) in &dev.secrets {
            let value = match secret {
                DevSecret::Value(value) => value.expose_secret().to_owned(),
                DevSecret::FromEnv(variable) => std::env::var(variable).map_err(|_| {
                    Failure::failed(format!("secret {name} comes from the variable {variable}, which is not set"))
                        .hint(format!("start again with {variable}=… stk dev, or write {name}: {{value: …}}"))
                })?,
            };
            secrets.insert(name.clone(), Sealed::new(value));
        }
        Ok(Self { connections, keys, secrets })
    }

    /// Tells the Hub what is new or changed since `before`; what is gone is removed.
    pub async fn sync(&self, hub: &HubClient, project: &str, before: Option<&Settings>) -> anyhow::Result<()> {
        let path = |kind: &'static str, name: &'_ str| -> Vec<String> {
            ["v1", "projects", project, "envs", ENV, kind, name].iter().map(|part| (*part).to_owned()).collect()
        };
        for (name, database) in &self.connections {
            if before.and_then(|before| before.connections.get(name)) != Some(database) {
                let body = json!({"engine": database.engine.as_str(), "url": database.url});
                hub.put(&refs(&path("connections", name)), &body).await?;
            }
        }
        for (name, secret) in &self.secrets {
            let old = before.and_then(|before| before.secrets.get(name));
            if old.is_none_or(|old| old.expose() != secret.expose()) {
                hub.put(&refs(&path("secrets", name)), &json!({"value": secret.expose()})).await?;
            }
        }
        let no_keys = BTreeMap::new();
        let old_keys = before.map_or(&no_keys, |before| &before.keys);
        for id in old_keys.iter().filter(|(id, key)| self.keys.get(*id) != Some(key)).map(|(id, _)| id) {
            hub.delete(&refs(&path("apikeys", id))).await?;
        }
        for (id, key) in self.keys.iter().filter(|(id, key)| old_keys.get(*id) != Some(key)) {
            let body = json!({"id": id, "hash": key.hash, "name": key.name, "roles": key.roles});
            hub.post(&["v1", "projects", project, "envs", ENV, "apikeys"], &body).await?;
        }
        Ok(())
    }
}

fn refs(path: &[String]) -> Vec<&str> {
    path.iter().map(String::as_str).collect()
}
