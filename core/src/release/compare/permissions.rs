//! The rules as they are written: of tables, of logics, and of topics.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Difference, Manifest, of_maps};
use crate::access::{Rule, table::Verb};

/// What a list of rules is for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum Ruled {
    /// A verb on a table.
    Table {
        /// Its name.
        table: String,
        /// What is done to it.
        verb: Verb,
    },
    /// The calls of a logic.
    Logic {
        /// Its name.
        logic: String,
    },
    /// The publishing of events.
    Topic {
        /// Its name.
        topic: String,
    },
}

pub(super) fn differences(before: &Manifest, after: &Manifest) -> Vec<Difference<Ruled, Vec<Rule>>> {
    of_maps(lists(before), lists(after))
}

/// Every list that is not empty.
fn lists(manifest: &Manifest) -> BTreeMap<Ruled, Vec<Rule>> {
    let tables = manifest.permissions.tables.iter().flat_map(|(table, rules)| {
        let of = move |verb: &Verb| (Ruled::Table { table: table.clone(), verb: *verb }, rules.rules(*verb).to_vec());
        Verb::ALL.iter().map(of)
    });
    let logics = manifest.logics.iter().map(|(logic, of)| (Ruled::Logic { logic: logic.clone() }, of.rules.clone()));
    let topics = manifest.permissions.events.iter();
    let topics = topics.map(|(topic, of)| (Ruled::Topic { topic: topic.clone() }, of.publish.clone()));
    tables.chain(logics).chain(topics).filter(|(_, rules)| !rules.is_empty()).collect()
}
