//! `stk logic logs`: what a logic says at a Bridge reaches who may read it, line by line, as it comes; and nobody else.

use std::{
    process::Stdio,
    time::{Duration, Instant},
};

use reqwest::{Client, Method};
use santokit_tests::{Bridge, planes::OPERATOR, stk, stk_command};
use serde_json::{Value as Json, json};
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::ChildStdout,
    time::timeout,
};

use crate::lab::{Lab, SECRET};

const ID: &str = "brg_01ARZ3NDEKTSV4RRFFQ69G5FD1";
const SOON: Duration = Duration::from_mins(1);

/// A Bridge that says where it takes operators, and runs the release.
async fn bridge(lab: &Lab) -> Bridge {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let (listen, url) = (format!("127.0.0.1:{port}"), format!("http://127.0.0.1:{port}"));
    let settings = [("STK_BRIDGE_ID", ID), ("STK_BRIDGE_ADMIN_LISTEN", &listen), ("STK_BRIDGE_ADMIN_URL", &url)];
    let bridge = lab.bridge("one", &settings).await;
    lab.apply().await;
    for _ in 0..600 {
        let known = lab.done(&["bridge", "status"], "").await;
        if known.to_string().contains(&url) {
            return bridge;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the Bridge has not said where it takes operators");
}

async fn token(lab: &Lab, deed: &str) -> String {
    let path = format!("/v1/projects/{}/envs/prod/bridges/{ID}/tokens", lab.project);
    let made = lab.hub().operate(Method::POST, &path, &json!({"deed": deed})).await.unwrap();
    made["token"].as_str().unwrap().to_owned()
}

/// Status and body of a request for the log of an env.
async fn ask(bridge: &Bridge, env: &str, query: &str, token: Option<&str>) -> (u16, String) {
    let mut request = Client::new().get(format!("{}/admin/envs/{env}/logs{query}", bridge.admin_url()));
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    let response = request.send().await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}

async fn next(lines: &mut Lines<BufReader<ChildStdout>>) -> Json {
    let line = timeout(SOON, lines.next_line()).await.unwrap().unwrap().unwrap();
    serde_json::from_str(&line).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_logics_say_is_read_and_followed() {
    let lab = Lab::start("saying").await;
    let bridge = bridge(&lab).await;
    let answer = bridge.client.logic("every", json!({})).await.unwrap();
    assert_eq!(answer.status, 200, "{answer:?}");
    let lines =
        |finished: &str| -> Vec<Json> { finished.lines().filter_map(|line| serde_json::from_str(line).ok()).collect() };
    let read = async |more: &[&str]| {
        let found = lab.stk(&[&["logic", "logs"], more].concat(), "").await;
        assert_eq!(found.code, 0, "{found:?}");
        lines(&found.stdout)
    };
    let all = read(&[]).await;
    assert_eq!(all.len(), 2, "{all:?}");
    assert_eq!(
        (&all[0]["level"], &all[0]["message"], &all[0]["logic"], &all[0]["bridge"]),
        (&json!("trace"), &json!("every import"), &json!("every"), &json!(ID)),
    );
    assert_eq!((&all[1]["level"], &all[1]["fields"]), (&json!("error"), &json!([["interfaces", "8"]])));
    let id = all[0]["requestId"].as_str().unwrap();
    assert!(
        id.starts_with("req_")
            && all[1]["requestId"] == id
            && all[0]["releaseId"].as_str().unwrap().starts_with("rel_")
    );
    assert_eq!(read(&["--level", "warn"]).await, all[1..]);
    assert_eq!(read(&["every", "--request", id]).await, all);
    assert_eq!(read(&["version"]).await, Vec::<Json>::new());
    assert_eq!(read(&["--request", "req_other"]).await, Vec::<Json>::new());
    let env = [("STK_HUB_URL", lab.relay.url.as_str()), ("STK_TOKEN", OPERATOR), ("STK_ENV", "prod")];
    let words = stk(lab.folder.path(), &["logic", "logs", "every"], &env).await.unwrap().stdout;
    assert!(words.contains("error every req_") && words.contains("interfaces=8"), "{words}");

    // What comes is told when it comes; and what a guest does at its end is told by the platform.
    let mut command = stk_command(lab.folder.path(), &["logic", "logs", "--follow", "--json"], &env).unwrap();
    let mut following = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap();
    let mut told = BufReader::new(following.stdout.take().unwrap()).lines();
    assert_eq!((next(&mut told).await, next(&mut told).await), (all[0].clone(), all[1].clone()));
    let failing = bridge.client.logic("every", json!({"query": "no SQL at all"})).await.unwrap();
    assert_eq!(failing.code(), "LOGIC_ERROR", "{failing:?}");
    assert_eq!(next(&mut told).await["message"], "every import");
    let error = next(&mut told).await;
    assert!(error["level"] == "error" && error["number"] == 4, "{error}");
    // Who follows does not hold up the end of the Bridge, which would wait half a minute for what runs.
    let began = Instant::now();
    assert_eq!(bridge.end().await.unwrap(), 0);
    assert!(began.elapsed() < Duration::from_secs(25), "it took {:?}", began.elapsed());
    following.kill().await.unwrap();
    let seen = lab.done(&["audit", "log", "--action", "bridge.token"], "").await;
    assert!(seen["entries"][0]["detail"]["deed"] == "logs", "{seen}");
    assert!(!seen.to_string().contains(SECRET));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_opens_to_a_token_for_it_and_to_nothing_else() {
    let lab = Lab::start("closed-log").await;
    let bridge = bridge(&lab).await;
    bridge.client.logic("every", json!({})).await.unwrap();
    let here = "closed-log/prod";
    for wrong in [None, Some(OPERATOR), Some(lab.service_token.as_str()), Some(lab.api_key.0.as_str())] {
        let (status, body) = ask(&bridge, here, "", wrong).await;
        assert!(status == 401 && !body.contains("every import"), "{wrong:?}: {body}");
    }
    let sync = token(&lab, "sync").await;
    assert_eq!(ask(&bridge, here, "", Some(&sync)).await.0, 401, "for another deed");
    let logs = token(&lab, "logs").await;
    assert_eq!(ask(&bridge, "closed-log/staging", "", Some(&logs)).await.0, 401, "for another env");
    let posted = Client::new().post(format!("{}/admin/envs/{here}/sync", bridge.admin_url()));
    assert_eq!(posted.bearer_auth(&logs).send().await.unwrap().status(), 401, "it opens nothing else");
    let (status, body) = ask(&bridge, here, "", Some(&logs)).await;
    assert!(status == 200 && body.contains("every import") && !body.contains(SECRET), "{body}");
    assert_eq!(ask(&bridge, here, "", Some(&logs)).await.0, 401, "once");
    for query in ["?level=loud", "?after=-1", "?after=x", "?everything=true", "?follow=maybe"] {
        let (status, body) = ask(&bridge, here, query, Some(&token(&lab, "logs").await)).await;
        assert!(status == 400 && body.contains("BAD_REQUEST"), "{query}: {status} {body}");
    }
    let (status, body) =
        ask(&bridge, here, "?after=18446744073709551615&logic=%00%0a", Some(&token(&lab, "logs").await)).await;
    assert_eq!((status, body.trim()), (200, ""), "what nobody said");
}
