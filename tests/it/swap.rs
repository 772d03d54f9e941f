//! Hot swap: constant load over HTTP while releases change.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use santokit_tests::{BridgeClient, ProjectFolder, StkDev};
use serde_json::json;

const SWAPS: usize = 50;
const CALLERS: usize = 4;

/// A project whose three logics all answer the same number: a mixed generation would show.
fn project(number: usize) -> Vec<(&'static str, String)> {
    let sql = |n| format!("---\nauth: public\n---\nSELECT {n} AS number\n");
    vec![
        ("santokit.yaml", "version: 1\nname: swap\n".to_owned()),
        ("santokit.dev.yaml", "connections:\n  main: {engine: sqlite, url: \"sqlite:.stk/dev/main.db\"}\n".to_owned()),
        ("logics/one.sql", sql(number)),
        ("logics/answer/logic.yaml", "component: {build: ts}\nauth: public\n".to_owned()),
        (
            "logics/answer/index.ts",
            format!(
                "import {{ logic }} from \"@santokit/guest\";\nexport default logic<object, number>(() => {number});\n"
            ),
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn no_request_fails_through_fifty_swaps_and_two_broken_releases() {
    let files = project(0);
    let folder = ProjectFolder::new(files.iter().map(|(path, text)| (*path, text.as_str()))).unwrap();
    let mut dev = StkDev::start(folder.path(), &[]).await.unwrap();

    let (stop, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let load: Vec<_> = (0..CALLERS)
        .map(|caller| tokio::spawn(call_until(dev.client.clone(), caller, Arc::clone(&stop), Arc::clone(&answered))))
        .collect();

    for number in 1..=SWAPS {
        if number == 20 {
            // A logic that does not build, then a manifest that is refused: the last good release keeps serving.
            break_and_mend(&folder, &mut dev, "logics/answer/index.ts", "export default (((").await;
        }
        if number == 30 {
            break_and_mend(&folder, &mut dev, "logics/answer/logic.yaml", "component: {biuld: ts}\nauth: public\n")
                .await;
        }
        let before = answered.load(Ordering::Relaxed);
        folder.write("logics/one.sql", &format!("---\nauth: public\n---\nSELECT {number} AS number\n")).unwrap();
        dev.wait_for("swapped", Duration::from_mins(1)).await.unwrap();
        let answer = dev.client.logic("one", json!({})).await.unwrap();
        assert_eq!(answer.body["data"][0]["number"], number, "{answer:?}");
        assert!(answered.load(Ordering::Relaxed) > before, "requests flow while releases change");
    }
    stop.store(true, Ordering::Relaxed);
    let mut numbers = std::collections::BTreeMap::new();
    for task in load {
        let failures = task.await.unwrap();
        assert!(failures.failed.is_empty(), "failed requests: {:?}", failures.failed);
        for (release, number) in failures.seen {
            // One release answers one number, whoever asked and whenever.
            assert_eq!(*numbers.entry(release.clone()).or_insert(number), number, "release {release} is mixed");
        }
    }
    assert!(numbers.len() > SWAPS / 2, "the load saw only {} releases", numbers.len());
}

async fn break_and_mend(folder: &ProjectFolder, dev: &mut StkDev, path: &str, broken: &str) {
    let good = folder.read(path).unwrap();
    let serving = dev.client.logic("answer", json!({})).await.unwrap().release().to_owned();
    folder.write(path, broken).unwrap();
    dev.wait_for("failed", Duration::from_mins(1)).await.unwrap();
    let still = dev.client.logic("answer", json!({})).await.unwrap();
    assert_eq!((still.status, still.release()), (200, serving.as_str()));
    folder.write(path, &good).unwrap();
    // The same content is the same release: nothing is swapped, and `unchanged` says so.
    dev.wait_for("unchanged", Duration::from_mins(1)).await.unwrap();
}

struct Seen {
    failed: Vec<String>,
    seen: Vec<(String, u64)>,
}

async fn call_until(client: BridgeClient, caller: usize, stop: Arc<AtomicBool>, answered: Arc<AtomicUsize>) -> Seen {
    let mut seen = Seen { failed: Vec::new(), seen: Vec::new() };
    while !stop.load(Ordering::Relaxed) {
        let name = if caller.is_multiple_of(2) { "one" } else { "answer" };
        match client.logic(name, json!({})).await {
            Ok(answer) if answer.status == 200 && !answer.release().is_empty() => {
                if let Some(number) = answer.body["data"][0]["number"].as_u64() {
                    seen.seen.push((answer.release().to_owned(), number));
                }
                answered.fetch_add(1, Ordering::Relaxed);
            }
            Ok(answer) => seen.failed.push(format!("{answer:?}")),
            Err(error) => seen.failed.push(format!("{error:#}")),
        }
    }
    seen
}
