//! An object that is read: whole or a range of it, if it is not what the client has already (RFC 9110, 13 and 14).

use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use axum::{body::Body, response::Response};
use bytes::Bytes;
use chrono::Utc;
use futures_util::{StreamExt as _, stream};
use http::{
    HeaderMap, HeaderValue, Method, StatusCode,
    header::{
        ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_SECURITY_POLICY,
        CONTENT_TYPE, ETAG, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE, LAST_MODIFIED,
        RANGE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
    },
    request::Parts,
};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use santokit_core::{
    problem::{Outcome, Problem},
    storage::media::essence,
};
use santokit_wasm::{ObjectStat, StorageError};

use super::{empty, text};
use crate::storage::{Bucket, Reader, asked::problem_of, signed::Signed};

/// Of an object at once.
const PART_BYTES: usize = 256 << 10;
/// Parts that are read at once: one that is wanted, one that is next.
const PARTS_AHEAD: usize = 2;

/// What is sent.
#[derive(Debug, PartialEq, Eq)]
enum Wanted {
    All,
    /// First byte and how many.
    Part(u64, u64),
    /// None of it is there.
    Nothing,
    /// The client has it.
    NotModified,
    /// It is not what the client has seen.
    Failed,
}

pub(super) async fn answer(
    bucket: &Bucket,
    signed: &Signed,
    save_as: Option<&str>,
    parts: &Parts,
) -> Outcome<Response> {
    let reader = bucket.open(&signed.key).await.map_err(|error| problem_of(&error))?;
    let stat = reader.stat.clone();
    let wanted = wanted(&parts.method, &parts.headers, &stat);
    let (offset, length) = match wanted {
        Wanted::Nothing => {
            let mut response = empty(StatusCode::RANGE_NOT_SATISFIABLE);
            response.headers_mut().insert(CONTENT_RANGE, value(&format!("bytes */{}", stat.size))?);
            return Ok(response);
        }
        Wanted::NotModified => {
            let mut response = empty(StatusCode::NOT_MODIFIED);
            name(response.headers_mut(), &stat, signed)?;
            return Ok(response);
        }
        Wanted::Failed => return Ok(empty(StatusCode::PRECONDITION_FAILED)),
        Wanted::All => (0, stat.size),
        Wanted::Part(offset, length) => (offset, length),
    };
    let body = if parts.method == Method::HEAD { Body::empty() } else { sent(reader, offset, length) };
    let mut response = Response::new(body);
    if let Wanted::Part(..) = wanted {
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
        let last = offset + length - 1;
        response.headers_mut().insert(CONTENT_RANGE, value(&format!("bytes {offset}-{last}/{}", stat.size))?);
    }
    let headers = response.headers_mut();
    headers.insert(CONTENT_LENGTH, length.into());
    headers.insert(CONTENT_TYPE, value(&stat.content_type)?);
    name(headers, &stat, signed)?;
    defuse(headers, &stat.content_type, save_as)?;
    Ok(response)
}

/// In parts, as they are taken; the next is read while one is sent.
fn sent(reader: Reader, offset: u64, length: u64) -> Body {
    let (reader, end) = (Arc::new(reader), offset + length);
    let read = move |at: u64| {
        let (reader, part) = (Arc::clone(&reader), usize::try_from(end - at).unwrap_or(PART_BYTES).min(PART_BYTES));
        async move { reader.read(at, part).await.map(Bytes::from).map_err(Broken) }
    };
    Body::from_stream(stream::iter((offset..end).step_by(PART_BYTES)).map(read).buffered(PARTS_AHEAD))
}

/// The answer has begun: its end is missing.
#[derive(Debug, thiserror::Error)]
#[error("an object cannot be read to its end: {0:?}")]
struct Broken(StorageError);

/// In the order of RFC 9110, 13.2.2. A condition that is none is as one that is not there.
fn wanted(method: &Method, headers: &HeaderMap, stat: &ObjectStat) -> Wanted {
    let (etag, modified) = (etag(stat), modified(stat));
    let date = |name| text(headers, name).and_then(|date| httpdate::parse_http_date(date).ok());
    let is_unchanged = match (text(headers, &IF_MATCH), date(&IF_UNMODIFIED_SINCE)) {
        (Some(tags), _) => lists(tags, &etag, false),
        (None, Some(since)) => modified <= since,
        (None, None) => true,
    };
    if !is_unchanged {
        return Wanted::Failed;
    }
    let is_known = match (text(headers, &IF_NONE_MATCH), date(&IF_MODIFIED_SINCE)) {
        (Some(tags), _) => lists(tags, &etag, true),
        (None, Some(since)) => modified <= since,
        (None, None) => false,
    };
    if is_known {
        return Wanted::NotModified;
    }
    // A date is no strong validator of what can be replaced twice in a second.
    let is_same = text(headers, &IF_RANGE).is_none_or(|tag| tag.trim() == etag);
    // Of what has no body there is no part.
    match text(headers, &RANGE).filter(|_| is_same && *method == Method::GET) {
        Some(range) => part(range, stat.size),
        None => Wanted::All,
    }
}

/// Whether a list of entity tags has one, or is `*`. Ours have no comma and are strong; a weak one (`W/`), that something on the way made of it,
/// says only that nothing new must be sent.
fn lists(tags: &str, etag: &str, is_weak_fine: bool) -> bool {
    let is_it = |tag: &str| tag == etag || (is_weak_fine && tag.strip_prefix("W/") == Some(etag));
    tags.trim() == "*" || tags.split(',').any(|tag| is_it(tag.trim()))
}

/// One range; what asks for several, or is none, is answered with all of it.
fn part(range: &str, size: u64) -> Wanted {
    let Ok(parsed) = http_range_header::parse_range_header(range) else { return Wanted::All };
    if parsed.ranges.len() > 1 {
        return Wanted::All;
    }
    // Of nothing there is no part.
    if size == 0 {
        return Wanted::Nothing;
    }
    match parsed.validate(size).as_deref() {
        Ok([range]) => Wanted::Part(*range.start(), range.end() - range.start() + 1),
        _ => Wanted::Nothing,
    }
}

fn etag(stat: &ObjectStat) -> String {
    format!("\"{}\"", stat.etag)
}

/// A date of HTTP has no parts of a second.
fn modified(stat: &ObjectStat) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(stat.modified / 1_000)
}

/// What it is, and how long it may be kept: as long as the URL is good, by who has asked.
fn name(headers: &mut HeaderMap, stat: &ObjectStat, signed: &Signed) -> Outcome<()> {
    headers.insert(ETAG, value(&etag(stat))?);
    headers.insert(LAST_MODIFIED, value(&httpdate::fmt_http_date(modified(stat)))?);
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    let left = signed.expires.saturating_sub(Utc::now().timestamp()).max(0);
    headers.insert(CACHE_CONTROL, value(&format!("private, max-age={left}"))?);
    Ok(())
}

/// All objects of all envs share the origin of the Bridge, and anybody may have put one: none of them runs as a page of it.
fn defuse(headers: &mut HeaderMap, content_type: &str, save_as: Option<&str>) -> Outcome<()> {
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    // Its URL is a credential, and no page that it leads to has to know it.
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    if !is_passive(content_type) {
        headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; sandbox"));
    }
    if let Some(save_as) = save_as {
        // RFC 8187: bytes of UTF-8, all but letters and digits escaped.
        let escaped = utf8_percent_encode(save_as, NON_ALPHANUMERIC);
        headers.insert(CONTENT_DISPOSITION, value(&format!("attachment; filename*=UTF-8''{escaped}"))?);
    }
    Ok(())
}

/// What a browser shows without running any of it. All else may run: a picture in SVG has scripts, any XML can be made a page by a stylesheet, and of
/// what is no content type, or might be taken for a list of them, a browser makes what it likes. So does it of types that nobody has heard of.
const PASSIVE: [&str; 27] = [
    "application/pdf",
    "audio/aac",
    "audio/flac",
    "audio/mp4",
    "audio/mpeg",
    "audio/ogg",
    "audio/opus",
    "audio/wav",
    "audio/webm",
    "audio/x-wav",
    "image/apng",
    "image/avif",
    "image/bmp",
    "image/gif",
    "image/heic",
    "image/heif",
    "image/jpeg",
    "image/jxl",
    "image/png",
    "image/tiff",
    "image/vnd.microsoft.icon",
    "image/webp",
    "image/x-icon",
    "video/mp4",
    "video/ogg",
    "video/quicktime",
    "video/webm",
];

fn is_passive(content_type: &str) -> bool {
    let essence = essence(content_type).filter(|_| !content_type.contains(','));
    essence.is_some_and(|essence| PASSIVE.contains(&essence.as_str()))
}

fn value(text: &str) -> Outcome<HeaderValue> {
    HeaderValue::from_str(text).map_err(Problem::internal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_of_what_is_there() {
        for (range, wanted) in [
            ("bytes=0-0", Wanted::Part(0, 1)),
            ("bytes=2-", Wanted::Part(2, 8)),
            ("bytes=-3", Wanted::Part(7, 3)),
            ("bytes=0-9", Wanted::Part(0, 10)),
            ("bytes=10-", Wanted::Nothing),
            ("bytes=3-2", Wanted::Nothing),
            ("bytes=-0", Wanted::All),
            ("bytes=0-1,3-4", Wanted::All),
            ("lines=1-2", Wanted::All),
            ("bytes", Wanted::All),
            ("", Wanted::All),
        ] {
            assert_eq!(part(range, 10), wanted, "{range}");
        }
        assert_eq!(part("bytes=0-", 0), Wanted::Nothing);
    }

    #[test]
    fn a_tag_is_one_of_a_list() {
        for (tags, is_listed, is_strong) in [
            ("*", true, true),
            ("\"a\"", true, true),
            (" \"b\" , \"a\"", true, true),
            ("W/\"a\"", true, false),
            ("W/W/\"a\"", false, false),
            ("a", false, false),
            ("\"b\"", false, false),
            ("\"ab\"", false, false),
            ("", false, false),
        ] {
            assert_eq!((lists(tags, "\"a\"", true), lists(tags, "\"a\"", false)), (is_listed, is_strong), "{tags}");
        }
    }

    #[test]
    fn what_can_run_is_not_passive() {
        for (content_type, passive) in [
            ("image/png", true),
            ("IMAGE/PNG; a=b", true),
            ("video/mp4", true),
            ("application/pdf", true),
            ("audio/mpeg", true),
            ("image/svg+xml", false),
            ("image/x+xml", false),
            ("video/a+xml", false),
            ("audio/a+XML", false),
            ("image/xml", false),
            ("image/svg-xml", false),
            ("image/made-up", false),
            ("video/html", false),
            ("text/xml", false),
            ("text/html", false),
            ("application/xhtml+xml", false),
            ("application/octet-stream", false),
            ("text/html; image/png", false),
            ("image/png,text/html", false),
            ("image/png, text/html", false),
            ("image/png;,text/html", false),
            ("image/png; a=\"b, text/html\"", false),
            ("image/png text/html", false),
            ("image/", false),
            ("", false),
        ] {
            assert_eq!(is_passive(content_type), passive, "{content_type}");
        }
    }
}
