//! Coming in again without the password or the second factor: by a code of an owner, and by one of who runs the machine.

use chrono::TimeDelta;
use santokit_core::seal::SealKey;
use santokit_hub::{
    HubConfig,
    app::recover::{RecoverError, recover},
    store::Engine,
};
use santokit_tests::{Hub, ProjectFolder, TestDatabase, planes::OPERATOR, stk_fed};
use serde_json::{Value as Json, json};

use super::{FIRST, Lab, PASSWORD, text};

const ADA: &str = "ada@example.com";
const GRACE: &str = "grace@example.com";
const NEW: &str = "another password that is new";

fn taking(code: &str) -> Json {
    json!({"code": code, "password": NEW})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_of_an_owner_lets_somebody_in_once_and_without_what_was_lost() {
    for lab in Lab::both().await {
        let ada = lab.session(ADA).await;
        let grace = lab.invited(&ada, "default", "member", GRACE).await;
        let session = lab.session(GRACE).await;
        let (secret, recovery) = lab.enrolled(&session).await;
        let path = format!("/v1/operators/{grace}/reset");
        // Neither who does not run the Hub, nor a token of who does.
        lab.no(&session, "POST", &path, json!({}), 403).await;
        let body = json!({"name": "t", "level": "admin"});
        let token = text(&lab.ok(Some(&ada), "POST", "/v1/tokens", body).await, "/token");
        assert_eq!(lab.no(&token, "POST", &path, json!({}), 403).await.body["error"]["details"]["needs"], "session");
        let first = text(&lab.ok(Some(FIRST), "GET", "/v1/auth/whoami", Json::Null).await, "/operator/id");
        lab.no(&ada, "POST", &format!("/v1/operators/{first}/reset"), json!({}), 409).await;

        let take = async |code: &str| lab.ask(None, "POST", "/v1/auth/reset", taking(code)).await;
        let late = text(&lab.ok(Some(&ada), "POST", &path, json!({})).await, "/code");
        // It opens nothing by itself, and changes nothing until it is used.
        lab.no(&late, "GET", "/v1/projects", Json::Null, 401).await;
        lab.ok(Some(&session), "GET", "/v1/projects", Json::Null).await;
        lab.later(TimeDelta::hours(24));
        assert_eq!(take(&late).await.status, 401);
        let ada = lab.session(ADA).await;
        let replaced = text(&lab.ok(Some(&ada), "POST", &path, json!({})).await, "/code");
        let code = text(&lab.ok(Some(&ada), "POST", &path, json!({})).await, "/code");
        for wrong in [replaced.as_str(), "", "stk_rst_", PASSWORD] {
            assert_eq!(take(wrong).await.status, 401, "{wrong}");
        }
        // Who may do nothing comes in by no code.
        lab.ok(Some(&ada), "POST", &format!("/v1/operators/{grace}/disable"), json!({})).await;
        assert_eq!(take(&code).await.status, 401);
        lab.no(&ada, "POST", &path, json!({}), 409).await;
        lab.ok(Some(&ada), "POST", &format!("/v1/operators/{grace}/enable"), json!({})).await;

        let opened = lab.log_in(GRACE, PASSWORD, Some(&lab.code(&secret))).await;
        let session = text(&opened.body, "/accessToken");
        let answered = futures_util::future::join_all([(); 4].map(|()| take(&code))).await;
        assert_eq!(answered.iter().filter(|got| got.status == 200).count(), 1, "{answered:?}");
        lab.no(&session, "GET", "/v1/projects", Json::Null, 401).await;
        assert_eq!(lab.log_in(GRACE, PASSWORD, None).await.status, 401, "the password of before is none");
        let opened = lab.log_in(GRACE, NEW, None).await;
        assert_eq!((opened.status, &opened.body["secondFactor"]), (200, &json!(false)), "nor is there a second factor");
        let who = lab.ok(Some(&text(&opened.body, "/accessToken")), "GET", "/v1/auth/whoami", Json::Null).await;
        assert_eq!(who["secondFactor"], json!({"enabled": false, "recoveryCodesLeft": 0}));

        let (made, used) = (lab.audited("operator.reset").await, lab.audited("operator.recover").await);
        assert_eq!((made.len(), used.len()), (3, 1));
        assert_eq!((&made[2]["detail"]["operator"], &used[0]["actorId"]), (&json!(grace), &json!(grace)));
        let log = lab.ok(Some(FIRST), "GET", "/v1/audit?limit=1000", Json::Null).await.to_string();
        for secret in [&code, &recovery[0], NEW] {
            assert!(!log.contains(secret));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_runs_the_machine_makes_a_code_while_no_hub_runs() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let dir = tempfile::tempdir().unwrap();
        let database = match engine {
            Engine::Sqlite => None,
            Engine::Postgres => Some(TestDatabase::create(santokit_tests::Engine::Postgres).await.unwrap()),
        };
        let config = HubConfig {
            master_key: Some(std::sync::Arc::new(SealKey::parse(crate::lab::CACHE_KEY).unwrap())),
            database_url: database.as_ref().map(|database| database.url().into()),
            ..HubConfig::local(dir.path().join("hub"), FIRST.into()).unwrap()
        };
        let lab = Lab::of(config.clone()).await;
        let nobody = recover(&config, None).await;
        assert!(matches!(nobody, Err(RecoverError::Data(_))), "a Hub runs: {nobody:?}");
        let ada = json!({"email": ADA, "name": "Ada", "password": PASSWORD});
        lab.ok(Some(FIRST), "POST", "/v1/auth/bootstrap", ada).await;
        let session = lab.session(ADA).await;
        lab.invited(&session, "default", "member", GRACE).await;
        lab.enrolled(&session).await;
        lab.end().await;

        let stranger = HubConfig { master_key: Some(std::sync::Arc::new(other_key())), ..config.clone() };
        let wrong = until_ended(&stranger, None).await;
        assert!(matches!(wrong, Err(RecoverError::Data(_))), "{wrong:?}");
        let unknown = recover(&config, Some("eve@example.com")).await;
        assert!(matches!(unknown, Err(RecoverError::Who(_))), "{unknown:?}");
        let made = recover(&config, None).await.unwrap();
        assert_eq!(made.email, ADA, "the one owner");
        let lab = Lab::of(config.clone()).await;
        let taken = lab.ok(None, "POST", "/v1/auth/reset", taking(made.code.expose())).await;
        assert_eq!(taken["email"], ADA);
        assert_eq!(lab.log_in(ADA, NEW, None).await.status, 200);
        let entry = &lab.audited("operator.reset").await[0];
        assert_eq!((&entry["actorId"], &entry["detail"]["email"]), (&json!("hub"), &json!(ADA)));
        let chain = lab.ok(Some(FIRST), "GET", "/v1/audit/verify", Json::Null).await;
        assert_eq!(chain["verified"], true, "{chain}");
        lab.end().await;
    }
}

fn other_key() -> SealKey {
    SealKey::parse(&SealKey::generate_text().unwrap()).unwrap()
}

/// A server takes a moment to see that a Hub is gone.
async fn until_ended(config: &HubConfig, email: Option<&str>) -> Result<(), RecoverError> {
    for _ in 0..200 {
        match recover(config, email).await {
            Err(error) if error.to_string().contains("a Hub is running") => {
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
            other => return other.map(|_| ()),
        }
    }
    panic!("a Hub runs on");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_of_the_machine_and_a_login_with_its_code() {
    let (dir, folder) = (tempfile::tempdir().unwrap(), ProjectFolder::new([]).unwrap());
    let config = folder.path().join("config").display().to_string();
    let hub = Hub::start(dir.path()).await.unwrap();
    let run = async |url: &str, args: &[&str], more: &[(&str, &str)], input: &str| {
        let own = [("STK_HUB_URL", url), ("XDG_CONFIG_HOME", config.as_str())];
        let env: Vec<(&str, &str)> = own.iter().chain(more).copied().collect();
        stk_fed(dir.path(), args, &env, input).await.unwrap()
    };
    let bootstrap = ["login", "--bootstrap", "--email", ADA, "--password-stdin"];
    assert_eq!(run(&hub.url, &bootstrap, &[("STK_TOKEN", OPERATOR)], PASSWORD).await.code, 0);
    let command = ["hub", "recover", "--data-dir", "hub", "--json"];
    let running = run(&hub.url, &command, &[], "").await;
    assert!(running.code == 3 && running.stdout.contains("a Hub is running"), "{running:?}");
    hub.kill().await.unwrap();
    let made = run("", &command, &[], "").await;
    assert_eq!((made.code, &made.json()["email"]), (0, &json!(ADA)), "{made:?}");
    let code = made.json()["code"].as_str().unwrap().to_owned();
    let hub = Hub::start(dir.path()).await.unwrap();
    let login = ["login", "--email", ADA, "--password-stdin", "--json"];
    assert_eq!(run(&hub.url, &login, &[], NEW).await.code, 3);
    let opened = run(&hub.url, &login, &[("STK_RESET_CODE", &code)], NEW).await;
    assert!(opened.code == 0 && opened.stderr.contains("is set"), "{opened:?}");
    let again = run(&hub.url, &login, &[("STK_RESET_CODE", &code)], NEW).await;
    assert!(again.code == 3 && again.stdout.contains("the code is not valid"), "{again:?}");
    assert_eq!(run(&hub.url, &["whoami"], &[], "").await.code, 0);
}
