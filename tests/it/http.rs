//! Both planes over HTTP, by cases that are data: `tests/cases/http/{bridge,hub}/*.yaml`. A failing case is named with its
//! file, and all that fail are told together.

use std::sync::{Arc, Mutex};

use anyhow::Result;
use santokit_tests::Engine;
use tokio::task::JoinSet;

mod audited;
pub(crate) mod case;
pub(crate) mod check;
mod contract;
mod engines;
mod hub;
mod servers;
mod wire;

use audited::Audited;
use case::{Case, CaseFile, Server, Variables};
use engines::Planes;
use servers::{Bridges, Hub};
use wire::Sent;

#[tokio::test(flavor = "multi_thread")]
async fn a_bridge_answers_as_its_cases_say() {
    let bridges = Arc::new(Bridges::start().await.unwrap());
    let mut running = JoinSet::new();
    for file in files(|server| server != Server::Hub) {
        let bridges = Arc::clone(&bridges);
        running.spawn(async move {
            let address = bridges.address(file.server).unwrap().to_owned();
            run(&file, &address, bridges.variables.clone(), None).await
        });
    }
    tell(running.join_all().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hub_answers_as_its_cases_say() {
    let (mut running, audited) = (JoinSet::new(), Arc::new(Mutex::new(Audited::default())));
    for file in files(|server| server == Server::Hub) {
        let audited = Arc::clone(&audited);
        running.spawn(async move {
            let hub = Hub::start().await.unwrap();
            let mut own = Audited::default();
            let mut failures = run(&file, &hub.address, hub.variables.clone(), Some((&hub, &mut own))).await;
            failures
                .extend(audited::unwhole(&hub).await.unwrap().into_iter().map(|what| format!("{}: {what}", file.path)));
            audited.lock().unwrap().extend(own);
            failures
        });
    }
    let mut failures = running.join_all().await;
    failures.push(audited.lock().unwrap().missing());
    tell(failures);
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_on_postgres_answer_as_their_cases_say() {
    tables_answer_as_their_cases_say(Engine::Postgres).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_on_mysql_answer_as_their_cases_say() {
    tables_answer_as_their_cases_say(Engine::Mysql).await;
}

/// The files at once, each in its order, as on SQLite.
async fn tables_answer_as_their_cases_say(engine: Engine) {
    let planes = Arc::new(Planes::start(engine).await.unwrap());
    let mut running = JoinSet::new();
    let is_about_tables =
        |file: &CaseFile| case::TABLES_FILES.iter().any(|name| file.path.ends_with(&format!("bridge/{name}")));
    for file in files(|server| server == Server::Bridge).into_iter().filter(is_about_tables) {
        let planes = Arc::clone(&planes);
        running.spawn(async move { run(&file, &planes.address, planes.variables.clone(), None).await });
    }
    assert_eq!(running.len(), case::TABLES_FILES.len(), "a file of cases is gone");
    tell(running.join_all().await);
}

fn files(wanted: impl Fn(Server) -> bool) -> Vec<CaseFile> {
    let files: Vec<CaseFile> = case::files().unwrap().into_iter().filter(|file| wanted(file.server)).collect();
    assert!(!files.is_empty(), "there are no cases");
    files
}

fn tell(failures: Vec<Vec<String>>) {
    let failures: Vec<String> = failures.into_iter().flatten().collect();
    assert!(failures.is_empty(), "{} case(s) failed:\n\n{}\n", failures.len(), failures.join("\n\n"));
}

/// Takes the cases of a file in order; what failed.
async fn run(
    file: &CaseFile,
    address: &str,
    mut variables: Variables,
    mut audited: Option<(&Hub, &mut Audited)>,
) -> Vec<String> {
    let mut failures = Vec::new();
    for case in &file.cases {
        for n in 1..=case.times {
            variables.insert("n".to_owned(), n.into());
            let differences = match take(case, file.server, address, &mut variables).await {
                Ok((differences, done)) => {
                    if let Some((hub, audited)) = &mut audited {
                        audited.look(hub, &done).await.unwrap();
                    }
                    differences
                }
                Err(error) => vec![format!("{error:#}")],
            };
            if !differences.is_empty() {
                failures.push(format!("{}: {} (time {n})\n  {}", file.path, case.name, differences.join("\n  ")));
                break;
            }
        }
    }
    failures
}

/// A request that was answered.
struct Done {
    method: String,
    path: String,
    status: u16,
    request_id: Option<String>,
}

async fn take(case: &Case, server: Server, address: &str, variables: &mut Variables) -> Result<(Vec<String>, Done)> {
    let (method, path) = case.line(variables)?;
    let (body, content_type) = case.body.bytes(variables)?;
    let mut headers = case.headers(variables)?;
    if let Some(content_type) = content_type
        && !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type"))
    {
        headers.push(("content-type".to_owned(), content_type.to_owned()));
    }
    let (asked, at) = (method.clone(), path.clone());
    let got = wire::send(address, Sent { method, path, headers, body }).await?;
    let mut differences = check::differences(case, &got, server, variables);
    if server == Server::Hub && !case.expect.before_http {
        differences.extend(contract::differences(&asked, &at, &got));
    }
    for (name, place) in &case.keep {
        let found = match place.strip_prefix("header: ") {
            Some(header) => got.header(header).map(Into::into),
            None => got.body.pointer(place).cloned(),
        };
        match found {
            Some(value) => drop(variables.insert(name.clone(), value)),
            None => differences.push(format!("keep {name}: there is no {place}")),
        }
    }
    if !differences.is_empty() {
        let everything: String = got.everything().chars().take(1_500).collect();
        differences.push(format!("the answer was {}\n    {}", got.status, everything.replace('\n', "\n    ")));
    }
    let request_id = got.header("x-request-id").map(str::to_owned);
    Ok((differences, Done { method: asked, path: at, status: got.status, request_id }))
}
