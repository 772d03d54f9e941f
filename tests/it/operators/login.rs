//! Coming in and going out: the first owner, logins, refreshed tokens, passwords, and how long one waits after failures.

use super::{FIRST, Lab, PASSWORD, text};
use chrono::TimeDelta;
use santokit_hub::store::Engine;
use serde_json::{Value as Json, json};

const ADA: &str = "ada@example.com";

#[tokio::test(flavor = "multi_thread")]
async fn the_first_owner_is_made_once_and_by_the_first_token() {
    let lab = Lab::bare(Engine::Sqlite).await;
    let ada = json!({"email": ADA, "name": "Ada", "password": PASSWORD});
    for token in ["", "another-token-that-is-long-enough"] {
        lab.no(token, "POST", "/v1/auth/bootstrap", ada.clone(), 401).await;
    }
    for (wrong, field) in
        [("eleven char", "password"), ("no-at", "email"), ("a@b@c", "email"), ("", "name"), ("a\nb", "name")]
    {
        let mut body = ada.clone();
        body[field] = json!(wrong);
        lab.no(FIRST, "POST", "/v1/auth/bootstrap", body, 400).await;
    }
    lab.ok(Some(FIRST), "POST", "/v1/auth/bootstrap", ada.clone()).await;
    let other = json!({"email": "eve@example.com", "name": "Eve", "password": PASSWORD});
    assert_eq!(lab.no(FIRST, "POST", "/v1/auth/bootstrap", other.clone(), 409).await.body["error"]["code"], "CONFLICT");
    let session = lab.session(ADA).await;
    lab.no(&session, "POST", "/v1/auth/bootstrap", other, 409).await;
    let who = lab.ok(Some(&session), "GET", "/v1/auth/whoami", Json::Null).await;
    assert_eq!(who["operator"]["email"], ADA);
    assert_eq!(who["orgs"], json!([{"name": "default", "role": "owner"}]));
    assert_eq!(who["credential"], json!({"kind": "session", "secondFactor": false}));
    // What was there before goes on.
    lab.ok(Some(FIRST), "POST", "/v1/projects", json!({"name": "shop"})).await;
    let first = lab.ok(Some(FIRST), "GET", "/v1/auth/whoami", Json::Null).await;
    assert_eq!((&first["operator"]["email"], &first["credential"]["kind"]), (&Json::Null, &json!("first token")));
    let entry = &lab.audited("operator.bootstrap").await[0];
    assert_eq!((&entry["detail"]["email"], &entry["actorId"]), (&json!(ADA), &first["operator"]["id"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_wrong_is_one_answer_after_the_same_work() {
    for lab in Lab::both().await {
        let session = lab.session(ADA).await;
        lab.invited(&session, "default", "member", "gone@example.com").await;
        let gone = lab.ok(Some(&session), "GET", "/v1/operators", Json::Null).await;
        let gone = gone["operators"].as_array().unwrap().iter().find(|row| row["email"] == "gone@example.com").unwrap();
        let path = format!("/v1/operators/{}/disable", text(gone, "/id"));
        lab.ok(Some(&session), "POST", &path, json!({})).await;
        let mut told = Vec::new();
        for (email, password) in [
            (ADA, "not the password of ada"),
            ("nobody@example.com", PASSWORD),
            ("gone@example.com", PASSWORD),
            ("' OR 1=1 --", PASSWORD),
            ("", ""),
            (ADA, &"x".repeat(100_000)),
        ] {
            let before = lab.counted("stk_hub_password_checks_total").await;
            let got = lab.log_in(email, password, None).await;
            assert_eq!(got.status, 401, "{email}: {got:?}");
            assert_eq!(lab.counted("stk_hub_password_checks_total").await, before + 1, "{email}: the same work");
            let mut error = got.body["error"].clone();
            error.as_object_mut().unwrap().remove("requestId");
            told.push(error);
        }
        assert!(told.windows(2).all(|pair| pair[0] == pair[1]), "{told:?}");
        assert_eq!(lab.log_in(" ADA@example.COM ", PASSWORD, None).await.status, 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_lasts_as_long_as_it_is_refreshed_and_no_longer() {
    for lab in Lab::both().await {
        let opened = lab.log_in(ADA, PASSWORD, None).await.body;
        let (access, mut refresh) = (text(&opened, "/accessToken"), text(&opened, "/refreshToken"));
        assert!(access.starts_with("stk_at_") && refresh.starts_with("stk_rt_"));
        lab.later(TimeDelta::minutes(59));
        lab.ok(Some(&access), "GET", "/v1/projects", Json::Null).await;
        lab.later(TimeDelta::minutes(2));
        lab.no(&access, "GET", "/v1/projects", Json::Null, 401).await;
        // A refresh token opens nothing itself, nor does an access token refresh.
        lab.no(&refresh, "GET", "/v1/projects", Json::Null, 401).await;
        let refreshed = |token: &str| json!({"refreshToken": token});
        assert_eq!(lab.ask(None, "POST", "/v1/auth/refresh", refreshed(&access)).await.status, 401);
        for _ in 0..4 {
            lab.later(TimeDelta::days(6));
            let given = lab.ok(None, "POST", "/v1/auth/refresh", refreshed(&refresh)).await;
            refresh = text(&given, "/refreshToken");
            lab.ok(Some(&text(&given, "/accessToken")), "GET", "/v1/auth/whoami", Json::Null).await;
        }
        // Whatever is refreshed, it ends after thirty days.
        lab.later(TimeDelta::days(6) + TimeDelta::hours(1));
        assert_eq!(lab.ask(None, "POST", "/v1/auth/refresh", refreshed(&refresh)).await.status, 401);
        // Who stays away for a week logs in again.
        let refresh = text(&lab.log_in(ADA, PASSWORD, None).await.body, "/refreshToken");
        lab.later(TimeDelta::days(7) + TimeDelta::seconds(1));
        assert_eq!(lab.ask(None, "POST", "/v1/auth/refresh", refreshed(&refresh)).await.status, 401);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_token_that_is_used_twice_ends_its_session_and_no_other() {
    for lab in Lab::both().await {
        let (one, other) = (lab.log_in(ADA, PASSWORD, None).await.body, lab.log_in(ADA, PASSWORD, None).await.body);
        let body = json!({"refreshToken": one["refreshToken"]});
        let next = lab.ok(None, "POST", "/v1/auth/refresh", body.clone()).await;
        lab.ok(Some(&text(&next, "/accessToken")), "GET", "/v1/projects", Json::Null).await;
        let reused = lab.ask(None, "POST", "/v1/auth/refresh", body.clone()).await;
        assert_eq!(reused.status, 401);
        assert!(text(&reused.body, "/error/message").contains("used before"), "{reused:?}");
        // Of the whole family nothing is left, whoever has it.
        for access in [&one, &next] {
            lab.no(&text(access, "/accessToken"), "GET", "/v1/projects", Json::Null, 401).await;
        }
        let body = json!({"refreshToken": next["refreshToken"]});
        assert_eq!(lab.ask(None, "POST", "/v1/auth/refresh", body).await.status, 401);
        lab.ok(Some(&text(&other, "/accessToken")), "GET", "/v1/projects", Json::Null).await;
        assert_eq!(lab.audited("session.reuse").await.len(), 1);
        // Of many at once, one is answered, and the others are seen.
        let body = json!({"refreshToken": other["refreshToken"]});
        let at_once = [(); 8].map(|()| lab.ask(None, "POST", "/v1/auth/refresh", body.clone()));
        let answered = futures_util::future::join_all(at_once).await;
        assert_eq!(answered.iter().filter(|got| got.status == 200).count(), 1);
        lab.no(&text(&other, "/accessToken"), "GET", "/v1/projects", Json::Null, 401).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_logout_is_at_once_and_another_password_ends_the_other_sessions() {
    for lab in Lab::both().await {
        let (one, other) = (lab.log_in(ADA, PASSWORD, None).await.body, lab.session(ADA).await);
        let access = text(&one, "/accessToken");
        lab.ok(Some(&access), "POST", "/v1/auth/logout", json!({})).await;
        lab.no(&access, "GET", "/v1/projects", Json::Null, 401).await;
        lab.no(&access, "POST", "/v1/auth/logout", json!({}), 401).await;
        let body = json!({"refreshToken": one["refreshToken"]});
        assert_eq!(lab.ask(None, "POST", "/v1/auth/refresh", body).await.status, 401);
        lab.no(FIRST, "POST", "/v1/auth/logout", json!({}), 400).await;

        let changing = lab.session(ADA).await;
        let password = "/v1/auth/password";
        let body = |current: &str, new: &str| json!({"current": current, "new": new});
        lab.no(&changing, "PUT", password, body("not the password of ada", "another password here"), 403).await;
        lab.no(&changing, "PUT", password, body(PASSWORD, "too short"), 400).await;
        lab.ok(Some(&other), "GET", "/v1/projects", Json::Null).await;
        lab.ok(Some(&changing), "PUT", password, body(PASSWORD, "another password here")).await;
        lab.ok(Some(&changing), "GET", "/v1/projects", Json::Null).await;
        lab.no(&other, "GET", "/v1/projects", Json::Null, 401).await;
        assert_eq!(lab.log_in(ADA, PASSWORD, None).await.status, 401);
        assert_eq!(lab.log_in(ADA, "another password here", None).await.status, 200);
        lab.no(FIRST, "PUT", password, body(PASSWORD, "another password here"), 403).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_guesses_waits_longer_each_time() {
    for lab in Lab::both().await {
        let mut waits = Vec::new();
        for _ in 0..5 {
            assert_eq!(lab.log_in(ADA, "a guess of the password", None).await.status, 401);
        }
        for _ in 0..10 {
            let got = lab.log_in(ADA, "a guess of the password", None).await;
            assert_eq!((got.status, &got.body["error"]["details"]["limit"]), (429, &json!("logins")), "{got:?}");
            let wait = got.retry_after.unwrap();
            waits.push(wait);
            // Also who knows the password waits: the answer would tell.
            assert_eq!(lab.log_in(ADA, PASSWORD, None).await.status, 429);
            lab.later(TimeDelta::seconds(i64::try_from(wait).unwrap() + 1));
            assert_eq!(lab.log_in(ADA, "a guess of the password", None).await.status, 401);
        }
        assert!(waits.windows(2).all(|pair| pair[0] <= pair[1]) && waits[9] >= 256, "{waits:?}");
        // Others are not held up by it, and many at once are no way around.
        assert_eq!(lab.log_in("grace@example.com", PASSWORD, None).await.status, 401);
        let at_once = [(); 20].map(|()| lab.log_in("many@example.com", "a guess of the password", None));
        let answered = futures_util::future::join_all(at_once).await;
        assert_eq!(answered.iter().filter(|got| got.status == 401).count(), 5, "{answered:?}");
        lab.later(TimeDelta::minutes(6));
        assert_eq!(lab.log_in(ADA, PASSWORD, None).await.status, 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_guesses_accounts_waits_too() {
    let lab = Lab::bare(Engine::Sqlite).await;
    let mut refused = None;
    for n in 0..60 {
        let got = lab.log_in(&format!("user{n}@example.com"), "a guess of the password", None).await;
        if got.status == 429 {
            refused = Some(n);
            break;
        }
    }
    assert_eq!(refused, Some(50));
}

#[tokio::test(flavor = "multi_thread")]
async fn there_is_an_end_to_sessions() {
    let [lab, _] = Lab::both().await;
    let first = lab.session(ADA).await;
    for _ in 0..20 {
        lab.session(ADA).await;
    }
    lab.no(&first, "GET", "/v1/projects", Json::Null, 401).await;
}
