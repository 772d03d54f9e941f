//! `stk events dlq`: events that were tried in vain: which there are, what became of each attempt, and what is to become of them. They are in the
//! env's databases: any Bridge that serves it tells.

use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::{Client, RequestBuilder, Url};
use santokit_core::admin::Deed;
use serde_json::{Map, Value as Json, json};

use crate::{
    command::{
        Shell,
        bridge::operator::{At, Bridges},
    },
    failure::Failure,
    report::{Terminal, cell, printable},
};

/// The Bridge asks the database.
const ANSWER_MAX: Duration = Duration::from_mins(1);

/// Where they are, below the env.
const BELOW: [&str; 1] = ["deadletters"];

/// What can be done.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Which there are, the oldest first
    #[command(
        after_help = "Example:\n  stk events dlq list --env prod\n  stk events dlq list --subscription bill_orders --since 2026-01-31T00:00:00Z\n  stk events dlq list --after evt_01J…:bill_orders"
    )]
    List(ListOptions),
    /// One of them: what its payload has, and what became of each attempt
    #[command(after_help = "Example:\n  stk events dlq inspect evt_01J…:bill_orders --env prod")]
    Inspect(InspectOptions),
    /// Let them be tried again, from the first attempt, by the release of now
    #[command(
        after_help = "Example:\n  stk events dlq replay evt_01J…:bill_orders --env prod\n  stk events dlq replay --subscription bill_orders --env prod"
    )]
    Replay(DecideOptions),
    /// Remove them for good
    #[command(after_help = "Example:\n  stk events dlq purge --topic order_placed --until 2026-01-31T00:00:00Z --yes")]
    Purge(PurgeOptions),
}

/// Flags of `stk events dlq list`.
#[derive(Debug, clap::Args)]
pub struct ListOptions {
    #[command(flatten)]
    which: Which,
    /// Those behind this one, where there are more than are listed at once
    #[arg(long, value_name = "ID")]
    after: Option<String>,
    #[command(flatten)]
    at: At,
}

/// Flags of `stk events dlq inspect`.
#[derive(Debug, clap::Args)]
pub struct InspectOptions {
    /// The dead letter, from `stk events dlq list`
    id: String,
    #[command(flatten)]
    at: At,
}

/// Flags of `stk events dlq purge`.
#[derive(Debug, clap::Args)]
pub struct PurgeOptions {
    #[command(flatten)]
    decide: DecideOptions,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
}

/// Flags of `stk events dlq replay`, and some of `purge`.
#[derive(Debug, clap::Args)]
pub struct DecideOptions {
    /// Dead letters, from `stk events dlq list`
    ids: Vec<String>,
    #[command(flatten)]
    which: Which,
    /// All of the env
    #[arg(long, conflicts_with_all = ["ids", "topic", "subscription", "since", "until"])]
    all: bool,
    #[command(flatten)]
    at: At,
}

/// Which are meant.
#[derive(Debug, clap::Args)]
struct Which {
    /// Of this topic
    #[arg(long)]
    topic: Option<String>,
    /// Of this subscription
    #[arg(long)]
    subscription: Option<String>,
    /// Dead since then or later, RFC 3339
    #[arg(long, value_name = "TIME")]
    since: Option<DateTime<Utc>>,
    /// Dead before then
    #[arg(long, value_name = "TIME")]
    until: Option<DateTime<Utc>>,
}

/// Runs it.
pub(super) async fn run(command: &Command, shell: &Shell) -> anyhow::Result<()> {
    match command {
        Command::List(options) => {
            let bridges = Bridges::of(&options.at, shell, Some(ANSWER_MAX)).await?;
            let mut query = options.which.query();
            query.extend(options.after.clone().map(|after| ("after", after)));
            let answer = ask(&bridges, |http, url| http.get(url).query(&query)).await?;
            shell.terminal.answer(&answer, |terminal| show(terminal, &answer));
        }
        Command::Inspect(options) => {
            let bridges = Bridges::of(&options.at, shell, Some(ANSWER_MAX)).await?;
            let answer = ask(&bridges, |http, url| http.get(url).query(&[("id", &options.id)])).await?;
            let letter = answer["deadLetters"][0].clone();
            shell.terminal.answer(&letter, |terminal| show_one(terminal, &letter));
        }
        Command::Replay(options) => decide(options, None, shell).await?,
        Command::Purge(options) => decide(&options.decide, Some(options.yes), shell).await?,
    }
    Ok(())
}

/// They are removed where `purge` says whether that is sure, and else tried again.
async fn decide(options: &DecideOptions, purge: Option<bool>, shell: &Shell) -> anyhow::Result<()> {
    let named = options.which.query();
    if options.ids.is_empty() && named.is_empty() && !options.all {
        return Err(Failure::usage("which dead letters?")
            .hint("name their ids, or --topic, --subscription, --since, --until, or --all")
            .into());
    }
    let bridges = Bridges::of(&options.at, shell, Some(ANSWER_MAX)).await?;
    if let Some(yes) = purge {
        shell.confirm(yes, &format!("Remove dead letters of {}/{} for good?", bridges.project, bridges.env))?;
    }
    let (fate, deed) = match purge {
        Some(_) => ("purge", Deed::DeadlettersPurge),
        None => ("replay", Deed::DeadlettersReplay),
    };
    // What the token is for, and what is asked with it: the same but for the ids, of which the Hub needs to know how many they are.
    let mut letters: Map<String, Json> = named.into_iter().map(|(key, value)| (key.to_owned(), json!(value))).collect();
    if options.all {
        letters.insert("all".to_owned(), json!(true));
    }
    let mut body = letters.clone();
    letters.insert("ids".to_owned(), json!(options.ids.len()));
    body.insert("ids".to_owned(), json!(options.ids));
    body.insert("fate".to_owned(), json!(fate));
    let of = json!({"deed": deed, "letters": letters});
    let answer = bridges.ask_for(&of, &BELOW, |http, url| http.post(url).json(&body)).await?;
    let touched = answer["touched"].as_u64().unwrap_or(0);
    let done = if purge.is_some() { "are removed" } else { "are tried again" };
    if let Some(failed) = answer["failed"].get(0) {
        let word = |key: &str| printable(&cell(&failed[key]));
        let message =
            format!("{touched} {done}; on the connection {} not all: {}", word("connection"), word("message"));
        return Err(Failure::failed(message).hint("say it again for the others").into());
    }
    if touched == 0 && !options.ids.is_empty() {
        return Err(Failure::failed("there are no such dead letters, or no more")
            .hint("`stk events dlq list` shows them")
            .into());
    }
    shell.terminal.answer(&answer, |terminal| {
        terminal.say(&format!("{touched} {done}"));
        if answer["isCut"] == true {
            terminal.note("there are more: say it again");
        }
    });
    Ok(())
}

fn show(terminal: Terminal, answer: &Json) {
    let rows = answer["deadLetters"].as_array().cloned().unwrap_or_default();
    if rows.is_empty() {
        terminal.say("there are no dead letters");
        return;
    }
    terminal.table(
        &["dead letter", "topic", "dead since", "attempts", "error"],
        rows.iter().map(|row| {
            ["id", "topic", "deadSince", "attempts", "error"].map(|key| printable(&cell(&row[key]))).to_vec()
        }),
    );
    if answer["isCut"] == true {
        terminal.note(&format!("there are more: --after {}", printable(&cell(&answer["next"]))));
    }
}

fn show_one(terminal: Terminal, letter: &Json) {
    for key in ["id", "topic", "subscription", "publishedAt", "publishedBy", "causedBy", "depth", "deadSince", "error"]
    {
        if !letter[key].is_null() {
            terminal.say(&format!("{key}: {}", printable(&cell(&letter[key]))));
        }
    }
    let fields: Vec<String> = letter["fields"].as_array().into_iter().flatten().map(cell).collect();
    terminal.say(&format!("payload: {} ({} bytes)", printable(&fields.join(", ")), cell(&letter["payloadBytes"])));
    for attempt in letter["history"].as_array().into_iter().flatten() {
        let word = |key: &str| printable(&cell(&attempt[key]));
        terminal.say(&format!(
            "attempt {} at {} by {} ({}): {}: {}",
            word("attempt"),
            word("at"),
            word("bridge"),
            word("release"),
            word("code"),
            word("error")
        ));
        if !attempt["details"].is_null() {
            terminal.say(&format!("    details: {}", printable(&attempt["details"].to_string())));
        }
        for line in attempt["backtrace"].as_str().unwrap_or_default().lines() {
            terminal.say(&format!("    {}", printable(line)));
        }
    }
}

async fn ask(bridges: &Bridges, request: impl Fn(&Client, Url) -> RequestBuilder) -> anyhow::Result<Json> {
    bridges.ask((Deed::Deadletters, None), &BELOW, request).await
}

impl Which {
    fn query(&self) -> Vec<(&'static str, String)> {
        let time = |time: &Option<DateTime<Utc>>| time.map(|time| time.to_rfc3339());
        let all = [
            ("topic", self.topic.clone()),
            ("subscription", self.subscription.clone()),
            ("since", time(&self.since)),
            ("until", time(&self.until)),
        ];
        all.into_iter().filter_map(|(key, value)| Some((key, value?))).collect()
    }
}
