//! How a Hub fares, and what time it is there.

use chrono::{DateTime, SecondsFormat, Utc};
use santokit_core::{problem::Outcome, release::VERSION};
use serde_json::{Value as Json, json};

use super::{App, backup::engine_name};
use crate::store::{
    audit::{self, Filter, Page},
    clock, envs,
};

impl App {
    /// What an operator looks at first.
    pub async fn status(&self) -> Outcome<Json> {
        let mut db = self.store.read().await?;
        let backup = Filter { action: Some("hub.backup".to_owned()), ..Filter::default() };
        let backup = audit::list(&mut db, &backup, Page::Before(i64::MAX), 1).await?;
        let last_backup = backup.first().map(|row| row.to_json()["ts"].clone());
        let head = self.store.log.anchor();
        Ok(json!({
            "version": VERSION, "engine": engine_name(self.store.engine()), "schemaVersion": self.store.version(&mut db).await?,
            "startedAt": text(self.started_at), "time": text(Utc::now()), "projects": envs::count_all_projects(&mut db).await?,
            "audit": {
                "head": head, "entriesLastDay": audit::count_since(&mut db, &text(Utc::now() - chrono::TimeDelta::days(1))).await?,
                "retentionSeconds": self.audit_retention.as_secs(),
            },
            "lastBackupAt": last_backup,
        }))
    }

    /// The clocks that what is kept is dated by: of the Hub, and of its database.
    pub async fn time(&self) -> Outcome<Json> {
        let mut db = self.store.read().await?;
        let database = clock(&mut db).await?;
        let hub = Utc::now();
        let database = DateTime::from_timestamp_millis(database).unwrap_or_default();
        Ok(json!({
            "hub": text(hub), "database": text(database), "databaseAheadMs": (database - hub).num_milliseconds(),
        }))
    }
}

fn text(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}
