//! What `stk release compare` says of topics: which changes take from publishers and handlers what they rely on, and who they are.

use serde_json::{Value as Json, json};

use super::fleet::lab;

#[tokio::test(flavor = "multi_thread")]
async fn what_breaks_publishers_and_handlers_is_told_with_their_names() {
    let lab = lab("compared", None, &[("bill", "loose", "")]).await;
    let files = [
        ("config/permissions.yaml", "events:\n  work:\n    publish: [{roles: [app]}]\n"),
        (
            "config/storage.yaml",
            "version: 1\nbuckets:\n  images: {provider: local, events: {upload: stored, delete: quiet}}\n",
        ),
        ("events/topics/stored.yaml", "name: stored\nschema: {key: {type: string, required: true}}\n"),
        ("events/topics/quiet.yaml", "name: quiet\nschema: {key: {type: string, required: true}}\n"),
        ("events/subscriptions/stored.yaml", "name: stored\ntopic: stored\nhandler: logics/loose\n"),
    ];
    for (path, text) in files {
        lab.folder.write(path, text).unwrap();
    }
    let first = lab.apply().await;
    for topic in ["work", "stored", "quiet"] {
        lab.folder.edit(&format!("events/topics/{topic}.yaml"), ", required: true", "").unwrap();
    }
    lab.folder.edit("events/topics/work.yaml", "  text: {type: string}\n", "").unwrap();
    let second = lab.apply().await;
    let id = |applied: &Json| applied["releaseId"].as_str().unwrap().to_owned();
    let compared = async |before: &Json, after: &Json| {
        let (before, after) = (id(before), id(after));
        lab.done(&["release", "compare", &before, &after, "--section", "events"], "").await
    };
    let work = json!(["logic loose", "logic publish", "logic whole", "requests"]);
    let told = |topic: &str, field: &str, what: &str| {
        let (publishers, handlers) = match topic {
            "work" => (work.clone(), json!(["subscription bill"])),
            _ => (json!(["bucket images"]), json!(["subscription stored"])),
        };
        json!({"topic": topic, "field": field, "what": what, "publishers": publishers, "handlers": handlers})
    };
    // Whoever reads what need not be there any more is told; of `quiet` nobody reads anything.
    let forth = compared(&first, &second).await;
    assert_eq!(
        forth["breakingEvents"],
        json!([
            told("stored", "key", "fieldOptional"),
            told("work", "action", "fieldOptional"),
            told("work", "text", "fieldRemoved"),
        ])
    );
    assert!(forth["schema"].is_null() && !forth["events"].as_array().unwrap().is_empty(), "{forth}");
    // And the other way round it is publishers who are refused, also those of events that nobody handles.
    let back = compared(&second, &first).await;
    let quiet = json!({"topic": "quiet", "field": "key", "what": "fieldRequired", "publishers": ["bucket images"], "handlers": []});
    assert_eq!(
        back["breakingEvents"],
        json!([quiet, told("stored", "key", "fieldRequired"), told("work", "action", "fieldRequired")])
    );
    assert_eq!(compared(&second, &second).await["breakingEvents"], json!([]));
}
