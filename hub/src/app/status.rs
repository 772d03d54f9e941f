//! How a Hub fares, and what time it is there.

use super::{
    App,
    answers::system::{AuditStanding, Clocks, HubStatus},
    backup::engine_name,
};
use crate::store::{
    audit::{self, Filter, Page},
    clock, envs,
};
use chrono::{DateTime, SecondsFormat, Utc};
use santokit_core::{problem::Outcome, release::VERSION};

impl App {
    /// What an operator looks at first.
    pub async fn status(&self) -> Outcome<HubStatus> {
        let mut db = self.store.read().await?;
        let backup = Filter { action: Some("hub.backup".to_owned()), ..Filter::default() };
        let backup = audit::list(&mut db, &backup, Page::Before(i64::MAX), 1).await?;
        let last_backup_at = backup.first().and_then(|row| row.to_json()["ts"].as_str().map(str::to_owned));
        let head = self.store.log.anchor();
        let day_ago = text(Utc::now() - chrono::TimeDelta::days(1));
        Ok(HubStatus {
            version: VERSION.to_owned(),
            engine: engine_name(self.store.engine()).to_owned(),
            schema_version: self.store.version(&mut db).await?,
            started_at: text(self.started_at),
            time: text(Utc::now()),
            projects: envs::count_all_projects(&mut db).await?,
            audit: AuditStanding {
                head,
                entries_last_day: audit::count_since(&mut db, &day_ago).await?,
                retention_seconds: self.audit_retention.as_secs(),
            },
            last_backup_at,
        })
    }

    /// The clocks that what is kept is dated by: of the Hub, and of its database.
    pub async fn time(&self) -> Outcome<Clocks> {
        let mut db = self.store.read().await?;
        let database = clock(&mut db).await?;
        let hub = Utc::now();
        let database = DateTime::from_timestamp_millis(database).unwrap_or_default();
        Ok(Clocks { hub: text(hub), database: text(database), database_ahead_ms: (database - hub).num_milliseconds() })
    }
}

fn text(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}
