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

/// A client that believes one authority only.
fn believing(authority: &str) -> reqwest::Client {
    let authority = reqwest::Certificate::from_pem(authority.as_bytes()).unwrap();
    reqwest::Client::builder().tls_certs_only([authority]).pool_max_idle_per_host(0).build().unwrap()
}

#[tokio::test]
async fn bridges_have_a_listener_of_their_own_with_its_own_certificate() {
    let (folder, own) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (operators, bridges) = (believing(&certificate(folder.path())), believing(&certificate(own.path())));
    let path = |name: &str| Some(own.path().join(name).display().to_string().into());
    let settings = Settings {
        internal_listen: Some("127.0.0.1:0".into()),
        internal_tls_cert: path("cert.pem"),
        internal_tls_key: path("key.pem"),
        operator_token: Some(OPERATOR.into()),
        ..Settings::default()
    };
    let HubConfig { internal_listen, internal_tls, .. } = settings.check().unwrap();
    let hub = HubConfig { internal_listen, internal_tls, ..config(folder.path()) };
    let hub = santokit_hub::serve(hub).await.unwrap();
    let (public, internal) = (hub.url(), hub.internal_url().unwrap());
    assert!(internal.starts_with("https://") && public != internal);
    let status = async |client: &reqwest::Client, url: String| {
        client.get(url).bearer_auth(OPERATOR).send().await.map(|answer| answer.status().as_u16()).ok()
    };
    assert_eq!(status(&operators, format!("{public}/v1/keys")).await, Some(200));
    assert_eq!(status(&bridges, format!("{public}/v1/keys")).await, None, "another certificate");
    assert_eq!(status(&bridges, format!("{internal}/healthz")).await, Some(200));
    assert_eq!(status(&operators, format!("{internal}/healthz")).await, None, "another certificate");

    // A new one is shown without a restart.
    let renewed = believing(&certificate(own.path()));
    let began = std::time::Instant::now();
    while status(&renewed, format!("{internal}/healthz")).await.is_none() {
        assert!(began.elapsed() < std::time::Duration::from_mins(1), "it is never shown");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    assert_eq!(status(&operators, format!("{public}/v1/keys")).await, Some(200), "the other one stays");
    hub.shutdown().await;
    // The listener for Bridges takes the other's certificate where it has none of its own; alone it means nothing.
    let without =
        Settings { internal_tls_cert: path("cert.pem"), internal_tls_key: path("key.pem"), ..Settings::default() };
    assert!(without.check().unwrap_err().to_string().contains("internalListen"));
    let half = Settings {
        internal_tls_cert: path("cert.pem"),
        internal_listen: Some("127.0.0.1:0".into()),
        ..Settings::default()
    };
    assert!(half.check().unwrap_err().to_string().contains("internalTlsKey"));
}

#[tokio::test]
async fn what_bridges_ask_is_answered_at_their_listener_only() {
    let folder = tempfile::tempdir().unwrap();
    let settings = Settings {
        listen: Some("127.0.0.1:0".into()),
        internal_listen: Some("127.0.0.1:0".into()),
        data_dir: Some(folder.path().join("hub").display().to_string().into()),
        operator_token: Some(OPERATOR.into()),
        ..Settings::default()
    };
    let hub = santokit_hub::serve(settings.check().unwrap()).await.unwrap();
    let (public, internal, client) = (hub.url(), hub.internal_url().unwrap(), reqwest::Client::new());
    let ask = async |method: reqwest::Method, url: String, token: &str, body: serde_json::Value| {
        let answer = client.request(method, url).bearer_auth(token).json(&body).send().await.unwrap();
        (answer.status().as_u16(), answer.json::<serde_json::Value>().await.unwrap_or_default())
    };
    let (post, nothing) = (reqwest::Method::POST, serde_json::Value::Null);
    for (path, body) in [
        ("/v1/projects", serde_json::json!({"name": "shop"})),
        ("/v1/projects/shop/envs", serde_json::json!({"name": "dev"})),
    ] {
        assert_eq!(ask(post.clone(), format!("{public}{path}"), OPERATOR, body).await.0, 201);
    }
    let wanted = serde_json::json!({"name": "fleet", "envs": ["shop/dev"]});
    let made = ask(post, format!("{public}/v1/service-tokens"), OPERATOR, wanted).await.1;
    let fleet = made["token"].as_str().unwrap();
    let (mut of_operators, mut of_bridges) = (0, 0);
    for route in santokit_hub::api::routes() {
        let is_internal = route.path.starts_with("/internal/");
        if !is_internal && !route.path.starts_with("/v1/") {
            continue;
        }
        // With the token of those whom it is for.
        let (token, elsewhere) = if is_internal { (fleet, &public) } else { (OPERATOR, &internal) };
        *(if is_internal { &mut of_bridges } else { &mut of_operators }) += 1;
        let path = route.path.replace("{project}", "shop").replace("{env}", "dev").replace(['{', '}'], "");
        let (status, body) = ask(route.method.clone(), format!("{elsewhere}{path}"), token, nothing.clone()).await;
        assert_eq!(status, 404, "{} {path}: {body}", route.method);
        let is_head = route.method == reqwest::Method::HEAD;
        assert!(is_head || body["error"]["message"] == "there is no such path", "{} {path}: {body}", route.method);
    }
    assert!(of_operators > 40 && of_bridges > 5, "{of_operators} and {of_bridges}");
    let get = reqwest::Method::GET;
    assert_eq!(ask(get.clone(), format!("{internal}/internal/healthz"), fleet, nothing.clone()).await.0, 200);
    assert_eq!(ask(get.clone(), format!("{public}/v1/projects"), OPERATOR, nothing.clone()).await.0, 200);
    for url in [&public, &internal] {
        assert_eq!(
            ask(get.clone(), format!("{url}/readyz"), "", nothing.clone()).await.0,
            200,
            "orchestrators ask both"
        );
    }
    hub.shutdown().await;
}
