//! A relay between a Bridge and its Hub: it gives the Hub one address for its whole life, however often the process behind it
//! changes, and it notes in which order requests were asked and answered. It changes nothing of what it passes on.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::Result;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream, tcp::OwnedReadHalf, tcp::OwnedWriteHalf},
    task::JoinHandle,
};

/// Where Bridges find their Hub. Ends when dropped.
pub struct Relay {
    /// `http://127.0.0.1:…`
    pub url: String,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

/// One request, and its answer once it is there.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// Method and path with its query.
    pub request: String,
    /// `If-None-Match`.
    pub etag: Option<String>,
    /// When it was asked: a number that only grows.
    pub asked: usize,
    /// When it was answered, with which status.
    pub answered: Option<(usize, u16)>,
}

#[derive(Default)]
struct Shared {
    target: Mutex<Option<SocketAddr>>,
    notes: Mutex<Notes>,
}

#[derive(Default)]
struct Notes {
    clock: usize,
    exchanges: Vec<Exchange>,
}

impl Relay {
    /// To nobody yet.
    pub async fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let shared = Arc::new(Shared::default());
        let relay = Arc::clone(&shared);
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(pass(client, Arc::clone(&relay)));
            }
        });
        Ok(Self { url, shared, accepting })
    }

    /// To a Hub from now on.
    pub fn point_to(&self, url: &str) -> Result<()> {
        let target = url.trim_start_matches("http://").trim_end_matches('/').parse()?;
        *self.shared.target.lock().unwrap_or_else(PoisonError::into_inner) = Some(target);
        Ok(())
    }

    /// All requests so far, in the order in which they were asked.
    pub fn exchanges(&self) -> Vec<Exchange> {
        self.shared.notes(|notes| notes.exchanges.clone())
    }

    /// A time between what was noted and what will be.
    pub fn now(&self) -> usize {
        self.shared.notes(|notes| {
            notes.clock += 1;
            notes.clock
        })
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Shared {
    fn notes<T>(&self, look: impl FnOnce(&mut Notes) -> T) -> T {
        look(&mut self.notes.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

async fn pass(client: TcpStream, shared: Arc<Shared>) {
    let target = *shared.target.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(target) = target else { return };
    let Ok(hub) = TcpStream::connect(target).await else { return };
    let ((from_client, to_client), (from_hub, to_hub)) = (client.into_split(), hub.into_split());
    // Of this connection, not answered yet: HTTP/1.1 answers in order.
    let open = Mutex::new(VecDeque::new());
    let asked = copy(from_client, to_hub, |chunk| {
        if let Some(exchange) = request(chunk) {
            shared.notes(|notes| {
                notes.clock += 1;
                notes.exchanges.push(Exchange { asked: notes.clock, ..exchange });
                open.lock().unwrap_or_else(PoisonError::into_inner).push_back(notes.exchanges.len() - 1);
            });
        }
    });
    let answered = copy(from_hub, to_client, |chunk| {
        let Some(status) = status(chunk) else { return };
        if let Some(index) = open.lock().unwrap_or_else(PoisonError::into_inner).pop_front() {
            shared.notes(|notes| {
                notes.clock += 1;
                notes.exchanges[index].answered = Some((notes.clock, status));
            });
        }
    });
    // Whichever side ends, the other sees the end as well.
    tokio::select! { () = asked => {} () = answered => {} }
}

async fn copy(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, look: impl Fn(&[u8])) {
    let mut buffer = vec![0; 64 << 10];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        look(&buffer[..length]);
        if to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
}

fn request(chunk: &[u8]) -> Option<Exchange> {
    let text = std::str::from_utf8(chunk).ok()?;
    let request = text.lines().next()?.strip_suffix(" HTTP/1.1")?.to_owned();
    let etag = text.lines().find_map(|line| line.strip_prefix("if-none-match: ")).map(str::to_owned);
    Some(Exchange { request, etag, asked: 0, answered: None })
}

fn status(chunk: &[u8]) -> Option<u16> {
    std::str::from_utf8(chunk.strip_prefix(b"HTTP/1.1 ")?.get(..3)?).ok()?.parse().ok()
}
