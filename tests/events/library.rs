//! The library: graphile-worker, whose workers are processes of Node.js, and who feeds it.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context as _, Result};
use santokit_tests::{TestDatabase, repository};
use sqlx::{AssertSqlSafe, PgPool};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
};

use crate::{by_hand::ByHand, measure::Side};

/// Jobs of all workers at once: each holds a connection, and a server has a hundred.
const CONCURRENCY: usize = 24;
const READY_MAX: Duration = Duration::from_mins(1);

/// Its workers, the handler by hand that feeds them, and their database.
pub(crate) struct Library {
    folder: PathBuf,
    url: String,
    pool: PgPool,
    workers: Vec<Worker>,
    by_hand: Option<ByHand>,
}

struct Worker {
    process: Child,
    said: Arc<Mutex<String>>,
}

impl Library {
    /// With one worker, which makes its tables, and an application's table.
    pub(crate) async fn start(database: &TestDatabase, folder: &Path) -> Result<Self> {
        let url = database.url();
        let pool = PgPool::connect(&url).await?;
        let mut library = Self { folder: folder.to_owned(), url, pool, workers: Vec::new(), by_hand: None };
        let table =
            "CREATE TABLE orders (id text PRIMARY KEY, title text NOT NULL, total_cents int NOT NULL, sent_at float8)";
        sqlx::query(table).execute(&library.pool).await?;
        library.workers.push(library.worker(CONCURRENCY, "plain").await?);
        library.by_hand = Some(ByHand::start(&library.url).await?);
        Ok(library)
    }

    /// As many workers.
    pub(crate) async fn grow_to(&mut self, count: usize) -> Result<()> {
        self.renew(count, "plain").await
    }

    /// Workers that take and end jobs many at once, or one by one again.
    pub(crate) async fn batch(&mut self, is_batched: bool) -> Result<()> {
        self.renew(self.workers.len(), if is_batched { "batched" } else { "plain" }).await
    }

    async fn renew(&mut self, count: usize, how: &str) -> Result<()> {
        for mut worker in std::mem::take(&mut self.workers) {
            worker.process.start_kill()?;
            worker.process.wait().await?;
        }
        for _ in 0..count {
            self.workers.push(self.worker(CONCURRENCY / count, how).await?);
        }
        Ok(())
    }

    async fn worker(&self, at_once: usize, how: &str) -> Result<Worker> {
        // Node.js looks for modules beside the program.
        let program = self.folder.join("work.mjs");
        std::fs::copy(repository().join("tests/events/library/work.mjs"), &program)?;
        let mut command = Command::new("node");
        command.arg(program).args([self.url.as_str(), &at_once.to_string(), how]);
        let mut process = command.stdout(Stdio::piped()).kill_on_drop(true).spawn().context("node starts")?;
        let mut lines = BufReader::new(process.stdout.take().context("it says something")?).lines();
        let said = Arc::new(Mutex::new(String::new()));
        let ready = tokio::time::timeout(READY_MAX, lines.next_line()).await.context("a worker is ready")??;
        anyhow::ensure!(ready.as_deref() == Some("ready"), "{ready:?}");
        let heard = Arc::clone(&said);
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                let mut said = heard.lock().unwrap_or_else(PoisonError::into_inner);
                said.push_str(&line);
                said.push('\n');
            }
        });
        Ok(Worker { process, said })
    }
}

impl Side for Library {
    fn entry(&self, _: usize) -> (&str, &str) {
        (self.by_hand.as_ref().map_or("", |by_hand| by_hand.url.as_str()), "none")
    }

    async fn backlog(&self, count: usize) -> Result<()> {
        let sql = format!(
            "SELECT count(*) FROM (SELECT graphile_worker.add_job('placed', json_build_object('orderId', 'o', 'totalCents', 1200)) \
             FROM generate_series(1, {count})) AS added"
        );
        sqlx::query(AssertSqlSafe(sql)).execute(&self.pool).await?;
        Ok(())
    }

    async fn is_done(&self) -> Result<bool> {
        let waits = "SELECT 1 FROM graphile_worker._private_jobs LIMIT 1";
        Ok(sqlx::query(waits).fetch_optional(&self.pool).await?.is_none())
    }

    fn said(&self) -> Vec<String> {
        let said = |worker: &Worker| worker.said.lock().unwrap_or_else(PoisonError::into_inner).clone();
        self.workers.iter().map(said).collect()
    }
}
