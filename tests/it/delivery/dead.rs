//! Dead letters as an operator sees them: with the history of their attempts, until they are tried again by a newer release, or removed.

use reqwest::{Client, Method, RequestBuilder};
use santokit_tests::{Engine, Finished, StkDev, planes::OPERATOR, stk};
use serde_json::{Value as Json, json};

use super::{Asking, fleet::lab, on::On, project, subscribe};
use crate::lab::Lab;

cases! { looked_at:
    dead_letters_on_sqlite = None, Tables;
    dead_letters_on_postgres = Some(Engine::Postgres), Tables;
    dead_letters_on_mysql = Some(Engine::Mysql), Tables;
    dead_letters_over_nats_on_sqlite = None, Nats;
    dead_letters_over_nats_on_postgres = Some(Engine::Postgres), Nats;
    dead_letters_over_nats_on_mysql = Some(Engine::Mysql), Nats;
}

async fn looked_at(on: On) {
    let folder = project(on.project("given_up"), &on.connection(None));
    let retry = "retry: {maxRetries: 1, minBackoff: 10ms, maxBackoff: 20ms}\n";
    subscribe(&folder, "panics", "loose", retry);
    subscribe(&folder, "broken", "note", retry);
    subscribe(&folder, "lost", "whole", &format!("{retry}deadLetter: false\nfilter: event.payload.number == 7\n"));
    // A row of nothing cannot be.
    let good = folder.read("logics/note.sql").unwrap();
    folder
        .write("logics/note.sql", &good.replace("VALUES (:event.id, :event.id,", "VALUES (NULL, :event.id,"))
        .unwrap();
    let mut dev = StkDev::start(folder.path(), &on.settings()).await.unwrap();
    let dlq = async |args: &[&str]| -> Finished {
        let args: Vec<&str> = ["events", "dlq"].iter().chain(args).chain(&["--json"]).copied().collect();
        stk(folder.path(), &args, &[]).await.unwrap()
    };
    let done = async |args: &[&str]| -> Json {
        let finished = dlq(args).await;
        assert_eq!(finished.code, 0, "{args:?} {finished:?}\n{}", dev.output());
        finished.json()
    };
    assert_eq!(done(&["list"]).await["deadLetters"], json!([]));
    let asking = Asking::of(&dev);
    let event = asking.publish(json!({"action": "panic", "key": "k", "number": 1})).await;
    let two = |rows: &[Json]| rows.iter().filter(|row| row["state"] == "dead").count() == 2;
    asking.until("rows", "two dead letters", two).await;

    let listed = done(&["list"]).await["deadLetters"].as_array().unwrap().clone();
    assert!(listed.iter().all(|letter| letter["event"] == json!(event) && letter["fields"].is_null()), "{listed:?}");
    let one = done(&["inspect", &format!("{event}:panics")]).await;
    told(&one);
    let words = stk(folder.path(), &["events", "dlq", "inspect", &format!("{event}:panics")], &[]).await.unwrap();
    assert!(words.stdout.contains("attempt 2") && words.stdout.contains("on_event"), "{words:?}");
    assert_eq!(dlq(&["inspect", "evt_none:panics"]).await.code, 1);

    // Which are meant must be said, and what is not there is not touched.
    assert_eq!(dlq(&["replay"]).await.code, 2);
    assert_eq!(dlq(&["replay", "evt_none:panics"]).await.code, 1);
    assert_eq!(done(&["list", "--topic", "chain"]).await["deadLetters"], json!([]));
    assert_eq!(done(&["list", "--until", "2020-01-01T00:00:00Z"]).await["deadLetters"], json!([]));
    assert_eq!(done(&["replay", "--topic", "chain"]).await["touched"], 0);

    // Tried again by the same release it is dead again, with a longer history; by a better one it is handled.
    assert_eq!(done(&["replay", &format!("{event}:broken")]).await["touched"], 1);
    asking.until("rows", "two dead letters again", two).await;
    let again = done(&["inspect", &format!("{event}:broken")]).await;
    assert_eq!(again["history"].as_array().unwrap().len(), 4, "{again}");
    drop(asking);
    folder.write("logics/note.sql", &good).unwrap();
    dev.wait_for("swapped", std::time::Duration::from_mins(1)).await.unwrap();
    let replayed =
        stk(folder.path(), &["events", "dlq", "replay", "--subscription", "broken", "--json"], &[]).await.unwrap();
    assert_eq!((replayed.code, &replayed.json()["touched"]), (0, &json!(1)), "{replayed:?}");
    let asking = Asking::of(&dev);
    let rows = asking.until("handled", "it is handled", |rows| !rows.is_empty()).await;
    assert_eq!((&rows[0]["event"], &rows[0]["attempt"], &rows[0]["said"]), (&json!(event), &json!(1), &json!("k")));
    asking.until("rows", "one is left", |rows| rows.len() == 1 && rows[0]["subscription"] == "panics").await;

    // Removed for good; without a word of consent it is not.
    let purge = ["events", "dlq", "purge", "--subscription", "panics", "--json"];
    assert_eq!(stk(folder.path(), &purge, &[]).await.unwrap().code, 2);
    let purged = stk(folder.path(), &[&purge[..], &["--yes"]].concat(), &[]).await.unwrap();
    assert_eq!((purged.code, &purged.json()["touched"]), (0, &json!(1)), "{purged:?}");
    assert_eq!(asking.rows("rows").await, Vec::<Json>::new());

    // A subscription that wants none kept has none.
    let refused = asking.publish(json!({"action": "fail", "number": 7})).await;
    let rows = asking.until_done().await;
    // What the handler says beside its words is shown with them.
    let one = stk(folder.path(), &["events", "dlq", "inspect", &format!("{refused}:panics")], &[]).await.unwrap();
    assert!(one.stdout.contains(&format!("details: {{\"event\":\"{refused}\"}}")), "{one:?}");
    assert!(rows.iter().all(|row| row["subscription"] != "lost"), "{rows:?}");
    dev.wait_for_output("an event is given up, as the subscription says").await.unwrap();
}

/// Which fields it had, and each attempt with its place; no value of the payload.
fn told(one: &Json) {
    assert_eq!(one["fields"], json!(["action", "key", "number"]));
    assert!(!one.to_string().contains("\"k\""), "what a customer sent: {one}");
    assert_eq!((&one["attempts"], &one["publishedBy"], &one["depth"]), (&json!(2), &json!("publish"), &json!(0)));
    let history = one["history"].as_array().unwrap();
    assert_eq!(history.iter().map(|attempt| attempt["attempt"].as_i64().unwrap()).collect::<Vec<_>>(), [1, 2]);
    for attempt in history {
        assert_eq!(attempt["code"], "LOGIC_FAILED", "{attempt}");
        assert!(attempt["backtrace"].as_str().unwrap().contains("on_event"), "{attempt}");
        assert!(
            attempt["bridge"].as_str().unwrap().starts_with("brg_")
                && attempt["release"].as_str().unwrap().starts_with("rel_"),
            "{attempt}"
        );
    }
}

const ID: &str = "brg_01ARZ3NDEKTSV4RRFFQ69G5FE2";

/// The status and the body of an answer.
async fn answered(request: RequestBuilder, token: Option<&str>) -> (u16, String) {
    let request = match token {
        Some(token) => request.bearer_auth(token),
        None => request,
    };
    let response = request.send().await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_letters_open_to_a_token_for_them_and_to_nothing_else() {
    let lab = lab("letters", None, &[("vain", "loose", "retry: {maxRetries: 0}\n")]).await;
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let (listen, url) = (format!("127.0.0.1:{port}"), format!("http://127.0.0.1:{port}"));
    let settings =
        [("STK_BRIDGE_ID", ID), ("STK_BRIDGE_ADMIN_LISTEN", listen.as_str()), ("STK_BRIDGE_ADMIN_URL", url.as_str())];
    let bridge = lab.bridge("one", &settings).await;
    lab.apply().await;
    let asking = Asking::at(&bridge);
    asking.publish(json!({"action": "fail", "key": "planted-in-a-payload"})).await;
    asking.until("rows", "a dead letter", |rows| rows.len() == 1 && rows[0]["state"] == "dead").await;

    let path = format!("{}/admin/envs/letters/prod/deadletters", bridge.admin_url().trim_end_matches('/'));
    let http = Client::new();
    let (list, decide) = (|| http.get(&path), |body: Json| http.post(&path).json(&body));
    let purge = json!({"fate": "purge", "all": true});
    for wrong in [None, Some(OPERATOR), Some(lab.service_token.as_str()), Some(lab.api_key.0.as_str())] {
        assert_eq!((answered(list(), wrong).await.0, answered(decide(purge.clone()), wrong).await.0), (401, 401));
    }
    let of_all = json!({"deed": "deadletters-purge", "letters": {"all": true}});
    // Reading decides nothing, nor does what lets them be tried again remove them.
    for deed in [
        json!({"deed": "sync"}),
        json!({"deed": "logs"}),
        json!({"deed": "deadletters"}),
        json!({"deed": "deadletters-replay", "letters": {"all": true}}),
        json!({"deed": "deadletters-purge", "letters": {"topic": "work"}}),
        json!({"deed": "deadletters-purge", "letters": {"ids": 1}}),
    ] {
        assert_eq!(answered(decide(purge.clone()), Some(&token(&lab, &deed).await)).await.0, 401, "{deed}");
    }
    assert_eq!(answered(list(), Some(&token(&lab, &of_all).await)).await.0, 401, "a token that removes does not read");
    let reads = json!({"deed": "deadletters"});
    let once = token(&lab, &reads).await;
    let elsewhere = path.replace("/prod/", "/staging/");
    assert_eq!(answered(http.get(elsewhere), Some(&once)).await.0, 401, "another env");
    let (status, body) = answered(list(), Some(&once)).await;
    assert!(status == 200 && body.contains("NOT_NOW") && !body.contains("planted-in-a-payload"), "{body}");
    assert_eq!(answered(list(), Some(&once)).await.0, 401, "once");
    let many: Vec<String> = (0..501).map(|number| number.to_string()).collect();
    for bad in [
        json!({}),
        json!({"fate": "forgive", "all": true}),
        // All are meant where that is said, and not where nothing is.
        json!({"fate": "purge"}),
        json!({"fate": "purge", "ids": []}),
        json!({"fate": "purge", "all": false}),
        json!({"fate": "purge", "all": true, "topic": "work"}),
        json!({"fate": "purge", "all": true, "everything": true}),
        json!({"fate": "purge", "ids": "all"}),
        json!({"fate": "purge", "ids": many}),
        json!({"fate": "purge", "since": "yesterday"}),
        json!({"fate": "purge", "topic": "x".repeat(200_000)}),
    ] {
        let (status, body) = answered(decide(bad), Some(&token(&lab, &of_all).await)).await;
        assert_eq!(status, 400, "{body}");
    }
    for wrong in ["everything", "after"] {
        let (status, body) =
            answered(list().query(&[(wrong, "evt_none:vain")]), Some(&token(&lab, &reads).await)).await;
        assert_eq!(status, if wrong == "after" { 404 } else { 400 }, "{body}");
    }
    let hostile = json!({"fate": "purge", "ids": ["' OR '1'='1"]});
    let of_one = json!({"deed": "deadletters-purge", "letters": {"ids": 1}});
    let (status, body) = answered(decide(hostile), Some(&token(&lab, &of_one).await)).await;
    assert!(status == 200 && body.contains("\"touched\":0"), "{body}");
    let (status, body) = answered(decide(purge), Some(&token(&lab, &of_all).await)).await;
    assert!(status == 200 && body.contains("\"touched\":1") && body.contains("\"isCut\":false"), "{body}");
    audited(&lab).await;
}

async fn token(lab: &Lab, of: &Json) -> String {
    let tokens = format!("/v1/projects/letters/envs/prod/bridges/{ID}/tokens");
    let made = lab.hub().operate(Method::POST, &tokens, of).await.unwrap();
    made["token"].as_str().unwrap().to_owned()
}

/// The Hub says no where nobody has said which, and its log tells what each token was for.
async fn audited(lab: &Lab) {
    let tokens = format!("/v1/projects/letters/envs/prod/bridges/{ID}/tokens");
    let of = |letters: Json| json!({"deed": "deadletters-purge", "letters": letters});
    for wrong in [
        json!({"deed": "deadletters-purge"}),
        json!({"deed": "deadletters-replay"}),
        of(json!({})),
        of(json!({"all": false})),
        of(json!({"all": true, "ids": 1})),
        of(json!({"topic": "work' --"})),
        of(json!({"subscription": "../vain"})),
        of(json!({"since": "yesterday"})),
        json!({"deed": "deadletters", "letters": {"all": true}}),
        json!({"deed": "sync", "letters": {"all": true}}),
        json!({"deed": "deadletters-purge", "job": "vain", "letters": {"all": true}}),
    ] {
        assert!(lab.hub().operate(Method::POST, &tokens, &wrong).await.is_err(), "{wrong}");
    }
    let until = "2026-01-31T08:00:00Z";
    token(lab, &of(json!({"topic": "work", "subscription": "vain", "until": until, "ids": 2}))).await;
    let log = lab.hub().operate(Method::GET, "/v1/audit?limit=1000", &Json::Null).await.unwrap();
    let entries = log["entries"].as_array().unwrap().iter().filter(|entry| entry["action"] == "bridge.token");
    let details: Vec<Json> = entries.map(|entry| entry["detail"].clone()).collect();
    let is_there = |deed: &str, more: &Json| {
        let has = |detail: &Json| more.as_object().unwrap().iter().all(|(key, value)| detail[key] == *value);
        details.iter().any(|detail| detail["deed"] == deed && has(detail))
    };
    assert!(is_there("deadletters", &json!({"all": null, "ids": null})), "{details:?}");
    assert!(is_there("deadletters-replay", &json!({"all": true, "ids": null})), "{details:?}");
    let all = json!({"topic": "work", "subscription": "vain", "ids": 2, "all": null});
    assert!(is_there("deadletters-purge", &all) && is_there("deadletters-purge", &json!({"all": true})), "{details:?}");
    let found = details.iter().find(|detail| detail["ids"] == 2).unwrap();
    assert!(found["until"].as_str().unwrap().starts_with("2026-01-31T08:00:00"), "{found}");
}
