//! TLS of a listener: a certificate and its key from two files, read again when they change, with no restart and no dropped
//! connection. A pair that does not hold together is refused at the start; later it changes nothing, and is told.
//!
//! It asks no client for a certificate, and speaks TLS 1.2 and 1.3 with the one provider of cryptography (aws-lc-rs).

use std::{
    fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use axum_server::tls_rustls::RustlsConfig;
use rustls::{
    InconsistentKeys, ServerConfig,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use tokio::signal::unix::{SignalKind, signal};

/// How often the files are looked at by default.
pub const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// Largest certificate chain or key that is read.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Where a listener's certificate is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// PEM: the certificate of the server first, then those between it and the authority.
    pub certificate: PathBuf,
    /// PEM: its private key.
    pub key: PathBuf,
}

/// What listeners show to clients. Cheap to clone; all clones change together.
#[derive(Clone)]
pub struct Tls {
    files: Arc<TlsFiles>,
    config: RustlsConfig,
}

/// Why a certificate cannot be used. It names files, never what is in them.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// It is not there, or not for this process to read.
    #[error("cannot read {path}")]
    Read {
        /// As configured.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// No certificate is in it.
    #[error("{path} has no certificate; it must be PEM, with BEGIN CERTIFICATE")]
    NoCertificate {
        /// As configured.
        path: PathBuf,
    },
    /// No key is in it, or it is encrypted.
    #[error("{path} has no private key; it must be PEM, with BEGIN PRIVATE KEY, not encrypted")]
    NoKey {
        /// As configured.
        path: PathBuf,
    },
    /// Both are good, but not for each other.
    #[error("the key in {key} is not the key of the first certificate in {certificate}")]
    Mismatch {
        /// As configured.
        certificate: PathBuf,
        /// As configured.
        key: PathBuf,
    },
    /// The library refuses them.
    #[error("the certificate in {certificate} or its key cannot be used: {source}")]
    Refused {
        /// As configured.
        certificate: PathBuf,
        /// Why.
        source: rustls::Error,
    },
}

/// What a file system says of a file; another one means that the file was written or exchanged.
type Stamp = (u64, u64, u64, i64, i64);

impl Tls {
    /// Reads both files.
    pub fn load(files: TlsFiles) -> Result<Self, TlsError> {
        let config = RustlsConfig::from_config(Arc::new(server_config(&files)?));
        Ok(Self { files: Arc::new(files), config })
    }

    /// Reads them again. What is wrong with them changes nothing.
    pub fn reload(&self) -> Result<(), TlsError> {
        self.config.reload_from_config(Arc::new(server_config(&self.files)?));
        Ok(())
    }

    /// Reads them again when they change, which is looked for every so often, and on SIGHUP. Connections that are open go on as they
    /// began. Never ends.
    pub async fn watch(self, every: Duration) {
        // Without the signal, as in a runtime that has none, the files are looked at all the same.
        let mut hangup = signal(SignalKind::hangup()).ok();
        let mut seen = stamps(&self.files);
        loop {
            let asked = async {
                match &mut hangup {
                    Some(hangup) => hangup.recv().await,
                    None => std::future::pending().await,
                }
            };
            let is_asked = tokio::select! { _ = asked => true, () = tokio::time::sleep(every) => false };
            let now = stamps(&self.files);
            if is_asked || now != seen {
                seen = now;
                self.try_again().await;
            }
        }
    }

    /// What the acceptor takes.
    pub(crate) fn config(&self) -> RustlsConfig {
        self.config.clone()
    }

    async fn try_again(&self) {
        let tls = self.clone();
        let certificate = self.files.certificate.display().to_string();
        match tokio::task::spawn_blocking(move || tls.reload()).await {
            Ok(Ok(())) => tracing::info!(certificate, "the certificate was read again"),
            Ok(Err(error)) => {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(certificate, error, "the certificate was not changed; the one before goes on");
            }
            Err(error) => tracing::error!(certificate, %error, "reading the certificate failed"),
        }
    }
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls").field("files", &self.files).finish_non_exhaustive()
    }
}

/// The time of a change and the place on the disk, through links: an orchestrator exchanges the folder that a link points to.
fn stamps(files: &TlsFiles) -> [Option<Stamp>; 2] {
    let stamp = |path: &Path| {
        let found = fs::metadata(path).ok()?;
        Some((found.dev(), found.ino(), found.len(), found.ctime(), found.ctime_nsec()))
    };
    [stamp(&files.certificate), stamp(&files.key)]
}

fn server_config(files: &TlsFiles) -> Result<ServerConfig, TlsError> {
    let TlsFiles { certificate, key } = files;
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&read(certificate)?)
        .collect::<Result<_, _>>()
        .map_err(|_| TlsError::NoCertificate { path: certificate.clone() })?;
    if chain.is_empty() {
        return Err(TlsError::NoCertificate { path: certificate.clone() });
    }
    let private = PrivateKeyDer::from_pem_slice(&read(key)?).map_err(|_| TlsError::NoKey { path: key.clone() })?;
    let refused = |source| match source {
        rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
            TlsError::Mismatch { certificate: certificate.clone(), key: key.clone() }
        }
        source => TlsError::Refused { certificate: certificate.clone(), source },
    };
    let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(refused)?
        .with_no_client_auth()
        .with_single_cert(chain, private)
        .map_err(refused)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    use io::Read as _;
    let unreadable = |source| TlsError::Read { path: path.to_owned(), source };
    let mut bytes = Vec::new();
    fs::File::open(path).map_err(unreadable)?.take(FILE_BYTES_MAX).read_to_end(&mut bytes).map_err(unreadable)?;
    Ok(bytes)
}
