//! Budgets in Redis, which the Bridges of a fleet share. One round trip within a tight time. While Redis is away no request waits
//! for it: a task of its own finds out when it is back.

use std::{fmt, sync::Arc, time::Duration};

use ::redis::{AsyncConnectionConfig, Client, RedisError, Script, aio::MultiplexedConnection};
use arc_swap::ArcSwapOption;
use santokit_core::release::Digest;
use secrecy::ExposeSecret;
use tokio::{sync::Notify, time::timeout};

use super::Owner;
use crate::config::{Rate, RedisConfig};

/// Takes one request from a budget.
const TAKE: &str = include_str!("gcra.lua");

/// A budget that is nobody's: to see whether Redis does what is needed.
const PROBE: &str = "stk:rate:probe";

/// For a new connection.
const CONNECT_MAX: Duration = Duration::from_secs(2);

/// Between two attempts to find Redis back.
const BACKOFF_MIN: Duration = Duration::from_millis(200);
const BACKOFF_MAX: Duration = Duration::from_secs(5);

/// Redis, there or away.
pub(super) struct Shared {
    client: Client,
    connection: ArcSwapOption<MultiplexedConnection>,
    lost: Notify,
    take: Script,
    timeout: Duration,
}

/// Why Redis is not asked.
#[derive(Debug, thiserror::Error)]
enum Away {
    #[error(transparent)]
    Redis(#[from] RedisError),
    #[error("it did not answer within {0:?}")]
    Slow(Duration),
}

impl Shared {
    /// Away, until [`Shared::keep`] has found it.
    pub(super) fn new(config: &RedisConfig) -> Result<Self, RedisError> {
        Ok(Self {
            client: Client::open(config.url.expose_secret())?,
            connection: ArcSwapOption::empty(),
            lost: Notify::new(),
            take: Script::new(TAKE),
            timeout: config.timeout,
        })
    }

    /// Whether it answers, as far as is known.
    pub(super) fn is_there(&self) -> bool {
        self.connection.load().is_some()
    }

    /// Takes one request, or says when there is one again. None: Redis is away.
    pub(super) async fn take(&self, budget: &str, owner: Owner<'_>, rate: Rate) -> Option<Result<(), Duration>> {
        let connection = self.connection.load_full()?;
        let key = key(budget, owner);
        match self.ask(&mut connection.as_ref().clone(), &key, rate).await {
            Ok(taken) => Some(taken),
            Err(error) => {
                // The first one who sees it tells it; it may have been found again since.
                let before = self.connection.compare_and_swap(&connection, None);
                if before.as_ref().is_some_and(|before| Arc::ptr_eq(before, &connection)) {
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(error, "Redis is away: this Bridge counts requests for itself alone");
                    self.lost.notify_one();
                }
                None
            }
        }
    }

    /// Finds Redis, at first and whenever it was lost. Never ends.
    pub(super) async fn keep(&self) {
        let (mut wait, mut was_away) = (BACKOFF_MIN, false);
        loop {
            match self.find().await {
                Ok(connection) => {
                    self.connection.store(Some(connection.into()));
                    tracing::info!(again = was_away, "requests are counted in Redis");
                    self.lost.notified().await;
                    (wait, was_away) = (BACKOFF_MIN, true);
                }
                Err(error) => {
                    if !was_away {
                        let error = &error as &dyn std::error::Error;
                        tracing::warn!(error, "Redis cannot be used: this Bridge counts requests for itself alone");
                    }
                    (wait, was_away) = ((wait * 2).min(BACKOFF_MAX), true);
                }
            }
            // Also after a loss: a Redis that fails at every request is not asked for each.
            tokio::time::sleep(wait).await;
        }
    }

    /// A connection on which a request can be taken.
    async fn find(&self) -> Result<MultiplexedConnection, Away> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT_MAX))
            .set_response_timeout(Some(CONNECT_MAX));
        let connecting = async {
            let mut connection = self.client.get_multiplexed_async_connection_with_config(&config).await?;
            self.take.key(PROBE).arg(1_u64).arg(u32::MAX).invoke_async::<i64>(&mut connection).await?;
            Ok::<_, RedisError>(connection)
        };
        Ok(timeout(CONNECT_MAX, connecting).await.map_err(|_| Away::Slow(CONNECT_MAX))??)
    }

    async fn ask(
        &self,
        connection: &mut MultiplexedConnection,
        key: &str,
        rate: Rate,
    ) -> Result<Result<(), Duration>, Away> {
        let interval = u64::try_from(rate.interval().as_micros()).unwrap_or(u64::MAX);
        let mut asked = self.take.key(key);
        asked.arg(interval).arg(rate.requests.get());
        let answered = timeout(self.timeout, asked.invoke_async::<i64>(connection)).await;
        let wait = answered.map_err(|_| Away::Slow(self.timeout))??;
        Ok(u64::try_from(wait).map_or(Ok(()), |micros| Err(Duration::from_micros(micros))))
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The client would show the address, with its password.
        f.debug_struct("Shared").field("isThere", &self.is_there()).finish_non_exhaustive()
    }
}

/// Of a bounded length, without the words of a caller in it.
fn key(budget: &str, (project, env, who): Owner<'_>) -> String {
    let digest = Digest::of(format!("{project}/{env}/{who}").as_bytes()).to_string();
    let digest = digest.rsplit(':').next().unwrap_or_default();
    format!("stk:rate:{budget}:{}", digest.get(..32).unwrap_or(digest))
}
