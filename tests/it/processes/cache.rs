//! What a Bridge has on disk: no secret in the open, and nothing that is believed.

use std::{fmt::Debug, fs, path::Path};

use santokit_tests::Bridge;
use serde_json::{Value as Json, json};

use super::walk;
use crate::lab::{CACHE_KEY, IN_URL, Lab, SECRET, assert_serves, assert_serves_nothing};

/// As many bytes, all different from those of [`CACHE_KEY`].
const OTHER_KEY: &str = "//79/Pv6+fj39vX08/Lx8O/u7ezr6uno5+bl5OPi4eA=";

#[tokio::test(flavor = "multi_thread")]
async fn secrets_are_on_disk_sealed_or_not_at_all() {
    let mut lab = Lab::start("sealed").await;
    let sealed = lab.bridge("with-key", &[("STK_BRIDGE_CACHE_KEY", CACHE_KEY)]).await;
    let open = lab.bridge("without-key", &[]).await;
    lab.apply().await;
    for bridge in [&sealed, &open] {
        assert_serves(bridge, &lab.api_key.0, 1).await;
    }
    let key_secret = lab.api_key.0.split_once('.').unwrap().1;
    let planted = [SECRET, IN_URL, key_secret, lab.service_token.as_str(), CACHE_KEY];
    for cache in ["with-key", "without-key"] {
        let files = walk(&lab.dir.path().join(cache));
        assert!(files.iter().any(|(path, _)| path.ends_with("good.json")), "{cache}");
        assert!(files.iter().any(|(path, _)| path.contains("/blobs/")), "{cache}");
        let has_bundle = files.iter().any(|(path, _)| path.ends_with("runtime.sealed"));
        assert_eq!(has_bundle, cache == "with-key");
        for (path, bytes) in &files {
            for text in planted {
                assert!(!contains(bytes, text), "{text} is in {path}");
            }
        }
    }
    let logs = sealed.output() + &open.output() + &lab.hub().output();
    for text in planted {
        assert!(!logs.contains(text), "{text} is in a log");
    }
    // The Hub's own store holds them sealed as well.
    for (path, bytes) in walk(&lab.dir.path().join("hub")) {
        for text in [SECRET, IN_URL, key_secret, lab.service_token.as_str()] {
            assert!(!contains(&bytes, text), "{text} is in {path}");
        }
    }

    lab.kill_hub().await;
    for bridge in [sealed, open] {
        bridge.kill().await.unwrap();
    }
    let restarted = lab.bridge("without-key", &[]).await;
    let env =
        restarted.until("waiting", |env| env["reason"].to_string().contains("STK_BRIDGE_CACHE_KEY")).await.unwrap();
    assert_eq!(env["state"], "empty", "{env}");
    assert_serves_nothing(&restarted).await;
    let other_key = lab.bridge("with-key", &[("STK_BRIDGE_CACHE_KEY", OTHER_KEY)]).await;
    other_key.until("waiting", |env| env["reason"].to_string().contains("STK_BRIDGE_CACHE_KEY")).await.unwrap();
    assert_serves_nothing(&other_key).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cache_that_was_tampered_with_is_not_loaded() {
    let mut lab = Lab::start("tamper").await;
    let bridge = lab.bridge("cache", &[("STK_BRIDGE_CACHE_KEY", CACHE_KEY)]).await;
    lab.apply().await;
    assert_serves(&bridge, &lab.api_key.0, 1).await;
    lab.kill_hub().await;
    bridge.kill().await.unwrap();

    // The cache as it is does serve: what follows fails for what was changed in it.
    let untouched = lab.bridge("cache", &[("STK_BRIDGE_CACHE_KEY", CACHE_KEY)]).await;
    untouched.until("loaded from its cache", |env| env["releaseId"].is_string()).await.unwrap();
    untouched.kill().await.unwrap();

    let env = "envs/tamper/prod";
    let good = |at: &'static str| Tamper { file: format!("{env}/good.json"), how: How::Text(at) };
    let tampers = [
        good("/pointer/payload"),
        good("/pointer/signatures/0/sig"),
        good("/release/manifest"),
        good("/release/envelope/payload"),
        good("/release/envelope/signatures/0/sig"),
        Tamper { file: format!("{env}/good.json"), how: How::Truncate },
        Tamper { file: format!("{env}/runtime.sealed"), how: How::Flip },
        Tamper { file: format!("{env}/runtime.sealed"), how: How::Truncate },
        Tamper { file: "blobs".to_owned(), how: How::Flip },
        Tamper { file: "blobs".to_owned(), how: How::Truncate },
    ];
    for (number, tamper) in tampers.iter().enumerate() {
        let name = format!("tampered-{number}");
        let cache = lab.dir.path().join(&name);
        copy(&lab.dir.path().join("cache"), &cache);
        tamper.apply(&cache);
        let bridge = lab.bridge(&name, &[("STK_BRIDGE_CACHE_KEY", CACHE_KEY)]).await;
        assert_loads_nothing(&bridge, tamper).await;
        bridge.kill().await.unwrap();
    }

    // What was kept for one env is not good for another.
    let moved = lab.dir.path().join("moved");
    copy(&lab.dir.path().join("cache"), &moved);
    fs::rename(moved.join("envs/tamper/prod"), moved.join("envs/tamper/staging")).unwrap();
    let staging = [("STK_BRIDGE_CACHE_KEY", CACHE_KEY), ("STK_BRIDGE_ENVS", "tamper/staging")];
    assert_loads_nothing(&lab.bridge("moved", &staging).await, &"moved").await;

    // What was damaged is fetched again.
    lab.revive_hub().await;
    for name in ["tampered-2", "tampered-6", "tampered-8"] {
        let bridge = lab.bridge(name, &[("STK_BRIDGE_CACHE_KEY", CACHE_KEY)]).await;
        bridge.until_state("fresh").await.unwrap();
        assert_serves(&bridge, &lab.api_key.0, 1).await;
    }
}

/// The release of before was signed as well as that of now, and may be the one whose hole was closed.
#[tokio::test(flavor = "multi_thread")]
async fn a_cache_that_was_put_back_to_an_older_release_is_not_loaded() {
    let mut lab = Lab::start("older").await;
    let key = [("STK_BRIDGE_CACHE_KEY", CACHE_KEY)];
    let bridge = lab.bridge("cache", &key).await;
    lab.apply().await;
    assert_serves(&bridge, &lab.api_key.0, 1).await;
    let good = lab.dir.path().join("cache/envs/older/prod/good.json");
    let older = fs::read(&good).unwrap();
    lab.set_version(2);
    lab.apply().await;
    assert_serves(&bridge, &lab.api_key.0, 2).await;
    // It is on disk a little after it runs.
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while fs::read(&good).unwrap() == older || !seen_says(&good, "loaded") {
        assert!(std::time::Instant::now() < deadline, "the second release was never kept");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    lab.kill_hub().await;
    bridge.kill().await.unwrap();
    let newer = fs::read(&good).unwrap();
    fs::write(&good, &older).unwrap();
    let bridge = lab.bridge("cache", &key).await;
    assert_loads_nothing(&bridge, &"older").await;
    assert!(bridge.output().contains("put back to an older state"), "{}", bridge.output());
    bridge.kill().await.unwrap();
    // What has run last is loaded.
    fs::write(&good, &newer).unwrap();
    let bridge = lab.bridge("cache", &key).await;
    bridge.until("loaded from its cache", |env| env["releaseId"].is_string()).await.unwrap();
    assert_serves(&bridge, &lab.api_key.0, 2).await;
}

fn seen_says(good: &Path, key: &str) -> bool {
    let seen: Json = serde_json::from_slice(&fs::read(good.with_file_name("seen.json")).unwrap()).unwrap();
    seen[key] == seen["sequence"]
}

/// While the Hub is away: it has looked at its cache, and taken nothing of it.
async fn assert_loads_nothing(bridge: &Bridge, why: &impl Debug) {
    let tried =
        |env: &Json| env["releaseId"].is_string() || env["reason"] != json!("waiting for the first answer of the Hub");
    let env = bridge.until("done with its cache", tried).await.unwrap();
    assert_eq!((&env["state"], &env["releaseId"]), (&json!("empty"), &Json::Null), "{why:?}: {env}");
    assert_serves_nothing(bridge).await;
}

#[derive(Debug)]
struct Tamper {
    /// A file, or a folder with one.
    file: String,
    how: How,
}

#[derive(Clone, Copy, Debug)]
enum How {
    /// One bit of the middle.
    Flip,
    /// The second half is missing.
    Truncate,
    /// One character in the middle of a text of the JSON.
    Text(&'static str),
}

impl Tamper {
    fn apply(&self, cache: &Path) {
        let mut path = cache.join(&self.file);
        if path.is_dir() {
            path = fs::read_dir(path).unwrap().next().unwrap().unwrap().path();
        }
        let mut bytes = fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        match self.how {
            How::Flip => bytes[middle] ^= 1,
            How::Truncate => bytes.truncate(middle),
            How::Text(at) => {
                let mut value: Json = serde_json::from_slice(&bytes).unwrap();
                let text = value.pointer_mut(at).unwrap();
                *text = json!(changed(text.as_str().unwrap()));
                bytes = serde_json::to_vec(&value).unwrap();
            }
        }
        fs::write(path, bytes).unwrap();
    }
}

/// Another letter or digit for one near the middle.
pub(crate) fn changed(text: &str) -> String {
    let mut bytes = text.as_bytes().to_vec();
    let at = (bytes.len() / 2..bytes.len()).find(|at| bytes[*at].is_ascii_alphanumeric()).unwrap();
    bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
    String::from_utf8(bytes).unwrap()
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

fn copy(from: &Path, to: &Path) {
    for (path, bytes) in walk(from) {
        let target = to.join(Path::new(&path).strip_prefix(from).unwrap());
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::write(target, bytes).unwrap();
    }
}
