//! `stk storage test`: an operator is told what is wrong with a bucket. What each code of a store means: `bridge/src/storage/s3/tests.rs`.

use std::{net::TcpListener, time::Duration};

use santokit_tests::{Bridge, S3};
use serde_json::{Value as Json, json};

use crate::lab::Lab;

const ADMIN: (&str, &str) = ("STK_BRIDGE_ADMIN_LISTEN", "127.0.0.1:0");
const ID: (&str, &str) = ("STK_BRIDGE_ID", "brg_01ARZ3NDEKTSV4RRFFQ69G5FE2");
const OPENED: (&str, &str) = ("STK_BRIDGE_STORAGE_ALLOW_PRIVATE", "127.0.0.0/8");

/// The bucket `images`, and one on the disk.
fn declare(lab: &Lab, s3: &S3) {
    let storage = format!("version: 1\nbuckets:\n  images: {{{}}}\n  disk: {{provider: local}}\n", s3.declared(""));
    lab.folder.write("config/storage.yaml", &storage).unwrap();
}

async fn set(lab: &Lab, key: &str, secret: &str) {
    lab.done(&["secrets", "set", "S3_KEY"], key).await;
    lab.done(&["secrets", "set", "S3_SECRET"], secret).await;
}

/// How each step ended.
fn outcomes(answer: &Json) -> Vec<(String, String)> {
    let text = |step: &Json, key: &str| step[key].as_str().unwrap().to_owned();
    let steps = answer["steps"].as_array().unwrap_or_else(|| panic!("{answer}"));
    steps.iter().map(|step| (text(step, "step"), text(step, "outcome"))).collect()
}

/// Until the last step of a trial is that one: what is set reaches the Bridge a moment later.
async fn until_last(lab: &Lab, bridge: &Bridge, step: &str) -> Json {
    let (mut seen, url) = (Json::Null, bridge.admin_url());
    for _ in 0..100 {
        let tried = lab.stk(&["storage", "test", "images", "--bridge", ID.1, "--url", &url], "").await;
        if tried.code == 1 && tried.stdout.starts_with('{') {
            // What was found, and in a line of its own that it is an error.
            let line = tried.stdout.lines().next().unwrap_or_default();
            seen = serde_json::from_str(line).unwrap();
            let failed = outcomes(&seen).into_iter().find(|(_, outcome)| outcome == "failed");
            if failed.is_some_and(|(found, _)| found == step) {
                return seen;
            }
        } else {
            seen = json!([tried.code, tried.stdout, tried.stderr]);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("no {step:?}: {seen}\n{}", bridge.output());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_is_tried_and_what_is_wrong_is_said() {
    let lab = Lab::start("tried").await;
    let s3 = S3::bucket().await.unwrap();
    set(&lab, &s3.key, &s3.secret).await;
    declare(&lab, &s3);
    let bridge = lab.bridge("one", &[ADMIN, ID, OPENED]).await;
    lab.apply().await;
    let url = bridge.admin_url();
    let fine = lab.done(&["storage", "test", "images", "--bridge", ID.1, "--url", &url], "").await;
    let steps = ["secrets", "list", "put", "get", "conditions", "digest", "copies", "parts", "delete", "cors"];
    // This store takes a header of a copy that was not signed, and says no to a wrong digest when it has written the bytes: that is what the steps
    // are for.
    let outcome = |step: &str| if matches!(step, "copies" | "digest") { "warning" } else { "fine" };
    let expected: Vec<_> = steps.iter().map(|step| ((*step).to_owned(), outcome(step).to_owned())).collect();
    assert_eq!(outcomes(&fine), expected, "{fine}");
    assert!(fine.to_string().contains("has put them in the object's place all the same"), "{fine}");
    let fine = lab.done(&["storage", "test", "disk", "--bridge", ID.1, "--url", &url], "").await;
    assert_eq!(outcomes(&fine), [("disk".to_owned(), "fine".to_owned())], "{fine}");
    let unknown = lab.stk(&["storage", "test", "pictures", "--bridge", ID.1, "--url", &url], "").await;
    assert!(unknown.code == 1 && unknown.stdout.contains("no bucket"), "{unknown:?}");

    // What is exchanged at the Hub is used by the running Bridge.
    set(&lab, &s3.key, "planted-wrong-secret").await;
    let told = until_last(&lab, &bridge, "secret").await;
    assert!(told.to_string().contains("stk secrets set S3_SECRET"), "{told}");
    set(&lab, "nobody", &s3.secret).await;
    let told = until_last(&lab, &bridge, "key").await;
    assert!(told.to_string().contains("stk secrets set S3_KEY"), "{told}");
    set(&lab, &s3.key, &s3.secret).await;
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for (change, step) in [
        (S3 { bucket: "stk-test-nothing".to_owned(), ..s3.clone() }, "bucket"),
        (S3 { endpoint: format!("http://{free}"), ..s3.clone() }, "connection"),
        (S3 { endpoint: s3.endpoint.replace("http://", "https://"), ..s3.clone() }, "tls"),
        (S3 { endpoint: "https://nobody.invalid".to_owned(), ..s3.clone() }, "name"),
        (S3 { endpoint: "http://localhost:1".to_owned(), ..s3.clone() }, "connection"),
        (S3 { endpoint: bridge.client.url().to_owned(), ..s3.clone() }, "endpoint"),
    ] {
        declare(&lab, &change);
        lab.apply().await;
        until_last(&lab, &bridge, step).await;
    }
    declare(&lab, &s3);
    lab.apply().await;
    lab.done(&["storage", "test", "images", "--bridge", ID.1, "--url", &url], "").await;
    let said = bridge.output();
    assert!(!said.contains("planted-wrong-secret") && !said.contains(&s3.secret), "a secret is in the log: {said}");
}
