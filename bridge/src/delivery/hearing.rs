//! Bridges tell one another that there may be something to do, where the database can carry it: PostgreSQL's `NOTIFY`. It is told after the commit,
//! by nobody's transaction, and many events in one word. Whoever is not told finds it by looking, as on other engines; and what is heard, from
//! whomever, is no more than a reason to look.

use std::{sync::Arc, time::Duration};

use santokit_core::release::Digest;
use santokit_sql::{delivery::Scope, dialect::Dialect};
use tokio::{
    sync::Notify,
    task::JoinSet,
    time::{Instant, sleep, timeout_at},
};
use ulid::Ulid;

use crate::{
    config::EnvName,
    db::{Database, DbError, Listener},
};

/// Between two words of this Bridge, and between two looks for what others say.
const GAP: Duration = Duration::from_millis(20);

/// How long a word may take to the database.
const TELL_MAX: Duration = Duration::from_secs(5);

/// How long this Bridge's own word may take to come back to it, at first.
const OWN_WORD_MAX: Duration = Duration::from_secs(5);

/// After so long without a word this Bridge says one to itself: a connection can be dead without an end.
const QUIET_MAX: Duration = Duration::from_mins(1);

/// Between two attempts to listen.
const AGAIN_MIN: Duration = Duration::from_secs(1);
const AGAIN_MAX: Duration = Duration::from_mins(5);

/// What is heard of other Bridges on one database. Dropped, it hears no more.
#[derive(Debug)]
pub(super) struct Hearing {
    database: Arc<Database>,
    tell: Arc<Notify>,
    _tasks: JoinSet<()>,
}

/// Why nothing is heard.
#[derive(Debug, thiserror::Error)]
enum Deaf {
    #[error(transparent)]
    Database(#[from] DbError),
    #[error(
        "what is told does not come back: a pooler that gives each transaction another session stands before the database"
    )]
    Silent,
}

/// What the tasks share.
#[derive(Clone)]
struct Ear {
    env: EnvName,
    /// This Bridge.
    bridge: String,
    database: Arc<Database>,
    got: Arc<Notify>,
}

impl Hearing {
    /// Begins to listen, and tells `heard` that there may be something; none where the engine has no such thing.
    pub(super) fn begin(env: &EnvName, bridge: &str, database: &Arc<Database>, heard: &Arc<Notify>) -> Option<Self> {
        if database.dialect() != Dialect::Postgres {
            return None;
        }
        let (tell, got) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let ear =
            Ear { env: env.clone(), bridge: bridge.to_owned(), database: Arc::clone(database), got: Arc::clone(&got) };
        let mut tasks = JoinSet::new();
        tasks.spawn(pass(got, Arc::clone(heard)));
        tasks.spawn(ear.clone().tell(Arc::clone(&tell)));
        tasks.spawn(ear.listen());
        Some(Self { database: Arc::clone(database), tell, _tasks: tasks })
    }

    /// Whether it is of this database: the connection may lead elsewhere since.
    pub(super) fn is_of(&self, database: &Database) -> bool {
        self.database.is_same(database)
    }

    /// Tells others, soon.
    pub(super) fn tell(&self) {
        self.tell.notify_one();
    }
}

impl Ear {
    /// Tells others whenever it was asked to, a few times a second at most.
    async fn tell(self, asked: Arc<Notify>) {
        loop {
            asked.notified().await;
            if let Err(error) = self.say(&self.bridge).await {
                // They find it by looking.
                tracing::debug!(error = &error as &dyn std::error::Error, "other Bridges could not be told of events");
            }
            sleep(GAP).await;
        }
    }

    /// Listens for as long as there is somebody to hear it for.
    async fn listen(self) {
        let (mut wait, mut is_told) = (AGAIN_MIN, false);
        loop {
            let began = Instant::now();
            let Err(why) = self.hear(&mut is_told).await;
            if !is_told {
                tracing::warn!(
                    env = %self.env, connection = self.database.name(), cause = &why as &dyn std::error::Error,
                    "events that other Bridges publish are found by looking alone"
                );
                is_told = true;
            }
            // What worked for a while is tried again soon.
            wait = if began.elapsed() > QUIET_MAX { AGAIN_MIN } else { (wait * 2).min(AGAIN_MAX) };
            sleep(wait).await;
        }
    }

    /// Until nothing is heard any more.
    async fn hear(&self, is_told: &mut bool) -> Result<std::convert::Infallible, Deaf> {
        let mut listener = self.database.listen(&channel(&self.env)).await?;
        self.hear_itself(&mut listener, OWN_WORD_MAX).await?;
        if std::mem::take(is_told) {
            tracing::info!(env = %self.env, connection = self.database.name(), "events of other Bridges are heard of again");
        }
        // What was told before was not heard.
        self.got.notify_one();
        loop {
            match timeout_at(Instant::now() + QUIET_MAX, listener.next()).await {
                Ok(word) => self.take(word?.as_deref()),
                Err(_) => self.hear_itself(&mut listener, OWN_WORD_MAX).await?,
            }
        }
    }

    /// Says a word and waits for it.
    async fn hear_itself(&self, listener: &mut Listener, most: Duration) -> Result<(), Deaf> {
        let (word, until) = (format!("probe {}", Ulid::new()), Instant::now() + most);
        self.say(&word).await?;
        loop {
            match timeout_at(until, listener.next()).await.map_err(|_| Deaf::Silent)?? {
                Some(heard) if heard == word => return Ok(()),
                heard => self.take(heard.as_deref()),
            }
        }
    }

    /// Whatever it says, it is a reason to look, but for this Bridge's own words and probes.
    fn take(&self, word: Option<&str>) {
        if word.is_none_or(|word| word != self.bridge && !word.starts_with("probe ")) {
            self.got.notify_one();
        }
    }

    async fn say(&self, word: &str) -> Result<(), DbError> {
        let scope = Scope { project: &self.env.project, env: &self.env.env, dialect: self.database.dialect() };
        let deadline = std::time::Instant::now() + TELL_MAX;
        self.database.execute(&scope.tell(&channel(&self.env), word), deadline).await.map(drop)
    }
}

/// Passes on that something was heard. A listener reads as fast as it can, for the server keeps what it has not read; who looks does not have to keep up.
async fn pass(got: Arc<Notify>, heard: Arc<Notify>) {
    loop {
        got.notified().await;
        heard.notify_one();
        sleep(GAP).await;
    }
}

/// Of an env: digits, so that no name is a part of a statement, nor longer than the server takes.
fn channel(env: &EnvName) -> String {
    let digest = Digest::of(format!("{}\0{}", env.project, env.env).as_bytes()).to_string();
    let digits = digest.rsplit(':').next().unwrap_or_default();
    format!("stk_events_{}", digits.get(..32).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_channel_is_of_one_env_and_is_a_name_as_it_stands() {
        let of = |project: &str, env: &str| channel(&EnvName { project: project.to_owned(), env: env.to_owned() });
        assert_ne!(of("shop", "dev"), of("shopd", "ev"));
        assert_ne!(of("shop", "dev"), of("shop", "prod"));
        for odd in [of("a\"; DROP TABLE x; --", "\0"), of(&"p".repeat(500), "e")] {
            assert!(odd.len() == 43 && odd.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'), "{odd}");
        }
    }
}
