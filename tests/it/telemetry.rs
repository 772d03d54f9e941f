//! What operators see of a running system: traces at a real collector, log lines and metrics by their names; and what nobody
//! may see in any of them.

use santokit_tests::{Answer, Collector, ProjectFolder, StkDev, Traced};

mod away;
mod numbers;
mod planted;
mod spans;

/// So that a test does not wait for the next batch.
pub(crate) const OFTEN: (&str, &str) = ("OTEL_BSP_SCHEDULE_DELAY", "50");
/// Everything is part of the traces.
pub(crate) const ALL: (&str, &str) = ("STK_OTEL_SAMPLE_RATE", "1.0");

pub(crate) const KEY: &str = "stk_watcher.planted-key-8a11d0";
pub(crate) const SECRET: &str = "planted-secret-31f0c2";
pub(crate) const HIDDEN_SECRET: &str = "planted-other-5be9a7";
pub(crate) const HIDDEN_CONFIG: &str = "planted-config-c07e44";
pub(crate) const IN_URL: &str = "planted-url-e6b2f9";
pub(crate) const ROW: &str = "planted-row-19d7e3";

/// A project whose one component does what its param says.
pub(crate) fn project() -> ProjectFolder {
    let files = [
        ("santokit.yaml", format!("version: 1\nname: watch\nconfig: {{shown: value, hidden: {HIDDEN_CONFIG}}}\n")),
        (
            "santokit.dev.yaml",
            format!(
                "connections:\n  main: {{engine: sqlite, url: \"sqlite:.stk/dev/{IN_URL}.db\"}}\n\
                 apiKeys:\n  - {{name: watcher, key: {KEY}, roles: [watcher]}}\n\
                 secrets:\n  PAYMENT_KEY: {{value: {SECRET}}}\n  OTHER_KEY: {{value: {HIDDEN_SECRET}}}\n"
            ),
        ),
        (
            "schema/notes.yaml",
            "version: 1\ntables:\n  notes:\n    id: {name: id, generate: client}\n    columns:\n      text: {type: string, unique: true}\n"
                .to_owned(),
        ),
        ("seed/notes.sql", format!("INSERT INTO notes (id, text) VALUES ('1', '{ROW}');\n")),
        (
            "logics/find.sql",
            "---\nauth: public\nparams: {text: {type: string, required: true}}\n---\nSELECT id, text FROM notes WHERE text = :text OR id = '1'\n"
                .to_owned(),
        ),
        (
            "logics/take.sql",
            "---\nauth: public\nparams: {text: {type: string, required: true}}\n---\nINSERT INTO notes (id, text) VALUES (:text, :text)\n"
                .to_owned(),
        ),
        (
            "logics/path.sql",
            "---\nauth: public\nparams: {text: {type: string, required: true}}\n---\nSELECT json_extract('{}', :text) AS found\n"
                .to_owned(),
        ),
        (
            "logics/picky.sql",
            "---\nauth: public\ncondition: int(request.params.text) > 3\nparams: {text: {type: string, required: true}}\n---\nSELECT 1 AS one\n"
                .to_owned(),
        ),
        ("logics/guarded.sql", "---\nroles: [admin]\n---\nSELECT text FROM notes\n".to_owned()),
        (
            "logics/work/logic.yaml",
            "component: {build: ts}\nauth: public\n\
             params: {mode: {type: string, default: all}, value: {type: string, default: plain}}\n\
             limits: {cpu: 300ms, timeout: 10s}\n\
             grants: {sql: [{connection: main, tables: {notes: [select, insert]}}], secrets: [PAYMENT_KEY], config: [shown]}\n"
                .to_owned(),
        ),
        ("logics/work/index.ts", include_str!("telemetry/work.ts").to_owned()),
    ];
    ProjectFolder::new(files.iter().map(|(path, text)| (*path, text.as_str()))).unwrap()
}

/// `stk dev` that sends all its traces to a collector.
pub(crate) async fn watched(folder: &ProjectFolder, collector: &Collector, more: &[(&str, &str)]) -> StkDev {
    let mut env = vec![("STK_OTEL_ENDPOINT", collector.url.as_str()), OFTEN, ALL];
    env.extend_from_slice(more);
    StkDev::start(folder.path(), &env).await.unwrap()
}

/// The id that an answer names.
pub(crate) fn request_id(answer: &Answer) -> &str {
    answer.headers["x-request-id"].to_str().unwrap()
}

/// The root of an answer's trace, and what is below it.
pub(crate) async fn trace(collector: &Collector, answer: &Answer) -> (Traced, Vec<(String, Traced)>) {
    let root = collector.request(request_id(answer)).await.unwrap();
    let below = collector.below(&root);
    (root, below)
}
