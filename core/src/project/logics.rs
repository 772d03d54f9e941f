//! What SQL and Wasm logics share: params, access, connection, wall time.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    ProjectLogic,
    access::{self, DraftRule},
    decode::{File, Map, Word},
    diagnostic::Check,
    keys,
    node::{Entry, Span},
    typed,
};
use crate::{
    event::{Topic, Trigger},
    limit::InvocationLimits,
    name::check_identifier,
    param::Param,
    quantity::Millis,
    schema::Schema,
};

/// Params of a logic.
const PARAMS_MAX: usize = 100;

/// Wall time of a SQL logic that says none: the query timeout of a Bridge.
pub(super) const SQL_TIMEOUT: Millis = Millis(30_000);

/// The connections and configuration values that logics can name.
pub(super) struct Known {
    pub(super) default_connection: String,
    pub(super) connections: BTreeMap<String, Schema>,
    pub(super) config: BTreeSet<String>,
    /// Names of declared queries, also of those that cannot be read.
    pub(super) queries: BTreeSet<String>,
    /// Names of logics, also of those that cannot be read.
    pub(super) logics: BTreeSet<String>,
    /// Aliases of buckets, but for those that cannot be read.
    pub(super) buckets: BTreeSet<String>,
    /// By name, but for those that cannot be read.
    pub(super) topics: BTreeMap<String, Topic>,
    /// Of those that can be read.
    pub(super) triggers: BTreeMap<String, Trigger>,
}

/// A param with the place of its name.
pub(super) struct DraftParam {
    pub(super) param: Param,
    pub(super) span: Span,
}

/// A logic whose access may still come from `config/permissions.yaml`.
pub(super) struct DraftLogic<'f> {
    pub(super) file: &'f File<'f>,
    pub(super) own_rules: Option<Vec<DraftRule>>,
    pub(super) logic: ProjectLogic,
}

pub(super) fn params(file: &File<'_>, map: &Map<'_>) -> Vec<DraftParam> {
    let Some(node) = map.get("params") else { return Vec::new() };
    let entries = file.names(node);
    if entries.len() > PARAMS_MAX {
        file.error(
            node.span,
            Check::TooMany,
            format!("a logic has at most {PARAMS_MAX} params; this one has {}", entries.len()),
        );
    }
    entries.into_iter().filter_map(|entry| param(file, entry)).collect()
}

/// The fields of a payload.
pub(super) fn fields(file: &File<'_>, map: &Map<'_>) -> Vec<Param> {
    let Some(node) = map.get("schema") else { return Vec::new() };
    let entries = file.names(node);
    if entries.len() > PARAMS_MAX {
        let message = format!("a topic has at most {PARAMS_MAX} fields; this one has {}", entries.len());
        file.error(node.span, Check::TooMany, message);
    }
    let field = |entry| declared(file, entry, "a field's name", &keys::TOPIC_FIELD);
    entries.into_iter().filter_map(field).map(|field| field.param).collect()
}

fn param(file: &File<'_>, entry: &Entry) -> Option<DraftParam> {
    declared(file, entry, "a param name", &keys::PARAM)
}

fn declared(file: &File<'_>, entry: &Entry, what: &'static str, keys: &'static keys::Keys) -> Option<DraftParam> {
    file.check_name(&entry.key, entry.span, |name| check_identifier(what, name));
    let map = file.map(&entry.value, keys)?;
    let kind = typed::kind(file, map.get("type")?)?;
    let (bounds, compiled) = typed::bounds(file, &map, kind);
    let items = typed::items(file, &map, kind);
    let required = map.get("required").and_then(|node| file.boolean(node)).unwrap_or(false);
    let default = if keys.names().any(|name| name == "default") { map.entry("default") } else { None };
    if let (true, Some(entry)) = (required, default) {
        file.error(entry.span, Check::Conflict, "a required param has no use for a default: it is always sent");
    }
    let default =
        default.and_then(|entry| typed::literal(file, &entry.value, kind, items.as_deref(), compiled.as_ref()));
    let param = Param { name: entry.key.clone(), kind, required, default, items, bounds };
    Some(DraftParam { param, span: entry.span })
}

/// The logic's connection, which must be one of the project.
pub(super) fn connection(file: &File<'_>, map: &Map<'_>, known: &Known) -> String {
    match map.get("connection").and_then(|node| file.text(node)) {
        Some(word) => {
            check_connection(file, &word, known);
            word.text
        }
        None => known.default_connection.clone(),
    }
}

pub(super) fn check_connection(file: &File<'_>, word: &Word, known: &Known) {
    if !known.connections.contains_key(&word.text) {
        let message = format!("there is no connection {:?}: no table is on it", word.text);
        file.unknown(
            word.span,
            Check::UnknownConnection,
            message,
            &word.text,
            known.connections.keys().map(String::as_str),
        );
    }
}

/// `timeout` under the ceiling.
pub(super) fn timeout(file: &File<'_>, map: &Map<'_>) -> Option<Millis> {
    let node = map.get("timeout")?;
    let timeout: Millis = file.quantity(node)?;
    let ceiling = InvocationLimits::ceiling().timeout;
    check_ceiling(file, node.span, "timeout", timeout > ceiling, timeout == Millis(0), &ceiling.to_string());
    Some(timeout)
}

pub(super) fn check_ceiling(file: &File<'_>, span: Span, name: &str, above: bool, zero: bool, ceiling: &str) {
    if above {
        file.error(span, Check::AboveCeiling, format!("{name} is above the ceiling of {ceiling}"));
    } else if zero {
        file.error(span, Check::InvalidValue, format!("{name} must be more than 0: nothing could run"));
    }
}

/// Name of the logic that a file declares: its path without `logics/` and the ending.
pub(super) fn name_of(path: &str) -> Option<&str> {
    let rest = path.strip_prefix("logics/")?;
    rest.strip_suffix("/logic.yaml").or_else(|| rest.strip_suffix(".sql"))
}

impl<'f> DraftLogic<'f> {
    pub(super) fn description(file: &File<'_>, map: &Map<'_>) -> Option<String> {
        map.get("description").and_then(|node| file.text(node)).map(|word| word.text)
    }

    pub(super) fn new(file: &'f File<'f>, map: &Map<'_>, logic: ProjectLogic) -> Self {
        Self { file, own_rules: access::own(file, map), logic }
    }
}
