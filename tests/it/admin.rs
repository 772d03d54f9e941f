//! Operators at a Bridge itself, over processes: what a token opens, what opens nothing, and `stk bridge force-sync`.

use chrono::Utc;
use reqwest::{Client, Method};
use santokit_core::{
    admin::{Claims, Deed, sign},
    release::SigningKey,
};
use santokit_tests::{Bridge, planes::OPERATOR};
use serde_json::{Value as Json, json};

use crate::lab::{CACHE_KEY, Lab, SECRET, assert_serves};

const ID: &str = "brg_01ARZ3NDEKTSV4RRFFQ69G5FC1";
const OTHER: &str = "brg_01ARZ3NDEKTSV4RRFFQ69G5FC2";
const ADMIN: (&str, &str) = ("STK_BRIDGE_ADMIN_LISTEN", "127.0.0.1:0");
/// Nothing that these tests see comes by a poll.
const SLOW: (&str, &str) = ("STK_BRIDGE_POLL_INTERVAL", "10m");

/// Asks a Bridge for a sync; status, and the body.
async fn sync(bridge: &Bridge, env: &str, token: Option<&str>) -> (u16, Json) {
    let mut request = Client::new().post(format!("{}/admin/envs/{env}/sync", bridge.admin_url()));
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    let response = request.send().await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

/// A token of the Hub.
async fn token(lab: &Lab, bridge: &str) -> String {
    let path = format!("/v1/projects/{}/envs/prod/bridges/{bridge}/tokens", lab.project);
    let made = lab.hub().operate(Method::POST, &path, &json!({"deed": "sync"})).await.unwrap();
    assert_eq!(made["bridge"], bridge, "{made}");
    made["token"].as_str().unwrap().to_owned()
}

/// Until the Hub knows that the Bridge takes operators.
async fn until_known(lab: &Lab, bridge: &str) {
    let path = format!("/v1/projects/{}/envs/prod/bridges", lab.project);
    for _ in 0..600 {
        let known = lab.hub().operate(Method::GET, &path, &Json::Null).await.unwrap();
        let is_it = |row: &Json| row["id"] == bridge && row["standing"]["admin"].is_object();
        if known["bridges"].as_array().unwrap().iter().any(is_it) {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("{bridge} has not reported");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_opens_one_bridge_for_one_deed_once() {
    let mut lab = Lab::start("opened").await;
    let bridge = lab.bridge("one", &[("STK_BRIDGE_ID", ID), ADMIN, ("STK_BRIDGE_CACHE_KEY", CACHE_KEY)]).await;
    let other = lab.bridge("other", &[("STK_BRIDGE_ID", OTHER), ADMIN]).await;
    lab.apply().await;
    until_known(&lab, ID).await;
    until_known(&lab, OTHER).await;

    let good = token(&lab, ID).await;
    assert_eq!(sync(&other, "opened/prod", Some(&good)).await.0, 401, "another Bridge's");
    assert_eq!(sync(&bridge, "opened/staging", Some(&good)).await.0, 401, "for another env");
    let (status, done) = sync(&bridge, "opened/prod", Some(&good)).await;
    assert_eq!((status, &done["state"], &done["bridge"]), (200, &json!("fresh"), &json!(ID)), "{done}");
    let (status, again) = sync(&bridge, "opened/prod", Some(&good)).await;
    let message = again["error"]["message"].as_str().unwrap();
    assert!(status == 401 && message.contains("it was used already"), "{again}");
    for wrong in [None, Some(OPERATOR), Some(lab.service_token.as_str()), Some(lab.api_key.0.as_str())] {
        assert_eq!(sync(&bridge, "opened/prod", wrong).await.0, 401, "{wrong:?}");
    }
    // The applications' listener knows nothing of it, and this one nothing of applications.
    let unused = token(&lab, ID).await;
    let path = "/admin/envs/opened/prod/sync";
    let elsewhere =
        Client::new().post(format!("{}{path}", bridge.client.url())).bearer_auth(&unused).send().await.unwrap();
    assert_eq!(elsewhere.status(), 404);
    let call = Client::new().post(format!("{}/logics/version", bridge.admin_url())).send().await.unwrap();
    assert_eq!(call.status(), 404);

    // It is believed while the Hub is away; only the Hub cannot be asked then.
    lab.kill_hub().await;
    let (status, away) = sync(&bridge, "opened/prod", Some(&unused)).await;
    assert_eq!((status, &away["error"]["code"]), (503, &json!("SERVICE_UNAVAILABLE")), "{away}");
    assert_serves(&bridge, &lab.api_key.0, 1).await;
    let seen = bridge.output() + &other.output();
    assert!(!seen.contains(&good) && !seen.contains(&unused), "a token is in a log");
    lab.revive_hub().await;
    let log = lab.hub().operate(Method::GET, "/v1/audit?limit=1000", &Json::Null).await.unwrap();
    let made = log["entries"].as_array().unwrap().iter().filter(|entry| entry["action"] == "bridge.token").count();
    assert!(made == 2 && !log.to_string().contains(&good), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_the_bridges_own_keys_have_signed_opens_it() {
    let lab = Lab::start("signed").await;
    lab.done(&["apply", "--accept-grants", "--yes", "--wait", "0"], "").await;
    let (key, stranger) = (SigningKey::generate().unwrap(), SigningKey::generate().unwrap());
    let public = key.verifying_key().to_string();
    let began = Utc::now().timestamp();
    // Another key than that of the releases: what opens one does not open the other.
    let bridge = lab.bridge("one", &[("STK_BRIDGE_ID", ID), ADMIN, ("STK_BRIDGE_ADMIN_KEYS", &public)]).await;
    bridge.until_state("fresh").await.unwrap();
    let now = Utc::now().timestamp();
    let base = Claims {
        aud: ID.to_owned(),
        sub: "op_1".to_owned(),
        project: "signed".to_owned(),
        env: "prod".to_owned(),
        deed: Deed::Sync,
        recording: None,
        job: None,
        letters: None,
        iat: now,
        exp: now + 120,
        jti: "first".to_owned(),
    };
    let with = |change: &dyn Fn(&mut Claims)| {
        let mut claims = base.clone();
        change(&mut claims);
        sign(&claims, &key).unwrap().expose().to_owned()
    };
    let good = with(&|_| {});
    let (body, signature) = (good.split('.').nth(1).unwrap(), good.rsplit('.').next().unwrap());
    // {"alg":"none"}, and {"alg":"none","typ":"stk-bridge-admin+jwt","kid":"x"}
    let none = format!("eyJhbGciOiJub25lIn0.{body}.");
    let none_with_all =
        format!("eyJhbGciOiJub25lIiwidHlwIjoic3RrLWJyaWRnZS1hZG1pbitqd3QiLCJraWQiOiJ4In0.{body}.{signature}");
    for (what, token, why) in [
        ("expired", with(&|claims| (claims.iat, claims.exp) = (now - 60, now - 1)), "it has expired"),
        (
            "of before the start",
            with(&|claims| (claims.iat, claims.exp) = (began - 100, now + 100)),
            "before this Bridge started",
        ),
        ("of the future", with(&|claims| (claims.iat, claims.exp) = (now + 100, now + 200)), "in the future"),
        ("too long", with(&|claims| claims.exp = now + 301), "longer than a token may be"),
        ("another Bridge", with(&|claims| claims.aud = OTHER.to_owned()), "for another Bridge"),
        ("another project", with(&|claims| claims.project = "other".to_owned()), "for something else"),
        ("another env", with(&|claims| claims.env = "staging".to_owned()), "for something else"),
        ("another key", sign(&base, &stranger).unwrap().expose().to_owned(), "does not trust"),
        ("no algorithm", none, "no token of a Hub"),
        ("no algorithm, but all else", none_with_all, "of another kind"),
        ("no signature", good[..=good.rfind('.').unwrap()].to_owned(), "signature does not hold"),
    ] {
        let (status, told) = sync(&bridge, "signed/prod", Some(&token)).await;
        let message = told["error"]["message"].as_str().unwrap_or_default();
        assert!(status == 401 && message.contains(why), "{what}: {status} {told}");
    }
    assert_eq!(sync(&bridge, "signed/prod", Some(&good)).await.0, 200, "what was refused did not use it up");
    assert_eq!(sync(&bridge, "signed/prod", Some(&good)).await.0, 401, "once");
    // The Hub signs releases of this Bridge, and no tokens for it: it says so.
    until_known(&lab, ID).await;
    let refused = lab.stk(&["bridge", "force-sync", ID, "--url", &bridge.admin_url()], "").await;
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(
        refused.json()["bridges"][0]["error"]["hint"].as_str().unwrap().contains("STK_BRIDGE_ADMIN_KEYS"),
        "{refused:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forced_sync_follows_the_hub_at_once() {
    let lab = Lab::start("forced").await;
    let nobody = lab.stk(&["bridge", "force-sync"], "").await;
    assert!(nobody.code == 1 && nobody.stdout.contains("STK_BRIDGE_ADMIN_LISTEN"), "{nobody:?}");
    // A port that is free, so that the Bridge can say where it is.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let (listen, url) = (format!("127.0.0.1:{port}"), format!("http://127.0.0.1:{port}"));
    let settings = [("STK_BRIDGE_ID", ID), ("STK_BRIDGE_ADMIN_LISTEN", &listen), ("STK_BRIDGE_ADMIN_URL", &url), SLOW];
    let bridge = lab.bridge("one", &settings).await;
    lab.apply().await;
    until_known(&lab, ID).await;
    // A release that it refuses, for a secret that is not there.
    lab.done(&["secrets", "delete", "TOKEN", "--yes"], "").await;
    lab.set_version(2);
    assert_eq!(lab.stk(&["apply", "--yes"], "").await.code, 3);
    let refused = lab.done(&["bridge", "force-sync"], "").await;
    assert_eq!(refused["bridges"][0]["refused"]["code"], "RELEASE_BLOCKED", "{refused}");
    assert_eq!(refused["bridges"][0]["sequence"], 1, "{refused}");
    // The poll that is open now ends in a minute; who asks does not wait for it.
    lab.done(&["secrets", "set", "TOKEN"], SECRET).await;
    let began = std::time::Instant::now();
    let synced = lab.done(&["bridge", "force-sync"], "").await;
    assert_eq!(
        (&synced["bridges"][0]["refused"], &synced["bridges"][0]["sequence"]),
        (&Json::Null, &json!(2)),
        "{synced}"
    );
    assert!(began.elapsed() < std::time::Duration::from_secs(30), "it took {:?}", began.elapsed());
    assert_serves(&bridge, &lab.api_key.0, 2).await;
    bridge.kill().await.unwrap();
    let gone = lab.stk(&["bridge", "force-sync"], "").await;
    assert_eq!(gone.code, 4, "{gone:?}");
}
