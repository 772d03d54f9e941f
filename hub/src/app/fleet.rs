//! What Bridges report, and what an operator sees of them: which there are, what each runs, what is wrong and what to do. Nothing
//! of a report is believed but for showing it, and for waiting for a Bridge after an apply.

use std::collections::BTreeMap;

use super::{
    App,
    access::Fleet,
    answers::fleet::{self as shown, Finding, Kept, Severity},
    projects::need_project,
    releases::ago,
};
use crate::store::{
    Db, commit, credentials, envs,
    envs::now,
    releases::{self, ReportRow},
};
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use santokit_core::{
    code::Code,
    cron::JOBS_MAX,
    id::Kind,
    name::check_label,
    problem::{Outcome, Problem},
    release::VERSION,
    wire::{EnvReport, Report, Standing},
};

mod findings;
pub mod tokens;

/// A Bridge that has not reported for this long is silent: nobody waits for it. Bridges report at least once a minute.
pub(super) const SEEN_MAX: TimeDelta = TimeDelta::seconds(90);
const TEXT_MAX: usize = 2_000;
const NAME_MAX: usize = 64;
/// Entries of a list, and keys whose use is told.
const ENTRIES_MAX: usize = 200;

/// A Bridge with all that it said last.
struct Bridge {
    id: String,
    version: String,
    seen: DateTime<Utc>,
    standing: Option<Standing>,
    clock_skew_seconds: Option<i64>,
    service_token: Option<String>,
    envs: BTreeMap<String, EnvReport>,
}

/// What Bridges are held against.
struct Surroundings {
    now: DateTime<Utc>,
    project: String,
    /// What each env points to: release, sequence, and since when.
    pointers: BTreeMap<String, (String, u64, DateTime<Utc>)>,
    /// Ids of the Hub's signing keys that are not retired, the current one first.
    signing_keys: Vec<String>,
    /// How long a silent one is shown.
    kept: TimeDelta,
}

impl App {
    /// Keeps a Bridge's report in place of the one before: an env that it does not name any more, it does not serve any more.
    pub async fn report(&self, fleet: &Fleet, bridge: &str, report: Report) -> Outcome<()> {
        if !Kind::Bridge.is_valid(bridge) || report.version.len() > NAME_MAX {
            return Err(Problem::new(
                Code::BadRequest,
                "a Bridge's id is brg_ and a ULID, its version at most 64 bytes",
            ));
        }
        for env in &report.envs {
            fleet.need(&env.project, &env.env)?;
        }
        let (clock_skew_seconds, standing) = (report.standing.as_ref().and_then(skew), report.standing.map(bounded));
        let mut db = self.store.write().await?;
        // Of its own envs only: an id is no proof of being that Bridge.
        for (project, env) in &fleet.envs {
            if !report.envs.iter().any(|named| named.project == *project && named.env == *env) {
                releases::forget_report(&mut db, project, env, bridge).await?;
            }
        }
        for mut env in report.envs {
            note_use(&mut db, &env).await?;
            bound(&mut env);
            let (project, name) = (env.project.clone(), env.env.clone());
            let (standing, service_token) = (standing.clone(), Some(fleet.id.clone()));
            let kept = Kept { env, standing, clock_skew_seconds, service_token };
            let text = serde_json::to_string(&kept).map_err(Problem::internal)?;
            let row: ReportRow = (bridge.to_owned(), report.version.clone(), text, now());
            releases::set_report(&mut db, &project, &name, &row).await?;
        }
        releases::forget_reports(&mut db, &ago(self.bridges_kept())).await?;
        Ok(commit(db).await?)
    }

    /// After this long a silent one is forgotten; Bridges with a new id at each start leave theirs behind.
    fn bridges_kept(&self) -> TimeDelta {
        TimeDelta::seconds(i64::try_from(self.bridges_kept.as_secs()).unwrap_or_default())
    }

    /// The Bridges of a project's envs, silent ones too, and what is wrong with each.
    pub async fn bridges_of(&self, project: &str) -> Outcome<shown::Fleet> {
        let mut db = self.store.read().await?;
        need_project(&mut db, project).await?;
        let bridges = bridges(&mut db, project, self.bridges_kept()).await?;
        let around = Surroundings::of(&mut db, project, self.bridges_kept()).await?;
        let mut all: Vec<Finding> = Vec::new();
        let mut rows = Vec::new();
        for bridge in &bridges {
            let found = findings::of_bridge(bridge, &around);
            all.extend(found.iter().cloned());
            rows.push(bridge.shown(&around, found));
        }
        let of_envs = findings::of_envs(&bridges, &around);
        let ok = all.iter().chain(&of_envs).all(|finding| finding.severity == Severity::Note);
        let envs = around.pointers.into_iter().map(|(env, (release_id, sequence, since))| shown::PointedEnv {
            env,
            release_id,
            sequence,
            issued_at: time(since),
        });
        Ok(shown::Fleet {
            ok,
            project: project.to_owned(),
            hub: shown::HubNow { version: VERSION.to_owned(), time: time(around.now) },
            envs: envs.collect(),
            signing_keys: around.signing_keys,
            bridges: rows,
            findings: of_envs,
        })
    }
}

/// Of each env of each Bridge that is not silent, `project/env`: the keys that the Bridge trusts, or none where it does not say.
pub(super) async fn trusted_keys(db: &mut Db) -> Outcome<Vec<(String, String, Option<Vec<String>>)>> {
    let mut all = Vec::new();
    for (bridge, project, env, report) in releases::all_reports(db, &ago(SEEN_MAX)).await? {
        let kept: Kept = serde_json::from_str(&report).map_err(Problem::internal)?;
        let keys = kept.standing.map(|standing| standing.trusted_keys.into_iter().flatten().collect());
        all.push((bridge, format!("{project}/{env}"), keys));
    }
    Ok(all)
}

impl Surroundings {
    async fn of(db: &mut Db, project: &str, kept: TimeDelta) -> Outcome<Self> {
        let mut pointers = BTreeMap::new();
        for (env, _) in envs::envs(db, project).await? {
            let Some(row) = releases::pointer(db, project, &env).await? else { continue };
            let since = read_time(&row.issued_at).unwrap_or_default();
            pointers.insert(env, (row.release, u64::try_from(row.sequence).unwrap_or_default(), since));
        }
        let keys = credentials::signing_keys(db).await?.into_iter().filter(|key| key.retired_at.is_none());
        let signing_keys = keys.map(|key| key.id).collect();
        Ok(Self { now: Utc::now(), project: project.to_owned(), pointers, signing_keys, kept })
    }
}

impl Bridge {
    fn is_silent(&self, now: DateTime<Utc>) -> bool {
        now - self.seen > SEEN_MAX
    }

    fn shown(&self, around: &Surroundings, findings: Vec<Finding>) -> shown::Bridge {
        let state = if self.is_silent(around.now) { "silent" } else { "connected" };
        let envs = self.envs.values().map(|env| shown::BridgeEnv {
            env: env.env.clone(),
            state: env.state,
            release_id: env.release_id.clone(),
            sequence: env.sequence,
            cache_age_seconds: env.cache_age_seconds,
            refused: env.refused.clone(),
        });
        shown::Bridge {
            id: self.id.clone(),
            version: self.version.clone(),
            state: state.to_owned(),
            last_seen: time(self.seen),
            last_seen_seconds: (around.now - self.seen).num_seconds().max(0),
            forgotten_at: time(self.seen + around.kept),
            clock_skew_seconds: self.clock_skew_seconds,
            service_token: self.service_token.clone(),
            standing: self.standing.clone(),
            envs: envs.collect(),
            findings,
        }
    }
}

/// By id, each with all of its envs in the project.
async fn bridges(db: &mut Db, project: &str, kept: TimeDelta) -> Outcome<Vec<Bridge>> {
    let mut bridges: BTreeMap<String, Bridge> = BTreeMap::new();
    for (env, id, version, report, at) in releases::project_reports(db, project, &ago(kept)).await? {
        let kept: Kept = serde_json::from_str(&report).map_err(Problem::internal)?;
        let seen = read_time(&at).unwrap_or_default();
        let new = || Bridge {
            id: id.clone(),
            version: version.clone(),
            seen,
            standing: kept.standing.clone(),
            clock_skew_seconds: kept.clock_skew_seconds,
            service_token: kept.service_token.clone(),
            envs: BTreeMap::new(),
        };
        let bridge = bridges.entry(id.clone()).or_insert_with(new);
        if seen > bridge.seen {
            let envs = std::mem::take(&mut bridge.envs);
            *bridge = Bridge { envs, ..new() };
        }
        bridge.envs.insert(env, kept.env);
    }
    Ok(bridges.into_values().collect())
}

/// When keys were used, never later than now: a Bridge's clock may be ahead.
async fn note_use(db: &mut Db, env: &EnvReport) -> Outcome<()> {
    let now = Utc::now();
    for (id, used) in env.keys_used.iter().take(ENTRIES_MAX) {
        let Some(used) = read_time(used) else { continue };
        let used = used.min(now).to_rfc3339_opts(SecondsFormat::Secs, true);
        credentials::note_use(db, &env.project, &env.env, id, &used).await?;
    }
    Ok(())
}

/// Ahead of the Hub's clock, as far as the way of the report does not blur it.
fn skew(standing: &Standing) -> Option<i64> {
    let sent = read_time(&standing.sent_at)?;
    Some((sent - Utc::now() + TimeDelta::milliseconds(500)).num_seconds())
}

fn bound(env: &mut EnvReport) {
    env.keys_used = BTreeMap::new();
    // They are shown in a command.
    let jobs = std::mem::take(&mut env.stopped_jobs).into_iter();
    env.stopped_jobs = jobs.filter(|job| check_label("a job's name", job).is_ok()).take(JOBS_MAX).collect();
    if let Some(refused) = &mut env.refused {
        refused.message = short(&refused.message, TEXT_MAX);
        refused.release_id = short(&refused.release_id, NAME_MAX);
    }
    if let Some(canary) = &mut env.canary {
        canary.salt = short(&canary.salt, NAME_MAX);
        canary.release_id = short(&canary.release_id, NAME_MAX);
        canary.reason = canary.reason.take().map(|reason| short(&reason, TEXT_MAX));
    }
    env.release_id = env.release_id.take().filter(|id| Kind::Release.is_valid(id));
}

fn bounded(mut standing: Standing) -> Standing {
    standing.build = short(&standing.build, NAME_MAX);
    standing.sent_at = String::new();
    standing.trusted_keys.truncate(ENTRIES_MAX);
    for keys in &mut standing.trusted_keys {
        keys.truncate(ENTRIES_MAX);
        for key in keys {
            *key = short(key, NAME_MAX);
        }
    }
    if let Some(admin) = &mut standing.admin {
        admin.url = admin.url.take().filter(|url| url.len() <= TEXT_MAX && url.starts_with("http"));
        admin.keys.truncate(ENTRIES_MAX);
        admin.keys = admin.keys.iter().map(|key| short(key, NAME_MAX)).collect();
    }
    let hit = standing.limits_hit.into_iter().take(ENTRIES_MAX);
    standing.limits_hit = hit.map(|(limit, count)| (short(&limit, NAME_MAX), count)).collect();
    standing
}

fn short(text: &str, most: usize) -> String {
    text.chars().take(most).collect()
}

fn read_time(text: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc3339(text).ok().map(|time| time.to_utc())
}

fn time(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}
