//! How many requests a caller may send, over real HTTP; and Bridges that count together in a Redis of the test's own, which is
//! stopped, killed and started again.

use std::{process::Stdio, time::Duration};

use tempfile::TempDir;
use tokio::{
    net::TcpStream,
    process::{Child, Command},
};

use super::*;
use crate::config::{Network, Rate, RedisConfig};

const KEY: [(&str, &str); 1] = [("x-santokit-api-key", "stk_abc.secret")];

/// For what must happen, on a machine that is slow.
const LOOKS: usize = 1_200;

fn rate(text: &str) -> Option<Rate> {
    Rate::parse(text).unwrap()
}

fn add_key(hub: &Hub) {
    let hash = Digest::of(b"secret");
    hub.script.lock().unwrap().keys.push(ApiKey { id: "abc".into(), hash, roles: Vec::new(), expires_at: None });
}

/// Sends so many; how many were admitted, and the last answer.
async fn send(client: &Client, headers: &[(&str, &str)], times: usize) -> (usize, (u16, HeaderMap, Value)) {
    let (mut admitted, mut last) = (0, client.post("/logics/a", headers, "").await);
    for time in 0..times {
        if time > 0 {
            last = client.post("/logics/a", headers, "").await;
        }
        assert!(last.0 < 500, "{last:?}");
        admitted += usize::from(last.0 != 429);
    }
    (admitted, last)
}

/// The numbers as text.
async fn scraped(client: &Client) -> String {
    let request = client.client.get(format!("{}/metrics", client.base)).bearer_auth("scrape");
    request.send().await.unwrap().text().await.unwrap()
}

/// How many requests were counted alone for want of a Redis.
async fn fallbacks(client: &Client) -> u64 {
    let text = scraped(client).await;
    let line = text.lines().find_map(|line| line.strip_prefix("stk_bridge_rate_limit_fallbacks_total "));
    line.map_or(0, |count| count.parse().unwrap())
}

async fn until_metric(client: &Client, line: &str) {
    for _ in 0..LOOKS {
        if scraped(client).await.lines().any(|found| found == line) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("never: {line}");
}

#[tokio::test]
async fn who_has_sent_too_many_is_told_when_to_come_back() {
    let hub = Hub::start();
    add_key(&hub);
    let dir = scratch();
    let mut config = hub.config(&dir, false);
    config.edge.rates = Rates { api_key: rate("4/8s"), user: rate("100/1m"), address: rate("3/1h"), topic: None };
    let bridge = serve(config).await.unwrap();
    let client = Client::of(&bridge);
    hub.point(hub.release("one", &hub.key), 1);
    client.until(|status, _| status == 200).await;

    let mut last = client.post("/logics/a", &KEY, "").await;
    for _ in 0..100 {
        if last.0 == 429 {
            break;
        }
        last = client.post("/logics/a", &KEY, "").await;
    }
    let (status, headers, body) = last;
    assert_eq!((status, body["error"]["code"].as_str()), (429, Some("TOO_MANY_REQUESTS")), "{body}");
    assert_eq!(body["error"]["details"]["limit"], "apiKeyRate");
    let wait: u64 = headers["retry-after"].to_str().unwrap().parse().unwrap();
    let millis = body["error"]["details"]["retryAfterMs"].as_u64().unwrap();
    assert!((1..=2).contains(&wait) && millis <= 2_000 && wait * 1_000 >= millis, "{wait} s, {millis} ms");
    assert!(headers.contains_key("x-santokit-release"), "it says which release refused");
    tokio::time::sleep(Duration::from_secs(wait)).await;
    assert_eq!(client.post("/logics/a", &KEY, "").await.0, 404, "it was worth coming back");
    until_metric(&client, r#"stk_bridge_rate_limited_total{limit="apiKeyRate"} 1"#).await;

    // A key's budget is its own; who shows none, or a wrong one, is counted by where it comes from.
    let (admitted, last) = send(&client, &[], 5).await;
    assert_eq!((admitted, last.2["error"]["details"]["limit"].as_str()), (3, Some("addressRate")), "{last:?}");
    let wrong = [("x-santokit-api-key", "stk_abc.guess")];
    let (admitted, last) = send(&client, &wrong, 5).await;
    assert_eq!((admitted, last.0), (3, 429));
    // What an anonymous caller writes of itself does not make it another one.
    let forged = [("x-forwarded-for", "203.0.113.7")];
    assert_eq!(send(&client, &forged, 2).await.0, 0);
    assert_eq!(client.get("/healthz").await.0, 200, "health is not counted");
    bridge.shutdown().await;
    std::fs::remove_dir_all(dir).ok();
}

#[tokio::test]
async fn behind_a_trusted_proxy_each_caller_counts() {
    let hub = Hub::start();
    let dir = scratch();
    let mut config = hub.config(&dir, false);
    config.edge.rates.address = rate("2/1h");
    config.edge.trusted_proxies = vec![Network::parse("127.0.0.0/8").unwrap()];
    let bridge = serve(config).await.unwrap();
    let client = Client::of(&bridge);
    hub.point(hub.release("one", &hub.key), 1);
    client.until(|status, _| status == 200).await;
    for caller in ["203.0.113.7", "203.0.113.8", "2001:db8::1"] {
        assert_eq!(send(&client, &[("x-forwarded-for", caller)], 4).await.0, 2, "{caller}");
    }
    // Nor does a caller that lies to the proxy.
    assert_eq!(send(&client, &[("x-forwarded-for", "198.51.100.1, 203.0.113.7")], 2).await.0, 0);
    bridge.shutdown().await;
    std::fs::remove_dir_all(dir).ok();
}

/// A Redis of the test's own, on a port of its own, that keeps nothing on disk.
struct Redis {
    port: u16,
    child: Child,
    folder: TempDir,
}

impl Redis {
    async fn start() -> Self {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let folder = tempfile::tempdir().unwrap();
        let child = Self::spawn(port, &folder).await;
        Self { port, child, folder }
    }

    async fn spawn(port: u16, folder: &TempDir) -> Child {
        let child = Command::new("redis-server")
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
            .current_dir(folder.path())
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("redis-server is needed: install Debian's package redis-server");
        for _ in 0..LOOKS {
            if TcpStream::connect(("127.0.0.1", port)).await.is_ok() {
                return child;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("redis-server does not listen");
    }

    async fn kill(&mut self) {
        self.child.kill().await.unwrap();
    }

    async fn start_again(&mut self) {
        self.child = Self::spawn(self.port, &self.folder).await;
    }

    async fn signal(&self, name: &str) {
        let process = self.child.id().unwrap().to_string();
        assert!(Command::new("kill").args([name, &process]).status().await.unwrap().success());
    }

    fn config(&self, timeout: Duration) -> RedisConfig {
        RedisConfig { url: format!("redis://127.0.0.1:{}/", self.port).into(), timeout }
    }
}

/// A Bridge that serves, and counts in a Redis.
async fn counting(hub: &Hub, dir: &std::path::Path, redis: RedisConfig, keys: &str) -> (RunningBridge, Client) {
    let mut config = hub.config(dir, false);
    config.edge.rates.api_key = rate(keys);
    config.edge.rates.user = rate("4/1h");
    config.edge.redis = Some(redis);
    let bridge = serve(config).await.unwrap();
    let client = Client::of(&bridge);
    client.until(|status, _| status == 200).await;
    (bridge, client)
}

const SHARED: &str = "stk_bridge_rate_limit_shared 1";
const ALONE: &str = "stk_bridge_rate_limit_shared 0";

#[tokio::test]
async fn two_bridges_share_a_budget_and_each_goes_on_alone_while_redis_is_away() {
    let hub = Hub::start();
    add_key(&hub);
    let user_key = SigningKey::generate().unwrap();
    hub.script.lock().unwrap().user_keys.push(Jwk::of(&user_key.verifying_key()));
    hub.point(hub.release("one", &hub.key), 1);
    let (dirs, mut redis) = ([scratch(), scratch()], Redis::start().await);
    let patient = || redis.config(Duration::from_secs(30));
    let (first, a) = counting(&hub, &dirs[0], patient(), "20/1h").await;
    let (second, b) = counting(&hub, &dirs[1], patient(), "20/1h").await;
    until_metric(&a, SHARED).await;
    until_metric(&b, SHARED).await;

    let mut admitted = 0;
    let mut last = None;
    for _ in 0..15 {
        for client in [&a, &b] {
            let (more, answer) = send(client, &KEY, 1).await;
            admitted += more;
            last = Some(answer);
        }
    }
    assert_eq!(admitted, 20, "one budget for both");
    let (status, headers, body) = last.unwrap();
    assert_eq!((status, body["error"]["details"]["limit"].as_str()), (429, Some("apiKeyRate")));
    let wait: u64 = headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((100..=180).contains(&wait), "one of 20 in an hour comes back within three minutes: {wait}");

    // So is that of an end user.
    let user = format!("Bearer {}", tokens::token(&tokens::claims("anna"), &user_key));
    let mut admitted = 0;
    for _ in 0..3 {
        for client in [&a, &b] {
            admitted += send(client, &[("authorization", user.as_str())], 1).await.0;
        }
    }
    assert_eq!(admitted, 4, "one budget for both");

    assert_eq!((fallbacks(&a).await, fallbacks(&b).await), (0, 0));
    // Away: each Bridge has the budget for itself, and no request fails or waits.
    redis.kill().await;
    for client in [&a, &b] {
        assert_eq!(send(client, &KEY, 30).await.0, 20);
        until_metric(client, ALONE).await;
        assert_eq!(fallbacks(client).await, 30);
    }

    // Back, with nothing in its memory: they count together again by themselves.
    redis.start_again().await;
    until_metric(&a, SHARED).await;
    until_metric(&b, SHARED).await;
    let mut admitted = 0;
    for _ in 0..15 {
        admitted += send(&a, &KEY, 1).await.0 + send(&b, &KEY, 1).await.0;
    }
    assert_eq!(admitted, 20);
    first.shutdown().await;
    second.shutdown().await;
    for dir in &dirs {
        drop(std::fs::remove_dir_all(dir));
    }
}

#[tokio::test]
async fn a_redis_that_hangs_or_is_not_there_holds_no_request_up() {
    let hub = Hub::start();
    add_key(&hub);
    hub.point(hub.release("one", &hub.key), 1);
    let (dir, mut redis) = (scratch(), Redis::start().await);
    // It is away from the start.
    redis.kill().await;
    let (bridge, client) = counting(&hub, &dir, redis.config(Duration::from_millis(500)), "100000/1h").await;
    assert_eq!(send(&client, &KEY, 10).await.0, 10);
    until_metric(&client, ALONE).await;
    redis.start_again().await;
    until_metric(&client, SHARED).await;

    // It takes connections and answers nothing. A hundred requests that each waited for it would take most of a minute.
    redis.signal("-STOP").await;
    let sent = tokio::time::timeout(Duration::from_secs(40), send(&client, &KEY, 100)).await;
    assert_eq!(sent.expect("requests wait for Redis").0, 100);
    until_metric(&client, ALONE).await;
    redis.signal("-CONT").await;
    until_metric(&client, SHARED).await;
    bridge.shutdown().await;
    std::fs::remove_dir_all(dir).ok();
}
