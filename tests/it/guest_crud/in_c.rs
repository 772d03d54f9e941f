//! What C alone lets a logic do with tables: each verb has a function of its own for a transaction, and nothing but the SDK stands
//! between a mistake and the host.

use santokit_tests::StkDev;
use serde_json::json;

use super::{ids, note, step, told};

/// Where each verb has a function of its own for it.
pub(super) async fn every_verb_belongs_to_a_transaction(dev: &StkDev, logic: &str) {
    let mine = json!({"where": {"id": "v-1"}});
    let text = |text: &str| json!({"where": {"id": "v-1"}, "data": {"text": text}});
    let calls = json!({"calls": [
        {"path": "db/notes/insert", "params": note("v-1", "all")},
        {"path": "db/notes/insert", "params": note("v-2", "all")},
    ]});
    let page = json!({"where": {"id": {"$like": "v-%"}}, "limit": 1, "count": true});
    let steps = json!([
        {"op": "begin"},
        step("batch", calls, true),
        step("page", page, true),
        step("update", text("once"), true),
        step("updateReturning", text("twice"), true),
        step("deleteReturning", mine.clone(), true),
        step("delete", mine.clone(), true),
        {"op": "rollback"},
        step("select", json!({"where": {"id": {"$like": "v-%"}}}), false),
    ]);
    let done = told(dev, logic, steps).await;
    let (page, deleted) = (&done[2]["data"], &done[5]["data"][0]);
    assert_eq!((&page["rows"][0]["id"], &page["total"]), (&json!("v-1"), &json!(2)), "{done:?}");
    assert!(page["nextCursor"].is_string(), "{done:?}");
    assert_eq!((&done[3]["data"], &done[4]["data"][0]["text"]), (&json!(1), &json!("twice")), "{done:?}");
    assert_eq!((&deleted["text"], &done[6]["data"], ids(&done[8])), (&json!("twice"), &json!(0), vec![]), "{done:?}");
}

/// Each is told, and none of it traps or is asked in another way than was meant. Kinds are numbers: the header's order is part of the
/// interface.
pub(super) async fn misuse_is_told(dev: &StkDev, logic: &str) {
    let ask = async |how: &str| {
        let answer = dev.client.logic(logic, json!({"how": how})).await.unwrap();
        assert_eq!(answer.status, 200, "{how}: {answer:?}\n{}", dev.output());
        answer.body["data"].clone()
    };
    // Rows that were added without being asked for are none, and no misuse.
    assert_eq!(ask("rows of a count").await, json!([]));
    for (how, kind, words) in [
        ("no table", 3, "the name of the table is NULL"),
        ("no params", 3, "the params are NULL"),
        ("no calls", 3, "the params are NULL"),
        ("no object", 3, ""),
        ("circle", 3, "no JSON form"),
        ("no transaction", 3, "a transaction was used that is NULL"),
        ("ended", 3, "has ended already"),
        ("queries", 3, "take one of stk_begin"),
        ("count of rows", 10, "the answer has rows"),
    ] {
        let told = ask(how).await;
        assert_eq!(told["kind"], kind, "{how}: {told}");
        assert!(told["message"].as_str().unwrap().contains(words), "{how}: {told}");
    }
    assert_eq!(ask("go on").await, json!({"kind": 12, "code": "UNAUTHORIZED", "rows": 2}));
    // Left alone, an error is the answer: a code to act on for the caller, and what the table said for the log.
    for (how, code, said) in [
        ("nowhere", "CRUD_DENIED", "a table refused: UNAUTHORIZED"),
        ("no object", "CRUD_INVALID", "the params are no JSON object"),
    ] {
        let left = dev.client.logic(logic, json!({"how": how, "leave": true})).await.unwrap();
        assert_eq!((left.code(), &left.body["error"]["details"]["code"]), ("LOGIC_ERROR", &json!(code)), "{left:?}");
        assert!(!left.body.to_string().contains(said), "{left:?}");
        dev.wait_for_output(said).await.unwrap();
    }
}
