//! What is compared field by field, by its JSON: logics, declared queries, and the rest of a manifest. A field that a later
//! version adds is compared without being named here.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use super::{Difference, Manifest, of_maps};

/// Where in a release.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Field {
    /// Of a logic, a query, a topic or a subscription, its name; nothing for the rest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The path of the field, dotted; nothing where the whole is new or gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
}

/// What has a section of its own.
const ELSEWHERE: [&str; 6] = ["connections", "permissions", "queries", "logics", "events", "cron"];

type Fields = BTreeMap<String, Json>;
type Named = BTreeMap<String, Fields>;

pub(super) fn of_logics(before: &Manifest, after: &Manifest) -> Vec<Difference<Field, Json>> {
    let named = |manifest: &Manifest| -> Named {
        let fields = manifest.logics.iter().map(|(name, logic)| {
            let mut json = json(logic);
            json.shift_remove("rules");
            if let Some(Json::Object(body)) = json.get_mut("body") {
                body.shift_remove("grants");
            }
            (name.clone(), flat(json))
        });
        fields.collect()
    };
    named_differences(&named(before), &named(after))
}

pub(super) fn of_queries(before: &Manifest, after: &Manifest) -> Vec<Difference<Field, Json>> {
    let named = |manifest: &Manifest| -> Named {
        manifest.queries.iter().map(|(name, query)| (name.clone(), flat(json(query)))).collect()
    };
    named_differences(&named(before), &named(after))
}

/// By kind and name: `topic order_placed`, `trigger order_inserted`.
pub(super) fn of_events(before: &Manifest, after: &Manifest) -> Vec<Difference<Field, Json>> {
    let named = |manifest: &Manifest| -> Named {
        let kinds = json(&manifest.events).into_iter().filter_map(|(kind, of)| match of {
            Json::Object(of) => Some((kind, of)),
            _ => None,
        });
        let named = kinds.flat_map(|(kind, of)| {
            let kind = kind.strip_suffix('s').unwrap_or(&kind).to_owned();
            of.into_iter().filter_map(move |(name, one)| match one {
                Json::Object(fields) => Some((format!("{kind} {name}"), flat(fields))),
                _ => None,
            })
        });
        named.collect()
    };
    named_differences(&named(before), &named(after))
}

pub(super) fn of_cron(before: &Manifest, after: &Manifest) -> Vec<Difference<Field, Json>> {
    let named = |manifest: &Manifest| -> Named {
        manifest.cron.iter().map(|(name, job)| (name.clone(), flat(json(job)))).collect()
    };
    named_differences(&named(before), &named(after))
}

pub(super) fn of_settings(before: &Manifest, after: &Manifest) -> Vec<Difference<Field, Json>> {
    let rest = |manifest: &Manifest| {
        let mut json = json(manifest);
        for section in ELSEWHERE {
            json.shift_remove(section);
        }
        flat(json).into_iter().map(|(path, value)| (Field { name: None, field: Some(path) }, value)).collect()
    };
    of_maps(rest(before), rest(after))
}

/// What is on both sides is compared by its fields; what is new or gone is told once, with its kind.
fn named_differences(before: &Named, after: &Named) -> Vec<Difference<Field, Json>> {
    let fields = |of: &Named, other: &Named| {
        let mut all = BTreeMap::new();
        for (name, fields) in of {
            let mut add = |field, value| all.insert(Field { name: Some(name.clone()), field }, value);
            if other.contains_key(name) {
                for (path, value) in fields {
                    add(Some(path.clone()), value.clone());
                }
            } else {
                let kind = fields.get("body.kind").or_else(|| fields.get("returns"));
                add(None, kind.cloned().unwrap_or(Json::Bool(true)));
            }
        }
        all
    };
    of_maps(fields(before, after), fields(after, before))
}

fn json(of: &impl Serialize) -> Map<String, Json> {
    match serde_json::to_value(of) {
        Ok(Json::Object(fields)) => fields,
        _ => Map::new(),
    }
}

/// Every leaf by its path. A list is a leaf, but for one of things with a name.
fn flat(json: Map<String, Json>) -> Fields {
    let (mut fields, mut open) = (Fields::new(), vec![(String::new(), Json::Object(json))]);
    while let Some((path, value)) = open.pop() {
        let under = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
        match value {
            Json::Object(inner) if !inner.is_empty() => {
                open.extend(inner.into_iter().map(|(key, value)| (under(&key), value)));
            }
            Json::Array(items) if !items.is_empty() && items.iter().all(|item| item["name"].is_string()) => {
                for mut item in items {
                    let name = item.as_object_mut().and_then(|fields| fields.shift_remove("name"));
                    open.push((under(name.as_ref().and_then(Json::as_str).unwrap_or_default()), item));
                }
            }
            leaf => drop(fields.insert(path, leaf)),
        }
    }
    fields
}
