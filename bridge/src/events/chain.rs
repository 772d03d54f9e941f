//! The events that have led to one which is refused for them: told with it, as far as they are still there. On whichever connection each is kept.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{DEPTH_MAX, Event};
use crate::db::{Database, Mode, Session, Share};

/// For all of them: it is words for people.
const TOLD_MAX: Duration = Duration::from_secs(2);

/// The connection on which something is written, and who writes it.
pub(crate) type Own<'s> = (&'s str, &'s mut Session);

/// A topic of which an event would be published now, and each event that has led to it, the last one first. `own` is asked instead of another connection to the same database.
pub(crate) async fn told(
    (topic, mut cause): (&str, Option<String>),
    databases: &BTreeMap<String, Arc<Database>>,
    mut own: Option<Own<'_>>,
    deadline: Instant,
) -> String {
    let deadline = deadline.min(Instant::now() + TOLD_MAX);
    let mut chain = vec![format!("{topic} now")];
    while let Some(id) = cause.take().filter(|_| chain.len() <= DEPTH_MAX as usize + 1) {
        let (topic, before) = find(&id, databases, &mut own, deadline).await.unwrap_or_default();
        chain.push(if topic.is_empty() { id } else { format!("{topic} {id}") });
        cause = before;
    }
    chain.join(", by ")
}

/// The topic of an event, and what it was caused by.
async fn find(
    id: &str,
    databases: &BTreeMap<String, Arc<Database>>,
    own: &mut Option<Own<'_>>,
    deadline: Instant,
) -> Option<(String, Option<String>)> {
    let mut asked = None;
    if let Some((connection, session)) = own {
        if let Ok(Some(found)) = Event::cause(session, id, deadline).await {
            return Some(found);
        }
        asked = Some(*connection);
    }
    for (_, database) in databases.iter().filter(|(connection, _)| asked != Some(connection.as_str())) {
        let Ok(mut session) = database.session(Mode::Read, Share::Guest, deadline).await else { continue };
        let found = Event::cause(&mut session, id, deadline).await;
        session.end();
        if let Ok(Some(found)) = found {
            return Some(found);
        }
    }
    None
}
