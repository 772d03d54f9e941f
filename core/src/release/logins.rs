//! The logins that a release needs on a database server: guests' own SQL and declared queries run there as users of the database's
//! own, each of which may do exactly what some logic was granted. The Hub makes them, the Bridge looks them up.

use std::collections::{BTreeMap, BTreeSet};

use super::Manifest;
use crate::{
    logic::{Body, Grants, Verb},
    query::Query,
};

/// What a login may do: verbs by table.
pub type TablePowers = BTreeMap<String, BTreeSet<Verb>>;

impl Manifest {
    /// What each login may do that components need, by connection. A declared query that touches no table needs one that may
    /// do nothing.
    pub fn logins(&self) -> BTreeMap<String, BTreeSet<TablePowers>> {
        let mut all: BTreeMap<String, BTreeSet<TablePowers>> = BTreeMap::new();
        for logic in self.logics.values() {
            let Body::Wasm(body) = &logic.body else { continue };
            for (connection, powers) in raw(&body.grants) {
                all.entry(connection).or_default().insert(powers);
            }
            for (connection, powers) in queried(&body.grants, &self.queries) {
                all.entry(connection).or_default().insert(powers);
            }
        }
        all
    }
}

/// What the declared queries of a logic touch together, by connection.
pub fn queried(grants: &Grants, queries: &BTreeMap<String, Query>) -> BTreeMap<String, TablePowers> {
    let mut all: BTreeMap<String, TablePowers> = BTreeMap::new();
    for query in grants.queries.iter().filter_map(|name| queries.get(name)) {
        add(all.entry(query.connection.clone()).or_default(), &query.tables);
    }
    all
}

/// What a logic's own SQL may touch, by connection.
pub fn raw(grants: &Grants) -> BTreeMap<String, TablePowers> {
    let mut all: BTreeMap<String, TablePowers> = BTreeMap::new();
    for grant in &grants.sql {
        add(all.entry(grant.connection.clone()).or_default(), &grant.tables);
    }
    all
}

fn add(powers: &mut TablePowers, more: &TablePowers) {
    for (table, verbs) in more {
        powers.entry(table.clone()).or_default().extend(verbs);
    }
}
