//! Log lines and metrics of a Hub and a Bridge as processes: their names are what operators build on.

use std::collections::BTreeSet;

use santokit_tests::planes::{OPERATOR, get};
use serde_json::{Value as Json, json};

use crate::lab::Lab;

/// Of a request's line in the log of a Bridge, beyond `ts level msg`.
const OF_A_REQUEST: [&str; 10] =
    ["requestId", "project", "env", "releaseId", "method", "path", "status", "durationMs", "authType", "logic"];

/// Metrics of the contract whose subject exists, with their labels.
const OF_A_BRIDGE: [(&str, &[&str]); 25] = [
    ("stk_bridge_requests_total", &["path", "status"]),
    ("stk_bridge_request_duration_seconds", &["path"]),
    ("stk_bridge_db_query_duration_seconds", &["connection"]),
    ("stk_bridge_db_pool_active", &["connection", "env", "project"]),
    ("stk_bridge_db_pool_idle", &["connection", "env", "project"]),
    ("stk_bridge_rate_limit_shared", &[]),
    ("stk_bridge_permission_denials_total", &["op", "table"]),
    ("stk_bridge_release_cache_age_seconds", &["env", "project"]),
    ("stk_bridge_release_cache_state", &["env", "project", "state"]),
    ("stk_bridge_hub_poll_failures_total", &["env", "project"]),
    ("stk_bridge_canary_requests_total", &["env", "outcome", "project", "release"]),
    ("stk_bridge_canary_request_duration_seconds", &["env", "project", "release"]),
    ("stk_bridge_canary_serving", &["env", "project"]),
    ("stk_bridge_logic_invocations_total", &["logic", "outcome"]),
    ("stk_bridge_logic_duration_seconds", &["logic"]),
    ("stk_bridge_logic_cpu_seconds", &["logic"]),
    ("stk_bridge_logic_memory_peak_bytes", &["logic"]),
    ("stk_bridge_logic_instances_total", &["logic", "made"]),
    ("stk_bridge_sandbox_instances", &[]),
    ("stk_bridge_sandbox_supply_instances", &[]),
    ("stk_bridge_sandbox_supply_memory_bytes", &[]),
    ("stk_bridge_sandbox_idle_resident_bytes", &[]),
    ("stk_bridge_logic_host_calls_total", &["capability", "logic", "outcome"]),
    ("stk_bridge_logic_limit_hits_total", &["limit"]),
    ("stk_bridge_limit_hits_total", &["limit"]),
];
const OF_A_HUB: [(&str, &[&str]); 11] = [
    ("stk_hub_requests_total", &["path", "status"]),
    ("stk_hub_request_duration_seconds", &["path"]),
    ("stk_hub_releases_created_total", &[]),
    ("stk_hub_schema_applies_total", &["result"]),
    ("stk_hub_password_checks_total", &[]),
    ("stk_hub_failed_logins_total", &[]),
    ("stk_hub_audit_write_lag_seconds", &[]),
    ("stk_hub_audit_entries_last_day", &[]),
    ("stk_hub_audit_grows_fast", &[]),
    ("stk_hub_audit_intact", &[]),
    ("stk_hub_canary_ends_total", &["outcome"]),
];

#[tokio::test(flavor = "multi_thread")]
async fn log_lines_and_metrics_have_the_names_of_the_contract() {
    let mut lab = Lab::start("numbers").await;
    let bridge = lab.bridge("cache", &[]).await;
    let endless = "---\nauth: public\ntimeout: 100ms\n---\nWITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) AS n FROM n\n";
    lab.folder.write("logics/endless.sql", endless).unwrap();
    lab.folder.edit("logics/every/logic.yaml", "auth: public\n", "auth: public\nlimits: {sqlRows: 1}\n").unwrap();
    lab.folder.write("seed/numbers.sql", "").unwrap();
    let applied = lab.apply().await;
    let keyed = bridge.client.with_key(&lab.api_key.0);
    for (client, logic, status) in [
        (&keyed, "version", 200),
        (&bridge.client, "every", 200),
        (&bridge.client, "endless", 500),
        (&bridge.client, "guarded", 401),
    ] {
        let answer = client.logic(logic, json!({})).await.unwrap();
        assert_eq!(answer.status, status, "{logic}: {answer:?}");
    }
    lines(&bridge.output(), &applied["releaseId"]);
    // Any other release can be the candidate, an older one too.
    let first = applied["releaseId"].as_str().unwrap();
    lab.set_version(2);
    lab.apply().await;
    lab.done(&["release", "canary", first, "--percent", "50"], "").await;
    assert_eq!(bridge.client.logic("version", json!({})).await.unwrap().status, 200);
    lab.done(&["release", "canary", "abort"], "").await;
    let of_hub = numbers(&lab.hub().url).await;
    lab.kill_hub().await;
    bridge.until("without its Hub", |env| env["reason"].is_string()).await.unwrap();
    let ready = bridge
        .output()
        .lines()
        .find_map(|line| serde_json::from_str::<Json>(line).ok()?["metricsUrl"].as_str().map(str::to_owned));
    let of_bridge = numbers(ready.unwrap().trim_end_matches("/metrics")).await;
    for (text, expected) in [(&of_hub, &OF_A_HUB[..]), (&of_bridge, &OF_A_BRIDGE[..])] {
        for (name, labels) in expected {
            assert_eq!(
                labels_of(text, name).as_ref(),
                Some(&labels.iter().map(|label| (*label).to_owned()).collect()),
                "{name}"
            );
        }
        let helped: BTreeSet<&str> =
            text.lines().filter_map(|line| line.strip_prefix("# HELP ")?.split(' ').next()).collect();
        assert_eq!(helped, expected.iter().map(|(name, _)| *name).collect(), "what is not in the list");
    }
}

/// Also where the span of the request, which would say it too, is filtered out, as where there is no request.
#[tokio::test(flavor = "multi_thread")]
async fn a_guests_line_says_whose_it_is_by_itself() {
    let lab = Lab::start("spoken").await;
    let bridge = lab.bridge("cache", &[("STK_LOG", "warn,guest=trace")]).await;
    lab.folder.edit("logics/every/logic.yaml", "auth: public\n", "auth: public\nlimits: {hostCalls: 5}\n").unwrap();
    let release = lab.apply().await["releaseId"].clone();
    let answer = bridge.client.logic("every", json!({})).await.unwrap();
    assert_eq!(answer.code(), "LOGIC_FAILED", "{answer:?}");
    let id = answer.headers["x-request-id"].to_str().unwrap();
    // What the process writes is read beside the test.
    for _ in 0..600 {
        if bridge.output().contains("stopped by its limit") {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    let log: Vec<Json> = bridge.output().lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    // What it says, and what is said of it.
    for (level, text) in [("trace", "every import"), ("warn", "stopped by its limit hostCalls")] {
        let line = log.iter().find(|line| line["target"] == "guest" && line["msg"] == text);
        let line = line.unwrap_or_else(|| panic!("no line {text:?} in {log:?}"));
        for (name, value) in [
            ("level", json!(level)),
            ("requestId", json!(id)),
            ("project", json!("spoken")),
            ("env", json!("prod")),
            ("releaseId", release.clone()),
            ("logic", json!("every")),
        ] {
            assert_eq!(line[name], value, "{name} in {line}");
        }
    }
}

fn lines(log: &str, release: &Json) {
    let lines: Vec<Json> = log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let request = lines.iter().find(|line| line["msg"] == "request" && line["logic"] == "version").unwrap();
    assert!(chrono_like(&request["ts"]), "{request}");
    for name in OF_A_REQUEST {
        assert!(!request[name].is_null(), "{name} in {request}");
    }
    for (name, value) in [
        ("level", json!("info")),
        ("project", json!("numbers")),
        ("env", json!("prod")),
        ("releaseId", release.clone()),
        ("method", json!("POST")),
        ("path", json!("/logics/{name}")),
        ("status", json!(200)),
        ("authType", json!("apiKey")),
    ] {
        assert_eq!(request[name], value, "{name} in {request}");
    }
    assert!(request["durationMs"].is_f64(), "{request}");
    // Fixed names are lowerCamelCase: those of OpenTelemetry stay in the traces.
    for line in lines.iter().filter(|line| line["ts"].is_string()) {
        for name in line.as_object().unwrap().keys() {
            assert!(name.bytes().all(|b| b.is_ascii_alphanumeric()), "{name} in {line}");
        }
    }
    let refused = lines.iter().find(|line| line["msg"] == "request" && line["status"] == 401).unwrap();
    assert_eq!((&refused["authType"], &refused["code"]), (&json!("anonymous"), &json!("UNAUTHORIZED")), "{refused}");
}

fn chrono_like(ts: &Json) -> bool {
    let text = ts.as_str().unwrap_or_default();
    text.len() == 24 && text.ends_with('Z') && text.as_bytes()[10] == b'T'
}

async fn numbers(url: &str) -> String {
    // A Bridge's own listener for them asks for no token.
    let (status, _, text) = get(&reqwest::Client::new(), url, Some(OPERATOR), "/metrics", None).await.unwrap();
    assert_eq!(status, 200);
    String::from_utf8(text).unwrap()
}

/// The names of a metric's labels, without what a histogram adds.
fn labels_of(text: &str, name: &str) -> Option<BTreeSet<String>> {
    let is_it = |series: &str| {
        let rest = series.strip_prefix(name)?;
        let rest = ["_count", "_sum", "_bucket"].iter().find_map(|suffix| rest.strip_prefix(suffix)).unwrap_or(rest);
        matches!(rest.bytes().next(), Some(b'{' | b' ')).then(|| rest.to_owned())
    };
    let rest = text.lines().find_map(is_it)?;
    let inner = rest.strip_prefix('{').and_then(|rest| rest.rsplit_once('}')).map_or("", |(inner, _)| inner);
    let names = inner.split("\",").filter_map(|pair| pair.split_once('=').map(|(name, _)| name.to_owned()));
    Some(names.filter(|name| name != "le").collect())
}
