//! What is made of answers that no store would give: of something before it that knows no path, of a bucket that is gone, and where an answer is lost.
//! What real ones answer: `tests/it/stores.rs`.

use std::sync::Mutex;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

use super::*;
use crate::storage::{s3::trial, trial::Outcome};

const HTML: &str = "404 Not Found\r\ncontent-type: text/html\r\n\r\n<html><h1>404</h1></html>";
const NO_BUCKET: &str = "404 Not Found\r\n\r\n<Error><Code>NoSuchBucket</Code></Error>";
const NO_UPLOAD: &str = "404 Not Found\r\n\r\n<Error><Code>NoSuchUpload</Code></Error>";
const NOTHING: &str = "200 OK\r\n\r\n<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>";
const THERE: &str =
    "200 OK\r\n\r\n<ListBucketResult><Contents><Key>a</Key><Size>1</Size><ETag>x</ETag></Contents></ListBucketResult>";
const NOT_THERE: &str = "404 Not Found\r\n\r\n";

/// What was asked, line and headers of each.
type Seen = Arc<Mutex<Vec<String>>>;

/// A store that answers as it is told: status line, headers and body. None breaks the connection off.
async fn answering(answer: impl Fn(&str) -> Option<&'static str> + Send + Sync + 'static) -> (Arc<Store>, Seen) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let (seen, answer) = (Seen::default(), Arc::new(answer));
    let of = Arc::clone(&seen);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (seen, answer) = (Arc::clone(&of), Arc::clone(&answer));
            tokio::spawn(async move { answered(stream, &seen, &*answer).await });
        }
    });
    let change = |place: &mut S3Place| {
        place.endpoint = Some(endpoint);
        place.path_style = true;
        place.session_token = Some("S3_TOKEN".to_owned());
    };
    (Arc::new(store_in(&[Network::parse("127.0.0.0/8").unwrap()], change, &SECRETS)), seen)
}

async fn answered(mut stream: TcpStream, seen: &Seen, answer: &(dyn Fn(&str) -> Option<&'static str> + Send + Sync)) {
    let mut came = Vec::new();
    let head = loop {
        if let Some(end) = came.windows(4).position(|four| four == b"\r\n\r\n") {
            break String::from_utf8(came[..end].to_vec()).unwrap();
        }
        if stream.read_buf(&mut came).await.unwrap() == 0 {
            return;
        }
    };
    let length = head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
    while came.len() < head.len() + 4 + length.unwrap_or(0) {
        if stream.read_buf(&mut came).await.unwrap() == 0 {
            return;
        }
    }
    let said = answer(&head);
    let is_head = head.starts_with("HEAD");
    seen.lock().unwrap().push(head);
    let Some(said) = said else { return };
    let (begin, body) = said.split_once("\r\n\r\n").unwrap();
    let (length, body) = if begin.contains("content-length") {
        (String::new(), "")
    } else {
        (format!("content-length: {}\r\n", body.len()), body)
    };
    let body = if is_head { "" } else { body };
    let said = format!("HTTP/1.1 {begin}\r\n{length}connection: close\r\n\r\n{body}");
    stream.write_all(said.as_bytes()).await.unwrap();
}

/// That something is not found is no word of the store about the object.
#[tokio::test]
async fn what_nobody_has_said_is_missing_is_not_missing() {
    let away = Err(StorageError::Unavailable);
    for (name, list, stat) in [
        ("a proxy that knows no path", HTML, away.clone()),
        ("a bucket that is gone", NO_BUCKET, away.clone()),
        ("no object", NOTHING, Ok(None)),
        ("an object that is there, and is not found", THERE, away.clone()),
    ] {
        let (store, _) = answering(move |head| Some(if head.contains("list-type=2") { list } else { NOT_THERE })).await;
        assert_eq!(store.stat(&key("a")).await, stat, "{name}");
        let removed = store.remove(&key("a"), &Condition::None).await;
        assert_eq!(removed, stat.map(|_| false), "{name}");
    }
    for (missing, told) in [
        (HTML, StorageError::Unavailable),
        (NO_BUCKET, StorageError::Unavailable),
        ("404 Not Found\r\n\r\n<Error><Code>NoSuchKey</Code></Error>", StorageError::Missing),
    ] {
        let found = "200 OK\r\ncontent-length: 1\r\netag: \"x\"\r\n\r\n";
        let (store, _) = answering(move |head| Some(if head.starts_with("HEAD") { found } else { missing })).await;
        assert_eq!(store.open(&key("a")).await.map(drop), Err(told.clone()), "{missing}");
        let removed = store.remove(&key("a"), &Condition::None).await;
        let expected = if told == StorageError::Missing { Ok(false) } else { Err(told) };
        assert_eq!(removed, expected, "{missing}");
    }
}

/// Parts are put together, the answer is lost, and whoever asks again is told that there is no such upload.
#[tokio::test]
async fn an_upload_whose_end_was_not_heard_has_ended() {
    for (found, is_it) in [
        ("200 OK\r\ncontent-length: 10\r\netag: \"abc-2\"\r\n\r\n", true),
        ("200 OK\r\ncontent-length: 11\r\netag: \"abc-2\"\r\n\r\n", false),
        ("200 OK\r\ncontent-length: 10\r\netag: \"abc-3\"\r\n\r\n", false),
        ("200 OK\r\ncontent-length: 10\r\netag: \"abc\"\r\n\r\n", false),
        (NOT_THERE, false),
    ] {
        let tries = Mutex::new(0);
        let (store, _) = answering(move |head| {
            if head.starts_with("HEAD") {
                return Some(found);
            }
            if head.contains("list-type=2") {
                return Some(NOTHING);
            }
            let mut tries = tries.lock().unwrap();
            *tries += 1;
            (*tries > 1).then_some(NO_UPLOAD)
        })
        .await;
        let etags = ["\"1\"".to_owned(), "\"2\"".to_owned()];
        let done = store.complete("a", "upload", (&etags[..], 10), &Condition::None).await;
        assert_eq!(done, if is_it { Ok("abc-2".to_owned()) } else { Err(StorageError::Unavailable) }, "{found}");
    }
}

/// Keys that live for a session are none without its token.
#[tokio::test]
async fn all_that_the_bridge_asks_has_the_token_of_the_session() {
    let (store, seen) = answering(|head| {
        Some(match head {
            head if head.contains("uploads=") => {
                "200 OK\r\n\r\n<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>"
            }
            head if head.starts_with("HEAD") => "200 OK\r\ncontent-length: 1\r\netag: \"x\"\r\n\r\n",
            _ => "200 OK\r\netag: \"x\"\r\n\r\n<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>",
        })
    })
    .await;
    store.stat(&key("a")).await.unwrap();
    store.open(&key("a")).await.map(drop).unwrap();
    store.list(&ObjectPrefix::default(), None, 1).await.unwrap();
    store.remove(&key("a"), &Condition::None).await.unwrap();
    for size in [1, 6 << 20] {
        let mut writer = store.create(key("a"), PutOptions::default(), 8 << 20).unwrap();
        writer.write(vec![0; size]).await.unwrap();
        // What puts parts together says something else, which is no matter here.
        drop(writer.finish().await);
    }
    store.abort("a", "u").await.unwrap();
    let seen = seen.lock().unwrap();
    let methods: std::collections::BTreeSet<&str> = seen.iter().filter_map(|head| head.split(' ').next()).collect();
    assert_eq!(methods.into_iter().collect::<Vec<_>>(), ["DELETE", "GET", "HEAD", "POST", "PUT"]);
    for head in &*seen {
        assert!(head.contains("X-Amz-Security-Token=a%2Fsession%2Btoken%3D%3D&"), "{head}");
    }
}

/// Who does not answer has refused nothing.
#[tokio::test]
async fn a_trial_takes_silence_for_no_refusal() {
    for (is_away, digest, copies) in [(true, Outcome::Warning, Outcome::Warning), (false, Outcome::Fine, Outcome::Fine)]
    {
        let (store, _) = answering(move |head| {
            let refused = "400 Bad Request\r\n\r\n<Error><Code>BadDigest</Code></Error>";
            let line = head.lines().next().unwrap_or_default();
            Some(match head {
                head if head.contains("x-amz-checksum-sha256") || head.contains("x-amz-copy-source") => {
                    return (!is_away).then_some(refused);
                }
                head if head.contains("if-none-match") => "412 Precondition Failed\r\n\r\n",
                head if head.contains("list-type=2") => NOTHING,
                _ if line.contains("-copy?") => "404 Not Found\r\n\r\n<Error><Code>NoSuchKey</Code></Error>",
                head if head.starts_with("GET") => "200 OK\r\n\r\nsantokit",
                _ => "200 OK\r\n\r\n",
            })
        })
        .await;
        let steps = trial::run(&store, &key("tried"), &[]).await;
        let outcome = |name: &str| steps.iter().find(|step| step.step == name).map(|step| step.outcome);
        assert_eq!((outcome("digest"), outcome("copies")), (Some(digest), Some(copies)), "{steps:#?}");
    }
}
