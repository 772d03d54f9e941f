//! A Bridge with a thousand logics, all different, that starts from what it has on disk; beside one with a single logic, and beside its own first
//! start, when nothing was compiled.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use santokit_tests::{Bridge, PlainClient};
use serde_json::json;

use crate::{guests, lab};

const LOGICS: usize = 1_000;
const ROUNDS: usize = 5;
const WAIT_MAX: Duration = Duration::from_mins(10);
const WAIT: Duration = Duration::from_millis(2);

/// What a start took and left.
struct Started {
    millis: f64,
    resident_kib: f64,
    anonymous_kib: f64,
}

/// All of it.
pub(crate) async fn measure(noop: &[u8]) -> Result<()> {
    let logics = std::env::var("ISOLATION_LOGICS").ok().and_then(|text| text.parse().ok()).unwrap_or(LOGICS);
    let (many, one) = (lab::Lab::start(&["many"]).await?, lab::Lab::start(&["one"]).await?);
    let components: Vec<Vec<u8>> = (0..logics).map(|number| guests::distinct(noop, number)).collect();
    let named = components.iter().enumerate().map(|(number, bytes)| (name(number), bytes.as_slice(), PARAMS));
    many.apply("many", &lab::project("many", named)?).await?;
    one.apply("one", &lab::project("one", [(name(0), noop, PARAMS)])?).await?;
    let first = start(&many, logics).await?;
    start(&one, 1).await?;
    let (mut of_many, mut of_one) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        of_many.push(start(&many, logics).await?);
        of_one.push(start(&one, 1).await?);
    }
    let others = f64::from(u32::try_from(logics - 1)?);
    let each = |kib: fn(&Started) -> f64| (median(&of_many, kib) - median(&of_one, kib)) / others;
    let line = json!({
        "bench": "start", "logics": logics, "componentKiB": noop.len() / 1024,
        "firstMs": first.millis, "startMs": median(&of_many, |start| start.millis), "oneMs": median(&of_one, |start| start.millis),
        "residentMiB": median(&of_many, |start| start.resident_kib) / 1024.0,
        "oneResidentMiB": median(&of_one, |start| start.resident_kib) / 1024.0,
        "eachKiB": each(|start| start.resident_kib), "eachAnonymousKiB": each(|start| start.anonymous_kib),
    });
    println!("{line}");
    Ok(())
}

const PARAMS: &str = "params: {number: {type: int}}\n";

fn name(number: usize) -> String {
    format!("noop{number:04}")
}

/// From nothing to the first answer of its last logic. It has called no other.
async fn start(lab: &lab::Lab, logics: usize) -> Result<Started> {
    let began = Instant::now();
    let bridge = lab.bridge("bridge", &[]).await?;
    let mut client = PlainClient::connect(bridge.client.url()).await?;
    let path = format!("/logics/{}", name(logics - 1));
    while client.post(&path, "{}").await? != 200 {
        ensure!(began.elapsed() < WAIT_MAX, "{}\n{}", client.answer(), bridge.output());
        tokio::time::sleep(WAIT).await;
    }
    let millis = began.elapsed().as_secs_f64() * 1e3;
    // What was only needed to start is given back by then.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let started =
        Started { millis, resident_kib: status(&bridge, "VmRSS:"), anonymous_kib: status(&bridge, "RssAnon:") };
    ensure!(bridge.end().await? == 0, "the Bridge ends as it should");
    Ok(started)
}

/// Of its process, in KiB.
fn status(bridge: &Bridge, field: &str) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", bridge.pid())).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(field)).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse().unwrap_or(f64::NAN)
}

fn median(starts: &[Started], of: impl Fn(&Started) -> f64) -> f64 {
    let mut values: Vec<f64> = starts.iter().map(of).collect();
    values.sort_unstable_by(f64::total_cmp);
    values[values.len() / 2]
}
