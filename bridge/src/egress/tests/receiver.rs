//! A server over TLS that keeps what it was asked and answers by a script.

use std::{
    fs,
    path::PathBuf,
    sync::{Arc, Mutex},
};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::{
    ServerConfig,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

/// One request as it came.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: String,
    /// Of the receiver.
    pub(super) port: u16,
}

/// What is answered.
pub(super) enum Script {
    /// This, and the connection ends.
    Raw(String),
    /// The one, and then the other for ever.
    Endless(&'static str, &'static str),
    /// This, and then nothing.
    Silent(String),
    /// Also what is no text.
    Bytes(Vec<u8>),
}

/// A receiver. Dropped, it ends.
pub(super) struct Receiver {
    pub(super) port: u16,
    pub(super) ca: PathBuf,
    seen: Arc<Mutex<Vec<Seen>>>,
    _folder: TempDir,
    _serving: tokio::task::JoinSet<()>,
}

impl Seen {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    fn read(head: &str, body: String, port: u16) -> Self {
        let mut lines = head.split("\r\n");
        let mut first = lines.next().unwrap().split(' ').map(str::to_owned);
        let (method, path) = (first.next().unwrap(), first.next().unwrap());
        let header = |line: &str| line.split_once(": ").map(|(name, value)| (name.to_lowercase(), value.to_owned()));
        Self { method, path, headers: lines.filter_map(header).collect(), body, port }
    }
}

impl Script {
    /// An answer with a length.
    pub(super) fn answer(status: &str, headers: &[(&str, &str)], body: &[u8]) -> Self {
        let lines: Vec<String> = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let headers = lines.concat();
        let mut bytes = format!("HTTP/1.1 {status}\r\n{headers}content-length: {}\r\n\r\n", body.len()).into_bytes();
        bytes.extend_from_slice(body);
        Self::Bytes(bytes)
    }
}

impl Receiver {
    /// Serves names of `.test`.
    pub(super) async fn start(script: impl Fn(&Seen) -> Script + Send + Sync + 'static) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (acceptor, authority) = certificate();
        let ca = folder.path().join("ca.pem");
        fs::write(&ca, authority).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (seen, script) = (Arc::new(Mutex::new(Vec::new())), Arc::new(script));
        let mut serving = tokio::task::JoinSet::new();
        let kept = Arc::clone(&seen);
        serving.spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, script, kept) = (acceptor.clone(), Arc::clone(&script), Arc::clone(&kept));
                connections.spawn(async move {
                    let Ok(mut stream) = acceptor.accept(stream).await else { return };
                    let Some(request) = read(&mut stream, port).await else { return };
                    kept.lock().unwrap().push(request.clone());
                    // Whoever has enough goes.
                    let _ = answer(&mut stream, script(&request)).await;
                });
            }
        });
        Self { port, ca, seen, _folder: folder, _serving: serving }
    }

    /// What was asked so far.
    pub(super) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

async fn read(stream: &mut TlsStream<TcpStream>, port: u16) -> Option<Seen> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let request = Seen::read(head, body.to_owned(), port);
            let length: usize = request.header("content-length").map_or(0, |length| length.parse().unwrap());
            if body.len() >= length {
                return Some(request);
            }
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
}

async fn answer(stream: &mut TlsStream<TcpStream>, script: Script) -> std::io::Result<()> {
    match script {
        Script::Raw(text) => stream.write_all(text.as_bytes()).await?,
        Script::Bytes(bytes) => stream.write_all(&bytes).await?,
        Script::Silent(text) => {
            stream.write_all(text.as_bytes()).await?;
            stream.flush().await?;
            std::future::pending::<()>().await;
        }
        Script::Endless(first, then) => {
            stream.write_all(first.as_bytes()).await?;
            // A chunk of a body needs its content.
            let then = if then == "400\r\n" { format!("{then}{}\r\n", "a".repeat(0x400)) } else { then.to_owned() };
            loop {
                stream.write_all(then.as_bytes()).await?;
            }
        }
    }
    stream.shutdown().await
}

/// For names of `.test`, and the authority that vouches for it.
fn certificate() -> (TlsAcceptor, String) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let authority = params.self_signed(&key).unwrap().pem();
    let issuer = Issuer::new(params, key);
    let key = KeyPair::generate().unwrap();
    let names = ["api.test", "other.test", "inside.test", "evil.test"].map(str::to_owned).to_vec();
    let made = CertificateParams::new(names).unwrap().signed_by(&key, &issuer).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.der().clone()], key)
        .unwrap();
    (TlsAcceptor::from(Arc::new(config)), authority)
}
