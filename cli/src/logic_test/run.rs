//! A run: which cases, their release built once, all of them in parallel, and again on every save with `--watch`.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Instant,
};

use anyhow::Context as _;
use santokit_bridge::generation::Generation;
use santokit_core::{name::nearest, project::Project, release::Digest};
use serde_json::json;
use tokio::{sync::Semaphore, task::JoinSet};

use super::{
    case::{self, Ended},
    files::{self, Found},
    show,
    stage::{Stage, Theatre},
    suites::{self, tested},
};
use crate::{
    command::{apply::explain, ending},
    dev::watch::Watch,
    failure::Failure,
    folder::{Candidate, Folder},
    report::Terminal,
    types,
};

/// What the command line says.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// Cases that call this logic.
    pub logic: Option<String>,
    /// Cases with this in their name or their file's path.
    pub filter: Option<String>,
    /// Whether no case at all is fine.
    pub allow_empty: bool,
    /// Whether to run what a save affects, until the end.
    pub watch: bool,
}

/// What stays between the runs of `--watch`.
struct Memory {
    theatre: Arc<Theatre>,
    /// What is compiled.
    previous: Option<Arc<Generation>>,
    /// What each case that passed depended on, by its file and line.
    passed: BTreeMap<(String, u32), Digest>,
}

/// How a run ended.
struct Counted {
    passed: usize,
    failed: usize,
    /// Not affected by the save.
    unaffected: usize,
}

/// Runs the cases; an error if one fails.
pub async fn run(folder: &Folder, plan: &Plan, terminal: Terminal) -> anyhow::Result<()> {
    let mut ending = ending()?;
    let theatre = Arc::new(Theatre::new(folder.root().to_owned(), terminal)?);
    let mut memory = Memory { theatre, previous: None, passed: BTreeMap::new() };
    if !plan.watch {
        return tokio::select! {
            counted = once(folder, plan, &mut memory, terminal) => verdict(plan, &counted?, terminal),
            // The databases go with their folder.
            () = ending.asked() => Err(Failure::failed("ended before the tests were").into()),
        };
    }
    let mut watch = Watch::new(folder.root())?;
    loop {
        tokio::select! {
            counted = once(folder, plan, &mut memory, terminal) => match counted {
                Ok(counted) => {
                    if let Err(error) = verdict(plan, &counted, terminal) {
                        terminal.failure(&error);
                    }
                }
                Err(error) => terminal.failure(&error),
            },
            () = ending.asked() => return Ok(()),
        }
        terminal.event("waiting", json!({}), "waiting for the next save; Ctrl-C ends");
        tokio::select! {
            changed = watch.changed() => changed?,
            () = ending.asked() => return Ok(()),
        }
    }
}

fn verdict(plan: &Plan, counted: &Counted, terminal: Terminal) -> anyhow::Result<()> {
    let Counted { passed, failed, unaffected } = counted;
    let all = passed + failed + unaffected;
    if all == 0 && !plan.allow_empty {
        let hint = "cases are in logics/NAME/tests/*.yaml and tests/*.yaml; --allow-empty lets this pass";
        return Err(Failure::failed("there is no case to run").hint(hint).into());
    }
    if *failed > 0 {
        let failure = Failure::failed(format!("{failed} of {all} cases failed"));
        return Err(failure.reported(terminal.is_json()).into());
    }
    Ok(())
}

async fn once(folder: &Folder, plan: &Plan, memory: &mut Memory, terminal: Terminal) -> anyhow::Result<Counted> {
    let started = Instant::now();
    let mut project = folder.project().map_err(|error| explain(error, terminal))?;
    if let Some(name) = &plan.logic {
        check_name(&project, name)?;
    }
    let mut cases = files::read(folder, &project, terminal)?;
    cases.retain(|found| is_chosen(found, plan));
    types::write(folder.root(), &project)?;
    let suites = suites::add(folder, &mut project, plan, terminal).await.map_err(|error| explain(error, terminal))?;
    let candidate = build(folder, &project, &cases, &suites, terminal).await?;
    let mut stage = Stage::new(memory.theatre.clone(), memory.previous.clone(), project, &candidate).await?;
    memory.previous = Some(stage.base());
    for name in &suites {
        let tests = suites::list(&stage, name).await?;
        cases.extend(tests.into_iter().filter(|found| is_chosen(found, plan)));
    }
    let (mut affected, mut unaffected) = (Vec::new(), 0);
    for found in cases {
        let depends = depends_on(&found, &candidate, folder)?;
        if memory.passed.get(&key(&found)) == Some(&depends) {
            unaffected += 1;
        } else {
            affected.push((found, depends));
        }
    }
    stage.prepare(affected.iter().map(|(found, _)| &found.case)).await?;
    let stage = Arc::new(stage);
    let ended = all(&stage, affected, terminal).await?;
    let mut counted = Counted { passed: 0, failed: 0, unaffected };
    for (found, depends, ended) in &ended {
        if ended.passed() {
            counted.passed += 1;
            memory.passed.insert(key(found), depends.clone());
        } else {
            counted.failed += 1;
            memory.passed.remove(&key(found));
        }
    }
    show::summary(&ended, unaffected, started.elapsed(), plan.watch, terminal);
    Ok(counted)
}

/// The logics that are called, and no others.
async fn build(
    folder: &Folder,
    project: &Project,
    cases: &[Found],
    suites: &[String],
    terminal: Terminal,
) -> anyhow::Result<Candidate> {
    let of_suites = suites.iter().map(String::as_str);
    let called: BTreeSet<&str> = cases.iter().flat_map(Found::logics).chain(of_suites).collect();
    let mut needed = project.clone();
    needed.logics.retain(|name, _| called.contains(name.as_str()));
    let progress = move |line: &str| terminal.note(line);
    folder.release(needed, &progress).await.map_err(|error| explain(error, terminal))
}

/// All of them, as many at once as there are cores. Each is told as soon as it and those before it have ended.
async fn all(
    stage: &Arc<Stage>,
    cases: Vec<(Found, Digest)>,
    terminal: Terminal,
) -> anyhow::Result<Vec<(Found, Digest, Ended)>> {
    let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    let (permits, mut running) = (Arc::new(Semaphore::new(cores)), JoinSet::new());
    for (index, (found, depends)) in cases.into_iter().enumerate() {
        let (stage, permits) = (Arc::clone(stage), Arc::clone(&permits));
        running.spawn(async move {
            let _permit = permits.acquire_owned().await;
            let ended = case::run(&stage, &found.case).await;
            (index, (found, depends, ended))
        });
    }
    let (mut waiting, mut done) = (BTreeMap::new(), Vec::new());
    while let Some(joined) = running.join_next().await {
        let (index, one) = joined.context("a case of the tests panicked")?;
        waiting.insert(index, one);
        while let Some(one) = waiting.remove(&done.len()) {
            show::case(&one.0, &one.2, terminal);
            done.push(one);
        }
    }
    Ok(done)
}

fn check_name(project: &Project, name: &str) -> anyhow::Result<()> {
    if project.logics.contains_key(name) {
        return Ok(());
    }
    let failure = Failure::usage(format!("there is no logic {name:?}"));
    Err(match nearest(name, project.logics.keys().map(String::as_str)) {
        Some(near) => failure.hint(format!("did you mean {near}?")).into(),
        None => failure.hint("`stk logic new NAME` makes one").into(),
    })
}

fn is_chosen(found: &Found, plan: &Plan) -> bool {
    let by_logic = plan.logic.as_ref().is_none_or(|name| found.logics().any(|logic| tested(logic) == name));
    let has = |text: &String| found.case.name.contains(text) || found.path.contains(text);
    by_logic && plan.filter.as_ref().is_none_or(has)
}

fn key(found: &Found) -> (String, u32) {
    (found.path.clone(), found.case.line)
}

/// Everything that decides how a case ends: its file, its logics, the tables and the seeds.
fn depends_on(found: &Found, candidate: &Candidate, folder: &Folder) -> anyhow::Result<Digest> {
    let manifest = &candidate.manifest;
    let logics: Vec<_> = found.logics().map(|name| (name, manifest.logics.get(name))).collect();
    let seeds = found.case.given.seed.iter();
    // A file that is not there is told when it is loaded.
    let seeds: Vec<_> =
        seeds.map(|path| std::fs::read(folder.root().join(path)).ok().map(|b| Digest::of(&b))).collect();
    let all = json!({
        "file": found.digest, "logics": logics, "connections": manifest.connections, "config": manifest.config,
        "envs": manifest.envs, "seeds": seeds,
    });
    Ok(Digest::of(&serde_json::to_vec(&all)?))
}
