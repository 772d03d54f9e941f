//! Where a login cannot be made: what lacks is said with the statement that an administrator runs, and that statement is enough.

use reqwest::{Method, Url};
use santokit_core::release::Manifest;
use santokit_tests::{Engine, TestDatabase, database::new_name};
use serde_json::{Value as Json, json};

use super::Site;

/// A user of the Hub's that may change tables and make no users. Dropped by hand: users are the server's.
struct Weak {
    name: String,
    url: String,
}

impl Weak {
    async fn create(database: &TestDatabase) -> Self {
        let name = new_name().replace("stk_test_", "stk_w_").chars().take(30).collect::<String>();
        let (db, password) = (database.name(), "weak-password-1");
        let statements = match database.engine() {
            Engine::Postgres => vec![
                format!("CREATE ROLE {name} LOGIN PASSWORD '{password}'"),
                format!("GRANT CREATE, USAGE ON SCHEMA public TO {name}"),
                format!("ALTER TABLE stk_idempotency OWNER TO {name}"),
                format!("GRANT SELECT ON ALL TABLES IN SCHEMA public TO {name}"),
            ],
            Engine::Mysql => vec![
                format!("CREATE USER '{name}'@'%' IDENTIFIED BY '{password}'"),
                format!(
                    "GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, INDEX, DROP, REFERENCES ON {db}.* TO '{name}'@'%'"
                ),
            ],
        };
        for statement in statements {
            database.execute(&statement).await.unwrap();
        }
        let mut url = Url::parse(&database.url()).unwrap();
        url.set_username(&name).unwrap();
        url.set_password(Some(password)).unwrap();
        Self { name, url: url.into() }
    }

    async fn remove(&self, database: &TestDatabase) {
        let name = &self.name;
        let statement = match database.engine() {
            Engine::Postgres => {
                format!("REASSIGN OWNED BY {name} TO CURRENT_USER; DROP OWNED BY {name} CASCADE; DROP ROLE {name}")
            }
            Engine::Mysql => format!("DROP USER '{name}'@'%'"),
        };
        database.execute(&statement).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_administrator_is_told_to_run_on_postgres_is_enough() {
    what_is_told_is_enough(Engine::Postgres, "weakpg", &["CREATEROLE", "WITH GRANT OPTION"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_administrator_is_told_to_run_on_mysql_is_enough() {
    what_is_told_is_enough(Engine::Mysql, "weakmy", &["CREATE USER", "WITH GRANT OPTION"]).await;
}

async fn what_is_told_is_enough(engine: Engine, project: &'static str, expected: &[&str]) {
    let site = Site::start(engine, project).await;
    let before = site.lab.done(&["release", "current"], "").await;
    let weak = Weak::create(&site.database).await;
    site.connect(&site.database.url(), &["--admin-url", &weak.url]).await;
    site.grant("reads", "{numbers: [select], orders: [insert]}");
    let tested = site.lab.done(&["connections", "test", "main"], "").await;
    let guests: Vec<&Json> =
        tested["hub"]["checks"].as_array().unwrap().iter().filter(|check| check["name"] == "guests").collect();
    assert!(!guests.is_empty() && guests.iter().all(|check| check["state"] == "warning"), "{tested}");
    let mut told = Vec::new();
    for _ in 0..4 {
        let finished = site.lab.stk(&["apply", "--accept-grants", "--yes", "--wait", "0"], "").await;
        if finished.code == 0 {
            break;
        }
        let error = finished.json()["error"].clone();
        assert_eq!((finished.code, &error["code"]), (3, &json!("RELEASE_BLOCKED")), "{error}");
        assert!(error["message"].as_str().unwrap().contains("\"main\""), "{error}");
        let statements: Vec<String> = serde_json::from_value(error["details"]["statements"].clone()).unwrap();
        assert!(error["hint"].as_str().unwrap().contains(statements[0].trim_end_matches(';')), "{error}");
        assert_eq!(site.lab.done(&["release", "current"], "").await["releaseId"], before["releaseId"]);
        assert!(site.guests().await.is_empty(), "nothing is given before it is whole");
        for statement in statements {
            site.database.execute(&statement).await.unwrap();
            told.push(statement);
        }
    }
    assert!(expected.iter().all(|part| told.iter().any(|statement| statement.contains(part))), "{told:?}");
    let login = site.guest(json!({"numbers": ["select"], "orders": ["insert"]})).await;
    // Who has the right to make it has the right to drop it.
    site.ungrant("reads");
    site.store("DELETE FROM pointer_moves").await;
    site.apply(&[]).await;
    site.store("DELETE FROM pointer_moves").await;
    site.apply(&[]).await;
    assert_eq!(site.store("UPDATE guest_logins SET retired_at = '2020-01-01T00:00:00.000Z'").await, 1);
    site.apply(&[]).await;
    assert!(site.guests().await.is_empty(), "{} is there still: {}", login.user, site.lab.hub().output());
    let dropped = site.deeds().await.pop().unwrap();
    assert_eq!((dropped.0.as_str(), &dropped.1["dropped"]), ("guestlogin.drop", &json!(true)));
    weak.remove(&site.database).await;
}

/// What an operator sends by hand: grants on tables that are somebody else's, and more logins than a server should have.
#[tokio::test(flavor = "multi_thread")]
async fn grants_on_what_is_not_the_projects_and_too_many_of_them_are_refused() {
    let site = Site::start(Engine::Postgres, "greedy").await;
    site.grant("reads", "{numbers: [select]}");
    let applied = site.apply(&[]).await;
    let release = site.lab.release(&applied["releaseId"]).await;
    let manifest: Json = serde_json::from_str(release["manifest"].as_str().unwrap()).unwrap();
    let send = async |changed: Json| {
        let changed: Manifest = serde_json::from_value(changed).unwrap();
        let body = json!({"manifest": String::from_utf8(changed.canonical().unwrap()).unwrap(), "acceptGrants": true});
        let url = format!("{}/v1/projects/greedy/envs/prod/apply", site.lab.hub().url);
        let request = reqwest::Client::new().request(Method::POST, url).bearer_auth(santokit_tests::planes::OPERATOR);
        request.json(&body).send().await.unwrap().json::<Json>().await.unwrap()["error"].clone()
    };
    let grants = |tables: Json| json!([{"connection": "main", "tables": tables}]);
    for table in ["stk_idempotency", "pg_authid", "others", "numbers\" TO PUBLIC; --"] {
        let mut changed = manifest.clone();
        changed["logics"]["reads"]["body"]["grants"]["sql"] = grants(json!({table: ["select"]}));
        let error = send(changed).await;
        assert_eq!(
            (&error["code"], &error["details"]["tables"]),
            (&json!("RELEASE_BLOCKED"), &json!([table])),
            "{error}"
        );
    }
    let verbs = ["select", "insert", "update", "delete"];
    let some = |bits: usize| -> Vec<&str> {
        (0..verbs.len()).filter(|at| bits & (1 << at) != 0).map(|at| verbs[at]).collect()
    };
    let mut changed = manifest.clone();
    for number in 0..51 {
        let mut more = manifest["logics"]["reads"].clone();
        let tables = json!({"numbers": some(number % 15 + 1), "orders": some(number / 15 + 1)});
        more["body"]["grants"]["sql"] = grants(tables);
        changed["logics"][format!("reads-{number}")] = more;
    }
    let error = send(changed).await;
    assert_eq!((&error["code"], &error["details"]["limit"]), (&json!("BAD_REQUEST"), &json!("guestLogins")), "{error}");
    assert_eq!(site.guests().await.len(), 1);
}
