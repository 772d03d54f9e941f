//! `stk plugins`: components that ship with `stk`, brought into a project. What is there already is not written over.

use anyhow::Context as _;
use santokit_core::name::{check_logic, nearest};
use serde_json::json;

use super::Shell;
use crate::{
    failure::Failure,
    folder::Folder,
    plugins::{ALL, Endpoint, File, Named, Plugin, with_config},
    report::Tone,
};

/// What can be done.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// What there is
    #[command(after_help = "Example:\n  stk plugins list")]
    List,
    /// Bring one into the project
    Add(AddOptions),
}

/// Flags of `stk plugins add`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  stk plugins add webhook --url https://hooks.example.com/shop --topic order_placed\n  stk plugins add webhook --as crm --replace"
)]
pub struct AddOptions {
    /// Which
    plugin: String,
    /// The endpoint that it asks
    #[arg(long, required_unless_present = "replace")]
    url: Option<String>,
    /// What the logic is called; default: the plugin's name
    #[arg(long = "as", value_name = "LOGIC")]
    logic: Option<String>,
    /// A topic whose events it is given; more than one may be named
    #[arg(long = "topic", value_name = "TOPIC")]
    topics: Vec<String>,
    /// Write only its component again, that of this stk: grants and subscriptions stay as they are
    #[arg(long, conflicts_with_all = ["url", "topics"])]
    replace: bool,
}

/// Runs it.
pub fn run(command: &Command, shell: &Shell) -> anyhow::Result<()> {
    match command {
        Command::List => {
            list(shell);
            Ok(())
        }
        Command::Add(options) => add(options, shell),
    }
}

fn list(shell: &Shell) {
    let rows = ALL.iter().map(|plugin| json!({"name": plugin.name, "about": plugin.about}));
    shell.terminal.answer(&json!({"plugins": rows.collect::<Vec<_>>()}), |terminal| {
        terminal
            .table(&["plugin", "what it does"], ALL.iter().map(|one| vec![one.name.to_owned(), one.about.to_owned()]));
    });
}

fn add(options: &AddOptions, shell: &Shell) -> anyhow::Result<()> {
    let plugin = Plugin::find(&options.plugin).ok_or_else(|| unknown(&options.plugin))?;
    let logic = options.logic.as_deref().unwrap_or(plugin.name);
    check_logic(logic).map_err(|error| Failure::usage(error.to_string()))?;
    let folder = shell.folder()?;
    let dir = folder.root().join("logics").join(logic);
    if options.replace {
        if !dir.join(format!("{}.wasm", plugin.name)).is_file() {
            let message = format!("logics/{logic} is no {}", plugin.name);
            return Err(Failure::failed(message).hint("without --replace it is added").into());
        }
        let files = plugin.component(logic);
        write(&folder, &files)?;
        told(shell, logic, &files, None);
        return Ok(());
    }
    if dir.exists() || dir.with_extension("sql").exists() {
        let hint = format!("choose another name with --as, or write its component again with --as {logic} --replace");
        return Err(Failure::failed(format!("logics/{logic} is there already")).hint(hint).into());
    }
    let endpoint = Endpoint::parse(options.url.as_deref().unwrap_or_default())?;
    let named = Named { logic, endpoint: &endpoint };
    check_topics(&folder, &options.topics)?;

    let mut files = plugin.component(logic);
    files.push(plugin.manifest(&named));
    files.extend(options.topics.iter().map(|topic| named.subscription(topic)));
    if let Some(taken) = files.iter().find(|file| folder.root().join(&file.path).exists()) {
        return Err(Failure::failed(format!("{} is there already", taken.path)).hint("choose another --as").into());
    }
    let settings = std::fs::read_to_string(folder.root().join("santokit.yaml"))?;
    let configured = with_config(&settings, &named.config(), endpoint.as_str());
    let is_configured = configured.is_some();
    files.extend(configured.map(|text| File { path: "santokit.yaml".to_owned(), content: text.into_bytes() }));
    write(&folder, &files)?;
    let rest = (!is_configured).then(|| format!("config: {{{}: \"{}\"}}", named.config(), endpoint.as_str()));
    told(shell, logic, &files, Some((&named, rest)));
    Ok(())
}

fn unknown(name: &str) -> Failure {
    let names = ALL.iter().map(|plugin| plugin.name);
    let meant = nearest(name, names).map_or_else(String::new, |near| format!(", perhaps {near:?}"));
    Failure::usage(format!("there is no plugin {name:?}{meant}")).hint("stk plugins list")
}

/// A subscription to what is no topic would make a project of which nothing is right any more.
fn check_topics(folder: &Folder, topics: &[String]) -> anyhow::Result<()> {
    if topics.is_empty() {
        return Ok(());
    }
    let project = folder.project().map_err(|error| {
        error.context("the project has mistakes: mend what `stk check` finds first, so that its topics are known")
    })?;
    match topics.iter().find(|topic| !project.events.topics.contains_key(*topic)) {
        Some(absent) => Err(Failure::usage(format!("there is no topic {absent:?} in events/topics")).into()),
        None => Ok(()),
    }
}

fn write(folder: &Folder, files: &[File]) -> anyhow::Result<()> {
    for file in files {
        let path = folder.root().join(&file.path);
        let make = || -> std::io::Result<()> {
            if let Some(dir) = path.parent() {
                std::fs::create_dir_all(dir)?;
            }
            std::fs::write(&path, &file.content)
        };
        make().with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

fn told(shell: &Shell, logic: &str, files: &[File], next: Option<(&Named<'_>, Option<String>)>) {
    let paths: Vec<&str> = files.iter().map(|file| file.path.as_str()).collect();
    let secret = next.as_ref().map(|(named, _)| named.secret());
    let rest = next.and_then(|(_, rest)| rest);
    shell.terminal.answer(&json!({"logic": logic, "files": paths, "secret": secret, "config": rest}), |terminal| {
        for path in &paths {
            terminal.say(&format!("{} {path}", terminal.tone(Tone::Good, "wrote")));
        }
        if let Some(rest) = &rest {
            terminal.say(&format!("next: add to santokit.yaml: {rest}"));
        }
        if let Some(secret) = &secret {
            terminal.say(&format!("next: stk secrets set {secret}; for stk dev, under secrets of santokit.dev.yaml"));
        }
    });
}
