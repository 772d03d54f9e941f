//! A store that speaks S3: `s3s-fs`, or another one where the environment names it. What keeps tests apart is a bucket of their own.

use std::{
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use anyhow::{Context, Result};
use reqwest::{Client, StatusCode, Url};
use rusty_s3::{Bucket, Credentials, S3Action as _, UrlStyle};

use super::{
    Service, free_port,
    own::{self, OwnServer, Recipe},
    program,
};

const REGION: &str = "us-east-1";
const KEY: &str = "test-key";
const SECRET: &str = "test-secret-0f7c";
/// Below a server's folder, where its buckets are.
const ROOT: &str = "root";
const EXPIRY: Duration = Duration::from_mins(5);
/// Below which the host's name has the bucket. It is this machine, which the Bridge knows, and not each system does.
const DOMAIN: &str = "s3.localhost";

static BUCKETS: AtomicU32 = AtomicU32::new(0);

/// A store, and a bucket of it that is the test's own.
#[derive(Clone, Debug)]
pub struct S3 {
    /// Scheme, host and port.
    pub endpoint: String,
    /// With which requests are signed.
    pub region: String,
    /// The bucket's name.
    pub bucket: String,
    /// The id of the key that opens it.
    pub key: String,
    /// The key.
    pub secret: String,
}

impl S3 {
    /// A new bucket in the store of this process.
    pub async fn bucket() -> Result<Self> {
        Self::bucket_of(Service::S3.url().await?).await
    }

    /// A new bucket in a store.
    pub async fn bucket_of(url: &str) -> Result<Self> {
        let number = BUCKETS.fetch_add(1, Ordering::Relaxed);
        let name = format!("stk-test-{}-{number}", std::process::id());
        let made = Self::named(url, &name)?;
        let (bucket, credentials) = (made.place()?, made.credentials());
        let answer = Client::new().put(bucket.create_bucket(&credentials).sign(EXPIRY)).send().await?;
        anyhow::ensure!(answer.status().is_success(), "no bucket was made: {}", answer.text().await?);
        Ok(made)
    }

    /// Another server over what one of a test's own keeps, as a store is whose key was exchanged: its id is the same. The first may be stopped, and must
    /// be kept.
    pub async fn exchanged(server: &OwnServer, secret: &str) -> Result<OwnServer> {
        serve(own::folder(None)?, &server.folder().join(ROOT), secret).await
    }

    /// As it is named in `config/storage.yaml`, with secrets `S3_KEY` and `S3_SECRET`. More is put behind it.
    pub fn declared(&self, more: &str) -> String {
        let Self { endpoint, region, bucket, .. } = self;
        format!(
            "provider: s3, bucket: {bucket}, region: {region}, endpoint: \"{endpoint}\", accessKeyId: S3_KEY, \
             secretAccessKey: S3_SECRET{more}"
        )
    }

    /// The secrets of `santokit.dev.yaml`.
    pub fn secrets(&self) -> String {
        format!("secrets:\n  S3_KEY: {{value: \"{}\"}}\n  S3_SECRET: {{value: \"{}\"}}\n", self.key, self.secret)
    }

    /// An object as another one puts it who knows the key: past the Bridge.
    pub async fn put(&self, name: &str, body: &[u8]) -> Result<()> {
        let (bucket, credentials) = (self.place()?, self.credentials());
        let url = bucket.put_object(Some(&credentials), name).sign(EXPIRY);
        let answer = Client::new().put(url).body(body.to_vec()).send().await?;
        anyhow::ensure!(answer.status().is_success(), "not put: {}", answer.text().await?);
        Ok(())
    }

    /// An object as it lies in the store; none where there is none.
    pub async fn get(&self, name: &str) -> Result<Option<Vec<u8>>> {
        let (bucket, credentials) = (self.place()?, self.credentials());
        let answer = Client::new().get(bucket.get_object(Some(&credentials), name).sign(EXPIRY)).send().await?;
        match answer.status() {
            StatusCode::NOT_FOUND => Ok(None),
            _ => Ok(Some(answer.error_for_status()?.bytes().await?.to_vec())),
        }
    }

    /// The same store by its name, where the bucket is a part of the host's. One of our own has another name than its address.
    pub fn by_name(&self) -> Result<Self> {
        let endpoint = match self.address()? {
            Some(address) => format!("http://{DOMAIN}:{}", address.port()),
            None => self.endpoint.clone(),
        };
        Ok(Self { endpoint, ..self.clone() })
    }

    /// The host of a bucket of the store by its name.
    pub fn host(&self, bucket: &str) -> Result<String> {
        let url = Url::parse(&self.by_name()?.endpoint)?;
        Ok(format!("{bucket}.{}", url.host_str().context("a host")?))
    }

    /// A client that finds the host of the bucket, and those of others, where the store is our own. It keeps no connection: a store that refuses a
    /// body ends the one that it came by.
    pub fn http(&self, others: &[&str]) -> Result<Client> {
        let mut client = Client::builder().pool_max_idle_per_host(0);
        if let Some(address) = self.address()? {
            for bucket in others.iter().copied().chain([self.bucket.as_str()]) {
                client = client.resolve(&self.host(bucket)?, address);
            }
        }
        Ok(client.build()?)
    }

    /// None where it is known by a name of its own.
    fn address(&self) -> Result<Option<SocketAddr>> {
        let url = Url::parse(&self.endpoint)?;
        let ip = url.host_str().context("a host")?.parse::<IpAddr>().ok();
        Ok(ip.map(|ip| SocketAddr::from((ip, url.port_or_known_default().unwrap_or_default()))))
    }

    fn named(url: &str, bucket: &str) -> Result<Self> {
        let url = Url::parse(url)?;
        let host = url.host_str().context("a host")?;
        let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
        Ok(Self {
            endpoint: format!("{}://{host}{port}", url.scheme()),
            region: REGION.to_owned(),
            bucket: bucket.to_owned(),
            key: url.username().to_owned(),
            secret: url.password().context("KEY:SECRET@ before the host")?.to_owned(),
        })
    }

    fn place(&self) -> Result<Bucket> {
        let endpoint = Url::parse(&self.endpoint)?;
        Bucket::new(endpoint, UrlStyle::Path, self.bucket.clone(), self.region.clone()).context("a bucket's URL")
    }

    fn credentials(&self) -> Credentials {
        Credentials::new(self.key.clone(), self.secret.clone())
    }
}

/// Starts one over a folder.
pub(super) async fn start() -> Result<OwnServer> {
    let folder = own::folder(None)?;
    let root = folder.join(ROOT);
    std::fs::create_dir(&root)?;
    serve(folder, &root, SECRET).await
}

/// Starts one with a folder of its own over what may be another's.
async fn serve(folder: PathBuf, root: &Path, secret: &str) -> Result<OwnServer> {
    // Where `cargo xtask setup` puts it: beside the profile's folder.
    let tools: Vec<PathBuf> = std::env::current_exe()?.ancestors().skip(1).map(|dir| dir.join("tools/bin")).collect();
    let server = program("s3s-fs", &tools)?;
    let port = free_port()?;
    let mut arguments = vec!["--port".to_owned(), port.to_string()];
    arguments.extend(["--host", "127.0.0.1", "--access-key", KEY, "--secret-key", secret].map(str::to_owned));
    // Hosts that are addresses have the bucket in the path all the same.
    arguments.extend(["--domain".to_owned(), format!("{DOMAIN}:{port}")]);
    arguments.push(root.to_str().context("a path in UTF-8")?.to_owned());
    OwnServer::start(Recipe {
        service: Service::S3,
        url: format!("http://{KEY}:{secret}@127.0.0.1:{port}/"),
        folder,
        program: &server,
        arguments,
        account: None,
        stop: "TERM",
        crash: "KILL",
    })
    .await
}

/// Whether it answers, and takes the key.
pub(super) async fn ask(url: &str) -> Result<()> {
    let there = S3::named(url, "stk-test-none")?;
    let (bucket, credentials) = (there.place()?, there.credentials());
    let answer = Client::new().get(bucket.get_object(Some(&credentials), "none").sign(EXPIRY)).send().await?;
    anyhow::ensure!(answer.status() == StatusCode::NOT_FOUND, "it does not let us in: {}", answer.text().await?);
    Ok(())
}
