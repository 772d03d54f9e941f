//! HTTP/1.1 as bytes: paths and headers go out as a case says them, which no client library would do.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value as Json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

/// No answer may take longer.
const ANSWER_MAX: Duration = Duration::from_mins(2);

/// A request.
#[derive(Debug)]
pub(crate) struct Sent {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Got {
    pub(crate) status: u16,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) bytes: Vec<u8>,
    /// The body; null where it is no JSON.
    pub(crate) body: Json,
}

impl Got {
    /// A header's value.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    /// Head and body as text.
    pub(crate) fn everything(&self) -> String {
        let head: Vec<String> = self.headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
        format!("{}\n\n{}", head.join("\n"), String::from_utf8_lossy(&self.bytes))
    }
}

/// Sends a request on a connection of its own.
pub(crate) async fn send(address: &str, sent: Sent) -> Result<Got> {
    let has_body = !sent.body.is_empty();
    let named = |name: &str| sent.headers.iter().any(|(other, _)| other.eq_ignore_ascii_case(name));
    let mut head = vec![format!("{} {} HTTP/1.1", sent.method, sent.path)];
    if !named("host") {
        head.push(format!("host: {address}"));
    }
    if has_body && !named("content-length") && !named("transfer-encoding") {
        head.push(format!("content-length: {}", sent.body.len()));
    }
    head.extend(sent.headers.iter().map(|(name, value)| format!("{name}: {value}")));
    head.push("connection: close\r\n\r\n".to_owned());
    let bytes = [head.join("\r\n").into_bytes(), sent.body].concat();
    exchange(address, bytes, sent.method == "HEAD").await
}

/// Sends bytes and reads the answer.
async fn exchange(address: &str, bytes: Vec<u8>, is_head: bool) -> Result<Got> {
    let (mut reader, mut writer) = TcpStream::connect(address).await.context("connect")?.into_split();
    // The server may answer before it has read everything: writing and reading go side by side.
    let writing = tokio::spawn(async move {
        let written = writer.write_all(&bytes).await;
        (writer, written)
    });
    let mut answer = Vec::new();
    let mut part = vec![0; 64 << 10];
    let read = timeout(ANSWER_MAX, async {
        while !is_whole(&answer, is_head)? {
            match reader.read(&mut part).await {
                Ok(0) | Err(_) => break,
                Ok(length) => answer.extend_from_slice(&part[..length]),
            }
        }
        anyhow::Ok(())
    });
    match read.await {
        Ok(read) => read?,
        Err(_) => bail!("no answer within {ANSWER_MAX:?}"),
    }
    writing.abort();
    parse(&answer)
}

fn split(answer: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = answer.windows(4).position(|part| part == b"\r\n\r\n")?;
    Some((&answer[..end], &answer[end + 4..]))
}

fn is_whole(answer: &[u8], is_head: bool) -> Result<bool> {
    let Some((head, body)) = split(answer) else { return Ok(false) };
    let got = fields(head)?;
    let announced = got.1.iter().find(|(name, _)| name == "content-length").and_then(|(_, value)| value.parse().ok());
    Ok(is_head || matches!(got.0, 204 | 304) || announced.is_some_and(|length: usize| body.len() >= length))
}

fn parse(answer: &[u8]) -> Result<Got> {
    let (head, body) =
        split(answer).with_context(|| format!("no whole answer came, but {:?}", String::from_utf8_lossy(answer)))?;
    let (status, headers) = fields(head)?;
    let chunked = headers.iter().any(|(name, value)| name == "transfer-encoding" && value != "identity");
    ensure!(!chunked, "the answer is chunked, which no answer here is");
    Ok(Got { status, headers, bytes: body.to_vec(), body: serde_json::from_slice(body).unwrap_or_default() })
}

fn fields(head: &[u8]) -> Result<(u16, Vec<(String, String)>)> {
    let text = String::from_utf8_lossy(head);
    let mut lines = text.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok()).context("a status line")?;
    let pair = |line: &str| line.split_once(':').map(|(name, value)| (name.to_lowercase(), value.trim().to_owned()));
    Ok((status, lines.filter_map(pair).collect()))
}
