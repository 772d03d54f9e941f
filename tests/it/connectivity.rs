//! `stk bridge test-hub-connectivity`: each way in which the way to the Hub can end is told at its step, with what to look at.

use santokit_core::release::SigningKey;
use santokit_tests::{FaultProxy, Finished, planes::OPERATOR, stk};
use serde_json::{Value as Json, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use crate::lab::Lab;

/// With the settings of a Bridge of the lab, and others in their place.
async fn tried(lab: &Lab, more: &[(&str, &str)], json: bool) -> Finished {
    let envs = format!("{}/prod", lab.project);
    let mut settings = vec![
        ("STK_BRIDGE_HUB_URL", lab.relay.url.as_str()),
        ("STK_BRIDGE_SERVICE_TOKEN", lab.service_token.as_str()),
        ("STK_BRIDGE_TRUSTED_KEYS", lab.trusted.as_str()),
        ("STK_BRIDGE_ENVS", envs.as_str()),
        ("STK_BRIDGE_HUB_TIMEOUT", "2s"),
    ];
    settings.extend_from_slice(more);
    let args = ["bridge", "test-hub-connectivity", "--json"];
    let finished = stk(lab.dir.path(), &args[..if json { 3 } else { 2 }], &settings).await.unwrap();
    assert!(!(finished.stdout.clone() + &finished.stderr).contains(&lab.service_token), "{finished:?}");
    finished
}

/// (name, state) of each step.
fn steps(finished: &Finished) -> Vec<(String, String)> {
    let answer = finished.json();
    let steps = answer["steps"].as_array().unwrap_or_else(|| panic!("{finished:?}"));
    let text = |value: &Json| value.as_str().unwrap().to_owned();
    steps.iter().map(|step| (text(&step["name"]), text(&step["state"]))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_way_to_the_hub_is_tried_step_by_step() {
    let lab = Lab::start("way").await;
    let bare = tried(&lab, &[], true).await;
    assert_eq!((bare.code, &bare.json()["ok"]), (0, &json!(true)), "{bare:?}");
    assert!(steps(&bare).contains(&("way/prod".to_owned(), "warning".to_owned())), "nothing was applied: {bare:?}");
    lab.done(&["apply", "--accept-grants", "--yes", "--wait", "0"], "").await;
    let good = tried(&lab, &[], true).await;
    let names = ["dns", "tcp", "tls", "token", "clock", "latency", "way/prod"];
    let all_well = names.map(|name| (name.to_owned(), "ok".to_owned()));
    assert_eq!(steps(&good), all_well, "{good:?}");
    let people = tried(&lab, &[], false).await;
    assert!(people.code == 0 && people.stdout.contains("points to rel_"), "{people:?}");
    // It reports nothing: nobody waits for it.
    assert_eq!(lab.done(&["bridge", "status"], "").await["bridges"], json!([]));

    let stalled = FaultProxy::start(lab.relay.url.trim_start_matches("http://").to_owned()).await.unwrap();
    stalled.stall();
    let silent = format!("http://{}", stalled.address());
    let tls = lab.relay.url.replace("http://", "https://");
    let other = SigningKey::generate().unwrap().verifying_key().to_string();
    let bridge = lab.bridge("cache", &[]).await;
    for (what, setting, ends_at, code, words) in [
        ("a name that there is not", ("STK_BRIDGE_HUB_URL", "http://hub.invalid:7070"), "dns", 4, "resolver"),
        ("a port where nobody is", ("STK_BRIDGE_HUB_URL", "http://127.0.0.1:1"), "tcp", 4, "whether the Hub runs"),
        ("no TLS there", ("STK_BRIDGE_HUB_URL", &tls), "tls", 4, "certificate"),
        ("no answer", ("STK_BRIDGE_HUB_URL", &silent), "token", 3, "no answer in 2s"),
        ("a Bridge", ("STK_BRIDGE_HUB_URL", bridge.client.url()), "token", 3, "STK_HUB_INTERNAL_LISTEN"),
        (
            "a wrong token",
            ("STK_BRIDGE_SERVICE_TOKEN", "stk_svc_planted"),
            "token",
            3,
            "does not know the serviceToken",
        ),
        ("a token of another kind", ("STK_BRIDGE_SERVICE_TOKEN", OPERATOR), "token", 3, "stk hub token create"),
        (
            "another env",
            ("STK_BRIDGE_ENVS", "way/staging"),
            "way/staging",
            3,
            "stk hub token create NAME --for way/staging",
        ),
        ("another signer", ("STK_BRIDGE_TRUSTED_KEYS", &other), "way/prod", 3, "trustedKeys"),
    ] {
        let finished = tried(&lab, &[setting], true).await;
        let steps = steps(&finished);
        let failed: Vec<&str> =
            steps.iter().filter(|(_, state)| state == "failed").map(|(name, _)| name.as_str()).collect();
        assert_eq!((failed.as_slice(), finished.code), ([ends_at].as_slice(), code), "{what}: {finished:?}");
        assert!(finished.stdout.contains(words), "{what}: {finished:?}");
        let after = steps.iter().skip_while(|(name, _)| name != ends_at).skip(1);
        assert!(after.clone().all(|(_, state)| state == "skipped"), "{what}: {finished:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_wrong_is_told() {
    let lab = Lab::start("clock").await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let answering = tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut buffer = [0; 4096];
                let answer = b"HTTP/1.1 200 OK\r\ndate: Mon, 01 Jan 2024 00:00:00 GMT\r\ncontent-length: 0\r\n\r\n";
                while let Ok(1..) = client.read(&mut buffer).await {
                    client.write_all(answer).await.unwrap();
                }
            });
        }
    });
    let finished = tried(&lab, &[("STK_BRIDGE_HUB_URL", &url)], true).await;
    assert!(steps(&finished).contains(&("clock".to_owned(), "warning".to_owned())), "{finished:?}");
    assert!(finished.stdout.contains("NTP") && finished.code == 3, "what answers is no Hub: {finished:?}");
    answering.abort();
}
