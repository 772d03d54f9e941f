//! Does nothing with an event; of one that says when it was asked for, it says how long ago that was.

use std::time::{SystemTime, UNIX_EPOCH};

use santokit_guest::prelude::*;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Placed {
    /// Milliseconds since 1970.
    sent_at: Option<f64>,
}

fn on_event(_event: events::Event, placed: Placed) -> Result<(), LogicError> {
    if let Some(sent_at) = placed.sent_at {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64() * 1e3);
        log::error(&format!("took {:.0}", (now - sent_at) * 1e3), &[]);
    }
    Ok(())
}

santokit_guest::on_event!(on_event);
