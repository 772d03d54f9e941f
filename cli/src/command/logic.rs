//! `stk logic`: making, building, inspecting and running logic.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use santokit_core::{
    component::{self, ComponentError, Handled, Inspection, World},
    logic::Record,
    name::{check_logic, nearest},
    project::{LogicSource, Project, ProjectLogic, WasmSource},
    quantity::{Bytes, Millis},
    release::Digest,
};
use serde_json::{Value as Json, json};

use super::{
    Shell,
    apply::explain,
    call::{Answered, read_params},
};
use crate::{
    build::{JsEngine, Language, template, write_sdk},
    dev::{self, plane::Announced},
    failure::{Exit, Failure},
    folder,
    report::{Terminal, Tone, took},
};

mod cost;
mod logs;
mod recordings;
mod replay;
pub mod test;

/// The commands.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Make a logic from a template
    #[command(after_help = "Example:\n  stk logic new --lang ts pricing/quote")]
    New {
        /// Its name under logics/, for example pricing/quote
        name: String,
        /// What it is written in
        #[arg(long, short, value_enum, default_value_t = Lang::Ts)]
        lang: Lang,
    },
    /// Build one logic, or all
    #[command(after_help = "Example:\n  stk logic build quote\n  stk logic build quote --output components")]
    Build {
        /// Its name; default: all
        name: Option<String>,
        /// Write the components there, as NAME.wasm
        #[arg(long, value_name = "DIR")]
        output: Option<PathBuf>,
    },
    /// What a component imports, may do and may use
    #[command(after_help = "Example:\n  stk logic inspect quote\n  stk logic inspect component.wasm")]
    Inspect {
        /// A logic's name, or a file
        what: String,
    },
    /// Write types of tables and params for each guest language; every build does as well
    #[command(after_help = "Example:\n  stk logic types")]
    Types,
    /// Run a logic against the development database
    #[command(
        after_help = "Example:\n  stk logic invoke purchase --params '{\"productId\": \"p-0002\"}' --role app --trace"
    )]
    Invoke(Invoke),
    /// Run the cases of logics in the sandbox, each on a database of its own
    #[command(after_help = "Example:\n  stk logic test\n  stk logic test purchase --watch")]
    Test(test::Options),
    /// Show what logics have said lately at the Bridges of an env, and go on with --follow
    Logs(logs::Options),
    /// List invocations that were recorded at the Bridges of an env
    Recordings(recordings::Options),
    /// Run a recorded invocation again on this machine, and name the first thing that is done otherwise
    Replay(replay::Options),
}

/// Flags of `stk logic invoke`.
#[derive(Debug, clap::Args)]
pub struct Invoke {
    /// Its name
    pub name: String,
    /// The params in JSON, @FILE, or - for standard input
    #[arg(long, default_value = "{}")]
    pub params: String,
    /// A role of the caller; more than one may be named; default: an anonymous caller
    #[arg(long = "role", value_name = "ROLE")]
    pub roles: Vec<String>,
    /// Show what happens inside: host calls, statements and the guest's own log
    #[arg(long)]
    pub trace: bool,
}

/// Languages with a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Lang {
    /// A cargo package
    Rust,
    /// TypeScript
    Ts,
    /// JavaScript
    Js,
    /// Python
    Python,
    /// C
    C,
}

/// Runs one.
pub async fn run(command: Command, shell: &Shell) -> anyhow::Result<()> {
    match command {
        Command::New { name, lang } => new(&name, lang, shell),
        Command::Build { name, output } => build(name.as_deref(), output.as_deref(), shell).await,
        Command::Inspect { what } => inspect(&what, shell).await,
        Command::Types => types(shell),
        Command::Invoke(options) => invoke(&options, shell).await,
        Command::Test(options) => test::run(options, shell).await,
        Command::Logs(options) => logs::run(&options, shell).await,
        Command::Recordings(options) => recordings::run(&options, shell).await,
        Command::Replay(options) => replay::run(&options, shell).await,
    }
}

fn new(name: &str, lang: Lang, shell: &Shell) -> anyhow::Result<()> {
    check_logic(name).map_err(|error| Failure::usage(error.to_string()))?;
    let folder = shell.folder()?;
    let dir = folder.root().join("logics").join(name);
    if dir.exists() || dir.with_extension("sql").exists() {
        return Err(Failure::failed(format!("logics/{name} is there already")).hint("choose another name").into());
    }
    let language = match lang {
        Lang::Rust => Language::Rust,
        Lang::Ts => Language::Ts(JsEngine::default()),
        Lang::Js => Language::Js(JsEngine::default()),
        Lang::Python => Language::Python,
        Lang::C => Language::C,
    };
    let mut written = Vec::new();
    for file in template(language, name).unwrap_or_default() {
        let path = dir.join(file.path);
        let make = || -> std::io::Result<()> {
            if let Some(dir) = path.parent() {
                std::fs::create_dir_all(dir)?;
            }
            std::fs::write(&path, &file.content)
        };
        make().with_context(|| format!("cannot write {}", path.display()))?;
        written.push(format!("logics/{name}/{}", file.path));
    }
    write_sdk(&folder.cache())?;
    shell.terminal.answer(&json!({"logic": name, "files": written}), |terminal| {
        for path in &written {
            terminal.say(&format!("{} {path}", terminal.tone(Tone::Good, "made")));
        }
        terminal.say(&format!("next: stk dev, then: stk call logics/{name}"));
    });
    Ok(())
}

async fn build(name: Option<&str>, output: Option<&Path>, shell: &Shell) -> anyhow::Result<()> {
    let folder = shell.folder()?;
    let terminal = shell.terminal;
    let project = folder.project().map_err(|error| explain(error, terminal))?;
    crate::types::write(folder.root(), &project)?;
    let progress = move |line: &str| terminal.note(line);
    let mut rows = Vec::new();
    let all = project.logics.iter().filter_map(|(name, logic)| match &logic.source {
        LogicSource::Wasm(source) => Some((name, &**source)),
        LogicSource::Sql(_) => None,
    });
    let chosen: Vec<(&String, &WasmSource)> = match name {
        Some(name) => vec![wasm_source(&project, name)?],
        None => all.collect(),
    };
    for (name, source) in chosen {
        let built = folder.build(name, source, &progress).await.map_err(|error| explain(error.into(), terminal))?;
        let digest = Digest::of(&built.wasm);
        folder::accept(name, source, &digest, &built.wasm).map_err(|error| explain(error.into(), terminal))?;
        if let Some(output) = output {
            write_component(output, name, &built.wasm)?;
        }
        rows.push(json!({
            "logic": name, "language": built.language, "digest": digest, "sizeBytes": built.wasm.len(),
            "sourceDigest": built.source_digest, "fromCache": built.from_cache, "durationMs": built.elapsed.as_millis(),
        }));
        if !terminal.is_json() {
            let how = if built.from_cache { "unchanged".to_owned() } else { took(built.elapsed) };
            terminal.say(&format!(
                "{} {name} ({}, {} KiB, {how})",
                terminal.tone(Tone::Good, "built"),
                built.language,
                built.wasm.len() / 1024
            ));
        }
    }
    terminal.answer(&json!({"built": rows}), |_| {});
    Ok(())
}

/// `pricing/quote` is written as `pricing/quote.wasm` below the folder.
fn write_component(output: &Path, name: &str, wasm: &[u8]) -> anyhow::Result<()> {
    let path = output.join(format!("{name}.wasm"));
    let parent = path.parent().unwrap_or(output);
    std::fs::create_dir_all(parent)
        .and_then(|()| std::fs::write(&path, wasm))
        .with_context(|| format!("cannot write {}", path.display()))
}

fn types(shell: &Shell) -> anyhow::Result<()> {
    let folder = shell.folder()?;
    let terminal = shell.terminal;
    let project = folder.project().map_err(|error| explain(error, terminal))?;
    let paths = crate::types::write(folder.root(), &project)?;
    let shown = |path: &PathBuf| path.strip_prefix(folder.root()).unwrap_or(path).display().to_string();
    let written: Vec<String> = paths.iter().map(shown).collect();
    terminal.answer(&json!({"written": written}), |terminal| {
        for path in &written {
            terminal.say(&format!("{} {path}", terminal.tone(Tone::Good, "wrote")));
        }
        terminal.say("in TypeScript: import type { Tables, Params } from \"@santokit/project\"");
    });
    Ok(())
}

async fn inspect(what: &str, shell: &Shell) -> anyhow::Result<()> {
    let terminal = shell.terminal;
    let is_file = Path::new(what).extension().is_some_and(|extension| extension == "wasm");
    if is_file {
        let path = PathBuf::from(what);
        let bytes = std::fs::read(&path).with_context(|| format!("cannot read {what}"))?;
        return describe(what, &bytes, None, terminal).await;
    }
    let folder = shell.folder()?;
    let project = folder.project().map_err(|error| explain(error, terminal))?;
    let (name, source) = wasm_source(&project, what)?;
    let built = folder
        .build(name, source, &move |line: &str| terminal.note(line))
        .await
        .map_err(|error| explain(error.into(), terminal))?;
    describe(name, &built.wasm, Some((source, built.language)), terminal).await
}

async fn describe(name: &str, bytes: &[u8], of: Option<(&WasmSource, &str)>, terminal: Terminal) -> anyhow::Result<()> {
    let digest = Digest::of(bytes);
    let refused = |error: ComponentError| Failure::new(Exit::Refused, format!("{name}: {error}"));
    let inspection = folder::inspect(&digest, bytes).map_err(refused)?;
    let worlds: Vec<World> = [World::Logic, World::Http].into_iter().filter(|world| world.is_of(&inspection)).collect();
    let verdict = match of {
        Some((source, _)) => component::check_world(&inspection, source.world())
            .and_then(|()| component::check_imports(&inspection.imports, &source.grants)),
        None => component::check_some_world(&inspection),
    };
    let problem = verdict.as_ref().err().map(ToString::to_string);
    let mut answer = json!({
        "name": name, "digest": digest, "sizeBytes": bytes.len(), "imports": inspection.imports, "exports": inspection.exports,
        "modules": inspection.modules, "functions": inspection.functions, "problem": problem,
        "kinds": kinds(&inspection).map(|(word, _)| word).collect::<Vec<_>>(),
    });
    let cost = match verdict {
        Ok(()) => {
            let world = of.map(|(source, _)| source.world()).or_else(|| worlds.first().copied());
            cost::of(world.unwrap_or(World::Logic), &digest, bytes, terminal).await
        }
        Err(_) => None,
    };
    let advice = cost.as_ref().map(|cost| {
        let (memory, language) = (of.map(|(source, _)| source.limits.memory), of.map(|(_, language)| language));
        cost::advice(cost, bytes.len(), language, memory)
    });
    if let (Some(cost), Some(advice)) = (&cost, &advice) {
        answer["cost"] = cost.json();
        answer["advice"] = json!(advice);
    }
    if let Some((source, language)) = of {
        answer["language"] = json!(language);
        answer["mount"] = json!(source.mount);
        answer["grants"] = json!(source.grants);
        answer["limits"] = json!(source.limits.by_name());
        answer["record"] = json!(source.record);
    }
    terminal.answer(&answer, |terminal| {
        terminal.say(&format!("{}  {digest}", terminal.tone(Tone::Strong, name)));
        let language = of.map(|(_, language)| format!("{language}, ")).unwrap_or_default();
        terminal.say(&format!("  {language}{} KiB, {} functions", bytes.len() / 1024, inspection.functions));
        section(terminal, "is", kinds(&inspection).map(|(_, words)| words.to_owned()));
        section(terminal, "exports", inspection.exports.iter().cloned());
        section(terminal, "imports", inspection.imports.iter().cloned());
        if let Some((source, _)) = of {
            if let Some(mount) = &source.mount {
                let methods = mount.methods.iter().cloned().collect::<Vec<_>>().join(" ");
                section(terminal, "mount", [format!("/http/{} {methods}", mount.path)].into_iter());
            }
            let record = source.record.iter().map(Record::line);
            section(terminal, "grants", source.grants.lines().into_iter().chain(record));
            let limits = json!(source.limits.by_name());
            let limits =
                limits.as_object().into_iter().flatten().map(|(key, value)| format!("{key}: {}", quantity(key, value)));
            section(terminal, "limits", limits);
        }
        if let Some(cost) = &cost {
            section(terminal, "cost on this machine", cost.lines().into_iter());
            section(terminal, "advice", advice.into_iter().flatten());
        }
    });
    match verdict {
        Ok(()) => Ok(()),
        Err(error) => Err(anyhow::Error::from(refused(error).reported(terminal.is_json()))),
    }
}

/// What a component is: for programs, and for people.
fn kinds(inspection: &Inspection) -> impl Iterator<Item = (&'static str, &'static str)> {
    let handles = inspection.handles();
    let all = [
        (handles.contains(&Handled::Call), ("logic", "a logic: called with params")),
        (handles.contains(&Handled::Event), ("events", "a handler of events: named by subscriptions")),
        (handles.contains(&Handled::Cron), ("cron", "a handler of ticks: named by jobs")),
        (World::Http.is_of(inspection), ("http", "a handler of HTTP: mounted with `mount: PATH`")),
    ];
    all.into_iter().filter_map(|(is_it, kind)| is_it.then_some(kind))
}

/// A limit as it is written in `logic.yaml`.
fn quantity(key: &str, value: &Json) -> String {
    match (key, value.as_u64()) {
        ("timeout" | "cpu", Some(millis)) => Millis(millis).to_string(),
        ("memory" | "sqlBytes" | "output" | "logBytes" | "httpBytes" | "storageBytes", Some(bytes)) => {
            Bytes(bytes).to_string()
        }
        _ => crate::report::cell(value),
    }
}

fn section(terminal: Terminal, title: &str, lines: impl Iterator<Item = String>) {
    let mut is_empty = true;
    terminal.say(&format!("  {title}"));
    for line in lines {
        is_empty = false;
        terminal.say(&format!("    {}", crate::report::printable(&line)));
    }
    if is_empty {
        terminal.say("    none");
    }
}

async fn invoke(options: &Invoke, shell: &Shell) -> anyhow::Result<()> {
    let params: Json = read_params(&options.params)?;
    let folder = shell.folder()?;
    let path = format!("logics/{}", options.name);
    // A trace is this process's own: the log of a running `stk dev` is in its terminal.
    let running = if options.trace { None } else { Announced::of(&folder) };
    let answered: Answered = if let Some(running) = running {
        running.call_as(&options.roles, &path, &params).await?
    } else {
        let project = folder.project().map_err(|error| explain(error, shell.terminal))?;
        logic_named(&project, &options.name)?;
        if let Some(mount) = project.logics.get(&options.name).and_then(ProjectLogic::mount) {
            let failure = Failure::usage(format!("logic {} is mounted and takes no calls", options.name));
            return Err(failure.hint(format!("run stk dev, and ask for /http/{}", mount.path)).into());
        }
        dev::run::once(folder, options.trace, &options.roles, &options.name, &params, shell.terminal)
            .await
            .map_err(|error| explain(error, shell.terminal))?
    };
    answered.show(shell)
}

fn logic_named<'a>(project: &'a Project, name: &str) -> anyhow::Result<(&'a String, &'a LogicSource)> {
    if let Some((name, logic)) = project.logics.get_key_value(name) {
        return Ok((name, &logic.source));
    }
    let near = nearest(name, project.logics.keys().map(String::as_str));
    let failure = Failure::usage(format!("there is no logic {name:?}"));
    Err(match near {
        Some(near) => failure.hint(format!("did you mean {near}?")).into(),
        None => failure.hint("`stk logic new NAME` makes one").into(),
    })
}

fn wasm_source<'a>(project: &'a Project, name: &str) -> anyhow::Result<(&'a String, &'a WasmSource)> {
    match logic_named(project, name)? {
        (name, LogicSource::Wasm(source)) => Ok((name, source)),
        (name, LogicSource::Sql(_)) => Err(Failure::usage(format!("logic {name} is SQL; it has no component")).into()),
    }
}
