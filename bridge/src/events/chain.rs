//! The events that have led to one that is refused, for whoever looks for the circle that they are in.

use std::time::Instant;

use super::{DEPTH_MAX, Event};
use crate::db::{Database, Mode, Share};

/// From the topic that would be published now back to the first event, as far as they are still there.
pub(crate) async fn chain(
    topic: &str,
    mut cause: Option<String>,
    database: Option<&Database>,
    share: Share,
    deadline: Instant,
) -> String {
    let mut chain = vec![format!("{topic} now")];
    if let Some(database) = database
        && let Ok(mut session) = database.session(Mode::Read, share, deadline).await
    {
        while let Some(id) = cause.take().filter(|_| chain.len() <= DEPTH_MAX as usize + 1) {
            let found = Event::cause(&mut session, &id, deadline).await.ok().flatten();
            let (topic, before) = found.unwrap_or_default();
            chain.push(if topic.is_empty() { id } else { format!("{topic} {id}") });
            cause = before;
        }
        session.end();
    }
    chain.extend(cause);
    chain.join(", by ")
}
