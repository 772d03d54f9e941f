//! A Bridge that is killed in the middle of an object.

use std::{path::Path, time::Duration};

use reqwest::{Body, Method};
use santokit_tests::BridgeClient;
use serde_json::json;

use super::{project, request, start};

const CHUNK: usize = 1 << 20;
const CHUNKS: usize = 50;

async fn url(client: &BridgeClient, op: &str, key: &str) -> String {
    let answer = client.post(&format!("/storage/large/{op}"), json!({"key": key}).to_string()).await.unwrap();
    answer.body["data"]["url"].as_str().unwrap_or_else(|| panic!("{answer:?}")).to_owned()
}

async fn read(editor: &BridgeClient, key: &str) -> (u16, Vec<u8>) {
    let read = request(Method::GET, &url(editor, "download_sign", key).await).send().await.unwrap();
    (read.status().as_u16(), read.bytes().await.unwrap().to_vec())
}

pub(super) fn bytes_in(folder: &Path) -> u64 {
    let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
    files.filter_map(|file| file.metadata().ok()).map(|known| known.len()).sum()
}

/// Nothing half is there: not where nothing was, and not in the place of what was there.
#[tokio::test(flavor = "multi_thread")]
async fn an_object_is_whole_or_not_there_after_a_kill() {
    let folder = project();
    let (dev, _, editor) = start(folder.path()).await;
    let old = request(Method::PUT, &url(&editor, "upload_sign", "old").await).body("old").send().await.unwrap();
    assert_eq!(old.status(), 200);
    let mut sending = Vec::new();
    for key in ["old", "new"] {
        let to = url(&editor, "upload_sign", key).await;
        let (sender, chunks) = tokio::sync::mpsc::channel::<Result<Vec<u8>, std::io::Error>>(1);
        let body = futures_util::stream::unfold(chunks, |mut chunks: tokio::sync::mpsc::Receiver<_>| async move {
            Some((chunks.recv().await?, chunks))
        });
        let sent = request(Method::PUT, &to).header("content-length", CHUNK * CHUNKS).body(Body::wrap_stream(body));
        sending.push((tokio::spawn(sent.send()), sender));
    }
    for (_, sender) in &sending {
        for _ in 0..CHUNKS / 2 {
            sender.send(Ok(vec![7; CHUNK])).await.unwrap();
        }
    }
    let incoming = folder.path().join(".stk/dev/main/storage/objects/dev/incoming");
    for _ in 0..200 {
        if bytes_in(&incoming) > 20 * CHUNK as u64 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let written = bytes_in(&incoming);
    assert!(written > 20 * CHUNK as u64, "{written} bytes of half of them are written: {}", dev.output());
    // It is not asked to end.
    drop(dev);
    for (sent, _sender) in sending {
        assert!(sent.await.unwrap().is_err(), "nobody was told that it is there");
    }

    let (_dev, _, editor) = start(folder.path()).await;
    assert_eq!(read(&editor, "old").await, (200, b"old".to_vec()));
    assert_eq!(read(&editor, "new").await.0, 404);
    for key in ["old", "new"] {
        let put = request(Method::PUT, &url(&editor, "upload_sign", key).await).body(vec![8; CHUNK * CHUNKS]);
        assert_eq!(put.send().await.unwrap().status(), 200, "{key}: and can be put again");
        assert_eq!(read(&editor, key).await.1.len(), CHUNK * CHUNKS);
    }
}
