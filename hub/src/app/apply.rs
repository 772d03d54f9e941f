//! `apply`: from a manifest that someone sends to a release that an env points to. Everything is checked again here, with the
//! code that built it; the database is changed before the pointer, and the pointer moves last.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

use santokit_core::{
    code::Code,
    id::Kind,
    problem::{Outcome, Problem},
    release::{
        Canary, Digest, Manifest, Pointer, Power, Provenance, Statement,
        compare::{self, Access},
        envelope::{POINTER_TYPE, RELEASE_TYPE},
        verify::{self, MANIFEST_BYTES_MAX, VerifyError},
    },
    schema::Schema,
};
use santokit_sql::schema::{Class, Refusal, Step};
use santokit_sqlite::queries;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value as Json, json};
use tokio::runtime::Handle;

use super::{
    App,
    answers::releases::{Applied, CapabilityLines, Changes},
    canary::need_no_canary,
    ceilings::need_below,
    deprecation, drift,
    projects::{At, need_env},
    promote::{How, refuse_old},
    releases::blocking,
    safety::Earlier,
    schema::{self, Address, Consent, Wanted},
    turn::Turn,
};
use crate::store::{
    Db,
    audit::{self, Caller, Detail, name},
    commit, envs,
    envs::now,
    releases::{self, PointerRow, ReleaseRow},
    sequences,
};

const TABLES_MAX: usize = 500;
const COLUMNS_MAX: usize = 200;
const PROVENANCE_CHARS_MAX: usize = 200;

/// The body of an apply.
#[expect(clippy::struct_excessive_bools, reason = "each is a field of the API, and says something else")]
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ApplyBody {
    /// Canonical text.
    pub manifest: String,
    /// Also as fields of their own.
    #[serde(default)]
    pub provenance: Source,
    /// As in `provenance`.
    #[serde(default)]
    pub source_revision: Option<String>,
    /// As in `provenance`.
    #[serde(default)]
    pub tool: Option<String>,
    /// Components may gain powers.
    #[serde(default)]
    pub accept_grants: bool,
    /// Nothing is changed.
    #[serde(default)]
    pub dry_run: bool,
    /// The schema may take away, or allow less than before.
    #[serde(default)]
    pub force: bool,
    /// The schema may become one that the release before does not know.
    #[serde(default)]
    pub migration_window: bool,
    /// Databases that somebody else changed are built upon as they are.
    #[serde(default)]
    pub accept_drift: bool,
    /// It is refused where a Bridge of the env is too old for it, whatever its steps are.
    #[serde(default)]
    pub check_bridge_versions: bool,
}

/// Where it came from, as the sender says.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Source {
    /// Of the source.
    #[serde(default)]
    pub source_revision: Option<String>,
    /// That built it.
    #[serde(default)]
    pub tool: Option<String>,
}

/// A checked manifest, and what it meets in the env.
pub(super) struct Candidate {
    pub(super) manifest: Manifest,
    pub(super) text: String,
    pub(super) digest: Digest,
    pub(super) addresses: BTreeMap<String, Address>,
    /// The schemas of the release before.
    pub(super) before: BTreeMap<String, Schema>,
    pub(super) added: Vec<String>,
    pub(super) removed: Vec<String>,
    /// Nothing at the first apply: then everything is new.
    pub(super) access: Access,
    pub(super) warnings: Vec<String>,
    /// Logins that are made for guests' SQL, in words.
    pub(super) logins: Vec<String>,
}

/// A step of one of the databases.
pub(super) struct SchemaStep {
    /// `connection: what it does`
    pub(super) line: String,
    /// The releases that the env could go back to and that it takes something from, in words.
    breaks: Vec<String>,
    breaks_a_pinned_one: bool,
    pub(super) class: Class,
    pub(super) is_breaking: bool,
}

/// The pointer after an apply.
pub(super) struct Pointed {
    pub(super) release_id: String,
    pub(super) sequence: i64,
    pub(super) created: bool,
    pub(super) moved: bool,
}

impl App {
    /// Applies a manifest to an env.
    pub async fn apply(&self, caller: &Caller, at: At<'_>, body: ApplyBody) -> Outcome<Applied> {
        need_env(&mut *self.store.read().await?, at).await?;
        let turn = Turn::take(&self.store, at).await?;
        let done = self.apply_in_turn(caller, at, body, &turn).await;
        turn.end().await;
        done
    }

    async fn apply_in_turn(&self, caller: &Caller, at: At<'_>, body: ApplyBody, turn: &Turn) -> Outcome<Applied> {
        if !body.dry_run {
            need_no_canary(&mut *self.store.read().await?, at).await?;
        }
        let mut candidate = self.check(at, &body).await?;
        if !candidate.added.is_empty() && !body.accept_grants && !body.dry_run {
            let message = format!("components gain {} power(s)", candidate.added.len());
            return Err(Problem::new(Code::GrantsWidened, message)
                .hint("read them; if they are meant, apply again with --accept-grants")
                .detail("added", candidate.added));
        }
        let drift = self.drift(at, &candidate).await?;
        if !body.dry_run && !body.accept_drift {
            drift::refuse(at, &drift)?;
        }
        let wishes = self.plan_logins(at, &mut candidate, body.dry_run).await?;
        let old = self.too_old(at, &candidate.manifest).await?;
        if body.check_bridge_versions && !body.dry_run {
            refuse_old(&old, &candidate.manifest, &How::Apply.command("", at.env, ""))?;
        }
        let steps = self.schema(at, &candidate, &body).await?;
        if body.dry_run {
            let mut db = self.store.read().await?;
            let known = releases::by_digest(&mut db, at.project, candidate.digest.as_str()).await?;
            let pointer = releases::pointer(&mut db, at.project, at.env).await?;
            let moved = pointer.as_ref().is_none_or(|pointer| pointer.digest != candidate.digest.as_str());
            let sequence = would_be(&mut db, pointer.map_or(0, |pointer| pointer.sequence), moved).await?;
            let created = known.is_none();
            let would = Pointed { release_id: known.map(|row| row.id).unwrap_or_default(), sequence, created, moved };
            return Ok(Applied {
                needs_accept_drift: Some(!drift.is_empty() && !body.accept_drift),
                drift: Some(drift),
                ..answer(&candidate, would, &steps, (&body, old))
            });
        }
        let remarks = self.make_logins(caller, turn, &candidate.manifest, &wishes).await?;
        candidate.warnings.extend(remarks);
        let moved = self.release(caller, &candidate, &body, &steps, turn).await?;
        self.drop_logins(caller, turn).await;
        if moved.created {
            self.metrics.release_created();
        }
        if moved.moved {
            self.moved.send_modify(|count| *count = count.wrapping_add(1));
        }
        tracing::info!(
            requestId = caller.request_id,
            project = at.project,
            env = at.env,
            releaseId = moved.release_id,
            sequence = moved.sequence,
            created = moved.created,
            moved = moved.moved,
            "applied"
        );
        let audit_head = self.head_now().await?;
        Ok(Applied { audit_head, ..answer(&candidate, moved, &steps, (&body, old)) })
    }

    pub(super) async fn check(&self, at: At<'_>, body: &ApplyBody) -> Outcome<Candidate> {
        if body.manifest.len() > MANIFEST_BYTES_MAX {
            return Err(Problem::limit(
                Code::BadRequest,
                "manifestBytes",
                format!("a manifest may have {MANIFEST_BYTES_MAX} bytes"),
            ));
        }
        let manifest = verify::manifest(&body.manifest).map_err(|error| match error {
            VerifyError::Incompatible { .. } => {
                Problem::new(Code::ReleaseBlocked, error.to_string()).hint("use the same version of stk and Hub")
            }
            VerifyError::Undeclared { ref table, .. } => Problem::new(Code::ReleaseBlocked, error.to_string())
                .hint("declare it in the schema, or take it out of the grants")
                .detail("tables", json!([table])),
            VerifyError::TooMany(_) => Problem::new(Code::Conflict, error.to_string()),
            error => Problem::new(Code::BadRequest, error.to_string()),
        })?;
        if manifest.project != at.project {
            return Err(Problem::new(
                Code::BadRequest,
                format!("the manifest is of project {:?}, not of {:?}", manifest.project, at.project),
            ));
        }
        check_tables(&manifest.connections)?;
        self.check_components(at.project, &manifest).await?;
        check_queries(&manifest).await?;
        let mut db = self.store.read().await?;
        need_below(&mut db, at.project, &manifest).await?;
        let mut addresses = BTreeMap::new();
        for row in envs::connections(&mut db, at.project, at.env).await? {
            addresses.insert(row.name.clone(), self.address(at, &row, true)?);
        }
        let missing: Vec<&String> = manifest.connections.keys().filter(|name| !addresses.contains_key(*name)).collect();
        if !missing.is_empty() {
            return Err(Problem::new(
                Code::ReleaseBlocked,
                "the env does not have every connection that the release needs",
            )
            .hint(format!("set it with `stk connections set {} --env {}`", missing[0], at.env))
            .detail("missingConnections", json!(missing)));
        }
        let set: BTreeSet<String> =
            envs::secrets(&mut db, at.project, at.env).await?.into_iter().map(|(name, ..)| name).collect();
        let unset = manifest.secrets().into_iter().filter(|name| !set.contains(*name));
        let unset = unset.map(|name| format!("secret {name} is granted but not set in this env"));
        let mut warnings: Vec<String> = unset.collect();
        let before = current_manifest(&mut db, at).await?;
        warnings.extend(deprecation::check(&mut db, at, before.as_ref(), &manifest).await?);
        let powers = compare::capabilities(before.as_ref(), &manifest);
        let in_words = |powers: &[Power]| powers.iter().map(ToString::to_string).collect();
        Ok(Candidate {
            digest: Digest::of(body.manifest.as_bytes()),
            text: body.manifest.clone(),
            added: in_words(&powers.added),
            removed: in_words(&powers.removed),
            access: before.as_ref().map(|before| compare::access(before, &manifest)).unwrap_or_default(),
            before: before.map(|manifest| manifest.connections).unwrap_or_default(),
            manifest,
            addresses,
            warnings,
            logins: Vec::new(),
        })
    }

    pub(super) async fn check_components(&self, project: &str, manifest: &Manifest) -> Outcome<()> {
        need_blobs(&mut *self.store.read().await?, project, manifest).await?;
        let _permit = self.blobs_at_once.acquire().await.map_err(Problem::internal)?;
        let (blobs, manifest, runtime) = (self.store.blobs.clone(), manifest.clone(), Handle::current());
        let checked = blocking(move || {
            let read = |digest: &Digest| runtime.block_on(blobs.get(digest)).ok().flatten().map(Cow::Owned);
            verify::components(&manifest, read)
        });
        checked.await?.map_err(|error| Problem::new(Code::ReleaseBlocked, error.to_string()))
    }

    /// Plans every database before it touches one: a refusal of the second must not find the first changed.
    pub(super) async fn schema(&self, at: At<'_>, candidate: &Candidate, body: &ApplyBody) -> Outcome<Vec<SchemaStep>> {
        let earlier = self.earlier(at).await?;
        let (mut taken, mut refusals) = (Vec::new(), Vec::new());
        let consent = Consent { force: body.force, migration_window: body.migration_window };
        // Whoever only looks sees everything.
        let consent = if body.dry_run { Consent::ALL } else { consent };
        for (name, address, wanted) in candidate.databases(consent) {
            match schema::compare(address, &wanted).await?.planned {
                Ok(steps) => taken.extend(steps.iter().map(|step| SchemaStep::new(name, step, &earlier))),
                Err(refused) => refusals.extend(refused.into_iter().map(|refusal| (name.clone(), refusal))),
            }
        }
        if !refusals.is_empty() {
            self.metrics.schema_applied("refused");
            return Err(destructive(&refusals));
        }
        if body.dry_run {
            return Ok(taken);
        }
        let broken = taken.iter().filter(|step| step.breaks_a_pinned_one).flat_map(|step| step.breaks.clone());
        let broken: Vec<String> = if body.force { Vec::new() } else { broken.collect() };
        if !broken.is_empty() {
            self.metrics.schema_applied("refused");
            return Err(Problem::new(Code::DestructiveChange, "a pinned release needs what the steps take away")
                .hint("`stk release unpin` gives it up, or apply again with --force; nothing was changed")
                .detail("rollback", broken));
        }
        // What they run goes on without the release, on a database that is not theirs any more.
        if !body.force && taken.iter().any(|step| step.is_breaking) {
            let old = self.too_old(at, &candidate.manifest).await?;
            refuse_old(&old, &candidate.manifest, &How::Apply.command("", at.env, "--force"))
                .inspect_err(|_| self.metrics.schema_applied("refused"))?;
        }
        if !taken.is_empty() {
            self.note_unfinished(at, true).await?;
        }
        taken.clear();
        for (name, address, wanted) in candidate.databases(consent) {
            let done = match schema::apply(address, &wanted).await {
                Ok(done) => done,
                Err(problem) => {
                    self.metrics.schema_applied("failed");
                    if taken.is_empty() && !schema::has_left_something(&problem) {
                        self.note_unfinished(at, false).await?;
                    }
                    return Err(problem);
                }
            };
            let steps = done.map_err(|refused| {
                self.metrics.schema_applied("refused");
                destructive(&refused.into_iter().map(|refusal| (name.clone(), refusal)).collect::<Vec<_>>())
            })?;
            self.metrics.schema_applied(if steps.is_empty() { "unchanged" } else { "applied" });
            taken.extend(steps.iter().map(|step| SchemaStep::new(name, step, &earlier)));
        }
        Ok(taken)
    }

    /// Release, pointer and audit entries, all or none.
    async fn release(
        &self,
        caller: &Caller,
        candidate: &Candidate,
        body: &ApplyBody,
        steps: &[SchemaStep],
        turn: &Turn,
    ) -> Outcome<Pointed> {
        let mut db = self.store.write().await?;
        turn.need(&mut db).await?;
        let (digest, at) = (&candidate.digest, turn.at());
        if !steps.is_empty() {
            let detail = taken(steps, body.force, body.migration_window);
            audit::append(&mut db, caller, &at.deed("schema.apply", detail)).await?;
        }
        let known = releases::by_digest(&mut db, at.project, digest.as_str()).await?;
        let created = known.is_none();
        let release_id = if let Some(row) = known {
            row.id
        } else {
            let row = self.sign(&mut db, caller, at, candidate, body).await?;
            need_blobs(&mut db, at.project, &candidate.manifest).await?;
            let blobs = candidate.manifest.components().into_iter().map(String::from);
            releases::add(&mut db, &row, blobs).await?;
            let detail = Detail::of("releaseId", name(&row.id)).with("digest", digest);
            audit::append(&mut db, caller, &at.deed("release.create", detail)).await?;
            row.id
        };
        let (moved, sequence) = self.move_pointer(&mut db, caller, at, How::Apply, (&release_id, candidate)).await?;
        commit(db).await?;
        Ok(Pointed { release_id, sequence, created, moved })
    }

    async fn sign(
        &self,
        db: &mut Db,
        caller: &Caller,
        at: At<'_>,
        candidate: &Candidate,
        body: &ApplyBody,
    ) -> Outcome<ReleaseRow> {
        let short = |text: &Option<String>, other: &Option<String>| {
            text.as_ref()
                .or(other.as_ref())
                .map(|text| text.chars().filter(|c| !c.is_control()).take(PROVENANCE_CHARS_MAX).collect())
        };
        let (id, created_at) = (Kind::Release.generate(), now());
        let provenance = Provenance {
            created_at: created_at.clone(),
            author: caller.actor_id.clone(),
            source_revision: short(&body.provenance.source_revision, &body.source_revision),
            tool: short(&body.provenance.tool, &body.tool),
        };
        let statement = Statement {
            release_id: id.clone(),
            project: at.project.to_owned(),
            digest: candidate.digest.clone(),
            provenance,
        };
        let envelope = self.signers(db).await?.sign(RELEASE_TYPE, &statement)?;
        Ok(ReleaseRow {
            id,
            project: at.project.to_owned(),
            digest: candidate.digest.as_str().to_owned(),
            manifest: candidate.text.clone(),
            envelope: serde_json::to_string(&envelope).map_err(Problem::internal)?,
            author: caller.actor_id.clone(),
            created_at,
        })
    }

    pub(super) async fn point(
        &self,
        db: &mut Db,
        at: At<'_>,
        (release_id, digest): (&str, &Digest),
        canary: Option<Canary>,
        sequence: i64,
    ) -> Outcome<PointerRow> {
        let issued_at = now();
        let pointer = Pointer {
            project: at.project.to_owned(),
            env: at.env.to_owned(),
            release_id: release_id.to_owned(),
            digest: digest.clone(),
            canary,
            sequence: u64::try_from(sequence).map_err(Problem::internal)?,
            issued_at: issued_at.clone(),
        };
        let envelope = self.signers(db).await?.sign(POINTER_TYPE, &pointer)?;
        Ok(PointerRow {
            release: release_id.to_owned(),
            digest: digest.as_str().to_owned(),
            sequence,
            envelope: serde_json::to_string(&envelope).map_err(Problem::internal)?,
            issued_at,
        })
    }
}

impl Candidate {
    /// What differs from the release before, and what is done to databases, a line each.
    pub(super) fn changes(&self, steps: &[SchemaStep]) -> Changes {
        let signed = |sign: &str, lines: &[String]| -> Vec<String> {
            lines.iter().map(|line| format!("{sign} {line}")).collect()
        };
        let schema = steps.iter().map(|step| match step.class {
            Class::Safe => step.line.clone(),
            class => format!("{} ({})", step.line, class.as_str()),
        });
        Changes {
            schema: schema.collect(),
            rollback: steps.iter().flat_map(|step| step.breaks.clone()).collect(),
            grants: [signed("+", &self.added), signed("-", &self.removed)].concat(),
            login: self.logins.clone(),
            access: self.access.lines().iter().map(ToString::to_string).collect(),
            warning: self.warnings.clone(),
        }
    }

    fn databases(&self, consent: Consent) -> impl Iterator<Item = (&String, &Address, Wanted<'_>)> {
        self.manifest.connections.iter().filter_map(move |(name, declared)| {
            let before = self.before.get(name).unwrap_or(&schema::EMPTY);
            Some((name, self.addresses.get(name)?, Wanted { declared, before, consent }))
        })
    }
}

impl SchemaStep {
    fn new(connection: &str, step: &Step, earlier: &[Earlier]) -> Self {
        let mut new = Self {
            line: format!("{connection}: {}", step.change),
            breaks: Vec::new(),
            breaks_a_pinned_one: false,
            class: step.change.class(),
            is_breaking: step.change.is_breaking(),
        };
        for release in earlier {
            let Some(lost) = release.loses(connection, &step.change) else { continue };
            let pinned = if release.is_pinned { ", which is pinned," } else { "" };
            new.breaks.push(format!("{}{pinned} could not be gone back to: {connection}: {lost}", release.id));
            new.breaks_a_pinned_one |= release.is_pinned;
        }
        new
    }
}

pub(super) fn lines(steps: &[SchemaStep]) -> Vec<&str> {
    steps.iter().map(|step| step.line.as_str()).collect()
}

/// What the audit log says of steps that were taken.
pub(super) fn taken(steps: &[SchemaStep], force: bool, migration_window: bool) -> Detail {
    Detail::of("steps", audit::lines(lines(steps))).with("force", force).with("migrationWindow", migration_window)
}

/// The sequence after a move that may be none.
pub(super) async fn would_be(db: &mut Db, sequence: i64, moves: bool) -> Outcome<i64> {
    if moves { Ok(sequences::next(db, sequence).await?) } else { Ok(sequence) }
}

/// Fails where components are not there; asked once more in the transaction that refers to them, for they may have been removed.
pub(super) async fn need_blobs(db: &mut Db, project: &str, manifest: &Manifest) -> Outcome<()> {
    let mut missing = Vec::new();
    for digest in manifest.components() {
        if !releases::has_blob(db, project, digest.as_str()).await? {
            missing.push(digest.as_str().to_owned());
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    Err(Problem::new(Code::ReleaseBlocked, format!("{} component(s) were not uploaded", missing.len()))
        .hint("upload each to /v1/projects/{project}/blobs/{digest}")
        .detail("missing", missing))
}

/// What the env points to.
pub(super) async fn current_manifest(db: &mut Db, at: At<'_>) -> Outcome<Option<Manifest>> {
    let Some(pointer) = releases::pointer(db, at.project, at.env).await? else { return Ok(None) };
    let row = releases::by_id(db, &pointer.release).await?;
    row.map(|row| serde_json::from_str(&row.manifest)).transpose().map_err(Problem::internal)
}

pub(super) fn check_tables(connections: &BTreeMap<String, Schema>) -> Outcome<()> {
    for (name, schema) in connections {
        if schema.tables.len() > TABLES_MAX {
            return Err(Problem::limit(
                Code::BadRequest,
                "tables",
                format!("connection {name:?} may have {TABLES_MAX} tables"),
            ));
        }
        if let Some((table, _)) = schema.tables.iter().find(|(_, table)| table.columns.len() >= COLUMNS_MAX) {
            return Err(Problem::limit(
                Code::BadRequest,
                "columns",
                format!("table {table:?} may have {COLUMNS_MAX} columns"),
            ));
        }
    }
    Ok(())
}

/// The engine is asked again what every query touches and answers: the powers that people consent to are those that it has.
pub(super) async fn check_queries(manifest: &Manifest) -> Outcome<()> {
    queries::verify(manifest).await.map_err(|error| match error {
        queries::VerifyError::Refused(message) => {
            Problem::new(Code::ReleaseBlocked, message).hint("apply it with stk, which writes what the database says")
        }
        queries::VerifyError::Scratch(error) => Problem::internal(error),
    })
}

fn destructive(refusals: &[(String, Refusal)]) -> Box<Problem> {
    let steps: Vec<Json> = refusals
        .iter()
        .map(|(connection, refusal)| json!({"connection": connection, "description": refusal.description, "reason": refusal.reason}))
        .collect();
    let message = format!("the schema needs {} change(s) that are not made without being asked for", steps.len());
    Problem::new(Code::DestructiveChange, message)
        .hint("each says what it needs; nothing was changed")
        .detail("steps", steps)
}

/// What it came to, without what is told of some ways alone.
pub(super) fn answer(
    candidate: &Candidate,
    moved: Pointed,
    steps: &[SchemaStep],
    (body, incompatible_bridges): (&ApplyBody, Vec<String>),
) -> Applied {
    let Pointed { release_id, sequence, created, moved } = moved;
    Applied {
        release_id,
        digest: candidate.digest.clone(),
        sequence,
        created,
        moved,
        dry_run: body.dry_run,
        schema_steps: lines(steps).into_iter().map(str::to_owned).collect(),
        capabilities: CapabilityLines { added: candidate.added.clone(), removed: candidate.removed.clone() },
        access: candidate.access.clone(),
        needs_accept_grants: !candidate.added.is_empty() && !body.accept_grants,
        changes: candidate.changes(steps),
        needs_force: !body.force && steps.iter().any(|step| step.class > Class::Safe),
        needs_migration_window: !body.force && !body.migration_window && steps.iter().any(|step| step.is_breaking),
        needs_accept_drift: None,
        audit_head: None,
        needs: None,
        drift: None,
        incompatible_bridges,
    }
}
