//! Files in a folder, by two handlers in axum that one would write by hand: what is put is whole and synced before it has its name, and is read as it
//! lies there. No credential, no type, and a digest of what is put only where it is asked for. A process of its own, as the Bridge is.

use std::{path::PathBuf, process::Stdio};

use anyhow::{Context as _, Result};
use aws_lc_rs::digest::{Context, SHA256};
use axum::{
    Router,
    body::Body,
    extract::{DefaultBodyLimit, Path, State},
    http::StatusCode,
    routing::put,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use futures_util::{StreamExt as _, stream};
use tokio::{
    fs::File,
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    process::{Child, Command},
};

/// The first argument of the process.
pub(crate) const ARGUMENT: &str = "serve-files-by-hand";
/// As the Bridge reads.
const PART: usize = 256 << 10;

/// Ended when it is dropped.
pub(crate) struct Plain {
    /// `http://host:port/name`
    pub(crate) url: String,
    /// Where what is put is hashed as it passes.
    pub(crate) hashed_url: String,
    process: Child,
}

impl Plain {
    /// In a folder.
    pub(crate) async fn start(folder: &std::path::Path) -> Result<Self> {
        let mut process = Command::new(std::env::current_exe()?)
            .arg(ARGUMENT)
            .arg(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let mut lines = BufReader::new(process.stdout.take().context("standard output")?).lines();
        let host = lines.next_line().await?.context("the handlers by hand did not start")?;
        let (url, hashed_url) = (format!("http://{host}/large"), format!("http://{host}/hashed/large"));
        Ok(Self { url, hashed_url, process })
    }

    /// Of the process.
    pub(crate) fn pid(&self) -> u32 {
        self.process.id().unwrap_or_default()
    }
}

/// The process itself: serves until it is killed.
pub(crate) async fn serve(folder: &str) -> Result<()> {
    let routes = Router::new().route("/{name}", put(write).get(read)).route("/hashed/{name}", put(write_hashed));
    let unbounded = routes.layer(DefaultBodyLimit::disable());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?);
    Ok(axum::serve(listener, unbounded.with_state(PathBuf::from(folder))).await?)
}

async fn write(State(folder): State<PathBuf>, Path(name): Path<String>, body: Body) -> Result<(), StatusCode> {
    kept(folder, name, body, |_| ()).await
}

async fn write_hashed(
    State(folder): State<PathBuf>,
    Path(name): Path<String>,
    body: Body,
) -> Result<String, StatusCode> {
    let mut digest = Context::new(&SHA256);
    kept(folder, name, body, |part| digest.update(part)).await?;
    Ok(STANDARD.encode(digest.finish()))
}

async fn kept(folder: PathBuf, name: String, body: Body, mut passes: impl FnMut(&[u8])) -> Result<(), StatusCode> {
    let incoming = folder.join(format!("{name}.incoming"));
    let written = async {
        let mut file = File::create(&incoming).await?;
        let mut parts = body.into_data_stream();
        while let Some(part) = parts.next().await {
            let part = part.map_err(std::io::Error::other)?;
            passes(&part);
            file.write_all(&part).await?;
        }
        file.flush().await?;
        file.sync_all().await?;
        tokio::fs::rename(&incoming, folder.join(name)).await
    };
    written.await.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)
}

async fn read(State(folder): State<PathBuf>, Path(name): Path<String>) -> Result<Body, StatusCode> {
    let file = File::open(folder.join(name)).await.map_err(|_| StatusCode::NOT_FOUND)?;
    Ok(Body::from_stream(stream::try_unfold(file, |mut file| async move {
        let mut part = Vec::with_capacity(PART);
        let read = (&mut file).take(PART as u64).read_to_end(&mut part).await?;
        Ok::<_, std::io::Error>((read > 0).then_some((part, file)))
    })))
}
