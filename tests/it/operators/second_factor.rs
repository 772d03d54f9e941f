//! The second factor: its codes once each, what stands in for it, and what a protected env wants of who deploys.

use super::{FIRST, Lab, PASSWORD, text};
use chrono::TimeDelta;
use santokit_core::release::Manifest;
use serde_json::{Value as Json, json};

const ADA: &str = "ada@example.com";

#[tokio::test(flavor = "multi_thread")]
async fn a_code_is_asked_for_and_taken_once() {
    for lab in Lab::both().await {
        let session = lab.session(ADA).await;
        let other = lab.session(ADA).await;
        for (path, body) in [
            ("enrol", json!({"password": "not the password of ada"})),
            ("disable", json!({"password": "no", "code": "1"})),
        ] {
            lab.no(&session, "POST", &format!("/v1/auth/mfa/{path}"), body, 403).await;
        }
        lab.no(&session, "POST", "/v1/auth/mfa/confirm", json!({"code": "000000"}), 409).await;
        let enrolled = lab.ok(Some(&session), "POST", "/v1/auth/mfa/enrol", json!({"password": PASSWORD})).await;
        assert!(text(&enrolled, "/uri").starts_with("otpauth://totp/Santokit:ada@example.com?secret="));
        lab.no(&session, "POST", "/v1/auth/mfa/confirm", json!({"code": "abcdef"}), 400).await;
        // Not confirmed: nothing is asked for yet, and it can begin anew.
        assert_eq!(lab.log_in(ADA, PASSWORD, None).await.status, 200);
        let (secret, recovery) = lab.enrolled(&session).await;
        lab.no(&session, "POST", "/v1/auth/mfa/enrol", json!({"password": PASSWORD}), 409).await;
        lab.no(&other, "GET", "/v1/projects", Json::Null, 401).await;

        let without = lab.log_in(ADA, PASSWORD, None).await;
        assert_eq!((without.status, &without.body["error"]["details"]["needs"]), (401, &json!("code")));
        // The code that confirmed it is used up.
        let code = lab.code(&secret);
        assert_eq!(lab.log_in(ADA, PASSWORD, Some(&code)).await.status, 401);
        lab.later(TimeDelta::seconds(30));
        let code = lab.code(&secret);
        assert_eq!(lab.log_in(ADA, "not the password of ada", Some(&code)).await.status, 401);
        let opened = lab.log_in(ADA, PASSWORD, Some(&code)).await;
        assert_eq!((opened.status, &opened.body["secondFactor"]), (200, &json!(true)));
        assert_eq!(lab.log_in(ADA, PASSWORD, Some(&code)).await.status, 401, "a code is taken once");
        lab.later(TimeDelta::seconds(60));
        // Of many at once one is let in.
        let code = lab.code(&secret);
        let at_once = [(); 4].map(|()| lab.log_in(ADA, PASSWORD, Some(&code)));
        let answered = futures_util::future::join_all(at_once).await;
        assert_eq!(answered.iter().filter(|got| got.status == 200).count(), 1, "{answered:?}");

        lab.later(TimeDelta::hours(2));
        let typed = recovery[3].to_uppercase();
        assert_eq!(lab.log_in(ADA, PASSWORD, Some(&typed)).await.status, 200);
        assert_eq!(lab.log_in(ADA, PASSWORD, Some(&typed)).await.status, 401, "a recovery code is taken once");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn codes_are_not_guessed_and_no_answer_and_no_entry_shows_one() {
    let [lab, _] = Lab::both().await;
    let session = lab.session(ADA).await;
    let (secret, recovery) = lab.enrolled(&session).await;
    lab.later(TimeDelta::minutes(5));
    let mut refused = 0;
    for n in 0..12 {
        let got = lab.log_in(ADA, PASSWORD, Some(&format!("{n:06}"))).await;
        refused += u32::from(got.status == 429);
        assert!(got.status != 200, "{got:?}");
    }
    assert!(refused >= 6, "{refused}");
    lab.later(TimeDelta::hours(2));
    let code = lab.code(&secret);
    let session = text(&lab.log_in(ADA, PASSWORD, Some(&code)).await.body, "/accessToken");
    let log = lab.ok(Some(FIRST), "GET", "/v1/audit?limit=1000", Json::Null).await.to_string();
    let who = lab.ok(Some(&session), "GET", "/v1/auth/whoami", Json::Null).await.to_string();
    for hidden in [secret.text().expose(), &recovery[0], PASSWORD, &session, "stk_rt_"] {
        assert!(!log.contains(hidden) && !who.contains(hidden));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_ended_with_a_code_and_then_nothing_counts_as_proven() {
    for lab in Lab::both().await {
        let session = lab.session(ADA).await;
        let (secret, _) = lab.enrolled(&session).await;
        lab.ok(Some(&session), "POST", "/v1/projects", json!({"name": "shop"})).await;
        lab.ok(Some(&session), "POST", "/v1/projects/shop/envs", json!({"name": "prod"})).await;
        let token = lab.ok(Some(&session), "POST", "/v1/tokens", json!({"name": "ci", "level": "admin"})).await;
        let token = text(&token, "/token");
        let protect = "/v1/projects/shop/envs/prod/protection";
        lab.ok(Some(&token), "PUT", protect, json!({"protected": true})).await;
        lab.no(&session, "POST", "/v1/auth/mfa/disable", json!({"password": PASSWORD, "code": lab.code(&secret)}), 403)
            .await;
        lab.later(TimeDelta::seconds(31));
        lab.ok(
            Some(&session),
            "POST",
            "/v1/auth/mfa/disable",
            json!({"password": PASSWORD, "code": lab.code(&secret)}),
        )
        .await;
        for credential in [&session, &token] {
            let got = lab.no(credential, "PUT", protect, json!({"protected": false}), 403).await;
            assert_eq!(got.body["error"]["details"]["needs"], "secondFactor");
        }
        assert_eq!(lab.log_in(ADA, PASSWORD, None).await.status, 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_protected_env_wants_it_of_who_deploys() {
    for lab in Lab::both().await {
        let session = lab.session(ADA).await;
        lab.ok(Some(FIRST), "POST", "/v1/projects", json!({"name": "shop"})).await;
        for env in ["dev", "prod"] {
            lab.ok(Some(FIRST), "POST", "/v1/projects/shop/envs", json!({"name": env})).await;
            let url = format!("sqlite:{}", lab.file(&format!("{env}.db")));
            let path = format!("/v1/projects/shop/envs/{env}/connections/main");
            lab.ok(Some(FIRST), "PUT", &path, json!({"engine": "sqlite", "url": url})).await;
        }
        let before = lab.ok(Some(&session), "POST", "/v1/tokens", json!({"name": "before", "level": "deploy"})).await;
        let protect = "/v1/projects/shop/envs/prod/protection";
        // Nobody protects an env that they then could not deploy to, nor takes that away without it.
        for token in [FIRST, &session] {
            lab.no(token, "PUT", protect, json!({"protected": true}), 403).await;
        }
        lab.enrolled(&session).await;
        lab.no(&session, "PUT", "/v1/projects/shop/envs/nowhere/protection", json!({"protected": true}), 404).await;
        lab.ok(Some(&session), "PUT", protect, json!({"protected": true})).await;
        let after = lab.ok(Some(&session), "POST", "/v1/tokens", json!({"name": "after", "level": "deploy"})).await;
        let (before, after) = (text(&before, "/token"), text(&after, "/token"));

        let apply = |env: &str| format!("/v1/projects/shop/envs/{env}/apply");
        for (token, needs) in [(FIRST, true), (&before, true), (&session, false), (&after, false)] {
            assert_eq!(lab.ask(Some(token), "POST", &apply("dev"), manifest()).await.status, 200);
            let got = lab.ask(Some(token), "POST", &apply("prod"), manifest()).await;
            if needs {
                assert_eq!(
                    (got.status, &got.body["error"]["details"]["needs"]),
                    (403, &json!("secondFactor")),
                    "{got:?}"
                );
                assert!(
                    text(&got.body, "/error/hint").contains("log in")
                        || text(&got.body, "/error/hint").contains("token")
                );
            } else {
                assert_eq!(got.status, 200, "{got:?}");
            }
            for verb in ["promote", "rollback"] {
                let path = format!("/v1/projects/shop/envs/prod/{verb}");
                let got = lab.ask(Some(token), "POST", &path, json!({"releaseId": "rel_none"})).await;
                assert_eq!(got.status == 403, needs, "{verb}: {got:?}");
            }
        }
        assert_eq!(lab.audited("env.protect").await[0]["detail"]["protected"], true);
    }
}

/// A release with nothing in it.
fn manifest() -> Json {
    let manifest: Manifest = serde_json::from_value(json!({
        "format": 1, "project": "shop", "minimumBridge": "0.1.0", "defaultConnection": "main",
        "connections": {"main": {"tables": {}}},
    }))
    .unwrap();
    json!({"manifest": String::from_utf8(manifest.canonical().unwrap()).unwrap()})
}
