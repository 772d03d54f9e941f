//! Does nothing with an event; of one that says when it was asked for, it says how long ago that was.

use santokit_guest::prelude::*;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Placed {
    /// Milliseconds since 1970.
    sent_at: Option<f64>,
}

fn on_event(_event: events::Event, placed: Placed) -> Result<(), LogicError> {
    if let Some(sent_at) = placed.sent_at {
        let now = clock::now();
        #[expect(clippy::cast_precision_loss, reason = "seconds since 1970 are far below 2^53")]
        let millis = now.seconds as f64 * 1e3 + f64::from(now.nanoseconds) / 1e6;
        log::error(&format!("took {:.0}", (millis - sent_at) * 1e3), &[]);
    }
    Ok(())
}

santokit_guest::on_event!(on_event);
