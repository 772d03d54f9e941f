//! Many dead letters: they are listed page by page, decided about in portions, told by a number, and gone when their time is over.

use std::{collections::BTreeSet, time::Duration};

use chrono::{DateTime, TimeDelta};
use santokit_core::release::Digest;
use santokit_tests::{Engine, StkDev, stk};
use serde_json::{Value as Json, json};

use super::{Asking, fleet::lab, on::On, project, subscribe};

const SCRAPE: &str = "scrape-0123456789abcdef";

/// As many again, each with a longer id.
const DOUBLE: &str = "---\nauth: public\nparams: {more: {type: string, required: true}}\n---\n\
    INSERT INTO stk_delivery (id, project, env, event, topic, subscription, payload, published_at, published_by, depth, state, attempt, due_at, error, \
    history, created_at, expires_at) SELECT CONCAT(id, :more), project, env, event, topic, subscription, payload, published_at, published_by, depth, \
    state, attempt, due_at, error, history, created_at, expires_at FROM stk_delivery\n";

/// An acknowledgement whose word did not come.
const TELL: &str = "---\nauth: public\nparams: {id: {type: string, required: true}}\n---\n\
    INSERT INTO stk_outbox (id, project, env, \"release\", topic, payload, published_at, published_by, depth, expires_at) \
    SELECT :id, project, env, 'rel_1', '$ack', payload, published_at, published_by, depth, due_at FROM stk_delivery WHERE id = CONCAT(event, ':vain')\n";
/// Of which one, where there are many.
const TELL_OF: &str = "{id: {type: string, required: true}, letter: {type: string, required: true}}";
const TOLD: &str = "---\nauth: public\n---\nSELECT id FROM stk_outbox WHERE topic = '$ack'\n";
const KEPT: &str = "---\nauth: public\n---\nSELECT due_at, expires_at FROM stk_delivery\n";
/// The time of half of them is over.
const EXPIRE: &str =
    "---\nauth: public\n---\nUPDATE stk_delivery SET expires_at = '2000-01-01 00:00:00' WHERE id NOT LIKE '%k'\n";

cases! { many:
    many_dead_letters_on_sqlite = None, Tables;
    many_dead_letters_on_postgres = Some(Engine::Postgres), Tables;
    many_dead_letters_on_mysql = Some(Engine::Mysql), Tables;
    many_dead_letters_over_nats = Some(Engine::Postgres), Nats;
}

async fn many(on: On) {
    let name = on.project("many");
    let folder = project(name, &on.connection(None));
    subscribe(&folder, "vain", "loose", "retry: {maxRetries: 0}\n");
    let told = tell(&on);
    for (logic, text) in [("double", DOUBLE), ("tell", told.as_str()), ("told", TOLD)] {
        folder.write(&format!("logics/{logic}.sql"), text).unwrap();
    }
    let dev = StkDev::start(folder.path(), &on.settings()).await.unwrap();
    let asking = Asking::of(&dev);
    let event = asking.publish(json!({"action": "fail"})).await;
    asking.until("rows", "a dead letter", |rows| rows.len() == 1 && rows[0]["state"] == "dead").await;
    // 2 to the power of 11.
    for more in "abcdefghijk".chars() {
        let answer = dev.client.logic("double", json!({"more": more.to_string()})).await.unwrap();
        assert_eq!(answer.status, 200, "{answer:?}\n{}", dev.output());
    }
    let done = async |args: &[&str]| -> Json {
        let args: Vec<&str> = ["events", "dlq"].iter().chain(args).chain(&["--json"]).copied().collect();
        let finished = stk(folder.path(), &args, &[]).await.unwrap();
        assert_eq!(finished.code, 0, "{args:?} {finished:?}\n{}", dev.output());
        finished.json()
    };

    // Page by page, each of them once.
    let (mut seen, mut after, mut pages) = (BTreeSet::new(), None::<String>, Vec::new());
    loop {
        let answer = match &after {
            Some(after) => done(&["list", "--after", after]).await,
            None => done(&["list"]).await,
        };
        let letters = answer["deadLetters"].as_array().unwrap();
        pages.push(letters.len());
        seen.extend(letters.iter().map(|letter| letter["id"].as_str().unwrap().to_owned()));
        after = answer["next"].as_str().map(str::to_owned);
        assert_eq!(answer["isCut"], after.is_some());
        if after.is_none() {
            break;
        }
    }
    assert_eq!((pages, seen.len()), (vec![1_000, 1_000, 48], 2_048));

    // In portions; and what says that one of them was handled goes with it.
    let letter = format!("{event}:vain");
    let id = mark((name, "dev"), &letter);
    assert_eq!(dev.client.logic("tell", json!({"id": id})).await.unwrap().status, 200, "{}", dev.output());
    assert_eq!(asking.rows("told").await, [json!({"id": id})]);
    assert_eq!(done(&["purge", &format!("{letter}a"), "--yes"]).await["touched"], 1);
    assert_eq!(asking.rows("told").await, [json!({"id": id})], "it is of another one");
    let purged = done(&["purge", "--all", "--yes"]).await;
    assert_eq!((&purged["touched"], &purged["isCut"], &purged["failed"]), (&json!(2_047), &json!(false), &json!([])));
    assert_eq!(asking.rows("rows").await, Vec::<Json>::new());
    assert_eq!(asking.rows("told").await, Vec::<Json>::new());
}

cases! { again:
    what_dies_again_is_tried_again_once = None, Tables;
    what_dies_again_is_tried_again_once_over_nats = None, Nats;
}

/// What dies again while all are tried again is not tried for ever.
async fn again(on: On) {
    let folder = project(on.project("again"), "");
    subscribe(&folder, "vain", "loose", "retry: {maxRetries: 0}\n");
    folder.write("logics/double.sql", DOUBLE).unwrap();
    let dev = StkDev::start(folder.path(), &on.settings()).await.unwrap();
    let asking = Asking::of(&dev);
    asking.publish(json!({"action": "fail"})).await;
    asking.until("rows", "a dead letter", |rows| rows.len() == 1 && rows[0]["state"] == "dead").await;
    for more in "abcdefghij".chars() {
        dev.client.logic("double", json!({"more": more.to_string()})).await.unwrap();
    }
    let args = ["events", "dlq", "replay", "--all", "--json"];
    let finished = stk(folder.path(), &args, &[]).await.unwrap();
    assert_eq!((finished.code, &finished.json()["touched"]), (0, &json!(1_024)), "{finished:?}\n{}", dev.output());
}

cases! { expired:
    dead_letters_expire_and_many_are_told_on_sqlite = None, Tables;
    dead_letters_expire_and_many_are_told_on_postgres = Some(Engine::Postgres), Tables;
    dead_letters_expire_and_many_are_told_on_mysql = Some(Engine::Mysql), Tables;
}

async fn expired(on: On) {
    let name = on.project("expiring");
    let lab = lab(name, on.url(), &[("vain", "loose", "retry: {maxRetries: 0}\n")]).await;
    let tell = tell(&on).replace("CONCAT(event, ':vain')", ":letter");
    let tell = tell.replace("{id: {type: string, required: true}}", TELL_OF);
    for (logic, text) in
        [("double", DOUBLE), ("tell", tell.as_str()), ("told", TOLD), ("kept", KEPT), ("expire", EXPIRE)]
    {
        lab.folder.write(&format!("logics/{logic}.sql"), text).unwrap();
    }
    let settings = [("STK_BRIDGE_DEAD_LETTER_RETENTION", "2d"), ("STK_BRIDGE_METRICS_TOKEN", SCRAPE)];
    let bridge = lab.bridge("one", &settings).await;
    lab.apply().await;
    let asking = Asking::at(&bridge);
    let event = asking.publish(json!({"action": "fail"})).await;
    asking.until("rows", "a dead letter", |rows| rows.len() == 1 && rows[0]["state"] == "dead").await;
    let kept = asking.rows("kept").await;
    let time = |name: &str| DateTime::parse_from_rfc3339(kept[0][name].as_str().unwrap()).unwrap();
    assert_eq!(time("expires_at") - time("due_at"), TimeDelta::days(2), "{kept:?}");
    let done = async |logic: &str, params: Json| {
        let answer = bridge.client.logic(logic, params).await.unwrap();
        assert_eq!(answer.status, 200, "{logic} {answer:?}\n{}", bridge.output());
    };
    for more in "abcdefghijk".chars() {
        done("double", json!({"more": more.to_string()})).await;
    }
    // Two of them go, in portions of their own, and one stays.
    let letters = ["vain", "vainabcdefghij", "vaink"].map(|last| format!("{event}:{last}"));
    let marks = letters.each_ref().map(|letter| mark((name, "prod"), letter));
    for (letter, id) in letters.iter().zip(&marks) {
        done("tell", json!({"id": id, "letter": letter})).await;
    }
    assert_eq!(asking.rows("told").await.len(), 3);
    done("expire", json!({})).await;
    // What has expired is removed each minute, and counted then.
    let began = tokio::time::Instant::now();
    while asking.rows("rows").await.len() != 1_024 || !bridge.output().contains("more than 1000 dead letters") {
        assert!(began.elapsed() < Duration::from_mins(3), "it is still there\n{}", bridge.output());
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    assert_eq!(asking.rows("told").await, [json!({"id": marks[2]})], "what says that one was handled goes with it");
    let text = bridge.client.with_bearer(SCRAPE).get("/metrics").await.unwrap();
    let text = text.body.as_str().unwrap().to_owned();
    let line = text.lines().find(|line| line.starts_with("stk_bridge_events_dead{"));
    assert!(line.is_some_and(|line| line.ends_with("} 1001")), "{line:?}");
}

/// The id of what says that an event was handled.
fn mark((project, env): (&str, &str), letter: &str) -> String {
    let digits = Digest::of(format!("{project}\0{env}\0{letter}").as_bytes()).to_string();
    format!("ack_{}", &digits.rsplit(':').next().unwrap()[..32])
}

/// [`TELL`] on an engine.
fn tell(on: &On) -> String {
    // A word of MySQL's own.
    let quote = if matches!(on.url(), Some((Engine::Mysql, _))) { "`" } else { "\"" };
    TELL.replace('"', quote)
}
