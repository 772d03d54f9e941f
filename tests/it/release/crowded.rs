//! What a project has too many of is refused by the Hub as well: `stk check` tells it first, and a manifest can be written by hand.

use reqwest::Method;
use santokit_core::release::Manifest;
use santokit_tests::planes::OPERATOR;
use serde_json::{Value as Json, json};

use crate::lab::Lab;

/// Gives a manifest so many of something.
type Grow<'a> = &'a dyn Fn(&mut Json, usize);

#[tokio::test(flavor = "multi_thread")]
async fn a_project_has_so_many_topics_subscriptions_and_buckets() {
    let lab = Lab::start("crowded").await;
    let applied = lab.apply().await;
    let release = lab.release(&applied["releaseId"]).await;
    let manifest: Json = serde_json::from_str(release["manifest"].as_str().unwrap()).unwrap();
    let logic = manifest["logics"].as_object().unwrap().keys().next().unwrap().clone();
    let apply = async |change: &dyn Fn(&mut Json)| {
        let mut changed = manifest.clone();
        change(&mut changed);
        let changed: Manifest = serde_json::from_value(changed).unwrap();
        let body = json!({"manifest": String::from_utf8(changed.canonical().unwrap()).unwrap(), "dryRun": true});
        let url = format!("{}/v1/projects/crowded/envs/prod/apply", lab.hub().url);
        let sent =
            reqwest::Client::new().request(Method::POST, url).bearer_auth(OPERATOR).json(&body).send().await.unwrap();
        (sent.status().as_u16(), sent.json::<Json>().await.unwrap())
    };
    let topics = |changed: &mut Json, count: usize| {
        let of = |number: usize| (format!("t{number}"), json!({"fields": [], "retention": 1_000}));
        changed["events"]["topics"] = (0..count).map(of).collect::<serde_json::Map<_, _>>().into();
    };
    let subscriptions = |changed: &mut Json, count: usize| {
        topics(changed, 1);
        let one = json!({"topic": "t0", "handler": logic, "retry": {"maxRetries": 3, "minBackoff": 1_000, "maxBackoff": 60_000},
            "deadLetter": true, "concurrency": 4, "timeout": 30_000});
        let of = |number: usize| (format!("s{number}"), one.clone());
        changed["events"]["subscriptions"] = (0..count).map(of).collect::<serde_json::Map<_, _>>().into();
    };
    let buckets = |changed: &mut Json, count: usize| {
        let of = |number: usize| (format!("b{number}"), json!({"provider": "local", "maxObject": 1_000}));
        changed["storage"]["buckets"] = (0..count).map(of).collect::<serde_json::Map<_, _>>().into();
    };
    let cases: [(&str, Grow<'_>, usize); 3] =
        [("topics", &topics, 100), ("subscriptions", &subscriptions, 50), ("buckets", &buckets, 50)];
    for (limit, of, most) in cases {
        let (status, answer) = apply(&|changed: &mut Json| of(changed, most)).await;
        assert_ne!(answer["error"]["details"]["limit"], limit, "{most} {limit}: {status} {answer}");
        let (status, answer) = apply(&|changed: &mut Json| of(changed, most + 1)).await;
        let error = &answer["error"];
        assert_eq!(
            (status, &error["code"], &error["details"]["limit"]),
            (409, &json!("CONFLICT"), &json!(limit)),
            "{answer}"
        );
        assert!(error["message"].as_str().unwrap().contains(&format!("{most}")), "{answer}");
    }
}
