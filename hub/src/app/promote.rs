//! Moving an env to a release that exists: promoting one, and going back to one that it ran. A release is checked as at an apply;
//! then its databases and its Bridges are asked whether they can work with it. The pointer moves last, and only forward: going
//! back has a higher sequence too.

use santokit_core::{
    code::Code,
    problem::{Outcome, Problem},
    release::{Manifest, verify},
    schema::Schema,
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::{
    App,
    answers::releases::Applied,
    apply::{ApplyBody, Candidate, Pointed, SchemaStep, answer, taken, would_be},
    canary::need_no_canary,
    fleet::SEEN_MAX,
    projects::{At, missing, need_env},
    releases::ago,
    schema,
    turn::Turn,
};
use crate::store::{
    Db, Writing,
    audit::{self, Caller, Detail, lines, name},
    commit, moves,
    releases::{self, ReleaseRow},
    sequences, unfinished,
};

/// The body of a promotion or of going back.
#[expect(clippy::struct_excessive_bools, reason = "each is a field of the API, and says something else")]
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MoveBody {
    /// `rel_…`; going back may leave it to the Hub.
    #[serde(default)]
    pub release_id: Option<String>,
    /// Components may gain powers.
    #[serde(default)]
    pub accept_grants: bool,
    /// Of a promotion: databases that lack something get it first.
    #[serde(default)]
    pub apply_schema: bool,
    /// It moves although a database or a Bridge cannot work with it; with `apply_schema`, steps may take away.
    #[serde(default)]
    pub force: bool,
    /// As at an apply.
    #[serde(default)]
    pub migration_window: bool,
    /// It does not move where a Bridge is too old for the release, with `force` neither.
    #[serde(default)]
    pub check_bridge_versions: bool,
    /// Nothing is changed.
    #[serde(default)]
    pub dry_run: bool,
}

/// Why a pointer moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// A manifest was sent.
    Apply,
    /// A release was named.
    Promote,
    /// A release of before was named, or the last one.
    Rollback,
    /// The candidate of a canary.
    Canary,
}

/// What stands in the way of a release in an env, in words.
#[derive(Debug, Default)]
pub(super) struct Obstacles {
    /// What the databases lack for it.
    pub(super) needs: Vec<String>,
    /// What they lack for the release that runs: somebody else changed them.
    pub(super) drift: Vec<String>,
    /// Which Bridges are too old.
    pub(super) bridges: Vec<String>,
}

impl How {
    /// As in the history.
    pub const fn as_str(self) -> &'static str {
        match self {
            How::Apply => "apply",
            How::Promote | How::Canary => "promote",
            How::Rollback => "rollback",
        }
    }

    /// As in the audit log.
    const fn action(self) -> &'static str {
        match self {
            How::Apply => "release.apply",
            How::Promote | How::Canary => "release.promote",
            How::Rollback => "release.rollback",
        }
    }

    /// The command that does it, with one flag more.
    pub(super) fn command(self, release_id: &str, env: &str, flag: &str) -> String {
        let command = match self {
            How::Apply => format!("stk apply --env {env} {flag}"),
            How::Promote => format!("stk release promote {release_id} --env {env} {flag}"),
            How::Rollback => format!("stk release rollback --to {release_id} --env {env} {flag}"),
            How::Canary => format!("stk release canary promote --env {env} {flag}"),
        };
        format!("`{}`", command.trim_end())
    }
}

impl App {
    /// Lets an env run a release of its project.
    pub async fn promote(&self, caller: &Caller, at: At<'_>, body: MoveBody) -> Outcome<Applied> {
        self.go(caller, at, How::Promote, &body).await
    }

    /// Lets an env run a release again that it ran before.
    pub async fn rollback(&self, caller: &Caller, at: At<'_>, body: MoveBody) -> Outcome<Applied> {
        if body.apply_schema {
            return Err(Problem::new(Code::BadRequest, "going back changes no database")
                .hint("promote the release instead, or apply its source"));
        }
        self.go(caller, at, How::Rollback, &body).await
    }

    /// No other apply to the env runs meanwhile.
    pub(super) async fn go(&self, caller: &Caller, at: At<'_>, how: How, body: &MoveBody) -> Outcome<Applied> {
        need_env(&mut *self.store.read().await?, at).await?;
        let turn = Turn::take(&self.store, at).await?;
        let done = async {
            if how != How::Canary && !body.dry_run {
                need_no_canary(&mut *self.store.read().await?, at).await?;
            }
            let id = match how {
                How::Canary => self.canary_target(at).await?,
                How::Rollback => self.rollback_target(at, body.release_id.as_deref()).await?,
                _ => body.release_id.clone().ok_or_else(|| {
                    Problem::new(Code::BadRequest, "releaseId is missing")
                        .hint("`stk release list` shows what there is")
                })?,
            };
            let row = self.release_row(at, &id).await?;
            self.move_to(caller, &turn, how, row, body).await
        };
        let done = done.await;
        turn.end().await;
        done
    }

    async fn rollback_target(&self, at: At<'_>, named: Option<&str>) -> Outcome<String> {
        let mut db = self.store.read().await?;
        if let Some(id) = named {
            if !moves::has_run(&mut db, at.project, at.env, id).await? {
                let message = format!("env {:?} has never run a release {id:?}", at.env);
                return Err(Problem::new(Code::NotFound, message)
                    .hint(format!("{} lets it run one that is new to it", How::Promote.command(id, at.env, ""))));
            }
            return Ok(id.to_owned());
        }
        let nothing = || {
            Problem::new(Code::NotFound, format!("env {:?} ran nothing before what it runs", at.env))
                .hint("`stk release list` shows what there is; name one with --to")
        };
        let pointer = releases::pointer(&mut db, at.project, at.env).await?.ok_or_else(nothing)?;
        moves::before(&mut db, at.project, at.env, &pointer.release).await?.ok_or_else(nothing)
    }

    pub(super) async fn release_row(&self, at: At<'_>, id: &str) -> Outcome<ReleaseRow> {
        let found = releases::by_id(&mut *self.store.read().await?, id).await?;
        found.filter(|row| row.project == at.project).ok_or_else(|| missing("release", id))
    }

    async fn move_to(
        &self,
        caller: &Caller,
        turn: &Turn,
        how: How,
        row: ReleaseRow,
        body: &MoveBody,
    ) -> Outcome<Applied> {
        let at = turn.at();
        let asked = body.as_apply(row.manifest);
        let mut candidate = self.check(at, &asked).await?;
        let obstacles = self.obstacles(at, &candidate).await?;
        let command = |flag: &str| how.command(&row.id, at.env, flag);
        if !body.dry_run {
            obstacles.refuse(at, (how, body), &candidate, command)?;
        }
        let wishes = self.plan_logins(at, &mut candidate, body.dry_run).await?;
        let steps = if body.apply_schema && !obstacles.needs.is_empty() {
            self.schema(at, &candidate, &asked).await?
        } else {
            Vec::new()
        };
        let pointed = if body.dry_run {
            self.would_point(at, row.id).await?
        } else {
            let remarks = self.make_logins(caller, turn, &candidate.manifest, &wishes).await?;
            candidate.warnings.extend(remarks);
            let pointed = self.commit_move(caller, turn, how, (row.id, &candidate), body.applied(&steps)).await?;
            self.drop_logins(caller, turn).await;
            pointed
        };
        Ok(Applied {
            audit_head: if body.dry_run { None } else { self.head_now().await? },
            needs: Some(obstacles.needs),
            drift: Some(obstacles.drift),
            ..answer(&candidate, pointed, &steps, (&asked, obstacles.bridges))
        })
    }

    async fn would_point(&self, at: At<'_>, release_id: String) -> Outcome<Pointed> {
        let mut db = self.store.read().await?;
        let pointer = releases::pointer(&mut db, at.project, at.env).await?;
        let moved = pointer.as_ref().is_none_or(|pointer| pointer.release != release_id);
        let sequence = would_be(&mut db, pointer.map_or(0, |pointer| pointer.sequence), moved).await?;
        Ok(Pointed { release_id, sequence, created: false, moved })
    }

    async fn commit_move(
        &self,
        caller: &Caller,
        turn: &Turn,
        how: How,
        (release_id, candidate): (String, &Candidate),
        applied: Option<Detail>,
    ) -> Outcome<Pointed> {
        let (mut db, at) = (self.store.write().await?, turn.at());
        turn.need(&mut db).await?;
        need_release(&mut db, &release_id).await?;
        if let Some(detail) = applied {
            audit::append(&mut db, caller, &at.deed("schema.apply", detail)).await?;
        }
        let (moved, sequence) = self.move_pointer(&mut db, caller, at, how, (&release_id, candidate)).await?;
        commit(db).await?;
        if moved {
            self.moved.send_modify(|count| *count = count.wrapping_add(1));
        }
        tracing::info!(
            requestId = caller.request_id,
            project = at.project,
            env = at.env,
            releaseId = release_id,
            sequence,
            moved,
            how = how.as_str(),
            "pointed"
        );
        Ok(Pointed { release_id, sequence, created: false, moved })
    }

    /// Points an env to a release, unless it does so already; whether it moved, and the sequence. Widened powers have an audit
    /// entry of their own.
    pub(super) async fn move_pointer(
        &self,
        db: &mut Writing,
        caller: &Caller,
        at: At<'_>,
        how: How,
        (release_id, candidate): (&str, &Candidate),
    ) -> Outcome<(bool, i64)> {
        unfinished::remove(db, at.project, at.env).await?;
        let pointer = releases::pointer(db, at.project, at.env).await?;
        let sequence = pointer.as_ref().map_or(0, |pointer| pointer.sequence);
        let from = pointer.map(|pointer| pointer.release);
        if from.as_deref() == Some(release_id) {
            return Ok((false, sequence));
        }
        let next = sequences::next(db, sequence).await?;
        if how == How::Canary {
            self.canary_promoted(db, caller, at, (release_id, next)).await?;
        } else {
            need_no_canary(db, at).await?;
        }
        let row = self.point(db, at, (release_id, &candidate.digest), None, next).await?;
        releases::set_pointer(db, at.project, at.env, &row).await?;
        moves::add(db, at.project, at.env, &row, how.as_str()).await?;
        let detail = Detail::of("releaseId", name(release_id))
            .with("from", from.as_deref().map(name))
            .with("sequence", row.sequence);
        audit::append(db, caller, &at.deed(how.action(), detail)).await?;
        // Of a canary, consent was given when it began.
        if !candidate.added.is_empty() && how != How::Canary {
            let added = lines(candidate.added.iter().map(String::as_str));
            let detail = Detail::of("releaseId", name(release_id)).with("added", added);
            audit::append(db, caller, &at.deed("grants.widen", detail)).await?;
        }
        Ok((true, row.sequence))
    }

    pub(super) async fn obstacles(&self, at: At<'_>, candidate: &Candidate) -> Outcome<Obstacles> {
        let needs = self.lacking(candidate, &candidate.manifest.connections).await?;
        // What stands in the way of both is not what the release brings.
        let drift = if needs.is_empty() { Vec::new() } else { self.lacking(candidate, &candidate.before).await? };
        let bridges = self.too_old(at, &candidate.manifest).await?;
        Ok(Obstacles { needs, drift, bridges })
    }

    /// What the env's databases lack for what is declared.
    async fn lacking(
        &self,
        candidate: &Candidate,
        declared: &std::collections::BTreeMap<String, Schema>,
    ) -> Outcome<Vec<String>> {
        let mut lacking = Vec::new();
        for (name, declared) in declared {
            let Some(address) = candidate.addresses.get(name) else { continue };
            let needs = schema::misfits(address, declared).await?;
            lacking.extend(needs.into_iter().map(|need| format!("{name}: {need}")));
        }
        Ok(lacking)
    }

    /// The Bridges of an env that cannot load a release, each with its version.
    pub(super) async fn too_old(&self, at: At<'_>, manifest: &Manifest) -> Outcome<Vec<String>> {
        let reports = releases::reports(&mut *self.store.read().await?, at.project, at.env, &ago(SEEN_MAX)).await?;
        let old = reports.into_iter().filter(|(_, version, ..)| !verify::is_at_most(&manifest.minimum_bridge, version));
        Ok(old.map(|(id, version, ..)| format!("{id} {version}")).collect())
    }
}

impl Obstacles {
    /// Fails where something stands in the way, or where powers are gained without consent; `command` goes on with a flag more.
    pub(super) fn refuse(
        &self,
        at: At<'_>,
        (how, body): (How, &MoveBody),
        candidate: &Candidate,
        command: impl Fn(&str) -> String,
    ) -> Outcome<()> {
        if !body.force || body.check_bridge_versions {
            refuse_old(&self.bridges, &candidate.manifest, &command("--force"))?;
        }
        if !candidate.added.is_empty() && !body.accept_grants {
            let message = format!("components gain {} power(s)", candidate.added.len());
            return Err(Problem::new(Code::GrantsWidened, message)
                .hint(format!("read them; if they are meant: {}", command("--accept-grants")))
                .detail("added", candidate.added.clone()));
        }
        self.refuse_databases(at, how, body, command)
    }

    fn refuse_databases(&self, at: At<'_>, how: How, body: &MoveBody, command: impl Fn(&str) -> String) -> Outcome<()> {
        if self.needs.is_empty() || body.force {
            return Ok(());
        }
        if !self.drift.is_empty() {
            let count = self.drift.len();
            let message =
                format!("the databases of {:?} lack {count} thing(s) that the release that it runs declares", at.env);
            let hint = format!(
                "somebody else changed them: `stk schema diff --env {}` shows how; to go on all the same: {}",
                at.env,
                command("--force")
            );
            return Err(Problem::new(Code::SchemaDrift, message).hint(hint).detail("differences", json!(self.drift)));
        }
        if body.apply_schema {
            return Ok(());
        }
        let message =
            format!("the databases of {:?} lack {} thing(s) that the release needs", at.env, self.needs.len());
        let hint = match how {
            How::Rollback => format!("what needs them would fail; to go back all the same: {}", command("--force")),
            How::Canary => format!(
                "a canary changes no database: first promote or apply a release that only adds them; to go on all the same: {}",
                command("--force")
            ),
            _ => format!("to change the databases first: {} (with --dry-run it shows how)", command("--apply-schema")),
        };
        Err(Problem::new(Code::ReleaseBlocked, message).hint(hint).detail("needs", json!(self.needs)))
    }
}

/// Fails where a release is not there any more: an old one may have been removed since it was looked up.
pub(super) async fn need_release(db: &mut Db, id: &str) -> Outcome<()> {
    releases::by_id(db, id).await?.map(|_| ()).ok_or_else(|| missing("release", id))
}

/// Fails where there are Bridges that cannot load a release; `command` goes on all the same.
pub(super) fn refuse_old(bridges: &[String], manifest: &Manifest, command: &str) -> Outcome<()> {
    if bridges.is_empty() {
        return Ok(());
    }
    let (count, needed) = (bridges.len(), &manifest.minimum_bridge);
    let message = format!("{count} Bridge(s) are older than {needed}, which the release needs");
    Err(Problem::new(Code::IncompatibleBridge, message)
        .hint(format!("update them first; they keep what they run where you go on: {command}"))
        .detail("bridges", json!(bridges)))
}

impl MoveBody {
    /// What the audit log says of steps that were taken.
    fn applied(&self, steps: &[SchemaStep]) -> Option<Detail> {
        (!steps.is_empty()).then(|| taken(steps, self.force, self.migration_window))
    }

    pub(super) fn as_apply(&self, manifest: String) -> ApplyBody {
        ApplyBody {
            manifest,
            provenance: super::apply::Source::default(),
            source_revision: None,
            tool: None,
            accept_grants: self.accept_grants,
            dry_run: self.dry_run,
            force: self.force,
            migration_window: self.migration_window,
            accept_drift: false,
            check_bridge_versions: false,
        }
    }
}
