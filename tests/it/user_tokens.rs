//! Tokens of end users from the Hub to the Bridge: keys that are exchanged on either store by a clock that is set, and over processes
//! with a Bridge that serves meanwhile.

use chrono::TimeDelta;
use reqwest::Method;
use santokit_core::{
    release::VerifyingKey,
    user_token::{Claims, TokenError, Unverified},
    wire::{Jwk, JwkSet},
};
use serde_json::{Value as Json, json};

use crate::{
    lab,
    operators::{FIRST, Lab, text},
};

const ENV: &str = "/v1/projects/shop/envs/dev";

impl Lab {
    async fn issue(&self, by: &str, body: Json) -> Json {
        self.ok(Some(by), "POST", &format!("{ENV}/usertokens"), body).await
    }

    /// What Bridges of the env verify with.
    async fn jwks(&self, fleet: &str) -> Vec<VerifyingKey> {
        let set = self.ok(Some(fleet), "GET", "/internal/keys/shop/dev", Json::Null).await;
        let bundle = self.ok(Some(fleet), "GET", "/internal/runtime/shop/dev", Json::Null).await;
        assert_eq!(bundle["userKeys"], set["keys"], "they are told the same twice");
        let set: JwkSet = serde_json::from_value(set).unwrap();
        set.keys.iter().map(|jwk| jwk.verifying_key().unwrap()).collect()
    }

    /// As a Bridge would, at the Hub's time.
    async fn verified(&self, fleet: &str, token: &str) -> Result<Claims, TokenError> {
        let (keys, token) = (self.jwks(fleet).await, Unverified::read(token)?);
        let key = keys.iter().find(|key| key.id() == token.kid()).ok_or(TokenError::Key)?;
        token.verify(key, ("shop", "dev"), self.now())
    }

    async fn exchange(&self, body: Json) -> Json {
        self.ok(Some(FIRST), "POST", &format!("{ENV}/userkeys"), body).await
    }

    /// With an env and a token of its Bridges.
    async fn furnished(&self) -> String {
        self.ok(Some(FIRST), "POST", "/v1/projects", json!({"name": "shop"})).await;
        for env in ["dev", "prod"] {
            self.ok(Some(FIRST), "POST", "/v1/projects/shop/envs", json!({"name": env})).await;
        }
        let fleet = json!({"name": "fleet", "envs": ["shop/dev"]});
        text(&self.ok(Some(FIRST), "POST", "/v1/service-tokens", fleet).await, "/token")
    }
}

fn states(keys: &Json) -> Vec<(&str, bool)> {
    let keys = keys["keys"].as_array().unwrap();
    keys.iter().map(|key| (key["state"].as_str().unwrap(), key["signs"].as_bool().unwrap())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exchange_logs_nobody_out_and_the_next_one_waits_for_it() {
    for lab in Lab::both().await {
        let fleet = lab.furnished().await;
        let (anna, quarter) = (json!({"sub": "anna"}), TimeDelta::minutes(15));
        let first = text(&lab.issue(FIRST, anna.clone()).await, "/token");
        assert_eq!(
            lab.verified(&fleet, &first).await.unwrap().sub,
            "anna",
            "the first key signs from its first moment"
        );

        let keys = lab.exchange(json!({})).await;
        assert_eq!(states(&keys), [("current", false), ("previous", true)], "{keys}");
        assert_eq!(lab.jwks(&fleet).await.len(), 2);
        // Until every Bridge can have the new key, the one before signs.
        let meanwhile = lab.issue(FIRST, anna.clone()).await;
        assert_eq!(meanwhile["keyId"], keys["keys"][1]["id"]);
        lab.later(TimeDelta::minutes(2));
        let then = lab.issue(FIRST, anna.clone()).await;
        assert_eq!(then["keyId"], keys["keys"][0]["id"]);
        for token in [&first, &text(&meanwhile, "/token"), &text(&then, "/token")] {
            lab.verified(&fleet, token).await.unwrap();
        }
        let waits = lab.no(FIRST, "POST", &format!("{ENV}/userkeys"), json!({}), 409).await;
        assert_eq!(waits.body["error"]["details"]["endsAt"], keys["keys"][1]["endsAt"], "{waits:?}");
        // As long as the last token of the key before is good, its key is there.
        for _ in 0..3 {
            lab.later(quarter);
            lab.verified(&fleet, &text(&meanwhile, "/token")).await.unwrap();
            lab.no(FIRST, "POST", &format!("{ENV}/userkeys"), json!({}), 409).await;
        }
        lab.later(quarter + TimeDelta::seconds(31));
        assert_eq!(lab.jwks(&fleet).await.len(), 1, "it ends by itself");
        assert_eq!(lab.verified(&fleet, &text(&meanwhile, "/token")).await, Err(TokenError::Key));
        assert_eq!(states(&lab.exchange(json!({})).await), [("current", false), ("previous", true)]);

        // What an operator ends, ends at once.
        lab.later(TimeDelta::minutes(3));
        let (before, now) = (lab.jwks(&fleet).await, text(&lab.issue(FIRST, anna.clone()).await, "/token"));
        lab.no(FIRST, "DELETE", &format!("{ENV}/userkeys/{}", before[0].id()), Json::Null, 409).await;
        lab.ok(Some(FIRST), "DELETE", &format!("{ENV}/userkeys/{}", before[1].id()), Json::Null).await;
        lab.no(FIRST, "DELETE", &format!("{ENV}/userkeys/{}", before[1].id()), Json::Null, 404).await;
        lab.verified(&fleet, &now).await.unwrap();
        lab.exchange(json!({})).await;
        let forced = lab.exchange(json!({"force": true})).await;
        assert_eq!(states(&forced).len(), 2, "{forced}");
        assert_eq!(lab.verified(&fleet, &now).await, Err(TokenError::Key), "of the key before the one before");
        let revoked = lab.exchange(json!({"revokePrevious": true})).await;
        assert_eq!(states(&revoked), [("current", true)]);
        assert_eq!(lab.verified(&fleet, &text(&then, "/token")).await, Err(TokenError::Key));
        let anew = text(&lab.issue(FIRST, anna).await, "/token");
        lab.verified(&fleet, &anew).await.unwrap();
        for (action, count) in [("userkey.rotate", 5), ("userkey.end", 1), ("usertoken.issue", 5)] {
            assert_eq!(lab.audited(action).await.len(), count, "{action}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_says_what_was_asked_for_and_the_log_says_no_token() {
    for lab in Lab::both().await {
        let fleet = lab.furnished().await;
        let asked = json!({
            "sub": "anna@example.com", "roles": ["customer"], "claims": {"tenant": "acme", "plan": {"seats": 3}}, "expiresIn": "5m",
        });
        let made = lab.issue(FIRST, asked.clone()).await;
        let said = lab.verified(&fleet, &text(&made, "/token")).await.unwrap();
        assert_eq!(
            (json!(said.roles), Json::Object(said.claims.clone())),
            (asked["roles"].clone(), asked["claims"].clone())
        );
        assert_eq!((said.exp - said.iat, said.jti.as_str()), (300, made["id"].as_str().unwrap()));
        assert_eq!(made["cookie"], "stk_access_shop_dev");
        let audited = lab.audited("usertoken.issue").await;
        let detail = &audited[0]["detail"];
        assert_eq!((&detail["id"], &detail["sub"]), (&made["id"], &json!("anna@example.com")), "{detail}");
        assert_eq!((&detail["roles"], &detail["claims"]), (&json!(["customer"]), &json!(["tenant", "plan"])));
        let text_of_log = json!(audited).to_string();
        assert!(!text_of_log.contains("eyJ") && !text_of_log.contains("acme"), "{text_of_log}");

        for wrong in [
            json!({}),
            json!({"sub": ""}),
            json!({"sub": "a", "roles": ["authenticated"]}),
            json!({"sub": "a", "roles": ["a b"]}),
            json!({"sub": "a", "claims": {"roles": ["admin"]}}),
            json!({"sub": "a", "claims": {"big": "x".repeat(3_000)}}),
            json!({"sub": "a", "expiresIn": "2h"}),
            json!({"sub": "a", "expiresIn": "0s"}),
            json!({"sub": "a", "expiresIn": "soon"}),
            json!({"sub": "a", "role": "admin"}),
            json!({"sub": "s".repeat(255), "roles": (0..50).map(|n| format!("{}{n}", "r".repeat(60))).collect::<Vec<_>>()}),
        ] {
            lab.no(FIRST, "POST", &format!("{ENV}/usertokens"), wrong, 400).await;
        }

        // A token of CI for this env makes some, one for another or for less makes none.
        let session = lab.session("ada@example.com").await;
        for (level, env, status) in [("admin", "dev", 201), ("admin", "prod", 403), ("deploy", "dev", 403)] {
            let body = json!({"name": "backend", "level": level, "envs": [format!("shop/{env}")]});
            let ci = text(&lab.ok(Some(&session), "POST", "/v1/tokens", body).await, "/token");
            lab.no(&ci, "POST", &format!("{ENV}/usertokens"), json!({"sub": "anna"}), status).await;
            let keys = lab.ask(Some(&ci), "GET", &format!("{ENV}/userkeys"), Json::Null).await;
            assert_eq!(keys.status, if env == "dev" { 200 } else { 403 }, "{keys:?}");
            assert!(!keys.body.to_string().contains("rivate"), "{keys:?}");
        }
        // Nor does a Bridge make any, nor see the keys of an env that is not its own.
        lab.no(&fleet, "POST", &format!("{ENV}/usertokens"), json!({"sub": "anna"}), 401).await;
        lab.no(&fleet, "GET", "/internal/keys/shop/prod", Json::Null, 403).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bridge_follows_the_keys_and_goes_on_without_the_hub() {
    let mut lab = lab::Lab::start("users").await;
    let bridge = lab.bridge("cache", &[("STK_BRIDGE_USER_RATE", "off")]).await;
    lab.apply().await;
    let issue = async |lab: &lab::Lab| -> String {
        let made = lab.done(&["auth", "issue-token", "--sub", "anna", "--role", "app", "--ttl", "10m"], "").await;
        made["token"].as_str().unwrap().to_owned()
    };
    let status = async |token: &str| bridge.client.with_bearer(token).logic("guarded", json!({})).await.unwrap().status;
    let published = format!("{}/p/users/prod/.well-known/jwks.json", bridge.client.url());
    let until = async |wanted: &dyn Fn(&[String]) -> bool| {
        for _ in 0..400 {
            let set: JwkSet = reqwest::get(&published).await.unwrap().json().await.unwrap();
            let ids: Vec<String> = set.keys.iter().map(|jwk: &Jwk| jwk.kid.clone()).collect();
            if wanted(&ids) {
                return ids;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        panic!("the keys do not come");
    };
    let first = issue(&lab).await;
    assert_eq!(status(&first).await, 200);
    let verify = ["auth", "verify-token", first.as_str(), "--jwks", published.as_str()];
    let said = lab.done(&verify, "").await;
    assert_eq!((&said["sub"], &said["roles"]), (&json!("anna"), &json!(["app"])), "{said}");

    lab.done(&["keys", "rotate", "--users", "--yes"], "").await;
    let keys = until(&|ids| ids.len() == 2).await;
    assert_eq!((status(&first).await, status(&issue(&lab).await).await), (200, 200), "nobody is logged out");
    lab.done(&["keys", "rotate", "--users", "--revoke-previous", "--yes"], "").await;
    let anew = issue(&lab).await;
    let left = until(&|ids| ids.len() == 1 && !keys.contains(&ids[0])).await;
    assert_eq!((status(&first).await, status(&anew).await), (401, 200));
    let refused = lab.stk(&["auth", "verify-token", &first], "").await;
    assert!(refused.code == 1 && refused.stdout.contains("none of the env's"), "{refused:?}");

    lab.kill_hub().await;
    assert_eq!(status(&anew).await, 200, "without the Hub");
    lab.revive_hub().await;
    let shown = lab.done(&["keys", "status", "--users"], "").await;
    assert_eq!(shown["keys"][0]["id"], json!(left[0]), "the Hub has its keys after a restart");
    let path = "/v1/projects/users/envs/prod/usertokens";
    let made = lab.hub().operate(Method::POST, path, &json!({"sub": "bob", "roles": ["app"]})).await.unwrap();
    assert_eq!((status(made["token"].as_str().unwrap()).await, &made["keyId"]), (200, &json!(left[0])));
}
