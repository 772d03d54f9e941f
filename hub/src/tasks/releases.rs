//! Removes releases and components that nothing needs any more.

use std::{sync::Arc, time::Duration};

use chrono::Utc;

use crate::app::App;

/// After the start, and after what went wrong.
const SOON: Duration = Duration::from_mins(5);
const EVERY: Duration = Duration::from_hours(1);

/// Never ends.
pub async fn tend(app: Arc<App>) {
    let mut wait = SOON;
    loop {
        tokio::time::sleep(wait).await;
        wait = match app.tend_releases(Utc::now()).await {
            Ok(_) => EVERY,
            Err(problem) => {
                tracing::warn!(code = problem.code.as_str(), cause = ?problem.cause, "old releases were not removed");
                SOON
            }
        };
    }
}
