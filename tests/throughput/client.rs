//! HTTP/1.1 over one connection that is kept, with as little work as can be: a client runs on the same cores as what it measures.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value as Json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::project::{KEY, Operation};

/// A connection.
pub(crate) struct Client {
    stream: TcpStream,
    host: String,
    /// What has arrived of an answer.
    arrived: Vec<u8>,
    /// A request, as it is sent.
    sent: Vec<u8>,
}

impl Client {
    /// Connects to `host:port`.
    pub(crate) async fn connect(host: &str) -> Result<Self> {
        let stream = TcpStream::connect(host).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, host: host.to_owned(), arrived: Vec::new(), sent: Vec::new() })
    }

    /// Sends params, and waits for the answer, which must be a good one; its body.
    pub(crate) async fn post(&mut self, path: &str, params: &str) -> Result<&[u8]> {
        use std::io::Write as _;

        self.sent.clear();
        write!(
            self.sent,
            "POST {path} HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\nx-santokit-api-key: {KEY}\r\n\
             content-length: {}\r\n\r\n{params}",
            self.host,
            params.len(),
        )?;
        self.stream.write_all(&self.sent).await?;
        self.arrived.clear();
        loop {
            let read = self.stream.read_buf(&mut self.arrived).await?;
            ensure!(read > 0, "the connection ended");
            if let Some((start, end)) = body(&self.arrived)?
                && self.arrived.len() >= end
            {
                let is_good = self.arrived.starts_with(b"HTTP/1.1 200 ");
                ensure!(is_good, "{path} {params}: {}", String::from_utf8_lossy(&self.arrived));
                return Ok(&self.arrived[start..end]);
            }
        }
    }

    /// What an operation answers, as `data`.
    pub(crate) async fn data(&mut self, operation: Operation, number: usize) -> Result<Json> {
        let body: Json =
            serde_json::from_slice(self.post(operation.path(), &operation.params(number).to_string()).await?)?;
        Ok(body["data"].clone())
    }
}

/// Where the body begins and ends, once the head is there.
fn body(arrived: &[u8]) -> Result<Option<(usize, usize)>> {
    let Some(end) = arrived.windows(4).position(|part| part == b"\r\n\r\n") else { return Ok(None) };
    let head = std::str::from_utf8(&arrived[..end])?;
    let length = head
        .split("\r\n")
        .filter_map(|line| line.split_once(':'))
        .find_map(|(name, value)| name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>()));
    let start = end + 4;
    Ok(Some((start, start + length.context("an answer of a length that is told")??)))
}

/// Requests a second, by so many callers at once, for a while.
pub(crate) async fn throughput(host: &str, operation: Operation, callers: usize, lasting: Duration) -> Result<f64> {
    let count = Arc::new(AtomicUsize::new(0));
    let mut clients = Vec::new();
    for _ in 0..callers {
        clients.push(Client::connect(host).await?);
    }
    let started = Instant::now();
    let mut running = tokio::task::JoinSet::new();
    for (caller, mut client) in clients.into_iter().enumerate() {
        let count = Arc::clone(&count);
        running.spawn(async move {
            let mut number = caller * 7_919;
            while started.elapsed() < lasting {
                client.post(operation.path(), &operation.params(number).to_string()).await?;
                number += 1;
                count.fetch_add(1, Ordering::Relaxed);
            }
            anyhow::Ok(())
        });
    }
    while let Some(ended) = running.join_next().await {
        ended??;
    }
    Ok(f64::from(u32::try_from(count.load(Ordering::Relaxed))?) / started.elapsed().as_secs_f64())
}
