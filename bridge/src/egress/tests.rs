//! Requests over real TLS to a server that answers as it is told to, also as none should.

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::atomic::{AtomicUsize, Ordering},
};

use futures_util::{StreamExt as _, stream::FuturesUnordered};
use santokit_core::logic::HttpGrant;
use santokit_wasm::HttpResponse;

use super::*;
use crate::config::Network;

mod receiver;

use receiver::{Receiver, Script};

const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const INSIDE: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));
/// Far more than any of these takes.
const SOON: Duration = Duration::from_secs(30);

fn grants(receiver: &Receiver) -> Vec<HttpGrant> {
    let set = |texts: &[String]| texts.iter().cloned().collect();
    let hosts = ["api.test", "other.test", "inside.test"].map(|host| format!("{host}:{}", receiver.port));
    vec![HttpGrant {
        hosts: set(&hosts),
        methods: set(&["GET", "POST", "HEAD"].map(str::to_owned)),
        paths: set(&["/v1/*".to_owned()]),
    }]
}

/// `inside.test` is at a private address, all others are the receiver.
fn found(name: &str) -> IpAddr {
    if name == "inside.test" { INSIDE } else { LOCAL }
}

fn egress(receiver: &Receiver, opened: &[&str]) -> Egress {
    egress_with(receiver, opened, Lookup::new(|name| async move { Ok(vec![found(&name)]) }))
}

fn egress_with(receiver: &Receiver, opened: &[&str], lookup: Lookup) -> Egress {
    let allow_private = opened.iter().map(|text| Network::parse(text).unwrap()).collect();
    let config = EgressConfig { allow_private, ca_file: Some(receiver.ca.clone()) };
    Egress::with_lookup(&config, lookup).unwrap()
}

fn request(receiver: &Receiver, method: &str, path: &str) -> HttpRequest {
    HttpRequest {
        method: method.to_owned(),
        url: format!("https://api.test:{}{path}", receiver.port),
        headers: Vec::new(),
        body: Vec::new(),
        timeout: None,
        options: Vec::new(),
    }
}

async fn send_with(egress: &Egress, receiver: &Receiver, request: HttpRequest, budget: HttpBudget) -> HttpDone {
    send_as("shop/prod", egress, receiver, request, budget).await
}

async fn send_as(
    env: &str,
    egress: &Egress,
    receiver: &Receiver,
    request: HttpRequest,
    budget: HttpBudget,
) -> HttpDone {
    let (env, grants) = (EnvName::parse(env).unwrap(), grants(receiver));
    let terms = Terms { env: &env, grants: &grants, budget, deadline: Instant::now() + SOON, rehearsal: None };
    egress.send(request, terms).await
}

async fn send(egress: &Egress, receiver: &Receiver, request: HttpRequest) -> Result<HttpResponse, HttpError> {
    send_with(egress, receiver, request, HttpBudget { requests: 20, bytes: 1 << 20 }).await.answer
}

async fn get(receiver: &Receiver, path: &str) -> Result<HttpResponse, HttpError> {
    send(&egress(receiver, &["127.0.0.1"]), receiver, request(receiver, "GET", path)).await
}

fn code(answer: &Result<HttpResponse, HttpError>) -> &'static str {
    answer.as_ref().map_or_else(HttpError::code, |_| "ok")
}

fn header<'a>(answer: &'a HttpResponse, name: &str) -> Option<&'a str> {
    answer.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
}

#[tokio::test]
async fn an_answer_comes_as_it_was_sent() {
    let receiver = Receiver::start(|request| match request.path.as_str() {
        "/v1/gzip" => Script::answer("200 OK", &[("content-encoding", "gzip")], b"\x1f\x8b bomb"),
        "/v1/absent" => Script::answer("404 Not Found", &[("connection", "close, x-hop"), ("x-hop", "1")], b"no"),
        _ => Script::answer("201 Created", &[("x-a", "1"), ("X-A", "2")], request.body.as_bytes()),
    })
    .await;
    let egress = egress(&receiver, &["127.0.0.1"]);
    let mut posted = request(&receiver, "POST", "/v1/charges?b=2&a=1");
    posted.headers = vec![("Authorization".to_owned(), "Bearer s".to_owned()), ("X-B".to_owned(), "3".to_owned())];
    posted.body = b"{\"amount\":3}".to_vec();
    let answer = send(&egress, &receiver, posted).await.unwrap();
    assert_eq!((answer.status, answer.body.as_slice()), (201, &b"{\"amount\":3}"[..]));
    let all: Vec<&str> = answer.headers.iter().filter(|(name, _)| name == "x-a").map(|(_, value)| &**value).collect();
    assert_eq!(all, ["1", "2"]);
    let seen = receiver.seen();
    assert_eq!((seen[0].method.as_str(), seen[0].path.as_str()), ("POST", "/v1/charges?b=2&a=1"));
    for (name, value) in [("authorization", "Bearer s"), ("x-b", "3"), ("content-length", "12")] {
        assert_eq!(seen[0].header(name), Some(value), "{name}");
    }
    assert_eq!(seen[0].header("host"), Some(format!("api.test:{}", receiver.port).as_str()));
    // What is packed stays so.
    let packed = get(&receiver, "/v1/gzip").await.unwrap();
    assert_eq!((packed.body.as_slice(), header(&packed, "content-encoding")), (&b"\x1f\x8b bomb"[..], Some("gzip")));
    // No status is an error, and what was for the connection is gone.
    let absent = get(&receiver, "/v1/absent").await.unwrap();
    assert_eq!((absent.status, header(&absent, "x-hop"), header(&absent, "connection")), (404, None, None));
}

#[tokio::test]
async fn what_is_checked_is_what_is_connected_to() {
    let receiver = Receiver::start(|_| Script::answer("200 OK", &[("connection", "close")], b"in")).await;
    let path = "/v1/a";
    // Without the operator's word this machine is not asked.
    let closed = egress(&receiver, &[]);
    assert_eq!(code(&send(&closed, &receiver, request(&receiver, "GET", path)).await), "address");
    // A name that leads elsewhere the second time.
    let lookups = Arc::new(AtomicUsize::new(0));
    let counted = lookups.clone();
    let rebinding = Lookup::new(move |_| {
        let address = if counted.fetch_add(1, Ordering::Relaxed) == 0 { LOCAL } else { INSIDE };
        async move { Ok(vec![address]) }
    });
    let rebound = egress_with(&receiver, &["127.0.0.1"], rebinding);
    assert_eq!(code(&send(&rebound, &receiver, request(&receiver, "GET", path)).await), "ok");
    assert_eq!(lookups.load(Ordering::Relaxed), 1, "one look for one connection");
    assert_eq!(code(&send(&rebound, &receiver, request(&receiver, "GET", path)).await), "address");
    // Of several only those that may be are tried.
    let both = egress_with(&receiver, &["127.0.0.1"], Lookup::new(|_| async { Ok(vec![INSIDE, LOCAL]) }));
    assert_eq!(code(&send(&both, &receiver, request(&receiver, "GET", path)).await), "ok");
    let none = egress_with(&receiver, &["127.0.0.1"], Lookup::new(|_| async { Ok(Vec::new()) }));
    assert_eq!(code(&send(&none, &receiver, request(&receiver, "GET", path)).await), "unreachable");
    assert_eq!(receiver.seen().len(), 2);
    // A certificate that nobody has vouched for.
    let config = EgressConfig { allow_private: vec![Network::parse("127.0.0.1").unwrap()], ca_file: None };
    let untrusting = Egress::with_lookup(&config, Lookup::new(|_| async { Ok(vec![LOCAL]) })).unwrap();
    assert_eq!(code(&send(&untrusting, &receiver, request(&receiver, "GET", path)).await), "unreachable");
    assert_eq!(receiver.seen().len(), 2);
}

#[tokio::test]
async fn a_redirect_is_a_request_like_any_other() {
    let receiver = Receiver::start(|request| {
        let port = request.port;
        let to = |status: &str, location: &str| Script::answer(status, &[("location", location)], b"moved");
        match request.path.as_str() {
            "/v1/see" => to("303 See Other", "/v1/end"),
            "/v1/found" => to("302 Found", "end"),
            "/v1/keep" => to("307 Temporary Redirect", "/v1/end"),
            "/v1/abroad" => to("308 Permanent Redirect", &format!("https://other.test:{port}/v1/end")),
            "/v1/plain" => to("302 Found", &format!("http://api.test:{port}/v1/end")),
            "/v1/evil" => to("302 Found", &format!("https://evil.test:{port}/v1/end")),
            "/v1/path" => to("302 Found", "/admin"),
            "/v1/inside" => to("302 Found", &format!("https://inside.test:{port}/v1/end")),
            "/v1/metadata" => to("302 Found", "https://169.254.169.254/latest/meta-data"),
            "/v1/loop" => to("302 Found", "/v1/loop"),
            _ => Script::answer("200 OK", &[], request.method.as_bytes()),
        }
    })
    .await;
    let egress = egress(&receiver, &["127.0.0.1"]);
    let posted = |path: &str| {
        let mut posted = request(&receiver, "POST", path);
        posted.headers =
            [("Authorization", "s"), ("X-Api-Key", "s"), ("Cookie", "s"), ("Content-Type", "t/t"), ("X-B", "3")]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .to_vec();
        posted.body = b"body".to_vec();
        posted
    };
    for (path, method, body, credentials) in [
        ("/v1/see", "GET", "", true),
        ("/v1/found", "GET", "", true),
        ("/v1/keep", "POST", "body", true),
        ("/v1/abroad", "POST", "body", false),
    ] {
        let answer = send(&egress, &receiver, posted(path)).await.unwrap();
        assert_eq!(answer.body, method.as_bytes(), "{path}");
        let seen = receiver.seen().pop().unwrap();
        assert_eq!(seen.body, body, "{path}");
        for name in ["authorization", "x-api-key", "cookie"] {
            assert_eq!(seen.header(name).is_some(), credentials, "{path} {name}");
        }
        assert_eq!(seen.header("content-type").is_some(), !body.is_empty(), "{path}");
        assert_eq!(seen.header("x-b"), Some("3"), "{path}");
        assert!(answer.url.ends_with("/v1/end"), "{}", answer.url);
    }
    let before = receiver.seen().len();
    for (path, expected) in [
        ("/v1/plain", "redirects"),
        ("/v1/evil", "denied"),
        ("/v1/path", "denied"),
        ("/v1/inside", "address"),
        ("/v1/metadata", "redirects"),
    ] {
        assert_eq!(code(&send(&egress, &receiver, request(&receiver, "GET", path)).await), expected, "{path}");
    }
    assert_eq!(receiver.seen().len(), before + 5, "what they led to was not asked");
    let many = HttpBudget { requests: 20, bytes: 1 << 20 };
    let looping = send_with(&egress, &receiver, request(&receiver, "GET", "/v1/loop"), many).await;
    assert_eq!((code(&looping.answer), looping.requests), ("redirects", 6));
    let few = HttpBudget { requests: 2, bytes: 1 << 20 };
    let looping = send_with(&egress, &receiver, request(&receiver, "GET", "/v1/loop"), few).await;
    assert_eq!((looping.answer, looping.requests), (Err(HttpError::Requests), 2));
    let mut manual = request(&receiver, "GET", "/v1/loop");
    manual.options = vec![("redirect".to_owned(), "manual".to_owned())];
    let answer = send(&egress, &receiver, manual).await.unwrap();
    assert_eq!((answer.status, header(&answer, "location")), (302, Some("/v1/loop")));
}

#[tokio::test]
async fn an_answer_has_bounds() {
    let receiver = Receiver::start(|request| match request.path.as_str() {
        "/v1/large" => Script::answer("200 OK", &[], &[b'a'; 2_000]),
        "/v1/endless" => Script::Endless("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", "400\r\n"),
        "/v1/flood" => Script::Endless("", "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n"),
        "/v1/headers" => Script::Endless("HTTP/1.1 200 OK\r\n", "x-a: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n"),
        "/v1/silent" => Script::Silent(String::new()),
        "/v1/slow" => Script::Silent("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc".to_owned()),
        "/v1/short" => Script::Raw("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc".to_owned()),
        "/v1/upgrade" => {
            Script::Raw("HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n".to_owned())
        }
        "/v1/split" => Script::Raw("HTTP/1.1 200 OK\r\nx-a: b\rc\r\ncontent-length: 0\r\n\r\n".to_owned()),
        "/v1/smuggled" => {
            Script::Raw("HTTP/1.1 200 OK\r\ncontent-length: 3\r\ncontent-length: 5\r\n\r\nabcde".to_owned())
        }
        _ => Script::Raw("this is no HTTP\r\n\r\n".to_owned()),
    })
    .await;
    let egress = egress(&receiver, &["127.0.0.1"]);
    let small = HttpBudget { requests: 20, bytes: 1_500 };
    let done = send_with(&egress, &receiver, request(&receiver, "GET", "/v1/large"), small).await;
    assert_eq!((done.answer, done.bytes), (Err(HttpError::Bytes), 0), "its length says it");
    let done = send_with(&egress, &receiver, request(&receiver, "GET", "/v1/endless"), small).await;
    assert_eq!(done.answer, Err(HttpError::Bytes));
    assert!(done.bytes > 1_500 && done.bytes < 1 << 20, "{}", done.bytes);
    let mut large = request(&receiver, "POST", "/v1/a");
    large.body = vec![0; 1_501];
    let done = send_with(&egress, &receiver, large, small).await;
    assert_eq!((done.answer, done.requests), (Err(HttpError::Bytes), 0), "nothing is sent");
    for path in ["/v1/headers", "/v1/short", "/v1/upgrade", "/v1/split", "/v1/smuggled", "/v1/none"] {
        assert_eq!(code(&get(&receiver, path).await), "answer", "{path}");
    }
    for path in ["/v1/silent", "/v1/slow", "/v1/flood"] {
        let mut short = request(&receiver, "GET", path);
        short.timeout = Some(Duration::from_millis(300));
        let started = Instant::now();
        assert_eq!(code(&send(&egress, &receiver, short).await), "timeout", "{path}");
        assert!(started.elapsed() < SOON / 3, "{path}");
    }
}

#[tokio::test]
async fn what_is_no_request_is_not_sent() {
    let receiver = Receiver::start(|_| Script::answer("200 OK", &[], b"")).await;
    let egress = egress(&receiver, &["127.0.0.1"]);
    let good = request(&receiver, "GET", "/v1/a");
    let with = |change: &dyn Fn(&mut HttpRequest)| {
        let mut changed = good.clone();
        change(&mut changed);
        changed
    };
    let pair = |name: &str, value: &str| vec![(name.to_owned(), value.to_owned())];
    for (what, changed, expected) in [
        ("small letters", with(&|request| request.method = "get".to_owned()), "invalid"),
        ("a method of proxies", with(&|request| request.method = "CONNECT".to_owned()), "invalid"),
        ("two requests", with(&|request| request.method = "GET / HTTP/1.1\r\n\r\nGET".to_owned()), "invalid"),
        ("a body of GET", with(&|request| request.body = vec![0]), "invalid"),
        ("a host", with(&|request| request.headers = pair("Host", "evil.test")), "invalid"),
        ("a length", with(&|request| request.headers = pair("content-length", "0")), "invalid"),
        ("two fields", with(&|request| request.headers = pair("x", "a\r\nhost: evil.test")), "invalid"),
        ("an option", with(&|request| request.options = pair("proxy", "a")), "invalid"),
        ("a redirect", with(&|request| request.options = pair("redirect", "always")), "invalid"),
        ("another method", with(&|request| request.method = "DELETE".to_owned()), "denied"),
        ("another path", with(&|request| request.url = request.url.replace("/v1/", "/v2/")), "denied"),
        ("another host", with(&|request| request.url = request.url.replace("api.", "evil.")), "denied"),
        ("no TLS", with(&|request| request.url = request.url.replace("https:", "http:")), "invalid"),
        ("an address", with(&|request| request.url = request.url.replace("api.test", "127.0.0.1")), "invalid"),
    ] {
        assert_eq!(code(&send(&egress, &receiver, changed).await), expected, "{what}");
    }
    // As large as a guest: what is told of it is not.
    let giant = with(&|request| request.options = pair(&"\u{7f}".repeat(60 << 20), "a"));
    let Err(HttpError::Invalid(told)) = send(&egress, &receiver, giant).await else { panic!("it is an option") };
    assert!(told.starts_with("unknown option") && told.len() < 1_000, "{}", told.len());
    assert!(receiver.seen().is_empty(), "{:?}", receiver.seen());
    let nowhere = Egress::default();
    assert_eq!(code(&send(&nowhere, &receiver, good).await), "unreachable");
}

/// One env's names that nobody answers for wait in their own queue, and are told of it; another env's are looked up meanwhile.
#[tokio::test]
async fn lookups_that_hang_are_their_envs_own_matter() {
    let receiver = Receiver::start(|_| Script::answer("200 OK", &[("connection", "close")], b"in")).await;
    let hanging = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&hanging);
    let lookup = Lookup::new(move |name| {
        let hangs = name == "inside.test";
        if hangs {
            counted.fetch_add(1, Ordering::Relaxed);
        }
        async move {
            if hangs {
                std::future::pending::<()>().await;
            }
            Ok(vec![LOCAL])
        }
    });
    let egress = egress_with(&receiver, &["127.0.0.1"], lookup);
    let budget = HttpBudget { requests: 1, bytes: 1 << 20 };
    let asked = |url: &str| HttpRequest { url: url.to_owned(), ..request(&receiver, "GET", "/v1/a") };
    let url = format!("https://inside.test:{}/v1/a", receiver.port);
    let mut flood: FuturesUnordered<_> =
        (0..100).map(|_| send_as("flood/prod", &egress, &receiver, asked(&url), budget)).collect();
    let mut told = Vec::new();
    let quiet = async {
        while hanging.load(Ordering::Relaxed) < resolve::ENV_LOOKUPS_MAX {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        for _ in 0..20 {
            let other = send_as("quiet/prod", &egress, &receiver, request(&receiver, "GET", "/v1/a"), budget).await;
            assert_eq!(code(&other.answer), "ok", "{:?}", other.answer);
        }
    };
    tokio::select! {
        () = quiet => {}
        () = async {
            while let Some(done) = flood.next().await {
                told.push(done.answer);
            }
            std::future::pending::<()>().await;
        } => {}
    }
    if told.is_empty() {
        told.extend(flood.next().await.map(|done| done.answer));
    }
    let Some(Err(HttpError::Unreachable(first))) = told.first() else { panic!("{told:?}") };
    assert!(first.contains("looked up"), "{first}");
}

#[tokio::test]
async fn the_invocations_end_is_the_requests_end() {
    let receiver = Receiver::start(|_| Script::Silent(String::new())).await;
    let egress = egress(&receiver, &["127.0.0.1"]);
    let grants = grants(&receiver);
    let budget = HttpBudget { requests: 1, bytes: 0 };
    let deadline = Instant::now() + Duration::from_millis(200);
    let env = EnvName::parse("shop/prod").unwrap();
    let terms = Terms { env: &env, grants: &grants, budget, deadline, rehearsal: None };
    let mut patient = request(&receiver, "GET", "/v1/a");
    patient.timeout = Some(SOON);
    let done = egress.send(patient, terms).await;
    assert_eq!((code(&done.answer), done.requests), ("timeout", 1));
}
