//! MariaDB. A MySQL is used where the environment names one; it is never started from here.

use anyhow::{Context, Result};
use sqlx::Connection;

use super::{
    Service, Shown, account, free_port,
    own::{self, OwnServer, Recipe},
    program, run, write_shown,
};

/// Whoever reaches it over the address is root, as at a developer's own server.
const INITIAL: &str = "CREATE OR REPLACE USER 'root'@'127.0.0.1' IDENTIFIED BY ''; \
    GRANT ALL PRIVILEGES ON *.* TO 'root'@'127.0.0.1' WITH GRANT OPTION;\n";

/// Starts one with the user `root`, who needs no password.
pub(super) async fn start(shown: Option<&Shown>) -> Result<OwnServer> {
    let (install, server) = (program("mariadb-install-db", &[])?, program("mariadbd", &[])?);
    let account = account("mysql")?;
    let folder = own::folder(account)?;
    let path = |name: &str| folder.join(name).to_str().map(str::to_owned).context("a path in UTF-8");
    let (data, initial) = (format!("--datadir={}", path("data")?), path("initial.sql")?);
    std::fs::write(&initial, INITIAL)?;
    let made = ["--no-defaults", &data, "--auth-root-authentication-method=normal", "--skip-test-db"];
    // Where a MariaDB starts, it removes the temporary tables of whoever else has the same folder for them: a server that runs there
    // then fails in the middle of a statement, or crashes.
    let temporary = format!("--tmpdir={}", folder.to_str().context("a path in UTF-8")?);
    run(&install, &[made.as_slice(), &[temporary.as_str()]].concat(), account).await?;
    let port = free_port()?;
    let mut arguments = vec![
        "--no-defaults".to_owned(),
        data,
        temporary,
        format!("--init-file={initial}"),
        format!("--port={port}"),
        "--bind-address=127.0.0.1".to_owned(),
        "--skip-name-resolve".to_owned(),
        format!("--socket={}", path("socket")?),
        format!("--pid-file={}", path("pid")?),
        "--max-connections=300".to_owned(),
        "--innodb-buffer-pool-size=64M".to_owned(),
        "--innodb-flush-log-at-trx-commit=2".to_owned(),
    ];
    let mut url = format!("mysql://root@127.0.0.1:{port}/");
    if let Some(shown) = shown {
        let (certificate, key) = write_shown(shown, &folder, account)?;
        arguments.extend([format!("--ssl-cert={certificate}"), format!("--ssl-key={key}")]);
        arguments.push("--require-secure-transport=ON".to_owned());
        url.push_str("?ssl-mode=REQUIRED");
    }
    OwnServer::start(Recipe {
        service: Service::Mysql,
        url,
        folder: folder.clone(),
        program: &server,
        arguments,
        account,
        stop: "TERM",
        crash: "KILL",
    })
    .await
}

/// Whether it lets us in.
pub(super) async fn ask(url: &str) -> Result<()> {
    let mut connection = sqlx::MySqlConnection::connect(url).await?;
    sqlx::query("SELECT 1").execute(&mut connection).await?;
    Ok(connection.close().await?)
}
