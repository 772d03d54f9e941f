//! What is signed, held against an implementation of Signature Version 4 that is here for that, and that against what AWS has published: its test
//! suite (`suite`), and the examples of the documentation of S3. What stores make of it: `tests/it/stores.rs`.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    net::{IpAddr, Ipv4Addr},
    sync::atomic::{AtomicUsize, Ordering},
};

use aws_lc_rs::hmac;
use percent_encoding::percent_decode_str;
use santokit_core::{
    storage::S3Place,
    wire::{RuntimeBundle, Sealed},
};

use super::*;
use crate::{
    config::{EnvName, Network},
    egress::Lookup,
    generation::Runtime,
};

mod lost;
mod suite;

const ID: &str = "AKIAIOSFODNN7EXAMPLE";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

/// What is declared otherwise.
type Change = fn(&mut S3Place);

/// A request, as it is signed.
struct Request<'a> {
    method: &'a str,
    path: &'a str,
    /// As sent.
    query: &'a str,
    headers: &'a [(&'a str, &'a str)],
    payload: &'a str,
}

/// Where, when, and by what.
struct Scope<'a> {
    secret: &'a str,
    date: &'a str,
    region: &'a str,
    service: &'a str,
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn sha256(text: &str) -> String {
    hex(digest::digest(&digest::SHA256, text.as_bytes()).as_ref())
}

fn escaped(text: &str) -> String {
    text.bytes().fold(String::new(), |mut text, byte| {
        let _ = match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => write!(text, "{}", char::from(byte)),
            _ => write!(text, "%{byte:02X}"),
        };
        text
    })
}

fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8().unwrap().into_owned()
}

/// As the specification has it, step by step: the one form of a request.
fn canonical(request: &Request<'_>) -> String {
    let pairs = request.query.split('&').filter(|pair| !pair.is_empty());
    let mut pairs: Vec<(String, String)> = pairs
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (escaped(&decoded(name)), escaped(&decoded(value))))
        .collect();
    pairs.sort();
    let query: Vec<String> = pairs.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    let mut headers: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in request.headers {
        let value = value.split_whitespace().collect::<Vec<_>>().join(" ");
        headers.entry(name.to_ascii_lowercase()).or_default().push(value);
    }
    let names: Vec<&str> = headers.keys().map(String::as_str).collect();
    let lines = headers.iter().fold(String::new(), |mut lines, (name, values)| {
        let _ = writeln!(lines, "{name}:{}", values.join(","));
        lines
    });
    let path: Vec<String> = request.path.split('/').map(|part| escaped(&decoded(part))).collect();
    [request.method, &path.join("/"), &query.join("&"), &lines, &names.join(";"), request.payload].join("\n")
}

/// What is signed of it.
fn to_sign(canonical: &str, scope: &Scope<'_>) -> String {
    let place = format!("{}/{}/{}/aws4_request", &scope.date[..8], scope.region, scope.service);
    format!("AWS4-HMAC-SHA256\n{}\n{place}\n{}", scope.date, sha256(canonical))
}

fn signature(request: &Request<'_>, scope: &Scope<'_>) -> String {
    let text = to_sign(&canonical(request), scope);
    let sign =
        |key: &[u8], text: &str| hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes()).as_ref().to_vec();
    let mut key = sign(format!("AWS4{}", scope.secret).as_bytes(), &scope.date[..8]);
    for part in [scope.region, scope.service, "aws4_request"] {
        key = sign(&key, part);
    }
    hex(&sign(&key, &text))
}

/// The examples of "Authenticating Requests" in the documentation of S3.
#[test]
fn signatures_are_those_of_the_documentation_of_s3() {
    let scope = Scope { secret: SECRET, date: "20130524T000000Z", region: "us-east-1", service: "s3" };
    let host = ("Host", "examplebucket.s3.amazonaws.com");
    let (date, empty) = (("x-amz-date", "20130524T000000Z"), sha256(""));
    let digest = ("x-amz-content-sha256", empty.as_str());
    let get = Request {
        method: "GET",
        path: "/test.txt",
        query: "",
        headers: &[host, ("Range", "bytes=0-9"), digest, date],
        payload: &empty,
    };
    assert_eq!(signature(&get, &scope), "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
    let list = Request { path: "/", query: "max-keys=2&prefix=J", headers: &[host, digest, date], ..get };
    assert_eq!(signature(&list, &scope), "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7");
    // The presigned one: by the library at the time of the example, and by us.
    let bucket = rusty_s3::Bucket::new(
        Url::parse("https://s3.amazonaws.com").unwrap(),
        rusty_s3::UrlStyle::VirtualHost,
        "examplebucket",
        "us-east-1",
    );
    let (bucket, credentials) = (bucket.unwrap(), rusty_s3::Credentials::new(ID, SECRET));
    let action = bucket.get_object(Some(&credentials), "test.txt");
    let url = action.sign_with_time(Duration::from_hours(24), &"2013-05-24T00:00:00Z".parse().unwrap());
    assert!(url.as_str().ends_with("aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"), "{url}");
    check("GET", url.as_str(), SECRET, &[]);
}

/// What a URL says is what its signature is of; its parameters.
fn check(method: &str, url: &str, secret: &str, headers: &[(&'static str, String)]) -> BTreeMap<String, String> {
    let url = Url::parse(url).unwrap();
    let (query, signed) = url.query().unwrap().split_once("&X-Amz-Signature=").unwrap();
    let read: BTreeMap<String, String> = url.query_pairs().into_owned().collect();
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    let host = format!("{}{port}", url.host_str().unwrap());
    let mut sent: BTreeMap<&str, &str> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    sent.insert("host", &host);
    let names: Vec<&str> = read["X-Amz-SignedHeaders"].split(';').collect();
    assert!(names.is_sorted(), "{names:?}");
    let sent: Vec<(&str, &str)> = names.iter().map(|name| (*name, sent[name])).collect();
    let credential: Vec<&str> = read["X-Amz-Credential"].split('/').collect();
    let scope = Scope { secret, date: &read["X-Amz-Date"], region: credential[2], service: credential[3] };
    let request = Request { method, path: url.path(), query, headers: &sent, payload: "UNSIGNED-PAYLOAD" };
    assert_eq!(signed, signature(&request, &scope), "{url}");
    read
}

pub(super) fn store(change: impl FnOnce(&mut S3Place), secrets: &[(&str, &str)]) -> Store {
    store_in(&[], change, secrets)
}

/// The same, where networks are opened.
fn store_in(opened: &[Network], change: impl FnOnce(&mut S3Place), secrets: &[(&str, &str)]) -> Store {
    let mut declared = S3Place {
        bucket: "shop-{env}".to_owned(),
        prefix: None,
        region: "eu-central-1".to_owned(),
        endpoint: None,
        public_endpoint: None,
        path_style: false,
        access_key_id: "S3_ID".to_owned(),
        secret_access_key: "S3_SECRET".to_owned(),
        session_token: None,
    };
    change(&mut declared);
    let env = EnvName { project: "shop".to_owned(), env: "prod".to_owned() };
    let secrets = Arc::new(arc_swap::ArcSwap::from_pointee(runtime(secrets)));
    Store::new(Place::of("files", &declared, &env, secrets).unwrap(), Client::new(opened, None).unwrap())
}

/// What the Hub says of an env's secrets.
fn runtime(secrets: &[(&str, &str)]) -> Runtime {
    let bundle = RuntimeBundle {
        connections: BTreeMap::new(),
        secrets: secrets.iter().map(|(name, value)| ((*name).to_owned(), Sealed::new(*value))).collect(),
        api_keys: Vec::new(),
        user_keys: Vec::new(),
        storage_key: Some(Sealed::new("the key of the env")),
    };
    Runtime::new(&bundle, None)
}

fn key(text: &str) -> ObjectKey {
    ObjectKey::parse(text).unwrap()
}

pub(super) const SECRETS: [(&str, &str); 3] = [("S3_ID", ID), ("S3_SECRET", SECRET), ("S3_TOKEN", "a/session+token==")];

#[test]
fn urls_are_signed_as_a_store_checks_them() {
    let get = Deed::Get { save_as: Some("a \"b\" \u{e9}.pdf".to_owned()) };
    let upload = Upload {
        size: Size::Exactly(3),
        content_type: Some("image/png; a=\"b\"".to_owned()),
        sha256: Some("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad".to_owned()),
        is_new: true,
    };
    let changes: [(&str, Change); 5] = [
        ("https://shop-prod.s3.eu-central-1.amazonaws.com/a", |_| {}),
        ("https://s3.eu-central-1.amazonaws.com/shop-prod/a", |place| place.path_style = true),
        ("https://shop-prod.s3.eu-central-1.amazonaws.com/files/a", |place| place.prefix = Some("files/".to_owned())),
        ("https://shop.s3.eu-central-1.amazonaws.com/prod/a", |place| place.bucket = "shop".to_owned()),
        ("https://files.example:8443/s3/shop-prod/a", |place| {
            place.endpoint = Some("http://minio:9000".to_owned());
            place.public_endpoint = Some("https://files.example:8443/s3".to_owned());
            (place.path_style, place.session_token) = (true, Some("S3_TOKEN".to_owned()));
        }),
    ];
    for (begin, change) in changes {
        let store = store(change, &SECRETS);
        for name in ["a", "a b/\u{e9}+%2F?#&=", "a/~*'()!$,;:@", "a/\u{1f980}"] {
            let made = store.presign(&key(name), &get, Duration::from_mins(5)).unwrap();
            assert!(made.url.starts_with(begin) && made.headers.is_empty(), "{}", made.url);
            let read = check("GET", &made.url, SECRET, &[]);
            let saved = &read["response-content-disposition"];
            assert_eq!(saved, "attachment; filename*=UTF-8''a%20%22b%22%20%C3%A9%2Epdf");
            assert_eq!((read["X-Amz-Expires"].as_str(), read["X-Amz-SignedHeaders"].as_str()), ("300", "host"));
            let has_token = begin.contains("8443");
            assert_eq!(read.get("X-Amz-Security-Token").map(String::as_str), has_token.then_some("a/session+token=="));

            let made = store.presign(&key(name), &Deed::Put(upload.clone()), Duration::from_mins(5)).unwrap();
            let mut sent = made.headers.clone();
            assert!(sent.iter().all(|(name, _)| *name != "content-length"), "a browser says it itself: {sent:?}");
            sent.push(("content-length", "3".to_owned()));
            let read = check("PUT", &made.url, SECRET, &sent);
            let signed = "content-length;content-type;host;if-none-match;x-amz-checksum-sha256";
            assert_eq!(read["X-Amz-SignedHeaders"], signed, "each of them is held to");
        }
    }
}

#[test]
fn what_cannot_be_bound_is_refused() {
    let store = store(|place| place.prefix = Some("files/".to_owned()), &SECRETS);
    let lives = Duration::from_mins(5);
    let any = Deed::Put(Upload { size: Size::AtMost(10), ..Upload::default() });
    let message = "size: an upload to this bucket says how many bytes it has".to_owned();
    assert_eq!(store.presign(&key("a"), &any, lives), Err(StorageError::Invalid(message)));
    let long = key(&"a".repeat(1_024));
    let get = Deed::Get { save_as: None };
    let message = "a key of this bucket has 1018 bytes at most".to_owned();
    assert_eq!(store.presign(&long, &get, lives), Err(StorageError::Invalid(message)));
    for etag in ["", "a\"b", "a\nb", "a b", "\u{e9}"] {
        assert_eq!(conditions(&Condition::Is(etag.to_owned())), Err(StorageError::Precondition), "{etag:?}");
    }
}

/// A secret that is exchanged is used with the next URL; one that is missing opens nothing.
#[test]
fn secrets_are_read_when_they_are_used() {
    let id = ("S3_ID", ID);
    let made = store(|_| {}, &[id]);
    let get = Deed::Get { save_as: None };
    let presign = |store: &Store| store.presign(&key("a"), &get, Duration::from_mins(5));
    assert_eq!(presign(&made), Err(StorageError::Unavailable));
    let sign = |store: &Store| store.place.upload_key().unwrap().sign("upload", b"what was begun");
    let begun = sign(&made);
    for secret in [SECRET, "another/one", " pasted\n"] {
        let next = runtime(&[id, ("S3_SECRET", secret)]);
        made.place.secrets().store(Arc::new(next));
        check("GET", &presign(&made).unwrap().url, secret.trim(), &[]);
        assert_eq!(sign(&made), begun, "uploads go on");
    }
    // A Hub of before gives no key: that of the bucket is taken.
    let mut without = runtime(&SECRETS);
    without.storage_key = None;
    made.place.secrets().store(Arc::new(without));
    assert_ne!(sign(&made), begun);
}

/// Where clouds hand out credentials, and what is private, is not spoken to; without TLS only what the operator has opened.
#[test]
fn a_store_is_where_the_operator_allows() {
    let opened = |networks: &[&str]| {
        let networks: Vec<_> = networks.iter().map(|text| Network::parse(text).unwrap()).collect();
        Client::new(&networks, None).unwrap()
    };
    for (networks, url, is_fine) in [
        (&[][..], "https://192.0.2.1/", false),
        (&[], "https://8.8.8.8/", true),
        (&[], "http://8.8.8.8/", false),
        (&[], "http://127.0.0.1:9000/", false),
        (&[], "https://[::1]/", false),
        (&[], "https://169.254.169.254/", false),
        (&[], "http://2130706433/", false),
        (&[], "http://0x7f.1/", false),
        (&["127.0.0.0/8"], "http://127.0.0.1:9000/", true),
        (&["127.0.0.0/8"], "http://[::ffff:127.0.0.1]:9000/", true),
        (&["169.254.0.0/16"], "http://169.254.169.254/", false),
        (&["10.0.0.0/8"], "https://10.1.2.3/", true),
        (&[], "https://a.name/", true),
    ] {
        assert_eq!(opened(networks).check(&Url::parse(url).unwrap()).is_ok(), is_fine, "{networks:?} {url}");
    }
}

/// What the name leads to is looked at when it is connected to.
#[tokio::test]
async fn a_name_of_a_private_address_is_refused() {
    for url in ["https://localhost:1/bucket/a", "http://localhost:1/bucket/a", "http://bucket.localhost:1/a"] {
        let client = Client::new(&[], None).unwrap();
        let sent = Sent::new(Method::GET, Url::parse(url).unwrap());
        assert!(matches!(client.send(sent).await, Err(Failure::Address(_))), "{url}");
    }
}

/// Names that nobody answers for keep no other env's store from being found.
#[tokio::test]
async fn names_are_looked_up_in_the_places_of_the_env_whose_store_it_is() {
    let hanging = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&hanging);
    let lookup = Lookup::new(move |name| {
        let hangs = name == "hangs.test";
        if hangs {
            counted.fetch_add(1, Ordering::Relaxed);
        }
        async move {
            if hangs {
                std::future::pending::<()>().await;
            }
            Ok(vec![IpAddr::V4(Ipv4Addr::LOCALHOST)])
        }
    });
    let client = Client::with_lookup(&[], None, &lookup).unwrap();
    let of = |env: &str| client.clone().of(EnvName::parse(env).unwrap());
    let get = |url: &str| Sent::new(Method::GET, Url::parse(url).unwrap());
    // More than there are places in all.
    let flood: Vec<_> = (0..100)
        .map(|_| {
            let (client, sent) = (of("flood/prod"), get("https://hangs.test/a"));
            tokio::spawn(async move { client.send(sent).await.map(drop) })
        })
        .collect();
    while hanging.load(Ordering::Relaxed) == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    for url in ["https://quick.test/a", "http://quick.test/a"] {
        // It is found, and is where nobody may go.
        let found = of("quiet/prod").send(get(url)).await;
        assert!(matches!(found, Err(Failure::Address(_))), "{found:?}");
    }
    for one in flood {
        one.abort();
    }
}

#[test]
fn what_a_store_says_is_told_by_its_code() {
    let refused =
        |status, code: &str| Failure::Refused { status, code: code.to_owned(), message: String::new(), date: None };
    for (status, code, told) in [
        (404, "NoSuchKey", Some(StorageError::Missing)),
        (404, "NotFound", Some(StorageError::Missing)),
        // Of what stands before a store and knows no path.
        (404, "", None),
        (404, "NoSuchBucket", None),
        (404, "NoSuchUpload", None),
        (410, "NoSuchKey", None),
        (412, "PreconditionFailed", Some(StorageError::Precondition)),
        (409, "ConditionalRequestConflict", Some(StorageError::Precondition)),
        (409, "BucketAlreadyExists", None),
        (400, "BadDigest", Some(StorageError::Checksum)),
        (403, "SignatureDoesNotMatch", None),
        (503, "SlowDown", None),
    ] {
        assert_eq!(refused(status, code).told(), told, "{status} {code}");
    }
}
