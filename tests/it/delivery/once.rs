//! What a guest does once, whatever is tried again: in a transaction and alone, on all three engines; in three languages; and what is no key, what
//! is not granted, and whose a mark is.

use std::fs;

use santokit_tests::{Engine, ProjectFolder, StkDev, folder::repository, stk};
use serde_json::{Value as Json, json};

use super::{Asking, on::On, project, subscribe};

/// The guest as it is now; elsewhere the kept one, which is the same.
const CARGO: &str = "[package]\nname = \"guest-once\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[workspace]\n\n\
    [lib]\ncrate-type = [\"cdylib\"]\n\n[dependencies]\nsantokit-guest = { path = \"../../.stk/cache/sdk/rust\" }\n\
    serde = { version = \"1\", features = [\"derive\"] }\nserde_json = \"1\"\n";
const RETRY: &str = "retry: {maxRetries: 2, minBackoff: 20ms, maxBackoff: 50ms}\n";

cases! { done_once:
    what_is_done_once_on_sqlite = None, Tables;
    what_is_done_once_on_postgres = Some(Engine::Postgres), Tables;
    what_is_done_once_on_mysql = Some(Engine::Mysql), Tables;
    what_is_done_once_over_nats = Some(Engine::Postgres), Nats;
}

/// The kept guest under a name, and what is changed of its manifest.
fn add(folder: &ProjectFolder, logic: &str, (from, to): (&str, &str)) {
    let dir = folder.path().join("logics").join(logic);
    fs::create_dir_all(&dir).unwrap();
    fs::copy(repository().join("tests/guests/kept/once-0.1.0-rust.wasm"), dir.join("it.wasm")).unwrap();
    let manifest = fs::read_to_string(repository().join("tests/guests/once/logic.yaml")).unwrap();
    let manifest = manifest.replace("{build: rust}", "{path: it.wasm}");
    fs::write(dir.join("logic.yaml"), manifest.replacen(from, to, 1)).unwrap();
}

/// Two rows of each handler, each written once although it was tried three times; and what a caller is told.
async fn done_once(on: On) {
    let folder = project(on.project("once"), &on.connection(None));
    add(&folder, "part", ("", ""));
    add(&folder, "all", ("auth: public\n", "auth: public\ntransaction: required\n"));
    subscribe(&folder, "part", "part", RETRY);
    subscribe(&folder, "all", "all", RETRY);
    let dev = StkDev::start(folder.path(), &on.settings()).await.unwrap();
    let asking = Asking::of(&dev);
    let event = asking.publish(json!({"action": "twice"})).await;
    let rows = asking.until("handled", "two rows of each", |rows| rows.len() == 4).await;
    assert_eq!(asking.until_done().await, Vec::<Json>::new(), "{}", dev.output());
    let attempt = |logic: &str| {
        let of = rows.iter().filter(|row| row["logic"] == logic && row["event"] == json!(event));
        of.map(|row| row["attempt"].as_i64().unwrap()).collect::<Vec<i64>>()
    };
    // What was done in the first attempt stands; in a transaction of the whole nothing of an attempt does that fails.
    assert_eq!((attempt("part"), attempt("all")), (vec![1, 1], vec![3, 3]), "{rows:?}");
    assert_eq!(asking.rows("handled").await.len(), 4);

    let said = async |logic: &str, input: Json| {
        let answer = asking.client.logic(logic, input.clone()).await.unwrap();
        assert_eq!(answer.status, 200, "{logic} {input}: {answer:?}\n{}", dev.output());
        answer.body["data"].clone()
    };
    assert_eq!(said("part", json!({"key": "a", "times": 2})).await, json!(["done", "before"]));
    assert_eq!(said("part", json!({"key": "a", "within": true, "times": 1})).await, json!(["before", "committed"]));
    // A mark is the logic's own: the other one has not done it.
    assert_eq!(said("all", json!({"key": "a", "times": 1})).await, json!(["done"]));
    assert_eq!(said("part", json!({"key": "b", "within": true, "times": 1})).await, json!(["done", "committed"]));
    assert_eq!(said("part", json!({"key": "b", "times": 1})).await, json!(["before"]));
    assert_eq!(said("all", json!({"key": "b", "times": 1})).await, json!(["done"]));
    // What is no key is none, and takes no transaction with it.
    for key in [String::new(), "k".repeat(201), "ä".repeat(101)] {
        let told = said("part", json!({"key": key, "within": true, "times": 1})).await;
        assert_eq!(told, json!(["invalid", "committed"]), "{key}");
    }
    for key in ["' OR 1=1 --", "\n", "$ack", "once_", &"ä".repeat(100)] {
        let once = json!({"key": key, "times": 2});
        assert_eq!(said("part", once).await, json!(["done", "before"]), "{key:?}");
    }
}

/// A mark is a row that stays: a logic makes so many of them and no more, whatever its keys are. What is marked already costs nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_logic_makes_no_more_marks_than_it_may() {
    let folder = project("once-rate", "");
    add(&folder, "part", ("", ""));
    add(&folder, "all", ("auth: public\n", "auth: public\ntransaction: required\n"));
    let dev = StkDev::start(folder.path(), &[("STK_BRIDGE_PUBLISH_RATE", "3/1h")]).await.unwrap();
    let said = async |logic: &str, input: Json| {
        let answer = dev.client.logic(logic, input.clone()).await.unwrap();
        assert_eq!(answer.status, 200, "{logic} {input}: {answer:?}\n{}", dev.output());
        answer.body["data"].clone()
    };
    for key in ["a", "b", "c"] {
        assert_eq!(said("part", json!({"key": key, "times": 2})).await, json!(["done", "before"]), "{key}");
    }
    assert_eq!(said("part", json!({"key": "d", "times": 2})).await, json!(["rate", "rate"]));
    // Refused before it is asked of the database: a transaction goes on.
    assert_eq!(said("part", json!({"key": "d", "within": true, "times": 1})).await, json!(["rate", "committed"]));
    assert_eq!(said("part", json!({"key": "c", "times": 1})).await, json!(["before"]));
    // Each logic has its own.
    assert_eq!(said("all", json!({"key": "d", "times": 1})).await, json!(["done"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn once_in_every_language() {
    let folder = project("once-languages", "");
    folder.add_copy("tests/guests/once", "logics/rust").unwrap();
    folder.write("logics/rust/Cargo.toml", CARGO).unwrap();
    for language in ["ts", "py"] {
        folder.add_copy(&format!("tests/guests/once-{language}"), &format!("logics/{language}")).unwrap();
    }
    for language in ["rust", "ts", "py"] {
        subscribe(&folder, language, language, RETRY);
    }
    let dev = StkDev::start(folder.path(), &[]).await.unwrap();
    let asking = Asking::of(&dev);
    asking.publish(json!({"action": "twice"})).await;
    let rows = asking.until("handled", "two rows of each", |rows| rows.len() == 6).await;
    assert_eq!(asking.until_done().await, Vec::<Json>::new(), "{}", dev.output());
    assert!(rows.iter().all(|row| row["attempt"] == 1), "{rows:?}");
    drop(asking);
    drop(dev);

    // One mark is all that a logic may make: the second one of each is refused, by a code of its own, and its work is not begun.
    for language in ["rust", "ts", "py"] {
        subscribe(&folder, language, language, "retry: {maxRetries: 0}\n");
    }
    let dev = StkDev::start(folder.path(), &[("STK_BRIDGE_PUBLISH_RATE", "1/1h")]).await.unwrap();
    let asking = Asking::of(&dev);
    asking.publish(json!({"action": "twice"})).await;
    let rows = asking
        .until("rows", "three dead letters", |rows| rows.iter().filter(|row| row["state"] == "dead").count() == 3)
        .await;
    let is_rate = |row: &Json| row["error"].as_str().is_some_and(|error| error.starts_with("ONCE_RATE: "));
    assert!(rows.iter().all(is_rate), "{rows:?}");
    let handled = asking.rows("handled").await;
    let of = |said: &str| handled.iter().filter(|row| row["said"] == said).count();
    assert_eq!((handled.len(), of("within"), of("alone")), (9, 6, 3), "{handled:?}");
    drop(asking);

    // Without the grant it does not build, and it is a line of its own where it is asked whether that may be.
    for (language, file) in [("rust", "logics/rust"), ("ts", "logics/ts"), ("py", "logics/py")] {
        let inspected = stk(folder.path(), &["logic", "inspect", language, "--json"], &[]).await.unwrap();
        assert!(inspected.stdout.contains("\"once\""), "{inspected:?}");
        folder.edit(&format!("{file}/logic.yaml"), "  once: true\n", "").unwrap();
        let built = stk(folder.path(), &["logic", "build", language], &[]).await.unwrap();
        let told = format!("{}{}", built.stdout, built.stderr);
        assert!(built.code != 0 && told.contains("grants no once"), "{language}: {built:?}");
    }
}
