//! HTTP/1.1 over one connection that is kept, with as little work as can be: for benchmarks, whose client runs on the same processors as
//! what they measure.

use anyhow::{Context as _, Result, ensure};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// A connection.
pub struct PlainClient {
    stream: TcpStream,
    /// Of the head of each request, with a line break behind each.
    headers: String,
    sent: Vec<u8>,
    arrived: Vec<u8>,
}

/// How a body ends.
enum Length {
    Known(usize),
    Chunked,
}

impl PlainClient {
    /// Connects to `http://host:port`.
    pub async fn connect(url: &str) -> Result<Self> {
        let host = url.trim_start_matches("http://").trim_end_matches('/');
        let stream = TcpStream::connect(host).await?;
        stream.set_nodelay(true)?;
        let headers = format!("host: {host}\r\ncontent-type: application/json\r\n");
        Ok(Self { stream, headers, sent: Vec::new(), arrived: Vec::new() })
    }

    /// The same with one more header.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.extend([name, ": ", value, "\r\n"]);
        self
    }

    /// Sends a JSON text, and waits for the whole answer; its status.
    pub async fn post(&mut self, path: &str, body: &str) -> Result<u16> {
        use std::io::Write as _;

        self.sent.clear();
        let (headers, length) = (&self.headers, body.len());
        write!(self.sent, "POST {path} HTTP/1.1\r\n{headers}content-length: {length}\r\n\r\n{body}")?;
        self.stream.write_all(&self.sent).await?;
        self.arrived.clear();
        while !is_whole(&self.arrived)? {
            let read = self.stream.read_buf(&mut self.arrived).await?;
            ensure!(read > 0, "the connection ended");
        }
        let status = self.arrived.get(9..12).and_then(|status| std::str::from_utf8(status).ok());
        status.and_then(|status| status.parse().ok()).context("an answer with a status")
    }

    /// What arrived last, head and body.
    pub fn answer(&self) -> String {
        String::from_utf8_lossy(&self.arrived).into_owned()
    }
}

fn is_whole(arrived: &[u8]) -> Result<bool> {
    let Some(end) = arrived.windows(4).position(|part| part == b"\r\n\r\n") else { return Ok(false) };
    let body = &arrived[end + 4..];
    Ok(match length(std::str::from_utf8(&arrived[..end])?)? {
        Length::Known(length) => body.len() >= length,
        Length::Chunked => body.ends_with(b"0\r\n\r\n"),
    })
}

fn length(head: &str) -> Result<Length> {
    for (name, value) in head.split("\r\n").filter_map(|line| line.split_once(':')) {
        if name.eq_ignore_ascii_case("content-length") {
            return Ok(Length::Known(value.trim().parse()?));
        }
        if name.eq_ignore_ascii_case("transfer-encoding") {
            return Ok(Length::Chunked);
        }
    }
    anyhow::bail!("an answer tells how long it is: {head}")
}
