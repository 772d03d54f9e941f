//! `stk logic test` on handlers of events in components: what they do with an event that a case gives them, and what they publish.

use santokit_tests::stk;
use serde_json::{Value as Json, json};

use super::project;

const CASES: &str = "cases:
  - name: a handler writes and publishes
    event: {topic: work, id: evt_1, payload: {action: chain, number: 1}, causedBy: evt_0}
    expect:
      rows: {handled: [{$partial: {event: evt_1, logic: loose, attempt: 1, depth: 1, caused_by: evt_0}}]}
      events: [{topic: chain, payload: {action: chain}}]
  - name: steps have events of their own
    steps:
      - {event: {topic: work, payload: {action: failUntil, number: 2}}, expect: {error: {code: NOT_NOW, message: attempt 1}, events: [], rows: {handled: []}}}
      - {event: {topic: work, payload: {action: failUntil, number: 2}, attempt: 2}, expect: {rows: {handled: [{$partial: {attempt: 2}}]}}}
      - {params: {topic: work, payload: {action: note, key: k}}, expect: {answer: {$contains: evt_}, events: [{topic: work, payload: {$partial: {key: k}}}]}}
      - {params: {topic: chain, payload: {action: a}}, expect: {events: [{topic: chain, payload: {action: a}}]}}
  - name: a trap is told
    event: {topic: work, payload: {action: panic}}
  - name: an event too few
    event: {topic: work, payload: {action: note}}
    expect: {events: [{topic: chain}]}
  - name: another payload
    event: {topic: work, payload: {action: chain}}
    expect: {events: [{topic: chain, payload: {action: other}}]}
  - name: the same component under another name
    call: publish
    event: {topic: chain, payload: {action: note}}
    expect: {events: []}
";

#[tokio::test(flavor = "multi_thread")]
async fn handlers_are_given_events_by_cases_and_what_they_publish_is_compared() {
    let folder = project("rehearsed", "");
    folder.write("logics/loose/tests/loose.yaml", CASES).unwrap();
    let finished = stk(folder.path(), &["logic", "test", "--json"], &[]).await.unwrap();
    let report = finished.json();
    let case = |name: &str| {
        let found = report["cases"].as_array().unwrap().iter().find(|case| case["name"] == name);
        found.unwrap_or_else(|| panic!("no case {name:?} in {report:#}")).clone()
    };
    assert_eq!((finished.code, &report["passed"], &report["failed"]), (1, &json!(3), &json!(3)), "{report:#}");
    for name in ["a handler writes and publishes", "steps have events of their own"] {
        assert_eq!(case(name)["outcome"], "passed", "{:#}", case(name));
    }
    let trapped = case("a trap is told");
    assert_eq!(trapped["differences"][0]["got"]["code"], "LOGIC_FAILED", "{trapped:#}");
    assert!(trapped["guest"].to_string().contains("trapped"), "{trapped:#}");
    let few = case("an event too few");
    assert_eq!(
        (&few["differences"][0]["path"], &few["differences"][0]["got"]),
        (&json!("events[0]"), &Json::Null),
        "{few:#}"
    );
    let other = case("another payload");
    assert_eq!(other["differences"][0]["path"], "events[0].payload.action", "{other:#}");
}
