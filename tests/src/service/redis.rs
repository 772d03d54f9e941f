//! Redis. What keeps tests apart is a prefix of their keys: [`crate::database::new_name`].

use anyhow::{Context, Result};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::{
    Service, free_port,
    own::{self, OwnServer, Recipe},
    program,
};

/// Starts one that keeps nothing on disk.
pub(super) async fn start() -> Result<OwnServer> {
    let server = program("redis-server", &[])?;
    let folder = own::folder(None)?;
    let port = free_port()?;
    let mut arguments = vec!["--port".to_owned(), port.to_string()];
    let dir = folder.to_str().context("a path in UTF-8")?;
    arguments.extend(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", dir].map(str::to_owned));
    OwnServer::start(Recipe {
        service: Service::Redis,
        url: format!("redis://127.0.0.1:{port}/"),
        folder: folder.clone(),
        program: &server,
        arguments,
        account: None,
        stop: "TERM",
        crash: "KILL",
    })
    .await
}

/// Whether it answers without a password, or with the one in the URL.
pub(super) async fn ask(url: &str) -> Result<()> {
    let rest = url.strip_prefix("redis://").context("expected redis://[:password@]host:port/")?;
    let rest = rest.split('/').next().unwrap_or(rest);
    let (login, address) = rest.rsplit_once('@').map_or((None, rest), |(login, address)| (Some(login), address));
    let mut stream = TcpStream::connect(address).await?;
    if let Some((user, password)) = login.and_then(|login| login.split_once(':')) {
        let user = if user.is_empty() { "default" } else { user };
        stream.write_all(format!("AUTH {user} {password}\r\n").as_bytes()).await?;
        anyhow::ensure!(line(&mut stream).await? == "+OK", "it refuses the password");
    }
    stream.write_all(b"PING\r\n").await?;
    anyhow::ensure!(line(&mut stream).await? == "+PONG", "it does not answer as Redis does");
    Ok(())
}

async fn line(stream: &mut TcpStream) -> Result<String> {
    let mut line = Vec::new();
    while !line.ends_with(b"\r\n") {
        line.push(stream.read_u8().await?);
    }
    line.truncate(line.len() - 2);
    Ok(String::from_utf8(line)?)
}
