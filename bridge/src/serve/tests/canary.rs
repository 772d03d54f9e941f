//! A canary on a live Bridge: who gets which release, what is refused, and what takes everyone back.

use santokit_core::{
    access::Rule,
    logic::{Body, Logic, SqlBody, TransactionMode},
    quantity::Millis,
    release::{
        Canary,
        canary::{Principal, WINDOW},
    },
    schema::Schema,
    wire::{CanaryReport, CanaryState},
};

use super::*;

const SALT: &str = "salt-of-a-canary";

/// What the pointer of a canary is made of.
struct Terms {
    baseline: (String, Digest),
    candidate: (String, Digest),
}

impl Terms {
    fn canary(&self, percent: u8) -> Canary {
        let (release_id, digest) = self.candidate.clone();
        Canary { release_id, digest, percent, salt: SALT.into(), gates: Vec::new(), min_requests: 5, window: WINDOW }
    }

    fn pointer(&self, canary: Option<Canary>, sequence: u64) -> Pointer {
        let (release_id, digest) = self.baseline.clone();
        Pointer {
            project: "shop".into(),
            env: "dev".into(),
            release_id,
            digest,
            canary,
            sequence,
            issued_at: "2026-01-01T00:00:00Z".into(),
        }
    }
}

impl Hub {
    fn point_canary(&self, terms: &Terms, canary: Option<Canary>, sequence: u64, key: &SigningKey) {
        let pointer = Envelope::sign(POINTER_TYPE, &terms.pointer(canary, sequence), key).unwrap();
        self.script.lock().unwrap().pointer = Some(pointer);
    }

    /// Two releases of which the second answers `one` with an error, for a while.
    fn two(&self, dir: &std::path::Path) -> Terms {
        std::fs::create_dir_all(dir).unwrap();
        std::fs::write(dir.join("data.db"), []).unwrap();
        let url = format!("sqlite:{}", dir.join("data.db").display());
        let connection = RuntimeConnection { engine: "sqlite".into(), url: Sealed::new(url), guests: Vec::new() };
        self.script.lock().unwrap().connections.insert("main".into(), connection);
        let release = |marker: &str, statement: &str| {
            self.release_with(marker, &self.key, |manifest| {
                manifest.connections.insert("main".into(), Schema::default());
                manifest.logics.insert("one".into(), public(statement));
            })
        };
        Terms { baseline: release("old", "SELECT 1 AS one"), candidate: release("new", "SELECT one FROM missing") }
    }
}

fn public(statement: &str) -> Logic {
    Logic {
        description: None,
        rules: vec![Rule { roles: vec!["public".into()], condition: None, columns: None }],
        params: Vec::new(),
        connection: "main".into(),
        transaction: TransactionMode::None,
        timeout: Millis(10_000),
        body: Body::Sql(SqlBody { statements: vec![statement.into()], publish: Vec::new() }),
    }
}

impl Client {
    /// Which release answers a caller who names itself.
    async fn release_of(&self, name: &str) -> String {
        let (_, headers, body) = self.post("/logics/none", &[("x-santokit-sticky", name)], "{}").await;
        headers.get("x-santokit-release").unwrap_or_else(|| panic!("{body}")).to_str().unwrap().to_owned()
    }
}

fn names() -> Vec<String> {
    (0..60).map(|number| format!("caller-{number}")).collect()
}

fn canary_of(bridge: &RunningBridge) -> Option<CanaryReport> {
    bridge.status().envs[0].canary.clone()
}

async fn until(what: &str, is_so: impl Fn() -> bool) {
    for _ in 0..200 {
        if is_so() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("waited in vain: {what}");
}

async fn until_canary(bridge: &RunningBridge, sequence: u64, state: CanaryState) -> CanaryReport {
    let is = || {
        bridge.status().envs[0].sequence == sequence && canary_of(bridge).is_some_and(|canary| canary.state == state)
    };
    until(&format!("{state:?} at {sequence}"), is).await;
    canary_of(bridge).unwrap()
}

async fn assert_split(client: &Client, terms: &Terms, percent: u8) {
    let canary = terms.canary(percent);
    for name in names() {
        let is_in = canary.takes(Principal::Hint(&name));
        let wanted = if is_in { &terms.candidate.0 } else { &terms.baseline.0 };
        assert_eq!(client.release_of(&name).await, *wanted, "{name} at {percent}%");
    }
}

async fn assert_all_get(client: &Client, release: &str) {
    for name in names() {
        assert_eq!(client.release_of(&name).await, release, "{name}");
    }
}

#[tokio::test]
async fn the_share_gets_the_candidate_and_keeps_it_while_it_grows() {
    let (hub, dir) = (Hub::start(), scratch());
    let hash = Digest::of(b"secret");
    let key = ApiKey { id: "abc".into(), hash, roles: Vec::new(), expires_at: None };
    hub.script.lock().unwrap().keys.push(key);
    let terms = Terms { baseline: hub.release("one", &hub.key), candidate: hub.release("two", &hub.key) };
    let bridge = serve(hub.config(&dir, true)).await.unwrap();
    let client = Client::of(&bridge);
    hub.point_canary(&terms, None, 1, &hub.key);
    client.until(|status, _| status == 200).await;
    assert_all_get(&client, &terms.baseline.0).await;

    hub.point_canary(&terms, Some(terms.canary(20)), 2, &hub.key);
    until_canary(&bridge, 2, CanaryState::Serving).await;
    assert_split(&client, &terms, 20).await;
    // An application's people are parted by their names; without one they stay together. What is no name is none.
    let by_key = async |name: Option<&str>| {
        let mut headers = vec![("x-santokit-api-key", "stk_abc.secret")];
        headers.extend(name.map(|name| ("x-santokit-sticky", name)));
        client.post("/logics/none", &headers, "{}").await.1["x-santokit-release"].to_str().unwrap().to_owned()
    };
    let expected = |principal: Principal<'_>| {
        if terms.canary(20).takes(principal) { terms.candidate.0.clone() } else { terms.baseline.0.clone() }
    };
    let mut seen = std::collections::BTreeSet::new();
    for name in names() {
        let got = by_key(Some(&name)).await;
        assert_eq!(got, expected(Principal::ApiKey("abc", Some(&name))), "{name}");
        seen.insert(got);
    }
    assert_eq!(seen.len(), 2, "one key is on both sides");
    for no_name in [None, Some("a b"), Some("")] {
        assert_eq!(by_key(no_name).await, expected(Principal::ApiKey("abc", None)), "{no_name:?}");
    }
    assert_eq!(client.release_of("not a name").await, expected(Principal::Address("127.0.0.1")));

    hub.point_canary(&terms, Some(terms.canary(70)), 3, &hub.key);
    let report = until_canary(&bridge, 3, CanaryState::Serving).await;
    let counted = report.baseline.requests + report.candidate.requests;
    assert_eq!(counted, 60 + 60 + 3 + 1, "the counts go on: {report:?}");
    assert_split(&client, &terms, 70).await;
    // Another canary has another choice, and counts anew.
    let other = Canary { salt: "salt-of-another".into(), ..terms.canary(70) };
    hub.point_canary(&terms, Some(other.clone()), 4, &hub.key);
    assert_eq!(until_canary(&bridge, 4, CanaryState::Serving).await.candidate.requests, 0);
    assert!(
        names()
            .iter()
            .any(|name| { other.takes(Principal::Hint(name)) != terms.canary(70).takes(Principal::Hint(name)) })
    );

    let scrape = client.client.get(format!("{}/metrics", client.base)).bearer_auth("scrape").send().await.unwrap();
    let text = scrape.text().await.unwrap();
    for line in [
        r#"stk_bridge_canary_serving{env="dev",project="shop"} 1"#,
        r#"stk_bridge_canary_requests_total{env="dev",outcome="ok",project="shop",release="candidate"}"#,
        r#"stk_bridge_canary_request_duration_seconds_count{env="dev",project="shop",release="baseline"}"#,
    ] {
        assert!(text.contains(line), "{line} is missing in\n{text}");
    }
    assert!(!text.contains("rel_"), "releases are not named in metrics");

    // Promoted: the candidate is the baseline.
    let after = Terms { baseline: terms.candidate.clone(), candidate: terms.baseline.clone() };
    hub.point_canary(&after, None, 5, &hub.key);
    until("the promotion", || bridge.status().envs[0].sequence == 5).await;
    assert!(canary_of(&bridge).is_none());
    assert_all_get(&client, &terms.candidate.0).await;
    bridge.shutdown().await;
    std::fs::remove_dir_all(dir).ok();
}

#[tokio::test]
async fn a_candidate_that_is_refused_serves_nobody() {
    let (hub, dir) = (Hub::start(), scratch());
    let stranger = SigningKey::generate().unwrap();
    let terms = Terms { baseline: hub.release("one", &hub.key), candidate: hub.release("two", &stranger) };
    let bridge = serve(hub.config(&dir, true)).await.unwrap();
    let client = Client::of(&bridge);
    hub.point_canary(&terms, Some(terms.canary(99)), 1, &hub.key);
    let report = until_canary(&bridge, 1, CanaryState::Refused).await;
    assert!(report.reason.unwrap().contains("RELEASE_BLOCKED"));
    assert_all_get(&client, &terms.baseline.0).await;
    assert_eq!(client.get("/readyz").await.0, 200, "the baseline is not held up");

    // The digest of one release and the name of another.
    let other = hub.release("three", &hub.key);
    let mixed = Canary { release_id: other.0, ..terms.canary(99) };
    hub.point_canary(&terms, Some(mixed), 2, &hub.key);
    until_canary(&bridge, 2, CanaryState::Refused).await;
    assert_all_get(&client, &terms.baseline.0).await;
    bridge.shutdown().await;
    std::fs::remove_dir_all(dir).ok();
}

#[tokio::test]
async fn a_pointer_that_is_forged_changed_or_old_changes_no_share() {
    let (hub, dir) = (Hub::start(), scratch());
    let terms = Terms { baseline: hub.release("one", &hub.key), candidate: hub.release("two", &hub.key) };
    // Who hears only nonsense from its Hub would take everyone back in the end.
    let config = BridgeConfig { canary_max_stale: Duration::from_mins(10), ..hub.config(&dir, true) };
    let bridge = serve(config).await.unwrap();
    let client = Client::of(&bridge);
    hub.point_canary(&terms, Some(terms.canary(20)), 5, &hub.key);
    until_canary(&bridge, 5, CanaryState::Serving).await;
    let refusal = || bridge.status().envs[0].refused.clone().map(|refused| refused.message).unwrap_or_default();
    let good = hub.script.lock().unwrap().pointer.clone().unwrap();

    let attack = async |pointer: Envelope, said: &str| {
        hub.script.lock().unwrap().pointer = Some(pointer);
        until(said, || refusal().contains(said)).await;
        assert_eq!(bridge.status().envs[0].sequence, 5);
        assert_split(&client, &terms, 20).await;
        hub.script.lock().unwrap().pointer = Some(good.clone());
        // What was refused under the sequence that runs is told until there is another.
        until("the good pointer again", || refusal().is_empty() || refusal().contains("same sequence")).await;
    };
    let signed = |canary: Canary, sequence: u64, key: &SigningKey| {
        Envelope::sign(POINTER_TYPE, &terms.pointer(Some(canary), sequence), key).unwrap()
    };
    let stranger = SigningKey::generate().unwrap();
    attack(signed(terms.canary(99), 6, &stranger), "signature").await;
    // The signature of one pointer on another.
    attack(Envelope { payload: signed(terms.canary(99), 6, &hub.key).payload, ..good.clone() }, "signature").await;
    attack(signed(terms.canary(99), 4, &hub.key), "lower than 5").await;
    attack(signed(Canary { percent: 100, ..terms.canary(1) }, 6, &hub.key), "percent must be 1 to 99").await;
    attack(signed(Canary { percent: 0, ..terms.canary(1) }, 6, &hub.key), "percent must be 1 to 99").await;
    let (release_id, digest) = terms.baseline.clone();
    attack(signed(Canary { release_id, digest, ..terms.canary(1) }, 6, &hub.key), "its baseline").await;
    attack(signed(terms.canary(99), 5, &hub.key), "same sequence 5").await;
    bridge.shutdown().await;
    std::fs::remove_dir_all(dir).ok();
}

#[tokio::test]
async fn without_the_hub_the_candidate_ends_after_its_bound() {
    let (hub, dir) = (Hub::start(), scratch());
    let terms = Terms { baseline: hub.release("one", &hub.key), candidate: hub.release("two", &hub.key) };
    let config = || BridgeConfig { canary_max_stale: Duration::from_secs(8), ..hub.config(&dir, true) };
    let bridge = serve(config()).await.unwrap();
    hub.point_canary(&terms, Some(terms.canary(20)), 1, &hub.key);
    until_canary(&bridge, 1, CanaryState::Serving).await;
    assert_split(&Client::of(&bridge), &terms, 20).await;
    bridge.shutdown().await;

    // A restart with the Hub away: both are on the disk, and so is when the Hub was there last.
    hub.task.abort();
    let bridge = serve(config()).await.unwrap();
    let client = Client::of(&bridge);
    client.until(|status, _| status == 200).await;
    until_canary(&bridge, 1, CanaryState::Serving).await;
    assert_split(&client, &terms, 20).await;
    until_canary(&bridge, 1, CanaryState::Away).await;
    assert_all_get(&client, &terms.baseline.0).await;
    assert_eq!(client.get("/readyz").await.0, 200, "the baseline goes on");
    bridge.shutdown().await;

    let bridge = serve(config()).await.unwrap();
    let client = Client::of(&bridge);
    client.until(|status, _| status == 200).await;
    assert_all_get(&client, &terms.baseline.0).await;
    bridge.shutdown().await;

    // What is damaged on the disk costs the candidate, and only that.
    let good = dir.join("envs/shop/dev/good.json");
    let mut kept: Value = serde_json::from_slice(&std::fs::read(&good).unwrap()).unwrap();
    kept["candidate"]["manifest"] = json!("{}");
    std::fs::write(&good, kept.to_string()).unwrap();
    let bridge = serve(config()).await.unwrap();
    let client = Client::of(&bridge);
    client.until(|status, _| status == 200).await;
    until_canary(&bridge, 1, CanaryState::Loading).await;
    assert_all_get(&client, &terms.baseline.0).await;
    bridge.shutdown().await;
    std::fs::remove_dir_all(dir).ok();
}

#[tokio::test]
async fn a_gate_that_closes_at_a_bridge_takes_everyone_back_at_once() {
    let (hub, dir) = (Hub::start(), scratch());
    let terms = hub.two(&dir);
    let bridge = serve(hub.config(&dir, true)).await.unwrap();
    let client = Client::of(&bridge);
    let canary = Canary { gates: vec!["error-rate>50%".parse().unwrap()], ..terms.canary(50) };
    hub.point_canary(&terms, Some(canary.clone()), 1, &hub.key);
    until_canary(&bridge, 1, CanaryState::Serving).await;
    let is_in = |name: &String| canary.takes(Principal::Hint(name));
    let call = async |name: &str| client.post("/logics/one", &[("x-santokit-sticky", name)], "{}").await;
    let inside: Vec<String> = names().into_iter().filter(is_in).collect();
    for (number, name) in inside.iter().enumerate() {
        let (status, headers, body) = call(name).await;
        // Five are enough for the gate: the sixth gets the baseline, and so does everyone after.
        let (wanted, release) = if number < 5 { (500, &terms.candidate.0) } else { (200, &terms.baseline.0) };
        assert_eq!((status, headers["x-santokit-release"].to_str().unwrap()), (wanted, release.as_str()), "{body}");
    }
    let report = until_canary(&bridge, 1, CanaryState::Stopped).await;
    assert_eq!(report.reason.unwrap(), "error-rate>50%: 100% of 5 requests failed");
    assert_eq!((report.candidate.requests, report.candidate.errors), (5, 5));
    // The Hub hears of it without being asked.
    let told = || {
        let script = hub.script.lock().unwrap();
        let last = script.reports.last().and_then(|report| report.envs[0].canary.clone());
        last.is_some_and(|canary| canary.state == CanaryState::Stopped)
    };
    until("the report", told).await;
    // A restart opens nothing either, also where the Hub cannot be asked.
    let kept = dir.join("envs/shop/dev/stopped.json");
    until("it is kept", || kept.exists()).await;
    bridge.shutdown().await;
    // As if it were away: its polls fail.
    hub.script.lock().unwrap().pointer = None;
    let bridge = serve(hub.config(&dir, true)).await.unwrap();
    let client = Client::of(&bridge);
    client.until(|status, _| status == 200).await;
    let report = until_canary(&bridge, 1, CanaryState::Stopped).await;
    assert_eq!(report.reason.unwrap(), "error-rate>50%: 100% of 5 requests failed");
    let call = async |name: &str| client.post("/logics/one", &[("x-santokit-sticky", name)], "{}").await;
    for name in &inside {
        assert_eq!(call(name).await.0, 200, "{name}");
    }
    // What is damaged says nothing.
    std::fs::write(&kept, "{}").unwrap();
    bridge.shutdown().await;
    let bridge = serve(hub.config(&dir, true)).await.unwrap();
    let client = Client::of(&bridge);
    client.until(|status, _| status == 200).await;
    until_canary(&bridge, 1, CanaryState::Serving).await;
    let call = async |name: &str| client.post("/logics/one", &[("x-santokit-sticky", name)], "{}").await;
    for name in inside.iter().take(5) {
        assert_eq!(call(name).await.0, 500, "{name}");
    }
    until_canary(&bridge, 1, CanaryState::Stopped).await;
    // More of the same canary opens nothing; another one does.
    hub.point_canary(&terms, Some(Canary { percent: 90, gates: Vec::new(), ..canary.clone() }), 2, &hub.key);
    until_canary(&bridge, 2, CanaryState::Stopped).await;
    assert_eq!(call(&inside[0]).await.0, 200);
    hub.point_canary(&terms, Some(Canary { percent: 99, salt: "salt-of-another".into(), ..canary }), 3, &hub.key);
    until_canary(&bridge, 3, CanaryState::Serving).await;
    bridge.shutdown().await;
    std::fs::remove_dir_all(dir).ok();
}
