//! End users by their tokens, over real HTTP: what stands in a token's place, keys that are exchanged while users call, cookies and
//! the pages that send them, and the keys as everyone may have them. No logic runs: a caller that is known is told that there is no
//! such logic (404), one that is not 401.

use aws_lc_rs::{hmac, signature::Ed25519KeyPair};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::Utc;
use santokit_core::{
    cors::Cors,
    quantity::Millis,
    user_token::{self, Claims, TOKEN_BYTES_MAX},
    wire::JwkSet,
};
use serde_json::Map;

use super::*;

const KNOWN: u16 = 404;

/// What it is, the cookies, more headers, and the status of the answer.
type Case<'c> = (&'c str, &'c str, &'c [(&'c str, &'c str)], u16);

pub(super) fn claims(sub: &str) -> Claims {
    let iat = Utc::now().timestamp();
    Claims {
        sub: sub.into(),
        project_id: "shop".into(),
        env_id: "dev".into(),
        roles: vec!["customer".into()],
        iat,
        exp: iat + 3_600,
        jti: "one".into(),
        claims: Map::new(),
    }
}

pub(super) fn token(claims: &Claims, key: &SigningKey) -> String {
    user_token::sign(claims, key).unwrap().unwrap().expose().to_owned()
}

fn jwk(key: &SigningKey) -> Jwk {
    Jwk::of(&key.verifying_key())
}

/// A token of any text, signed as it stands by who has the env's own key.
fn forged(header: &str, claims: &str, key: &SigningKey) -> String {
    let pair = Ed25519KeyPair::from_pkcs8(&key.to_pkcs8().unwrap()).unwrap();
    let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(pair.sign(signed.as_bytes())))
}

impl Client {
    /// How a call with a bearer token is answered.
    async fn bearing(&self, token: &str, more: &[(&str, &str)]) -> (u16, HeaderMap, Value) {
        let bearer = format!("Bearer {token}");
        self.post("/logics/a", &[&[("authorization", bearer.as_str())], more].concat(), "").await
    }

    async fn until_bearing(&self, token: &str, expected: u16) {
        for _ in 0..400 {
            if self.bearing(token, &[]).await.0 == expected {
                return;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("never {expected}");
    }
}

/// A Bridge that has these keys.
async fn serving(hub: &Hub, keys: &[&SigningKey], dir: &std::path::Path) -> (RunningBridge, Client) {
    hub.script.lock().unwrap().user_keys = keys.iter().map(|key| jwk(key)).collect();
    if hub.script.lock().unwrap().pointer.is_none() {
        hub.point(hub.release("one", &hub.key), 1);
    }
    let bridge = serve(hub.config(dir, false)).await.unwrap();
    let client = Client::of(&bridge);
    client.until(|status, _| status == 200).await;
    (bridge, client)
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "a list of attacks, each a line")]
async fn only_what_the_envs_key_has_signed_is_a_user() {
    let (hub, dir) = (Hub::start(), scratch());
    let (key, stranger) = (SigningKey::generate().unwrap(), SigningKey::generate().unwrap());
    let (bridge, client) = serving(&hub, &[&key], &dir).await;
    let kid = key.verifying_key().id();
    let header = format!(r#"{{"alg":"EdDSA","typ":"JWT","kid":"{kid}"}}"#);
    let (good, body, now) = (token(&claims("anna"), &key), json!(claims("anna")), Utc::now().timestamp());
    for fine in [good.clone(), token(&claims("Åsa 王 🦀"), &key), token(&Claims { iat: now + 20, ..claims("a") }, &key)]
    {
        assert_eq!(client.bearing(&fine, &[]).await.0, KNOWN, "{fine}");
    }

    let with = |change: &dyn Fn(&mut Claims)| {
        let mut claims = claims("anna");
        change(&mut claims);
        token(&claims, &key)
    };
    let said = |name: &str, value: Value| {
        let mut body = body.clone();
        body[name] = value;
        forged(&header, &body.to_string(), &key)
    };
    let under = |header: &str| forged(header, &body.to_string(), &key);
    let parts: Vec<&str> = good.split('.').collect();
    let hs256 = {
        let header = format!(r#"{{"alg":"HS256","typ":"JWT","kid":"{kid}"}}"#);
        let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), parts[1]);
        let secret = URL_SAFE_NO_PAD.decode(jwk(&key).x).unwrap();
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &secret), signed.as_bytes());
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(tag))
    };
    let none = |alg: &str| {
        let header = format!(r#"{{"alg":"{alg}","typ":"JWT","kid":"{kid}"}}"#);
        format!("{}.{}.", URL_SAFE_NO_PAD.encode(header), parts[1])
    };
    let twice = body.to_string().replacen(r#"{"sub""#, r#"{"sub":"root","sub""#, 1);
    let tampered = URL_SAFE_NO_PAD.encode(json!(Claims { sub: "root".into(), ..claims("anna") }).to_string());
    let attacks = [
        ("no algorithm", none("none")),
        ("no algorithm, in another case", none("nOnE")),
        ("the right algorithm and no signature", none("EdDSA")),
        ("the public key as a shared secret", hs256),
        ("RS256", under(&header.replace("EdDSA", "RS256"))),
        ("a stranger's key", token(&claims("anna"), &stranger)),
        ("a stranger under the key's name", forged(&header, &body.to_string(), &stranger)),
        ("no key's name", under(r#"{"alg":"EdDSA","typ":"JWT"}"#)),
        ("a path as the key's name", under(&header.replace(&kid, "../../../dev/null"))),
        ("SQL as the key's name", under(&header.replace(&kid, "' OR '1'='1"))),
        ("the key's name and a space", under(&header.replace(&kid, &format!("{kid} ")))),
        ("a key that it brings along", under(&header.replacen('}', r#","jwk":{"kty":"OKP"}}"#, 1))),
        ("a place of keys that it brings along", under(&header.replacen('}', r#","jku":"http://127.0.0.1:1/"}"#, 1))),
        ("two algorithms", under(&header.replacen('{', r#"{"alg":"none","#, 1))),
        ("of an operator's kind", under(&header.replace("JWT", "stk-bridge-admin+jwt"))),
        ("expired", with(&|claims| (claims.iat, claims.exp) = (now - 3_600, now - 31))),
        ("made in the future", with(&|claims| (claims.iat, claims.exp) = (now + 90, now + 3_000))),
        ("good for a day", with(&|claims| claims.exp = now + 86_400)),
        ("good for ever", with(&|claims| claims.exp = i64::MAX)),
        ("over before it was made", with(&|claims| claims.exp = claims.iat - 1)),
        ("of another env", with(&|claims| claims.env_id = "prod".into())),
        ("of another project", with(&|claims| claims.project_id = "other".into())),
        ("not valid yet by a claim that is not read", said("nbf", json!(now + 60))),
        ("for an audience that is not looked at", said("aud", json!("someone"))),
        ("a subject of two", forged(&header, &twice, &key)),
        ("a subject that is a number", said("sub", json!(1))),
        ("a subject that is an object", said("sub", json!({"$ne": null}))),
        ("no subject", said("sub", json!(""))),
        ("a subject with a line break", said("sub", json!("a\nb"))),
        ("roles that are one text", said("roles", json!("admin"))),
        ("an end that is a text", said("exp", json!("9999999999"))),
        ("an end that is a fraction", said("exp", json!(9e9))),
        ("claims that are a list", said("claims", json!(["a"]))),
        ("other words in its middle", format!("{}.{tampered}.{}", parts[0], parts[2])),
        ("a dot at its end", format!("{good}.")),
        ("dots at its end", format!("{good}...")),
        ("padding", format!("{good}==")),
        ("a part less", parts[..2].join(".")),
        ("nothing", "..".to_owned()),
        ("too long", format!("{}.{}.{}", parts[0], "A".repeat(TOKEN_BYTES_MAX), parts[2])),
    ];
    for (what, attack) in &attacks {
        let (status, _, answer) = client.bearing(attack, &[]).await;
        assert_eq!((status, answer["error"]["code"].as_str()), (401, Some("UNAUTHORIZED")), "{what}: {answer}");
        let told = answer["error"]["message"].as_str().unwrap();
        assert_eq!(told.contains("expired"), *what == "expired", "{what}: {told}");
        assert!(!answer.to_string().contains(parts[1]), "{what}: it is not repeated");
    }
    assert_eq!(client.bearing(&good, &[]).await.0, KNOWN, "the good one is good still");

    // In the place of a key it is none, and a key is not mended by it.
    for headers in [[("x-santokit-api-key", good.as_str())], [("x-santokit-api-key", "stk_abc.secret")]] {
        assert_eq!(client.bearing(&good, &headers).await.0, 401);
    }
    // A hint that differs.
    for hint in [("x-santokit-env", "prod"), ("x-santokit-project", "other")] {
        let (status, _, answer) = client.bearing(&good, &[hint]).await;
        assert_eq!((status, answer["error"]["code"].as_str()), (403, Some("FORBIDDEN")), "{answer}");
    }
    assert_eq!(client.bearing(&good, &[("x-santokit-env", "dev"), ("x-santokit-project", "shop")]).await.0, KNOWN);
    bridge.shutdown().await;
    std::fs::remove_dir_all(dir).ok();
}

#[tokio::test]
async fn an_exchange_of_keys_under_load_logs_nobody_out() {
    let (hub, dir) = (Hub::start(), scratch());
    let (old, new) = (SigningKey::generate().unwrap(), SigningKey::generate().unwrap());
    let (bridge, client) = serving(&hub, &[&old], &dir).await;
    let (before, after) = (token(&claims("anna"), &old), token(&claims("anna"), &new));
    assert_eq!(client.bearing(&after, &[]).await.0, 401);

    let (stop, stopped) = tokio::sync::watch::channel(false);
    let (held, other) = (before.clone(), Client::of(&bridge));
    let calling = tokio::spawn(async move {
        let mut answers = BTreeMap::<u16, u32>::new();
        while !*stopped.borrow() {
            *answers.entry(other.bearing(&held, &[]).await.0).or_default() += 1;
        }
        answers
    });
    hub.script.lock().unwrap().user_keys = vec![jwk(&new), jwk(&old)];
    client.until_bearing(&after, KNOWN).await;
    stop.send_replace(true);
    let answers = calling.await.unwrap();
    assert!(answers.len() == 1 && answers[&KNOWN] > 10, "{answers:?}");
    let (_, _, published) = client.get("/p/shop/dev/.well-known/jwks.json").await;
    assert_eq!(published["keys"][0]["kid"], json!(new.verifying_key().id()), "{published}");

    // Taken back, the key before ends with the next poll; a stranger's kind of key spoils nothing.
    let strange = Jwk { kty: "RSA".into(), kid: old.verifying_key().id(), ..Jwk::default() };
    hub.script.lock().unwrap().user_keys = vec![strange, jwk(&new)];
    client.until_bearing(&before, 401).await;
    assert_eq!(client.bearing(&after, &[]).await.0, KNOWN);
    // A Hub of before says none.
    hub.script.lock().unwrap().user_keys.clear();
    client.until_bearing(&after, 401).await;
    bridge.shutdown().await;
    std::fs::remove_dir_all(dir).ok();
}

#[tokio::test]
async fn keys_are_published_and_kept_with_the_release() {
    let (hub, dir, key) = (Hub::start(), scratch(), SigningKey::generate().unwrap());
    let place = "/p/shop/dev/.well-known/jwks.json";
    let bridge = serve(hub.config(&dir, true)).await.unwrap();
    let client = Client::of(&bridge);
    assert_eq!(client.get(place).await.0, 503, "nothing is loaded");
    let held = token(&claims("anna"), &key);
    assert_eq!(client.bearing(&held, &[]).await.0, 503, "its key may be on its way");
    bridge.shutdown().await;

    hub.script.lock().unwrap().user_keys = vec![jwk(&key)];
    hub.point(hub.release("one", &hub.key), 1);
    let bridge = serve(hub.config(&dir, true)).await.unwrap();
    let client = Client::of(&bridge);
    client.until(|status, _| status == 200).await;
    let (status, headers, body) = client.get(place).await;
    assert_eq!((status, &headers["content-type"]), (200, &"application/jwk-set+json".parse().unwrap()));
    assert_eq!(headers["cache-control"], "public, max-age=60");
    let set: JwkSet = serde_json::from_value(body).unwrap();
    assert_eq!(set.keys[0].verifying_key(), Some(key.verifying_key()));
    for nowhere in [
        "/p/shop/prod/.well-known/jwks.json",
        "/p/other/dev/.well-known/jwks.json",
        "/p/shop/%ff/.well-known/jwks.json",
    ] {
        assert_eq!(client.get(nowhere).await.0, 404, "{nowhere}");
    }
    bridge.shutdown().await;

    // A restart without the Hub: the keys are in the sealed cache.
    hub.task.abort();
    let bridge = serve(hub.config(&dir, true)).await.unwrap();
    let client = Client::of(&bridge);
    client.until(|status, _| status == 200).await;
    assert_eq!(client.bearing(&held, &[]).await.0, KNOWN);
    bridge.shutdown().await;
    std::fs::remove_dir_all(dir).ok();
}

#[tokio::test]
async fn a_cookie_counts_where_its_page_may_act() {
    const PAGE: &str = "https://shop.example";
    let (hub, dir, key) = (Hub::start(), scratch(), SigningKey::generate().unwrap());
    let set = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    let cors = Cors {
        origins: set(&[PAGE]),
        methods: set(&["POST"]),
        headers: set(&["content-type"]),
        exposed_headers: set(&[]),
        credentials: true,
        max_age: Millis(0),
    };
    hub.point(hub.release_with("one", &hub.key, |manifest| manifest.cors = Some(cors)), 1);
    let (bridge, client) = serving(&hub, &[&key], &dir).await;
    let good = token(&claims("anna"), &key);
    let named = |name: &str, token: &str| format!("other=1; {name}={token}");
    let own = format!("http://{}", bridge.addr);
    let cookie = named("stk_access_shop_dev", &good);
    let expired = token(&Claims { exp: Utc::now().timestamp() - 60, ..claims("anna") }, &key);
    let cases: [Case<'_>; 14] = [
        ("of this origin", &cookie, &[("sec-fetch-site", "same-origin")], KNOWN),
        ("of this origin, in an old browser", &cookie, &[("origin", &own)], KNOWN),
        ("of an origin that is let", &cookie, &[("sec-fetch-site", "cross-site"), ("origin", PAGE)], KNOWN),
        ("of another", &cookie, &[("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")], 403),
        ("of a sibling", &cookie, &[("sec-fetch-site", "same-site"), ("origin", "https://x.shop.example")], 403),
        ("of nobody knows whom", &cookie, &[], 403),
        ("of a frame without an origin", &cookie, &[("origin", "null")], 403),
        ("says it is of this origin, and is not", &cookie, &[("sec-fetch-site", "cross-site"), ("origin", &own)], 403),
        ("of another env", &named("stk_access_shop_prod", &good), &[], 401),
        ("an expired one", &named("stk_access_shop_dev", &expired), &[("origin", &own)], 401),
        ("an empty one", &named("stk_access_shop_dev", ""), &[("origin", &own)], 401),
        ("two of one name", &format!("{cookie}; stk_access_shop_dev=x"), &[("origin", &own)], 401),
        ("with a hint of another env", &cookie, &[("origin", &own), ("x-santokit-env", "prod")], 403),
        ("behind a bad bearer token", &cookie, &[("origin", &own), ("authorization", "Bearer a.b.c")], 401),
    ];
    for (what, cookie, headers, expected) in cases {
        let (status, _, body) = client.post("/logics/a", &[&[("cookie", cookie)], headers].concat(), "").await;
        assert_eq!(status, expected, "{what}: {body}");
    }
    // A bearer token is shown by who knows it: no page has it from the browser.
    assert_eq!(client.bearing(&good, &[("origin", "https://evil.example")]).await.0, KNOWN);
    bridge.shutdown().await;
    std::fs::remove_dir_all(dir).ok();
}

/// Over HTTP/2 no `Host` says what the browser calls this Bridge, but `:authority`.
#[tokio::test]
async fn a_cookie_counts_over_http2_too_where_its_page_may_act() {
    let (hub, dir, key) = (Hub::start(), scratch(), SigningKey::generate().unwrap());
    let (bridge, _) = serving(&hub, &[&key], &dir).await;
    let cookie = format!("stk_access_shop_dev={}", token(&claims("anna"), &key));
    let stream = tokio::net::TcpStream::connect(bridge.addr).await.unwrap();
    let (client, connection) = h2::client::handshake(stream).await.unwrap();
    let connection = tokio::spawn(connection);
    for (authority, headers, expected) in [
        ("api.example", &[("origin", "https://api.example")][..], KNOWN),
        ("api.example", &[("sec-fetch-site", "same-origin")], KNOWN),
        ("api.example", &[("origin", "https://evil.example")], 403),
        ("api.example", &[], 403),
        // What is said of itself in a header is not what was called.
        ("api.example", &[("host", "evil.example"), ("origin", "https://evil.example")], 403),
        ("user@evil.example", &[("origin", "https://api.example")], 403),
    ] {
        let uri = format!("http://{authority}/logics/a");
        let mut request = http::Request::post(&uri).header("cookie", &cookie);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (answer, mut body) =
            client.clone().ready().await.unwrap().send_request(request.body(()).unwrap(), false).unwrap();
        body.send_data("{}".into(), true).unwrap();
        assert_eq!(answer.await.unwrap().status(), expected, "{uri} {headers:?}");
    }
    connection.abort();
    bridge.shutdown().await;
    std::fs::remove_dir_all(dir).ok();
}

#[tokio::test]
async fn an_end_user_has_a_budget_of_its_own() {
    let (hub, dir, key) = (Hub::start(), scratch(), SigningKey::generate().unwrap());
    hub.script.lock().unwrap().user_keys = vec![jwk(&key)];
    hub.point(hub.release("one", &hub.key), 1);
    let mut config = hub.config(&dir, false);
    config.edge.rates.user = crate::config::Rate::parse("3/1h").unwrap();
    let bridge = serve(config).await.unwrap();
    let client = Client::of(&bridge);
    client.until(|status, _| status == 200).await;
    // However many tokens it has.
    for (number, expected) in [(0, KNOWN), (1, KNOWN), (2, KNOWN), (3, 429)] {
        let another = token(&Claims { jti: format!("n{number}"), ..claims("anna") }, &key);
        let (status, _, body) = client.bearing(&another, &[]).await;
        assert_eq!(status, expected, "{body}");
        assert!(status != 429 || body["error"]["details"]["limit"] == "userRate", "{body}");
    }
    assert_eq!(client.bearing(&token(&claims("bob"), &key), &[]).await.0, KNOWN);
    assert_eq!(client.post("/logics/a", &[], "").await.0, 401, "who shows nothing is counted apart");
    bridge.shutdown().await;
    std::fs::remove_dir_all(dir).ok();
}
