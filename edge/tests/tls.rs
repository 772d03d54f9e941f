//! TLS over real sockets, with authorities made for the test: which versions are spoken, certificates that are exchanged while the
//! listener runs, pairs that are none.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{fs, net::SocketAddr, path::Path, sync::Arc, time::Duration};

use axum::{Router, routing::get};
use rcgen::{BasicConstraints, Certificate, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::{CertificateDer, ServerName};
use santokit_edge::{Bounds, Tls, TlsError, TlsFiles, listener};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    signal::unix::{SignalKind, signal},
    task::JoinSet,
    time::timeout,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

const SOON: Duration = Duration::from_mins(1);
const LONG: Duration = Duration::from_mins(10);

/// An authority that nobody else knows.
struct Authority {
    certificate: Certificate,
    issuer: Issuer<'static, KeyPair>,
}

struct Listening {
    address: SocketAddr,
    tls: Tls,
    files: TlsFiles,
    authority: Authority,
    _folder: TempDir,
    _tasks: JoinSet<std::io::Result<()>>,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        Self { certificate, issuer: Issuer::new(params, key) }
    }

    /// Writes a certificate for `localhost` and its key, and answers what clients will see.
    fn issue(&self, files: &TlsFiles) -> CertificateDer<'static> {
        let key = KeyPair::generate().unwrap();
        let made = CertificateParams::new(vec!["localhost".to_owned()]).unwrap().signed_by(&key, &self.issuer).unwrap();
        fs::write(&files.certificate, made.pem()).unwrap();
        fs::write(&files.key, key.serialize_pem()).unwrap();
        made.der().clone()
    }
}

fn files(folder: &Path) -> TlsFiles {
    TlsFiles { certificate: folder.join("cert.pem"), key: folder.join("key.pem") }
}

impl Listening {
    fn start(header_timeout: Duration) -> (Self, CertificateDer<'static>) {
        let (folder, authority) = (tempfile::tempdir().unwrap(), Authority::new());
        let files = files(folder.path());
        let shown = authority.issue(&files);
        let tls = Tls::load(files.clone()).unwrap();
        let bounds = Bounds {
            connections_max: 100,
            header_timeout,
            idle_timeout: LONG,
            answer_timeout: LONG,
            header_bytes_max: 16 << 10,
            streams_max: 10,
        };
        let socket = listener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let (address, mut tasks) = (socket.local_addr().unwrap(), JoinSet::new());
        let router = Router::new().route("/", get(async || "hello"));
        listener::serve(&mut tasks, socket, router, bounds, Some(&tls)).unwrap();
        (Self { address, tls, files, authority, _folder: folder, _tasks: tasks }, shown)
    }

    /// A connection with what this listener's authority signs, in any of these versions, and one protocol above it.
    async fn connect(
        &self,
        versions: &[&'static rustls::SupportedProtocolVersion],
        protocol: &str,
    ) -> std::io::Result<TlsStream<TcpStream>> {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(self.authority.certificate.der().clone()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = rustls::ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
        let stream = TcpStream::connect(self.address).await?;
        TlsConnector::from(Arc::new(config)).connect(ServerName::try_from("localhost").unwrap(), stream).await
    }

    /// What a new client is shown.
    async fn shown(&self) -> CertificateDer<'static> {
        let stream = self.connect(rustls::ALL_VERSIONS, "http/1.1").await.unwrap();
        stream.get_ref().1.peer_certificates().unwrap()[0].clone().into_owned()
    }
}

async fn ask(stream: &mut TlsStream<TcpStream>, connection: &str) -> String {
    let request = format!("GET / HTTP/1.1\r\nhost: localhost\r\nconnection: {connection}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut bytes = Vec::new();
    let reading = async {
        while !bytes.ends_with(b"hello") {
            let mut buffer = [0; 1024];
            let length = stream.read(&mut buffer).await.unwrap();
            assert!(length > 0, "closed");
            bytes.extend_from_slice(&buffer[..length]);
        }
    };
    timeout(SOON, reading).await.unwrap();
    String::from_utf8(bytes).unwrap()
}

#[tokio::test]
async fn it_speaks_tls_1_2_and_1_3_and_both_versions_of_http() {
    let (server, _) = Listening::start(LONG);
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let mut stream = server.connect(&[version], "http/1.1").await.unwrap();
        assert_eq!(stream.get_ref().1.protocol_version(), Some(version.version));
        assert!(ask(&mut stream, "close").await.starts_with("HTTP/1.1 200"));
    }
    let stream = server.connect(rustls::ALL_VERSIONS, "h2").await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(b"h2".as_slice()));
    let (client, connection) = h2::client::handshake(stream).await.unwrap();
    let connection = tokio::spawn(connection);
    let request = http::Request::get("https://localhost/").body(()).unwrap();
    let answer = client.ready().await.unwrap().send_request(request, true).unwrap().0.await.unwrap();
    assert_eq!(answer.status(), 200);
    connection.abort();
}

#[tokio::test]
async fn older_versions_and_plain_http_are_refused() {
    let (server, _) = Listening::start(LONG);
    // A hello of TLS 1.1 with the suite that every TLS 1.1 has, and no extension.
    let mut hello = vec![0x03, 0x02];
    hello.extend([7; 32]);
    hello.extend([0, 0, 2, 0x00, 0x2f, 1, 0]);
    let length = u8::try_from(hello.len()).unwrap();
    let record = [vec![0x16, 0x03, 0x01, 0, length + 4, 1, 0, 0, length], hello].concat();
    for sent in [record.as_slice(), b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n"] {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(sent).await.unwrap();
        let mut answer = Vec::new();
        drop(timeout(SOON, stream.read_to_end(&mut answer)).await.unwrap());
        // An alert, or nothing.
        assert!(answer.is_empty() || answer[0] == 0x15, "{answer:?}");
    }
    let mut stream = server.connect(rustls::ALL_VERSIONS, "http/1.1").await.unwrap();
    assert!(ask(&mut stream, "close").await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn a_handshake_has_its_time() {
    let (server, _) = Listening::start(Duration::from_millis(500));
    for sent in [b"".as_slice(), &[0x16, 0x03, 0x01, 0x01]] {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(sent).await.unwrap();
        drop(timeout(SOON, stream.read_to_end(&mut Vec::new())).await.expect("it is still open"));
    }
    // And so has the first request after it.
    let mut stream = server.connect(rustls::ALL_VERSIONS, "http/1.1").await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
    drop(timeout(SOON, stream.read_to_end(&mut Vec::new())).await.expect("it is still open"));
}

#[tokio::test]
async fn a_certificate_is_exchanged_while_connections_go_on() {
    let (server, before) = Listening::start(LONG);
    let mut open = server.connect(rustls::ALL_VERSIONS, "http/1.1").await.unwrap();
    ask(&mut open, "keep-alive").await;
    assert_eq!(server.shown().await, before);

    let watching = tokio::spawn(server.tls.clone().watch(Duration::from_millis(100)));
    let after = server.authority.issue(&server.files);
    timeout(SOON, async { while server.shown().await != after {} }).await.expect("the new one was never shown");
    ask(&mut open, "keep-alive").await;

    // A key of another certificate changes nothing, until its own comes.
    let other = tempfile::tempdir().unwrap();
    let last = server.authority.issue(&files(other.path()));
    fs::copy(files(other.path()).key, &server.files.key).unwrap();
    assert!(matches!(server.tls.reload(), Err(TlsError::Mismatch { .. })));
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(server.shown().await, after);
    fs::copy(files(other.path()).certificate, &server.files.certificate).unwrap();
    timeout(SOON, async { while server.shown().await != last {} }).await.expect("the last one was never shown");
    ask(&mut open, "close").await;
    watching.abort();
}

#[tokio::test]
async fn a_hangup_reads_the_files_again() {
    // So that the signal does not end this process before the watcher has it.
    let _ours = signal(SignalKind::hangup()).unwrap();
    let (server, before) = Listening::start(LONG);
    let watching = tokio::spawn(server.tls.clone().watch(LONG));
    let after = server.authority.issue(&server.files);
    assert_eq!(server.shown().await, before);
    let process = std::process::id().to_string();
    let hanging_up = async {
        while server.shown().await != after {
            let sent = tokio::process::Command::new("kill").args(["-HUP", &process]).status().await.unwrap();
            assert!(sent.success());
        }
    };
    timeout(SOON, hanging_up).await.expect("the new one was never shown");
    watching.abort();
}

#[test]
fn what_is_no_pair_is_told_by_the_files_names_alone() {
    let (folder, authority) = (tempfile::tempdir().unwrap(), Authority::new());
    let good = files(folder.path());
    authority.issue(&good);
    let told = |files: TlsFiles| {
        let error = Tls::load(files).unwrap_err();
        let text = error.to_string();
        assert!(!text.contains("MII") && !text.contains("PRIVATE KEY-----"), "{text}");
        text
    };
    let missing = folder.path().join("missing.pem");
    let named = |path: &Path| path.display().to_string();
    let text = told(TlsFiles { certificate: missing.clone(), ..good.clone() });
    assert_eq!(text, format!("cannot read {}", named(&missing)));
    let text = told(TlsFiles { certificate: good.key.clone(), ..good.clone() });
    assert!(text.starts_with(&format!("{} has no certificate", named(&good.key))), "{text}");
    let text = told(TlsFiles { key: good.certificate.clone(), ..good.clone() });
    assert!(text.starts_with(&format!("{} has no private key", named(&good.certificate))), "{text}");

    let other = tempfile::tempdir().unwrap();
    authority.issue(&files(other.path()));
    let text = told(TlsFiles { key: files(other.path()).key, ..good.clone() });
    assert!(text.contains("is not the key of the first certificate"), "{text}");
    fs::write(&good.certificate, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").unwrap();
    assert!(told(good).contains("cannot be used"));
}
