//! Over a real socket: a client that sends all of a body before it reads gets the answer to it.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::{net::SocketAddr, time::Duration};

use axum::{Router, http::StatusCode, middleware::map_request, routing::post};
use santokit_edge::unread;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    time::timeout,
};

/// More than the buffers of two systems hold.
const LARGE: usize = 32 * 1024 * 1024;

async fn server() -> SocketAddr {
    let router = Router::new().route("/", post(async || StatusCode::UNAUTHORIZED)).layer(map_request(unread::drain));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let address = listener.local_addr().expect("a bound socket has an address");
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

async fn answer(stream: &mut TcpStream) -> String {
    let mut bytes = vec![0; 1024];
    let read = timeout(Duration::from_secs(20), stream.read(&mut bytes)).await;
    let read = read.expect("the answer comes").expect("the connection is not reset");
    String::from_utf8_lossy(&bytes[..read]).into_owned()
}

#[tokio::test]
async fn who_sends_all_of_it_first_reads_the_answer_and_keeps_the_connection() {
    let mut stream = TcpStream::connect(server().await).await.expect("the server listens");
    let head = format!("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: {LARGE}\r\n\r\n");
    let part = vec![b'x'; 65_536];
    for _ in 0..2 {
        stream.write_all(head.as_bytes()).await.expect("the head is taken");
        for _ in 0..LARGE / 65_536 {
            stream.write_all(&part).await.expect("the body is taken to its end");
        }
        let answer = answer(&mut stream).await;
        assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
    }
}

#[tokio::test]
async fn who_sends_without_end_is_cut_off() {
    let mut stream = TcpStream::connect(server().await).await.expect("the server listens");
    stream.write_all(b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n").await.expect("taken");
    let chunk = [b"10000\r\n".as_slice(), &vec![b'x'; 65_536], b"\r\n"].concat();
    let endless = async { while stream.write_all(&chunk).await.is_ok() {} };
    timeout(Duration::from_mins(1), endless).await.expect("the server closes at some point");
}

#[tokio::test]
async fn who_waits_to_be_asked_for_a_body_is_not_asked() {
    let mut stream = TcpStream::connect(server().await).await.expect("the server listens");
    let head = format!("POST / HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: {LARGE}\r\n\r\n");
    stream.write_all(head.as_bytes()).await.expect("the head is taken");
    let answer = answer(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
}
