//! Servers that tests run against: PostgreSQL, MariaDB, Redis and NATS. One that runs is as good as a program that can be started;
//! tests look in the same order.

use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::time::Duration;

use anyhow::bail;

use crate::machine;
use crate::terminal::note;

struct Server {
    name: &'static str,
    variable: &'static str,
    port: u16,
    programs: &'static [&'static str],
    package: &'static str,
}

const SERVERS: [Server; 4] = [
    Server {
        name: "PostgreSQL",
        variable: "STK_TEST_POSTGRES_URL",
        port: 5432,
        programs: &["initdb", "postgres"],
        package: "postgresql",
    },
    Server {
        name: "MariaDB",
        variable: "STK_TEST_MYSQL_URL",
        port: 3306,
        programs: &["mariadb-install-db", "mariadbd"],
        package: "mariadb-server",
    },
    Server {
        name: "Redis",
        variable: "STK_TEST_REDIS_URL",
        port: 6379,
        programs: &["redis-server"],
        package: "redis-server",
    },
    Server {
        name: "NATS",
        variable: "STK_TEST_NATS_URL",
        port: 4222,
        programs: &["nats-server"],
        package: "nats-server",
    },
];

/// Debian keeps PostgreSQL's versions beside each other, off the PATH.
const POSTGRES_VERSIONS: &str = "/usr/lib/postgresql";
const FOLDERS: [&str; 3] = ["/usr/sbin", "/usr/bin", "/usr/local/bin"];

/// Finds or installs them.
pub(super) fn ensure() -> anyhow::Result<()> {
    let missing: Vec<_> = SERVERS.iter().filter(|server| !server.is_here()).collect();
    if !missing.is_empty() {
        let packages: Vec<_> = missing.iter().map(|server| server.package).collect();
        let installed = machine::install_without_starting(&packages);
        // A package whose service could not be started has its programs all the same.
        if let Some(server) = missing.iter().find(|server| !server.is_here()) {
            let reason = installed.err().map_or_else(|| "its package lacks it".to_owned(), |error| error.to_string());
            bail!("no {}: {reason}; or name a server in {}", server.name, server.variable);
        }
    }
    for server in &SERVERS {
        note(&format!("{}: found", server.name));
    }
    Ok(())
}

impl Server {
    fn is_here(&self) -> bool {
        std::env::var_os(self.variable).is_some() || self.programs.iter().all(|program| has(program)) || self.runs()
    }

    fn runs(&self) -> bool {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.port));
        TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_ok()
    }
}

fn has(program: &str) -> bool {
    let versions = std::fs::read_dir(POSTGRES_VERSIONS).into_iter().flatten().flatten();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders = versions.map(|version| version.path().join("bin")).chain(std::env::split_paths(&path));
    folders.any(|folder| folder.join(program).is_file())
        || FOLDERS.iter().any(|folder| Path::new(folder).join(program).is_file())
}
