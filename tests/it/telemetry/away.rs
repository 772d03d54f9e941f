//! A collector that is away, broken or silent, or an export that is off or wrong: applications notice nothing.

use std::{fs, time::Duration};

use santokit_tests::{Collector, Manner, ProjectFolder, StkDev, planes::until, stk};
use serde_json::json;

use super::{OFTEN, project, trace, watched};

/// More spans than the queue of the exporter takes, several times over: five for each.
const MANY: usize = 2_000;
/// Over what a process had when it was warm; the queue is a few hundred KiB.
const GROWTH_KIB_MAX: u64 = 64 << 10;
const ENDS_WITHIN: Duration = Duration::from_mins(1);

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_fails_or_hangs_costs_no_request_and_no_memory() {
    let (folder, collector) = (without_component(), Collector::start().await.unwrap());
    let mut dev = watched(&folder, &collector, &[]).await;
    for manner in [Manner::Refuses, Manner::Hangs] {
        collector.behave(manner);
        let asked = collector.requests();
        call(&dev, 200).await;
        until("an export", || collector.requests() > asked).await.unwrap();
        let before = resident_kib(&dev);
        call(&dev, MANY).await;
        let after = resident_kib(&dev);
        assert!(after < before + GROWTH_KIB_MAX, "{manner:?}: {before} KiB grew to {after} KiB");
    }
    // It hangs still: the process ends nevertheless.
    end(&mut dev).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_comes_back_gets_traces_again() {
    let (folder, collector) = (without_component(), Collector::start().await.unwrap());
    let mut dev = watched(&folder, &collector, &[]).await;
    collector.behave(Manner::Refuses);
    let asked = collector.requests();
    call(&dev, 1).await;
    until("an export", || collector.requests() > asked).await.unwrap();
    collector.behave(Manner::Takes);
    let answer = dev.client.logic("find", json!({"text": "x"})).await.unwrap();
    trace(&collector, &answer).await;
    // What waits at the end is sent at the end.
    end(&mut dev).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_traces_are_sent_when_a_process_ends() {
    let (folder, collector) = (without_component(), Collector::start().await.unwrap());
    // No batch is due while the test runs.
    let mut dev = watched(&folder, &collector, &[("OTEL_BSP_SCHEDULE_DELAY", "3600000")]).await;
    let answer = dev.client.logic("find", json!({"text": "x"})).await.unwrap();
    end(&mut dev).await;
    trace(&collector, &answer).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_at_the_address_is_no_reason_to_fail() {
    let folder = without_component();
    let env = [("STK_OTEL_ENDPOINT", "http://127.0.0.1:9"), OFTEN, ("STK_OTEL_SAMPLE_RATE", "1")];
    let mut dev = StkDev::start(folder.path(), &env).await.unwrap();
    call(&dev, 50).await;
    end(&mut dev).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rate_of_0_sends_nothing_whatever_the_caller_says() {
    let (folder, collector) = (without_component(), Collector::start().await.unwrap());
    let mut dev = watched(&folder, &collector, &[("STK_OTEL_SAMPLE_RATE", "0")]).await;
    for _ in 0..20 {
        let request = dev.client.http().post(format!("{}/logics/find", dev.client.url())).body(r#"{"text": "x"}"#);
        let request = request.header("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
        assert_eq!(dev.client.send(request).await.unwrap().status, 200);
    }
    // Ending would have sent what is left.
    end(&mut dev).await;
    assert_eq!(collector.requests(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_setting_is_told_before_anything_starts() {
    let folder = without_component();
    for (name, value, says) in [
        ("STK_OTEL_SAMPLE_RATE", "2", "STK_OTEL_SAMPLE_RATE"),
        ("STK_OTEL_SAMPLE_RATE", "NaN", "STK_OTEL_SAMPLE_RATE"),
        ("STK_OTEL_SAMPLE_RATE", "often", "STK_OTEL_SAMPLE_RATE"),
        ("STK_OTEL_ENDPOINT", "localhost", "is no address"),
        ("STK_OTEL_ENDPOINT", "ftp://127.0.0.1", "is no address"),
        ("STK_OTEL_ENDPOINT", "http://user:planted-password@127.0.0.1:4318", "OTEL_EXPORTER_OTLP_HEADERS"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://planted-user@127.0.0.1:4318", "OTEL_EXPORTER_OTLP_HEADERS"),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://:planted-password@127.0.0.1:4318", "OTEL_EXPORTER_OTLP_HEADERS"),
    ] {
        let mut env = vec![(name, value)];
        if name == "STK_OTEL_SAMPLE_RATE" {
            env.push(("STK_OTEL_ENDPOINT", "http://127.0.0.1:9"));
        }
        let ended = stk(folder.path(), &["dev", "--port", "0"], &env).await.unwrap();
        assert_eq!(ended.code, 2, "{name}={value}: {ended:?}");
        let told = ended.stdout + &ended.stderr;
        assert!(told.contains(says) && !told.contains("planted"), "{name}={value}: {told}");
    }
}

/// What these tests need no compiler for.
fn without_component() -> ProjectFolder {
    let folder = project();
    fs::remove_dir_all(folder.path().join("logics/work")).unwrap();
    folder
}

async fn call(dev: &StkDev, times: usize) {
    for _ in 0..times {
        let answer = dev.client.logic("find", json!({"text": "x"})).await.unwrap();
        assert_eq!(answer.status, 200, "{answer:?}");
    }
}

/// SIGTERM, and the end of both its streams.
async fn end(dev: &mut StkDev) {
    let pid = rustix::process::Pid::from_raw(i32::try_from(dev.pid()).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    let ended = dev.wait_for("no such event", ENDS_WITHIN).await.unwrap_err().to_string();
    assert!(ended.contains("ended before"), "it runs on: {ended}");
}

fn resident_kib(dev: &StkDev) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", dev.pid())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}
