//! The listeners of a running Bridge: TLS on both, a Hub with an authority of its own, slow clients, and the end.

use std::{fs, path::Path};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use santokit_edge::{Tls, TlsFiles};
use tokio::{net::TcpStream, time::timeout};

use super::*;

const SOON: Duration = Duration::from_mins(1);

/// An authority, and a certificate of it for this machine, in a folder.
fn certificate(folder: &Path) -> (TlsFiles, std::path::PathBuf) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let authority = params.self_signed(&key).unwrap();
    let issuer = Issuer::new(params, key);
    let key = KeyPair::generate().unwrap();
    let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    let made = CertificateParams::new(names).unwrap().signed_by(&key, &issuer).unwrap();
    let files = TlsFiles { certificate: folder.join("cert.pem"), key: folder.join("key.pem") };
    fs::write(&files.certificate, made.pem()).unwrap();
    fs::write(&files.key, key.serialize_pem()).unwrap();
    let ca = folder.join("ca.pem");
    fs::write(&ca, authority.pem()).unwrap();
    (files, ca)
}

fn trusting(ca: &Path) -> reqwest::Client {
    let authority = reqwest::Certificate::from_pem(&fs::read(ca).unwrap()).unwrap();
    reqwest::Client::builder().tls_certs_only([authority]).build().unwrap()
}

#[tokio::test]
async fn applications_metrics_and_the_hub_are_reached_over_tls() {
    let folder = tempfile::tempdir().unwrap();
    let (files, ca) = certificate(folder.path());
    let hub = Hub::start_with(Some(Tls::load(files.clone()).unwrap()));
    assert!(hub.url.starts_with("https://"));
    let mut config = hub.config(&folder.path().join("cache"), false);
    config.hub_ca_file = Some(ca.clone());
    config.edge.tls = Some(files);
    config.edge.metrics_tls = true;
    config.metrics_listen = Some(([127, 0, 0, 1], 0).into());
    let bridge = serve(config.clone()).await.unwrap();
    let client = Client { client: trusting(&ca), base: bridge.url() };
    assert!(client.base.starts_with("https://"));
    hub.point(hub.release("one", &hub.key), 1);
    client.until(|status, _| status == 200).await;
    assert_eq!(client.post("/logics/a", &[], "").await.0, 401);
    let scraped = client.client.get(bridge.metrics_url().unwrap()).send().await.unwrap();
    assert!(scraped.text().await.unwrap().contains("stk_bridge_requests_total"));
    assert!(reqwest::get(format!("{}/healthz", client.base)).await.is_err(), "nobody else knows the authority");
    assert!(reqwest::get(format!("http://{}/healthz", bridge.addr)).await.is_err(), "it does not speak plain HTTP");
    bridge.shutdown().await;

    // A Hub whose certificate is of another authority is no Hub.
    let other = tempfile::tempdir().unwrap();
    config.hub_ca_file = Some(certificate(other.path()).1);
    config.cache_dir = folder.path().join("other");
    let bridge = serve(config.clone()).await.unwrap();
    let client = Client { client: trusting(&ca), base: bridge.url() };
    client.until(|_, body| body["envs"][0]["reason"].as_str().is_some_and(|why| why.contains("the Hub"))).await;
    assert_eq!(client.get("/readyz").await.0, 503);
    bridge.shutdown().await;

    config.hub_ca_file = Some(other.path().join("key.pem"));
    let told = serve(config.clone()).await.unwrap_err();
    assert!(format!("{:?}", anyhow_like(&told)).contains("has no certificate"), "{told:?}");
    config.hub_ca_file = None;
    config.edge.tls = Some(TlsFiles { certificate: other.path().join("cert.pem"), key: folder.path().join("key.pem") });
    let told = serve(config).await.unwrap_err();
    assert!(format!("{:?}", anyhow_like(&told)).contains("is not the key of"), "{told:?}");
}

/// The chain of messages, as an operator sees it.
fn anyhow_like(error: &dyn std::error::Error) -> Vec<String> {
    std::iter::successors(Some(error), |error| error.source()).map(ToString::to_string).collect()
}

#[tokio::test]
async fn a_client_that_sends_half_a_head_is_closed() {
    let hub = Hub::start();
    let dir = scratch();
    let mut config = hub.config(&dir, false);
    config.edge.bounds.header_timeout = Duration::from_millis(500);
    let bridge = serve(config).await.unwrap();
    let mut stream = TcpStream::connect(bridge.addr).await.unwrap();
    stream.write_all(b"POST /call HTTP/1.1\r\nhost: x\r\n").await.unwrap();
    let mut answer = Vec::new();
    drop(timeout(SOON, stream.read_to_end(&mut answer)).await.expect("it is still open"));
    assert!(answer.is_empty(), "{answer:?}");
    bridge.shutdown().await;
    fs::remove_dir_all(dir).ok();
}

#[tokio::test]
async fn the_end_is_told_before_connections_are_refused_and_what_runs_ends() {
    let hub = Hub::start();
    let dir = scratch();
    let mut config = hub.config(&dir, false);
    config.edge.drain_grace = Duration::from_secs(10);
    config.drain_timeout = Duration::from_secs(50);
    let bridge = serve(config).await.unwrap();
    let (client, address) = (Client::of(&bridge), bridge.addr);
    hub.point(hub.release("one", &hub.key), 1);
    client.until(|status, _| status == 200).await;
    let mut running = TcpStream::connect(address).await.unwrap();
    running.write_all(b"POST /call HTTP/1.1\r\nhost: x\r\ncontent-length: 19\r\n\r\n{\"path\":").await.unwrap();
    let ending = tokio::spawn(bridge.shutdown());

    // Within the grace: load balancers are told, and requests are served, each as the last of its connection.
    let told = client.until(|status, body| status == 503 && body["status"] == "draining").await;
    assert_eq!(told["status"], "draining");
    let (status, headers, _) = client.post("/logics/a", &[], "").await;
    assert_eq!((status, headers["connection"].to_str().unwrap()), (401, "close"));

    // After it: nothing new.
    let refusing = async {
        while TcpStream::connect(address).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(SOON, refusing).await.expect("connections are still accepted");
    assert!(!ending.is_finished(), "it waits for what runs");
    running.write_all(b"\"logics/a\"}").await.unwrap();
    let mut answer = Vec::new();
    timeout(SOON, running.read_to_end(&mut answer)).await.unwrap().unwrap();
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.starts_with("HTTP/1.1 401") && answer.contains("requestId"), "{answer}");
    timeout(SOON, ending).await.unwrap().unwrap();
    fs::remove_dir_all(dir).ok();
}

#[tokio::test]
async fn the_end_has_a_bound() {
    let hub = Hub::start();
    let dir = scratch();
    let mut config = hub.config(&dir, false);
    config.edge.drain_grace = Duration::from_millis(100);
    config.drain_timeout = Duration::from_secs(2);
    config.body_timeout = Duration::from_mins(10);
    let bridge = serve(config).await.unwrap();
    let mut never = TcpStream::connect(bridge.addr).await.unwrap();
    never.write_all(b"POST /call HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n{").await.unwrap();
    Client::of(&bridge).get("/healthz").await;
    timeout(SOON, bridge.shutdown()).await.expect("it waits for a client that never ends");
    fs::remove_dir_all(dir).ok();
}
