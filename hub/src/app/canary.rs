//! Canaries: a share of an env's callers gets a candidate release. Beginning one, and changing its share, is checked as a promotion is;
//! ending one, which takes everyone back to the baseline, is never held up by a check or by the lock of an apply.
//!
//! The pointer's baseline stays; each change of the terms is a pointer with a higher sequence.

use santokit_core::{
    code::Code,
    problem::{Outcome, Problem},
    quantity::Millis,
    release::{
        Canary, Digest,
        canary::{Gate, MIN_REQUESTS, WINDOW},
    },
};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    App,
    answers::releases::{Applied, Canary as Shown, CanarySet},
    apply::Candidate,
    projects::{At, need_env},
    promote::{How, MoveBody, Obstacles, need_release},
    random_text,
    turn::Turn,
};
use crate::store::{
    Db, Writing,
    audit::{self, Caller, Detail, lines, name},
    commit,
    releases::{self, PointerRow, ReleaseRow},
    sequences,
};

mod counts;
mod record;
mod watch;

use counts::Fleet;
use record::Ending;
pub(super) use record::Record;

/// The body of a canary that is begun or changed.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CanaryBody {
    /// `rel_…` of the candidate.
    pub release_id: String,
    /// 1 to 99.
    pub percent: u64,
    /// What ends it, for example `error-rate>5%`; none keeps those of before.
    #[serde(default)]
    pub gates: Option<Vec<String>>,
    /// Requests that a gate needs to have seen.
    #[serde(default)]
    pub min_requests: Option<u32>,
    /// How far back gates look, for example `5m`.
    #[serde(default)]
    pub window: Option<String>,
    /// Components may gain powers.
    #[serde(default)]
    pub accept_grants: bool,
    /// It begins although a database or a Bridge cannot work with it.
    #[serde(default)]
    pub force: bool,
    /// Nothing is changed.
    #[serde(default)]
    pub dry_run: bool,
}

/// The body of a canary's promotion.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PromoteBody {
    /// It goes on although a database or a Bridge cannot work with it.
    #[serde(default)]
    pub force: bool,
    /// Nothing is changed.
    #[serde(default)]
    pub dry_run: bool,
}

/// Fails where a canary runs: what it is compared with must stay what it is.
pub(super) async fn need_no_canary(db: &mut Db, at: At<'_>) -> Outcome<()> {
    Record::running(db, at).await?.map_or(Ok(()), |record| Err(record.in_the_way(at)))
}

impl App {
    /// Begins a canary, or changes the terms of the one that runs with the same release.
    pub async fn set_canary(&self, caller: &Caller, at: At<'_>, body: CanaryBody) -> Outcome<CanarySet> {
        need_env(&mut *self.store.read().await?, at).await?;
        let turn = Turn::take(&self.store, at).await?;
        let done = self.set_in_turn(caller, &turn, body).await;
        turn.end().await;
        done
    }

    async fn set_in_turn(&self, caller: &Caller, turn: &Turn, body: CanaryBody) -> Outcome<CanarySet> {
        let at = turn.at();
        let (pointer, running) = self.standing(at).await?;
        if let Some(running) = running.as_ref().filter(|running| running.terms.release_id != body.release_id) {
            return Err(running.in_the_way(at));
        }
        if pointer.release == body.release_id {
            return Err(Problem::new(Code::BadRequest, "the env runs this release for everyone already"));
        }
        let row = self.release_row(at, &body.release_id).await?;
        let terms = body.terms(&row, running.as_ref())?;
        let needs_consent = !body.accept_grants && running.is_none();
        let (mut candidate, obstacles) = self.check_candidate(at, row, &body, !needs_consent).await?;
        let wishes = self.plan_logins(at, &mut candidate, body.dry_run).await?;
        let moved = running.as_ref().is_none_or(|running| running.terms != terms);
        let sequence = if moved {
            sequences::next(&mut *self.store.read().await?, pointer.sequence).await?
        } else {
            pointer.sequence
        };
        let mut record = running.unwrap_or_else(|| Record::new(terms.clone(), &pointer.release, caller));
        let began = record.sequence == 0;
        (record.terms, record.sequence) = (terms, sequence);
        if moved && !body.dry_run {
            candidate.warnings.extend(self.make_logins(caller, turn, &candidate.manifest, &wishes).await?);
            self.commit_canary(caller, turn, (&pointer, &record), began.then_some(&candidate)).await?;
        }
        Ok(CanarySet {
            canary: record.answer(&Fleet::default()),
            started: began,
            moved,
            dry_run: body.dry_run,
            changes: candidate.changes(&[]),
            needs_accept_grants: needs_consent && !candidate.added.is_empty(),
            needs: obstacles.needs,
            drift: obstacles.drift,
            incompatible_bridges: obstacles.bridges,
        })
    }

    /// What the env points to, and the canary that runs there.
    async fn standing(&self, at: At<'_>) -> Outcome<(PointerRow, Option<Record>)> {
        let mut db = self.store.read().await?;
        let pointer = releases::pointer(&mut db, at.project, at.env).await?.ok_or_else(|| {
            Problem::new(Code::NotFound, "nothing was applied to this env yet")
                .hint("a canary needs a release to be compared with: `stk apply` or `stk release promote` first")
        })?;
        let running = Record::running(&mut db, at).await?;
        Ok((pointer, running))
    }

    /// As a promotion is checked, but that databases must fit before: two releases run on them.
    async fn check_candidate(
        &self,
        at: At<'_>,
        row: ReleaseRow,
        body: &CanaryBody,
        has_consent: bool,
    ) -> Outcome<(Candidate, Obstacles)> {
        let (id, percent) = (row.id, body.percent);
        let command = |flag: &str| format!("`stk release canary {id} --percent {percent} --env {} {flag}`", at.env);
        let asked =
            MoveBody { accept_grants: has_consent, force: body.force, dry_run: body.dry_run, ..MoveBody::default() };
        let candidate = self.check(at, &asked.as_apply(row.manifest)).await?;
        let obstacles = self.obstacles(at, &candidate).await?;
        if !body.dry_run {
            obstacles.refuse(at, (How::Canary, &asked), &candidate, command)?;
        }
        Ok((candidate, obstacles))
    }

    async fn commit_canary(
        &self,
        caller: &Caller,
        turn: &Turn,
        (pointer, record): (&PointerRow, &Record),
        began_with: Option<&Candidate>,
    ) -> Outcome<()> {
        let (mut db, at) = (self.store.write().await?, turn.at());
        turn.need(&mut db).await?;
        need_release(&mut db, &record.terms.release_id).await?;
        let stands = releases::pointer(&mut db, at.project, at.env).await?;
        if stands.is_none_or(|stands| stands.sequence != pointer.sequence) {
            return Err(Problem::new(Code::Conflict, "the env's pointer has moved meanwhile")
                .hint("look at it with `stk release canary status`, and try again"));
        }
        let digest = Digest::parse(&pointer.digest).map_err(Problem::internal)?;
        let terms = Some(record.terms.clone());
        let anew = self.point(&mut db, at, (&pointer.release, &digest), terms, record.sequence).await?;
        releases::set_pointer(&mut db, at.project, at.env, &anew).await?;
        record.keep(&mut db, at).await?;
        let action = if began_with.is_some() { "canary.start" } else { "canary.change" };
        audit::append(&mut db, caller, &at.deed(action, record.facts())).await?;
        if let Some(candidate) = began_with.filter(|candidate| !candidate.added.is_empty()) {
            let added = lines(candidate.added.iter().map(String::as_str));
            let detail = Detail::of("releaseId", name(&record.terms.release_id)).with("added", added);
            audit::append(&mut db, caller, &at.deed("grants.widen", detail)).await?;
        }
        commit(db).await?;
        self.moved.send_modify(|count| *count = count.wrapping_add(1));
        Ok(())
    }

    /// The canary that runs, or the last one and how it ended.
    pub async fn canary(&self, at: At<'_>) -> Outcome<Shown> {
        let mut db = self.store.read().await?;
        need_env(&mut db, at).await?;
        let record = Record::last(&mut db, at).await?.ok_or_else(no_canary)?;
        let fleet = Fleet::of(&mut db, at, &record).await?;
        Ok(record.answer(&fleet))
    }

    /// Lets everyone have the candidate.
    pub async fn promote_canary(&self, caller: &Caller, at: At<'_>, body: PromoteBody) -> Outcome<Applied> {
        // Consent to its powers was given when it began.
        let asked = MoveBody { accept_grants: true, force: body.force, dry_run: body.dry_run, ..MoveBody::default() };
        self.go(caller, at, How::Canary, &asked).await
    }

    /// Takes everyone back to the baseline.
    pub async fn abort_canary(&self, caller: &Caller, at: At<'_>) -> Outcome<()> {
        need_env(&mut *self.store.read().await?, at).await?;
        if self.take_back(caller, at, None, (Ending::Aborted, None)).await? {
            return Ok(());
        }
        Err(no_canary())
    }

    /// Ends the canary that runs, or only the one of a salt; false where there is none any more.
    async fn take_back(
        &self,
        caller: &Caller,
        at: At<'_>,
        salt: Option<&str>,
        (how, reason): (Ending, Option<String>),
    ) -> Outcome<bool> {
        let mut db = self.store.write().await?;
        let running = Record::running(&mut db, at).await?;
        let Some(mut record) = running.filter(|record| salt.is_none_or(|salt| record.terms.salt == salt)) else {
            return Ok(false);
        };
        let pointer = releases::pointer(&mut db, at.project, at.env).await?;
        let pointer = pointer.ok_or_else(|| Problem::internal("a canary without a pointer"))?;
        let digest = Digest::parse(&pointer.digest).map_err(Problem::internal)?;
        record.sequence = sequences::next(&mut db, pointer.sequence).await?;
        let anew = self.point(&mut db, at, (&pointer.release, &digest), None, record.sequence).await?;
        releases::set_pointer(&mut db, at.project, at.env, &anew).await?;
        record.end(&mut db, at, caller, (how, reason)).await?;
        commit(db).await?;
        self.moved.send_modify(|count| *count = count.wrapping_add(1));
        self.metrics.canary_ended(how.as_str());
        tracing::warn!(
            requestId = caller.request_id,
            project = at.project,
            env = at.env,
            releaseId = record.terms.release_id,
            sequence = record.sequence,
            how = how.as_str(),
            "the canary has ended; everyone gets the baseline"
        );
        Ok(true)
    }

    /// Notes that the candidate is what the env points to now. In the transaction that moves the pointer.
    pub(super) async fn canary_promoted(
        &self,
        db: &mut Writing,
        caller: &Caller,
        at: At<'_>,
        (release_id, sequence): (&str, i64),
    ) -> Outcome<()> {
        let running = Record::running(db, at).await?.filter(|record| record.terms.release_id == release_id);
        let Some(mut record) = running else {
            return Err(Problem::new(Code::Conflict, "the canary has ended meanwhile")
                .hint("`stk release canary status` says why"));
        };
        record.sequence = sequence;
        record.end(db, at, caller, (Ending::Promoted, None)).await?;
        self.metrics.canary_ended(Ending::Promoted.as_str());
        Ok(())
    }

    /// What a promotion of the canary promotes.
    pub(super) async fn canary_target(&self, at: At<'_>) -> Outcome<String> {
        let running = Record::running(&mut *self.store.read().await?, at).await?;
        Ok(running.ok_or_else(no_canary)?.terms.release_id)
    }
}

impl CanaryBody {
    /// The terms that it asks for; what it leaves out stays as it is.
    fn terms(&self, row: &ReleaseRow, running: Option<&Record>) -> Outcome<Canary> {
        let bad = |what: String| Problem::new(Code::BadRequest, what);
        let before = running.map(|record| &record.terms);
        let gates = match &self.gates {
            Some(gates) => gates
                .iter()
                .map(|text| text.parse::<Gate>().map_err(|error| bad(format!("{text:?}: {error}"))))
                .collect::<Outcome<Vec<_>>>()?,
            None => before.map(|terms| terms.gates.clone()).unwrap_or_default(),
        };
        let window = match &self.window {
            Some(text) => text.parse::<Millis>().map_err(|error| bad(format!("window: {error}")))?,
            None => before.map_or(WINDOW, |terms| terms.window),
        };
        let terms = Canary {
            release_id: row.id.clone(),
            digest: Digest::parse(&row.digest).map_err(Problem::internal)?,
            percent: u8::try_from(self.percent).unwrap_or(u8::MAX),
            salt: before.map_or_else(random_text, |terms| Ok(terms.salt.clone()))?,
            gates,
            min_requests: self.min_requests.or(before.map(|terms| terms.min_requests)).unwrap_or(MIN_REQUESTS),
            window,
        };
        terms.check().map_err(|error| bad(error.to_string()))?;
        Ok(terms)
    }
}

fn no_canary() -> Box<Problem> {
    Problem::new(Code::NotFound, "no canary runs in this env")
        .hint("`stk release canary RELEASE --percent N` begins one")
}
