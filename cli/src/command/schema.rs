//! `stk schema`: the declared tables beside those of the databases. What is compared is decided where an apply decides it; this
//! only asks and shows.

use std::{collections::BTreeMap, fs, path::PathBuf};

use anyhow::Context as _;
use santokit_core::{
    project::{FileKind, json_schema},
    schema::Schema,
};
use serde_json::{Value as Json, json};

use super::Shell;
use crate::{
    context::Target,
    failure::{Exit, Failure},
    report::{Terminal, Tone, cell, printable},
};

mod pull;
mod source;
mod yaml;

use source::Source;

/// The commands.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Show the steps that an apply would take in each database, with their SQL
    #[command(
        after_help = "Example:\n  stk schema plan --env prod\n  stk schema plan --json | jq '.connections[].steps[].sql'"
    )]
    Plan {
        /// The Hub, project and env; without a Hub, the databases of santokit.dev.yaml.
        #[command(flatten)]
        target: Target,
    },
    /// Show what differs between the declared tables and the databases, both ways
    #[command(after_help = "Example:\n  stk schema diff --env prod --exit-code")]
    Diff {
        /// End with 1 where something differs
        #[arg(long)]
        exit_code: bool,
        /// The Hub, project and env; without a Hub, the databases of santokit.dev.yaml.
        #[command(flatten)]
        target: Target,
    },
    /// Write schema/*.yaml from a database that is there
    #[command(
        after_help = "Example:\n  stk schema pull\n  stk schema pull --connection legacy --env prod --output schema/legacy.yaml"
    )]
    Pull(pull::Options),
    /// Print the JSON Schema of a kind of project file, or write those of all kinds for an editor
    #[command(after_help = "Example:\n  stk schema json schema\n  stk schema json --output .stk/schemas")]
    Json {
        /// The kind of file
        #[arg(value_parser = kinds())]
        kind: Option<String>,
        /// Write KIND.schema.json of every kind into this folder
        #[arg(long, short = 'o', value_name = "DIR", conflicts_with = "kind")]
        output: Option<PathBuf>,
    },
}

fn kinds() -> clap::builder::PossibleValuesParser {
    clap::builder::PossibleValuesParser::new(FileKind::ALL.iter().map(|kind| kind.as_str()))
}

/// Runs one.
pub async fn run(command: Command, shell: &Shell) -> anyhow::Result<()> {
    match command {
        Command::Plan { target } => plan(shell, &target).await,
        Command::Diff { exit_code, target } => diff(shell, &target, exit_code).await,
        Command::Pull(options) => pull::run(&options, shell).await,
        Command::Json { kind, output } => json_schemas(shell, kind.as_deref(), output),
    }
}

async fn plan(shell: &Shell, target: &Target) -> anyhow::Result<()> {
    let answer = compared(shell, target).await?;
    let refused = count(&answer, "refusals");
    shell.terminal.answer(&answer, |terminal| {
        for connection in list(&answer, "connections") {
            heading(terminal, connection);
            for step in list(connection, "steps") {
                terminal.say(&format!("  {} {}", sign(terminal, step), printable(&cell(&step["description"]))));
                terminal.say(&format!("      {}", terminal.tone(Tone::Faint, &risk(step))));
                for line in cell(&step["sql"]).lines() {
                    terminal.say(&format!("      {}", terminal.tone(Tone::Faint, &printable(line))));
                }
            }
            say_refusals(terminal, connection);
            if list(connection, "steps").is_empty() && list(connection, "refusals").is_empty() {
                terminal.say("  up to date");
            }
        }
    });
    if refused == 0 {
        return Ok(());
    }
    Err(Failure::new(Exit::Refused, format!("{refused} difference(s) have no step"))
        .hint("each says why, and what to do instead")
        .reported(shell.terminal.is_json())
        .into())
}

async fn diff(shell: &Shell, target: &Target, exit_code: bool) -> anyhow::Result<()> {
    let answer = compared(shell, target).await?;
    let differences = count(&answer, "steps") + count(&answer, "refusals") + count(&answer, "undeclared");
    shell.terminal.answer(&answer, |terminal| {
        for connection in list(&answer, "connections") {
            heading(terminal, connection);
            for step in list(connection, "steps") {
                let what = printable(&cell(&step["description"]));
                let is_missing = what.starts_with("create ") || what.starts_with("add ");
                let lead = if is_missing { "declared, not in the database" } else { "not as declared" };
                terminal.say(&format!("  {} {lead}: {what}", sign(terminal, step)));
            }
            say_refusals(terminal, connection);
            for table in list(connection, "undeclared") {
                let sign = terminal.tone(Tone::Warn, "-");
                terminal.say(&format!("  {sign} in the database, not declared: table {}", printable(&cell(table))));
            }
        }
        if differences == 0 {
            terminal.say("no difference");
        }
    });
    if differences == 0 || !exit_code {
        return Ok(());
    }
    Err(Failure::failed(format!("{differences} difference(s)")).reported(shell.terminal.is_json()).into())
}

/// What the Hub, or the code that it runs, says of every connection of the project.
async fn compared(shell: &Shell, target: &Target) -> anyhow::Result<Json> {
    let project = shell.folder()?.project()?;
    let source = Source::of(shell, target)?;
    let declared: BTreeMap<String, Schema> = project.connections;
    source.compare(&declared).await
}

fn heading(terminal: Terminal, connection: &Json) {
    let name = terminal.tone(Tone::Strong, &printable(&cell(&connection["name"])));
    terminal.say(&format!("{name} ({})", printable(&cell(&connection["engine"]))));
}

/// `+` adds, `~` changes, `-` takes away.
fn sign(terminal: Terminal, step: &Json) -> String {
    match cell(&step["class"]).as_str() {
        "safe" if step["breaking"] == false => terminal.tone(Tone::Good, "+"),
        "destructive" => terminal.tone(Tone::Bad, "-"),
        _ => terminal.tone(Tone::Warn, "~"),
    }
}

/// What a step risks, what it asks of whoever applies, whom it holds up, and how many rows it meets.
fn risk(step: &Json) -> String {
    let class = cell(&step["class"]);
    let asks = match (class.as_str(), step["breaking"] == true) {
        ("safe", false) => "",
        ("safe", true) => "; the release before does not know it: wants --migration-window",
        _ => "; wants --force",
    };
    let rows = step["estimatedRows"].as_u64().map(|rows| format!("; about {rows} row(s)")).unwrap_or_default();
    printable(&format!("{class}{asks}; holds up {}{rows}", cell(&step["holdsUp"])))
}

fn say_refusals(terminal: Terminal, connection: &Json) {
    for refusal in list(connection, "refusals") {
        let sign = terminal.tone(Tone::Bad, "!");
        let (what, why) = (printable(&cell(&refusal["description"])), printable(&cell(&refusal["reason"])));
        terminal.say(&format!("  {sign} {what}: {why}"));
    }
}

fn list<'a>(of: &'a Json, key: &str) -> &'a [Json] {
    of[key].as_array().map(Vec::as_slice).unwrap_or_default()
}

fn count(answer: &Json, key: &str) -> usize {
    list(answer, "connections").iter().map(|connection| list(connection, key).len()).sum()
}

fn json_schemas(shell: &Shell, kind: Option<&str>, output: Option<PathBuf>) -> anyhow::Result<()> {
    if let Some(dir) = output {
        let dir = shell.dir.join(dir);
        fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
        let mut written = Vec::new();
        for kind in FileKind::ALL {
            let path = dir.join(format!("{}.schema.json", kind.as_str()));
            fs::write(&path, serde_json::to_vec_pretty(&json_schema(*kind))?)
                .with_context(|| format!("cannot write {}", path.display()))?;
            written.push(path.display().to_string());
        }
        shell.terminal.answer(&json!({"written": written}), |terminal| {
            for path in &written {
                terminal.say(path);
            }
        });
        return Ok(());
    }
    let Some(kind) = FileKind::ALL.iter().find(|known| Some(known.as_str()) == kind) else {
        let kinds: Vec<&str> = FileKind::ALL.iter().map(|kind| kind.as_str()).collect();
        return Err(Failure::usage("which kind of file?")
            .hint(format!("one of {}, or --output DIR for all", kinds.join(", ")))
            .into());
    };
    let schema = json_schema(*kind);
    let pretty = serde_json::to_string_pretty(&schema)?;
    shell.terminal.answer(&schema, |terminal| terminal.say(&pretty));
    Ok(())
}
