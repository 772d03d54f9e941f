//! `stk events`: the topics of a project, events that are published as an application would, and those that were tried in vain.

use santokit_core::{
    event::Events,
    project::{LogicSource, Project},
};
use serde_json::{Value as Json, json};

use super::{Shell, call};
use crate::{failure::Failure, report::printable};

mod dlq;

/// What can be done.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// The topics of this project: their fields, and who publishes them
    #[command(after_help = "Example:\n  stk events topics\n  stk events topics --json")]
    Topics,
    /// Publish an event at a Bridge
    Publish(PublishOptions),
    /// Events that were tried in vain
    #[command(subcommand)]
    Dlq(dlq::Command),
}

/// Flags of `stk events publish`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  stk events publish order_placed '{\"orderId\": \"o-17\"}'\n  stk events publish order_placed @order.json --key stk_app.secret"
)]
pub struct PublishOptions {
    /// The topic
    topic: String,
    /// The payload in JSON, @FILE, or - for standard input
    #[arg(default_value = "{}")]
    payload: String,
    /// Where and as whom
    #[command(flatten)]
    at: call::At,
}

/// Runs it.
pub async fn run(command: &Command, shell: &Shell) -> anyhow::Result<()> {
    match command {
        Command::Topics => topics(shell),
        Command::Publish(options) => {
            santokit_core::event::check_topic(&options.topic).map_err(|error| Failure::usage(error.to_string()))?;
            let path = format!("events/{}/publish", options.topic);
            call::call(&path, &options.payload, &options.at, shell).await
        }
        Command::Dlq(command) => dlq::run(command, shell).await,
    }
}

fn topics(shell: &Shell) -> anyhow::Result<()> {
    let project = shell.folder()?.project()?;
    let rows: Vec<Json> = project
        .events
        .topics
        .iter()
        .map(|(name, topic)| {
            json!({
                "name": name,
                "description": topic.description,
                "fields": topic.fields,
                "retention": topic.retention.to_string(),
                "logics": logics(&project, name),
                "triggers": triggers(&project.events, name),
                "publish": project.permissions.events.get(name).map(|rules| &rules.publish),
            })
        })
        .collect();
    shell.terminal.answer(&json!({"topics": rows}), |terminal| {
        if rows.is_empty() {
            terminal.say("there are no topics: one is a file of events/topics");
            return;
        }
        let fields = |row: &Json| -> String {
            let one = |field: &Json| {
                let mark = if field["required"] == json!(true) { "" } else { "?" };
                format!("{}{mark}: {}", text(&field["name"]), text(&field["type"]))
            };
            let all = row["fields"].as_array().into_iter().flatten().map(one);
            all.collect::<Vec<String>>().join(", ")
        };
        let listed = |row: &Json, kind: &str| {
            let all = row[kind].as_array().into_iter().flatten().map(text);
            all.collect::<Vec<String>>().join(", ")
        };
        terminal.table(
            &["topic", "fields", "kept", "logics", "triggers"],
            rows.iter().map(|row| {
                let (logics, triggers) = (listed(row, "logics"), listed(row, "triggers"));
                [text(&row["name"]), fields(row), text(&row["retention"]), logics, triggers]
                    .map(|text| printable(&text))
                    .to_vec()
            }),
        );
    });
    Ok(())
}

fn text(json: &Json) -> String {
    json.as_str().map_or_else(|| json.to_string(), str::to_owned)
}

/// Those that may publish it, and those that do of themselves.
fn logics(project: &Project, topic: &str) -> Vec<String> {
    let publishes = |source: &LogicSource| match source {
        LogicSource::Wasm(source) => source.grants.events.contains(topic),
        LogicSource::Sql(sql) => sql.publish.iter().any(|one| one.topic == topic),
    };
    let of_topic = project.logics.iter().filter(|(_, logic)| publishes(&logic.source));
    of_topic.map(|(name, _)| name.clone()).collect()
}

fn triggers(events: &Events, topic: &str) -> Vec<String> {
    let of_topic = events.triggers.iter().filter(|(_, trigger)| trigger.topic == topic);
    of_topic.map(|(name, _)| name.clone()).collect()
}
