//! Listening to what others tell on a PostgreSQL server (`NOTIFY`), on a connection of its own beside the pool. What is heard is anybody's word:
//! whoever may connect may say it.

use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions};

use super::DbError;

/// For a new connection, also after one was lost.
const CONNECT_MAX: Duration = Duration::from_secs(5);

/// Listens on one channel.
#[derive(Debug)]
pub struct Listener(PgListener);

impl Listener {
    /// On a channel, whose name is quoted here.
    pub(super) async fn open(options: &PgConnectOptions, channel: &str) -> Result<Self, DbError> {
        let options = options.clone().application_name("santokit-bridge listens");
        // One connection, which is kept: the listener wants a pool to make it again from.
        let pool = PgPoolOptions::new().max_connections(1).max_lifetime(None).idle_timeout(None);
        let pool = pool.acquire_timeout(CONNECT_MAX).connect_lazy_with(options);
        let opening = async {
            let mut listener = PgListener::connect_with(&pool).await?;
            listener.listen(channel).await?;
            Ok::<_, sqlx::Error>(listener)
        };
        let opened = tokio::time::timeout(CONNECT_MAX * 2, opening).await;
        let opened = opened.map_err(|_| DbError::unavailable("the database does not answer"))?;
        Ok(Self(opened.map_err(|error| DbError::from_sqlx(&error))?))
    }

    /// The next word. None: the connection was lost and made again, so that some may have been missed.
    pub async fn next(&mut self) -> Result<Option<String>, DbError> {
        let heard = self.0.try_recv().await.map_err(|error| DbError::from_sqlx(&error))?;
        Ok(heard.map(|heard| heard.payload().to_owned()))
    }
}
