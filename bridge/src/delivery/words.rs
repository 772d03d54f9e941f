//! What is said of attempts that have ended, many in one transaction: whatever waits while one is written is in the next. Nothing waits for more to
//! come, so that one alone is written at once.

use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};

use santokit_sql::{delivery::Scope, failure::FailureKind, statement::Statement};
use tokio::sync::{mpsc, oneshot};

use super::rows::Claimed;
use crate::{
    config::EnvName,
    crud::value::moment,
    db::{Database, DbError, Mode, Share},
};

/// How long one try takes.
pub(super) const WORD_MAX: Duration = Duration::from_secs(3);

/// Words of one transaction.
const WORDS_MAX: usize = 256;

/// What became of an attempt.
#[derive(Clone, Debug)]
pub(super) enum Word {
    /// The event is handled; the row by which the handler's own transaction may have said so.
    Handled(Option<String>),
    /// Anything else, as the change of its row.
    Change(Statement),
}

/// Where words are said, on one database. They are written until the last one who could say one is gone.
#[derive(Clone, Debug)]
pub(super) struct Words {
    database: Arc<Database>,
    said: mpsc::Sender<Said>,
}

/// One that waits.
struct Said {
    id: String,
    claim: String,
    word: Word,
    answer: oneshot::Sender<Result<(), Arc<DbError>>>,
}

/// Who writes them.
struct Writer {
    env: EnvName,
    database: Arc<Database>,
}

impl Words {
    /// On an env's database.
    pub(super) fn on(env: &EnvName, database: &Arc<Database>) -> Self {
        let (said, waiting) = mpsc::channel(WORDS_MAX);
        let writer = Writer { env: env.clone(), database: Arc::clone(database) };
        tokio::spawn(writer.write(waiting));
        Self { database: Arc::clone(database), said }
    }

    /// Whether they are of this database: the connection may lead elsewhere since.
    pub(super) fn is_of(&self, database: &Database) -> bool {
        self.database.is_same(database)
    }

    /// Says one, and waits until it is written. Whoever has lost the claim says nothing.
    pub(super) async fn say(&self, claimed: &Claimed, word: Word) -> Result<(), Arc<DbError>> {
        let (answer, answered) = oneshot::channel();
        let said = Said { id: claimed.id.clone(), claim: claimed.claim.clone(), word, answer };
        let gone = || Arc::new(DbError::unavailable("nobody writes what became of events"));
        // Where many wait, this one waits with its claim.
        self.said.send(said).await.map_err(|_| gone())?;
        answered.await.unwrap_or_else(|_| Err(gone()))
    }
}

impl Writer {
    async fn write(self, mut waiting: mpsc::Receiver<Said>) {
        let mut some = Vec::new();
        while waiting.recv_many(&mut some, WORDS_MAX).await > 0 {
            match self.write_all(&some).await {
                Err(error) if some.len() > 1 && !is_of_all(error.kind) => {
                    // One that the database does not take is nobody else's.
                    for said in some.drain(..) {
                        let written = self.write_all(std::slice::from_ref(&said)).await;
                        said.answer(written.map_err(Arc::new));
                    }
                }
                written => {
                    let written = written.map_err(Arc::new);
                    some.drain(..).for_each(|said| said.answer(written.clone()));
                }
            }
        }
    }

    async fn write_all(&self, some: &[Said]) -> Result<(), DbError> {
        let deadline = Instant::now() + WORD_MAX;
        let scope = Scope { project: &self.env.project, env: &self.env.env, dialect: self.database.dialect() };
        let (mut handled, mut acknowledgements, mut changes) = (Vec::new(), Vec::new(), Vec::new());
        for said in some {
            match &said.word {
                Word::Handled(acknowledgement) => {
                    handled.push(said);
                    acknowledgements.extend(acknowledgement.as_deref());
                }
                Word::Change(change) => changes.push(change),
            }
        }
        let ids: Vec<&str> = handled.iter().map(|said| said.id.as_str()).collect();
        let claims: BTreeSet<&str> = handled.iter().map(|said| said.claim.as_str()).collect();
        let claims: Vec<&str> = claims.into_iter().collect();
        let done = (!ids.is_empty()).then(|| scope.all_done(&ids, &claims));
        let touched = if let (Some(done), true, true) = (&done, acknowledgements.is_empty(), changes.is_empty()) {
            self.database.execute(done, deadline).await?.affected
        } else {
            let mut session = self.database.begin(Mode::Write, Share::Platform, deadline).await?;
            let mut touched = 0;
            for statement in done.iter().chain(changes) {
                touched += session.execute(statement, deadline).await?.affected;
            }
            if !acknowledgements.is_empty() {
                session.execute(&scope.shared(&acknowledgements, &moment(self.database.now())), deadline).await?;
            }
            session.commit(deadline).await?;
            session.end();
            touched
        };
        let late = u64::try_from(some.len()).unwrap_or(u64::MAX).saturating_sub(touched);
        if late > 0 {
            let (env, connection) = (&self.env, self.database.name());
            tracing::warn!(%env, connection, attempts = late, "the claim was over before the attempt was");
        }
        Ok(())
    }
}

impl Said {
    fn answer(self, written: Result<(), Arc<DbError>>) {
        // Who does not wait for it any more was given up with its claim.
        drop(self.answer.send(written));
    }
}

/// Whether a failure is of the database, and not of what was to be written.
fn is_of_all(kind: FailureKind) -> bool {
    use FailureKind::{Busy, Exhausted, Interrupted, Lost, ReadOnly, Unavailable};
    matches!(kind, Busy | Exhausted | Interrupted | Lost | ReadOnly | Unavailable)
}

#[cfg(test)]
mod tests {
    use santokit_core::wire::{RuntimeConnection, Sealed};

    use super::*;
    use crate::db::DatabaseSettings;

    fn claimed(id: &str, claim: &str) -> Claimed {
        Claimed {
            id: id.to_owned(),
            claim: claim.to_owned(),
            event: "evt_1".to_owned(),
            topic: "t".to_owned(),
            subscription: "s".to_owned(),
            payload: serde_json::Map::new(),
            published_at: String::new(),
            caused_by: None,
            depth: 0,
            attempt: 1,
            history: super::super::history::History::default(),
            ends: Instant::now(),
            bytes: 0,
        }
    }

    fn text(sql: &str) -> Statement {
        Statement { sql: sql.to_owned(), params: Vec::new(), columns: Vec::new() }
    }

    #[tokio::test]
    async fn words_are_said_by_who_claims_and_one_that_is_not_taken_is_nobody_elses() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("it.db");
        std::fs::write(&file, "").unwrap();
        let url = format!("sqlite:{}", file.display());
        let connection = RuntimeConnection { engine: "sqlite".into(), url: Sealed::new(url), guests: Vec::new() };
        let database = Arc::new(Database::open("main", &connection, &DatabaseSettings::default()).unwrap());
        let soon = || Instant::now() + Duration::from_secs(30);
        for sql in [
            "CREATE TABLE stk_delivery (id TEXT PRIMARY KEY, state TEXT, claim TEXT, due INTEGER)",
            "CREATE TABLE stk_outbox (id TEXT PRIMARY KEY, project TEXT, env TEXT, shared_at TEXT)",
            "INSERT INTO stk_outbox VALUES ('ack', 'shop', 'dev', NULL)",
            "INSERT INTO stk_delivery VALUES ('a', 'pending', 'c1', 0), ('b', 'pending', 'c1', 0), ('late', 'pending', 'c9', 0), \
             ('c', 'pending', 'c2', 0), ('d', 'dead', 'c1', 0)",
        ] {
            database.execute(&text(sql), soon()).await.unwrap();
        }
        let words = Words::on(&EnvName { project: "shop".to_owned(), env: "dev".to_owned() }, &database);
        let put_off = Word::Change(text("UPDATE stk_delivery SET due = 7 WHERE id = 'c' AND claim = 'c2'"));
        let said = [
            (claimed("a", "c1"), Word::Handled(Some("ack".to_owned()))),
            (claimed("b", "c1"), Word::Handled(None)),
            (claimed("late", "c1"), Word::Handled(None)),
            (claimed("c", "c2"), put_off),
            (claimed("d", "c1"), Word::Handled(None)),
            (claimed("x", "c1"), Word::Change(text("UPDATE nothing SET due = 7"))),
        ];
        let said =
            futures_util::future::join_all(said.map(async |(claimed, word)| words.say(&claimed, word).await)).await;
        let is_said: Vec<bool> = said.iter().map(Result::is_ok).collect();
        assert_eq!(is_said, [true, true, true, true, true, false], "{said:?}");
        let column = |name: &str| santokit_sql::statement::OutputColumn {
            name: name.to_owned(),
            kind: santokit_core::schema::Type::String,
        };
        let read = Statement {
            columns: vec![column("id")],
            ..text(
                "SELECT id || due AS id FROM stk_delivery UNION ALL SELECT id FROM stk_outbox WHERE shared_at IS NULL ORDER BY 1",
            )
        };
        let rows = database.rows(Mode::Read, &read, soon()).await.unwrap();
        let rows: Vec<String> = rows.into_iter().flatten().filter_map(super::super::rows::text).collect();
        assert_eq!(rows, ["c7", "d0", "late0"]);
    }
}
