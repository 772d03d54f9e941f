//! An object that is written: held to what its URL says while it comes, and in its place as a whole or not at all.

use std::time::Duration;

use axum::{body::Body, response::Response};
use http::{
    HeaderMap, HeaderValue, StatusCode,
    header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, IF_MATCH, IF_NONE_MATCH},
};
use http_body_util::BodyExt as _;
use santokit_core::{
    code::Code,
    problem::{Outcome, Problem},
    release::Digest,
    storage::ObjectKey,
};
use santokit_wasm::{Condition, ObjectStat, PutOptions, StorageError};
use tokio::{
    sync::mpsc,
    time::{Instant, timeout_at},
};

use super::text;
use crate::storage::{
    Bucket, Writer,
    asked::problem_of,
    signed::{Size, Upload},
};

/// Of an object at once.
const PART_BYTES: usize = 256 << 10;
/// A client that sends fewer bytes in a second than this, over all of its object, is too slow.
const BYTES_A_SECOND: u64 = 16 << 10;

pub(super) async fn answer(
    bucket: &Bucket,
    key: &ObjectKey,
    upload: &Upload,
    (headers, body): (&HeaderMap, Body),
    patience: Duration,
) -> Outcome<(Response, ObjectStat)> {
    let most = match upload.size {
        Size::Exactly(bytes) | Size::AtMost(bytes) => bytes,
    };
    check(headers, upload, most)?;
    let digest = upload.sha256.as_deref().map(|text| format!("sha256:{text}").parse::<Digest>());
    let options = PutOptions {
        content_type: text(headers, &CONTENT_TYPE).map(str::to_owned),
        condition: condition(headers, upload)?,
        digest: digest.transpose().map_err(|error| Problem::new(Code::BadRequest, error.to_string()))?,
    };
    let writer = bucket.create(key.clone(), options).await.map_err(|error| problem_of(&error))?;
    let (writer, size) = written(writer, body, most, patience).await?;
    if let Size::Exactly(bytes) = upload.size
        && bytes != size
    {
        return Err(Problem::new(Code::BadRequest, format!("the object has {size} bytes, and its URL is for {bytes}")));
    }
    let stat = writer.finish().await.map_err(|error| problem_of(&error))?;
    let mut response = Response::new(Body::from(
        serde_json::json!({"data": {"key": stat.key, "size": stat.size, "etag": stat.etag}}).to_string(),
    ));
    *response.status_mut() = StatusCode::OK;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let etag = HeaderValue::from_str(&format!("\"{}\"", stat.etag)).map_err(Problem::internal)?;
    headers.insert(ETAG, etag);
    Ok((response, stat))
}

/// What can be said before the first byte.
fn check(headers: &HeaderMap, upload: &Upload, most: u64) -> Outcome<()> {
    // Passed over, a part would become the whole (RFC 9110, 14.4).
    if headers.contains_key(CONTENT_RANGE) {
        return Err(Problem::new(Code::BadRequest, "an object is put as a whole: Content-Range is for none")
            .hint("multipart_start begins an upload in parts"));
    }
    // Kept as it comes, and not said to who reads it, it would be taken for what it is not.
    if headers.contains_key(CONTENT_ENCODING) {
        return Err(Problem::new(Code::BadRequest, "an object is kept as its bytes are: Content-Encoding is for none")
            .hint("send the bytes that are to be read, or those of a format of its own, as application/gzip"));
    }
    let sent = text(headers, &CONTENT_TYPE);
    if let Some(wanted) = upload.content_type.as_deref()
        && sent != Some(wanted)
    {
        return Err(Problem::new(Code::BadRequest, "the URL is for another Content-Type")
            .hint(format!("send Content-Type: {wanted}")));
    }
    if sent.is_some_and(|sent| sent.len() > 200) {
        return Err(Problem::new(Code::BadRequest, "the Content-Type is too long"));
    }
    let length = text(headers, &CONTENT_LENGTH).and_then(|length| length.parse::<u64>().ok());
    match (upload.size, length) {
        (Size::Exactly(bytes), Some(length)) if length != bytes => {
            Err(Problem::new(Code::BadRequest, format!("the object has {length} bytes, and its URL is for {bytes}")))
        }
        (_, Some(length)) if length > most => Err(problem_of(&StorageError::TooLarge(most))),
        _ => Ok(()),
    }
}

/// What must be true of the object that is there: `If-None-Match: *`, or `If-Match` with its etag. Any other is refused, because who sends a
/// condition relies on it.
fn condition(headers: &HeaderMap, upload: &Upload) -> Outcome<Condition> {
    match (only(headers, &IF_NONE_MATCH), only(headers, &IF_MATCH)) {
        (None, None) if !upload.is_new => Ok(Condition::None),
        (None | Some("*"), None) => Ok(Condition::Absent),
        (None, Some(tag)) if !upload.is_new && is_etag(tag) => Ok(Condition::Is(tag.trim_matches('"').to_owned())),
        _ => Err(Problem::new(Code::BadRequest, "this condition cannot be held to")
            .hint("send If-None-Match: *, or If-Match with one etag")),
    }
}

/// A header that must be there once: nothing where it is there twice, or is no text.
fn only<'h>(headers: &'h HeaderMap, name: &http::HeaderName) -> Option<&'h str> {
    let mut values = headers.get_all(name).iter();
    let first = values.next()?;
    Some(first.to_str().ok().filter(|_| values.next().is_none()).unwrap_or_default().trim())
}

/// One strong entity tag.
fn is_etag(text: &str) -> bool {
    let inside = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    inside.is_some_and(|inside| !inside.is_empty() && !inside.contains(['"', ',']))
}

/// Its bytes, as they come; how many. What is there is written while more comes: one part is filled, one waits and one is written at most.
async fn written(mut writer: Writer, body: Body, most: u64, patience: Duration) -> Outcome<(Writer, u64)> {
    let (whole, mut parts) = mpsc::channel(1);
    let written = async {
        while let Some(part) = parts.recv().await {
            writer.write(part).await.map_err(|error| problem_of(&error))?;
        }
        Ok(writer)
    };
    let (size, writer) = tokio::try_join!(received(body, most, patience, whole), written)?;
    Ok((writer, size))
}

/// Hands its bytes over in parts; how many.
async fn received(mut body: Body, most: u64, patience: Duration, whole: mpsc::Sender<Vec<u8>>) -> Outcome<u64> {
    let begun = Instant::now();
    let (mut size, mut part) = (0_u64, Vec::with_capacity(PART_BYTES));
    loop {
        let deadline = begun + patience + Duration::from_secs(size / BYTES_A_SECOND);
        let frame = match timeout_at(deadline, body.frame()).await {
            Err(_) => return Err(Problem::new(Code::BadRequest, "the body did not arrive in time")),
            Ok(Some(Err(_))) => return Err(Problem::new(Code::BadRequest, "the body could not be read")),
            Ok(Some(Ok(frame))) => frame,
            Ok(None) => break,
        };
        // Trailers say nothing here.
        let Ok(data) = frame.into_data() else { continue };
        size = size.saturating_add(data.len() as u64);
        if size > most {
            return Err(problem_of(&StorageError::TooLarge(most)));
        }
        part.extend_from_slice(&data);
        if part.len() >= PART_BYTES {
            hand_over(&whole, std::mem::replace(&mut part, Vec::with_capacity(PART_BYTES))).await?;
        }
    }
    if !part.is_empty() {
        hand_over(&whole, part).await?;
    }
    Ok(size)
}

/// Whoever writes is gone only with why, which is told instead.
async fn hand_over(whole: &mpsc::Sender<Vec<u8>>, part: Vec<u8>) -> Outcome<()> {
    whole.send(part).await.map_err(|_| Problem::internal("nobody writes the object any more"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_is_held_to_or_refused() {
        let is = |etag: &str| Some(Condition::Is(etag.to_owned()));
        for (sent, is_new, expected) in [
            (&[][..], false, Some(Condition::None)),
            (&[], true, Some(Condition::Absent)),
            (&[("if-none-match", " * ")], false, Some(Condition::Absent)),
            (&[("if-none-match", "*")], true, Some(Condition::Absent)),
            (&[("if-match", "\"ab\"")], false, is("ab")),
            (&[("if-match", "\"ab\"")], true, None),
            (&[("if-match", "*")], false, None),
            (&[("if-match", "W/\"ab\"")], false, None),
            (&[("if-match", "\"ab\", \"cd\"")], false, None),
            (&[("if-match", "\"ab\""), ("if-match", "\"cd\"")], false, None),
            (&[("if-match", "ab")], false, None),
            (&[("if-match", "\"\"")], false, None),
            (&[("if-match", "\"")], false, None),
            (&[("if-match", "")], false, None),
            (&[("if-match", "\"\u{e9}\"")], false, None),
            (&[("if-none-match", "\"ab\"")], false, None),
            (&[("if-none-match", "*"), ("if-match", "\"ab\"")], false, None),
        ] {
            let mut headers = HeaderMap::new();
            for (name, value) in sent {
                headers.append(*name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
            }
            let found = condition(&headers, &Upload { is_new, ..Upload::default() });
            assert_eq!(found.ok(), expected, "{sent:?} {is_new}");
        }
    }
}
