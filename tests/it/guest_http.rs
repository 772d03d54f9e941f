//! Guests in three languages ask another service over TLS: what is granted, what is not, what a limit does, and what the telemetry does
//! not say. How requests go wrong in all other ways: `bridge/src/egress`.

use std::{fs, net::SocketAddr, path::Path, time::Duration};

use axum::{Router, body::Bytes, http::HeaderMap, response::Redirect, routing::get};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use santokit_edge::{Bounds, Tls, TlsFiles, listener};
use santokit_tests::{Answer, ProjectFolder, StkDev, stk};
use serde_json::{Value as Json, json};
use tempfile::TempDir;
use tokio::task::JoinSet;

const SCHEMA: &str = "version: 1\ntables:\n  notes:\n    id: {generate: client}\n    columns: {text: {type: string}}\n";
const LOGICS: [(&str, &str); 3] =
    [("rust", "tests/guests/http"), ("ts", "tests/guests/http-ts"), ("python", "tests/guests/http-py")];
/// Of the Rust guest, away from the workspace of the guests.
const CARGO: &str = "[package]\nname = \"guest-http\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[workspace]\n\n\
    [lib]\ncrate-type = [\"cdylib\"]\n\n[dependencies]\nsantokit-guest = { path = \"../../.stk/cache/sdk/rust\" }\n\
    serde = { version = \"1\", features = [\"derive\"] }\nserde_json = \"1\"\n";
const LONG: Duration = Duration::from_mins(1);

/// The other service.
pub(crate) struct Service {
    pub(crate) port: u16,
    pub(crate) folder: TempDir,
    _serving: JoinSet<std::io::Result<()>>,
}

impl Service {
    pub(crate) fn start() -> Self {
        let router = Router::new()
            .route(
                "/v1/echo",
                get(async || "got").post(async |headers: HeaderMap, body: Bytes| {
                    let seen = headers.get("authorization").map_or("nobody", |value| value.to_str().unwrap());
                    format!("{seen} {}", String::from_utf8(body.to_vec()).unwrap())
                }),
            )
            .route("/v1/moved", get(async || Redirect::to("/v1/echo")))
            .route("/v1/away", get(async || Redirect::to("/admin")))
            .route("/v1/large", get(async || "a".repeat(30_000)));
        serve(router)
    }

    fn url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.port)
    }
}

/// Serves it over TLS, by a certificate of which the authority is `ca.pem` in the service's folder.
pub(crate) fn serve(router: Router) -> Service {
    let folder = tempfile::tempdir().unwrap();
    let tls = Tls::load(certificate(folder.path())).unwrap();
    let listener = listener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let port = listener.local_addr().unwrap().port();
    let bounds = Bounds {
        connections_max: 100,
        header_timeout: LONG,
        idle_timeout: LONG,
        answer_timeout: LONG,
        header_bytes_max: 32 << 10,
        streams_max: 100,
    };
    let mut serving = JoinSet::new();
    listener::serve(&mut serving, listener, router, bounds, Some(&tls)).unwrap();
    Service { port, folder, _serving: serving }
}

fn certificate(folder: &Path) -> TlsFiles {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    fs::write(folder.join("ca.pem"), params.self_signed(&key).unwrap().pem()).unwrap();
    let issuer = Issuer::new(params, key);
    let key = KeyPair::generate().unwrap();
    let made = CertificateParams::new(vec!["localhost".to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    let files = TlsFiles { certificate: folder.join("cert.pem"), key: folder.join("key.pem") };
    fs::write(&files.certificate, made.pem()).unwrap();
    fs::write(&files.key, key.serialize_pem()).unwrap();
    files
}

fn project(service: &Service, logics: &[(&str, &str)]) -> ProjectFolder {
    let folder = ProjectFolder::new([
        ("santokit.yaml", "version: 1\nname: asking\n"),
        ("santokit.dev.yaml", "connections:\n  main: {engine: sqlite, url: \"sqlite:.stk/dev/main.db\"}\n"),
        ("schema/main.yaml", SCHEMA),
    ])
    .unwrap();
    for (name, from) in logics {
        folder.add_copy(from, &format!("logics/{name}")).unwrap();
        folder.edit(&format!("logics/{name}/logic.yaml"), "8443", &service.port.to_string()).unwrap();
    }
    folder.write("logics/rust/Cargo.toml", CARGO).unwrap();
    folder
}

async fn ask(dev: &StkDev, logic: &str, steps: Json) -> Answer {
    dev.client.logic(logic, json!({"steps": steps})).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn guests_ask_other_services() {
    let service = Service::start();
    let folder = project(&service, &LOGICS);
    let ca = service.folder.path().join("ca.pem");
    let env = [("STK_BRIDGE_EGRESS_ALLOW_PRIVATE", "127.0.0.0/8"), ("STK_BRIDGE_EGRESS_CA_FILE", ca.to_str().unwrap())];
    let dev = StkDev::start(folder.path(), &env).await.unwrap();
    for (logic, _) in LOGICS {
        asked(&dev, &service, logic).await;
        limited(&dev, &service, logic).await;
    }
    let inspected = stk(folder.path(), &["logic", "inspect", "rust"], &[]).await.unwrap();
    let line = format!("http localhost:{} POST /v1/*", service.port);
    assert!(inspected.stdout.contains(&line), "{inspected:?}");
}

/// What is answered, and what is not asked.
async fn asked(dev: &StkDev, service: &Service, logic: &str) {
    let url = |path: &str| service.url(path);
    let answer = ask(
        dev,
        logic,
        json!([
            {"url": url("/v1/echo")},
            {"url": url("/v1/echo"), "method": "POST", "headers": [["Authorization", "Bearer s"]], "json": {"a": 1}},
            {"url": url("/v1/moved")},
            {"url": url("/v1/moved"), "manual": true},
            {"url": url("/v1/none")},
            {"url": url("/admin")},
            {"url": url("/v1/echo"), "method": "DELETE"},
            {"url": "https://evil.example/v1/echo"},
            {"url": url("/v1/echo").replace("https", "http")},
            {"url": url("/v1/echo"), "headers": [["Host", "evil.example"]]},
            {"url": url("/v1/echo"), "within": true},
        ]),
    )
    .await;
    assert_eq!(answer.status, 200, "{logic}: {answer:?}\n{}", dev.output());
    let steps = answer.body["data"].as_array().unwrap();
    let text = json!("text/plain; charset=utf-8");
    assert_eq!(steps[0], json!({"status": 200, "type": text, "body": "got", "url": url("/v1/echo")}), "{logic}");
    assert_eq!(
        steps[1]["body"].as_str().map(|body| body.replace(' ', "")),
        Some("Bearers{\"a\":1}".to_owned()),
        "{logic}"
    );
    assert_eq!((&steps[2]["body"], &steps[2]["url"]), (&json!("got"), &json!(url("/v1/echo"))), "{logic}");
    assert_eq!((&steps[3]["status"], &steps[4]["status"]), (&json!(303), &json!(404)), "{logic}");
    let codes: Vec<&str> = steps[5..].iter().map(|step| step["code"].as_str().unwrap_or_default()).collect();
    let denied = "HTTP_DENIED";
    assert_eq!(codes, [denied, denied, denied, "HTTP_INVALID", "HTTP_INVALID", "HTTP_INVALID"], "{logic}: {steps:?}");
    let transaction = steps[10]["message"].as_str().unwrap();
    assert!(transaction.contains("transaction on SQLite"), "{logic}: {transaction}");
}

async fn limited(dev: &StkDev, service: &Service, logic: &str) {
    // With the redirect six; the seventh is one too many.
    let once = json!({"url": service.url("/v1/echo")});
    let mut steps = vec![once.clone(); 4];
    steps.push(json!({"url": service.url("/v1/moved")}));
    assert_eq!(ask(dev, logic, json!(steps)).await.status, 200, "{logic}");
    steps.push(once);
    let answer = ask(dev, logic, json!(steps)).await;
    assert_eq!((answer.code(), answer.limit()), ("LOGIC_FAILED", "httpRequests"), "{logic}: {answer:?}");
    // The guest is told, and can go on; giving up, it is seen as what it is.
    let large = |give_up| json!([{"url": service.url("/v1/large"), "giveUp": give_up}]);
    let answer = ask(dev, logic, large(false)).await;
    assert_eq!(answer.body["data"][0]["code"], "HTTP_LIMIT", "{logic}: {answer:?}");
    let answer = ask(dev, logic, large(true)).await;
    assert_eq!((answer.code(), answer.limit()), ("LOGIC_FAILED", "httpBytes"), "{logic}: {answer:?}");
}

/// Nothing is sent by a test; what is given answers.
#[tokio::test(flavor = "multi_thread")]
async fn a_test_of_a_logic_answers_its_requests() {
    let service = Service::start();
    let folder = project(&service, &LOGICS[..1]);
    let cases = "cases:
  - name: answers
    call: rust
    given:
      http:
        - {url: 'https://a.test:PORT/v1/x', status: 302, headers: {location: /v1/y}}
        - {url: 'https://a.test:PORT/v1/y', json: {a: 1}}
    params: {steps: [{url: 'https://a.test:PORT/v1/x'}]}
    expect: {answer: [{status: 200, type: application/json, body: '{\"a\":1}', url: 'https://a.test:PORT/v1/y'}]}
  - name: nothing is sent
    call: rust
    params: {steps: [{url: 'https://a.test:PORT/v1/x'}, {url: 'https://a.test:PORT/v2/x'}]}
    expect:
      answer:
        - {code: HTTP_UNAVAILABLE, message: 'http unreachable: a test sends nothing, and given.http has no answer to GET https://a.test:PORT/v1/x'}
        - {code: HTTP_DENIED, message: 'http denied: grants.http does not allow GET of this path of a.test'}
"
    .replace(":PORT", "");
    folder.write("tests/http.yaml", &cases).unwrap();
    let tested = stk(folder.path(), &["logic", "test"], &[]).await.unwrap();
    assert_eq!(tested.code, 0, "{tested:?}");
}
