//! `stk` as a process, by cases that are data: `tests/cases/cli/*.yaml`. Each case has a folder of its own; those that need a
//! Hub share one and have a project of their own in it. A failing step is named with its file, and all that fail are told.

use std::{collections::BTreeSet, fs, sync::Arc};

use reqwest::Method;
use santokit_tests::{Bridge, Finished, ProjectFolder, planes::OPERATOR, repository, stk_fed, stk_on_terminal};
use serde_json::{Value as Json, json};
use tokio::{sync::Semaphore, task::JoinSet};

mod case;

use case::{Case, CaseFile, Step, Variables, With, filled};

use crate::lab::{COMPONENT, Lab};

/// Each is a process, or several; there are few cores.
const AT_ONCE: usize = 4;
/// No process listens there.
const NOBODY: &str = "http://127.0.0.1:1";

/// What the cases share.
struct Shared {
    lab: Lab,
    bridge: Bridge,
}

#[tokio::test(flavor = "multi_thread")]
async fn the_commands_do_as_their_cases_say() {
    let lab = Lab::start("fleet").await;
    let bridge = lab.bridge("cache", &[]).await;
    lab.apply().await;
    let shared = Arc::new(Shared { lab, bridge });
    let (mut running, permits) = (JoinSet::new(), Arc::new(Semaphore::new(AT_ONCE)));
    for (number, (file, case)) in cases().into_iter().enumerate() {
        let (shared, permits) = (Arc::clone(&shared), Arc::clone(&permits));
        running.spawn(async move {
            let _permit = permits.acquire_owned().await.unwrap();
            let differences = take(&case, number, &shared).await;
            (!differences.is_empty()).then(|| format!("{file}: {}\n  {}", case.name, differences.join("\n  ")))
        });
    }
    let failures: Vec<String> = running.join_all().await.into_iter().flatten().collect();
    assert!(failures.is_empty(), "{} case(s) failed:\n\n{}\n", failures.len(), failures.join("\n\n"));
}

#[test]
fn every_command_has_a_case_that_succeeds_and_one_that_fails() {
    let leaves = stk::command::leaves();
    let (mut succeeds, mut fails, mut exits) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for file in case::files().unwrap() {
        for step in file.cases.iter().flat_map(|case| &case.steps) {
            let leaf = leaf_of(&step.run, &leaves);
            exits.insert(step.exit);
            if let Some(leaf) = leaf {
                (if step.exit == 0 { &mut succeeds } else { &mut fails }).insert(leaf);
            }
        }
        for elsewhere in file.elsewhere {
            assert!(leaves.contains(&elsewhere.command), "{}: there is no {:?}", file.path, elsewhere.command);
            assert!(is_a_test(&elsewhere.test), "{}: there is no test {:?}", file.path, elsewhere.test);
            succeeds.insert(elsewhere.command);
        }
    }
    let without = |cases: &BTreeSet<String>| {
        leaves.iter().filter(|leaf| !cases.contains(*leaf)).cloned().collect::<Vec<_>>().join(", ")
    };
    assert_eq!((without(&succeeds), without(&fails)), Default::default(), "(without a success, without a failure)");
    assert_eq!(exits, BTreeSet::from([0, 1, 2, 3, 4]), "every exit code is shown");
}

/// The command of a line, by its own name: `releases list` is `release list`.
fn leaf_of(args: &[String], leaves: &[String]) -> Option<String> {
    let words = args.iter().take_while(|word| !word.starts_with('-')).map(|word| match word.as_str() {
        "releases" => "release",
        "apikeys" => "apikey",
        word => word,
    });
    let words: Vec<&str> = words.collect();
    // A command may do something itself and have commands below it.
    (1..=words.len()).rev().map(|length| words[..length].join(" ")).find(|path| leaves.contains(path))
}

/// Whether the sources of this binary have a test of that name.
fn is_a_test(name: &str) -> bool {
    let mut open = vec![repository().join("tests/it")];
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
                continue;
            }
            let text = fs::read_to_string(&path).unwrap();
            // A function, or a case that a macro makes one of.
            if text.contains(&format!("\nasync fn {name}(")) || text.contains(&format!("\n    {name} = ")) {
                return true;
            }
        }
    }
    false
}

fn cases() -> Vec<(String, Case)> {
    let files: Vec<CaseFile> = case::files().unwrap();
    assert!(!files.is_empty(), "there are no cases");
    files.into_iter().flat_map(|file| file.cases.into_iter().map(move |case| (file.path.clone(), case))).collect()
}

/// Takes the steps in order, up to the first that differs.
async fn take(case: &Case, number: usize, shared: &Shared) -> Vec<String> {
    let lab = &shared.lab;
    let folder = ProjectFolder::new([]).unwrap();
    let project = if case.with == With::Fleet { lab.project.to_owned() } else { format!("case-{number}") };
    let component = fs::canonicalize(repository().join(COMPONENT)).unwrap();
    let mut variables = Variables::new();
    for (name, value) in [
        ("dir", folder.path().to_str().unwrap()),
        ("project", &project),
        ("hub", &lab.hub().url),
        ("bridge", shared.bridge.client.url()),
        ("key", &lab.api_key.0),
        ("trusted", &lab.trusted),
        ("token", OPERATOR),
        ("nobody", NOBODY),
        ("component", component.to_str().unwrap()),
    ] {
        variables.insert(name.to_owned(), value.to_owned());
    }
    for (path, text) in &case.files {
        folder.write(path, &filled(text, &variables)).unwrap();
    }
    for (path, from) in &case.copies {
        let (target, from) = (folder.path().join(path), filled(from, &variables));
        // A whole project, of this repository.
        if repository().join(&from).is_dir() {
            folder.add_copy(&from, path).unwrap();
            continue;
        }
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::copy(from, target).unwrap();
    }
    if case.with == With::Project {
        make_project(lab, &project, &folder).await;
    }
    for (index, step) in case.steps.iter().enumerate() {
        let finished = run(step, case.with, &folder, &variables).await;
        let mut differences = step.differences(&finished, &variables);
        differences.extend(step.keep(&finished, &mut variables));
        if !differences.is_empty() {
            differences.insert(0, format!("step {}: stk {}", index + 1, step.run.join(" ")));
            differences.push(format!("it was {finished:?}"));
            return differences;
        }
    }
    Vec::new()
}

async fn make_project(lab: &Lab, project: &str, folder: &ProjectFolder) {
    let url = format!("sqlite:{}", folder.path().join("main.db").display());
    let env = format!("/v1/projects/{project}/envs");
    for (method, path, body) in [
        (Method::POST, "/v1/projects", json!({"name": project})),
        (Method::POST, env.as_str(), json!({"name": "prod"})),
        (Method::PUT, &format!("{env}/prod/connections/main"), json!({"engine": "sqlite", "url": url})),
    ] {
        lab.hub().operate(method, path, &body).await.unwrap();
    }
}

async fn run(step: &Step, with: With, folder: &ProjectFolder, variables: &Variables) -> Finished {
    let names: &[(&str, &str)] = match with {
        With::Nothing => &[],
        With::Hub => &[("STK_HUB_URL", "{hub}"), ("STK_TOKEN", "{token}")],
        With::Project | With::Fleet => {
            &[("STK_HUB_URL", "{hub}"), ("STK_TOKEN", "{token}"), ("STK_PROJECT", "{project}"), ("STK_ENV", "prod")]
        }
    };
    let mut env: Vec<(String, String)> =
        names.iter().map(|(name, text)| ((*name).to_owned(), filled(text, variables))).collect();
    env.push(("XDG_CONFIG_HOME".to_owned(), filled("{dir}/config", variables)));
    for (name, value) in &step.env {
        env.retain(|(known, _)| known != name);
        if let Some(value) = value {
            env.push((name.clone(), filled(value, variables)));
        }
    }
    let env: Vec<(&str, &str)> = env.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let args: Vec<String> = step.run.iter().map(|arg| filled(arg, variables)).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let input = filled(&step.stdin, variables);
    match &step.typed {
        Some(typed) => stk_on_terminal(folder.path(), &args, &env, typed).await.unwrap(),
        None => stk_fed(folder.path(), &args, &env, &input).await.unwrap(),
    }
}

/// Every field of one JSON is in the other; lists are compared whole, item by item.
fn subset(place: &str, expected: &Json, got: &Json, all: &mut Vec<String>) {
    match (expected, got) {
        (Json::Object(expected), Json::Object(got)) => {
            for (key, value) in expected {
                subset(&format!("{place}.{key}"), value, got.get(key).unwrap_or(&Json::Null), all);
            }
        }
        (Json::Array(expected), Json::Array(got)) if expected.len() == got.len() => {
            for (index, (expected, got)) in expected.iter().zip(got).enumerate() {
                subset(&format!("{place}[{index}]"), expected, got, all);
            }
        }
        _ if expected == got => {}
        _ => all.push(format!("{place}: expected {expected}, got {got}")),
    }
}
