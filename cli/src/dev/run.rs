//! The loop of `stk dev`: wait for a save, build what changed, apply it, wait until the Bridge runs it, say so. Whatever
//! fails on the way is said, and the last good release keeps serving.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use santokit_bridge::RunningBridge;
use santokit_core::{
    code::Code,
    project::{ComponentSource, LogicSource, Project},
    release::Digest,
    wire::EnvState,
};
use serde_json::{Value as Json, json};

use super::{
    plane::{Plane, port_taken},
    seed,
    settings::Settings,
    watch::Watch,
};
use crate::{
    command::{
        apply::{Consent, submit},
        call::Answered,
        ending,
    },
    failure::{self, Exit, Failure},
    folder::{Candidate, Folder, NotReady},
    report::{Terminal, Tone, took},
    types,
};

/// Compiling a large component for the first time takes seconds.
const SWAP_MAX: Duration = Duration::from_mins(5);
/// A refusal is old news while a Bridge looks again, because a secret or a connection was added.
const REFUSED_FOR: Duration = Duration::from_secs(3);
const LOOK_AGAIN: Duration = Duration::from_millis(2);

/// What the command line says.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// The port of the Bridge; 0 takes a free one.
    pub port: u16,
    /// Whether what components execute is counted.
    pub fuel: bool,
    /// Whether a change of the schema may take data away.
    pub force: bool,
}

/// What runs.
struct Session {
    folder: Folder,
    terminal: Terminal,
    plan: Plan,
    plane: Plane,
    bridge: Option<RunningBridge>,
    settings: Option<Settings>,
    project: Option<String>,
    /// What the env points to, and its `rel_…`.
    pointed: Option<(Digest, String)>,
    grants: std::collections::BTreeSet<String>,
}

/// Runs until it is asked to end.
pub async fn run(folder: Folder, plan: Plan, terminal: Terminal) -> anyhow::Result<()> {
    let started = Instant::now();
    let mut ending = ending()?;
    let mut watch = Watch::new(folder.root())?;
    check_port(plan.port)?;
    let plane = Plane::start(&folder, "main").await?;
    let mut session = Session::new(folder, plan, plane, terminal);
    let mut since = started;
    loop {
        let project = session.folder.project();
        let may_stop = project.as_ref().is_ok_and(|project| !has_commands(project));
        let built = tokio::select! {
            built = session.build(project) => built,
            changed = watch.changed(), if may_stop => {
                // What is being built is old already.
                changed?;
                since = Instant::now();
                continue;
            }
            () = ending.asked() => break,
        };
        let ended = match built {
            Ok(candidate) => tokio::select! {
                ended = session.serve(candidate, since) => ended,
                () = ending.asked() => break,
            },
            Err(error) => Err(error),
        };
        if let Err(error) = ended {
            session.failed(&error);
        }
        tokio::select! {
            changed = watch.changed() => changed?,
            () = ending.asked() => break,
            ended = session.bridge_ended() => return ended,
        }
        since = Instant::now();
    }
    terminal.note("ending: running requests finish first");
    session.end().await;
    Ok(())
}

/// Before anything is built for nothing.
fn check_port(port: u16) -> anyhow::Result<()> {
    match std::net::TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, port)) {
        Ok(_) => Ok(()),
        Err(_) => Err(port_taken(port).into()),
    }
}

/// A command of the developer's may write into the folder that is watched: its build is not stopped by that.
fn has_commands(project: &Project) -> bool {
    project.logics.values().any(|logic| {
        matches!(&logic.source, LogicSource::Wasm(source) if matches!(source.component, ComponentSource::Command { .. }))
    })
}

/// Runs one logic of the project for one call; the database stays, the rest goes. With `fuel`, what it executes is counted.
pub async fn once(
    folder: Folder,
    fuel: bool,
    roles: &[String],
    logic: &str,
    params: &Json,
    terminal: Terminal,
) -> anyhow::Result<Answered> {
    let mut project = folder.project()?;
    types::write(folder.root(), &project)?;
    // The others would be built and compiled for nothing.
    project.logics.retain(|name, _| name == logic);
    let plane = Plane::start(&folder, "once").await?;
    let mut session = Session::new(folder, Plan { port: 0, fuel, force: false }, plane, terminal.quiet());
    let progress = move |line: &str| terminal.note(line);
    let candidate = session.folder.release(project, &progress).await?;
    session.serve(candidate, Instant::now()).await?;
    let (bridge, project) =
        (session.bridge.as_ref().context("the Bridge runs")?, session.project.clone().unwrap_or_default());
    let announced = session.plane.as_announced(&project, &format!("http://{}", bridge.addr));
    let answered = announced.call_as(roles, &format!("logics/{logic}"), params).await;
    session.end().await;
    answered
}

impl Session {
    fn new(folder: Folder, plan: Plan, plane: Plane, terminal: Terminal) -> Self {
        Self {
            folder,
            terminal,
            plan,
            plane,
            bridge: None,
            settings: None,
            project: None,
            pointed: None,
            grants: std::collections::BTreeSet::new(),
        }
    }

    async fn build(&self, project: anyhow::Result<Project>) -> anyhow::Result<Candidate> {
        let project = project?;
        let terminal = self.terminal;
        let progress = move |line: &str| terminal.note(line);
        self.folder.candidate(project, &progress).await
    }

    /// From a candidate to a release that runs.
    async fn serve(&mut self, candidate: Candidate, since: Instant) -> anyhow::Result<()> {
        for report in &candidate.built {
            let fields = json!({
                "logic": report.logic, "language": report.language, "sizeBytes": report.size_bytes,
                "durationMs": report.elapsed.as_millis(),
            });
            self.terminal.event("built", fields, "");
        }
        if !candidate.project.warnings.is_empty() && !self.points_to(&candidate) {
            self.terminal.note(&self.terminal.diagnostics(&candidate.project.warnings));
        }
        self.prepare(&candidate).await?;
        if let (true, Some((_, release_id)), true) =
            (self.points_to(&candidate), self.pointed.clone(), self.bridge.is_some())
        {
            self.wait_for(&release_id, REFUSED_FOR).await?;
            self.terminal.event("unchanged", json!({"releaseId": release_id}), "");
            return Ok(());
        }
        self.show_grants(&candidate);
        // Its databases are the developer's own, to remove and to change.
        let consent = Consent {
            accept_grants: true,
            migration_window: true,
            accept_drift: true,
            force: self.plan.force,
            ..Consent::default()
        };
        let applied = submit(&self.plane.hub, super::ENV, &candidate, consent, self.terminal).await.map_err(
            |error| match error.downcast::<Failure>() {
                Ok(failure) if failure.code == Some(Code::DestructiveChange) => {
                    let hint = format!(
                        "keep it declared, start with --force to let it go, or remove {} and start again to begin with a new database",
                        super::STATE
                    );
                    failure.hint(hint).into()
                }
                Ok(failure) => failure.into(),
                Err(error) => error,
            },
        )?;
        let shown: &[&str] = if self.terminal.is_quiet() { &["warning"] } else { &["schema", "warning"] };
        for kind in shown {
            for line in applied.answer["changes"][*kind].as_array().into_iter().flatten() {
                self.terminal.note(&format!("{kind} {}", crate::report::printable(&crate::report::cell(line))));
            }
        }
        self.pointed = Some((candidate.digest.clone(), applied.release_id.clone()));
        self.seed(&candidate).await?;
        let is_first = self.bridge.is_none();
        if is_first {
            if !self.terminal.is_quiet() {
                self.terminal.note("loading the release: its components are compiled");
            }
            self.bridge = Some(self.plane.serve(&candidate.manifest.project, self.plan).await?);
        }
        self.wait_for(&applied.release_id, Duration::ZERO).await?;
        if is_first && !self.terminal.is_quiet() {
            self.plane.announce(&self.folder, &candidate.manifest.project, &self.url()?)?;
        }
        if is_first {
            self.ready(&candidate, &applied.release_id, since)?;
        } else {
            self.swapped(&applied.release_id, since);
        }
        Ok(())
    }

    /// Project, env, connections, keys and secrets, as far as they changed.
    async fn prepare(&mut self, candidate: &Candidate) -> anyhow::Result<()> {
        let name = &candidate.project.name;
        if self.project.as_ref().is_some_and(|project| project != name) {
            return Err(Failure::failed("the project's name has changed")
                .hint("end `stk dev` and start it again")
                .into());
        }
        let settings = Settings::of(&candidate.project, self.folder.root())?;
        if self.project.is_none() {
            self.plane.create(name).await?;
            self.project = Some(name.clone());
            for database in settings.connections.values() {
                seed::forget_if_fresh(self.folder.root(), database).await?;
            }
        }
        settings.sync(&self.plane.hub, name, self.settings.as_ref()).await?;
        self.settings = Some(settings);
        Ok(())
    }

    fn show_grants(&mut self, candidate: &Candidate) {
        let lines = candidate.manifest.capability_lines();
        for line in lines.difference(&self.grants) {
            self.terminal.say(&format!("{} {line}", self.terminal.tone(Tone::Warn, "grants")));
        }
        self.grants = lines;
    }

    async fn seed(&self, candidate: &Candidate) -> anyhow::Result<()> {
        let name = &candidate.project.default_connection;
        let found = self.settings.as_ref().and_then(|settings| settings.connections.get(name));
        let (Some(database), Some(schema)) = (found, candidate.project.connections.get(name)) else { return Ok(()) };
        for loaded in seed::load(self.folder.root(), database, schema, self.terminal).await? {
            let line = format!("{}: {} rows in {}", loaded.path, loaded.rows, took(loaded.elapsed));
            let fields = json!({"path": loaded.path, "rows": loaded.rows, "durationMs": loaded.elapsed.as_millis()});
            self.terminal.event("seeded", fields, &line);
        }
        Ok(())
    }

    fn points_to(&self, candidate: &Candidate) -> bool {
        self.pointed.as_ref().is_some_and(|(digest, _)| *digest == candidate.digest)
    }

    /// Until the Bridge runs the release, or says why it does not.
    async fn wait_for(&self, release_id: &str, refused_for: Duration) -> anyhow::Result<()> {
        let bridge = self.bridge.as_ref().context("the Bridge runs")?;
        let since = Instant::now();
        let until = since + SWAP_MAX;
        while Instant::now() < until {
            let report = bridge.status();
            let env = report.envs.first().context("the Bridge serves the env")?;
            let serves = matches!(env.state, EnvState::Fresh | EnvState::Stale);
            if serves && env.release_id.as_deref() == Some(release_id) {
                return Ok(());
            }
            let refused = env.refused.as_ref().filter(|refused| refused.release_id == release_id);
            if let Some(refused) = refused.filter(|_| since.elapsed() >= refused_for) {
                let mut failure = Failure::new(Exit::Refused, refused.message.clone());
                failure.code = Some(refused.code);
                return Err(failure.into());
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        Err(Failure::failed(format!("the Bridge does not run {release_id} after {}", took(SWAP_MAX))).into())
    }

    fn ready(&self, candidate: &Candidate, release_id: &str, since: Instant) -> anyhow::Result<()> {
        let url = self.url()?;
        let project = &candidate.manifest.project;
        let (terminal, name) = (self.terminal, candidate.manifest.logics.keys().next());
        terminal.event(
            "ready",
            json!({"url": url, "releaseId": release_id, "project": project, "env": super::ENV}),
            "",
        );
        let ready = terminal.tone(Tone::Good, "ready");
        terminal.say(&format!("{ready} {project} on {url} in {} ({release_id})", took(since.elapsed())));
        if let Some(name) = name {
            let key = candidate.project.dev.as_ref().is_some_and(|dev| !dev.api_keys.is_empty());
            let key = if key { " --key KEY" } else { "" };
            terminal.say(&format!("  call:  stk call logics/{name} '{{}}'{key}"));
            terminal.say(&format!("         curl {url}/logics/{name} -d '{{}}'"));
        }
        terminal.say("  new:   stk logic new --lang ts NAME");
        terminal.say("  Every save is live at once. Ctrl-C ends.");
        Ok(())
    }

    fn url(&self) -> anyhow::Result<String> {
        Ok(format!("http://{}", self.bridge.as_ref().context("the Bridge runs")?.addr))
    }

    fn swapped(&self, release_id: &str, since: Instant) {
        let elapsed = since.elapsed();
        let word = self.terminal.tone(Tone::Good, "swapped");
        let line = format!("{word} to {release_id} in {} ms", elapsed.as_millis());
        let fields = json!({"releaseId": release_id, "durationMs": elapsed.as_millis()});
        self.terminal.event("swapped", fields, &line);
    }

    fn failed(&self, error: &anyhow::Error) {
        let mut fields = failure::to_json(error);
        let findings = match error.downcast_ref::<NotReady>() {
            Some(NotReady::Findings(findings)) => findings.as_slice(),
            _ => &[],
        };
        let output = error.downcast_ref::<NotReady>().and_then(NotReady::output);
        fields["diagnostics"] = json!(findings);
        fields["output"] = output.map_or(Json::Null, |text| json!(text));
        fields["releaseId"] = json!(self.running());
        if self.terminal.is_json() {
            self.terminal.event("failed", fields, "");
            return;
        }
        if !findings.is_empty() {
            self.terminal.say(&self.terminal.diagnostics(findings));
        }
        if let Some(output) = output {
            self.terminal.say(&crate::report::printable(output.trim_end()));
        }
        self.terminal.failure(error);
        match self.running() {
            Some(release_id) => self.terminal.note(&format!("{release_id} keeps serving; waiting for the next save")),
            None => self.terminal.note("nothing is served yet; waiting for the next save"),
        }
    }

    fn running(&self) -> Option<String> {
        self.bridge.as_ref()?.status().envs.first()?.release_id.clone()
    }

    async fn bridge_ended(&mut self) -> anyhow::Result<()> {
        match &mut self.bridge {
            Some(bridge) => bridge.wait().await.context("the Bridge ended"),
            None => std::future::pending().await,
        }
    }

    async fn end(self) {
        if !self.terminal.is_quiet() {
            Plane::forget(&self.folder);
        }
        if let Some(bridge) = self.bridge {
            bridge.shutdown().await;
        }
        self.plane.end().await;
    }
}
