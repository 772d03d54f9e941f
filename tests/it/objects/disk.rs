//! Objects on a disk that is not as it was: away, not to be written to, full, or never there. Who asks is told that the store does not answer, nothing
//! half is left, and it goes on when the disk is back. A limit of the env itself: `bridge/src/storage/tests.rs`.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use reqwest::{Body, Method};
use santokit_tests::BridgeClient;
use serde_json::{Value as Json, json};

use super::{code, killed::bytes_in, project, request, start};

const STORAGE: &str = ".stk/dev/main/storage";
const MEGABYTE: usize = 1 << 20;
const UNAVAILABLE: (u16, &str) = (503, "SERVICE_UNAVAILABLE");

/// A file system that is there as long as this is.
struct Mounted(PathBuf);

impl Mounted {
    fn new(arguments: &[&str], at: &Path) -> Self {
        mount(arguments, at);
        Self(at.to_owned())
    }

    /// A folder over itself, in which nothing can be made.
    fn read_only(at: &Path) -> Self {
        let mounted = Self::new(&["--bind", at.to_str().unwrap()], at);
        mount(&["-o", "remount,bind,ro"], at);
        mounted
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // A Bridge has files open there. What stays ends with the machine, and a test that has failed says why.
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

fn mount(arguments: &[&str], at: &Path) {
    let output = Command::new("mount").args(arguments).arg(at).output().unwrap();
    let why = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "this test mounts a file system, which only root may: {arguments:?}: {why}");
}

async fn ask(client: &BridgeClient, op: &str, key: &str) -> (u16, Json) {
    let answer = client.post(&format!("/storage/large/{op}"), json!({"key": key}).to_string()).await.unwrap();
    (answer.status, answer.body)
}

async fn url(client: &BridgeClient, op: &str, key: &str) -> String {
    let (status, body) = ask(client, op, key).await;
    assert_eq!(status, 200, "{body}");
    body["data"]["url"].as_str().unwrap().to_owned()
}

async fn put(url: &str, body: Vec<u8>) -> (u16, String) {
    code(request(Method::PUT, url).body(body).send().await.unwrap()).await
}

fn told((status, code): &(u16, String)) -> (u16, &str) {
    (*status, code)
}

async fn read(editor: &BridgeClient, key: &str) -> (u16, Vec<u8>) {
    let read = request(Method::GET, &url(editor, "download_sign", key).await).send().await.unwrap();
    (read.status().as_u16(), read.bytes().await.unwrap().to_vec())
}

async fn until(what: &str, is_so: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < Duration::from_mins(1), "{what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_is_away_is_a_store_that_does_not_answer() {
    let folder = project();
    let (dev, _, editor) = start(folder.path()).await;
    let storage = folder.path().join(STORAGE);
    let away = storage.with_extension("away");
    assert_eq!(put(&url(&editor, "upload_sign", "old").await, b"old".to_vec()).await.0, 200);
    let (new, old) = (url(&editor, "upload_sign", "new").await, url(&editor, "download_sign", "old").await);
    // One is on its way.
    let (sender, parts) = tokio::sync::mpsc::channel::<Result<Vec<u8>, std::io::Error>>(1);
    let body = futures_util::stream::unfold(parts, |mut parts: tokio::sync::mpsc::Receiver<_>| async move {
        Some((parts.recv().await?, parts))
    });
    let half = request(Method::PUT, &url(&editor, "upload_sign", "half").await).body(Body::wrap_stream(body));
    let half = tokio::spawn(half.send());
    sender.send(Ok(vec![7; MEGABYTE])).await.unwrap();
    let incoming = storage.join("objects/dev/incoming");
    until("a part of it is written", || bytes_in(&incoming) > 0).await;

    fs::rename(&storage, &away).unwrap();
    sender.send(Ok(vec![7; MEGABYTE])).await.unwrap();
    drop(sender);
    assert_eq!(told(&code(half.await.unwrap().unwrap()).await), UNAVAILABLE);
    assert_eq!(told(&put(&new, b"new".to_vec()).await), UNAVAILABLE);
    let read_old = request(Method::GET, &old).send().await.unwrap();
    assert_eq!(told(&code(read_old).await), UNAVAILABLE, "that it is gone is not known");
    assert!(!storage.exists(), "nothing is made in its place");
    // Why is in the log.
    dev.wait_for_output("an object cannot be made").await.unwrap();

    fs::rename(&away, &storage).unwrap();
    assert_eq!(read(&editor, "old").await, (200, b"old".to_vec()));
    assert_eq!(read(&editor, "half").await.0, 404);
    assert_eq!(read(&editor, "new").await.0, 404);
    assert_eq!(put(&new, b"new".to_vec()).await.0, 200);
    assert_eq!(read(&editor, "new").await, (200, b"new".to_vec()));
}

/// What was not there when it was first needed is looked for again.
#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_cannot_be_made_is_made_when_it_can() {
    let folder = project();
    let (dev, _, editor) = start(folder.path()).await;
    let storage = folder.path().join(STORAGE);
    assert!(!storage.exists(), "it is made with its first use");
    fs::write(&storage, "in its place").unwrap();
    let (status, body) = ask(&editor, "upload_sign", "a").await;
    assert_eq!((status, body["error"]["code"].as_str().unwrap()), UNAVAILABLE, "{body}");
    assert!(!body.to_string().contains(STORAGE), "where it is, is for the log: {body}");
    dev.wait_for_output("see storageDir").await.unwrap();
    fs::remove_file(&storage).unwrap();
    assert_eq!(put(&url(&editor, "upload_sign", "a").await, b"a".to_vec()).await.0, 200);
    assert_eq!(read(&editor, "a").await, (200, b"a".to_vec()));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_put_on_a_disk_that_takes_nothing_is_refused() {
    let folder = project();
    let (_dev, _, editor) = start(folder.path()).await;
    let storage = folder.path().join(STORAGE);
    assert_eq!(put(&url(&editor, "upload_sign", "old").await, b"old".to_vec()).await.0, 200);
    let to = [url(&editor, "upload_sign", "old").await, url(&editor, "upload_sign", "new").await];
    let read_only = Mounted::read_only(&storage);
    for url in &to {
        assert_eq!(told(&put(url, b"new".to_vec()).await), UNAVAILABLE);
    }
    drop(read_only);
    assert_eq!(read(&editor, "old").await, (200, b"old".to_vec()));
    assert_eq!(read(&editor, "new").await.0, 404);
    for url in &to {
        assert_eq!(put(url, b"new".to_vec()).await.0, 200);
    }
    assert_eq!(read(&editor, "old").await, (200, b"new".to_vec()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_is_full_keeps_what_it_has_and_nothing_half() {
    let folder = project();
    let (_dev, _, editor) = start(folder.path()).await;
    let storage = folder.path().join(STORAGE);
    fs::create_dir(&storage).unwrap();
    let _disk = Mounted::new(&["-t", "tmpfs", "-o", "size=16m", "tmpfs"], &storage);
    assert_eq!(put(&url(&editor, "upload_sign", "kept").await, vec![1; MEGABYTE]).await.0, 200);
    for key in ["kept", "new"] {
        let to = url(&editor, "upload_sign", key).await;
        let refused = request(Method::PUT, &to).body(vec![2; 24 * MEGABYTE]).send().await.unwrap();
        assert_eq!(refused.status(), 503);
        let body: Json = refused.json().await.unwrap();
        let error = (&body["error"]["code"], &body["error"]["details"]["limit"]);
        assert_eq!(error, (&json!("SERVICE_UNAVAILABLE"), &json!("storageEnvBytes")), "{body}");
        assert_eq!(bytes_in(&storage.join("objects/dev/incoming")), 0, "what does not fit takes no room");
    }
    assert_eq!(read(&editor, "kept").await, (200, vec![1; MEGABYTE]));
    assert_eq!(read(&editor, "new").await.0, 404);
    // What others take of the disk is none of ours to know.
    let others = storage.join("others");
    fs::write(&others, vec![0; 24 * MEGABYTE]).unwrap_err();
    let to = url(&editor, "upload_sign", "new").await;
    assert_eq!(told(&put(&to, vec![3; MEGABYTE]).await), UNAVAILABLE);
    assert_eq!(read(&editor, "kept").await, (200, vec![1; MEGABYTE]), "it is read all the same");
    fs::remove_file(&others).unwrap();
    assert_eq!(put(&to, vec![3; MEGABYTE]).await.0, 200);
    assert_eq!(read(&editor, "new").await, (200, vec![3; MEGABYTE]));
}
