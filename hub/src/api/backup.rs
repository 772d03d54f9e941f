//! `/v1/backup`: the whole Hub in one file, as a stream.

use std::{io, sync::Arc};

use axum::{
    Extension,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use futures_util::stream;
use tokio::{fs::File, io::AsyncReadExt};

use super::respond::Refused;
use crate::{app::App, store::audit::Caller};

const READ_BYTES: usize = 64 << 10;

/// `POST /v1/backup`
pub async fn make(State(app): State<Arc<App>>, Extension(by): Extension<Caller>) -> Result<Response, Refused> {
    let backup = app.backup(&by).await?;
    let body = Body::from_stream(stream::try_unfold(File::from_std(backup.file), read));
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/x-tar")),
        (header::CONTENT_LENGTH, HeaderValue::from(backup.length)),
        (header::CACHE_CONTROL, HeaderValue::from_static("private, no-store")),
    ];
    Ok((headers, body).into_response())
}

async fn read(mut file: File) -> io::Result<Option<(Bytes, File)>> {
    let mut bytes = vec![0; READ_BYTES];
    let length = file.read(&mut bytes).await?;
    bytes.truncate(length);
    Ok((length > 0).then(|| (Bytes::from(bytes), file)))
}
