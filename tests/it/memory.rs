//! Nothing stays behind: a whole Hub and Bridge swap a thousand releases, each with a component of its own, under load, and
//! neither the memory of the process nor what it keeps on disk grows.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use reqwest::Client;
use santokit_tests::{BridgeClient, ProjectFolder, StkDev, repository};
use serde_json::{Value, json};

const SWAPS: usize = 1_000;
/// Until allocators, pools and caches have what they need.
const WARM_UP: usize = 150;
const VARIANTS: usize = 3;
/// A generation that stayed would hold a compiled component, its table of functions and its pools: half a MiB at least.
const GROWTH_KIB_MAX: u64 = 48 << 10;
/// How long one swap may take before something is broken.
const SWAP_MAX: Duration = Duration::from_mins(1);

/// Calls every import of the world: SQL in a transaction, a cursor, a secret, a configuration value, log, clock, randomness.
const LOGIC: &str = "component: {path: logic.wasm}\nauth: public\n\
    params: {connection: {type: string}, query: {type: string}, statement: {type: string}, config: {type: string}, secret: {type: string}}\n\
    grants:\n  sql: [{connection: main, tables: {items: [select, insert]}}]\n  secrets: [KEY]\n  config: [shown]\n";

/// The Hub of a `stk dev`, as `stk apply` speaks to it.
struct Applier {
    http: Client,
    project: String,
    token: String,
}

impl Applier {
    fn of(folder: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(folder.join(".stk/dev/server.json")).context("stk dev announces itself")?;
        let announced: Value = serde_json::from_str(&text)?;
        let field = |name: &str| announced[name].as_str().map(str::to_owned).context("server.json is complete");
        let project = format!("{}/v1/projects/{}", field("hubUrl")?.trim_end_matches('/'), field("project")?);
        Ok(Self { http: Client::new(), project, token: field("token")? })
    }

    async fn manifest(&self, release: &str) -> Result<String> {
        let url = format!("{}/releases/{release}", self.project);
        let answer: Value = self.http.get(url).bearer_auth(&self.token).send().await?.json().await?;
        answer["manifest"].as_str().map(str::to_owned).with_context(|| format!("a manifest, not {answer}"))
    }

    async fn apply(&self, manifest: &str) -> Result<String> {
        let url = format!("{}/envs/dev/apply", self.project);
        let body = json!({"manifest": manifest, "acceptGrants": true});
        let answer: Value = self.http.post(url).bearer_auth(&self.token).json(&body).send().await?.json().await?;
        ensure!(answer["moved"] == true, "the pointer moves: {answer}");
        answer["releaseId"].as_str().map(str::to_owned).context("a release id")
    }
}

/// The same component under another digest: a custom section at its end says which variant it is.
fn variant(component: &[u8], number: usize) -> Vec<u8> {
    let payload = [b"\x07variant".as_slice(), number.to_string().as_bytes()].concat();
    [component, &[0, u8::try_from(payload.len()).unwrap()], &payload].concat()
}

fn input() -> Value {
    json!({
        "connection": "main", "query": "SELECT id FROM items LIMIT 5", "config": "shown", "secret": "KEY",
        "statement": "INSERT INTO items (id, text) VALUES (lower(hex(randomblob(16))), 'x')",
    })
}

async fn swap_until_live(applier: &Applier, manifest: &str, client: &BridgeClient) -> Result<()> {
    let release = applier.apply(manifest).await?;
    let live = async {
        while client.logic("numbers", json!({})).await?.release() != release {}
        anyhow::Ok(())
    };
    tokio::time::timeout(SWAP_MAX, live).await.with_context(|| format!("{release} is not live"))??;
    let answer = client.logic("every", input()).await?;
    ensure!(answer.status == 200 && answer.release() == release, "{answer:?}");
    Ok(())
}

async fn call_until(client: BridgeClient, stop: Arc<AtomicBool>, answered: Arc<AtomicUsize>) -> Result<()> {
    while !stop.load(Ordering::Relaxed) {
        let answer = client.logic("every", input()).await?;
        ensure!(answer.status == 200, "{answer:?}");
        answered.fetch_add(1, Ordering::Relaxed);
        // A steady load, not the largest: the swaps are what is looked at.
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

fn resident_kib(process: u32) -> u64 {
    let pages = std::fs::read_to_string(format!("/proc/{process}/statm")).unwrap();
    pages.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4
}

/// Bytes of the files below a folder.
fn size_of(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => size_of(&entry.path()),
            Ok(metadata) => metadata.len(),
            Err(_) => 0,
        })
        .sum()
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn memory_is_flat_over_a_thousand_swaps_of_a_whole_bridge() {
    let component = std::fs::read(repository().join("tests/guests/kept/logic-0.1.0-rust.wasm")).unwrap();
    let folder = ProjectFolder::new([
        ("santokit.yaml", "version: 1\nname: flat\nconfig: {shown: value}\n"),
        (
            "santokit.dev.yaml",
            "connections:\n  main: {engine: sqlite, url: \"sqlite:.stk/dev/main.db\"}\nsecrets:\n  KEY: {value: of-no-worth}\n",
        ),
        (
            "schema/flat.yaml",
            "version: 1\ntables:\n  items:\n    id: {name: id, generate: client}\n    columns:\n      text: {type: string}\n",
        ),
        ("logics/numbers.sql", "---\nauth: public\n---\nSELECT 1 AS number\n"),
        ("logics/every/logic.yaml", LOGIC),
    ])
    .unwrap();
    let place = folder.path().join("logics/every/logic.wasm");
    std::fs::write(&place, variant(&component, 0)).unwrap();
    let mut dev = StkDev::start(folder.path(), &[]).await.unwrap();
    let mut releases = vec![dev.release_id.clone()];
    for number in 1..VARIANTS {
        std::fs::write(&place, variant(&component, number)).unwrap();
        let swapped = dev.wait_for("swapped", SWAP_MAX).await.unwrap();
        releases.push(swapped["releaseId"].as_str().unwrap().to_owned());
    }
    let applier = Applier::of(folder.path()).unwrap();
    let mut manifests = Vec::new();
    for release in &releases {
        manifests.push(applier.manifest(release).await.unwrap());
    }

    let (stop, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let load = tokio::spawn(call_until(dev.client.clone(), Arc::clone(&stop), Arc::clone(&answered)));
    let cache = folder.path().join(".stk/dev/main/bridge");
    let (mut memory, mut disk) = (0, 0);
    for swap in 0..WARM_UP + SWAPS {
        if swap == WARM_UP {
            (memory, disk) = (resident_kib(dev.pid()), size_of(&cache));
        }
        swap_until_live(&applier, &manifests[swap % VARIANTS], &dev.client).await.unwrap();
    }
    stop.store(true, Ordering::Relaxed);
    load.await.unwrap().unwrap();
    assert!(answered.load(Ordering::Relaxed) > SWAPS / 10, "the load went on: {answered:?} calls");

    let grown = resident_kib(dev.pid()).saturating_sub(memory);
    assert!(grown < GROWTH_KIB_MAX, "{grown} KiB more than {memory} KiB after {SWAPS} swaps");
    assert!(disk > 0, "the cache is where it is looked for");
    let kept = size_of(&cache);
    assert!(kept <= disk * 2, "the cache on disk grew from {disk} to {kept} bytes");
}
