//! What operators ask of an env's databases: whether they can be used, what is in them, and what an apply would change.

use std::collections::BTreeMap;

use santokit_core::{
    code::Code,
    problem::{Outcome, Problem},
    schema::Schema,
};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    App,
    answers::projects::{ConnectionTest, Plans, PulledSchema},
    apply::{check_tables, current_manifest},
    projects::{At, missing, need_env},
    schema::{self, Address, Consent, Wanted, diagnosis::diagnose},
};
use crate::store::envs::{self, ConnectionRow};

/// The body of a question for a plan.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlanBody {
    /// What is declared, by connection.
    pub connections: BTreeMap<String, Schema>,
}

impl App {
    /// Tries a connection's URLs and says what is wrong with them.
    pub async fn test_connection(&self, at: At<'_>, name: &str) -> Outcome<ConnectionTest> {
        let row = self.connection_row(at, name).await?;
        let url = self.address(at, &row, false)?;
        let bridge = diagnose(&url, row.admin_url.is_none()).await;
        let hub = match row.admin_url {
            Some(_) => Some(diagnose(&self.address(at, &row, true)?, true).await),
            None => None,
        };
        let ok = bridge.ok && hub.as_ref().is_none_or(|hub| hub.ok);
        Ok(ConnectionTest { name: row.name, engine: row.engine, url: row.masked, bridge, hub, ok })
    }

    /// What is in a database, as a declaration.
    pub async fn pull_schema(&self, at: At<'_>, name: &str) -> Outcome<PulledSchema> {
        let row = self.connection_row(at, name).await?;
        let pulled = schema::pull(&self.address(at, &row, true)?).await?;
        Ok(PulledSchema { name: row.name, engine: row.engine, schema: pulled.schema, remarks: pulled.remarks })
    }

    /// What an apply would change in each database. Changes nothing.
    pub async fn plan_schema(&self, at: At<'_>, body: PlanBody) -> Outcome<Plans> {
        check_tables(&body.connections)?;
        let (rows, before) = {
            let mut db = self.store.read().await?;
            need_env(&mut db, at).await?;
            let before = current_manifest(&mut db, at).await?.map(|manifest| manifest.connections).unwrap_or_default();
            (envs::connections(&mut db, at.project, at.env).await?, before)
        };
        let mut connections = Vec::new();
        for (name, schema) in &body.connections {
            let row = rows.iter().find(|row| row.name == *name).ok_or_else(|| {
                Problem::new(Code::NotFound, format!("the env has no connection {name:?}"))
                    .hint(format!("set it with `stk connections set {name} --env {}`", at.env))
            })?;
            let wanted =
                Wanted { declared: schema, before: before.get(name).unwrap_or(&schema::EMPTY), consent: Consent::ALL };
            let compared = schema::compare(&self.address(at, row, true)?, &wanted).await?;
            connections.push(compared.plan(name, &row.engine));
        }
        Ok(Plans { connections })
    }

    async fn connection_row(&self, at: At<'_>, name: &str) -> Outcome<ConnectionRow> {
        let mut db = self.store.read().await?;
        need_env(&mut db, at).await?;
        let rows = envs::connections(&mut db, at.project, at.env).await?;
        rows.into_iter().find(|row| row.name == name).ok_or_else(|| missing("connection", name))
    }

    /// Where a connection leads: for the Hub the admin URL, where there is one.
    pub(super) fn address(&self, at: At<'_>, row: &ConnectionRow, for_hub: bool) -> Outcome<Address> {
        let (kind, sealed) = match &row.admin_url {
            Some(url) if for_hub => ("admin-connection", url),
            _ => ("connection", &row.url),
        };
        let url = self.unseal(&at.context(kind, &row.name), sealed)?;
        Ok(Address { name: row.name.clone(), engine: row.engine.clone(), url })
    }
}
