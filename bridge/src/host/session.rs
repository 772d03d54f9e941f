//! What a session is made of, and its end.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Instant,
};

use santokit_core::{access::Actor, logic::Grants, schema::Schema};
use santokit_wasm::{InvocationInfo, SqlError};
use secrecy::SecretString;

use super::{GrantedObjects, GrantedQueries, GrantedTables, Joined, Logins, SqlSession, storage::OpenObjects};
use crate::{
    call::LoadedLogicEntry,
    crud::{limits::CrudSettings, names::Tables},
    db::Database,
    egress::Egress,
    events::{Occasion, Topics},
    guest_log::GuestLog,
    metrics::Metrics,
    recording::Recordings,
    rehearsal::Rehearsal,
    storage::Buckets,
};

/// What an invocation may reach.
#[derive(Debug)]
pub struct Session {
    pub(super) invocation: InvocationInfo,
    pub(super) actor: Actor,
    pub(super) logics: Arc<BTreeMap<String, Arc<LoadedLogicEntry>>>,
    pub(super) depth: usize,
    pub(super) grants: Arc<Grants>,
    pub(super) queries: Arc<GrantedQueries>,
    pub(super) tables: Arc<Tables>,
    pub(super) databases: Arc<BTreeMap<String, Arc<Database>>>,
    pub(super) crud: Arc<CrudSettings>,
    pub(super) config: Arc<BTreeMap<String, String>>,
    pub(super) secrets: Arc<BTreeMap<String, SecretString>>,
    pub(super) egress: Arc<Egress>,
    pub(super) guest_log: Arc<GuestLog>,
    pub(super) granted_objects: Arc<GrantedObjects>,
    pub(super) buckets: Arc<Buckets>,
    pub(super) topics: Arc<Topics>,
    pub(super) recordings: Arc<Recordings>,
    pub(super) objects: OpenObjects,
    pub(super) metrics: Arc<Metrics>,
    pub(super) deadline: Instant,
    pub(super) sql: SqlSession,
    pub(super) rehearsal: Option<Arc<Rehearsal>>,
    pub(super) occasion: Option<Arc<Occasion>>,
    /// Whether it may have published an event, which is there when it has ended.
    pub(super) has_published: bool,
    /// Marks that it may make although the rate is spent since: their places were taken when it asked for them.
    pub(super) reserved: BTreeSet<String>,
}

/// What a session is made of.
#[derive(Debug)]
pub struct SessionParts {
    /// What this invocation is.
    pub invocation: InvocationInfo,
    /// Who called.
    pub actor: Actor,
    /// Logics of the release.
    pub logics: Arc<BTreeMap<String, Arc<LoadedLogicEntry>>>,
    /// How many logics have called one another until here.
    pub depth: usize,
    /// Of the logic.
    pub grants: Arc<Grants>,
    /// What its own SQL may touch.
    pub granted_tables: Arc<GrantedTables>,
    /// As what it runs on a database server.
    pub logins: Arc<Logins>,
    /// The declared queries among them.
    pub queries: Arc<GrantedQueries>,
    /// Tables of the release, with their rules.
    pub tables: Arc<Tables>,
    /// Bounds of requests to them.
    pub crud: Arc<CrudSettings>,
    /// Configuration values of the env.
    pub config: Arc<BTreeMap<String, String>>,
    /// Secrets of the env.
    pub secrets: Arc<BTreeMap<String, SecretString>>,
    /// Databases by connection name.
    pub databases: Arc<BTreeMap<String, Arc<Database>>>,
    /// Declared schemas by connection name.
    pub schemas: Arc<BTreeMap<String, Schema>>,
    /// The connection on which the whole invocation is one transaction, if it is.
    pub transaction_on: Option<String>,
    /// Sends outbound requests.
    pub egress: Arc<Egress>,
    /// Where what it says is kept for a while.
    pub guest_log: Arc<GuestLog>,
    /// Which objects it may touch.
    pub granted_objects: Arc<GrantedObjects>,
    /// Where they are.
    pub buckets: Arc<Buckets>,
    /// Topics of the release.
    pub topics: Arc<Topics>,
    /// For logics that it calls.
    pub recordings: Arc<Recordings>,
    /// Transactions of a caller.
    pub joined: Joined,
    /// When every statement must have ended.
    pub deadline: Instant,
    /// The numbers.
    pub metrics: Arc<Metrics>,
    /// What a test fixes and sees; none for a request.
    pub rehearsal: Option<Arc<Rehearsal>>,
    /// The event that it is for, if it is for one.
    pub occasion: Option<Arc<Occasion>>,
}

impl Session {
    /// Nothing is opened yet.
    pub fn new(parts: SessionParts) -> Self {
        let SessionParts {
            invocation,
            actor,
            logics,
            depth,
            grants,
            granted_tables,
            logins,
            queries,
            tables,
            crud,
            config,
            secrets,
            egress,
            guest_log,
            granted_objects,
            buckets,
            topics,
            recordings,
            databases,
            schemas,
            transaction_on,
            joined,
            deadline,
            metrics,
            rehearsal,
            occasion,
        } = parts;
        let own = (granted_tables, logins);
        let mut sql = SqlSession::new(own, Arc::clone(&databases), schemas, transaction_on, deadline, metrics.clone());
        sql.join(joined);
        Self {
            invocation,
            actor,
            logics,
            depth,
            grants,
            queries,
            tables,
            databases,
            crud,
            config,
            secrets,
            egress,
            guest_log,
            granted_objects,
            buckets,
            topics,
            recordings,
            objects: OpenObjects::default(),
            metrics,
            deadline,
            sql,
            rehearsal,
            occasion,
            has_published: false,
            reserved: BTreeSet::new(),
        }
    }

    /// All secrets of the env, whatever is granted of them: no recording may have one.
    pub(crate) fn secrets(&self) -> Arc<BTreeMap<String, SecretString>> {
        Arc::clone(&self.secrets)
    }

    /// Ends the invocation's own transaction: commits it, or rolls it back. What the guest left open is rolled back. What is a caller's
    /// goes back to it.
    pub async fn finish(mut self, commit: bool) -> (Result<(), SqlError>, Joined) {
        let acknowledged = if commit { self.acknowledge().await } else { Ok(()) };
        let (ended, joined) = self.sql.hand_back(commit && acknowledged.is_ok()).await;
        if self.has_published {
            self.topics.wake();
        }
        (acknowledged.and(ended), joined)
    }
}
