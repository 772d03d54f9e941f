//! The logins that a release needs on a database server: guests' own SQL and declared queries run there as users of the database's
//! own, each of which may do exactly what some logic was granted. The Hub makes them, the Bridge looks them up.

use std::collections::{BTreeMap, BTreeSet};

use super::{Digest, Manifest};
use crate::{
    logic::{Body, Grants, Verb},
    query::Query,
    wire::Sealed,
};

/// What a login may do: verbs by table. Where it may publish events it has `insert` of [`OUTBOX`], which is no privilege on that table but the
/// right to run a procedure of its own ([`Publisher`]).
pub type TablePowers = BTreeMap<String, BTreeSet<Verb>>;

/// The platform's table of published events.
pub const OUTBOX: &str = "stk_outbox";

/// How a login publishes an event in its own transaction: by a procedure that runs with its owner's rights, and asks for a token that only the
/// host knows. What guests send in the same session publishes nothing.
#[derive(Clone, Debug)]
pub struct Publisher {
    /// The procedure's name.
    pub procedure: String,
    /// 64 hex digits.
    pub token: Sealed,
}

impl Manifest {
    /// What each login may do that components need, by connection. A declared query that touches no table needs one that may
    /// do nothing.
    pub fn logins(&self) -> BTreeMap<String, BTreeSet<TablePowers>> {
        let mut all: BTreeMap<String, BTreeSet<TablePowers>> = BTreeMap::new();
        for logic in self.logics.values() {
            let Body::Wasm(body) = &logic.body else { continue };
            let acknowledges = logic.acknowledges();
            for (connection, powers) in raw(&body.grants, acknowledges) {
                all.entry(connection).or_default().insert(powers);
            }
            for (connection, powers) in queried(&body.grants, &self.queries, acknowledges) {
                all.entry(connection).or_default().insert(powers);
            }
        }
        all
    }
}

/// What the declared queries of a logic touch together, by connection. What `acknowledges` says in its transaction that an event is handled, and
/// that is kept as events are.
pub fn queried(
    grants: &Grants,
    queries: &BTreeMap<String, Query>,
    acknowledges: bool,
) -> BTreeMap<String, TablePowers> {
    let mut all: BTreeMap<String, TablePowers> = BTreeMap::new();
    for query in grants.queries.iter().filter_map(|name| queries.get(name)) {
        add(all.entry(query.connection.clone()).or_default(), &query.tables);
    }
    publishing(grants, acknowledges, all)
}

/// What a logic's own SQL may touch, by connection.
pub fn raw(grants: &Grants, acknowledges: bool) -> BTreeMap<String, TablePowers> {
    let mut all: BTreeMap<String, TablePowers> = BTreeMap::new();
    for grant in &grants.sql {
        add(all.entry(grant.connection.clone()).or_default(), &grant.tables);
    }
    publishing(grants, acknowledges, all)
}

/// Whose transactions an event may belong to.
fn publishing(
    grants: &Grants,
    acknowledges: bool,
    mut all: BTreeMap<String, TablePowers>,
) -> BTreeMap<String, TablePowers> {
    if acknowledges || grants.once || !grants.events.is_empty() {
        for powers in all.values_mut() {
            powers.insert(OUTBOX.to_owned(), BTreeSet::from([Verb::Insert]));
        }
    }
    all
}

/// Whether a login publishes events.
pub fn publishes(powers: &TablePowers) -> bool {
    powers.contains_key(OUTBOX)
}

impl Publisher {
    /// Of a login. Both ends make it of the password, which both have.
    pub fn of(user: &str, password: &str) -> Self {
        let token = hex(format!("stk publish\0{password}").as_bytes());
        Self { procedure: user.replacen("stk_g_", "stk_p_", 1), token: Sealed::new(&token) }
    }

    /// What the procedure knows of the token: SHA-256 in hex.
    pub fn hash(&self) -> String {
        hex(self.token.expose().as_bytes())
    }
}

fn hex(bytes: &[u8]) -> String {
    Digest::of(bytes).as_str().rsplit(':').next().unwrap_or_default().to_owned()
}

fn add(powers: &mut TablePowers, more: &TablePowers) {
    for (table, verbs) in more {
        powers.entry(table.clone()).or_default().extend(verbs);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_publisher_is_of_its_login_and_its_hash_gives_the_token_to_nobody() {
        let one = Publisher::of("stk_g_0a", "secret");
        assert_eq!(one.procedure, "stk_p_0a");
        assert_eq!((one.token.expose().len(), one.hash().len()), (64, 64));
        assert_ne!(one.hash(), one.token.expose());
        assert_ne!(Publisher::of("stk_g_0a", "other").hash(), one.hash());
        assert!(!format!("{one:?}").contains(one.token.expose()));
    }

    #[test]
    fn who_publishes_has_a_login_of_its_own() {
        let tables: TablePowers = [("items".to_owned(), BTreeSet::from([Verb::Select]))].into();
        let sql = vec![crate::logic::SqlGrant { connection: "main".to_owned(), tables: tables.clone() }];
        let silent = Grants { sql, ..Grants::default() };
        assert_eq!(raw(&silent, false)["main"], tables);
        assert!(publishes(&raw(&silent, true)["main"]));
        let telling = Grants { events: BTreeSet::from(["placed".to_owned()]), ..silent };
        assert!(publishes(&raw(&telling, false)["main"]) && !publishes(&tables));
        // Where it has no SQL there is no transaction of a login.
        assert!(raw(&Grants { sql: Vec::new(), ..telling }, true).is_empty());
    }
}
