//! `stk logic replay`: runs a recorded invocation again on this machine, against what was recorded, and names the first thing that a guest
//! does otherwise. Nothing is reached but the Hub and the Bridge that have component and recording.

use std::collections::HashMap;

use anyhow::Context as _;
use santokit_core::{
    limit::InvocationLimits,
    logic::Body,
    release::{Digest, SignedRelease, verify},
};
use santokit_wasm::{
    CallError, Frame, LoadedLogic, Sandbox, SandboxConfig, SupplyConfig,
    record::{Divergence, Head, Played, Replay, Replayed, Replayer, Side, Verdict},
};
use serde_json::{Value as Json, json};

use super::{recordings::Recorders, wasm_source};
use crate::{
    command::{Shell, apply::explain, bridge::operator::At},
    failure::{Failure, to_json},
    folder,
    report::{Terminal, Tone, cell, printable},
};

/// What `--release` says for what stands in this folder.
const LOCAL: &str = "local";
/// Characters of a call's arguments, or of a value, that are shown to people.
const SHOWN_MAX: usize = 160;
/// Recordings that `--all` runs: as many as a Bridge has of one env.
const ALL_MAX: usize = 2_000;

/// Flags of `stk logic replay`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  stk logic replay rec_01J… --env prod\n  stk logic replay rec_01J… --env prod --release local\n  stk logic replay --all purchase --env prod --release rel_01J…"
)]
pub struct Options {
    /// The recording, from `stk logic recordings`
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    id: Option<String>,
    /// Every recording of a logic
    #[arg(long, value_name = "LOGIC")]
    all: Option<String>,
    /// Run the component of another release, or, with `local`, what stands in this folder; default: the one that was recorded
    #[arg(long, value_name = "RELEASE")]
    release: Option<String>,
    /// Which Bridge, in which env
    #[command(flatten)]
    at: At,
}

/// Components that are ready, by release and logic.
struct Theatre<'a> {
    shell: &'a Shell,
    recorders: &'a Recorders,
    sandbox: std::sync::Arc<Sandbox<Replayer>>,
    release: Option<&'a str>,
    ready: HashMap<(String, String), Ready>,
}

struct Ready {
    loaded: LoadedLogic<Replayer>,
    limits: InvocationLimits,
    digest: Digest,
}

/// Runs it.
pub(super) async fn run(options: &Options, shell: &Shell) -> anyhow::Result<()> {
    let recorders = Recorders::of(&options.at, shell).await?;
    let mut theatre = Theatre::new(shell, &recorders, options.release.as_deref())?;
    match (&options.id, &options.all) {
        (Some(id), _) => one(id, &mut theatre).await,
        (None, Some(logic)) => all(logic, &mut theatre).await,
        (None, None) => Err(Failure::usage("say the id of a recording, or --all and a logic").into()),
    }
}

async fn one(id: &str, theatre: &mut Theatre<'_>) -> anyhow::Result<()> {
    let terminal = theatre.shell.terminal;
    let (head, digest, replayed) = theatre.play(id).await?;
    let answer = as_json(&head, &digest, &replayed);
    terminal.answer(&answer, |terminal| show(terminal, &head, &digest, &replayed));
    match replayed.verdict {
        Verdict::Diverged(_) => Err(Failure::failed("the replay is not what was recorded").reported(true).into()),
        Verdict::Same | Verdict::Unfinished { .. } => Ok(()),
    }
}

/// One line for each, and the counts.
async fn all(logic: &str, theatre: &mut Theatre<'_>) -> anyhow::Result<()> {
    let terminal = theatre.shell.terminal;
    let (rows, worst) = theatre.recorders.list(Some(logic), terminal).await;
    let (mut shown, mut counts) = (Vec::new(), [0_usize; 4]);
    for row in rows.iter().take(ALL_MAX) {
        let id = cell(&row["id"]);
        let (kind, line, told) = match theatre.play(&id).await {
            Ok((head, digest, replayed)) => {
                let (kind, line) = match &replayed.verdict {
                    Verdict::Same => (0, "the same".to_owned()),
                    Verdict::Diverged(divergence) => (1, told(divergence)),
                    Verdict::Unfinished { after, why } => (2, format!("the same for {after} calls: {why}")),
                };
                (kind, line, as_json(&head, &digest, &replayed))
            }
            Err(error) => {
                let told = json!({"recording": id, "error": to_json(&error)["error"]});
                (3, format!("{error:#}"), told)
            }
        };
        counts[kind] += 1;
        let tone = [Tone::Good, Tone::Bad, Tone::Warn, Tone::Bad][kind];
        terminal.say(&format!("{} {}", terminal.tone(tone, &id), printable(&line)));
        shown.push(told);
    }
    let [same, diverged, unfinished, failed] = counts;
    let answer = json!({
        "logic": logic, "same": same, "diverged": diverged, "unfinished": unfinished, "failed": failed, "replays": shown,
    });
    terminal.answer(&answer, |terminal| {
        let rest = if failed > 0 { format!(", {failed} could not be run") } else { String::new() };
        terminal.say(&format!("{same} the same, {diverged} not, {unfinished} the same as far as they go{rest}"));
    });
    match worst {
        Some(exit) => Err(Failure::new(exit, "not every Bridge could be read").into()),
        None if diverged + failed > 0 => {
            Err(Failure::failed("not every replay is what was recorded").reported(true).into())
        }
        None => Ok(()),
    }
}

impl<'a> Theatre<'a> {
    fn new(shell: &'a Shell, recorders: &'a Recorders, release: Option<&'a str>) -> anyhow::Result<Self> {
        // A trap is told with its line; and a replay is to be the same whenever it runs.
        let config = SandboxConfig { debug_info: true, supply: SupplyConfig::NONE, ..SandboxConfig::default() };
        let sandbox = Sandbox::new(&config)?;
        Ok(Self { shell, recorders, sandbox, release, ready: HashMap::new() })
    }

    async fn play(&mut self, id: &str) -> anyhow::Result<(Head, Digest, Replayed)> {
        let recording = self.recorders.read(id).await?;
        let head = recording.head.clone();
        let replay = Replay::new(recording).map_err(|error| Failure::failed(format!("{id}: {error}")))?;
        let release = self.release.unwrap_or(&head.release_id).to_owned();
        let key = (release, head.logic.clone());
        if !self.ready.contains_key(&key) {
            let ready = self.load(&key.0, &head.logic).await?;
            self.ready.insert(key.clone(), ready);
        }
        let ready = self.ready.get(&key).context("it was made")?;
        Ok((head, ready.digest.clone(), replay.run(&ready.loaded, &ready.limits).await))
    }

    async fn load(&self, release: &str, logic: &str) -> anyhow::Result<Ready> {
        let (bytes, limits) =
            if release == LOCAL { self.local(logic).await? } else { self.released(release, logic).await? };
        let digest = Digest::of(&bytes);
        let loaded = self.sandbox.load(&bytes, digest.as_str()).await;
        let loaded = loaded.map_err(|error| Failure::failed(format!("the component of {logic}: {error}")))?;
        Ok(Ready { loaded, limits, digest })
    }

    /// As it stands in this folder.
    async fn local(&self, logic: &str) -> anyhow::Result<(Vec<u8>, InvocationLimits)> {
        let terminal = self.shell.terminal;
        let folder = self.shell.folder()?;
        let project = folder.project().map_err(|error| explain(error, terminal))?;
        let (name, source) = wasm_source(&project, logic)?;
        let progress = move |line: &str| terminal.note(line);
        let built = folder.build(name, source, &progress).await.map_err(|error| explain(error.into(), terminal))?;
        folder::accept(name, source, &Digest::of(&built.wasm), &built.wasm)
            .map_err(|error| explain(error.into(), terminal))?;
        let timeout = project.logics.get(name).map_or(source.limits.timeout, |logic| logic.timeout);
        Ok((built.wasm, InvocationLimits { timeout, ..source.limits.clone() }))
    }

    /// As the Hub has it.
    async fn released(&self, release: &str, logic: &str) -> anyhow::Result<(Vec<u8>, InvocationLimits)> {
        let (hub, project) = (&self.recorders.bridges.hub, self.recorders.bridges.project.as_str());
        let signed = hub.get(&["v1", "projects", project, "releases", release]).await?;
        let signed: SignedRelease = serde_json::from_value(signed).context("the Hub answers a signed release")?;
        let manifest = verify::manifest(&signed.manifest).map_err(|error| Failure::failed(error.to_string()))?;
        let none = || Failure::failed(format!("{release} has no component for logic {logic:?}"));
        let found = manifest.logics.get(logic).ok_or_else(none)?;
        let Body::Wasm(wasm) = &found.body else { return Err(none().into()) };
        let bytes = hub.bytes(&["v1", "projects", project, "blobs", &wasm.component]).await?;
        let signed = Digest::parse(&wasm.component).map_err(|error| Failure::failed(error.to_string()))?;
        if !signed.matches(&bytes) {
            return Err(Failure::failed(format!("the Hub's component of {logic} has another digest")).into());
        }
        Ok((bytes, InvocationLimits { timeout: found.timeout, ..wasm.limits.clone() }))
    }
}

fn as_json(head: &Head, digest: &Digest, replayed: &Replayed) -> Json {
    let (failure, backtrace) = failed(replayed).unzip();
    let logs: Vec<&str> = replayed.lines.iter().map(|line| line.message.as_str()).collect();
    json!({
        "recording": head.id, "logic": head.logic, "recorded": head, "component": digest,
        "verdict": replayed.verdict, "calls": replayed.calls, "logs": logs, "failure": failure, "backtrace": backtrace,
    })
}

fn show(terminal: Terminal, head: &Head, digest: &Digest, replayed: &Replayed) {
    let title = format!("{} of {}", head.id, head.logic);
    terminal.say(&format!("{} at {}, {}", terminal.tone(Tone::Strong, &title), head.at, head.release_id));
    if head.component != digest.as_str() {
        terminal.say(&format!("  run with another component: {digest}"));
    }
    for call in &replayed.calls {
        show_call(terminal, call);
    }
    for line in &replayed.lines {
        terminal.say(&format!("  {} {}", terminal.tone(Tone::Faint, "log"), printable(&line.message)));
    }
    if let Some((failure, frames)) = failed(replayed) {
        terminal.say(&format!("  {} {}", terminal.tone(Tone::Warn, "ended"), printable(&failure)));
        for frame in &frames {
            terminal.say(&format!("    {}", printable(frame)));
        }
    }
    match &replayed.verdict {
        Verdict::Same => {
            let calls = replayed.calls.len();
            terminal.say(&format!("{}: {calls} calls, and the end", terminal.tone(Tone::Good, "the same")));
        }
        Verdict::Unfinished { after, why } => {
            terminal.say(&format!("{} for {after} calls: {}", terminal.tone(Tone::Warn, "the same"), printable(why)));
        }
        Verdict::Diverged(divergence) => {
            terminal.say(&format!("{}: {}", terminal.tone(Tone::Bad, "diverges"), printable(&told(divergence))));
            terminal.say(&format!("  recorded  {}", side(&divergence.recorded)));
            terminal.say(&format!("  now       {}", side(&divergence.now)));
        }
    }
}

fn show_call(terminal: Terminal, call: &Played) {
    #[expect(clippy::cast_precision_loss, reason = "for people")]
    let took = call.took_us.map_or_else(String::new, |micros| format!("{:.1} ms", micros as f64 / 1e3));
    let name = format!("{}.{}", call.capability, call.op);
    let tone = if call.is_same { Tone::Good } else { Tone::Bad };
    let line = format!(
        "  {:>4} {} {took:>10}  {}",
        call.number,
        terminal.tone(tone, &format!("{name:<16}")),
        shown(&call.args)
    );
    terminal.say(&line);
}

/// In one sentence.
fn told(divergence: &Divergence) -> String {
    let Divergence { number, recorded, now, difference } = divergence;
    let place = match (recorded, now) {
        (Side::Call { capability, op, .. }, Side::Call { .. }) => format!("call {number} ({capability}.{op})"),
        (Side::Call { capability, op, .. }, Side::End { .. }) => {
            return format!("call {number} ({capability}.{op}) was recorded, and now the guest ends before it");
        }
        (Side::End { .. }, Side::Call { capability, op, .. }) => {
            return format!("call {number} ({capability}.{op}) is made now, and the guest had ended there");
        }
        (Side::End { .. }, Side::End { .. }) => "the end".to_owned(),
    };
    let Some(difference) = difference else {
        let name =
            if let Side::Call { capability, op, .. } = now { format!("{capability}.{op}") } else { String::new() };
        return format!("{place} is now {name}");
    };
    let value = |value: &Option<Json>| value.as_ref().map_or_else(|| "nothing".to_owned(), shown);
    let path = if difference.path.is_empty() { "it" } else { &difference.path };
    format!("{place}: {path} was {} and is {}", value(&difference.recorded), value(&difference.now))
}

fn side(side: &Side) -> String {
    match side {
        Side::Call { capability, op, args } => format!("{capability}.{op} {}", shown(args)),
        Side::End { ending } => format!("ended: {}", shown(ending)),
    }
}

/// How it failed now, and where.
fn failed(replayed: &Replayed) -> Option<(String, Vec<String>)> {
    let error = replayed.outcome.as_ref()?.as_ref().err()?;
    let frames = match error {
        CallError::Trap { backtrace, .. } | CallError::Limit { backtrace, .. } => backtrace.as_slice(),
        _ => &[],
    };
    let line = |frame: &Frame| match &frame.place {
        Some(place) => format!("{} at {place}", frame.function),
        None => frame.function.clone(),
    };
    Some((error.to_string(), frames.iter().map(line).collect()))
}

fn shown(value: &Json) -> String {
    let text = printable(&value.to_string());
    match text.char_indices().nth(SHOWN_MAX) {
        None => text,
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}
