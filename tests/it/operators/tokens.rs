//! Personal tokens: never more than their operator has, never for what they are not for, and over when they are over.

use super::{FIRST, Lab, text};
use chrono::TimeDelta;
use serde_json::{Value as Json, json};

const ADA: &str = "ada@example.com";

async fn make(lab: &Lab, by: &str, body: Json) -> String {
    text(&lab.ok(Some(by), "POST", "/v1/tokens", body).await, "/token")
}

/// `shop` with `dev` and `prod`, `lab` with `dev`.
async fn furnish(lab: &Lab) {
    for (project, envs) in [("shop", ["dev", "prod"].as_slice()), ("lab", &["dev"])] {
        lab.ok(Some(FIRST), "POST", "/v1/projects", json!({"name": project})).await;
        for env in envs {
            lab.ok(Some(FIRST), "POST", &format!("/v1/projects/{project}/envs"), json!({"name": env})).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_for_its_envs_and_for_so_much_alone() {
    for lab in Lab::both().await {
        furnish(&lab).await;
        let session = lab.session(ADA).await;
        let prod = make(&lab, &session, json!({"name": "ci", "level": "admin", "envs": ["shop/prod"]})).await;
        let whole = make(&lab, &session, json!({"name": "ci", "level": "admin", "envs": ["shop/*"]})).await;
        let deploy = make(&lab, &session, json!({"name": "ci", "level": "deploy"})).await;
        let read = make(&lab, &session, json!({"name": "ci", "level": "read"})).await;
        let secret = |env: &str| format!("/v1/projects/shop/envs/{env}/secrets/TOKEN");
        let value = || json!({"value": "x"});
        lab.ok(Some(&prod), "PUT", &secret("prod"), value()).await;
        lab.no(&prod, "PUT", &secret("dev"), value(), 403).await;
        lab.ok(Some(&whole), "PUT", &secret("dev"), value()).await;
        for token in [&deploy, &read] {
            lab.no(token, "PUT", &secret("dev"), value(), 403).await;
        }
        // What is the whole project's wants a token for the whole project; another project is unknown to both.
        lab.no(&prod, "POST", "/v1/projects/shop/envs", json!({"name": "new"}), 403).await;
        lab.ok(Some(&whole), "POST", "/v1/projects/shop/envs", json!({"name": "new"})).await;
        for token in [&prod, &whole] {
            lab.no(token, "GET", "/v1/projects/lab/envs", Json::Null, 404).await;
            for path in ["/v1/audit", "/v1/operators", "/v1/orgs/default/members"] {
                lab.no(token, "GET", path, Json::Null, 403).await;
            }
            let projects = lab.ok(Some(token), "GET", "/v1/projects", Json::Null).await;
            assert_eq!(projects["projects"].as_array().unwrap().len(), 1, "{projects}");
            assert_eq!(lab.ok(Some(token), "GET", "/v1/orgs", Json::Null).await, json!({"orgs": []}));
            assert_eq!(lab.ok(Some(token), "GET", "/v1/auth/whoami", Json::Null).await["orgs"], json!([]));
        }
        let envs = lab.ok(Some(&prod), "GET", "/v1/projects/shop/envs", Json::Null).await;
        assert_eq!(envs["envs"].as_array().unwrap().len(), 1, "{envs}");
        // The owner of the token runs the Hub; a token for less does not.
        for (token, status) in [(&deploy, 403), (&read, 403)] {
            lab.no(token, "GET", "/v1/audit", Json::Null, status).await;
            lab.no(token, "POST", "/v1/orgs", json!({"name": "acme"}), status).await;
            lab.no(token, "POST", "/v1/orgs/default/teams", json!({"name": "t"}), status).await;
            lab.no(token, "PUT", "/v1/projects/shop/ceilings", json!({}), status).await;
        }
        let service = json!({"name": "fleet", "envs": ["shop/prod"]});
        lab.no(&deploy, "POST", "/v1/service-tokens", service.clone(), 403).await;
        lab.no(&prod, "POST", "/v1/service-tokens", json!({"name": "fleet", "envs": ["shop/prod", "shop/dev"]}), 403)
            .await;
        lab.ok(Some(&prod), "POST", "/v1/service-tokens", service).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_never_has_more_than_its_operator() {
    for lab in Lab::both().await {
        furnish(&lab).await;
        let id = lab.invited(FIRST, "default", "member", "dan@example.com").await;
        let dan = lab.session("dan@example.com").await;
        // What one is not in is unknown, and a promise of more than one has is refused.
        let wanted = |level: &str| json!({"name": "ci", "level": level, "envs": ["shop/prod"]});
        lab.no(&dan, "POST", "/v1/tokens", wanted("read"), 404).await;
        let role = |role: &str| json!({"role": role});
        let member = format!("/v1/projects/shop/members/{id}");
        lab.ok(Some(FIRST), "PUT", &member, role("deployer")).await;
        lab.no(&dan, "POST", "/v1/tokens", wanted("admin"), 403).await;
        let deploy = make(&lab, &dan, wanted("deploy")).await;
        let open = make(&lab, &dan, json!({"name": "all", "level": "admin"})).await;
        let plan = ("POST", "/v1/projects/shop/envs/prod/schema/plan");
        for token in [&deploy, &open] {
            lab.no(token, plan.0, plan.1, json!({"connections": {"main": 1}}), 400).await;
            lab.no(token, "PUT", "/v1/projects/shop/envs/prod/secrets/TOKEN", json!({"value": "x"}), 403).await;
        }
        // Less is less at once, and nothing is nothing.
        lab.ok(Some(FIRST), "PUT", &member, role("viewer")).await;
        for token in [&deploy, &open] {
            lab.no(token, plan.0, plan.1, json!({}), 403).await;
            lab.ok(Some(token), "GET", "/v1/projects/shop/envs", Json::Null).await;
        }
        lab.ok(Some(FIRST), "DELETE", &format!("/v1/orgs/default/members/{id}"), Json::Null).await;
        for token in [&deploy, &open, &dan] {
            lab.no(token, "GET", "/v1/projects/shop/envs", Json::Null, 404).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_makes_no_other_and_changes_nothing_of_its_operator() {
    let [lab, _] = Lab::both().await;
    let session = lab.session(ADA).await;
    let token = make(&lab, &session, json!({"name": "ci", "level": "admin"})).await;
    for (method, path) in [
        ("POST", "/v1/tokens"),
        ("DELETE", "/v1/tokens/key_any"),
        ("PUT", "/v1/auth/password"),
        ("POST", "/v1/auth/mfa/enrol"),
        ("POST", "/v1/auth/mfa/confirm"),
        ("POST", "/v1/auth/mfa/disable"),
        ("POST", "/v1/auth/accept"),
    ] {
        let got = lab.no(&token, method, path, json!({}), 403).await;
        assert_eq!(got.body["error"]["details"]["needs"], "session", "{path}");
    }
    lab.no(&token, "POST", "/v1/auth/logout", json!({}), 400).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_over_when_it_expires_or_is_revoked_or_its_operator_is_disabled() {
    for lab in Lab::both().await {
        let session = lab.session(ADA).await;
        for (field, wrong) in [
            ("expiresIn", json!("367d")),
            ("expiresIn", json!("0s")),
            ("expiresIn", json!("soon")),
            ("level", json!("owner")),
            ("envs", json!(["shop"])),
            ("envs", json!(["/"])),
            ("name", json!("")),
        ] {
            let mut body = json!({"name": "ci", "level": "read"});
            body[field] = wrong;
            lab.no(&session, "POST", "/v1/tokens", body, 400).await;
        }
        let week = make(&lab, &session, json!({"name": "week", "level": "read", "expiresIn": "7d"})).await;
        let longer = make(&lab, &session, json!({"name": "longer", "level": "read"})).await;
        let list = lab.ok(Some(&session), "GET", "/v1/tokens", Json::Null).await;
        assert!(!list.to_string().contains(&week[10..]));
        assert_eq!((&list["tokens"][0]["name"], &list["tokens"][0]["lastUsedAt"]), (&json!("week"), &Json::Null));
        lab.ok(Some(&week), "GET", "/v1/projects", Json::Null).await;
        let list = lab.ok(Some(&session), "GET", "/v1/tokens", Json::Null).await;
        assert!(list["tokens"][0]["lastUsedAt"].is_string(), "{list}");
        let id = text(&list, "/tokens/1/id");
        // Of another operator it is none.
        lab.invited(&session, "default", "owner", "eve@example.com").await;
        let eve = lab.session("eve@example.com").await;
        lab.no(&eve, "DELETE", &format!("/v1/tokens/{id}"), Json::Null, 404).await;
        assert_eq!(lab.ok(Some(&eve), "GET", "/v1/tokens", Json::Null).await, json!({"tokens": []}));
        lab.later(TimeDelta::days(7));
        lab.no(&week, "GET", "/v1/projects", Json::Null, 401).await;
        lab.ok(Some(&longer), "GET", "/v1/projects", Json::Null).await;
        let session = lab.session(ADA).await;
        lab.ok(Some(&session), "DELETE", &format!("/v1/tokens/{id}"), Json::Null).await;
        lab.no(&longer, "GET", "/v1/projects", Json::Null, 401).await;
        lab.no(&session, "DELETE", &format!("/v1/tokens/{id}"), Json::Null, 404).await;

        let eve = lab.session("eve@example.com").await;
        let hers = make(&lab, &eve, json!({"name": "hers", "level": "admin"})).await;
        let who = lab.ok(Some(&eve), "GET", "/v1/auth/whoami", Json::Null).await;
        let path = format!("/v1/operators/{}", text(&who, "/operator/id"));
        lab.ok(Some(&session), "POST", &format!("{path}/disable"), json!({})).await;
        for credential in [&eve, &hers] {
            lab.no(credential, "GET", "/v1/projects", Json::Null, 401).await;
        }
        lab.ok(Some(&session), "POST", &format!("{path}/enable"), json!({})).await;
        for credential in [&eve, &hers] {
            lab.no(credential, "GET", "/v1/projects", Json::Null, 401).await;
        }
        let eve = lab.session("eve@example.com").await;
        assert_eq!(lab.ok(Some(&eve), "GET", "/v1/orgs", Json::Null).await["orgs"][0]["role"], "owner");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn there_is_an_end_to_tokens() {
    let [lab, _] = Lab::both().await;
    let session = lab.session(ADA).await;
    for _ in 0..100 {
        make(&lab, &session, json!({"name": "ci", "level": "read"})).await;
    }
    let got = lab.no(&session, "POST", "/v1/tokens", json!({"name": "ci", "level": "read"}), 409).await;
    assert_eq!(got.body["error"]["details"]["limit"], "tokens");
}
