//! Topics, triggers and subscriptions come and go with their release, while events flow: every one of them is handled, is a dead letter, or waits. While a
//! canary lasts, the baseline handles what both sides publish.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use santokit_tests::{Bridge, BridgeClient, Engine, ProjectFolder};
use serde_json::{Value as Json, json};

use super::{Asking, events, fleet::lab, on::On, subscribe};
use crate::lab::{IN_URL, Lab};

const ORDERS: &str =
    "version: 1\ntables:\n  orders:\n    id: {generate: client}\n    columns: {n: {type: int, nullable: false}}\n";
const RULES: &str = "tables:\n  orders:\n    insert: {roles: [public]}\n";
const PLACED: &str = "name: placed\nschema: {n: {type: int, required: true}}\n";
const TRIGGER: &str = "on: insert\ntable: orders\ntopic: placed\nmapping: {n: n}\n";
const SHIP: &str = "name: ship\ntopic: placed\nhandler: logics/ship\n";
/// The events of the trigger, and of the others those that nobody was given yet.
const OF_ROWS: &str =
    "---\nauth: public\n---\nSELECT id AS event, shared_at FROM stk_outbox WHERE topic = 'placed' ORDER BY id\n";
const UNSHARED: &str = "---\nauth: public\n---\nSELECT id FROM stk_outbox WHERE topic = 'work' AND shared_at IS NULL\n";

/// The longest that there is: who waits for it was not told.
const POLL: (&str, &str) = ("STK_BRIDGE_EVENTS_POLL_INTERVAL", "1m");

/// A handler that says by whom an event was handled.
fn noting(id: &str, logic: &str, said: &str) -> String {
    format!(
        "---\n---\nINSERT INTO handled (id, event, logic, attempt, depth, said) \
         VALUES ({id}, :event.id, '{logic}', :event.attempt, :event.depth, '{said}')\n"
    )
}

/// What both releases have, as the first has it.
fn first(folder: &ProjectFolder) {
    for (path, text) in [
        ("schema/orders.yaml", ORDERS),
        ("config/permissions.yaml", RULES),
        ("logics/of_rows.sql", OF_ROWS),
        ("logics/unshared.sql", UNSHARED),
        ("logics/step.sql", noting(":event.id", "steady", "A").as_str()),
    ] {
        folder.write(path, text).unwrap();
    }
}

/// Another handler for the same subscription, one that never handles for a new one, and a topic with its trigger and subscription.
fn second(folder: &ProjectFolder) {
    for (path, text) in [
        ("logics/step.sql", noting(":event.id", "steady", "B").as_str()),
        ("logics/never.sql", noting("NULL", "extra", "B").as_str()),
        ("logics/ship.sql", noting(":event.id", "ship", "B").as_str()),
        ("events/topics/placed.yaml", PLACED),
        ("events/triggers/placed.yaml", TRIGGER),
        ("events/subscriptions/ship.yaml", SHIP),
    ] {
        folder.write(path, text).unwrap();
    }
    subscribe(folder, "extra", "never", "retry: {maxRetries: 10, minBackoff: 200ms, maxBackoff: 1s}\n");
}

/// Publishes and writes rows at Bridges, in turn, until it is told to end.
struct Flow {
    stop: Arc<AtomicBool>,
    task: tokio::task::JoinHandle<Flowed>,
}

#[derive(Default)]
struct Flowed {
    published: BTreeSet<String>,
    /// How many rows were written by each release.
    rows: BTreeMap<String, usize>,
}

impl Flow {
    fn start(bridges: [&Bridge; 2]) -> Self {
        let (stop, clients) = (Arc::new(AtomicBool::new(false)), bridges.map(|bridge| bridge.client.clone()));
        let stopped = Arc::clone(&stop);
        let task = tokio::spawn(async move {
            let mut flowed = Flowed::default();
            for (number, client) in clients.iter().cycle().enumerate() {
                if stopped.load(Ordering::Relaxed) {
                    break;
                }
                let params = json!({"topic": "work", "payload": {"action": "-"}});
                let answer = client.logic("publish", params).await.unwrap();
                assert_eq!(answer.status, 200, "{answer:?}");
                flowed.published.insert(answer.body["data"].as_str().unwrap().to_owned());
                let release = order(client, &format!("order {number}")).await;
                *flowed.rows.entry(release).or_default() += 1;
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            flowed
        });
        Self { stop, task }
    }

    async fn end(self) -> Flowed {
        self.stop.store(true, Ordering::Relaxed);
        self.task.await.unwrap()
    }
}

/// Writes a row; by which release.
async fn order(client: &BridgeClient, id: &str) -> String {
    let row = json!({"data": {"id": id, "n": 1}});
    let answer = client.post("/db/orders/insert", row.to_string()).await.unwrap();
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.release().to_owned()
}

fn said(rows: &[Json], logic: &str, word: &str) -> usize {
    rows.iter().filter(|row| row["logic"] == logic && row["said"] == word).count()
}

/// The rows of a subscription, or of who handles for it.
fn of(rows: &[Json], key: &str, name: &str) -> Vec<Json> {
    rows.iter().filter(|row| row[key] == name).cloned().collect()
}

cases! { swapped:
    events_flow_over_a_swap_and_back_on_sqlite = None, Tables;
    events_flow_over_a_swap_and_back_on_postgres = Some(Engine::Postgres), Tables;
    events_flow_over_a_swap_and_back_on_mysql = Some(Engine::Mysql), Tables;
    events_flow_over_a_swap_and_back_over_nats = Some(Engine::Postgres), Nats;
}

async fn swapped(on: On) {
    let lab = lab(on.project("swapping"), on.url(), &[("steady", "step", "")]).await;
    first(&lab.folder);
    let own = vec![("STK_BRIDGE_EVENTS_POLL_INTERVAL", "50ms"), ("STK_BRIDGE_EVENTS_ORPHANED_AFTER", "1s")];
    let settings = [on.settings(), own].concat();
    let (one, other) = (lab.bridge("one", &settings).await, lab.bridge("other", &settings).await);
    let before = lab.apply().await["releaseId"].as_str().unwrap().to_owned();
    let (flow, asking) = (Flow::start([&one, &other]), Asking::at(&one));
    asking.until("handled", "the first release handles", |rows| said(rows, "steady", "A") > 4).await;

    second(&lab.folder);
    let after = lab.apply().await["releaseId"].as_str().unwrap().to_owned();
    let both = |rows: &[Json]| said(rows, "steady", "B") > 4 && said(rows, "ship", "B") > 4;
    asking.until("handled", "the second release handles", both).await;
    let handled_as = |event: &str, word: &str, rows: &[Json]| {
        of(rows, "logic", "steady").iter().any(|row| row["event"] == event && row["said"] == word)
    };
    let asked = asking.publish(json!({"action": "-"})).await;
    asking.until("handled", "by the second", |rows| handled_as(&asked, "B", rows)).await;

    let back = lab.done(&["release", "rollback"], "").await;
    assert_eq!(back["releaseId"], json!(before), "{back}");
    let states: Vec<&Json> = back["bridges"].as_array().unwrap().iter().map(|bridge| &bridge["state"]).collect();
    assert_eq!(states, ["running", "running"], "{back}");
    let last = asking.publish(json!({"action": "-"})).await;
    asking.until("handled", "by the first again", |rows| handled_as(&last, "A", rows)).await;
    let mut flowed = flow.end().await;
    flowed.published.extend([asked.clone(), last]);
    accounted(&asking, &flowed, &asked).await;

    // Each row that the second release wrote told of itself, and no other.
    let of_rows = asking.rows("of_rows").await;
    assert_eq!(Some(&of_rows.len()), flowed.rows.get(&after), "{:?}", flowed.rows);
    assert!(flowed.rows[&before] > 0, "{:?}", flowed.rows);
    for (number, client) in [&one.client, &other.client].into_iter().cycle().take(6).enumerate() {
        assert_eq!(order(client, &format!("afterwards {number}")).await, before);
    }
    assert_eq!(asking.rows("of_rows").await.len(), of_rows.len(), "a trigger that is gone fires no more");
}

/// Every event is somewhere, and what was handled in a transaction was handled once.
async fn accounted(asking: &Asking<'_>, flowed: &Flowed, asked: &str) {
    asking.until("unshared", "all is shared", <[Json]>::is_empty).await;
    let all_dead = |rows: &[Json]| rows.iter().all(|row| row["state"] == "dead");
    let dead = asking.until("rows", "nothing is pending", all_dead).await;
    let (handled, of_rows) = (asking.rows("handled").await, asking.rows("of_rows").await);
    let told = || format!("{dead:?}\n{}", (asking.output)());
    for (subscription, published) in [("steady", &flowed.published), ("ship", &events(&of_rows))] {
        let (handled, dead) = (of(&handled, "logic", subscription), of(&dead, "subscription", subscription));
        let is_unshared = |row: &&Json| subscription == "ship" && row["shared_at"].is_null();
        let waiting: Vec<Json> = of_rows.iter().filter(is_unshared).cloned().collect();
        let accounted: BTreeSet<String> =
            [&handled, &dead, &waiting].into_iter().flat_map(|rows| events(rows)).collect();
        assert_eq!((handled.len(), &accounted), (events(&handled).len(), published), "{subscription}: {}", told());
    }
    // The new subscription has what was shared while it stood, as dead letters: it never handled one.
    let extra = of(&dead, "subscription", "extra");
    assert!(events(&extra).contains(asked) && events(&extra).is_subset(&flowed.published), "{}", told());
    let is_gone = |row: &Json| row["error"].as_str().unwrap().starts_with("NO_SUBSCRIPTION");
    assert!(extra.iter().any(is_gone), "{}", told());
    assert_eq!(of(&handled, "logic", "extra"), Vec::<Json>::new());
}

/// A lab whose project is in `dev` as well.
async fn lab_of_two(name: &'static str) -> Lab {
    let lab = lab(name, None, &[("steady", "step", "")]).await;
    first(&lab.folder);
    lab.done(&["env", "create", "dev"], "").await;
    let url = format!("sqlite:{}", lab.dir.path().join(IN_URL).join("dev.db").display());
    lab.done(&["connections", "set", "main", "--env", "dev", "--engine", "sqlite", "--url-stdin"], &url).await;
    lab
}

/// Somebody whose requests a release answers.
async fn caller(bridge: &Bridge, release: &str) -> BridgeClient {
    for number in 0..200 {
        let client = bridge.client.named(&format!("caller-{number}"));
        if client.logic("handled", json!({})).await.unwrap().release() == release {
            return client;
        }
    }
    panic!("nobody gets {release}\n{}", bridge.output())
}

#[tokio::test(flavor = "multi_thread")]
async fn while_a_canary_lasts_the_baseline_handles_what_both_sides_publish() {
    let lab = lab_of_two("canary_events").await;
    let bridge = lab.bridge("one", &[POLL, ("STK_BRIDGE_CANARY_MAX_STALE", "30m")]).await;
    let baseline = lab.apply().await["releaseId"].as_str().unwrap().to_owned();
    second(&lab.folder);
    let applied = lab.done(&["apply", "--env", "dev", "--accept-grants", "--yes"], "").await;
    let candidate = applied["releaseId"].as_str().unwrap();
    let canary = ["release", "canary", candidate, "--percent", "50", "--accept-grants"];
    lab.done(&canary, "").await;

    // One after the other: each is found because it was told, whichever side has published it.
    let mut published = BTreeSet::new();
    for release in [candidate, baseline.as_str(), candidate, candidate] {
        let client = caller(&bridge, release).await;
        let asking = Asking { client: &client, output: Box::new(|| bridge.output()) };
        let event = asking.publish(json!({"action": "-"})).await;
        let is_handled = |rows: &[Json]| rows.iter().any(|row| row["event"] == json!(event));
        let rows = asking.until("handled", "the baseline handles it", is_handled).await;
        assert_eq!(said(&rows, "steady", "A"), rows.len(), "{rows:?}");
        published.insert(event);
    }
    // A trigger of the candidate alone fires for its callers, and its topic waits.
    assert_eq!(order(&caller(&bridge, candidate).await, "by the candidate").await, candidate);
    assert_eq!(order(&caller(&bridge, &baseline).await, "by the baseline").await, baseline);
    let asking = Asking::at(&bridge);
    let waits = async || {
        let rows = asking.rows("of_rows").await;
        assert!(rows.len() == 1 && rows[0]["shared_at"].is_null(), "{rows:?}");
        rows[0]["event"].clone()
    };
    let waiting = waits().await;

    // It waits for as long as it takes, also where the canary is no more.
    lab.done(&["release", "canary", "abort"], "").await;
    let event = asking.publish(json!({"action": "-"})).await;
    asking.until("handled", "a turn", |rows| rows.iter().any(|row| row["event"] == json!(event))).await;
    published.insert(event);
    assert_eq!(waits().await, waiting);
    asking.until("rows", "nobody is given it", <[Json]>::is_empty).await;
    lab.done(&canary, "").await;
    lab.done(&["release", "canary", "promote"], "").await;

    let last = asking.publish(json!({"action": "-"})).await;
    let rows = asking.until("handled", "what has waited", |rows| said(rows, "ship", "B") == 1).await;
    assert_eq!(of(&rows, "logic", "ship")[0]["event"], waiting);
    let rows = asking.until("handled", "the promoted one", |rows| said(rows, "steady", "B") == 1).await;
    assert_eq!(of(&rows, "said", "A").len(), published.len(), "what the baseline was given it has handled: {rows:?}");
    published.insert(last.clone());
    assert_eq!(events(&of(&rows, "logic", "steady")), published);
    // What was shared before is not the new subscription's.
    let rows = asking.until("rows", "what is left", |rows| rows.len() == 1).await;
    assert_eq!((&rows[0]["subscription"], &rows[0]["event"]), (&json!("extra"), &json!(last)), "{rows:?}");
}
