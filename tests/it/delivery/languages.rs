//! Handlers in other languages than Rust: what is told of an event, what an exception becomes, and what a component is.

use std::collections::BTreeMap;

use santokit_tests::{StkDev, stk};
use serde_json::json;

use super::{Asking, project, subscribe};

/// As it is now; elsewhere the kept one, which is the same.
const CARGO: &str = "[package]\nname = \"guest-on-event\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[workspace]\n\n\
    [lib]\ncrate-type = [\"cdylib\"]\n\n[dependencies]\nsantokit-guest = { path = \"../../.stk/cache/sdk/rust\" }\n\
    serde = { version = \"1\", features = [\"derive\"] }\nserde_json = \"1\"\n";

/// The same in plain JavaScript, where no type is known.
const JS: &str = r#"import { eventHandler, LogicError, sql } from "@santokit/guest";

export const onEvent = eventHandler((event, work, ctx) => {
  if (work.action === "panic") return work.none.of.it;
  if (work.action === "fail" || event.attempt < (work.number ?? 0)) {
    throw new LogicError("NOT_NOW", `attempt ${event.attempt}`, { event: event.id });
  }
  const { logic, trigger } = ctx.invocation;
  sql
    .open("main")
    .execute("INSERT INTO handled (id, event, logic, attempt, depth, caused_by, said) VALUES (?, ?, ?, ?, ?, ?, ?)", [
      `${event.id} ${logic}`,
      event.id,
      logic,
      event.attempt,
      event.depth,
      event.causedBy ?? null,
      `${trigger} ${ctx.caller.kind} ${event.topic} ${event.publishedAt.length}`,
    ]);
});
"#;

#[tokio::test(flavor = "multi_thread")]
async fn handlers_in_every_language() {
    let folder = project("languages", "");
    folder.add_copy("tests/guests/on-event", "logics/rust").unwrap();
    folder.write("logics/rust/Cargo.toml", CARGO).unwrap();
    for language in ["ts", "py"] {
        folder.add_copy(&format!("tests/guests/on-event-{language}"), &format!("logics/{language}")).unwrap();
    }
    let manifest = folder.read("logics/ts/logic.yaml").unwrap();
    folder.write("logics/js/logic.yaml", &manifest.replace("{build: ts}", "{build: js}")).unwrap();
    folder.write("logics/js/index.js", JS).unwrap();
    for language in ["rust", "ts", "js", "py"] {
        subscribe(&folder, language, language, "retry: {maxRetries: 1, minBackoff: 10ms, maxBackoff: 20ms}\n");
    }
    let dev = StkDev::start(folder.path(), &[]).await.unwrap();
    let asking = Asking::of(&dev);
    let event = asking.publish(json!({"action": "failUntil", "number": 2})).await;
    let rows = asking.until("handled", "four rows", |rows| rows.len() == 4).await;
    let all = ["js", "py", "rust", "ts"].map(|language| (language.to_owned(), 2));
    assert_eq!(asking.handled(&event).await, BTreeMap::from(all));
    for row in rows.iter().filter(|row| row["logic"] != "rust") {
        assert_eq!(row["said"], "event system work 27", "{row}");
    }
    // What is thrown is a failed attempt, whether it was meant or not.
    for action in ["fail", "panic"] {
        asking.publish(json!({"action": action})).await;
    }
    let rows = asking
        .until("rows", "dead letters", |rows| rows.iter().filter(|row| row["state"] == "dead").count() == 8)
        .await;
    let of = |code: &str| {
        rows.iter().filter(|row| row["error"].as_str().is_some_and(|error| error.starts_with(code))).count()
    };
    assert_eq!((of("NOT_NOW: attempt 2"), of("LOGIC_FAILED: ")), (4, 4), "{rows:?}");

    // One that exports no handler of calls takes none, and what a component is, is said.
    let called = dev.client.logic("py", json!({})).await.unwrap();
    assert_eq!((called.status, &called.body["data"]), (200, &json!("called")), "{called:?}");
    for language in ["ts", "js"] {
        assert_eq!(dev.client.logic(language, json!({})).await.unwrap().status, 401, "no rule is for it");
    }
    let (both, one) = (json!(["logic", "events"]), json!(["events"]));
    for (language, kinds) in [("rust", &both), ("ts", &one), ("js", &one), ("py", &both)] {
        let inspected = stk(folder.path(), &["logic", "inspect", language, "--json"], &[]).await.unwrap();
        assert_eq!(inspected.json()["kinds"], *kinds, "{language}: {inspected:?}");
    }
    drop(asking);

    // A subscription to what takes no events is told where it is built.
    folder
        .write(
            "logics/silent/main.py",
            "from santokit import logic\n\n@logic\ndef handle(input: dict) -> int:\n    return 1\n",
        )
        .unwrap();
    folder.write("logics/silent/logic.yaml", "component: {build: python}\nauth: public\n").unwrap();
    let inspected = stk(folder.path(), &["logic", "inspect", "silent", "--json"], &[]).await.unwrap();
    assert_eq!(inspected.json()["kinds"], json!(["logic"]), "{inspected:?}");
    subscribe(&folder, "silent", "silent", "");
    let built = stk(folder.path(), &["logic", "build", "silent"], &[]).await.unwrap();
    let said = format!("{}{}", built.stdout, built.stderr);
    assert!(built.code != 0 && said.contains("the subscription \"silent\" gives it events"), "{built:?}");
}
