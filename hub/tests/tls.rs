//! A Hub over TLS, with an authority made for the test.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{fs, path::Path};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use santokit_hub::{HubConfig, HubError, Settings};

const OPERATOR: &str = "operator-token-for-this-test";

/// Writes `cert.pem` and `key.pem` for this machine, and answers their authority's certificate.
fn certificate(folder: &Path) -> String {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let authority = params.self_signed(&key).unwrap();
    let issuer = Issuer::new(params, key);
    let key = KeyPair::generate().unwrap();
    let made = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    fs::write(folder.join("cert.pem"), made.pem()).unwrap();
    fs::write(folder.join("key.pem"), key.serialize_pem()).unwrap();
    authority.pem()
}

fn config(folder: &Path) -> HubConfig {
    let path = |name: &str| Some(folder.join(name).display().to_string().into());
    let settings = Settings {
        listen: Some("127.0.0.1:0".into()),
        data_dir: path("hub"),
        operator_token: Some(OPERATOR.into()),
        tls_cert: path("cert.pem"),
        tls_key: path("key.pem"),
        ..Settings::default()
    };
    settings.check().unwrap()
}

#[tokio::test]
async fn operators_and_bridges_reach_it_over_tls_alone() {
    let folder = tempfile::tempdir().unwrap();
    let authority = certificate(folder.path());
    let hub = santokit_hub::serve(config(folder.path())).await.unwrap();
    assert!(hub.url().starts_with("https://"));
    let authority = reqwest::Certificate::from_pem(authority.as_bytes()).unwrap();
    let trusting = reqwest::Client::builder().tls_certs_only([authority]).build().unwrap();
    let asked = trusting.get(format!("{}/v1/keys", hub.url())).bearer_auth(OPERATOR).send().await.unwrap();
    assert_eq!(asked.status(), 200);
    assert!(reqwest::get(format!("{}/healthz", hub.url())).await.is_err(), "nobody else knows the authority");
    assert!(reqwest::get(format!("http://{}/healthz", hub.addr)).await.is_err(), "it does not speak plain HTTP");
    hub.shutdown().await;
}

#[tokio::test]
async fn a_pair_that_is_none_stops_the_start() {
    let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    certificate(folder.path());
    certificate(other.path());
    fs::copy(other.path().join("key.pem"), folder.path().join("key.pem")).unwrap();
    let told = santokit_hub::serve(config(folder.path())).await.unwrap_err();
    assert!(matches!(told, HubError::Tls(_)) && told.to_string().contains("STK_HUB_TLS_KEY"), "{told}");
    let half = Settings { tls_cert: Some("cert.pem".into()), ..Settings::default() };
    assert!(half.check().unwrap_err().to_string().contains("tlsKey"));
}
