//! PostgreSQL: from the PATH, or from where Debian keeps its versions. It refuses to run as root: there the user `postgres` runs it.

use std::path::PathBuf;

use anyhow::{Context, Result};
use sqlx::Connection;

use super::{
    Service, Shown, account, free_port,
    own::{self, OwnServer, Recipe},
    program, run, write_shown,
};

const DEBIAN: &str = "/usr/lib/postgresql";

/// Starts one with the user `postgres`, who needs no password.
pub(super) async fn start(shown: Option<&Shown>) -> Result<OwnServer> {
    let folders = versions();
    let (initdb, postgres) = (program("initdb", &folders)?, program("postgres", &folders)?);
    let account = account("postgres")?;
    let folder = own::folder(account)?;
    let data = folder.join("data");
    let data = data.to_str().context("a path in UTF-8")?;
    let made = ["-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"];
    run(&initdb, &made, account).await?;
    let port = free_port()?;
    let mut arguments = vec!["-D".to_owned(), data.to_owned()];
    for setting in [
        format!("port={port}"),
        "listen_addresses=127.0.0.1".to_owned(),
        "unix_socket_directories=".to_owned(),
        "fsync=off".to_owned(),
        "max_connections=300".to_owned(),
    ] {
        arguments.extend(["-c".to_owned(), setting]);
    }
    let mut url = format!("postgres://postgres@127.0.0.1:{port}/postgres");
    if let Some(shown) = shown {
        let (certificate, key) = write_shown(shown, &folder, account)?;
        std::fs::write(folder.join("data/pg_hba.conf"), "hostssl all all 127.0.0.1/32 trust\n")?;
        for setting in ["ssl=on".to_owned(), format!("ssl_cert_file={certificate}"), format!("ssl_key_file={key}")] {
            arguments.extend(["-c".to_owned(), setting]);
        }
        url.push_str("?sslmode=require");
    }
    OwnServer::start(Recipe {
        service: Service::Postgres,
        url,
        folder,
        program: &postgres,
        arguments,
        account,
        stop: "INT",
        crash: "QUIT",
    })
    .await
}

/// Whether it lets us make databases.
pub(super) async fn ask(url: &str) -> Result<()> {
    let mut connection = sqlx::PgConnection::connect(url).await?;
    let may: bool = sqlx::query_scalar("SELECT rolcreatedb FROM pg_roles WHERE rolname = current_user")
        .fetch_one(&mut connection)
        .await?;
    connection.close().await?;
    anyhow::ensure!(may, "the user may not make databases");
    Ok(())
}

/// The newest first.
fn versions() -> Vec<PathBuf> {
    let mut versions: Vec<(u32, PathBuf)> = std::fs::read_dir(DEBIAN)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .collect();
    versions.sort();
    versions.into_iter().rev().map(|(_, folder)| folder).collect()
}
