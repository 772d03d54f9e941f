//! What is mounted, over HTTP/2: several requests of one connection, and one that breaks off takes none of the others with it.

use axum::http::{Request, StatusCode};
use bytes::Bytes;
use h2::{Reason, client::SendRequest};
use santokit_tests::StkDev;
use serde_json::{Value as Json, json};
use tokio::net::TcpStream;

use super::project;

const SCRIPT: &str = "/http/raw/one/script";
const MANIFEST: &str = "auth: public\nmount: raw/one\nlimits: {timeout: 6s, cpu: 100ms, output: 100KB}";

/// A connection whose client knows beforehand what is spoken.
async fn connect(dev: &StkDev) -> SendRequest<Bytes> {
    let stream = TcpStream::connect(dev.client.url().trim_start_matches("http://")).await.unwrap();
    let (client, connection) = h2::client::handshake(stream).await.unwrap();
    tokio::spawn(connection);
    client
}

/// Sends a body, in two parts; the status, and the whole answer or why there is none.
async fn post(
    client: &SendRequest<Bytes>,
    path: &str,
    authority: &str,
    body: String,
) -> (StatusCode, Result<Vec<u8>, h2::Error>) {
    let mut client = client.clone().ready().await.unwrap();
    let request = Request::post(format!("http://{authority}{path}")).header("x-custom", "a").body(()).unwrap();
    let (answer, mut stream) = client.send_request(request, false).unwrap();
    let mut first = Bytes::from(body);
    let second = first.split_off(first.len() / 2);
    stream.send_data(first, false).unwrap();
    stream.send_data(second, true).unwrap();
    let answer = answer.await.unwrap();
    let status = answer.status();
    let mut body = answer.into_body();
    let mut whole = Vec::new();
    while let Some(part) = body.data().await {
        match part {
            Ok(part) => {
                body.flow_control().release_capacity(part.len()).unwrap();
                whole.extend_from_slice(&part);
            }
            Err(error) => return (status, Err(error)),
        }
    }
    (status, Ok(whole))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_sees_a_request_and_its_answer_goes_out() {
    let folder = project(&[("raw", MANIFEST)]).await;
    let dev = StkDev::start(folder.path(), &[]).await.unwrap();
    let client = connect(&dev).await;
    let (status, seen) = post(&client, "/http/raw/one/a?b", "planted.test:81", "x".to_owned()).await;
    let seen: Json = serde_json::from_slice(&seen.unwrap()).unwrap();
    assert_eq!(
        (status, &seen["path"], &seen["authority"]),
        (StatusCode::OK, &json!("/a?b"), &json!("planted.test:81"))
    );
    let headers = seen["headers"].to_string();
    assert!(headers.contains(r#"["x-custom","a"]"#) && !headers.contains(r#"[":"#), "{headers}");
    let sent = "0123456789".repeat(9_000);
    let (status, echoed) = post(&client, "/http/raw/one/echo", "a.test", sent.clone()).await;
    assert_eq!((status, echoed.unwrap()), (StatusCode::OK, sent.into_bytes()));
    let (status, body) = post(&client, SCRIPT, "a.test", json!({"before": "trap"}).to_string()).await;
    let body: Json = serde_json::from_slice(&body.unwrap()).unwrap();
    assert_eq!((status.as_u16(), &body["error"]["code"]), (500, &json!("LOGIC_FAILED")));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_later_is_reset_and_its_neighbours_go_on() {
    let folder = project(&[("raw", MANIFEST)]).await;
    let dev = StkDev::start(folder.path(), &[]).await.unwrap();
    let client = connect(&dev).await;
    let script = |end: &str| json!({"part": "begun", "times": 3, "waitMs": 200, "end": end}).to_string();
    let mut running = tokio::task::JoinSet::new();
    for end in ["", "trap", "", "spin", "drop", ""] {
        let (client, script) = (client.clone(), script(end));
        running.spawn(async move { (end, post(&client, SCRIPT, "a.test", script).await) });
    }
    while let Some(ended) = running.join_next().await {
        let (end, (status, came)) = ended.unwrap();
        assert_eq!(status, StatusCode::OK, "{end}");
        match came {
            Ok(whole) => assert_eq!((end, whole), ("", b"begunbegunbegun".to_vec())),
            Err(error) => {
                assert_ne!(end, "", "{error}");
                assert_eq!(error.reason(), Some(Reason::INTERNAL_ERROR), "{end}");
            }
        }
    }
    // The connection is as it was.
    assert_eq!(post(&client, SCRIPT, "a.test", script("")).await.1.unwrap(), b"begunbegunbegun");
}
