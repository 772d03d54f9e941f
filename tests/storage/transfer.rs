//! One gigabyte to a bucket on the disk and back, and to handlers by hand and back (one hashes what comes, as a bucket does), in turn: how fast, and how much more memory the process had at its
//! most than before. The bytes are made and thrown away by the client.

use std::{fs, time::Instant};

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use reqwest::{Body, Client};
use santokit_tests::{BridgeClient, ProjectFolder, StkDev};
use serde_json::json;

use crate::plain::Plain;

const BYTES: u64 = 1_000_000_000;
const MEGABYTES: f64 = 1_000.0;
const PART: usize = 1 << 20;
const ROUNDS: usize = 3;
const KEY: &str = "stk_app.planted-key-b1d1";
const STORAGE: &str = "version: 1\nbuckets:\n  files:\n    provider: local\n    policies:\n      \"*\": {upload_sign: {roles: [app]}, download_sign: {roles: [app]}}\n";

/// What one way of one server came to.
#[derive(Default)]
struct Measured {
    per_second: Vec<f64>,
    grown: Vec<f64>,
}

/// Prints a line for each way.
pub(crate) async fn measure() -> Result<()> {
    let dev = format!(
        "connections:\n  main: {{engine: sqlite, url: \"sqlite:.stk/dev/main.db\"}}\napiKeys:\n  - {{name: app, key: {KEY}, roles: [app]}}\n"
    );
    let folder = ProjectFolder::new([
        ("santokit.yaml", "version: 1\nname: moving\n"),
        ("config/storage.yaml", STORAGE),
        ("santokit.dev.yaml", dev.as_str()),
    ])?;
    // On the same disk.
    let beside = tempfile::tempdir_in(folder.path())?;
    let dev = StkDev::start(folder.path(), &[("STK_LOG", "error")]).await?;
    let plain = Plain::start(beside.path()).await?;
    let bridge = dev.client.with_key(KEY);
    let mut measured: [[Measured; 3]; 2] = Default::default();
    for round in 0..ROUNDS {
        let order = if round.is_multiple_of(2) { [0, 1, 2] } else { [2, 1, 0] };
        for server in order {
            let (urls, pid) = match server {
                0 => (vec![url(&bridge, "upload_sign").await?, url(&bridge, "download_sign").await?], dev.pid()),
                1 => (vec![plain.url.clone(), plain.url.clone()], plain.pid()),
                // Only what is put is hashed.
                _ => (vec![plain.hashed_url.clone()], plain.pid()),
            };
            for (way, url) in urls.iter().enumerate() {
                let (per_second, grown) = one(url, way == 0, pid).await?;
                measured[way][server].per_second.push(per_second);
                measured[way][server].grown.push(grown);
            }
        }
    }
    for (name, [ours, by_hand, hashed]) in ["up", "down"].iter().zip(measured) {
        let to = |other: &Measured| {
            median(ours.per_second.iter().zip(&other.per_second).map(|(own, other)| own / other).collect())
        };
        let mut line = json!({
            "bench": "transfer", "name": name, "ratio": to(&by_hand), "grownMiB": most(&ours.grown),
            "axumGrownMiB": most(&by_hand.grown),
        });
        if !hashed.per_second.is_empty() {
            line["ratioHashed"] = to(&hashed).into();
            line["hashedPerSecond"] = median(hashed.per_second).into();
        }
        line["perSecond"] = median(ours.per_second).into();
        line["axumPerSecond"] = median(by_hand.per_second).into();
        println!("{line}");
    }
    Ok(())
}

async fn url(bridge: &BridgeClient, op: &str) -> Result<String> {
    let answer = bridge.post(&format!("/storage/files/{op}"), json!({"key": "large"}).to_string()).await?;
    ensure!(answer.status == 200, "{answer:?}");
    Ok(answer.body["data"]["url"].as_str().context("a URL")?.to_owned())
}

/// Megabytes a second, and MiB more than before.
async fn one(url: &str, is_up: bool, pid: u32) -> Result<(f64, f64)> {
    let before = forget_most(pid)?;
    let began = Instant::now();
    let client = Client::new();
    if is_up {
        let part = Bytes::from(vec![0x5a_u8; PART]);
        let parts = stream::unfold((BYTES, part), |(left, part)| async move {
            let length = left.min(PART as u64);
            let now = part.slice(..usize::try_from(length).ok()?);
            (length > 0).then_some((Ok::<_, std::io::Error>(now), (left - length, part)))
        });
        let request = client.put(url).header("content-length", BYTES).body(Body::wrap_stream(parts));
        let answer = request.send().await?;
        ensure!(answer.status().is_success(), "{}", answer.text().await?);
    } else {
        let answer = client.get(url).send().await?;
        ensure!(answer.status().is_success(), "{}", answer.status());
        let mut parts = answer.bytes_stream();
        let mut size = 0;
        while let Some(part) = parts.next().await {
            size += part?.len() as u64;
        }
        ensure!(size == BYTES, "{size} bytes came back");
    }
    let seconds = began.elapsed().as_secs_f64();
    Ok((MEGABYTES / seconds, memory(pid, "VmHWM:")? - before))
}

/// Lets the kernel count anew what a process has at its most; what it has now, in MiB.
fn forget_most(pid: u32) -> Result<f64> {
    fs::write(format!("/proc/{pid}/clear_refs"), "5").context("the most memory of a process cannot be counted anew")?;
    memory(pid, "VmRSS:")
}

/// In MiB.
fn memory(pid: u32, what: &str) -> Result<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(what)).context("the kernel says how much memory")?;
    let kib: f64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kib / 1024.0)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values[values.len() / 2]
}

fn most(values: &[f64]) -> f64 {
    values.iter().copied().fold(0.0, f64::max)
}
