//! Keeps the audit log as long as it must be kept, and no longer.

use std::{sync::Arc, time::Duration};

use chrono::Utc;

use crate::app::App;

/// After the start, and after what went wrong.
const SOON: Duration = Duration::from_mins(1);
const EVERY: Duration = Duration::from_hours(1);

/// Never ends.
pub async fn tend(app: Arc<App>) {
    let mut wait = SOON;
    loop {
        tokio::time::sleep(wait).await;
        wait = match app.tend_audit(Utc::now()).await {
            Ok(_) => EVERY,
            Err(problem) => {
                tracing::warn!(code = problem.code.as_str(), cause = ?problem.cause, "the audit log was not tended");
                SOON
            }
        };
    }
}
