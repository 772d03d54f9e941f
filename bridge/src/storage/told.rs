//! Topics that are told of objects: after the fact, in a statement of its own, because a store and a database have no transaction together. Who has
//! done it is answered when the event is kept, and not before: what was answered is told.

use std::{
    slice,
    time::{Duration, Instant},
};

use chrono::Utc;
use santokit_core::{
    code::Code,
    problem::{Outcome, Problem},
    storage::{ObjectKey, told::Happened},
};
use santokit_wasm::ObjectStat;
use serde_json::{Map, Value as Json, json};

use super::Bucket;
use crate::{
    db::DbError,
    events::{Event, sweep},
    generation::Generation,
    metrics::Metrics,
};

/// For one event.
const KEEP_MAX: Duration = Duration::from_secs(10);

/// Who tells.
#[derive(Clone, Copy, Debug)]
pub struct Told<'a> {
    /// Whose topics and database.
    pub generation: &'a Generation,
    /// Behind `storage:` in `published_by`.
    pub by: &'a str,
    /// Counts.
    pub metrics: &'a Metrics,
}

impl Told<'_> {
    /// Takes one from what may be published of the topic, where there is one: before anything is done, so that nothing is done of which it cannot
    /// be told. What rows let go is told without: it is done already, as what triggers publish.
    pub async fn admit(&self, bucket: &Bucket, happened: Happened) -> Outcome<()> {
        let Some(name) = bucket.events.topic(happened) else { return Ok(()) };
        let Generation { env, topics, .. } = self.generation;
        topics.admit((&env.project, &env.env), name).await
    }

    /// There is an object.
    pub async fn there(&self, bucket: &Bucket, stat: &ObjectStat) -> Outcome<()> {
        let known = json!({
            "key": stat.key, "size": stat.size.to_string(), "contentType": stat.content_type, "etag": stat.etag,
        });
        self.tell(bucket, Happened::Upload, known).await
    }

    /// One is gone.
    pub async fn gone(&self, bucket: &Bucket, key: &ObjectKey) -> Outcome<()> {
        self.tell(bucket, Happened::Delete, json!({"key": key.as_str()})).await
    }

    async fn tell(&self, bucket: &Bucket, happened: Happened, mut known: Json) -> Outcome<()> {
        let Some(name) = bucket.events.topic(happened) else { return Ok(()) };
        let Generation { env, release_id, topics, databases, .. } = self.generation;
        let topic = topics.get(name).ok_or_else(|| Problem::internal("a bucket tells a topic that there is not"))?;
        known["bucket"] = json!(bucket.alias);
        let mut payload = Map::new();
        if let Json::Object(known) = known {
            payload.extend(known.into_iter().filter(|(field, _)| topic.has(field)));
        }
        let now = Utc::now();
        let mut event = Event {
            id: Event::id(),
            project: env.project.clone(),
            env: env.env.clone(),
            release: release_id.clone(),
            topic: name.to_owned(),
            payload: topic.check(payload)?,
            published_by: format!("storage:{}", self.by),
            published_at: now,
            caused_by: None,
            depth: 0,
            expires_at: topic.expires_at(now),
        };
        let away = || Problem::new(Code::ServiceUnavailable, "the database of the events is not available");
        let database = databases.get(topics.default_connection()).ok_or_else(away)?;
        let deadline = Instant::now() + KEEP_MAX;
        Event::date(slice::from_mut(&mut event), database, deadline).await;
        let insert = event.insert(database.dialect())?;
        database.execute(&insert, deadline).await.map_err(DbError::problem)?;
        self.metrics.events.published(name);
        topics.wake();
        if event.is_swept_after() {
            sweep(database, topics);
        }
        Ok(())
    }
}
