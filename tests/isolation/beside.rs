//! Requests to a quiet logic, alone and beside what another project does on the same Bridge, in turn.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use santokit_tests::{Bridge, PlainClient};
use serde_json::json;
use tokio::task::JoinSet;

use crate::{guests, lab};

const ROUNDS: usize = 6;
const ROUND: Duration = Duration::from_secs(3);
/// Of the one who is measured, between two requests: it leaves nearly all of the machine to others.
const PAUSE: Duration = Duration::from_millis(5);
/// Callers of the hostile logic: more than there are processors.
const HOSTILE: usize = 16;
const WAIT_MAX: Duration = Duration::from_mins(3);
const WAIT: Duration = Duration::from_millis(10);
const BODY: &str = r#"{"number":1}"#;

/// What the quiet one saw, in microseconds.
#[derive(Default)]
struct Seen {
    times: Vec<f64>,
    /// Of each round.
    p99: Vec<f64>,
}

/// As many guests as may run compute until their CPU time is up, again and again.
pub(crate) async fn spinning(noop: &[u8]) -> Result<()> {
    let lab = lab::Lab::start(&["quiet", "hostile"]).await?;
    lab.apply("quiet", &lab::project("quiet", [("noop".to_owned(), noop, PARAMS)])?).await?;
    let endless = guests::endless()?;
    let spin = ("spin".to_owned(), endless.as_slice(), "limits: {cpu: 250ms, timeout: 1m}\n");
    lab.apply("hostile", &lab::project("hostile", [spin])?).await?;
    let bridge = lab.bridge("bridge", &[]).await?;
    until_served(&bridge).await?;
    let (mut alone, mut beside, mut shares) = (Seen::default(), Seen::default(), Vec::new());
    for _ in 0..=ROUNDS {
        alone.round(&bridge).await?;
        let is_over = Arc::new(AtomicBool::new(false));
        let mut hostile = JoinSet::new();
        for _ in 0..HOSTILE {
            let (mut client, is_over) = (client(&bridge, "hostile").await?, Arc::clone(&is_over));
            hostile.spawn(async move {
                while !is_over.load(Ordering::Relaxed) {
                    let status = client.post("/logics/spin", "{}").await?;
                    ensure!(status == 500, "it computes to its limit: {}", client.answer());
                }
                anyhow::Ok(())
            });
        }
        // All of them have come by then.
        tokio::time::sleep(Duration::from_millis(200)).await;
        let before = cpu_ticks(bridge.pid());
        let began = Instant::now();
        beside.round(&bridge).await?;
        shares.push((cpu_ticks(bridge.pid()) - before) / 100.0 / began.elapsed().as_secs_f64());
        is_over.store(true, Ordering::Relaxed);
        while let Some(ended) = hostile.join_next().await {
            ended??;
        }
    }
    report("spin", "guests of another project compute on every processor", alone, beside, shares);
    Ok(())
}

/// The compiler works on components that were made to be hard for it.
pub(crate) async fn compiling(noop: &[u8]) -> Result<()> {
    let lab = lab::Lab::start(&["quiet", "hostile"]).await?;
    lab.apply("quiet", &lab::project("quiet", [("noop".to_owned(), noop, PARAMS)])?).await?;
    let bridge = lab.bridge("bridge", &[("STK_BRIDGE_COMPILE_CPU", "12s")]).await?;
    until_served(&bridge).await?;
    let (mut alone, mut beside, mut shares) = (Seen::default(), Seen::default(), Vec::new());
    for round in 0..=ROUNDS {
        alone.round(&bridge).await?;
        let bomb = guests::bomb(noop, round)?;
        lab.apply("hostile", &lab::project("hostile", [("bomb".to_owned(), bomb.as_slice(), "")])?).await?;
        let is_compiling = || compilers(bridge.pid()).into_iter().any(|pid| cpu_ticks(pid) > 20.0);
        until(is_compiling).await?;
        let before = all_ticks(bridge.pid());
        let began = Instant::now();
        beside.round(&bridge).await?;
        shares.push((all_ticks(bridge.pid()) - before) / 100.0 / began.elapsed().as_secs_f64());
        until(|| compilers(bridge.pid()).is_empty()).await?;
    }
    report("bomb", "the compiler works on a component of another project", alone, beside, shares);
    Ok(())
}

const PARAMS: &str = "params: {number: {type: int}}\n";

impl Seen {
    /// One caller for one round. The first round warms up.
    async fn round(&mut self, bridge: &Bridge) -> Result<()> {
        let mut client = client(bridge, "quiet").await?;
        let (mut times, began) = (Vec::new(), Instant::now());
        while began.elapsed() < ROUND {
            let started = Instant::now();
            let status = client.post("/logics/noop", BODY).await?;
            times.push(started.elapsed().as_secs_f64() * 1e6);
            ensure!(status == 200, "{}", client.answer());
            tokio::time::sleep(PAUSE).await;
        }
        let is_first = self.p99.is_empty();
        self.p99.push(percentile(&mut times, 99));
        if !is_first {
            self.times.append(&mut times);
        }
        Ok(())
    }
}

fn report(name: &str, beside_what: &str, mut alone: Seen, mut beside: Seen, mut shares: Vec<f64>) {
    shares.sort_unstable_by(f64::total_cmp);
    let processors = shares[shares.len() / 2];
    let mut more: Vec<f64> = alone.p99.iter().zip(&beside.p99).skip(1).map(|(alone, beside)| beside - alone).collect();
    more.sort_unstable_by(f64::total_cmp);
    let line = json!({
        "bench": "beside", "name": name, "beside": beside_what, "processors": processors,
        "aloneP50Us": percentile(&mut alone.times, 50), "aloneP99Us": percentile(&mut alone.times, 99),
        "besideP50Us": percentile(&mut beside.times, 50), "besideP99Us": percentile(&mut beside.times, 99),
        "moreP99Ms": more[more.len() / 2] / 1e3, "mostP99Ms": more[more.len() - 1] / 1e3,
        "requestsAlone": alone.times.len(), "requestsBeside": beside.times.len(),
    });
    println!("{line}");
}

fn percentile(times: &mut [f64], percent: usize) -> f64 {
    times.sort_unstable_by(f64::total_cmp);
    times[(times.len() - 1) * percent / 100]
}

async fn client(bridge: &Bridge, project: &str) -> Result<PlainClient> {
    let client = PlainClient::connect(bridge.client.url()).await?;
    Ok(client.with("x-santokit-project", project).with("x-santokit-env", "prod"))
}

async fn until_served(bridge: &Bridge) -> Result<()> {
    let mut client = client(bridge, "quiet").await?;
    let began = Instant::now();
    while client.post("/logics/noop", BODY).await? != 200 {
        ensure!(began.elapsed() < WAIT_MAX, "{}\n{}", client.answer(), bridge.output());
        tokio::time::sleep(WAIT).await;
    }
    Ok(())
}

async fn until(is_so: impl Fn() -> bool) -> Result<()> {
    let began = Instant::now();
    while !is_so() {
        ensure!(began.elapsed() < WAIT_MAX, "waited in vain for a compiler");
        tokio::time::sleep(WAIT).await;
    }
    Ok(())
}

/// The compilers' processes of a Bridge.
fn compilers(bridge: u32) -> Vec<u32> {
    let children = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let children = children.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let read = |pid: u32, file: &str| std::fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap_or_default();
    let is_compiler = |pid: &u32| {
        read(*pid, "status").contains(&format!("PPid:\t{bridge}\n")) && read(*pid, "cmdline").contains("compile-worker")
    };
    children.filter(is_compiler).collect()
}

fn all_ticks(bridge: u32) -> f64 {
    compilers(bridge).into_iter().map(cpu_ticks).sum()
}

/// What a process has had of the processors, in hundredths of a second; nothing where it has ended.
fn cpu_ticks(pid: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // Behind the name, which may have anything in it.
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    fields.skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum()
}
