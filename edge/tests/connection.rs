//! Connections over real sockets: slow clients, idle ones, clients that do not read, floods; plain and TLS, HTTP/1.1 and HTTP/2.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use axum::{Router, body::Body, extract::Path, routing::get};
use bytes::Bytes;
use santokit_edge::{Bounds, Handle, listener};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
    time::timeout,
};

/// For what must happen, on a machine that is slow.
const SOON: Duration = Duration::from_secs(30);

/// Long enough that no test runs into it by chance.
const LONG: Duration = Duration::from_mins(10);

struct Listening {
    address: SocketAddr,
    handle: Handle<SocketAddr>,
    served: Arc<AtomicUsize>,
    tasks: JoinSet<std::io::Result<()>>,
}

fn bounds() -> Bounds {
    Bounds {
        connections_max: 1_000,
        header_timeout: LONG,
        idle_timeout: LONG,
        answer_timeout: LONG,
        header_bytes_max: 16 << 10,
        streams_max: 10,
    }
}

impl Listening {
    fn start(bounds: Bounds) -> Self {
        let served = Arc::new(AtomicUsize::new(0));
        let count = served.clone();
        let router = Router::new()
            .route("/", get(async || "hello"))
            .route(
                "/wait/{millis}",
                get(async move |Path(millis): Path<u64>| {
                    count.fetch_add(1, Ordering::SeqCst);
                    tokio::time::sleep(Duration::from_millis(millis)).await;
                    "waited"
                }),
            )
            .route("/large", get(async || Bytes::from(vec![b'x'; 64 << 20])))
            .route("/events", get(async || Body::from_stream(events())));
        let listener = listener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let (address, mut tasks) = (listener.local_addr().unwrap(), JoinSet::new());
        let handle = listener::serve(&mut tasks, listener, router, bounds, None).unwrap();
        Self { address, handle, served, tasks }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }
}

/// One each 200 ms, ten of them.
fn events() -> impl futures_util::Stream<Item = Result<Bytes, std::io::Error>> {
    futures_util::stream::unfold(0, |number| async move {
        tokio::time::sleep(Duration::from_millis(200)).await;
        (number < 10).then(|| (Ok(Bytes::from(format!("event {number}\n"))), number + 1))
    })
}

/// What arrives until the other side ends.
async fn to_the_end(stream: &mut (impl AsyncReadExt + Unpin)) -> String {
    let mut bytes = Vec::new();
    // A reset is an end too.
    drop(timeout(SOON, stream.read_to_end(&mut bytes)).await.expect("the connection was not closed"));
    String::from_utf8_lossy(&bytes).into_owned()
}

/// One answer with a length, and nothing behind it.
async fn one_answer(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let reading = async {
        while !bytes.ends_with(b"hello") {
            let mut buffer = [0; 1024];
            let length = stream.read(&mut buffer).await.unwrap();
            assert!(length > 0, "closed after {:?}", String::from_utf8_lossy(&bytes));
            bytes.extend_from_slice(&buffer[..length]);
        }
    };
    timeout(SOON, reading).await.unwrap();
    String::from_utf8_lossy(&bytes).into_owned()
}

#[tokio::test]
async fn one_connection_too_many_is_closed_and_a_place_that_is_free_is_taken_again() {
    let server = Listening::start(Bounds { connections_max: 2, ..bounds() });
    let request = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n";
    // One that is served, and one that says nothing: each has a place.
    let (mut first, silent) = (server.connect().await, server.connect().await);
    for _ in 0..3 {
        for _ in 0..5 {
            let mut more = server.connect().await;
            drop(more.write_all(request).await);
            assert_eq!(to_the_end(&mut more).await, "");
        }
        first.write_all(request).await.unwrap();
        assert!(one_answer(&mut first).await.starts_with("HTTP/1.1 200"));
    }
    drop(silent);
    let place = async {
        loop {
            let mut next = server.connect().await;
            drop(next.write_all(request).await);
            let mut byte = [0];
            if next.read(&mut byte).await.is_ok_and(|length| length == 1) {
                return;
            }
        }
    };
    timeout(SOON, place).await.expect("the place stays taken");
}

#[tokio::test]
async fn half_a_head_is_closed() {
    let server = Listening::start(Bounds { header_timeout: Duration::from_millis(500), ..bounds() });
    let mut first = server.connect().await;
    first.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n").await.unwrap();
    assert_eq!(to_the_end(&mut first).await, "");

    // And so is half a second one, on a connection that has answered before.
    let mut second = server.connect().await;
    second.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    assert!(one_answer(&mut second).await.starts_with("HTTP/1.1 200"));
    second.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
    assert_eq!(to_the_end(&mut second).await, "");

    // Nothing at all, and bytes that are no HTTP/2 preface yet.
    for sent in ["", "PRI * HTTP/2.0\r\n"] {
        let mut silent = server.connect().await;
        silent.write_all(sent.as_bytes()).await.unwrap();
        assert_eq!(to_the_end(&mut silent).await, "", "{sent:?}");
    }
}

#[tokio::test]
async fn a_head_that_trickles_is_closed_all_the_same() {
    let server = Listening::start(Bounds { header_timeout: Duration::from_secs(1), ..bounds() });
    let mut stream = server.connect().await;
    stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    one_answer(&mut stream).await;
    let (mut reader, mut writer) = stream.into_split();
    let trickling = tokio::spawn(async move {
        writer.write_all(b"GET / HTTP/1.1\r\nx: ").await.unwrap();
        let mut sent = 0;
        while writer.write_all(b"x").await.is_ok() {
            sent += 1;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        sent
    });
    assert_eq!(to_the_end(&mut reader).await, "");
    assert!(timeout(SOON, trickling).await.unwrap().unwrap() > 0);
}

#[tokio::test]
async fn an_idle_connection_is_closed_and_a_waiting_one_is_not() {
    let server = Listening::start(Bounds { idle_timeout: Duration::from_millis(600), ..bounds() });
    let mut idle = server.connect().await;
    idle.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let answer = to_the_end(&mut idle).await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("hello"), "{answer}");

    // A client that waits for its answer is not idle, however long that takes.
    let mut waiting = server.connect().await;
    waiting.write_all(b"GET /wait/2000 HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let answer = to_the_end(&mut waiting).await;
    assert!(answer.ends_with("waited"), "{answer}");
}

#[tokio::test]
async fn between_two_requests_a_client_may_take_longer_than_for_a_head() {
    let server = Listening::start(Bounds { header_timeout: Duration::from_secs(2), ..bounds() });
    let mut stream = server.connect().await;
    for _ in 0..2 {
        stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        one_answer(&mut stream).await;
        tokio::time::sleep(Duration::from_secs(3)).await;
    }
    stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
    assert!(to_the_end(&mut stream).await.ends_with("hello"));
}

#[tokio::test]
async fn a_client_that_does_not_read_its_answer_is_cut_off() {
    let server = Listening::start(Bounds { answer_timeout: Duration::from_secs(1), ..bounds() });
    let mut stream = server.connect().await;
    stream.write_all(b"GET /large HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    assert_eq!(stream.read(&mut [0]).await.unwrap(), 1, "the answer has begun");
    let begun = Instant::now();
    while server.handle.connection_count() > 0 {
        assert!(begun.elapsed() < SOON, "it is still open");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(to_the_end(&mut stream).await.len() < 64 << 20);
}

#[tokio::test]
async fn a_large_answer_arrives_whole_with_its_length() {
    let server = Listening::start(bounds());
    let answer = reqwest::get(format!("http://{}/large", server.address)).await.unwrap();
    assert_eq!(answer.content_length(), Some(64 << 20));
    let bytes = answer.bytes().await.unwrap();
    assert!(bytes.len() == 64 << 20 && bytes.iter().all(|byte| *byte == b'x'));
}

#[tokio::test]
async fn a_stream_may_last_longer_than_an_answer() {
    let limit = Duration::from_secs(1);
    let server = Listening::start(Bounds { answer_timeout: limit, idle_timeout: limit, ..bounds() });
    let answer = reqwest::get(format!("http://{}/events", server.address)).await.unwrap();
    assert!(answer.text().await.unwrap().ends_with("event 9\n"));
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused() {
    let server = Listening::start(bounds());
    let mut stream = server.connect().await;
    let long = "x".repeat(32 << 10);
    stream.write_all(format!("GET / HTTP/1.1\r\nhost: x\r\nx: {long}\r\n\r\n").as_bytes()).await.unwrap();
    assert!(to_the_end(&mut stream).await.starts_with("HTTP/1.1 431"));
    let mut stream = server.connect().await;
    let many = (0..200).fold(String::new(), |head, number| head + "x-" + &number.to_string() + ": y\r\n");
    stream.write_all(format!("GET / HTTP/1.1\r\nhost: x\r\n{many}\r\n").as_bytes()).await.unwrap();
    assert!(to_the_end(&mut stream).await.starts_with("HTTP/1.1 431"));
    let mut stream = server.connect().await;
    let fits = "x".repeat(8 << 10);
    stream.write_all(format!("GET / HTTP/1.1\r\nhost: x\r\nx: {fits}\r\n\r\n").as_bytes()).await.unwrap();
    assert!(one_answer(&mut stream).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn the_end_waits_for_what_runs_and_no_longer_than_it_may() {
    let mut server = Listening::start(bounds());
    let url = format!("http://{}", server.address);
    let mut idle = server.connect().await;
    idle.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    one_answer(&mut idle).await;
    let running = tokio::spawn(reqwest::get(format!("{url}/wait/2000")));
    let endless = tokio::spawn(reqwest::get(format!("{url}/wait/600000")));
    while server.served.load(Ordering::SeqCst) < 2 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let begun = Instant::now();
    server.handle.graceful_shutdown(Some(Duration::from_secs(10)));
    assert_eq!(to_the_end(&mut idle).await, "", "an idle connection ends at once");
    assert_eq!(running.await.unwrap().unwrap().text().await.unwrap(), "waited");
    assert!(TcpStream::connect(server.address).await.is_err(), "new connections are refused");
    assert!(endless.await.unwrap().is_err(), "what does not end is cut off");
    timeout(SOON, server.tasks.join_next()).await.unwrap().unwrap().unwrap().unwrap();
    assert!(begun.elapsed() >= Duration::from_secs(9), "{:?}", begun.elapsed());
}

/// An HTTP/2 client, and the task of its connection.
async fn h2(server: &Listening) -> (h2::client::SendRequest<Bytes>, tokio::task::JoinHandle<Result<(), h2::Error>>) {
    let (client, connection) = h2::client::handshake(server.connect().await).await.unwrap();
    (client, tokio::spawn(connection))
}

fn request(server: &Listening, path: &str) -> http::Request<()> {
    http::Request::get(format!("http://{}{path}", server.address)).body(()).unwrap()
}

#[tokio::test]
async fn http2_has_as_many_requests_at_once_as_it_may() {
    let server = Listening::start(bounds());
    let (client, connection) = h2(&server).await;
    let mut client = client.ready().await.unwrap();
    let (answer, _) = client.send_request(request(&server, "/"), true).unwrap();
    assert_eq!(answer.await.unwrap().status(), 200);
    // The server has told its limit by now; a client that keeps to it queues the rest itself.
    let mut waiting = Vec::new();
    for _ in 0..30 {
        let mut ready = client.clone().ready().await.unwrap();
        waiting.push(tokio::spawn(ready.send_request(request(&server, "/wait/1500"), true).unwrap().0));
        tokio::time::sleep(Duration::from_millis(5)).await;
        if server.served.load(Ordering::SeqCst) >= 10 {
            break;
        }
    }
    assert!(server.served.load(Ordering::SeqCst) <= 10);
    for answer in waiting {
        answer.await.unwrap().unwrap();
    }
    drop(client);
    drop(connection);
}

#[tokio::test]
async fn a_flood_of_resets_ends_the_connection_and_nothing_else() {
    let server = Listening::start(bounds());
    let (client, connection) = h2(&server).await;
    let flooding = async {
        for _ in 0..100_000 {
            let Ok(mut ready) = client.clone().ready().await else { return };
            let Ok((_, mut stream)) = ready.send_request(request(&server, "/wait/10000"), false) else { return };
            stream.send_reset(h2::Reason::CANCEL);
        }
    };
    timeout(SOON, flooding).await.expect("the flood was never stopped");
    // Not by the client, which is still there.
    drop(timeout(SOON, connection).await.expect("the connection goes on").unwrap());
    drop(client);
    assert_eq!(reqwest::get(format!("http://{}/", server.address)).await.unwrap().status(), 200);
}

#[tokio::test]
async fn pings_keep_no_connection_open() {
    let server = Listening::start(Bounds { idle_timeout: Duration::from_secs(1), ..bounds() });
    let (client, mut connection) = h2::client::handshake(server.connect().await).await.unwrap();
    let mut pings = connection.ping_pong().unwrap();
    let connection = tokio::spawn(connection);
    let mut client = client.ready().await.unwrap();
    let (answer, _) = client.send_request(request(&server, "/"), true).unwrap();
    assert_eq!(answer.await.unwrap().status(), 200);
    let pinging = async { while pings.ping(h2::Ping::opaque()).await.is_ok() {} };
    timeout(SOON, pinging).await.expect("the pings went on");
    drop(timeout(SOON, connection).await.unwrap());
}

#[tokio::test]
async fn an_http2_client_that_does_not_read_is_cut_off_though_it_asks_on() {
    let server = Listening::start(Bounds { answer_timeout: Duration::from_secs(1), ..bounds() });
    let (client, connection) = h2(&server).await;
    let mut client = client.ready().await.unwrap();
    let (answer, _) = client.send_request(request(&server, "/large"), true).unwrap();
    let unread = answer.await.unwrap();
    let asking = async {
        while let Ok(mut ready) = client.clone().ready().await {
            let Ok((answer, _)) = ready.send_request(request(&server, "/wait/10"), true) else { return };
            if answer.await.is_err() {
                return;
            }
        }
    };
    timeout(SOON, asking).await.expect("it was never cut off");
    drop(timeout(SOON, connection).await.unwrap());
    drop(unread);
}
