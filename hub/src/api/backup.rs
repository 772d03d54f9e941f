//! `/v1/backup`: the whole Hub in one file, as a stream.

use std::sync::Arc;

use axum::{Extension, extract::State};

use super::{answer::Tar, respond::Refused};
use crate::{app::App, store::audit::Caller};

/// `POST /v1/backup`
pub async fn make(State(app): State<Arc<App>>, Extension(by): Extension<Caller>) -> Result<Tar, Refused> {
    Ok(Tar(app.backup(&by).await?))
}
