//! What PostgreSQL may send to a connection of guests at once. It makes a row, or the words of an error, of up to a gigabyte, and the driver holds
//! a message whole before anybody can look at it. So between the two there is a relay, within this process, which counts what came since the last
//! row that was taken, and hangs up where that is more than a statement may answer. It sees bytes and no messages: the connection's TLS goes through it
//! from end to end.

use std::{
    fs::DirBuilder,
    io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use sqlx::{Connection as _, Error, PgConnection, postgres::PgConnectOptions};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpStream, UnixListener, UnixStream},
};

/// What is enough for everything that is no row: the begin of a session, a statement's description, an error.
const ANSWER_BYTES_MAX: u64 = 1 << 20;
/// A value can take more bytes on its way than limits count: a number in an array has its type's width and a length.
const WIDTH: u64 = 4;
const BUFFER_BYTES: usize = 64 << 10;

/// How much has come, and how much may.
#[derive(Clone, Debug)]
pub(super) struct Gauge(Arc<Count>);

#[derive(Debug)]
struct Count {
    /// Since the last row that was taken, or since the statement began.
    come: AtomicU64,
    most: AtomicU64,
    is_over: AtomicBool,
}

/// A folder that nobody else can look into, for as long as it takes to connect.
struct Scratch(PathBuf);

/// Connects through a relay.
pub(super) async fn connect(options: &PgConnectOptions) -> Result<(PgConnection, Gauge), Error> {
    let gauge = Gauge::new();
    let counting = gauge.clone();
    let scratch = Scratch::new()?;
    let listener = UnixListener::bind(socket(&scratch.0, options.get_port()))?;
    // The server first: where it is away that is told as without a relay.
    let through = options.clone().socket(&scratch.0);
    let (host, port) = (options.get_host(), options.get_port());
    let folder = options.get_socket().map(PathBuf::as_path).or(host.starts_with('/').then_some(Path::new(host)));
    let connected = if let Some(folder) = folder {
        let server = UnixStream::connect(socket(folder, port)).await?;
        attach(&listener, server, counting, &through).await
    } else {
        let server = TcpStream::connect((host.trim_matches(['[', ']']), port)).await?;
        server.set_nodelay(true)?;
        attach(&listener, server, counting, &through).await
    };
    Ok((connected?, gauge))
}

/// Where the driver looks for a server in a folder.
fn socket(folder: &Path, port: u16) -> PathBuf {
    folder.join(format!(".s.PGSQL.{port}"))
}

async fn attach(
    listener: &UnixListener,
    server: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    gauge: Gauge,
    through: &PgConnectOptions,
) -> Result<PgConnection, Error> {
    let accepting = async {
        let (driver, _) = listener.accept().await?;
        // It ends with either side; who drops the connection drops the driver's.
        tokio::spawn(pass(driver, server, gauge));
        Ok(())
    };
    let ((), connection) = tokio::try_join!(accepting, PgConnection::connect_with(through))?;
    Ok(connection)
}

/// Passes bytes both ways until one side has ended, or too much has come.
async fn pass(driver: UnixStream, server: impl AsyncRead + AsyncWrite + Unpin, gauge: Gauge) {
    let (mut from_driver, mut to_driver) = driver.into_split();
    let (mut from_server, mut to_server) = tokio::io::split(server);
    let sent = async { tokio::io::copy(&mut from_driver, &mut to_server).await.map(drop) };
    let answered = async {
        let mut buffer = vec![0; BUFFER_BYTES];
        loop {
            let count = from_server.read(&mut buffer).await?;
            if count == 0 || !gauge.count(count) {
                return io::Result::Ok(());
            }
            to_driver.write_all(buffer.get(..count).unwrap_or_default()).await?;
        }
    };
    // Why a side has ended is told to the other by its end.
    tokio::select! {
        _ = sent => {}
        _ = answered => {}
    }
}

impl Gauge {
    fn new() -> Self {
        Self(Arc::new(Count {
            come: AtomicU64::new(0),
            most: AtomicU64::new(ANSWER_BYTES_MAX),
            is_over: AtomicBool::new(false),
        }))
    }

    /// A statement begins, which may answer so many bytes as limits count them.
    pub(super) fn begin(&self, bytes: u64) {
        self.0.most.store(bytes.saturating_mul(WIDTH).saturating_add(ANSWER_BYTES_MAX), Ordering::Release);
        self.taken();
    }

    /// A row was taken.
    pub(super) fn taken(&self) {
        self.0.come.store(0, Ordering::Release);
    }

    /// Whether it was ended for what came.
    pub(super) fn is_over(&self) -> bool {
        self.0.is_over.load(Ordering::Acquire)
    }

    /// Whether so many more may come.
    fn count(&self, bytes: usize) -> bool {
        let bytes = bytes as u64;
        let come = self.0.come.fetch_add(bytes, Ordering::AcqRel).saturating_add(bytes);
        let fits = come <= self.0.most.load(Ordering::Acquire);
        if !fits {
            self.0.is_over.store(true, Ordering::Release);
        }
        fits
    }
}

impl Scratch {
    fn new() -> io::Result<Self> {
        let path = std::env::temp_dir().join(format!("stk-{}", ulid::Ulid::new().to_string().to_lowercase()));
        DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What is connected needs its name no more.
        drop(std::fs::remove_dir_all(&self.0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn passed(gauge: &Gauge, bytes: usize) -> usize {
        let (driver, ours) = UnixStream::pair().unwrap();
        let (server, theirs) = UnixStream::pair().unwrap();
        let relay = tokio::spawn(pass(driver, server, gauge.clone()));
        let (_unread, mut far) = theirs.into_split();
        let sending = tokio::spawn(async move {
            drop(far.write_all(&vec![7; bytes]).await);
            far
        });
        let mut got = Vec::new();
        let (mut near, asking) = ours.into_split();
        while got.len() < bytes && near.read_buf(&mut got).await.unwrap() > 0 {}
        drop((near, asking));
        relay.await.unwrap();
        sending.abort();
        got.len()
    }

    #[tokio::test]
    async fn what_is_more_than_a_statement_may_answer_ends_the_connection() {
        let gauge = Gauge::new();
        gauge.begin(1 << 20);
        assert_eq!(passed(&gauge, 5 << 20).await, 5 << 20);
        assert!(!gauge.is_over());
        // Nothing was taken of it: this is as much as one message can be.
        assert!(passed(&gauge, 1 << 20).await < 1 << 20);
        assert!(gauge.is_over());
    }

    #[tokio::test]
    async fn rows_that_are_taken_do_not_count() {
        let gauge = Gauge::new();
        for _ in 0..8 {
            assert_eq!(passed(&gauge, 1 << 20).await, 1 << 20);
            gauge.taken();
        }
        assert!(!gauge.is_over());
    }

    #[test]
    fn a_folder_of_a_relay_is_ours_alone_and_goes_with_it() {
        use std::os::unix::fs::PermissionsExt;
        let scratch = Scratch::new().unwrap();
        let path = scratch.0.clone();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
        drop(scratch);
        assert!(!path.exists());
    }
}
