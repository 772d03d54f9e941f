//! Logins of databases' own for guests' SQL: what an apply makes on a real server, what such a login can do there when it is somebody
//! else's, and how it comes and goes.

use std::{collections::BTreeMap, fs};

use reqwest::{Method, Url};
use santokit_core::wire::{GuestLogin, RuntimeBundle};
use santokit_tests::{Engine, TestDatabase, folder::repository};
use serde_json::{Value as Json, json};
use sqlx::{Connection, SqliteConnection, sqlite::SqliteConnectOptions};

use crate::lab::{COMPONENT, Lab};

mod attack_mysql;
mod attack_postgres;
mod kept;
mod lacking;
mod life;
mod publishing;
mod removed;

const TABLES: &str = "version: 1\ntables:\n  numbers:\n    id: {name: id, generate: client}\n    columns:\n      number: {type: int}\n  \
    orders:\n    id: {name: id, generate: client}\n    columns:\n      note: {type: string, maxLength: 100}\n  \
    hidden:\n    id: {name: id, generate: client}\n    columns:\n      secret: {type: string, maxLength: 100}\n";
/// In a table that no login is granted.
const HIDDEN: &str = "planted-row-58d0";

/// A Hub with one env whose connection is a database on a server.
struct Site {
    lab: Lab,
    database: TestDatabase,
}

impl Site {
    /// The tables are there, with rows, and no component is.
    async fn start(engine: Engine, project: &'static str) -> Self {
        Self::start_on(TestDatabase::create(engine).await.unwrap(), project).await
    }

    /// On a database of the test's choice.
    async fn start_on(database: TestDatabase, project: &'static str) -> Self {
        let lab = Lab::start(project).await;
        let site = Self { lab, database };
        site.connect(&site.database.url(), &[]).await;
        fs::remove_dir_all(site.lab.folder.path().join("logics")).unwrap();
        fs::remove_file(site.lab.folder.path().join("schema/numbers.yaml")).unwrap();
        site.lab.folder.write("schema/main.yaml", TABLES).unwrap();
        site.lab.folder.write("logics/version.sql", "---\nauth: public\n---\nSELECT 1 AS number\n").unwrap();
        site.apply(&[]).await;
        for table in ["numbers (id, number) VALUES ('a', 1)", "orders (id, note) VALUES ('a', 'first')"] {
            site.database.execute(&format!("INSERT INTO {table}")).await.unwrap();
        }
        site.database.execute(&format!("INSERT INTO hidden (id, secret) VALUES ('a', '{HIDDEN}')")).await.unwrap();
        site
    }

    /// Sets the connection.
    async fn connect(&self, url: &str, more: &[&str]) {
        let engine = self.database.engine().as_str();
        let args = ["connections", "set", "main", "--engine", engine, "--url-stdin"];
        self.lab.done(&[&args, more].concat(), url).await;
    }

    /// A component with grants of SQL, as in its file.
    fn grant(&self, logic: &str, tables: &str) {
        let manifest = format!(
            "component: {{path: it.wasm}}\nauth: public\ngrants:\n  sql: [{{connection: main, tables: {tables}}}]\n  \
             secrets: [TOKEN]\n  config: [greeting]\n"
        );
        self.lab.folder.write(&format!("logics/{logic}/logic.yaml"), &manifest).unwrap();
        let component = self.lab.folder.path().join(format!("logics/{logic}/it.wasm"));
        fs::copy(repository().join(COMPONENT), component).unwrap();
    }

    fn ungrant(&self, logic: &str) {
        fs::remove_dir_all(self.lab.folder.path().join(format!("logics/{logic}"))).unwrap();
    }

    async fn apply(&self, more: &[&str]) -> Json {
        let args = ["apply", "--accept-grants", "--yes", "--wait", "0"];
        self.lab.done(&[&args, more].concat(), "").await
    }

    /// An apply that is refused; its error.
    async fn refused(&self) -> Json {
        let finished = self.lab.stk(&["apply", "--accept-grants", "--yes", "--wait", "0"], "").await;
        assert_ne!(finished.code, 0, "{finished:?}");
        finished.json()["error"].clone()
    }

    /// What Bridges are given for the connection, the newest first.
    async fn guests(&self) -> Vec<GuestLogin> {
        let path = format!("/internal/runtime/{}/prod", self.lab.project);
        let (status, _, bytes) = self.lab.internal(&self.lab.service_token, &path, None).await;
        assert_eq!(status, 200, "{}", String::from_utf8_lossy(&bytes));
        let mut bundle: RuntimeBundle = serde_json::from_slice(&bytes).unwrap();
        bundle.connections.remove("main").map(|connection| connection.guests).unwrap_or_default()
    }

    /// The one with these powers, as JSON.
    async fn guest(&self, powers: Json) -> GuestLogin {
        let mut all = self.guests().await.into_iter();
        all.find(|login| json!(login.tables) == powers).unwrap_or_else(|| panic!("no login for {powers}"))
    }

    /// The database's URL as a login's.
    fn url(&self, login: &GuestLogin) -> String {
        let mut url = Url::parse(&self.database.url()).unwrap();
        url.set_username(&login.user).unwrap();
        url.set_password(Some(login.password.expose())).unwrap();
        url.into()
    }

    /// Does something to the Hub's store behind its back: time passes so.
    async fn store(&self, sql: &'static str) -> u64 {
        let options = SqliteConnectOptions::new().filename(self.lab.dir.path().join("hub/hub.db"));
        let mut store = SqliteConnection::connect_with(&options).await.unwrap();
        let done = sqlx::query(sql).execute(&mut store).await.unwrap().rows_affected();
        store.close().await.unwrap();
        done
    }

    /// The audit entries of logins: action and detail.
    async fn deeds(&self) -> Vec<(String, Json)> {
        let log = self.lab.hub().operate(Method::GET, "/v1/audit?limit=1000", &Json::Null).await.unwrap();
        let entries = log["entries"].as_array().unwrap().iter();
        let of_logins = entries.filter(|entry| entry["action"].as_str().unwrap().starts_with("guestlogin."));
        of_logins.map(|entry| (entry["action"].as_str().unwrap().to_owned(), entry["detail"].clone())).collect()
    }
}

/// How often each text stands in a list.
fn counted<'a>(all: impl IntoIterator<Item = &'a str>) -> BTreeMap<&'a str, usize> {
    let mut counts = BTreeMap::new();
    for text in all {
        *counts.entry(text).or_insert(0) += 1;
    }
    counts
}
