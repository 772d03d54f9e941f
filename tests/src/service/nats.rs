//! NATS with JetStream. What keeps tests apart is a prefix of streams and subjects: [`crate::database::new_name`].

mod operator;

use anyhow::{Context, Result};
use reqwest::Url;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
};

use super::{
    STORE, Service, Shown, free_port,
    own::{self, OwnServer, Recipe},
    program, write_shown,
};

pub use operator::NatsOperator;

/// Who is let in where one shows a certificate. The password has what a URL must write otherwise.
const LOGIN: (&str, &str) = ("bridge", "p@ss/word");

/// Starts one that keeps its streams in a folder of its own.
pub(super) async fn start(shown: Option<&Shown>) -> Result<OwnServer> {
    let server = program("nats-server", &[])?;
    let folder = own::folder(None)?;
    let port = free_port()?;
    let store = folder.join(STORE);
    let store = store.to_str().context("a path in UTF-8")?;
    let mut arguments = ["-a", "127.0.0.1", "-p", &port.to_string(), "-js", "-sd", store].map(str::to_owned).to_vec();
    let mut url = format!("nats://127.0.0.1:{port}");
    if let Some(shown) = shown {
        let (certificate, key) = write_shown(shown, &folder, None)?;
        let tls = ["--tls", "--tlscert", &certificate, "--tlskey", &key, "--user", LOGIN.0, "--pass", LOGIN.1];
        arguments.extend(tls.map(str::to_owned));
        url = format!("tls://{}:p%40ss%2Fword@localhost:{port}", LOGIN.0);
    }
    OwnServer::start(Recipe {
        service: Service::Nats,
        url,
        folder: folder.clone(),
        program: &server,
        arguments,
        account: None,
        stop: "TERM",
        crash: "KILL",
    })
    .await
}

/// Whether it lets us in, without a password or with the one in the URL, and has JetStream.
pub(super) async fn ask(url: &str) -> Result<()> {
    let url = Url::parse(url)?;
    let host = url.host_str().context("expected nats://[user:password@]host:port")?;
    let mut stream = BufReader::new(TcpStream::connect((host, url.port().unwrap_or(4222))).await?);
    let told = line(&mut stream).await?;
    if url.scheme() == "tls" {
        // Who may come in it asks behind the handshake: that it is there is enough.
        anyhow::ensure!(told.contains("\"tls_required\":true"), "it does not encrypt: {told}");
        return Ok(());
    }
    let told: Value = serde_json::from_str(told.strip_prefix("INFO ").context("it does not answer as NATS does")?)?;
    anyhow::ensure!(told["jetstream"] == true, "it has no JetStream; start it with -js");
    let login = json!({"verbose": false, "pedantic": false, "user": url.username(), "pass": url.password()});
    stream.write_all(format!("CONNECT {login}\r\nPING\r\n").as_bytes()).await?;
    let answer = line(&mut stream).await?;
    anyhow::ensure!(answer == "PONG", "it does not let us in: {answer}");
    Ok(())
}

async fn line(stream: &mut BufReader<TcpStream>) -> Result<String> {
    let mut line = String::new();
    stream.read_line(&mut line).await?;
    Ok(line.trim_end().to_owned())
}
