//! From a project and its built components to the manifest of a release. Nothing of the machine or the time goes in.

use std::collections::{BTreeMap, BTreeSet};

use super::{LogicSource, Project, ProjectLogic};
use crate::{
    component::{self, Handled},
    logic::{Body, Logic, WasmBody},
    release::{Digest, FORMAT, Manifest},
};

/// The oldest Bridge that serves what this version writes.
const MINIMUM_BRIDGE: &str = "0.1.0";

/// What a build knows about a component.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuiltComponent {
    /// Of the component's bytes.
    pub digest: Digest,
    /// Size of the component.
    pub size_bytes: u64,
    /// `rust`, `js`, `ts`, `command`, `component`, …
    pub language: String,
    /// The component's own imports.
    pub imports: BTreeSet<String>,
    /// What it can be given, by its exports.
    pub handles: BTreeSet<Handled>,
    /// Digest of the software bill of materials of its build.
    pub sbom: Option<String>,
}

/// A logic whose component was not built.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the component of logic {logic:?} is not built")]
pub struct MissingComponent {
    /// Its name.
    pub logic: String,
}

impl Project {
    /// The manifest, with a built component for each Wasm logic.
    pub fn manifest(&self, components: &BTreeMap<String, BuiltComponent>) -> Result<Manifest, MissingComponent> {
        let logic = |(name, logic): (&String, &ProjectLogic)| {
            Ok((name.clone(), logic.with_component(name, components.get(name))?))
        };
        Ok(Manifest {
            format: FORMAT,
            project: self.name.clone(),
            minimum_bridge: MINIMUM_BRIDGE.to_owned(),
            default_connection: self.default_connection.clone(),
            connections: self.connections.clone(),
            permissions: self.permissions.clone(),
            queries: self.queries.iter().map(|(name, query)| (name.clone(), query.query.clone())).collect(),
            logics: self.logics.iter().map(logic).collect::<Result<_, _>>()?,
            cors: self.cors.clone(),
            storage: self.storage.clone(),
            events: self.events.clone(),
            cron: self.cron.clone(),
            config: self.config.clone(),
            envs: self.envs.clone(),
        })
    }
}

impl ProjectLogic {
    fn with_component(&self, name: &str, built: Option<&BuiltComponent>) -> Result<Logic, MissingComponent> {
        let body = match &self.source {
            LogicSource::Sql(sql) => Body::Sql(sql.clone()),
            LogicSource::Wasm(source) => {
                let built = built.ok_or_else(|| MissingComponent { logic: name.to_owned() })?;
                Body::Wasm(Box::new(WasmBody {
                    component: built.digest.to_string(),
                    size_bytes: built.size_bytes,
                    language: built.language.clone(),
                    imports: built.imports.clone(),
                    // What is mounted takes neither calls nor events: it says nothing of them.
                    handles: if source.mount.is_none() { built.handles.clone() } else { component::calls() },
                    grants: source.grants.clone(),
                    limits: source.limits.clone(),
                    mount: source.mount.clone(),
                    sbom: built.sbom.clone(),
                    record: source.record.clone(),
                }))
            }
        };
        Ok(Logic {
            description: self.description.clone(),
            rules: self.rules.clone(),
            params: self.params.clone(),
            connection: self.connection.clone(),
            transaction: self.transaction,
            timeout: self.timeout,
            body,
        })
    }
}
