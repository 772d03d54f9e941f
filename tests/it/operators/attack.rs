//! Every route of operators, asked with what is no credential of it: none, a wrong one, one that is over, one of another kind; and
//! with more than fits.

use super::{FIRST, Lab, text};
use chrono::TimeDelta;
use santokit_hub::api::{self, Access};
use serde_json::{Value as Json, json};

#[tokio::test(flavor = "multi_thread")]
async fn no_route_is_reached_without_a_credential_that_holds() {
    for lab in Lab::both().await {
        let ada = "ada@example.com";
        lab.ok(Some(FIRST), "POST", "/v1/projects", json!({"name": "shop"})).await;
        lab.ok(Some(FIRST), "POST", "/v1/projects/shop/envs", json!({"name": "dev"})).await;
        let fleet = json!({"name": "fleet", "envs": ["shop/dev"]});
        let fleet = text(&lab.ok(Some(FIRST), "POST", "/v1/service-tokens", fleet).await, "/token");
        let key = json!({"name": "app", "roles": ["app"]});
        let key = text(&lab.ok(Some(FIRST), "POST", "/v1/projects/shop/envs/dev/apikeys", key).await, "/key");
        let expired = lab.session(ada).await;
        let week = json!({"name": "w", "level": "admin", "expiresIn": "1h"});
        let expired_token = text(&lab.ok(Some(&expired), "POST", "/v1/tokens", week).await, "/token");
        lab.later(TimeDelta::hours(1));
        let ended = lab.session(ada).await;
        let token = lab.ok(Some(&ended), "POST", "/v1/tokens", json!({"name": "r", "level": "admin"})).await;
        lab.ok(Some(&ended), "DELETE", &format!("/v1/tokens/{}", text(&token, "/id")), Json::Null).await;
        lab.ok(Some(&ended), "POST", "/v1/auth/logout", json!({})).await;
        let opened = lab.log_in(ada, super::PASSWORD, None).await.body;
        let (access, refresh) = (text(&opened, "/accessToken"), text(&opened, "/refreshToken"));
        let invite = json!({"email": "x@example.com", "role": "member"});
        let invite = text(&lab.ok(Some(&access), "POST", "/v1/orgs/default/invites", invite).await, "/invite");
        let cut = &access[..access.len() - 1];
        let kinds = [
            ("wrong", "stk_at_nothing-that-was-ever-given"),
            ("wrong token", "stk_pat_nothing-that-was-ever-given"),
            ("an expired session", &expired),
            ("an expired token", &expired_token),
            ("an ended session", &ended),
            ("a revoked token", &text(&token, "/token")),
            ("a refresh token", &refresh),
            ("an invite", &invite),
            ("a service token", &fleet),
            ("an API key", &key),
            ("a part", cut),
            ("a hash", "sha256:2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"),
        ];
        let mut wrong = Vec::new();
        for (route, access) in api::access() {
            let Access::Operator(_) = access else { continue };
            let path = route.path.replace("{project}", "shop").replace("{env}", "dev").replace("{org}", "default");
            let path: Vec<&str> =
                path.split('/').map(|part| if part.starts_with('{') { "nothing" } else { part }).collect();
            let path = path.join("/");
            let mut answers = vec![("none", lab.ask(None, route.method.as_str(), &path, Json::Null).await)];
            for (kind, token) in kinds {
                answers.push((kind, lab.ask(Some(token), route.method.as_str(), &path, Json::Null).await));
            }
            for (kind, got) in answers {
                if got.status != 401 {
                    wrong.push(format!("{} {path} with {kind}: {got:?}", route.method));
                }
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        lab.ok(Some(&access), "GET", "/v1/projects", Json::Null).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_too_large_or_none_is_refused_before_anything_is_done() {
    let [lab, _] = Lab::both().await;
    let session = lab.session("ada@example.com").await;
    for path in ["/v1/auth/login", "/v1/auth/refresh", "/v1/auth/join"] {
        let before = lab.counted("stk_hub_password_checks_total").await;
        let large = json!({"email": "x".repeat(600_000), "password": "y"});
        let got = lab.ask(None, "POST", path, large).await;
        assert_eq!((got.status, &got.body["error"]["details"]["limit"]), (400, &json!("requestBody")), "{path}");
        for body in [json!([]), json!({}), json!({"email": 7, "password": {}}), json!("x"), Json::Null] {
            assert_eq!(lab.ask(None, "POST", path, body).await.status, 400, "{path}");
        }
        assert_eq!(lab.counted("stk_hub_password_checks_total").await, before, "{path}");
    }
    for (method, path) in [
        ("PUT", "/v1/auth/password"),
        ("POST", "/v1/auth/mfa/enrol"),
        ("POST", "/v1/auth/mfa/confirm"),
        ("POST", "/v1/auth/mfa/disable"),
        ("POST", "/v1/auth/accept"),
        ("POST", "/v1/tokens"),
        ("POST", "/v1/orgs"),
        ("POST", "/v1/orgs/default/invites"),
        ("POST", "/v1/orgs/default/teams"),
    ] {
        let got = lab.no(&session, method, path, json!({"name": "x".repeat(600_000)}), 400).await;
        assert_eq!(got.body["error"]["details"]["limit"], "requestBody", "{path}");
        lab.no(&session, method, path, json!({"unknown": true}), 400).await;
    }
    // Characters that are none of a name go nowhere.
    for name in ["../default", "a%00b", "' OR '1'='1", "ü", ""] {
        lab.no(&session, "POST", "/v1/orgs", json!({"name": name}), 400).await;
    }
    lab.no(&session, "GET", "/v1/orgs/a%00b/members", Json::Null, 404).await;
    lab.no(&session, "GET", "/v1/orgs/%ff/members", Json::Null, 400).await;
}
