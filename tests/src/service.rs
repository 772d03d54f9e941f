//! Servers that tests need beside Santokit: PostgreSQL, MariaDB, Redis, NATS, a store that speaks S3. One of each a test process, looked for where the
//! environment says, then at the standard port of this machine, then started from its program with a folder of its own and
//! stopped with the process. Where none can be had the test fails and says what to do: it is never skipped.

mod mysql;
mod nats;
mod own;
mod postgres;
mod redis;
mod s3;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result, bail};
use tokio::sync::OnceCell;

pub use nats::NatsOperator;
pub use own::OwnServer;
pub use s3::S3;

/// A kind of server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Service {
    /// PostgreSQL.
    Postgres,
    /// MariaDB, or MySQL where the environment names one.
    Mysql,
    /// Redis.
    Redis,
    /// NATS with JetStream.
    Nats,
    /// A store that speaks S3.
    S3,
}

/// A certificate and its key, in PEM.
#[derive(Clone, Debug)]
pub struct Shown {
    /// The certificate, then those between it and the authority.
    pub certificate: String,
    /// Its key.
    pub key: String,
}

/// Where in its folder a server keeps what tests may want lost.
const STORE: &str = "store";

/// How long a server that is there may take to answer.
const ANSWER_MAX: Duration = Duration::from_secs(20);

/// The one of this process.
static POSTGRES: OnceCell<Found> = OnceCell::const_new();
static MYSQL: OnceCell<Found> = OnceCell::const_new();
static REDIS: OnceCell<Found> = OnceCell::const_new();
static NATS: OnceCell<Found> = OnceCell::const_new();
static OBJECTS: OnceCell<Found> = OnceCell::const_new();

/// Where a server was found.
struct Found {
    url: String,
    /// Stopped when this process ends, for then its standard input does.
    _own: Option<OwnServer>,
}

impl Service {
    /// The server's URL, as one who may do anything there: `postgres://…/postgres`, `mysql://…/`, `redis://…/`,
    /// `nats://…`, `http://KEY:SECRET@…/`.
    pub async fn url(self) -> Result<&'static str> {
        let cell = match self {
            Service::Postgres => &POSTGRES,
            Service::Mysql => &MYSQL,
            Service::Redis => &REDIS,
            Service::Nats => &NATS,
            Service::S3 => &OBJECTS,
        };
        Ok(&cell.get_or_try_init(|| self.find()).await?.url)
    }

    /// Starts a server of the test's own, which it may stop, kill and start again. Its data goes with it.
    pub async fn start(self) -> Result<OwnServer> {
        self.start_as(None).await
    }

    /// The same, of a database or a NATS that shows a certificate and takes nobody who does not encrypt. That NATS asks for a user too.
    pub async fn start_with_tls(self, shown: &Shown) -> Result<OwnServer> {
        self.start_as(Some(shown)).await
    }

    async fn start_as(self, shown: Option<&Shown>) -> Result<OwnServer> {
        let started = match self {
            Service::Postgres => postgres::start(shown).await,
            Service::Mysql => mysql::start(shown).await,
            Service::Redis => redis::start().await,
            Service::Nats => nats::start(shown).await,
            Service::S3 => s3::start().await,
        };
        started.with_context(|| format!("cannot start {}; {}", self.name(), self.advice()))
    }

    async fn find(self) -> Result<Found> {
        if let Ok(url) = std::env::var(self.variable()) {
            // What was asked for is used or missed: another server would answer other questions.
            self.ask(&url).await.with_context(|| format!("{} names no server that can be used", self.variable()))?;
            return Ok(Found { url, _own: None });
        }
        for url in self.standard() {
            if self.ask(url).await.is_ok() {
                return Ok(Found { url: (*url).to_owned(), _own: None });
            }
        }
        let own = self.start().await?;
        Ok(Found { url: own.url().to_owned(), _own: Some(own) })
    }

    /// Whether a server is there and lets us in.
    async fn ask(self, url: &str) -> Result<()> {
        let asking = async {
            match self {
                Service::Postgres => postgres::ask(url).await,
                Service::Mysql => mysql::ask(url).await,
                Service::Redis => redis::ask(url).await,
                Service::Nats => nats::ask(url).await,
                Service::S3 => s3::ask(url).await,
            }
        };
        tokio::time::timeout(ANSWER_MAX, asking).await.context("no answer")?
    }

    const fn name(self) -> &'static str {
        match self {
            Service::Postgres => "PostgreSQL",
            Service::Mysql => "MariaDB",
            Service::Redis => "Redis",
            Service::Nats => "NATS",
            Service::S3 => "a store that speaks S3",
        }
    }

    const fn variable(self) -> &'static str {
        match self {
            Service::Postgres => "STK_TEST_POSTGRES_URL",
            Service::Mysql => "STK_TEST_MYSQL_URL",
            Service::Redis => "STK_TEST_REDIS_URL",
            Service::Nats => "STK_TEST_NATS_URL",
            Service::S3 => "STK_TEST_S3_URL",
        }
    }

    /// Where a developer's machine has one, with what works there where nobody has set a password.
    const fn standard(self) -> &'static [&'static str] {
        match self {
            Service::Postgres => {
                &["postgres://postgres@127.0.0.1:5432/postgres", "postgres://root@127.0.0.1:5432/postgres"]
            }
            Service::Mysql => &["mysql://root@127.0.0.1:3306/"],
            Service::Redis => &["redis://127.0.0.1:6379/"],
            Service::Nats => &["nats://127.0.0.1:4222"],
            // Which key opens one that happens to be here nobody knows.
            Service::S3 => &[],
        }
    }

    fn advice(self) -> String {
        if self == Service::S3 {
            let variable = self.variable();
            return format!(
                "install its program (`cargo xtask setup`), or name a store in which tests may make buckets in \
                 {variable}: http://KEY:SECRET@HOST:PORT/"
            );
        }
        let package = match self {
            Service::Postgres => "postgresql",
            Service::Mysql => "mariadb-server",
            Service::Redis | Service::S3 => "redis-server",
            Service::Nats => "nats-server",
        };
        format!(
            "install its programs (`cargo xtask setup`, or Debian's package {package}), or name a server of which \
             tests may make and drop databases in {}",
            self.variable()
        )
    }
}

/// A program, on the PATH or in a folder where Debian keeps it.
fn program(name: &str, elsewhere: &[PathBuf]) -> Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = elsewhere.to_vec();
    folders.extend(std::env::split_paths(&path));
    folders.extend(["/usr/sbin", "/usr/bin", "/usr/local/bin"].map(PathBuf::from));
    let found = folders.into_iter().map(|folder| folder.join(name)).find(|file| file.is_file());
    found.with_context(|| format!("there is no program `{name}`"))
}

/// A port that nobody uses now.
fn free_port() -> Result<u16> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// Where this process runs as root, a server that refuses to: user and group of an account for it, (uid, gid).
fn account(name: &str) -> Result<Option<(u32, u32)>> {
    if !rustix::process::geteuid().is_root() {
        return Ok(None);
    }
    let accounts = std::fs::read_to_string("/etc/passwd")?;
    let line = accounts.lines().find(|line| line.split(':').next() == Some(name));
    let mut numbers = line.with_context(|| format!("there is no user {name:?}"))?.split(':').skip(2);
    let mut number = || numbers.next().and_then(|number| number.parse().ok()).context("a number in /etc/passwd");
    Ok(Some((number()?, number()?)))
}

/// Writes a certificate and its key where only the server's account reads them; their paths.
fn write_shown(shown: &Shown, folder: &Path, account: Option<(u32, u32)>) -> Result<(String, String)> {
    let write = |name: &str, text: &str| {
        let path = folder.join(name);
        std::fs::write(&path, text)?;
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
        if let Some((user, group)) = account {
            std::os::unix::fs::chown(&path, Some(user), Some(group))?;
        }
        path.to_str().map(str::to_owned).context("a path in UTF-8")
    };
    Ok((write("shown.pem", &shown.certificate)?, write("shown.key", &shown.key)?))
}

/// Runs a program of a server's to its end; its output is the error.
async fn run(program: &Path, arguments: &[&str], account: Option<(u32, u32)>) -> Result<()> {
    let mut command = tokio::process::Command::new(program);
    command.args(arguments).current_dir("/").stdin(std::process::Stdio::null());
    if let Some((user, group)) = account {
        command.uid(user).gid(group);
    }
    let output = command.output().await?;
    if !output.status.success() {
        let said = [output.stdout, output.stderr].concat();
        bail!("`{}` failed ({}):\n{}", program.display(), output.status, String::from_utf8_lossy(&said));
    }
    Ok(())
}
