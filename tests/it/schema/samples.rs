//! Databases that others made, `tests/cases/schema/SAMPLE/ENGINE.sql`: what `stk schema pull` writes of them holds together as a
//! project, and needs no change of the database. What is declared of each stands in `sql/tests/pull`.

use std::fs;

use santokit_tests::{ProjectFolder, stk};
use serde_json::{Value as Json, json};

use super::cases;
use crate::own_database::{ENGINES, Own};

fn in_folder(own: &Own) -> ProjectFolder {
    let url = serde_json::to_string(&own.url()).unwrap();
    let dev = format!("connections:\n  main: {{engine: {}, url: {url}}}\n", own.engine());
    ProjectFolder::new([("santokit.yaml", "version: 1\nname: sample\n"), ("santokit.dev.yaml", dev.as_str())]).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_made_is_served_as_far_as_it_can_be_said() {
    let mut samples: Vec<_> = fs::read_dir(cases()).unwrap().map(|entry| entry.unwrap().path()).collect();
    samples.sort();
    assert!(samples.len() >= 2);
    for sample in samples {
        for engine in ENGINES {
            let own = Own::create(engine).await;
            own.execute(&fs::read_to_string(sample.join(format!("{engine}.sql"))).unwrap()).await;
            let folder = in_folder(&own);
            let place = format!("{} on {engine}", sample.display());

            let pulled = stk(folder.path(), &["schema", "pull", "--json"], &[]).await.unwrap();
            assert_eq!(pulled.code, 0, "{place}: {pulled:?}");
            let answer = pulled.json();
            assert_eq!(answer["differences"], json!([]), "{place}: {answer}");
            let remarks = answer["remarks"].as_array().unwrap();
            assert!(!remarks.is_empty() && pulled.stderr.lines().count() >= remarks.len(), "{place}: {pulled:?}");
            let text = fs::read_to_string(folder.path().join("schema/main.yaml")).unwrap();
            assert!(text.contains("left out: "), "{place}: {text}");

            let checked = stk(folder.path(), &["check"], &[]).await.unwrap();
            assert_eq!(checked.code, 0, "{place}: {checked:?}");
            let planned = stk(folder.path(), &["schema", "plan", "--json"], &[]).await.unwrap();
            assert_eq!(planned.code, 0, "{place}: {planned:?}");
            let plan = planned.json();
            let steps = plan["connections"][0]["steps"].as_array().unwrap();
            let own = santokit_sql::schema::bookkeeping::TABLES;
            let others: Vec<&Json> =
                steps.iter().filter(|step| !own.contains(&step["table"].as_str().unwrap_or_default())).collect();
            assert!(others.is_empty(), "{place}: {others:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pull_writes_over_nothing_unasked_and_leaves_out_what_another_file_declares() {
    let own = Own::create("sqlite").await;
    own.execute("CREATE TABLE a (id TEXT PRIMARY KEY NOT NULL, b TEXT); CREATE TABLE c (id TEXT PRIMARY KEY NOT NULL, a TEXT REFERENCES a)").await;
    let folder = in_folder(&own);
    let run = async |args: &[&str]| stk(folder.path(), &[&["schema", "pull"], args].concat(), &[]).await.unwrap();
    let printed = run(&["--print"]).await;
    assert!(printed.stdout.contains("references: {table: a, column: id, as: a_a"), "{printed:?}");
    assert!(!folder.path().join("schema").exists());
    assert_eq!(run(&[]).await.code, 0);
    let again = run(&[]).await;
    assert!(again.code == 3 && again.stderr.contains("--force"), "{again:?}");
    assert_eq!(run(&["--force"]).await.code, 0);
    let beside = run(&["--output", "schema/more.yaml"]).await;
    assert!(beside.code == 0 && beside.stderr.contains("a: left out: another file declares it already"), "{beside:?}");
    for outside in ["main.yaml", "schema/../main.yaml", "../schema/x.yaml", "schema/a/b.yaml", "schema/x.txt"] {
        let refused = run(&["--output", outside]).await;
        assert!(refused.code == 2 && refused.stderr.contains("no file of the schema"), "{outside}: {refused:?}");
    }
}

/// Names and comments of a database end up in a file that is read as YAML.
#[tokio::test(flavor = "multi_thread")]
async fn names_that_would_be_yaml_stay_names() {
    let own = Own::create("sqlite").await;
    own.execute(
        "CREATE TABLE \"null\" (\"true\" TEXT PRIMARY KEY NOT NULL, \"on\" TEXT DEFAULT 'x: {y} #\n\"z', \"a\n  b: {type: int}\" TEXT, \"c\" \"int}\nversion: 2\"); \
         CREATE TABLE \"x\nversion: 2\" (id TEXT PRIMARY KEY); CREATE TABLE stk_mine (id TEXT PRIMARY KEY)",
    )
    .await;
    let folder = in_folder(&own);
    let pulled = stk(folder.path(), &["schema", "pull", "--json"], &[]).await.unwrap();
    assert_eq!((pulled.code, &pulled.json()["tables"]), (0, &json!(["null"])), "{pulled:?}");
    assert_eq!(stk(folder.path(), &["check"], &[]).await.unwrap().code, 0);
}
